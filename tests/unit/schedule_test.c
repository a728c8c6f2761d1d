/* The noise schedule against known values, the losses against their formulas
 * and differences. */
#include "dtrak/loss.h"
#include "dtrak/mem.h"
#include "dtrak/rng.h"
#include "dtrak/schedule.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void alpha_bar_and_the_elbo_weights_have_their_known_values(void **state) {
    (void)state;
    static const struct { size_t t; double alpha_bar, weight; } known[] = {
        { 0, 0.9999, 0.50005 }, { 100, 0.895142, 0.0099962 }, { 250, 0.521423, 0.0053345 },
        { 500, 0.0777967, 0.0055097 }, { 900, 2.70245e-4, 0.0091820 }, { 999, 4.03583e-5, 0.0102045 },
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        assert_true(fabs(schedule_alpha_bar(schedule_default(), known[i].t) / known[i].alpha_bar - 1) < 1e-5);
        assert_true(fabs(schedule_elbo_weight(schedule_default(), known[i].t) / known[i].weight - 1) < 1e-5);
    }
}

static void noising_mixes_image_and_noise_at_unit_variance(void **state) {
    (void)state;
    enum { D = 4000 };
    static float x[D], n[D], y[D];
    rng_normal(x, D, 1, RNG_TEST, 0, 0);
    rng_normal(n, D, 1, RNG_TEST, 1, 0);
    for (size_t t = 0; t < SCHEDULE_T; t += 111) {
        double s = 0;
        schedule_noised(schedule_default(), y, x, n, D, t);
        for (size_t i = 0; i < D; i++) s += (double)y[i] * (double)y[i] / D;
        assert_true(fabs(s - 1) < .1);
    }
    schedule_noised(schedule_default(), y, x, n, D, 999);
    for (size_t i = 0; i < D; i++) assert_true(fabsf(y[i] - n[i]) < .05f);
}

/* With the true noise as prediction, DDIM walks back to the image. */
static void ddim_with_the_true_noise_returns_the_image(void **state) {
    (void)state;
    enum { D = 64, STEPS = 50 };
    float x[D], n[D], y[D];
    rng_normal(n, D, 1, RNG_TEST, 1, 0);
    for (size_t i = 0; i < D; i++) x[i] = (float)i / 32 - 1;
    assert_int_equal(schedule_ddim_timestep(schedule_default(), STEPS, 0), 980);
    assert_int_equal(schedule_ddim_timestep(schedule_default(), STEPS, STEPS - 1), 0);
    schedule_noised(schedule_default(), y, x, n, D, schedule_ddim_timestep(schedule_default(), STEPS, 0));
    for (size_t i = 0; i < STEPS; i++)
        schedule_ddim(schedule_default(), y, n, NULL, D, schedule_ddim_timestep(schedule_default(), STEPS, i),
                      i + 1 < STEPS ? (long)schedule_ddim_timestep(schedule_default(), STEPS, i + 1) : -1, 0);
    for (size_t i = 0; i < D; i++) assert_true(fabsf(y[i] - x[i]) < 2e-3f);
}

/* diffusers' DDPMScheduler 0.27.2 (float32 inside), T = 1000, beta 1e-4 and 0.02; squaredcos
 * divides nearly equal cosines, so that its late products carry more rounding. */
static void every_kind_has_diffusers_numbers(void **state) {
    (void)state;
    static const struct { enum schedule_kind kind; size_t t; double alpha_bar, tolerance; } known[] = {
        { SCHEDULE_LINEAR, 0, 0.99989998, 2e-5 },
        { SCHEDULE_LINEAR, 1, 0.99978006, 2e-5 },
        { SCHEDULE_LINEAR, 400, 0.19357198, 2e-5 },
        { SCHEDULE_LINEAR, 999, 4.0358307e-05, 2e-5 },
        { SCHEDULE_SCALED_LINEAR, 0, 0.99989998, 2e-5 },
        { SCHEDULE_SCALED_LINEAR, 1, 0.99979734, 2e-5 },
        { SCHEDULE_SCALED_LINEAR, 400, 0.53663784, 2e-5 },
        { SCHEDULE_SCALED_LINEAR, 999, 0.00073341199, 2e-5 },
        { SCHEDULE_SQUAREDCOS, 0, 0.99995869, 1e-4 },
        { SCHEDULE_SQUAREDCOS, 1, 0.99991256, 1e-4 },
        { SCHEDULE_SQUAREDCOS, 400, 0.64598805, 1e-4 },
        { SCHEDULE_SQUAREDCOS, 998, 2.4287663e-06, 1e-4 },
        { SCHEDULE_SIGMOID, 0, 0.99985081, 2e-5 },
        { SCHEDULE_SIGMOID, 1, 0.99970102, 2e-5 },
        { SCHEDULE_SIGMOID, 400, 0.62068057, 2e-5 },
        { SCHEDULE_SIGMOID, 999, 3.9681821e-05, 2e-5 },
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct schedule_config c = schedule_config_default();
        struct schedule *s;
        c.kind = known[i].kind;
        assert_int_equal(schedule_new(&s, &c), OK);
        double got = schedule_alpha_bar(s, known[i].t);
        if (!(fabs(got / known[i].alpha_bar - 1) < known[i].tolerance))
            fail_msg("%s at %zu: %.9g, diffusers has %.9g", schedule_kind_name(c.kind), known[i].t, got, known[i].alpha_bar);
        assert_true(schedule_kind_parse(schedule_kind_name(c.kind)) == c.kind);
        schedule_free(s);
    }
    assert_true(schedule_kind_parse("trained_betas") == SCHEDULE_KINDS);
}

