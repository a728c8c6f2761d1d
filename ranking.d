ranking.o: src/report/ranking.c include/dtrak/report.h \
  include/dtrak/buf.h include/dtrak/err.h include/dtrak/comparison.h \
  include/dtrak/image.h include/dtrak/selfstudy.h include/dtrak/store.h \
  include/dtrak/progress.h include/dtrak/store_item.h \
  include/dtrak/store_checkpoint.h include/dtrak/store_feature.h \
  include/dtrak/store_basis.h include/dtrak/store_score.h \
  include/dtrak/store_job.h include/dtrak/store_subset.h \
  include/dtrak/store_check.h src/report/parts.h include/dtrak/json.h \
  include/dtrak/lambda.h include/dtrak/mem.h include/dtrak/method.h \
  include/dtrak/loss.h include/dtrak/ridge.h include/dtrak/pool.h \
  include/dtrak/rows.h include/dtrak/text.h

include/dtrak/report.h:

include/dtrak/buf.h:

include/dtrak/err.h:

include/dtrak/comparison.h:

include/dtrak/image.h:

include/dtrak/selfstudy.h:

include/dtrak/store.h:

include/dtrak/progress.h:

include/dtrak/store_item.h:

include/dtrak/store_checkpoint.h:

include/dtrak/store_feature.h:

include/dtrak/store_basis.h:

include/dtrak/store_score.h:

include/dtrak/store_job.h:

include/dtrak/store_subset.h:

include/dtrak/store_check.h:

src/report/parts.h:

include/dtrak/json.h:

include/dtrak/lambda.h:

include/dtrak/mem.h:

include/dtrak/method.h:

include/dtrak/loss.h:

include/dtrak/ridge.h:

include/dtrak/pool.h:

include/dtrak/rows.h:

include/dtrak/text.h:
