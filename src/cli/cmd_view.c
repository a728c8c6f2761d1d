/* cmd_view.c - dtrak view DB: the explorer, on a terminal or by a script. */
#include "dtrak/cli.h"
#include "dtrak/tui.h"

#include <string.h>

static const struct option options[] = {
    { "query", 1, "ITEM", "start with this item, as gen:17" },
    { "screen", 1, "NAME", "gallery, ranking or jobs" },
    { "graphics", 1, "HOW", "auto sixel half half256 ascii none (auto)" },
    { "read-only", 0, NULL, "browse only" },
    { "no-mouse", 0, NULL, "leave the mouse to the terminal" },
    { "threads", 1, "N", "threads of a computation (all processors)" },
    { "size", 1, "WxH", "cells, when there is no terminal (80x24)" },
    { "keys", 1, "KEYS", "keys to press, then end: 'j Enter f @idle'" },
    { "dump", 1, "FILE", "write the last screen as text; - is the standard output" },
    { NULL, 0, NULL, NULL },
};

static enum status read_dimensions(const char *text, struct tui_options *o) {
    char word[32];
    const char *x = strchr(text, 'x');
    if (!x || (size_t)(x - text) >= sizeof word)
        return fail(ERR_USAGE, "--size '%s' is not WIDTHxHEIGHT, as in 120x36", text);
    memcpy(word, text, (size_t)(x - text));
    word[x - text] = 0;
    TRY(args_parse_size(word, "width of --size", 1, 1000, &o->cols));
    return args_parse_size(x + 1, "height of --size", 1, 1000, &o->rows);
}

static enum status run_view(const struct args *a) {
    struct tui_options o = TUI_DEFAULTS;
    o.db = a->file[0];
    o.query = args_text(a, "query", NULL);
    o.screen = args_text(a, "screen", NULL);
    o.graphics = args_text(a, "graphics", NULL);
    o.read_only = args_has(a, "read-only");
    o.mouse = !args_has(a, "no-mouse");
    o.keys = args_text(a, "keys", NULL);
    o.dump = args_text(a, "dump", NULL);
    TRY(args_size(a, "threads", 1, 1024, &o.threads));
    if (args_has(a, "size")) TRY(read_dimensions(args_text(a, "size", ""), &o));
    /* A dump alone is the first screen. */
    if (o.dump && !o.keys) o.keys = "";
    return tui_run(&o);
}

const struct command command_view = {
    "view", "DB", "browse a database in the terminal",
    options, 1, 1,
    "  dtrak my.db\n"
    "  dtrak view my.db --query gen:17 --graphics half\n"
    "  dtrak view my.db --size 120x36 --graphics none --keys '2 f f c' --dump screen.txt\n", run_view
};
