/* keys.c - the key maps of all contexts, made from actions.def. */
#include "keys.h"

#include "dtrak/tui.h"

#include <stdio.h>
#include <string.h>

/* Never a key; another number on every line, so that two of them are no duplicates. */
#define NO_KEY (0xf0000000u + (unsigned)__LINE__)

const char *context_name(enum context c) {
    static const char *const name[CONTEXT_COUNT] = { "gallery", "ranking", "compare", "self-influence", "evaluation", "jobs", "zoom", "marked", "reverse", "overall", "databases", "help", "question" };
    return name[c];
}

/* A context's map is a switch over its groups: the compiler refuses a key that
 * two of them claim. */
#define ROW(name, key, other, footer, help) case key: case other: return ACT_##name;

static enum action in_gallery(uint32_t key) {
    switch (key) {
#define ALWAYS ROW
#define MOVE ROW
#define SCREEN ROW
#define ABOUT ROW
#define QUERY ROW
#define GALLERY ROW
#define MARK ROW
#define FILTER ROW
#define EXPORT ROW
#include "actions.def"
    default: return ACT_NONE;
    }
}

static enum action in_ranking(uint32_t key) {
    switch (key) {
#define ALWAYS ROW
#define MOVE ROW
#define SCREEN ROW
#define ABOUT ROW
#define QUERY ROW
#define SETTING ROW
#define RANKING ROW
#define MARK ROW
#define ITEM ROW
#define FILTER ROW
#define EXPORT ROW
#include "actions.def"
    default: return ACT_NONE;
    }
}

static enum action in_compare(uint32_t key) {
    switch (key) {
#define ALWAYS ROW
#define MOVE ROW
#define SCREEN ROW
#define ABOUT ROW
#define QUERY ROW
#define SETTING ROW
#define COMPARE ROW
#define MARK ROW
#define ITEM ROW
#define EXPORT ROW
#include "actions.def"
    default: return ACT_NONE;
    }
}

static enum action in_self(uint32_t key) {
    switch (key) {
#define ALWAYS ROW
#define MOVE ROW
#define SCREEN ROW
#define ABOUT ROW
#define QUERY ROW
#define SELF ROW
#define MARK ROW
#define ITEM ROW
#define EXPORT ROW
#include "actions.def"
    default: return ACT_NONE;
    }
}

static enum action in_evaluation(uint32_t key) {
    switch (key) {
#define ALWAYS ROW
#define MOVE ROW
#define SCREEN ROW
#define ABOUT ROW
#define EVALUATION ROW
#include "actions.def"
    default: return ACT_NONE;
    }
}

static enum action in_jobs(uint32_t key) {
    switch (key) {
#define ALWAYS ROW
#define MOVE ROW
#define SCREEN ROW
#define ABOUT ROW
#define JOBS ROW
#include "actions.def"
    default: return ACT_NONE;
    }
}

static enum action in_detail(uint32_t key) {
    switch (key) {
#define ALWAYS ROW
#define MOVE ROW
#define SCREEN ROW
#define ABOUT ROW
#define DETAIL ROW
#define MARK ROW
#define ITEM ROW
#include "actions.def"
    default: return ACT_NONE;
    }
}

static enum action in_set(uint32_t key) {
    switch (key) {
#define ALWAYS ROW
#define MOVE ROW
#define SCREEN ROW
#define ABOUT ROW
#define QUERY ROW
#define MARK ROW
#define ITEM ROW
#define SET ROW
#define EXPORT ROW
#include "actions.def"
    default: return ACT_NONE;
    }
}

static enum action in_reverse(uint32_t key) {
    switch (key) {
#define ALWAYS ROW
#define MOVE ROW
#define SCREEN ROW
#define ABOUT ROW
#define QUERY ROW
#define REVERSE ROW
#define EXPORT ROW
#include "actions.def"
    default: return ACT_NONE;
    }
}

static enum action in_overall(uint32_t key) {
    switch (key) {
#define ALWAYS ROW
#define MOVE ROW
#define SCREEN ROW
#define ABOUT ROW
#define QUERY ROW
#define MARK ROW
#define ITEM ROW
#define OVERALL ROW
#define EXPORT ROW
#include "actions.def"
    default: return ACT_NONE;
    }
}

static enum action in_picker(uint32_t key) {
    switch (key) {
#define ALWAYS ROW
#define MOVE ROW
#define ABOUT ROW
#define PICKER ROW
#include "actions.def"
    default: return ACT_NONE;
    }
}

static enum action in_help(uint32_t key) {
    switch (key) {
#define ALWAYS ROW
#define MOVE ROW
#define HELP ROW
#include "actions.def"
    default: return ACT_NONE;
    }
}

static enum action in_ask(uint32_t key) {
    switch (key) {
#define ALWAYS ROW
#define ASK ROW
#include "actions.def"
    default: return ACT_NONE;
    }
}
#undef ROW

static enum action (*const map[CONTEXT_COUNT])(uint32_t key) = {
    in_gallery, in_ranking, in_compare, in_self, in_evaluation, in_jobs, in_detail, in_set, in_reverse, in_overall, in_picker, in_help, in_ask
};

enum action keys_action(enum context c, const struct input_event *key) {
    uint32_t code = key->code;
    if (key->mods & INPUT_ALT) return ACT_NONE;
    if (key->mods & INPUT_CTRL) code |= (uint32_t)INPUT_CTRL << 24;
    return map[c](code);
}

/* --- as text --- */

static const struct { enum action action; uint32_t key, other; const char *footer, *help; } row[] = {
#define ROW(name, key, other, footer, help) { ACT_##name, key, other, footer, help },
#define ALWAYS ROW
#define MOVE ROW
#define SCREEN ROW
#define ABOUT ROW
#define QUERY ROW
#define GALLERY ROW
#define SETTING ROW
#define RANKING ROW
#define COMPARE ROW
#define SELF ROW
#define EVALUATION ROW
#define JOBS ROW
#define DETAIL ROW
#define MARK ROW
#define FILTER ROW
#define ITEM ROW
#define SET ROW
#define REVERSE ROW
#define OVERALL ROW
#define PICKER ROW
#define EXPORT ROW
#define HELP ROW
#define ASK ROW
#include "actions.def"
#undef ROW
};

static void name_key(char out[16], uint32_t key) {
    static const struct { uint32_t code; const char *name; } special[] = {
        { INPUT_UP, "Up" }, { INPUT_DOWN, "Down" }, { INPUT_LEFT, "Left" }, { INPUT_RIGHT, "Right" },
        { INPUT_HOME, "Home" }, { INPUT_END, "End" }, { INPUT_PGUP, "PgUp" }, { INPUT_PGDN, "PgDn" },
        { INPUT_TAB, "Tab" }, { INPUT_BACKTAB, "Shift-Tab" }, { INPUT_ENTER, "Enter" },
        { INPUT_ESC, "Esc" }, { INPUT_F1, "F1" }, { ' ', "Space" },
    };
    out[0] = 0;
    if (key >= 0xf0000000u) return;
    for (size_t i = 0; i < sizeof special / sizeof special[0]; i++)
        if (special[i].code == key) { snprintf(out, 16, "%s", special[i].name); return; }
    if (key & (uint32_t)INPUT_CTRL << 24) snprintf(out, 16, "Ctrl-%c", (int)(key & 0x7f) - 'a' + 'A');
    else snprintf(out, 16, "%c", (int)(key & 0x7f));
}

size_t keys_lines(enum context c, struct key_line *out, size_t max) {
    size_t n = 0;
    for (size_t i = 0; i < sizeof row / sizeof row[0] && n < max; i++) {
        if (map[c](row[i].key) != row[i].action) continue;
        struct key_line *l = &out[n++];
        l->action = row[i].action;
        l->footer = row[i].footer;
        l->help = row[i].help;
        name_key(l->key, row[i].key);
        name_key(l->other, row[i].other);
    }
    return n;
}

void tui_print_keys(FILE *out) {
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        char key[16], other[16], where[128] = "";
        size_t on = 0, screens = 0;
        for (int c = 0; c < CONTEXT_COUNT; c++) {
            if (map[c](row[i].key) != row[i].action) continue;
            screens += c != IN_HELP && c != IN_ASK && c != IN_PICKER;
            snprintf(where + strlen(where), sizeof where - strlen(where), "%s%s", on++ ? " " : "",
                     context_name((enum context)c));
        }
        name_key(key, row[i].key);
        name_key(other, row[i].other);
        fprintf(out, "%s%s%s\t%s\t%s\n", key, other[0] ? " " : "", other,
                on == CONTEXT_COUNT ? "everywhere" : screens == CONTEXT_COUNT - 3 ? "every screen" : where, row[i].help);
    }
}
