/* lds_exchange.c - outputs of retrained networks from one copy of a project to another.
 *
 * The text form has one line per fact, fields separated by one tab:
 *
 *   dtrak-lds-outputs  1
 *   train  JSON                the protocols
 *   eval   JSON
 *   model  INDEX SEED STATE STEPS TRAIN_LOSS MEMBERS      members: a bit per item as hex
 *   out    SPLIT V V V ...     OUTPUT_PARTS numbers per query, of the model above
 *   end    N                   how many models, so that a cut file is known for one
 *
 * Numbers are written so that they read back to the same float. */
#include "lds_protocol.h"

#include "dtrak/file.h"
#include "dtrak/json.h"
#include "dtrak/mem.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC "dtrak-lds-outputs\t1"
enum { FILE_MAX = 1 << 30, ITEMS_MAX = 1 << 27 };

/* One model on its way. */
struct parcel {
    size_t index, seed, n;
    unsigned char *members;           /* [n] */
    struct subset_result result;
    struct subset_output out[SPLIT_COUNT];
    float *values[SPLIT_COUNT];
};

static void parcel_clear(struct parcel *p) {
    mem_free(p->members);
    for (size_t k = 0; k < SPLIT_COUNT; k++) mem_free(p->values[k]);
    memset(p, 0, sizeof *p);
}

/* --- reading protocols --- */

static size_t json_size(const struct json *v) {
    int64_t x = json_int(v, 0);
    return x > 0 && x <= ITEMS_MAX ? (size_t)x : 0;
}

/* n of a train protocol; queries of an eval protocol by split (0: none). */
static enum status protocol_sizes(const char *train, const char *eval, size_t *n, size_t rows[SPLIT_COUNT]) {
    struct json_doc *doc;
    TRY(json_parse(&doc, train, strlen(train), "the train protocol"));
    *n = json_size(json_get(json_root(doc), "n"));
    json_free(doc);
    if (!*n) return fail(ERR_FORMAT, "the train protocol says of how many items subsets are drawn in no field \"n\"");
    if (!eval) return OK;
    TRY(json_parse(&doc, eval, strlen(eval), "the eval protocol"));
    for (int k = 0; k < SPLIT_COUNT; k++)
        rows[k] = json_size(json_get(json_get(json_root(doc), split_name((enum split)k)), "count"));
    json_free(doc);
    return OK;
}

static const char *part(const struct json_doc *doc, const char *object, const char *key) {
    const struct json *v = json_root(doc);
    return json_string(json_get(object ? json_get(v, object) : v, key), "");
}

/* The items that a protocol speaks of are this project's. */
static enum status check_train_items(struct store *s, const char *train) {
    struct json_doc *doc;
    char here[65];
    size_t count, n;
    TRY(protocol_sizes(train, NULL, &n, NULL));
    TRY(store_items_count(s, SPLIT_TRAIN, &count));
    if (count != n) return fail(ERR_RANGE, "another project: subsets of %zu training items, there are %zu here", n, count);
    TRY(items_digest(s, SPLIT_TRAIN, 0, count, here));
    TRY(json_parse(&doc, train, strlen(train), "the train protocol"));
    int same = strcmp(part(doc, NULL, "items"), here) == 0;
    json_free(doc);
    return same ? OK : fail(ERR_RANGE, "another project: its training items are not those that are here");
}

static enum status check_query_items(struct store *s, const char *eval) {
    struct json_doc *doc;
    enum status st = OK;
    int64_t known;
    TRY(store_protocol_find(s, PROTOCOL_EVAL, eval, &known));
    if (known) return OK;   /* it names the items by their digests; some may have been dropped since */
    TRY(json_parse(&doc, eval, strlen(eval), "the eval protocol"));
    for (int k = 0; k < SPLIT_COUNT && st == OK; k++) {
        const char *split = split_name((enum split)k);
        const struct json *q = json_get(json_root(doc), split);
        char here[65];
        size_t count = json_size(json_get(q, "count")), there, first = json_size(json_get(q, "first"));
        if (!q) continue;
        st = store_items_count(s, (enum split)k, &there);
        if (st == OK && first + count > there)
            st = fail(ERR_RANGE, "another project: losses of %s:%zu, there are %zu here", split, first + count - 1, there);
        if (st == OK) st = items_digest(s, (enum split)k, first, count, here);
        if (st == OK && strcmp(here, part(doc, split, "items")) != 0)
            st = fail(ERR_RANGE, "another project: its %s items are not those that are here", split);
    }
    json_free(doc);
    return st;
}

/* Subsets that are drawn, not items taken away by name. */
static int is_drawn(const struct protocol *p) { return !strstr(p->text, "\"draw\":{\"kind\":\"removal\"}"); }

/* One of `theirs` of this kind is here too, or none of this kind is here at all. */
static enum status agree(struct store *s, enum protocol_kind kind, const struct protocol_list *theirs) {
    struct protocol_list ours;
    char difference[160] = "";
    int64_t id = 0;
    TRY(store_protocols_list(s, &ours));
    enum status st = OK;
    for (size_t i = 0; i < theirs->count && st == OK && !id; i++)
        if (theirs->protocol[i].kind == kind && is_drawn(&theirs->protocol[i])) st = store_protocol_find(s, kind, theirs->protocol[i].text, &id);
    for (size_t i = 0; i < ours.count && st == OK && !id; i++)
        for (size_t j = 0; j < theirs->count && st == OK && !difference[0]; j++)
            if (ours.protocol[i].kind == kind && theirs->protocol[j].kind == kind && is_drawn(&ours.protocol[i]) &&
                is_drawn(&theirs->protocol[j]))
                st = protocol_difference(difference, ours.protocol[i].text, theirs->protocol[j].text);
    protocol_list_free(&ours);
    TRY(st);
    return !difference[0] ? OK : fail(ERR_RANGE, "another %s protocol: %s (here/there); outputs of two protocols are not mixed",
                                      kind == PROTOCOL_TRAIN ? "train" : "eval", difference);
}

static enum status accept(struct store *s, const struct protocol_list *theirs) {
    for (size_t i = 0; i < theirs->count; i++)
        TRY(theirs->protocol[i].kind == PROTOCOL_TRAIN ? check_train_items(s, theirs->protocol[i].text)
                                                       : check_query_items(s, theirs->protocol[i].text));
    TRY(agree(s, PROTOCOL_TRAIN, theirs));
    return agree(s, PROTOCOL_EVAL, theirs);
}

static enum status ensure_pair(struct store *s, const char *train, const char *eval, int64_t ids[2]) {
    TRY(store_protocol_ensure(s, PROTOCOL_TRAIN, train, &ids[0]));
    return store_protocol_ensure(s, PROTOCOL_EVAL, eval, &ids[1]);
}

static enum status deliver(struct store *s, const struct parcel *p, const int64_t ids[2], struct merge_counts *c) {
    struct subset_output out[SPLIT_COUNT];
    struct subset_result r = p->result;
    int added;
    for (size_t i = 0; i < r.outputs; i++) {
        out[i] = p->out[i];
        out[i].protocol = ids[1];
    }
    r.output = out;
    TRY(store_subset_import(s, ids[0], p->index, p->seed, p->members, p->n, &r, &added));
    if (added > 0) c->added++;
    else if (added < 0) c->different++;
    else c->same++;
    return OK;
}

/* --- from a database --- */

static enum status take_model(struct parcel *p, struct store *s, const struct subset_model *m, int64_t eval,
                              const size_t rows[SPLIT_COUNT], int *found) {
    *p = (struct parcel){ .index = m->index, .seed = m->seed, .n = m->n };
    *found = 1;
    p->members = mem_array(m->n + 1, 1);
    if (!p->members) return fail(ERR_NOMEM, "out of memory for %zu items", m->n);
    TRY(store_subset_members(s, m->id, p->members, m->n));
    p->result = (struct subset_result){ .state = m->state, .train_loss = m->train_loss, .seconds = m->seconds,
                                        .steps = m->steps, .host = m->host, .program = m->program };
    for (int k = 0; k < SPLIT_COUNT; k++) {
        size_t there, i = p->result.outputs;
        if (!rows[k]) continue;
        TRY(store_subset_output_rows(s, m->id, eval, (enum split)k, &there));
        *found &= there == rows[k];
        if (!*found) return OK;
        p->values[i] = mem_array(rows[k] * OUTPUT_PARTS, sizeof(float));
        if (!p->values[i]) return fail(ERR_NOMEM, "out of memory for %zu queries", rows[k]);
        TRY(store_subset_output_read(s, m->id, eval, (enum split)k, rows[k], p->values[i]));
        p->out[i] = (struct subset_output){ eval, (enum split)k, rows[k], p->values[i] };
        p->result.outputs++;
    }
    return OK;
}

