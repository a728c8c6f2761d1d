/* import_dtrak_subsets.c - D-TRAK's networks retrained on subsets: lds-val/sub-idx-M.pkl
 * says who was in, P-sub-M-SEED/e-S-SPLIT.pkl what the network made of the queries.
 *
 * Outputs are a list over batches of lists over timesteps of arrays over queries: the
 * query is the last axis.  Kept are means over the even and the odd timesteps, and over
 * the noise seeds S, which must be the same for every network and split. */
#include "import_parts.h"
#include "lds_parts.h"

#include "dtrak/file.h"
#include "dtrak/mem.h"
#include "dtrak/pickle.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BYTES_MAX = 1 << 30, MODELS_MAX = 999999, NOISES_MAX = 64 };

struct output { const char *path; size_t model, seed, noise; enum split split; };

struct subsets {
    struct dtrak_tree *t;
    struct output *out;
    size_t count, timesteps;
    size_t noise[NOISES_MAX], noises;     /* seeds of noise */
    int has[SPLIT_COUNT];
    int64_t train, eval;
    size_t size;                          /* of a subset */
};

/* --- what there is --- */

/* "e-0-val.pkl" in ".../ddpm-sub-17-2/" */
static int parse_output(struct output *o, const char *path) {
    const char *base = strrchr(path, '/'), *dir;
    char part[256];
    size_t digits;
    if (!base || base == path) return 0;
    for (dir = base; dir > path && dir[-1] != '/'; dir--) continue;
    snprintf(part, sizeof part, "%.*s", (int)(base - dir < 255 ? base - dir : 255), dir);
    *o = (struct output){ .path = path };
    const char *sub = strstr(part, "-sub-");
    if (!sub || base[1] != 'e' || base[2] != '-') return 0;
    digits = strspn(base + 3, "0123456789");
    o->noise = strtoul(base + 3, NULL, 10);
    const char *end = base + 3 + digits;
    o->split = !strcmp(end, "-val.pkl") ? SPLIT_VAL : !strcmp(end, "-gen.pkl") ? SPLIT_GEN : SPLIT_COUNT;
    if (!digits || o->split == SPLIT_COUNT) return 0;
    digits = strspn(sub + 5, "0123456789");
    o->model = strtoul(sub + 5, NULL, 10);
    return digits && sub[5 + digits] == '-' && dtrak_number(sub + 5 + digits, "-", "", &o->seed) && o->model <= MODELS_MAX && o->seed <= 1000;
}

static int by_model(const void *a, const void *b) {
    const struct output *x = a, *y = b;
    if (x->model != y->model) return x->model < y->model ? -1 : 1;
    if (x->seed != y->seed) return x->seed < y->seed ? -1 : 1;
    if (x->split != y->split) return x->split < y->split ? -1 : 1;
    return (x->noise > y->noise) - (x->noise < y->noise);
}

static int same_network(const struct output *x, const struct output *y) { return x->model == y->model && x->seed == y->seed; }

static enum status find_outputs(struct subsets *s) {
    struct dtrak_tree *t = s->t;
    s->out = mem_array(t->files + 1, sizeof *s->out);
    if (!s->out) return fail(ERR_NOMEM, "d-trak: out of memory");
    for (size_t i = 0; i < t->files; i++) {
        struct output o;
        if (!parse_output(&o, t->file[i]) || !dtrak_part(t, t->file[i], "lds-val/") || !t->items[o.split]) continue;
        s->out[s->count++] = o;
    }
    if (s->count) qsort(s->out, s->count, sizeof *s->out, by_model);
    for (size_t i = 0; i < s->count; i++) s->has[s->out[i].split] = 1;
    for (size_t i = 0; i < s->count && same_network(&s->out[i], &s->out[0]) && s->out[i].split == s->out[0].split; i++) {
        if (i == NOISES_MAX) return fail(ERR_RANGE, "%s: more than %d noise seeds of one network", s->out[i].path, NOISES_MAX);
        s->noise[s->noises++] = s->out[i].noise;
    }
    return OK;
}

/* --- outputs --- */

/* Adds the timesteps of one batch to sums [Q][OUTPUT_PARTS]; *first: where its queries begin. */
static enum status add_batch(const struct output *o, const struct pickle *batch, size_t *first, size_t Q, size_t *T, double *sum) {
    size_t steps = pickle_len(batch), width = 0;
    for (size_t i = 0; i < steps; i++) {
        const struct pickle_array *a = pickle_array(pickle_at(batch, i));
        if (!a || a->rank != 1 || (i && a->count != width) || a->count > Q - *first)
            return fail(ERR_FORMAT, "%s: timestep %zu of a batch is not an array of its losses (there are %zu queries)", o->path, i, Q);
        width = a->count;
        double *x = mem_array(width + 1, sizeof *x);
        if (!x) return fail(ERR_NOMEM, "%s: out of memory", o->path);
        pickle_array_doubles(x, a);
        for (size_t q = 0; q < width; q++) sum[(*first + q) * OUTPUT_PARTS + i % OUTPUT_PARTS] += x[q];
        mem_free(x);
    }
    if (steps < OUTPUT_PARTS || (*T && steps != *T)) return fail(ERR_FORMAT, "%s: a batch with %zu timesteps, another has %zu", o->path, steps, *T);
    *T = steps;
    *first += width;
    return OK;
}

static enum status add_matrix(const struct output *o, const struct pickle_array *a, size_t Q, size_t *T, double *sum) {
    if (a->rank != 2 || a->shape[1] != Q || a->shape[0] < OUTPUT_PARTS)
        return fail(ERR_FORMAT, "%s: an array of timesteps x %zu queries is expected, the query last", o->path, Q);
    double *x = mem_array(a->count, sizeof *x);
    if (!x) return fail(ERR_NOMEM, "%s: out of memory", o->path);
    pickle_array_doubles(x, a);
    *T = a->shape[0];
    for (size_t i = 0; i < a->count; i++) sum[i % Q * OUTPUT_PARTS + i / Q % OUTPUT_PARTS] += x[i];
    mem_free(x);
    return OK;
}

static enum status read_sums(const struct output *o, const struct pickle *root, size_t Q, size_t *T, double *sum) {
    size_t first = 0;
    *T = 0;
    if (pickle_array(root)) return add_matrix(o, pickle_array(root), Q, T, sum);
    if (pickle_type(root) != PICKLE_LIST)
        return fail(ERR_FORMAT, "%s: a pickled %s, a list of batches is expected", o->path, pickle_type_name(pickle_type(root)));
    for (size_t b = 0; b < pickle_len(root); b++) TRY(add_batch(o, pickle_at(root, b), &first, Q, T, sum));
    return first == Q ? OK : fail(ERR_FORMAT, "%s: losses of %zu queries, and here are %zu %s items", o->path, first, Q, split_name(o->split));
}

/* Adds to values [Q][OUTPUT_PARTS], in the order of the items, the noise seed's share of their mean. */
static enum status read_output(struct subsets *s, const struct output *o, double *values) {
    size_t Q = s->t->items[o->split], len, T;
    const size_t *order = s->t->order[o->split];
    struct pickle_doc *doc = NULL;
    unsigned char *bytes = NULL;
    double *sum = mem_array(Q * OUTPUT_PARTS, sizeof *sum);
    enum status st = sum ? file_read(&bytes, &len, o->path, BYTES_MAX) : fail(ERR_NOMEM, "%s: out of memory", o->path);
    if (st == OK) st = pickle_read(&doc, bytes, len, o->path, NULL);
    if (st == OK) st = read_sums(o, pickle_root(doc), Q, &T, sum);
    if (st == OK && s->timesteps && T != s->timesteps)
        st = fail(ERR_FORMAT, "%s: losses at %zu timesteps, other files have %zu", o->path, T, s->timesteps);
    for (size_t q = 0; q < Q && st == OK; q++)
        for (size_t k = 0; k < OUTPUT_PARTS && st == OK; k++) {
            double v = sum[q * OUTPUT_PARTS + k] / (double)((T + OUTPUT_PARTS - 1 - k) / OUTPUT_PARTS);
            if (!isfinite(v)) st = fail(ERR_NUMERIC, "%s: the loss of query %zu is not finite", o->path, q);
            values[(order ? order[q] : q) * OUTPUT_PARTS + k] += v / (double)s->noises;
        }
    if (st == OK) s->timesteps = T;
    pickle_free(doc);
    mem_free(bytes);
    mem_free(sum);
    return st;
}

/* --- members --- */

static enum status read_members(struct subsets *s, size_t model, unsigned char *in) {
    char name[48];
    const char *path = NULL;
    size_t *list, count, item, n = s->t->items[SPLIT_TRAIN];
    snprintf(name, sizeof name, "/lds-val/sub-idx-%zu.pkl", model);
    for (size_t i = 0; i < s->t->files && !path; i++) {
        size_t len = strlen(s->t->file[i]), end = strlen(name);
        if (len >= end && !strcmp(s->t->file[i] + len - end, name)) path = s->t->file[i];
    }
    if (!path) return fail(ERR_MISSING, "%s: outputs of subset %zu, and no lds-val/sub-idx-%zu.pkl says who is in it", s->t->o->path, model, model);
    TRY(array_read_indices(&list, &count, path));
    memset(in, 0, n);
    enum status st = OK;
    for (size_t i = 0; i < count && st == OK; i++) {
        st = dtrak_train_item(s->t, list[i], path, &item);
        if (st == OK && in[item]++) st = fail(ERR_FORMAT, "%s: number %zu is there twice", path, list[i]);
    }
    mem_free(list);
    if (st == OK && s->size && count != s->size) st = fail(ERR_FORMAT, "%s: a subset of %zu, another has %zu", path, count, s->size);
    s->size = count;
    return st;
}

/* --- into the database --- */

static enum status make_protocols(struct subsets *s) {
    struct dtrak_tree *t = s->t;
    struct buf train = BUF_INIT, eval = BUF_INIT;
    size_t n = t->items[SPLIT_TRAIN];
    char digest[65];
    enum status st;
    TRY_TO(items_digest(t->s, SPLIT_TRAIN, 0, n, digest));
    buf_printf(&train, "{\"version\":1,\"source\":\"d-trak\",\"items\":\"%s\",\"n\":%zu,\"draw\":{\"alpha\":%.6g,\"size\":%zu,"
               "\"stratified\":false},\"train\":{\"same\":\"given\"}}", digest, n, (double)s->size / (double)n, s->size);
    buf_printf(&eval, "{\"version\":1,\"source\":\"d-trak\",\"loss\":\"simple\",\"timesteps\":%zu,\"rule\":\"all\",\"noise_seed\":%zu",
               s->timesteps, s->noise[0]);
    for (size_t i = 0; s->noises > 1 && i < s->noises; i++) buf_printf(&eval, "%s%zu", i ? "," : ",\"noise_seeds\":[", s->noise[i]);
    if (s->noises > 1) buf_text(&eval, "]");
    for (int k = 0; k < SPLIT_COUNT; k++) {
        if (!s->has[k]) continue;
        TRY_TO(items_digest(t->s, (enum split)k, 0, t->items[k], digest));
        buf_printf(&eval, ",\"%s\":{\"first\":0,\"count\":%zu,\"items\":\"%s\"}", split_name((enum split)k), t->items[k], digest);
    }
    buf_text(&eval, "}");
    TRY_TO(buf_status(&train));
    TRY_TO(buf_status(&eval));
    TRY_TO(store_protocol_ensure(t->s, PROTOCOL_TRAIN, train.data, &s->train));
    st = store_protocol_ensure(t->s, PROTOCOL_EVAL, eval.data, &s->eval);
done:
    buf_free(&train);
    buf_free(&eval);
    return st;
}

/* One split's losses of a network: the files [first, first + noises). */
static enum status read_losses(struct subsets *s, size_t first, size_t end, float **out) {
    const struct output *o = &s->out[first];
    size_t n = s->t->items[o->split] * OUTPUT_PARTS;
    double *sum = mem_array(n, sizeof *sum);
    float *values = mem_array(n, sizeof *values);
    enum status st = sum && values ? OK : fail(ERR_NOMEM, "d-trak: out of memory");
    for (size_t i = 0; i < s->noises && st == OK; i++) {
        if (first + i >= end || o[i].split != o->split || o[i].noise != s->noise[i])
            st = fail(ERR_FORMAT, "%s: its network has no losses of noise seed %zu of %s items, or twice; another network has %zu noise seeds", o->path,
                      s->noise[i], split_name(o->split), s->noises);
        else st = read_output(s, &o[i], sum);
    }
    for (size_t i = 0; i < n && st == OK; i++) values[i] = (float)sum[i];
    mem_free(sum);
    *out = values;
    return st;
}

/* The outputs [first, end) of one model. */
static enum status take_model(struct subsets *s, size_t first, size_t end) {
    struct dtrak_tree *t = s->t;
    size_t n = t->items[SPLIT_TRAIN];
    struct subset_output out[SPLIT_COUNT];
    float *values[SPLIT_COUNT] = { NULL };
    int added;
    unsigned char *in = mem_array(n + 1, 1);
    struct subset_result r = { .state = SUBSET_DONE, .train_loss = NAN, .output = out };
    enum status st = in ? OK : fail(ERR_NOMEM, "d-trak: out of memory");
    if (st != OK) goto done;
    TRY_TO(read_members(s, s->out[first].model, in));
    for (size_t i = first; i < end; i += s->noises) {
        const struct output *o = &s->out[i];
        if (i > first && o->split == o[-1].split) {
            st = fail(ERR_FORMAT, "%s: losses of noise seed %zu, which another network does not have", o->path, o->noise);
            goto done;
        }
        TRY_TO(read_losses(s, i, end, &values[o->split]));
        out[r.outputs++] = (struct subset_output){ 0, o->split, t->items[o->split], values[o->split] };
    }
    if (!s->eval) TRY_TO(make_protocols(s));
    for (size_t i = 0; i < r.outputs; i++) out[i].protocol = s->eval;
    TRY_TO(store_subset_import(t->s, s->train, s->out[first].model, s->out[first].seed, in, n, &r, &added));
    if (added > 0) t->r->subsets++, t->r->outputs += r.outputs;
    else t->r->skipped++;
done:
    for (size_t i = 0; i < SPLIT_COUNT; i++) mem_free(values[i]);
    mem_free(in);
    return st;
}

enum status dtrak_subsets(struct dtrak_tree *t) {
    struct subsets s = { .t = t };
    enum status st = find_outputs(&s);
    for (size_t i = 0, end; i < s.count && st == OK; i = end) {
        for (end = i + 1; end < s.count && same_network(&s.out[end], &s.out[i]); end++) continue;
        st = progress_check(t->p);
        if (st == OK) st = take_model(&s, i, end);
    }
    mem_free(s.out);
    return st;
}
