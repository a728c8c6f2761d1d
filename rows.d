rows.o: src/attribution/rows.c include/dtrak/rows.h include/dtrak/err.h \
  include/dtrak/progress.h include/dtrak/linalg.h include/dtrak/mem.h

include/dtrak/rows.h:

include/dtrak/err.h:

include/dtrak/progress.h:

include/dtrak/linalg.h:

include/dtrak/mem.h:
