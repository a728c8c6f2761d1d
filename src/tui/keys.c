/* keys.c - the key maps of all contexts, made from actions.def. */
#include "keys.h"

#include "dtrak/text.h"
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

/* --- as text --- */

static const struct { enum action action; uint32_t key, other; const char *name, *footer, *help; } row[] = {
#define EVERY_GROUP(name, key, other, footer, help) { ACT_##name, key, other, #name, footer, help },
#include "actions.def"
};

static void name_key(char out[16], uint32_t key) {
    static const struct { uint32_t code; const char *name; } special[] = {
        { INPUT_UP, "Up" }, { INPUT_DOWN, "Down" }, { INPUT_LEFT, "Left" }, { INPUT_RIGHT, "Right" },
        { INPUT_HOME, "Home" }, { INPUT_END, "End" }, { INPUT_PGUP, "PgUp" }, { INPUT_PGDN, "PgDn" },
        { INPUT_TAB, "Tab" }, { INPUT_BACKTAB, "Shift-Tab" }, { INPUT_ENTER, "Enter" },
        { INPUT_ESC, "Esc" }, { INPUT_BACKSPACE, "Backspace" }, { INPUT_INSERT, "Insert" },
        { INPUT_DELETE, "Delete" }, { ' ', "Space" },
    };
    out[0] = 0;
    if (key >= 0xf0000000u) return;   /* NO_KEY */
    for (size_t i = 0; i < sizeof special / sizeof special[0]; i++)
        if (special[i].code == key) { snprintf(out, 16, "%s", special[i].name); return; }
    if (key & (uint32_t)INPUT_CTRL << 24) snprintf(out, 16, "Ctrl-%c", (int)(key & 0x7f) - 'a' + 'A');
    else if (key >= INPUT_F1 && key <= INPUT_F12) snprintf(out, 16, "F%d", (int)(key - INPUT_F1) + 1);
    else {
        size_t n = text_encode(out, key);
        out[n] = 0;
    }
}

/* --- the user's keys --- */

enum { ROWS = sizeof row / sizeof row[0] };
static const uint32_t no_key = 0xf0000000u;

static int is_in(enum context c, size_t i) { return map[c](row[i].key) == row[i].action; }

void keys_name(char out[32], enum action k) {
    out[0] = 0;
    for (size_t i = 0; i < ROWS; i++)
        if (row[i].action == k) snprintf(out, 32, "%s", row[i].name);
    for (char *c = out; *c; c++)
        if (*c == '_') *c = '-';
}

void keymap_start(struct keymap *m) {
    memset(m, 0, sizeof *m);
    for (size_t i = 0; i < ROWS; i++) {
        m->key[row[i].action] = row[i].key;
        m->other[row[i].action] = row[i].other;
        name_key(m->name[row[i].action], row[i].key);
    }
}

static uint32_t code_of(const struct input_event *key) {
    return key->mods & INPUT_CTRL ? CTRL(key->code) : key->code;
}

static enum action find_action(const char *name) {
    char its[32];
    for (int k = ACT_NONE + 1; k < ACT_COUNT; k++) {
        keys_name(its, (enum action)k);
        if (strcmp(its, name) == 0) return (enum action)k;
    }
    return ACT_NONE;
}

enum status keymap_bind(struct keymap *m, const char *key, const char *action, size_t line) {
    struct input_event e;
    enum action k = find_action(action);
    memset(&e, 0, sizeof e);
    if (k == ACT_NONE) return fail(ERR_USAGE, "'%s' is not an action; the manual page lists them beside their keys", action);
    TRY(input_key_parse(&e, key));
    if (e.mods & INPUT_ALT) return fail(ERR_USAGE, "'%s': keys with Alt cannot be bound", key);
    if (m->bound[k] == 2) return fail(ERR_USAGE, "'%s' has two keys already", action);
    if (m->bound[k]++) m->other[k] = code_of(&e);
    else m->key[k] = code_of(&e);
    name_key(m->name[k], m->key[k]);
    m->line[k] = line;
    m->changed = 1;
    return OK;
}

static int share_a_key(const struct keymap *m, enum action a, enum action b, uint32_t *key) {
    const uint32_t of_a[] = { m->key[a], m->other[a] }, of_b[] = { m->key[b], m->other[b] };
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++)
            if (of_a[i] < no_key && of_a[i] == of_b[j]) { *key = of_a[i]; return 1; }
    return 0;
}

enum status keymap_check(const struct keymap *m, size_t *line) {
    uint32_t key;
    for (int c = 0; c < CONTEXT_COUNT; c++)
        for (size_t i = 0; i < ROWS; i++)
            for (size_t j = 0; j < i; j++) {
                enum action a = row[i].action, b = row[j].action;
                if (!is_in((enum context)c, i) || !is_in((enum context)c, j) || !share_a_key(m, a, b, &key)) continue;
                char text[16], first[32], second[32];
                name_key(text, key);
                keys_name(first, a);
                keys_name(second, b);
                *line = m->line[a] > m->line[b] ? m->line[a] : m->line[b];
                return fail(ERR_USAGE, "the key %s would mean both '%s' and '%s' (%s); bind one of them to another key", text,
                            m->line[a] > m->line[b] ? first : second, m->line[a] > m->line[b] ? second : first,
                            context_name((enum context)c));
            }
    return OK;
}

enum action keys_action(const struct keymap *m, enum context c, const struct input_event *key) {
    uint32_t code = code_of(key);
    if (key->mods & INPUT_ALT) return ACT_NONE;
    for (size_t i = 0; i < ROWS; i++)
        if ((m->key[row[i].action] == code || m->other[row[i].action] == code) && is_in(c, i)) return row[i].action;
    return ACT_NONE;
}

/* The footer's words with the keys that hold: those of "[ ] λ" are two actions', those of
 * "1-8 screens" eight. */
static void footer_of(const struct keymap *m, size_t i, char *out, size_t size) {
    const char *text = row[i].footer, *word = strrchr(text, ' ');
    char key[16], next[16];
    int has_keys = word && text[0] == (char)row[i].key && strchr(" -", text[1]), range = has_keys && text[1] == '-';
    enum action k = row[i].action;
    snprintf(out, size, "%s", text);
    if (!m->changed || !has_keys) return;
    for (uint32_t n = 0; range && n < 8; n++)
        if (m->key[k + n] != row[i].key + n) range = 0;
    if (range) return;
    name_key(key, m->key[k]);
    name_key(next, m->key[k + 1]);
    if (text[1] == ' ' && text + 1 != word) snprintf(out, size, "%s %s%s", key, next, word);
    else snprintf(out, size, "%s%s", key, word);
}

size_t keys_lines(const struct keymap *m, enum context c, struct key_line *out, size_t max) {
    size_t n = 0;
    for (size_t i = 0; i < ROWS && n < max; i++) {
        if (!is_in(c, i)) continue;
        struct key_line *l = &out[n++];
        l->action = row[i].action;
        l->help = row[i].help;
        footer_of(m, i, l->footer, sizeof l->footer);
        name_key(l->key, m->key[l->action]);
        name_key(l->other, m->other[l->action]);
    }
    return n;
}

size_t keys_list(const struct keymap *m, enum context c, struct key_line *out, size_t max) {
    size_t n = keys_lines(m, c, out, max), at = 0;
    while (at < n && out[at].action != ACT_cancel) at++;
    if (at + 1 >= n) return n;
    struct key_line cancel = out[at];
    memmove(out + at, out + at + 1, (n - at - 1) * sizeof *out);
    out[n - 1] = cancel;
    return n;
}

void tui_print_keys(FILE *out) {
    for (size_t i = 0; i < ROWS; i++) {
        char key[16], other[16], name[32], where[160] = "";
        size_t on = 0, screens = 0;
        for (int c = 0; c < CONTEXT_COUNT; c++) {
            if (!is_in((enum context)c, i)) continue;
            screens += c != IN_HELP && c != IN_ASK && c != IN_PICKER;
            snprintf(where + strlen(where), sizeof where - strlen(where), "%s%s", on++ ? " " : "",
                     context_name((enum context)c));
        }
        name_key(key, row[i].key);
        name_key(other, row[i].other);
        keys_name(name, row[i].action);
        fprintf(out, "%s%s%s\t%s\t%s\t%s\n", key, other[0] ? " " : "", other,
                on == CONTEXT_COUNT ? "everywhere" : screens == CONTEXT_COUNT - 3 ? "every screen" : where, name, row[i].help);
    }
}
