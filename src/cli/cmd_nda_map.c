/* cmd_nda_map.c - dtrak nda-map DB: where a training image explains a query, and with what part of it. */
#include "dtrak/cli.h"
#include "dtrak/json.h"
#include "dtrak/nda_map.h"
#include "dtrak/nda_picture.h"
#include "dtrak/store.h"

#include <stdio.h>

static const struct option options[] = {
    { "query", 1, "ITEM", "the item that is explained, as gen:17 or val:3" },
    { "item", 1, "ITEM", "the training item, as train:88" },
    { "out", 1, "FILE", "the PNG file to write: both images, and both with their maps" },
    { "force", 0, NULL, "replace FILE when it exists" },
    { "json", 0, NULL, "the maps as numbers, on the standard output" },
    { "patch", 1, "P", "side of a patch, in pixels (that of stored scores of nda, else 7)" },
    { "at", 1, "LIST", "timesteps (those of stored scores of nda, else 100,200,300,400,500)" },
    { "threads", 1, "N", "threads (all processors)" },
    { NULL, 0, NULL, NULL },
};

static enum status write_picture(const struct args *a, struct store *s, struct item_ref query, size_t item, const struct nda_map *m) {
    struct image im = { 0 };
    struct buf png = BUF_INIT;
    enum status st = report_sheet_nda(&im, s, query, item, m);
    if (st == OK) st = image_encode_png(&png, &im);
    if (st == OK) st = cli_out_write(a, args_text(a, "out", ""), png.data, png.len);
    image_free(&im);
    buf_free(&png);
    return st;
}

static void add_map(struct buf *b, const char *name, const double *map, const struct nda_map *m) {
    buf_printf(b, ",\n\"%s\":[", name);
    for (size_t y = 0; y < m->height_px; y++) {
        buf_text(b, y ? ",\n[" : "\n[");
        for (size_t x = 0; x < m->width_px; x++) {
            if (x) buf_text(b, ",");
            json_add_double(b, map[y * m->width_px + x]);
        }
        buf_text(b, "]");
    }
    buf_text(b, "]");
}

static enum status print_json(struct item_ref query, struct item_ref item, const struct nda_query *q, const struct nda_map *m) {
    struct buf b = BUF_INIT;
    char name[32];
    size_t T;
    const size_t *t = nda_query_timesteps(q, &T);
    item_ref_format(name, query);
    buf_printf(&b, "{\"query\":\"%s\",", name);
    item_ref_format(name, item);
    buf_printf(&b, "\"item\":\"%s\",\"patch\":%zu,\"at\":[", name, nda_query_patch(q));
    for (size_t i = 0; i < T; i++) buf_printf(&b, "%s%zu", i ? "," : "", t[i]);
    buf_text(&b, "],\"score\":");
    json_add_double(&b, m->score);
    buf_text(&b, ",\"share\":");
    json_add_double(&b, m->share);
    add_map(&b, "query_map", m->query_map, m);
    add_map(&b, "item_map", m->train_map, m);
    buf_text(&b, "}\n");
    enum status st = buf_status(&b);
    if (st == OK) fwrite(b.data, 1, b.len, stdout);
    buf_free(&b);
    return st;
}

static enum status run_nda_map(const struct args *a) {
    struct nda_map_options o = { 0 };
    struct item_ref query, item;
    struct store *s = NULL;
    struct pool *pool = NULL;
    struct nda_query *q = NULL;
    struct nda_map m = { 0 };
    struct console c;
    size_t threads = 0;
    enum status st;
    if (!args_has(a, "query") || !args_has(a, "item")) return fail(ERR_USAGE, "of what? add --query gen:0 --item train:0");
    if (!args_has(a, "out") && !args_has(a, "json")) return fail(ERR_USAGE, "where to? add --out FILE.png or --json");
    if (args_has(a, "force") && !args_has(a, "out")) return fail(ERR_USAGE, "--force belongs to --out");
    TRY(item_ref_parse(&query, args_text(a, "query", "")));
    TRY(item_ref_parse(&item, args_text(a, "item", "")));
    if (item.split != SPLIT_TRAIN) return fail(ERR_USAGE, "--item %s is not a training item", args_text(a, "item", ""));
    TRY(args_size(a, "patch", 1, 1000, &o.patch));
    o.at = args_text(a, "at", NULL);
    TRY(args_size(a, "threads", 1, 1024, &threads));
    if (args_has(a, "out")) TRY(cli_out_check(a, args_text(a, "out", ""), "png"));
    TRY(cli_open(&s, a->file[0], 0));
    console_start(&c);
    TRY_TO(pool_new(&pool, threads));
    TRY_TO(nda_query_new(&q, s, query, &o));
    TRY_TO(pipeline_nda_map(&m, q, s, item.index, pool, &c.progress));
    if (args_has(a, "out")) TRY_TO(write_picture(a, s, query, item.index, &m));
    if (args_has(a, "json")) st = print_json(query, item, q, &m);
    else printf("%s: %.3g%% of the query, patches of %zu\n", args_text(a, "out", ""), 100 * m.share, nda_query_patch(q));
done:
    console_end(&c);
    nda_map_free(&m);
    nda_query_free(q);
    pool_free(pool);
    return cli_close(s, st);
}

const struct command command_nda_map = {
    "nda-map", "DB", "where a training image explains a query, and with what part of it",
    options, 1, 1,
    "  dtrak nda-map my.db --query gen:17 --item train:88 --out map.png\n"
    "  dtrak nda-map my.db --query gen:17 --item train:88 --json > map.json\n", run_nda_map
};
