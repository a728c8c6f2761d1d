/* ends.c - a ranking of which only the ends are known, as some imports bring it: two lists
 * to read.  What needs every score (moving about, filters, comparison) is not there. */
#include "app.h"

#include "dtrak/mem.h"

#include <math.h>
#include <string.h>

enum { PLACES = 100, SIDE = 28 };   /* of either end; columns for a whole line and something of its label */

void ends_read(struct app *a, struct row *r) {
    for (int side = 0; side < 2; side++) {
        struct ranked *e = mem_array(PLACES, sizeof *e);
        size_t got = 0;
        if (!e || store_score_top(a->store, &r->set, a->query.index, side, PLACES, e, &got) != OK) got = 0;
        mem_free(r->end[side]);
        r->end[side] = e;
        r->ends[side] = got;
    }
}

static void draw_end(struct app *a, struct frame *f, struct area in, const struct row *r, int side, struct score_format s) {
    char id[32], label[80], text[24], scale[24] = "";
    size_t n = r->ends[side], fit = in.rows > 1 ? in.rows - 1 : 0, shown = n < fit ? n : fit;
    if (in.rows == 0) return;
    if (s.scale) snprintf(scale, sizeof scale, "  score x 1e%d", s.scale);
    frame_printf(f, in.row, in.col, in.cols, STYLE_BOLD, "%s 1-%zu of %zu stored%s", side ? "opponents" : "proponents", shown, n, scale);
    for (size_t i = 0; i < shown; i++) {
        const struct ranked *e = &r->end[side][i];
        struct item_ref ref = { SPLIT_TRAIN, e->item };
        item_ref_format(id, ref);
        facts_label(facts_of(a, ref), label, sizeof label);
        draw_score(text, s, e->score);
        frame_printf(f, in.row + 1 + i, in.col, in.cols, STYLE_NORMAL, "%3zu %8s %-11s %s", e->rank, text, id, label);
    }
}

void ends_draw(struct app *a, struct frame *f, struct area in, const struct row *r) {
    float largest = 0;
    for (int side = 0; side < 2; side++)
        for (size_t i = 0; i < r->ends[side]; i++) largest = fmaxf(largest, fabsf(r->end[side][i].score));
    size_t used = draw_paragraph(f, in.row, in.col, in.rows, in.cols, STYLE_WARN,
                                 "Only the ends of this ranking were imported.");
    if (used + 1 >= in.rows) return;
    struct area all = { in.row + used + 1, in.col, in.rows - used - 1, in.cols };
    struct score_format s = draw_score_format(largest);
    int both = r->ends[0] && r->ends[1], beside = all.cols / 2 > SIDE;
    struct area part = all;
    if (both && beside) part.cols = all.cols / 2 - 1;
    else if (both) part.rows = all.rows / 2;
    if (r->ends[0]) draw_end(a, f, part, r, 0, s);
    if (both && beside) part = (struct area){ all.row, all.col + all.cols / 2, all.rows, all.cols - all.cols / 2 };
    else if (both) part = (struct area){ all.row + part.rows, all.col, all.rows - part.rows, all.cols };
    if (r->ends[1]) draw_end(a, f, part, r, 1, s);
}
