/* large_db.h - databases of any size, made through the store's own functions: for
 * tests of many items and for timings.
 *
 * Pictures are colour, 32 x 32 px, each of its own: waves whose strength falls with
 * their frequency, as in photographs, an ellipse, and a little noise (2.5 KB of PNG).
 * Four checkpoints, ten labels, leverages, losses, neighbours, marks, a removal list,
 * finished jobs, measured LDS.
 *
 * Scores: the first `whole` settings have every row, at nine significant bits (75 KB a
 * row of 50,000); the next `ends` settings have the top and bottom hundred per query.
 * Every number depends on its indices only. */
#ifndef TESTS_LARGE_DB_H
#define TESTS_LARGE_DB_H

#include "dtrak/err.h"

#include <stddef.h>

struct large_db {
    size_t train, val, gen;
    size_t whole, ends;      /* score sets of the gen items; at most 10 together */
    size_t k;                /* of the features of the first setting; 0: none */
    int kernel;              /* also their kernel, in float32 */
};

/* 50,000 training images, 1,000 queries, 10 score sets, features of k 64. */
#define LARGE_DB_FULL { 50000, 50, 1000, 3, 7, 64, 0 }

/* Makes the database at path, which must not exist.  Tells how far it is on stderr
 * when it takes more than a moment. */
enum status large_db_make(const char *path, const struct large_db *want);

/* The path of such a database in folder, made when it is not there yet; the name says
 * what is in it.  out has 512 bytes. */
enum status large_db_ensure(char *out, const char *folder, const struct large_db *want);

/* The pixels of an item: rgb[32 * 32 * 3]. */
void large_db_pixels(unsigned char *rgb, size_t item);

#endif
