/* info.c - what a database holds, as text and as JSON. */
#include "dtrak/report.h"

#include "info_sets.h"
#include "parts.h"

#include "dtrak/json.h"
#include "dtrak/lambda.h"
#include "dtrak/mem.h"
#include "dtrak/store_error.h"
#include "dtrak/method.h"
#include "dtrak/scheduler.h"
#include "dtrak/store.h"
#include "dtrak/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Everything that both forms write, read once. */
struct facts {
    struct project project;
    size_t items[SPLIT_COUNT];
    struct label_list labels;
    struct checkpoint_list checkpoints;
    size_t *drawn;                /* images by each */
    struct feature_set_list features;
    struct score_set_list scores;
    struct stat_set_list stats;
    struct embedding_list embeddings;
    struct retrained_counts retrained;
    size_t error_sets;              /* score sets with error bars */
    struct job_list jobs;
    struct store_sizes sizes;
};

static void facts_free(struct facts *f) {
    label_list_free(&f->labels);
    checkpoint_list_free(&f->checkpoints);
    mem_free(f->drawn);
    feature_set_list_free(&f->features);
    score_set_list_free(&f->scores);
    stat_set_list_free(&f->stats);
    embedding_list_free(&f->embeddings);
    job_list_free(&f->jobs);
    mem_free(f);
}

static enum status facts_read(struct facts **out, struct store *s) {
    enum status st;
    struct facts *f = mem_array(1, sizeof *f);
    *out = NULL;
    if (!f) return fail(ERR_NOMEM, "info: out of memory");
    TRY_TO(store_project_get(s, &f->project));
    for (int i = 0; i < SPLIT_COUNT; i++) TRY_TO(store_items_count(s, (enum split)i, &f->items[i]));
    TRY_TO(store_labels_list(s, &f->labels));
    TRY_TO(store_checkpoints_list(s, &f->checkpoints));
    f->drawn = mem_array(f->checkpoints.count + 1, sizeof *f->drawn);
    if (!f->drawn) TRY_TO(fail(ERR_NOMEM, "info: out of memory"));
    for (size_t i = 0; i < f->checkpoints.count; i++) TRY_TO(store_items_drawn(s, f->checkpoints.checkpoint[i].id, &f->drawn[i]));
    TRY_TO(store_feature_sets_list(s, &f->features));
    TRY_TO(store_score_sets_list(s, &f->scores));
    TRY_TO(store_stats_list(s, &f->stats));
    TRY_TO(store_embeddings_list(s, &f->embeddings));
    TRY_TO(store_retrained_count(s, &f->retrained));
    TRY_TO(store_error_sets_count(s, &f->error_sets));
    TRY_TO(store_jobs_list(s, &f->jobs));
    TRY_TO(store_sizes(s, &f->sizes));
    *out = f;
    return OK;
done:
    facts_free(f);
    return st;
}

/* --- text --- */

static void add_safe(struct buf *b, const char *text) {
    char safe[2048];
    text_escape(safe, sizeof safe, text);
    buf_text(b, safe);
}

static void add_size(struct buf *b, const char *name, uint64_t bytes) {
    if (!bytes) return;
    if (bytes >= 10 << 20) buf_printf(b, "  %-12s %8.1f MB\n", name, (double)bytes / 1e6);
    else buf_printf(b, "  %-12s %8.1f kB\n", name, (double)bytes / 1e3);
}

static void add_project_text(struct buf *b, const struct facts *f) {
    const struct project *p = &f->project;
    buf_text(b, "project     ");
    add_safe(b, p->name);
    buf_printf(b, ", %zux%zu, %s", p->width, p->height, p->channels == 1 ? "grey" : "colour");
    if (p->patch > 1) buf_printf(b, ", patch %zu", p->patch);
    buf_text(b, "\nfrom        ");
    add_safe(b, p->origin);
    buf_text(b, "\nmade        ");
    add_safe(b, p->created);
    buf_text(b, " by dtrak ");
    add_safe(b, p->program);
    buf_text(b, "\nitems       ");
    for (int i = 0; i < SPLIT_COUNT; i++)
        buf_printf(b, "%s%s %zu", i ? ", " : "", split_name((enum split)i), f->items[i]);
    buf_text(b, "\n");
    for (size_t i = 0; i < f->labels.count; i++) {
        const struct label *l = &f->labels.label[i];
        buf_printf(b, "  label %-4d  ", l->label);
        add_safe(b, l->name);
        buf_printf(b, ": train %zu, val %zu, gen %zu\n", l->count[SPLIT_TRAIN], l->count[SPLIT_VAL],
                   l->count[SPLIT_GEN]);
    }
}

static void add_checkpoints_text(struct buf *b, const struct facts *f) {
    buf_printf(b, "\ncheckpoints %zu\n", f->checkpoints.count);
    for (size_t i = 0; i < f->checkpoints.count; i++) {
        const struct checkpoint *c = &f->checkpoints.checkpoint[i];
        buf_printf(b, "  step %-8zu %5.4g%%  ", c->step, c->percent);
        if (isfinite(c->train_loss)) buf_printf(b, "loss %.4f  ", c->train_loss);
        char raw[128], name[256], precision[16];
        checkpoint_config_words(raw, precision, c->config, c->half_weights);
        text_escape(name, sizeof name, raw);
        buf_printf(b, "%s%s  ", precision, c->ema ? " ema" : "");
        if (c->weights_bytes) buf_printf(b, "%.1f MB  ", (double)c->weights_bytes / 1e6);
        else buf_text(b, "dropped  ");
        buf_printf(b, "%.12s%s%s", c->sha256, *name ? "  " : "", name);
        if (f->drawn[i]) buf_printf(b, "  drew %zu", f->drawn[i]);
        buf_text(b, "\n");
    }
}

static void count_jobs(const struct facts *f, size_t count[JOB_STATE_COUNT]) {
    memset(count, 0, JOB_STATE_COUNT * sizeof *count);
    for (size_t i = 0; i < f->jobs.count; i++) count[f->jobs.job[i].state]++;
}

static void add_embeddings_text(struct buf *b, const struct facts *f) {
    char origin[256];
    if (f->embeddings.count) buf_text(b, "\nembeddings\n");
    for (size_t i = 0; i < f->embeddings.count; i++) {
        const struct embedding *e = &f->embeddings.embedding[i];
        text_escape(origin, sizeof origin, e->origin);
        buf_printf(b, "  %-10s %-5s %zu rows of %zu, from %s\n", e->name, split_name(e->split), e->rows, e->cols, origin);
    }
}

static void add_embeddings_json(struct buf *b, const struct facts *f) {
    buf_text(b, ",\"embeddings\":[");
    for (size_t i = 0; i < f->embeddings.count; i++) {
        const struct embedding *e = &f->embeddings.embedding[i];
        buf_text(b, i ? ",{\"name\":" : "{\"name\":");
        json_add_string(b, e->name);
        buf_printf(b, ",\"split\":\"%s\",\"rows\":%zu,\"columns\":%zu,\"origin\":", split_name(e->split), e->rows, e->cols);
        json_add_string(b, e->origin);
        buf_text(b, "}");
    }
    buf_text(b, "]");
}

static void add_retrained_text(struct buf *b, const struct facts *f) {
    const struct retrained_counts *r = &f->retrained;
    if (!(r->done + r->diverged + r->open)) return;
    buf_printf(b, "\nretrained   %zu networks", r->done - r->without_some);
    if (r->without_some) buf_printf(b, " on subsets, %zu without chosen items", r->without_some);
    if (r->diverged) buf_printf(b, ", %zu diverged", r->diverged);
    if (r->open) buf_printf(b, ", %zu unfinished", r->open);
    if (r->measured) buf_printf(b, "; LDS of %zu score sets", r->measured);
    if (r->counterfactuals) buf_printf(b, "; %zu counterfactual pictures", r->counterfactuals);
    buf_text(b, "\n");
}

enum status report_info_text(struct buf *b, struct store *s, int all) {
    struct facts *f;
    size_t jobs[JOB_STATE_COUNT], from = b->len;
    TRY(facts_read(&f, s));
    add_project_text(b, f);
    add_checkpoints_text(b, f);
    info_add_features(b, &f->features, &f->checkpoints, all);
    info_add_scores(b, &f->scores, &f->checkpoints, all);
    info_add_stats(b, &f->stats, &f->checkpoints, all);
    add_embeddings_text(b, f);
    if (f->error_sets) buf_printf(b, "\nerror bars  of %zu score set%s\n", f->error_sets, f->error_sets == 1 ? "" : "s");
    add_retrained_text(b, f);
    if (f->jobs.count) buf_printf(b, "\njobs        %zu:", f->jobs.count);
    count_jobs(f, jobs);
    for (int i = 0; i < JOB_STATE_COUNT; i++)
        if (jobs[i]) buf_printf(b, " %zu %s", jobs[i], job_state_name((enum job_state)i));
    buf_text(b, f->jobs.count ? "\n\nsizes\n" : "\nsizes\n");
    add_size(b, "images", f->sizes.images);
    add_size(b, "checkpoints", f->sizes.checkpoints);
    add_size(b, "train state", f->sizes.train_state);
    add_size(b, "features", f->sizes.features);
    add_size(b, "kernels", f->sizes.kernels);
    add_size(b, "eigenbases", f->sizes.bases);
    add_size(b, "scores", f->sizes.scores);
    add_size(b, "other", f->sizes.other);
    add_size(b, "file", f->sizes.file);
    report_trim_lines(b, from);
    facts_free(f);
    return buf_status(b);
}

