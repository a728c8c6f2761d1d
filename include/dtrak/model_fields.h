/* model_fields.h - every field of a model folder's JSON files, in one table each.
 *
 * A field is honoured (read by name where the file is read), required to have
 * one of the values that the engine does, or informational (it says nothing
 * about what the network computes).  Nothing else may stand in the file: a
 * field that nobody knows could change the network.  The tables in
 * man/dtrak-model.5 are these, which tests/cli/install.sh checks.
 *
 * Sources: the signatures of UNet2DModel, DDPMScheduler and DDIMScheduler from
 * diffusers 0.16 to 0.35, and of the first models on the hub. */
#ifndef DTRAK_MODEL_FIELDS_H
#define DTRAK_MODEL_FIELDS_H

#include "dtrak/err.h"
#include "dtrak/json.h"

#include <stddef.h>

enum field_rule { FIELD_HONOURED, FIELD_REQUIRED, FIELD_INFORMATIONAL };

/* What may stand there; bits. */
enum field_type { FIELD_INT = 1, FIELD_NUMBER = 2, FIELD_BOOL = 4, FIELD_TEXT = 8, FIELD_NULL = 16,
                  FIELD_LIST = 32, FIELD_OBJECT = 64, FIELD_ANY = 127 };

struct model_field {
    const char *name;
    enum field_rule rule;
    unsigned types;
    const char *values;      /* FIELD_REQUIRED: as in JSON, the first is the usual one: "silu"|"swish" */
    const char *about;       /* for people: what it does or why it is not read */
};

struct model_fields {
    const char *what;        /* "network" */
    const char *file;        /* "config.json" */
    const struct model_field *field;
    size_t count;
};

const struct model_fields *model_fields_network(void);
const struct model_fields *model_fields_scheduler(void);

/* root is an object with known fields of the right types and values, or
 * ERR_FORMAT naming the first that is not, what was found and what is expected.
 * A wrong _class_name is named before anything else. */
enum status model_fields_check(const struct model_fields *t, const struct json *root, const char *name);

#endif
