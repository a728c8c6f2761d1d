/* score_row.c - a row of scores as bytes, and its best entries.
 *
 * Rows are exact float32, or rounded to fewer significant bits first.  Each
 * value is rotated left by one bit, so that its bytes are exponent, mantissa,
 * mantissa, and the mantissa's end with the sign.  The bytes of all values are
 * then put beside each other (all exponents, ...), and each such plane is
 * deflated with code lengths of its own.  What does not get smaller is kept as
 * it is.  A Gaussian row of 1000 rounded to 16 bits takes 2.5 bytes a value. */
#include "db.h"

#include "dtrak/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

float score_round(float x, int bits) {
    uint32_t u;
    float rounded;
    if (bits >= 24) return x;
    uint32_t unit = 1u << (24 - bits), half = unit >> 1;
    memcpy(&u, &x, 4);
    uint32_t up = (u + half - 1 + (u / unit & 1u)) & ~(unit - 1);   /* ties to even */
    memcpy(&rounded, &up, 4);
    if (isfinite(rounded)) return rounded;
    u &= ~(unit - 1);                                               /* not over the largest float */
    memcpy(&rounded, &u, 4);
    return rounded;
}

static uint32_t bits_of(float x) {
    uint32_t u;
    memcpy(&u, &x, 4);
    return u;
}

/* One zlib stream of four planes, a block each; *len is 0 when it does not fit. */
static enum status deflate_planes(unsigned char *out, size_t *len, unsigned char *planes, size_t n) {
    z_stream z;
    memset(&z, 0, sizeof z);
    /* Matches beyond runs are accidents in such data and only cost time. */
    if (deflateInit2(&z, 9, Z_DEFLATED, 15, 9, Z_RLE) != Z_OK)
        return fail(ERR_NOMEM, "score row: out of memory");
    int rc = Z_OK;
    z.next_out = out;
    z.avail_out = (uInt)(4 * n);
    for (size_t b = 0; b < 4 && rc == Z_OK; b++) {
        z.next_in = planes + b * n;
        z.avail_in = (uInt)n;
        rc = deflate(&z, b < 3 ? Z_BLOCK : Z_FINISH);
        if (z.avail_in) break;
    }
    *len = rc == Z_STREAM_END ? z.total_out : 0;
    deflateEnd(&z);
    return OK;
}

enum status score_row_encode(unsigned char *out, size_t *len, int *format, unsigned char *scratch,
                             const float *row, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint32_t u = bits_of(row[i]);
        u = u << 1 | u >> 31;
        for (size_t b = 0; b < 4; b++) scratch[(3 - b) * n + i] = (unsigned char)(u >> 8 * b);
    }
    TRY(deflate_planes(out, len, scratch, n));
    *format = *len > 0 && *len < 4 * n ? ROW_DEFLATED : ROW_RAW;
    if (*format == ROW_DEFLATED) return OK;
    *len = 4 * n;
    for (size_t i = 0; i < n; i++)
        for (size_t b = 0; b < 4; b++) out[4 * i + b] = (unsigned char)(bits_of(row[i]) >> 8 * b);
    return OK;
}

static uint32_t from_bytes(unsigned b3, unsigned b2, unsigned b1, unsigned b0) {
    return (uint32_t)b3 << 24 | (uint32_t)b2 << 16 | (uint32_t)b1 << 8 | (uint32_t)b0;
}

enum status score_row_decode(float *row, size_t n, int format, const void *bytes, size_t len) {
    const unsigned char *b = bytes;
    if (format == ROW_RAW) {
        if (len != 4 * n) return fail(ERR_FORMAT, "%zu bytes for %zu scores", len, n);
        for (size_t i = 0; i < n; i++) {
            uint32_t u = from_bytes(b[4 * i + 3], b[4 * i + 2], b[4 * i + 1], b[4 * i]);
            memcpy(&row[i], &u, 4);
        }
        return OK;
    }
    if (format != ROW_DEFLATED) return fail(ERR_FORMAT, "score format %d", format);
    unsigned char *plain = mem_array(n, 4);
    if (!plain) return fail(ERR_NOMEM, "score row: out of memory");
    uLongf got = (uLongf)(4 * n);
    enum status st = OK;
    int rc = uncompress(plain, &got, b, (uLong)len);
    if (rc == Z_MEM_ERROR) st = fail(ERR_NOMEM, "score row: out of memory");
    else if (rc != Z_OK || got != 4 * n) st = fail(ERR_FORMAT, "does not unpack to %zu scores", n);
    else
        for (size_t i = 0; i < n; i++) {
            uint32_t u = from_bytes(plain[i], plain[n + i], plain[2 * n + i], plain[3 * n + i]);
            u = u >> 1 | u << 31;
            memcpy(&row[i], &u, 4);
        }
    mem_free(plain);
    return st;
}

/* --- ranking --- */

static int higher_first(const void *a, const void *b) {
    const struct ranked *x = a, *y = b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    return (x->item > y->item) - (x->item < y->item);
}

static int lower_first(const void *a, const void *b) {
    const struct ranked *x = a, *y = b;
    if (x->score != y->score) return x->score < y->score ? -1 : 1;
    return (x->item > y->item) - (x->item < y->item);
}

/* Keeps out sorted while going over the row: right for the few of a screen. */
static void top_by_insertion(struct ranked *out, size_t count, const float *row, size_t n, int opponents) {
    size_t have = 0;
    for (size_t i = 0; i < n; i++) {
        size_t at = have;
        while (at > 0 && (opponents ? row[i] < out[at - 1].score : row[i] > out[at - 1].score)) at--;
        if (at == count) continue;
        if (have < count) have++;
        memmove(out + at + 1, out + at, (have - 1 - at) * sizeof *out);
        out[at].item = i;
        out[at].score = row[i];
    }
}

enum status score_row_top(struct ranked *out, size_t count, const float *row, size_t n, int opponents) {
    if (count <= 128 && count < n) {
        top_by_insertion(out, count, row, n, opponents);
    } else {
        struct ranked *all = mem_array(n, sizeof *all);
        if (!all) return fail(ERR_NOMEM, "ranking: out of memory");
        for (size_t i = 0; i < n; i++) {
            all[i].item = i;
            all[i].score = row[i];
        }
        qsort(all, n, sizeof *all, opponents ? lower_first : higher_first);
        memcpy(out, all, count * sizeof *out);
        mem_free(all);
    }
    for (size_t i = 0; i < count; i++) out[i].rank = i + 1;
    return OK;
}
