/* cmd_add.c - dtrak add DB: pictures to explain, and what the user knows of the items beside them. */
#include "dtrak/cli.h"
#include "dtrak/add.h"
#include "dtrak/pipeline.h"
#include "dtrak/store.h"

#include <stdio.h>
#include <string.h>

static const struct option options[] = {
    { "split", 1, "SPLIT", "of pictures val or gen; of an embedding train, val or gen: whose rows they are" },
    { "fit", 1, "HOW", "crop: the middle of the longer side; pad: black around (crop)" },
    { "filter", 1, "F", "of resizing: nearest, box, triangle, catmull-rom or mitchell (catmull-rom)" },
    { "labels", 1, "FILE", "a label per line, name or else number, for each picture in order; empty: none" },
    { "captions", 1, "FILE", "a caption per line for each picture" },
    { "seed", 1, "S", "gen: the first was made with this seed, the next with S+1, ..." },
    { "doubles", 0, NULL, "also pictures that are items of the split already" },
    { "embedding", 1, "FILE", "NumPy array of float16, float32 or float64, a row for each item of the split" },
    { "name", 1, "NAME", "what the embedding is called (clip)" },
    { NULL, 0, NULL, NULL },
};

static enum status add_embedding(const struct args *a, struct store *s, enum split split) {
    struct embedding e;
    TRY(pipeline_embedding_add(s, args_text(a, "embedding", ""), split, args_text(a, "name", "clip"), &e));
    printf("embedding %s of %s: %zu rows of %zu\n", e.name, split_name(e.split), e.rows, e.cols);
    return OK;
}

static enum status read_pictures(const struct args *a, struct add_options *o) {
    const char *fit = args_text(a, "fit", "crop"), *filter = args_text(a, "filter", NULL);
    o->path = a->file + 1;
    o->paths = a->n_files - 1;
    if (!strcmp(fit, "crop")) o->fit = ADD_CROP;
    else if (!strcmp(fit, "pad")) o->fit = ADD_PAD;
    else return fail(ERR_USAGE, "--fit '%s' is neither crop nor pad", fit);
    if (filter) o->filter = image_filter_parse(filter);
    if (o->filter == IMAGE_FILTER_COUNT)
        return fail(ERR_USAGE, "--filter '%s' is none of nearest, box, triangle, catmull-rom, mitchell", filter);
    o->labels = args_text(a, "labels", NULL);
    o->captions = args_text(a, "captions", NULL);
    o->has_seed = args_has(a, "seed");
    o->doubles = args_has(a, "doubles");
    o->say = cli_say;
    o->say_ctx = stderr;
    return args_u64(a, "seed", &o->seed);
}

static void print_added(const struct add_options *o, const struct add_result *r) {
    if (!r->added) printf("nothing added");
    else if (r->added == 1) printf("%s:%zu added", split_name(o->split), r->first);
    else printf("%zu pictures added, %s:%zu to %s:%zu", r->added, split_name(o->split), r->first, split_name(o->split), r->first + r->added - 1);
    if (r->resized)
        printf("; %zu resized by %s, %s", r->resized, image_filter_name(o->filter), o->fit == ADD_CROP ? "centre crop" : "padded with black");
    if (r->converted) printf("; %zu changed between colour and grey", r->converted);
    if (r->doubles) printf("; %zu left out, which %s here already", r->doubles, r->doubles == 1 ? "is" : "are");
    printf("\n");
}

static enum status run_add(const struct args *a) {
    static const char *const of_pictures[] = { "fit", "filter", "labels", "captions", "seed", "doubles" };
    struct store *s = NULL;
    struct console c;
    struct add_options o = ADD_DEFAULTS;
    struct add_result r;
    const char *word = args_text(a, "split", NULL);
    int embedding = args_has(a, "embedding");
    if (!embedding && a->n_files < 2) return fail(ERR_USAGE, "what is to be added? pictures, or --embedding FILE.npy");
    if (embedding && a->n_files > 1) return fail(ERR_USAGE, "--embedding and pictures, one at a time: '%s'", a->file[1]);
    for (size_t i = 0; embedding && i < sizeof of_pictures / sizeof *of_pictures; i++)
        if (args_has(a, of_pictures[i])) return fail(ERR_USAGE, "--%s is for pictures", of_pictures[i]);
    if (!embedding && args_has(a, "name")) return fail(ERR_USAGE, "--name is for --embedding");
    if (!word) return fail(ERR_USAGE, embedding ? "--embedding needs --split train, val or gen" : "pictures need --split val or gen");
    o.split = split_parse(word);
    if (o.split == SPLIT_COUNT) return fail(ERR_USAGE, "--split '%s' is not a split; train, val and gen are", word);
    TRY(read_pictures(a, &o));
    TRY(cli_open(&s, a->file[0], 1));
    if (embedding) return cli_close(s, add_embedding(a, s, o.split));
    console_start(&c);
    enum status st = pipeline_add(s, &o, &c.progress, &r);
    console_end(&c);
    if (st == OK) print_added(&o, &r);
    return cli_close(s, st);
}

const struct command command_add = {
    "add", "DB [FILE...]", "add pictures to explain, or an embedding of the items",
    options, 1, ARGS_FILES_MANY,
    "  dtrak add my.db --split gen samples/*.png --seed 100\n"
    "  dtrak features my.db && dtrak score my.db\n"
    "  dtrak add my.db --split val photo.jpg --fit pad\n"
    "  dtrak add my.db --embedding train.npy --split train\n"
    "  dtrak add my.db --embedding gen.npy --split gen\n"
    "  dtrak score my.db --method embed-cos --split gen\n", run_add
};
