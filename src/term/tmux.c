/* tmux.c - asking tmux, and bytes past it. */
#include "tmux.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ASK "tmux display-message -p -t \"${TMUX_PANE:-}\" " \
            "'#{pane_left} #{pane_top} #{status} #{status-position} #{version} #{allow-passthrough}' 2>/dev/null"

void tmux_pane_parse(struct tmux_pane *p, const char *line) {
    char status[16] = "", position[16] = "", allow[16] = "";
    unsigned left = 0, top = 0;
    memset(p, 0, sizeof *p);
    int n = sscanf(line, "%u %u %15s %15s %23s %15s", &left, &top, status, position, p->version, allow);
    if (n < 5) return;
    p->is_known = 1;
    p->row = top;
    p->col = left;
    /* Lines of status: "on" is one, else their number. */
    if (strcmp(position, "top") == 0 && strcmp(status, "off") != 0)
        p->row += strcmp(status, "on") == 0 ? 1 : (size_t)strtoul(status, NULL, 10);
    /* The option came with 3.3; before that everything passed. */
    p->allows = n < 6 ? strtod(p->version, NULL) < 3.3 : strcmp(allow, "off") != 0 && strcmp(allow, "0") != 0;
}

void tmux_pane_find(struct tmux_pane *p) {
    char line[160] = "";
    memset(p, 0, sizeof *p);
    if (!getenv("TMUX")) return;
    FILE *f = popen(ASK, "r");
    if (!f) return;
    if (fgets(line, sizeof line, f)) tmux_pane_parse(p, line);
    pclose(f);
}

void tmux_wrap(struct buf *out, size_t from) {
    struct buf inner = BUF_INIT;
    if (out->failed || out->len == from) return;
    buf_add(&inner, out->data + from, out->len - from);
    if (inner.failed) { out->failed = 1; return; }
    out->len = from;
    buf_text(out, "\033Ptmux;");
    for (size_t i = 0; i < inner.len; i++) {
        if (inner.data[i] == '\033') buf_text(out, "\033");
        buf_add(out, inner.data + i, 1);
    }
    buf_text(out, "\033\\");
    buf_free(&inner);
}
