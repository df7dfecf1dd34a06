/* Products of matrices and random numbers for the operations of plugins: the functions that the built-in layers use.
 *
 * Plain C, over float and double. The functions are in one struct in a capsule. A plugin imports it once, when its
 * module is initialized, with the GIL:
 *
 *     static const cynn_blas *blas;
 *     ...
 *     blas = cynn_import_blas();
 *     if (!blas) return NULL;
 *
 * (include Python.h first). All functions are re-entrant, need no GIL, allocate nothing, and run on the calling thread
 * alone: CyNN does the threading. The same arguments give the same bits on one machine.
 *
 * Matrices are row-major: element (i, j) of A is a[i * lda + j], and lda is at least the length of a row of A in
 * memory. Sizes are at most 2^31 - 1. With invalid arguments nothing is computed, and the call of the network that ran
 * the operation raises a KernelError.
 */
#ifndef CYNN_BLAS_H
#define CYNN_BLAS_H

#include "abi.h"

#define CYNN_BLAS_CAPSULE "cynn.blas"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    uint16_t abi_major, abi_minor; /* those of the installed CyNN. Fields are only appended */
    uint32_t struct_size;
    uint64_t flags; /* 0: there are none so far */
    /* C := alpha op(A).op(B) + beta C, with op(A) m x k, op(B) k x n and C m x n; op is the transpose if transpose_a or
     * transpose_b is not 0. With beta 0, C is not read. The shapes decide whether the product is computed without
     * copies, with packed copies, or by OpenBLAS. prefetch: pass->prefetch in one product of a call, otherwise NULL. */
    void (*gemm_f32)(int transpose_a, int transpose_b, int64_t m, int64_t n, int64_t k, float alpha, const float *a,
                     int64_t lda, const float *b, int64_t ldb, float beta, float *c, int64_t ldc,
                     cynn_prefetch *prefetch);
    void (*gemm_f64)(int transpose_a, int transpose_b, int64_t m, int64_t n, int64_t k, double alpha, const double *a,
                     int64_t lda, const double *b, int64_t ldb, double beta, double *c, int64_t ldc,
                     cynn_prefetch *prefetch);
    /* z := x W + b, with z (rows x units), x (rows x inputs), W (inputs x units), b (units) or NULL, all contiguous. */
    void (*affine_f32)(int64_t rows, int64_t inputs, int64_t units, const float *x, const float *W, const float *b,
                       float *z, cynn_prefetch *prefetch);
    void (*affine_f64)(int64_t rows, int64_t inputs, int64_t units, const double *x, const double *W, const double *b,
                       double *z, cynn_prefetch *prefetch);
    /* y := alpha op(A).x + beta y, with A (m x n). */
    void (*gemv_f32)(int transpose_a, int64_t m, int64_t n, float alpha, const float *a, int64_t lda, const float *x,
                     float beta, float *y);
    void (*gemv_f64)(int transpose_a, int64_t m, int64_t n, double alpha, const double *a, int64_t lda,
                     const double *x, double beta, double *y);
    /* Random numbers for the places first, first + 1, ..., first + count - 1. Each depends on its place, the operation,
     * and the seed, epoch and step of the pass, and on nothing else. The operation numbers the places, for example by
     * row * units + column, so the numbers do not depend on the pieces into which the batch is cut. The layer must
     * declare that it draws random numbers (draws=True).
     *
     * The generator is Philox4x32-10 (Salmon, Moraes, Dror and Shaw, 2011) with the key pass->seed. The word of place
     * 128 g + 32 j + i, for 0 <= j < 4 and 0 <= i < 32, is word j of the block with the counter
     * (32 g + i, pass->step, pass->epoch, op->number << 8 | 4). */
    void (*random_words)(const cynn_operands *op, const cynn_pass *pass, int64_t first, int64_t count, uint32_t *words);
    /* Uniform in [0, 1): the upper 24 bits of the word / 2^24 as float, all 32 bits / 2^32 as double. */
    void (*random_uniform_f32)(const cynn_operands *op, const cynn_pass *pass, int64_t first, int64_t count, float *out);
    void (*random_uniform_f64)(const cynn_operands *op, const cynn_pass *pass, int64_t first, int64_t count,
                               double *out);
    /* Normal, with mean 0 and standard deviation 1: Box and Muller's transform of the words of places p and p + 32. */
    void (*random_normal_f32)(const cynn_operands *op, const cynn_pass *pass, int64_t first, int64_t count, float *out);
    void (*random_normal_f64)(const cynn_operands *op, const cynn_pass *pass, int64_t first, int64_t count,
                              double *out);
} cynn_blas;

#ifdef Py_PYTHON_H
/* The struct of the installed CyNN; NULL and an ImportError if this plugin cannot work with it. */
static inline const cynn_blas *cynn_import_blas(void)
{
    const cynn_blas *blas = (const cynn_blas *)PyCapsule_Import(CYNN_BLAS_CAPSULE, 0);
    if (blas && (blas->abi_major != CYNN_ABI_MAJOR || blas->struct_size < sizeof(cynn_blas))) {
        PyErr_Format(PyExc_ImportError,
                     "CyNN must have the ABI that this plugin was built for, %d.%d, or a later minor one. Got %d.%d "
                     "instead: install another CyNN, or build the plugin again.",
                     CYNN_ABI_MAJOR, CYNN_ABI_MINOR, (int)blas->abi_major, (int)blas->abi_minor);
        return NULL;
    }
    return blas;
}
#endif

#ifdef __cplusplus
}
#endif

#endif
