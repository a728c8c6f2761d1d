check.o: src/store/check.c src/store/db.h include/dtrak/store.h \
  include/dtrak/err.h include/dtrak/progress.h \
  include/dtrak/store_item.h include/dtrak/store_checkpoint.h \
  include/dtrak/store_feature.h include/dtrak/store_basis.h \
  include/dtrak/store_score.h include/dtrak/store_job.h \
  include/dtrak/store_subset.h include/dtrak/store_check.h \
  include/dtrak/hash.h include/dtrak/mem.h

src/store/db.h:

include/dtrak/store.h:

include/dtrak/err.h:

include/dtrak/progress.h:

include/dtrak/store_item.h:

include/dtrak/store_checkpoint.h:

include/dtrak/store_feature.h:

include/dtrak/store_basis.h:

include/dtrak/store_score.h:

include/dtrak/store_job.h:

include/dtrak/store_subset.h:

include/dtrak/store_check.h:

include/dtrak/hash.h:

include/dtrak/mem.h:
