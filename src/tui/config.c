/* config.c - the file of keys and defaults.  See config.h. */
#include "config.h"

#include "app.h"

#include "dtrak/file.h"
#include "dtrak/mem.h"
#include "dtrak/painter.h"
#include "dtrak/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONFIG_BYTES_MAX = 1 << 20, WORDS = 4 };

void config_start(struct config *c) {
    memset(c, 0, sizeof *c);
    keymap_start(&c->keys);
    c->mouse = -1;
}

int config_place(char *out, size_t size, const char *name, const char *otherwise, const char *file) {
    const char *base = getenv(name), *home = getenv("HOME");
    int n = base && base[0] == '/' ? snprintf(out, size, "%s/dtrak/%s", base, file)
          : home && home[0] == '/' ? snprintf(out, size, "%s/%s/dtrak/%s", home, otherwise, file) : -1;
    return n > 0 && (size_t)n < size;
}

/* --- values --- */

static enum status expect(const char *name, const char *value, const char *expected) {
    return fail(ERR_USAGE, "%s '%s': %s is expected", name, value, expected);
}

static int whole(const char *word, size_t least, size_t most, size_t *out) {
    char *end;
    if (word[0] < '0' || word[0] > '9') return 0;
    unsigned long long v = strtoull(word, &end, 10);
    if (*end || v < least || v > most) return 0;
    *out = (size_t)v;
    return 1;
}

static enum status take_size(const char *name, const char *value, size_t least, size_t most, size_t *out) {
    char expected[80];
    if (whole(value, least, most, out)) return OK;
    snprintf(expected, sizeof expected, "a whole number from %zu to %zu", least, most);
    return expect(name, value, expected);
}

static enum status take_switch(const char *name, const char *value, int *out) {
    if (strcmp(value, "on") == 0) *out = 1;
    else if (strcmp(value, "off") == 0) *out = 0;
    else return expect(name, value, "on or off");
    return OK;
}

static enum status take_cell(struct config *c, const char *value) {
    char word[32];
    const char *x = strchr(value, 'x');
    if (x && (size_t)(x - value) < sizeof word) {
        snprintf(word, sizeof word, "%.*s", (int)(x - value), value);
        if (whole(word, 1, 64, &c->cell_w) && whole(x + 1, 1, 64, &c->cell_h)) return OK;
    }
    return expect("cell", value, "WIDTHxHEIGHT in pixels, each from 1 to 64,");
}

static enum status take_graphics(struct config *c, const char *value) {
    enum graphics g;
    if (graphics_parse(&g, value) != OK) return expect("graphics", value, "auto, sixel, kitty, iterm2, half, ascii or none");
    snprintf(c->graphics, sizeof c->graphics, "%s", value);
    return OK;
}

static enum status take_background(struct config *c, const char *value) {
    enum background b;
    if (background_parse(&b, value) != OK) return expect("background", value, "auto, dark or light");
    snprintf(c->background, sizeof c->background, "%s", value);
    return OK;
}

static enum status take_screen(struct config *c, const char *value) {
    if (!screen_named(value)) return expect("screen", value, SCREEN_NAMES);
    snprintf(c->screen, sizeof c->screen, "%s", value);
    return OK;
}

/* --- lines --- */

static enum status take_line(struct config *c, char *word[WORDS], size_t words, size_t line) {
    static const char known[] = "graphics, colors, cell, mouse, threads, top, screen, background, read-only or bind";
    const char *name = word[0], *value = word[1];
    int is_bind = strcmp(name, "bind") == 0;
    static const char *const names[] = { "graphics", "colors", "cell", "mouse", "threads", "top", "screen", "background", "read-only", "bind" };
    size_t i = 0, all = sizeof names / sizeof names[0];
    while (i < all && strcmp(names[i], name) != 0) i++;
    if (i == all) return fail(ERR_USAGE, "'%s' is not a setting: %s is expected", name, known);
    if (is_bind && words != 3) return fail(ERR_USAGE, "bind with %zu words: a key and an action are expected, as in 'bind w mark'", words - 1);
    if (!is_bind && words != 2) return fail(ERR_USAGE, "%s with %zu values: one is expected", name, words - 1);
    switch (i) {
    case 0: return take_graphics(c, value);
    case 1: return take_size(name, value, 2, 256, &c->colours);
    case 2: return take_cell(c, value);
    case 3: return take_switch(name, value, &c->mouse);
    case 4: return take_size(name, value, 1, 1024, &c->threads);
    case 5: return take_size(name, value, 1, 1000, &c->top);
    case 6: return take_screen(c, value);
    case 7: return take_background(c, value);
    case 8: return take_switch(name, value, &c->read_only);
    default: return keymap_bind(&c->keys, value, word[2], line);
    }
}

/* Cuts a line into words; a '#' that begins a word ends it, unless it is the key of a bind. */
static size_t cut(char *text, char *word[WORDS]) {
    size_t n = 0;
    for (;;) {
        text += strspn(text, " \t\r");
        int is_key = n == 1 && *text == '#' && strcmp(word[0], "bind") == 0 && (text[1] == ' ' || text[1] == '\t');
        if (!*text || (*text == '#' && !is_key)) return n;
        if (n < WORDS) word[n] = text;
        n++;
        text += strcspn(text, " \t\r");
        if (*text) *text++ = 0;
    }
}

/* The reason so far, with its place before it. */
static enum status at_line(const char *path, size_t line) {
    char why[400];
    snprintf(why, sizeof why, "%s", fail_reason());
    return fail(ERR_USAGE, "%s:%zu: %s", path, line, why);
}

static enum status read_lines(struct config *c, char *text, const char *path) {
    size_t line = 0;
    for (char *next; text; text = next) {
        char *word[WORDS] = { NULL };
        next = strchr(text, '\n');
        if (next) *next++ = 0;
        line++;
        size_t n = cut(text, word);
        if (n && take_line(c, word, n, line) != OK) return at_line(path, line);
    }
    return keymap_check(&c->keys, &line) == OK ? OK : at_line(path, line);
}

enum status config_read(struct config *c, const char *path) {
    unsigned char *bytes;
    size_t len;
    TRY(file_read(&bytes, &len, path, CONFIG_BYTES_MAX));
    enum status st = memchr(bytes, 0, len) ? fail(ERR_USAGE, "%s: a byte 0: a text file is expected", path)
                                           : read_lines(c, (char *)bytes, path);
    mem_free(bytes);
    return st;
}
