/* method.c - names and needs of the methods, and the formulas of those that this
 * program computes. */
#include "dtrak/method.h"
#include "dtrak/rng.h"
#include "dtrak/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum need { LOSS = 1, CHECKPOINT = 2, FEATURES = 4, LAMBDA = 8, PIXELS = 16, HERE = 32, SEVERAL = 64, MORE = 128,
            AVG = 256, EMBEDDING = 512, RETRAINED = 1024 };

/* Sets that span several checkpoints (tracin, gas) have none of their own. */
static const struct { const char *name, *display; unsigned need; } methods[METHOD_COUNT] = {
    [METHOD_TRAK] = { "trak", "TRAK", LOSS | CHECKPOINT | FEATURES | LAMBDA | HERE },
    [METHOD_GRAD_DOT] = { "grad-dot", "Gradient dot", LOSS | CHECKPOINT | FEATURES | HERE },
    [METHOD_GRAD_COS] = { "grad-cos", "Gradient cos", LOSS | CHECKPOINT | FEATURES | HERE },
    [METHOD_TRACIN] = { "tracin", "TracInCP", LOSS | FEATURES | SEVERAL | HERE },
    [METHOD_GAS] = { "gas", "GAS", LOSS | FEATURES | SEVERAL | HERE },
    [METHOD_RELATIVE_IF] = { "relative-if", "Relative IF", LOSS | CHECKPOINT | FEATURES | LAMBDA | HERE },
    [METHOD_RENORM_IF] = { "renorm-if", "Renormalised IF", LOSS | CHECKPOINT | FEATURES | LAMBDA | HERE },
    [METHOD_JOURNEY] = { "journey", "Journey TRAK", LOSS | CHECKPOINT | FEATURES | LAMBDA | MORE | HERE },
    [METHOD_DAS] = { "das", "DAS", LOSS | CHECKPOINT | FEATURES | LAMBDA | AVG | MORE | HERE },
    [METHOD_DAS_SIGNED] = { "das-signed", "DAS (signed)", LOSS | CHECKPOINT | FEATURES | LAMBDA | AVG | MORE | HERE },
    [METHOD_PIXEL_DOT] = { "pixel-dot", "Pixel dot", PIXELS | HERE },
    [METHOD_PIXEL_COS] = { "pixel-cos", "Pixel cos", PIXELS | HERE },
    [METHOD_EMBED_DOT] = { "embed-dot", "Embedding dot", EMBEDDING | MORE | HERE },
    [METHOD_EMBED_COS] = { "embed-cos", "Embedding cos", EMBEDDING | MORE | HERE },
    [METHOD_EMP_INFLUENCE] = { "emp-influence", "Empirical influence", RETRAINED | MORE | HERE },
    [METHOD_DATAMODEL] = { "datamodel", "Datamodel", RETRAINED | MORE | HERE },
    [METHOD_NDA] = { "nda", "NDA", PIXELS | MORE | HERE },
    [METHOD_RANDOM] = { "random", "Random", HERE },
};

static int needs(enum method m, unsigned bit) { return (unsigned)m < METHOD_COUNT && (methods[m].need & bit) != 0; }

const char *method_name(enum method m) { return (unsigned)m < METHOD_COUNT ? methods[m].name : "?"; }
int method_has_loss(enum method m) { return needs(m, LOSS); }
int method_has_checkpoint(enum method m) { return needs(m, CHECKPOINT); }
int method_has_features(enum method m) { return needs(m, FEATURES); }
int method_has_lambda(enum method m) { return needs(m, LAMBDA); }
int method_has_pixels(enum method m) { return needs(m, PIXELS); }
int method_has_embedding(enum method m) { return needs(m, EMBEDDING); }
int method_has_retrained(enum method m) { return needs(m, RETRAINED); }
int method_has_several(enum method m) { return needs(m, SEVERAL); }
enum loss method_own_loss(enum method m) { return needs(m, AVG) ? LOSS_AVG : LOSS_COUNT; }
int method_is_available(enum method m) { return needs(m, HERE); }
int method_is_direct(enum method m) { return needs(m, HERE) && !needs(m, SEVERAL | MORE); }

