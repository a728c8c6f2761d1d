/* slim.c - the verb `slim`: a copy that is small enough to hand on.
 *
 * Features are what makes a database large, and once scores and kernels are
 * there most people need them no more; an eigenbasis is as large, and follows from
 * them or from a kernel.  The copy keeps everything else; each
 * feature set's row stays and says that its blocks were dropped, so the same
 * `features` command brings them back. */
#include "dtrak/pipeline.h"

#include "dtrak/buf.h"
#include "dtrak/store.h"

#include <unistd.h>

static enum status drop_features(const char *path, int keep_basis, const struct progress *p) {
    struct store *s;
    struct feature_set_list l = { 0 };
    TRY(store_open(&s, path, STORE_WRITE));
    enum status st = store_feature_sets_list(s, &l);
    for (size_t i = 0; st == OK && i < l.count; i++) {
        st = store_feature_blocks_drop(s, l.set[i].id);
        if (st == OK && !keep_basis) st = store_basis_delete(s, l.set[i].id);
        if (st == OK) st = progress_check(p);
        progress_report(p, (double)(i + 1), (double)l.count, "drop features", "");
    }
    feature_set_list_free(&l);
    store_close(s);
    return st;
}

enum status pipeline_slim(const char *from, const char *to, int keep_basis, const struct progress *p) {
    struct buf whole = BUF_INIT;
    if (access(to, F_OK) == 0) return fail(ERR_IO, "%s is there already; slim makes a new file", to);
    buf_printf(&whole, "%s.whole-%ld", to, (long)getpid());
    enum status st = buf_status(&whole);
    if (st == OK) st = store_backup(from, whole.data, p);
    if (st == OK) st = drop_features(whole.data, keep_basis, p);
    if (st == OK) st = store_backup(whole.data, to, p);
    if (whole.data) unlink(whole.data);
    buf_free(&whole);
    return st;
}
