/* rankings.h - rankings of several queries, to give away.
 *
 * The queries of one setting are loaded once and then written in any form.  Files come to
 * be whole or not at all, and one that exists is kept unless it may be replaced. */
#ifndef DTRAK_RANKINGS_H
#define DTRAK_RANKINGS_H

#include "dtrak/buf.h"
#include "dtrak/err.h"
#include "dtrak/progress.h"
#include "dtrak/report.h"
#include "dtrak/store.h"

#include <stddef.h>

/* Rankings of one setting, in the order asked for, each query once.  Without a checkpoint each is of the network that
 * drew the query, unless one_network is asked for. */
struct report_rankings {
    struct report_ranking *one;
    size_t count, room;
    size_t left_out;          /* of "all": items without scores */
};

/* queries: "gen:0", "gen:3-7", "gen:all" (or "val:all") and "all" (both splits, as far as they
 * have scores in this setting), several with commas.  r says the setting and how many places;
 * its query is ignored.  Errors as report_ranking_load(); a named query without scores is an
 * error, one of "all" is left out; ERR_CANCELLED. */
enum status report_rankings_load(struct report_rankings *out, struct store *s, const struct report_request *r,
                                 const char *queries, const struct progress *p);
void report_rankings_free(struct report_rankings *r);   /* fine on a zeroed one */

/* query,side,rank,item,label,score with a header line: what `import --from csv` reads. */
void report_rankings_csv(struct buf *b, const struct report_rankings *r);
/* {"rankings":[..]}, each as report_ranking_json(). */
void report_rankings_json(struct buf *b, const struct report_rankings *r);

/* Whole rows of scores, for every query of r, piece by piece: write() gets text of at most a row.
 *   CSV   query,item,score with a header line
 *   JSON  {"sets":[{"method",..,"split","axes":["query","train"],"queries":["gen:0",..],"scores":[[..],..]}]},
 *         a set for each that r's queries are of
 * ERR_MISSING names a query of which only the ends of its ranking are stored. */
enum rows_form { ROWS_CSV, ROWS_JSON };
enum status report_rows_write(struct store *s, const struct report_rankings *r, enum rows_form form,
                              enum status (*write)(void *ctx, const void *text, size_t len), void *ctx, const struct progress *p);

/* One HTML page that needs nothing else: pictures are PNG data URIs, there is no script, and its
 * own policy forbids the network.  Of every query its picture, proponents and opponents with
 * labels, scores and bars (one scale per query, zero in the middle); of the setting its
 * LDS where measured, and where all of it came from.  All text is escaped.  ERR_RANGE beyond
 * PAGE_BYTES_MAX. */
#define PAGE_BYTES_MAX ((size_t)512 << 20)
enum status report_page_html(struct buf *b, struct store *s, const struct report_rankings *r, const struct progress *p);

#endif
