/* file.h - whole files in and out: capped reads, gzip, atomic writes.
 *
 * Readers of formats work on bytes in memory; this is where the bytes come
 * from.  Every message names the path. */
#ifndef DTRAK_FILE_H
#define DTRAK_FILE_H

#include "dtrak/buf.h"
#include "dtrak/err.h"

#include <stddef.h>

/* The whole of a regular file, for the caller to mem_free(); a 0 follows the
 * last byte and is not counted.  A file of more than max bytes is refused
 * (ERR_FORMAT) before anything is read; one that is not there is ERR_MISSING. */
enum status file_read(unsigned char **bytes, size_t *len, const char *path, size_t max);

/* The same, and gzip is undone when the file starts with its magic bytes;
 * max caps the compressed and the inflated size alike. */
enum status file_read_gz(unsigned char **bytes, size_t *len, const char *path, size_t max);

/* Inflates gzip (one or several members) into a new block; name is for messages. */
enum status file_inflate(unsigned char **out, size_t *out_len, const void *bytes, size_t len,
                         size_t max, const char *name);

/* Writes a new file beside path, flushes it to the disk and renames it to path, so that
 * path holds either what it held before or all of the new bytes.  Through a link the file that it
 * means; a pipe or a device is written to as it is; a database is never replaced (ERR_IO). */
enum status file_write(const char *path, const void *bytes, size_t len);
/* The same for a path that does not exist: what is there by then stays, and that is ERR_IO.
 * file_check_new() says so before the work that makes the bytes. */
enum status file_write_new(const char *path, const void *bytes, size_t len);
enum status file_check_new(const char *path);   /* a pipe, a device or the standard output holds nothing that could be lost */
/* What file_write() refuses whatever is asked for: a directory, a database, and what SQLite keeps beside one. */
enum status file_check_replaceable(const char *path);

/* kind, which is the ending of such files, will be written: png html csv json tsv txt safetensors.  ERR_USAGE where the
 * name's ending is that of another kind; one that is not known, or none, is the user's own. */
enum status file_check_ending(const char *path, const char *kind);

/* The same in pieces, for what is larger than memory.  A file that was begun ends with
 * file_end(), which gives it its name, or with file_abandon(), after which there is nothing;
 * abandoning one that ended, or a zeroed one, is fine. */
struct file_out { int fd, replace; char *path; struct buf temp; };
enum status file_begin(struct file_out *f, const char *path, int replace);
enum status file_add(struct file_out *f, const void *bytes, size_t len);
enum status file_end(struct file_out *f);
void file_abandon(struct file_out *f);

#endif
