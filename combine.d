combine.o: src/attribution/combine.c include/dtrak/combine.h \
  include/dtrak/err.h include/dtrak/linalg.h include/dtrak/mem.h

include/dtrak/combine.h:

include/dtrak/err.h:

include/dtrak/linalg.h:

include/dtrak/mem.h:
