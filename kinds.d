kinds.o: src/jobs/kinds.c include/dtrak/jobs.h include/dtrak/err.h \
  include/dtrak/pipeline.h include/dtrak/loss.h include/dtrak/progress.h \
  include/dtrak/json.h include/dtrak/buf.h include/dtrak/method.h \
  include/dtrak/ridge.h include/dtrak/pool.h include/dtrak/rows.h \
  include/dtrak/store.h include/dtrak/store_item.h \
  include/dtrak/store_checkpoint.h include/dtrak/store_feature.h \
  include/dtrak/store_basis.h include/dtrak/store_score.h \
  include/dtrak/store_job.h include/dtrak/store_subset.h \
  include/dtrak/store_check.h

include/dtrak/jobs.h:

include/dtrak/err.h:

include/dtrak/pipeline.h:

include/dtrak/loss.h:

include/dtrak/progress.h:

include/dtrak/json.h:

include/dtrak/buf.h:

include/dtrak/method.h:

include/dtrak/ridge.h:

include/dtrak/pool.h:

include/dtrak/rows.h:

include/dtrak/store.h:

include/dtrak/store_item.h:

include/dtrak/store_checkpoint.h:

include/dtrak/store_feature.h:

include/dtrak/store_basis.h:

include/dtrak/store_score.h:

include/dtrak/store_job.h:

include/dtrak/store_subset.h:

include/dtrak/store_check.h:
