/* export_traker.c - a save_dir that the package traker (0.3) continues from.
 *
 * Its files are NumPy's under names that end in .mmap, and are opened for writing, so all
 * that a later step fills in is there: features.mmap (the inverse applied to the gradients)
 * and scores/NAME.mmap, of zeros.  Models are featurised and not finalised: traker's
 * finalize_features() and finalize_scores() go on from here.  A model's number is its step.
 * traker knows two kinds of projection by name; other kinds are written as `normal`, which
 * its projector on a CPU has, and the true one stands in dtrak.json. */
#include "export_parts.h"

#include "dtrak/half.h"
#include "dtrak/json.h"
#include "dtrak/mem.h"
#include "dtrak/offer.h"
#include "dtrak/pipeline.h"
#include "dtrak/text.h"

#include <stdio.h>
#include <string.h>

enum { MODELS_MAX = SCORE_CHECKPOINTS_MAX };

struct exporter {
    struct store *s;
    const struct export_options *o;
    const struct progress *p;
    struct export_result *r;
    struct picker pick;
    struct checkpoint_list checkpoints;   /* one is a model */
    struct feature_set train[MODELS_MAX];
    struct new_folder folder;
    struct buf json;
    enum npy_type type;
    size_t n, k;
};

/* --- which features --- */

static int is_whole(const struct feature_set *set, size_t items) {
    return !set->dropped && set->rows_done == set->rows && set->rows == items && items > 0;
}

static enum status explain_missing(const struct exporter *x, const struct checkpoint *c) {
    struct offer_features want = { .checkpoint = c, .loss = x->pick.loss, .timesteps = x->pick.timesteps, .k = x->pick.k };
    char weights[OFFER_WEIGHTS], command[OFFER_COMMAND];
    offer_weights(weights, c);
    TRY(offer_features_command(command, x->s, &want));
    return fail(ERR_MISSING, "no complete features of the training items of loss %s at checkpoint %zu%s%s", loss_name(x->pick.loss), c->step,
                weights[0] ? ", and " : "; make them with: ", weights[0] ? weights : command);
}

static enum status choose_features(struct exporter *x, const struct feature_set_list *l) {
    for (size_t c = 0; c < x->checkpoints.count; c++) {
        const struct feature_set *best = NULL;
        for (size_t i = 0; i < l->count; i++) {
            const struct feature_set *f = &l->set[i];
            if (f->identity.split == SPLIT_TRAIN && f->checkpoint == x->checkpoints.checkpoint[c].id && is_whole(f, x->n) &&
                picker_takes_features(&x->pick, f) && (!best || feature_set_is_better(f, best))) best = f;
        }
        if (!best) return explain_missing(x, &x->checkpoints.checkpoint[c]);
        x->train[c] = *best;
        if (c && best->identity.k != x->train[0].identity.k)
            return fail(ERR_RANGE, "features of checkpoint %zu have k %zu, those of checkpoint %zu k %zu; choose with --dims",
                        x->checkpoints.checkpoint[0].step, x->train[0].identity.k, x->checkpoints.checkpoint[c].step, best->identity.k);
    }
    x->k = x->train[0].identity.k;
    return OK;
}

/* The features of queries that go with those of a model. */
static enum status find_queries(struct exporter *x, size_t model, enum split split, size_t items, struct feature_set *out, int *found) {
    struct feature_identity f = x->train[model].identity;
    f.split = split;
    enum status st = store_feature_set_find(x->s, &f, out);
    *found = st == OK && is_whole(out, items);
    return st == ERR_MISSING ? OK : st;
}

static const char *matrix_of(const struct exporter *x) {
    const char *p = x->train[0].identity.projection;
    if (x->o->matrix) return x->o->matrix;
    return !strcmp(p, "rademacher") || !strcmp(p, "jl-rademacher") ? "rademacher" : "normal";
}

/* --- files --- */

static enum status begin(struct exporter *x, struct npy_out *out, const char *file, enum npy_type type, size_t rows, size_t cols) {
    char path[NEW_FOLDER_PATH];
    size_t shape[2] = { rows, cols };
    *out = (struct npy_out){ .left = 0 };
    TRY(new_folder_path(&x->folder, file, path));
    return npy_begin(out, path, type, 2, shape);
}

static enum status write_gradients(struct exporter *x, const char *file, const struct feature_set *set) {
    struct npy_out out;
    enum status st = begin(x, &out, file, x->type, set->rows, x->k);
    if (st == OK) st = export_feature_rows(&out, x->s, set, SIZE_MAX, x->p);
    return export_end(&out, st);
}

/* rows x cols of one value. */
static enum status write_constant(struct exporter *x, const char *file, enum npy_type type, size_t rows, size_t cols, int value) {
    struct npy_out out;
    enum { PIECE = 65536 };
    size_t left = rows * cols;
    union { float f[PIECE]; int32_t i[PIECE]; uint16_t h[PIECE]; } *piece = mem_array(1, sizeof *piece);
    if (!piece) return fail(ERR_NOMEM, "export: out of memory");
    for (size_t i = 0; i < PIECE; i++)
        if (type == NPY_I4) piece->i[i] = value;
        else if (type == NPY_F4) piece->f[i] = (float)value;
        else piece->h[i] = half_from_float((float)value);
    enum status st = begin(x, &out, file, type, rows, cols);
    for (size_t count; st == OK && left; left -= count) {
        count = left < PIECE ? left : PIECE;
        st = npy_add(&out, piece, count);
    }
    mem_free(piece);
    return export_end(&out, st);
}

static enum status write_text(struct exporter *x, const char *file, struct buf *b) {
    char path[NEW_FOLDER_PATH];
    enum status st = buf_status(b);
    if (st == OK) st = new_folder_path(&x->folder, file, path);
    if (st == OK) st = file_write(path, b->data, b->len);
    buf_free(b);
    return st;
}

static enum status write_model(struct exporter *x, size_t model) {
    char file[96];
    struct buf b = BUF_INIT;
    size_t id = x->checkpoints.checkpoint[model].step;
    snprintf(file, sizeof file, "%zu/grads.mmap", id);
    TRY(write_gradients(x, file, &x->train[model]));
    snprintf(file, sizeof file, "%zu/features.mmap", id);
    TRY(write_constant(x, file, x->type, x->n, x->k, 0));
    /* traker multiplies with it at the end; the loss here is the model output itself. */
    snprintf(file, sizeof file, "%zu/out_to_loss.mmap", id);
    TRY(write_constant(x, file, x->type, x->n, 1, 1));
    snprintf(file, sizeof file, "%zu/_is_featurized.mmap", id);
    TRY(write_constant(x, file, NPY_I4, x->n, 1, 1));
    snprintf(file, sizeof file, "id_%zu.json", id);
    buf_printf(&b, "{\"%zu\": {\"is_featurized\": 1, \"is_finalized\": 0}}", id);
    buf_printf(&x->json, "%s\n{\"model\":%zu", model ? "," : "", id);
    export_add_features(&x->json, &x->train[model], id);
    buf_text(&x->json, "}");
    x->r->feature_sets++;
    return write_text(x, file, &b);
}

/* --- experiments --- */

/* The stored scores of exactly these models. */
static enum status find_scores(struct exporter *x, enum split split, size_t items, struct score_set *out, int *found) {
    struct score_set_list l;
    TRY(store_score_sets_list(x->s, &l));
    *found = 0;
    for (size_t i = 0; i < l.count; i++) {
        const struct score_set *set = &l.set[i];
        int same = set->split == split && set->rows_done == items && set->rows == items && set->n == x->n &&
                   set->checkpoints == x->checkpoints.count && !strcmp(set->method, "trak") && picker_takes_scores(&x->pick, set) &&
                   pipeline_is_made_of(set, &x->train[0]);
        for (size_t c = 0; same && c < set->checkpoints; c++) same = set->checkpoint[c] == x->checkpoints.checkpoint[c].id;
        /* Among lambdas auto first, then the newest. */
        if (!same || (*found && !strcmp(out->lambda_spec, "auto"))) continue;
        *out = *set;
        *found = 1;
    }
    score_set_list_free(&l);
    return OK;
}

/* The training items are the rows: strips of them, each from all queries. */
static enum status write_transposed(struct exporter *x, struct npy_out *out, const struct score_set *set) {
    size_t m = set->rows, strip = ((size_t)64 << 20) / sizeof(float) / m;
    strip = strip < 1 ? 1 : strip > x->n ? x->n : strip;
    float *row = mem_array(x->n, sizeof *row), *piece = mem_array(strip * m, sizeof *piece);
    enum status st = row && piece ? OK : fail(ERR_NOMEM, "export: out of memory");
    for (size_t first = 0; first < x->n && st == OK; first += strip) {
        size_t count = x->n - first < strip ? x->n - first : strip;
        for (size_t q = 0; q < m && st == OK; q++) {
            st = store_score_read(x->s, set, q, row);
            for (size_t i = 0; i < count; i++) piece[i * m + q] = row[first + i];
        }
        if (st == OK) st = progress_check(x->p);
        /* Scores of one training item are compared with those of others: they are one row here. */
        if (st == OK) st = export_add_rows(out, piece, 1, count * m);
        progress_report(x->p, (double)(first + count), (double)x->n, "export", "scores");
    }
    mem_free(row);
    mem_free(piece);
    return st;
}

static enum status write_scores(struct exporter *x, enum split split, size_t items, int *finished) {
    char file[96];
    struct npy_out out;
    struct score_set set;
    snprintf(file, sizeof file, "scores/%s.mmap", split_name(split));
    TRY(find_scores(x, split, items, &set, finished));
    if (!*finished) return write_constant(x, file, x->type, x->n, items, 0);
    enum status st = begin(x, &out, file, x->type, x->n, items);
    if (st == OK) st = write_transposed(x, &out, &set);
    buf_printf(&x->json, "%s\n{\"experiment\":\"%s\"", x->r->score_sets ? "," : "", split_name(split));
    export_add_scores(&x->json, &set, &x->checkpoints);
    buf_text(&x->json, "}");
    x->r->score_sets++;
    return export_end(&out, st);
}

/* The items of a split as the targets of an experiment, when every model has their features. */
static enum status write_experiment(struct exporter *x, enum split split, struct buf *experiments) {
    struct feature_set query[MODELS_MAX];
    char file[96];
    size_t items;
    int all = 1, finished;
    TRY(store_items_count(x->s, split, &items));
    for (size_t c = 0; c < x->checkpoints.count && all && items; c++) TRY(find_queries(x, c, split, items, &query[c], &all));
    if (!items || !all || (x->pick.splits && !(x->pick.splits >> split & 1))) return OK;
    for (size_t c = 0; c < x->checkpoints.count; c++) {
        snprintf(file, sizeof file, "%zu/%s_grads.mmap", x->checkpoints.checkpoint[c].step, split_name(split));
        TRY(write_gradients(x, file, &query[c]));
        x->r->feature_sets++;
    }
    TRY(write_scores(x, split, items, &finished));
    /* traker prints this path and goes by the folder's own place. */
    snprintf(file, sizeof file, "/scores/%s.mmap", split_name(split));
    struct buf path = BUF_INIT;
    buf_printf(&path, "%s%s", x->folder.place, file);
    buf_printf(experiments, "%s\"%s\": {\"num_targets\": %zu, \"scores_path\": ", experiments->len > 1 ? ", " : "", split_name(split), items);
    json_add_string(experiments, path.data ? path.data : "");
    buf_printf(experiments, ", \"scores_finalized\": %d}", finished);
    buf_free(&path);
    return buf_status(experiments);
}

/* --- all of it --- */

static enum status check(struct exporter *x) {
    struct feature_set_list l;
    const char *m = x->o->matrix;
    if (m && strcmp(m, "normal") != 0 && strcmp(m, "rademacher") != 0)
        return fail(ERR_USAGE, "'%s' is no matrix that traker knows: normal or rademacher", m);
    if (x->pick.method != METHOD_COUNT && x->pick.method != METHOD_TRAK)
        return fail(ERR_USAGE, "traker computes trak; choose features by --loss");
    if (x->pick.loss == LOSS_COUNT) x->pick.loss = LOSS_SIMPLE;
    TRY(store_items_count(x->s, SPLIT_TRAIN, &x->n));
    TRY(store_checkpoints_resolve(x->s, x->o->pick.checkpoint, &x->checkpoints));
    if (x->checkpoints.count > MODELS_MAX) return fail(ERR_RANGE, "%zu checkpoints, at most %d", x->checkpoints.count, MODELS_MAX);
    TRY(store_feature_sets_list(x->s, &l));
    enum status st = choose_features(x, &l);
    feature_set_list_free(&l);
    return st;
}

static enum status run(struct exporter *x) {
    struct buf b = BUF_INIT, experiments = BUF_INIT;
    TRY(picker_open(&x->pick, x->s, &x->o->pick));
    TRY(check(x));
    TRY(new_folder_begin(&x->folder, x->o->dir, x->o->force));
    TRY(export_add_head(&x->json, x->s, "traker save_dir"));
    buf_text(&x->json, ",\n\"models\":[");
    for (size_t c = 0; c < x->checkpoints.count; c++) TRY(write_model(x, c));
    buf_text(&x->json, "],\n\"scores\":[");
    buf_text(&experiments, "{");
    enum status st = write_experiment(x, SPLIT_VAL, &experiments);
    if (st == OK) st = write_experiment(x, SPLIT_GEN, &experiments);
    buf_text(&experiments, "}");
    buf_text(&x->json, "]");
    if (st != OK) {
        buf_free(&experiments);
        return st;
    }
    TRY(write_text(x, "experiments.json", &experiments));
    buf_printf(&b, "{\"JL dimension\": %zu, \"JL matrix type\": \"%s\", \"train set size\": %zu}", x->k, matrix_of(x), x->n);
    TRY(write_text(x, "metadata.json", &b));
    const char *projection = x->train[0].identity.projection;
    if (!strstr(projection, matrix_of(x)) && !(!strcmp(projection, "gaussian") && !strcmp(matrix_of(x), "normal")))
        snprintf(x->r->note, sizeof x->r->note, "projected by %s, which traker does not know: it stands there as %s; add no gradients that "
                 "traker projects", projection, matrix_of(x));
    return new_folder_end(&x->folder, &x->json);
}

enum status pipeline_export_traker(struct store *s, const struct export_options *o, const struct progress *p,
                                   struct export_result *r) {
    struct exporter *x = mem_array(1, sizeof *x);
    if (!x) return fail(ERR_NOMEM, "export: out of memory");
    *x = (struct exporter){ .s = s, .o = o, .p = p, .r = r, .type = o->half ? NPY_F2 : NPY_F4 };
    *r = (struct export_result){ 0 };
    enum status st = run(x);
    picker_close(&x->pick);
    checkpoint_list_free(&x->checkpoints);
    new_folder_close(&x->folder);
    buf_free(&x->json);
    mem_free(x);
    return st;
}
