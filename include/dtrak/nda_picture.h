/* nda_picture.h - heat maps as pictures: a map over its image, in colour where it is high. */
#ifndef DTRAK_NDA_PICTURE_H
#define DTRAK_NDA_PICTURE_H

#include "dtrak/err.h"
#include "dtrak/image.h"
#include "dtrak/nda_map.h"
#include "dtrak/store.h"

#include <stddef.h>

/* An RGB picture of the image's size times a whole factor, at least `side` pixels: the image in grey,
 * over it the map's colours, from black through red and orange to pale yellow at the map's highest value. */
enum status nda_overlay(struct image *out, const struct image *rgb, const double *map, size_t side);

/* The query and the training item, each plain and with its map over it, with their names and the share. */
enum status report_sheet_nda(struct image *out, struct store *s, struct item_ref query, size_t item, const struct nda_map *m);

#endif
