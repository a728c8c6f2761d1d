/* line.h - how fast the line to the terminal is, and how far ahead of it one may run.
 *
 * After each picture the terminal is asked a question that every terminal answers (DA1);
 * the answer comes when it has worked through what was before it.  From these answers
 * follow the round trip, the speed, and how many bytes are still on their way.  Without
 * a bound on those the kernel and sshd would hold seconds of pictures that nobody wants
 * any more, in front of the answer to the next key.
 *
 * Pure: times are seconds of one clock, given by the caller. */
#ifndef DTRAK_TERM_LINE_H
#define DTRAK_TERM_LINE_H

#include <stddef.h>

enum {
    LINE_FENCES = 64,
    LINE_SAMPLES = 4,
    LINE_PINGS = 3,              /* bare questions at first: any one may have been held up on its way */
    LINE_PING_BYTES = 32 * 1024, /* after so many, another */
    LINE_TILE = 12000,           /* bytes: one picture, or a part of one, on a slow line */
    LINE_SLOW = 512 * 1024       /* bytes per second: below this pictures are made for the line */
};

struct line {
    int is_near;                 /* fast, whatever is measured */
    int is_answering;            /* a question was answered once */
    int gave_up;                 /* then one was not, in time: no bound until an answer comes */
    size_t overdue;              /* answers that were given up on and may yet come, before later ones */
    double round_trip;           /* the shortest seen; < 0: not known */
    size_t pings;                /* bare questions answered, waited for, since the round trip is known as it is */
    size_t since_ping;           /* bytes answered for since the last of them */
    double sample[LINE_SAMPLES]; /* bytes per second, the latest at sample_at - 1 */
    size_t samples, sample_at;
    struct { size_t bytes; double sent; } fence[LINE_FENCES];   /* questions without an answer */
    size_t first, count;
    size_t in_flight;            /* bytes before those questions */
    double answered;             /* when the last answer came */
    double busy_from;            /* since when there was always something on the line */
    size_t busy_bytes;           /* that were answered for since then */
};

void line_init(struct line *l);

/* Whether to ask at all: not of a terminal that never answered. */
int line_asks(const struct line *l);

/* Whether a question with nothing before it should be sent, now that nothing is under way:
 * the round trip is not known well, or not of late. */
int line_wants_ping(const struct line *l);

/* That many bytes and then a question were sent. */
void line_asked(struct line *l, size_t bytes, double now);

/* An answer came.  is_fresh: the program was waiting for it, so that the time is its time. */
void line_answered(struct line *l, double now, int is_fresh);

/* When to stop waiting for the oldest question; < 0: none is open.  line_expire() does so. */
double line_deadline(const struct line *l);
void line_expire(struct line *l, double now);

double line_speed(const struct line *l);    /* bytes per second; 0: not known */

/* Slow, as measured; or not measured yet and at least not near. */
int line_is_slow(const struct line *l);

/* The largest picture, or part of one, to send in one piece; SIZE_MAX: any. */
size_t line_tile(const struct line *l);

/* Whether that many bytes more may go now.  most: the bound when the caller has one, else 0. */
int line_has_room(const struct line *l, size_t bytes, size_t most);

/* On a slow line: what was sent is overdue, so that text too had better wait. */
int line_is_late(const struct line *l, double now);

#endif
