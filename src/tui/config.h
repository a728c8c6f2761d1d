/* config.h - what the user wrote down: keys, and what holds when an option is not given.
 *
 * Lines of words; # begins a comment.
 *     graphics sixel      colors 128      cell 10x20      mouse off      threads 4
 *     screen ranking      top 20          read-only on    background light
 *     bind KEY ACTION                     keys and actions as in the manual page */
#ifndef TUI_CONFIG_H
#define TUI_CONFIG_H

#include "keys.h"

#include "dtrak/err.h"

#include <stddef.h>

struct config {
    struct keymap keys;
    char graphics[16], screen[16], background[8];              /* "": not said, as 0 and -1 below */
    size_t colours, cell_w, cell_h, threads, top;
    int mouse, read_only;
};

void config_start(struct config *c);

/* ERR_USAGE names file, line, what was found and what is expected; ERR_MISSING: there is no
 * such file. */
enum status config_read(struct config *c, const char *path);

/* $NAME/dtrak/FILE where NAME holds an absolute path, else $HOME/OTHERWISE/dtrak/FILE; 0: there
 * is no such place. */
int config_place(char *out, size_t size, const char *name, const char *otherwise, const char *file);

#endif
