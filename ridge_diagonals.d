ridge_diagonals.o: src/attribution/ridge_diagonals.c \
  src/attribution/ridge_parts.h include/dtrak/ridge.h \
  include/dtrak/err.h include/dtrak/pool.h include/dtrak/progress.h \
  include/dtrak/rows.h include/dtrak/linalg.h include/dtrak/mem.h

src/attribution/ridge_parts.h:

include/dtrak/ridge.h:

include/dtrak/err.h:

include/dtrak/pool.h:

include/dtrak/progress.h:

include/dtrak/rows.h:

include/dtrak/linalg.h:

include/dtrak/mem.h:
