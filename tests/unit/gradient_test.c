/* gradient_test.c - the verb `gradient`: a whole gradient in a file, which projects to the stored
 * feature by every kind of projection, and the losses' values beside it. */
#include "dtrak/file.h"
#include "dtrak/loss.h"
#include "dtrak/mem.h"
#include "dtrak/pipeline.h"
#include "dtrak/projection.h"
#include "dtrak/safetensors.h"
#include "dtrak/schedule.h"
#include "dtrak/store.h"
#include "../lib/by_hand.h"
#include "../lib/status.h"
#include "../lib/store_rig.h"
#include "../lib/trained_study.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { D = STUDY_D, VAL = STUDY_VAL, K = 64, T = 20, ITEM = 2 };

/* A projection of p numbers on its own, as wide as the features. */
static void project(float out[K], const char *kind, uint64_t seed, const float *gradient, size_t p) {
    struct projection how = { PROJECTION_SJLT, seed, p, K, 1, PROJECTION_VERSION };
    struct projector *projector;
    struct projection_work *w;
    ok(projection_parse(kind, &how.kind, &how.s));
    ok(projector_new(&projector, &how, NULL));
    ok(projection_work_new(&w, projector, 1, 1, (size_t)1 << 28));
    projection_begin(w, 1, out);
    projection_add(w, 0, 0, 0, gradient, p, 1);
    assert_int_equal(projection_finish(w, NULL, NULL), 1);
    projection_work_free(w);
    projector_free(projector);
}

/* The stored feature of the item is the gradient's projection; with another thread count, and
 * with rows that are gathered one by one, it has the same bits. */
static void expect_projection(struct store *s, struct features_options o, enum loss loss, const float *gradient, size_t p) {
    float out[K], rows[VAL * K], again[VAL * K];
    double want[K];
    o.threads = 3;
    ok(pipeline_features(s, &o, NULL));
    struct feature_set set = trained_set(s, &o, SPLIT_VAL, loss);
    ok(store_features_read(s, &set, 0, VAL, rows));
    project(out, o.projection, o.projection_seed, gradient, p);
    for (size_t j = 0; j < K; j++) want[j] = (double)out[j];
    expect_row(rows + ITEM * K, want, K, 5e-6, o.projection);
    ok(store_feature_block_delete(s, &set, 0));
    o.threads = 1;
    o.memory = 1;
    assert_int_equal(pipeline_features(s, &o, NULL), ERR_RANGE);
    o.memory = (size_t)((strtod(strstr(fail_reason(), "needs ") + 6, NULL) + .06) * 1e6);
    ok(pipeline_features(s, &o, NULL));
    ok(store_features_read(s, &set, 0, VAL, again));
    assert_memory_equal(again, rows, sizeof again);
}

static void a_whole_gradient_projects_to_the_feature(void **state) {
    (void)state;
    static const char *const kinds[] = { "sjlt", "sjlt:4", "rademacher", "gaussian", "srht" };
    struct store *s = trained_study("study.db");
    struct features_options o = trained_features();
    struct gradient_options g = GRADIENT_DEFAULTS;
    struct safetensors *f;
    struct checkpoint_list c;
    struct by_hand h;
    unsigned char *bytes;
    float noise[T * D], output[T * D];
    size_t timesteps[T], len, n_params;
    const char *file = rig_path("gradient.safetensors");
    for (size_t i = 0; i < T; i++) timesteps[i] = 50 * i;
    g.losses = 1u << LOSS_ELBO | 1u << LOSS_L1;
    g.item = "val:2";
    g.timesteps = timesteps;
    g.n_timesteps = T;
    g.noise_seed = o.noise_seed;
    ok(pipeline_gradient(s, &g, file, NULL));
    ok(file_read(&bytes, &len, file, 1 << 26));
    ok(safetensors_open(&f, bytes, len, file));
    ok(store_checkpoints_resolve(s, "last", &c));
    assert_string_equal(safetensors_meta(f, "checkpoint"), c.checkpoint[0].sha256);
    assert_string_equal(safetensors_meta(f, "item"), "val:2");
    checkpoint_list_free(&c);
    ok(safetensors_read(noise, T * D, f, "noise"));
    ok(safetensors_read(output, T * D, f, "output"));
    by_hand_open(&h, s, "last");
    float *gradient = mem_array(h.p, sizeof *gradient);
    assert_non_null(gradient);
    const struct unet_param *params = unet_params(h.net.u, &n_params);
    o.losses = g.losses;
    o.splits = 1u << SPLIT_VAL;
    for (int l = LOSS_ELBO; l <= LOSS_L1; l += LOSS_L1 - LOSS_ELBO) {
        double value = 0;
        char name[128];
        for (size_t i = 0; i < n_params; i++) {
            snprintf(name, sizeof name, "%s/%s", loss_name((enum loss)l), params[i].name);
            ok(safetensors_read(gradient + params[i].offset, params[i].count, f, name));
        }
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
            o.projection = kinds[k];
            expect_projection(s, o, (enum loss)l, gradient, h.p);
        }
        for (size_t i = 0; i < T; i++)
            value += loss_value((enum loss)l, output + i * D, noise + i * D, D, schedule_elbo_weight(h.net.schedule, 50 * i)) / T;
        snprintf(name, sizeof name, "value.%s", loss_name((enum loss)l));
        assert_near(strtod(safetensors_meta(f, name), NULL), value, 1e-7 * value, 0);
    }
    mem_free(gradient);
    by_hand_close(&h);
    safetensors_free(f);
    mem_free(bytes);
    store_close(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_gradient_projects_to_the_feature),
    };
    return cmocka_run_group_tests(tests, NULL, rig_end);
}
