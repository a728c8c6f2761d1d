/* tui.h - the explorer: gallery, ranking, comparison and jobs of a database, and a list to
 * pick one from.
 *
 * The same code runs on a terminal and without one.  With `keys` it reads the
 * script instead of the terminal and ends when the script does; with `dump` it
 * writes the last screen as text.  A script needs no terminal at all.
 *
 * A script is key names separated by blanks (`f`, `enter`, `pgdn`, `ctrl-l`: see
 * input.h), and
 *     @idle            waits until no job runs or is queued and nothing decodes
 *     @size:120x36     a resize
 *     @click:COL,ROW   a left click (cells from 0); @double:COL,ROW two of them
 *     @wheel:up        the wheel over the middle of the screen; @wheel:down
 *     @type:TEXT       the characters of TEXT one by one; `_` stands for a blank */
#ifndef DTRAK_TUI_H
#define DTRAK_TUI_H

#include "dtrak/err.h"

#include <stddef.h>
#include <stdio.h>

struct tui_options {
    const char *db;          /* path of the database; NULL: one is picked among paths */
    const char *query;       /* "gen:17": the query shown first; NULL: the first there is */
    const char *screen;      /* "gallery", "ranking", "compare", "self", "evaluation", "jobs", "overall", "marked"; NULL: ranking with a query, else gallery */
    const char *graphics;    /* auto sixel kitty iterm2 half ascii none; NULL: auto */
    size_t cell_w, cell_h;   /* pixels of a cell; 0: what the terminal says */
    size_t colours;          /* of a sixel's palette, 2..256; 0: by size and terminal */
    int read_only;           /* browse only, also where writing would be possible */
    size_t cols, rows;       /* of the screen; 0: the terminal's (80x24 without one) */
    const char *keys;        /* script; NULL: the keyboard */
    const char *dump;        /* file for the last screen as text, "-": stdout; NULL: none */
    int mouse;               /* 0: do not ask the terminal for mouse reports */
    size_t threads;          /* of a job; 0: all processors */
    const char *const *paths;   /* n_paths databases and folders to choose from */
    size_t n_paths;
    size_t top;              /* proponents, and opponents, in an exported picture or page; 0: 10 */
    const char *config;      /* file of keys and defaults; NULL: the user's, and none for a script */
    int fresh;               /* begin anew, whatever was shown last */
    int passthrough;         /* inside tmux: pictures go past it to the terminal outside */
    const char *background;  /* auto dark light; NULL: auto */
    int dump_is_new;         /* a dump replaces no file */
};
#define TUI_DEFAULTS { NULL, NULL, NULL, NULL, 0, 0, 0, 0, 0, 0, NULL, NULL, 1, 0, NULL, 0, 0, NULL, 0, 0, NULL, 0 }

/* On a terminal it begins with what was shown last of the database, and remembers that
 * at the end; scripts neither read nor write it.
 *
 * Runs until the user quits, the script ends, or a signal or hang-up asks for
 * it; the terminal is then as it was found and a running job has been stopped
 * with its finished units kept.
 * ERR_USAGE: an unknown screen, query, graphics or key name, a config file that
 * makes no sense (with its line), or no terminal and no `keys`.  Otherwise what opening the database, the terminal or the
 * dump file said. */
enum status tui_run(const struct tui_options *o);

/* The keys of every screen with their help lines, one "key TAB context TAB action TAB
 * help" per line, in the order of the help screen: for the manual page. */
void tui_print_keys(FILE *out);

#endif
