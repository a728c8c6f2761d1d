/* cmd_probe.c - dtrak probe: what this terminal can do. */
#include "dtrak/cli.h"
#include "dtrak/probe.h"

#include <stdio.h>

static const struct option options[] = {
    { "wait", 1, "MS", "how long the terminal may take to answer (1500)" },
    { NULL, 0, NULL, NULL },
};

static enum status run_probe(const struct args *a) {
    struct buf text = BUF_INIT;
    size_t ms = 1500;
    TRY(args_size(a, "wait", 10, 60000, &ms));
    enum status st = probe_report(&text, (int)ms);
    if (st == OK) fwrite(text.data, 1, text.len, stdout);
    buf_free(&text);
    return st;
}

const struct command command_probe = {
    "probe", "", "what this terminal can do, for a report",
    options, 0, 0, "  dtrak probe\n  dtrak probe --wait 5000\n", run_probe
};
