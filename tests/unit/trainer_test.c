/* Three AdamW steps against PyTorch, and what a resumed run and other thread
 * counts must not change. */
#include "dtrak/file.h"
#include "dtrak/mem.h"
#include "dtrak/network.h"
#include "dtrak/rng.h"
#include "dtrak/safetensors.h"
#include "dtrak/trainer.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static float *tensor(const struct safetensors *s, const char *name, size_t *count) {
    const struct safetensors_entry *e = safetensors_find(s, name);
    if (!e) fail_msg("no tensor %s", name);
    float *out = mem_array(e->count, sizeof *out);
    assert_int_equal(safetensors_floats(out, e), OK);
    if (count) *count = e->count;
    return out;
}

static void three_steps_of_adamw_agree_with_pytorch(void **state) {
    (void)state;
    unsigned char *bytes;
    size_t len, B, n;
    struct safetensors *s;
    struct unet_config c;
    struct unet *u;
    struct trainer *t;
    const char *path = "tests/vectors/adamw.safetensors";
    if (file_read(&bytes, &len, path, (size_t)4 << 20) != OK) fail_msg("%s", fail_reason());
    assert_int_equal(safetensors_open(&s, bytes, len, path), OK);
    const char *config = safetensors_meta(s, "config");
    assert_int_equal(network_config_read(&c, config, strlen(config), path), OK);
    assert_int_equal(unet_new(&u, &c), OK);
    mem_free(tensor(s, "step1.t", &B));
    /* A constant rate: the cosine of so long a schedule does not move in three steps. */
    struct trainer_options o = { .batch = B, .steps = (size_t)1 << 40, .lr = 1e-3, .weight_decay = 1e-6, .clip = 1 };
    assert_int_equal(trainer_new(&t, u, &o, NULL, NULL), OK);
    assert_int_equal(network_weights_pick(trainer_theta(t), u, bytes, len, path, "p."), OK);
    for (int i = 1; i <= 3; i++) {
        char name[32];
        double loss;
        snprintf(name, sizeof name, "step%d.x", i);
        float *x = tensor(s, name, NULL);
        snprintf(name, sizeof name, "step%d.t", i);
        float *time = tensor(s, name, NULL);
        snprintf(name, sizeof name, "step%d.noise", i);
        float *noise = tensor(s, name, NULL);
        snprintf(name, sizeof name, "step%d.loss", i);
        float *want = tensor(s, name, NULL);
        assert_int_equal(trainer_step_on(t, x, time, noise, &loss), OK);
        /* The loss falls 90-fold here: its error is relative to what was subtracted. */
        if (!(fabs(loss - (double)*want) < 3e-5 * (double)*want)) fail_msg("step %d: loss %.9g, PyTorch %.9g", i, loss, (double)*want);
        mem_free(x);
        mem_free(time);
        mem_free(noise);
        mem_free(want);
    }
    size_t n_params;
    const struct unet_param *params = unet_params(u, &n_params);
    float *got = mem_array(unet_size(u), sizeof *got);
    unet_to_canonical(u, got, trainer_theta(t));
    /* Adam divides a gradient by its own size: near 0 by rounding errors, and to_k.bias, whose
     * gradient is 0, by nothing else.  An update is at most 3 lr. */
    size_t off = 0, all = 0;
    for (size_t k = 0; k < n_params; k++) {
        char name[128];
        snprintf(name, sizeof name, "p3.%s", params[k].name);
        float *want = tensor(s, name, &n);
        float bound = strstr(name, "to_k.bias") ? 3.5e-3f : 1e-4f;
        for (size_t i = 0; i < n; i++) {
            float gap = fabsf(got[params[k].offset + i] - want[i]);
            if (!(gap <= bound)) fail_msg("%s[%zu]: %g, PyTorch %g", name, i, (double)got[params[k].offset + i], (double)want[i]);
            if (bound < 1e-3f) {
                off += gap > 1e-6f;
                all++;
            }
        }
        mem_free(want);
    }
    if (off * 2000 > all) fail_msg("%zu of %zu parameters off by more than 1e-6", off, all);
    mem_free(got);
    trainer_free(t);
    unet_free(u);
    safetensors_free(s);
    mem_free(bytes);
    assert_int_equal(mem_live(), 0);
}

enum { N = 13 };
static struct unet *small(void) {
    struct unet_config c = unet_config_default();
    struct unet *u;
    c.in_channels = c.out_channels = 4;
    c.sample_height = c.sample_width = 4;
    c.levels = 2;
    c.width[0] = c.width[1] = 8;
    c.layers = 1;
    c.groups = c.mid_groups = 4;
    c.head_dim = 4;
    if (unet_new(&u, &c) != OK) fail_msg("%s", fail_reason());
    return u;
}

