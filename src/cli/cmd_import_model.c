/* cmd_import_model.c - dtrak import-model DB DIR: a diffusers model as a checkpoint. */
#include "dtrak/cli.h"
#include "dtrak/pipeline.h"
#include "dtrak/schedule.h"
#include "dtrak/store.h"

#include <stdio.h>
#include <string.h>

static const struct option options[] = {
    { "step", 1, "N", "training step it is of (dtrak.json's, or that of checkpoint-N in the path, or 0)" },
    { "name", 1, "TEXT", "what its network is called; --checkpoint takes it" },
    { "patch", 1, "1|2", "the network sees 2x2 pixels as channels (dtrak.json's, or the project's)" },
    { "beta-schedule", 1, "KIND", "linear, scaled_linear, squaredcos_cap_v2, sigmoid: in place of the model's (linear)" },
    { "beta-start", 1, "B", "first beta, the same way (0.0001)" },
    { "beta-end", 1, "B", "last beta, the same way (0.02)" },
    { "train-timesteps", 1, "T", "timesteps in all, the same way (1000)" },
    { NULL, 0, NULL, NULL },
};

static enum status read_schedule(const struct args *a, struct schedule_change *c) {
    const char *kind = args_text(a, "beta-schedule", NULL);
    *c = (struct schedule_change)SCHEDULE_UNCHANGED;
    if (kind) c->kind = schedule_kind_parse(kind);
    if (kind && c->kind == SCHEDULE_KINDS)
        return fail(ERR_USAGE, "--beta-schedule '%s' is none of linear, scaled_linear, squaredcos_cap_v2, sigmoid", kind);
    TRY(args_real(a, "beta-start", 1e-12, 1 - 1e-12, &c->beta_start));
    TRY(args_real(a, "beta-end", 1e-12, 1 - 1e-12, &c->beta_end));
    return args_size(a, "train-timesteps", 1, SCHEDULE_T_MAX, &c->T);
}

/* The schedule in a word where the folder has none. */
static const char *schedule_from(const struct import_model_result *r, const struct schedule_change *c) {
    if (r->has_schedule) return "";
    return c->kind != SCHEDULE_KINDS || c->T || c->beta_start > 0 || c->beta_end > 0 ? " (no scheduler_config.json: what is not given is DDPM's)"
                                                                              : " (linear 0.0001 to 0.02: no scheduler_config.json)";
}

static enum status run_import_model(const struct args *a) {
    struct import_model_options o = { .dir = a->file[1], .name = args_text(a, "name", NULL), .has_step = args_has(a, "step") };
    struct import_model_result r;
    struct schedule_change schedule;
    struct store *s = NULL;
    TRY(args_size(a, "step", 0, (size_t)1000000000000, &o.step));
    TRY(args_size(a, "patch", 1, 2, &o.patch));
    TRY(read_schedule(a, &schedule));
    o.schedule = &schedule;
    TRY(cli_open(&s, a->file[0], 1));
    enum status st = pipeline_import_model(s, &o, &r);
    if (st == OK && r.there_already)
        printf("%s: these weights are here already, as checkpoint %zu (SHA-256 %.12s)\n", a->file[0], r.step, r.sha256);
    else if (st == OK)
        printf("%s: checkpoint %zu, %zu parameters as %s, %zu timesteps%s, SHA-256 %.12s\n", a->file[0], r.step, r.parameters,
               r.weights_type, r.T, schedule_from(&r, &schedule), r.sha256);
    return cli_close(s, st);
}

const struct command command_import_model = {
    "import-model", "DB DIR", "add a diffusers UNet2DModel as a checkpoint", options, 2, 2,
    "  dtrak import-model my.db ddpm-cifar10-32\n"
    "  dtrak import-model my.db saved/checkpoint-8000/unet --step 8000 --beta-schedule scaled_linear\n", run_import_model
};
