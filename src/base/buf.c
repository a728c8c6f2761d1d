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

void buf_base64(struct buf *b, const void *bytes, size_t len) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *p = bytes;
    if (!reserve(b, (len + 2) / 3 * 4)) return;
    for (size_t i = 0; i < len; i += 3) {
        size_t have = len - i < 3 ? len - i : 3;
        uint32_t v = (uint32_t)p[i] << 16 | (have > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (have > 2 ? p[i + 2] : 0);
        char four[4] = { digits[v >> 18], digits[v >> 12 & 63], have > 1 ? digits[v >> 6 & 63] : '=',
                         have > 2 ? digits[v & 63] : '=' };
        buf_add(b, four, 4);
    }
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
