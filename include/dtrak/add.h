/* add.h - the verb `add`: pictures from outside become items to be explained.
 *
 * Each is brought to the project's size and channels as the training pictures were and kept as
 * PNG.  All of them or, on any error, none. */
#ifndef DTRAK_ADD_H
#define DTRAK_ADD_H

#include "dtrak/err.h"
#include "dtrak/image.h"
#include "dtrak/progress.h"
#include "dtrak/store_item.h"

#include <stddef.h>
#include <stdint.h>

struct store;

enum add_fit {
    ADD_CROP,      /* the shorter side fits, the middle of the longer one stays */
    ADD_PAD        /* the longer side fits, black around it */
};

struct add_options {
    enum split split;            /* val or gen */
    const char *const *path;     /* [paths] PNG or JPEG files, or folders: of those their pictures, 2.png before 10.png */
    size_t paths;
    enum image_filter filter;
    enum add_fit fit;
    const char *labels;          /* file: a label (number or name) per line and picture, empty: none; NULL: none */
    const char *captions;        /* file: a caption per line and picture; or NULL */
    uint64_t seed;               /* of the first, the next ones have seed + 1, ...; gen only */
    int has_seed;
    int doubles;                 /* also pictures that are items of the split already */
    void (*say)(void *ctx, const char *line);   /* one picture is the same as another; may be NULL */
    void *say_ctx;
};
#define ADD_DEFAULTS { .split = SPLIT_GEN, .filter = IMAGE_CATMULL_ROM, .fit = ADD_CROP }

struct add_result {
    size_t first, added;         /* items [first, first + added) of the split */
    size_t doubles;              /* left out: in the split already */
    size_t resized, converted;   /* of the added: size, and colour to grey or the other way round */
};

enum status pipeline_add(struct store *s, const struct add_options *o, const struct progress *p, struct add_result *r);

#endif
