"""Arithmetic of blocks that have several rows for each row of values: one for each direction, or for each output."""

from cpython.pycapsule cimport PyCapsule_New
from libc.stdint cimport int64_t

from cynn.abi cimport floating
from cynn.kernels.tables cimport (
    Array,
    CurvatureTerm,
    DirectionKernels,
    DoubleArray,
    FloatArray,
    set_direction_kernels,
)

cdef extern from *:
    """
    #define T float
    #define NAME(x) x##_f32
    #define CYNN_ELEMENT_BYTES 4
    #include "curvature.h"
    #undef T
    #undef NAME
    #undef CYNN_ELEMENT_BYTES
    #define T double
    #define NAME(x) x##_f64
    #define CYNN_ELEMENT_BYTES 8
    #include "curvature.h"

    /* of the dtype of the matrix that is written */
    #define cynn_curvature_of(name, out) _Generic((out), float *: name##_f32, double *: name##_f64)
    #define cynn_any_add_curvature(rows, n, terms, n_terms, H, distance) \\
        cynn_curvature_of(cynn_add_curvature, H)(rows, n, terms, n_terms, H, distance)
    #define cynn_any_add_diagonal(rows, n, terms, n_terms, diagonal, distance) \\
        cynn_curvature_of(cynn_add_diagonal, diagonal)(rows, n, terms, n_terms, diagonal, distance)
    """
    void add_curvature "cynn_any_add_curvature"(
        int64_t rows, int64_t n, const CurvatureTerm *terms, int64_t n_terms, void *H, int64_t distance
    ) noexcept nogil
    void add_diagonal "cynn_any_add_diagonal"(
        int64_t rows, int64_t n, const CurvatureTerm *terms, int64_t n_terms, void *diagonal, int64_t distance
    ) noexcept nogil


cdef inline void multiply(
    int64_t rows, int64_t copies, int64_t columns, const floating *factor, const floating *x, int64_t stride,
    floating *out
) noexcept nogil:
    cdef int64_t row, k, j
    cdef const floating *each
    for row in range(rows - 1, -1, -1):  # out may begin where x, one block for all rows, is
        for k in range(row * copies, (row + 1) * copies):
            each = x + row * stride + (k - row * copies) * columns
            if each == out + k * columns:
                for j in range(columns):
                    out[k * columns + j] *= factor[row * columns + j]
            else:
                for j in range(columns):
                    out[k * columns + j] = each[j] * factor[row * columns + j]


cdef void multiply_untyped(
    int64_t rows, int64_t copies, int64_t columns, const void *factor, const void *x, int64_t stride, Array out
) noexcept nogil:
    multiply(rows, copies, columns, <Array>factor, <Array>x, stride, out)


cdef void add_curvature_untyped(
    int64_t rows, int64_t n, const CurvatureTerm *terms, int64_t n_terms, Array H, int64_t distance
) noexcept nogil:
    if Array is FloatArray:
        add_curvature(rows, n, terms, n_terms, <float *>H, distance)
    else:
        add_curvature(rows, n, terms, n_terms, <double *>H, distance)


cdef void add_diagonal_untyped(
    int64_t rows, int64_t n, const CurvatureTerm *terms, int64_t n_terms, Array diagonal, int64_t distance
) noexcept nogil:
    if Array is FloatArray:
        add_diagonal(rows, n, terms, n_terms, <float *>diagonal, distance)
    else:
        add_diagonal(rows, n, terms, n_terms, <double *>diagonal, distance)


cdef DirectionKernels[2] tables  # of float32 and of float64
set_direction_kernels(
    &tables[0], multiply_untyped[FloatArray], add_curvature_untyped[FloatArray], add_diagonal_untyped[FloatArray]
)
set_direction_kernels(
    &tables[1], multiply_untyped[DoubleArray], add_curvature_untyped[DoubleArray], add_diagonal_untyped[DoubleArray]
)

TABLES = PyCapsule_New(tables, "cynn.kernels.directions", NULL)
