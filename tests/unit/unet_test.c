/* The network against diffusers' values and gradients (tests/vectors), against
 * central differences, and against itself at other batch sizes and kernels. */
#include "dtrak/file.h"
#include "dtrak/json.h"
#include "dtrak/kernels.h"
#include "dtrak/loss.h"
#include "dtrak/mem.h"
#include "dtrak/network.h"
#include "dtrak/rng.h"
#include "dtrak/safetensors.h"
#include "dtrak/schedule.h"
#include "dtrak/unet.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

struct vectors { unsigned char *bytes; size_t len; struct safetensors *s; };

static void vectors_open(struct vectors *v, const char *name) {
    char path[256];
    snprintf(path, sizeof path, "tests/vectors/%s.safetensors", name);
    if (file_read(&v->bytes, &v->len, path, (size_t)8 << 20) != OK) fail_msg("%s", fail_reason());
    if (safetensors_open(&v->s, v->bytes, v->len, path) != OK) fail_msg("%s", fail_reason());
}

static void vectors_close(struct vectors *v) {
    safetensors_free(v->s);
    mem_free(v->bytes);
}

static float *vectors_floats(const struct vectors *v, const char *name) {
    const struct safetensors_entry *e = safetensors_find(v->s, name);
    if (!e) fail_msg("no tensor %s", name);
    float *out = mem_array(e->count + 1, sizeof *out);
    assert_int_equal(safetensors_floats(out, e), OK);
    return out;
}

/* Gradients arrive parameter by parameter and are put side by side. */
struct collect { const struct unet_param *params; float *grad; size_t *times; };
static void take(void *ctx, size_t param, const float *grad) {
    struct collect *c = ctx;
    memcpy(c->grad + c->params[param].offset, grad, c->params[param].count * sizeof *grad);
    c->times[param]++;
}

static double norm_of(const float *a, const float *b, size_t n) {
    double s = 0;
    for (size_t i = 0; i < n; i++) {
        double d = (double)a[i] - (b ? (double)b[i] : 0);
        s += d * d;
    }
    return sqrt(s);
}

struct net {
    struct unet *u;
    struct unet_weights *w;
    struct unet_work *work;
    float *theta, *eps, *grad, *canonical;
    const struct unet_param *params;
    size_t n_params, p, D;
};

static void net_open(struct net *n, const struct unet_config *c, size_t B) {
    if (unet_new(&n->u, c) != OK) fail_msg("%s", fail_reason());
    n->p = unet_size(n->u);
    n->D = c->out_channels * c->sample_height * c->sample_width;
    n->params = unet_params(n->u, &n->n_params);
    n->theta = mem_array(n->p, sizeof(float));
    n->grad = mem_array(n->p, sizeof(float));
    n->canonical = mem_array(n->p, sizeof(float));
    n->eps = mem_array(B * n->D, sizeof(float));
    assert_int_equal(unet_weights_new(&n->w, n->u, 1), OK);
    assert_int_equal(unet_work_new(&n->work, n->u, B, 1, NULL), OK);
}

static void net_close(struct net *n) {
    unet_work_free(n->work);
    unet_weights_free(n->w);
    unet_free(n->u);
    mem_free(n->theta);
    mem_free(n->grad);
    mem_free(n->canonical);
    mem_free(n->eps);
}

static void net_gradient(struct net *n, const float *d_eps) {
    size_t *times = mem_array(n->n_params, sizeof *times);
    struct collect c = { n->params, n->grad, times };
    struct unet_sink sink = { take, &c };
    assert_true(unet_backward(n->work, n->w, d_eps, &sink));
    for (size_t i = 0; i < n->n_params; i++) assert_int_equal(times[i], 1);
    mem_free(times);
}

/* How near float32 must come to float64, in norms: of every parameter's
 * gradient, of the whole gradient, of the output.  torch's own float32 run comes
 * within 64 epsilon of each gradient; the weights were drawn until it did. */
static const double EPSILON = 0x1p-23, TENSOR = 128 * 0x1p-23, WHOLE = 64 * 0x1p-23, OUTPUT = 16 * 0x1p-23;

static int ends_with(const char *s, const char *end) {
    size_t n = strlen(s), m = strlen(end);
    return n >= m && !strcmp(s + n - m, end);
}

/* The gradient of to_k.bias is 0: it shifts all scores of a query alike.  It
 * is held against the norm of to_k.weight's, which stands before it. */
static double compare_gradients(struct net *n, const struct vectors *v, const char *file, const char *loss) {
    double whole = 0, error = 0, worst = 0, before = 0;
    for (size_t i = 0; i < n->n_params; i++) {
        char name[160];
        snprintf(name, sizeof name, "g.%s.%s", loss, n->params[i].name);
        float *want = vectors_floats(v, name);
        double d = norm_of(n->canonical + n->params[i].offset, want, n->params[i].count);
        double size = norm_of(want, NULL, n->params[i].count);
        double against = ends_with(name, "to_k.bias") ? before : size;
        whole += size * size;
        error += d * d;
        before = size;
        if (d > worst * against) worst = d / against;
        if (!(d <= TENSOR * against)) fail_msg("%s: %s off by %.0f epsilon of its norm %g", file, name, d / against / EPSILON, size);
        mem_free(want);
    }
    if (!(sqrt(error) <= WHOLE * sqrt(whole)))
        fail_msg("%s: the gradient of %s off by %.0f epsilon", file, loss, sqrt(error / whole) / EPSILON);
    return worst;
}

static void compare_order(const struct net *n, const struct vectors *v) {
    struct json_doc *order;
    const char *list = safetensors_meta(v->s, "order");
    assert_int_equal(json_parse(&order, list, strlen(list), "order"), OK);
    assert_int_equal(json_len(json_root(order)), n->n_params);
    for (size_t i = 0; i < n->n_params; i++)
        assert_string_equal(json_string(json_at(json_root(order), i), ""), n->params[i].name);
    json_free(order);
}

/* Every loss's value; the gradients of those that the file has them of. */
static double compare_losses(struct net *n, const struct vectors *v, const char *file, size_t B,
                             const float *t, const float *noise) {
    double worst = 0;
    float *d_eps = mem_array(B * n->D, sizeof *d_eps);
    for (int l = 0; l < LOSS_COUNT; l++) {
        char name[64];
        snprintf(name, sizeof name, "loss.%s", loss_name((enum loss)l));
        float *value = vectors_floats(v, name);
        for (size_t b = 0; b < B; b++) {
            double got = loss_gradient((enum loss)l, d_eps + b * n->D, n->eps + b * n->D, noise + b * n->D,
                                       n->D, schedule_elbo_weight(schedule_default(), (size_t)t[b]), 1.0 / (double)B);
            if (!(fabs(got - (double)value[b]) <= 1e-5 * (1e-3 + fabs((double)value[b]))))
                fail_msg("%s %s[%zu] = %.9g, diffusers has %.9g", file, name, b, got, (double)value[b]);
        }
        mem_free(value);
        snprintf(name, sizeof name, "g.%s.conv_in.bias", loss_name((enum loss)l));
        if (!safetensors_find(v->s, name)) continue;
        net_gradient(n, d_eps);
        unet_to_canonical(n->u, n->canonical, n->grad);
        worst = fmax(worst, compare_gradients(n, v, file, loss_name((enum loss)l)));
    }
    mem_free(d_eps);
    return worst;
}

static void check_against(const char *file) {
    struct vectors v;
    struct net n;
    struct unet_config c;
    vectors_open(&v, file);
    const char *config = safetensors_meta(v.s, "config");
    assert_non_null(config);
    if (network_config_read(&c, config, strlen(config), file) != OK) fail_msg("%s", fail_reason());
    size_t B = safetensors_find(v.s, "x")->shape[0];
    net_open(&n, &c, B);
    if (network_weights_pick(n.theta, n.u, v.bytes, v.len, file, "p.") != OK) fail_msg("%s", fail_reason());
    compare_order(&n, &v);
    unet_weights_pack(n.w, n.theta);
    float *x = vectors_floats(&v, "x"), *t = vectors_floats(&v, "t");
    float *noise = vectors_floats(&v, "noise"), *want = vectors_floats(&v, "eps");
    assert_true(unet_forward(n.work, n.w, n.eps, x, t, B));
    double off = norm_of(n.eps, want, B * n.D) / norm_of(want, NULL, B * n.D);
    if (!(off <= OUTPUT)) fail_msg("%s: output off by %.1f epsilon of its norm", file, off / EPSILON);
    double worst = compare_losses(&n, &v, file, B, t, noise);
    print_message("%-14s output %5.1f, worst gradient tensor %5.1f epsilon\n", file, off / EPSILON, worst / EPSILON);
    mem_free(x);
    mem_free(t);
    mem_free(noise);
    mem_free(want);
    net_close(&n);
    vectors_close(&v);
    assert_int_equal(mem_live(), 0);
}

/* The works ask for the kernels when they are made. */
static void every_vector_agrees_with_diffusers(void **state) {
    static const char *const files[] = { "plain", "attn12", "noattn", "scaleshift", "scaleshift-gn", "odd", "midscale",
        "midscale-ss", "samplers", "samplers-ss", "tokens", "deep", "eighteen" };
    const char *name = *state, *asked = getenv("DTRAK_KERNELS");
    char before[32];
    if (!kernels_named(name)) {
        print_message("this processor has no %s\n", name);
        skip();
    }
    snprintf(before, sizeof before, "%s", asked ? asked : "");
    setenv("DTRAK_KERNELS", name, 1);
    assert_ptr_equal(kernels_best(), kernels_named(name));
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) check_against(files[i]);
    if (*before) setenv("DTRAK_KERNELS", before, 1);
    else unsetenv("DTRAK_KERNELS");
}

static struct unet_config tiny(void) {
    struct unet_config c = unet_config_default();
    c.in_channels = c.out_channels = 3;
    c.sample_height = c.sample_width = 4;
    c.levels = 2;
    c.width[0] = 4;
    c.width[1] = 6;
    c.layers = 1;
    c.groups = c.mid_groups = 2;
    c.head_dim = 3;
    c.mid_attention = 1;
    c.down_attention = 2;
    return c;
}

/* All that tiny() leaves at its default, on an oblong sample. */
static struct unet_config rich(void) {
    struct unet_config c = tiny();
    c.sample_height = 2;
    c.sample_width = 8;
    c.width[1] = 8;
    c.down_attention = c.up_attention = 3;
    c.scale_shift = c.center_input = c.down_resnet = c.up_resnet = 1;
    c.mid_groups = 4;
    c.mid_scale = 1.25;
    return c;
}

/* sum r . eps for a fixed random r, of the network at theta. */
static double objective(struct net *n, const float *x, const float *t, const float *r, size_t B) {
    unet_weights_pack(n->w, n->theta);
    assert_true(unet_forward(n->work, n->w, n->eps, x, t, B));
    double s = 0;
    for (size_t i = 0; i < B * n->D; i++) s += (double)r[i] * (double)n->eps[i];
    return s;
}

static void whole_gradient(struct unet_config c) {
    enum { B = 2 };
    struct net n;
    net_open(&n, &c, B);
    unet_init(n.u, n.theta, 3);
    float x[B * 48], r[B * 48], t[B] = { 11, 640 };
    rng_normal(x, B * n.D, 1, RNG_TEST, 0, 0);
    rng_normal(r, B * n.D, 1, RNG_TEST, 1, 0);
    objective(&n, x, t, r, B);
    net_gradient(&n, r);
    float *direction = mem_array(n.p, sizeof *direction), *keep = mem_array(n.p, sizeof *keep);
    for (unsigned trial = 0; trial < 12; trial++) {
        /* One random direction in each of twelve slices of the parameters. */
        size_t from = n.p * trial / 12, to = n.p * (trial + 1) / 12;
        memset(direction, 0, n.p * sizeof *direction);
        rng_normal(direction + from, to - from, 2, RNG_TEST, trial, 0);
        double slope = 0, difference[2];
        for (size_t i = from; i < to; i++) slope += (double)direction[i] * (double)n.grad[i];
        memcpy(keep, n.theta, n.p * sizeof *keep);
        for (int k = 0; k < 2; k++) {
            double h = k ? 4e-3 : 2e-3;
            for (size_t i = from; i < to; i++) n.theta[i] = keep[i] + (float)h * direction[i];
            double up = objective(&n, x, t, r, B);
            for (size_t i = from; i < to; i++) n.theta[i] = keep[i] - (float)h * direction[i];
            difference[k] = (up - objective(&n, x, t, r, B)) / (2 * h);
            memcpy(n.theta, keep, n.p * sizeof *keep);
        }
        double numeric = (4 * difference[0] - difference[1]) / 3;   /* Richardson: error O(h^4) */
        if (!(fabs(numeric - slope) <= 2e-3 * (fabs(slope) + 1)))
            fail_msg("slice %u: backward says %g, differences %g", trial, slope, numeric);
    }
    mem_free(direction);
    mem_free(keep);
    net_close(&n);
}

static void the_whole_gradient_matches_central_differences(void **state) {
    (void)state;
    whole_gradient(tiny());
    whole_gradient(rich());
}

static void bits_of_a_batch(struct unet_config c) {
    enum { B = 3 };
    struct net n;
    net_open(&n, &c, B);
    unet_init(n.u, n.theta, 5);
    unet_weights_pack(n.w, n.theta);
    float x[B * 48], t[B] = { 0, 500, 999 }, alone[48];
    rng_normal(x, B * n.D, 9, RNG_TEST, 0, 0);
    assert_true(unet_forward(n.work, n.w, n.eps, x, t, B));
    float all[B * 48];
    memcpy(all, n.eps, sizeof all);
    for (size_t b = 0; b < B; b++) {
        assert_true(unet_forward(n.work, n.w, alone, x + b * n.D, t + b, 1));
        assert_memory_equal(alone, all + b * n.D, sizeof alone);
    }
    net_close(&n);
}

/* One pass for simple, elbo (a factor per sample) and a mixture, against a pass each. */
static void check_shares(const struct unet_config *c) {
    enum { B = 3, SHARES = 3 };
    struct net n;
    net_open(&n, c, B);
    unet_init(n.u, n.theta, 7);
    unet_weights_pack(n.w, n.theta);
    float *x = mem_array(B * n.D, sizeof *x), *d = mem_array(B * n.D, sizeof *d), *by = mem_array(B * n.D, sizeof *by);
    float *shared[SHARES], *alone = mem_array(n.p, sizeof *alone), t[B] = { 3, 400, 990 };
    float factor[SHARES][B] = { { 1, 1, 1 }, { .5f, 3, 1e-3f }, { -2, 0, 1 } };
    struct collect into[SHARES], one;
    struct unet_share shares[SHARES];
    size_t *times = mem_array(SHARES * n.n_params, sizeof *times);
    rng_normal(x, B * n.D, 1, RNG_TEST, 0, 0);
    rng_normal(d, B * n.D, 1, RNG_TEST, 1, 0);
    for (size_t i = 0; i < SHARES; i++) {
        shared[i] = mem_array(n.p, sizeof *shared[i]);
        into[i] = (struct collect){ n.params, shared[i], times + i * n.n_params };
        shares[i] = (struct unet_share){ i ? factor[i] : NULL, { take, &into[i] }, NULL };
    }
    assert_true(unet_forward(n.work, n.w, n.eps, x, t, B));
    assert_true(unet_backward_shared(n.work, n.w, d, shares, SHARES));
    for (size_t i = 0; i < SHARES * n.n_params; i++) assert_int_equal(times[i], 1);
    for (size_t i = 0; i < SHARES; i++) {
        for (size_t k = 0; k < B * n.D; k++) by[k] = d[k] * factor[i][k / n.D];
        net_gradient(&n, by);
        for (size_t k = 0; k < n.n_params; k++) {
            size_t at = n.params[k].offset, count = n.params[k].count;
            double off = norm_of(shared[i] + at, n.grad + at, count), size = norm_of(n.grad + at, NULL, count);
            /* Both round on the way down.  to_k.bias has gradient 0: what stands there is rounding. */
            if (!(off <= 32 * EPSILON * (strstr(n.params[k].name, "to_k.bias") ? 1 : size)))
                fail_msg("share %zu: %s off by %g of %g", i, n.params[k].name, off, size);
        }
        double off = norm_of(shared[i], n.grad, n.p), size = norm_of(n.grad, NULL, n.p);
        if (!(off <= 1e-6 * size)) fail_msg("share %zu off by %g of %g", i, off, size);
        one = (struct collect){ n.params, alone, times };
        struct unet_share single = { shares[i].scale, { take, &one }, NULL };
        assert_true(unet_backward_shared(n.work, n.w, d, &single, 1));
        assert_memory_equal(alone, shared[i], n.p * sizeof *alone);
        mem_free(shared[i]);
    }
    mem_free(x);
    mem_free(d);
    mem_free(by);
    mem_free(alone);
    mem_free(times);
    net_close(&n);
}

