/* store_until.h - a database for a thread that others may stop.  See store.h. */
#ifndef DTRAK_STORE_UNTIL_H
#define DTRAK_STORE_UNTIL_H

#include "dtrak/store.h"

#include <stdatomic.h>

/* store_open() with a flag that ends every wait for a file that somebody has locked, in it and
 * later: once it is set, by any thread, such a wait is ERR_DB within some milliseconds.  The
 * flag has to outlive the store; NULL: none. */
enum status store_open_until(struct store **out, const char *path, enum store_mode mode, atomic_int *stop);

#endif
