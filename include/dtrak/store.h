/* store.h - one SQLite file that holds a whole attribution project.
 *
 * This header: open, close, transactions, backup, the project row.  It includes
 * the others: items (store_item.h), checkpoints and the training state
 * (store_checkpoint.h), features and kernels (store_feature.h, store_feature_file.h), scores and
 * per-item numbers (store_score.h), jobs, marks and notes (store_job.h), networks
 * retrained on subsets (store_subset.h), pictures that they make
 * (store_counterfactual.h), and the checker (store_check.h).
 *
 * One struct store per thread; a second one on the same file, from another
 * thread or process, works (writers wait for each other up to five seconds,
 * or as store_wait_longer() says).
 * Every function that writes is one transaction of its own, or joins the one
 * opened with store_begin() and then undoes only its own part when it fails.
 * A function that reads holds no transaction after it returned.
 *
 * Errors: ERR_DB when SQLite refused (path and reason in the message),
 * ERR_MISSING when what was asked for is not there, ERR_FORMAT when stored
 * bytes do not match their checksum (the row is named), ERR_RANGE for an
 * argument outside the contract, ERR_NOMEM. */
#ifndef DTRAK_STORE_H
#define DTRAK_STORE_H

#include "dtrak/err.h"
#include "dtrak/progress.h"
#include "dtrak/store_item.h"
#include "dtrak/store_checkpoint.h"
#include "dtrak/store_feature.h"
#include "dtrak/store_feature_file.h"
#include "dtrak/store_basis.h"
#include "dtrak/store_score.h"
#include "dtrak/store_job.h"
#include "dtrak/store_subset.h"
#include "dtrak/store_counterfactual.h"
#include "dtrak/store_embedding.h"
#include "dtrak/store_check.h"
#include "dtrak/store_drop.h"

#include <stddef.h>
#include <stdint.h>

struct store;

/* --- open and close --- */

/* At byte 68 of the file, most significant byte first: "dtrk". */
enum { STORE_APPLICATION_ID = 0x6474726b };

/* Whether the file is a database of dtrak, of any schema: its first bytes say so. */
int store_is_database(const char *path);

enum store_mode {
    STORE_READ,            /* never writes, also works on media that cannot be written */
    STORE_WRITE,           /* fails when the file cannot be written */
    STORE_WRITE_OR_READ    /* writes where possible, else as STORE_READ: ask store_is_read_only() */
};

/* ERR_IO: there is a file of this name, or no folder for it. */
enum status store_check_new(const char *path);

/* Starts a new database that will be called path, in a temporary file beside
 * it.  Refuses a path that exists.  store_publish() gives the file its name;
 * store_close() before that removes it, so a failed `new` leaves nothing. */
enum status store_create(struct store **out, const char *path);

/* The file under its own name, whole (no log beside it); s stays open for
 * writing.  On error the path does not exist and s can only be closed. */
enum status store_publish(struct store *s);

/* Opens an existing database.  An older schema is shown as the present one, and the
 * file's bytes stay as they are until the first write, which migrates it.
 * On any error *out is NULL. */
enum status store_open(struct store **out, const char *path, enum store_mode mode);

/* Rolls back an open transaction; the last writer to close leaves one whole
 * file, where the path still means the file that was opened.  NULL is fine. */
void store_close(struct store *s);

/* From now on waits a minute for other writers: work of hours must not end because
 * one of them, or the whole machine, was slow for some seconds. */
void store_wait_longer(struct store *s);

/* From now on a write waits a quarter of a second for other writers and no longer: somebody
 * sits before the screen.  Reading waits as before. */
void store_wait_briefly(struct store *s);

int store_is_read_only(const struct store *s);
const char *store_path(const struct store *s);   /* valid until store_close() */

/* --- transactions: several writes as one unit --- */

enum status store_begin(struct store *s);        /* IMMEDIATE; waits up to 5 s for another writer */
enum status store_commit(struct store *s);
void store_rollback(struct store *s);            /* does nothing outside a transaction */

/* A number that changes when another connection committed something. */
enum status store_data_version(struct store *s, int64_t *version);

/* Copies the database at src, also while it is written, to the new file dst
 * (refused when it exists; nothing is left on error).  p may be NULL. */
enum status store_backup(const char *src, const char *dst, const struct progress *p);

/* --- the project --- */

struct project {
    char name[128];
    size_t width, height, channels;   /* of every train and val image, in pixels */
    size_t patch;                     /* 1 or 2: space to depth before the network */
    double value_low, value_high;     /* what byte 0 and byte 255 become */
    char origin[256];                 /* where the data came from, for people */
    char command[1024];               /* the command that made it */
    char program[32];                 /* version that wrote it; set by the store when "" */
    char created[21];                 /* set by the store when "" */
};

enum status store_project_set(struct store *s, const struct project *p);
enum status store_project_get(struct store *s, struct project *p);

#endif
