/* import_model.c - the verb `import-model`: a diffusers folder becomes a checkpoint.
 *
 * What is stored is canonical: the parameters under their present names and
 * shapes, in the precision they had.  So the same weights have the same
 * SHA-256 wherever they come from, and a second import is seen. */
#include "dtrak/pipeline.h"

#include "dtrak/items.h"
#include "dtrak/model_folder.h"
#include "dtrak/scheduler.h"
#include "dtrak/store.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Does the network take images cut into patches of k? */
static int fits(const struct model_folder *m, struct project p, size_t k) {
    const struct stored_network net = { .u = m->u };
    p.patch = k;
    return k >= 1 && p.width % k == 0 && p.height % k == 0 && stored_network_fits(&net, &p) == OK;
}

/* The patch: as asked, as dtrak.json says, or the project's, which it may
 * change while there is no other checkpoint. */
static enum status choose_patch(const struct model_folder *m, struct project *p, size_t asked, size_t checkpoints) {
    const struct stored_network net = { .u = m->u };
    size_t k = asked ? asked : m->patch ? m->patch : p->patch;
    if (asked && m->patch && asked != m->patch)
        return fail(ERR_RANGE, "import-model: --patch %zu, but dtrak.json says patch %zu", asked, m->patch);
    if (k != p->patch && checkpoints)
        return fail(ERR_RANGE, "import-model: a network for patch %zu, but this database's others were trained with patch %zu",
                    k, p->patch);
    if (!fits(m, *p, k)) {
        int other = !asked && !m->patch && !checkpoints && fits(m, *p, 3 - k);
        struct project wanted = *p;
        wanted.patch = k;
        enum status st = stored_network_fits(&net, &wanted);
        if (st == OK) st = fail(ERR_FORMAT, "import-model: the images cannot be cut into patches of %zu", k);
        char reason[512];
        snprintf(reason, sizeof reason, "%s", fail_reason());
        return other ? fail(st, "import-model: %s; it would fit with --patch %zu", reason, 3 - k)
                     : fail(st, "import-model: %s", reason);
    }
    p->patch = k;
    return OK;
}

/* The same weights under another step or with another schedule would be one
 * identity for two things: OK and *there when it is the same import again. */
static enum status find_same(const struct checkpoint_list *l, const struct model_folder *m, const struct import_model_options *o,
                             struct import_model_result *r) {
    for (size_t i = 0; i < l->count; i++) {
        const struct checkpoint *c = &l->checkpoint[i];
        struct schedule *s = NULL;
        struct unet_config config;
        if (strcmp(c->sha256, m->sha256)) continue;
        TRY(checkpoint_config_read(&config, &s, c->config, "stored checkpoint"));
        int same = schedule_equal(s, m->schedule) && !memcmp(&config, &m->config, sizeof config);
        schedule_free(s);
        if (!same)
            return fail(ERR_RANGE, "import-model: these weights are here as checkpoint %zu, with another noise schedule or "
                        "config; make another database for them", c->step);
        if (o->has_step && o->step != c->step)
            return fail(ERR_RANGE, "import-model: these weights are here already, as checkpoint %zu", c->step);
        r->step = c->step;
        r->there_already = 1;
        return OK;
    }
    return OK;
}

static enum status choose_step(const struct checkpoint_list *l, const struct model_folder *m,
                               const struct import_model_options *o, size_t *step) {
    *step = o->has_step ? o->step : m->has_step ? m->step : 0;
    for (size_t i = 0; i < l->count; i++)
        if (l->checkpoint[i].step == *step)
            return fail(ERR_RANGE, "import-model: there is another checkpoint of step %zu already; give this one's with --step", *step);
    return OK;
}

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

static enum status add(struct store *s, const struct project *p, const struct model_folder *m,
                       const struct import_model_options *o, size_t step) {
    struct buf config = BUF_INIT;
    struct checkpoint_origin origin = { m->weights_type, o->name ? o->name : *m->name ? m->name : NULL, base_name(o->dir) };
    checkpoint_config_write(&config, &m->config, m->schedule, &origin);
    enum status st = buf_status(&config);
    struct checkpoint c = { .step = step, .percent = m->percent, .epoch = m->epoch, .train_loss = m->train_loss,
                            .half_weights = !strcmp(m->weights_type, "F16"), .config = config.data };
    int64_t id;
    if (st == OK) st = store_begin(s);
    if (st == OK) {
        st = store_project_set(s, p);
        if (st == OK) st = store_checkpoint_add(s, &c, m->weights.data, m->weights.len, &id);
        if (st == OK) st = store_commit(s);
        if (st != OK) store_rollback(s);
    }
    buf_free(&config);
    return st;
}

static enum status import(struct store *s, const struct import_model_options *o, const struct checkpoint_list *l,
                          struct model_folder *m, struct import_model_result *r) {
    struct project p;
    TRY(store_project_get(s, &p));
    size_t k = o->patch ? o->patch : p.patch, size[2] = { p.height / k, p.width / k };
    TRY(model_folder_read(m, o->dir, size, o->schedule));
    TRY(choose_patch(m, &p, o->patch, l->count));
    r->parameters = unet_size(m->u);
    r->has_schedule = m->has_schedule;
    r->T = schedule_steps(m->schedule);
    snprintf(r->weights_type, sizeof r->weights_type, "%s", m->weights_type);
    snprintf(r->sha256, sizeof r->sha256, "%s", m->sha256);
    TRY(find_same(l, m, o, r));
    if (r->there_already) return OK;
    TRY(choose_step(l, m, o, &r->step));
    return add(s, &p, m, o, r->step);
}

enum status pipeline_import_model(struct store *s, const struct import_model_options *o, struct import_model_result *r) {
    struct checkpoint_list l = { 0 };
    struct model_folder m = { 0 };
    *r = (struct import_model_result){ 0 };
    enum status st = store_checkpoints_list(s, &l);
    if (st == OK) st = import(s, o, &l, &m, r);
    model_folder_free(&m);
    checkpoint_list_free(&l);
    return st;
}
