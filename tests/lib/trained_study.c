/* trained_study.c - a few pictures and a network trained on them.  See trained_study.h. */
#include "trained_study.h"

#include "dtrak/loss.h"
#include "dtrak/projection.h"
#include "status.h"
#include "store_rig.h"

#include <string.h>

const struct study trained_pictures = { .width = STUDY_W, .height = STUDY_H, .patch = 2, .items = { STUDY_TRAIN, STUDY_VAL, 0 } };

struct train_options trained_training(void) {
    struct train_options o = study_training();
    o.steps = 12;
    o.batch = 10;
    o.flip = 1;
    o.threads = 2;
    return o;
}

struct store *trained_study(const char *name) {
    struct train_options o = trained_training();
    struct store *s;
    if (rig_exists(rig_path(name))) {
        ok(store_open(&s, rig_path(name), STORE_WRITE));
        return s;
    }
    s = study_new(name, &trained_pictures);
    ok(pipeline_train(s, &o, NULL));
    return s;
}

void trained_hashes(struct store *s, char out[STUDY_HASHES]) {
    struct checkpoint_list l;
    ok(store_checkpoints_list(s, &l));
    assert_true(l.count <= 4);
    *out = 0;
    for (size_t i = 0; i < l.count; i++) strcat(out, l.checkpoint[i].sha256);
    checkpoint_list_free(&l);
}

struct features_options trained_features(void) {
    struct features_options o = FEATURES_DEFAULTS;
    o.losses = (1u << LOSS_COUNT) - 1;
    o.timesteps = 20;
    o.dims = 64;
    o.float32 = 1;
    o.threads = 2;
    o.noise_seed = 3;
    return o;
}

struct feature_set trained_set(struct store *s, const struct features_options *o, enum split split, enum loss loss) {
    struct feature_set_list l;
    struct feature_set set = { 0 };
    struct checkpoint_list c;
    enum projection_kind kind = PROJECTION_SJLT;
    uint32_t nonzeros = 1;
    size_t found = 0;
    if (o->projection) ok(projection_parse(o->projection, &kind, &nonzeros));
    ok(store_checkpoints_resolve(s, "last", &c));
    ok(store_feature_sets_list(s, &l));
    for (size_t i = 0; i < l.count; i++) {
        const struct feature_identity *f = &l.set[i].identity;
        if (l.set[i].checkpoint != c.checkpoint[0].id || f->split != split || strcmp(f->loss, loss_name(loss)) != 0 ||
            f->timesteps != o->timesteps || strcmp(f->rule, o->rule ? o->rule : "uniform") != 0 || f->noise_seed != o->noise_seed ||
            f->draws != o->draws || f->parts != o->parts || f->k != o->dims || f->nonzeros != nonzeros ||
            strcmp(f->projection, projection_kind_name(kind)) != 0 || f->projection_seed != o->projection_seed)
            continue;
        set = l.set[i];
        found++;
    }
    assert_int_equal(found, 1);
    assert_int_equal(set.rows_done, set.rows);
    checkpoint_list_free(&c);
    feature_set_list_free(&l);
    return set;
}

void trained_rows(struct store *s, const struct features_options *o, enum split split, enum loss loss, float *out) {
    struct feature_set set = trained_set(s, o, split, loss);
    for (size_t b = 0; b < o->parts; b++)
        ok(store_features_read_part(s, &set, b, 0, set.rows, out + b * set.rows * o->dims));
}
