#include "dtrak/err.h"

#include "dtrak/text.h"

#include <stdarg.h>
#include <stdio.h>

/* Room for a command that is offered, with a long path in it several times. */
enum { REASON = 4096 };
static _Thread_local char reason[REASON];

enum status fail(enum status code, const char *fmt, ...) {
    char raw[REASON];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(raw, sizeof raw, fmt, ap);
    va_end(ap);
    text_escape(reason, sizeof reason, raw);
    return code;
}

const char *fail_reason(void) { return reason; }
