lambda_test.o: tests/unit/lambda_test.c include/dtrak/lambda.h \
  include/dtrak/err.h include/dtrak/linalg.h include/dtrak/mem.h \
  include/dtrak/ridge.h include/dtrak/pool.h include/dtrak/progress.h \
  include/dtrak/rows.h include/dtrak/rng.h tests/unit/../lib/near.h

include/dtrak/lambda.h:

include/dtrak/err.h:

include/dtrak/linalg.h:

include/dtrak/mem.h:

include/dtrak/ridge.h:

include/dtrak/pool.h:

include/dtrak/progress.h:

include/dtrak/rows.h:

include/dtrak/rng.h:

tests/unit/../lib/near.h:
