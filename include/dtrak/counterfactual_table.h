/* counterfactual_table.h - counterfactual pictures as text, JSON and CSV. */
#ifndef DTRAK_COUNTERFACTUAL_TABLE_H
#define DTRAK_COUNTERFACTUAL_TABLE_H

#include "dtrak/buf.h"
#include "dtrak/err.h"
#include "dtrak/store.h"

/* What took the images away, for people: "D-TRAK" for the label "trak square"; others as they are, escaped. */
enum { COUNTERFACTUAL_NAME = 96 };
void counterfactual_name(char out[COUNTERFACTUAL_NAME], const char *label);
/* Whether as many items were taken away by the same scores, and networks trained alike without them. */
int counterfactual_is_alike(const struct counterfactual *a, const struct counterfactual *b);
/* Leaves out what is not the latest of a query, of those that are alike: a list, or scores, that have changed
 * since.  A query counts once in what is below. */
enum status counterfactual_list_latest(struct counterfactual_list *l, size_t *left_out);
/* The name of row i's label; where others of that label and as many items are not alike, with what differs. */
void counterfactual_full_name(char out[COUNTERFACTUAL_NAME], const struct counterfactual_list *l, size_t i);

/* Per label, of rows that are alike: queries, mean and median distance, and the paired difference from
 * `random` of networks trained alike, where both have the query: of how many where that is not all, and with
 * its standard error from three on; then each picture. */
enum status counterfactual_table_text(struct buf *out, const struct counterfactual_list *l);
enum status counterfactual_table_json(struct buf *out, const struct counterfactual_list *l);
/* query,label,removed,l2,cosine,steps,score_set: a line for each picture; score_set is empty (JSON: null) of a list, and
 * where the scores are not there any more. */
enum status counterfactual_table_csv(struct buf *out, const struct counterfactual_list *l);

#endif
