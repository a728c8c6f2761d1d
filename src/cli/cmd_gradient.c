/* cmd_gradient.c - dtrak gradient DB: one item's gradients as a safetensors file. */
#include "dtrak/cli.h"
#include "dtrak/mem.h"
#include "dtrak/pipeline.h"
#include "dtrak/store.h"

static const struct option options[] = {
    { "item", 1, "ITEM", "of which, as train:5" },
    { "timesteps", 1, "LIST", "of which the mean is taken, as 100,500" },
    { "out", 1, "FILE", "the safetensors file to write" },
    { "force", 0, NULL, "replace it when it exists" },
    { "loss", 1, "LIST", "simple elbo square avg l1 l2 linf, or all (simple)" },
    { "checkpoint", 1, "C", "a step, a percentage, last, or a network's name (last)" },
    { "noise", 1, "FILE", "a .npy array of timesteps x C x H x W as the network sees them" },
    { "noise-seed", 1, "S", "of the noise, without --noise (0)" },
    { "draw", 1, "D", "which noise draw, without --noise (0)" },
    { NULL, 0, NULL, NULL },
};

static enum status read_timesteps(const char *list, size_t **out, size_t *count) {
    char word[32];
    size_t n = 1;
    for (const char *c = list; *c; c++) n += *c == ',';
    *count = 0;
    *out = mem_array(n, sizeof **out);
    if (!*out) return fail(ERR_NOMEM, "timesteps: out of memory");
    while (args_next_word(&list, word, sizeof word))
        TRY(args_parse_size(word, "--timesteps", 0, 99999, &(*out)[(*count)++]));
    return *count ? OK : fail(ERR_USAGE, "--timesteps needs at least one, as in 100,500");
}

static enum status run_options(const struct args *a, struct gradient_options *o) {
    struct store *s = NULL;
    struct console c;
    struct item_ref item;
    TRY(args_losses(a, &o->losses));
    o->item = args_text(a, "item", NULL);
    if (!o->item) return fail(ERR_USAGE, "--item is needed, as in --item train:5");
    TRY(item_ref_parse(&item, o->item));
    o->checkpoint = args_text(a, "checkpoint", NULL);
    o->noise_path = args_text(a, "noise", NULL);
    if (o->noise_path && (args_has(a, "noise-seed") || args_has(a, "draw")))
        return fail(ERR_USAGE, "--noise gives the noise itself: --noise-seed and --draw have no part in it");
    TRY(args_u64(a, "noise-seed", &o->noise_seed));
    TRY(args_size(a, "draw", 0, 999, &o->draw));
    const char *out = args_text(a, "out", NULL);
    if (!out) return fail(ERR_USAGE, "--out is needed: the safetensors file to write");
    o->replace = args_has(a, "force");
    TRY(cli_out_check(a, out, "safetensors"));
    TRY(cli_open(&s, a->file[0], 0));
    console_start(&c);
    enum status st = pipeline_gradient(s, o, out, &c.progress);
    console_end(&c);
    return cli_close(s, st);
}

static enum status run_gradient(const struct args *a) {
    struct gradient_options o = GRADIENT_DEFAULTS;
    size_t *timesteps = NULL;
    const char *list = args_text(a, "timesteps", NULL);
    if (!list) return fail(ERR_USAGE, "--timesteps is needed, as in --timesteps 100,500");
    enum status st = read_timesteps(list, &timesteps, &o.n_timesteps);
    o.timesteps = timesteps;
    if (st == OK) st = run_options(a, &o);
    mem_free(timesteps);
    return st;
}

const struct command command_gradient = {
    "gradient", "DB", "one item's gradients and the network's output, to check from outside",
    options, 1, 1,
    "  dtrak gradient my.db --item train:5 --loss square --timesteps 100,500 --out g.safetensors\n", run_gradient
};
