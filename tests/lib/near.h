/* near.h - float comparison for cmocka: absolute plus relative, and a NaN or an
 * infinity on either side fails. */
#ifndef TESTS_NEAR_H
#define TESTS_NEAR_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#undef fail   /* cmocka's macro would eat err.h's function */

static inline void near_at(double got, double want, double absolute, double relative,
                           const char *what, const char *file, int line) {
    if (isfinite(got) && isfinite(want) && fabs(got - want) <= absolute + relative * fabs(want)) return;
    print_error("%s is %.17g, expected %.17g within %g + %g of it\n", what, got, want, absolute, relative);
    _fail(file, line);
}
#define assert_near(got, want, absolute, relative) \
    near_at((got), (want), (absolute), (relative), #got, __FILE__, __LINE__)

#endif
