/* What the kernels of one CPU level provide to the engine: structs of function pointers, and the data they work on.
 *
 * As in abi.h, every function exists for float and for double. The engine selects those of its dtype once
 * (dtype_functions.h). */
#ifndef CYNN_TABLES_H
#define CYNN_TABLES_H

#include <stdint.h>

#include "cynn/abi.h"
#include "prefetch.h"

/* ---- rows ---------------------------------------------------------------------------------- */

typedef enum { CYNN_UINT8, CYNN_FLOAT32, CYNN_FLOAT64 } cynn_element_kind;

/* A caller's matrix as it is in memory. Strides are in bytes, of either sign. */
typedef struct {
    const char *data;
    cynn_element_kind kind;
    int64_t rows, columns, row_stride, column_stride;
} cynn_rows;

/* A column of categories: whole numbers from 0 to count - 1. */
typedef struct {
    int64_t column, count;
} cynn_categories;

typedef struct {
    /* out (count x columns) := scale * source[index[0..count)] + offset, computed in double or as exactly, then
     * narrowed. index NULL: rows 0..count. Rows are prefetched up to `ahead` entries of index beyond count (-count:
     * no prefetch). check_finite: stops at the first row with a NaN or an infinity in out, and returns its position in
     * index. Otherwise returns -1. */
    int64_t (*gather_f32)(const cynn_rows *source, const int64_t *index, int64_t count, int64_t ahead, double scale,
                          double offset, int check_finite, float *out);
    int64_t (*gather_f64)(const cynn_rows *source, const int64_t *index, int64_t count, int64_t ahead, double scale,
                          double offset, int check_finite, double *out);
    /* The first row with a NaN or an infinity, or -1. */
    int64_t (*first_nonfinite_row)(const cynn_rows *source);
    /* Whether gathered rows hold valid categories in those columns. */
    int (*are_categories_f32)(int64_t n, const cynn_categories *categories, int64_t rows, int64_t columns,
                              const float *x);
    int (*are_categories_f64)(int64_t n, const cynn_categories *categories, int64_t rows, int64_t columns,
                              const double *x);
    /* target (count x columns): a row of zeros with a 1 at classes[index[i]], for each i. */
    void (*one_hot_f32)(const int64_t *classes, const int64_t *index, int64_t count, int64_t columns, float *target);
    void (*one_hot_f64)(const int64_t *classes, const int64_t *index, int64_t count, int64_t columns, double *target);
    /* weight[i] := share * sample_weight[index[i]]; sample_weight NULL: all ones. */
    void (*weigh_f32)(const double *sample_weight, const int64_t *index, int64_t count, double share, float *weight);
    void (*weigh_f64)(const double *sample_weight, const int64_t *index, int64_t count, double share, double *weight);
} cynn_row_kernels;

/* ---- updates -------------------------------------------------------------------------------- */

typedef enum {
    CYNN_UNCONSTRAINED,
    CYNN_MAX_NORM,  /* the norm of each column is at most `value` */
    CYNN_UNIT_NORM, /* the norm of each column is `value` */
    CYNN_NON_NEGATIVE
} cynn_constraint_kind;

typedef struct {
    /* grad += dP/dw for P = sum of l1 |w| + l2 w^2; returns P */
    double (*regularize_f32)(int64_t size, const float *w, double l1, double l2, float *grad);
    double (*regularize_f64)(int64_t size, const double *w, double l1, double l2, double *grad);
    int (*are_finite_f32)(int64_t size, const float *x);
    int (*are_finite_f64)(int64_t size, const double *x);
    double (*norm_f32)(int64_t size, const float *x);
    double (*norm_f64)(int64_t size, const double *x);
    void (*scale_f32)(int64_t size, double factor, float *x);
    void (*scale_f64)(int64_t size, double factor, double *x);
    void (*add_f32)(int64_t size, const float *x, float *total);
    void (*add_f64)(int64_t size, const double *x, double *total);
    /* x := x clipped to -limit..limit */
    void (*clip_f32)(int64_t size, double limit, float *x);
    void (*clip_f64)(int64_t size, double limit, double *x);
    /* mean := momentum mean + (1 - momentum) w */
    void (*average_f32)(int64_t size, const float *w, double momentum, float *mean);
    void (*average_f64)(int64_t size, const double *w, double momentum, double *mean);
    /* columns begin..end of a whole parameter */
    void (*constrain_f32)(cynn_constraint_kind kind, double value, int64_t rows, int64_t columns, int64_t begin,
                          int64_t end, float *w);
    void (*constrain_f64)(cynn_constraint_kind kind, double value, int64_t rows, int64_t columns, int64_t begin,
                          int64_t end, double *w);
} cynn_update_kernels;

#endif
