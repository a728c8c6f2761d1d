/* pictures.c - the same pictures drawn by this program's painter, by chafa and by timg, side
 * by side in one run: `make bench`.
 *
 *   pictures            the tables; a program that is not installed is left out
 *   pictures draw sixel|half COLOURS SIZE FILE...   what is measured of this program: a process
 *                       that reads the files and writes a grid of six across to stdout, in
 *                       boxes of 10 x 5 cells times SIZE
 *
 * Sixels beside chafa; half blocks beside both, since timg paints no sixels before 1.5.  Each
 * runs on a pseudo-terminal with cells of 10 x 20 pixels, with boxes of 10 x 5 cells, and for
 * sixels of four times that.
 * The picture error is measured where it does not matter how a program enlarges: what was
 * drawn is averaged down to the file's pixels (or, for larger files, both to 48 x 48); the
 * file is averaged down to half blocks.  timg and this program place the pictures in a grid, which takes moves
 * of the cursor; chafa writes them one below the other.  So the moves are counted apart. */
#include "../lib/blocks_decode.h"
#include "../lib/large_db.h"
#include "../lib/sixel_decode.h"
#include "dtrak/image.h"
#include "dtrak/linalg.h"
#include "dtrak/mem.h"
#include "dtrak/painter.h"

#include <errno.h>
#include <math.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

enum { COUNT = 24, ACROSS = 6, ROUNDS = 9, BOX_COLS = 10, BOX_ROWS = 5, CELL_W = 10, CELL_H = 20, LARGE = 256 };

static char self[4096], folder[64], file[2][COUNT][96];

static void need(int ok) {
    if (ok) return;
    fprintf(stderr, "pictures: %s\n", fail_reason());
    exit(1);
}

/* --- this program's side --- */

static int draw(const char *painter, const char *colours, size_t size, int argc, char **argv) {
    linalg_rest();   /* as the program does */
    size_t rows = BOX_ROWS * size, cols = BOX_COLS * size;
    struct paint_how how = { .painter = strcmp(painter, "half") ? GRAPHICS_SIXEL : GRAPHICS_HALF, .depth = COLOUR_TRUE,
                             .cell_w = CELL_W, .cell_h = CELL_H, .colours = strtoul(colours, NULL, 10) };
    for (int i = 0; i < argc; i++) {
        struct image im;
        struct paint_fit fit;
        struct buf bytes = BUF_INIT, out = BUF_INIT;
        size_t row = (size_t)i / ACROSS * (rows + 1), col = (size_t)i % ACROSS * (cols + 1);
        need(image_read(&im, argv[i], 4) == OK);
        struct picture p = { .rgba = im.pixels, .width = im.width_px, .height = im.height_px };
        paint_fit(&fit, &how, p.width, p.height, rows, cols);
        need(paint_encode(&bytes, &p, &fit, &how) == OK);
        paint_emit(&out, (const char *)bytes.data, bytes.len, how.painter, row + fit.row, col + fit.col, (unsigned)i);
        for (size_t at = 0; at < out.len;) {
            ssize_t n = write(1, (const char *)out.data + at, out.len - at);
            if (n <= 0) return 1;
            at += (size_t)n;
        }
        image_free(&im);
        buf_free(&bytes);
        buf_free(&out);
    }
    return 0;
}

/* --- the files --- */

static void write_file(const char *path, const struct image *im) {
    struct buf png = BUF_INIT;
    need(image_encode_png(&png, im) == OK);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(png.data, 1, png.len, f) != png.len || fclose(f) != 0) need(fail(ERR_IO, "%s: %s", path, strerror(errno)) == OK);
    buf_free(&png);
}

static void make_files(void) {
    snprintf(folder, sizeof folder, "/tmp/dtrak-pictures-XXXXXX");
    if (!mkdtemp(folder)) need(fail(ERR_IO, "%s: %s", folder, strerror(errno)) == OK);
    for (size_t i = 0; i < COUNT; i++) {
        struct image small, large;
        need(image_new(&small, 32, 32, 3) == OK);
        large_db_pixels(small.pixels, 7 * i);
        need(image_resize(&large, &small, LARGE, LARGE, IMAGE_MITCHELL) == OK);
        snprintf(file[0][i], sizeof file[0][i], "%s/small%02zu.png", folder, i);
        snprintf(file[1][i], sizeof file[1][i], "%s/large%02zu.png", folder, i);
        write_file(file[0][i], &small);
        write_file(file[1][i], &large);
        image_free(&small);
        image_free(&large);
    }
}

static void remove_files(void) {
    for (size_t i = 0; i < COUNT; i++) {
        remove(file[0][i]);
        remove(file[1][i]);
    }
    rmdir(folder);
}

/* --- running --- */

struct run { double cpu_ms; char *out; size_t len; };

static struct run run(char *const argv[]) {
    struct winsize w = { 48, 100, 100 * CELL_W, 48 * CELL_H };
    struct run r = { 0, NULL, 0 };
    struct rusage u;
    size_t cap = 0;
    int fd, status;
    pid_t pid = forkpty(&fd, NULL, NULL, &w);
    if (pid == 0) {
        struct termios as_written;      /* no line feed becomes two bytes */
        if (tcgetattr(1, &as_written) != 0) _exit(127);
        as_written.c_oflag &= ~(tcflag_t)OPOST;
        tcsetattr(1, TCSANOW, &as_written);
        setenv("TERM", "xterm-256color", 1);
        unsetenv("TMUX");
        execvp(argv[0], argv);
        _exit(127);
    }
    for (;;) {
        if (r.len + 65536 > cap) {
            cap = 2 * cap + ((size_t)1 << 20);
            r.out = realloc(r.out, cap);
            if (!r.out) abort();
        }
        ssize_t n = read(fd, r.out + r.len, 65536);
        if (n <= 0) break;
        r.len += (size_t)n;
    }
    wait4(pid, &status, 0, &u);
    close(fd);
    if (!WIFEXITED(status) || WEXITSTATUS(status)) r.len = 0;
    r.cpu_ms = 1e3 * (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + 1e-3 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
    return r;
}

/* --- measuring --- */

/* The mean of the squared differences, of both averaged down to side x side. */
static double error_of(const struct sixel_image *drawn, const struct image *source, size_t side) {
    struct image got = { drawn->width, drawn->height, 4, drawn->rgba }, rgb, a, b;
    double sum = 0;
    need(image_convert(&rgb, &got, 3) == OK);
    need(image_resize(&a, &rgb, side, side, IMAGE_BOX) == OK);
    need(image_resize(&b, source, side, side, IMAGE_BOX) == OK);
    for (size_t i = 0; i < side * side * 3; i++) sum += ((double)a.pixels[i] - b.pixels[i]) * ((double)a.pixels[i] - b.pixels[i]);
    image_free(&rgb);
    image_free(&a);
    image_free(&b);
    return sum / (double)(side * side * 3);
}

struct measured { double db; size_t bytes, width, height, pictures, total; };

static void look_at_sixels(struct measured *m, const struct run *r, int large) {
    double sum = 0;
    m->total = r->len;
    for (size_t at = 0; at + 2 < r->len && m->pictures < COUNT;) {
        struct sixel_image im;
        struct image source;
        size_t used = r->out[at] == '\033' && r->out[at + 1] == 'P' ? sixel_decode(&im, r->out + at, r->len - at) : 0;
        if (!used) { at++; continue; }
        need(image_read(&source, file[large][m->pictures], 3) == OK);
        sum += error_of(&im, &source, large ? 48 : 32);
        image_free(&source);
        free(im.rgba);
        m->pictures++;
        m->bytes += used;
        m->width = im.width;
        m->height = im.height;
        at += used;
    }
    m->db = m->pictures ? 10 * log10(255. * 255. / (sum / (double)m->pictures)) : NAN;
}

/* Bytes of text and colours, without moves of the cursor and what is said to the terminal. */
static size_t without_moves(const char *s, size_t len) {
    size_t n = 0;
    for (size_t at = 0; at < len;) {
        size_t end = at + 1;
        if (s[at] == '\033' && end < len && s[end] == ']') {
            while (end < len && s[end] != '\a' && s[end] != '\\') end++;
            end++;
        } else if (s[at] == '\033') {
            while (++end < len && (unsigned char)s[end] < 0x40) {}
            end++;
            if (end <= len && s[end - 1] == 'm') n += end - at;
        } else if (s[at] != '\r' && s[at] != '\n') n++;
        at = end;
    }
    return n;
}

/* Where the pictures of a program stand, in cells. */
struct layout { size_t across, row_step, col_step; };

static void look_at_blocks(struct measured *m, const struct run *r, int large, const struct layout *l) {
    enum { ROWS = COUNT * (BOX_ROWS + 1), COLS = ACROSS * (BOX_COLS + 1), W = BOX_COLS, H = 2 * BOX_ROWS };
    static unsigned char screen[2 * ROWS * COLS * 3];
    double sum = 0;
    memset(screen, 0, sizeof screen);
    m->total = r->len;
    m->bytes = without_moves(r->out, r->len);
    m->width = W;
    m->height = H;
    if (!blocks_decode(screen, ROWS, COLS, r->out, r->len)) return;
    for (; m->pictures < COUNT; m->pictures++) {
        size_t row = 2 * (m->pictures / l->across) * l->row_step, col = m->pictures % l->across * l->col_step;
        unsigned char rgba[W * H * 4];
        struct image source;
        for (size_t i = 0; i < W * H; i++) {
            memcpy(rgba + 4 * i, screen + ((row + i / W) * COLS + col + i % W) * 3, 3);
            rgba[4 * i + 3] = 255;
        }
        need(image_read(&source, file[large][m->pictures], 3) == OK);
        sum += error_of(&(struct sixel_image){ .width = W, .height = H, .rgba = rgba }, &source, W);
        image_free(&source);
    }
    m->db = 10 * log10(255. * 255. / (sum / COUNT));
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, size_t n) {
    qsort(v, n, sizeof *v, by_value);
    return v[n / 2];
}

static char size_text[8], box_text[16];   /* how many times 10 x 5 cells, and these */

/* Sixels first. */
struct tool { const char *name; int blocks; const char *words[12]; struct layout at; };

static const struct tool tools[] = {
    { "this program", 0, { self, "draw", "sixel", "0", size_text }, { 0, 0, 0 } },
    { "with 256 colours", 0, { self, "draw", "sixel", "256", size_text }, { 0, 0, 0 } },
    { "chafa", 0, { "chafa", "-f", "sixel", "-s", box_text, "--animate=off" }, { 0, 0, 0 } },
    { "this program", 1, { self, "draw", "half", "0", "1" }, { ACROSS, BOX_ROWS + 1, BOX_COLS + 1 } },
    { "chafa", 1, { "chafa", "-f", "symbols", "--symbols", "vhalf", "-c", "full", "-s", "10x5", "--animate=off" }, { 1, BOX_ROWS + 1, 0 } },
    { "timg", 1, { "timg", "-ph", "--grid=6x4", "-g", "60x24", "-U" }, { ACROSS, BOX_ROWS, BOX_COLS } },
};
enum { TOOLS = sizeof tools / sizeof tools[0] };

static struct run run_tool(const struct tool *t, int large, size_t count) {
    char *argv[12 + COUNT + 1];
    size_t n = 0;
    while (t->words[n]) {
        argv[n] = strdup(t->words[n]);
        n++;
    }
    for (size_t i = 0; i < count; i++) argv[n + i] = file[large][i];
    argv[n + count] = NULL;
    struct run r = run(argv);
    for (size_t i = 0; i < n; i++) free(argv[i]);
    return r;
}

static void compare(int large, size_t size) {
    size_t rounds = size > 1 ? 3 : ROUNDS;
    double all[TOOLS][ROUNDS], one[TOOLS][ROUNDS];
    snprintf(size_text, sizeof size_text, "%zu", size);
    snprintf(box_text, sizeof box_text, "%zux%zu", BOX_COLS * size, BOX_ROWS * size);
    struct measured m[TOOLS];
    memset(m, 0, sizeof m);
    for (size_t round = 0; round < rounds; round++)     /* in turns, so that all meet the same machine */
        for (size_t i = 0; i < TOOLS; i++) {
            if (size > 1 && tools[i].blocks) continue;
            struct run r = run_tool(&tools[i], large, COUNT);
            all[i][round] = r.cpu_ms;
            if (round == 0 && r.len && tools[i].blocks) look_at_blocks(&m[i], &r, large, &tools[i].at);
            else if (round == 0 && r.len) look_at_sixels(&m[i], &r, large);
            free(r.out);
            r = run_tool(&tools[i], large, 1);
            one[i][round] = r.cpu_ms;
            free(r.out);
        }
    printf("24 pictures of %d px, drawn in boxes of %zu px:\n", large ? LARGE : 32, size * 100);
    for (size_t i = 0; i < TOOLS; i++) {
        if (size > 1 && tools[i].blocks) continue;
        if (i == 0 || tools[i].blocks != tools[i - 1].blocks)
            printf("  %-18s %10s %12s %10s %12s    pixels       dB\n", tools[i].blocks ? "half blocks" : "sixels", "process ms", "a picture ms",
                   "bytes", tools[i].blocks ? "of the cells" : "of the DCS");
        if (m[i].total == 0) {
            printf("  %-18s not installed\n", tools[i].name);
            continue;
        }
        double whole = median(all[i], rounds), single = median(one[i], rounds);
        printf("  %-18s %10.1f %12.2f %10zu %12zu %6zux%-3zu %8.2f%s\n", tools[i].name, whole, (whole - single) / (COUNT - 1), m[i].total,
               m[i].bytes, m[i].width, m[i].height, m[i].db, m[i].pictures == COUNT ? "" : "  (not every picture)");
    }
    fflush(stdout);
}

int main(int argc, char **argv) {
    if (argc > 5 && !strcmp(argv[1], "draw")) return draw(argv[2], argv[3], strtoul(argv[4], NULL, 10), argc - 5, argv + 5);
    if (!realpath(argv[0], self)) return 1;
    make_files();
    compare(0, 1);
    compare(1, 1);
    compare(1, 4);
    remove_files();
    return 0;
}
