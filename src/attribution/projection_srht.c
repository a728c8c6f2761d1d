/* projection_srht.c - blocks of coordinates through a randomised Hadamard transform.
 *
 * Block B is m coordinates in diffusers' order.  It adds, to output r,
 *   e_Br / sqrt(k) (H D_B x_B)[row_Br],   row_Br = a_B r + c_B in the field of m elements
 * with random signs D_B and e_B, a random a_B != 0 and c_B: over these, each two
 * rows of a block are a uniform pair of different ones, which is all that the
 * variance asks of a choice without replacement.  With m = k every row is used, as
 * row_Br = r.
 *
 * A block is transformed when its last coordinate has come, so what is held is
 * the blocks that are begun.  When they are too many (pieces in an unlikely
 * order) one is transformed as it is and begun again: the map is linear. */
#include "projection_parts.h"

#include "dtrak/mem.h"
#include "dtrak/random_matrix.h"

#include <math.h>
#include <string.h>

enum { SPARE_SLOTS = 64, NO_SLOT = 0 };
enum { USE_COORDINATE_SIGN, USE_OUTPUT_SIGN, USE_ROWS };

struct srht {
    const struct random_matrix *m;
    uint32_t bits;           /* m = 2^bits */
    size_t blocks, slots;    /* slots: blocks that are held at a time */
};

struct begun {               /* of one thread */
    size_t row, open, next;  /* next: the slot to give up when none is free */
    uint32_t *slot;          /* [blocks]: number + 1, or NO_SLOT */
    uint32_t *block, *left;  /* [slots]: coordinates still to come; 0: free */
    float *x;                /* [slots][m] */
};

static size_t block_length(const struct projector *pr, size_t block) {
    const struct srht *h = pr->own;
    size_t m = (size_t)1 << h->bits, left = (size_t)pr->proj.p - (block << h->bits);
    return left < m ? left : m;
}

/* Blocks open at a time when coordinates come in stored order. */
static enum status count_open(struct projector *pr) {
    struct srht *h = pr->own;
    uint32_t *left = mem_array(h->blocks, sizeof *left);
    if (!left) return fail(ERR_NOMEM, "projection: out of memory for %zu blocks", h->blocks);
    size_t open = 0, most = 0;
    for (size_t i = 0; i < pr->proj.p; i++) {
        size_t b = pr->table[i] >> h->bits;
        if (!left[b]) {
            left[b] = (uint32_t)block_length(pr, b);
            if (++open > most) most = open;
        }
        if (!--left[b]) open--;
    }
    mem_free(left);
    h->slots = most + SPARE_SLOTS < h->blocks ? most + SPARE_SLOTS : h->blocks;
    return OK;
}

static enum status projector_srht(struct projector *pr, const uint32_t *coord) {
    TRY(projector_keep_coordinates(pr, coord));
    struct srht *h = pr->own = mem_array(1, sizeof *h);
    if (!h) return fail(ERR_NOMEM, "projection: out of memory");
    h->m = random_matrix_best();
    while (pr->proj.k > 1u << h->bits) h->bits++;
    h->blocks = (size_t)((pr->proj.p - 1) >> h->bits) + 1;
    return count_open(pr);
}

static void projector_srht_free(struct projector *pr) { mem_free(pr->own); }

static void work_free(struct projection_work *w) {
    struct begun *all = w->own;
    for (size_t t = 0; all && t < w->threads; t++) {
        mem_free(all[t].slot);
        mem_free(all[t].block);
        mem_free(all[t].left);
        mem_free(all[t].x);
    }
    mem_free(all);
}

static size_t thread_bytes(const struct projector *pr) {
    const struct srht *h = pr->own;
    return h->blocks * sizeof(uint32_t) + h->slots * (2 * sizeof(uint32_t) + (sizeof(float) << h->bits));
}

static enum status work_new(struct projection_work *w, size_t memory) {
    (void)memory;
    const struct srht *h = w->pr->own;
    struct begun *all = w->own = mem_array(w->threads, sizeof *all);
    int short_of_memory = !all;
    for (size_t t = 0; t < w->threads && !short_of_memory; t++) {
        all[t].slot = mem_array(h->blocks, sizeof *all->slot);
        all[t].block = mem_array(h->slots, sizeof *all->block);
        all[t].left = mem_array(h->slots, sizeof *all->left);
        all[t].x = mem_array(h->slots << h->bits, sizeof *all->x);
        short_of_memory = !all[t].slot || !all[t].block || !all[t].left || !all[t].x;
    }
    return short_of_memory ? fail(ERR_NOMEM, "projection: out of memory for %zu blocks of %zu", h->slots,
                                  (size_t)1 << h->bits) : OK;
}

/* --- one block --- */

enum { CHUNK = 4096 };   /* numbers that get their signs at a time */

/* x[i] <- +-x[i], i < n, by bits first, first + 1, ... of the block's stream; first is a multiple of CHUNK. */
static void random_signs(const struct projector *pr, uint32_t block, uint32_t use, size_t first, float *x, size_t n) {
    const struct srht *h = pr->own;
    uint32_t sign[CHUNK / 32];
    for (size_t i = 0; i < n; i += 128) projection_words(sign + i / 32, pr, block, (uint32_t)((first + i) / 128), use);
    h->m->flip(x, sign, n);
}

/* The field of 2^bits elements: x^bits = these lower terms (the polynomials are
 * irreducible over GF(2)). */
