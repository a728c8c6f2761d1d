/* input.c - the parser of what a terminal sends.
 *
 * States: between sequences, inside a UTF-8 character, after ESC, in a CSI or
 * SS3 sequence, in a string (DCS, OSC, APC, PM, SOS), and in a string after an
 * ESC that may begin its end.  A sequence keeps its first bytes only; the rest
 * is counted and dropped, so nothing grows. */
#include "dtrak/input.h"
#include "dtrak/text.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { GROUND, UTF8, ESC, CSI, SS3, STRING, STRING_ESC };

/* A string longer than this is not one of ours: its end was lost, or somebody
 * types into it. */
#define STRING_MAX 8192

/* The lone ESC key against the start of a sequence; and the pause in the middle
 * of a sequence that a slow line may make. */
#define ESC_MS 40
#define REST_MS 500
#define ANSWER_MS 5000   /* where nobody can have typed what is there: the rest would be taken for keys */

void input_init(struct input *in) { memset(in, 0, sizeof *in); }

/* Whether what began can only be an answer: a modified letter followed at once by others could be typed. */
static int is_answer(const struct input *in) {
    const unsigned char *s = in->seq;
    if (in->state == CSI) return in->len > 1 || (in->len && s[0] >= '<' && s[0] <= '?');
    if ((in->state != STRING && in->state != STRING_ESC) || in->len < 2) return 0;
    return (s[0] == 'P' && (s[1] == '>' || (s[1] >= '0' && s[1] <= '9'))) || (s[0] == ']' && s[1] >= '0' && s[1] <= '9') ||
           (s[0] == '_' && s[1] == 'G');
}

int input_wait_ms(const struct input *in) {
    if (in->state == GROUND) return 0;
    if (is_answer(in)) return ANSWER_MS;
    return in->state == ESC ? ESC_MS : REST_MS;
}

static void keep(struct input *in, unsigned char byte) {
    if (in->len < sizeof in->seq) in->seq[in->len] = byte;
    in->len++;
}

static size_t key(struct input_event *ev, uint32_t code, unsigned mods) {
    memset(ev, 0, sizeof *ev);
    ev->kind = INPUT_KEY;
    ev->code = code;
    ev->mods = mods;
    return 1;
}

/* A key by its code point as a control byte or as CSI u gives it. */
static size_t plain_key(struct input_event *ev, uint32_t cp, unsigned mods) {
    switch (cp) {
    case 0: return key(ev, ' ', mods | INPUT_CTRL);
    case 8: case 127: return key(ev, INPUT_BACKSPACE, mods);
    case 9:
        if (mods & INPUT_SHIFT) return key(ev, INPUT_BACKTAB, mods & ~(unsigned)INPUT_SHIFT);
        return key(ev, INPUT_TAB, mods);
    case 10: case 13: return key(ev, INPUT_ENTER, mods);
    case 27: return key(ev, INPUT_ESC, mods);
    default: break;
    }
    if (cp < 27) return key(ev, cp + 'a' - 1, mods | INPUT_CTRL);
    if (cp < 32) return key(ev, cp + '@', mods | INPUT_CTRL);
    return key(ev, cp, mods);
}

/* Numbers of a sequence: "?1;2;3" gives 1 2 3, an absent one is 0, sub-parameters
 * after ':' are dropped.  Returns how many. */
static size_t numbers(const unsigned char *s, size_t len, uint32_t *out, size_t max) {
    size_t n = 0;
    uint32_t v = 0;
    int any = 0, sub = 0;
    for (size_t i = 0; i < len; i++) {
        if (s[i] >= '0' && s[i] <= '9') {
            if (!sub && v < 100000000) v = v * 10 + (uint32_t)(s[i] - '0');
            any = 1;
        } else if (s[i] == ';') {
            if (n < max) out[n++] = v;
            v = 0;
            any = 1;
            sub = 0;
        } else if (s[i] == ':') {
            sub = 1;
        }
    }
    if (any && n < max) out[n++] = v;
    return n;
}

static size_t reply(struct input_event *ev, enum input_reply what, const uint32_t *args, size_t n) {
    memset(ev, 0, sizeof *ev);
    ev->kind = INPUT_REPLY;
    ev->reply = what;
    ev->arg_count = n;
    memcpy(ev->args, args, n * sizeof *args);
    return 1;
}

static size_t mouse(struct input_event *ev, const uint32_t *a, size_t n, int released) {
    if (n < 3 || a[1] == 0 || a[2] == 0) return 0;
    memset(ev, 0, sizeof *ev);
    ev->kind = INPUT_MOUSE;
    ev->col = a[1] - 1;
    ev->row = a[2] - 1;
    ev->mods = ((a[0] & 4) ? INPUT_SHIFT : 0u) | ((a[0] & 8) ? INPUT_ALT : 0u)
             | ((a[0] & 16) ? INPUT_CTRL : 0u);
    ev->press = released ? 0 : (a[0] & 32) ? 2 : 1;
    switch (a[0] & 0xC3) {
    case 0: ev->button = INPUT_BUTTON_LEFT; break;
    case 1: ev->button = INPUT_BUTTON_MIDDLE; break;
    case 2: ev->button = INPUT_BUTTON_RIGHT; break;
    case 64: ev->button = INPUT_WHEEL_UP; break;
    case 65: ev->button = INPUT_WHEEL_DOWN; break;
    default: ev->button = INPUT_BUTTON_OTHER; break;
    }
    return 1;
}

/* Keys that end in a letter: CSI A, CSI 1;5 A, SS3 A. */
static uint32_t letter_key(unsigned char final) {
    switch (final) {
    case 'A': return INPUT_UP;
    case 'B': return INPUT_DOWN;
    case 'C': return INPUT_RIGHT;
    case 'D': return INPUT_LEFT;
    case 'H': return INPUT_HOME;
    case 'F': return INPUT_END;
    case 'P': return INPUT_F1;
    case 'Q': return INPUT_F1 + 1;
    case 'R': return INPUT_F1 + 2;
    case 'S': return INPUT_F1 + 3;
    case 'Z': return INPUT_BACKTAB;
    case 'M': return INPUT_ENTER;      /* SS3 M: the keypad's */
    case 'I': return INPUT_TAB;        /* SS3 I */
    default: return 0;
    }
}

/* Keys of the form CSI n ~. */
static uint32_t tilde_key(uint32_t n) {
    static const uint16_t f[] = { 11, 12, 13, 14, 15, 17, 18, 19, 20, 21, 23, 24 };
    switch (n) {
    case 1: case 7: return INPUT_HOME;
    case 2: return INPUT_INSERT;
    case 3: return INPUT_DELETE;
    case 4: case 8: return INPUT_END;
    case 5: return INPUT_PGUP;
    case 6: return INPUT_PGDN;
    default: break;
    }
    for (uint32_t i = 0; i < sizeof f / sizeof *f; i++)
        if (n == f[i]) return INPUT_F1 + i;
    return 0;
}

/* xterm's modifier parameter: 1 + shift + 2 alt + 4 ctrl (+ meta and more). */
static unsigned modifiers(uint32_t n) {
    if (n == 0) return 0;
    n--;
    return ((n & 1) ? INPUT_SHIFT : 0u) | ((n & (2 | 8 | 32)) ? INPUT_ALT : 0u)
         | ((n & 4) ? INPUT_CTRL : 0u);
}

/* A CSI sequence with a private mark (? > <) or an intermediate byte: an answer. */
static size_t csi_reply(struct input_event *ev, unsigned char mark, unsigned char inter,
                        unsigned char final, const uint32_t *a, size_t n) {
    enum input_reply what = REPLY_OTHER;
    if (mark == '<' && (final == 'M' || final == 'm')) return mouse(ev, a, n, final == 'm');
    if (mark == '?' && !inter && final == 'c') what = REPLY_DA1;
    else if (mark == '>' && !inter && final == 'c') what = REPLY_DA2;
    else if (mark == '?' && !inter && final == 'S') what = REPLY_GRAPHICS;
    else if (mark == '?' && inter == '$' && final == 'y') what = REPLY_MODE;
    else if (mark == '?' && !inter && final == 'n') what = REPLY_STATUS;
    return reply(ev, what, a, n);
}

/* in->seq holds what stood between "ESC [" and final. */
static size_t csi(struct input *in, unsigned char final, struct input_event *ev) {
    uint32_t a[INPUT_ARGS];
    if (in->len > sizeof in->seq) return 0;
    size_t n = numbers(in->seq, in->len, a, INPUT_ARGS);
    unsigned char mark = in->len && in->seq[0] >= '<' && in->seq[0] <= '?' ? in->seq[0] : 0;
    unsigned char last = in->len ? in->seq[in->len - 1] : 0;
    unsigned char inter = last >= 0x20 && last < 0x30 ? last : 0;
    if (mark || inter) return csi_reply(ev, mark, inter, final, a, n);

    unsigned mods = n >= 2 ? modifiers(a[1]) : 0;
    switch (final) {
    case '~':
        if (n >= 3 && a[0] == 27) return plain_key(ev, a[2], mods);   /* modifyOtherKeys */
        if (n >= 1 && tilde_key(a[0])) return key(ev, tilde_key(a[0]), mods);
        return 0;
    case 'u':
        if (n < 1 || a[0] > 0x10FFFF || (a[0] >= 57344 && a[0] <= 63743)) return 0;
        return plain_key(ev, a[0], mods);
    case 't':
        if (n >= 3 && a[0] == 6) return reply(ev, REPLY_CELL_PX, a, n);
        if (n >= 3 && a[0] == 4) return reply(ev, REPLY_TEXT_PX, a, n);
        return reply(ev, REPLY_OTHER, a, n);
    case 'n': return reply(ev, REPLY_STATUS, a, n);
    case 'c': return reply(ev, REPLY_OTHER, a, n);
    case 'R':
        /* CSI 1;m R is F3 with a modifier, or the cursor in row 1: nothing
         * here asks for the cursor. */
        if (n == 2 && !(a[0] == 1 && a[1] >= 2 && a[1] <= 16)) return reply(ev, REPLY_CURSOR, a, n);
        return key(ev, INPUT_F1 + 2, mods);
    case 'I': case 'O': return 0;      /* focus in and out */
    case 'M': return 0;                /* the old mouse report: never asked for */
    default: break;
    }
    uint32_t code = letter_key(final);
    return code ? key(ev, code, mods) : 0;
}

/* in->seq holds a string's kind byte and its text. */
static size_t string_end(struct input *in, struct input_event *ev) {
    static const uint32_t none[1] = { 0 };
    size_t len = in->len < sizeof in->seq ? in->len : sizeof in->seq;
    const unsigned char *s = in->seq;
    enum input_reply what = REPLY_OTHER;
    size_t skip = 1;
    if (len >= 2 && s[0] == '_' && s[1] == 'G') { what = REPLY_KITTY; skip = 2; }
    if (len >= 3 && s[0] == 'P' && s[1] == '>' && s[2] == '|') { what = REPLY_VERSION; skip = 3; }
    if (len >= 4 && memcmp(s, "]11;", 4) == 0) { what = REPLY_BACKGROUND; skip = 4; }
    reply(ev, what, none, 0);
    size_t at = 0;
    for (size_t i = skip; i < len && at + 1 < sizeof ev->text; i++)
        ev->text[at++] = s[i] >= 0x20 && s[i] < 0x7F ? (char)s[i] : '?';
    ev->text[at] = 0;
    return 1;
}

static void begin(struct input *in, int state) {
    in->state = state;
    in->len = 0;
}

static size_t ground(struct input *in, unsigned char b, unsigned mods, struct input_event *ev) {
    if (b == 0x1B) { begin(in, ESC); return 0; }
    in->alt = (mods & INPUT_ALT) != 0;
    int need = b >= 0xF0 && b < 0xF5 ? 3 : b >= 0xE0 && b < 0xF0 ? 2 : b >= 0xC2 && b < 0xE0 ? 1 : 0;
    if (need) {
        in->state = UTF8;
        in->need = need;
        in->cp = need == 3 ? b & 7u : need == 2 ? b & 15u : b & 31u;
        in->least = need == 3 ? 0x10000 : need == 2 ? 0x800 : 0x80;
        return 0;
    }
    in->state = GROUND;
    if (b >= 0x80) return 0;   /* not UTF-8: no key has such a name */
    return plain_key(ev, b, mods);
}

static size_t after_esc(struct input *in, unsigned char b, struct input_event *ev) {
    switch (b) {
    case '[': begin(in, CSI); return 0;
    case 'O': begin(in, SS3); return 0;
    case 'P': case ']': case '_': case '^': case 'X':
        begin(in, STRING);
        keep(in, b);
        return 0;
    case 0x1B: return key(ev, INPUT_ESC, 0);   /* ESC twice: the first was the key */
    case '\\': in->state = GROUND; return 0;   /* the end of a string that is over */
    default:
        in->state = GROUND;
        return ground(in, b, INPUT_ALT, ev);
    }
}

static size_t in_string(struct input *in, unsigned char b, struct input_event *ev) {
    if (in->state == STRING_ESC) {
        if (b == '\\') {
            in->state = GROUND;
            return string_end(in, ev);
        }
        /* The string was cut off by another sequence. */
        begin(in, ESC);
        return after_esc(in, b, ev);
    }
    if (b == 0x1B) { in->state = STRING_ESC; return 0; }
    if (b == 7) {
        in->state = GROUND;
        return string_end(in, ev);
    }
    if (b == 0x18 || b == 0x1A) { in->state = GROUND; return 0; }
    keep(in, b);
    if (in->len > STRING_MAX) in->state = GROUND;
    return 0;
}

size_t input_feed(struct input *in, unsigned char b, struct input_event ev[2]) {
    switch (in->state) {
    case UTF8:
        if ((b & 0xC0) != 0x80) return ground(in, b, 0, ev);   /* broken off */
        in->cp = in->cp << 6 | (b & 63u);
        if (--in->need) return 0;
        in->state = GROUND;
        if (in->cp < in->least || in->cp > 0x10FFFF || (in->cp >= 0xD800 && in->cp < 0xE000)
            || in->cp < 0xA0)
            return 0;
        return key(ev, in->cp, in->alt ? INPUT_ALT : 0);
    case ESC: return after_esc(in, b, ev);
    case CSI:
        if (b == 0x1B) { begin(in, ESC); return 0; }
        if (b >= 0x20 && b < 0x40) { keep(in, b); return 0; }
        if (b == '[' && in->len == 0) { keep(in, b); return 0; }   /* Linux console: ESC [ [ A */
        in->state = GROUND;
        if (b < 0x40 || b > 0x7E) return ground(in, b, 0, ev);
        if (in->len == 1 && in->seq[0] == '[')
            return b >= 'A' && b <= 'E' ? key(ev, INPUT_F1 + (uint32_t)(b - 'A'), 0) : 0;
        return csi(in, b, ev);
    case SS3:
        if (b == 0x1B) { begin(in, ESC); return 0; }
        if (b >= '0' && b <= '9') { keep(in, b); return 0; }
        in->state = GROUND;
        {
            uint32_t a[1], code = letter_key(b);
            unsigned mods = in->len && in->len <= 4 && numbers(in->seq, in->len, a, 1)
                          ? modifiers(a[0]) : 0;
            if (code) return key(ev, code, mods);
            if (b >= 'j' && b <= 'y') return key(ev, (uint32_t)b - 'j' + '*', mods);   /* keypad */
            return b < 0x20 ? ground(in, b, 0, ev) : 0;
        }
    case STRING: case STRING_ESC: return in_string(in, b, ev);
    default: return ground(in, b, 0, ev);
    }
}

size_t input_timeout(struct input *in, struct input_event ev[2]) {
    int state = in->state;
    in->state = GROUND;
    switch (state) {
    case ESC: return key(ev, INPUT_ESC, 0);
    case CSI: return in->len == 0 ? key(ev, '[', INPUT_ALT) : 0;
    case SS3: return in->len == 0 ? key(ev, 'O', INPUT_ALT) : 0;
    case STRING: return in->len == 1 ? key(ev, in->seq[0], INPUT_ALT) : 0;
    case STRING_ESC: return in->len == 1 ? key(ev, in->seq[0], INPUT_ALT) + key(ev + 1, INPUT_ESC, 0)
                                         : 0;
    default: return 0;
    }
}

static const struct { const char *name; uint32_t code; } names[] = {
    { "up", INPUT_UP }, { "down", INPUT_DOWN }, { "left", INPUT_LEFT }, { "right", INPUT_RIGHT },
    { "home", INPUT_HOME }, { "end", INPUT_END }, { "pgup", INPUT_PGUP }, { "pgdn", INPUT_PGDN },
    { "insert", INPUT_INSERT }, { "delete", INPUT_DELETE }, { "tab", INPUT_TAB },
    { "backtab", INPUT_BACKTAB }, { "enter", INPUT_ENTER }, { "esc", INPUT_ESC },
    { "backspace", INPUT_BACKSPACE }, { "space", ' ' },
};

enum status input_key_parse(struct input_event *out, const char *name) {
    static const struct { const char *prefix; unsigned mod; } prefixes[] = {
        { "ctrl-", INPUT_CTRL }, { "alt-", INPUT_ALT }, { "shift-", INPUT_SHIFT },
    };
    const char *s = name;
    unsigned mods = 0;
    for (size_t i = 0; i < 3; i++) {
        size_t len = strlen(prefixes[i].prefix);
        if (strncasecmp(s, prefixes[i].prefix, len) == 0 && s[len]) {
            s += len;
            mods |= prefixes[i].mod;
            i = (size_t)-1;   /* from the first again: any order */
        }
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcasecmp(s, names[i].name) == 0) {
            if (names[i].code == INPUT_TAB && (mods & INPUT_SHIFT))
                key(out, INPUT_BACKTAB, mods & ~(unsigned)INPUT_SHIFT);
            else
                key(out, names[i].code, mods);
            return OK;
        }
    for (uint32_t i = 0; i < 12; i++) {
        char f[8];
        snprintf(f, sizeof f, "f%u", (unsigned)(i + 1));
        if (strcasecmp(s, f) == 0) { key(out, INPUT_F1 + i, mods); return OK; }
    }
    uint32_t cp;
    size_t n = text_decode(s, &cp);
    if (n && !s[n] && cp > 0x20 && cp != 0x7F && (cp < 0x80 || cp >= 0xA0) && !(cp == 0xFFFD && n == 1)) {
        /* Written Ctrl-L, sent as ctrl-l. */
        key(out, mods & INPUT_CTRL && cp >= 'A' && cp <= 'Z' ? cp + 'a' - 'A' : cp, mods);
        return OK;
    }
    return fail(ERR_USAGE, "key '%s': not a character nor a name such as down, pgdn, enter, esc, "
                "space, f5, ctrl-l", name);
}

void input_key_name(char *out, size_t size, const struct input_event *ev) {
    char one[8] = "";
    const char *name = NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].code == ev->code) name = names[i].name;
    if (ev->code >= INPUT_F1 && ev->code <= INPUT_F12)
        snprintf(one, sizeof one, "f%u", (unsigned)(ev->code - INPUT_F1 + 1));
    else if (!name && ev->code <= 0x10FFFF)
        one[text_encode(one, ev->code)] = 0;
    snprintf(out, size, "%s%s%s%s", (ev->mods & INPUT_CTRL) ? "ctrl-" : "",
             (ev->mods & INPUT_ALT) ? "alt-" : "", (ev->mods & INPUT_SHIFT) ? "shift-" : "",
             name ? name : one);
}

int input_script_next(const char **script, char *word, size_t size) {
    const char *s = *script;
    while (*s == ' ' || *s == '\t' || *s == '\n') s++;
    size_t n = 0;
    while (*s && *s != ' ' && *s != '\t' && *s != '\n') {
        if (n + 1 < size) word[n++] = *s;
        s++;
    }
    word[n] = 0;
    *script = s;
    return n > 0;
}
