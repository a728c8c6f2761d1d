/* export_arrays.c - features, scores, subsets, embeddings and labels as NumPy arrays.
 *
 * Names of files begin with the number of the set in the database; what a set is stands
 * in dtrak.json, an entry per array. */
#include "export_parts.h"

#include "dtrak/json.h"
#include "dtrak/mem.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { ITEMS_AT_ONCE = 1000 };

struct exporter {
    struct store *s;
    const struct export_options *o;
    const struct progress *p;
    struct export_result *r;
    struct picker pick;
    struct checkpoint_list checkpoints;
    struct new_folder folder;
    struct buf json;              /* members of dtrak.json */
    size_t arrays, n;             /* entries so far; training items */
};

/* --- an array --- */

/* Texts of a database in a file's name: letters, digits and what names of embeddings may have beside, by which
 * two of them differ; the rest becomes '_'. */
__attribute__((format(printf, 2, 3)))
static void name_file(char out[200], const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(out, 190, fmt, ap);
    va_end(ap);
    for (char *c = strchr(out, '/') + 1; *c; c++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._", *c)) *c = '_';
    memcpy(out + strlen(out), ".npy", 5);
}

/* Begins the array and its entry, which the caller goes on with and closes by "}". */
static enum status begin(struct exporter *x, struct npy_out *out, const char *file, enum npy_type type, const char *what,
                         const char *axes, size_t rank, const size_t *shape) {
    static const char *const types[] = { [NPY_F2] = "float16", [NPY_F4] = "float32", [NPY_U1] = "uint8", [NPY_I4] = "int32" };
    char path[NEW_FOLDER_PATH];
    *out = (struct npy_out){ .left = 0 };
    TRY(new_folder_path(&x->folder, file, path));
    buf_printf(&x->json, "%s\n{\"file\":", x->arrays++ ? "," : "");
    json_add_string(&x->json, file);
    export_add_text(&x->json, "what", what);
    buf_printf(&x->json, ",\"axes\":[%s],\"shape\":[", axes);
    for (size_t i = 0; i < rank; i++) buf_printf(&x->json, "%s%zu", i ? "," : "", shape[i]);
    buf_printf(&x->json, "],\"dtype\":\"%s\"", types[type]);
    return npy_begin(out, path, type, rank, shape);
}

/* --- features --- */

static enum status write_features(struct exporter *x, const struct feature_set *set) {
    char file[200];
    struct npy_out out;
    size_t parts = set->identity.parts, step = export_step(&x->checkpoints, set->checkpoint);
    size_t shape[3] = { parts, set->rows, set->identity.k };
    int whole = parts <= 1;
    name_file(file, "features/%lld-%s-%s-%zu", (long long)set->id, split_name(set->identity.split), set->identity.loss, step);
    TRY(begin(x, &out, file, NPY_F4, "features", whole ? "\"item\",\"feature\"" : "\"part\",\"item\",\"feature\"", whole ? 2 : 3,
              shape + whole));
    export_add_features(&x->json, set, step);
    buf_text(&x->json, "}");
    enum status st = OK;
    for (size_t part = 0; part < parts && st == OK; part++)
        st = export_feature_rows(&out, x->s, set, whole ? SIZE_MAX : part, x->p);
    x->r->feature_sets++;
    return export_end(&out, st);
}

static enum status take_features(struct exporter *x) {
    struct feature_set_list l;
    TRY(store_feature_sets_list(x->s, &l));
    enum status st = OK;
    for (size_t i = 0; i < l.count && st == OK; i++) {
        if (!picker_takes_features(&x->pick, &l.set[i])) continue;
        if (l.set[i].dropped || l.set[i].rows_done < l.set[i].rows || !l.set[i].rows) x->r->left_out++;
        else st = write_features(x, &l.set[i]);
    }
    feature_set_list_free(&l);
    return st;
}

/* --- scores --- */

/* Row by row; a query without one is a row of NaN. */
static enum status write_rows(struct exporter *x, struct npy_out *out, const struct score_set *set, float *row, size_t *missing) {
    *missing = 0;
    for (size_t q = 0; q < set->rows; q++) {
        enum status st = store_score_read(x->s, set, q, row);
        if (st == ERR_MISSING) {
            for (size_t i = 0; i < set->n; i++) row[i] = NAN;
            ++*missing;
        } else TRY(st);
        TRY(progress_check(x->p));
        TRY(npy_add(out, row, set->n));
        progress_report(x->p, (double)(q + 1), (double)set->rows, "export", "scores");
    }
    return OK;
}

/* Of a set with only the ends of rankings there is no row. */
static enum status has_rows(struct store *s, const struct score_set *set, float *row, int *has) {
    *has = 0;
    for (size_t q = 0; q < set->rows && !*has; q++) {
        enum status st = store_score_read(s, set, q, row);
        if (st != ERR_MISSING) TRY(st);
        *has = st == OK;
    }
    return OK;
}

static enum status write_scores(struct exporter *x, const struct score_set *set, float *row) {
    char file[200];
    struct npy_out out;
    size_t shape[2] = { set->rows, set->n }, missing;
    int has;
    TRY(has_rows(x->s, set, row, &has));
    if (!has) {
        x->r->left_out++;
        return OK;
    }
    name_file(file, "scores/%lld-%s%s%s-%s", (long long)set->id, set->method, set->loss[0] ? "-" : "", set->loss, split_name(set->split));
    TRY(begin(x, &out, file, NPY_F4, "scores", "\"query\",\"train\"", 2, shape));
    export_add_scores(&x->json, set, &x->checkpoints);
    enum status st = write_rows(x, &out, set, row, &missing);
    export_add_size(&x->json, "rows_of_nan", missing);
    buf_text(&x->json, "}");
    x->r->score_sets++;
    x->r->unfinished += missing > 0;
    return export_end(&out, st);
}

static enum status take_scores(struct exporter *x) {
    struct score_set_list l;
    TRY(store_score_sets_list(x->s, &l));
    enum status st = OK;
    for (size_t i = 0; i < l.count && st == OK; i++) {
        if (!picker_takes_scores(&x->pick, &l.set[i])) continue;
        float *row = mem_array(l.set[i].n + 1, sizeof *row);
        st = row ? write_scores(x, &l.set[i], row) : fail(ERR_NOMEM, "export: out of memory");
        mem_free(row);
    }
    score_set_list_free(&l);
    return st;
}

/* --- subsets --- */

static void add_models(struct buf *b, const struct subset_model_list *l) {
    buf_text(b, ",\"models\":[");
    for (size_t i = 0; i < l->count; i++)
        buf_printf(b, "%s{\"index\":%zu,\"seed\":%zu,\"state\":\"%s\"}", i ? "," : "", l->model[i].index, l->model[i].seed,
                   subset_state_name(l->model[i].state));
    buf_text(b, "]");
}

static enum status write_members(struct exporter *x, const struct protocol *p, const struct subset_model_list *l) {
    char file[200];
    struct npy_out out;
    size_t n = l->model[0].n, shape[2] = { l->count, n };
    unsigned char *members = mem_array(n + 1, 1);
    if (!members) return fail(ERR_NOMEM, "export: out of memory");
    name_file(file, "subsets/%lld-members", (long long)p->id);
    enum status st = begin(x, &out, file, NPY_U1, "subset members", "\"model\",\"train\"", 2, shape);
    export_add_json(&x->json, "protocol", p->text);
    add_models(&x->json, l);
    buf_text(&x->json, "}");
    for (size_t i = 0; i < l->count && st == OK; i++) {
        if (l->model[i].n != n) st = fail(ERR_FORMAT, "subset %zu is of %zu training items, others of %zu", l->model[i].index, l->model[i].n, n);
        if (st == OK) st = store_subset_members(x->s, l->model[i].id, members, n);
        if (st == OK) st = npy_add(&out, members, n);
    }
    mem_free(members);
    x->r->subsets += l->count;
    return export_end(&out, st);
}

static enum status write_outputs(struct exporter *x, const struct protocol *train, const struct subset_model_list *l,
                                 const struct protocol *eval, enum split split) {
    char file[200];
    struct npy_out out;
    size_t rows = 0, there;
    for (size_t i = 0; i < l->count; i++) {
        TRY(store_subset_output_rows(x->s, l->model[i].id, eval->id, split, &there));
        if (there > rows) rows = there;
    }
    if (!rows) return OK;
    size_t shape[3] = { l->count, rows, OUTPUT_PARTS }, count = rows * OUTPUT_PARTS;
    float *values = mem_array(count, sizeof *values);
    if (!values) return fail(ERR_NOMEM, "export: out of memory");
    name_file(file, "subsets/%lld-%lld-%s-outputs", (long long)train->id, (long long)eval->id, split_name(split));
    enum status st = begin(x, &out, file, NPY_F4, "subset outputs", "\"model\",\"query\",\"half\"", 3, shape);
    export_add_text(&x->json, "split", split_name(split));
    export_add_json(&x->json, "protocol", train->text);
    export_add_json(&x->json, "evaluation", eval->text);
    buf_text(&x->json, "}");
    for (size_t i = 0; i < l->count && st == OK; i++) {
        st = store_subset_output_rows(x->s, l->model[i].id, eval->id, split, &there);
        for (size_t j = 0; j < count; j++) values[j] = NAN;
        if (st == OK && there) st = store_subset_output_read(x->s, l->model[i].id, eval->id, split, there, values);
        if (st == OK) st = npy_add(&out, values, count);
    }
    mem_free(values);
    x->r->outputs++;
    return export_end(&out, st);
}

static enum status take_subsets(struct exporter *x) {
    struct protocol_list l;
    TRY(store_protocols_list(x->s, &l));
    enum status st = OK;
    for (size_t t = 0; t < l.count && st == OK; t++) {
        struct subset_model_list models;
        if (l.protocol[t].kind != PROTOCOL_TRAIN) continue;
        st = store_subsets_list(x->s, l.protocol[t].id, &models);
        if (st != OK) break;
        if (models.count) st = write_members(x, &l.protocol[t], &models);
        for (size_t e = 0; e < l.count && models.count; e++)
            for (int k = 0; k < SPLIT_COUNT && l.protocol[e].kind == PROTOCOL_EVAL && st == OK; k++)
                if (!x->pick.splits || x->pick.splits >> k & 1)
                    st = write_outputs(x, &l.protocol[t], &models, &l.protocol[e], (enum split)k);
        subset_model_list_free(&models);
    }
    protocol_list_free(&l);
    return st;
}

/* --- embeddings and labels --- */

static enum status write_embedding(struct exporter *x, const struct embedding *e) {
    char file[200];
    struct npy_out out;
    float *values;
    size_t shape[2] = { e->rows, e->cols };
    name_file(file, "embeddings/%s-%s", e->name, split_name(e->split));
    TRY(store_embedding_read(x->s, e, &values));
    enum status st = begin(x, &out, file, NPY_F4, "embedding", "\"item\",\"feature\"", 2, shape);
    export_add_text(&x->json, "name", e->name);
    export_add_text(&x->json, "split", split_name(e->split));
    export_add_text(&x->json, "origin", e->origin);
    buf_text(&x->json, "}");
    if (st == OK) st = npy_add(&out, values, e->rows * e->cols);
    mem_free(values);
    x->r->embeddings++;
    return export_end(&out, st);
}

static enum status take_embeddings(struct exporter *x) {
    struct embedding_list l;
    TRY(store_embeddings_list(x->s, &l));
    enum status st = OK;
    for (size_t i = 0; i < l.count && st == OK; i++)
        if (!x->pick.splits || x->pick.splits >> l.embedding[i].split & 1) st = write_embedding(x, &l.embedding[i]);
    embedding_list_free(&l);
    return st;
}

static enum status write_labels(struct exporter *x, enum split split, size_t count, const struct label_list *names) {
    char file[200];
    struct npy_out out;
    int *label = mem_array(count, sizeof *label);
    int32_t *value = mem_array(count, sizeof *value);
    enum status st = label && value ? store_labels_read(x->s, split, label, count) : fail(ERR_NOMEM, "export: out of memory");
    if (st != OK) goto done;
    for (size_t i = 0; i < count; i++) value[i] = label[i];
    name_file(file, "labels/%s", split_name(split));
    st = begin(x, &out, file, NPY_I4, "labels", "\"item\"", 1, &count);
    export_add_text(&x->json, "split", split_name(split));
    buf_text(&x->json, ",\"names\":{");
    for (size_t i = 0; i < names->count; i++) {
        buf_printf(&x->json, "%s\"%d\":", i ? "," : "", names->label[i].label);
        json_add_string(&x->json, names->label[i].name);
    }
    buf_text(&x->json, "}}");
    if (st == OK) st = npy_add(&out, value, count);
    st = export_end(&out, st);
    x->r->labels++;
done:
    mem_free(label);
    mem_free(value);
    return st;
}

static enum status take_labels(struct exporter *x) {
    struct label_list names;
    TRY(store_labels_list(x->s, &names));
    enum status st = OK;
    for (int k = 0; k < SPLIT_COUNT && st == OK && names.count; k++) {
        size_t count = 0;
        if (x->pick.splits && !(x->pick.splits >> k & 1)) continue;
        st = store_items_count(x->s, (enum split)k, &count);
        if (st == OK && count) st = write_labels(x, (enum split)k, count, &names);
    }
    label_list_free(&names);
    return st;
}

/* --- items: which row is which picture --- */

static void add_item(struct buf *b, const struct item *it) {
    buf_printf(b, "{\"item\":\"%s:%zu\",\"label\":", split_name(it->split), it->index);
    if (it->label >= 0) buf_printf(b, "%d", it->label);
    else buf_text(b, "null");
    const struct { const char *name, *text; } part[] = { { "name", it->label_name }, { "original", it->original }, { "caption", it->caption },
                                                         { "sampler", it->sampler }, { "sha256", it->sha256 } };
    for (size_t i = 0; i < sizeof part / sizeof *part; i++)
        if (part[i].text[0]) export_add_text(b, part[i].name, part[i].text);
        else buf_printf(b, ",\"%s\":null", part[i].name);
    if (it->sampler[0]) buf_printf(b, ",\"seed\":%llu}", (unsigned long long)it->seed);
    else buf_text(b, ",\"seed\":null}");
}

static enum status write_items(struct exporter *x, struct file_out *f, enum split split, size_t count) {
    struct buf b = BUF_INIT;
    enum status st = OK;
    for (size_t first = 0; first < count && st == OK; first += ITEMS_AT_ONCE) {
        struct item_list l;
        st = store_items_read(x->s, split, first, ITEMS_AT_ONCE, &l);
        if (st != OK) break;
        for (size_t i = 0; i < l.count; i++) {
            buf_text(&b, first + i ? ",\n" : "[\n");
            add_item(&b, &l.item[i]);
        }
        item_list_free(&l);
        if (first + ITEMS_AT_ONCE >= count) buf_text(&b, "]\n");
        st = buf_status(&b);
        if (st == OK) st = progress_check(x->p);
        if (st == OK) st = file_add(f, b.data, b.len);
        buf_clear(&b);
    }
    buf_free(&b);
    return st;
}

static enum status take_items(struct exporter *x) {
    for (int k = 0; k < SPLIT_COUNT; k++) {
        char file[64], path[NEW_FOLDER_PATH];
        struct file_out f;
        size_t count;
        if (x->pick.splits && !(x->pick.splits >> k & 1)) continue;
        TRY(store_items_count(x->s, (enum split)k, &count));
        if (!count) continue;
        snprintf(file, sizeof file, "items/%s.json", split_name((enum split)k));
        TRY(new_folder_path(&x->folder, file, path));
        TRY(file_begin(&f, path, 0));
        enum status st = write_items(x, &f, (enum split)k, count);
        if (st == OK) st = file_end(&f);
        file_abandon(&f);
        TRY(st);
        x->r->items += count;
    }
    return OK;
}

/* --- all of it --- */

static enum status run(struct exporter *x) {
    TRY(picker_open(&x->pick, x->s, &x->o->pick));
    TRY(new_folder_begin(&x->folder, x->o->dir, x->o->force));
    TRY(store_checkpoints_list(x->s, &x->checkpoints));
    TRY(export_add_head(&x->json, x->s, "dtrak arrays"));
    buf_text(&x->json, ",\n\"arrays\":[");
    if (x->o->what & EXPORT_FEATURES) TRY(take_features(x));
    if (x->o->what & EXPORT_SCORES) TRY(take_scores(x));
    if (x->o->what & EXPORT_SUBSETS) TRY(take_subsets(x));
    if (x->o->what & EXPORT_EMBEDDINGS) TRY(take_embeddings(x));
    if (x->o->what & EXPORT_LABELS) TRY(take_labels(x));
    if (x->o->what & EXPORT_ITEMS) TRY(take_items(x));
    buf_text(&x->json, "]");
    const struct export_result *r = x->r;
    if (!(r->feature_sets + r->score_sets + r->subsets + r->embeddings + r->labels + r->items))
        return fail(ERR_MISSING, "nothing to export: no stored set is of what was asked for%s",
                    r->left_out ? "; sets without rows, or with only the ends of rankings, have no array" : "");
    return new_folder_end(&x->folder, &x->json);
}

enum status pipeline_export_arrays(struct store *s, const struct export_options *o, const struct progress *p,
                                   struct export_result *r) {
    struct exporter x = { .s = s, .o = o, .p = p, .r = r };
    *r = (struct export_result){ 0 };
    enum status st = run(&x);
    picker_close(&x.pick);
    checkpoint_list_free(&x.checkpoints);
    new_folder_close(&x.folder);
    buf_free(&x.json);
    return st;
}
