/* slim.h - the verb `slim`: a copy without what is large. */
#ifndef DTRAK_SLIM_H
#define DTRAK_SLIM_H

#include "dtrak/err.h"
#include "dtrak/pick.h"
#include "dtrak/progress.h"

struct slim_options {
    int keep_features, keep_basis;   /* else they are left out */
    int no_kernels;                  /* leave the kernels out too */
    struct pick pick;                /* which score sets are kept; nothing said: all */
    const char *queries;             /* as queries_pick() has it: keep only their rows of the scores; what was
                                      * measured of the others stays.  NULL: all */
    int keep_weights;                /* of retrained networks; else they are left out, their losses stay */
    int bits;                        /* 9 to 23: round scores to so many significant bits, kernels to float32; 0: as they are */
};

/* Copies the database at `from` to the new file `to`.  On any error `to` does not exist
 * afterwards.  ERR_MISSING when no score set would be left of those that there are. */
enum status pipeline_slim(const char *from, const char *to, const struct slim_options *o, const struct progress *p);

#endif
