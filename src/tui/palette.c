/* palette.c - the : line: every action that a key has here, found by its words, and
 * items by their names. */
#include "app.h"

#include "dtrak/text.h"

#include <ctype.h>
#include <string.h>

enum { SHOWN = 10 };

static int has_word(const char *text, const char *word, size_t len) {
    for (; *text; text++) {
        size_t i = 0;
        while (i < len && tolower((unsigned char)text[i]) == tolower((unsigned char)word[i])) i++;
        if (i == len) return 1;
    }
    return 0;
}

/* Every word of what was typed stands in the help line or is the key. */
static int matches(const struct key_line *l, const char *typed) {
    for (;;) {
        while (*typed == ' ') typed++;
        size_t len = strcspn(typed, " ");
        if (!len) return 1;
        if (!has_word(l->help, typed, len) && !(strlen(l->key) == len && !strncmp(l->key, typed, len))) return 0;
        typed += len;
    }
}

static size_t found(const struct app *a, struct key_line *out, size_t max) {
    struct key_line all[80];
    size_t n = 0, count = keys_list(&a->keys, app_top(a)->context, all, 80);
    for (size_t i = 0; i < count && n < max; i++)
        if (all[i].action != ACT_palette && matches(&all[i], a->typed)) out[n++] = all[i];
    return n;
}

/* 1: it was an item's name, and that is shown now, or said not to be there. */
static int jump(struct app *a) {
    struct item_ref ref;
    if (a->has_query && a->typed[0] && !a->typed[strspn(a->typed, "0123456789")]) {   /* a number alone: of the present split */
        char name[48];
        snprintf(name, sizeof name, "%s:%.20s", split_name(a->query.split), a->typed);
        snprintf(a->typed, sizeof a->typed, "%s", name);
    }
    if (!strchr(a->typed, ':') || item_ref_parse(&ref, a->typed) != OK) return 0;
    size_t count = a->catalog.count[ref.split];
    if (ref.index >= count) {
        app_say(a, STYLE_WARN, "there is no %s: the database has %zu %s items", a->typed, count, split_name(ref.split));
    } else if (ref.split != SPLIT_TRAIN) {
        app_set_query(a, ref);
    } else {
        detail_open(a, ref);
    }
    return 1;
}

void palette_enter(struct app *a) {
    struct key_line l[80];
    size_t n = found(a, l, 80);
    if (jump(a)) return;
    if (n == 0) app_say(a, STYLE_WARN, "no action here has '%s' in its help line", a->typed);
    else app_act(a, l[a->palette_at < n ? a->palette_at : n - 1].action);
}

void palette_step(struct app *a, int by) {
    struct key_line l[80];
    size_t n = found(a, l, 80);
    if (by < 0 ? a->palette_at > 0 : a->palette_at + 1 < n) a->palette_at += by < 0 ? (size_t)-1 : 1;
}

void palette_draw(struct app *a, struct frame *f) {
    struct key_line l[80];
    size_t rows = frame_rows(f), cols = frame_cols(f), n = found(a, l, 80);
    size_t shown = n < SHOWN ? n : SHOWN, w = cols < 80 ? cols : 80;
    if (rows < shown + 4) shown = rows > 4 ? rows - 4 : 0;
    if (!shown || w < 20) return;
    if (a->palette_at >= n) a->palette_at = n - 1;
    size_t top = a->palette_at < shown ? 0 : a->palette_at - shown + 1, row = rows - 3 - shown;
    frame_fill(f, row, 0, shown + 2, w, STYLE_NORMAL, ' ');
    frame_box(f, row, 0, shown + 2, w, STYLE_FOCUS, "actions here; or an item, as gen:17");
    for (size_t i = 0; i < shown; i++) {
        const struct key_line *k = &l[top + i];
        enum style style = top + i == a->palette_at ? STYLE_SELECTED : STYLE_NORMAL;
        frame_fill(f, row + 1 + i, 1, 1, w - 2, style, ' ');
        if (style == STYLE_SELECTED) frame_text(f, row + 1 + i, 1, style, ">");
        frame_text_in(f, row + 1 + i, 2, 9, style == STYLE_SELECTED ? style : STYLE_ACCENT, k->key);
        frame_text_in(f, row + 1 + i, 12, w > 14 ? w - 14 : 0, style, k->help);
        app_spot(a, row + 1 + i, 1, 1, w - 2, PALETTE_SPOT + top + i);
    }
}
