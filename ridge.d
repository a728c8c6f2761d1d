ridge.o: tests/bench/ridge.c include/dtrak/lambda.h include/dtrak/err.h \
  include/dtrak/linalg.h include/dtrak/mem.h include/dtrak/pool.h \
  include/dtrak/progress.h include/dtrak/ridge.h include/dtrak/rows.h \
  include/dtrak/ridge_steps.h include/dtrak/rng.h

include/dtrak/lambda.h:

include/dtrak/err.h:

include/dtrak/linalg.h:

include/dtrak/mem.h:

include/dtrak/pool.h:

include/dtrak/progress.h:

include/dtrak/ridge.h:

include/dtrak/rows.h:

include/dtrak/ridge_steps.h:

include/dtrak/rng.h:
