ridge_steps.o: src/attribution/ridge_steps.c include/dtrak/ridge_steps.h \
  include/dtrak/err.h include/dtrak/pool.h include/dtrak/progress.h \
  include/dtrak/krylov.h include/dtrak/mem.h

include/dtrak/ridge_steps.h:

include/dtrak/err.h:

include/dtrak/pool.h:

include/dtrak/progress.h:

include/dtrak/krylov.h:

include/dtrak/mem.h:
