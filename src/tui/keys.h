/* keys.h - actions, and which key means which where.  See actions.def. */
#ifndef TUI_KEYS_H
#define TUI_KEYS_H

#include "dtrak/err.h"
#include "dtrak/input.h"

#include <stddef.h>
#include <stdint.h>

#define CTRL(c) ((uint32_t)(c) | (uint32_t)INPUT_CTRL << 24)

enum action {
    ACT_NONE,
#define EVERY_GROUP(name, key, other, footer, help) ACT_##name,
#include "actions.def"
    ACT_COUNT
};

/* Where keys are read: each has its own map. */
enum context { IN_GALLERY, IN_RANKING, IN_COMPARE, IN_SELF, IN_EVALUATION, IN_JOBS, IN_DETAIL, IN_SET, IN_REVERSE, IN_OVERALL, IN_PICKER, IN_HELP, IN_ASK, CONTEXT_COUNT };

const char *context_name(enum context c);

/* The keys of all actions: those of actions.def, or as the user bound them. */
struct keymap {
    uint32_t key[ACT_COUNT], other[ACT_COUNT];
    char name[ACT_COUNT][16];    /* of key, as a person reads it: "Enter" */
    size_t line[ACT_COUNT];      /* of the file that bound it last; 0: none did */
    int bound[ACT_COUNT];        /* how many of the two are the user's */
    int changed;
};
void keymap_start(struct keymap *m);
/* The first key bound to an action takes the place of its key, a second one that of its other
 * key.  key as in input_key_parse(), action as keys_name() writes it.  ERR_USAGE. */
enum status keymap_bind(struct keymap *m, const char *key, const char *action, size_t line);
/* ERR_USAGE: a key means two things in one context; *line is where the later was bound. */
enum status keymap_check(const struct keymap *m, size_t *line);

/* "method-next" */
void keys_name(char out[32], enum action k);

/* What a key means here; ACT_NONE: nothing. */
enum action keys_action(const struct keymap *m, enum context c, const struct input_event *key);

/* One line of the list; key names are as a person reads them ("Enter", "Ctrl-L").  footer: what
 * the line at the bottom says, "m method"'s "method" or, with the keys, "[ ] λ"; "" keeps it out. */
struct key_line { enum action action; const char *help; char footer[40], key[16], other[16]; };

/* Lines that are on in a context, in order; returns how many (at most max). */
size_t keys_lines(const struct keymap *m, enum context c, struct key_line *out, size_t max);
/* The same for a list to read: "cancel", first in the footer while something runs, comes last. */
size_t keys_list(const struct keymap *m, enum context c, struct key_line *out, size_t max);

#endif
