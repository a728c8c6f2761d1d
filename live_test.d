live_test.o: tests/unit/live_test.c tests/unit/../lib/store_rig.h \
  include/dtrak/store.h include/dtrak/err.h include/dtrak/progress.h \
  include/dtrak/store_item.h include/dtrak/store_checkpoint.h \
  include/dtrak/store_feature.h include/dtrak/store_basis.h \
  include/dtrak/store_score.h include/dtrak/store_job.h \
  include/dtrak/store_subset.h include/dtrak/store_check.h \
  include/dtrak/live.h include/dtrak/lambda.h include/dtrak/mem.h \
  include/dtrak/pipeline.h include/dtrak/loss.h

tests/unit/../lib/store_rig.h:

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

include/dtrak/live.h:

include/dtrak/lambda.h:

include/dtrak/mem.h:

include/dtrak/pipeline.h:

include/dtrak/loss.h:
