/* pick.c - stored sets by method, loss, checkpoint, lambda, timesteps, dims and split. */
#include "dtrak/pick.h"

#include <stdio.h>
#include <string.h>

enum status picker_open(struct picker *out, struct store *s, const struct pick *p) {
    enum loss alias = LOSS_COUNT;
    struct lambda l;
    *out = (struct picker){ .method = METHOD_COUNT, .loss = LOSS_COUNT, .timesteps = p->timesteps, .k = p->k, .splits = p->splits };
    if (p->method) {
        TRY(method_read(&out->method, &alias, p->method, "method"));
        out->loss = alias;
    }
    if (p->loss) {
        enum loss asked = loss_parse(p->loss);
        if (asked == LOSS_COUNT) return fail(ERR_USAGE, "'%s' is not a loss; simple elbo square avg l1 l2 linf are", p->loss);
        if (alias != LOSS_COUNT && alias != asked)
            return fail(ERR_USAGE, "%s means loss %s, but loss %s was asked for; use method trak with it", p->method, loss_name(alias), p->loss);
        out->loss = asked;
    }
    out->on_grid = p->lambda && !strcmp(p->lambda, "grid");
    if (p->lambda && !out->on_grid) {
        if (lambda_parse(&l, p->lambda) != OK)
            return fail(ERR_USAGE, "lambda '%s' is not a number above 0, abs:NUMBER, auto or, for any of the grid, grid", p->lambda);
        lambda_format(out->lambda, l);
    }
    out->has_checkpoint = p->checkpoint != NULL;
    return p->checkpoint ? store_checkpoints_resolve(s, p->checkpoint, &out->checkpoint) : OK;
}

void picker_close(struct picker *p) { checkpoint_list_free(&p->checkpoint); }

static int has_checkpoint(const struct picker *p, int64_t id) {
    for (size_t i = 0; i < p->checkpoint.count; i++)
        if (p->checkpoint.checkpoint[i].id == id) return 1;
    return 0;
}

int picker_takes_checkpoint(const struct picker *p, int64_t id) { return !p->has_checkpoint || has_checkpoint(p, id); }

static int is_on_grid(const struct score_set *set) {
    char text[LAMBDA_TEXT];
    for (size_t i = 0; i < LAMBDA_GRID_COUNT; i++) {
        lambda_format(text, (struct lambda){ LAMBDA_RELATIVE, lambda_grid(i) });
        if (!strcmp(set->lambda_spec, text)) return 1;
    }
    return 0;
}

int picker_takes_scores(const struct picker *p, const struct score_set *set) {
    if (p->method != METHOD_COUNT && strcmp(set->method, method_name(p->method)) != 0) return 0;
    if (p->loss != LOSS_COUNT && strcmp(set->loss, loss_name(p->loss)) != 0) return 0;
    if (p->lambda[0] && strcmp(set->lambda_spec, p->lambda) != 0) return 0;
    if (p->on_grid && !is_on_grid(set)) return 0;
    if (p->timesteps && set->timesteps != p->timesteps) return 0;
    if (p->k && set->k != p->k) return 0;
    if (p->splits && !(p->splits >> set->split & 1)) return 0;
    if (p->has_checkpoint && !set->checkpoints) return 0;
    for (size_t i = 0; p->has_checkpoint && i < set->checkpoints; i++)
        if (!has_checkpoint(p, set->checkpoint[i])) return 0;
    return 1;
}

int picker_takes_features(const struct picker *p, const struct feature_set *set) {
    const struct feature_identity *f = &set->identity;
    if (p->loss != LOSS_COUNT && strcmp(f->loss, loss_name(p->loss)) != 0) return 0;
    if (p->timesteps && f->timesteps != p->timesteps) return 0;
    if (p->k && f->k != p->k) return 0;
    if (p->splits && !(p->splits >> f->split & 1)) return 0;
    return !p->has_checkpoint || has_checkpoint(p, set->checkpoint);
}

/* --- in words --- */

/* "checkpoint 9600", "checkpoint 20000 of large" */
static enum status name_checkpoint(struct store *s, int64_t id, char *out, size_t size) {
    struct checkpoint_list l;
    char network[64] = "";
    size_t step = 0;
    TRY(store_checkpoints_list(s, &l));
    for (size_t i = 0; i < l.count; i++) {
        if (l.checkpoint[i].id != id) continue;
        step = l.checkpoint[i].step;
        checkpoint_network(network, &l.checkpoint[i]);
    }
    snprintf(out, size, "checkpoint %zu%s%s", step, network[0] ? " of " : "", network);
    checkpoint_list_free(&l);
    return OK;
}

static void add(char *out, size_t size, const char *text) {
    size_t len = strlen(out);
    snprintf(out + len, size - len, "%s", text);
}

enum status pick_describe_scores(char *out, size_t size, struct store *s, const struct score_set *set) {
    char display[METHOD_DISPLAY], word[128];
    enum method m = method_parse(set->method, NULL);
    if (m < METHOD_COUNT) method_display(display, m, loss_parse(set->loss));
    else snprintf(display, sizeof display, "%s", set->method);
    snprintf(out, size, "%s of %s", display, split_name(set->split));
    if (set->checkpoints == 1) {
        TRY(name_checkpoint(s, set->checkpoint[0], word, sizeof word));
        add(out, size, ", ");
        add(out, size, word);
    } else if (set->checkpoints) {
        snprintf(word, sizeof word, ", %zu checkpoints", set->checkpoints);
        add(out, size, word);
    }
    snprintf(word, sizeof word, ", k %zu, %zu timesteps", set->k, set->timesteps);
    if (set->k) add(out, size, word);
    snprintf(word, sizeof word, ", lambda %s", set->lambda_spec);
    if (set->lambda_spec[0]) add(out, size, word);
    return OK;
}

enum status pick_describe_features(char *out, size_t size, struct store *s, const struct feature_set *set) {
    const struct feature_identity *f = &set->identity;
    char checkpoint[128];
    TRY(name_checkpoint(s, set->checkpoint, checkpoint, sizeof checkpoint));
    snprintf(out, size, "features of %s, loss %s, %s, k %zu, %zu timesteps, %s", split_name(f->split), f->loss, checkpoint, f->k,
             f->timesteps, set->projection);
    return OK;
}
