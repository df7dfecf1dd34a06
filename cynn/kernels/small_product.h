/* C := alpha A.B + beta C for narrow or small matrices, for which a BLAS spends its time on packing.
 *
 * Nothing is copied: rows of B are read as vectors, elements of A are broadcast, and a block of C stays in registers in
 * the loop over k. Vectors of one width cover the n columns. The last one is shifted back to end at column n, so a few
 * columns are computed twice, with the same result: there are no masks and no scalar tail. A block of few rows computes
 * several partial sums over k at once, to keep the multipliers busy.
 *
 * This file is included once for each dtype, with T, the element type, and NAME(x), x with the
 * dtype's suffix. It uses the vector types of GCC and Clang.
 */

#ifndef CYNN_SMALL_PRODUCT_WIDTHS
#define CYNN_SMALL_PRODUCT_WIDTHS

#include <stddef.h>
#include <stdint.h>

#include "prefetch.h"

#if defined(__AVX512F__)
#define CYNN_VECTOR_BYTES 64
#define CYNN_MAX_VECTORS 4
/* The rows of a block that is one, two, three or four vectors wide, so that all sums fit in 32 registers; and of
 * a block of one vector if the rows of A are adjacent, and need no registers for pointers. */
#define CYNN_ROWS_OF_1 12
#define CYNN_ROWS_OF_2 8
#define CYNN_ROWS_OF_3 8
#define CYNN_ROWS_OF_4 6
#define CYNN_ADJACENT_ROWS_OF_1 24
#elif defined(__AVX__)
#define CYNN_VECTOR_BYTES 32
#define CYNN_MAX_VECTORS 2
#define CYNN_ROWS_OF_1 8 /* 16 registers */
#define CYNN_ROWS_OF_2 6
#define CYNN_ADJACENT_ROWS_OF_1 8
#else
#define CYNN_VECTOR_BYTES 16
#define CYNN_MAX_VECTORS 2
#define CYNN_ROWS_OF_1 8 /* 16 registers, and a broadcast takes one */
#define CYNN_ROWS_OF_2 4
#define CYNN_ADJACENT_ROWS_OF_1 8
#endif

/* How many steps of k are between two prefetches: a multiple of all CYNN_UNROLLED. */
#define CYNN_STRIP 32

/* How far the loop over k is unrolled, for S partial sums: further if each row has a pointer to advance. */
#define CYNN_UNROLLED_strided(S) ((S) > 4 ? (S) : 4)
#define CYNN_UNROLLED_adjacent(S) (S)

/* Element k + u of row r of A. If k runs along the rows, each row has a pointer in a register. If the rows are
 * adjacent, one register and a constant offset are enough. Measured: a multiplication whose address needs two
 * registers is split into two micro-operations. Without such addresses a product is 1.02 to 1.2 times as fast, and 1.1
 * to 1.4 times if another process uses the other hyperthread. */
#define CYNN_A_strided(r, u) A_row[r][u]
#define CYNN_A_adjacent(r, u) A_row[0][r]

/* The empty asm hides the relation between the pointers from the compiler, which would compute one from another. */
#define CYNN_POINTERS_strided(R)                                                                            \
    _Pragma("GCC unroll 16") for (int r = 0; r < R; r++)                                                    \
    {                                                                                                       \
        A_row[r] = A + r * row_stride;                                                                      \
        __asm__("" : "+r"(A_row[r]));                                                                       \
    }
#define CYNN_POINTERS_adjacent(R)                                                                           \
    A_row[0] = A;                                                                                           \
    __asm__("" : "+r"(A_row[0]));

#define CYNN_NEXT_strided(R, U)                                                                             \
    _Pragma("GCC unroll 16") for (int r = 0; r < R; r++)                                                    \
    {                                                                                                       \
        A_row[r] += U;                                                                                      \
        __asm__("" : "+r"(A_row[r]));                                                                       \
    }
#define CYNN_NEXT_adjacent(R, U)

#define CYNN_STEP_strided
#define CYNN_STEP_adjacent A_row[0] += k_stride;

/* sum += a b for one of V vectors. With AVX-512, for one or two vectors, the multiplication reads and broadcasts a
 * itself, in one instruction. Otherwise, a is broadcast once for all vectors, which is written in assembly. From C, the
 * compiler would read a again for each with AVX-512: measured, 1.03 to 1.15 times the time. With AVX2, it would move
 * sums between registers, of which there are too few, and memory: 1.1 to 1.5 times the time. */
#define CYNN_ADD_1(sum, a, b) sum += a * b;
#define CYNN_ADD_3(sum, a, b) __asm__(CYNN_FMA : "+v"(sum) : "v"(a - (vector){0}), "v"(b));
#define CYNN_ADD_4 CYNN_ADD_3
#if defined(__FMA__) && !defined(__AVX512F__)
#define CYNN_ADD_2 CYNN_ADD_3
#else
#define CYNN_ADD_2 CYNN_ADD_1
#endif

/* One step of k, added to the partial sum s. */
#define CYNN_TERM(rows_are, R, V, u, s)                                                                     \
    {                                                                                                       \
        vector b[V];                                                                                        \
        _Pragma("GCC unroll 4") for (int v = 0; v < V; v++)                                                 \
            b[v] = *(const vector *)(B_row + CYNN_COLUMN(v, V));                                            \
        _Pragma("GCC unroll 24") for (int r = 0; r < R; r++) {                                              \
            const T a = CYNN_A_##rows_are(r, u);                                                            \
            _Pragma("GCC unroll 4") for (int v = 0; v < V; v++) CYNN_ADD_##V(sum[s][r][v], a, b[v])         \
        }                                                                                                   \
        CYNN_STEP_##rows_are B_row += ldb;                                                                  \
    }

/* A block of R rows and V vectors of w elements, with S partial sums over k. */
#define CYNN_BLOCK(rows_are, R, V, S, w)                                                                    \
    {                                                                                                       \
        typedef T vector __attribute__((vector_size((w) * sizeof(T)), aligned(sizeof(T)), may_alias));      \
        enum { width = w, unrolled = CYNN_UNROLLED_##rows_are(S) };                                         \
        vector sum[S][R][V];                                                                                \
        const T *A_row[R];                                                                                  \
        const T *B_row = B;                                                                                 \
        CYNN_POINTERS_##rows_are(R)                                                                         \
        __asm__("" : "+r"(B_row));                                                                          \
        _Pragma("GCC unroll 8") for (int s = 0; s < S; s++)                                                 \
            _Pragma("GCC unroll 24") for (int r = 0; r < R; r++)                                            \
                _Pragma("GCC unroll 4") for (int v = 0; v < V; v++) {                                       \
                    sum[s][r][v] = (vector){0};                                                             \
                    if (s == 0 && bias) sum[s][r][v] = *(const vector *)(bias + CYNN_COLUMN(v, V));         \
                    if (s == 0 && V > 2 && fetches_C)                                                       \
                        __builtin_prefetch(C + (R + r) * ldc + CYNN_COLUMN(v, V), 1);                       \
                }                                                                                           \
        int64_t i = 0;                                                                                      \
        do {                                                                                                \
            const int64_t pause = prefetch && i + CYNN_STRIP < k ? i + CYNN_STRIP : k;                      \
            for (; i + unrolled <= pause; i += unrolled) {                                                  \
                _Pragma("GCC unroll 8") for (int u = 0; u < unrolled; u++)                                  \
                    CYNN_TERM(rows_are, R, V, u, u % S)                                                     \
                CYNN_NEXT_##rows_are(R, unrolled)                                                           \
            }                                                                                               \
            if (prefetch) cynn_prefetch_some(prefetch);                                                     \
        } while (i + unrolled <= k);                                                                        \
        for (; i < k; i++) {                                                                                \
            CYNN_TERM(rows_are, R, V, 0, 0)                                                                 \
            CYNN_NEXT_##rows_are(R, 1)                                                                      \
        }                                                                                                   \
        _Pragma("GCC unroll 24") for (int r = 0; r < R; r++)                                                \
            _Pragma("GCC unroll 4") for (int v = 0; v < V; v++) {                                           \
                vector *c = (vector *)(C + r * ldc + CYNN_COLUMN(v, V));                                    \
                _Pragma("GCC unroll 8") for (int s = 1; s < S; s++) sum[0][r][v] += sum[s][r][v];           \
                if (beta != 0) sum[0][r][v] = alpha * sum[0][r][v] + beta * *c;                             \
                *c = sum[0][r][v];                                                                          \
            }                                                                                               \
        A += R * row_stride;                                                                                \
        C += R * ldc;                                                                                       \
        m -= R;                                                                                             \
    }

/* The first column of vector v of V: they are contiguous, except for the last. */
#define CYNN_COLUMN(v, V) (V > 1 && (v) == V - 1 ? last : (v) * width)

/* gcc would emit each block up to four times, with special cases for the last k and for strides of 1. Measured: this
 * takes a quarter of the compile time and of the code size, and saves no instruction at run time. */
#if defined(__GNUC__) && !defined(__clang__)
#define CYNN_WRITTEN_ONCE __attribute__((optimize("no-split-loops", "no-version-loops-for-strides")))
#else
#define CYNN_WRITTEN_ONCE
#endif

/* All m rows of a panel of V vectors, of which the last begins at column `last`. fetches_C: each block prefetches the
 * part of C that the next one writes, which pays if C is not in a cache. */
#define CYNN_PANEL(rows_are, R, V, w)                                                                       \
    static CYNN_WRITTEN_ONCE void NAME(cynn_panel_##rows_are##_##V##_##w)(                                  \
        int64_t m, int64_t k, const T *A, int64_t row_stride, int64_t k_stride, const T *B, int64_t ldb,    \
        const T *bias, T alpha, T beta, T *C, int64_t ldc, int64_t last, int fetches_C,                     \
        cynn_prefetch *prefetch)                                                                            \
    {                                                                                                       \
        while (m >= R) CYNN_BLOCK(rows_are, R, V, 1, w)                                                     \
        if (R > 16 && m >= 16) CYNN_BLOCK(rows_are, (R > 16 ? 16 : 1), V, 1, w)                             \
        switch (m) { CYNN_RESTS(rows_are, R, V, w) }                                                        \
    }

/* The last rows, fewer than R: only blocks of fewer rows are compiled. */
#define CYNN_RESTS(rows_are, R, V, w) CYNN_RESTS_##R(rows_are, V, w)
#define CYNN_REST(rows_are, n, V, S, w) case n: CYNN_BLOCK(rows_are, n, V, S, w) break;
#define CYNN_RESTS_2(rows_are, V, w) CYNN_REST(rows_are, 1, V, (V == 1 ? 8 : V == 4 ? 2 : 4), w)
#define CYNN_RESTS_3(rows_are, V, w)                                                                        \
    CYNN_REST(rows_are, 2, V, (V == 1 ? 4 : V == 4 ? 1 : 2), w) CYNN_RESTS_2(rows_are, V, w)
#define CYNN_RESTS_4(rows_are, V, w)                                                                        \
    CYNN_REST(rows_are, 3, V, (V == 1 ? 4 : V == 2 ? 2 : 1), w) CYNN_RESTS_3(rows_are, V, w)
#define CYNN_RESTS_5(rows_are, V, w) CYNN_REST(rows_are, 4, V, (V == 1 ? 2 : 1), w) CYNN_RESTS_4(rows_are, V, w)
#define CYNN_RESTS_6(rows_are, V, w) CYNN_REST(rows_are, 5, V, (V == 1 ? 2 : 1), w) CYNN_RESTS_5(rows_are, V, w)
#define CYNN_RESTS_7(rows_are, V, w) CYNN_REST(rows_are, 6, V, 1, w) CYNN_RESTS_6(rows_are, V, w)
#define CYNN_RESTS_8(rows_are, V, w) CYNN_REST(rows_are, 7, V, 1, w) CYNN_RESTS_7(rows_are, V, w)
#define CYNN_RESTS_9(rows_are, V, w) CYNN_REST(rows_are, 8, V, 1, w) CYNN_RESTS_8(rows_are, V, w)
#define CYNN_RESTS_10(rows_are, V, w) CYNN_REST(rows_are, 9, V, 1, w) CYNN_RESTS_9(rows_are, V, w)
#define CYNN_RESTS_11(rows_are, V, w) CYNN_REST(rows_are, 10, V, 1, w) CYNN_RESTS_10(rows_are, V, w)
#define CYNN_RESTS_12(rows_are, V, w) CYNN_REST(rows_are, 11, V, 1, w) CYNN_RESTS_11(rows_are, V, w)
#define CYNN_RESTS_13(rows_are, V, w) CYNN_REST(rows_are, 12, V, 1, w) CYNN_RESTS_12(rows_are, V, w)
#define CYNN_RESTS_14(rows_are, V, w) CYNN_REST(rows_are, 13, V, 1, w) CYNN_RESTS_13(rows_are, V, w)
#define CYNN_RESTS_15(rows_are, V, w) CYNN_REST(rows_are, 14, V, 1, w) CYNN_RESTS_14(rows_are, V, w)
#define CYNN_RESTS_16(rows_are, V, w) CYNN_REST(rows_are, 15, V, 1, w) CYNN_RESTS_15(rows_are, V, w)
#define CYNN_RESTS_24 CYNN_RESTS_16 /* what is left after a block of 16 */

#define CYNN_SINGLE_PANELS(w)                                                                               \
    CYNN_PANEL(strided, CYNN_ROWS_OF_1, 1, w) CYNN_PANEL(adjacent, CYNN_ADJACENT_ROWS_OF_1, 1, w)
#define CYNN_PANELS(w)                                                                                      \
    CYNN_SINGLE_PANELS(w) CYNN_PANEL(strided, CYNN_ROWS_OF_2, 2, w) CYNN_PANEL(adjacent, CYNN_ROWS_OF_2, 2, w)

/* The widest vectors have panels of three and four vectors, too. */
#define CYNN_WIDE_PANELS(w)                                                                                 \
    CYNN_PANEL(strided, CYNN_ROWS_OF_3, 3, w) CYNN_PANEL(adjacent, CYNN_ROWS_OF_3, 3, w)                    \
    CYNN_PANEL(strided, CYNN_ROWS_OF_4, 4, w) CYNN_PANEL(adjacent, CYNN_ROWS_OF_4, 4, w)

#endif

#undef CYNN_FMA
#if CYNN_ELEMENT_BYTES == 4
#define CYNN_FMA "vfmadd231ps %2, %1, %0"
#else
#define CYNN_FMA "vfmadd231pd %2, %1, %0"
#endif

static const int64_t NAME(cynn_lanes) = CYNN_VECTOR_BYTES / CYNN_ELEMENT_BYTES;

CYNN_SINGLE_PANELS(1) /* one column is one vector */
CYNN_PANELS(2)
#if CYNN_VECTOR_BYTES / CYNN_ELEMENT_BYTES >= 4
CYNN_PANELS(4)
#endif
#if CYNN_VECTOR_BYTES / CYNN_ELEMENT_BYTES >= 8
CYNN_PANELS(8)
#endif
#if CYNN_VECTOR_BYTES / CYNN_ELEMENT_BYTES >= 16
CYNN_PANELS(16)
#endif
#if CYNN_MAX_VECTORS == 4 && CYNN_ELEMENT_BYTES == 4
CYNN_WIDE_PANELS(16)
#elif CYNN_MAX_VECTORS == 4
CYNN_WIDE_PANELS(8)
#endif

typedef void (*NAME(cynn_panel))(int64_t, int64_t, const T *, int64_t, int64_t, const T *, int64_t, const T *, T, T,
                                 T *, int64_t, int64_t, int, cynn_prefetch *);

/* The panels of one and two vectors, or of one to four, for strided and for adjacent rows of A. */
#define CYNN_PANELS_OF(w)                                                                                   \
    {                                                                                                       \
        {NAME(cynn_panel_strided_1_##w), NAME(cynn_panel_strided_2_##w)},                                   \
        {                                                                                                   \
            NAME(cynn_panel_adjacent_1_##w), NAME(cynn_panel_adjacent_2_##w)                                \
        }                                                                                                   \
    }
#define CYNN_PANELS_OF_WIDEST(w)                                                                            \
    {                                                                                                       \
        {NAME(cynn_panel_strided_1_##w), NAME(cynn_panel_strided_2_##w), NAME(cynn_panel_strided_3_##w),    \
         NAME(cynn_panel_strided_4_##w)},                                                                   \
        {                                                                                                   \
            NAME(cynn_panel_adjacent_1_##w), NAME(cynn_panel_adjacent_2_##w),                               \
                NAME(cynn_panel_adjacent_3_##w), NAME(cynn_panel_adjacent_4_##w)                            \
        }                                                                                                   \
    }

/* Indexed by the logarithm of the vector width. */
static const NAME(cynn_panel) NAME(cynn_panels)[][2][CYNN_MAX_VECTORS] = {
    {{NAME(cynn_panel_strided_1_1)}, {NAME(cynn_panel_adjacent_1_1)}},
    CYNN_PANELS_OF(2),
#if CYNN_VECTOR_BYTES / CYNN_ELEMENT_BYTES == 4
    CYNN_PANELS_OF(4),
#elif CYNN_VECTOR_BYTES / CYNN_ELEMENT_BYTES == 8 && CYNN_MAX_VECTORS == 2
    CYNN_PANELS_OF(4), CYNN_PANELS_OF(8),
#elif CYNN_VECTOR_BYTES / CYNN_ELEMENT_BYTES == 8
    CYNN_PANELS_OF(4), CYNN_PANELS_OF_WIDEST(8),
#elif CYNN_VECTOR_BYTES / CYNN_ELEMENT_BYTES == 16
    CYNN_PANELS_OF(4), CYNN_PANELS_OF(8), CYNN_PANELS_OF_WIDEST(16),
#endif
};

/* C (m x n) := alpha A.B + beta C, or A.B + bias, with A (m x k) of contiguous rows or columns, B (k x n) of row length
 * ldb, bias (n) or NULL. With beta = 0, C is not read and alpha is taken as 1. With another beta, n must be a multiple
 * of NAME(cynn_lanes), since columns that are computed twice would be added twice.
 * prefetch: what to prefetch, or NULL. */
static void NAME(cynn_small_product)(int64_t m, int64_t n, int64_t k, const T *A, int64_t row_stride,
                                     int64_t k_stride, const T *B, int64_t ldb, const T *bias, T alpha, T beta,
                                     T *C, int64_t ldc, cynn_prefetch *prefetch)
{
    int64_t width = NAME(cynn_lanes), log_width = __builtin_ctzll(NAME(cynn_lanes));
    while (width > n) width /= 2, log_width--;
    const int64_t vectors = (n + width - 1) / width, panels = (vectors + CYNN_MAX_VECTORS - 1) / CYNN_MAX_VECTORS;
    if (prefetch) {
        const int64_t rows_of_1 = k_stride == 1 ? CYNN_ROWS_OF_1 : CYNN_ADJACENT_ROWS_OF_1;
        const int64_t max_rows = vectors > 1 ? CYNN_ROWS_OF_2 : rows_of_1;
        cynn_spread_prefetch(
            prefetch, panels * ((m + max_rows - 1) / max_rows) * (k < CYNN_STRIP ? 1 : k / CYNN_STRIP));
    }
    for (int64_t panel = 0; panel < panels; panel++) {
        const int64_t begin = vectors * panel / panels, end = vectors * (panel + 1) / panels, column = begin * width;
        const int64_t last = end * width < n ? (end - 1) * width : n - width; /* the first column of the last vector */
        NAME(cynn_panels)[log_width][k_stride != 1][end - begin - 1](
            m, k, A, row_stride, k_stride, B + column, ldb, bias ? bias + column : NULL, alpha, beta, C + column, ldc,
            last - column, 0, prefetch);
    }
}
