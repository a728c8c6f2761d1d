das.o: src/attribution/das.c include/dtrak/das.h include/dtrak/err.h \
  include/dtrak/linalg.h include/dtrak/mem.h

include/dtrak/das.h:

include/dtrak/err.h:

include/dtrak/linalg.h:

include/dtrak/mem.h:
