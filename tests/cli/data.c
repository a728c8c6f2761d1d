/* data.c - small data sets for the scripts: pictures that are drawn, not found.
 *
 *   data idx DIR N         DIR/images.idx, DIR/labels.idx: N grey 28x28 pictures, labels 0, 1, 2 in turn
 *   data cifar DIR N       DIR/data_batch_1.bin, test_batch.bin: N and N/5 pictures, labels 0..9 in turn
 *   data strips DIR N      the same as PNG strips with their two JSON files
 *   data folder DIR N      DIR/ring/I.png and DIR/bar/I.png, 40x36 RGB
 * Label 0 is a ring, 1 a bar, 2 a chequer, the others shades; place and size vary with the number. */
#include "dtrak/buf.h"
#include "dtrak/file.h"
#include "dtrak/image.h"
#include "dtrak/mem.h"
#include "dtrak/rng.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void draw(unsigned char *grey, size_t w, size_t h, unsigned label, unsigned number) {
    struct rng r = rng_at(7, RNG_TEST, label, number);
    double cx = (.35 + .3 * (double)rng_uniform(&r)) * (double)w, cy = (.35 + .3 * (double)rng_uniform(&r)) * (double)h;
    double size = (.18 + .14 * (double)rng_uniform(&r)) * (double)w, light = 150 + 100 * (double)rng_uniform(&r);
    for (size_t y = 0; y < h; y++)
        for (size_t x = 0; x < w; x++) {
            double dx = (double)x - cx, dy = (double)y - cy, d = sqrt(dx * dx + dy * dy);
            int on = label == 0 ? fabs(d - size) < 2.5 : label == 1 ? fabs(dx) < size && fabs(dy) < 3
                   : label == 2 ? fabs(dx) < size && fabs(dy) < size && ((x / 3 + y / 3) & 1)
                   : ((x + y * label) / 5) % 3 == 0;
            grey[y * w + x] = (unsigned char)(on ? light : 0);
        }
}

static void check(enum status st) {
    if (st == OK) return;
    fprintf(stderr, "data: %s\n", fail_reason());
    exit(1);
}

static void save(const char *dir, const char *name, struct buf *b) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    check(buf_status(b));
    check(file_write(path, b->data, b->len));
    buf_free(b);
}

static void make_idx(const char *dir, unsigned n) {
    struct buf images = BUF_INIT, labels = BUF_INIT;
    unsigned char grey[28 * 28];
    const unsigned char head[] = { 0, 0, 8, 3, 0, 0, (unsigned char)(n >> 8), (unsigned char)n, 0, 0, 0, 28, 0, 0, 0, 28 };
    const unsigned char label_head[] = { 0, 0, 8, 1, 0, 0, (unsigned char)(n >> 8), (unsigned char)n };
    buf_add(&images, head, sizeof head);
    buf_add(&labels, label_head, sizeof label_head);
    for (unsigned i = 0; i < n; i++) {
        unsigned char label = (unsigned char)(i % 3);
        draw(grey, 28, 28, label, i);
        buf_add(&images, grey, sizeof grey);
        buf_add(&labels, &label, 1);
    }
    save(dir, "images.idx", &images);
    save(dir, "labels.idx", &labels);
}

/* 32x32 RGB, interleaved; a colour per label. */
static void draw_rgb(unsigned char *rgb, unsigned label, unsigned number) {
    unsigned char grey[32 * 32];
    draw(grey, 32, 32, label, number);
    for (size_t i = 0; i < sizeof grey; i++) {
        rgb[3 * i] = grey[i];
        rgb[3 * i + 1] = (unsigned char)(grey[i] * (label + 1) / 10);
        rgb[3 * i + 2] = (unsigned char)(255 - grey[i]);
    }
}

static void make_cifar(const char *dir, unsigned n) {
    struct buf b = BUF_INIT;
    unsigned char rgb[32 * 32 * 3];
    for (unsigned part = 0; part < 2; part++) {
        for (unsigned i = 0; i < (part ? n / 5 : n); i++) {
            unsigned char label = (unsigned char)(i % 10);
            buf_add(&b, &label, 1);
            draw_rgb(rgb, label, i + 10000 * part);
            for (size_t c = 0; c < 3; c++)
                for (size_t k = 0; k < 32 * 32; k++) buf_add(&b, &rgb[3 * k + c], 1);
        }
        save(dir, part ? "test_batch.bin" : "data_batch_1.bin", &b);
    }
}

static void make_strips(const char *dir, unsigned n) {
    struct buf png = BUF_INIT, json = BUF_INIT;
    for (unsigned part = 0; part < 2; part++) {
        unsigned count = part ? n / 5 : n;
        struct image strip;
        check(image_new(&strip, 1024, count, 3));
        for (unsigned i = 0; i < count; i++) {
            draw_rgb(strip.pixels + i * 1024 * 3, i % 10, i + 10000 * part);
            buf_printf(&json, "%s%u", i ? "," : "[", i % 10);
        }
        buf_text(&json, "]");
        check(image_encode_png(&png, &strip));
        image_free(&strip);
        save(dir, part ? "test_batch.png" : "data_batch_1.png", &png);
        save(dir, part ? "test_lables.json" : "train_lables.json", &json);
    }
}

static void make_folder(const char *dir, unsigned n) {
    static const char *const label[] = { "ring", "bar" };
    for (unsigned i = 0; i < n; i++) {
        unsigned char grey[40 * 36];
        char sub[4096], name[32];
        struct buf png = BUF_INIT;
        struct image im;
        check(image_new(&im, 40, 36, 3));
        draw(grey, 40, 36, i % 2, i);
        for (size_t k = 0; k < sizeof grey; k++) memset(im.pixels + 3 * k, grey[k], 3);
        check(image_encode_png(&png, &im));
        image_free(&im);
        snprintf(sub, sizeof sub, "%s/%s", dir, label[i % 2]);
        mkdir(sub, 0777);
        snprintf(name, sizeof name, "%u.png", i);
        save(sub, name, &png);
    }
}

int main(int argc, char **argv) {
    unsigned n = argc == 4 ? (unsigned)strtoul(argv[3], NULL, 10) : 0;
    if (n == 0 || n > 9999) {
        fprintf(stderr, "usage: data idx|cifar|strips|folder DIR N\n");
        return 2;
    }
    mkdir(argv[2], 0777);
    if (!strcmp(argv[1], "idx")) make_idx(argv[2], n);
    else if (!strcmp(argv[1], "cifar")) make_cifar(argv[2], n);
    else if (!strcmp(argv[1], "strips")) make_strips(argv[2], n);
    else make_folder(argv[2], n);
    return 0;
}
