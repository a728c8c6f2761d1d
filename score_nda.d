score_nda.o: src/pipeline/score_nda.c src/pipeline/score_parts.h \
  include/dtrak/cost.h include/dtrak/das.h include/dtrak/err.h \
  include/dtrak/lambda.h include/dtrak/method.h include/dtrak/loss.h \
  include/dtrak/ridge.h include/dtrak/pool.h include/dtrak/progress.h \
  include/dtrak/rows.h include/dtrak/pipeline.h \
  src/pipeline/score_source.h include/dtrak/store.h \
  include/dtrak/store_item.h include/dtrak/store_checkpoint.h \
  include/dtrak/store_feature.h include/dtrak/store_basis.h \
  include/dtrak/store_score.h include/dtrak/store_job.h \
  include/dtrak/store_subset.h include/dtrak/store_check.h \
  include/dtrak/items.h include/dtrak/image.h include/dtrak/buf.h \
  include/dtrak/schedule.h include/dtrak/unet.h include/dtrak/mem.h \
  include/dtrak/nda.h

src/pipeline/score_parts.h:

include/dtrak/cost.h:

include/dtrak/das.h:

include/dtrak/err.h:

include/dtrak/lambda.h:

include/dtrak/method.h:

include/dtrak/loss.h:

include/dtrak/ridge.h:

include/dtrak/pool.h:

include/dtrak/progress.h:

include/dtrak/rows.h:

include/dtrak/pipeline.h:

src/pipeline/score_source.h:

include/dtrak/store.h:

include/dtrak/store_item.h:

include/dtrak/store_checkpoint.h:

include/dtrak/store_feature.h:

include/dtrak/store_basis.h:

include/dtrak/store_score.h:

include/dtrak/store_job.h:

include/dtrak/store_subset.h:

include/dtrak/store_check.h:

include/dtrak/items.h:

include/dtrak/image.h:

include/dtrak/buf.h:

include/dtrak/schedule.h:

include/dtrak/unet.h:

include/dtrak/mem.h:

include/dtrak/nda.h:
