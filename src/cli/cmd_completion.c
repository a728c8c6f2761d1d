/* cmd_completion.c - dtrak completion bash|zsh: what a shell needs to know of the commands.
 *
 * Made from the tables that make --help.  `make install` writes its output where the shells look;
 * it is not among the commands that --help lists. */
#include "dtrak/cli.h"
#include "dtrak/image.h"
#include "dtrak/loss.h"
#include "dtrak/method.h"
#include "dtrak/projection.h"
#include "dtrak/store_item.h"

#include <stdio.h>
#include <string.h>

static const struct option options[] = { { NULL, 0, NULL, NULL } };

/* --- what may follow an option --- */

static void add_word(char *out, size_t size, const char *word) {
    size_t len = strlen(out);
    snprintf(out + len, size - len, "%s%s", len ? " " : "", word);
}

/* Words, as far as they are known; "" otherwise. */
static void words_of(char *out, size_t size, const struct option *o) {
    const char *name = o->name;
    out[0] = 0;
    if (!strcmp(name, "loss")) {
        for (int i = 0; i < LOSS_COUNT; i++) add_word(out, size, loss_name((enum loss)i));
    } else if (!strcmp(name, "method")) {
        add_word(out, size, "dtrak");
        for (int i = 0; i < METHOD_COUNT; i++) add_word(out, size, method_name((enum method)i));
    } else if (!strcmp(name, "split")) {
        for (int i = 0; i < SPLIT_COUNT; i++) add_word(out, size, split_name((enum split)i));
    } else if (!strcmp(name, "filter")) {
        for (int i = 0; i < IMAGE_FILTER_COUNT; i++) add_word(out, size, image_filter_name((enum image_filter)i));
    } else if (!strcmp(name, "checkpoint")) {
        add_word(out, size, strstr(o->help, "all") ? "last all" : "last");
    } else if (!strcmp(name, "lambda")) {
        add_word(out, size, strstr(o->help, "grid") ? "auto grid" : "auto");   /* a sweep is not one ranking's */
    }
}

static int is_file(const struct option *o) {
    static const char *const files[] = { "FILE", "DIR", "IMAGES LABELS", "LIST.txt" };
    for (size_t i = 0; o->value && i < sizeof files / sizeof *files; i++)
        if (!strcmp(o->value, files[i])) return 1;
    return 0;
}

/* --- bash --- */

static void bash_command(const struct command *c) {
    char words[512];
    printf("    %s)\n        options='", c->name);
    for (const struct option *o = c->options; o->name; o++) printf("--%s ", o->name);
    printf("--help'\n        case $before in\n");
    for (const struct option *o = c->options; o->name; o++) {
        words_of(words, sizeof words, o);
        if (!o->values) continue;
        if (is_file(o)) printf("        --%s) files=1 ;;\n", o->name);
        else printf("        --%s) words='%s' value=1 ;;\n", o->name, words);
    }
    printf("        esac ;;\n");
}

static void print_bash(const struct command *const *all, size_t count) {
    printf("# bash completion for dtrak, made by `dtrak completion bash`\n"
           "_dtrak() {\n"
           "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
           "    local options= words= value= files= list=\n"
           "    COMPREPLY=()\n"
           "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
           "        COMPREPLY=($(compgen -W '");
    for (size_t i = 0; i < count; i++) printf("%s ", all[i]->name);
    printf("--help --version' -- \"$word\"; compgen -f -X '!*.db' -- \"$word\"))\n"
           "        return\n"
           "    fi\n"
           "    case ${COMP_WORDS[1]} in\n");
    for (size_t i = 0; i < count; i++) bash_command(all[i]);
    printf("    esac\n"
           "    if [ -n \"$value\" ]; then\n"
           "        case $word in *,*) list=${word%%,*}, ;; esac\n"
           "        [ -z \"$words\" ] || COMPREPLY=($(compgen -P \"$list\" -W \"$words\" -- \"${word##*,}\"))\n"
           "    elif [ -z \"$files\" ] && [ \"${word#-}\" != \"$word\" ]; then\n"
           "        COMPREPLY=($(compgen -W \"$options\" -- \"$word\"))\n"
           "    else\n"
           "        COMPREPLY=($(compgen -f -- \"$word\"))\n"
           "    fi\n"
           "}\n"
           "complete -o filenames -F _dtrak dtrak\n");
}

/* --- zsh --- */

/* Inside '...' and a spec of _arguments. */
static void zsh_text(const char *s) {
    for (; *s; s++) {
        if (*s == '\'') printf("'\\''");
        else if (strchr("[]:\\", *s)) printf("\\%c", *s);
        else putchar(*s);
    }
}

static void zsh_command(const struct command *c) {
    char words[512];
    printf("    %s)\n        _arguments", c->name);
    for (const struct option *o = c->options; o->name; o++) {
        printf(" \\\n            '--%s[", o->name);
        zsh_text(o->help);
        printf("]");
        words_of(words, sizeof words, o);
        for (int i = 0; i < o->values; i++) {
            printf(":");
            zsh_text(o->value);
            if (is_file(o)) printf(":_files");
            else if (*words) printf(":_sequence compadd - %s", words);
            else printf(":");
        }
        printf("'");
    }
    printf(" \\\n            '--help[how it is used]' \\\n            '*:");
    zsh_text(c->files);
    printf(":_files' ;;\n");
}

static void print_zsh(const struct command *const *all, size_t count) {
    printf("#compdef dtrak\n"
           "# zsh completion for dtrak, made by `dtrak completion zsh`\n"
           "_dtrak() {\n"
           "    local -a commands\n"
           "    commands=(\n");
    for (size_t i = 0; i < count; i++) {
        printf("        '%s:", all[i]->name);
        zsh_text(all[i]->summary);
        printf("'\n");
    }
    printf("    )\n"
           "    if (( CURRENT == 2 )); then\n"
           "        _describe command commands\n"
           "        _files -g '*.db'\n"
           "        return\n"
           "    fi\n"
           "    local command=$words[2]\n"
           "    shift words\n"
           "    (( CURRENT-- ))\n"
           "    case $command in\n");
    for (size_t i = 0; i < count; i++) zsh_command(all[i]);
    printf("    esac\n"
           "}\n"
           "_dtrak \"$@\"\n");
}

static enum status run_completion(const struct args *a) {
    size_t count;
    const struct command *const *all = cli_commands(&count);
    if (!strcmp(a->file[0], "bash")) print_bash(all, count);
    else if (!strcmp(a->file[0], "zsh")) print_zsh(all, count);
    else return fail(ERR_USAGE, "'%s' is neither bash nor zsh", a->file[0]);
    return OK;
}

const struct command command_completion = {
    "completion", "bash|zsh", "print what the shell needs to complete commands and options",
    options, 1, 1, "  dtrak completion bash > ~/.local/share/bash-completion/completions/dtrak\n", run_completion
};
