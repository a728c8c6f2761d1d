/* app.c - the state that screens share: opening, drawing, keys, mouse, news. */
#include "app.h"

#include "dtrak/live.h"
#include "dtrak/mem.h"
#include "dtrak/text.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#define LOOK_S 1.0           /* between looks at whether others changed the file */
#define DOUBLE_CLICK_S 0.4

/* --- messages, clicks, screens --- */

void app_say(struct app *a, enum style style, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    vsnprintf(a->message, sizeof a->message, fmt, args);
    va_end(args);
    a->message_style = style;
}

void app_spot(struct app *a, size_t row, size_t col, size_t rows, size_t cols, size_t id) {
    if (a->n_spots < SPOTS) a->spot[a->n_spots++] = (struct spot){ row, col, rows, cols, id };
}

const struct screen *app_top(const struct app *a) { return a->stack[a->depth - 1]; }

static int is_overlay(const struct screen *s) {
    return s == &screen_detail || s == &screen_help || s == &screen_ask || s == &screen_picker;
}

static void push(struct app *a, const struct screen *s) {
    if (a->depth == STACK) a->depth--;
    a->stack[a->depth++] = s;
    if (s->open) s->open(a);
}

void app_show(struct app *a, const struct screen *s) {
    while (a->depth && is_overlay(app_top(a))) a->depth--;
    for (size_t i = 0; i < a->depth; i++)
        if (a->stack[i] == s) {
            a->depth = i + 1;
            if (s->open) s->open(a);
            return;
        }
    push(a, s);
}

void app_over(struct app *a, const struct screen *s) {
    if (a->depth && app_top(a) == s) return;
    push(a, s);
}

void app_back(struct app *a) {
    if (a->depth > 1) a->depth--;
    else app_leave(a);
}

/* Is nothing being computed, or may it be left?  Else it is asked, and `wanted` or the end follows. */
static int may_go(struct app *a, const char *to) {
    int waits = jobs_settle(a->jobs, .2);      /* what was asked for just now is being written and begun */
    struct jobs_now now = jobs_snapshot(a->jobs);
    int exports = a->exporting.task != NULL && !export_poll(a);
    if (now.id == 0 && !waits && !exports) return 1;
    if (exports) snprintf(a->asked_text, sizeof a->asked_text, "A file is being written: %s and stop that?", to);
    else if (now.id) snprintf(a->asked_text, sizeof a->asked_text, "Stop the job and %s? Finished parts stay, %s resumes it.", to, key_for(a, ACT_jobs));
    else snprintf(a->asked_text, sizeof a->asked_text, "Jobs are queued: %s? They stay in the queue.", to);
    a->question = a->asked_text;
    app_over(a, &screen_ask);
    return 0;
}

void app_leave(struct app *a) {
    mem_free(a->wanted);
    a->wanted = NULL;
    if (may_go(a, "leave")) a->done = 1;
}

void app_want_database(struct app *a, const char *path) {
    char *copy = mem_copy_string(path);
    if (!copy) { app_say(a, STYLE_ERROR, "explorer: out of memory"); return; }
    mem_free(a->wanted);
    a->wanted = copy;
    if (may_go(a, "open another database")) app_go_over(a);
}

/* --- the query --- */

static void find_nearest(struct app *a) {
    struct score_query q = { method_name(METHOD_PIXEL_COS), "", 0, a->query.split, NULL, 0, 0, a->query.index + 1, NULL, 0 };
    struct score_set set;
    struct ranked top;
    size_t got = 0;
    a->ranking.has_nearest = 0;
    if (store_score_set_find(a->store, &q, &set) != OK ||
        store_score_top(a->store, &set, a->query.index, 0, 1, &top, &got) != OK || got != 1)
        return;
    a->ranking.nearest = (struct item_ref){ SPLIT_TRAIN, top.item };
    a->ranking.nearest_cos = top.score;
    a->ranking.has_nearest = 1;
}

void app_set_query(struct app *a, struct item_ref ref) {
    int other_split = !a->has_query || ref.split != a->gallery.split;
    a->query = ref;
    a->has_query = 1;
    if (other_split) {
        a->gallery.split = ref.split;
        gallery_refilter(a);
    }
    for (size_t i = 0; i < a->gallery.count; i++)
        if (a->gallery.index[i] == ref.index) a->gallery.cursor = i;
    setting_follow(a, &a->setting);
    setting_follow(a, &a->compare.setting);
    find_nearest(a);
    row_load(a);
}

enum status app_resize(struct app *a, size_t rows, size_t cols) { return frame_resize(a->frame, rows, cols); }

void app_draw(struct app *a) {
    struct frame *f = a->frame;
    size_t rows = frame_rows(f), cols = frame_cols(f);
    frame_clear(f);
    a->n_spots = 0;
    if (rows > 2) app_top(a)->draw(a, f, (struct area){ 1, 0, rows - 2, cols });
    if (a->prompt == PROMPT_PALETTE) palette_draw(a, f);
    draw_title(a, f);
    draw_footer(a, f);
}

/* --- news --- */

/* Items went, so that numbers mean others by now: nothing that was kept by number holds. */
static void renumber(struct app *a) {
    a->generation++;
    pictures_forget(a->pictures);
    live_forget(a->live);
    survey_forget(a->survey);
    survey_forget(a->mapper);
    a->history.at = a->history.count = 0;
    maps_free(a);
    a->maps.message[0] = 0;
    a->o.query = NULL;     /* it was shown */
    size_t left = a->catalog.count[a->query.split];
    if (left == 0) a->has_query = 0;
    else if (a->query.index >= left) a->query.index = left - 1;
}

/* What hangs on which items there are, and which are marked. */
static void refilter(struct app *a, int items, int marks) {
    if (items || (marks && filter_speaks_of_marks(a->filter)) || a->gallery.sort == SORT_LDS) gallery_refilter(a);
    if (a->ranking.filter[0] && (items || (marks && filter_speaks_of_marks(a->ranking.filter)))) ranking_repass(a);
}

/* What the file says now. */
static void reread(struct app *a) {
    unsigned marks = a->marks.changes;
    if (catalog_load(a) != OK) {
        app_say(a, STYLE_ERROR, "%s", fail_reason());
        return;
    }
    int items = a->catalog.items != ITEMS_SAME;
    if (a->catalog.items == ITEMS_OTHER) renumber(a);
    if (items) facts_forget(a);
    if (!catalog_checkpoint(&a->catalog, a->setting.checkpoint) && a->catalog.checkpoints.count)
        a->setting.checkpoint = checkpoint_list_last(&a->catalog.checkpoints)->id;
    if (marks_load(a) != OK) app_say(a, STYLE_ERROR, "%s", fail_reason());
    a->pairs.stale = a->compare.stale = a->set.stale = a->overall.stale = a->reverse.stale = 1;
    self_reread(a);
    jobs_reload(a);
    if (!a->has_query && a->catalog.count[SPLIT_GEN] + a->catalog.count[SPLIT_VAL]) {
        (void)app_first_query(a);
    } else {
        if (a->has_query) find_nearest(a);
        row_load(a);
    }
    refilter(a, items, a->marks.changes != marks);
}

static void news_of_jobs(struct app *a, const struct jobs_now *now) {
    a->jobs_ended = now->ended;
    reread(a);
    a->generate.news = 1;
    if (!jobs_busy(a->jobs)) a->has_asked = 0;
    if (now->last_id == 0 || a->prompt != PROMPT_NONE) return;
    const char *kind = "";
    for (size_t i = 0; i < a->job.list.count; i++)
        if (a->job.list.job[i].id == now->last_id) kind = a->job.list.job[i].kind;
    app_say(a, now->last_status == OK ? STYLE_GOOD : now->last_status == ERR_CANCELLED ? STYLE_WARN : STYLE_ERROR,
            "job %lld %s: %s", (long long)now->last_id, kind, now->last_message);
}

/* How fast features go, for estimates: a unit of that phase is an image. */
static void learn_rate(struct app *a, const struct jobs_now *now) {
    if (strncmp(now->what, "features", 8) == 0 && now->per_s > 0)
        a->image_steps_per_s = now->per_s * (double)setting_timesteps(a);
}

int app_poll(struct app *a) {
    struct jobs_now now = jobs_snapshot(a->jobs);
    int64_t version = a->data_version;
    int changed = now.id != 0;

    if (app_top(a) == &screen_picker && picker_poll(a)) changed = 1;
    if (!a->store) return changed;
    if (a->exporting.task) { export_poll(a); changed = 1; }
    learn_rate(a, &now);
    if (now.ended != a->jobs_ended) { news_of_jobs(a, &now); changed = 1; }
    if (a->generate.news && a->prompt == PROMPT_NONE) {   /* it leads elsewhere: not under what is being typed */
        a->generate.news = 0;
        generate_news(a);
        changed = 1;
    }
    uint64_t surveys_ended = survey_ended(a->survey) + survey_ended(a->mapper);
    if (survey_busy(a->survey) || survey_busy(a->mapper) || surveys_ended != a->surveys_ended) changed = 1;
    a->surveys_ended = surveys_ended;
    if (a->row.state == ROW_WAITING && !live_busy(a->live)) {
        row_load(a);
        key_scores_are_there(a);
        changed = 1;
    } else if (a->compare.row.state == ROW_WAITING && app_top(a) == &screen_compare && !live_busy(a->live))
        a->compare.stale = changed = 1;
    if (clock_s() - a->looked < LOOK_S) return changed;
    a->looked = clock_s();
    if (app_look_at_file(a)) changed = 1;
    if (app_top(a) == &screen_jobs) {    /* a lease that runs out changes no byte of the file */
        jobs_reload(a);
        changed = 1;
    }
    if (store_data_version(a->store, &version) == OK && version != a->data_version) {
        a->data_version = version;
        reread(a);
        changed = 1;
    }
    return changed;
}

/* --- keys --- */

void app_prompt(struct app *a, enum prompt p, const char *typed) {
    a->prompt = p;
    a->palette_at = 0;
    a->is_suggested = 0;
    snprintf(a->typed, sizeof a->typed, "%s", typed);
}

static void begin_prompt(struct app *a, enum prompt p) {
    app_prompt(a, p, p != PROMPT_FILTER ? "" : app_top(a) == &screen_ranking ? a->ranking.filter : a->filter);
}

/* The item that marks and the like are about; 0: there is none. */
static int selected(struct app *a, struct item_ref *ref) {
    const struct screen *s = app_top(a);
    size_t rank;
    float score;
    int has = 1;
    *ref = (struct item_ref){ SPLIT_TRAIN, 0 };
    if (s == &screen_detail) *ref = a->detail.ref;
    else if (s == &screen_ranking) *ref = ranking_selected(a, &rank, &score, &has);
    else if (s == &screen_compare && (has = a->compare.cursor < a->row.n)) ref->index = a->row.order[a->compare.cursor];
    else if (s == &screen_self && (has = a->self.cursor < a->self.list.n)) ref->index = a->self.list.item[a->self.cursor].item;
    else if (s == &screen_set && (has = a->set.tiles.cursor < a->set.tiles.n)) ref->index = a->set.item[a->set.tiles.cursor];
    else if (s == &screen_overall && (has = a->overall.tiles.cursor < a->overall.tiles.n)) ref->index = a->overall.order[a->overall.tiles.cursor];
    else if (s == &screen_gallery && (has = a->gallery.cursor < a->gallery.count))
        *ref = (struct item_ref){ a->gallery.split, a->gallery.index[a->gallery.cursor] };
    return has;
}

static void act_on_selected(struct app *a, enum action k) {
    struct item_ref ref;
    if (!selected(a, &ref)) app_say(a, STYLE_WARN, "nothing is selected here");
    else if (k == ACT_mark) marks_toggle(a, ref);
    else if (k == ACT_note) note_begin(a, ref);
    else reverse_open(a, ref);
}

static void search_again(struct app *a, int by) {
    if (app_top(a) == &screen_ranking) ranking_search(a, by);
    else if (app_top(a) == &screen_compare) compare_search(a, by);
    else if (app_top(a) == &screen_self) self_search(a, by);
    else if (app_top(a) == &screen_set) set_search(a, by);
    else if (app_top(a) == &screen_reverse) reverse_search(a, by);
    else if (app_top(a) == &screen_overall) overall_search(a, by);
    else gallery_search(a, by);
}

static void end_prompt(struct app *a) {
    enum prompt p = a->prompt;
    a->prompt = PROMPT_NONE;
    if ((p == PROMPT_FILTER || p == PROMPT_SEARCH) && strlen(a->typed) >= sizeof a->filter) {
        app_say(a, STYLE_WARN, "that is %zu bytes long: a search or a filter has at most %zu", strlen(a->typed), sizeof a->filter - 1);
    } else if (p == PROMPT_PALETTE) {
        palette_enter(a);
    } else if (p == PROMPT_OPEN) {
        picker_typed(a, a->typed);
    } else if (p == PROMPT_NOTE) {
        note_typed(a, a->typed);
    } else if (p == PROMPT_EXPORT) {
        export_named(a, a->typed);
    } else if (p == PROMPT_SAVE || p == PROMPT_RETRAIN) {
        set_named(a, p, a->typed);
    } else if (p == PROMPT_FILTER && app_top(a) == &screen_ranking) {
        ranking_filter(a, a->typed);
    } else if (p == PROMPT_FILTER) {
        if (!filter_check(a, a->typed, 0)) return;
        snprintf(a->filter, sizeof a->filter, "%.127s", a->typed);
        gallery_refilter(a);
        /* What is selected is what Enter ranks, so it has to be one that shows. */
        if (a->gallery.count && (a->query.split != a->gallery.split ||
                                 a->query.index != a->gallery.index[a->gallery.cursor]))
            app_set_query(a, (struct item_ref){ a->gallery.split, a->gallery.index[a->gallery.cursor] });
    } else {
        if (a->typed[0]) snprintf(a->search, sizeof a->search, "%.127s", a->typed);
        search_again(a, 1);
    }
}

static void type(struct app *a, const struct input_event *key) {
    size_t len = strlen(a->typed);
    char bytes[4];
    int suggested = a->is_suggested;
    a->is_suggested = 0;
    if (key->code == INPUT_ENTER) { end_prompt(a); return; }
    if (key->code == INPUT_ESC || (key->code == 'c' && key->mods & INPUT_CTRL)) { a->prompt = PROMPT_NONE; return; }
    if (a->prompt == PROMPT_PALETTE && (key->code == INPUT_UP || key->code == INPUT_DOWN)) {
        palette_step(a, key->code == INPUT_UP ? -1 : 1);
        return;
    }
    if (a->prompt == PROMPT_EXPORT && key->code == INPUT_TAB) {
        a->is_suggested = suggested;
        export_next_form(a);
        return;
    }
    if (key->code == INPUT_BACKSPACE) {
        if (len == 0) { a->prompt = PROMPT_NONE; return; }
        do len--; while (len && ((unsigned char)a->typed[len] & 0xc0) == 0x80);
        a->typed[len] = 0;
    } else if (key->code == 'u' && key->mods & INPUT_CTRL) {
        a->typed[0] = 0;
    } else if (key->code >= ' ' && key->code < INPUT_UP && key->code != 0x7f && !(key->mods & (INPUT_CTRL | INPUT_ALT))) {
        size_t n = text_encode(bytes, key->code);
        if (suggested) len = 0;            /* typing takes the place of what was suggested */
        if (len + n >= sizeof a->typed) return;
        memcpy(a->typed + len, bytes, n);
        a->typed[len + n] = 0;
    }
}

static void cancel_running(struct app *a) {
    struct jobs_now now = jobs_snapshot(a->jobs);
    if (export_cancel(a)) return;
    if (!a->jobs) app_say(a, STYLE_WARN, "%s", a->why_read_only);
    else if (now.id == 0) app_say(a, STYLE_NORMAL, "no job is running");
    else if (jobs_cancel(a->jobs, now.id) != OK) app_say(a, STYLE_ERROR, "%s", fail_reason());
    else app_say(a, STYLE_NORMAL, "stopping %s; finished parts stay", now.title);
}

/* Actions that mean the same on every screen. */
static void act_anywhere(struct app *a, enum action k) {
    switch (k) {
    case ACT_quit: app_leave(a); break;
    case ACT_back: app_back(a); break;
    case ACT_gallery: app_show(a, &screen_gallery); break;
    case ACT_ranking: app_show(a, &screen_ranking); break;
    case ACT_compare: app_show(a, &screen_compare); break;
    case ACT_self: app_show(a, &screen_self); break;
    case ACT_evaluation: app_show(a, &screen_evaluation); break;
    case ACT_jobs: app_show(a, &screen_jobs); break;
    case ACT_overall: app_show(a, &screen_overall); break;
    case ACT_set: app_show(a, &screen_set); break;
    case ACT_mark: case ACT_note: case ACT_reverse: act_on_selected(a, k); break;
    case ACT_help: app_over(a, &screen_help); break;
    case ACT_export: export_begin(a); break;
    case ACT_open_other: picker_show(a); break;
    case ACT_cancel: cancel_running(a); break;
    case ACT_query_next: gallery_step_query(a, 1); break;
    case ACT_query_back: gallery_step_query(a, -1); break;
    case ACT_step_back: history_go(a, -1); break;
    case ACT_step_on: history_go(a, 1); break;
    case ACT_generate: generate_new(a); break;
    case ACT_search: begin_prompt(a, PROMPT_SEARCH); break;
    case ACT_search_next: search_again(a, 1); break;
    case ACT_search_back: search_again(a, -1); break;
    case ACT_palette: begin_prompt(a, PROMPT_PALETTE); break;
    case ACT_filter: begin_prompt(a, PROMPT_FILTER); break;
    case ACT_line: a->shows_line = !a->shows_line; break;
    case ACT_redraw:
        pictures_forget(a->pictures);     /* what could not be read may be there now */
        if (a->term) term_redraw(a->term);
        break;
    case ACT_suspend: if (a->term) term_suspend(a->term); break;
    default: break;
    }
}

void app_act(struct app *a, enum action k) {
    if (!app_top(a)->act(a, k)) act_anywhere(a, k);
}

static int is_movement(enum action k) {
    return k == ACT_up || k == ACT_down || k == ACT_left || k == ACT_right || k == ACT_page_up || k == ACT_page_down ||
           k == ACT_first || k == ACT_last;
}

/* A key that does nothing now says why, unless its screen does. */
static void act_or_say_why(struct app *a, enum action k) {
    const char *why = key_why_not(a, k);
    char text[200];
    snprintf(text, sizeof text, "%s", why ? why : "");
    app_act(a, k);
    if (text[0] && !a->message[0] && a->prompt == PROMPT_NONE) app_say(a, STYLE_WARN, "%s", text);
}

static void say_unbound(struct app *a, const struct input_event *key) {
    char name[32];
    if (app_top(a) == &screen_ask) return;
    input_key_name(name, sizeof name, key);
    app_say(a, STYLE_NORMAL, "%s does nothing on this screen; %s lists the keys, %s finds one by its words", name, key_for(a, ACT_help),
            key_for(a, ACT_palette));
}

void app_key(struct app *a, const struct input_event *key) {
    if (a->prompt != PROMPT_NONE) {
        struct place at = history_here(a);
        type(a, key);
        history_note(a, &at, 0);
        return;
    }
    enum action k = keys_action(&a->keys, app_top(a)->context, key);
    /* Pressed once too often, it would take all away; q leaves. */
    if (k == ACT_back && key->code == INPUT_ESC && a->depth <= 1) {
        app_say(a, STYLE_NORMAL, "this is the first screen; %s leaves", key_for(a, ACT_quit));
        return;
    }
    struct place before = history_here(a);
    a->message[0] = 0;
    if (k == ACT_NONE) say_unbound(a, key);
    else act_or_say_why(a, k);
    history_note(a, &before, is_movement(k));
}

/* What lies there; NULL: nothing.  The later drawn lies on top. */
static const struct spot *spot_at(const struct app *a, size_t row, size_t col) {
    for (size_t i = a->n_spots; i-- > 0;) {
        const struct spot *p = &a->spot[i];
        if (row >= p->row && row < p->row + p->rows && col >= p->col && col < p->col + p->cols) return p;
    }
    return NULL;
}

static void click_at(struct app *a, size_t id, int twice) {
    const struct screen *s = app_top(a);
    if (id >= PALETTE_SPOT) {
        a->palette_at = id - PALETTE_SPOT;
        if (twice) end_prompt(a);
    } else if (a->prompt != PROMPT_NONE) {
        return;
    } else if (id >= FOOTER_SPOT) {
        act_or_say_why(a, (enum action)(id - FOOTER_SPOT));
    } else if (s->click) {
        s->click(a, id, twice);
    }
}

void app_mouse(struct app *a, const struct input_event *m) {
    const struct screen *s = app_top(a);
    if (m->press != 1) return;
    if (m->button == INPUT_WHEEL_UP || m->button == INPUT_WHEEL_DOWN) {
        int down = m->button == INPUT_WHEEL_DOWN;
        if (a->prompt == PROMPT_PALETTE) palette_step(a, down ? 1 : -1);
        if (a->prompt != PROMPT_NONE) return;
        a->message[0] = 0;
        if (s->wheel) s->wheel(a, down);
        return;
    }
    const struct spot *p = m->button == INPUT_BUTTON_LEFT ? spot_at(a, m->row, m->col) : NULL;
    if (!p) return;
    double now = clock_s();
    size_t id = p->id;
    int twice = id == a->clicked_id && now - a->clicked < DOUBLE_CLICK_S;
    if (a->prompt == PROMPT_NONE) a->message[0] = 0;
    a->clicked = twice ? 0 : now;
    a->clicked_id = id;
    struct place before = history_here(a);
    click_at(a, id, twice);
    history_note(a, &before, 0);
}
