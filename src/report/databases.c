/* databases.c - database files by name or by folder, with a line of facts for each. */
#include "dtrak/databases.h"

#include "dtrak/loss.h"
#include "dtrak/mem.h"
#include "dtrak/method.h"
#include "dtrak/store.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { DATABASES_MAX = 10000 };

void database_list_free(struct database_list *l) {
    for (size_t i = 0; i < l->count; i++) mem_free(l->one[i].path);
    mem_free(l->one);
    memset(l, 0, sizeof *l);
}

int database_is_folder(const char *path) {
    struct stat sb;
    return stat(path, &sb) == 0 && S_ISDIR(sb.st_mode);
}

/* Takes path over, also when it fails. */
static enum status add(struct database_list *l, char *path) {
    struct database_facts *more = path ? mem_resize(l->one, l->count, l->count + 1, sizeof *more) : NULL;
    if (!more) {
        mem_free(path);
        return fail(ERR_NOMEM, "databases: out of memory");
    }
    l->one = more;
    l->one[l->count++].path = path;
    return OK;
}

/* --- folders --- */

static int is_regular(const char *path) {
    struct stat sb;
    return stat(path, &sb) == 0 && S_ISREG(sb.st_mode);
}

static char *join(const char *folder, const char *name) {
    size_t len = strlen(folder), need = len + strlen(name) + 2;
    char *path = mem_array(need, 1);
    if (path) snprintf(path, need, "%s%s%s", folder, len && folder[len - 1] == '/' ? "" : "/", name);
    return path;
}

static int by_path(const void *a, const void *b) {
    const struct database_facts *x = a, *y = b;
    return strcmp(x->path, y->path);
}

static enum status add_folder(struct database_list *l, const char *folder) {
    enum status st = OK;
    size_t first = l->count;
    DIR *d = opendir(folder);
    if (!d) return fail(ERR_MISSING, "%s: %s", folder, strerror(errno));
    for (struct dirent *e; st == OK && (e = readdir(d));) {
        size_t len = strlen(e->d_name);
        int named = len > 3 && strcmp(e->d_name + len - 3, ".db") == 0;
        if (e->d_name[0] == '.') continue;
        char *path = join(folder, e->d_name);
        if (!path) st = fail(ERR_NOMEM, "databases: out of memory");
        else if (named ? is_regular(path) : store_is_database(path)) st = add(l, path);
        else mem_free(path);
        if (l->count - first > DATABASES_MAX) st = fail(ERR_RANGE, "%s: more than %d databases", folder, DATABASES_MAX);
    }
    closedir(d);
    if (st == OK && l->count == first)
        return fail(ERR_MISSING, "%s: no database in this folder; `dtrak new %s/my.db` makes one", folder, folder);
    if (st == OK) qsort(l->one + first, l->count - first, sizeof *l->one, by_path);
    return st;
}

enum status database_list_find(struct database_list *out, const char *const *paths, size_t count) {
    struct database_list l = { NULL, 0 };
    enum status st = OK;
    memset(out, 0, sizeof *out);
    for (size_t i = 0; st == OK && i < count; i++)
        st = database_is_folder(paths[i]) ? add_folder(&l, paths[i]) : add(&l, mem_copy_string(paths[i]));
    if (st == OK) *out = l;
    else database_list_free(&l);
    return st;
}

/* --- facts --- */

static void read_file(struct database_facts *f) {
    struct stat sb;
    struct tm day;
    if (stat(f->path, &sb) != 0) return;
    f->bytes = (uint64_t)sb.st_size;
    if (localtime_r(&sb.st_mtime, &day)) strftime(f->changed, sizeof f->changed, "%Y-%m-%d", &day);
}

/* TRAK and its kin stand first in enum method; of one method by its losses. */
static void name_methods(struct database_facts *f, const struct score_set_list *l) {
    for (int m = 0; m < METHOD_COUNT; m++) {
        unsigned seen = 0;
        for (size_t i = 0; i < l->count; i++) {
            char name[METHOD_DISPLAY];
            enum loss loss = loss_parse(l->set[i].loss);
            if (strcmp(l->set[i].method, method_name((enum method)m)) != 0 || seen & 1u << loss) continue;
            seen |= 1u << loss;
            method_display(name, (enum method)m, loss);
            size_t at = strlen(f->methods);
            if (at + strlen(name) + 3 > sizeof f->methods) return;
            snprintf(f->methods + at, sizeof f->methods - at, "%s%s", at ? ", " : "", name);
        }
    }
}

enum status database_facts_from(struct database_facts *f, struct store *s) {
    struct project p;
    struct checkpoint_list checkpoints = { NULL, 0, NULL };
    struct score_set_list scores = { NULL, 0 };
    enum status st = OK;
    f->known = 1;
    read_file(f);
    TRY_TO(store_project_get(s, &p));
    snprintf(f->name, sizeof f->name, "%s", p.name);
    snprintf(f->origin, sizeof f->origin, "%s", p.origin);
    for (int i = 0; i < SPLIT_COUNT; i++) TRY_TO(store_items_count(s, (enum split)i, &f->items[i]));
    TRY_TO(store_checkpoints_list(s, &checkpoints));
    TRY_TO(store_score_sets_list(s, &scores));
    f->checkpoints = checkpoints.count;
    f->score_sets = scores.count;
    name_methods(f, &scores);
done:
    checkpoint_list_free(&checkpoints);
    score_set_list_free(&scores);
    return st;
}

/* The reason without the path that it begins with: the list shows that. */
void database_facts_refuse(struct database_facts *f) {
    const char *why = fail_reason();
    size_t len = strlen(f->path);
    if (strncmp(why, f->path, len) == 0 && strncmp(why + len, ": ", 2) == 0) why += len + 2;
    f->known = 1;
    snprintf(f->why_not, sizeof f->why_not, "%s", why[0] ? why : "it cannot be read");
}
