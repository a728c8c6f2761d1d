/* sixel_decode.c - a small reader of sixel images. */
#include "sixel_decode.h"

#include <stdlib.h>
#include <string.h>

#define SIDE 4096

struct decoder {
    const char *s, *end;
    unsigned char palette[1024][3];
    unsigned char defined[1024];
    size_t colour, x, y;          /* the pen, in pixels */
    size_t max_x, max_y, raster_w, raster_h;
    unsigned char *canvas;        /* [SIDE][SIDE][4] */
    int bad;
};

static size_t number(struct decoder *d) {
    size_t v = 0;
    while (d->s < d->end && *d->s >= '0' && *d->s <= '9') {
        if (v < 1000000) v = v * 10 + (size_t)(*d->s - '0');
        d->s++;
    }
    return v;
}

static size_t list(struct decoder *d, size_t *v, size_t max) {
    size_t n = 0;
    for (;;) {
        size_t one = number(d);
        if (n < max) v[n++] = one;
        if (d->s >= d->end || *d->s != ';') return n;
        d->s++;
    }
}

static void colour(struct decoder *d) {
    size_t v[5], n = list(d, v, 5);
    if (v[0] >= 1024 || (n != 1 && (n != 5 || v[1] != 2 || v[2] > 100 || v[3] > 100 || v[4] > 100))) {
        d->bad = 1;
        return;
    }
    d->colour = v[0];
    if (n == 5) {
        for (int c = 0; c < 3; c++)
            d->palette[v[0]][c] = (unsigned char)((v[2 + c] * 255 + 50) / 100);
        d->defined[v[0]] = 1;
    } else if (!d->defined[v[0]]) {
        d->bad = 1;   /* a register nobody set: what the terminal shows is luck */
    }
}

static void sixels(struct decoder *d, unsigned bits, size_t repeat) {
    if (d->x + repeat > SIDE || d->y + 6 > SIDE) { d->bad = 1; return; }
    for (size_t i = 0; i < repeat; i++, d->x++)
        for (size_t b = 0; b < 6; b++) {
            if (!(bits >> b & 1)) continue;
            unsigned char *p = d->canvas + ((d->y + b) * SIDE + d->x) * 4;
            memcpy(p, d->palette[d->colour], 3);
            p[3] = 255;
            if (d->y + b + 1 > d->max_y) d->max_y = d->y + b + 1;
            if (d->x + 1 > d->max_x) d->max_x = d->x + 1;
        }
}

static void body(struct decoder *d) {
    while (d->s < d->end && !d->bad) {
        char c = *d->s++;
        size_t v[4], repeat;
        if (c == '\033') { d->s--; return; }
        switch (c) {
        case '"':
            if (list(d, v, 4) != 4) { d->bad = 1; return; }
            d->raster_w = v[2];
            d->raster_h = v[3];
            break;
        case '#': colour(d); break;
        case '$': d->x = 0; break;
        case '-': d->x = 0; d->y += 6; break;
        case '\n': case '\r': break;
        case '!':
            repeat = number(d);
            if (d->s >= d->end || *d->s < '?' || *d->s > '~') { d->bad = 1; return; }
            sixels(d, (unsigned)(*d->s++ - '?'), repeat);
            break;
        default:
            if (c < '?' || c > '~') { d->bad = 1; return; }
            sixels(d, (unsigned)(c - '?'), 1);
        }
    }
}

size_t sixel_decode(struct sixel_image *out, const char *bytes, size_t len) {
    struct decoder *d = calloc(1, sizeof *d);
    size_t v[3], used = 0;
    memset(out, 0, sizeof *out);
    if (!d) return 0;
    if (len < 4 || bytes[0] != '\033' || bytes[1] != 'P') goto done;
    d->s = bytes + 2;
    d->end = bytes + len;
    list(d, v, 3);
    if (d->s >= d->end || *d->s++ != 'q') goto done;
    d->canvas = calloc((size_t)SIDE * SIDE, 4);
    if (!d->canvas) goto done;
    body(d);
    if (d->bad || d->end - d->s < 2 || d->s[0] != '\033' || d->s[1] != '\\') goto done;
    out->raster_w = d->raster_w;
    out->raster_h = d->raster_h;
    out->width = d->raster_w ? d->raster_w : d->max_x;
    out->height = d->raster_h ? d->raster_h : d->max_y;
    out->painted_h = d->max_y;
    if (out->width > SIDE || out->height > SIDE) goto done;
    for (size_t i = 0; i < 1024; i++) out->colours += d->defined[i];
    out->rgba = calloc(out->width * out->height + 1, 4);
    if (!out->rgba) goto done;
    for (size_t y = 0; y < out->height; y++)
        memcpy(out->rgba + y * out->width * 4, d->canvas + y * SIDE * 4, out->width * 4);
    used = (size_t)(d->s + 2 - bytes);
done:
    free(d->canvas);
    free(d);
    return used;
}
