/* state.h - what was shown last of each database, to begin there the next time.
 *
 * One JSON file in the user's state folder.  Without a file it lasts for the session, for
 * going over to another database and back. */
#ifndef TUI_STATE_H
#define TUI_STATE_H

#include "dtrak/err.h"

#include <stddef.h>

struct app;
struct shown;      /* of one database */

struct states {
    struct shown *one;
    size_t count;
    char file[4096];             /* "": none */
};

/* From path, where there is such a file; one that makes no sense is taken for none. */
void states_load(struct states *s, const char *path);
void states_free(struct states *s);

/* What the explorer shows now is what the next start begins with. */
void states_note(struct states *s, const struct app *a);
/* Shows what was noted of the database, as far as it is still there and options do not say
 * otherwise. */
void states_apply(const struct states *s, struct app *a);

/* Writes the file whole, with what other explorers wrote meanwhile of other databases. */
enum status states_save(const struct states *s);

#endif
