projection.o: src/attribution/projection.c \
  src/attribution/projection_parts.h include/dtrak/projection.h \
  include/dtrak/err.h include/dtrak/pool.h include/dtrak/rng.h \
  include/dtrak/mem.h

src/attribution/projection_parts.h:

include/dtrak/projection.h:

include/dtrak/err.h:

include/dtrak/pool.h:

include/dtrak/rng.h:

include/dtrak/mem.h:
