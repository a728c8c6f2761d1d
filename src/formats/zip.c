/* Reading ZIP archives; see zip.h.  Source: PKWARE's APPNOTE.TXT 6.3.10. */
#include "zip.h"

#include "dtrak/mem.h"
#include "shape.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { LOCAL = 30, CENTRAL = 46, END = 22, END64 = 56, LOCATOR64 = 20, COMMENT_MAX = 65535 };

struct directory { uint64_t at, size, count; };

/* One entry's bytes, header included, to find overlaps. */
struct extent { size_t from, to; const char *name; };

static int is_signature(const unsigned char *p, unsigned char third, unsigned char fourth) {
    return p[0] == 'P' && p[1] == 'K' && p[2] == third && p[3] == fourth;
}

/* The end record, from behind: a comment may follow it. */
static enum status find_end(size_t *at, const unsigned char *p, size_t len, const char *name) {
    size_t least = len > END + COMMENT_MAX ? len - END - COMMENT_MAX : 0;
    for (size_t i = len >= END ? len - END + 1 : 0; i-- > least;)
        if (is_signature(p + i, 5, 6) && le16(p + i + 20) == len - i - END) {
            *at = i;
            return OK;
        }
    return fail(ERR_FORMAT, "%s: a ZIP archive without its directory; it is cut off or damaged", name);
}

static enum status read_end(struct directory *d, const unsigned char *p, size_t len, const char *name) {
    size_t end = 0;
    TRY(find_end(&end, p, len, name));
    const unsigned char *e = p + end;
    if (le16(e + 4) || le16(e + 6)) return fail(ERR_FORMAT, "%s: a ZIP archive in several parts", name);
    *d = (struct directory){ le32(e + 16), le32(e + 12), le16(e + 10) };
    int wide = d->at == UINT32_MAX || d->size == UINT32_MAX || d->count == UINT16_MAX;
    if (wide && end >= LOCATOR64 && is_signature(e - LOCATOR64, 6, 7)) {
        uint64_t at = le64(e - LOCATOR64 + 8);
        if (at > end - LOCATOR64 || end - LOCATOR64 - at < END64 || !is_signature(p + at, 6, 6))
            return fail(ERR_FORMAT, "%s: the ZIP archive's 64-bit directory is not where it should be", name);
        *d = (struct directory){ le64(p + at + 48), le64(p + at + 40), le64(p + at + 32) };
        end = (size_t)at;
    }
    if (d->at > end || d->size > end - d->at)
        return fail(ERR_FORMAT, "%s: the ZIP archive's directory goes past the end", name);
    if (d->count > ZIP_ENTRIES_MAX || d->count * CENTRAL > d->size)
        return fail(ERR_FORMAT, "%s: a ZIP archive of %llu entries in a directory of %llu bytes", name,
                    (unsigned long long)d->count, (unsigned long long)d->size);
    return OK;
}

/* The values that did not fit 32 bits stand in extra field 1, in this order. */
static int read_wide(const unsigned char *extra, size_t len, uint64_t *value[3]) {
    for (size_t at = 0; at + 4 <= len;) {
        size_t size = le16(extra + at + 2), from = at + 4;
        if (size > len - from) return 0;
        if (le16(extra + at) == 1) {
            for (int i = 0; i < 3; i++) {
                if (*value[i] != UINT32_MAX) continue;
                if (from + 8 > at + 4 + size) return 0;
                *value[i] = le64(extra + from);
                from += 8;
            }
            return 1;
        }
        at = from + size;
    }
    return 1;
}

/* The local header at `at` and the data behind it. */
static enum status read_local(struct zip_entry *e, struct extent *x, const unsigned char *p, uint64_t at,
                              uint64_t size, size_t limit, const char *name) {
    if (at > limit || limit - at < LOCAL || !is_signature(p + at, 3, 4))
        return fail(ERR_FORMAT, "%s: entry %.80s does not start where the directory says", name, e->name);
    const unsigned char *h = p + at;
    size_t name_len = le16(h + 26), head = LOCAL + name_len + le16(h + 28);
    if (head > limit - at || size > limit - at - head)
        return fail(ERR_FORMAT, "%s: entry %.80s of %llu bytes goes past the end of the archive", name, e->name,
                    (unsigned long long)size);
    if (name_len != strlen(e->name) || memcmp(h + LOCAL, e->name, name_len))
        return fail(ERR_FORMAT, "%s: entry %.80s has another name in its own header", name, e->name);
    if (le16(h + 8) != 0) return fail(ERR_FORMAT, "%s: entry %.80s is compressed in its own header", name, e->name);
    e->data = h + head;
    e->len = (size_t)size;
    *x = (struct extent){ (size_t)at, (size_t)at + head + (size_t)size, e->name };
    return OK;
}

static enum status read_entry(struct zip_entry *e, struct extent *x, const unsigned char *p, size_t *at,
                              const struct directory *d, const char *name) {
    size_t limit = (size_t)(d->at + d->size);
    if (limit - *at < CENTRAL || !is_signature(p + *at, 1, 2))
        return fail(ERR_FORMAT, "%s: the ZIP archive's directory is damaged at byte %zu", name, *at);
    const unsigned char *h = p + *at;
    size_t name_len = le16(h + 28), extra_len = le16(h + 30), whole = CENTRAL + name_len + extra_len + le16(h + 32);
    if (whole > limit - *at || name_len < 1 || name_len > ZIP_NAME_MAX || memchr(h + CENTRAL, 0, name_len))
        return fail(ERR_FORMAT, "%s: the ZIP archive's directory is damaged at byte %zu", name, *at);
    memcpy(e->name, h + CENTRAL, name_len);
    uint64_t packed = le32(h + 20), size = le32(h + 24), local = le32(h + 42);
    uint64_t *wide[3] = { &size, &packed, &local };
    if (!read_wide(h + CENTRAL + name_len, extra_len, wide))
        return fail(ERR_FORMAT, "%s: entry %.80s has a damaged extra field", name, e->name);
    if (le16(h + 8) & 0x41) return fail(ERR_FORMAT, "%s: entry %.80s is encrypted", name, e->name);
    if (le16(h + 10) != 0 || packed != size)
        return fail(ERR_FORMAT, "%s: entry %.80s is compressed; PyTorch stores its entries as they are", name, e->name);
    TRY(read_local(e, x, p, local, size, (size_t)d->at, name));
    uLong crc = crc32(0, NULL, 0);
    for (size_t done = 0; done < e->len;) {
        uInt n = e->len - done > 1u << 30 ? 1u << 30 : (uInt)(e->len - done);
        crc = crc32(crc, e->data + done, n);
        done += n;
    }
    int right = crc == le32(h + 16);
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
    right = 1;   /* a fuzzer does not guess checksums */
#endif
    if (!right) return fail(ERR_FORMAT, "%s: entry %.80s is damaged: its CRC does not match", name, e->name);
    *at += whole;
    return OK;
}

static int by_place(const void *a, const void *b) {
    const struct extent *x = a, *y = b;
    return x->from < y->from ? -1 : x->from > y->from;
}

static int by_name(const void *a, const void *b) {
    const struct zip_entry *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static enum status check_extents(struct extent *x, size_t count, const char *name) {
    qsort(x, count, sizeof *x, by_place);
    for (size_t i = 1; i < count; i++)
        if (x[i].from < x[i - 1].to)
            return fail(ERR_FORMAT, "%s: entries %.80s and %.80s have bytes in common", name, x[i - 1].name, x[i].name);
    return OK;
}

enum status zip_open(struct zip *z, const void *bytes, size_t len, const char *name) {
    enum status st;
    const unsigned char *p = bytes;
    struct directory d = { 0, 0, 0 };
    struct extent *x = NULL;
    *z = (struct zip){ NULL, 0 };
    TRY(read_end(&d, p, len, name));
    size_t at = (size_t)d.at, count = (size_t)d.count;
    z->entry = mem_array(count, sizeof *z->entry);
    x = mem_array(count, sizeof *x);
    if (!z->entry || !x) {
        st = fail(ERR_NOMEM, "%s: no memory for its %zu entries", name, count);
        goto done;
    }
    for (size_t i = 0; i < count; i++) TRY_TO(read_entry(&z->entry[i], &x[i], p, &at, &d, name));
    TRY_TO(check_extents(x, count, name));
    z->count = count;
    qsort(z->entry, count, sizeof *z->entry, by_name);
    for (size_t i = 1; i < count; i++)
        if (!by_name(&z->entry[i - 1], &z->entry[i])) {
            st = fail(ERR_FORMAT, "%s: two entries are named %.80s", name, z->entry[i].name);
            goto done;
        }
    st = OK;
done:
    mem_free(x);
    if (st != OK) zip_close(z);
    return st;
}

void zip_close(struct zip *z) {
    mem_free(z->entry);
    *z = (struct zip){ NULL, 0 };
}

const struct zip_entry *zip_find(const struct zip *z, const char *entry) {
    for (size_t lo = 0, hi = z->count; lo < hi;) {
        size_t mid = lo + (hi - lo) / 2;
        int d = strcmp(entry, z->entry[mid].name);
        if (!d) return &z->entry[mid];
        if (d < 0) hi = mid;
        else lo = mid + 1;
    }
    return NULL;
}
