/* export_parts.h - what the exports share. */
#ifndef PIPELINE_EXPORT_PARTS_H
#define PIPELINE_EXPORT_PARTS_H

#include "dtrak/buf.h"
#include "dtrak/export.h"
#include "dtrak/new_folder.h"
#include "dtrak/npy.h"
#include "dtrak/store.h"

/* ,"name":"text" and ,"name":5 */
void export_add_text(struct buf *b, const char *name, const char *text);
void export_add_size(struct buf *b, const char *name, size_t value);
/* ,"name":{..}: stored JSON as it is, else as text. */
void export_add_json(struct buf *b, const char *name, const char *text);

/* "program", "project" and "exported", the head of dtrak.json. */
enum status export_add_head(struct buf *b, struct store *s, const char *format);
/* A set's identity, each with a comma before it. */
void export_add_features(struct buf *b, const struct feature_set *set, size_t step);
void export_add_scores(struct buf *b, const struct score_set *set, const struct checkpoint_list *l);
size_t export_step(const struct checkpoint_list *l, int64_t id);

/* Rows in the array's type; of float16 ERR_RANGE for a number that is too large, or a row that is too small whole. */
enum status export_add_rows(struct npy_out *out, const float *number, size_t rows, size_t cols);
/* The file ends, or is taken away when st is not OK; returns the first error. */
enum status export_end(struct npy_out *out, enum status st);

/* Rows of a set, one part of it or their mean (part SIZE_MAX), block by block to the file. */
enum status export_feature_rows(struct npy_out *out, struct store *s, const struct feature_set *set, size_t part,
                                const struct progress *p);

#endif
