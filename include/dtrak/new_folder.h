/* new_folder.h - a folder of files that comes to be whole or not at all.
 *
 * It is filled under a temporary name beside its place and renamed at the end.  Its
 * dtrak.json lists its files, by which an earlier one is known: only a folder that
 * holds nothing else is replaced. */
#ifndef DTRAK_NEW_FOLDER_H
#define DTRAK_NEW_FOLDER_H

#include "dtrak/buf.h"
#include "dtrak/err.h"

#include <stddef.h>

enum { NEW_FOLDER_PATH = 4096 };
#define NEW_FOLDER_LIST "dtrak.json"

struct new_folder {
    char place[NEW_FOLDER_PATH];      /* absolute, without an end slash: where it will be */
    char temp[NEW_FOLDER_PATH];       /* where it is filled; "" when there is none */
    int replace;
    char **file;                      /* relative paths, in the order asked for */
    size_t files, room;
};

/* dir must be new, or with force an earlier folder of this kind.  Nothing is made yet: the
 * temporary folder comes with the first path. */
enum status new_folder_begin(struct new_folder *f, const char *dir, int force);

/* The path to write the file at, "features/3.npy"; folders on the way are made. */
enum status new_folder_path(struct new_folder *f, const char *file, char out[NEW_FOLDER_PATH]);

/* Writes dtrak.json, an object of `members` (JSON text, "\"format\":...") and the list of
 * files, and gives the folder its name. */
enum status new_folder_end(struct new_folder *f, const struct buf *members);

/* Takes away what was written, unless it ended.  Frees; fine on a zeroed one. */
void new_folder_close(struct new_folder *f);

#endif
