/* status.h - what a call returned, checked at the caller's line.
 *
 * ok(call)                    it succeeded, or its reason is printed
 * refused(call, code, text)   it failed with that code, and its reason has the text in it
 * assert_says(text)           the reason of the latest failure has the text in it
 * die("...", ...)             fails the test in words (near.h takes fail_msg away) */
#ifndef TESTS_STATUS_H
#define TESTS_STATUS_H

#include "near.h"

#include "dtrak/err.h"

#include <string.h>

#define die(...) do { print_error(__VA_ARGS__); print_error("\n"); _fail(__FILE__, __LINE__); } while (0)

static inline void ok_at(enum status st, const char *file, int line) {
    if (st == OK) return;
    print_error("%s\n", fail_reason());
    _fail(file, line);
}
#define ok(call) ok_at((call), __FILE__, __LINE__)

static inline void refused_at(enum status got, enum status want, const char *text, const char *file, int line) {
    if (got == want && strstr(fail_reason(), text)) return;
    print_error("status %d, said '%s'; expected %d, '%s'\n", (int)got, got == OK ? "" : fail_reason(), (int)want, text);
    _fail(file, line);
}
#define refused(call, code, text) refused_at((call), (code), (text), __FILE__, __LINE__)

#define assert_says(text) assert_non_null(strstr(fail_reason(), (text)))

#endif
