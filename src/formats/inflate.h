/* inflate.h - zlib set up to allocate through mem.h; private to formats/. */
#ifndef DTRAK_FORMATS_INFLATE_H
#define DTRAK_FORMATS_INFLATE_H

#include <zlib.h>

/* Clears z and points its allocator at mem.h. */
void inflate_hooks(z_stream *z);

#endif
