/* joined.h - the pictures of a row in one sixel.
 *
 * tmux keeps the sixels of all its panes in one short list (10 entries in 3.4), and forgets
 * one as soon as a character is written anywhere on it.  So inside tmux the pictures that
 * stand side by side go out as one, with the columns between them left unpainted, and again
 * when the text of their rows has changed. */
#ifndef DTRAK_TERM_JOINED_H
#define DTRAK_TERM_JOINED_H

#include "dtrak/frame.h"
#include "dtrak/painter.h"
#include "dtrak/term.h"

enum { JOINED_MOST = 8,       /* of tmux's ten */
       JOINED_PARTS = 16 };   /* of one sixel: more would have too few colours each */

/* boxes[n] become boxes around those of the same rows; where these are more than JOINED_MOST,
 * the last of them are left out.
 * The first of each, members[first..first + count), are its parts.  A box's key names its
 * parts and their places.  Returns how many there are. */
struct joined { size_t first, count; };
size_t joined_gather(struct image_box *boxes, struct joined *of, struct image_box *members, size_t n);

/* One sixel of box with the pictures of its members: 1; 0 when one of them is not there yet. */
int joined_encode(struct buf *out, struct paint_fit *fit, const struct image_box *box, const struct image_box *members,
                  size_t count, const struct paint_how *how, const struct term_images *images);

#endif
