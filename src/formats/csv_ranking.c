/* csv_ranking.c - see the header. */
#include "dtrak/csv_ranking.h"

#include "dtrak/mem.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 64 };

struct csv {
    const char *path;
    const struct csv_limits *limits;
    size_t line;
    size_t query, item, score, side;      /* columns; COLUMNS: none */
    struct csv_entry *entry;
    size_t count;
};

/* Cuts a line into fields in place; quotes around a field go, doubled ones inside become one. */
static size_t cut(char *line, char *field[COLUMNS]) {
    size_t n = 0;
    for (char *p = line; n < COLUMNS;) {
        char *out = p;
        field[n++] = p;
        int quoted = *p == '"';
        if (quoted) p++;
        for (; *p && (quoted || *p != ','); p++) {
            if (quoted && *p == '"' && p[1] != '"') {
                quoted = 0;
                continue;
            }
            if (quoted && *p == '"') p++;
            *out++ = *p;
        }
        int more = *p == ',';
        *out = 0;
        if (!more) break;
        p++;
    }
    return n;
}

static enum status read_header(struct csv *c, char *line) {
    char *field[COLUMNS];
    size_t n = cut(line, field);
    c->query = c->item = c->score = c->side = COLUMNS;
    for (size_t i = 0; i < n; i++) {
        if (!strcmp(field[i], "query")) c->query = i;
        else if (!strcmp(field[i], "item") || !strcmp(field[i], "train")) c->item = i;
        else if (!strcmp(field[i], "score")) c->score = i;
        else if (!strcmp(field[i], "side")) c->side = i;
    }
    if (c->query < COLUMNS && c->item < COLUMNS && c->score < COLUMNS) return OK;
    return fail(ERR_FORMAT, "%s: the first line names no column '%s'; query, item and score are needed", c->path,
                c->query == COLUMNS ? "query" : c->item == COLUMNS ? "item" : "score");
}

/* "gen:17" or "17". */
static enum status read_item(const struct csv *c, const char *text, const char *name, size_t limit, size_t *out) {
    const char *digits = text;
    size_t len = strlen(name);
    char *end;
    if (!strncmp(text, name, len) && text[len] == ':') digits = text + len + 1;
    errno = 0;
    unsigned long long v = *digits >= '0' && *digits <= '9' ? strtoull(digits, &end, 10) : 0;
    if (*digits < '0' || *digits > '9' || *end || errno)
        return fail(ERR_FORMAT, "%s, line %zu: '%.24s' is not a %s item, as in %s:17", c->path, c->line, text, name, name);
    if (v >= limit) return fail(ERR_RANGE, "%s, line %zu: %s:%llu, of %zu that are here", c->path, c->line, name, v, limit);
    *out = (size_t)v;
    return OK;
}

static enum status read_entry(struct csv *c, char *line) {
    char *field[COLUMNS], *end;
    size_t n = cut(line, field);
    struct csv_entry *e = &c->entry[c->count];
    size_t last = c->query > c->item ? c->query : c->item;
    if (c->score > last) last = c->score;
    if (c->side < COLUMNS && c->side > last) last = c->side;
    if (n <= last) return fail(ERR_FORMAT, "%s, line %zu: %zu fields, the first line has more", c->path, c->line, n);
    *e = (struct csv_entry){ .line = c->line };
    TRY(read_item(c, field[c->query], c->limits->split, c->limits->queries, &e->query));
    TRY(read_item(c, field[c->item], "train", c->limits->items, &e->item));
    e->score = strtof(field[c->score], &end);
    if (end == field[c->score] || *end || !isfinite(e->score))
        return fail(ERR_FORMAT, "%s, line %zu: score '%.24s' is not a finite number", c->path, c->line, field[c->score]);
    if (c->side < COLUMNS) {
        e->opponent = !strcmp(field[c->side], "opponent");
        if (!e->opponent && strcmp(field[c->side], "proponent") != 0)
            return fail(ERR_FORMAT, "%s, line %zu: side '%.24s' is neither proponent nor opponent", c->path, c->line, field[c->side]);
    }
    c->count++;
    return OK;
}

/* The end of the line that begins there: a line feed outside quotes, or the text's.  *feeds: of those
 * inside.  A field whose quotes do not close where a field ends was not meant to hold a line feed. */
