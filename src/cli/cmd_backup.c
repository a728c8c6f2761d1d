/* cmd_backup.c - dtrak backup DB OUT: a whole copy, also while it is written. */
#include "dtrak/cli.h"
#include "dtrak/store.h"

static const struct option options[] = { { NULL, 0, NULL, NULL } };

static enum status run_backup(const struct args *a) {
    struct console c;
    console_start(&c);
    enum status st = store_backup(a->file[0], a->file[1], &c.progress);
    console_end(&c);
    return st;
}

const struct command command_backup = {
    "backup", "DB OUT", "copy a database, also one that is being written, to a new file",
    options, 2, 2, "  dtrak backup my.db copy.db\n", run_backup
};
