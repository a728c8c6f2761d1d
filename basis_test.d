basis_test.o: tests/unit/basis_test.c include/dtrak/mem.h \
  include/dtrak/pipeline.h include/dtrak/err.h include/dtrak/loss.h \
  include/dtrak/progress.h include/dtrak/ridge.h include/dtrak/pool.h \
  include/dtrak/rows.h include/dtrak/rng.h include/dtrak/store.h \
  include/dtrak/store_item.h include/dtrak/store_checkpoint.h \
  include/dtrak/store_feature.h include/dtrak/store_basis.h \
  include/dtrak/store_score.h include/dtrak/store_job.h \
  include/dtrak/store_subset.h include/dtrak/store_check.h \
  tests/unit/../lib/store_rig.h tests/unit/../lib/near.h

include/dtrak/mem.h:

include/dtrak/pipeline.h:

include/dtrak/err.h:

include/dtrak/loss.h:

include/dtrak/progress.h:

include/dtrak/ridge.h:

include/dtrak/pool.h:

include/dtrak/rows.h:

include/dtrak/rng.h:

include/dtrak/store.h:

include/dtrak/store_item.h:

include/dtrak/store_checkpoint.h:

include/dtrak/store_feature.h:

include/dtrak/store_basis.h:

include/dtrak/store_score.h:

include/dtrak/store_job.h:

include/dtrak/store_subset.h:

include/dtrak/store_check.h:

tests/unit/../lib/store_rig.h:

tests/unit/../lib/near.h:
