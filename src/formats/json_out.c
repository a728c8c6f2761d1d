/* Writing JSON piece by piece into a buf; see json.h. */
#include "dtrak/json.h"

#include "dtrak/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

void json_add_string(struct buf *b, const char *s) {
    buf_text(b, "\"");
    while (*s) {
        uint32_t cp;
        char utf8[4];
        size_t n = text_decode(s, &cp);
        if (n == 0) break;
        if (cp == '"' || cp == '\\') buf_printf(b, "\\%c", (char)cp);
        else if (cp == '\n') buf_text(b, "\\n");
        else if (cp == '\t') buf_text(b, "\\t");
        /* Also DEL and C1: a terminal that shows the text must not obey it. */
        else if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0)) buf_printf(b, "\\u%04x", (unsigned)cp);
        else buf_add(b, utf8, text_encode(utf8, cp));
        s += n;
    }
    buf_text(b, "\"");
}

static void add_number(struct buf *b, double x, int digits) {
    char text[40];
    if (!isfinite(x)) { buf_text(b, "null"); return; }
    int n = snprintf(text, sizeof text, "%.*g", digits, x);
    /* A locale may print another decimal point; JSON has a full stop. */
    for (int i = 0; i < n; i++)
        if (!strchr("+-0123456789e", text[i])) text[i] = '.';
    buf_text(b, text);
}

void json_add_float(struct buf *b, float x) { add_number(b, (double)x, 9); }
void json_add_double(struct buf *b, double x) { add_number(b, x, 17); }
void json_add_int(struct buf *b, int64_t x) { buf_printf(b, "%" PRId64, x); }
