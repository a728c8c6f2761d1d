#include "dtrak/text.h"

#include <stdio.h>
#include <string.h>

size_t text_decode(const char *s, uint32_t *cp) {
    const unsigned char *u = (const unsigned char *)s;
    if (!u[0]) { *cp = 0; return 0; }
    if (u[0] < 0x80) { *cp = u[0]; return 1; }
    size_t n = u[0] >= 0xF0 && u[0] < 0xF5 ? 4 : u[0] >= 0xE0 && u[0] < 0xF0 ? 3
             : u[0] >= 0xC2 && u[0] < 0xE0 ? 2 : 0;
    uint32_t v = n == 4 ? u[0] & 7u : n == 3 ? u[0] & 15u : u[0] & 31u;
    for (size_t i = 1; n && i < n; i++) {
        if ((u[i] & 0xC0) != 0x80) { n = 0; break; }
        v = v << 6 | (u[i] & 63u);
    }
    static const uint32_t least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
    if (!n || v < least[n] || v > 0x10FFFF || (v >= 0xD800 && v < 0xE000)) {
        *cp = 0xFFFD;
        return 1;
    }
    *cp = v;
    return n;
}

size_t text_encode(char out[4], uint32_t cp) {
    unsigned char *o = (unsigned char *)out;
    if (cp < 0x80) { o[0] = (unsigned char)cp; return 1; }
    if (cp < 0x800) {
        o[0] = (unsigned char)(0xC0 | cp >> 6);
        o[1] = (unsigned char)(0x80 | (cp & 63));
        return 2;
    }
    if (cp < 0x10000) {
        o[0] = (unsigned char)(0xE0 | cp >> 12);
        o[1] = (unsigned char)(0x80 | (cp >> 6 & 63));
        o[2] = (unsigned char)(0x80 | (cp & 63));
        return 3;
    }
    o[0] = (unsigned char)(0xF0 | cp >> 18);
    o[1] = (unsigned char)(0x80 | (cp >> 12 & 63));
    o[2] = (unsigned char)(0x80 | (cp >> 6 & 63));
    o[3] = (unsigned char)(0x80 | (cp & 63));
    return 4;
}

struct span { uint32_t lo, hi; };

static int within(uint32_t cp, const struct span *t, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (cp >= t[i].lo && cp <= t[i].hi) return 1;
    return 0;
}

int text_cp_width(uint32_t cp) {
    static const struct span none[] = {
        { 0x0300, 0x036F }, { 0x0483, 0x0489 }, { 0x0591, 0x05BD }, { 0x0610, 0x061A },
        { 0x064B, 0x065F }, { 0x0900, 0x0902 }, { 0x093A, 0x093A }, { 0x093C, 0x093C },
        { 0x0941, 0x0948 }, { 0x094D, 0x094D }, { 0x0E31, 0x0E31 }, { 0x0E34, 0x0E3A },
        { 0x0E47, 0x0E4E }, { 0x1AB0, 0x1AFF }, { 0x1DC0, 0x1DFF }, { 0x200B, 0x200F },
        { 0x2060, 0x2064 }, { 0x20D0, 0x20F0 }, { 0xFE00, 0xFE0F }, { 0xFE20, 0xFE2F },
        { 0xFEFF, 0xFEFF }, { 0xE0100, 0xE01EF },
    };
    static const struct span wide[] = {
        { 0x1100, 0x115F }, { 0x231A, 0x231B }, { 0x23E9, 0x23EC }, { 0x23F0, 0x23F0 },
        { 0x23F3, 0x23F3 }, { 0x25FD, 0x25FE }, { 0x2614, 0x2615 }, { 0x2648, 0x2653 },
        { 0x267F, 0x267F }, { 0x2693, 0x2693 }, { 0x26A1, 0x26A1 }, { 0x26AA, 0x26AB },
        { 0x26BD, 0x26BE }, { 0x26C4, 0x26C5 }, { 0x26CE, 0x26CE }, { 0x26D4, 0x26D4 },
        { 0x26EA, 0x26EA }, { 0x26F2, 0x26F3 }, { 0x26F5, 0x26F5 }, { 0x26FA, 0x26FA },
        { 0x26FD, 0x26FD }, { 0x2705, 0x2705 }, { 0x270A, 0x270B }, { 0x2728, 0x2728 },
        { 0x274C, 0x274C }, { 0x274E, 0x274E }, { 0x2753, 0x2755 }, { 0x2757, 0x2757 },
        { 0x2795, 0x2797 }, { 0x27B0, 0x27B0 }, { 0x27BF, 0x27BF }, { 0x2B1B, 0x2B1C },
        { 0x2B50, 0x2B50 }, { 0x2B55, 0x2B55 }, { 0x2E80, 0x303E }, { 0x3041, 0x33FF },
        { 0x3400, 0x4DBF }, { 0x4E00, 0x9FFF }, { 0xA000, 0xA4CF }, { 0xA960, 0xA97F },
        { 0xAC00, 0xD7A3 }, { 0xF900, 0xFAFF }, { 0xFE10, 0xFE19 }, { 0xFE30, 0xFE6F },
        { 0xFF00, 0xFF60 }, { 0xFFE0, 0xFFE6 }, { 0x16FE0, 0x16FE4 }, { 0x17000, 0x18CD5 },
        { 0x1B000, 0x1B2FB }, { 0x1F004, 0x1F004 }, { 0x1F0CF, 0x1F0CF }, { 0x1F18E, 0x1F18E },
        { 0x1F191, 0x1F19A }, { 0x1F200, 0x1F320 }, { 0x1F32D, 0x1F335 }, { 0x1F337, 0x1F37C },
        { 0x1F37E, 0x1F393 }, { 0x1F3A0, 0x1F3CA }, { 0x1F3CF, 0x1F3D3 }, { 0x1F3E0, 0x1F3F0 },
        { 0x1F3F4, 0x1F3F4 }, { 0x1F3F8, 0x1F43E }, { 0x1F440, 0x1F440 }, { 0x1F442, 0x1F4FC },
        { 0x1F4FF, 0x1F53D }, { 0x1F54B, 0x1F54E }, { 0x1F550, 0x1F567 }, { 0x1F57A, 0x1F57A },
        { 0x1F595, 0x1F596 }, { 0x1F5A4, 0x1F5A4 }, { 0x1F5FB, 0x1F64F }, { 0x1F680, 0x1F6C5 },
        { 0x1F6CC, 0x1F6CC }, { 0x1F6D0, 0x1F6D2 }, { 0x1F6D5, 0x1F6DF }, { 0x1F6EB, 0x1F6EC },
        { 0x1F6F4, 0x1F6FC }, { 0x1F7E0, 0x1F7EB }, { 0x1F90C, 0x1F93A }, { 0x1F93C, 0x1F945 },
        { 0x1F947, 0x1F9FF }, { 0x1FA70, 0x1FAFF }, { 0x20000, 0x3FFFD },
    };
    if (cp < 0x300) return cp == 0 ? 0 : 1;
    if (within(cp, none, sizeof none / sizeof *none)) return 0;
    return within(cp, wide, sizeof wide / sizeof *wide) ? 2 : 1;
}

size_t text_width(const char *s) {
    size_t cells = 0, n;
    for (uint32_t cp; (n = text_decode(s, &cp)); s += n) cells += (size_t)text_cp_width(cp);
    return cells;
}

static int is_unsafe(uint32_t cp) {
    return cp < 0x20 || (cp >= 0x7F && cp < 0xA0) || cp == 0x061C || cp == 0x200E || cp == 0x200F
        || (cp >= 0x2028 && cp <= 0x202E) || (cp >= 0x2066 && cp <= 0x2069);
}

void text_escape(char *out, size_t size, const char *s) {
    size_t at = 0, n;
    if (!size) return;
    for (uint32_t cp; (n = text_decode(s, &cp)); s += n) {
        char one[16];
        if (cp == 0xFFFD && n == 1) snprintf(one, sizeof one, "\\x%02X", (unsigned char)*s);
        else if (is_unsafe(cp) && cp < 0x100) snprintf(one, sizeof one, "\\x%02X", (unsigned)cp);
        else if (is_unsafe(cp)) snprintf(one, sizeof one, "\\u{%04X}", (unsigned)cp);
        else { memcpy(one, s, n); one[n] = 0; }
        size_t len = strlen(one);
        if (at + len >= size) break;
        memcpy(out + at, one, len);
        at += len;
    }
    out[at] = 0;
}

void text_shell_word(char *out, size_t size, const char *s) {
    static const char special[] = " \t\n\"'\\$`*?[]{}()<>|&;!#~^";
    size_t n = 0;
    if (*s && !strpbrk(s, special)) {
        snprintf(out, size, "%s", s);
        return;
    }
    /* Room for the longest piece, the last quote and the 0. */
    if (size) out[0] = 0;
    if (size < 8) return;
    out[n++] = '\'';
    for (; *s && n + 6 < size; s++) {
        if (*s == '\'') {
            memcpy(out + n, "'\\''", 4);
            n += 4;
        } else {
            out[n++] = *s;
        }
    }
    out[n++] = '\'';
    out[n] = 0;
}

size_t text_fit(const char *s, size_t cells) {
    size_t at = 0, used = 0, n;
    for (uint32_t cp; (n = text_decode(s + at, &cp)); at += n) {
        size_t w = (size_t)text_cp_width(cp);
        if (used + w > cells) break;
        used += w;
    }
    return at;
}

/* --- words mistyped --- */

enum { WORD = 32 };

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* Damerau's distance: letters added, dropped, changed, or two neighbours changed over; WORD for long words. */
static size_t typing_distance(const char *a, const char *b) {
    size_t n = strlen(a), m = strlen(b), d[3][WORD + 1];
    if (n > WORD || m > WORD) return WORD;
    for (size_t j = 0; j <= m; j++) d[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *now = d[i % 3], *before = d[(i + 2) % 3], *two_before = d[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= m; j++) {
            now[j] = least(before[j - 1] + (a[i - 1] != b[j - 1]), least(before[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) now[j] = least(now[j], two_before[j - 2] + 1);
        }
    }
    return d[n % 3][m];
}

const char *text_nearer(const char *word, const char *so_far, const char *candidate) {
    size_t most = strlen(word) < 5 ? 1 : 2, distance = typing_distance(word, candidate);
    if (so_far && typing_distance(word, so_far) <= distance) return so_far;
    return distance <= most ? candidate : so_far;
}
