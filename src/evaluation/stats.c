/* stats.c - rank correlations, overlaps and robust location. */
#include "dtrak/stats.h"
#include "dtrak/mem.h"
#include "dtrak/sort.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

double stats_mean(const double *x, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += x[i];
    return n ? sum / (double)n : NAN;
}

double stats_sd(const double *x, size_t n) {
    if (n < 2) return 0;
    double mean = stats_mean(x, n), sum = 0;
    for (size_t i = 0; i < n; i++) sum += (x[i] - mean) * (x[i] - mean);
    return sqrt(sum / (double)(n - 1));
}

double stats_pearson(const double *x, const double *y, size_t n) {
    if (n < 2) return 0;
    /* From the first element on: equal values are then 0 exactly, where their mean may be off by rounding. */
    double mx = 0, my = 0, xx = 0, yy = 0, xy = 0;
    for (size_t i = 1; i < n; i++) {
        mx += x[i] - x[0];
        my += y[i] - y[0];
    }
    mx /= (double)n;
    my /= (double)n;
    for (size_t i = 0; i < n; i++) {
        double a = x[i] - x[0] - mx, b = y[i] - y[0] - my;
        xx += a * a;
        yy += b * b;
        xy += a * b;
    }
    if (xx == 0 || yy == 0) return 0;
    double r = xy / sqrt(xx) / sqrt(yy);
    return r > 1 ? 1 : r < -1 ? -1 : r;   /* a NaN passes through both tests */
}

static int has_nan(const double *x, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (isnan(x[i])) return 1;
    return 0;
}

enum status stats_average_ranks(const double *x, size_t n, double *rank) {
    if (has_nan(x, n)) {
        for (size_t i = 0; i < n; i++) rank[i] = NAN;
        return OK;
    }
    struct sort_entry *s = mem_array(2 * n + 1, sizeof *s);
    if (!s) return fail(ERR_NOMEM, "ranks: out of memory for %zu values", n);
    for (size_t i = 0; i < n; i++) s[i] = (struct sort_entry){ sort_key_double(x[i]), i };
    sort_entries(s, s + n, n);
    for (size_t i = 0, j; i < n; i = j) {
        for (j = i + 1; j < n && s[j].key == s[i].key;) j++;
        for (size_t t = i; t < j; t++) rank[s[t].at] = ((double)(i + 1) + (double)j) / 2;
    }
    mem_free(s);
    return OK;
}

enum status stats_spearman(double *out, const double *x, const double *y, size_t n) {
    double *ranks = mem_array(2 * n, sizeof *ranks);
    if (!ranks) return fail(ERR_NOMEM, "Spearman: out of memory for %zu values", n);
    enum status st = stats_average_ranks(x, n, ranks);
    if (st == OK) st = stats_average_ranks(y, n, ranks + n);
    if (st == OK) *out = stats_pearson(ranks, ranks + n, n);
    mem_free(ranks);
    return st;
}

/* The places of the pairs by x, then y; e has room for 2 n entries. */
static void sort_pairs(struct sort_entry *e, const double *x, const double *y, size_t n) {
    for (size_t i = 0; i < n; i++) e[i] = (struct sort_entry){ sort_key_double(y[i]), i };
    sort_entries(e, e + n, n);
    for (size_t i = 0; i < n; i++) e[i].key = sort_key_double(x[e[i].at]);
    sort_entries(e, e + n, n);
}

/* Sorts y ascending by merging and returns how many pairs were out of order
 * (strictly: equal values are in order). */
static double count_swaps(double *y, double *tmp, size_t n) {
    size_t swaps = 0;   /* n^2 / 2 at most */
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t lo = 0; lo < n; lo += 2 * width) {
            size_t mid = lo + width < n ? lo + width : n, hi = mid + width < n ? mid + width : n;
            size_t a = lo, b = mid, o = lo;
            while (a < mid && b < hi) {      /* without a branch that cannot be foreseen */
                size_t later = y[b] < y[a];
                tmp[o++] = later ? y[b] : y[a];
                swaps += later * (mid - a);
                a += !later;
                b += later;
            }
            while (a < mid) tmp[o++] = y[a++];
            while (b < hi) tmp[o++] = y[b++];
        }
        memcpy(y, tmp, n * sizeof *y);
    }
    return (double)swaps;
}

static double pairs_of(size_t n) { return (double)n * ((double)n - 1) / 2; }

/* Knight's algorithm: sort by x, count the exchanges that sort y. */
enum status stats_kendall(double *out, const double *x, const double *y, size_t n) {
    *out = 0;
    if (has_nan(x, n) || has_nan(y, n)) *out = NAN;
    if (n < 2 || isnan(*out)) return OK;
    struct sort_entry *e = mem_array(2 * n, sizeof *e);
    double *v = mem_array(2 * n, sizeof *v);
    if (!e || !v) {
        mem_free(e);
        mem_free(v);
        return fail(ERR_NOMEM, "Kendall: out of memory for %zu values", n);
    }
    sort_pairs(e, x, y, n);
    for (size_t i = 0; i < n; i++) v[i] = y[e[i].at];
    double tied_x = 0, tied_both = 0, tied_y = 0;
    for (size_t i = 0, j; i < n; i = j) {
        for (j = i + 1; j < n && e[j].key == e[i].key;) j++;
        tied_x += pairs_of(j - i);
    }
    for (size_t i = 0, j; i < n; i = j) {
        for (j = i + 1; j < n && e[j].key == e[i].key && v[j] == v[i];) j++;
        tied_both += pairs_of(j - i);
    }
    double swaps = count_swaps(v, v + n, n);
    for (size_t i = 0, j; i < n; i = j) {
        for (j = i + 1; j < n && v[j] == v[i];) j++;
        tied_y += pairs_of(j - i);
    }
    double all = pairs_of(n), scale = sqrt(all - tied_x) * sqrt(all - tied_y);
    if (scale > 0) *out = (all - tied_x - tied_y + tied_both - 2 * swaps) / scale;
    mem_free(e);
    mem_free(v);
    return OK;
}

static int by_number(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

enum status stats_overlap(double *out, const uint32_t *a, const uint32_t *b, size_t k) {
    if (!k) return fail(ERR_RANGE, "overlap: of the first 0 items");
    uint32_t *s = mem_array(2 * k, sizeof *s);
    if (!s) return fail(ERR_NOMEM, "overlap: out of memory for %zu items", k);
    memcpy(s, a, k * sizeof *s);
    memcpy(s + k, b, k * sizeof *s);
    qsort(s, k, sizeof *s, by_number);
    qsort(s + k, k, sizeof *s, by_number);
    size_t i = 0, j = 0, common = 0;
    while (i < k && j < k) {
        uint32_t x = s[i], y = s[k + j];
        common += x == y;
        i += x <= y;
        j += y <= x;
    }
    *out = (double)common / (double)k;
    mem_free(s);
    return OK;
}

/* An item becomes common at the deeper of its two places; so the overlap at every
 * depth follows from a count per depth.  RBO_ext for equal lists of length n:
 * X_n / n p^n + (1 - p) / p sum_d X_d / d p^d. */
enum status stats_rbo(double *out, const uint32_t *a, const uint32_t *b, size_t n, double p) {
    if (!n || !(p > 0) || !(p < 1)) return fail(ERR_RANGE, "rank-biased overlap: %zu items, persistence %g", n, p);
    /* Deeper places weigh less than a double can tell from nothing. */
    double deep = ceil(log(1e-18) / log(p));
    if (deep < (double)n) n = (size_t)deep;
    struct sort_entry *s = mem_array(4 * n, sizeof *s), *t = s ? s + 2 * n : NULL;
    size_t *gained = mem_array(n + 1, sizeof *gained);
    if (!s || !gained) {
        mem_free(s);
        mem_free(gained);
        return fail(ERR_NOMEM, "rank-biased overlap: out of memory for %zu items", n);
    }
    for (size_t i = 0; i < n; i++) {
        s[i] = (struct sort_entry){ a[i], i + 1 };
        t[i] = (struct sort_entry){ b[i], i + 1 };
    }
    sort_entries(s, s + n, n);
    sort_entries(t, t + n, n);
    for (size_t i = 0, j = 0; i < n && j < n;) {
        if (s[i].key == t[j].key) gained[s[i].at > t[j].at ? s[i].at : t[j].at]++;
        size_t next = i + (s[i].key <= t[j].key);
        j += t[j].key <= s[i].key;
        i = next;
    }
    double sum = 0, power = 1, common = 0;
    for (size_t d = 1; d <= n; d++) {
        common += (double)gained[d];
        power *= p;
        sum += common / (double)d * power;
    }
    *out = common / (double)n * power + (1 - p) / p * sum;
    mem_free(s);
    mem_free(gained);
    return OK;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double sorted_median(double *v, size_t n) {
    qsort(v, n, sizeof *v, by_value);
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

enum status stats_median(double *median, double *mad, const double *x, size_t n) {
    if (!n) return fail(ERR_RANGE, "median of no values");
    if (has_nan(x, n)) {
        *median = NAN;
        if (mad) *mad = NAN;
        return OK;
    }
    double *v = mem_array(n, sizeof *v);
    if (!v) return fail(ERR_NOMEM, "median: out of memory for %zu values", n);
    memcpy(v, x, n * sizeof *v);
    *median = sorted_median(v, n);
    if (mad) {
        for (size_t i = 0; i < n; i++) v[i] = fabs(x[i] - *median);
        *mad = 1.4826 * sorted_median(v, n);
    }
    mem_free(v);
    return OK;
}
