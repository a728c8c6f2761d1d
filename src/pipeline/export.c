/* export.c - what the exports share: sets in JSON, rows of features to a file. */
#include "export_parts.h"

#include "dtrak/half.h"
#include "dtrak/json.h"
#include "dtrak/mem.h"

#include <math.h>
#include <string.h>

void export_add_text(struct buf *b, const char *name, const char *text) {
    buf_printf(b, ",\"%s\":", name);
    json_add_string(b, text);
}

void export_add_size(struct buf *b, const char *name, size_t value) { buf_printf(b, ",\"%s\":%zu", name, value); }

static void add_number(struct buf *b, const char *name, double value) {
    buf_printf(b, ",\"%s\":", name);
    json_add_double(b, value);
}

void export_add_json(struct buf *b, const char *name, const char *text) {
    struct json_doc *doc = NULL;
    buf_printf(b, ",\"%s\":", name);
    if (*text && json_parse(&doc, text, strlen(text), name) == OK) buf_text(b, text);
    else if (*text) json_add_string(b, text);
    else buf_text(b, "null");
    json_free(doc);
}

enum status export_add_head(struct buf *b, struct store *s, const char *format) {
    struct project p;
    TRY(store_project_get(s, &p));
    buf_text(b, "\n\"format\":");
    json_add_string(b, format);
    buf_printf(b, ",\"version\":1,\"program\":\"dtrak %s\",\n\"project\":{\"name\":", DTRAK_VERSION);
    json_add_string(b, p.name);
    buf_printf(b, ",\"width\":%zu,\"height\":%zu,\"channels\":%zu,\"patch\":%zu,\"value_range\":[", p.width, p.height, p.channels, p.patch);
    json_add_double(b, p.value_low);
    buf_text(b, ",");
    json_add_double(b, p.value_high);
    buf_text(b, "]");
    for (int k = 0; k < SPLIT_COUNT; k++) {
        size_t count;
        TRY(store_items_count(s, (enum split)k, &count));
        export_add_size(b, split_name((enum split)k), count);
    }
    buf_text(b, "}");
    return buf_status(b);
}

size_t export_step(const struct checkpoint_list *l, int64_t id) {
    for (size_t i = 0; i < l->count; i++)
        if (l->checkpoint[i].id == id) return l->checkpoint[i].step;
    return 0;
}

void export_add_features(struct buf *b, const struct feature_set *set, size_t step) {
    const struct feature_identity *f = &set->identity;
    export_add_text(b, "split", split_name(f->split));
    export_add_text(b, "loss", f->loss);
    export_add_size(b, "checkpoint", step);
    export_add_text(b, "checkpoint_sha256", f->checkpoint_sha256);
    export_add_size(b, "timesteps", f->timesteps);
    export_add_text(b, "rule", f->rule);
    buf_printf(b, ",\"noise_seed\":%llu", (unsigned long long)f->noise_seed);
    export_add_size(b, "draws", f->draws);
    export_add_size(b, "parts", f->parts);
    export_add_text(b, "projection", f->projection);
    buf_printf(b, ",\"projection_seed\":%llu", (unsigned long long)f->projection_seed);
    export_add_size(b, "k", f->k);
    export_add_size(b, "nonzeros", f->nonzeros);
    export_add_text(b, "stored_as", f->float32 ? "float32" : "float16 with a scale per row");
    buf_printf(b, ",\"algorithm\":%d", f->version);
    export_add_json(b, "params", set->params);
}

void export_add_scores(struct buf *b, const struct score_set *set, const struct checkpoint_list *l) {
    export_add_text(b, "method", set->method);
    export_add_text(b, "loss", set->loss);
    export_add_text(b, "split", split_name(set->split));
    buf_text(b, ",\"checkpoints\":[");
    for (size_t i = 0; i < set->checkpoints; i++) buf_printf(b, "%s%zu", i ? "," : "", export_step(l, set->checkpoint[i]));
    buf_text(b, "]");
    export_add_size(b, "timesteps", set->timesteps);
    export_add_size(b, "k", set->k);
    export_add_text(b, "lambda", set->lambda_spec);
    add_number(b, "lambda_relative", set->lambda_rel);
    add_number(b, "lambda_absolute", set->lambda_abs);
    add_number(b, "effective_dimension", set->d_eff);
    buf_printf(b, ",\"mantissa_bits\":%d,\"algorithm\":%d", set->mantissa_bits, set->version);
    export_add_json(b, "params", set->params);
}

/* Below HALF_MIN digits go, at last all of them: a row that lies there whole would lose its direction. */
static enum status check_half(const float *row, size_t count) {
    float most = 0;
    for (size_t i = 0; i < count; i++) most = fmaxf(most, fabsf(row[i]));
    if (most > HALF_MAX) return fail(ERR_RANGE, "export: %g does not fit float16; leave out --half", (double)most);
    if (most > 0 && most < HALF_MIN)
        return fail(ERR_RANGE, "export: a row of numbers of at most %g does not fit float16, which has few digits or none below %g; leave out --half",
                    (double)most, (double)HALF_MIN);
    return OK;
}

enum status export_add_rows(struct npy_out *out, const float *number, size_t rows, size_t cols) {
    if (out->type != NPY_F2) return npy_add(out, number, rows * cols);
    uint16_t *half = mem_array(rows * cols, sizeof *half);
    if (!half) return fail(ERR_NOMEM, "export: out of memory");
    enum status st = OK;
    for (size_t i = 0; i < rows && st == OK; i++) st = check_half(number + i * cols, cols);
    half_from_floats(half, number, rows * cols);
    if (st == OK) st = npy_add(out, half, rows * cols);
    mem_free(half);
    return st;
}

enum status export_end(struct npy_out *out, enum status st) {
    if (st == OK) return npy_end(out);
    npy_abandon(out);
    return st;
}

enum status export_feature_rows(struct npy_out *out, struct store *s, const struct feature_set *set, size_t part,
                                const struct progress *p) {
    size_t k = set->identity.k, most = ((size_t)16 << 20) / sizeof(float) / k, block = most < 1 ? 1 : most > 1024 ? 1024 : most;
    float *rows = mem_array(block * k, sizeof *rows);
    enum status st = rows ? OK : fail(ERR_NOMEM, "export: out of memory for rows of %zu", k);
    for (size_t at = 0; at < set->rows && st == OK; at += block) {
        size_t count = set->rows - at < block ? set->rows - at : block;
        st = progress_check(p);
        if (st == OK) st = part == SIZE_MAX ? store_features_read(s, set, at, count, rows)
                                            : store_features_read_part(s, set, part, at, count, rows);
        if (st == OK) st = export_add_rows(out, rows, count, k);
        if (st == OK) progress_report(p, (double)(at + count), (double)set->rows, "export", "features");
    }
    mem_free(rows);
    return st;
}