static void gradients_that_differ_by_a_factor_come_from_one_pass(void **state) {
    (void)state;
    struct unet_config c = tiny();
    check_shares(&c);
    c.scale_shift = 1;
    check_shares(&c);
}

static void a_multiple_of_a_loss_has_its_gradient(void **state) {
    (void)state;
    enum { D = 7 };
    float e[D], noise[D], own[D], base[D];
    rng_normal(e, D, 1, RNG_TEST, 0, 0);
    rng_normal(noise, D, 1, RNG_TEST, 1, 0);
    for (int l = 0; l < LOSS_COUNT; l++) {
        double factor;
        enum loss other = loss_multiple((enum loss)l, e, D, .3, &factor);
        assert_int_equal(other, l == LOSS_ELBO ? LOSS_SIMPLE : l == LOSS_L2 ? LOSS_SQUARE : (enum loss)l);
        loss_gradient((enum loss)l, own, e, noise, D, .3, .25);
        loss_gradient(other, base, e, noise, D, .3, .25);
        for (size_t i = 0; i < D; i++)
            if (!(fabs((double)own[i] - factor * (double)base[i]) <= 2e-7 * fabs((double)own[i])))
                fail_msg("%s: %g is not %g times %g", loss_name((enum loss)l), (double)own[i], factor, (double)base[i]);
    }
}

static void a_batch_gives_the_bits_of_its_samples_alone(void **state) {
    (void)state;
    bits_of_a_batch(tiny());
    bits_of_a_batch(rich());
}

static void layouts_round_trip_and_agree_with_coordinates(void **state) {
    (void)state;
    struct unet_config c = tiny();
    struct net n;
    net_open(&n, &c, 1);
    uint32_t *coord = mem_array(n.p, sizeof *coord);
    for (size_t i = 0; i < n.p; i++) n.theta[i] = (float)i;
    unet_to_canonical(n.u, n.canonical, n.theta);
    unet_from_canonical(n.u, n.grad, n.canonical);
    assert_memory_equal(n.grad, n.theta, n.p * sizeof(float));
    unet_coordinates(n.u, coord);
    for (size_t i = 0; i < n.p; i++) assert_true(n.canonical[coord[i]] == n.theta[i]);
    mem_free(coord);
    net_close(&n);
}

static void every_allocation_may_fail_and_nothing_leaks(void **state) {
    (void)state;
    struct unet_config c = rich();
    for (long i = 0;; i++) {
        struct unet *u = NULL;
        struct unet_weights *w = NULL;
        struct unet_work *work = NULL;
        mem_fail_after(i);
        enum status st = unet_new(&u, &c);
        if (st == OK) st = unet_weights_new(&w, u, 1);
        if (st == OK) st = unet_work_new(&work, u, 2, 1, NULL);
        mem_fail_after(-1);
        unet_work_free(work);
        unet_weights_free(w);
        unet_free(u);
        assert_int_equal(mem_live(), 0);
        if (st == OK) break;
        assert_int_equal(st, ERR_NOMEM);
        assert_true(i < 100);
    }
}

