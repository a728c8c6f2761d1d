/* project.c - the one row that says what the database is about. */
#include "db.h"

#include <string.h>

enum status store_project_set(struct store *s, const struct project *p) {
    char now[21];
    clock_iso(now);
    if (p->width == 0 || p->height == 0 || p->channels == 0 || p->patch == 0)
        return fail(ERR_RANGE, "project: images of %zux%zu, %zu channels, patch %zu: all must be positive",
                    p->width, p->height, p->channels, p->patch);
    TRY(db_unit_begin(s));
    return db_unit_end(s, db_exec(s,
        "INSERT OR REPLACE INTO project (id, name, width, height, channels, patch, value_low, value_high,"
        " origin, command, program, created) VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        "tzzzzddtttt", p->name, p->width, p->height, p->channels, p->patch, p->value_low,
        p->value_high, p->origin, p->command, p->program[0] ? p->program : DTRAK_VERSION,
        p->created[0] ? p->created : now));
}

enum status store_project_get(struct store *s, struct project *p) {
    sqlite3_stmt *q;
    int row;
    memset(p, 0, sizeof *p);
    TRY(db_query(s, &q, "SELECT name, width, height, channels, patch, value_low, value_high, origin,"
                        " command, program, created FROM project WHERE id = 1", ""));
    TRY(db_step(s, q, &row));
    if (!row) return fail(ERR_MISSING, "%s: the database has no project row", s->path);
    col_text(p->name, sizeof p->name, q, 0);
    p->width = col_size(q, 1);
    p->height = col_size(q, 2);
    p->channels = col_size(q, 3);
    p->patch = col_size(q, 4);
    p->value_low = col_double(q, 5);
    p->value_high = col_double(q, 6);
    col_text(p->origin, sizeof p->origin, q, 7);
    col_text(p->command, sizeof p->command, q, 8);
    col_text(p->program, sizeof p->program, q, 9);
    col_text(p->created, sizeof p->created, q, 10);
    db_end(q);
    return OK;
}
