/* listing.c - any list of items with some numbers each, as CSV, JSON and a NumPy array.
 * The contact sheet is in sheet.c. */
#include "dtrak/listing.h"

#include "parts.h"

#include "dtrak/json.h"
#include "dtrak/mem.h"
#include "dtrak/npy.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum status listing_new(struct listing *out, size_t count) {
    memset(out, 0, sizeof *out);
    out->row = mem_array(count ? count : 1, sizeof *out->row);
    if (!out->row) return fail(ERR_NOMEM, "list: out of memory");
    out->count = count;
    return OK;
}

void listing_free(struct listing *l) {
    mem_free(l->row);
    memset(l, 0, sizeof *l);
}

enum status report_item_label(struct store *s, struct item_ref ref, char *out, size_t size) {
    struct item_list list = { NULL, 0, NULL };
    out[0] = 0;
    TRY(store_items_read(s, ref.split, ref.index, 1, &list));
    if (list.count == 1) {
        const struct item *it = &list.item[0];
        if (it->label_name && it->label_name[0]) snprintf(out, size, "%s", it->label_name);
        else if (it->label >= 0) snprintf(out, size, "%d", it->label);
    }
    item_list_free(&list);
    return OK;
}

/* Called for each item: reading its label is what takes time. */
static enum status step(const struct progress *p, size_t i, size_t count) {
    progress_report(p, (double)i, (double)count, "export", "");
    return progress_check(p);
}

/* The first two cells of a line: the item and its label. */
static enum status add_item(struct buf *b, struct store *s, const struct listing_row *r) {
    char name[32], label[128];
    TRY(report_item_label(s, r->ref, label, sizeof label));
    item_ref_format(name, r->ref);
    buf_printf(b, "%s,", name);
    report_add_csv(b, label);
    return OK;
}

enum status listing_csv(struct buf *b, struct store *s, const struct listing *l, const struct progress *p) {
    buf_text(b, "item,label");
    for (size_t c = 0; c < l->columns; c++) buf_printf(b, ",%s", l->column[c]);
    buf_text(b, "\n");
    for (size_t i = 0; i < l->count; i++) {
        const struct listing_row *r = &l->row[i];
        TRY(step(p, i, l->count));
        TRY(add_item(b, s, r));
        for (size_t c = 0; c < l->columns; c++) {
            buf_text(b, ",");
            if (isfinite(r->value[c])) json_add_double(b, r->value[c]);
        }
        buf_text(b, "\n");
    }
    return buf_status(b);
}

enum status listing_ranked_csv(struct buf *b, struct store *s, const struct listing *l, const char *query, const char *method,
                               const struct progress *p) {
    buf_text(b, "item,label,query,method,rank,score\n");
    for (size_t i = 0; i < l->count; i++) {
        const struct listing_row *r = &l->row[i];
        TRY(step(p, i, l->count));
        TRY(add_item(b, s, r));
        if (isfinite(r->value[0])) {
            buf_printf(b, ",%s,%s,%.0f,", query, method, r->value[1]);
            json_add_float(b, (float)r->value[0]);
            buf_text(b, "\n");
        } else {
            buf_text(b, ",,,,\n");
        }
    }
    return buf_status(b);
}

enum status listing_json(struct buf *b, struct store *s, const struct listing *l, const struct progress *p) {
    char name[32], label[128];
    buf_text(b, "{\"items\":[");
    for (size_t i = 0; i < l->count; i++) {
        const struct listing_row *r = &l->row[i];
        TRY(step(p, i, l->count));
        TRY(report_item_label(s, r->ref, label, sizeof label));
        item_ref_format(name, r->ref);
        buf_printf(b, "%s{\"item\":\"%s\",\"label\":", i ? "," : "", name);
        if (label[0]) json_add_string(b, label);
        else buf_text(b, "null");
        for (size_t c = 0; c < l->columns; c++) {
            buf_printf(b, ",\"%s\":", l->column[c]);
            json_add_double(b, r->value[c]);
        }
        buf_text(b, "}");
    }
    buf_text(b, "]}\n");
    return buf_status(b);
}

enum status listing_npy(struct buf *b, struct store *s, const struct listing *l) {
    size_t n = 0;
    if (!l->columns || !l->count) return fail(ERR_RANGE, "there are no numbers in this list");
    TRY(store_items_count(s, l->row[0].ref.split, &n));
    float *value = mem_array(n ? n : 1, sizeof *value);
    if (!value) return fail(ERR_NOMEM, "list: out of memory");
    enum status st = OK;
    for (size_t i = 0; i < n; i++) value[i] = NAN;
    for (size_t i = 0; st == OK && i < l->count; i++) {
        struct item_ref ref = l->row[i].ref;
        if (ref.split != l->row[0].ref.split) st = fail(ERR_RANGE, "items of several splits are no one array");
        else if (ref.index < n) value[ref.index] = (float)l->row[i].value[0];
    }
    if (st == OK) st = npy_write(b, NPY_F4, 1, &n, value);
    mem_free(value);
    return st;
}
