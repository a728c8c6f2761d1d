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

static const struct conv_shape shapes[] = {
    { 2, 4, 6, 3, 5, 3, 1 }, { 3, 6, 4, 12, 32, 3, 1 }, { 1, 2, 2, 33, 48, 3, 1 }, { 2, 3, 5, 8, 17, 1, 1 },
    { 5, 1, 1, 20, 70, 1, 1 }, { 2, 6, 8, 4, 6, 3, 2 }, { 1, 4, 4, 16, 96, 3, 1 },
};

/* x [B][H+2][W+2][C] with a zero border. */
static float *padded(const float *x, struct conv_shape n) {
    float *y = mem_array(n.B * (n.H + 2) * (n.W + 2) * n.Cin + KERNEL_SLACK, sizeof *y);
    pad_copy(y, x, n.B, n.H, n.W, n.Cin, 1, 1);
    return y;
}

static double conv_at(const float *xp, const float *w, struct conv_shape n, size_t start, size_t b, size_t i,
                      size_t j, size_t o) {
    double s = 0;
    for (size_t ky = 0; ky < n.K; ky++)
        for (size_t kx = 0; kx < n.K; kx++)
            for (size_t c = 0; c < n.Cin; c++)
                s += (double)xp[((b * (n.H + 2) + i * n.stride + ky + start) * (n.W + 2) + j * n.stride + kx + start) * n.Cin + c]
                   * (double)w[((ky * n.K + kx) * n.Cin + c) * n.Cout + o];
    return s;
}

static void check_convolution(const struct kernels *k) {
    for (size_t q = 0; q < sizeof shapes / sizeof *shapes; q++)
        for (size_t start = 0; start < 2; start++) {
            struct conv_shape n = shapes[q];
            if (start == 0 && n.K == 1) continue;                 /* a 1x1 tap is never on the border */
            if (start == 1 && n.K == 3 && n.stride == 1) continue; /* would read past the border */
            size_t Ho = n.H / n.stride, Wo = n.W / n.stride, outs = n.B * Ho * Wo * n.Cout;
            size_t row = (n.W + 2) * n.Cin, image = (n.H + 2) * row;
            float *x = numbers(n.B * n.H * n.W * n.Cin, 1), *w = numbers(n.K * n.K * n.Cin * n.Cout, 2);
            float *bias = numbers(n.Cout, 3), *add = numbers(n.B * n.Cout, 4), *res = numbers(outs, 5);
            float *dy = numbers(outs, 6), *y = mem_array(outs + KERNEL_SLACK, sizeof *y);
            float *dw = mem_array(n.K * n.K * n.Cin * n.Cout, sizeof *dw);
            float *pack = mem_array(n.K * n.K * n.Cin * kernel_padded(n.Cout) + KERNEL_SLACK, sizeof *pack);
            float *xp = padded(x, n);
            const float *from = xp + start * (row + n.Cin);
            conv_pack(pack, NULL, w, n.K, n.Cin, n.Cout);
            k->conv_forward(y, from, row, image, pack, bias, add, res, n);
            for (size_t b = 0, at = 0; b < n.B; b++)
                for (size_t i = 0; i < Ho; i++)
                    for (size_t j = 0; j < Wo; j++)
                        for (size_t o = 0; o < n.Cout; o++, at++)
                            near(y[at], conv_at(xp, w, n, start, b, i, j, o) + (double)bias[o] + (double)add[b * n.Cout + o] + (double)res[at],
                                 n.K * n.K * n.Cin + 3, "y", at);
            k->conv_backward_weight(dw, from, row, image, dy, n);
            for (size_t t = 0; t < n.K * n.K; t++)
                for (size_t c = 0; c < n.Cin; c++)
                    for (size_t o = 0; o < n.Cout; o++) {
                        double s = 0;
                        for (size_t b = 0; b < n.B; b++)
                            for (size_t i = 0; i < Ho; i++)
                                for (size_t j = 0; j < Wo; j++)
                                    s += (double)from[b * image + (i * n.stride + t / n.K) * row + (j * n.stride + t % n.K) * n.Cin + c]
                                       * (double)dy[((b * Ho + i) * Wo + j) * n.Cout + o];
                        near(dw[(t * n.Cin + c) * n.Cout + o], s, n.B * Ho * Wo, "dw", (t * n.Cin + c) * n.Cout + o);
                    }
            float *all[] = { x, w, bias, add, res, dy, y, dw, pack, xp };
            for (size_t i = 0; i < sizeof all / sizeof *all; i++) mem_free(all[i]);
        }
}

