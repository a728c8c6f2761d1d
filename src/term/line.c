/* line.c - answers to questions, as speed. */
#include "line.h"

#include <stdint.h>
#include <string.h>

#define DEADLINE_S 3.0       /* a terminal that answers at all has answered by then */
#define NEAR_S 0.04          /* a round trip that is no line to speak of */
#define AHEAD_S 0.05         /* on a fast line: bytes of that much time beyond the round trip */
#define TILE_S 0.1           /* on a slow one a tile takes no longer than that */
#define LATE_S 0.15
#define DOUBT 0.1            /* how well a round trip is known: this part of it and that much */
#define DOUBT_S 0.001
#define SOON_S 0.005         /* nobody notices a picture that took no longer */
#define LONG_S 0.03          /* long enough to tell a speed from */
#define TILE_LEAST 3000
#define WINDOW_LEAST ((size_t)64 << 10)
#define WINDOW_MOST ((size_t)1 << 20)

void line_init(struct line *l) {
    memset(l, 0, sizeof *l);
    l->round_trip = -1;
    l->answered = -1;
}

int line_asks(const struct line *l) { return l->is_answering && l->count < LINE_FENCES; }

void line_asked(struct line *l, size_t bytes, double now) {
    if (l->count == LINE_FENCES) return;
    size_t at = (l->first + l->count++) % LINE_FENCES;
    l->fence[at].bytes = bytes;
    l->fence[at].sent = now;
    l->in_flight += bytes;
}

int line_wants_ping(const struct line *l) {
    return l->is_answering && !l->gave_up && l->count == 0 && (l->pings < LINE_PINGS || l->since_ping > LINE_PING_BYTES);
}

static void sample(struct line *l, double speed) {
    l->sample[l->sample_at] = speed;
    l->sample_at = (l->sample_at + 1) % LINE_SAMPLES;
    if (l->samples < LINE_SAMPLES) l->samples++;
}

/* Counts from when the line, idle before, would have answered a bare question: so an answer
 * that comes late, or several that come together, make the line seem slower than it is but
 * never faster.  The round trip is known to a part of itself only: so a short time says no
 * more than that the line is fast, and a late reading of it nothing. */
static void measure(struct line *l, double now, int is_fresh) {
    double took = now - l->busy_from, bytes = (double)l->busy_bytes;
    double least = bytes / (took + l->round_trip * DOUBT + DOUBT_S);
    if (!l->pings) return;
    if (least >= LINE_SLOW) sample(l, least);
    else if (l->round_trip < NEAR_S && took < SOON_S) sample(l, LINE_SLOW);
    else if (took >= LONG_S && is_fresh) sample(l, bytes / took);
}

/* An answer that came well before the round trip was over: that had been held up, and the speeds
 * that were told with it are too high.  With pictures before it, the answer is no measure itself. */
static void correct(struct line *l, double took, int is_bare) {
    if (l->round_trip >= 0 && took < l->round_trip * (1 - DOUBT) - DOUBT_S) {
        l->samples = l->sample_at = 0;
        if (!is_bare) l->pings = 0;
    }
    l->round_trip = took;
}

void line_answered(struct line *l, double now, int is_fresh) {
    l->is_answering = 1;
    l->gave_up = 0;
    if (l->count == 0) {
        if (l->overdue) l->overdue--;
        return;
    }
    size_t bytes = l->fence[l->first].bytes;
    double sent = l->fence[l->first].sent, took = now - sent;
    l->first = (l->first + 1) % LINE_FENCES;
    l->count--;
    l->in_flight -= bytes;
    /* It may be the answer to a question from before; then its time says nothing. */
    int is_own = l->overdue == 0;
    if (!is_own) l->overdue--;
    int is_shorter = l->round_trip < 0 || (is_own && took < l->round_trip);
    if (is_shorter) correct(l, took, bytes == 0);
    if (sent + l->round_trip > l->answered) {   /* it had nothing to do in between */
        l->busy_from = sent + l->round_trip;
        l->busy_bytes = 0;
    }
    l->busy_bytes += bytes;
    /* Pictures make a round trip long; one that was shorter all the same is a correction. */
    if (!is_shorter && is_own && bytes) measure(l, now, is_fresh);
    l->since_ping = bytes ? l->since_ping + bytes : 0;
    /* Where the answer is there before anybody could wait for it, it took no time to speak of. */
    if (bytes == 0 && is_own && (is_fresh || took < SOON_S) && l->pings < LINE_PINGS) l->pings++;
    l->answered = now;
}

double line_deadline(const struct line *l) {
    return l->count && l->is_answering && !l->gave_up ? l->fence[l->first].sent + DEADLINE_S : -1;
}

void line_expire(struct line *l, double now) {
    double end = line_deadline(l);
    if (end < 0 || now < end) return;
    l->gave_up = 1;
    l->overdue += l->count;
    l->count = 0;
    l->in_flight = 0;
}

/* The best of the last few: a single one is low when the machine was busy, never high. */
double line_speed(const struct line *l) {
    double best = l->is_near ? LINE_SLOW : 0;
    for (size_t i = 0; i < l->samples; i++)
        if (l->sample[i] > best) best = l->sample[i];
    return best;
}

int line_is_slow(const struct line *l) {
    if (!l->is_answering || l->gave_up) return 0;
    return l->samples || l->is_near ? line_speed(l) < LINE_SLOW : l->round_trip >= NEAR_S;
}

size_t line_tile(const struct line *l) {
    double bytes = line_speed(l) * TILE_S;
    if (!l->is_answering || l->gave_up || line_speed(l) >= LINE_SLOW) return SIZE_MAX;
    if (l->samples == 0 || bytes > LINE_TILE) return LINE_TILE;
    return bytes < TILE_LEAST ? TILE_LEAST : (size_t)bytes;
}

/* As many bytes as the line takes in a round trip, and some. */
static size_t window(const struct line *l) {
    double bytes = line_speed(l) * (l->round_trip + AHEAD_S);
    if (line_speed(l) < LINE_SLOW) return line_tile(l);
    if (bytes < (double)WINDOW_LEAST) return WINDOW_LEAST;
    return bytes > (double)WINDOW_MOST ? WINDOW_MOST : (size_t)bytes;
}

int line_has_room(const struct line *l, size_t bytes, size_t most) {
    if (!l->is_answering || l->gave_up || l->in_flight == 0) return 1;
    if (l->count == LINE_FENCES) return 0;
    return l->in_flight + bytes <= (most ? most : window(l));
}

int line_is_late(const struct line *l, double now) {
    if (l->count == 0 || !line_is_slow(l)) return 0;
    double owed = l->samples ? (double)l->in_flight / line_speed(l) : 0;
    return now > l->fence[l->first].sent + l->round_trip + LATE_S + owed;
}
