/* commands.c - the commands in the order of the help. */
#include "dtrak/cli.h"

static const struct command *const commands[] = {
#define COMMAND(name) &command_##name,
#include "commands.def"
#undef COMMAND
};

const struct command *const *cli_commands(size_t *count) {
    *count = sizeof commands / sizeof *commands;
    return commands;
}
