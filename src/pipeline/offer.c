/* offer.c - what errors offer to be typed: like what is there, and no more than can be done. */
#include "dtrak/offer.h"

#include "dtrak/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* --- options --- */

/* At the end of what is there; what does not fit is left out: numbers of a database may have any length. */
__attribute__((format(printf, 2, 3)))
static void add_option(char out[OFFER_OPTIONS], const char *fmt, ...) {
    size_t at = strlen(out);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(out + at, OFFER_OPTIONS - at, fmt, ap);
    va_end(ap);
}

void offer_options(char out[OFFER_OPTIONS], const struct feature_identity *f, int with_timesteps) {
    out[0] = 0;
    if (with_timesteps) add_option(out, " --timesteps %zu", f->timesteps);
    add_option(out, " --dims %zu", f->k);
    if (with_timesteps && strcmp(f->rule, "uniform")) add_option(out, " --rule %s", f->rule);
    if (with_timesteps && f->draws > 1) add_option(out, " --draws %zu", f->draws);
    if (with_timesteps && f->parts > 1) add_option(out, " --blocks %zu", f->parts);
    if (f->noise_seed) add_option(out, " --noise-seed %llu", (unsigned long long)f->noise_seed);
    if (strcmp(f->projection, "sjlt")) add_option(out, " --projection %s", f->projection);
    else if (f->nonzeros > 1) add_option(out, " --projection sjlt:%zu", f->nonzeros);
    if (f->projection_seed != 42) add_option(out, " --projection-seed %llu", (unsigned long long)f->projection_seed);
    if (f->float32) add_option(out, " --float32");
}

void offer_features_options(char out[OFFER_OPTIONS], const struct feature_set *like, const struct offer_features *w) {
    out[0] = 0;
    if (!like) {
        if (w->timesteps) add_option(out, " --timesteps %zu", w->timesteps);
        if (w->k) add_option(out, " --dims %zu", w->k);
        return;
    }
    struct feature_identity f = like->identity;
    if (w->k) f.k = w->k;
    if (w->timesteps && w->timesteps != f.timesteps) {
        f.timesteps = w->timesteps;
        if (f.parts > 1 && (f.timesteps * (f.draws ? f.draws : 1)) % f.parts) f.parts = 1;   /* parts are of equal size */
    }
    offer_options(out, &f, 1);
}

/* --- like which --- */

static const struct checkpoint *find(const struct checkpoint_list *c, int64_t id) {
    for (size_t i = 0; i < c->count; i++)
        if (c->checkpoint[i].id == id) return &c->checkpoint[i];
    return NULL;
}

/* How much a set is like those that are missing. */
static int likeness(const struct feature_set *f, const struct checkpoint_list *c, const struct offer_features *w) {
    const struct checkpoint *of = find(c, f->checkpoint);
    return 32 * (f->checkpoint == w->checkpoint->id) + 16 * (of && of->network == w->checkpoint->network) +
           8 * (strcmp(f->identity.loss, loss_name(w->loss)) == 0) + 4 * (f->identity.split == SPLIT_TRAIN) +
           2 * ((!w->timesteps || f->identity.timesteps == w->timesteps) && (!w->k || f->identity.k == w->k)) + !f->dropped;
}

/* How many of its checkpoint are made like it. */
static size_t usual(const struct feature_set_list *l, const struct feature_set *f) {
    size_t n = 0;
    for (size_t i = 0; i < l->count; i++) {
        const struct feature_identity *a = &f->identity, *b = &l->set[i].identity;
        n += l->set[i].checkpoint == f->checkpoint && a->timesteps == b->timesteps && a->k == b->k && a->draws == b->draws && a->parts == b->parts &&
             a->projection_seed == b->projection_seed && !strcmp(a->rule, b->rule) && !strcmp(f->projection, l->set[i].projection);
    }
    return n;
}

/* What most are like, and then the better ones. */
static int is_rather(const struct feature_set_list *l, const struct feature_set *a, const struct feature_set *b) {
    size_t x = usual(l, a), y = usual(l, b);
    return x != y ? x > y : feature_set_is_better(a, b);
}

const struct feature_set *offer_like(const struct feature_set_list *l, const struct checkpoint_list *c, const struct offer_features *w) {
    const struct feature_set *like = NULL;
    for (size_t i = 0; i < l->count; i++) {
        const struct feature_set *f = &l->set[i];
        if (!strcmp(f->identity.rule, FEATURE_RULE_JOURNEY)) continue;
        int more = like ? likeness(f, c, w) - likeness(like, c, w) : 1;
        if (more > 0 || (!more && is_rather(l, f, like))) like = f;
    }
    return like;
}

int offer_is_of(const struct feature_set *f, const struct offer_features *w) {
    return f->identity.split == SPLIT_TRAIN && !strcmp(f->identity.loss, loss_name(w->loss)) && strcmp(f->identity.rule, FEATURE_RULE_JOURNEY) &&
           (!w->timesteps || f->identity.timesteps == w->timesteps) && (!w->k || f->identity.k == w->k);
}

/* Whether scores are made of it: its rows are there, or their kernel. */
static enum status is_there(int *there, struct store *s, const struct feature_set *f) {
    *there = !f->dropped && f->rows_done >= f->rows;
    return *there ? OK : store_kernel_has(s, f->id, KERNEL_GRAM, SPLIT_TRAIN, there);
}

int offer_is_alike(const struct feature_set *a, const struct feature_set *b) {
    struct feature_identity id = a->identity;
    char difference[256];
    memcpy(id.checkpoint_sha256, b->identity.checkpoint_sha256, sizeof id.checkpoint_sha256);
    id.parts = b->identity.parts;
    feature_identity_difference(difference, &b->identity, &id);
    return !difference[0];
}

/* Checkpoints that have, or had, features like f, and those where they are there. */
struct alike { size_t n, there; };

static enum status count_alike(struct alike *out, struct store *s, const struct feature_set_list *l, const struct checkpoint_list *several,
                               const struct feature_set *f) {
    *out = (struct alike){ 0 };
    for (size_t c = 0; c < several->count; c++) {
        int any = 0, there = 0;
        for (size_t i = 0; i < l->count && !there; i++) {
            if (l->set[i].checkpoint != several->checkpoint[c].id || !offer_is_alike(&l->set[i], f)) continue;
            any = 1;
            TRY(is_there(&there, s, &l->set[i]));
        }
        out->n += (size_t)any;
        out->there += (size_t)there;
    }
    return OK;
}

/* Those that were made of more checkpoints, then that are there of more, then the better ones. */
static int is_more(const struct feature_set *f, struct alike a, const struct feature_set *like, struct alike most) {
    if (a.n != most.n) return a.n > most.n;
    if (a.there != most.there) return a.there > most.there;
    return feature_set_is_better(f, like);
}

enum status offer_like_several(const struct feature_set **like, size_t *alike, struct store *s, const struct feature_set_list *l,
                               const struct checkpoint_list *several, const struct offer_features *w) {
    struct alike most = { 0 }, a;
    *like = NULL;
    for (size_t i = 0; i < l->count; i++) {
        const struct feature_set *f = &l->set[i];
        if (!offer_is_of(f, w) || !find(several, f->checkpoint)) continue;
        TRY(count_alike(&a, s, l, several, f));
        if (*like && !is_more(f, a, *like, most)) continue;
        *like = f;
        most = a;
    }
    if (alike) *alike = most.there;
    if (*like || !several->count) return OK;
    struct offer_features last = *w;
    last.checkpoint = &several->checkpoint[several->count - 1];
    *like = offer_like(l, several, &last);
    return OK;
}

enum status offer_features_command(char out[OFFER_COMMAND], struct store *s, const struct offer_features *w) {
    struct checkpoint_list c = { 0 };
    struct feature_set_list l = { 0 };
    char options[OFFER_OPTIONS], db[1024], at[CHECKPOINT_OPTION];
    TRY(store_checkpoints_list(s, &c));
    enum status st = store_feature_sets_list(s, &l);
    if (st == OK) offer_features_options(options, offer_like(&l, &c, w), w);
    feature_set_list_free(&l);
    checkpoint_list_free(&c);
    TRY(st);
    text_shell_word(db, sizeof db, store_path(s));
    checkpoint_option(at, w->checkpoint);
    snprintf(out, OFFER_COMMAND, "dtrak features %s --loss %s --checkpoint %s%s", db, loss_name(w->loss), at, options);
    return OK;
}

enum status offer_same_features(char out[OFFER_COMMAND], char weights[OFFER_WEIGHTS], struct store *s, const struct feature_set *set) {
    struct checkpoint_list c = { 0 };
    char options[OFFER_OPTIONS], db[1024], at[CHECKPOINT_OPTION];
    out[0] = weights[0] = 0;
    TRY(store_checkpoints_list(s, &c));
    const struct checkpoint *of = find(&c, set->checkpoint);
    if (of) {
        text_shell_word(db, sizeof db, store_path(s));
        checkpoint_option(at, of);
        offer_options(options, &set->identity, 1);
        offer_weights(weights, of);
        snprintf(out, OFFER_COMMAND, "dtrak features %s --loss %s --checkpoint %s%s", db, set->identity.loss, at, options);
    }
    checkpoint_list_free(&c);
    return OK;
}

/* --- weights --- */

void offer_weights(char out[OFFER_WEIGHTS], const struct checkpoint *c) {
    char words[96];
    out[0] = 0;
    checkpoint_words(words, c);
    if (!c->weights_bytes)
        snprintf(out, OFFER_WEIGHTS, "the weights of %s were dropped; dtrak merge brings them from a copy that has them", words);
}