static void given_betas_are_used_and_bad_ones_are_named(void **state) {
    (void)state;
    double betas[4] = { .1, .2, .3, .4 };
    struct schedule *s, *same;
    struct schedule_config c = schedule_config_default();
    c.kind = SCHEDULE_TRAINED;
    c.T = 4;
    c.betas = betas;
    assert_int_equal(schedule_new(&s, &c), OK);
    assert_true(fabs(schedule_alpha_bar(s, 3) - .9 * .8 * .7 * .6) < 1e-15);
    assert_int_equal(schedule_new(&same, schedule_get_config(s)), OK);
    assert_true(schedule_equal(s, same) && !schedule_equal(s, schedule_default()));
    schedule_free(same);
    c.clip = 0;
    assert_int_equal(schedule_new(&same, &c), OK);
    assert_false(schedule_equal(s, same));
    /* Without a clamp a predicted x_0 beyond 1 stays. */
    float x = 2, eps = 0, y = 2;
    schedule_ddim(s, &x, &eps, NULL, 1, 0, -1, 0);
    schedule_ddim(same, &y, &eps, NULL, 1, 0, -1, 0);
    assert_true(x <= 1 && fabs((double)y - 2 / sqrt(.9)) < 1e-6);
    schedule_free(same);
    schedule_free(s);
    betas[2] = 1;
    assert_int_equal(schedule_new(&s, &c), ERR_RANGE);
    assert_non_null(strstr(fail_reason(), "beta 2 is 1"));
    c = schedule_config_default();
    c.beta_end = NAN;
    assert_int_equal(schedule_new(&s, &c), ERR_RANGE);
    c = schedule_config_default();
    c.T = 0;
    assert_int_equal(schedule_new(&s, &c), ERR_RANGE);
    c = schedule_config_default();
    c.beta_end = .99;
    assert_int_equal(schedule_new(&s, &c), ERR_RANGE);
    assert_non_null(strstr(fail_reason(), "nothing of the image"));
    for (long n = 0; n < 3; n++) {
        c = schedule_config_default();
        mem_fail_after(n);
        assert_int_equal(schedule_new(&s, &c), ERR_NOMEM);
        mem_fail_after(-1);
    }
    assert_int_equal(mem_live(), 0);
}

static void losses_have_their_values_and_their_gradients_match_differences(void **state) {
    (void)state;
    enum { D = 6 };
    float e[D] = { .5f, -1.25f, 2, .125f, -.75f, 1 }, n[D] = { 1, .5f, -1, .25f, 0, .5f }, d[D];
    double simple = (.25 + 3.0625 + 9 + .015625 + .5625 + .25) / 6, square = (.25 + 1.5625 + 4 + .015625 + .5625 + 1) / 6;
    const double want[LOSS_COUNT] = { simple, .3 * simple, square, 1.625 / 6, 5.625, sqrt(square * 6), 2 };
    for (int l = 0; l < LOSS_COUNT; l++) {
        enum loss loss = (enum loss)l;
        assert_true(fabs(loss_value(loss, e, n, D, .3) - want[l]) < 1e-12);
        assert_true(loss_parse(loss_name(loss)) == loss);
        assert_true(fabs(loss_gradient(loss, d, e, n, D, .3, 2) - want[l]) < 1e-12);
        for (size_t i = 0; i < D; i++) {
            float keep = e[i];
            e[i] = keep + 0x1p-10f;
            double up = loss_value(loss, e, n, D, .3);
            e[i] = keep - 0x1p-10f;
            double slope = 2 * (up - loss_value(loss, e, n, D, .3)) / 0x1p-9;
            e[i] = keep;
            assert_true(fabs((double)d[i] - slope) < 1e-5);
        }
    }
    assert_true(loss_parse("cubic") == LOSS_COUNT);
}

static void the_largest_magnitude_may_be_negative_and_ties_go_to_the_first(void **state) {
    (void)state;
    float e[3] = { -2, 2, 1 }, d[3];
    assert_true(loss_gradient(LOSS_LINF, d, e, NULL, 3, 0, 1) == 2.0);
    assert_true(d[0] == -1 && d[1] == 0 && d[2] == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alpha_bar_and_the_elbo_weights_have_their_known_values),
        cmocka_unit_test(noising_mixes_image_and_noise_at_unit_variance),
        cmocka_unit_test(ddim_with_the_true_noise_returns_the_image),
        cmocka_unit_test(every_kind_has_diffusers_numbers),
        cmocka_unit_test(given_betas_are_used_and_bad_ones_are_named),
        cmocka_unit_test(losses_have_their_values_and_their_gradients_match_differences),
        cmocka_unit_test(the_largest_magnitude_may_be_negative_and_ties_go_to_the_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
