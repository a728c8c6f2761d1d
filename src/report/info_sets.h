/* info_sets.h - the sets of a database as lines of text; private to report/.
 *
 * Sets that differ in one thing alone share a line: feature and score sets of several losses and
 * splits, scores at several lambdas, numbers at several checkpoints.  With all, each has its own
 * line with everything that is known of it. */
#ifndef DTRAK_REPORT_INFO_SETS_H
#define DTRAK_REPORT_INFO_SETS_H

#include "dtrak/buf.h"
#include "dtrak/store.h"

void info_add_features(struct buf *b, const struct feature_set_list *l, const struct checkpoint_list *c, int all);
void info_add_scores(struct buf *b, const struct score_set_list *l, const struct checkpoint_list *c, int all);
void info_add_stats(struct buf *b, const struct stat_set_list *l, const struct checkpoint_list *c, int all);

#endif
