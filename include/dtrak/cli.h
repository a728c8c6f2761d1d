/* cli.h - the command line: one table per command, one parser for all.
 *
 * A command says in a struct which options and how many files it takes, and
 * has a function that does it.  The parser fills a struct args, the function
 * reads it with the args_*() getters, and main() turns the status into the exit
 * status: 0 done, 1 failed (one line on stderr), 2 wrong usage (the line and
 * the usage line).  Help is printed from the same tables. */
#ifndef DTRAK_CLI_H
#define DTRAK_CLI_H

#include "dtrak/err.h"
#include "dtrak/progress.h"

#include <stddef.h>
#include <stdint.h>

struct args;
struct store;

/* --name VALUE; values is how many words follow (0: a flag, 2: --idx).  A flag with
 * a value text ("=DECAY") also takes --name=VALUE. */
struct option { const char *name; int values; const char *value, *help; };

struct command {
    const char *name, *files, *summary;
    const struct option *options;      /* ends with a NULL name */
    size_t min_files, max_files;
    const char *example;               /* whole lines */
    enum status (*run)(const struct args *a);
};

enum { ARGS_OPTIONS = 32, ARGS_FILES_MANY = 1 << 20 };

/* Every string is borrowed from argv. */
struct args {
    const struct command *command;
    const char **file;                 /* [n_files] */
    size_t n_files;
    const char *value[ARGS_OPTIONS][2];
    int given[ARGS_OPTIONS], help;
};

/* Reads argv[0..argc) (the words after the command) into *a, or ERR_USAGE.  args_free() in
 * either case. */
enum status args_parse(struct args *a, const struct command *c, int argc, char *const *argv);
void args_free(struct args *a);

/* Asserts that the command has the option.  A getter leaves *out as it is when
 * the option was not given; a value that does not fit is ERR_USAGE. */
int args_has(const struct args *a, const char *name);
const char *args_text(const struct args *a, const char *name, const char *otherwise);
/* The second word of an option that takes two; NULL when it was not given. */
const char *args_second(const struct args *a, const char *name);
enum status args_size(const struct args *a, const char *name, size_t min, size_t max, size_t *out);
enum status args_u64(const struct args *a, const char *name, uint64_t *out);
enum status args_real(const struct args *a, const char *name, double min, double max, double *out);

/* Cuts the next comma-separated word of *list into word (size bytes); 0 at the
 * end.  A word that does not fit is cut. */
int args_next_word(const char **list, char *word, size_t size);

/* "simple,square" or "all" as a bit per enum loss. */
enum status args_losses(const struct args *a, unsigned *bits);

/* A count that ends the whole word, or ERR_USAGE naming what. */
enum status args_parse_size(const char *word, const char *what, size_t min, size_t max, size_t *out);

/* dtrak COMMAND [DB] [options] on one line; and the whole help page. */
void args_print_usage(const struct command *c, void *file);
void args_print_help(const struct command *c);

/* --- progress on the console --- */

/* Shows progress on stderr (a line drawn again on a terminal, plain lines at
 * most every five seconds otherwise) and turns SIGINT, SIGTERM and SIGHUP into
 * a cancel.  One at a time. */
struct console {
    struct progress progress;
    struct rate rate;
    char what[64];
    double shown_at;
    char line[512];          /* the latest, perhaps not shown yet */
    int terminal, open, pending;
};
void console_start(struct console *c);
void console_end(struct console *c);      /* ends an open line, gives the signals back */

/* Opens the database for one command: writable or not; closes it and returns st. */
enum status cli_open(struct store **out, const char *path, int writable);
enum status cli_close(struct store *s, enum status st);

/* A file that an option names: before any work, that its ending says `kind` (file_check_ending()) and that it is
 * not there, or --force; and writing it. */
enum status cli_out_check(const struct args *a, const char *path, const char *kind);
enum status cli_out_write(const struct args *a, const char *path, const void *bytes, size_t len);

