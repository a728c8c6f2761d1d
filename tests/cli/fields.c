/* fields.c - the config fields of a model folder as rows of the manual page, from the tables that
 * the program uses.
 *
 *   fields network | scheduler
 * `make bless` puts them between their marks in man/dtrak-model.5; tests/cli/install.sh compares. */
#include "dtrak/model_fields.h"

#include <stdio.h>
#include <string.h>

/* What roff would take for its own is escaped. */
static void print_safe(const char *s) {
    for (; *s; s++) {
        if (*s == '\\') fputs("\\e", stdout);
        else if (*s == '-') fputs("\\-", stdout);
        else if (*s == '\'') fputs("\\(aq", stdout);
        else if (*s == '|') fputs(" or ", stdout);
        else putchar(*s);
    }
}

int main(int argc, char **argv) {
    static const char *const rules[] = { "honoured", "must be ", "informational" };
    const struct model_fields *t = argc == 2 && !strcmp(argv[1], "network") ? model_fields_network()
                                 : argc == 2 && !strcmp(argv[1], "scheduler") ? model_fields_scheduler() : NULL;
    if (!t) return 2;
    for (size_t i = 0; i < t->count; i++) {
        const struct model_field *f = &t->field[i];
        printf(".TP\n\\fB");
        print_safe(f->name);
        printf("\\fR  (%s", rules[f->rule]);
        if (f->rule == FIELD_REQUIRED) print_safe(f->values);
        printf(")\n\\&");
        print_safe(f->about);
        putchar('\n');
    }
    return 0;
}
