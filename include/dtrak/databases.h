/* databases.h - database files by name or by folder, with a line of facts for each.
 *
 * Finding them reads names and a few bytes; what a file holds is read one file at a
 * time, so that a list can be shown before all of it is known. */
#ifndef DTRAK_DATABASES_H
#define DTRAK_DATABASES_H

#include "dtrak/err.h"
#include "dtrak/store_item.h"

#include <stddef.h>
#include <stdint.h>

struct store;

struct database_facts {
    char *path;
    int known;                    /* what stands below has been read */
    char why_not[240];            /* not "": it cannot be shown, and why */
    char name[128], origin[256];  /* of the project */
    size_t items[SPLIT_COUNT];
    size_t checkpoints, score_sets;
    char methods[160];            /* display names of what has scores, the most telling first: "D-TRAK, TRAK" */
    uint64_t bytes;               /* of the file; 0: unknown */
    char changed[11];             /* day, "2026-11-03"; "": unknown */
};

struct database_list { struct database_facts *one; size_t count; };
void database_list_free(struct database_list *l);   /* fine on a zeroed one */

/* Is it a folder (or a link to one)? */
int database_is_folder(const char *path);

/* The paths in their order; a folder gives the databases in it by name: every file that
 * ends in .db, and every other that begins like one of ours.  Nothing is opened.
 * ERR_MISSING: a folder without any, or that cannot be read (which, is in the message);
 * ERR_NOMEM. */
enum status database_list_find(struct database_list *out, const char *const *paths, size_t count);

/* Fills in the rest of a file that is open. */
enum status database_facts_from(struct database_facts *f, struct store *s);
/* It cannot be: the latest fail_reason() goes to why_not. */
void database_facts_refuse(struct database_facts *f);

#endif
