/* neighbour_list.c - what lies next to an item, as text, JSON and CSV. */
#include "dtrak/report.h"

#include "parts.h"

#include "dtrak/json.h"
#include "dtrak/mem.h"
#include "dtrak/near.h"
#include "dtrak/offer.h"
#include "dtrak/pick.h"
#include "dtrak/text.h"

#include <stdio.h>
#include <string.h>

static const char *const names[] = { [NEAR_PIXELS] = "pixels", [NEAR_FEATURES] = "features", [NEAR_EMBEDDING] = "embedding" };

const char *report_near_name(enum report_near_by by) { return names[by]; }

static const char *measure(const struct report_near *r) { return r->by == NEAR_PIXELS ? "distance" : "cosine"; }

/* Of the last one where several checkpoints are named. */
static enum status explain_missing(struct store *s, const struct pick *pick) {
    struct checkpoint_list c = { 0 };
    char command[OFFER_COMMAND], weights[OFFER_WEIGHTS], words[96];
    TRY(store_checkpoints_resolve(s, pick->checkpoint, &c));
    struct offer_features want = { .checkpoint = &c.checkpoint[c.count - 1], .loss = pick->loss ? loss_parse(pick->loss) : LOSS_SIMPLE,
                                   .timesteps = pick->timesteps, .k = pick->k };
    enum status st = offer_features_command(command, s, &want);
    checkpoint_words(words, want.checkpoint);
    offer_weights(weights, want.checkpoint);
    checkpoint_list_free(&c);
    TRY(st);
    return fail(ERR_MISSING, "no features of the training items are stored in this setting (%s)%s%s", words,
                weights[0] ? ", and " : "; make them with: ", weights[0] ? weights : command);
}

/* The best of the picked train sets that can be asked; without a loss that of simple, else any. */
static enum status choose_features(struct store *s, const struct pick *pick, struct feature_set *out) {
    struct feature_set_list l;
    struct picker p;
    int found = 0;
    enum status st = picker_open(&p, s, pick);
    if (st == OK) st = store_feature_sets_list(s, &l);
    if (st != OK) {
        picker_close(&p);
        return st;
    }
    for (int any = 0; any < 2 && !found && st == OK; any++) {
        if (!pick->loss) p.loss = any ? LOSS_COUNT : LOSS_SIMPLE;
        for (size_t i = 0; i < l.count && st == OK; i++) {
            int ready;
            if (l.set[i].identity.split != SPLIT_TRAIN || !picker_takes_features(&p, &l.set[i])) continue;
            st = near_is_ready(s, &l.set[i], &ready);
            if (st != OK || !ready || (found && !feature_set_is_better(&l.set[i], out))) continue;
            *out = l.set[i];
            found = 1;
        }
    }
    feature_set_list_free(&l);
    picker_close(&p);
    TRY(st);
    return found ? OK : explain_missing(s, pick);
}

/* The one that is named, or the only one. */
static enum status choose_embedding(struct store *s, const char *name, char out[EMBEDDING_NAME]) {
    struct embedding_list l;
    size_t kinds = 0;
    TRY(store_embeddings_list(s, &l));
    for (size_t i = 0; i < l.count; i++) {
        if (l.embedding[i].split != SPLIT_TRAIN || (name && strcmp(l.embedding[i].name, name) != 0)) continue;
        snprintf(out, EMBEDDING_NAME, "%s", l.embedding[i].name);
        kinds++;
    }
    embedding_list_free(&l);
    if (kinds == 1) return OK;
    char db[1024], word[4 * EMBEDDING_NAME] = "";
    text_shell_word(db, sizeof db, store_path(s));
    if (name) text_shell_word(word, sizeof word, name);
    if (kinds) return fail(ERR_USAGE, "there are %zu embeddings; say which with --embedding", kinds);
    return fail(ERR_MISSING, "no embedding%s%s of the training items is stored; add one with: dtrak add %s --embedding FILE.npy "
                "--split train%s%s", name ? " " : "", name ? name : "", db, name ? " --name " : "", word);
}

/* Of the item alone: why, and the command that makes its features as those of the training items were made. */
static enum status explain_item(struct store *s, const struct feature_set *set) {
    char why[256], command[OFFER_COMMAND], weights[OFFER_WEIGHTS];
    snprintf(why, sizeof why, "%s", fail_reason());
    TRY(offer_same_features(command, weights, s, set));
    return fail(ERR_MISSING, "%s%s%s", why, weights[0] ? "; " : "; make them with: ", weights[0] ? weights : command);
}

static enum status find(struct report_near *r, struct store *s, const struct report_near_request *q, struct near_item *near,
                        const struct progress *p) {
    struct feature_set set;
    char name[EMBEDDING_NAME], drew[CHECKPOINT_OPTION];
    struct pick pick = { .loss = q->loss, .checkpoint = q->checkpoint ? q->checkpoint : "last", .timesteps = q->timesteps, .k = q->k };
    switch (r->by) {
    case NEAR_PIXELS: return near_by_pixels(s, r->item, q->top, near, &r->count, p);
    case NEAR_EMBEDDING:
        TRY(choose_embedding(s, q->embedding, name));
        snprintf(r->of, sizeof r->of, "embedding %s", name);
        return near_by_embedding(s, name, r->item, q->top, near, &r->count, p);
    case NEAR_FEATURES: break;
    }
    TRY(report_drawn_by(drew, s, r->item));
    if (drew[0] && !q->checkpoint) pick.checkpoint = drew;
    TRY(choose_features(s, &pick, &set));
    TRY(pick_describe_features(r->of, sizeof r->of, s, &set));
    enum status st = near_by_features(s, &set, r->item, q->top, near, &r->count, p);
    return st == ERR_MISSING ? explain_item(s, &set) : st;
}

enum status report_near_load(struct report_near *out, struct store *s, const struct report_near_request *q, const struct progress *p) {
    size_t n;
    *out = (struct report_near){ .item = q->item, .by = q->by };
    TRY(store_items_count(s, SPLIT_TRAIN, &n));
    struct report_near_request bounded = *q;
    if (bounded.top > n) bounded.top = n;
    struct near_item *near = mem_array(bounded.top + 1, sizeof *near);
    out->near = mem_array(bounded.top + 1, sizeof *out->near);
    enum status st = near && out->near ? OK : fail(ERR_NOMEM, "neighbours: out of memory");
    if (st == OK) st = find(out, s, &bounded, near, p);
    if (st == OK) st = report_item_label(s, out->item, out->label, sizeof out->label);
    for (size_t i = 0; i < out->count && st == OK; i++) {
        out->near[i].item = near[i].item;
        out->near[i].value = near[i].value;
        st = report_item_label(s, (struct item_ref){ SPLIT_TRAIN, near[i].item }, out->near[i].label, sizeof out->near[i].label);
    }
    mem_free(near);
    if (st != OK) report_near_free(out);
    return st;
}

void report_near_free(struct report_near *r) {
    mem_free(r->near);
    r->near = NULL;
    r->count = 0;
}

void report_near_text(struct buf *b, const struct report_near *r) {
    char name[32], safe[256];
    size_t widest = 5, from = b->len;
    item_ref_format(name, r->item);
    text_escape(safe, sizeof safe, r->label);
    buf_printf(b, "item        %s%s%s\n", name, *safe ? "  " : "", safe);
    text_escape(safe, sizeof safe, r->of);
    buf_printf(b, "by          %s, %s%s%s\n\n", names[r->by], r->by == NEAR_PIXELS ? "root mean square of the difference" : "cosine",
               *safe ? ": " : "", safe);
    for (size_t i = 0; i < r->count; i++) {
        text_escape(safe, sizeof safe, r->near[i].label);
        if (text_width(safe) > widest) widest = text_width(safe);
    }
    buf_text(b, "  rank  item          ");
    report_add_padded(b, "label", widest);
    buf_printf(b, "  %9s\n", measure(r));
    for (size_t i = 0; i < r->count; i++) {
        item_ref_format(name, (struct item_ref){ SPLIT_TRAIN, r->near[i].item });
        text_escape(safe, sizeof safe, r->near[i].label);
        buf_printf(b, "  %4zu  ", i + 1);
        report_add_padded(b, name, 12);
        buf_text(b, "  ");
        report_add_padded(b, safe, widest);
        buf_printf(b, "  %9.4f\n", r->near[i].value);
    }
    report_trim_lines(b, from);
}

static void add_label(struct buf *b, const char *label) {
    buf_text(b, ",\"label\":");
    if (*label) json_add_string(b, label);
    else buf_text(b, "null");
}

void report_near_json(struct buf *b, const struct report_near *r) {
    char name[32];
    item_ref_format(name, r->item);
    buf_printf(b, "{\"item\":\"%s\"", name);
    add_label(b, r->label);
    buf_printf(b, ",\"by\":\"%s\",\"measure\":\"%s\",\"of\":", names[r->by], measure(r));
    if (r->of[0]) json_add_string(b, r->of);
    else buf_text(b, "null");
    buf_text(b, ",\"neighbours\":[");
    for (size_t i = 0; i < r->count; i++) {
        buf_printf(b, "%s{\"rank\":%zu,\"item\":\"train:%zu\"", i ? "," : "", i + 1, r->near[i].item);
        add_label(b, r->near[i].label);
        buf_printf(b, ",\"%s\":", measure(r));
        json_add_double(b, r->near[i].value);
        buf_text(b, "}");
    }
    buf_text(b, "]}\n");
}

void report_near_csv(struct buf *b, const struct report_near *r) {
    buf_printf(b, "rank,item,label,%s\n", measure(r));
    for (size_t i = 0; i < r->count; i++) {
        buf_printf(b, "%zu,train:%zu,", i + 1, r->near[i].item);
        report_add_csv(b, r->near[i].label);
        buf_text(b, ",");
        json_add_double(b, r->near[i].value);
        buf_text(b, "\n");
    }
}
