/* C := alpha A.B + beta C for matrices that are large: as in small_product.h a block of C stays in registers
 * while k runs, but B is copied first, a panel of some vectors' width at a time, so that each panel lies in
 * one piece in the cache while all rows of A meet it. A is read where it lies. A BLAS copies both at every call,
 * and does not fetch on the way what will be wanted later (ahead.h).
 *
 * This file is included once for each dtype, with T, the element type, and NAME(x), x with the dtype's
 * suffix. Measured against OpenBLAS: 1.1 to 1.25 times as quick with AVX-512; with AVX2, whose peak OpenBLAS
 * reaches, no quicker, so that only the first is compiled.
 */

#ifndef CYNN_PACKED_PRODUCT_WIDTHS
#define CYNN_PACKED_PRODUCT_WIDTHS

#include <stdint.h>
#include <string.h>

#include "ahead.h" /* and before this file transpose.h and small_product.h, for CYNN_VECTOR_BYTES and CYNN_A */

/* Vectors of a panel, and the rows of a block below it: the sums, a row of the panel and one broadcast element of A
 * fill the registers. */
#define CYNN_PACKED_VECTORS 4

#define CYNN_PACKED_MOST_ROWS 12 /* of a block */

/* Measured: for fewer rows, copying B is not worth it. */
#define CYNN_PACKED_LEAST_ROWS 24

/* k goes in pieces of so many, so that a panel stays in the L2 cache; and in the L1 cache, where it costs little to
 * copy and C has so few rows that they stay, too. Measured: 1.02 to 1.07 times as quick. */
#define CYNN_PACKED_DEPTH 1024
#define CYNN_PACKED_L1_DEPTH 128
#define CYNN_PACKED_L1_ROWS 512

/* Columns of A that are a multiple of so many bytes apart fall into few sets of the L1 cache and drive one another out.
 * Of up to so many rows they are copied, a little further apart. Measured: 1.1 times as quick. */
#define CYNN_PACKED_ALIASED_BYTES 1024
#define CYNN_PACKED_COPIED_ROWS 256
#define CYNN_PACKED_COPY_STRIDE (CYNN_PACKED_COPIED_ROWS + 16)

/* A matrix is transposed in squares of so many: whole cache lines. */
#define CYNN_SQUARE 16

/* R rows of V vectors. A[r, i] is at A + r * stride + i * k_bytes. */
#define CYNN_PACKED_KERNEL(R, V)                                                                            \
    static void NAME(cynn_packed_##R##_##V)(int64_t k, const char *A, int64_t stride, int64_t k_bytes,      \
                                            const T *B, const T *bias, T alpha, T beta, T *C, int64_t ldc)  \
    {                                                                                                       \
        typedef T vector __attribute__((vector_size(CYNN_VECTOR_BYTES), aligned(sizeof(T)), may_alias));    \
        const int64_t lanes = CYNN_VECTOR_BYTES / sizeof(T), stride_3 = 3 * stride;                         \
        const char *A_0 = A, *A_4 = A + 4 * stride, *A_8 = A_4 + 4 * stride;                                \
        vector sum[R][V];                                                                                   \
        __asm__("" : "+r"(A_0), "+r"(A_4), "+r"(A_8));                                                      \
        _Pragma("GCC unroll 16") for (int r = 0; r < R; r++)                                                \
            _Pragma("GCC unroll 4") for (int v = 0; v < V; v++) {                                           \
                sum[r][v] = bias ? *(const vector *)(bias + v * lanes) : (vector){0};                       \
                __builtin_prefetch(C + r * ldc + v * lanes, 1);                                             \
            }                                                                                               \
        for (int64_t i = 0; i < k; i++) {                                                                   \
            vector b[V];                                                                                    \
            _Pragma("GCC unroll 4") for (int v = 0; v < V; v++) b[v] = *(const vector *)(B + v * lanes);    \
            _Pragma("GCC unroll 16") for (int r = 0; r < R; r++) {                                          \
                vector a = CYNN_A(r) - (vector){0};                                                         \
                _Pragma("GCC unroll 4") for (int v = 0; v < V; v++)                                         \
                    __asm__(CYNN_FMA : "+v"(sum[r][v]) : "v"(a), "v"(b[v]));                                \
            }                                                                                               \
            A_0 += k_bytes, A_4 += k_bytes, A_8 += k_bytes, B += V * lanes;                                 \
        }                                                                                                   \
        _Pragma("GCC unroll 16") for (int r = 0; r < R; r++)                                                \
            _Pragma("GCC unroll 4") for (int v = 0; v < V; v++) {                                           \
                vector *c = (vector *)(C + r * ldc + v * lanes);                                            \
                if (beta != 0) sum[r][v] = alpha * sum[r][v] + beta * *c;                                   \
                *c = sum[r][v];                                                                             \
            }                                                                                               \
    }

/* What is left below whole blocks of R rows goes in blocks of 4, 2 and 1. */
#define CYNN_PACKED_KERNELS(R, V)                                                                           \
    CYNN_PACKED_KERNEL(R, V) CYNN_PACKED_KERNEL(4, V) CYNN_PACKED_KERNEL(2, V) CYNN_PACKED_KERNEL(1, V)

#endif

#ifdef __AVX512F__

/* sum += a * b. Written out, since a compiler left alone broadcasts a again at every multiplication. */
#undef CYNN_FMA
#if CYNN_ELEMENT_BYTES == 4
#define CYNN_FMA "vfmadd231ps %2, %1, %0"
#else
#define CYNN_FMA "vfmadd231pd %2, %1, %0"
#endif

CYNN_PACKED_KERNELS(12, 1)
CYNN_PACKED_KERNELS(12, 2)
CYNN_PACKED_KERNELS(8, 3)
CYNN_PACKED_KERNELS(6, 4)

typedef void (*NAME(cynn_packed_kernel))(int64_t, const char *, int64_t, int64_t, const T *, const T *, T, T, T *,
                                         int64_t);

/* The kernels of a panel: of a whole block of rows, of 4, 2 and 1. */
static const struct {
    int64_t rows[4];
    NAME(cynn_packed_kernel) kernel[4];
} NAME(cynn_packed_kernels)[CYNN_PACKED_VECTORS] = {
#define CYNN_ROWS(R, V)                                                                                     \
    {                                                                                                       \
        {R, 4, 2, 1},                                                                                       \
        {                                                                                                   \
            NAME(cynn_packed_##R##_##V), NAME(cynn_packed_4_##V), NAME(cynn_packed_2_##V), NAME(cynn_packed_1_##V) \
        }                                                                                                   \
    }
    CYNN_ROWS(12, 1),
    CYNN_ROWS(12, 2),
    CYNN_ROWS(8, 3),
    CYNN_ROWS(6, 4),
#undef CYNN_ROWS
};

/* The panel at work, and the columns of A: memory of each thread. */
static _Thread_local T NAME(cynn_panel_memory)[CYNN_PACKED_DEPTH * CYNN_PACKED_VECTORS * CYNN_VECTOR_BYTES /
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
    for (int64_t j = 0; j < columns; j += CYNN_SQUARE)
        for (int64_t i = 0; i < k; i += CYNN_SQUARE)
            NAME(cynn_transpose)(k - i < CYNN_SQUARE ? k - i : CYNN_SQUARE,
                                 columns - j < CYNN_SQUARE ? columns - j : CYNN_SQUARE,
                                 B + j * column_stride + i, column_stride, panel + i * width + j, width);
}

/* C (m x columns) := alpha A.panel + beta C, or A.panel + bias. */
static void NAME(cynn_times_panel)(int64_t m, int64_t columns, int64_t k, const T *A, int64_t row_stride,
                                   int64_t k_stride, int64_t vectors, const T *panel, const T *bias, T alpha, T beta,
                                   T *C, int64_t ldc, cynn_ahead *ahead)
{
    enum { lanes = CYNN_VECTOR_BYTES / sizeof(T) };
    const int64_t width = vectors * lanes, stride = row_stride * sizeof(T), k_bytes = k_stride * sizeof(T);
    T tile[CYNN_PACKED_MOST_ROWS * CYNN_PACKED_VECTORS * lanes], padded_bias[CYNN_PACKED_VECTORS * lanes];
    if (bias && columns < width) {
        memset(padded_bias, 0, sizeof padded_bias);
        memcpy(padded_bias, bias, columns * sizeof(T));
        bias = padded_bias;
    }
    for (int64_t row = 0, size = 0; row < m;) {
        while (NAME(cynn_packed_kernels)[vectors - 1].rows[size] > m - row) size++;
        const int64_t rows = NAME(cynn_packed_kernels)[vectors - 1].rows[size];
        const NAME(cynn_packed_kernel) kernel = NAME(cynn_packed_kernels)[vectors - 1].kernel[size];
        const char *a = (const char *)(A + row * row_stride);
        T *c = C + row * ldc;
        if (columns == width) {
            kernel(k, a, stride, k_bytes, panel, bias, alpha, beta, c, ldc);
        } else {
            kernel(k, a, stride, k_bytes, panel, bias, 1, 0, tile, width);
            for (int64_t r = 0; r < rows; r++)
                for (int64_t j = 0; j < columns; j++)
                    c[r * ldc + j] =
                        beta == 0 ? tile[r * width + j] : alpha * tile[r * width + j] + beta * c[r * ldc + j];
        }
        row += rows;
        if (ahead) cynn_fetch_ahead(ahead);
    }
}

/* C (m x n) := alpha A.B + beta C, or A.B + bias, with A (m x k) and B (k x n) of contiguous rows or columns, bias (n)
 * or NULL. With beta = 0, C is not read and alpha is taken as 1. ahead: what to fetch on the way, or NULL.
 * Returns 0, and does nothing, where a BLAS is quicker. */
static int NAME(cynn_packed_product)(int64_t m, int64_t n, int64_t k, const T *A, int64_t row_stride,
                                     int64_t k_stride, const T *B, int64_t row_stride_of_B, int64_t column_stride,
                                     const T *bias, T alpha, T beta, T *C, int64_t ldc, cynn_ahead *ahead)
{
    enum { lanes = CYNN_VECTOR_BYTES / sizeof(T), widest = CYNN_PACKED_VECTORS * lanes };
    T *panel = NAME(cynn_panel_memory), *copy = NAME(cynn_columns_memory);
    const int64_t most = column_stride == 1 && m <= CYNN_PACKED_L1_ROWS ? CYNN_PACKED_L1_DEPTH : CYNN_PACKED_DEPTH;
    const int copies = row_stride == 1 && m <= CYNN_PACKED_COPIED_ROWS && most == CYNN_PACKED_L1_DEPTH &&
                       k_stride * sizeof(T) % CYNN_PACKED_ALIASED_BYTES == 0;
    if (m < CYNN_PACKED_LEAST_ROWS) return 0;
    if (ahead) {
        const int64_t panels = (n / widest + 1) * (k / most + 1);
        const int64_t blocks = panels * (m / CYNN_PACKED_MOST_ROWS + 1); /* or more: a look ahead after each */
        cynn_spread(ahead, blocks);
    }
    for (int64_t first = 0; first < k; first += most, bias = NULL) {
        const int64_t depth = k - first < most ? k - first : most;
        const T *a = A + first * k_stride;
        int64_t a_stride = k_stride;
        if (copies) {
            for (int64_t i = 0; i < depth; i++)
                memcpy(copy + i * CYNN_PACKED_COPY_STRIDE, a + i * k_stride, m * sizeof(T));
            a = copy, a_stride = CYNN_PACKED_COPY_STRIDE;
        }
        for (int64_t column = 0; column < n; column += widest) {
            const int64_t columns = n - column < widest ? n - column : widest;
            const int64_t vectors = (columns + lanes - 1) / lanes;
            const T *b = B + first * row_stride_of_B + column * column_stride;
            NAME(cynn_pack_panel)(depth, columns, vectors * lanes, b, row_stride_of_B, column_stride, panel);
            NAME(cynn_times_panel)(m, columns, depth, a, row_stride, a_stride, vectors, panel,
                                   bias ? bias + column : NULL, alpha, first == 0 ? beta : 1, C + column, ldc, ahead);
        }
    }
    return 1;
}

#else

static int NAME(cynn_packed_product)(int64_t m, int64_t n, int64_t k, const T *A, int64_t row_stride,
                                     int64_t k_stride, const T *B, int64_t row_stride_of_B, int64_t column_stride,
                                     const T *bias, T alpha, T beta, T *C, int64_t ldc, cynn_ahead *ahead)
{
    (void)m, (void)n, (void)k, (void)A, (void)row_stride, (void)k_stride, (void)B, (void)row_stride_of_B;
    (void)column_stride, (void)bias, (void)alpha, (void)beta, (void)C, (void)ldc, (void)ahead;
    return 0;
}

#endif
