/* comparison.h - two rankings of the same training items, measured against each other.
 *
 * Ranks count from 1, highest score first, equal scores by index (ranking.h).
 * Source of the measures: stats.h.
 * Checked against: tests/unit/comparison_test.c. */
#ifndef DTRAK_COMPARISON_H
#define DTRAK_COMPARISON_H

#include "dtrak/err.h"

#include <stddef.h>
#include <stdint.h>

enum { COMPARISON_DEPTHS = 3 };
#define COMPARISON_RBO_P 0.98   /* the first 50 places carry about 86 % of the weight */

struct comparison {
    size_t n;
    uint32_t *order[2];         /* [n] items, best first, for either side */
    uint32_t *rank[2];          /* [n] an item's rank on either side, from 1 */
    double overlap[COMPARISON_DEPTHS];   /* part in common of the first 10, 50, 100; NAN: fewer items */
    double spearman, kendall;   /* NAN: of one item */
    double rbo;
};

extern const size_t comparison_depth[COMPARISON_DEPTHS];   /* 10, 50, 100 */

/* a and b are [n] scores of the items 0..n-1, n >= 1, finite (ERR_NUMERIC names
 * the item that is not).  On any failure *out is empty. */
enum status comparison_make(struct comparison *out, const float *a, const float *b, size_t n);
/* The same where the items of either side are at hand in the order of ranking_top(). */
enum status comparison_make_sorted(struct comparison *out, const float *a, const float *b, const uint32_t *const order[2], size_t n);
void comparison_free(struct comparison *c);   /* an empty one is fine */

/* Whether the two disagree about an item: among the first `r` places on side s
 * and beyond 2 r + 10 on the other. */
int comparison_disagrees(const struct comparison *c, int s, size_t item);

/* The next place (from 0) after `at` on side s whose item they disagree about, by
 * +1 or -1 places; n when there is none. */
size_t comparison_next_disagreement(const struct comparison *c, int s, size_t at, int by);

#endif
