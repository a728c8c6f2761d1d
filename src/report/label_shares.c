/* label_shares.c - the labels of a ranking's first places against those of all items. */
#include "dtrak/label_shares.h"

#include "dtrak/json.h"
#include "dtrak/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PLACES_LEAST = 5 };

size_t label_shares_places(size_t N) {
    size_t places = N / 10 < LABEL_SHARES_PLACES ? N / 10 : LABEL_SHARES_PLACES;
    return places < PLACES_LEAST ? 0 : places;
}

static int by_share(const void *a, const void *b) {
    const struct label_share *x = a, *y = b;
    if (x->in != y->in) return x->in > y->in ? -1 : 1;
    if (x->all != y->all) return x->all > y->all ? -1 : 1;
    return x->label < y->label ? -1 : x->label > y->label;
}

enum status label_shares_count(struct label_shares *out, const struct label_list *labels, const int *of_item, size_t N,
                               const uint32_t *item, size_t places) {
    *out = (struct label_shares){ 0 };
    if (!places || labels->count < 2) return OK;
    out->share = mem_array(labels->count, sizeof *out->share);
    if (!out->share) return fail(ERR_NOMEM, "shares of labels: out of memory");
    for (size_t i = 0; i < labels->count; i++) {
        const struct label *l = &labels->label[i];
        struct label_share s = { .label = l->label, .all = l->count[SPLIT_TRAIN] };
        if (!s.all) continue;
        snprintf(s.name, sizeof s.name, "%s", l->name);
        for (size_t at = 0; at < places; at++) s.in += item[at] < N && of_item[item[at]] == l->label;
        out->share[out->count++] = s;
    }
    if (out->count < 2) {
        label_shares_free(out);
        return OK;
    }
    out->places = places;
    out->N = N;
    qsort(out->share, out->count, sizeof *out->share, by_share);
    return OK;
}

void label_shares_free(struct label_shares *l) {
    mem_free(l->share);
    *l = (struct label_shares){ 0 };
}

void label_share_name(char *out, size_t size, const struct label_share *s) {
    if (s->name[0]) snprintf(out, size, "%s", s->name);
    else snprintf(out, size, "label %d", s->label);
}

void label_share_numbers(char *out, size_t size, const struct label_shares *l, const struct label_share *s) {
    snprintf(out, size, "%.0f%% (%.0f%%)", 100 * (double)s->in / (double)l->places, 100 * (double)s->all / (double)l->N);
}

void label_shares_json(struct buf *b, const struct label_shares *l) {
    if (!l->places) {
        buf_text(b, "null");
        return;
    }
    buf_text(b, "[");
    for (size_t i = 0; i < l->count; i++) {
        const struct label_share *s = &l->share[i];
        buf_printf(b, "%s{\"label\":%d,\"name\":", i ? "," : "", s->label);
        if (s->name[0]) json_add_string(b, s->name);
        else buf_text(b, "null");
        buf_text(b, ",\"share\":");
        json_add_double(b, (double)s->in / (double)l->places);
        buf_text(b, ",\"base\":");
        json_add_double(b, (double)s->all / (double)l->N);
        buf_text(b, "}");
    }
    buf_text(b, "]");
}
