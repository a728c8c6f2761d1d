/* merge_parts.h - what the files of `merge` share. */
#ifndef PIPELINE_MERGE_PARTS_H
#define PIPELINE_MERGE_PARTS_H

#include "dtrak/merge.h"
#include "dtrak/store.h"

#include <stdint.h>

struct merger {
    struct store *s, *other;
    const struct merge_options *o;
    const struct progress *p;
    struct merge_summary *r;
    struct checkpoint_list ours, theirs;
    int64_t *checkpoint;                 /* [theirs.count] id here; 0: it is not */
    size_t items[SPLIT_COUNT], their_items[SPLIT_COUNT];
    size_t *here[SPLIT_COUNT];           /* [their_items] number here; SIZE_MAX: none */
    size_t *there[SPLIT_COUNT];          /* [items] the other way round */
};

__attribute__((format(printf, 2, 3)))
void merge_say(const struct merger *m, const char *fmt, ...);

/* Id here of a checkpoint of theirs; 0: none. */
int64_t merge_checkpoint(const struct merger *m, int64_t theirs);

enum status merge_scores(struct merger *m);
enum status merge_features(struct merger *m);
enum status merge_numbers(struct merger *m);

#endif
