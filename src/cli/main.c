/* main.c - finds the command, runs it, turns its status into the exit status.
 *
 * `dtrak DB` is `dtrak view DB`.  A word that names a command is that command;
 * ./train opens a file of that name. */
#include "dtrak/cli.h"
#include "dtrak/linalg.h"
#include "dtrak/text.h"

#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const struct command *command_find(const char *word) {
    size_t count;
    const struct command *const *all = cli_commands(&count);
    for (size_t i = 0; i < count; i++)
        if (!strcmp(all[i]->name, word)) return all[i];
    return strcmp(word, command_completion.name) ? NULL : &command_completion;
}

static void print_usage(FILE *f) { fprintf(f, "usage: dtrak DB | dtrak COMMAND DB [options] | dtrak --help\n"); }

static void print_help(void) {
    size_t count;
    const struct command *const *all = cli_commands(&count);
    print_usage(stdout);
    printf("Which training images made this generated image?\n\ncommands:\n");
    printf("  %-14s %s\n", "DB", "open the explorer: the same as dtrak view DB");
    for (size_t i = 0; i < count; i++) printf("  %-14s %s\n", all[i]->name, all[i]->summary);
    printf("\n'dtrak COMMAND --help' shows the options of a command; 'dtrak ./train' opens a file\n"
           "that is named like one.  Exit status: 0 done, 1 failed, 2 wrong usage.\n\n"
           "example:\n"
           "  dtrak new my.db --idx train-images.gz train-labels.gz --classes 5,9 --per-class 500\n"
           "  dtrak train my.db && dtrak sample my.db --count 16\n"
           "  dtrak features my.db --loss simple,square && dtrak score my.db --loss simple,square\n"
           "  dtrak my.db\n");
}

static int finish(enum status st, const struct command *c) {
    errno = 0;     /* what failed earlier has left its mark on the stream, not its reason */
    if (st == OK && (fflush(stdout) || ferror(stdout)))
        st = fail(ERR_IO, "standard output: %s", errno ? strerror(errno) : "not everything could be written");
    if (st == OK) return 0;
    fflush(stdout);
    fprintf(stderr, "dtrak: %s\n", fail_reason());
    if (st != ERR_USAGE) return 1;
    if (c) args_print_usage(c, stderr);
    else print_usage(stderr);
    return 2;
}

static int run(const struct command *c, int argc, char *const *argv) {
    struct args a;
    enum status st = args_parse(&a, c, argc, argv);
    if (st == OK && a.help) args_print_help(c);
    else if (st == OK) st = c->run(&a);
    args_free(&a);
    return finish(st, c);
}

static enum status no_such_word(const char *word) {
    size_t n;
    const struct command *const *all = cli_commands(&n);
    const char *near = NULL;
    for (size_t i = 0; i < n; i++) near = text_nearer(word, near, all[i]->name);
    return fail(ERR_USAGE, near ? "'%s' is neither a command nor a file; did you mean %s?" : "'%s' is neither a command nor a file", word, near);
}

int main(int argc, char **argv) {
    struct stat file;
    linalg_rest();
    /* For curses alone; numbers are written and read as in C. */
    setlocale(LC_CTYPE, "");
    /* A file that may not grow further is an error like a full disk, not the end. */
    signal(SIGXFSZ, SIG_IGN);
    if (argc < 2) return finish(fail(ERR_USAGE, "no database and no command given"), NULL);
    const char *word = argv[1];
    if (!strcmp(word, "--help") || !strcmp(word, "-h") || !strcmp(word, "help")) {
        const struct command *c = argc > 2 ? command_find(argv[2]) : NULL;
        if (argc > 2 && !c) return finish(no_such_word(argv[2]), NULL);
        if (c) args_print_help(c);
        else print_help();
        return finish(OK, NULL);
    }
    if (!strcmp(word, "--version")) {
        printf("dtrak %s\n", DTRAK_VERSION);
        return finish(OK, NULL);
    }
    const struct command *c = command_find(word);
    if (c) return run(c, argc - 2, argv + 2);
    if (word[0] == '-') return finish(fail(ERR_USAGE, "unknown option %s", word), NULL);
    if (stat(word, &file) && !strpbrk(word, "./")) return finish(no_such_word(word), NULL);
    return run(&command_view, argc - 1, argv + 1);
}