static enum status find_end(const struct csv *c, char *line, char **out, size_t *feeds) {
    char *p = line;
    *feeds = 0;
    for (int begins = 1; *p && *p != '\n'; p++) {
        size_t inside = 0;
        if (!begins || *p != '"') {
            begins = *p == ',';
            continue;
        }
        for (p++; *p && (*p != '"' || p[1] == '"'); p++) {
            inside += *p == '\n';
            p += *p == '"';
        }
        if (!*p || (inside && !strchr(",\r\n", p[1])))
            return fail(ERR_FORMAT, "%s, line %zu: a quote begins a field, and none ends it", c->path, c->line);
        *feeds += inside;
        begins = 0;
    }
    *out = p;
    return OK;
}

static enum status read_lines(struct csv *c, char *text) {
    static const char mark[] = "\xEF\xBB\xBF";      /* spreadsheets begin UTF-8 with it */
    size_t lines = 1, feeds;
    if (!strncmp(text, mark, sizeof mark - 1)) text += sizeof mark - 1;
    for (const char *p = text; *p; p++) lines += *p == '\n';
    c->entry = mem_array(lines, sizeof *c->entry);
    if (!c->entry) return fail(ERR_NOMEM, "%s: out of memory for %zu lines", c->path, lines);
    c->line = 1;
    for (char *next = text; *next;) {
        char *line = next, *end = line;
        TRY(find_end(c, line, &end, &feeds));
        next = *end ? end + 1 : end;
        *end = 0;
        if (end > line && end[-1] == '\r') end[-1] = 0;
        if (line == text) TRY(read_header(c, line));
        else if (*line) TRY(read_entry(c, line));
        c->line += feeds + 1;
    }
    return c->count ? OK : fail(ERR_FORMAT, "%s: no line below the header", c->path);
}

/* Query, side, then best first (of opponents the lowest), ties by item. */
static int in_order(const void *a, const void *b) {
    const struct csv_entry *x = a, *y = b;
    if (x->query != y->query) return x->query < y->query ? -1 : 1;
    if (x->opponent != y->opponent) return x->opponent - y->opponent;
    if (x->score != y->score) return (x->score > y->score) != x->opponent ? -1 : 1;
    return (x->item > y->item) - (x->item < y->item);
}

static int by_item(const void *a, const void *b) {
    const struct csv_entry *x = a, *y = b;
    if (x->item != y->item) return x->item < y->item ? -1 : 1;
    return (x->line > y->line) - (x->line < y->line);
}

/* An item twice on one side, or anywhere with two scores. */
static enum status check_doubled(const struct csv *c, const struct csv_entry *e, size_t count) {
    struct csv_entry *copy = mem_array(count, sizeof *copy);
    enum status st = copy ? OK : fail(ERR_NOMEM, "%s: out of memory", c->path);
    if (copy) memcpy(copy, e, count * sizeof *copy);
    if (copy) qsort(copy, count, sizeof *copy, by_item);
    for (size_t i = 1; i < count && st == OK; i++)
        if (copy[i].item == copy[i - 1].item &&
            (copy[i].opponent == copy[i - 1].opponent || copy[i].score < copy[i - 1].score || copy[i].score > copy[i - 1].score))
            st = fail(ERR_FORMAT, "%s, line %zu: train:%zu is there for %s:%zu already, on line %zu", c->path, copy[i].line, copy[i].item,
                      c->limits->split, copy[i].query, copy[i - 1].line);
    mem_free(copy);
    return st;
}

enum status csv_ranking_read(struct csv_entry **out, size_t *count, char *text, const struct csv_limits *limits, const char *path) {
    struct csv c = { .path = path, .limits = limits };
    enum status st = read_lines(&c, text);
    if (st == OK) qsort(c.entry, c.count, sizeof *c.entry, in_order);
    for (size_t i = 0, end; i < c.count && st == OK; i = end) {
        for (end = i + 1; end < c.count && c.entry[end].query == c.entry[i].query; end++) continue;
        st = check_doubled(&c, c.entry + i, end - i);
    }
    if (st != OK) mem_free(c.entry);
    *out = st == OK ? c.entry : NULL;
    *count = st == OK ? c.count : 0;
    return st;
}
