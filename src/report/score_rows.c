/* score_rows.c - rankings and whole rows of scores of several queries, as CSV and JSON. */
#include "dtrak/rankings.h"

#include "parts.h"

#include "dtrak/json.h"
#include "dtrak/mem.h"

#include <stdio.h>

void report_rankings_csv(struct buf *b, const struct report_rankings *r) {
    char query[32], head[64];
    int any = 0;
    for (size_t i = 0; i < r->count; i++) any |= r->one[i].has_trust;
    buf_printf(b, "query,side,rank,item,label,score%s\n", any ? CSV_ERROR_COLUMNS : "");
    for (size_t i = 0; i < r->count; i++) {
        const struct report_ranking *x = &r->one[i];
        enum csv_errors errors = x->has_trust ? CSV_ERRORS : any ? CSV_ERRORS_EMPTY : CSV_NO_ERRORS;
        item_ref_format(query, x->query);
        snprintf(head, sizeof head, "%s,proponent", query);
        report_add_csv_places(b, head, x->top, x->n_top, errors);
        snprintf(head, sizeof head, "%s,opponent", query);
        report_add_csv_places(b, head, x->bottom, x->n_bottom, errors);
    }
}

void report_rankings_json(struct buf *b, const struct report_rankings *r) {
    buf_text(b, "{\"rankings\":[\n");
    for (size_t i = 0; i < r->count; i++) {
        if (i) buf_text(b, ",");
        report_ranking_json(b, &r->one[i]);
    }
    buf_text(b, "]}\n");
}

/* --- whole rows --- */

struct writing {
    struct store *s;
    const struct report_rankings *r;
    enum status (*write)(void *ctx, const void *text, size_t len);
    void *ctx;
    const struct progress *p;
    struct buf text;
    float *row;
};

static enum status read_row(struct writing *w, size_t i) {
    const struct report_ranking *one = &w->r->one[i];
    char name[32];
    enum status st = store_score_read(w->s, &one->set, one->query.index, w->row);
    item_ref_format(name, one->query);
    if (st == ERR_MISSING) return fail(ERR_MISSING, "%s: only the ends of its ranking are stored; leave out --rows", name);
    TRY(st);
    progress_report(w->p, (double)(i + 1), (double)w->r->count, "export", name);
    return progress_check(w->p);
}

static enum status flush(struct writing *w) {
    TRY(buf_status(&w->text));
    enum status st = w->text.len ? w->write(w->ctx, w->text.data, w->text.len) : OK;
    buf_clear(&w->text);
    return st;
}

static enum status write_csv(struct writing *w) {
    char name[32];
    buf_text(&w->text, "query,item,score\n");
    for (size_t i = 0; i < w->r->count; i++) {
        TRY(read_row(w, i));
        item_ref_format(name, w->r->one[i].query);
        for (size_t j = 0; j < w->r->one[i].set.n; j++) {
            buf_printf(&w->text, "%s,train:%zu,", name, j);
            json_add_float(&w->text, w->row[j]);
            buf_text(&w->text, "\n");
        }
        TRY(flush(w));
    }
    return OK;
}

static void add_set(struct buf *b, const struct report_ranking *one) {
    const struct score_set *set = &one->set;
    buf_printf(b, "{\"split\":\"%s\",", split_name(set->split));
    report_add_setting_json(b, one);
    report_ridge_json(b, set);
    buf_printf(b, ",\"axes\":[\"query\",\"train\"],\"n\":%zu,\"queries\":[", set->n);
}

static enum status write_json(struct writing *w) {
    const struct report_rankings *r = w->r;
    char name[32];
    buf_text(&w->text, "{\"sets\":[");
    for (size_t first = 0, end; first < r->count; first = end) {
        if (first) buf_text(&w->text, ",");
        buf_text(&w->text, "\n");
        add_set(&w->text, &r->one[first]);
        for (end = first; end < r->count && r->one[end].set.id == r->one[first].set.id; end++) {
            item_ref_format(name, r->one[end].query);
            buf_printf(&w->text, "%s\"%s\"", end > first ? "," : "", name);
        }
        buf_text(&w->text, "],\"scores\":[");
        for (size_t i = first; i < end; i++) {
            TRY(read_row(w, i));
            buf_text(&w->text, i > first ? ",\n[" : "\n[");
            for (size_t j = 0; j < r->one[i].set.n; j++) {
                if (j) buf_text(&w->text, ",");
                json_add_float(&w->text, w->row[j]);
            }
            buf_text(&w->text, "]");
            TRY(flush(w));
        }
        buf_text(&w->text, "]}");
    }
    buf_text(&w->text, "]}\n");
    return flush(w);
}

enum status report_rows_write(struct store *s, const struct report_rankings *r, enum rows_form form,
                              enum status (*write)(void *ctx, const void *text, size_t len), void *ctx, const struct progress *p) {
    struct writing w = { .s = s, .r = r, .write = write, .ctx = ctx, .p = p };
    size_t n = 1;
    for (size_t i = 0; i < r->count; i++)
        if (r->one[i].set.n > n) n = r->one[i].set.n;
    w.row = mem_array(n, sizeof *w.row);
    enum status st = !w.row ? fail(ERR_NOMEM, "export: out of memory") : form == ROWS_CSV ? write_csv(&w) : write_json(&w);
    mem_free(w.row);
    buf_free(&w.text);
    return st;
}
