/* lds_protocol.h - protocols as text.  A field more or less is another protocol. */
#ifndef PIPELINE_LDS_PROTOCOL_H
#define PIPELINE_LDS_PROTOCOL_H

#include "lds_parts.h"

/* Steps for a subset of size of n items. */
size_t retraining_steps(const struct retraining *r, const struct lds_options *o, size_t n, size_t size);

/* items: items_digest() of the training split.  alpha 0: items are taken away by name, steps are those
 * of the whole set. */
enum status protocol_train_text(struct buf *b, const struct retraining *r, const struct lds_options *o,
                                const struct project *p, size_t n, const char *items);
enum status protocol_eval_text(struct buf *b, const struct evaluation *e);

/* "train.steps 600/1200": the first field in which they differ; "" when they do not. */
enum status protocol_difference(char out[160], const char *a, const char *b);

/* The train and the eval protocol with the most networks that have outputs, of equals the newest; ERR_MISSING.
 * *others: networks that have outputs of another pair only. */
enum status protocols_fullest(struct store *s, const struct protocol_list *l, const struct protocol **train,
                              const struct protocol **eval, size_t *others);

#endif
