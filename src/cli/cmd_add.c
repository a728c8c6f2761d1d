/* cmd_add.c - dtrak add DB: what the user knows of the items beside their pictures. */
#include "dtrak/cli.h"
#include "dtrak/pipeline.h"
#include "dtrak/store.h"

#include <stdio.h>

static const struct option options[] = {
    { "embedding", 1, "FILE", "NumPy array of float16, float32 or float64, a row for each item of the split" },
    { "split", 1, "SPLIT", "train, val or gen: whose rows they are" },
    { "name", 1, "NAME", "what the embedding is called (clip)" },
    { NULL, 0, NULL, NULL },
};

static enum status run_add(const struct args *a) {
    struct store *s = NULL;
    struct embedding e;
    const char *file = args_text(a, "embedding", NULL), *word = args_text(a, "split", NULL);
    if (!file) return fail(ERR_USAGE, "what is to be added? --embedding FILE.npy");
    if (!word) return fail(ERR_USAGE, "--embedding needs --split train, val or gen");
    enum split split = split_parse(word);
    if (split == SPLIT_COUNT) return fail(ERR_USAGE, "--split '%s' is not a split; train, val and gen are", word);
    TRY(cli_open(&s, a->file[0], 1));
    enum status st = pipeline_embedding_add(s, file, split, args_text(a, "name", "clip"), &e);
    if (st == OK) printf("embedding %s of %s: %zu rows of %zu\n", e.name, split_name(e.split), e.rows, e.cols);
    return cli_close(s, st);
}

const struct command command_add = {
    "add", "DB", "add an embedding of the items, e.g. of CLIP, from a .npy file",
    options, 1, 1,
    "  dtrak add my.db --embedding train.npy --split train\n"
    "  dtrak add my.db --embedding gen.npy --split gen\n"
    "  dtrak score my.db --method embed-cos --split gen\n", run_add
};
