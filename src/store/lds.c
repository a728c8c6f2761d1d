/* lds.c - what scores were measured to predict. */
#include "db.h"

#include "dtrak/hash.h"
#include "dtrak/mem.h"

#include <math.h>
#include <string.h>

#define MOST (1 + 1e-6)   /* a mean of correlations, rounded */

enum status store_lds_put(struct store *s, const struct lds_row *r) {
    size_t len = r->queries * sizeof(double);
    char now[21];
    if (!isfinite(r->value)) return fail(ERR_NUMERIC, "the LDS of score set %lld is not finite", (long long)r->score_set);
    clock_iso(now);
    TRY(db_unit_begin(s));
    return db_unit_end(s, db_exec(s,
        "INSERT OR REPLACE INTO lds (score_set, train_protocol, eval_protocol, centred, subsets, queries, value, se,"
        " low, high, q_eff, ceiling, xxh3, per_query, created) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        "iiinzzddddddubt", r->score_set, r->train_protocol, r->eval_protocol, r->centred != 0, r->subsets, r->queries,
        r->value, r->se, r->low, r->high, r->q_eff, r->ceiling, hash_xxh3(r->per_query, len), r->per_query, len, now));
}

enum status store_lds_get(struct store *s, int64_t score_set, int centred, struct lds_row *out, double **per_query) {
    sqlite3_stmt *q;
    int row;
    size_t len;
    memset(out, 0, sizeof *out);
    if (per_query) *per_query = NULL;
    TRY(db_query(s, &q, "SELECT train_protocol, eval_protocol, subsets, queries, value, se, low, high, q_eff, ceiling,"
                        " created, xxh3, per_query FROM lds WHERE score_set = ? AND centred = ? ORDER BY id DESC LIMIT 1",
                 "in", score_set, centred != 0));
    TRY(db_step(s, q, &row));
    if (!row) return fail(ERR_MISSING, "%s: score set %lld was not measured; dtrak lds --report does", s->path,
                          (long long)score_set);
    *out = (struct lds_row){ score_set, sqlite3_column_int64(q, 0), sqlite3_column_int64(q, 1), centred != 0,
                             col_size(q, 2), col_size(q, 3), col_double(q, 4), col_double(q, 5), col_double(q, 6),
                             col_double(q, 7), col_double(q, 8), col_double(q, 9), NULL, "" };
    col_text(out->created, sizeof out->created, q, 10);
    const void *bytes = col_blob(q, 12, &len);
    enum status st = OK;
    if (hash_xxh3(bytes, len) != col_u64(q, 11) || len != out->queries * sizeof(double))
        st = fail(ERR_FORMAT, "%s: the LDS of score set %lld does not match its checksum", s->path, (long long)score_set);
    else if (!(fabs(out->value) <= MOST))
        st = fail(ERR_FORMAT, "%s: the LDS of score set %lld is %g, which no mean of correlations is", s->path, (long long)score_set, out->value);
    else if (per_query && !(*per_query = (double *)(void *)mem_copy_bytes(bytes, len)))
        st = fail(ERR_NOMEM, "lds: out of memory");
    if (st == OK && per_query) out->per_query = *per_query;
    db_end(q);
    return st;
}

enum status store_retrained_count(struct store *s, struct retrained_counts *out) {
    int64_t n[6] = { 0 };
    TRY(db_number(s, &n[0], "SELECT count(*) FROM subset WHERE state = 'done'", ""));
    TRY(db_number(s, &n[1], "SELECT count(*) FROM subset WHERE state = 'diverged'", ""));
    TRY(db_number(s, &n[2], "SELECT count(*) FROM subset WHERE state NOT IN ('done', 'diverged')", ""));
    TRY(db_number(s, &n[3], "SELECT count(DISTINCT score_set) FROM lds", ""));
    TRY(db_number(s, &n[4], "SELECT count(*) FROM counterfactual", ""));
    TRY(db_number(s, &n[5], "SELECT count(*) FROM subset WHERE state = 'done' AND id IN (SELECT subset FROM counterfactual)", ""));
    *out = (struct retrained_counts){ (size_t)n[0], (size_t)n[1], (size_t)n[2], (size_t)n[3], (size_t)n[4], (size_t)n[5] };
    return OK;
}
