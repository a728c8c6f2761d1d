/* features.c - what the stored features say, worked out without the program's algebra.
 *
 *   features hash DB                  a line per feature set: what it is, rows, SHA-256 of its rows
 *   features rank DB ITEM LOSS        the ranking of the query by ridge scores, as rank's CSV has it
 *
 * rank reads the train and query rows, forms Phi Phi^T + lambda I in float64, solves it by Gaussian
 * elimination with partial pivoting, and sorts.  Nothing of src/linalg or src/attribution is used.
 * lambda is the absolute value that the score set names, and is checked against trace / n times the
 * relative one. */
#include "dtrak/hash.h"
#include "dtrak/mem.h"
#include "dtrak/store.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(enum status st) {
    if (st == OK) return;
    fprintf(stderr, "features: %s\n", fail_reason());
    exit(1);
}
static void stop(const char *why) {
    fprintf(stderr, "features: %s\n", why);
    exit(1);
}

static float *read_rows(struct store *s, const struct feature_set *set) {
    float *rows = mem_array(set->rows * set->identity.k, sizeof *rows);
    if (!rows) stop("out of memory");
    check(store_features_read(s, set, 0, set->rows, rows));
    return rows;
}

static void print_hashes(struct store *s) {
    struct feature_set_list l = { 0 };
    check(store_feature_sets_list(s, &l));
    for (size_t i = 0; i < l.count; i++) {
        const struct feature_set *f = &l.set[i];
        float *rows = read_rows(s, f);
        char hex[65];
        sha256_hex(hex, rows, f->rows * f->identity.k * sizeof *rows);
        printf("%s %s %zu %zu %s\n", f->identity.loss, split_name(f->identity.split), f->identity.timesteps, f->rows, hex);
        mem_free(rows);
    }
    feature_set_list_free(&l);
}

/* Solves A x = b in place by elimination with partial pivoting; b becomes x. */
static void eliminate(double *A, double *b, size_t n) {
    for (size_t c = 0; c < n; c++) {
        size_t best = c;
        for (size_t r = c + 1; r < n; r++)
            if (fabs(A[r * n + c]) > fabs(A[best * n + c])) best = r;
        if (A[best * n + c] == 0) stop("a singular matrix");
        for (size_t k = c; k < n && best != c; k++) {
            double t = A[c * n + k];
            A[c * n + k] = A[best * n + k];
            A[best * n + k] = t;
        }
        double t = b[c];
        b[c] = b[best];
        b[best] = t;
        for (size_t r = c + 1; r < n; r++) {
            double f = A[r * n + c] / A[c * n + c];
            for (size_t k = c; k < n; k++) A[r * n + k] -= f * A[c * n + k];
            b[r] -= f * b[c];
        }
    }
    for (size_t c = n; c-- > 0;) {
        for (size_t k = c + 1; k < n; k++) b[c] -= A[c * n + k] * b[k];
        b[c] /= A[c * n + c];
    }
}

static struct feature_set find_set(struct store *s, const struct score_set *want, enum split split) {
    struct feature_set_list l = { 0 };
    struct feature_set found = { 0 };
    check(store_feature_sets_list(s, &l));
    for (size_t i = 0; i < l.count; i++) {
        const struct feature_set *f = &l.set[i];
        if (f->identity.split == split && f->checkpoint == want->checkpoint[0] && f->identity.k == want->k &&
            f->identity.timesteps == want->timesteps && !strcmp(f->identity.loss, want->loss)) found = *f;
    }
    feature_set_list_free(&l);
    if (!found.id) stop("no such feature set");
    return found;
}

struct entry { size_t item; double score; };
static int by_score(const void *a, const void *b) {
    const struct entry *x = a, *y = b;
    if (x->score != y->score) return x->score < y->score ? 1 : -1;
    return (x->item > y->item) - (x->item < y->item);
}

static void print_ranking(struct store *s, const char *item, const char *loss) {
    struct item_ref q;
    struct checkpoint_list last = { 0 };
    struct score_set set;
    check(item_ref_parse(&q, item));
    check(store_checkpoints_resolve(s, "last", &last));
    struct score_query want = { "trak", loss, last.checkpoint[0].id, q.split, NULL, 0, 0, 0, NULL, 0 };
    check(store_score_set_find(s, &want, &set));
    checkpoint_list_free(&last);
    struct feature_set train = find_set(s, &set, SPLIT_TRAIN), query = find_set(s, &set, q.split);
    float *phi = read_rows(s, &train), *queries = read_rows(s, &query);
    const float *g = queries + q.index * query.identity.k;
    size_t n = train.rows, k = train.identity.k;
    double *A = mem_array(n * n, sizeof *A), *b = mem_array(n, sizeof *b), trace = 0;
    struct entry *e = mem_array(n, sizeof *e);
    if (!A || !b || !e) stop("out of memory");
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++)
            for (size_t c = 0; c < k; c++) A[i * n + j] += (double)phi[i * k + c] * (double)phi[j * k + c];
        for (size_t c = 0; c < k; c++) b[i] += (double)phi[i * k + c] * (double)g[c];
        trace += A[i * n + i];
    }
    double lambda = set.lambda_rel * trace / (double)n;
    if (!(fabs(lambda - set.lambda_abs) <= 1e-6 * lambda)) stop("the set's relative and absolute lambda disagree");
    for (size_t i = 0; i < n; i++) A[i * n + i] += lambda;
    eliminate(A, b, n);
    for (size_t i = 0; i < n; i++) e[i] = (struct entry){ i, b[i] };
    qsort(e, n, sizeof *e, by_score);
    printf("side,rank,item,label,score\n");
    for (size_t i = 0; i < 10 && i < n; i++) printf("proponent,%zu,train:%zu,,%.9g\n", i + 1, e[i].item, e[i].score);
    for (size_t i = 0; i < 10 && i < n; i++)
        printf("opponent,%zu,train:%zu,,%.9g\n", i + 1, e[n - 1 - i].item, e[n - 1 - i].score);
    mem_free(phi);
    mem_free(queries);
    mem_free(A);
    mem_free(b);
    mem_free(e);
}

int main(int argc, char **argv) {
    struct store *s;
    if (argc < 3) return 2;
    check(store_open(&s, argv[2], STORE_READ));
    if (!strcmp(argv[1], "hash")) print_hashes(s);
    else if (argc == 5) print_ranking(s, argv[3], argv[4]);
    else return 2;
    store_close(s);
    return 0;
}
