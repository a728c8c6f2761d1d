/* buf.h - a growing block of bytes, for text and for binary output.
 *
 * A failed append sets `failed` and keeps what was there; later appends do
 * nothing.  So a writer appends freely and checks once, with buf_status(). */
#ifndef DTRAK_BUF_H
#define DTRAK_BUF_H

#include "dtrak/err.h"

#include <stddef.h>

struct buf {
    char *data;    /* len bytes and a 0 that is not counted; NULL while empty */
    size_t len, cap;
    int failed;
};
#define BUF_INIT { NULL, 0, 0, 0 }

void buf_add(struct buf *b, const void *bytes, size_t len);
void buf_text(struct buf *b, const char *s);
__attribute__((format(printf, 2, 3)))
void buf_printf(struct buf *b, const char *fmt, ...);

/* The bytes in base64 (RFC 4648, padded, one line). */
void buf_base64(struct buf *b, const void *bytes, size_t len);

/* OK, or ERR_NOMEM when an append failed. */
enum status buf_status(const struct buf *b);

/* The bytes, now the caller's to mem_free(); the buffer is empty again.
 * NULL when nothing was ever appended or an append failed. */
char *buf_detach(struct buf *b);
void buf_clear(struct buf *b);   /* empties, keeps the memory and clears failed */
void buf_free(struct buf *b);

#endif
