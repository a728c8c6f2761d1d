/* detail.c - one item, large, with all that is known of it: facts, numbers, the queries
 * that it is among the first for, and what lies nearest to it by pixels and by features. */
#include "app.h"

#include "dtrak/text.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

/* --- what is known of it --- */

static void find_queries(struct app *a) {
    a->detail.count = 0;
    a->detail.message[0] = 0;
    if (a->detail.ref.split != SPLIT_TRAIN) return;
    if (a->row.state != ROW_STORED) {
        snprintf(a->detail.message, sizeof a->detail.message, "scores of this setting are not stored");
        return;
    }
    size_t max = sizeof a->detail.other / sizeof a->detail.other[0];
    if (store_score_supported(a->store, &a->row.set, a->detail.ref.index, a->detail.opponents, max,
                              a->detail.other, &a->detail.count) != OK)
        snprintf(a->detail.message, sizeof a->detail.message, "%s", fail_reason());
    else if (a->detail.count == 0)
        snprintf(a->detail.message, sizeof a->detail.message, "among the first ranks of no %s item",
                 split_name(a->row.set.split));
}

/* The stored numbers of an item that go with the setting: its losses, leverage, residual. */
static void find_numbers(struct app *a) {
    size_t max = sizeof a->detail.number / sizeof a->detail.number[0];
    const char *loss = loss_name(a->setting.loss);
    a->detail.numbers = 0;
    for (size_t i = 0; i < a->catalog.stats.count && a->detail.numbers < max; i++) {
        const struct stat_set *s = &a->catalog.stats.set[i];
        size_t len = strlen(loss), present = 0;
        if (s->split != a->detail.ref.split || !strncmp(s->name, "neighbour_", 10) ||
            (s->checkpoint && s->checkpoint != a->setting.checkpoint) ||
            (s->key[0] && (strncmp(s->key, loss, len) != 0 || (s->key[len] && s->key[len] != ' ')))) continue;
        struct stat_key key = { s->name, s->key, s->checkpoint, s->split };
        double value = NAN;
        if (store_stat_get(a->store, &key, a->detail.ref.index, 1, &value, &present) != OK || !present) continue;
        struct detail_number *n = &a->detail.number[a->detail.numbers++];
        n->value = value;
        snprintf(n->name, sizeof n->name, "%s", !strcmp(s->name, "self_influence") ? "self-influence" :
                 !strcmp(s->name, "train_loss") ? "loss" : s->name);
        for (char *c = n->name; *c; c++)
            if (*c == '_') *c = ' ';
        /* "square t50 k2048 lambda auto", lambda as everywhere on the screen */
        const char *lambda = strstr(s->key, "lambda ");
        if (lambda) snprintf(n->of, sizeof n->of, "%.*sλ %s", (int)(lambda - s->key), s->key, lambda + strlen("lambda "));
        else snprintf(n->of, sizeof n->of, "%.63s", s->key);
    }
}

static void find_near(struct app *a, int by) {
    struct survey_request r = { by ? SURVEY_BY_FEATURES : SURVEY_BY_PIXELS, by ? a->row.base.id : 0, a->detail.ref, { SPLIT_GEN, 0 } };
    struct detail_near *near = &a->detail.near[by];
    if (near->state != NEAR_WAITING) return;
    if (by && !a->row.base.id) {
        near->state = NEAR_NONE;
        snprintf(near->message, sizeof near->message, "no scores of this setting, so no features are known");
        return;
    }
    int got = survey_get(a->survey, &r, &near->answer, &near->part);
    if (got == 0) return;
    near->state = got > 0 ? NEAR_THERE : NEAR_NONE;
    if (got < 0) snprintf(near->message, sizeof near->message, "%s", fail_reason());
}

static void look_up(struct app *a, struct item_ref ref) {
    a->detail.ref = ref;
    find_queries(a);
    find_numbers(a);
    note_read(a, ref, a->detail.note, sizeof a->detail.note);
    for (int by = 0; by < 2; by++) memset(&a->detail.near[by], 0, sizeof a->detail.near[by]);
}

void detail_open(struct app *a, struct item_ref ref) {
    a->detail.opponents = a->ranking.pane;
    look_up(a, ref);
    app_over(a, &screen_detail);
}

/* Of the list that the item was opened from: its cursor, and how many there are. */
static size_t *list_below(struct app *a, const struct screen *below, size_t *n) {
    if (below == &screen_set) { *n = a->set.tiles.n; return &a->set.tiles.cursor; }
    if (below == &screen_overall) { *n = a->overall.tiles.n; return &a->overall.tiles.cursor; }
    if (below == &screen_compare) { *n = a->row.n; return &a->compare.cursor; }
    if (below == &screen_self) { *n = self_count(a); return &a->self.cursor; }
    *n = a->row.list ? a->row.n_list : a->row.n;
    return &a->ranking.cursor[a->ranking.pane];
}

static struct item_ref item_below(const struct app *a, const struct screen *below, size_t at) {
    size_t rank;
    float score;
    int has;
    if (below == &screen_set) return (struct item_ref){ SPLIT_TRAIN, a->set.item[at] };
    if (below == &screen_overall) return (struct item_ref){ SPLIT_TRAIN, a->overall.order[at] };
    if (below == &screen_compare) return (struct item_ref){ SPLIT_TRAIN, a->row.order[at] };
    if (below == &screen_self) return (struct item_ref){ SPLIT_TRAIN, a->self.list.item[at].item };
    return ranking_selected(a, &rank, &score, &has);
}

/* The neighbours in that list, which may have become shorter since. */
static void step(struct app *a, int by) {
    const struct screen *below = a->depth >= 2 ? a->stack[a->depth - 2] : NULL;
    if (a->detail.ref.split != SPLIT_TRAIN) {
        gallery_step_query(a, by);
        look_up(a, a->query);
        return;
    }
    size_t n, *at = list_below(a, below, &n);
    if (n == 0) {
        app_say(a, STYLE_NORMAL, "there is no list behind this item now");
        return;
    }
    if (*at >= n) *at = n - 1;
    else if (by < 0 ? *at == 0 : *at + 1 >= n) return;
    else *at += by < 0 ? (size_t)-1 : 1;
    look_up(a, item_below(a, below, *at));
}

/* --- acting --- */

static int detail_act(struct app *a, enum action k) {
    switch (k) {
    case ACT_left: case ACT_up: step(a, -1); return 1;
    case ACT_right: case ACT_down: step(a, 1); return 1;
    case ACT_zoom_close: app_back(a); return 1;
    case ACT_heat_maps: maps_toggle(a); return 1;
    case ACT_other_queries:
        a->detail.opponents = !a->detail.opponents;
        find_queries(a);
        return 1;
    case ACT_first: case ACT_last: case ACT_page_up: case ACT_page_down: return 1;
    default: return 0;
    }
}

struct lines { struct frame *f; size_t row, col, end, cols; };

/* The longest name whole, where that leaves room for the values. */
static size_t names_cols(const struct lines *l) { return l->cols >= 44 ? 15 : 11; }

__attribute__((format(printf, 4, 5)))
static void say(struct lines *l, enum style style, const char *name, const char *fmt, ...) {
    char text[320];
    va_list args;
    if (l->row >= l->end) return;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (!text[0]) return;
    size_t w = names_cols(l);
    if (text_width(name) >= w) w = text_width(name) + 1;
    frame_text_in(l->f, l->row, l->col, l->cols, STYLE_DIM, name);
    size_t used = draw_paragraph(l->f, l->row, l->col + w, l->end - l->row, l->cols > w + 1 ? l->cols - w - 1 : 1, style, text);
    l->row += used ? used : 1;
}

/* --- drawing: the facts --- */

static void say_rank(struct app *a, struct lines *l) {
    const struct row *r = &a->row;
    char name[96], text[24];
    size_t above = 0, i = a->detail.ref.index;
    if (i >= r->n) return;
    while (above < r->n && r->order[above] != i) above++;
    struct score_format s = draw_score_format(r->largest);
    draw_score(text, s, r->score[i]);
    setting_name(a, name, sizeof name);
    say(l, STYLE_BOLD, "method", "%s", name);
    if (s.scale) say(l, STYLE_ACCENT, "score", "%s x 1e%d", text, s.scale);
    else say(l, STYLE_ACCENT, "score", "%s", text);
    say(l, STYLE_NORMAL, "rank", "%zu of %zu, %zu from the end", above + 1, r->n, r->n - above);
    if (i >= r->trust.n) return;
    int sure = trust_is_determined(&r->trust, i, (double)r->score[i]);
    draw_error(text, s, r->trust.se[i]);
    char unit[16] = "";
    if (s.scale) snprintf(unit, sizeof unit, " x 1e%d", s.scale);
    say(l, sure ? STYLE_NORMAL : STYLE_WARN, "error", "%s%s, %s", text, unit, sure ? "sign sure" : "sign not sure");
    say(l, STYLE_NORMAL, "rank 5-95%", "%u to %u, %.0f%% in the first %zu", r->trust.low[i], r->trust.high[i], 100 * r->trust.p_top[i], r->trust.top);
}

static void say_numbers(struct app *a, struct lines *l) {
    for (size_t i = 0; i < a->detail.numbers; i++) {
        const struct detail_number *n = &a->detail.number[i];
        if (text_width(n->name) < names_cols(l)) {
            say(l, STYLE_NORMAL, n->name, "%.4g  %s", n->value, n->of);
            continue;
        }
        say(l, STYLE_NORMAL, n->name, "%.4g", n->value);     /* it reaches into the values' columns */
        say(l, STYLE_NORMAL, "", "%s", n->of);
    }
}

static void say_queries(struct app *a, struct lines *l) {
    const char *name = a->detail.opponents ? "opposes" : "supports";
    size_t negative = 0;
    for (size_t i = 0; i < a->detail.count; i++) negative += a->detail.other[i].score < 0;
    if (a->detail.opponents && a->detail.count && !negative) name = "lowest";
    if (a->detail.ref.split != SPLIT_TRAIN) return;
    if (a->detail.message[0]) say(l, STYLE_DIM, name, "%s", a->detail.message);
    for (size_t i = 0; i < a->detail.count; i++) {
        struct item_ref q = { a->row.set.split, a->detail.other[i].item };
        struct score_format form = draw_score_format(a->row.largest);
        char id[32], text[24], power[12] = "";
        item_ref_format(id, q);
        draw_score(text, form, a->detail.other[i].score);
        if (form.scale) snprintf(power, sizeof power, "e%d", form.scale);
        say(l, STYLE_NORMAL, i ? "" : name, "%-8s rank %-3zu %s%s", id, a->detail.other[i].rank, text, power);
    }
}

static void say_item(struct app *a, struct lines *l) {
    const struct facts *it = facts_of(a, a->detail.ref);
    char id[32], label[80];
    item_ref_format(id, a->detail.ref);
    facts_label(it, label, sizeof label);
    say(l, STYLE_BOLD, "item", "%s %s%s", id, label, marks_has(a, a->detail.ref) ? "  * marked" : "");
    say(l, STYLE_ACCENT, "note", "%s", a->detail.note);
    if (a->detail.ref.split == SPLIT_TRAIN) say_rank(a, l);
    say_numbers(a, l);
}

/* Where it is from, and how it is kept. */
static void say_origin(struct app *a, struct lines *l) {
    const struct facts *it = facts_of(a, a->detail.ref);
    const struct checkpoint *c = catalog_checkpoint(&a->catalog, it->checkpoint);
    if (it->caption[0]) say(l, STYLE_NORMAL, "caption", "%s", it->caption);
    if (it->sampler[0]) {
        say(l, STYLE_NORMAL, "seed", "%llu", (unsigned long long)it->seed);
        say(l, STYLE_NORMAL, "sampler", "%s, %zu steps", it->sampler, it->steps);
    }
    char words[96];
    if (c) checkpoint_words(words, c);
    if (c) say(l, STYLE_NORMAL, "checkpoint", "%s (%.0f%% of training)", words, c->percent);
    if (it->original[0]) say(l, STYLE_NORMAL, "original", "%s", it->original);
    say(l, STYLE_NORMAL, "image", "%zux%zu px, %zu bytes", it->width_px, it->height_px, it->image_bytes);
    say(l, STYLE_DIM, "sha256", "%.16s…", it->sha256);
}

/* --- drawing: what is near --- */

enum { NEAR_SPOT = 1 << 20 };   /* a spot's id: this plus the item */

static const char *const near_name[] = { "nearest by pixels: distance", "nearest by features: cosine" };

static void near_value(char *out, size_t size, int by, double value) { snprintf(out, size, by ? "%.3f" : "%.4f", value); }

/* A row of pictures with their items and distances, or why there is none. */
static void draw_near(struct app *a, struct frame *f, struct area in, int by) {
    const struct detail_near *near = &a->detail.near[by];
    frame_text_in(f, in.row, in.col, in.cols, STYLE_TITLE, near_name[by]);
    if (near->state != NEAR_THERE) {
        char text[240];
        if (near->state == NEAR_WAITING) snprintf(text, sizeof text, "looking at every training item: %.0f%%", 100 * near->part);
        else snprintf(text, sizeof text, "%s", near->message);
        draw_paragraph(f, in.row + 1, in.col, in.rows - 1, in.cols, STYLE_DIM, text);
        return;
    }
    size_t h = in.rows - 3, w = draw_image_cols(a, h), tile = (w > 10 ? w : 10) + 2;
    const struct facts *mine = facts_of(a, a->detail.ref);
    for (size_t i = 0; i < near->answer.n && (i + 1) * tile <= in.cols + 2; i++) {
        struct item_ref ref = { SPLIT_TRAIN, near->answer.near[i].item };
        const struct facts *its = facts_of(a, ref);
        char value[24], label[80];
        size_t col = in.col + i * tile;
        int differs = mine->label >= 0 && its->label >= 0 && mine->label != its->label;
        draw_image(a, f, in.row + 1, col, h, w, ref);
        near_value(value, sizeof value, by, near->answer.near[i].value);
        facts_label(its, label, sizeof label);
        frame_printf(f, in.row + 1 + h, col, tile - 1, STYLE_NORMAL, "%zu %s", ref.index, value);
        frame_text_in(f, in.row + 2 + h, col, tile - 1, differs ? STYLE_WARN : STYLE_DIM, label);
        app_spot(a, in.row + 1, col, h + 1, tile - 1, NEAR_SPOT + ref.index);
    }
}

/* The same in one paragraph, where there is no room for pictures. */
static void say_near(struct app *a, struct lines *l, int by) {
    const struct detail_near *near = &a->detail.near[by];
    char text[240] = "";
    if (near->state == NEAR_NONE) snprintf(text, sizeof text, "%s", near->message);
    for (size_t i = 0; near->state == NEAR_THERE && i < near->answer.n; i++) {
        char value[24];
        size_t at = strlen(text);
        near_value(value, sizeof value, by, near->answer.near[i].value);
        snprintf(text + at, sizeof text - at, "%strain:%zu %s", i ? ", " : "", near->answer.near[i].item, value);
    }
    say(l, STYLE_DIM, by ? "features" : "pixels", "%s", text);
}

static void detail_draw(struct app *a, struct frame *f, struct area in) {
    char id[32];
    struct area inner = in;

    for (int by = 0; by < 2; by++) find_near(a, by);
    item_ref_format(id, a->detail.ref);
    if (in.rows >= 4 && in.cols >= 20) {
        frame_box(f, in.row, in.col, in.rows, in.cols, STYLE_FOCUS, id);
        inner = (struct area){ in.row + 1, in.col + 2, in.rows - 2, in.cols - 4 };
    }
    /* What is near gets a strip at the bottom where there is room. */
    size_t strip = inner.rows >= 18 && inner.cols >= 60 ? (inner.rows / 4 < 12 ? inner.rows / 4 : 12) + 2 : 0;
    if (strip) {
        size_t half = inner.cols / 2, row = inner.row + inner.rows - strip;
        draw_near(a, f, (struct area){ row, inner.col, strip, half - 1 }, 0);
        draw_near(a, f, (struct area){ row, inner.col + half, strip, inner.cols - half }, 1);
        inner.rows -= strip + 1;
    }
    /* Side by side where there is room for the facts, else the picture above. */
    int beside = inner.cols >= 60;
    size_t h = draw_image_rows(a, beside ? inner.cols - 38 : inner.cols);
    if (h > inner.rows) h = inner.rows;
    if (!beside && h > inner.rows / 2) h = inner.rows / 2;
    size_t w = draw_image_cols(a, h);
    if (maps_shown(a)) {   /* two pictures in place of one, with a line below */
        size_t half = (beside ? inner.cols - 38 : inner.cols) / 2;
        if (beside && half > inner.cols / 3) half = inner.cols / 3;
        h = draw_image_rows(a, half ? half - 1 : 1);
        if (h + 2 > (beside ? inner.rows : inner.rows / 2)) h = beside ? inner.rows - 2 : inner.rows / 2 > 2 ? inner.rows / 2 - 2 : 0;
        w = draw_image_cols(a, h) > 18 || beside ? draw_image_cols(a, h) : 18;
        if (beside && w < 14) w = 14;
        maps_draw(a, f, inner.row, inner.col, h, w);
        w = 2 * w + 1;
        h += 2;
    } else if (h) draw_image(a, f, inner.row, inner.col, h, w, a->detail.ref);
    size_t left = beside ? inner.col + w + 2 : inner.col, room = beside ? (inner.cols > w + 2 ? inner.cols - w - 2 : 1) : inner.cols;
    struct lines l = { f, beside ? inner.row : inner.row + h, left, inner.row + inner.rows, room };
    int columns = room >= 96;
    if (columns) l.cols = room / 2;
    say_item(a, &l);
    if (columns) {
        say_origin(a, &l);
        l = (struct lines){ f, inner.row, left + room / 2, inner.row + inner.rows, room - room / 2 };
    }
    say_queries(a, &l);
    if (!columns) say_origin(a, &l);     /* last: what there is no room for is missed least */
    for (int by = 0; !strip && by < 2; by++) say_near(a, &l, by);
}

static void detail_click(struct app *a, size_t id, int twice) {
    (void)twice;
    if (id >= NEAR_SPOT) look_up(a, (struct item_ref){ SPLIT_TRAIN, id - NEAR_SPOT });
}

static void detail_wheel(struct app *a, int down) { step(a, down ? 1 : -1); }

const struct screen screen_detail = { "zoom", IN_DETAIL, NULL, detail_draw, detail_act, detail_click, detail_wheel };

