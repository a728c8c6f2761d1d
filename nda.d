nda.o: src/attribution/nda.c include/dtrak/nda.h include/dtrak/err.h \
  include/dtrak/pool.h include/dtrak/progress.h include/dtrak/rows.h \
  include/dtrak/schedule.h include/dtrak/mem.h include/dtrak/patch.h

include/dtrak/nda.h:

include/dtrak/err.h:

include/dtrak/pool.h:

include/dtrak/progress.h:

include/dtrak/rows.h:

include/dtrak/schedule.h:

include/dtrak/mem.h:

include/dtrak/patch.h:
