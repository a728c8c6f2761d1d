#include "dtrak/err.h"

#include "dtrak/text.h"

#include <stdarg.h>
#include <stdio.h>

static _Thread_local char reason[1024];

enum status fail(enum status code, const char *fmt, ...) {
    char raw[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(raw, sizeof raw, fmt, ap);
    va_end(ap);
    text_escape(reason, sizeof reason, raw);
    return code;
}

const char *fail_reason(void) { return reason; }
