/* keys.c - the explorer's keys as the rows of the manual page, from the list that the program uses.
 *
 * `make bless` puts them between the two marks in man/dtrak.1; tests/cli/install.sh compares. */
#include "dtrak/tui.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What roff would take for its own is escaped. */
static void print_safe(const char *s) {
    for (; *s; s++) {
        if (*s == '\\') fputs("\\e", stdout);
        else if (*s == '-') fputs("\\-", stdout);
        else if (*s == '\'') fputs("\\(aq", stdout);
        else if (*s == '^') fputs("\\(ha", stdout);
        else putchar(*s);
    }
}

int main(void) {
    char *text = NULL, *next;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    if (!f) return 1;
    tui_print_keys(f);
    if (fclose(f)) return 1;
    for (char *line = text; line && *line; line = next) {
        next = strchr(line, '\n');
        if (next) *next++ = 0;
        char *context = strchr(line, '\t'), *help = context ? strchr(context + 1, '\t') : NULL;
        char *action = help;
        if (action) help = strchr(action + 1, '\t');
        if (!help) return 1;
        *context++ = 0;
        *action++ = 0;
        *help++ = 0;
        printf(".TP\n\\fB");
        print_safe(line);
        printf("\\fR  (");
        print_safe(context);
        printf(")  \\fI");
        print_safe(action);
        printf("\\fR\n\\&");
        print_safe(help);
        putchar('\n');
    }
    free(text);
    return 0;
}