/* <dy, conv(x)> = <conv^T(dy), x>: the data gradient is the transpose. */
static void check_transpose(const struct kernels *k) {
    for (size_t q = 0; q < sizeof shapes / sizeof *shapes; q++)
        for (size_t padding = 0; padding < 2; padding++) {
            struct conv_shape n = shapes[q];
            if (n.K == 1 || (n.stride == 1 && !padding)) continue;
            size_t outs = n.B * (n.H / n.stride) * (n.W / n.stride) * n.Cout, ins = n.B * n.H * n.W * n.Cin;
            size_t row = (n.W + 2) * n.Cin, drow = (n.W + 2) * n.Cout, start = 1 - padding;
            float *x = numbers(ins, 1), *w = numbers(9 * n.Cin * n.Cout, 2), *dy = numbers(outs, 6), *xp = padded(x, n);
            float *y = mem_array(outs + KERNEL_SLACK, sizeof *y), *dx = mem_array(ins + KERNEL_SLACK, sizeof *dx);
            float *f = mem_array(9 * n.Cin * kernel_padded(n.Cout) + KERNEL_SLACK, sizeof *f);
            float *g = mem_array(9 * n.Cout * kernel_padded(n.Cin) + KERNEL_SLACK, sizeof *g);
            float *dyp = mem_array(n.B * (n.H + 2) * drow + KERNEL_SLACK, sizeof *dyp);
            conv_pack(f, g, w, 3, n.Cin, n.Cout);
            k->conv_forward(y, xp + start * (row + n.Cin), row, (n.H + 2) * row, f, NULL, NULL, NULL, n);
            pad_copy(dyp, dy, n.B, n.H, n.W, n.Cout, n.stride, n.stride == 1 ? 1 : 1 + start);
            struct conv_shape back = { n.B, n.H, n.W, n.Cout, n.Cin, 3, 1 };
            k->conv_forward(dx, dyp, drow, (n.H + 2) * drow, g, NULL, NULL, NULL, back);
            double a = 0, b = 0;
            for (size_t i = 0; i < outs; i++) a += (double)dy[i] * (double)y[i];
            for (size_t i = 0; i < ins; i++) b += (double)dx[i] * (double)x[i];
            if (!(fabs(a - b) <= 1e-4 * sqrt((double)outs * 9 * (double)n.Cin))) fail_msg("%s shape %zu: <dy,y> %g, <dx,x> %g", k->name, q, a, b);
            float *all[] = { x, w, dy, xp, y, dx, f, g, dyp };
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

static void check_norm(const struct kernels *k) {
    for (int silu = 0; silu < 2; silu++) {
        struct norm_shape n = { 2, 3, 2, 6, 3 };
        size_t total = n.B * n.H * n.W * n.C;
        float *x = numbers(total, 1), *gamma = numbers(n.C, 2), *beta = numbers(n.C, 3), *r = numbers(total, 4);
        float y[72], dx[72], before[72], mean[6], rstd[6], dgamma[6], dbeta[6], scratch[128];
        double want[72];
        k->norm_forward(y, n.W * n.C, n.H * n.W * n.C, mean, rstd, x, gamma, beta, n, 1e-5f, silu);
        norm_reference(want, x, gamma, beta, n, 1e-5, silu);
        for (size_t i = 0; i < total; i++) near(y[i], want[i], 12, "norm", i);
        k->norm_backward(dx, 0, dgamma, dbeta, r, x, mean, rstd, gamma, beta, n, silu, scratch);
        for (size_t i = 0; i < total + 2 * n.C; i++) {
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
        memcpy(before, dx, sizeof before);
        k->norm_backward(dx, 1, dgamma, dbeta, r, x, mean, rstd, gamma, beta, n, silu, scratch);
        for (size_t i = 0; i < total; i++) near(dx[i], 2 * (double)before[i], 4, "added dx", i);
        mem_free(x);
        mem_free(gamma);
        mem_free(beta);
        mem_free(r);
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
            double p[16], sum = 0, top = -1e300;
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

static void attention_matches_its_formula_and_its_differences(void **state) {
    (void)state;
    enum { N = 5, C = 6, HEADS = 2, M = N * C };
    float *in = numbers(3 * M, 1), *r = numbers(M, 2), y[M], p[HEADS * N * N], d[3 * M], dp[N * N];
    double want[M];
    attention_forward(y, p, in, in + M, in + 2 * M, N, C, HEADS);
    attention_reference(want, in, in + M, in + 2 * M, N, C, HEADS);
    for (size_t i = 0; i < M; i++) near(y[i], want[i], 8, "attention", i);
    attention_backward(d, d + M, d + 2 * M, dp, r, p, in, in + M, in + 2 * M, N, C, HEADS);
    for (size_t i = 0; i < 3 * M; i++) {
        float keep = in[i];
        in[i] = keep + 1e-3f;
        double top = (double)in[i];
        attention_reference(want, in, in + M, in + 2 * M, N, C, HEADS);
        double up = weighted(want, r, M);
        in[i] = keep - 1e-3f;
        attention_reference(want, in, in + M, in + 2 * M, N, C, HEADS);
        double slope = (up - weighted(want, r, M)) / (top - (double)in[i]);
        in[i] = keep;
        if (!(fabs((double)d[i] - slope) <= 1e-5 * (1 + fabs(slope)))) fail_msg("gradient %zu is %g, differences %g", i, (double)d[i], slope);
    }
    mem_free(in);
    mem_free(r);
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

static void convolutions_match_their_formula(void **s) { (void)s; on_every_variant(check_convolution); }
static void the_data_gradient_is_the_transpose(void **s) { (void)s; on_every_variant(check_transpose); }
static void group_norm_matches_its_formula_and_its_differences(void **s) { (void)s; on_every_variant(check_norm); }
static void silu_is_accurate_over_its_range_and_keeps_nan(void **s) { (void)s; on_every_variant(check_silu); }

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolutions_match_their_formula),
        cmocka_unit_test(the_data_gradient_is_the_transpose),
        cmocka_unit_test(group_norm_matches_its_formula_and_its_differences),
        cmocka_unit_test(silu_is_accurate_over_its_range_and_keeps_nan),
        cmocka_unit_test(attention_matches_its_formula_and_its_differences),
        cmocka_unit_test(resampling_and_joining_are_each_others_transpose),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
