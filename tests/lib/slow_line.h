/* slow_line.h - a line between a program's pseudo-terminal and the terminal that shows it.
 *
 * A thread reads what the program writes as soon as it is there, as sshd and the kernels
 * on the way do, and hands it on at so many bytes a second and so much later; keys and
 * answers go the other way as late.  Nothing pushes back: a program that does not look
 * after itself fills the line, and that is measured. */
#ifndef TESTS_SLOW_LINE_H
#define TESTS_SLOW_LINE_H

#include <stddef.h>

struct slow_line;

/* Takes over the reading of master; *end is the terminal's end.  one_way_ms each way. */
struct slow_line *slow_line_new(int master, double bytes_per_s, int one_way_ms, int *end);
void slow_line_free(struct slow_line *l);   /* NULL is fine */

/* The most that was under way at any time: bytes, and those of them that are of pictures (DCS).
 * And the longest time between two pieces that were handed on to the program, keys and answers. */
struct slow_line_most { size_t bytes, picture_bytes; double pause_s; };
struct slow_line_most slow_line_most(struct slow_line *l);
void slow_line_reset(struct slow_line *l);  /* from now on */

#endif