/* --split as a bit per enum split; *bits stays as it is when it was not given. */
enum status cli_splits(const struct args *a, unsigned *bits);

/* --memory as bytes: "512M", "1.5G", "2GiB", "800000000".  *bytes stays as it is when
 * it was not given. */
enum status cli_memory(const struct args *a, size_t *bytes);

/* Where files that a database speaks of may lie beside its own folder. */
#define CLI_FEATURE_ROOT { "feature-root", 1, "DIR", "features in files below DIR are read too (the database's folder)" }
enum status cli_feature_root(const struct args *a);

/* A sink that prints "features: 1.2 TFLOP, about ..." on stderr, or with
 * --dry-run on standard output and asks to stop there. */
struct cost_sink;
void cli_cost(struct cost_sink *out, const struct args *a);

/* The options that say a setting, and what they said. */
#define CLI_SETTING_OPTIONS \
    { "method", 1, "M", "trak grad-dot grad-cos pixel-cos ...; dtrak is trak with loss square (trak)" }, \
    { "loss", 1, "L", "simple elbo square avg l1 l2 linf (simple)" }, \
    { "checkpoint", 1, "C", "a step, 50%, last, a network's name, or all: the ensemble (what drew the image)" }, \
    { "timesteps", 1, "N", "of the features (the most there are)" }, \
    { "dims", 1, "K", "of the features (the most there are)" }, \
    { "lambda", 1, "V", "0.05 (relative), abs:500, or auto (auto, else the newest)" }
struct report_request;
enum status cli_setting(const struct args *a, struct report_request *r);

/* The options that choose among stored sets, each with `what` before it, and what they said. */
#define CLI_PICK_OPTIONS(what) \
    { "method", 1, "M", what " this method; dtrak is trak with loss square" }, \
    { "loss", 1, "L", what " this loss" }, \
    { "checkpoint", 1, "LIST", what " these checkpoints: steps, percentages, names, last, all" }, \
    { "timesteps", 1, "N", what " so many timesteps" }, \
    { "dims", 1, "K", what " so many dimensions" }, \
    { "lambda", 1, "V", what " this lambda: 0.05, abs:500, auto, or grid: any of it" }, \
    { "split", 1, "LIST", what " these splits: train, val, gen" }
struct pick;
enum status cli_pick(const struct args *a, struct pick *p);

/* "dtrak: LINE" on the stream ctx, with no control byte. */
void cli_say(void *ctx, const char *line);

/* A path on standard output, with no control byte. */
void cli_print_name(const char *path);

/* Writes rankings as one HTML page and says so on standard output. */
struct report_rankings;
enum status cli_page(const struct args *a, struct store *s, const struct report_rankings *r, const char *path);

/* "12 retrainings added, 3 were here" on standard output. */
struct merge_counts;
void cli_print_merged(const struct merge_counts *n);

/* --- the commands --- */

/* One line each; src/cli/commands.def gives their order. */
extern const struct command command_view;
extern const struct command command_new;
extern const struct command command_train;
extern const struct command command_sample;
extern const struct command command_features;
extern const struct command command_gradient;
extern const struct command command_add;
extern const struct command command_score;
extern const struct command command_basis;
extern const struct command command_lds;
extern const struct command command_counterfactual;
extern const struct command command_merge;
extern const struct command command_work;
extern const struct command command_rank;
extern const struct command command_page;
extern const struct command command_export;
extern const struct command command_compare;
extern const struct command command_neighbours;
extern const struct command command_self;
extern const struct command command_nda_map;
extern const struct command command_sheet;
extern const struct command command_info;
extern const struct command command_check;
extern const struct command command_backup;
extern const struct command command_slim;
extern const struct command command_drop;
extern const struct command command_import;
extern const struct command command_import_model;
extern const struct command command_export_model;
extern const struct command command_probe;
/* Not among them. */
extern const struct command command_completion;

/* All of commands.def. */
const struct command *const *cli_commands(size_t *count);

#endif
