/* cmd_export_model.c - dtrak export-model DB DIR: a checkpoint as a diffusers folder. */
#include "dtrak/cli.h"
#include "dtrak/pipeline.h"
#include "dtrak/store.h"

static const struct option options[] = {
    { "checkpoint", 1, "C", "a step, a percentage, last, or a network's name (last)" },
    { "pipeline", 0, NULL, "a pipeline: unet/, scheduler/ and model_index.json" },
    { "force", 0, NULL, "replace an earlier export, as its dtrak.json says; any other folder stays" },
    { NULL, 0, NULL, NULL },
};

static enum status run_export_model(const struct args *a) {
    struct export_model_options o = { .dir = a->file[1], .checkpoint = args_text(a, "checkpoint", NULL),
                                      .pipeline = args_has(a, "pipeline"), .force = args_has(a, "force") };
    struct store *s = NULL;
    TRY(cli_open(&s, a->file[0], 0));
    return cli_close(s, pipeline_export_model(s, &o));
}

const struct command command_export_model = {
    "export-model", "DB DIR", "write a checkpoint as a folder that diffusers loads", options, 2, 2,
    "  dtrak export-model my.db my-model\n"
    "  dtrak export-model my.db my-pipeline --checkpoint 50% --pipeline\n", run_export_model
};
