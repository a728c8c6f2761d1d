/* Every kernel variant against loops in double, and every backward against
 * central differences of its forward, on small unequal shapes. */
#include "dtrak/kernels.h"
#include "dtrak/mem.h"
#include "dtrak/rng.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static const char *const variants[] = { "portable", "avx2", "avx512" };

/* Runs check on every variant that this processor has; at least one. */
static void on_every_variant(void (*check)(const struct kernels *k)) {
    size_t ran = 0;
    for (size_t i = 0; i < 3; i++) {
        const struct kernels *k = kernels_named(variants[i]);
        if (!k) continue;
        check(k);
        ran++;
    }
    assert_true(ran >= 1);
}

static float *numbers(size_t n, uint32_t what) {
    float *x = mem_array(n + KERNEL_SLACK, sizeof *x);
    rng_normal(x, n, 11, RNG_TEST, what, 0);
    return x;
}

/* |got - want| within eps32 times a length-like scale: a sum of n products of
 * unit normals rounds to about sqrt(n) eps; 16 of these is never reached. */
static void near(float got, double want, size_t terms, const char *what, size_t at) {
    double bound = 16 * 1.2e-7 * (sqrt((double)terms) + fabs(want));
    if (!(fabs((double)got - want) <= bound))
        fail_msg("%s[%zu] = %.9g, expected %.9g within %.2g", what, at, (double)got, want, bound);
}

/* --- convolution --- */

static const size_t channel_counts[] = { 1, 3, 12, 15, 17, 24, 64, 96 };

/* Case q of a fixed walk through channels, sizes 1 .. 17 (even for stride 2),
 * batches 1 .. 5, kernels, strides with both paddings, and doubled inputs. */
static struct conv_layer layer_case(uint32_t q) {
    struct rng r = rng_at(5, RNG_TEST, q, 77);
    struct conv_layer n = { .B = 1 + rng_below(&r, 5), .Cin = channel_counts[rng_below(&r, 8)],
                            .Cout = channel_counts[(q + rng_below(&r, 2)) % 8], .stride = 1 };
    size_t most = n.Cin * n.Cout > 1000 ? 6 : 17;
    n.K = q % 4 == 0 ? 1 : 3;
    n.pad = n.K / 2;
    n.H = 1 + rng_below(&r, (uint32_t)most);
    n.W = 1 + rng_below(&r, (uint32_t)most);
    if (q % 4 == 2) {
        n.stride = 2;
        n.pad = rng_below(&r, 2);
        n.H += n.H % 2;
        n.W += n.W % 2;
    }
    if (q % 4 == 3) {
        n.upsample = (int)rng_below(&r, 2);
        n.H = n.upsample ? (n.H + 1) / 2 : n.H;
    }
    return n;
}

/* x's number under tap (ky, kx) of output pixel (i, j), as an index, or n where it is outside. */
static size_t under_tap(const struct conv_layer *n, size_t b, size_t i, size_t j, size_t ky, size_t kx, size_t outside) {
    size_t H = n->upsample ? 2 * n->H : n->H, W = n->upsample ? 2 * n->W : n->W;
    size_t y = i * n->stride + ky - n->pad, x = j * n->stride + kx - n->pad;   /* wraps below 0 */
    if (y >= H || x >= W) return outside;
    if (n->upsample) y /= 2;
    if (n->upsample) x /= 2;
    return ((b * n->H + y) * n->W + x) * n->Cin;
}

/* The three passes by definition, in double; terms: of the longest sum in dw. */
static void layer_reference(double *y, double *dx, double *dw, const float *x, const float *w, const float *dy,
                            const struct conv_layer *n) {
    size_t Ho = conv_height(n), Wo = conv_width(n), none = (size_t)-1;
    for (size_t p = 0; p < n->B * Ho * Wo; p++)
        for (size_t k = 0; k < n->K * n->K; k++) {
            size_t at = under_tap(n, p / (Ho * Wo), p / Wo % Ho, p % Wo, k / n->K, k % n->K, none);
            if (at == none) continue;
            for (size_t c = 0; c < n->Cin; c++)
                for (size_t o = 0; o < n->Cout; o++) {
                    size_t e = (k * n->Cin + c) * n->Cout + o;
                    y[p * n->Cout + o] += (double)x[at + c] * (double)w[e];
                    dx[at + c] += (double)dy[p * n->Cout + o] * (double)w[e];
                    dw[e] += (double)dy[p * n->Cout + o] * (double)x[at + c];
                }
        }
}

/* n floats and the slack behind them, which holds NaN: it may be read, not matter. */
static float *room(size_t n) {
    float *x = mem_array(n + KERNEL_SLACK, sizeof *x);
    for (size_t i = 0; i < KERNEL_SLACK; i++) x[n + i] = NAN;
    return x;
}
static float *random_room(size_t n, uint32_t what) {
    float *x = room(n);
    rng_normal(x, n, 11, RNG_TEST, what, 0);
    return x;
}
static void slack_is_untouched(const float *x, size_t n, const char *what) {
    for (size_t i = 0; i < KERNEL_SLACK; i++)
        if (!isnan(x[n + i])) fail_msg("%s: written %zu floats past its end", what, i);
}

static void check_layer(const struct kernels *k, const struct conv_layer *n) {
    size_t S = conv_height(n) * conv_width(n), ins = n->B * n->H * n->W * n->Cin, outs = n->B * S * n->Cout;
    size_t ws = n->K * n->K * n->Cin * n->Cout, packed = conv_pack_size(n);
    float *x = random_room(ins, 1), *w = random_room(ws, 2), *bias = random_room(n->Cout, 3), *y = room(outs);
    float *add = random_room(n->B * n->Cout, 4), *res = random_room(outs, 5), *dy = random_room(outs, 6);
    float *dx = random_room(ins, 7), *before = random_room(ins, 7), *dw = room(ws), *forward = room(packed);
    float *backward = room(packed), *scratch = room(16 * n->Cin * n->Cout);
    double *want_y = mem_array(outs, sizeof *want_y), *want_dx = mem_array(ins, sizeof *want_dx);
    double *want_dw = mem_array(ws, sizeof *want_dw);
    layer_reference(want_y, want_dx, want_dw, x, w, dy, n);
    conv_pack(forward, backward, w, scratch, n);
    conv_forward(k, y, x, forward, bias, add, res, n);
    for (size_t i = 0; i < outs; i++) {
        size_t o = i % n->Cout, b = i / n->Cout / S;
        near(y[i], want_y[i] + (double)bias[o] + (double)add[b * n->Cout + o] + (double)res[i], n->K * n->K * n->Cin + 3, "y", i);
    }
    conv_forward(k, y, x, forward, NULL, NULL, NULL, n);
    for (size_t i = 0; i < outs; i++) near(y[i], want_y[i], n->K * n->K * n->Cin, "plain y", i);
    conv_backward_data(k, dx, 1, dy, backward, n);
    for (size_t i = 0; i < ins; i++) near(dx[i], want_dx[i] + (double)before[i], 4 * n->K * n->K * n->Cout, "added dx", i);
    conv_backward_data(k, dx, 0, dy, backward, n);
    for (size_t i = 0; i < ins; i++) near(dx[i], want_dx[i], 4 * n->K * n->K * n->Cout, "dx", i);
    conv_backward_weight(k, dw, x, dy, scratch, n);
    for (size_t i = 0; i < ws; i++) near(dw[i], want_dw[i], n->B * S, "dw", i);
    slack_is_untouched(y, outs, "y");
    slack_is_untouched(dx, ins, "dx");
    slack_is_untouched(dw, ws, "dw");
    slack_is_untouched(forward, packed, "forward weights");
    slack_is_untouched(backward, packed, "backward weights");
    void *all[] = { x, w, bias, y, add, res, dy, dx, before, dw, forward, backward, scratch, want_y, want_dx, want_dw };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) mem_free(all[i]);
}

static void check_convolution(const struct kernels *k) {
    for (uint32_t q = 0; q < 64; q++) {
        struct conv_layer n = layer_case(q);
        check_layer(k, &n);
    }
    /* More pixels than a block of the weights' gradient, and images first. */
    struct conv_layer wide = { 2, 17, 17, 5, 33, 3, 1, 1, 0 }, many = { 35, 3, 3, 7, 20, 3, 1, 1, 0 };
    check_layer(k, &wide);
    check_layer(k, &many);
}

/* No bit of an image's result depends on what else is in the batch. */
static void check_batches(const struct kernels *k) {
    for (uint32_t q = 0; q < 8; q++) {
        struct conv_layer n = layer_case(q + 100), one;
        one = n;
        n.B = 11;
        one.B = 1;
        size_t in = n.H * n.W * n.Cin, out = conv_height(&n) * conv_width(&n) * n.Cout, packed = conv_pack_size(&n);
        float *x = random_room(n.B * in, 1), *w = random_room(n.K * n.K * n.Cin * n.Cout, 2), *y = room(n.B * out);
        float *alone = room(out), *forward = room(packed), *scratch = room(16 * n.Cin * n.Cout);
        conv_pack(forward, NULL, w, scratch, &n);
        conv_forward(k, y, x, forward, NULL, NULL, NULL, &n);
        for (size_t b = 0; b < n.B; b++) {
            conv_forward(k, alone, x + b * in, forward, NULL, NULL, NULL, &one);
            assert_memory_equal(alone, y + b * out, out * sizeof *y);
        }
        void *all[] = { x, w, y, alone, forward, scratch };
        for (size_t i = 0; i < sizeof all / sizeof *all; i++) mem_free(all[i]);
    }
}

/* --- group norm --- */

static void norm_reference(double *y, const float *x, const float *gamma, const float *beta, struct norm_shape n,
                           double eps, int silu) {
    size_t S = n.H * n.W, D = n.C / n.G;
    for (size_t b = 0; b < n.B; b++)
        for (size_t g = 0; g < n.G; g++) {
            double m = 0, v = 0;
            for (size_t s = 0; s < S; s++)
                for (size_t c = g * D; c < (g + 1) * D; c++) m += (double)x[(b * S + s) * n.C + c] / (double)(S * D);
            for (size_t s = 0; s < S; s++)
                for (size_t c = g * D; c < (g + 1) * D; c++) v += pow((double)x[(b * S + s) * n.C + c] - m, 2) / (double)(S * D);
            for (size_t s = 0; s < S; s++)
                for (size_t c = g * D; c < (g + 1) * D; c++) {
                    size_t at = (b * S + s) * n.C + c;
                    double z = (double)gamma[c] * ((double)x[at] - m) / sqrt(v + eps) + (double)beta[c];
                    y[at] = silu ? z / (1 + exp(-z)) : z;
                }
        }
}

static double weighted(const double *y, const float *r, size_t n) {
    double s = 0;
    for (size_t i = 0; i < n; i++) s += y[i] * (double)r[i];
    return s;
}

static void check_norm_shape(const struct kernels *k, struct norm_shape n, int silu) {
    size_t total = n.B * n.H * n.W * n.C;
    float *x = random_room(total, 1), *gamma = random_room(n.C, 2), *beta = random_room(n.C, 3), *r = random_room(total, 4);
    float *y = room(total), *dx = room(total), *twice = room(total), *mean = room(n.B * n.G), *rstd = room(n.B * n.G);
    float *dgamma = room(n.B * n.C), *dbeta = room(n.B * n.C), *scratch = room(n.H * n.W * n.C);
    double *want = mem_array(total, sizeof *want);
    k->norm_forward(y, mean, rstd, x, gamma, beta, n, 1e-5f, silu);
    norm_reference(want, x, gamma, beta, n, 1e-5, silu);
    for (size_t i = 0; i < total; i++) near(y[i], want[i], 12, "norm", i);
    k->norm_backward(dx, 0, dgamma, dbeta, r, x, mean, rstd, gamma, beta, n, silu, scratch);
    for (size_t i = n.C; i < n.B * n.C; i++) {   /* over the images */
        dgamma[i % n.C] += dgamma[i];
        dbeta[i % n.C] += dbeta[i];
    }
    size_t every = total > 100 ? 37 : 1;
    for (size_t i = 0; i < total + 2 * n.C; i += every) {
        float *at = i < total ? x + i : i < total + n.C ? gamma + (i - total) : beta + (i - total - n.C);
        float got = i < total ? dx[i] : i < total + n.C ? dgamma[i - total] : dbeta[i - total - n.C];
        float keep = *at, h = 1e-3f;
        *at = keep + h;
        norm_reference(want, x, gamma, beta, n, 1e-5, silu);
        double up = weighted(want, r, total), top = (double)*at;
        *at = keep - h;
        norm_reference(want, x, gamma, beta, n, 1e-5, silu);
        double slope = (up - weighted(want, r, total)) / (top - (double)*at);
        *at = keep;
        if (!(fabs((double)got - slope) <= 2e-5 * (1 + fabs(slope)))) fail_msg("%s: norm gradient %zu is %g, differences %g", k->name, i, (double)got, slope);
    }
    memcpy(twice, dx, total * sizeof *dx);
    k->norm_backward(twice, 1, dgamma, dbeta, r, x, mean, rstd, gamma, beta, n, silu, scratch);
    for (size_t i = 0; i < total; i++) near(twice[i], 2 * (double)dx[i], 4, "added dx", i);
    slack_is_untouched(y, total, "y");
    slack_is_untouched(dx, total, "dx");
    void *all[] = { x, gamma, beta, r, y, dx, twice, mean, rstd, dgamma, dbeta, scratch, want };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) mem_free(all[i]);
}

static void check_norm(const struct kernels *k) {
    static const struct norm_shape shapes[] = { { 2, 3, 2, 6, 3 }, { 1, 2, 2, 17, 17 }, { 2, 3, 1, 48, 8 }, { 1, 2, 3, 72, 2 }, { 1, 1, 1, 30, 5 } };
    for (size_t q = 0; q < sizeof shapes / sizeof *shapes; q++)
        for (int silu = 0; silu < 2; silu++) check_norm_shape(k, shapes[q], silu);
}

/* --- sums and the optimiser --- */

static void check_sums(const struct kernels *k) {
    for (size_t C = 1; C < 70; C += 4) {
        enum { B = 2, S = 7 };
        float *dy = random_room(B * S * C, 1), *sums = room(B * C);
        double all = 0;
        k->channel_sums(sums, dy, B, S, C);
        for (size_t i = 0; i < B * C; i++) {
            double want = 0;
            for (size_t s = 0; s < S; s++) want += (double)dy[(i / C * S + s) * C + i % C];
            near(sums[i], want, S, "channel sum", i);
        }
        slack_is_untouched(sums, B * C, "sums");
        for (size_t i = 0; i < B * S * C; i++) all += (double)dy[i] * (double)dy[i];
        assert_true(fabs(k->norm2(dy, B * S * C) - all) <= 1e-12 * all);
        k->add(sums, sums, B * C);
        slack_is_untouched(sums, B * C, "twice the sums");
        mem_free(dy);
        mem_free(sums);
    }
}

static void check_adamw(const struct kernels *k) {
    enum { N = 37 };
    struct adamw_step s = { .5f, .9f, .99f, .999f, 1e-2f, 1.1f, 1e-8f, .75f };
    float *theta = random_room(N, 1), *m = random_room(N, 2), *v = random_room(N, 3), *g = random_room(N, 4), *ema = random_room(N, 5);
    for (size_t i = 0; i < N; i++) v[i] *= v[i];
    double want[N], average[N];
    for (size_t i = 0; i < N; i++) {
        double h = .5 * (double)g[i], a = (double).9f * (double)m[i] + (1 - (double).9f) * h;
        double b = (double).99f * (double)v[i] + (1 - (double).99f) * h * h;
        want[i] = (double)s.shrink * (double)theta[i] - (double)s.step * a / (sqrt(b) * (double)s.root + (double)s.eps);
        average[i] = .75 * (double)ema[i] + .25 * want[i];
    }
    k->adamw(theta, m, v, ema, g, N, &s);
    for (size_t i = 0; i < N; i++) {
        near(theta[i], want[i], 1, "theta", i);
        near(ema[i], average[i], 1, "ema", i);
    }
    slack_is_untouched(theta, N, "theta");
    slack_is_untouched(ema, N, "ema");
    k->adamw(theta, m, v, NULL, g, N, &s);   /* without an average */
    float *all[] = { theta, m, v, g, ema };
    for (size_t i = 0; i < 5; i++) mem_free(all[i]);
}

/* p = softmax(x) and its gradient, for rows shorter and longer than a vector. */
static void check_softmax(const struct kernels *k) {
    for (size_t n = 1; n < 70; n += 3) {
        float *x = random_room(2 * n, 1), *p = room(2 * n), *dp = random_room(2 * n, 2), *ds = room(2 * n);
        memcpy(p, x, 2 * n * sizeof *x);
        memcpy(ds, dp, 2 * n * sizeof *x);
        k->softmax(p, 2, n);
        k->softmax_backward(ds, p, 2, n);
        for (size_t r = 0; r < 2; r++) {
            double sum = 0, dot = 0;
            for (size_t i = r * n; i < (r + 1) * n; i++) sum += exp((double)x[i]);
            for (size_t i = r * n; i < (r + 1) * n; i++) dot += exp((double)x[i]) / sum * (double)dp[i];
            for (size_t i = r * n; i < (r + 1) * n; i++) {
                near(p[i], exp((double)x[i]) / sum, 1, "p", i);
                near(ds[i], exp((double)x[i]) / sum * ((double)dp[i] - dot), 1, "ds", i);
            }
        }
        slack_is_untouched(p, 2 * n, "p");
        slack_is_untouched(ds, 2 * n, "ds");
        float *all[] = { x, p, dp, ds };
        for (size_t i = 0; i < 4; i++) mem_free(all[i]);
    }
}

/* --- SiLU, softmax, attention --- */

static void check_silu(const struct kernels *k) {
    float x[403], y[403], dx[403], one[403];
    for (size_t i = 0; i < 403; i++) {
        x[i] = (float)i * .5f - 100.5f;
        one[i] = 1;
    }
    k->silu_forward(y, x, 403);
    k->silu_backward(dx, 0, one, x, 403);
    for (size_t i = 0; i < 403; i++) {
        double z = (double)x[i], s = 1 / (1 + exp(-z));
        if (!(fabs((double)y[i] - z * s) <= 4e-7 * (fabs(z * s) + 1e-30) + 1e-30 + 1e-36 * fabs(z)) && fabs(z * s) > 1e-30)
            fail_msg("%s: silu(%g) = %.9g, expected %.9g", k->name, z, (double)y[i], z * s);
        double slope = s * (1 + z * (1 - s));
        if (!(fabs((double)dx[i] - slope) <= 2e-6 + 4e-7 * fabs(z) * s)) fail_msg("%s: silu'(%g) = %.9g, expected %.9g", k->name, z, (double)dx[i], slope);
    }
    float nan = NAN, out;
    k->silu_forward(&out, &nan, 1);
    assert_true(isnan(out));
}

/* y = attention(q, k, v) in double. */
static void attention_reference(double *y, const float *q, const float *k, const float *v, size_t N, size_t C, size_t heads) {
    size_t d = C / heads;
    for (size_t h = 0; h < heads; h++)
        for (size_t i = 0; i < N; i++) {
            double p[512], sum = 0, top = -1e300;
            for (size_t j = 0; j < N; j++) {
                p[j] = 0;
                for (size_t c = h * d; c < (h + 1) * d; c++) p[j] += (double)q[i * C + c] * (double)k[j * C + c] / sqrt((double)d);
                top = fmax(top, p[j]);
            }
            for (size_t j = 0; j < N; j++) sum += p[j] = exp(p[j] - top);
            for (size_t c = h * d; c < (h + 1) * d; c++) {
                y[i * C + c] = 0;
                for (size_t j = 0; j < N; j++) y[i * C + c] += p[j] / sum * (double)v[j * C + c];
            }
        }
}

/* Every step-th of the gradient's numbers against central differences; the same
 * bits whether the weights are kept or made again. */
static void check_attention_of(const struct kernels *k, size_t N, size_t C, size_t heads, size_t step) {
    size_t M = N * C;
    float *in = numbers(3 * M, 1), *r = numbers(M, 2), *y = numbers(M, 3), *again = numbers(M, 3);
    float *p = numbers(heads * N * N, 4), *d = numbers(3 * M, 5), *d_again = numbers(3 * M, 5);
    float *scratch = numbers(attention_scratch(N), 6);
    double *want = mem_array(M, sizeof *want);
    attention_forward(k, y, p, scratch, in, in + M, in + 2 * M, N, C, heads);
    attention_forward(k, again, NULL, scratch, in, in + M, in + 2 * M, N, C, heads);
    attention_backward(k, d, d + M, d + 2 * M, scratch, r, p, in, in + M, in + 2 * M, N, C, heads);
    attention_backward(k, d_again, d_again + M, d_again + 2 * M, scratch, r, NULL, in, in + M, in + 2 * M, N, C, heads);
    assert_memory_equal(y, again, M * sizeof *y);
    assert_memory_equal(d, d_again, 3 * M * sizeof *d);
    attention_reference(want, in, in + M, in + 2 * M, N, C, heads);
    for (size_t i = 0; i < M; i++) near(y[i], want[i], 8, "attention", i);
    for (size_t i = 0; i < 3 * M; i += step) {
        float keep = in[i];
        in[i] = keep + 1e-3f;
        double top = (double)in[i];
        attention_reference(want, in, in + M, in + 2 * M, N, C, heads);
        double up = weighted(want, r, M);
        in[i] = keep - 1e-3f;
        attention_reference(want, in, in + M, in + 2 * M, N, C, heads);
        double slope = (up - weighted(want, r, M)) / (top - (double)in[i]);
        in[i] = keep;
        if (!(fabs((double)d[i] - slope) <= 1e-5 * (1 + fabs(slope)))) fail_msg("gradient %zu is %g, differences %g", i, (double)d[i], slope);
    }
    mem_free(in);
    mem_free(r);
    mem_free(y);
    mem_free(again);
    mem_free(p);
    mem_free(d);
    mem_free(d_again);
    mem_free(scratch);
    mem_free(want);
}

static void check_attention(const struct kernels *k) {
    check_attention_of(k, 5, 6, 2, 1);
    check_attention_of(k, 400, 6, 3, 601);   /* more queries than pass at once */
    assert_int_equal(attention_keep(5, 2), 50);
    assert_int_equal(attention_keep(1024, 8), 0);
}

/* --- plain loops --- */

static void resampling_and_joining_are_each_others_transpose(void **state) {
    (void)state;
    enum { B = 2, H = 3, W = 2, CA = 3, CB = 5 };
    float *x = numbers(B * H * W * CA, 1), *dy = numbers(4 * B * H * W * CA, 2);
    float y[4 * B * H * W * CA], dx[B * H * W * CA];
    upsample_forward(y, x, B, H, W, CA);
    upsample_backward(dx, 0, dy, B, H, W, CA);
    double a = 0, b = 0;
    for (size_t i = 0; i < 4 * B * H * W * CA; i++) a += (double)y[i] * (double)dy[i];
    for (size_t i = 0; i < B * H * W * CA; i++) b += (double)dx[i] * (double)x[i];
    assert_true(fabs(a - b) < 1e-4);
    assert_true(y[(2 * W * 1 + 1) * CA + 2] == x[2]);   /* pixel (1, 1) is pixel (0, 0) */

    /* Pooling of the 2H x 2W image y: the transpose is a quarter of upsampling. */
    float pooled[B * H * W * CA], spread[4 * B * H * W * CA];
    pool_forward(pooled, dy, B, 2 * H, 2 * W, CA);
    for (size_t i = 0; i < B * H * W * CA; i++) assert_true(pooled[i] == 0.25f * dx[i]);
    memcpy(spread, y, sizeof y);
    pool_backward(spread, 1, x, B, 2 * H, 2 * W, CA);
    for (size_t i = 0; i < 4 * B * H * W * CA; i++) assert_true(spread[i] == y[i] + 0.25f * y[i]);
    scale_forward(pooled, dx, 4, B * H * W * CA);
    for (size_t i = 0; i < B * H * W * CA; i++) assert_true(pooled[i] == 0.25f * dx[i]);

    float *p = numbers(W * CA, 3), *q = numbers(W * CB, 4), joined[W * (CA + CB)], da[W * CA] = { 1 }, db[W * CB];
    concat_forward(joined, p, CA, q, CB, W);
    concat_backward(da, 1, CA, db, 0, CB, joined, W);
    assert_true(da[0] == p[0] + 1);
    assert_memory_equal(da + 1, p + 1, (W * CA - 1) * sizeof *p);
    assert_memory_equal(db, q, sizeof db);
    mem_free(x);
    mem_free(dy);
    mem_free(p);
    mem_free(q);
}

static void convolutions_and_their_gradients_match_their_formula(void **s) { (void)s; on_every_variant(check_convolution); }
static void an_image_does_not_depend_on_its_batch(void **s) { (void)s; on_every_variant(check_batches); }
static void softmax_matches_its_formula_and_its_gradient(void **s) { (void)s; on_every_variant(check_softmax); }
static void sums_match_theirs(void **s) { (void)s; on_every_variant(check_sums); }
static void adamw_matches_its_formula(void **s) { (void)s; on_every_variant(check_adamw); }
static void group_norm_matches_its_formula_and_its_differences(void **s) { (void)s; on_every_variant(check_norm); }
static void attention_matches_its_formula_and_its_differences(void **s) { (void)s; on_every_variant(check_attention); }
static void silu_is_accurate_over_its_range_and_keeps_nan(void **s) { (void)s; on_every_variant(check_silu); }

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolutions_and_their_gradients_match_their_formula),
        cmocka_unit_test(an_image_does_not_depend_on_its_batch),
        cmocka_unit_test(softmax_matches_its_formula_and_its_gradient),
        cmocka_unit_test(sums_match_theirs),
        cmocka_unit_test(adamw_matches_its_formula),
        cmocka_unit_test(group_norm_matches_its_formula_and_its_differences),
        cmocka_unit_test(silu_is_accurate_over_its_range_and_keeps_nan),
        cmocka_unit_test(attention_matches_its_formula_and_its_differences),
        cmocka_unit_test(resampling_and_joining_are_each_others_transpose),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
