/* lds_outputs.c - which retrained networks there are, and their losses. */
#include "lds_outputs.h"

#include "lds_options.h"
#include "lds_protocol.h"

#include "dtrak/hash.h"
#include "dtrak/json.h"
#include "dtrak/lds.h"
#include "dtrak/mem.h"
#include "dtrak/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* --- which networks --- */

const struct subset_model *lds_outputs_model(const struct lds_outputs *o, size_t index, size_t seed) {
    for (size_t i = 0; i < o->models.count; i++) {
        const struct subset_model *x = &o->models.model[i];
        if (x->index == index && x->seed == seed) return x->state == SUBSET_DONE ? x : NULL;
    }
    return NULL;
}

static enum status has_outputs(const struct lds_outputs *o, const struct subset_model *x, int *has) {
    size_t rows;
    *has = 0;
    for (int k = 0; k < SPLIT_COUNT && !*has; k++) {
        TRY(store_subset_output_rows(o->s, x->id, o->eval_protocol, (enum split)k, &rows));
        *has = rows > 0;
    }
    return OK;
}

static enum status too_few(const struct lds_outputs *o, size_t least) {
    struct lds_options more = LDS_DEFAULTS;
    char command[LDS_COMMAND], difference[160];
    TRY(lds_options_command(command, difference, o->s, &more, o->train_text, o->eval_text));
    const char *how = command[0] ? "; more with: " : difference[0] ? ", and no option goes on with them (now/then): " : "";
    return fail(ERR_RANGE, "%zu subsets are done, expected at least %zu (%d for an interval)%s%s", o->M, least, LDS_INTERVAL_MIN, how,
                command[0] ? command : difference);
}

static enum status choose_subsets(struct lds_outputs *o, size_t least) {
    size_t most_seeds = 0;
    double sum = 0;
    o->use = mem_array(o->models.count + 1, sizeof *o->use);
    if (!o->use) return fail(ERR_NOMEM, "lds: out of memory");
    o->loss_low = INFINITY;
    o->loss_high = -INFINITY;
    for (size_t i = 0; i < o->models.count; i++) {
        struct subset_model *x = &o->models.model[i];
        int has = 1;
        if (x->state == SUBSET_DONE) TRY(has_outputs(o, x, &has));
        if (!has) x->state = SUBSET_OPEN;      /* evaluated otherwise */
        if (x->state == SUBSET_OPEN) o->open++;
        else o->finished++;
        o->diverged += x->state == SUBSET_DIVERGED;
        if (x->state != SUBSET_DONE) continue;
        if (x->seed == 0) o->use[o->M++] = x->index;
        if (x->seed + 1 > most_seeds) most_seeds = x->seed + 1;
        sum += x->train_loss;
        o->loss_low = fmin(o->loss_low, x->train_loss);
        o->loss_high = fmax(o->loss_high, x->train_loss);
    }
    if (o->M < least) return too_few(o, least);
    o->loss = sum / (double)(o->finished - o->diverged);
    int all = 1;
    while (all && o->seeds < most_seeds) {
        for (size_t k = 0; k < o->M && all; k++) all = lds_outputs_model(o, o->use[k], o->seeds) != NULL;
        if (all) o->seeds++;
    }
    return OK;
}

static enum status read_members(struct lds_outputs *o) {
    o->n = lds_outputs_model(o, o->use[0], 0)->n;
    o->members = mem_array(o->M, o->n);
    if (!o->members) return fail(ERR_NOMEM, "lds: out of memory");
    for (size_t k = 0; k < o->M; k++)
        TRY(store_subset_members(o->s, lds_outputs_model(o, o->use[k], 0)->id, o->members + k * o->n, o->n));
    return OK;
}

/* --- protocols --- */

static enum status read_protocols(struct lds_outputs *o) {
    struct protocol_list l;
    const struct protocol *train = NULL, *eval = NULL;
    TRY(store_protocols_list(o->s, &l));
    enum status st = protocols_fullest(o->s, &l, &train, &eval, &o->others);
    if (st == OK) {
        o->train_protocol = train->id;
        o->eval_protocol = eval->id;
        o->train_text = mem_copy_string(train->text);
        o->eval_text = mem_copy_string(eval->text);
        if (!o->train_text || !o->eval_text) st = fail(ERR_NOMEM, "lds: out of memory");
    }
    protocol_list_free(&l);
    return st;
}

/* Items may have been dropped since, and others may have taken their numbers.  While some of the numbers are not
 * taken there is nothing to compare, and no score set is complete. */
static enum status is_of_others(int *other, struct store *s, const struct lds_query *q, const char *digest) {
    size_t there;
    char here[65];
    *other = 0;
    TRY(store_items_count(s, q->split, &there));
    if (there < q->first + q->Q || !digest[0]) return OK;
    TRY(items_digest(s, q->split, q->first, q->Q, here));
    *other = strcmp(here, digest) != 0;
    return OK;
}

static enum status read_splits(struct lds_outputs *o) {
    struct json_doc *doc;
    TRY(json_parse(&doc, o->eval_text, strlen(o->eval_text), "the eval protocol"));
    enum status st = OK;
    int64_t timesteps = json_int(json_get(json_root(doc), "timesteps"), 0);
    o->timesteps = timesteps > 0 && timesteps < 1 << 20 ? (size_t)timesteps : 0;
    for (int k = 0; k < SPLIT_COUNT && st == OK; k++) {
        const struct json *q = json_get(json_root(doc), split_name((enum split)k));
        int64_t first = json_int(json_get(q, "first"), -1), count = json_int(json_get(q, "count"), 0);
        if (first < 0 || count <= 0 || count >= 1 << 27 || o->splits == 2) continue;
        o->query[o->splits].split = (enum split)k;
        struct lds_query *query = &o->query[o->splits++];
        query->first = (size_t)first;
        query->Q = (size_t)count;
        st = is_of_others(&query->is_other, o->s, query, json_string(json_get(q, "items"), ""));
    }
    json_free(doc);
    TRY(st);
    return o->splits ? OK : fail(ERR_FORMAT, "the eval protocol names no queries");
}

static enum status open_all(struct lds_outputs *o, size_t least) {
    TRY(read_protocols(o));
    TRY(read_splits(o));
    TRY(store_subsets_list(o->s, o->train_protocol, &o->models));
    TRY(choose_subsets(o, least));
    return read_members(o);
}

enum status lds_outputs_open(struct lds_outputs *out, struct store *s, size_t least) {
    *out = (struct lds_outputs){ .s = s };
    enum status st = open_all(out, least);
    if (st != OK) lds_outputs_close(out);
    return st;
}

void lds_outputs_close(struct lds_outputs *o) {
    mem_free(o->train_text);
    mem_free(o->eval_text);
    subset_model_list_free(&o->models);
    mem_free(o->use);
    mem_free(o->members);
    *o = (struct lds_outputs){ 0 };
}

enum status lds_outputs_check(const struct lds_outputs *o, enum split split, const struct lds_query **there) {
    size_t n, items;
    char db[1024];
    *there = NULL;
    text_shell_word(db, sizeof db, store_path(o->s));
    TRY(store_items_count(o->s, SPLIT_TRAIN, &n));
    TRY(store_items_count(o->s, split, &items));
    if (o->n != n)
        return fail(ERR_RANGE, "the subsets are of %zu training items, there are %zu now; retrain with: dtrak lds %s", o->n, n, db);
    for (size_t i = 0; i < o->splits; i++) {
        const struct lds_query *q = &o->query[i];
        if (q->split != split) continue;
        if (q->first + q->Q > items)
            return fail(ERR_RANGE, "the retrained networks were measured on %s items %zu to %zu, and only %zu are here; these scores need all of "
                        "them", split_name(split), q->first, q->first + q->Q - 1, items);
        if (q->is_other)
            return fail(ERR_RANGE, "the retrained networks' losses are of other %s items than those that have their numbers now; retrain with: "
                        "dtrak lds %s", split_name(split), db);
        *there = q;
    }
    return OK;
}

void lds_outputs_where(const struct lds_outputs *o, char out[LDS_WHERE]) {
    out[0] = 0;
    for (size_t i = 0; i < o->splits; i++) {
        const struct lds_query *q = &o->query[i];
        size_t at = strlen(out);
        snprintf(out + at, LDS_WHERE - at, "%s%s:%zu-%zu", i ? "," : "", split_name(q->split), q->first, q->first + q->Q - 1);
    }
}

/* A train protocol starts with the items and the draw; what is then said of the training does not
 * matter.  Another program's is taken whole. */
void lds_outputs_draw(const struct lds_outputs *o, char hex[17]) {
    const char *train = strstr(o->train_text, ",\"train\":");
    size_t len = train ? (size_t)(train - o->train_text) : strlen(o->train_text);
    snprintf(hex, 17, "%016llx", (unsigned long long)hash_xxh3(o->train_text, len));
}

/* --- losses --- */

enum status lds_outputs_add(const struct lds_outputs *o, enum split split, size_t Q, const struct subset_model *m,
                            float *scratch, double *out, double *even, double *odd, size_t stride) {
    TRY(store_subset_output_read(o->s, m->id, o->eval_protocol, split, Q, scratch));
    /* Of an odd number the even places have one more; of a single one both parts are its loss. */
    double n_a = (double)((o->timesteps + 1) / 2), n_b = (double)(o->timesteps / 2);
    if (o->timesteps < 2) n_a = n_b = 1;
    for (size_t q = 0; q < Q; q++) {
        double a = (double)scratch[q * OUTPUT_PARTS], b = (double)scratch[q * OUTPUT_PARTS + 1];
        out[q * stride] += (n_a * a + n_b * b) / (n_a + n_b);
        if (even) even[q * stride] += a;
        if (odd) odd[q * stride] += b;
    }
    return OK;
}

enum status lds_outputs_means(const struct lds_outputs *o, enum split split, size_t Q, double *y, double *even, double *odd) {
    float *scratch = mem_array(Q * OUTPUT_PARTS, sizeof *scratch);
    enum status st = scratch ? OK : fail(ERR_NOMEM, "lds: out of memory");
    memset(y, 0, o->M * Q * sizeof *y);
    if (even) memset(even, 0, o->M * Q * sizeof *even);
    if (odd) memset(odd, 0, o->M * Q * sizeof *odd);
    for (size_t k = 0; k < o->M; k++)
        for (size_t i = 0; i < o->seeds && st == OK; i++)
            st = lds_outputs_add(o, split, Q, lds_outputs_model(o, o->use[k], i), scratch, y + k, even ? even + k : NULL,
                                 odd ? odd + k : NULL, o->M);
    for (size_t i = 0; i < o->M * Q; i++) {
        y[i] /= (double)o->seeds;
        if (even) even[i] /= (double)o->seeds;
        if (odd) odd[i] /= (double)o->seeds;
    }
    mem_free(scratch);
    return st;
}
