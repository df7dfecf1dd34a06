/* C := A.Bᵀ for an A of few rows, as Cᵀ := B.Aᵀ: then A and C are transposed, which are much smaller than B. It is what
 * the backward pass of a dense layer computes for a tile of rows, dx = delta Wᵀ.
 *
 * Measured for a B of 256 x 256 of float32. With AVX-512, 32 rows are 1.4 times as fast as with a packed B, and 16 rows
 * 2.4 times as fast as with OpenBLAS. With AVX2, 16 rows are 1.8 times as fast as with OpenBLAS, and 64 rows 1.2 times.
 *
 * This file is included once for each dtype, with T, the element type, and NAME(x), x with the dtype's suffix. Include
 * transpose.h and small_product.h before it.
 */

#ifndef CYNN_TRANSPOSED_PRODUCT_ONCE
#define CYNN_TRANSPOSED_PRODUCT_ONCE

#include <stdint.h>
#include <string.h>

/* Measured: with fewer or more rows, other methods are as fast. */
#if defined(__AVX512F__)
#define CYNN_TRANSPOSED_MIN_ROWS 6
#define CYNN_TRANSPOSED_MAX_ROWS 64
#elif defined(__AVX__)
#define CYNN_TRANSPOSED_MIN_ROWS 4
#define CYNN_TRANSPOSED_MAX_ROWS (CYNN_ELEMENT_BYTES == 4 ? 64 : 48)
#else
#define CYNN_TRANSPOSED_MIN_ROWS 4
#define CYNN_TRANSPOSED_MAX_ROWS (3 * CYNN_ELEMENT_BYTES)
#endif

/* OpenBLAS has kernels for small matrices, with AVX-512 alone. With fewer than 16 rows and a B of fewer elements than
 * this, they are faster. */
#ifdef __AVX512F__
#define CYNN_SMALL_IN_OPENBLAS (1 << 15)
#else
#define CYNN_SMALL_IN_OPENBLAS 0
#endif

/* The most elements of A, at most 512 KiB. Measured where the L2 cache has 2 MiB, which they stay in. */
#define CYNN_TRANSPOSED_ELEMENTS (1 << 16)

/* How many columns of C are computed at once: a multiple of most block heights. */
#define CYNN_TRANSPOSED_COLUMNS 48

/* A matrix is transposed in squares of this side: whole cache lines. */
#define CYNN_SQUARE 16

#endif

static _Thread_local T NAME(cynn_transposed_memory)[CYNN_TRANSPOSED_ELEMENTS] __attribute__((aligned(64)));

/* to (rows x columns) := the transpose of `from`, square by square. */
static void NAME(cynn_transpose_squares)(int64_t rows, int64_t columns, const T *from, int64_t from_stride, T *to,
                                         int64_t to_stride)
{
    for (int64_t j = 0; j < columns; j += CYNN_SQUARE)
        for (int64_t i = 0; i < rows; i += CYNN_SQUARE)
            NAME(cynn_transpose)(rows - i < CYNN_SQUARE ? rows - i : CYNN_SQUARE,
                                 columns - j < CYNN_SQUARE ? columns - j : CYNN_SQUARE, from + j * from_stride + i,
                                 from_stride, to + i * to_stride + j, to_stride);
}

/* C (m x n) := A.Bᵀ, with A (m x k) of row length lda, B (n x k) of row length ldb. Returns 0, and does nothing, if
 * another method is faster. */
static int NAME(cynn_transposed_product)(int64_t m, int64_t n, int64_t k, const T *A, int64_t lda, const T *B,
                                         int64_t ldb, T *C, int64_t ldc)
{
    T *const transposed = NAME(cynn_transposed_memory);
    T columns[CYNN_TRANSPOSED_COLUMNS * CYNN_TRANSPOSED_MAX_ROWS] __attribute__((aligned(64)));
    if (m < CYNN_TRANSPOSED_MIN_ROWS || m > CYNN_TRANSPOSED_MAX_ROWS || m * k > CYNN_TRANSPOSED_ELEMENTS ||
        m * (n + k) >= n * k || (m < 16 && n * k < CYNN_SMALL_IN_OPENBLAS))
        return 0;
#ifdef CYNN_DEBUG /* NaN, so that reading uninitialized memory is noticed */
    memset(transposed, 0xff, sizeof NAME(cynn_transposed_memory));
    memset(columns, 0xff, sizeof columns);
#endif
    NAME(cynn_transpose_squares)(k, m, A, lda, transposed, m);
    for (int64_t begin = 0; begin < n; begin += CYNN_TRANSPOSED_COLUMNS) {
        const int64_t count = n - begin < CYNN_TRANSPOSED_COLUMNS ? n - begin : CYNN_TRANSPOSED_COLUMNS;
        NAME(cynn_small_product)(count, m, k, B + begin * ldb, ldb, 1, transposed, m, NULL, 1, 0, columns, m, NULL);
        NAME(cynn_transpose_squares)(m, count, columns, m, C + begin, ldc);
    }
    return 1;
}
