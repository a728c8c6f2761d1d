/* store_embedding.h - a row of numbers per item that the user brought, e.g. of CLIP.  See store.h.
 *
 * An embedding has a name and up to one part for each split; all parts have the same
 * number of columns.  Rows are float32. */
#ifndef DTRAK_STORE_EMBEDDING_H
#define DTRAK_STORE_EMBEDDING_H

#include "dtrak/err.h"
#include "dtrak/store_item.h"

#include <stddef.h>
#include <stdint.h>

struct store;

enum { EMBEDDING_NAME = 32 };
#define EMBEDDING_VALUES_MAX ((size_t)128 << 20)   /* of one part: 512 MB */

struct embedding {
    char name[EMBEDDING_NAME];
    enum split split;
    size_t rows, cols;
    char origin[256];             /* the file it came from */
    uint64_t checksum;            /* of the stored bytes: which numbers they are */
    char created[21];
};
struct embedding_list { struct embedding *embedding; size_t count; };   /* by name, then split */
void embedding_list_free(struct embedding_list *l);

/* One part, values[rows][cols]; replaces the one of that name and split.  checksum and created
 * are the store's.  ERR_RANGE: rows are not the items of the split, or cols not those of the
 * other splits; ERR_NUMERIC: a value is not finite. */
enum status store_embedding_put(struct store *s, const struct embedding *e, const float *values);

/* What is known of a part; ERR_MISSING. */
enum status store_embedding_get(struct store *s, const char *name, enum split split, struct embedding *out);
/* values[rows][cols], verified; the caller's to mem_free(). */
enum status store_embedding_read(struct store *s, const struct embedding *e, float **values);
enum status store_embeddings_list(struct store *s, struct embedding_list *out);

#endif