static const uint32_t lower_terms[25] = {
    0, 0x1, 0x3, 0x3, 0x3, 0x5, 0x3, 0x3, 0x1b, 0x11, 0x9, 0x5, 0x53, 0x1b, 0x2b, 0x3, 0x2b,
    0x9, 0x9, 0x27, 0x9, 0x5, 0x3, 0x21, 0x1b
};

/* step[t] = a (2^(t+1) - 1): what a r changes by when r goes from r - 1 to r, and t
 * is r's lowest bit. */
static void row_steps(uint32_t step[25], uint32_t a, uint32_t bits) {
    uint32_t sum = 0;
    for (uint32_t t = 0; t < bits; t++) {
        sum ^= a;
        step[t] = sum;
        a = (a << 1 ^ (a >> (bits - 1) & 1 ? lower_terms[bits] : 0)) & ((1u << bits) - 1);
    }
}

/* out[r] += +-scale x[row of r]; x is used up. */
static void add_rows(const struct projector *pr, uint32_t block, float *x, float *out) {
    const struct srht *h = pr->own;
    uint32_t k = pr->proj.k, m = 1u << h->bits, row = 0, step[25] = { 0 }, word[4];
    float scale = (float)(1 / sqrt((double)k)), taken[CHUNK];
    if (m > k) {   /* a in 1..m-1 and c in 0..m-1, by multiply-shift */
        projection_words(word, pr, block, 0, USE_ROWS);
        row_steps(step, 1 + (uint32_t)((uint64_t)word[0] * (m - 1) >> 32), h->bits);
        row = (uint32_t)((uint64_t)word[1] * m >> 32);
    }
    for (uint32_t first = 0; first < k; first += CHUNK) {
        uint32_t n = k - first < CHUNK ? k - first : CHUNK;
        float *from = x + first, *to = out + first;
        if (m > k) {
            from = taken;
            for (uint32_t r = first; r < first + n; r++) {
                if (r) row ^= step[__builtin_ctz(r)];
                taken[r - first] = x[row];
            }
        }
        random_signs(pr, block, USE_OUTPUT_SIGN, first, from, n);
        for (uint32_t r = 0; r < n; r++) to[r] += scale * from[r];
    }
}

static void close_slot(struct projection_work *w, struct begun *g, size_t s) {
    const struct projector *pr = w->pr;
    const struct srht *h = pr->own;
    size_t m = (size_t)1 << h->bits;
    float *x = g->x + s * m;
    for (size_t i = 0; i < m; i += CHUNK)
        random_signs(pr, g->block[s], USE_COORDINATE_SIGN, i, x + i, m - i < CHUNK ? m - i : CHUNK);
    h->m->hadamard(x, m);
    add_rows(pr, g->block[s], x, w->out + g->row * pr->proj.k);
    g->slot[g->block[s]] = NO_SLOT;
    g->left[s] = 0;
    g->open--;
}

static void close_all(struct projection_work *w, struct begun *g) {
    const struct srht *h = w->pr->own;
    for (size_t s = 0; g->open && s < h->slots; s++)
        if (g->left[s]) close_slot(w, g, s);
}

static size_t open_slot(struct projection_work *w, struct begun *g, size_t block) {
    const struct srht *h = w->pr->own;
    size_t s = g->next;
    while (g->open < h->slots && g->left[s]) s = s + 1 < h->slots ? s + 1 : 0;
    if (g->left[s]) close_slot(w, g, s);
    g->next = s + 1 < h->slots ? s + 1 : 0;
    memset(g->x + (s << h->bits), 0, sizeof *g->x << h->bits);
    g->slot[block] = (uint32_t)s + 1;
    g->block[s] = (uint32_t)block;
    g->left[s] = (uint32_t)block_length(w->pr, block);
    g->open++;
    return s;
}

/* Forgets what an unfinished group left. */
static void begin(struct projection_work *w) {
    const struct srht *h = w->pr->own;
    for (size_t t = 0; t < w->threads; t++) {
        struct begun *g = (struct begun *)w->own + t;
        memset(g->slot, 0, h->blocks * sizeof *g->slot);
        memset(g->left, 0, h->slots * sizeof *g->left);
        g->row = g->open = g->next = 0;
    }
}

static void add(struct projection_work *w, size_t thread, size_t row,
                size_t offset, const float *grad, size_t n, float weight) {
    const struct srht *h = w->pr->own;
    struct begun *g = (struct begun *)w->own + thread;
    const uint32_t *coord = w->pr->table + offset;
    uint32_t mask = (1u << h->bits) - 1;
    if (g->row != row) close_all(w, g);
    g->row = row;
    for (size_t i = 0; i < n; i++) {
        size_t block = coord[i] >> h->bits;
        size_t s = g->slot[block] ? g->slot[block] - 1 : open_slot(w, g, block);
        g->x[(s << h->bits) + (coord[i] & mask)] += weight * grad[i];
        if (!--g->left[s]) {
            g->left[s] = 1;   /* in use until closed */
            close_slot(w, g, s);
        }
    }
}

static int finish(struct projection_work *w, struct pool *pool, atomic_int *cancel) {
    (void)pool;
    (void)cancel;
    for (size_t t = 0; t < w->threads; t++) close_all(w, (struct begun *)w->own + t);
    return 1;
}

const struct projection_ops projection_srht = {
    .projector_new = projector_srht, .projector_free = projector_srht_free,
    .thread_bytes = thread_bytes, .work_new = work_new, .work_free = work_free, .begin = begin, .add = add, .finish = finish,
};
