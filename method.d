method.o: src/attribution/method.c include/dtrak/method.h \
  include/dtrak/err.h include/dtrak/loss.h include/dtrak/ridge.h \
  include/dtrak/pool.h include/dtrak/progress.h include/dtrak/rows.h \
  include/dtrak/rng.h

include/dtrak/method.h:

include/dtrak/err.h:

include/dtrak/loss.h:

include/dtrak/ridge.h:

include/dtrak/pool.h:

include/dtrak/progress.h:

include/dtrak/rows.h:

include/dtrak/rng.h:
