/* page.c - rankings as one HTML page that can be sent to somebody without the database.
 *
 * The page stands alone: no script, no font, no address; its policy forbids all but the
 * pictures inside it.  Whatever comes from the database passes add_text(). */
#include "dtrak/rankings.h"

#include "dtrak/lambda.h"
#include "dtrak/mem.h"
#include "dtrak/method.h"
#include "dtrak/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { QUERY_PX = 512, TILE_PX = 256, NAV_PX = 96, SMALL_PX = 128 };   /* the longest side of pictures */

/* What is known of one score set; queries of a split and of a network have one. */
struct measure { int64_t id; int has; struct lds_row lds; double *per_query; };

struct page {
    struct buf *b;
    struct store *s;
    const struct report_rankings *r;
    struct project project;
    struct measure *measure;   /* one per score set, in the order of the page */
    size_t measures;
    size_t items[SPLIT_COUNT];
};

static const char style[] =
    ":root{color-scheme:light dark;--ink:#1b1f24;--dim:#5c6670;--paper:#fff;--line:#d8dee4;--for:#1a7f4b;--against:#b3352c}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6e9ec;--dim:#9aa4ae;--paper:#14171a;--line:#333a41;--for:#4cc38a;--against:#f0766c}}"
    "*{box-sizing:border-box}"
    "body{margin:0 auto;max-width:76rem;padding:1rem;font:16px/1.45 system-ui,sans-serif;color:var(--ink);background:var(--paper)}"
    "h1{font-size:1.5rem;margin:.2rem 0}h2{font-size:1.25rem;margin:0 0 .6rem}h3{font-size:1rem;margin:1rem 0 .5rem}"
    "p{max-width:46rem}a{color:inherit}small,.dim{color:var(--dim)}"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem .9rem;margin:.5rem 0}dt{color:var(--dim)}dd{margin:0;overflow-wrap:anywhere}"
    "img{max-width:100%;height:auto;display:block;border:1px solid var(--line)}.px{image-rendering:pixelated}"
    "nav{display:flex;flex-wrap:wrap;gap:.5rem;margin:1rem 0}nav a{width:4.5rem;font-size:.75rem;text-align:center}nav img{width:100%}"
    "section{border-top:2px solid var(--line);padding-top:1rem;margin-top:1.5rem}"
    ".query{display:flex;flex-wrap:wrap;gap:1rem;align-items:flex-start}.query img{width:14rem}.query dl{flex:1 1 14rem}"
    "ol{list-style:none;margin:0;padding:0;display:grid;grid-template-columns:repeat(auto-fill,minmax(7rem,1fr));gap:.8rem}"
    "li{min-width:0;font-size:.85rem;overflow-wrap:anywhere}li img{width:100%}"
    ".bar{position:relative;height:.5rem;margin:.25rem 0;background:linear-gradient(var(--dim),var(--dim)) 50% 0/1px 100% no-repeat}"
    ".bar i{position:absolute;top:0;bottom:0}.for{background:var(--for)}.against{background:var(--against)}"
    "b.for,b.against{background:none}b.for{color:var(--for)}b.against{color:var(--against)}"
    "footer{border-top:2px solid var(--line);margin-top:2rem;color:var(--dim);font-size:.85rem}"
    "@media print{section{break-inside:avoid-page}.bar,.bar i{print-color-adjust:exact}}";

/* Text from anywhere: control bytes and broken UTF-8 shown, and nothing that HTML reads. */
static void add_text(struct buf *b, const char *text) {
    size_t room = 4 * strlen(text) + 1;   /* no byte becomes more than four */
    char *safe = mem_array(room, 1);
    if (!safe) {
        b->failed = 1;
        return;
    }
    text_escape(safe, room, text);
    for (const char *p = safe; *p;) {
        size_t plain = strcspn(p, "&<>\"'");
        buf_add(b, p, plain);
        p += plain;
        if (*p) buf_printf(b, "&#%d;", *p++);
    }
    mem_free(safe);
}

static void add_fact(struct buf *b, const char *name, const char *value) {
    if (!*value) return;
    buf_printf(b, "<dt>%s</dt><dd>", name);
    add_text(b, value);
    buf_text(b, "</dd>\n");
}

/* --- pictures --- */

static enum status shrink(struct image *im, size_t most) {
    size_t side = im->width_px > im->height_px ? im->width_px : im->height_px;
    if (side <= most) return OK;
    struct image small = { 0 };
    size_t w = im->width_px * most / side, h = im->height_px * most / side;
    TRY(image_resize(&small, im, w ? w : 1, h ? h : 1, IMAGE_TRIANGLE));
    image_free(im);
    *im = small;
    return OK;
}

/* Encoded anew: the page shows pixels, and nothing else that a picture's file may carry. */
static enum status add_picture(struct page *g, struct item_ref ref, size_t most, const char *label) {
    enum status st;
    struct image im = { 0 };
    struct buf png = BUF_INIT;
    void *bytes = NULL;
    size_t len;
    char name[32];
    item_ref_format(name, ref);
    TRY_TO(store_image_read(g->s, ref, &bytes, &len));
    TRY_TO(image_decode(&im, bytes, len, 0, name));
    TRY_TO(shrink(&im, most));
    TRY_TO(image_encode_png(&png, &im));
    buf_printf(g->b, "<img%s width=\"%zu\" height=\"%zu\" alt=\"%s",
               im.width_px <= SMALL_PX && im.height_px <= SMALL_PX ? " class=\"px\"" : "", im.width_px, im.height_px, name);
    if (*label) buf_text(g->b, ", ");
    add_text(g->b, label);
    buf_text(g->b, "\" src=\"data:image/png;base64,");
    buf_base64(g->b, png.data, png.len);
    buf_text(g->b, "\">");
    st = buf_status(g->b);
    if (st == OK && g->b->len > PAGE_BYTES_MAX)
        st = fail(ERR_RANGE, "the page would be larger than %zu MB; ask for fewer queries or places (--query, --top)",
                  PAGE_BYTES_MAX >> 20);
done:
    mem_free(bytes);
    image_free(&im);
    buf_free(&png);
    return st;
}

/* --- a side of a ranking --- */

static void add_bar(struct buf *b, float score, float largest) {
    double part = largest > 0 ? 50 * fabs((double)score) / (double)largest : 0;
    buf_printf(b, "<div class=\"bar\"><i class=\"%s\" style=\"%s:50%%;width:%.1f%%\"></i></div>", score < 0 ? "against" : "for",
               score < 0 ? "right" : "left", part);
}

static enum status add_entry(struct page *g, const struct report_entry *e, float largest) {
    char name[32];
    item_ref_format(name, e->item);
    buf_text(g->b, "<li>");
    TRY(add_picture(g, e->item, TILE_PX, e->label));
    add_bar(g->b, e->score, largest);
    buf_printf(g->b, "%zu <b class=\"%s\">%+.4g</b><br>%s", e->rank, e->score < 0 ? "against" : "for", (double)e->score, name);
    if (e->label[0]) {
        buf_text(g->b, "<br><small>");
        add_text(g->b, e->label);
        buf_text(g->b, "</small>");
    }
    buf_text(g->b, "</li>\n");
    return OK;
}

static enum status add_side(struct page *g, const char *title, const struct report_entry *e, size_t n, float largest) {
    if (!n) return OK;
    buf_printf(g->b, "<h3>%s</h3>\n<ol>\n", title);
    for (size_t i = 0; i < n; i++) TRY(add_entry(g, &e[i], largest));
    buf_text(g->b, "</ol>\n");
    return OK;
}

static float largest_of(const struct report_ranking *r) {
    float most = 0;
    for (size_t i = 0; i < r->n_top; i++) most = fmaxf(most, fabsf(r->top[i].score));
    for (size_t i = 0; i < r->n_bottom; i++) most = fmaxf(most, fabsf(r->bottom[i].score));
    return most;
}

/* --- a query --- */

static const struct measure *measure_of(const struct page *g, const struct report_ranking *r) {
    size_t i = 0;
    while (g->measure[i].id != r->set.id) i++;
    return &g->measure[i];
}

static enum status add_query_facts(struct page *g, const struct report_ranking *r) {
    struct item_list items = { 0 };
    const struct measure *m = measure_of(g, r);
    char text[96];
    TRY(store_items_read(g->s, r->query.split, r->query.index, 1, &items));
    buf_text(g->b, "<dl>\n");
    if (items.count) {
        const struct item *x = &items.item[0];
        snprintf(text, sizeof text, "%d", x->label);
        add_fact(g->b, "label", x->label_name[0] ? x->label_name : x->label >= 0 ? text : "");
        add_fact(g->b, "caption", x->caption);
        add_fact(g->b, "source", x->original);
        if (x->split == SPLIT_GEN) {
            snprintf(text, sizeof text, "%llu", (unsigned long long)x->seed);
            add_fact(g->b, "seed", text);
            snprintf(text, sizeof text, "%.32s, %zu steps, eta %g", x->sampler, x->steps, x->eta);
            if (x->sampler[0]) add_fact(g->b, "sampler", text);
        }
    }
    /* Only where the measurement covers the whole split does a place name its query. */
    if (m->has && m->lds.queries == g->items[r->query.split] && isfinite(m->per_query[r->query.index])) {
        snprintf(text, sizeof text, "%.1f", 100 * m->per_query[r->query.index]);
        add_fact(g->b, "LDS of this query", text);
    }
    buf_text(g->b, "</dl>\n");
    item_list_free(&items);
    return OK;
}

static enum status add_query(struct page *g, const struct report_ranking *r) {
    char name[32];
    float largest = largest_of(r);
    item_ref_format(name, r->query);
    buf_printf(g->b, "<section id=\"%s-%zu\">\n<h2>%s", split_name(r->query.split), r->query.index, name);
    if (r->query_label[0]) {
        buf_text(g->b, " <small>");
        add_text(g->b, r->query_label);
        buf_text(g->b, "</small>");
    }
    buf_text(g->b, "</h2>\n<div class=\"query\">\n");
    TRY(add_picture(g, r->query, QUERY_PX, r->query_label));
    TRY(add_query_facts(g, r));
    buf_text(g->b, "</div>\n");
    TRY(add_side(g, "Proponents: the highest scores", r->top, r->n_top, largest));
    TRY(add_side(g, "Opponents: the lowest scores", r->bottom, r->n_bottom, largest));
    buf_text(g->b, "</section>\n");
    return OK;
}

/* --- the setting and the measurement of it --- */

static void add_lambda(struct buf *b, const struct score_set *set) {
    char value[LAMBDA_TEXT], text[160];
    if (!method_has_lambda(method_parse(set->method, NULL)) || !isfinite(set->lambda_rel)) return;
    lambda_format_value(value, set->lambda_rel);
    size_t n = (size_t)snprintf(text, sizeof text, "%s", value);
    lambda_format_value(value, set->lambda_abs);
    n += (size_t)snprintf(text + n, sizeof text - n, " (abs:%s%s)", value, strcmp(set->lambda_spec, "auto") ? "" : ", auto");
    if (isfinite(set->d_eff)) snprintf(text + n, sizeof text - n, ", effective dimension %.4g", set->d_eff);
    add_fact(b, "lambda", text);
    if (score_set_is_narrow(set)) add_fact(b, "warning", report_narrow);
}

static void add_lds(struct buf *b, const struct measure *m) {
    char text[200];
    if (!m->has) {
        add_fact(b, "LDS", "not measured: no networks were retrained to see whether these scores predict anything");
        return;
    }
    size_t n = (size_t)snprintf(text, sizeof text, "%.1f", 100 * m->lds.value);
    if (isfinite(m->lds.low))
        n += (size_t)snprintf(text + n, sizeof text - n, " (95 %%: %.1f to %.1f)", 100 * m->lds.low, 100 * m->lds.high);
    n += (size_t)snprintf(text + n, sizeof text - n, ", over %zu retrained networks and %zu queries", m->lds.subsets, m->lds.queries);
    if (isfinite(m->lds.ceiling)) snprintf(text + n, sizeof text - n, "; at best %.1f", 100 * m->lds.ceiling);
    add_fact(b, "LDS", text);
}

static void add_setting(struct page *g, const struct report_ranking *r) {
    const struct score_set *set = &r->set;
    char text[160], display[METHOD_DISPLAY];
    method_display(display, method_parse(set->method, NULL), loss_parse(set->loss));
    size_t queries = 0;
    for (size_t i = 0; i < g->r->count; i++) queries += g->r->one[i].set.id == set->id;
    buf_text(g->b, "<dl>\n");
    snprintf(text, sizeof text, "%zu %s %s", queries, r->query.split == SPLIT_GEN ? "generated" : "held-out",
             queries == 1 ? "image" : "images");
    add_fact(g->b, "of", text);
    if (set->loss[0]) snprintf(text, sizeof text, "%s (method %s, loss %s)", display, set->method, set->loss);
    else snprintf(text, sizeof text, "%s (method %s)", display, set->method);
    add_fact(g->b, "method", text);
    if (r->has_checkpoint) {
        snprintf(text, sizeof text, "%s (%.4g%% of the training)", r->checkpoint, r->percent);
        add_fact(g->b, "checkpoint", text);
    } else if (set->checkpoints > 1) {
        snprintf(text, sizeof text, "%zu of them together", set->checkpoints);
        add_fact(g->b, "checkpoints", text);
    }
    add_lambda(g->b, set);
    if (set->k) {
        snprintf(text, sizeof text, "k %zu, %zu timesteps", set->k, set->timesteps);
        add_fact(g->b, "features", text);
    }
    snprintf(text, sizeof text, "%zu training images", set->n);
    add_fact(g->b, "ranked", text);
    add_lds(g->b, measure_of(g, r));
    snprintf(text, sizeof text, "%s by dtrak %s", set->created, set->program);
    add_fact(g->b, "scores made", text);
    buf_text(g->b, "</dl>\n");
}

/* Once per score set. */
static void add_settings(struct page *g) {
    for (size_t m = 0, i = 0; m < g->measures; m++, i = 0) {
        while (g->r->one[i].set.id != g->measure[m].id) i++;
        add_setting(g, &g->r->one[i]);
    }
}

static enum status load_measures(struct page *g) {
    g->measure = mem_array(g->r->count, sizeof *g->measure);
    if (!g->measure) return fail(ERR_NOMEM, "page: out of memory");
    for (size_t i = 0, k = 0; i < g->r->count; i++, k = 0) {
        const struct report_ranking *r = &g->r->one[i];
        while (k < g->measures && g->measure[k].id != r->set.id) k++;
        if (k < g->measures) continue;
        struct measure *m = &g->measure[g->measures++];
        m->id = r->set.id;
        TRY(store_items_count(g->s, r->query.split, &g->items[r->query.split]));
        enum status st = store_lds_get(g->s, m->id, 0, &m->lds, &m->per_query);
        if (st != OK && st != ERR_MISSING) return st;
        m->has = st == OK;
    }
    return OK;
}

/* --- the page --- */

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void add_head(struct page *g) {
    const struct report_ranking *r = &g->r->one[0];
    char display[METHOD_DISPLAY], name[48];
    method_display(display, method_parse(r->set.method, NULL), loss_parse(r->set.loss));
    item_ref_format(name, r->query);
    if (g->r->count > 1) snprintf(name, sizeof name, "%zu queries", g->r->count);
    buf_text(g->b, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
                   "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
                   "<meta name=\"referrer\" content=\"no-referrer\">\n"
                   "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">\n");
    buf_printf(g->b, "<title>%s, %s, ", name, display);
    add_text(g->b, base_name(store_path(g->s)));
    buf_printf(g->b, "</title>\n<style>%s</style></head>\n<body>\n<header>\n<h1>Training images behind %s</h1>\n<p>", style, name);
    add_text(g->b, g->project.name);
    buf_text(g->b, "</p>\n");
    add_settings(g);
    buf_text(g->b, "<p class=\"dim\">A score says how much a training image is held to have made a query what it is: "
                   "<b class=\"for\">above zero</b> it supports it, <b class=\"against\">below</b> it opposes it. Bars are "
                   "drawn to the largest score of each query. LDS, from &#8722;100 to 100, says how well such scores predict what "
                   "happens when networks are retrained without some of the images; 0 is chance.</p>\n</header>\n");
}

static enum status add_nav(struct page *g) {
    if (g->r->count < 2) return OK;
    buf_text(g->b, "<nav>\n");
    for (size_t i = 0; i < g->r->count; i++) {
        char name[32];
        struct item_ref q = g->r->one[i].query;
        item_ref_format(name, q);
        buf_printf(g->b, "<a href=\"#%s-%zu\">", split_name(q.split), q.index);
        TRY(add_picture(g, q, NAV_PX, ""));
        buf_printf(g->b, "%s</a>\n", name);
    }
    buf_text(g->b, "</nav>\n");
    return OK;
}

static void add_foot(struct page *g) {
    char now[21];
    clock_iso(now);
    buf_text(g->b, "<footer>\n<p>From ");
    add_text(g->b, base_name(store_path(g->s)));
    buf_text(g->b, " (");
    add_text(g->b, g->project.origin);
    buf_printf(g->b, "), %s, dtrak %s.", now, DTRAK_VERSION);
    if (g->r->left_out) buf_printf(g->b, " %zu items without scores in this setting are left out.", g->r->left_out);
    buf_text(g->b, "</p>\n</footer>\n</body></html>\n");
}

enum status report_page_html(struct buf *b, struct store *s, const struct report_rankings *r, const struct progress *p) {
    enum status st;
    struct page g = { .b = b, .s = s, .r = r };
    if (!r->count) return fail(ERR_RANGE, "a page needs a query");
    TRY_TO(store_project_get(s, &g.project));
    TRY_TO(load_measures(&g));
    add_head(&g);
    TRY_TO(add_nav(&g));
    for (size_t i = 0; i < r->count; i++) {
        TRY_TO(progress_check(p));
        if (i) progress_report(p, (double)i, (double)r->count, "page", "");
        TRY_TO(add_query(&g, &r->one[i]));
    }
    add_foot(&g);
    st = buf_status(b);
done:
    for (size_t i = 0; i < g.measures; i++) mem_free(g.measure[i].per_query);
    mem_free(g.measure);
    return st;
}
