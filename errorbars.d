errorbars.o: src/attribution/errorbars.c include/dtrak/errorbars.h \
  include/dtrak/err.h include/dtrak/lambda.h include/dtrak/progress.h \
  include/dtrak/rows.h include/dtrak/mem.h include/dtrak/ranking.h \
  include/dtrak/ridge.h include/dtrak/pool.h include/dtrak/rng.h

include/dtrak/errorbars.h:

include/dtrak/err.h:

include/dtrak/lambda.h:

include/dtrak/progress.h:

include/dtrak/rows.h:

include/dtrak/mem.h:

include/dtrak/ranking.h:

include/dtrak/ridge.h:

include/dtrak/pool.h:

include/dtrak/rng.h:
