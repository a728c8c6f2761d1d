#include "dtrak/mem.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_long live;
static atomic_long fail_in = -1;
static _Thread_local size_t taken;

static int must_fail(void) {
    long left = atomic_load(&fail_in);
    if (left < 0) return 0;
    if (left == 0) return 1;
    atomic_fetch_sub(&fail_in, 1);
    return 0;
}

void *mem_array(size_t count, size_t size) {
    if (size && count > (SIZE_MAX - 64) / size) return NULL;
    size_t bytes = (count * size + 63) & ~(size_t)63;
    if (must_fail()) return NULL;
    void *p = aligned_alloc(64, bytes ? bytes : 64);
    if (!p) return NULL;
    memset(p, 0, bytes ? bytes : 64);
    atomic_fetch_add(&live, 1);
    taken += bytes;
    return p;
}

size_t mem_taken(void) { return taken; }

size_t mem_default_cap(void) {
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    size_t all = pages > 0 && size > 0 ? (size_t)pages * (size_t)size : (size_t)4 << 30;
    unsigned long long limit;
    FILE *f = fopen("/sys/fs/cgroup/memory.max", "r");
    if (f) {
        if (fscanf(f, "%llu", &limit) == 1 && limit < all) all = (size_t)limit;
        fclose(f);
    }
    return all / 2;
}

void *mem_resize(void *p, size_t old_count, size_t new_count, size_t size) {
    void *q = mem_array(new_count, size);
    if (!q) return NULL;
    if (p) {
        memcpy(q, p, (old_count < new_count ? old_count : new_count) * size);
        mem_free(p);
    }
    return q;
}

char *mem_copy_bytes(const void *bytes, size_t len) {
    if (len == SIZE_MAX) return NULL;
    char *p = mem_array(len + 1, 1);
    if (p && len) memcpy(p, bytes, len);
    return p;
}

char *mem_copy_string(const char *s) { return mem_copy_bytes(s, strlen(s)); }

void mem_free(void *p) {
    if (!p) return;
    atomic_fetch_sub(&live, 1);
    free(p);
}

long mem_live(void) { return atomic_load(&live); }
void mem_fail_after(long n) { atomic_store(&fail_in, n); }
