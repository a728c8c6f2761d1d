krylov.o: src/linalg/krylov.c include/dtrak/krylov.h include/dtrak/err.h \
  include/dtrak/pool.h include/dtrak/progress.h include/dtrak/mem.h

include/dtrak/krylov.h:

include/dtrak/err.h:

include/dtrak/pool.h:

include/dtrak/progress.h:

include/dtrak/mem.h:
