neighbours.o: src/attribution/neighbours.c include/dtrak/neighbours.h \
  include/dtrak/err.h include/dtrak/pool.h include/dtrak/progress.h \
  include/dtrak/rows.h include/dtrak/linalg.h include/dtrak/mem.h

include/dtrak/neighbours.h:

include/dtrak/err.h:

include/dtrak/pool.h:

include/dtrak/progress.h:

include/dtrak/rows.h:

include/dtrak/linalg.h:

include/dtrak/mem.h:
