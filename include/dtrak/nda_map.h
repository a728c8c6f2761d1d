/* nda_map.h - where the nonparametric attribution of a query to one training image lies: which
 * parts of the query that image explains, and which parts of the image are used.
 *
 * Maps are made when they are asked for, and need the softmax's denominators of the query over all
 * training images: seconds, done once per query and kept in a struct nda_query. */
#ifndef DTRAK_NDA_MAP_H
#define DTRAK_NDA_MAP_H

#include "dtrak/err.h"
#include "dtrak/pool.h"
#include "dtrak/progress.h"
#include "dtrak/store_item.h"

#include <stddef.h>
#include <stdint.h>

struct store;

struct nda_map_options {
    size_t patch;                 /* 0: as the newest stored scores of nda of the query's split, else 7 */
    const char *at;               /* timesteps, "100,300,500"; NULL: likewise, else 100,200,300,400,500 */
    uint64_t noise_seed;          /* read when patch or at are given */
};

struct nda_query;                 /* opaque: one query's denominators, as far as they are made */
/* Nothing is computed yet.  ERR_USAGE for a patch or timesteps that do not fit. */
enum status nda_query_new(struct nda_query **out, struct store *s, struct item_ref query, const struct nda_map_options *o);
void nda_query_free(struct nda_query *q);   /* NULL is fine */
/* Whether it is of that query; q may be NULL. */
int nda_query_is(const struct nda_query *q, struct item_ref query);
size_t nda_query_patch(const struct nda_query *q);
const size_t *nda_query_timesteps(const struct nda_query *q, size_t *count);

struct nda_map {
    size_t width_px, height_px;
    double *query_map, *train_map;   /* [height_px * width_px], mean over the timesteps; both sum to score */
    double score;                 /* with all patches, not the topk that scores may keep */
    double share;                 /* of all that explains the query, 0..1 */
};
void nda_map_free(struct nda_map *m);   /* fine on a zeroed one */

/* Makes the denominators where they are missing (timestep by timestep; what is made stays when it
 * is cancelled), then the maps of a training item.  s is where the query is from; the pool may be NULL. */
enum status pipeline_nda_map(struct nda_map *out, struct nda_query *q, struct store *s, size_t item, struct pool *pool,
                             const struct progress *p);

#endif
