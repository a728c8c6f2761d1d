/* cmd_view.c - dtrak view DB: the explorer, on a terminal or by a script. */
#include "dtrak/cli.h"
#include "dtrak/databases.h"
#include "dtrak/tui.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct option options[] = {
    { "query", 1, "ITEM", "start with this item, as gen:17" },
    { "screen", 1, "NAME", "gallery ranking compare self evaluation jobs overall marked" },
    { "graphics", 1, "HOW", "auto sixel kitty iterm2 half ascii none (auto)" },
    { "cell", 1, "WxH", "pixels of a cell (what the terminal says)" },
    { "colors", 1, "N", "of a sixel's palette, 2 to 256 (64 for small pictures, else 256)" },
    { "background", 1, "HOW", "auto dark light: what the text stands on (auto)" },
    { "passthrough", 0, NULL, "in tmux: sixels past it, where its allow-passthrough is on" },
    { "read-only", 0, NULL, "browse only" },
    { "fresh", 0, NULL, "begin anew, not with what was shown last" },
    { "config", 1, "FILE", "keys and defaults (the user's config file; none with --keys or --dump)" },
    { "no-mouse", 0, NULL, "leave the mouse to the terminal" },
    { "threads", 1, "N", "threads of a computation (all processors)" },
    CLI_FEATURE_ROOT,
    { "size", 1, "WxH", "cells, when there is no terminal (80x24)" },
    { "keys", 1, "KEYS", "keys to press, then end: 'j enter f @idle'" },
    { "dump", 1, "FILE", "write the last screen as text; - is the standard output" },
    { "force", 0, NULL, "--dump replaces FILE when it exists" },
    { NULL, 0, NULL, NULL },
};

/* --NAME WIDTHxHEIGHT, when it is given. */
static enum status read_dimensions(const struct args *a, const char *name, size_t most, size_t *w, size_t *h) {
    char word[32];
    const char *text = args_text(a, name, NULL), *x = text ? strchr(text, 'x') : NULL;
    if (!text) return OK;
    if (!x || (size_t)(x - text) >= sizeof word)
        return fail(ERR_USAGE, "--%s '%s' is not WIDTHxHEIGHT, as in %s", name, text, most > 64 ? "120x36" : "10x20");
    memcpy(word, text, (size_t)(x - text));
    word[x - text] = 0;
    char what[48];
    snprintf(what, sizeof what, "--%s: the width", name);
    TRY(args_parse_size(word, what, 1, most, w));
    snprintf(what, sizeof what, "--%s: the height", name);
    return args_parse_size(x + 1, what, 1, most, h);
}

static enum status run_view(const struct args *a) {
    struct tui_options o = TUI_DEFAULTS;
    if (a->n_files == 1 && !database_is_folder(a->file[0])) o.db = a->file[0];
    o.paths = a->file;
    o.n_paths = a->n_files;
    o.query = args_text(a, "query", NULL);
    o.screen = args_text(a, "screen", NULL);
    o.graphics = args_text(a, "graphics", NULL);
    const char *past = getenv("DTRAK_PASSTHROUGH");
    o.background = args_text(a, "background", NULL);
    o.passthrough = args_has(a, "passthrough") || (past && *past && strcmp(past, "0") != 0);
    o.read_only = args_has(a, "read-only");
    o.fresh = args_has(a, "fresh");
    o.config = args_text(a, "config", NULL);
    o.mouse = !args_has(a, "no-mouse");
    o.keys = args_text(a, "keys", NULL);
    o.dump = args_text(a, "dump", NULL);
    o.dump_is_new = !args_has(a, "force");
    if (args_has(a, "force") && !o.dump) return fail(ERR_USAGE, "--force belongs to --dump");
    if (o.dump && strcmp(o.dump, "-") != 0) TRY(cli_out_check(a, o.dump, "txt"));
    TRY(args_size(a, "threads", 1, 1024, &o.threads));
    TRY(cli_feature_root(a));
    TRY(args_size(a, "colors", 2, 256, &o.colours));
    TRY(read_dimensions(a, "size", 1000, &o.cols, &o.rows));
    TRY(read_dimensions(a, "cell", 64, &o.cell_w, &o.cell_h));
    /* A dump alone is the first screen. */
    if (o.dump && !o.keys) o.keys = "";
    return tui_run(&o);
}

const struct command command_view = {
    "view", "DB...", "browse a database in the terminal; with several, or a folder of them, a list to pick from comes first",
    options, 1, ARGS_FILES_MANY,
    "  dtrak my.db\n"
    "  dtrak results/\n"
    "  dtrak view my.db --query gen:17 --graphics half\n"
    "  dtrak view my.db --size 120x36 --graphics none --keys '2 f f c' --dump screen.txt\n", run_view
};
