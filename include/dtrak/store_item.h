/* store_item.h - images of the three splits, and their labels.  See store.h. */
#ifndef DTRAK_STORE_ITEM_H
#define DTRAK_STORE_ITEM_H

#include "dtrak/err.h"

#include <stddef.h>
#include <stdint.h>

struct store;

enum split { SPLIT_TRAIN, SPLIT_VAL, SPLIT_GEN, SPLIT_COUNT };

const char *split_name(enum split s);           /* "train", "val", "gen" */
enum split split_parse(const char *name);       /* SPLIT_COUNT when it is none of them */

/* An item as people write it: "gen:17". */
struct item_ref { enum split split; size_t index; };

enum status item_ref_parse(struct item_ref *out, const char *text);   /* ERR_USAGE */
void item_ref_format(char out[32], struct item_ref ref);
/* ERR_USAGE where the split's `count` items end before it: what somebody asks for and is not there is
 * the same in every command, one line and wrong usage. */
enum status item_ref_check(struct item_ref ref, size_t count);

/* What is known of an item.  To add one: id, split, index and sha256 are the
 * store's to fill in and ignored; texts may be NULL.  When read, the texts are
 * never NULL and belong to the list.  They are raw: escape before printing. */
struct item {
    int64_t id;
    enum split split;
    size_t index;                 /* 0, 1, ... within the split */
    int label;                    /* -1: none */
    const char *label_name, *caption, *original;
    /* gen only; else 0 or NULL */
    uint64_t seed;
    int64_t checkpoint;           /* id; 0: none or deleted since */
    const char *sampler;          /* "ddim" */
    size_t steps;
    double eta;
    /* the image, encoded */
    size_t width_px, height_px;
    size_t image_bytes;
    char sha256[65];
};

struct item_list { struct item *item; size_t count; char *text; };
void item_list_free(struct item_list *l);        /* empties it; fine on a zeroed one */

/* Appends count items to the split in one transaction, item i with the encoded
 * image bytes images[i] of items[i].image_bytes bytes.  *first, when not NULL,
 * gets the index of items[0]. */
enum status store_items_add(struct store *s, enum split split, const struct item *items,
                            const void *const *images, size_t count, size_t *first);

enum status store_items_count(struct store *s, enum split split, size_t *count);
enum status store_items_drawn(struct store *s, int64_t checkpoint, size_t *count);   /* generated from it */

/* Items [first, first + count) of the split; fewer when it ends earlier. */
enum status store_items_read(struct store *s, enum split split, size_t first, size_t count,
                             struct item_list *out);

/* Calls each(ctx, item) for every item of the split in order, without what its image has:
 * several times faster than reading lists.  Texts are valid during the call. */
enum status store_items_visit(struct store *s, enum split split, void (*each)(void *ctx, const struct item *it), void *ctx);

/* The encoded image of an item, verified; *bytes is the caller's to mem_free(). */
enum status store_image_read(struct store *s, struct item_ref ref, void **bytes, size_t *len);

/* Index of the gen item made with these parameters, or ERR_MISSING. */
enum status store_item_find_generated(struct store *s, int64_t checkpoint, uint64_t seed,
                                      const char *sampler, size_t steps, double eta,
                                      size_t *index);
/* One more than the largest seed of a generated item, as far as those below 2^53 go. */
enum status store_seed_unused(struct store *s, uint64_t *seed);

/* Long work begins with the items as they are, and its results go by their numbers.  While a handle
 * watches, features, scores, error bars, kernels and counterfactuals of queries are refused with
 * ERR_RANGE once another process dropped some and the others took their numbers; items that are
 * added do not matter.  NULL ends it. */
struct items_watch { size_t rows[SPLIT_COUNT]; uint64_t digest[SPLIT_COUNT]; };
enum status store_items_look(struct store *s, struct items_watch *w);
void store_items_watch(struct store *s, const struct items_watch *w);   /* copied */

/* Labels in ascending order with their names and how many items have them. */
struct label { int label; char name[64]; size_t count[SPLIT_COUNT]; };
struct label_list { struct label *label; size_t count; };
enum status store_labels_list(struct store *s, struct label_list *out);
void label_list_free(struct label_list *l);

/* The list and, in the same go, train[i] of training items 0..count-1: -1 where there is none. */
enum status store_labels_study(struct store *s, struct label_list *out, int *train, size_t count);

/* label[i] of items 0..count-1 of a split, -1 where there is none (and where there is no item). */
enum status store_labels_read(struct store *s, enum split split, int *label, size_t count);

/* The name of one label; "" when it has none. */
enum status store_label_name(struct store *s, int label, char out[64]);

/* Indices that are missing from something resumable (blocks, query rows). */
struct index_list { size_t *index; size_t count; };
void index_list_free(struct index_list *l);

#endif
