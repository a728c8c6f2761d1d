projection_dense.o: src/attribution/projection_dense.c \
  src/attribution/projection_parts.h include/dtrak/projection.h \
  include/dtrak/err.h include/dtrak/pool.h include/dtrak/rng.h \
  include/dtrak/mem.h include/dtrak/random_matrix.h

src/attribution/projection_parts.h:

include/dtrak/projection.h:

include/dtrak/err.h:

include/dtrak/pool.h:

include/dtrak/rng.h:

include/dtrak/mem.h:

include/dtrak/random_matrix.h:
