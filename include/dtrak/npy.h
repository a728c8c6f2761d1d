/* npy.h - NumPy's array files, versions 1 and 2, little-endian, C order. */
#ifndef DTRAK_NPY_H
#define DTRAK_NPY_H

#include "dtrak/buf.h"
#include "dtrak/err.h"
#include "dtrak/file.h"

#include <stddef.h>

#define NPY_RANK_MAX 8

enum npy_type { NPY_F2, NPY_F4, NPY_F8, NPY_U1, NPY_I4, NPY_I8 };

struct npy {
    enum npy_type type;
    size_t rank, shape[NPY_RANK_MAX];
    size_t count;                /* product of the shape; 1 for rank 0 */
    const unsigned char *data;   /* count elements inside the caller's bytes, any alignment */
    int fortran;                 /* the first axis varies fastest; 0 for fewer than 2 axes */
};

/* bytes are borrowed; they must hold exactly what the header promises.
 * Fortran order, big-endian and other types are refused. */
enum status npy_parse(struct npy *out, const void *bytes, size_t len, const char *name);
/* The same, and Fortran order is taken. */
enum status npy_parse_any_order(struct npy *out, const void *bytes, size_t len, const char *name);
size_t npy_item_size(enum npy_type t);

/* count elements, converted. */
void npy_floats(float *out, const struct npy *a);
void npy_doubles(double *out, const struct npy *a);

/* Appends an array file; data holds the elements in memory's own form (NPY_F2
 * as uint16_t bits).  rank <= NPY_RANK_MAX. */
enum status npy_write(struct buf *out, enum npy_type type, size_t rank, const size_t *shape,
                      const void *data);

/* The same to a file, in pieces, of any size; the path must be new, and the file is
 * there when npy_end() is OK.  Exactly as many elements are added as the shape has. */
struct npy_out { struct file_out file; enum npy_type type; size_t left; };
enum status npy_begin(struct npy_out *o, const char *path, enum npy_type type, size_t rank, const size_t *shape);
enum status npy_add(struct npy_out *o, const void *data, size_t count);
enum status npy_end(struct npy_out *o);
void npy_abandon(struct npy_out *o);      /* fine on one that ended, or a zeroed one */

#endif
