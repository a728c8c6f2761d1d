/* json.c - reads JSON on stdin, strictly, and prints one value of it.
 *
 *   json PATH     "splits.train", "proponents.0.item"; "checkpoints.#" is a length
 * Exit status 1 when it is no JSON or the value is not there. */
#include "dtrak/json.h"

#include "dtrak/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct json *walk(const struct json *v, char *path, int *want_len) {
    for (char *word = strtok(path, "."); word && v; word = strtok(NULL, ".")) {
        if (!strcmp(word, "#")) {
            *want_len = 1;
            return v;
        }
        v = json_type(v) == JSON_ARRAY ? json_at(v, (size_t)strtoul(word, NULL, 10)) : json_get(v, word);
    }
    return v;
}

int main(int argc, char **argv) {
    struct buf b = BUF_INIT;
    struct json_doc *doc;
    char block[4096];
    size_t got;
    int want_len = 0;
    if (argc != 2) return 2;
    while ((got = fread(block, 1, sizeof block, stdin)) > 0) buf_add(&b, block, got);
    if (json_parse(&doc, b.data ? b.data : "", b.len, "stdin") != OK) {
        fprintf(stderr, "json: %s\n", fail_reason());
        return 1;
    }
    const struct json *v = walk(json_root(doc), argv[1], &want_len);
    if (!v) {
        fprintf(stderr, "json: no %s\n", argv[1]);
        return 1;
    }
    if (want_len) printf("%zu\n", json_len(v));
    else if (json_type(v) == JSON_STRING) printf("%s\n", json_string(v, ""));
    else if (json_is_int(v)) printf("%lld\n", (long long)json_int(v, 0));
    else if (json_type(v) == JSON_NUMBER) printf("%.9g\n", json_number(v, 0));
    else if (json_type(v) == JSON_NULL) printf("null\n");
    else printf("%s\n", json_type(v) == JSON_TRUE ? "true" : json_type(v) == JSON_FALSE ? "false" : "[...]");
    json_free(doc);
    buf_free(&b);
    return 0;
}
