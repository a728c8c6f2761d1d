/* cmd_train.c - dtrak train DB: a diffusion model on the training items. */
#include "dtrak/cli.h"
#include "dtrak/cost.h"
#include "dtrak/pipeline.h"
#include "dtrak/store.h"

#include <stdio.h>
#include <string.h>

static const struct option options[] = {
    { "width", 1, "A,B,...", "channels of each level (32,64,64)" },
    { "layers", 1, "N", "residual blocks per level (1)" },
    { "attention", 1, "LEVELS", "levels with attention, from 0: \"2\", \"1,2\", \"middle\", \"none\" (middle)" },
    { "patch", 1, "1|2", "pixels rearranged before the network (as the data set was made)" },
    { "steps", 1, "N", "training steps; or" },
    { "epochs", 1, "N", "passes over the training items (100)" },
    { "batch", 1, "N", "images in a step (64)" },
    { "lr", 1, "R", "highest learning rate (1e-3)" },
    { "weight-decay", 1, "W", "of AdamW (1e-6)" },
    { "clip", 1, "C", "largest norm of a gradient (1)" },
    { "warmup", 1, "F", "share of the steps in which the rate rises (0.1)" },
    { "ema", 0, "[=DECAY]", "keep a moving average of the weights (0.999)" },
    { "flip", 0, NULL, "show half of the images mirrored" },
    { "seed", 1, "S", "of weights, order and noise (0)" },
    { "checkpoints", 1, "P,Q,...", "percent of the steps at which weights are kept (10,25,50,100)" },
    { "float32", 0, NULL, "keep checkpoints as float32 instead of float16" },
    { "save-every", 1, "S", "seconds between saves of the state to resume from (120)" },
    { "memory", 1, "SIZE", "at most, as in 800M or 4G (half of the machine's)" },
    { "dry-run", 0, NULL, "say what it will cost and stop" },
    { "threads", 1, "N", "threads (all processors)" },
    { NULL, 0, NULL, NULL },
};

static enum status read_width(const char *list, struct train_options *o) {
    char word[32];
    o->levels = 0;
    while (args_next_word(&list, word, sizeof word)) {
        if (o->levels == 8) return fail(ERR_USAGE, "--width takes at most 8 levels");
        TRY(args_parse_size(word, "--width", 1, 4096, &o->width[o->levels++]));
    }
    return o->levels ? OK : fail(ERR_USAGE, "--width needs at least one level, as in 32,64,64");
}

static enum status read_attention(const char *list, struct train_options *o) {
    char word[32];
    size_t level;
    o->attention = 0;
    if (!strcmp(list, "middle")) return OK;
    if (!strcmp(list, "none")) {
        o->attention = 1u << 31;
        return OK;
    }
    while (args_next_word(&list, word, sizeof word)) {
        TRY(args_parse_size(word, "--attention", 0, o->levels - 1, &level));
        o->attention |= 1u << level;
    }
    return o->attention ? OK : fail(ERR_USAGE, "--attention needs levels, \"middle\" or \"none\"");
}

static enum status read_checkpoints(const char *list, struct train_options *o) {
    char word[32];
    size_t percent, last = 0, n = 0;
    while (args_next_word(&list, word, sizeof word)) {
        if (n == 16) return fail(ERR_USAGE, "--checkpoints takes at most 16 marks");
        word[strcspn(word, "%")] = 0;
        TRY(args_parse_size(word, "--checkpoints", last + 1, 100, &percent));
        o->checkpoints[n++] = (double)percent / 100;
        last = percent;
    }
    if (last != 100) return fail(ERR_USAGE, "--checkpoints must rise and end with 100, as in 10,25,50,100");
    o->n_checkpoints = n;
    return OK;
}

static enum status read_options(const struct args *a, struct train_options *o) {
    if (args_has(a, "width")) TRY(read_width(args_text(a, "width", ""), o));
    if (args_has(a, "attention")) TRY(read_attention(args_text(a, "attention", ""), o));
    if (args_has(a, "checkpoints")) TRY(read_checkpoints(args_text(a, "checkpoints", ""), o));
    if (args_has(a, "steps") && args_has(a, "epochs"))
        return fail(ERR_USAGE, "--steps and --epochs say the same thing twice");
    TRY(args_size(a, "layers", 1, 16, &o->layers));
    TRY(args_size(a, "patch", 1, 2, &o->patch));
    TRY(args_size(a, "steps", 1, 1000000000, &o->steps));
    TRY(args_real(a, "epochs", 1e-6, 1e9, &o->epochs));
    TRY(args_size(a, "batch", 1, 65536, &o->batch));
    TRY(args_real(a, "lr", 1e-12, 10, &o->lr));
    TRY(args_real(a, "weight-decay", 0, 10, &o->weight_decay));
    TRY(args_real(a, "clip", 0, 1e9, &o->clip));
    TRY(args_real(a, "warmup", 0, 1, &o->warmup_fraction));
    if (args_has(a, "ema")) o->ema = .999;
    TRY(args_real(a, "ema", 0, .9999999, &o->ema));
    o->flip = args_has(a, "flip");
    TRY(args_u64(a, "seed", &o->seed));
    if (args_has(a, "float32")) o->half_weights = 0;
    TRY(args_real(a, "save-every", 0, 300, &o->save_every_s));
    TRY(cli_memory(a, &o->memory));
    return args_size(a, "threads", 1, 1024, &o->threads);
}

static enum status run_train(const struct args *a) {
    struct train_options o = TRAIN_DEFAULTS;
    struct store *s = NULL;
    struct console c;
    struct cost_sink cost;
    TRY(read_options(a, &o));
    cli_cost(&cost, a);
    o.cost = &cost;
    TRY(cli_open(&s, a->file[0], 1));
    console_start(&c);
    enum status st = pipeline_train(s, &o, &c.progress);
    console_end(&c);
    return cli_close(s, st);
}

const struct command command_train = {
    "train", "DB", "train a diffusion model on the training items; continues where it stopped",
    options, 1, 1,
    "  dtrak train my.db --width 32,64,64 --epochs 300 --lr 2e-3 --ema\n"
    "  dtrak train my.db --steps 20000 --dry-run\n", run_train
};