/* Trains `steps` steps on `threads` threads, going through saved states at `stop`. */
static float *train(const struct unet *u, const float *images, size_t steps, size_t stop, size_t threads) {
    struct trainer_options o = { .batch = 83, .steps = 6, .lr = 1e-3, .clip = 1, .warmup_fraction = .1, .ema = .99, .flip = 1, .seed = 4 };
    struct trainer_images data = { images, N, 2 };
    struct pool *pool;
    struct trainer *t;
    double loss;
    assert_int_equal(pool_new(&pool, threads), OK);
    assert_int_equal(trainer_new(&t, u, &o, pool, NULL), OK);
    for (size_t i = 0; i < steps; i++) {
        if (i == stop) {
            float *state = mem_array(trainer_state_size(t), sizeof *state);
            trainer_state_get(t, state);
            trainer_free(t);
            assert_int_equal(trainer_new(&t, u, &o, pool, NULL), OK);
            trainer_state_set(t, state, i);
            mem_free(state);
        }
        assert_int_equal(trainer_step(t, &data, &loss), OK);
        assert_true(isfinite(loss));
    }
    float *out = mem_array(trainer_state_size(t), sizeof *out);
    trainer_state_get(t, out);
    trainer_free(t);
    pool_free(pool);
    return out;
}

static void threads_and_a_resume_change_no_bit(void **state) {
    (void)state;
    struct unet *u = small();
    float images[N * 64];
    rng_normal(images, N * 64, 1, RNG_TEST, 0, 0);
    float *a = train(u, images, 5, 99, 1), *c = train(u, images, 5, 2, 2);
    static const size_t others[] = { 2, 3, 5, 9 };
    for (size_t i = 0; i < 4; i++) {
        float *b = train(u, images, 5, 99, others[i]);
        assert_memory_equal(a, b, 4 * unet_size(u) * sizeof *a);
        mem_free(b);
    }
    assert_memory_equal(a, c, 4 * unet_size(u) * sizeof *a);
    mem_free(a);
    mem_free(c);
    unet_free(u);
}

static void training_on_one_image_lowers_the_loss(void **state) {
    (void)state;
    struct unet *u = small();
    struct trainer_options o = { .batch = 16, .steps = 150, .lr = 3e-3, .clip = 1, .warmup_fraction = .1, .seed = 1 };
    float image[64];
    struct trainer_images data = { image, 1, 1 };
    struct trainer *t;
    double loss, first = 0, last = 0;
    for (size_t i = 0; i < 64; i++) image[i] = i % 3 ? .8f : -.5f;
    assert_int_equal(trainer_new(&t, u, &o, NULL, NULL), OK);
    for (size_t i = 0; i < o.steps; i++) {
        assert_int_equal(trainer_step(t, &data, &loss), OK);
        if (i < 10) first += loss / 10;
        if (i >= o.steps - 10) last += loss / 10;
    }
    if (!(last < .6 * first)) fail_msg("loss %g at first, %g at last", first, last);
    trainer_free(t);
    unet_free(u);
}

static void a_loss_that_is_not_finite_stops_with_the_step_and_changes_nothing(void **state) {
    (void)state;
    struct unet *u = small();
    struct trainer_options o = { .batch = 2, .steps = 10, .lr = 1e-3, .seed = 1 };
    float image[64] = { NAN };
    struct trainer_images data = { image, 1, 1 };
    struct trainer *t;
    double loss;
    assert_int_equal(trainer_new(&t, u, &o, NULL, NULL), OK);
    float *before = mem_array(trainer_state_size(t), sizeof *before), *after = mem_array(trainer_state_size(t), sizeof *after);
    trainer_state_get(t, before);
    assert_int_equal(trainer_step(t, &data, &loss), ERR_NUMERIC);
    assert_non_null(strstr(fail_reason(), "step 0"));
    trainer_state_get(t, after);
    assert_memory_equal(before, after, trainer_state_size(t) * sizeof *after);
    assert_int_equal(trainer_steps_done(t), 0);
    mem_free(before);
    mem_free(after);
    trainer_free(t);
    unet_free(u);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_steps_of_adamw_agree_with_pytorch),
        cmocka_unit_test(threads_and_a_resume_change_no_bit),
        cmocka_unit_test(training_on_one_image_lowers_the_loss),
        cmocka_unit_test(a_loss_that_is_not_finite_stops_with_the_step_and_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
