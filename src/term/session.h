/* session.h - inside of a terminal session: term.c is its life and its events,
 * showing.c what is on the screen and what is still to be sent. */
#ifndef DTRAK_TERM_SESSION_H
#define DTRAK_TERM_SESSION_H

#include "dtrak/term.h"
#include "joined.h"
#include "line.h"
#include "screen.h"
#include "tmux.h"

#include <stdatomic.h>
#include <termios.h>

/* A picture that is on the screen, or on its way there. */
struct shown {
    struct image_box box;
    struct paint_how how;     /* the best that is wanted, whatever its quality is */
    struct paint_fit fit;
    size_t quality;           /* that it was sent in: 0 is the best (showing.c) */
    size_t part, parts;       /* sent, of how many */
    unsigned id;              /* kitty's number of it */
    uint64_t text;            /* joined: names what is written beside it */
};

/* The boxes of the last frame, those near the focus first. */
struct queue {
    struct image_box box[FRAME_IMAGES];
    size_t count;
    int is_joined;            /* boxes are of several pictures: members[joined[i]] */
    struct joined joined[FRAME_IMAGES];
    struct image_box member[FRAME_IMAGES];
    uint64_t text[FRAME_IMAGES];   /* joined: names what is written beside them */
    size_t at, better_at;     /* boxes before these are done, and done in the best quality */
    size_t quality;           /* that they get first */
    struct term_images images;
};

struct term {
    int fd, owns_fd, wake[2], is_gone, in_session;
    struct termios before;
    struct term_options opt;
    struct screen *screen;
    uint64_t text;            /* names what stands there as text; 0: nothing that is known */
    size_t rows, cols, win_w, win_h, cell_w, cell_h;

    struct probe probe;
    enum colour_depth depth;
    double probe_end;
    size_t old_registers;     /* to be set again at the end; 0: unchanged */
    int has_own_colours;      /* mode 1070 was set, to be reset at the end */
    struct tmux_pane pane;    /* with opt.passthrough */
    struct tmux_question pane_asked;   /* where it is now: pictures wait for the answer */

    struct paint_cache *cache;
    struct shown shown[FRAME_IMAGES];
    size_t shown_count;
    struct queue queue;
    unsigned last_id;
    struct line line;
    int is_held;              /* the last frame was not sent: the line was behind */
    double input_at;          /* when the last key came */
    double sent_at;           /* and the last picture went */
    size_t page_bytes;

    struct input input;
    unsigned char bytes[512];
    size_t byte_at, byte_count;
    struct input_event events[2];
    size_t event_at, event_count;
    double byte_at_s;         /* when the last bytes came */
    int byte_is_fresh;        /* they were waited for */
    double resize_at;         /* when to look at the new size; 0: no change known */
    int is_resumed, is_probed_news, is_resized_news;
    int is_other_size;        /* of a cell, since the last event */
    atomic_int is_woken;
    struct term_stats stats;
};

double session_now(void);     /* seconds, never 0 */

/* Sends all of it; ERR_IO when the terminal is gone. */
enum status session_send(struct term *t, const char *bytes, size_t len);

/* The screen's pictures are gone, or shall be. */
void showing_forget(struct term *t);

/* Appends what removes kitty's picture of that number, 0: all of them, where pictures go. */
void showing_add_removal(const struct term *t, struct buf *out, unsigned id);

/* Sends the next piece of the queue when it is its time: 1, or 0 and *wait_s is how long
 * until there may be one (< 0: not before an answer comes, or there is nothing). */
int showing_pump(struct term *t, double *wait_s);

/* A question whose answer tells how far the terminal is; bytes were sent before it. */
void showing_ask(struct term *t, size_t bytes, struct buf *out);

#endif
