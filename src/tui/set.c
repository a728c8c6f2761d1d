/* set.c - the screen of the marked items and the saved removal lists: who is in, what
 * their scores add up to for the query, and what can be done with them. */
#include "app.h"

#include "dtrak/buf.h"
#include "dtrak/json.h"
#include "dtrak/mem.h"
#include "dtrak/ranking.h"
#include "dtrak/text.h"

#include <math.h>
#include <string.h>

/* --- what is in it --- */

void set_free(struct app *a) {
    removal_names_free(&a->set.lists);
    mem_free(a->set.item);
    a->set.item = NULL;
    a->set.tiles.n = 0;
}

void set_changed(struct app *a) { a->set.stale = 1; }

static enum status take_marks(struct app *a) {
    size_t n = a->marks.count[SPLIT_TRAIN], at = 0;
    a->set.item = mem_array(n + 1, sizeof *a->set.item);
    if (!a->set.item) return fail(ERR_NOMEM, "set: out of memory");
    for (size_t i = 0; i < a->marks.n[SPLIT_TRAIN] && at < n; i++)
        if (a->marks.on[SPLIT_TRAIN][i]) a->set.item[at++] = i;
    a->set.tiles.n = at;
    return OK;
}

static enum status take_list(struct app *a) {
    struct index_list l = { NULL, 0 };
    TRY(store_removal_list_get(a->store, a->set.lists.name[a->set.which - 1], &l));
    a->set.item = l.index;
    a->set.tiles.n = l.count;
    return OK;
}

static void load(struct app *a) {
    char name[64] = "";
    if (!a->set.stale) return;
    if (a->set.which && a->set.which <= a->set.lists.count)
        snprintf(name, sizeof name, "%s", a->set.lists.name[a->set.which - 1]);
    set_free(a);
    a->set.stale = 0;
    a->set.message[0] = 0;
    a->set.which = 0;
    enum status st = store_removal_lists(a->store, &a->set.lists);
    for (size_t i = 0; st == OK && name[0] && i < a->set.lists.count; i++)
        if (strcmp(name, a->set.lists.name[i]) == 0) a->set.which = i + 1;
    if (st == OK) st = a->set.which ? take_list(a) : take_marks(a);
    if (st != OK) snprintf(a->set.message, sizeof a->set.message, "%s", fail_reason());
}

static void open(struct app *a) { a->set.stale = 1; }

static const char *name_of(const struct app *a) { return a->set.which ? a->set.lists.name[a->set.which - 1] : "marked"; }

/* What the scores of the items add up to for the query, and beside random sets as large. */
struct sums { int has; double sum, share, z, se; };   /* se: NAN without error bars */

static struct sums sums_of(const struct app *a) {
    const struct row *r = &a->row;
    struct sums s = { 0, 0, 0, NAN, NAN };
    double all = 0, square = 0, positive = 0, n = (double)r->n, m = (double)a->set.tiles.n;
    if (r->n == 0 || a->set.tiles.n == 0) return s;
    for (size_t i = 0; i < r->n; i++) {
        double x = (double)r->score[i];
        all += x;
        square += x * x;
        if (x > 0) positive += x;
    }
    for (size_t i = 0; i < a->set.tiles.n; i++)
        if (a->set.item[i] < r->n) s.sum += (double)r->score[a->set.item[i]];
    uint32_t *items = r->trust.n ? mem_array(a->set.tiles.n, sizeof *items) : NULL;
    for (size_t i = 0; items && i < a->set.tiles.n; i++) items[i] = (uint32_t)a->set.item[i];
    if (items) s.se = trust_sum_se(&r->trust, items, a->set.tiles.n);
    mem_free(items);
    double mean = all / n, variance = square / n - mean * mean;
    s.has = 1;
    s.share = positive > 0 ? s.sum / positive : 0;
    if (variance > 0 && m < n) s.z = (s.sum - m * mean) / sqrt(m * variance * (n - m) / (n - 1));
    return s;
}

/* --- acting --- */

static void step_list(struct app *a) {
    a->set.which = a->set.which < a->set.lists.count ? a->set.which + 1 : 0;
    a->set.tiles.cursor = 0;
    a->set.stale = 1;
    load(a);
    if (a->set.lists.count == 0) app_say(a, STYLE_NORMAL, "there are no saved lists: %s saves the marked items as one", key_for(a, ACT_set_save));
}

static int may_write(struct app *a) {
    if (app_writes(a)) return 1;
    app_say(a, STYLE_WARN, "%s", a->is_replaced ? a->why_read_only : "the database is only read: nothing can be saved in it");
    return 0;
}

static int has_items(struct app *a) {
    if (a->set.tiles.n) return 1;
    app_say(a, STYLE_WARN, "no training item is marked: %s marks the selected one, on any screen", key_for(a, ACT_mark));
    return 0;
}

static void clear(struct app *a) {
    if (!has_items(a)) return;
    size_t n = a->set.tiles.n;
    if (a->set.which) {
        if (!may_write(a)) return;
        char name[64];
        snprintf(name, sizeof name, "%s", name_of(a));
        if (store_removal_list_put(a->store, name, NULL, 0) != OK) app_say(a, STYLE_ERROR, "%s", fail_reason());
        else app_say(a, STYLE_NORMAL, "the list '%s' is deleted", name);
        a->set.which = 0;
        a->set.stale = 1;
        return;
    }
    enum status st = marks_replace(a, NULL, 0);
    a->set.stale = 1;
    if (st != OK) app_say(a, STYLE_ERROR, "%s", fail_reason());
    else app_say(a, STYLE_NORMAL, "%zu items are no longer marked", n);
}

static void mark_these(struct app *a) {
    if (!has_items(a)) return;
    if (!a->set.which) { app_say(a, STYLE_NORMAL, "these are the marked items; %s shows saved lists", key_for(a, ACT_set_next)); return; }
    if (marks_replace(a, a->set.item, a->set.tiles.n) != OK) app_say(a, STYLE_ERROR, "%s", fail_reason());
    else app_say(a, STYLE_NORMAL, "marked: the %zu items of '%s'", a->set.tiles.n, name_of(a));
    a->set.stale = 1;
}

static void ask_retrain(struct app *a) {
    if (!a->jobs) { app_say(a, STYLE_WARN, "%s", a->why_read_only); return; }
    if (!has_items(a)) return;
    if (!a->has_query || a->query.split != SPLIT_GEN) {
        app_say(a, STYLE_WARN, "only a generated item can be generated again: %s picks one", key_for(a, ACT_gallery));
        return;
    }
    if (a->catalog.checkpoints.count == 0) { app_say(a, STYLE_WARN, "there is no checkpoint yet: dtrak train makes them"); return; }
    if (a->set.which) set_named(a, PROMPT_RETRAIN, name_of(a));
    else app_prompt(a, PROMPT_RETRAIN, "");
}

static int act(struct app *a, enum action k) {
    struct item_ref ref = { SPLIT_TRAIN, 0 };
    load(a);
    int has = a->set.tiles.cursor < a->set.tiles.n;
    if (has) ref.index = a->set.item[a->set.tiles.cursor];
    if (tiles_act(&a->set.tiles, k)) return 1;
    switch (k) {
    case ACT_set_next: step_list(a); return 1;
    case ACT_set_open: if (has) detail_open(a, ref); return 1;
    case ACT_set_save: if (may_write(a) && has_items(a)) app_prompt(a, PROMPT_SAVE, ""); return 1;
    case ACT_set_retrain: ask_retrain(a); return 1;
    case ACT_set_marks: mark_these(a); return 1;
    case ACT_set_clear: clear(a); return 1;
    case ACT_mark: if (has) marks_toggle(a, ref); return 1;
    case ACT_reverse: if (has) reverse_open(a, ref); return 1;
    default: return 0;
    }
}

/* --- with a name --- */

static void retrain(struct app *a, const char *name) {
    struct buf b = BUF_INIT;
    char id[32];
    item_ref_format(id, a->query);
    buf_text(&b, "{\"list\":");
    json_add_string(&b, name);
    buf_printf(&b, ",\"items\":\"%s\"}", id);
    enum status st = buf_status(&b);
    if (st == OK) st = jobs_add(a->jobs, "counterfactual", b.data);
    buf_free(&b);
    if (st != OK) app_say(a, STYLE_ERROR, "%s", fail_reason());
    else app_say(a, STYLE_GOOD, "queued: a network without the %zu items of '%s', then %s again; %s shows it, %s stops it",
                 a->set.tiles.n, name, id, key_for(a, ACT_jobs), key_for(a, ACT_cancel));
}

void set_named(struct app *a, enum prompt p, const char *text) {
    /* The file may have gone while the name was typed. */
    if (p == PROMPT_RETRAIN && !a->jobs) { app_say(a, STYLE_WARN, "%s", a->why_read_only); return; }
    if (!may_write(a)) return;
    load(a);
    if (!text[0]) { app_say(a, STYLE_NORMAL, "no name, so nothing was done"); return; }
    int is_there = a->set.which && strcmp(text, name_of(a)) == 0;
    for (size_t i = 0; !is_there && i < a->set.lists.count; i++)
        if (strcmp(text, a->set.lists.name[i]) == 0) {
            app_say(a, STYLE_WARN, "there is a list '%s' already: %s shows it, %s there deletes it", text, key_for(a, ACT_set_next), key_for(a, ACT_set_clear));
            return;
        }
    if (!is_there && store_removal_list_put(a->store, text, a->set.item, a->set.tiles.n) != OK) {
        app_say(a, STYLE_ERROR, "%s", fail_reason());
        return;
    }
    a->set.stale = 1;
    if (p == PROMPT_RETRAIN) {
        retrain(a, text);
        return;
    }
    char db[1024], list[256];
    text_shell_word(db, sizeof db, store_path(a->store));
    text_shell_word(list, sizeof list, text);
    app_say(a, STYLE_GOOD, "saved: '%s', %zu items; dtrak counterfactual %s --list %s takes them away", text, a->set.tiles.n, db, list);
}

static void get(struct app *a, size_t at, struct tile *out) {
    const struct row *r = &a->row;
    out->ref = (struct item_ref){ SPLIT_TRAIN, a->set.item[at] };
    if (out->ref.index >= r->n) return;
    draw_score(out->text, draw_score_format(r->largest), r->score[out->ref.index]);
    if (r->largest > 0) out->bar = (double)(r->score[out->ref.index] / r->largest);
}

void set_search(struct app *a, int by) { load(a); tiles_search(a, &a->set.tiles, by, get); }

static void click(struct app *a, size_t id, int twice) {
    if (id < a->set.tiles.n) a->set.tiles.cursor = id;
    if (twice) act(a, ACT_set_open);
}

static void wheel(struct app *a, int down) { tiles_act(&a->set.tiles, down ? ACT_page_down : ACT_page_up); }

/* --- drawing --- */

static void score_text(const struct app *a, char *out, size_t size, double x) {
    struct score_format s = draw_score_format((float)fmax(fabs(x), (double)a->row.largest));
    char text[24];
    draw_score(text, s, (float)x);
    if (s.scale) snprintf(out, size, "%s x 1e%d", text, s.scale);
    else snprintf(out, size, "%s", text);
}

static void draw_labels(struct app *a, struct frame *f, size_t *row, struct area in) {
    const struct label_list *l = catalog_labels(a);
    int any = 0;
    for (size_t i = 0; i < l->count && *row < in.row + in.rows; i++) {
        size_t n = 0;
        char name[80];
        for (size_t k = 0; k < a->set.tiles.n; k++)
            if (a->set.item[k] < a->catalog.count[SPLIT_TRAIN]) n += a->catalog.label.train[a->set.item[k]] == l->label[i].label;
        if (!n) continue;
        if (!any++ && *row + 1 < in.row + in.rows) frame_text_in(f, (*row)++, in.col, in.cols, STYLE_DIM, "their labels");
        if (l->label[i].name[0]) snprintf(name, sizeof name, "%s", l->label[i].name);
        else snprintf(name, sizeof name, "label %d", l->label[i].label);
        frame_printf(f, (*row)++, in.col, in.cols, STYLE_DIM, "%5zu %s", n, name);
    }
}

static void draw_facts(struct app *a, struct frame *f, struct area in) {
    char id[32], name[96], text[200], sum[48];
    struct sums s = sums_of(a);
    size_t row = in.row, end = in.row + in.rows;
    if (a->has_query) {
        size_t h = draw_image_rows(a, in.cols);
        if (h > in.rows / 3) h = in.rows / 3;
        item_ref_format(id, a->query);
        frame_printf(f, row++, in.col, in.cols, STYLE_FOCUS, "for %s", id);
        if (h >= 3) {
            draw_image(a, f, row, in.col, h, draw_image_cols(a, h), a->query);
            row += h;
        }
        setting_name(a, name, sizeof name);
        if (row < end) frame_text_in(f, row++, in.col, in.cols, STYLE_BOLD, name);
        if (s.has) {
            score_text(a, sum, sizeof sum, s.sum);
            if (row < end) frame_printf(f, row++, in.col, in.cols, STYLE_ACCENT, in.cols < 24 ? "sum %s" : "sum of scores %s", sum);
            if (isfinite(s.se) && row < end) {
                draw_error(sum, draw_score_format((float)fmax(fabs(s.sum), (double)a->row.largest)), s.se);
                frame_printf(f, row++, in.col, in.cols, fabs(s.sum) > 2 * s.se ? STYLE_NORMAL : STYLE_WARN, "  %s%s", sum,
                             fabs(s.sum) > 2 * s.se ? "" : ", sign not sure");
            }
            if (row < end) frame_printf(f, row++, in.col, in.cols, STYLE_NORMAL, "%.1f%% of all support", 100 * s.share);
            score_text(a, sum, sizeof sum, -s.sum);
            snprintf(text, sizeof text, "removing them is predicted to change its output function by %s%s", sum,
                     !isfinite(s.z) ? "" : fabs(s.z) < 2 ? ": no more than random items would" : "");
            row += draw_paragraph(f, row, in.col, end > row ? end - row : 0, in.cols, STYLE_NORMAL, text);
            if (isfinite(s.z) && row < end)
                frame_printf(f, row++, in.col, in.cols, fabs(s.z) < 2 ? STYLE_WARN : STYLE_GOOD, "%+.1f sd from random", s.z);
        } else if (a->set.tiles.n && row < end) {
            char none[64];
            snprintf(none, sizeof none, "no scores of this setting: %s computes them", key_for(a, ACT_ranking));
            row += draw_paragraph(f, row, in.col, end - row, in.cols, STYLE_WARN, none);
        }
    }
    row++;
    draw_labels(a, f, &row, (struct area){ in.row, in.col, in.rows, in.cols });
    row++;
    if (a->set.lists.count && row < end) frame_text_in(f, row++, in.col, in.cols, STYLE_DIM, "saved lists");
    for (size_t i = 0; i < a->set.lists.count && row < end; i++)
        frame_printf(f, row++, in.col, in.cols, i + 1 == a->set.which ? STYLE_FOCUS : STYLE_NORMAL, "%5zu %s", a->set.lists.items[i],
                     a->set.lists.name[i]);
}

static void draw(struct app *a, struct frame *f, struct area in) {
    char title[160], sum[48] = "";
    load(a);
    size_t side = in.cols >= 70 && in.rows >= 14 ? in.cols * 28 / 100 : 0;
    if (side > 44) side = 44;
    struct sums s = sums_of(a);
    if (s.has && !side) {
        sum[0] = ' ';
        score_text(a, sum + 1, sizeof sum - 1, s.sum);
    }
    if (a->set.which) snprintf(title, sizeof title, "list '%.*s': %zu%s%s", (int)text_fit(name_of(a), 40), name_of(a), a->set.tiles.n, sum[0] ? ", sum" : "", sum);
    else snprintf(title, sizeof title, "marked: %zu%s%s", a->set.tiles.n, sum[0] ? ", sum" : "", sum);
    struct area page = { in.row, in.col, in.rows, in.cols - side };
    tiles_draw(a, f, page, &a->set.tiles, title, get);
    char none[160];
    int len = snprintf(none, sizeof none, "Nothing is marked: %s marks the selected training item on any screen.", key_for(a, ACT_mark));
    if (a->set.lists.count) snprintf(none + len, sizeof none - (size_t)len, " %s shows the saved lists.", key_for(a, ACT_set_next));
    if (a->set.tiles.n == 0)
        draw_paragraph(f, in.row + (in.rows >= 5 ? 1 + in.rows / 4 : 0), in.col + 2, in.rows > 2 ? in.rows - 2 : in.rows,
                       page.cols > 4 ? page.cols - 4 : 1, STYLE_DIM, a->set.message[0] ? a->set.message : none);
    if (!side) return;
    frame_box(f, in.row, in.col + in.cols - side, in.rows, side, STYLE_BORDER, name_of(a));
    draw_facts(a, f, (struct area){ in.row + 1, in.col + in.cols - side + 1, in.rows - 2, side - 2 });
}

const struct screen screen_set = { "marked", IN_SET, open, draw, act, click, wheel };
