/* lambda.c - ridge strengths: specs, grid, effective dimension, the automatic choice. */
#include "dtrak/lambda.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* form: what is expected, for the message. */
static enum status parse(struct lambda *out, const char *text, const char *form) {
    *out = (struct lambda){ LAMBDA_AUTO, 0 };
    if (!text || !strcmp(text, "auto")) return OK;
    int absolute = !strncmp(text, "abs:", 4);
    const char *digits = absolute ? text + 4 : text;
    char *end;
    /* strtod would also take hexadecimal, "inf" and leading blanks. */
    size_t plain = strspn(digits, "0123456789.eE+-");
    double v = strtod(digits, &end);
    if (!*digits || digits[plain] || *end || !isfinite(v) || !(v > 0))
        return fail(ERR_USAGE, "lambda '%s' is not a number above 0, abs:NUMBER%s", text, form);
    *out = (struct lambda){ absolute ? LAMBDA_ABSOLUTE : LAMBDA_RELATIVE, v };
    return OK;
}

enum status lambda_parse(struct lambda *out, const char *text) { return parse(out, text, " or auto"); }

static enum status add_lambda(struct lambda *out, size_t *count, struct lambda l) {
    for (size_t i = 0; i < *count; i++)
        if (out[i].kind == l.kind && !(out[i].value < l.value) && !(out[i].value > l.value)) return OK;
    if (*count == LAMBDA_LIST_MAX) return fail(ERR_USAGE, "lambda: more than %d values", LAMBDA_LIST_MAX);
    out[(*count)++] = l;
    return OK;
}

enum status lambda_parse_list(struct lambda *out, size_t *count, const char *text) {
    *count = 0;
    for (const char *at = text ? text : "auto";; at++) {
        char word[64];
        struct lambda l;
        size_t len = strcspn(at, ",");
        snprintf(word, sizeof word, "%.*s", (int)(len < 60 ? len : 60), at);
        if (!strcmp(word, "grid"))
            for (size_t i = 0; i < LAMBDA_GRID_COUNT; i++)
                TRY(add_lambda(out, count, (struct lambda){ LAMBDA_RELATIVE, lambda_grid(i) }));
        else {
            TRY(parse(&l, word, ", auto or, for a whole sweep, grid"));
            TRY(add_lambda(out, count, l));
        }
        at += len;
        if (!*at) return OK;
    }
}

/* The shortest decimal that reads back as v, the way people write it: 500, 0.05,
 * 2e-6.  It is part of a score set's identity, so there is one form for a value. */
static void shortest(char out[LAMBDA_TEXT], double v) {
    char text[LAMBDA_TEXT];
    int digits = 0;
    do snprintf(text, sizeof text, "%.*e", digits, v);
    while (strtod(text, NULL) != v && ++digits < 17);
    char *e = strchr(text, 'e');
    int exponent = e ? atoi(e + 1) : 0;
    if (exponent >= -4 && exponent < 7) {
        snprintf(out, LAMBDA_TEXT, "%.*f", digits > exponent ? digits - exponent : 0, v);
        if (strtod(out, NULL) == v) return;
    }
    snprintf(out, LAMBDA_TEXT, "%.*se%d", (int)strcspn(text, "e"), text, exponent);
}

void lambda_format(char out[LAMBDA_TEXT], struct lambda l) {
    if (l.kind == LAMBDA_AUTO) {
        snprintf(out, LAMBDA_TEXT, "auto");
        return;
    }
    char number[LAMBDA_TEXT];
    shortest(number, l.value);
    snprintf(out, LAMBDA_TEXT, "%s%.26s", l.kind == LAMBDA_ABSOLUTE ? "abs:" : "", number);
}

/* Two digits; 0.01 to 999 plainly, the rest as 1.2e3 without a padded exponent. */
void lambda_format_value(char out[LAMBDA_TEXT], double value) {
    if (value >= 0.01 && value < 99.5) {
        snprintf(out, LAMBDA_TEXT, "%.2g", value);
        return;
    }
    char text[LAMBDA_TEXT];
    snprintf(text, sizeof text, "%.1e", value);
    char *e = strchr(text, 'e');
    if (!e) {   /* nan or inf: nothing to shorten */
        snprintf(out, LAMBDA_TEXT, "%s", text);
        return;
    }
    int exponent = atoi(e + 1);
    *e = 0;
    if (!strcmp(text + strlen(text) - 2, ".0")) text[strlen(text) - 2] = 0;
    snprintf(out, LAMBDA_TEXT, "%.20se%d", text, exponent);
}

double lambda_to_absolute(double relative, double trace, size_t N) { return relative * (trace / (double)N); }
double lambda_to_relative(double absolute, double trace, size_t N) { return absolute / (trace / (double)N); }

double lambda_grid(size_t i) {
    /* Written out, so that a grid value is the double nearest to what is typed. */
    static const double grid[LAMBDA_GRID_COUNT] = {
        1e-6, 2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2,
        1e-1, 2e-1, 5e-1, 1, 2, 5, 1e1, 2e1, 5e1, 1e2, 2e2, 5e2
    };
    return grid[i < LAMBDA_GRID_COUNT ? i : LAMBDA_GRID_COUNT - 1];
}

double lambda_step(double relative, int direction) {
    const double slack = 1e-9;   /* a value that was converted back and forth is still on the grid */
    if (direction > 0) {
        for (size_t i = 0; i < LAMBDA_GRID_COUNT; i++)
            if (lambda_grid(i) > relative * (1 + slack)) return lambda_grid(i);
        return lambda_grid(LAMBDA_GRID_COUNT - 1);
    }
    for (size_t i = LAMBDA_GRID_COUNT; i-- > 0;)
        if (lambda_grid(i) < relative * (1 - slack)) return lambda_grid(i);
    return lambda_grid(0);
}

double lambda_effective_dimension(const double *eigenvalues, size_t count, double absolute) {
    double sum = 0;
    for (size_t e = 0; e < count; e++) sum += eigenvalues[e] / (eigenvalues[e] + absolute);
    return sum;
}

/* Eigenvalues that are more than rounding dust beside the largest. */
static size_t numeric_rank(const double *eigenvalues, size_t count, double *largest) {
    double top = 0;
    size_t rank = 0;
    for (size_t e = 0; e < count; e++) top = eigenvalues[e] > top ? eigenvalues[e] : top;
    for (size_t e = 0; e < count; e++) rank += eigenvalues[e] > top * 1e-13 * (double)count;
    *largest = top;
    return rank;
}

enum status lambda_for_dimension(double *absolute, const double *eigenvalues, size_t count, double target) {
    double top;
    size_t rank = numeric_rank(eigenvalues, count, &top);
    if (!rank) return fail(ERR_NUMERIC, "lambda: all features are zero, so there is no effective dimension");
    if (!(target > 0) || !(target < (double)rank))
        return fail(ERR_NUMERIC, "lambda: an effective dimension of %g is outside 0..%zu, the rank", target, rank);
    /* d_eff(l) <= sum L / l <= count * top / l gives the upper end; below the
     * smallest counted eigenvalue d_eff is at least half the rank, so keep falling. */
    double high = log(top * (double)count / target), low = high;
    do low -= 8;
    while (lambda_effective_dimension(eigenvalues, count, exp(low)) < target && low > high - 200);
    for (int i = 0; i < 200 && high - low > 1e-14 * (1 + fabs(low)); i++) {
        double mid = low + (high - low) / 2;
        if (lambda_effective_dimension(eigenvalues, count, exp(mid)) > target) low = mid;
        else high = mid;
    }
    *absolute = exp(low + (high - low) / 2);
    return OK;
}

enum status lambda_auto(double *absolute, const double *eigenvalues, size_t count, size_t N, size_t k) {
    double top, small = (double)(N < k ? N : k);
    double rank = (double)numeric_rank(eigenvalues, count, &top);
    double target = LAMBDA_AUTO_FRACTION * small;
    if (target >= rank) target = LAMBDA_AUTO_FRACTION * rank;
    return lambda_for_dimension(absolute, eigenvalues, count, target);
}

enum status lambda_resolve(double *absolute, struct lambda l, const double *eigenvalues, size_t count,
                           double trace, size_t N, size_t k) {
    switch (l.kind) {
    case LAMBDA_ABSOLUTE: *absolute = l.value; return OK;
    case LAMBDA_RELATIVE:
        if (!(trace > 0)) return fail(ERR_NUMERIC, "lambda: all features are zero, a relative value means nothing");
        *absolute = lambda_to_absolute(l.value, trace, N);
        return OK;
    case LAMBDA_AUTO: break;
    }
    return lambda_auto(absolute, eigenvalues, count, N, k);
}
