/* zip.h - ZIP archives of stored files, which is what PyTorch writes; private
 * to formats/.
 *
 * What the central directory and the local headers say is checked against each
 * other and against the file: nothing compressed or encrypted, no two entries
 * with one name or with bytes in common, nothing outside, every CRC right. */
#ifndef DTRAK_FORMATS_ZIP_H
#define DTRAK_FORMATS_ZIP_H

#include "dtrak/err.h"

#include <stddef.h>

enum { ZIP_ENTRIES_MAX = 65535, ZIP_NAME_MAX = 255 };

struct zip_entry {
    char name[ZIP_NAME_MAX + 1];
    const unsigned char *data;    /* inside the caller's bytes */
    size_t len;
};

struct zip { struct zip_entry *entry; size_t count; };   /* by name */

/* bytes are borrowed and must outlive *z; name is used in messages. */
enum status zip_open(struct zip *z, const void *bytes, size_t len, const char *name);
void zip_close(struct zip *z);   /* fine on a zeroed one */
const struct zip_entry *zip_find(const struct zip *z, const char *entry);

#endif