/* --- JSON --- */

static void add_field(struct buf *b, const char *key, const char *text) {
    buf_printf(b, "\"%s\":", key);
    json_add_string(b, text);
}

static void add_checkpoints_json(struct buf *b, const struct facts *f) {
    buf_text(b, ",\"checkpoints\":[");
    for (size_t i = 0; i < f->checkpoints.count; i++) {
        const struct checkpoint *c = &f->checkpoints.checkpoint[i];
        buf_printf(b, "%s{\"step\":%zu,\"percent\":", i ? "," : "", c->step);
        json_add_double(b, c->percent);
        buf_text(b, ",\"epoch\":");
        json_add_double(b, c->epoch);
        buf_text(b, ",\"train_loss\":");
        json_add_double(b, c->train_loss);
        char name[128], precision[16];
        checkpoint_config_words(name, precision, c->config, c->half_weights);
        buf_printf(b, ",\"ema\":%s,\"weights\":\"%s\",\"bytes\":%zu,", c->ema ? "true" : "false", precision,
                   c->weights_bytes);
        buf_printf(b, "\"drew\":%zu,", f->drawn[i]);
        if (*name) {
            add_field(b, "name", name);
            buf_text(b, ",");
        }
        add_field(b, "sha256", c->sha256);
        buf_text(b, "}");
    }
    buf_text(b, "]");
}

/* The words of one column, each once, in the order of first appearance. */
struct words { const char *word[64]; size_t count; };
static void words_add(struct words *w, const char *word) {
    if (!word[0] || w->count == 64) return;
    for (size_t i = 0; i < w->count; i++)
        if (!strcmp(w->word[i], word)) return;
    w->word[w->count++] = word;
}

static void add_words_json(struct buf *b, const char *key, const struct words *w) {
    buf_printf(b, ",\"%s\":[", key);
    for (size_t i = 0; i < w->count; i++) {
        if (i) buf_text(b, ",");
        json_add_string(b, w->word[i]);
    }
    buf_text(b, "]");
}

/* Of one checkpoint; null where that is not there any more, or id is 0. */
static void add_checkpoint_json(struct buf *b, const struct facts *f, int64_t id) {
    const struct checkpoint *c = NULL;
    char network[64];
    for (size_t i = 0; i < f->checkpoints.count; i++)
        if (f->checkpoints.checkpoint[i].id == id) c = &f->checkpoints.checkpoint[i];
    if (!c) {
        buf_text(b, ",\"checkpoint\":null");
        return;
    }
    buf_printf(b, ",\"checkpoint\":%zu", c->step);
    checkpoint_network(network, c);
    if (!network[0]) return;
    buf_text(b, ",");
    add_field(b, "network", network);
}

static void add_features_json(struct buf *b, const struct facts *f) {
    buf_text(b, ",\"features\":[");
    for (size_t i = 0; i < f->features.count; i++) {
        const struct feature_set *s = &f->features.set[i];
        const struct feature_identity *id = &s->identity;
        buf_text(b, i ? ",{" : "{");
        add_field(b, "loss", id->loss);
        buf_printf(b, ",\"split\":\"%s\"", split_name(id->split));
        add_checkpoint_json(b, f, s->checkpoint);
        buf_printf(b, ",\"timesteps\":%zu,\"k\":%zu,", id->timesteps, id->k);
        add_field(b, "rule", id->rule);
        buf_printf(b, ",\"draws\":%zu,\"parts\":%zu,", id->draws, id->parts);
        add_field(b, "projection", s->projection);
        buf_printf(b, ",\"rows\":%zu,\"expected\":%zu,\"files\":%zu,\"dropped\":%s}", s->rows_done, s->rows, s->files,
                   s->dropped ? "true" : "false");
    }
    buf_text(b, "]");
}

static void add_scores_json(struct buf *b, const struct facts *f) {
    buf_text(b, ",\"scores\":[");
    for (size_t i = 0; i < f->scores.count; i++) {
        const struct score_set *s = &f->scores.set[i];
        buf_text(b, i ? ",{" : "{");
        add_field(b, "method", s->method);
        buf_text(b, ",");
        add_field(b, "loss", s->loss);
        buf_printf(b, ",\"split\":\"%s\",\"checkpoints\":%zu", split_name(s->split), s->checkpoints);
        add_checkpoint_json(b, f, s->checkpoints == 1 ? s->checkpoint[0] : 0);
        buf_printf(b, ",\"timesteps\":%zu,\"k\":%zu,\"rows\":%zu,\"expected\":%zu,\"lambda_spec\":", s->timesteps, s->k, s->rows_done,
                   s->rows);
        json_add_string(b, s->lambda_spec);
        buf_text(b, ",\"lambda\":");
        json_add_double(b, s->lambda_rel);
        report_ridge_json(b, s);
        buf_text(b, "}");
    }
    buf_text(b, "]");
}

static void add_rest_json(struct buf *b, const struct facts *f) {
    const struct project *p = &f->project;
    size_t jobs[JOB_STATE_COUNT];
    count_jobs(f, jobs);
    buf_printf(b, ",\"score_sets\":%zu,\"feature_sets\":%zu,\"jobs\":{", f->scores.count, f->features.count);
    for (int i = 0; i < JOB_STATE_COUNT; i++)
        buf_printf(b, "%s\"%s\":%zu", i ? "," : "", job_state_name((enum job_state)i), jobs[i]);
    const struct store_sizes *z = &f->sizes;
    buf_printf(b, "},\"sizes\":{\"images\":%llu,\"checkpoints\":%llu,\"train_state\":%llu,\"features\":%llu,"
               "\"kernels\":%llu,\"bases\":%llu,\"scores\":%llu,\"other\":%llu,\"file\":%llu},\"project\":{",
               (unsigned long long)z->images, (unsigned long long)z->checkpoints,
               (unsigned long long)z->train_state, (unsigned long long)z->features,
               (unsigned long long)z->kernels, (unsigned long long)z->bases, (unsigned long long)z->scores, (unsigned long long)z->other,
               (unsigned long long)z->file);
    add_field(b, "name", p->name);
    buf_printf(b, ",\"width\":%zu,\"height\":%zu,\"channels\":%zu,\"patch\":%zu,", p->width, p->height,
               p->channels, p->patch);
    add_field(b, "origin", p->origin);
    buf_text(b, ",");
    add_field(b, "command", p->command);
    buf_text(b, "},\"labels\":[");
    for (size_t i = 0; i < f->labels.count; i++) {
        const struct label *l = &f->labels.label[i];
        buf_printf(b, "%s{\"label\":%d,", i ? "," : "", l->label);
        add_field(b, "name", l->name);
        buf_printf(b, ",\"train\":%zu,\"val\":%zu,\"gen\":%zu}", l->count[SPLIT_TRAIN], l->count[SPLIT_VAL],
                   l->count[SPLIT_GEN]);
    }
    buf_text(b, "]}\n");
}

enum status report_info_json(struct buf *b, struct store *s) {
    struct facts *f;
    struct words losses = { .count = 0 }, methods = { .count = 0 };
    TRY(facts_read(&f, s));
    buf_text(b, "{\"splits\":{");
    for (int i = 0; i < SPLIT_COUNT; i++)
        buf_printf(b, "%s\"%s\":%zu", i ? "," : "", split_name((enum split)i), f->items[i]);
    buf_text(b, "}");
    add_checkpoints_json(b, f);
    for (size_t i = 0; i < f->scores.count; i++) {
        words_add(&losses, f->scores.set[i].loss);
        words_add(&methods, f->scores.set[i].method);
    }
    for (size_t i = 0; i < f->features.count; i++) words_add(&losses, f->features.set[i].identity.loss);
    add_words_json(b, "losses", &losses);
    add_words_json(b, "methods", &methods);
    add_scores_json(b, f);
    add_features_json(b, f);
    add_embeddings_json(b, f);
    buf_printf(b, ",\"retrained\":{\"done\":%zu,\"diverged\":%zu,\"open\":%zu,\"measured\":%zu,\"counterfactuals\":%zu}",
               f->retrained.done, f->retrained.diverged, f->retrained.open, f->retrained.measured, f->retrained.counterfactuals);
    buf_printf(b, ",\"error_bars\":%zu", f->error_sets);
    add_rest_json(b, f);
    facts_free(f);
    return buf_status(b);
}
