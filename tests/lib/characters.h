/* characters.h - the ranking's pictures where they are made of characters: half blocks, letters.
 *
 * They are read from the screen's cells and compared with the stored images, averaged down to
 * as many pixels. */
#ifndef TESTS_CHARACTERS_H
#define TESTS_CHARACTERS_H

#include "ranking_on_screen.h"

enum { CHARACTERS_PLACES = 2 * TOP + 1, CHARACTERS_SIDE = 20 };   /* the ranking's and the query's; cells of a side */

struct characters {
    const char *db;
    const struct ranking *r;
    size_t row, col;             /* of the corner of what the explorer has of the screen */
    int are_letters;             /* else half blocks */
    double most, worst;          /* mean difference of a picture's channels, of 255: allowed, found */
    struct { size_t row, col, rows, cols; } place[CHARACTERS_PLACES];
};

/* For explore_until(), with a pointer to a pointer.  Pictures of half blocks stand below their
 * headings, which tells where, and are right; those that are in place are right. */
int characters_are_in_place(struct pty *p, const void *characters);
int characters_are_right(struct pty *p, const void *characters);

/* No other item's picture would pass for one that is shown, but those that look like it. */
void characters_assert_distinct(const struct pty *p, const struct characters *w);

#endif
