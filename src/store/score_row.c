/* score_row.c - a row of scores as bytes, and its best entries.
 *
 * Rows are exact float32, or rounded to fewer significant bits first.  The four
 * bytes of all values are then put beside each other (all highest bytes, all
 * second ones, ...), where exponents and zeroed mantissa bits deflate well;
 * what does not get smaller is kept as it is. */
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

enum status score_row_encode(unsigned char *out, size_t *len, int *format, unsigned char *scratch,
                             const float *row, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint32_t u;
        memcpy(&u, &row[i], 4);
        for (size_t b = 0; b < 4; b++) scratch[(3 - b) * n + i] = (unsigned char)(u >> 8 * b);
    }
    uLongf packed = (uLongf)(4 * n);
    int rc = compress2(out, &packed, scratch, (uLong)(4 * n), 9);
    if (rc == Z_MEM_ERROR) return fail(ERR_NOMEM, "score row: out of memory");
    *format = rc == Z_OK && packed < 4 * n ? ROW_DEFLATED : ROW_RAW;
    *len = *format == ROW_DEFLATED ? packed : 4 * n;
    if (*format == ROW_RAW)
        for (size_t i = 0; i < n; i++)
            for (size_t b = 0; b < 4; b++) out[4 * i + b] = scratch[(3 - b) * n + i];
    return OK;
}

static float from_bytes(unsigned b3, unsigned b2, unsigned b1, unsigned b0) {
    uint32_t u = (uint32_t)b3 << 24 | (uint32_t)b2 << 16 | (uint32_t)b1 << 8 | (uint32_t)b0;
    float x;
    memcpy(&x, &u, 4);
    return x;
}

enum status score_row_decode(float *row, size_t n, int format, const void *bytes, size_t len) {
    const unsigned char *b = bytes;
    if (format == ROW_RAW) {
        if (len != 4 * n) return fail(ERR_FORMAT, "%zu bytes for %zu scores", len, n);
        for (size_t i = 0; i < n; i++)
            row[i] = from_bytes(b[4 * i + 3], b[4 * i + 2], b[4 * i + 1], b[4 * i]);
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
        for (size_t i = 0; i < n; i++)
            row[i] = from_bytes(plain[i], plain[n + i], plain[2 * n + i], plain[3 * n + i]);
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
