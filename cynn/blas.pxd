# Row-major matrix products and random numbers for plugins, all on the calling thread.
#
# `from cynn.blas cimport gemm, gemv` gives the functions of the BLAS. The functions of the built-in layers, which use
# the fastest method for each shape, are in the struct of cynn/blas.h, which describes them:
#
#     from cynn.blas cimport affine, cynn_blas, import_blas
#     cdef const cynn_blas *blas = import_blas()      # at the top of the module
#     ...
#     affine(blas, rows, inputs, units, x, W, b, z, pass_.prefetch)
#
# With invalid arguments they compute nothing, and the call that ran the kernel raises a KernelError.
from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t

from cynn.abi cimport cynn_operands, cynn_pass, cynn_prefetch, floating
from cynn.kernels.blas cimport gemm, gemv

cdef extern from *:
    """
    #include "cynn/blas.h"
    #define cynn_of_dtype(blas, name, out) _Generic((out), float *: (blas)->name##_f32, double *: (blas)->name##_f64)
    #define cynn_any_gemm(blas, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, prefetch) \\
        cynn_of_dtype(blas, gemm, c)(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, prefetch)
    #define cynn_any_affine(blas, rows, inputs, units, x, W, b, z, prefetch) \\
        cynn_of_dtype(blas, affine, z)(rows, inputs, units, x, W, b, z, prefetch)
    #define cynn_any_uniform(blas, op, pass, first, count, out) \\
        cynn_of_dtype(blas, random_uniform, out)(op, pass, first, count, out)
    #define cynn_any_normal(blas, op, pass, first, count, out) \\
        cynn_of_dtype(blas, random_normal, out)(op, pass, first, count, out)
    """
    const char *CYNN_BLAS_CAPSULE

    ctypedef struct cynn_blas:
        uint16_t abi_major
        uint16_t abi_minor
        uint32_t struct_size
        uint64_t flags
        void (*gemm_f32)(
            int, int, int64_t, int64_t, int64_t, float, const float *, int64_t, const float *, int64_t, float, float *,
            int64_t, cynn_prefetch *
        ) noexcept nogil
        void (*gemm_f64)(
            int, int, int64_t, int64_t, int64_t, double, const double *, int64_t, const double *, int64_t, double,
            double *, int64_t, cynn_prefetch *
        ) noexcept nogil
        void (*affine_f32)(
            int64_t, int64_t, int64_t, const float *, const float *, const float *, float *, cynn_prefetch *
        ) noexcept nogil
        void (*affine_f64)(
            int64_t, int64_t, int64_t, const double *, const double *, const double *, double *, cynn_prefetch *
        ) noexcept nogil
        void (*gemv_f32)(
            int, int64_t, int64_t, float, const float *, int64_t, const float *, float, float *
        ) noexcept nogil
        void (*gemv_f64)(
            int, int64_t, int64_t, double, const double *, int64_t, const double *, double, double *
        ) noexcept nogil
        void (*random_words)(const cynn_operands *, const cynn_pass *, int64_t, int64_t, uint32_t *) noexcept nogil
        void (*random_uniform_f32)(const cynn_operands *, const cynn_pass *, int64_t, int64_t, float *) noexcept nogil
        void (*random_uniform_f64)(const cynn_operands *, const cynn_pass *, int64_t, int64_t, double *) noexcept nogil
        void (*random_normal_f32)(const cynn_operands *, const cynn_pass *, int64_t, int64_t, float *) noexcept nogil
        void (*random_normal_f64)(const cynn_operands *, const cynn_pass *, int64_t, int64_t, double *) noexcept nogil

    const cynn_blas *import_blas "cynn_import_blas"() except NULL
    # These four are the functions of the dtype of the matrix that is written.
    void product "cynn_any_gemm"(
        const cynn_blas *blas, bint transpose_a, bint transpose_b, int64_t m, int64_t n, int64_t k, double alpha,
        const void *a, int64_t lda, const void *b, int64_t ldb, double beta, void *c, int64_t ldc,
        cynn_prefetch *prefetch
    ) noexcept nogil
    void affine "cynn_any_affine"(
        const cynn_blas *blas, int64_t rows, int64_t inputs, int64_t units, const void *x, const void *W, const void *b,
        void *z, cynn_prefetch *prefetch
    ) noexcept nogil
    void random_uniform "cynn_any_uniform"(
        const cynn_blas *blas, const cynn_operands *op, const cynn_pass *pass_, int64_t first, int64_t count, void *out
    ) noexcept nogil
    void random_normal "cynn_any_normal"(
        const cynn_blas *blas, const cynn_operands *op, const cynn_pass *pass_, int64_t first, int64_t count, void *out
    ) noexcept nogil
