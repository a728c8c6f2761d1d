/* history.c - back and forward through where one has been: screen, query, item.
 *
 * A step is noted when a key or click led somewhere else; moving about in a list is none. */
#include "app.h"

#include <string.h>

static int same_item(struct item_ref a, struct item_ref b) { return a.split == b.split && a.index == b.index; }

struct place history_here(const struct app *a) {
    struct place p;
    memset(&p, 0, sizeof p);
    p.screen = app_top(a);
    p.generation = a->generation;
    p.steps = a->history.steps;
    p.query = a->query;
    p.has_query = a->has_query;
    p.pane = a->ranking.pane;
    p.cursor[0] = a->ranking.cursor[0];
    p.cursor[1] = a->ranking.cursor[1];
    p.item = p.screen == &screen_detail ? a->detail.ref : p.screen == &screen_reverse ? a->reverse.ref : (struct item_ref){ SPLIT_TRAIN, 0 };
    return p;
}

static int can_return(const struct screen *s) { return s != &screen_help && s != &screen_ask && s != &screen_picker; }

/* Worth going back to?  The next item of a list is not. */
static int is_step(const struct place *from, const struct place *to, int moved) {
    if (!can_return(from->screen) || !can_return(to->screen)) return 0;
    if (from->screen != to->screen) return 1;
    if (from->screen == &screen_gallery || moved) return 0;
    return !same_item(from->query, to->query) || !same_item(from->item, to->item);
}

void history_note(struct app *a, const struct place *before, int moved) {
    struct place now = history_here(a);
    size_t max = sizeof a->history.place / sizeof a->history.place[0];
    if (before->generation != now.generation || before->steps != now.steps || !is_step(before, &now, moved)) return;
    if (a->history.at == max) {
        memmove(a->history.place, a->history.place + 1, (max - 1) * sizeof a->history.place[0]);
        a->history.at--;
    }
    a->history.place[a->history.at++] = *before;
    a->history.count = a->history.at;
}

static void go_to(struct app *a, const struct place *p) {
    if (p->has_query && p->query.index < a->catalog.count[p->query.split] && !same_item(p->query, a->query)) app_set_query(a, p->query);
    if (p->item.index >= a->catalog.count[p->item.split]) app_show(a, &screen_ranking);
    else if (p->screen == &screen_detail) detail_open(a, p->item);
    else if (p->screen == &screen_reverse) reverse_open(a, p->item);
    else app_show(a, p->screen);
    a->ranking.pane = p->pane;
    a->ranking.cursor[0] = p->cursor[0];
    a->ranking.cursor[1] = p->cursor[1];
    ranking_clamp(a);
}

/* Places below `at` lie behind; those from `at` on ahead.  Where one is changes places with
 * where one goes. */
void history_go(struct app *a, int by) {
    struct place here = history_here(a);
    if (by < 0 ? a->history.at == 0 : a->history.at >= a->history.count) {
        app_say(a, STYLE_NORMAL, by < 0 ? "this is where it began" : "this is the latest place");
        return;
    }
    a->history.steps++;
    if (by < 0) a->history.at--;
    struct place to = a->history.place[a->history.at];
    a->history.place[a->history.at] = here;
    if (by > 0) a->history.at++;
    go_to(a, &to);
}
