cmd_basis.o: src/cli/cmd_basis.c include/dtrak/cli.h include/dtrak/err.h \
  include/dtrak/progress.h include/dtrak/cost.h include/dtrak/pipeline.h \
  include/dtrak/loss.h include/dtrak/store.h include/dtrak/store_item.h \
  include/dtrak/store_checkpoint.h include/dtrak/store_feature.h \
  include/dtrak/store_basis.h include/dtrak/store_score.h \
  include/dtrak/store_job.h include/dtrak/store_subset.h \
  include/dtrak/store_check.h

include/dtrak/cli.h:

include/dtrak/err.h:

include/dtrak/progress.h:

include/dtrak/cost.h:

include/dtrak/pipeline.h:

include/dtrak/loss.h:

include/dtrak/store.h:

include/dtrak/store_item.h:

include/dtrak/store_checkpoint.h:

include/dtrak/store_feature.h:

include/dtrak/store_basis.h:

include/dtrak/store_score.h:

include/dtrak/store_job.h:

include/dtrak/store_subset.h:

include/dtrak/store_check.h:
