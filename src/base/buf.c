#include "dtrak/buf.h"

#include "dtrak/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static int reserve(struct buf *b, size_t more) {
    if (b->failed) return 0;
    if (more > SIZE_MAX / 4 - b->len) { b->failed = 1; return 0; }
    size_t need = b->len + more + 1;
    if (need <= b->cap) return 1;
    size_t cap = b->cap ? b->cap * 2 : 256;
    while (cap < need) cap *= 2;
    char *p = mem_resize(b->data, b->data ? b->len + 1 : 0, cap, 1);
    if (!p) { b->failed = 1; return 0; }
    b->data = p;
    b->cap = cap;
    return 1;
}

void buf_add(struct buf *b, const void *bytes, size_t len) {
    if (!reserve(b, len)) return;
    if (len) memcpy(b->data + b->len, bytes, len);
    b->len += len;
    b->data[b->len] = 0;
}

void buf_text(struct buf *b, const char *s) { buf_add(b, s, strlen(s)); }

void buf_printf(struct buf *b, const char *fmt, ...) {
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n >= 0 && reserve(b, (size_t)n)) {
        vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    } else {
        b->failed = 1;
    }
    va_end(again);
}

enum status buf_status(const struct buf *b) {
    return b->failed ? fail(ERR_NOMEM, "out of memory") : OK;
}

char *buf_detach(struct buf *b) {
    char *p = b->failed ? NULL : b->data;
    if (b->failed) mem_free(b->data);
    *b = (struct buf)BUF_INIT;
    return p;
}

void buf_clear(struct buf *b) { b->len = 0; b->failed = 0; if (b->data) b->data[0] = 0; }
void buf_free(struct buf *b) { mem_free(b->data); *b = (struct buf)BUF_INIT; }
