/* text.h - UTF-8 that may come from anywhere, made safe for a terminal.
 *
 * Widths are our own (wcwidth's answer depends on the locale, and people
 * arrive over SSH with the C locale): 0 for combining marks, 2 for East Asian
 * wide and emoji, 1 for the rest. */
#ifndef DTRAK_TEXT_H
#define DTRAK_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* Reads one code point at s (0-terminated) and returns its length in bytes;
 * 0 at the end.  A malformed byte is one code point U+FFFD of length 1. */
size_t text_decode(const char *s, uint32_t *cp);

/* Writes cp as UTF-8 (up to 4 bytes, no 0 added); returns the bytes written. */
size_t text_encode(char out[4], uint32_t cp);

/* Cells a code point takes: 0, 1 or 2. */
int text_cp_width(uint32_t cp);

/* Cells s takes on a terminal. */
size_t text_width(const char *s);

/* Copies s into out (size bytes, always 0-terminated), with every C0, DEL, C1
 * and malformed byte written as \xNN, and bidirectional controls as \u{NNNN};
 * cut at a character's edge when it does not fit.  out may not be s. */
void text_escape(char *out, size_t size, const char *s);

/* Copies s into out as one word for a shell: in single quotes where it would read anything else in it. */
void text_shell_word(char *out, size_t size, const char *s);

/* The longest prefix of s that takes at most `cells`; its length in bytes. */
size_t text_fit(const char *s, size_t cells);

/* For "did you mean": candidate where it is nearer to the word that was typed than so_far (NULL: nothing yet),
 * else so_far.  Near is one letter too many, too few, wrong, or two changed over; two of those in words of
 * five letters and more. */
const char *text_nearer(const char *word, const char *so_far, const char *candidate);

#endif
