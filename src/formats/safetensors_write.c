/* Writing safetensors, the same bytes for the same tensors; see safetensors.h. */
#include "dtrak/safetensors.h"

#include "dtrak/half.h"
#include "dtrak/json.h"
#include "dtrak/mem.h"
#include "shape.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* As the reference does: larger items first, so that data stay aligned. */
static int by_type_and_name(const void *a, const void *b) {
    const struct safetensors_tensor *const *x = a, *const *y = b;
    if ((*x)->type != (*y)->type) return (*x)->type < (*y)->type ? -1 : 1;
    return strcmp((*x)->name, (*y)->name);
}

static size_t item_size(const struct safetensors_tensor *t) {
    return t->type == TENSOR_F32 ? 4 : 2;
}

/* Refuses what could not be read back. */
static enum status check_tensor(const struct safetensors_tensor *t) {
    size_t count, bytes;
    if (t->type != TENSOR_F32 && t->type != TENSOR_F16 && t->type != TENSOR_BF16)
        return fail(ERR_RANGE, "tensor %.80s: F32, F16 and BF16 are written, not type %d", t->name,
                    (int)t->type);
    if (t->rank > SAFETENSORS_RANK_MAX)
        return fail(ERR_RANGE, "tensor %.80s has %zu dimensions; at most %d are written",
                    t->name, t->rank, SAFETENSORS_RANK_MAX);
    if (!shape_sizes(&count, &bytes, t->shape, t->rank, item_size(t)) || bytes > INT64_MAX)
        return fail(ERR_RANGE, "tensor %.80s: its shape is too large", t->name);
    if (t->type == TENSOR_F16)
        for (size_t i = 0; i < count; i++)
            if (isfinite(t->values[i]) && isinf(half_to_float(half_from_float(t->values[i]))))
                return fail(ERR_NUMERIC, "tensor %.80s: element %zu is %g; float16 ends at %g",
                            t->name, i, (double)t->values[i], (double)HALF_MAX);
    return OK;
}

/* After check_tensor(), so that nothing overflows. */
static size_t element_count(const struct safetensors_tensor *t) {
    size_t count = 1;
    for (size_t i = 0; i < t->rank; i++) count *= t->shape[i];
    return count;
}

static void add_entry(struct buf *b, const struct safetensors_tensor *t, size_t *at) {
    size_t bytes = element_count(t) * item_size(t);
    json_add_string(b, t->name);
    buf_printf(b, ":{\"dtype\":\"%s\",\"shape\":[", t->type == TENSOR_F32 ? "F32" : t->type == TENSOR_F16 ? "F16" : "BF16");
    for (size_t i = 0; i < t->rank; i++) buf_printf(b, i ? ",%zu" : "%zu", t->shape[i]);
    buf_printf(b, "],\"data_offsets\":[%zu,%zu]}", *at, *at + bytes);
    *at += bytes;
}

static void add_header(struct buf *b, const struct safetensors_tensor *const *sorted,
                       size_t count, const struct safetensors_pair *meta, size_t n_meta) {
    static const struct safetensors_pair usual = { "format", "pt" };
    size_t at = 0;

    if (n_meta == 0) { meta = &usual; n_meta = 1; }
    buf_text(b, "{\"__metadata__\":{");
    for (size_t i = 0; i < n_meta; i++) {
        if (i) buf_text(b, ",");
        json_add_string(b, meta[i].key);
        buf_text(b, ":");
        json_add_string(b, meta[i].value);
    }
    buf_text(b, "}");
    for (size_t i = 0; i < count; i++) {
        buf_text(b, ",");
        add_entry(b, sorted[i], &at);
    }
    buf_text(b, "}");
    while (b->len % 8 && !b->failed) buf_text(b, " ");
}

static void add_data(struct buf *b, const struct safetensors_tensor *t) {
    unsigned char chunk[4096];
    size_t count = element_count(t), size = item_size(t), fill = 0;

    for (size_t i = 0; i < count; i++) {
        uint32_t u;
        if (size == 4) memcpy(&u, &t->values[i], 4);
        else u = t->type == TENSOR_F16 ? half_from_float(t->values[i]) : bfloat_from_float(t->values[i]);
        for (size_t k = 0; k < size; k++) chunk[fill++] = (unsigned char)(u >> (8 * k));
        if (fill == sizeof chunk || i + 1 == count) {
            buf_add(b, chunk, fill);
            fill = 0;
        }
    }
}

enum status safetensors_write(struct buf *out, const struct safetensors_tensor *tensors,
                              size_t count, const struct safetensors_pair *meta, size_t n_meta) {
    enum status st = OK;
    struct buf header = BUF_INIT;
    unsigned char length[8];
    const struct safetensors_tensor **sorted = mem_array(count, sizeof *sorted);

    if (!sorted) { st = fail(ERR_NOMEM, "no memory to write %zu tensors", count); goto done; }
    for (size_t i = 0; i < count; i++) {
        TRY_TO(check_tensor(&tensors[i]));
        sorted[i] = &tensors[i];
    }
    qsort(sorted, count, sizeof *sorted, by_type_and_name);
    for (size_t i = 1; i < count; i++)
        if (strcmp(sorted[i - 1]->name, sorted[i]->name) == 0) {
            st = fail(ERR_RANGE, "two tensors are named %.80s", sorted[i]->name);
            goto done;
        }
    add_header(&header, sorted, count, meta, n_meta);
    TRY_TO(buf_status(&header));
    for (int k = 0; k < 8; k++) length[k] = (unsigned char)((uint64_t)header.len >> (8 * k));
    buf_add(out, length, 8);
    buf_add(out, header.data, header.len);
    for (size_t i = 0; i < count; i++) add_data(out, sorted[i]);
    st = buf_status(out);
done:
    buf_free(&header);
    mem_free(sorted);
    return st;
}