enum method method_parse(const char *name, enum loss *loss) {
    if (loss) *loss = LOSS_COUNT;
    if (!strcmp(name, "dtrak")) {
        if (loss) *loss = LOSS_SQUARE;
        return METHOD_TRAK;
    }
    int m = 0;
    while (m < METHOD_COUNT && strcmp(name, methods[m].name) != 0) m++;
    return (enum method)m;
}

enum status method_read(enum method *out, enum loss *loss, const char *name, const char *said) {
    char all[32 * (METHOD_COUNT + 1)] = "dtrak";
    const char *near = text_nearer(name, NULL, "dtrak");
    *out = method_parse(name, loss);
    if (*out < METHOD_COUNT) return OK;
    for (size_t m = 0, at = strlen(all); m < METHOD_COUNT; m++) at += (size_t)snprintf(all + at, sizeof all - at, " %s", methods[m].name);
    for (size_t m = 0; m < METHOD_COUNT; m++) near = text_nearer(name, near, methods[m].name);
    return fail(ERR_USAGE, "%s '%.40s' is none of %s%s%s%s", said, name, all, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

enum status method_loss(enum loss *out, enum method m, enum loss implied, const char *name, const char *asked) {
    *out = LOSS_COUNT;
    if (!method_has_loss(m)) return OK;
    enum loss l = asked ? loss_parse(asked) : LOSS_COUNT, own = method_own_loss(m);
    if (asked && l == LOSS_COUNT) return fail(ERR_USAGE, "'%s' is not a loss; simple elbo square avg l1 l2 linf are", asked);
    if (implied != LOSS_COUNT && l != LOSS_COUNT && l != implied)
        return fail(ERR_USAGE, "%s means loss %s, but loss %s was asked for; use method trak with it", name, loss_name(implied), asked);
    if (own != LOSS_COUNT && l != LOSS_COUNT && l != own)
        return fail(ERR_USAGE, "%s is made of loss %s, but loss %s was asked for", name, loss_name(own), asked);
    *out = l != LOSS_COUNT ? l : implied != LOSS_COUNT ? implied : own != LOSS_COUNT ? own : LOSS_SIMPLE;
    return OK;
}

void method_display(char out[METHOD_DISPLAY], enum method m, enum loss loss) {
    const char *name = (unsigned)m < METHOD_COUNT ? methods[m].display : "?";
    if (m == METHOD_TRAK && loss == LOSS_ELBO) name = "TRAK-ELBO";
    if (m == METHOD_TRAK && loss == LOSS_SQUARE) name = "D-TRAK";
    int plain = loss == LOSS_SIMPLE || loss == method_own_loss(m) || !method_has_loss(m) || (unsigned)loss >= LOSS_COUNT ||
                (m == METHOD_TRAK && (loss == LOSS_ELBO || loss == LOSS_SQUARE));
    if (plain) snprintf(out, METHOD_DISPLAY, "%s", name);
    else snprintf(out, METHOD_DISPLAY, "%s(%s)", m == METHOD_TRAK ? "D-TRAK" : name, loss_name(loss));
}

static enum status want(enum method m, const void *field, const char *what) {
    if (!field) return fail(ERR_MISSING, "method %s needs %s", method_name(m), what);
    return OK;
}

/* A norm of 0 that comes out of an eigenbasis is rounding dust, hence the floor. */
static double dust(const double *norm, size_t N) {
    double largest = 0;
    for (size_t n = 0; n < N; n++) largest = norm[n] > largest ? norm[n] : largest;
    return 1e-12 * largest;
}

void method_inverse_norms(double *inverse, const double *norm, size_t N) {
    double least = dust(norm, N);
    for (size_t n = 0; n < N; n++) inverse[n] = norm[n] > least ? 1 / norm[n] : 0;
}

/* scores[m][n] /= norm[n], and 0 where the norm is 0. */
static void divide_columns(double *scores, size_t M, size_t N, const double *norm) {
    double least = dust(norm, N);
    for (size_t m = 0; m < M; m++)
        for (size_t n = 0; n < N; n++)
            scores[m * N + n] = norm[n] > least ? scores[m * N + n] / norm[n] : 0;
}

static enum status scores_dot(enum method m, const struct method_inputs *in, double *scores, int cosine) {
    TRY(want(m, in->cross, "inner products"));
    memcpy(scores, in->cross, in->M * in->N * sizeof *scores);
    if (!cosine) return OK;
    TRY(want(m, in->query_norm, "the queries' norms"));
    TRY(want(m, in->train_norm, "the training items' norms"));
    divide_columns(scores, in->M, in->N, in->train_norm);
    for (size_t q = 0; q < in->M; q++)
        for (size_t n = 0; n < in->N; n++)
            scores[q * in->N + n] = in->query_norm[q] > 0 ? scores[q * in->N + n] / in->query_norm[q] : 0;
    return OK;
}

static enum status scores_ridge(enum method m, const struct method_inputs *in, double *scores) {
    TRY(want(m, in->ridge, "a ridge"));
    TRY(want(m, in->coords, "the queries' coordinates"));
    if (m == METHOD_RELATIVE_IF) TRY(want(m, in->relative, "the norms of K^-1 phi"));
    if (m == METHOD_RENORM_IF) TRY(want(m, in->train_norm, "the training items' norms"));
    if (in->N != ridge_train_count(in->ridge))
        return fail(ERR_RANGE, "method %s: %zu training items, the ridge was made of %zu", method_name(m), in->N,
                    ridge_train_count(in->ridge));
    TRY(ridge_scores(in->ridge, in->coords, in->M, in->lambda_abs, scores));
    if (m == METHOD_RELATIVE_IF) divide_columns(scores, in->M, in->N, in->relative);
    if (m == METHOD_RENORM_IF) divide_columns(scores, in->M, in->N, in->train_norm);
    return OK;
}

static enum status scores_random(const struct method_inputs *in, double *scores) {
    TRY(want(METHOD_RANDOM, in->query_key, "the queries' keys"));
    for (size_t q = 0; q < in->M; q++) {
        struct rng r = rng_at(in->seed, RNG_SCORE, in->query_key[q], 0);
        for (size_t n = 0; n < in->N; n++) scores[q * in->N + n] = 2.0 * (double)rng_uniform(&r) - 1.0;
    }
    return OK;
}

static enum status scores_any(enum method m, const struct method_inputs *in, double *scores) {
    switch (m) {
    case METHOD_GRAD_DOT: case METHOD_PIXEL_DOT: case METHOD_EMBED_DOT: return scores_dot(m, in, scores, 0);
    case METHOD_GRAD_COS: case METHOD_PIXEL_COS: case METHOD_EMBED_COS: return scores_dot(m, in, scores, 1);
    case METHOD_TRAK: case METHOD_JOURNEY: case METHOD_RELATIVE_IF: case METHOD_RENORM_IF: return scores_ridge(m, in, scores);
    case METHOD_RANDOM: return scores_random(in, scores);
    default:
        return fail(ERR_MISSING, "method %s is not computed by this program; its scores can be imported",
                    method_name(m));
    }
}

enum status method_scores(enum method m, const struct method_inputs *in, double *scores) {
    TRY(scores_any(m, in, scores));
    for (size_t i = 0; i < in->M * in->N; i++)
        if (!isfinite(scores[i]))
            return fail(ERR_NUMERIC, "method %s: the score of training item %zu is not finite", method_name(m),
                        i % in->N);
    return OK;
}
