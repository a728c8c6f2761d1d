/* datamodel_judge.c - LDS of scores that are made of retrained models, on models they were not made of. */
#include "dtrak/datamodel.h"

#include "dtrak/mem.h"

#include <stdint.h>
#include <string.h>

/* Half h holds the models of parity h. */
struct judge {
    const struct datamodel *o;
    size_t N, Q, m[2];
    unsigned char *mask[2];       /* [m][N] */
    double *y[2];                 /* [m][Q] */
    double *target[2];            /* [Q][m], what is predicted */
    unsigned char *fewer_mask;    /* a half but for one */
    double *fewer_y, *p;          /* the same; [Q][m] predictions */
    int is_centred;
};

static void judge_free(struct judge *j) {
    for (int h = 0; h < 2; h++) {
        mem_free(j->mask[h]);
        mem_free(j->y[h]);
        mem_free(j->target[h]);
    }
    mem_free(j->fewer_mask);
    mem_free(j->fewer_y);
    mem_free(j->p);
}

static enum status judge_init(struct judge *j, const unsigned char *mask, const double *y, size_t M) {
    j->m[0] = (M + 1) / 2;
    j->m[1] = M / 2;
    for (size_t h = 0; h < 2; h++) {
        j->mask[h] = mem_array(j->m[h], j->N);
        j->y[h] = mem_array(j->m[h], j->Q * sizeof(double));
        j->target[h] = mem_array(j->Q, j->m[h] * sizeof(double));
        if (!j->mask[h] || !j->y[h] || !j->target[h]) return fail(ERR_NOMEM, "datamodel: out of memory");
        for (size_t i = 0; i < j->m[h]; i++) {
            memcpy(j->mask[h] + i * j->N, mask + (2 * i + h) * j->N, j->N);
            for (size_t q = 0; q < j->Q; q++) j->y[h][i * j->Q + q] = j->target[h][q * j->m[h] + i] = y[q * M + 2 * i + h];
        }
        if (j->is_centred) lds_centre(j->target[h], j->m[h], j->Q);
    }
    j->fewer_mask = mem_array(j->m[0], j->N);
    j->fewer_y = mem_array(j->m[0], j->Q * sizeof(double));
    j->p = mem_array(j->Q, j->m[0] * sizeof(double));
    return j->fewer_mask && j->fewer_y && j->p ? OK : fail(ERR_NOMEM, "datamodel: out of memory");
}

/* Half h predicted from the other without its model `without` (SIZE_MAX: from all of it). */
static enum status judge_half(struct judge *j, size_t h, size_t without, struct lds_fit *out) {
    size_t from = 1 - h, M = 0;
    for (size_t i = 0; i < j->m[from]; i++) {
        if (i == without) continue;
        memcpy(j->fewer_mask + M * j->N, j->mask[from] + i * j->N, j->N);
        memcpy(j->fewer_y + M++ * j->Q, j->y[from] + i * j->Q, j->Q * sizeof *j->fewer_y);
    }
    TRY(datamodel_predict(j->p, j->o, j->fewer_mask, j->fewer_y, M, j->mask[h], j->m[h], j->N, j->Q));
    if (j->is_centred) lds_centre(j->p, j->m[h], j->Q);
    return lds_fit_new(out, j->p, j->target[h], j->m[h], j->Q);
}

/* What leaving a model out of one half does to the other, which it helped to predict. */
static enum status leave_each_out(struct judge *j, const struct lds_fit half[2], struct lds_fit *out) {
    for (size_t h = 0; h < 2; h++)
        for (size_t i = 0; i < j->m[1 - h]; i++) {
            struct lds_fit f;
            TRY(judge_half(j, h, i, &f));
            double *loo = out->loo + ((1 - h) * out->split + i) * j->Q;
            for (size_t q = 0; q < j->Q; q++) loo[q] += (f.rho[q] - half[h].rho[q]) / 2;
            lds_fit_free(&f);
        }
    return OK;
}

static enum status judge_both(struct judge *j, struct lds_fit *out) {
    struct lds_fit half[2] = { 0 };
    enum status st;
    for (size_t h = 0; h < 2; h++) TRY_TO(judge_half(j, h, SIZE_MAX, &half[h]));
    TRY_TO(lds_fit_join(out, half));
    if (j->m[1] >= LDS_INTERVAL_MIN) TRY_TO(leave_each_out(j, half, out));
done:
    lds_fit_free(&half[0]);
    lds_fit_free(&half[1]);
    if (st != OK) lds_fit_free(out);
    return st;
}

enum status datamodel_judge(struct lds_fit *out, const struct datamodel *o, const unsigned char *mask, const double *y,
                            size_t M, size_t N, size_t Q, int is_centred) {
    struct judge j = { .o = o, .N = N, .Q = Q, .is_centred = is_centred };
    memset(out, 0, sizeof *out);
    if (M < 2 * LDS_SUBSETS_MIN)
        return fail(ERR_RANGE, "datamodel: %zu retrained models; one half of them predicts the other, so at least %d are needed",
                    M, 2 * LDS_SUBSETS_MIN);
    enum status st = judge_init(&j, mask, y, M);
    if (st == OK) st = judge_both(&j, out);
    judge_free(&j);
    return st;
}
