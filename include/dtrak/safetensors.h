/* safetensors.h - named tensors in one block of bytes, the format of diffusers.
 *
 * 8 bytes little-endian header length, a JSON header, then the data.  Reading
 * checks everything before it hands anything out: lengths, shapes against
 * bytes, no overlap, no gap, nothing past the end, no name twice. */
#ifndef DTRAK_SAFETENSORS_H
#define DTRAK_SAFETENSORS_H

#include "dtrak/buf.h"
#include "dtrak/err.h"

#include <stddef.h>

#define SAFETENSORS_RANK_MAX 8

enum tensor_type { TENSOR_F32, TENSOR_F16, TENSOR_BF16, TENSOR_OTHER };

struct safetensors;
struct safetensors_entry {
    const char *name;
    enum tensor_type type;
    const char *type_name;       /* as in the file: "F32" */
    size_t rank, shape[SAFETENSORS_RANK_MAX];
    size_t count;                /* product of the shape; 1 for rank 0 */
    const unsigned char *data;   /* inside the caller's bytes, any alignment */
    size_t len;
};

/* bytes are borrowed and must outlive *out; name is used in messages. */
enum status safetensors_open(struct safetensors **out, const void *bytes, size_t len,
                             const char *name);
void safetensors_free(struct safetensors *s);
size_t safetensors_count(const struct safetensors *s);
/* Entries in the order of the data. */
const struct safetensors_entry *safetensors_at(const struct safetensors *s, size_t i);
const struct safetensors_entry *safetensors_find(const struct safetensors *s, const char *name);
/* A string of __metadata__, or NULL. */
const char *safetensors_meta(const struct safetensors *s, const char *key);

/* e->count floats into out; ERR_FORMAT for a type that is none of the three. */
enum status safetensors_floats(float *out, const struct safetensors_entry *e);
/* Finds the tensor, checks that it has count elements and reads it: the
 * common case.  ERR_MISSING when there is none of that name. */
enum status safetensors_read(float *out, size_t count, const struct safetensors *s,
                             const char *name);

struct safetensors_tensor {
    const char *name;
    const float *values;
    size_t rank, shape[SAFETENSORS_RANK_MAX];
    enum tensor_type type;       /* how it is written; not TENSOR_OTHER */
};
/* A pair of strings for __metadata__. */
struct safetensors_pair { const char *key, *value; };

/* Appends a file to out.  The bytes depend on the tensors only, not on their
 * order: F32, F16, BF16, then by name; metadata in the order given (NULL, 0:
 * {"format":"pt"}, which transformers and diffusers look for).  A finite value
 * that float16 cannot hold is ERR_NUMERIC. */
enum status safetensors_write(struct buf *out, const struct safetensors_tensor *tensors,
                              size_t count, const struct safetensors_pair *meta, size_t n_meta);

#endif
