/* store_counterfactual.h - what a network makes of a latent without some of the
 * training items, and hand-made lists of items to take away.  See store.h. */
#ifndef DTRAK_STORE_COUNTERFACTUAL_H
#define DTRAK_STORE_COUNTERFACTUAL_H

#include "dtrak/err.h"
#include "dtrak/store_item.h"

#include <stddef.h>
#include <stdint.h>

struct store;

struct counterfactual {
    int64_t id;                   /* the store's */
    struct item_ref query;
    int64_t subset;               /* the retrained network: store_subset.h */
    int64_t score_set;            /* whose first items were taken away; 0: a list, or deleted since */
    char label[64];               /* "trak square", "list:NAME" */
    int64_t protocol;             /* by which the network was trained: store_subset.h */
    size_t steps;                 /* of its training */
    size_t removed;
    double pixel_l2;              /* Euclidean distance of the pictures, pixels in [-1, 1] */
    double pixel_cos;             /* cosine of their pixels */
    double embed_cos;             /* NAN: no embedding */
    size_t width_px, height_px, image_bytes;
    char created[21];
};
struct counterfactual_list { struct counterfactual *row; size_t count; };
void counterfactual_list_free(struct counterfactual_list *l);

/* Adds rows with their encoded images in one transaction; a row of the same
 * query, network and label stays as it is. */
enum status store_counterfactuals_add(struct store *s, const struct counterfactual *rows, const void *const *images,
                                      size_t count);
/* By query, label and removed. */
enum status store_counterfactuals_list(struct store *s, struct counterfactual_list *out);
/* The encoded image, verified; *bytes is the caller's to mem_free(). */
enum status store_counterfactual_image(struct store *s, int64_t id, void **bytes, size_t *len);

/* Training items, in the order given; replaces the list of that name, count 0
 * deletes it. */
enum status store_removal_list_put(struct store *s, const char *name, const size_t *train, size_t count);
enum status store_removal_list_get(struct store *s, const char *name, struct index_list *out);   /* ERR_MISSING */
struct removal_names { char (*name)[64]; size_t *items; size_t count; };
enum status store_removal_lists(struct store *s, struct removal_names *out);      /* by name */
void removal_names_free(struct removal_names *l);

#endif
