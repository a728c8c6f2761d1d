/* ranking_on_screen.h - the ranking of gen:0 as it should stand on a terminal.
 *
 * The database is that of the screen tests: small grey pictures.  What is painted is compared
 * with the stored images of the items that `dtrak rank --json` names. */
#ifndef TESTS_RANKING_ON_SCREEN_H
#define TESTS_RANKING_ON_SCREEN_H

#include "explore.h"

enum { TRAIN = 120, TOP = 4 };

#define SQUARE "--method trak --loss square"
#define L1 "--method trak --loss l1"

/* 64 colours of a grey picture of at most 100 greys and black: each grey within 1 of its
 * colour, and a colour within 1.3 of what a sixel's percentages can say.  That is an error
 * of 2.3 at most, 40 dB; another item's picture differs in its shape or by several greys. */
#define SAME_DB 35.0

const char *ranking_world(void);     /* the database's path; made when it is not there */

struct ranking { size_t item[2][TOP]; char label[2][TOP][32]; };   /* proponents, opponents */
struct ranking ranking_of(const char *db, const char *setting);

/* Where the heading of a rank stands, as ">1 train:21"; 0: nowhere. */
int ranking_find(const struct pty *p, const struct ranking *r, size_t side, size_t i, size_t *row, size_t *col);
const struct vt_picture *ranking_picture(const struct pty *p, const struct ranking *r, size_t side, size_t i);
int ranking_is_painted(struct pty *p, const void *ranking);   /* for explore_until() */

/* The painted picture is the item's, and no item that looks different comes as near. */
void ranking_assert_shows(const struct sixel_image *painted, const char *db, size_t item);

/* Waits for the pictures of the ranking and the query, and checks every one: it is the item's,
 * and no item that looks different comes as near. */
void ranking_assert_painted(struct pty *p, const char *db, const struct ranking *r);

#endif
