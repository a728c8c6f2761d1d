/* input.h - bytes from a terminal to keys, mouse reports and answers.
 *
 * One parser for everything a terminal sends, so that an answer that comes late
 * is still an answer and never becomes a key.  Pure and of bounded size: feed it
 * bytes in any pieces; call input_timeout() when input_wait_ms() passed without
 * one.  Names of keys ("down", "ctrl-l", "f", "pgdn") serve scripts and help. */
#ifndef DTRAK_INPUT_H
#define DTRAK_INPUT_H

#include "dtrak/err.h"

#include <stddef.h>
#include <stdint.h>

/* A key's code is its Unicode code point, or one of these. */
enum input_code {
    INPUT_UP = 0x110000, INPUT_DOWN, INPUT_LEFT, INPUT_RIGHT,
    INPUT_HOME, INPUT_END, INPUT_PGUP, INPUT_PGDN, INPUT_INSERT, INPUT_DELETE,
    INPUT_TAB, INPUT_BACKTAB, INPUT_ENTER, INPUT_ESC, INPUT_BACKSPACE,
    INPUT_F1, INPUT_F12 = INPUT_F1 + 11,
    INPUT_CODE_END
};

enum { INPUT_SHIFT = 1, INPUT_ALT = 2, INPUT_CTRL = 4 };

enum input_kind { INPUT_KEY = 1, INPUT_MOUSE, INPUT_REPLY };

enum input_button { INPUT_BUTTON_LEFT, INPUT_BUTTON_MIDDLE, INPUT_BUTTON_RIGHT,
                    INPUT_WHEEL_UP, INPUT_WHEEL_DOWN, INPUT_BUTTON_OTHER };

enum input_reply {
    REPLY_DA1 = 1,    /* args: the attributes, as numbers */
    REPLY_DA2,
    REPLY_GRAPHICS,   /* XTSMGRAPHICS: item, status, values... */
    REPLY_CELL_PX,    /* CSI 6 ; height ; width t */
    REPLY_TEXT_PX,    /* CSI 4 ; height ; width t: the text area */
    REPLY_MODE,       /* DECRPM: mode, state */
    REPLY_STATUS,     /* DSR: CSI n n */
    REPLY_CURSOR,     /* CPR: row, column */
    REPLY_KITTY,      /* text: what follows ESC _ G */
    REPLY_VERSION,    /* XTVERSION: text */
    REPLY_BACKGROUND, /* OSC 11: text, as rgb:1e1e/1e1e/1e1e */
    REPLY_OTHER       /* complete and well formed, but nothing we asked for */
};

#define INPUT_ARGS 24
#define INPUT_TEXT 96

struct input_event {
    enum input_kind kind;
    uint32_t code;        /* key: code point or enum input_code */
    unsigned mods;        /* key, mouse: INPUT_SHIFT | INPUT_ALT | INPUT_CTRL */
    enum input_button button;
    int press;            /* mouse: 1 pressed, 0 released, 2 moved with a button held */
    size_t row, col;      /* mouse: cell from 0 */
    enum input_reply reply;
    size_t arg_count;
    uint32_t args[INPUT_ARGS];
    char text[INPUT_TEXT];   /* reply: its string, cut to fit, printable ASCII only */
};

struct input {
    int state;
    unsigned char seq[256];   /* the sequence so far, without ESC */
    size_t len;               /* of it, also counting bytes that were not kept */
    uint32_t cp;              /* UTF-8 in progress */
    int need, alt;
    uint32_t least;
};

void input_init(struct input *in);

/* Takes one byte; returns how many events (0 to 2) it completed into ev[]. */
size_t input_feed(struct input *in, unsigned char byte, struct input_event ev[2]);

/* How long to wait for the rest of what began: 0 when nothing did. */
int input_wait_ms(const struct input *in);

/* The rest did not come: a lone ESC is the key, half a sequence is dropped.
 * Returns the number of events as above. */
size_t input_timeout(struct input *in, struct input_event ev[2]);

/* Reads one key name: a character, or up down left right home end pgup pgdn
 * insert delete tab backtab enter esc space backspace f1..f12, with any of
 * ctrl- alt- shift- before it; names in any case.  ERR_USAGE with the name in the message. */
enum status input_key_parse(struct input_event *out, const char *name);

/* The name that input_key_parse() reads back. */
void input_key_name(char *out, size_t size, const struct input_event *key);

/* Copies the next blank-separated word of a key script into word and moves
 * *script behind it; 0 at the end.  A word that is too long is cut. */
int input_script_next(const char **script, char *word, size_t size);

#endif
