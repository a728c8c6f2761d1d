lambda.o: src/attribution/lambda.c include/dtrak/lambda.h \
  include/dtrak/err.h

include/dtrak/lambda.h:

include/dtrak/err.h:
