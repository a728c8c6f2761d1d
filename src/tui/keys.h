/* keys.h - actions, and which key means which where.  See actions.def. */
#ifndef TUI_KEYS_H
#define TUI_KEYS_H

#include "dtrak/input.h"

#include <stddef.h>
#include <stdint.h>

#define CTRL(c) ((uint32_t)(c) | (uint32_t)INPUT_CTRL << 24)

enum action {
    ACT_NONE,
#define ROW(name, key, other, footer, help) ACT_##name,
#define ALWAYS ROW
#define MOVE ROW
#define SCREEN ROW
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
#define ABOUT ROW
#define HELP ROW
#define ASK ROW
#include "actions.def"
#undef ROW
    ACT_COUNT
};

/* Where keys are read: each has its own map. */
enum context { IN_GALLERY, IN_RANKING, IN_COMPARE, IN_SELF, IN_EVALUATION, IN_JOBS, IN_DETAIL, IN_SET, IN_REVERSE, IN_OVERALL, IN_PICKER, IN_HELP, IN_ASK, CONTEXT_COUNT };

const char *context_name(enum context c);

/* What a key means here; ACT_NONE: nothing. */
enum action keys_action(enum context c, const struct input_event *key);

/* One line of the list; key names are as a person reads them ("Enter", "^L"). */
struct key_line { enum action action; const char *footer, *help; char key[16], other[16]; };

/* Lines that are on in a context, in order; returns how many (at most max). */
size_t keys_lines(enum context c, struct key_line *out, size_t max);

#endif
