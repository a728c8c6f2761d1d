/* store_feature_file.h - feature sets whose rows stay in files of other programs.
 * See store_feature.h.
 *
 * The database keeps where a file is, its size and its checksums; rows are read
 * where they stand, and store_features_read() makes no difference.  A path is kept
 * relative to the database's folder, or to the one of store_trust_folder(), and is
 * honoured below these two only, after links are resolved.
 *
 * Importing a file of any size looks at a sample of it: its length and 512 spread
 * pieces of 4 KiB (all of a file up to 2 MiB), whose XXH3 is compared whenever the
 * file is opened.  store_check() reads all of it: the first time it notes the XXH3
 * of the whole, later it compares. */
#ifndef DTRAK_STORE_FEATURE_FILE_H
#define DTRAK_STORE_FEATURE_FILE_H

#include "dtrak/err.h"

#include <stddef.h>
#include <stdint.h>

struct store;
struct feature_set;

/* A folder that files may lie in beside the database's own; NULL: none.  For the
 * whole process, before the first thread starts.  ERR_MISSING when it is not there. */
enum status store_trust_folder(const char *dir);

enum feature_number { FEATURE_F16, FEATURE_BF16, FEATURE_F32, FEATURE_F64 };

struct feature_file {
    const char *path;
    size_t rows;
    enum feature_number number;
    uint64_t start, stride;   /* in bytes: where row 0 begins, from a row to the next */
};

/* Makes the files, one after the other, the rows of a set that has none.  order[r]
 * is the item of row r, counted over all files; NULL: in order.  zeros: rows of
 * zeros are meant, else store_check() and the sample of this function refuse them,
 * and parts of a file that were never written.  The rows must be as many as set->rows.
 * ERR_RANGE: a file is not below a folder that is honoured. */
enum status store_feature_files_put(struct store *s, const struct feature_set *set, const struct feature_file *file,
                                    size_t files, const size_t *order, int zeros);

#endif
