#include "dtrak/tensors.h"

#include "dtrak/file.h"
#include "dtrak/mem.h"
#include "dtrak/torch_file.h"

#include <stdlib.h>
#include <string.h>

struct source {
    struct safetensors *safe;
    struct torch_file *torch;
    unsigned char *bytes;        /* ours, or NULL */
};

struct tensors {
    struct source *sources;
    size_t n_sources;
    const struct safetensors_entry **entry;   /* by name */
    size_t count;
};

enum status tensors_new(struct tensors **out) {
    *out = mem_array(1, sizeof **out);
    return *out ? OK : fail(ERR_NOMEM, "tensors: out of memory");
}

void tensors_free(struct tensors *t) {
    if (!t) return;
    for (size_t i = 0; i < t->n_sources; i++) {
        safetensors_free(t->sources[i].safe);
        torch_file_free(t->sources[i].torch);
        mem_free(t->sources[i].bytes);
    }
    mem_free(t->sources);
    mem_free(t->entry);
    mem_free(t);
}

static int by_name(const void *a, const void *b) {
    const struct safetensors_entry *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static enum status open_source(struct source *s, const unsigned char *p, size_t len, const char *name) {
    if (torch_file_is(p, len)) return torch_file_open(&s->torch, p, len, name);
    if (len > 262 && !memcmp(p + 257, "ustar", 5))
        return fail(ERR_FORMAT, "%s: a tar archive, PyTorch's format before 0.1.10; save it again with a newer PyTorch", name);
    return safetensors_open(&s->safe, p, len, name);
}

static enum status add_entries(struct tensors *t, const struct source *s, const char *name) {
    size_t n = s->safe ? safetensors_count(s->safe) : torch_file_count(s->torch);
    const struct safetensors_entry **more = mem_resize(t->entry, t->count, t->count + n, sizeof *more);
    if (!more) return fail(ERR_NOMEM, "%s: out of memory", name);
    t->entry = more;
    for (size_t i = 0; i < n; i++) t->entry[t->count++] = s->safe ? safetensors_at(s->safe, i) : torch_file_at(s->torch, i);
    qsort(t->entry, t->count, sizeof *t->entry, by_name);
    for (size_t i = 1; i < t->count; i++)
        if (!by_name(&t->entry[i - 1], &t->entry[i]))
            return fail(ERR_FORMAT, "%s: tensor \"%.80s\" stands in another file of the model too", name, t->entry[i]->name);
    return OK;
}

static enum status add_source(struct tensors *t, const unsigned char *p, size_t len, unsigned char *own, const char *name) {
    struct source *more = mem_resize(t->sources, t->n_sources, t->n_sources + 1, sizeof *more);
    if (!more) {
        mem_free(own);
        return fail(ERR_NOMEM, "%s: out of memory", name);
    }
    t->sources = more;
    struct source *s = &t->sources[t->n_sources++];
    s->bytes = own;
    TRY(open_source(s, p, len, name));
    return add_entries(t, s, name);
}

enum status tensors_add(struct tensors *t, const void *bytes, size_t len, const char *name) {
    return add_source(t, bytes, len, NULL, name);
}

enum status tensors_add_file(struct tensors *t, const char *path, size_t max) {
    unsigned char *bytes;
    size_t len;
    TRY(file_read(&bytes, &len, path, max));
    return add_source(t, bytes, len, bytes, path);
}

size_t tensors_count(const struct tensors *t) { return t->count; }

const struct safetensors_entry *tensors_at(const struct tensors *t, size_t i) {
    return i < t->count ? t->entry[i] : NULL;
}

const struct safetensors_entry *tensors_find(const struct tensors *t, const char *name) {
    struct safetensors_entry wanted = { .name = name };
    const struct safetensors_entry *pointer = &wanted;
    if (!t->count) return NULL;
    const struct safetensors_entry **hit = bsearch(&pointer, t->entry, t->count, sizeof *t->entry, by_name);
    return hit ? *hit : NULL;
}
