/* C := alpha A.B + beta C for large matrices. As in small_product.h, a block of C stays in registers in the loop over
 * k. But B is copied first, one panel of a few vectors' width at a time, so that a panel is contiguous and stays in the
 * cache while it is multiplied by all rows of A. A is not copied. A BLAS copies both at every call, and cannot prefetch
 * what will be needed later (prefetch.h).
 *
 * This file is included once for each dtype, with T, the element type, and NAME(x), x with the dtype's
 * suffix. Measured against OpenBLAS: 1.1 to 1.25 times as fast with AVX-512. With AVX2, OpenBLAS reaches the peak, so
 * this file is compiled for AVX-512 only.
 */

#ifndef CYNN_PACKED_PRODUCT_WIDTHS
#define CYNN_PACKED_PRODUCT_WIDTHS

#include <stdint.h>
#include <string.h>

#include "prefetch.h" /* include transpose.h, small_product.h and transposed_product.h before this file */

/* How many rows of A are multiplied by a panel between two prefetches: a multiple of all block heights. */
#define CYNN_PACKED_ROWS 24

/* Measured: with fewer rows, copying B does not pay. */
#define CYNN_PACKED_MIN_ROWS 24

/* k is split into pieces of this length, so that a panel stays in the L2 cache; or in the L1 cache if the rows of A are
 * adjacent and C has few enough rows to stay in a cache, too: measured, 1.02 to 1.07 times as fast. If k runs along the
 * rows of A, writing C once per piece costs more than that: 1.03 to 1.08 times. */
#define CYNN_PACKED_DEPTH 1024
#define CYNN_PACKED_L1_DEPTH 128
#define CYNN_PACKED_L1_ROWS 512

/* Columns of A at a distance that is a multiple of this many bytes share few sets of the L1 cache and evict each other.
 * If A has at most this many rows, the columns are copied to a larger distance. Measured: 1.1 times as fast. */
#define CYNN_PACKED_ALIASED_BYTES 1024
#define CYNN_PACKED_COPIED_ROWS 256
#define CYNN_PACKED_COPY_STRIDE (CYNN_PACKED_COPIED_ROWS + 16)

#endif

#ifdef __AVX512F__

/* The current panel, and the copied columns of A. */
static _Thread_local T NAME(cynn_panel_memory)[CYNN_PACKED_DEPTH * CYNN_MAX_VECTORS * CYNN_VECTOR_BYTES /
                                               CYNN_ELEMENT_BYTES] __attribute__((aligned(64)));
static _Thread_local T NAME(cynn_columns_memory)[CYNN_PACKED_L1_DEPTH * CYNN_PACKED_COPY_STRIDE]
    __attribute__((aligned(64)));

/* panel (k x width) := the first `columns` columns of B (k x anything), then zeros. B[i, j] is at
 * B[i * row_stride + j * column_stride], one of which is 1. */
static void NAME(cynn_pack_panel)(int64_t k, int64_t columns, int64_t width, const T *B, int64_t row_stride,
                                  int64_t column_stride, T *panel)
{
    typedef T vector __attribute__((vector_size(CYNN_VECTOR_BYTES), aligned(sizeof(T)), may_alias));
    const int64_t lanes = CYNN_VECTOR_BYTES / sizeof(T);
    if (columns < width) memset(panel, 0, k * width * sizeof(T));
    if (column_stride == 1) {
        for (int64_t i = 0; i < k; i++, B += row_stride, panel += width) {
            int64_t j = 0;
            for (; j + lanes <= columns; j += lanes) *(vector *)(panel + j) = *(const vector *)(B + j);
            for (; j < columns; j++) panel[j] = B[j];
        }
        return;
    }
    NAME(cynn_transpose_squares)(k, columns, B, column_stride, panel, width);
}

/* C (m x columns) := alpha A.panel + beta C, or A.panel + bias. */
static void NAME(cynn_times_panel)(int64_t m, int64_t columns, int64_t k, const T *A, int64_t row_stride,
                                   int64_t k_stride, int64_t vectors, const T *panel, const T *bias, T alpha, T beta,
                                   T *C, int64_t ldc, cynn_prefetch *prefetch)
{
    enum { lanes = CYNN_VECTOR_BYTES / sizeof(T) };
    const int64_t width = vectors * lanes, last = width - lanes;
    const NAME(cynn_panel) product = NAME(cynn_panels)[__builtin_ctzll(lanes)][k_stride != 1][vectors - 1];
    T tile[CYNN_PACKED_ROWS * CYNN_MAX_VECTORS * lanes], padded_bias[CYNN_MAX_VECTORS * lanes];
    if (bias && columns < width) {
        memset(padded_bias, 0, sizeof padded_bias);
        memcpy(padded_bias, bias, columns * sizeof(T));
        bias = padded_bias;
    }
    for (int64_t row = 0; row < m; row += CYNN_PACKED_ROWS) {
        const int64_t rows = m - row < CYNN_PACKED_ROWS ? m - row : CYNN_PACKED_ROWS;
        const T *a = A + row * row_stride;
        T *c = C + row * ldc;
        if (columns == width) {
            product(rows, k, a, row_stride, k_stride, panel, width, bias, alpha, beta, c, ldc, last, 1, NULL);
        } else {
            product(rows, k, a, row_stride, k_stride, panel, width, bias, 1, 0, tile, width, last, 0, NULL);
            for (int64_t r = 0; r < rows; r++)
                for (int64_t j = 0; j < columns; j++)
                    c[r * ldc + j] =
                        beta == 0 ? tile[r * width + j] : alpha * tile[r * width + j] + beta * c[r * ldc + j];
        }
        if (prefetch) cynn_prefetch_some(prefetch);
    }
}

/* C (m x n) := alpha A.B + beta C, or A.B + bias, with A (m x k) and B (k x n) of contiguous rows or columns, bias (n)
 * or NULL. With beta = 0, C is not read and alpha is taken as 1. prefetch: what to prefetch, or NULL.
 * Returns 0, and does nothing, if a BLAS is faster. */
static int NAME(cynn_packed_product)(int64_t m, int64_t n, int64_t k, const T *A, int64_t row_stride,
                                     int64_t k_stride, const T *B, int64_t row_stride_of_B, int64_t column_stride,
                                     const T *bias, T alpha, T beta, T *C, int64_t ldc, cynn_prefetch *prefetch)
{
    enum { lanes = CYNN_VECTOR_BYTES / sizeof(T) };
    const int64_t vectors = (n + lanes - 1) / lanes, panels = (vectors + CYNN_MAX_VECTORS - 1) / CYNN_MAX_VECTORS;
    T *panel = NAME(cynn_panel_memory), *copy = NAME(cynn_columns_memory);
    const int64_t most = row_stride == 1 && column_stride == 1 && m <= CYNN_PACKED_L1_ROWS ? CYNN_PACKED_L1_DEPTH
                                                                                           : CYNN_PACKED_DEPTH;
    const int copies = m <= CYNN_PACKED_COPIED_ROWS && most == CYNN_PACKED_L1_DEPTH &&
                       k_stride * sizeof(T) % CYNN_PACKED_ALIASED_BYTES == 0;
    if (m < CYNN_PACKED_MIN_ROWS) return 0;
#ifdef CYNN_DEBUG /* NaN, so that reading uninitialized memory is noticed */
    memset(panel, 0xff, sizeof NAME(cynn_panel_memory));
    memset(copy, 0xff, sizeof NAME(cynn_columns_memory));
#endif
    if (prefetch)
        cynn_spread_prefetch(
            prefetch, panels * ((k + most - 1) / most) * ((m + CYNN_PACKED_ROWS - 1) / CYNN_PACKED_ROWS));
    for (int64_t first = 0; first < k; first += most, bias = NULL) {
        const int64_t depth = k - first < most ? k - first : most;
        const T *a = A + first * k_stride;
        int64_t a_stride = k_stride;
        if (copies) {
            for (int64_t i = 0; i < depth; i++)
                memcpy(copy + i * CYNN_PACKED_COPY_STRIDE, a + i * k_stride, m * sizeof(T));
            a = copy, a_stride = CYNN_PACKED_COPY_STRIDE;
        }
        for (int64_t p = 0; p < panels; p++) {
            const int64_t begin = vectors * p / panels, of_panel = vectors * (p + 1) / panels - begin;
            const int64_t column = begin * lanes, width = of_panel * lanes;
            const int64_t columns = n - column < width ? n - column : width;
            const T *b = B + first * row_stride_of_B + column * column_stride;
            NAME(cynn_pack_panel)(depth, columns, width, b, row_stride_of_B, column_stride, panel);
            NAME(cynn_times_panel)(m, columns, depth, a, row_stride, a_stride, of_panel, panel,
                                   bias ? bias + column : NULL, alpha, first == 0 ? beta : 1, C + column, ldc,
                                   prefetch);
        }
    }
    return 1;
}

#else

static int NAME(cynn_packed_product)(int64_t m, int64_t n, int64_t k, const T *A, int64_t row_stride,
                                     int64_t k_stride, const T *B, int64_t row_stride_of_B, int64_t column_stride,
                                     const T *bias, T alpha, T beta, T *C, int64_t ldc, cynn_prefetch *prefetch)
{
    (void)m, (void)n, (void)k, (void)A, (void)row_stride, (void)k_stride, (void)B, (void)row_stride_of_B;
    (void)column_stride, (void)bias, (void)alpha, (void)beta, (void)C, (void)ldc, (void)prefetch;
    return 0;
}

#endif