static int is_wanted(const struct lds_options *o, size_t index) {
    for (size_t i = 0; o && i < o->n_only; i++)
        if (index >= o->only[i].first && index <= o->only[i].last) return 1;
    return !o || !o->n_only;
}

/* Calls take() for every finished model of (train, eval) that is wanted. */
static enum status each_model(struct store *s, const struct protocol *train, const struct protocol *eval,
                              const struct lds_options *o, enum status (*take)(void *ctx, const struct parcel *p), void *ctx) {
    struct subset_model_list l;
    size_t n, rows[SPLIT_COUNT];
    TRY(protocol_sizes(train->text, eval->text, &n, rows));
    TRY(store_subsets_list(s, train->id, &l));
    enum status st = OK;
    for (size_t i = 0; i < l.count && st == OK; i++) {
        struct parcel p;
        int found = 0;
        if (l.model[i].state == SUBSET_OPEN || !is_wanted(o, l.model[i].index)) continue;
        st = take_model(&p, s, &l.model[i], eval->id, rows, &found);
        if (st == OK && found) st = take(ctx, &p);
        parcel_clear(&p);
    }
    subset_model_list_free(&l);
    return st;
}

/* --- export --- */

static void add_members(struct buf *b, const unsigned char *members, size_t n) {
    for (size_t i = 0; i < n; i += 8) {
        unsigned byte = 0;
        for (size_t j = i; j < n && j < i + 8; j++) byte |= (unsigned)(members[j] != 0) << (j - i);
        buf_printf(b, "%02x", byte);
    }
}

struct writing { struct buf text; size_t models; };

static enum status write_model(void *ctx, const struct parcel *p) {
    struct writing *w = ctx;
    struct buf *b = &w->text;
    buf_printf(b, "model\t%zu\t%zu\t%s\t%zu\t%.17g\t", p->index, p->seed, subset_state_name(p->result.state),
               p->result.steps, p->result.train_loss);
    add_members(b, p->members, p->n);
    buf_text(b, "\n");
    for (size_t k = 0; k < p->result.outputs; k++) {
        buf_printf(b, "out\t%s", split_name(p->out[k].split));
        for (size_t i = 0; i < p->out[k].rows * OUTPUT_PARTS; i++) buf_printf(b, "\t%.9g", (double)p->values[k][i]);
        buf_text(b, "\n");
    }
    w->models++;
    return buf_status(b);
}

enum status pipeline_lds_export(struct store *s, const struct lds_options *o, const char *path, int replace, size_t *models) {
    struct protocol_list l;
    const struct protocol *train = NULL, *eval = NULL;
    struct writing w = { BUF_INIT, 0 };
    TRY(store_protocols_list(s, &l));
    enum status st;
    TRY_TO(protocols_fullest(s, &l, &train, &eval, NULL));
    buf_printf(&w.text, MAGIC "\ntrain\t%s\neval\t%s\n", train->text, eval->text);
    TRY_TO(each_model(s, train, eval, o, write_model, &w));
    if (!w.models) {
        st = fail(ERR_MISSING, "none of the subsets asked for has been finished");
        goto done;
    }
    buf_printf(&w.text, "end\t%zu\n", w.models);
    TRY_TO(buf_status(&w.text));
    TRY_TO((replace ? file_write : file_write_new)(path, w.text.data, w.text.len));
    if (models) *models = w.models;
done:
    buf_free(&w.text);
    protocol_list_free(&l);
    return st;
}

/* --- import --- */

struct reading {
    const char *path;
    char *at;                         /* the rest of the file */
    size_t line;
    size_t n, rows[SPLIT_COUNT];
    char *train, *eval;
};

/* The next line without its end, or NULL. */
static char *next_line(struct reading *r) {
    char *line = r->at, *end;
    if (!*line) return NULL;
    end = strchr(line, '\n');
    r->at = end ? end + 1 : line + strlen(line);
    if (end) *end = 0;
    r->line++;
    return line;
}

static enum status bad(const struct reading *r, const char *what) {
    return fail(ERR_FORMAT, "%s, line %zu: %s", r->path, r->line, what);
}

/* The next tab-separated word of *at, or "". */
static char *next_word(char **at) {
    char *word = *at, *end = word + strcspn(word, "\t");
    *at = *end ? end + 1 : end;
    *end = 0;
    return word;
}

static int read_count(const char *word, size_t max, size_t *out) {
    char *end;
    errno = 0;
    unsigned long long v = word[0] >= '0' && word[0] <= '9' ? strtoull(word, &end, 10) : 0;
    if (word[0] < '0' || word[0] > '9' || *end || errno || v > max) return 0;
    *out = (size_t)v;
    return 1;
}

/* Digits of a float, or nan. */
static int read_number(const char *word, double *out) {
    char *end;
    *out = strtod(word, &end);
    return end != word && !*end && strspn(word, "+-0123456789.enai") == strlen(word);
}

static enum status read_members(const struct reading *r, struct parcel *p, const char *hex) {
    static const char digits[] = "0123456789abcdef";
    if (strlen(hex) != (r->n + 7) / 8 * 2) return bad(r, "the members do not fit the number of training items");
    p->n = r->n;
    p->members = mem_array(r->n + 8, 1);
    if (!p->members) return fail(ERR_NOMEM, "%s: out of memory", r->path);
    for (size_t i = 0; hex[i]; i++) {
        const char *d = strchr(digits, hex[i]);
        if (!d) return bad(r, "members are hexadecimal digits");
        /* The high half of a byte comes first. */
        for (size_t j = 0; j < 4; j++) {
            size_t item = i / 2 * 8 + (i % 2 ? j : j + 4);
            int in = (int)(d - digits) >> j & 1;
            if (in && item >= r->n) return bad(r, "a member beyond the last training item");
            p->members[item] = (unsigned char)in;
        }
    }
    return OK;
}

static enum status read_model(const struct reading *r, struct parcel *p, char *line) {
    size_t steps;
    double loss;
    if (!read_count(next_word(&line), 999999, &p->index) || !read_count(next_word(&line), 1000, &p->seed))
        return bad(r, "a model has an index and a seed");
    const char *state = next_word(&line);
    if (strcmp(state, "done") != 0 && strcmp(state, "diverged") != 0) return bad(r, "a model is done or diverged");
    if (!read_count(next_word(&line), 1000000000, &steps) || !read_number(next_word(&line), &loss))
        return bad(r, "a model has a number of steps and a loss");
    p->result = (struct subset_result){ .state = strcmp(state, "done") ? SUBSET_DIVERGED : SUBSET_DONE,
                                        .train_loss = loss, .steps = steps };
    return read_members(r, p, line);
}

static enum status read_output(const struct reading *r, struct parcel *p, char *line) {
    enum split split = split_parse(next_word(&line));
    size_t i = p->result.outputs;
    if (split == SPLIT_COUNT || !r->rows[split]) return bad(r, "losses of a split that the eval protocol does not have");
    for (size_t k = 0; k < i; k++)
        if (p->out[k].split == split) return bad(r, "losses of a split twice");
    size_t rows = r->rows[split];
    p->values[i] = mem_array(rows * OUTPUT_PARTS, sizeof(float));
    if (!p->values[i]) return fail(ERR_NOMEM, "%s: out of memory", r->path);
    for (size_t j = 0; j < rows * OUTPUT_PARTS; j++) {
        double v;
        if (!read_number(next_word(&line), &v) || (p->result.state == SUBSET_DONE && !(fabs(v) < 1e30)))
            return bad(r, "fewer losses than queries, or one that is no number");
        p->values[i][j] = (float)v;
    }
    if (*line) return bad(r, "more losses than queries");
    p->out[i] = (struct subset_output){ 0, split, rows, p->values[i] };
    p->result.outputs++;
    return OK;
}

static enum status read_head(struct reading *r) {
    char *line = next_line(r);
    r->line = 1;
    if (!line || strcmp(line, MAGIC) != 0) return bad(r, "not a file of dtrak lds --export: it starts with '" "dtrak-lds-outputs 1'");
    line = next_line(r);
    if (!line || strncmp(line, "train\t", 6) != 0) return bad(r, "the train protocol is missing");
    r->train = line + 6;
    line = next_line(r);
    if (!line || strncmp(line, "eval\t", 5) != 0) return bad(r, "the eval protocol is missing");
    r->eval = line + 5;
    return protocol_sizes(r->train, r->eval, &r->n, r->rows);
}

