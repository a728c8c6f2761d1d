/* open.c - what several commands do first and last. */
#include "dtrak/cli.h"

#include "dtrak/store.h"

#include <string.h>

enum status cli_open(struct store **out, const char *path, int writable) {
    return store_open(out, path, writable ? STORE_WRITE : STORE_READ);
}

enum status cli_close(struct store *s, enum status st) {
    store_close(s);
    return st;
}

enum status cli_splits(const struct args *a, unsigned *bits) {
    const char *list = args_text(a, "split", NULL);
    char word[32];
    if (!list) return OK;
    *bits = 0;
    while (args_next_word(&list, word, sizeof word)) {
        enum split split = split_parse(word);
        if (split == SPLIT_COUNT) return fail(ERR_USAGE, "--split '%s' is none of train, val, gen", word);
        *bits |= 1u << split;
    }
    return *bits ? OK : fail(ERR_USAGE, "--split needs train, val or gen");
}
