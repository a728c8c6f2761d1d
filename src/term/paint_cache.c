/* paint_cache.c - encoded pictures: a hash table whose entries also stand in a
 * list from the most to the least recently used. */
#include "dtrak/hash.h"
#include "dtrak/mem.h"
#include "dtrak/painter.h"

#include <string.h>

#define BUCKETS 1024

struct entry {
    struct paint_key key;
    struct paint_entry is;        /* its bytes are owned */
    char *bytes;
    struct entry *chain;          /* in the bucket */
    struct entry *newer, *older;
};

struct paint_cache {
    struct entry *bucket[BUCKETS];
    struct entry *newest, *oldest;
    size_t cap, bytes, count;
};

int paint_same_how(const struct paint_how *a, const struct paint_how *b) {
    return a->painter == b->painter && a->depth == b->depth && a->colours == b->colours
        && a->cell_w == b->cell_w && a->cell_h == b->cell_h && a->max_w == b->max_w
        && a->max_h == b->max_h && a->shrink == b->shrink;
}

static int same(const struct paint_key *a, const struct paint_key *b) {
    return a->image == b->image && a->rows == b->rows && a->cols == b->cols
        && a->part == b->part && paint_same_how(&a->how, &b->how);
}

static struct entry **bucket_of(struct paint_cache *c, const struct paint_key *k) {
    const uint64_t parts[] = { k->image, k->rows, k->cols, k->how.painter, k->how.colours, k->part };
    return &c->bucket[hash_xxh3(parts, sizeof parts) % BUCKETS];
}

enum status paint_cache_new(struct paint_cache **out, size_t cap_bytes) {
    *out = mem_array(1, sizeof **out);
    if (!*out) return fail(ERR_NOMEM, "picture cache: out of memory");
    (*out)->cap = cap_bytes;
    return OK;
}

static void unlist(struct paint_cache *c, struct entry *e) {
    *(e->newer ? &e->newer->older : &c->newest) = e->older;
    *(e->older ? &e->older->newer : &c->oldest) = e->newer;
    e->newer = e->older = NULL;
}

static void list_first(struct paint_cache *c, struct entry *e) {
    e->older = c->newest;
    e->newer = NULL;
    *(c->newest ? &c->newest->newer : &c->oldest) = e;
    c->newest = e;
}

static void drop(struct paint_cache *c, struct entry *e) {
    struct entry **at = bucket_of(c, &e->key);
    while (*at != e) at = &(*at)->chain;
    *at = e->chain;
    unlist(c, e);
    c->bytes -= e->is.len;
    c->count--;
    mem_free(e->bytes);
    mem_free(e);
}

void paint_cache_free(struct paint_cache *c) {
    if (!c) return;
    while (c->newest) drop(c, c->newest);
    mem_free(c);
}

static struct entry *find(struct paint_cache *c, const struct paint_key *key) {
    for (struct entry *e = *bucket_of(c, key); e; e = e->chain)
        if (same(&e->key, key)) return e;
    return NULL;
}

int paint_cache_get(struct paint_cache *c, const struct paint_key *key, struct paint_entry *out) {
    struct entry *e = find(c, key);
    if (!e) return 0;
    unlist(c, e);
    list_first(c, e);
    *out = e->is;
    return 1;
}

enum status paint_cache_put(struct paint_cache *c, const struct paint_key *key,
                            struct buf *bytes, const struct paint_entry *what) {
    struct entry *e = mem_array(1, sizeof *e);
    if (!e || buf_status(bytes) != OK) {
        mem_free(e);
        buf_free(bytes);
        return fail(ERR_NOMEM, "picture cache: out of memory");
    }
    struct entry *old = find(c, key);
    if (old) drop(c, old);
    e->key = *key;
    e->is = *what;
    e->is.len = bytes->len;
    e->is.bytes = e->bytes = buf_detach(bytes);
    struct entry **at = bucket_of(c, key);
    e->chain = *at;
    *at = e;
    list_first(c, e);
    c->bytes += e->is.len;
    c->count++;
    while (c->bytes > c->cap && c->oldest != e) drop(c, c->oldest);
    return OK;
}

size_t paint_cache_bytes(const struct paint_cache *c) { return c->bytes; }
size_t paint_cache_count(const struct paint_cache *c) { return c->count; }