static size_t splits_expected(const struct reading *r) {
    size_t n = 0;
    for (int k = 0; k < SPLIT_COUNT; k++) n += r->rows[k] > 0;
    return n;
}

static enum status read_models(struct reading *r, struct store *s, const int64_t ids[2], struct merge_counts *c) {
    struct parcel p = { 0 };
    enum status st = OK;
    size_t models = 0, promised;
    int ended = 0;
    for (char *line; st == OK && (line = next_line(r));) {
        char *word = next_word(&line);
        if (ended) st = bad(r, "a line after the end");
        else if (!strcmp(word, "model") && !p.members) st = read_model(r, &p, line);
        else if (!strcmp(word, "out") && p.members) st = read_output(r, &p, line);
        else if (!strcmp(word, "end") && !p.members && read_count(line, SIZE_MAX, &promised) && promised == models) ended = 1;
        else st = bad(r, "neither a model, nor the losses of one, nor the end with the number of models");
        if (st != OK || !p.members || p.result.outputs < splits_expected(r)) continue;
        st = deliver(s, &p, ids, c);
        models++;
        parcel_clear(&p);
    }
    if (st == OK && !ended) st = bad(r, "the file is cut: its end is missing");
    parcel_clear(&p);
    return st;
}

enum status pipeline_lds_import(struct store *s, const char *path, struct merge_counts *counts) {
    unsigned char *bytes;
    size_t len;
    struct reading r = { .path = path };
    int64_t ids[2];
    *counts = (struct merge_counts){ 0 };
    TRY(file_read(&bytes, &len, path, FILE_MAX));
    r.at = (char *)bytes;
    enum status st = strlen(r.at) == len ? read_head(&r) : fail(ERR_FORMAT, "%s: not text", path);
    /* All of the file or nothing. */
    if (st == OK) st = store_begin(s);
    if (st == OK) {
        struct protocol both[2] = { { .kind = PROTOCOL_TRAIN, .text = r.train }, { .kind = PROTOCOL_EVAL, .text = r.eval } };
        struct protocol_list list = { both, 2 };
        st = accept(s, &list);
        if (st == OK) st = ensure_pair(s, r.train, r.eval, ids);
        if (st == OK) st = read_models(&r, s, ids, counts);
        if (st == OK) st = store_commit(s);
        if (st != OK) store_rollback(s);
    }
    mem_free(bytes);
    return st;
}

/* --- merge --- */

struct merging { struct store *to; int64_t ids[2]; struct merge_counts *counts; const struct progress *progress; };

static enum status merge_model(void *ctx, const struct parcel *p) {
    struct merging *m = ctx;
    TRY(deliver(m->to, p, m->ids, m->counts));
    size_t done = m->counts->added + m->counts->same + m->counts->different;
    progress_report(m->progress, (double)done, (double)done, "merge", "");
    return progress_check(m->progress);
}

enum status pipeline_merge(struct store *s, const char *from, const struct progress *p, struct merge_counts *counts) {
    struct store *other;
    struct protocol_list l = { 0 };
    struct merging m = { .to = s, .counts = counts, .progress = p };
    enum status st;
    size_t pairs = 0;
    *counts = (struct merge_counts){ 0 };
    TRY(store_open(&other, from, STORE_READ));
    TRY_TO(store_protocols_list(other, &l));
    TRY_TO(accept(s, &l));
    for (size_t t = 0; t < l.count; t++)
        for (size_t e = 0; e < l.count; e++) {
            if (l.protocol[t].kind != PROTOCOL_TRAIN || l.protocol[e].kind != PROTOCOL_EVAL || !is_drawn(&l.protocol[t])) continue;
            pairs++;
            TRY_TO(ensure_pair(s, l.protocol[t].text, l.protocol[e].text, m.ids));
            TRY_TO(each_model(other, &l.protocol[t], &l.protocol[e], NULL, merge_model, &m));
        }
    if (!pairs) st = fail(ERR_MISSING, "%s: no network has been retrained there", from);
done:
    protocol_list_free(&l);
    store_close(other);
    return st;
}
