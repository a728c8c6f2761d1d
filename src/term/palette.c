/* palette.c - see palette.h. */
#include "palette.h"

#include <string.h>

static unsigned sum(const unsigned char *p) { return (unsigned)p[0] + p[1] + p[2]; }

static unsigned distance(const unsigned char *a, const unsigned char *b) {
    int r = a[0] - b[0], g = a[1] - b[1], u = a[2] - b[2];
    return (unsigned)(r * r + g * g + u * u);
}

void palette_init(struct palette *p, const unsigned char *colours, size_t n) {
    size_t place[767] = { 0 };
    p->n = n;
    for (size_t i = 0; i < n; i++) place[sum(colours + 3 * i) + 1]++;
    for (size_t s = 0; s < 766; s++) {
        place[s + 1] += place[s];
        p->from[s] = (unsigned short)place[s];
    }
    for (size_t i = 0; i < n; i++) {
        size_t at = place[sum(colours + 3 * i)]++;
        memcpy(p->rgb[at], colours + 3 * i, 3);
        p->number[at] = (unsigned char)i;
    }
}

/* Outwards from the colours of the same sum: three times the squared distance is at least the
 * square of how far the sums are apart. */
size_t palette_nearest(const struct palette *p, const unsigned char *rgb, unsigned *d) {
    unsigned s = sum(rgb), least = 3 * 255 * 255 + 1;
    size_t best = 0, up = p->from[s], down = up;
    for (int more = 1; more;) {
        more = 0;
        if (up < p->n) {
            unsigned apart = sum(p->rgb[up]) - s, one = distance(rgb, p->rgb[up]);
            if (one < least) { least = one; best = up; }
            more = apart * apart < 3 * least;
            up = more ? up + 1 : p->n;
        }
        if (down > 0) {
            unsigned apart = s - sum(p->rgb[--down]), one = distance(rgb, p->rgb[down]);
            if (one < least) { least = one; best = down; }
            if (apart * apart < 3 * least) more = 1;
            else down = 0;
        }
    }
    *d = least;
    return p->number[best];
}

void palette_map(const struct palette *p, unsigned char *index, const unsigned char *rgb, size_t width, size_t height,
                 const unsigned char *colours, unsigned slack) {
    unsigned char pixel[3], last[3] = { 0 };
    unsigned d = 0;
    size_t best = 0;
    for (size_t i = 0; i < width * height; i++) {
        memcpy(pixel, rgb + 3 * i, 3);
        if (i == 0 || memcmp(pixel, last, 3) != 0) best = palette_nearest(p, pixel, &d);
        memcpy(last, pixel, 3);
        size_t to = best;
        if (slack && i >= width && distance(pixel, colours + 3 * index[i - width]) <= d + slack) to = index[i - width];
        if (slack && i % width && distance(pixel, colours + 3 * index[i - 1]) <= d + slack) to = index[i - 1];
        index[i] = (unsigned char)to;
    }
}
