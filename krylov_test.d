krylov_test.o: tests/unit/krylov_test.c include/dtrak/krylov.h \
  include/dtrak/err.h include/dtrak/pool.h include/dtrak/progress.h \
  include/dtrak/lambda.h include/dtrak/linalg.h include/dtrak/mem.h \
  include/dtrak/ridge.h include/dtrak/rows.h include/dtrak/ridge_steps.h \
  include/dtrak/rng.h tests/unit/../lib/near.h

include/dtrak/krylov.h:

include/dtrak/err.h:

include/dtrak/pool.h:

include/dtrak/progress.h:

include/dtrak/lambda.h:

include/dtrak/linalg.h:

include/dtrak/mem.h:

include/dtrak/ridge.h:

include/dtrak/rows.h:

include/dtrak/ridge_steps.h:

include/dtrak/rng.h:

tests/unit/../lib/near.h:
