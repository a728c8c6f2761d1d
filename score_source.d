score_source.o: src/pipeline/score_source.c src/pipeline/score_source.h \
  include/dtrak/loss.h include/dtrak/ridge.h include/dtrak/err.h \
  include/dtrak/pool.h include/dtrak/progress.h include/dtrak/rows.h \
  include/dtrak/store.h include/dtrak/store_item.h \
  include/dtrak/store_checkpoint.h include/dtrak/store_feature.h \
  include/dtrak/store_basis.h include/dtrak/store_score.h \
  include/dtrak/store_job.h include/dtrak/store_subset.h \
  include/dtrak/store_check.h include/dtrak/cost.h include/dtrak/items.h \
  include/dtrak/image.h include/dtrak/buf.h include/dtrak/schedule.h \
  include/dtrak/unet.h include/dtrak/linalg.h include/dtrak/mem.h \
  include/dtrak/pipeline.h

src/pipeline/score_source.h:

include/dtrak/loss.h:

include/dtrak/ridge.h:

include/dtrak/err.h:

include/dtrak/pool.h:

include/dtrak/progress.h:

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

include/dtrak/cost.h:

include/dtrak/items.h:

include/dtrak/image.h:

include/dtrak/buf.h:

include/dtrak/schedule.h:

include/dtrak/unet.h:

include/dtrak/linalg.h:

include/dtrak/mem.h:

include/dtrak/pipeline.h:
