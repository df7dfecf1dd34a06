/* C := alpha A.B + beta C for matrices that are narrow or small, where a BLAS spends its time on
 * packing.
 *
 * Nothing is copied: rows of B are read as vectors, elements of A are broadcast, and a block of C
 * stays in registers while k runs. Vectors of one width cover the n columns; the last is moved back
 * to end at column n, and so computes a few columns twice, with the same result: no masks, no scalar
 * tail. A block of few rows runs several sums over k side by side, to keep the multipliers busy.
 *
 * This file is included once for each dtype, with T, the element type, and NAME(x), x with the
 * dtype's suffix. It uses the vector types of GCC and Clang; small_product.pxd is Cython's view.
 */

#ifndef CYNN_SMALL_PRODUCT_WIDTHS
#define CYNN_SMALL_PRODUCT_WIDTHS

#include <stdint.h>

#include "ahead.h"

#if defined(__AVX512F__)
#define CYNN_VECTOR_BYTES 64
#define CYNN_ROWS_OF_1 12 /* rows in a block of one vector, and of two: all sums in 32 registers */
#define CYNN_ROWS_OF_2 8
#define CYNN_ADJACENT_ROWS_OF_1 16 /* and where rows of A are next to each other */
#elif defined(__AVX__)
#define CYNN_VECTOR_BYTES 32
#define CYNN_ROWS_OF_1 8 /* 16 registers */
#define CYNN_ROWS_OF_2 6
#define CYNN_ADJACENT_ROWS_OF_1 8
#else
#define CYNN_VECTOR_BYTES 16
#define CYNN_ROWS_OF_1 8 /* 16 registers, and a broadcast takes one */
#define CYNN_ROWS_OF_2 4
#define CYNN_ADJACENT_ROWS_OF_1 8
#endif

/* So many k go by between two looks ahead: a multiple of all S. */
#define CYNN_STRIP 32

/* Row r of A starts in one of three registers, four rows apart, plus 0 to 3 strides: few enough that all
 * stay in registers. The empty asm hides from the compiler how they hang together: it would make a
 * pointer for every row, and keep them in memory. */
#define CYNN_A(r) (*(const T *)((r < 4 ? A_0 : r < 8 ? A_4 : A_8) + (r % 4 == 3 ? stride_3 : r % 4 * stride)))

/* Where rows of A are next to each other, as those of a transposed matrix are, one register and a constant do.
 * Measured: instructions with two registers in an address are two for the processor, and a product of few k is
 * 1.1 to 1.3 times as quick without. */
#define CYNN_A_adjacent(r) (*((const T *)A_0 + r))
#define CYNN_A_strided(r) CYNN_A(r)

/* One k of the sum s. */
#define CYNN_TERM(rows_are, R, V, s)                                                                        \
    {                                                                                                       \
        _Pragma("GCC unroll 16") for (int r = 0; r < R; r++) {                                              \
            T a = CYNN_A_##rows_are(r);                                                                     \
            _Pragma("GCC unroll 2") for (int v = 0; v < V; v++)                                             \
                sum[s][r][v] += a * *(const vector *)(v ? B_1 : B_0);                                       \
        }                                                                                                   \
        A_0 += k_bytes, A_4 += k_bytes, A_8 += k_bytes, B_0 += ldb, B_1 += ldb;                             \
    }

/* R rows, V vectors of w elements, S sums over k. A[r, i] is at A[r * row_stride + i * k_stride]. */
#define CYNN_BLOCK(rows_are, R, V, S, w)                                                                    \
    {                                                                                                       \
        typedef T vector __attribute__((vector_size((w) * sizeof(T)), aligned(sizeof(T)), may_alias));      \
        vector sum[S][R][V];                                                                                \
        const char *A_0 = (const char *)A, *A_4 = A_0 + 4 * stride, *A_8 = A_4 + 4 * stride;                \
        const T *B_0 = B + at[0], *B_1 = B + at[V - 1];                                                     \
        __asm__("" : "+r"(A_0), "+r"(A_4), "+r"(A_8), "+r"(B_0), "+r"(B_1));                                \
        _Pragma("GCC unroll 8") for (int s = 0; s < S; s++)                                                 \
            _Pragma("GCC unroll 16") for (int r = 0; r < R; r++)                                            \
                _Pragma("GCC unroll 2") for (int v = 0; v < V; v++) {                                       \
                    sum[s][r][v] = (vector){0};                                                             \
                    if (s == 0 && bias) sum[s][r][v] = *(const vector *)(bias + at[v]);                     \
                }                                                                                           \
        int64_t i = 0;                                                                                      \
        do {                                                                                                \
            const int64_t pause = ahead && i + CYNN_STRIP < k ? i + CYNN_STRIP : k;                         \
            for (; i + S <= pause; i += S)                                                                  \
                _Pragma("GCC unroll 8") for (int s = 0; s < S; s++) CYNN_TERM(rows_are, R, V, s)            \
            if (ahead) cynn_fetch_ahead(ahead);                                                             \
        } while (i + S <= k);                                                                               \
        for (; S > 1 && i < k; i++) CYNN_TERM(rows_are, R, V, 0)                                            \
        _Pragma("GCC unroll 16") for (int r = 0; r < R; r++)                                                \
            _Pragma("GCC unroll 2") for (int v = 0; v < V; v++) {                                           \
                _Pragma("GCC unroll 8") for (int s = 1; s < S; s++) sum[0][r][v] += sum[s][r][v];           \
                if (beta != 0)                                                                              \
                    sum[0][r][v] = alpha * sum[0][r][v] + beta * *(const vector *)(C + r * ldc + at[v]);    \
                *(vector *)(C + r * ldc + at[v]) = sum[0][r][v];                                            \
            }                                                                                               \
        A += R * row_stride;                                                                                \
        C += R * ldc;                                                                                       \
        m -= R;                                                                                             \
    }

/* All m rows of V vectors, which start at the columns `at`. */
#define CYNN_PANEL(rows_are, R, V, w)                                                                       \
    static void NAME(cynn_panel_##rows_are##_##V##_##w)(                                                    \
        int64_t m, int64_t k, const T *A, int64_t row_stride, int64_t k_stride, const T *B, int64_t ldb,    \
        const T *bias, T alpha, T beta, T *C, int64_t ldc, const int64_t *at, cynn_ahead *ahead)            \
    {                                                                                                       \
        const int64_t stride = row_stride * (int64_t)sizeof(T), stride_3 = 3 * stride;                      \
        (void)stride_3; /* where rows are adjacent */                                                       \
        const int64_t k_bytes = k_stride * (int64_t)sizeof(T);                                              \
        while (m >= R) CYNN_BLOCK(rows_are, R, V, 1, w)                                                     \
        switch (m) {                                                                                        \
            CYNN_REST(rows_are, 15, R, V, 1, w)                                                             \
            CYNN_REST(rows_are, 14, R, V, 1, w)                                                             \
            CYNN_REST(rows_are, 13, R, V, 1, w)                                                             \
            CYNN_REST(rows_are, 12, R, V, 1, w)                                                             \
            CYNN_REST(rows_are, 11, R, V, 1, w)                                                             \
            CYNN_REST(rows_are, 10, R, V, 1, w)                                                             \
            CYNN_REST(rows_are, 9, R, V, 1, w)                                                              \
            CYNN_REST(rows_are, 8, R, V, 1, w)                                                              \
            CYNN_REST(rows_are, 7, R, V, 1, w)                                                              \
            CYNN_REST(rows_are, 6, R, V, 1, w)                                                              \
            CYNN_REST(rows_are, 5, R, V, (2 / V), w)                                                        \
            CYNN_REST(rows_are, 4, R, V, (2 / V), w)                                                        \
            CYNN_REST(rows_are, 3, R, V, (4 / V), w)                                                        \
            CYNN_REST(rows_are, 2, R, V, (4 / V), w)                                                        \
            CYNN_REST(rows_are, 1, R, V, (8 / V), w)                                                        \
        }                                                                                                   \
    }

/* The last n rows, fewer than R; of a block that cannot be, one row is compiled and never run. */
#define CYNN_REST(rows_are, n, R, V, S, w)                                                                  \
    case n: CYNN_BLOCK(rows_are, (n < R ? n : 1), V, (n < R ? S : 1), w) break;

#define CYNN_PANELS(w)                                                                                      \
    CYNN_PANEL(strided, CYNN_ROWS_OF_1, 1, w) CYNN_PANEL(strided, CYNN_ROWS_OF_2, 2, w)                     \
    CYNN_PANEL(adjacent, CYNN_ADJACENT_ROWS_OF_1, 1, w) CYNN_PANEL(adjacent, CYNN_ROWS_OF_2, 2, w)

#endif

static const int64_t NAME(cynn_lanes) = CYNN_VECTOR_BYTES / CYNN_ELEMENT_BYTES;

#if CYNN_VECTOR_BYTES / CYNN_ELEMENT_BYTES >= 16
CYNN_PANELS(16)
#endif
#if CYNN_VECTOR_BYTES / CYNN_ELEMENT_BYTES >= 8
CYNN_PANELS(8)
#endif
#if CYNN_VECTOR_BYTES / CYNN_ELEMENT_BYTES >= 4
CYNN_PANELS(4)
#endif
CYNN_PANELS(2)
CYNN_PANELS(1)

typedef void (*NAME(cynn_panel))(int64_t, int64_t, const T *, int64_t, int64_t, const T *, int64_t, const T *, T, T,
                                 T *, int64_t, const int64_t *, cynn_ahead *);

/* The panels of one vector and of two, for rows of A that are strided and for those that are adjacent. */
#define CYNN_PANELS_OF(w)                                                                                   \
    {                                                                                                       \
        {NAME(cynn_panel_strided_1_##w), NAME(cynn_panel_strided_2_##w)},                                   \
        {                                                                                                   \
            NAME(cynn_panel_adjacent_1_##w), NAME(cynn_panel_adjacent_2_##w)                                \
        }                                                                                                   \
    }

/* By the logarithm of the vectors' width. */
static const NAME(cynn_panel) NAME(cynn_panels)[][2][2] = {
    CYNN_PANELS_OF(1),
    CYNN_PANELS_OF(2),
#if CYNN_VECTOR_BYTES / CYNN_ELEMENT_BYTES >= 4
    CYNN_PANELS_OF(4),
#endif
#if CYNN_VECTOR_BYTES / CYNN_ELEMENT_BYTES >= 8
    CYNN_PANELS_OF(8),
#endif
#if CYNN_VECTOR_BYTES / CYNN_ELEMENT_BYTES >= 16
    CYNN_PANELS_OF(16),
#endif
};

/* C (m x n) := alpha A.B + beta C, or A.B + bias, with A (m x k) of any strides, B (k x n) of row length
 * ldb, bias (n) or NULL. With beta = 0, C is not read and alpha is taken as 1. With another, n must be a
 * multiple of NAME(cynn_lanes), since columns that are computed twice would be added to twice.
 * ahead: what to fetch on the way, or NULL. */
static void NAME(cynn_small_product)(int64_t m, int64_t n, int64_t k, const T *A, int64_t row_stride,
                                     int64_t k_stride, const T *B, int64_t ldb, const T *bias, T alpha, T beta,
                                     T *C, int64_t ldc, cynn_ahead *ahead)
{
    int64_t width = NAME(cynn_lanes), log_width = __builtin_ctzll(NAME(cynn_lanes));
    while (width > n) width /= 2, log_width--;
    const NAME(cynn_panel) *panels = NAME(cynn_panels)[log_width][row_stride == 1];
    if (ahead) {
        int64_t panels = (n + 2 * width - 1) / (2 * width), least_rows = n > width ? CYNN_ROWS_OF_2 : CYNN_ROWS_OF_1;
        int64_t blocks = panels * ((m + least_rows - 1) / least_rows);
        cynn_spread(ahead, blocks * ((k + CYNN_STRIP - 1) / CYNN_STRIP));
    }
    for (int64_t column = 0; column < n; column += 2 * width) {
        int64_t at[2] = {column, column + width};
        int two = at[1] < n;
        if (at[two] + width > n) at[two] = n - width;
        panels[two](m, k, A, row_stride, k_stride, B, ldb, bias, alpha, beta, C, ldc, at, ahead);
    }
}
