/* What the kernels of one CPU level provide to the engine: structs of function pointers, and the data they work on.
 *
 * There is one table per dtype. An array is void * here, and holds elements of the table's dtype, so that the tables of
 * both dtypes have one type. */
#ifndef CYNN_TABLES_H
#define CYNN_TABLES_H

#include <stddef.h>
#include <stdint.h>

#include "cynn/abi.h"
#include "prefetch.h"

/* ---- rows ---------------------------------------------------------------------------------- */

typedef enum { CYNN_UINT8, CYNN_FLOAT32, CYNN_FLOAT64 } cynn_element_kind;

/* A caller's matrix as it is in memory. Strides are in bytes, of either sign.
 *
 * In compressed sparse rows (CSR), `starts` is not NULL, and both strides are 0. Row i has the elements data[j] in the
 * columns column_of[j] - first_column, for starts[i] <= j < starts[i + 1], at most one per column. All other elements
 * are 0. */
typedef struct {
    const char *data;
    cynn_element_kind kind;
    int64_t rows, columns, row_stride, column_stride;
    const int64_t *starts;
    const int32_t *column_of;
    int64_t first_column;
} cynn_rows;

/* x becomes scale * x + offset. With `scales` and `offsets`, one of each for every column of the whole rows, both are the
 * largest of them by their magnitude; otherwise these are NULL. */
typedef struct {
    double scale, offset;
    const double *scales, *offsets;
} cynn_scaling;

static const cynn_scaling cynn_as_it_is = {1, 0, NULL, NULL};

/* A column of categories: whole numbers from 0 to count - 1. */
typedef struct {
    int64_t column, count;
} cynn_categories;

typedef struct {
    /* out (count x columns) := source[index[0..count)], scaled in double or as exactly, then rounded. index NULL: rows
     * 0..count. Rows are prefetched up to `ahead` entries of index beyond count; with -count, none are. With
     * check_finite, stops at the first row of out with a NaN or an infinity, and returns its position in
     * index. Otherwise returns -1. */
    int64_t (*gather)(const cynn_rows *source, const int64_t *index, int64_t count, int64_t ahead,
                      const cynn_scaling *scaling, int check_finite, void *out);
    /* The first row with a NaN or an infinity, or -1. */
    int64_t (*first_nonfinite_row)(const cynn_rows *source);
    /* Whether gathered rows have valid categories in those columns. */
    int (*are_categories)(int64_t n, const cynn_categories *categories, int64_t rows, int64_t columns, const void *x);
    /* target (count x columns): a row of zeros with a 1 at classes[index[i]], for each i. */
    void (*one_hot)(const int64_t *classes, const int64_t *index, int64_t count, int64_t columns, void *target);
    /* weight[i] := share * sample_weight[index[i]]; sample_weight NULL: all ones. */
    void (*weigh)(const double *sample_weight, const int64_t *index, int64_t count, double share, void *weight);
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
    double (*regularize)(int64_t size, const void *w, double l1, double l2, void *grad);
    int (*are_finite)(int64_t size, const void *x);
    double (*norm)(int64_t size, const void *x);
    void (*scale)(int64_t size, double factor, void *x);
    void (*add)(int64_t size, const void *x, void *total);
    /* x := x clipped to -limit..limit */
    void (*clip)(int64_t size, double limit, void *x);
    /* mean := momentum mean + (1 - momentum) w */
    void (*average)(int64_t size, const void *w, double momentum, void *mean);
    /* columns begin..end of a whole parameter */
    void (*constrain)(cynn_constraint_kind kind, double value, int64_t rows, int64_t columns, int64_t begin,
                      int64_t end, void *w);
} cynn_update_kernels;

/* ---- directions ------------------------------------------------------------------------------ */

/* Jᵀ diag(c) J, for rows of a block: c has a row of `width` numbers for each row, J has n, `stride` elements after those
 * of the row before. A stride of 0 means one J for all rows. */
typedef struct {
    const void *J, *c;
    int64_t width, stride;
} cynn_curvature_term;

typedef struct {
    /* out (rows, copies, columns) := x * factor (rows, columns). x has `copies` rows for each row, `stride` elements
     * after those of the row before. A stride of 0 means the same ones for all rows. out may begin where x does. */
    void (*multiply)(int64_t rows, int64_t copies, int64_t columns, const void *factor, const void *x, int64_t stride,
                     void *out);
    /* H (n x n) += the sum of the terms, for each row. The H of rows are `distance` elements apart. */
    void (*add_curvature)(int64_t rows, int64_t n, const cynn_curvature_term *terms, int64_t n_terms, void *H,
                          int64_t distance);
    /* The diagonals of the same. */
    void (*add_diagonal)(int64_t rows, int64_t n, const cynn_curvature_term *terms, int64_t n_terms, void *diagonal,
                         int64_t distance);
} cynn_direction_kernels;

/* ---- filling a table from Cython ------------------------------------------------------------ */

/* The types of arrays. Cython declares them as pointers to float or to double (tables.pxd). */
typedef void *cynn_array;
typedef const void *cynn_const_array;

/* Fills a table with functions in the order of its fields. The C compiler checks their types. */
#define cynn_set_row_kernels(table, ...) (*(table) = (cynn_row_kernels){__VA_ARGS__})
#define cynn_set_update_kernels(table, ...) (*(table) = (cynn_update_kernels){__VA_ARGS__})
#define cynn_set_direction_kernels(table, ...) (*(table) = (cynn_direction_kernels){__VA_ARGS__})

#endif
