/* export_work.c - the part of an export that takes time: it touches nothing of the explorer's
 * state and reads by the store it is given. */
#include "export_work.h"

#include "dtrak/file.h"
#include "dtrak/mem.h"
#include "dtrak/npy.h"
#include "dtrak/rankings.h"

#include <stdio.h>

void export_work_free(struct export_work *w) {
    if (!w) return;
    report_comparison_free(&w->pair);
    listing_free(&w->list);
    mem_free(w->score);
    report_self_free(&w->self);
    buf_free(&w->queries);
    buf_free(&w->bytes);
    mem_free(w);
}

/* --- labels of a ranking's entries: by the thousand, so not item by item --- */

struct labels { struct label_list list; int *of; size_t n; };

static void label_text(const struct labels *l, size_t item, char *out, size_t size) {
    int label = item < l->n ? l->of[item] : -1;
    out[0] = 0;
    if (label < 0) return;
    snprintf(out, size, "label %d", label);
    for (size_t i = 0; i < l->list.count; i++)
        if (l->list.label[i].label == label && l->list.label[i].name[0]) snprintf(out, size, "%s", l->list.label[i].name);
}

static enum status fill_labels(struct store *s, struct report_ranking *side, size_t sides) {
    struct labels l = { { NULL, 0 }, NULL, 0 };
    enum status st;
    TRY(store_items_count(s, SPLIT_TRAIN, &l.n));
    l.of = mem_array(l.n + 1, sizeof *l.of);
    if (!l.of) return fail(ERR_NOMEM, "export: out of memory");
    TRY_TO(store_labels_study(s, &l.list, l.of, l.n));
    for (size_t k = 0; k < sides; k++) {
        struct report_ranking *r = &side[k];
        for (size_t i = 0; i < r->n_top; i++) label_text(&l, r->top[i].item.index, r->top[i].label, sizeof r->top[i].label);
        for (size_t i = 0; i < r->n_bottom; i++) label_text(&l, r->bottom[i].item.index, r->bottom[i].label, sizeof r->bottom[i].label);
    }
done:
    label_list_free(&l.list);
    mem_free(l.of);
    return st;
}

/* --- the bytes --- */

static enum status encode(struct buf *b, struct image *im, enum status drawn, const struct progress *p) {
    if (drawn == OK) drawn = image_encode_png_stoppable(b, im, p);
    image_free(im);
    return drawn;
}

static enum status ranking_bytes(struct export_work *w, struct store *s, const struct progress *p) {
    struct report_ranking *r = &w->pair.side[0];
    struct report_rankings one = { r, 1, 1, 0 };
    struct image im = { 0 };
    TRY(fill_labels(s, r, 1));
    if (w->form == FORM_CSV) report_ranking_csv(&w->bytes, r);
    else if (w->form == FORM_JSON) report_ranking_json(&w->bytes, r);
    else if (w->form == FORM_PNG) return encode(&w->bytes, &im, report_sheet_ranking(&im, s, r, p), p);
    else return report_page_html(&w->bytes, s, &one, p);
    return OK;
}

static enum status comparison_bytes(struct export_work *w, struct store *s, const struct progress *p) {
    struct image im[3] = { { 0 }, { 0 }, { 0 } };
    enum status st = OK;
    TRY(fill_labels(s, w->pair.side, 2));
    if (w->form == FORM_CSV) report_comparison_csv(&w->bytes, &w->pair);
    else if (w->form == FORM_JSON) report_comparison_json(&w->bytes, &w->pair);
    for (int side = 0; side < 2 && w->form == FORM_PNG; side++) TRY_TO(report_sheet_ranking(&im[side], s, &w->pair.side[side], p));
    if (w->form == FORM_PNG) st = encode(&w->bytes, &im[2], report_sheet_stack(&im[2], &im[0], &im[1]), p);
done:
    for (int side = 0; side < 2; side++) image_free(&im[side]);
    return st;
}

/* As many as a picture holds; the rest is left out of it. */
static enum status listing_bytes(struct export_work *w, struct store *s, const struct progress *p) {
    struct image im = { 0 };
    if (w->form == FORM_CSV) return listing_csv(&w->bytes, s, &w->list, p);
    if (w->form == FORM_JSON) return listing_json(&w->bytes, s, &w->list, p);
    if (w->form == FORM_NPY) return listing_npy(&w->bytes, s, &w->list);
    if (w->list.count > LISTING_SHEET_MAX) w->list.count = LISTING_SHEET_MAX;
    return encode(&w->bytes, &im, listing_sheet(&im, s, &w->list, p), p);
}

static enum status page_bytes(struct export_work *w, struct store *s, const struct progress *p) {
    struct report_rankings all = { NULL, 0, 0, 0 };
    enum status st = report_rankings_load(&all, s, &w->request, w->queries.data, p);
    if (st == OK) st = report_page_html(&w->bytes, s, &all, p);
    report_rankings_free(&all);
    return st;
}

enum status export_work_run(struct store *s, void *work, const struct progress *p) {
    struct export_work *w = work;
    enum status st = OK;
    switch (w->what) {
    case EXPORT_RANKING: st = ranking_bytes(w, s, p); break;
    case EXPORT_SCORES: st = npy_write(&w->bytes, NPY_F4, 1, &w->n, w->score); break;
    case EXPORT_COMPARISON: st = comparison_bytes(w, s, p); break;
    case EXPORT_LISTING: st = listing_bytes(w, s, p); break;
    case EXPORT_MARKED: st = listing_ranked_csv(&w->bytes, s, &w->list, w->query, w->method, p); break;
    case EXPORT_SELF:
        if (w->form == FORM_CSV) report_self_csv(&w->bytes, &w->self, 0);
        else report_self_json(&w->bytes, &w->self, 0);
        break;
    case EXPORT_PAGE: st = page_bytes(w, s, p); break;
    }
    TRY(st);
    TRY(buf_status(&w->bytes));
    TRY(progress_check(p));
    return file_write_new(w->path, w->bytes.data, w->bytes.len);
}