/* What diffusers refuses or cannot run, each with a word of the reason. */
static void shapes_that_are_no_network_are_refused(void **state) {
    (void)state;
    const struct unet_config good = rich();
    struct unet *u;
    struct { struct unet_config c; const char *says; } bad[12];
    size_t n = sizeof bad / sizeof *bad;
    for (size_t i = 0; i < n; i++) bad[i].c = good;
    bad[0].c.sample_width = 7, bad[0].says = "2 x 7";
    bad[1].c.sample_height = 0, bad[1].says = "0 x 8";
    bad[2].c.levels = 9, bad[2].says = "9 levels";
    bad[3].c.width[1] = 9, bad[3].says = "9 channels";
    bad[4].c.head_dim = 6, bad[4].says = "head dimension 6";
    bad[5].c.downsample_padding = 2, bad[5].says = "padding 2";
    bad[6].c.mid_groups = 3, bad[6].says = "middle attention";
    bad[7].c.mid_groups = 0, bad[7].c.scale_shift = 0, bad[7].says = "middle attention";
    bad[8].c.mid_scale = 0, bad[8].says = "scale factor";
    bad[9].c.freq_shift = 2, bad[9].says = "time embedding";
    bad[10].c.layers = 0, bad[10].says = "layers";
    bad[11].c.eps = -1, bad[11].says = "eps";
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(unet_new(&u, &bad[i].c), ERR_RANGE);
        assert_null(u);
        if (!strstr(fail_reason(), bad[i].says)) fail_msg("%s does not say %s", fail_reason(), bad[i].says);
    }
    assert_int_equal(mem_live(), 0);
}

static void a_config_survives_the_round_trip_and_bad_ones_are_named(void **state) {
    (void)state;
    struct unet_config c = tiny(), back;
    struct buf b = BUF_INIT;
    c.eps = 1e-6;
    c.head_dim = 0;
    network_config_write(&b, &c);
    assert_int_equal(network_config_read(&back, b.data, b.len, "config.json"), OK);
    assert_memory_equal(&back, &c, sizeof c);
    buf_free(&b);
    static const struct { const char *json, *says; } bad[] = {
        { "{\"surprise\": 1}", "surprise" },
        { "{\"resnet_time_scale_shift\": \"ada_group\"}", "resnet_time_scale_shift" },
        { "{\"block_out_channels\": [8], \"down_block_types\": [\"SkipDownBlock2D\"], \"up_block_types\": [\"UpBlock2D\"]}", "SkipDownBlock2D" },
        { "{\"block_out_channels\": [30], \"sample_size\": 8, \"down_block_types\": [\"DownBlock2D\"], \"up_block_types\": [\"UpBlock2D\"]}", "30 channels" },
        { "[]", "object" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_not_equal(network_config_read(&back, bad[i].json, strlen(bad[i].json), "config.json"), OK);
        if (!strstr(fail_reason(), bad[i].says)) fail_msg("%s does not say %s", fail_reason(), bad[i].says);
    }
}

int main(void) {
    char portable[] = "portable", avx2[] = "avx2", avx512[] = "avx512";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(every_vector_agrees_with_diffusers, portable),
        cmocka_unit_test_prestate(every_vector_agrees_with_diffusers, avx2),
        cmocka_unit_test_prestate(every_vector_agrees_with_diffusers, avx512),
        cmocka_unit_test(the_whole_gradient_matches_central_differences),
        cmocka_unit_test(gradients_that_differ_by_a_factor_come_from_one_pass),
        cmocka_unit_test(a_multiple_of_a_loss_has_its_gradient),
        cmocka_unit_test(a_batch_gives_the_bits_of_its_samples_alone),
        cmocka_unit_test(layouts_round_trip_and_agree_with_coordinates),
        cmocka_unit_test(every_allocation_may_fail_and_nothing_leaks),
        cmocka_unit_test(shapes_that_are_no_network_are_refused),
        cmocka_unit_test(a_config_survives_the_round_trip_and_bad_ones_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
