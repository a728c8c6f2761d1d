/* lds_options.h - the options of `dtrak lds` under which it goes on with what was retrained. */
#ifndef PIPELINE_LDS_OPTIONS_H
#define PIPELINE_LDS_OPTIONS_H

#include "lds_parts.h"

/* "dtrak lds my.db --subsets 64 --steps 200 --queries val:0-5": those options of the protocols that are not the default.
 * o: how many subsets, seeds and second seeds; the rest of it is not read.  "" when no options bring the protocols back
 * (the project was trained otherwise since, or items are gone), with the first difference, "val.count 48/256" now/then; "" too where
 * another program retrained. */
enum status lds_options_command(char out[LDS_COMMAND], char difference[160], struct store *s, const struct lds_options *o,
                                const char *train, const char *eval);

#endif
