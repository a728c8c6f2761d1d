/* pictures.c - a thread that reads and decodes images, and what it made.
 *
 * The cache is a table of slots found by hashing the item.  A slot that was
 * handed out carries the number of the frame it was handed out in; only slots
 * two frames old or more are given up, so borrowed pixels stay where they are
 * while they are painted.  Requests are a stack: what was asked for last is
 * what the user looks at. */
#include "dtrak/pictures.h"

#include "dtrak/image.h"
#include "dtrak/mem.h"
#include "dtrak/progress.h"
#include "dtrak/store.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define SLOTS 4096         /* pictures held at most; a power of two */
#define WANTED 1024        /* requests held at most */
#define SIDE 8192          /* pixels at most, of either side: no painter takes more, and no screen shows them */
#define TELL_S .01         /* between two announcements while more is to come: each has the page drawn again */

enum slot_state { SLOT_FREE, SLOT_READY, SLOT_BAD };

struct slot {
    uint64_t key;
    enum slot_state state;
    struct image image;
    uint64_t frame;        /* last handed out in */
};

struct pictures {
    struct store *store;   /* the thread's */
    pthread_t thread;
    int has_thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct slot slot[SLOTS];
    size_t used, bytes, cap;
    uint64_t wanted[WANTED];
    size_t n_wanted;
    uint64_t doing;        /* key + 1 of what is being decoded; 0: nothing */
    uint64_t frame;
    unsigned forgotten;    /* how often; what was read before is of no use after */
    int stop;
    double told;           /* when on_change was last called */
    int untold;            /* something was decoded since */
    void (*on_change)(void *ctx);
    void *ctx;
};

uint64_t pictures_key(struct item_ref ref) {
    return (uint64_t)ref.split << 56 | ((uint64_t)ref.index & 0xffffffffffffffu);
}

struct item_ref pictures_ref(uint64_t key) {
    struct item_ref ref = { (enum split)(key >> 56), (size_t)(key & 0xffffffffffffffu) };
    return ref;
}

static size_t place_of(uint64_t key) {
    return (size_t)((key * 0x9e3779b97f4a7c15u) >> 40) & (SLOTS - 1);
}

/* The slot of the key, or the free one where it would go. */
static struct slot *find(struct pictures *p, uint64_t key) {
    size_t i = place_of(key);
    while (p->slot[i].state != SLOT_FREE && p->slot[i].key != key) i = (i + 1) & (SLOTS - 1);
    return &p->slot[i];
}

/* Empties slot i and moves the later ones of its run into reach again. */
static void drop(struct pictures *p, size_t i) {
    struct slot *s = &p->slot[i];
    p->bytes -= 4 * s->image.width_px * s->image.height_px;
    p->used--;
    image_free(&s->image);
    memset(s, 0, sizeof *s);
    for (size_t k = (i + 1) & (SLOTS - 1); p->slot[k].state != SLOT_FREE; k = (k + 1) & (SLOTS - 1)) {
        struct slot moved = p->slot[k];
        memset(&p->slot[k], 0, sizeof moved);
        *find(p, moved.key) = moved;
    }
}

/* Frees the oldest pictures until bytes more fit; those of this frame and the
 * last stay, whatever the cap. */
static void make_room(struct pictures *p, size_t bytes) {
    while (p->used > SLOTS / 2 || p->bytes + bytes > p->cap) {
        size_t oldest = SLOTS;
        for (size_t i = 0; i < SLOTS; i++)
            if (p->slot[i].state != SLOT_FREE && p->slot[i].frame + 1 < p->frame &&
                (oldest == SLOTS || p->slot[i].frame < p->slot[oldest].frame))
                oldest = i;
        if (oldest == SLOTS) return;
        drop(p, oldest);
    }
}

static void put(struct pictures *p, uint64_t key, struct image *image) {
    make_room(p, 4 * image->width_px * image->height_px);
    struct slot *s = find(p, key);
    if (s->state != SLOT_FREE || p->used + 1 >= SLOTS) {   /* full of pictures on the screen */
        image_free(image);
        return;
    }
    s->key = key;
    s->state = image->pixels ? SLOT_READY : SLOT_BAD;
    s->image = *image;
    s->frame = p->frame;
    p->used++;
    p->bytes += 4 * image->width_px * image->height_px;
}

/* A picture that is too large to paint, smaller. */
static void make_paintable(struct image *im) {
    struct image less;
    size_t side = im->width_px > im->height_px ? im->width_px : im->height_px;
    if (side <= SIDE) return;
    size_t w = im->width_px * SIDE / side, h = im->height_px * SIDE / side;
    enum status st = image_resize(&less, im, w ? w : 1, h ? h : 1, IMAGE_BOX);
    image_free(im);
    if (st == OK) *im = less;
}

static void decode(struct pictures *p, uint64_t key, struct image *out) {
    void *bytes = NULL;
    size_t len = 0;
    char name[48];
    memset(out, 0, sizeof *out);
    struct item_ref ref = pictures_ref(key);
    int is_item = ref.split < SPLIT_COUNT;
    if (is_item) item_ref_format(name, ref);
    else snprintf(name, sizeof name, "counterfactual %zu", ref.index);
    if ((is_item ? store_image_read(p->store, ref, &bytes, &len)
                 : store_counterfactual_image(p->store, (int64_t)ref.index, &bytes, &len)) == OK &&
        image_decode(out, bytes, len, 4, name) != OK)
        memset(out, 0, sizeof *out);
    make_paintable(out);
    mem_free(bytes);
}

static void tell(struct pictures *p) {
    p->untold = 0;
    p->told = clock_s();
    if (p->on_change) p->on_change(p->ctx);
}

static void *main_loop(void *arg) {
    struct pictures *p = arg;
    pthread_mutex_lock(&p->lock);
    while (!p->stop) {
        if (!p->n_wanted) {
            if (p->untold) tell(p);
            pthread_cond_wait(&p->wake, &p->lock);
            continue;
        }
        struct image image;
        uint64_t key = p->wanted[--p->n_wanted];
        if (find(p, key)->state != SLOT_FREE) continue;
        unsigned forgotten = p->forgotten;
        p->doing = key + 1;
        pthread_mutex_unlock(&p->lock);
        decode(p, key, &image);
        pthread_mutex_lock(&p->lock);
        p->doing = 0;
        if (forgotten == p->forgotten) put(p, key, &image);
        else image_free(&image);
        p->untold = 1;
        if (p->n_wanted && clock_s() - p->told >= TELL_S) tell(p);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

enum status pictures_open(struct pictures **out, const char *db, size_t cache_bytes,
                          void (*on_change)(void *ctx), void *ctx) {
    sigset_t all, old;
    *out = NULL;
    struct pictures *p = mem_array(1, sizeof *p);
    if (!p) return fail(ERR_NOMEM, "pictures: out of memory");
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    p->cap = cache_bytes ? cache_bytes : (size_t)64 << 20;
    p->frame = 2;
    p->on_change = on_change;
    p->ctx = ctx;
    enum status st = store_open(&p->store, db, STORE_READ);
    if (st == OK) {
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &old);
        int rc = pthread_create(&p->thread, NULL, main_loop, p);
        pthread_sigmask(SIG_SETMASK, &old, NULL);
        if (rc) st = fail(ERR_IO, "the picture thread could not be started: %s", strerror(rc));
        else p->has_thread = 1;
    }
    if (st != OK) pictures_close(p);
    else *out = p;
    return st;
}

void pictures_close(struct pictures *p) {
    if (!p) return;
    pthread_mutex_lock(&p->lock);
    p->stop = 1;
    pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->lock);
    if (p->has_thread) pthread_join(p->thread, NULL);
    for (size_t i = 0; i < SLOTS; i++) image_free(&p->slot[i].image);
    store_close(p->store);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    mem_free(p);
}

void pictures_forget(struct pictures *p) {
    if (!p) return;
    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < SLOTS; i++) image_free(&p->slot[i].image);
    memset(p->slot, 0, sizeof p->slot);
    p->used = p->bytes = p->n_wanted = 0;
    p->forgotten++;
    pthread_mutex_unlock(&p->lock);
}

void pictures_begin(struct pictures *p) {
    pthread_mutex_lock(&p->lock);
    p->frame++;
    p->n_wanted = 0;
    pthread_mutex_unlock(&p->lock);
}

static void want(struct pictures *p, uint64_t key) {
    if (p->doing == key + 1 || p->n_wanted == WANTED) return;
    for (size_t i = 0; i < p->n_wanted; i++)
        if (p->wanted[i] == key) return;
    /* Below the others: the first asked for in a frame is decoded first. */
    memmove(p->wanted + 1, p->wanted, p->n_wanted * sizeof p->wanted[0]);
    p->wanted[0] = key;
    p->n_wanted++;
    pthread_cond_signal(&p->wake);
}

int pictures_get(struct pictures *p, struct item_ref ref, const unsigned char **rgba,
                 size_t *width_px, size_t *height_px) {
    uint64_t key = pictures_key(ref);
    int answer = 0;
    pthread_mutex_lock(&p->lock);
    struct slot *s = find(p, key);
    if (s->state == SLOT_FREE) {
        want(p, key);
    } else {
        s->frame = p->frame;
        answer = s->state == SLOT_READY ? 1 : -1;
        *rgba = s->image.pixels;
        *width_px = s->image.width_px;
        *height_px = s->image.height_px;
    }
    pthread_mutex_unlock(&p->lock);
    return answer;
}

void pictures_want(struct pictures *p, struct item_ref ref) {
    pthread_mutex_lock(&p->lock);
    if (find(p, pictures_key(ref))->state == SLOT_FREE) want(p, pictures_key(ref));
    pthread_mutex_unlock(&p->lock);
}

int pictures_busy(struct pictures *p) {
    pthread_mutex_lock(&p->lock);
    int b = p->doing || p->n_wanted;
    pthread_mutex_unlock(&p->lock);
    return b;
}
