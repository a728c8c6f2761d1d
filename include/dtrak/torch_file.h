/* torch_file.h - the tensors of a PyTorch checkpoint (.bin, .pt): a state dict.
 *
 * Both of torch.save()'s formats: the ZIP archive (1.6 and later) and the older
 * row of pickles.  The pickle is read by pickle.h, so nothing in it is run; the
 * archive by a reader that trusts none of its numbers.  A checkpoint that holds
 * more than tensors by name is refused with the name of what is none. */
#ifndef DTRAK_TORCH_FILE_H
#define DTRAK_TORCH_FILE_H

#include "dtrak/err.h"
#include "dtrak/safetensors.h"

#include <stddef.h>

struct torch_file;

/* 1 when the bytes start like one of the two. */
int torch_file_is(const void *bytes, size_t len);

/* bytes are borrowed and must outlive *out; name is used in messages. */
enum status torch_file_open(struct torch_file **out, const void *bytes, size_t len, const char *name);
void torch_file_free(struct torch_file *f);
size_t torch_file_count(const struct torch_file *f);
/* In the file's order; contiguous, whatever the strides were. */
const struct safetensors_entry *torch_file_at(const struct torch_file *f, size_t i);

#endif
