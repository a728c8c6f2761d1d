projection_sjlt.o: src/attribution/projection_sjlt.c \
  src/attribution/projection_parts.h include/dtrak/projection.h \
  include/dtrak/err.h include/dtrak/pool.h include/dtrak/rng.h \
  include/dtrak/mem.h

src/attribution/projection_parts.h:

include/dtrak/projection.h:

include/dtrak/err.h:

include/dtrak/pool.h:

include/dtrak/rng.h:

include/dtrak/mem.h:
