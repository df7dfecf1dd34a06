/* H += Jᵀ diag(c) J for each row of a block: with columns as vectors, since a row of J has one for each direction.
 *
 * J (n x width) has a row for each direction. A block of H is as many sums of vectors, which stay in registers in the
 * loop over the columns. Only blocks on and above the diagonal are computed: H is symmetric. Vectors of one width cover
 * the columns. The last one is shifted back to end at the last column, and counts 0 where it overlaps the one before.
 *
 * This file is included once for each dtype, with T, the element type, and NAME(x), x with the
 * dtype's suffix. It uses the vector types of GCC and Clang.
 */

#ifndef CYNN_CURVATURE_WIDTHS
#define CYNN_CURVATURE_WIDTHS

#include <stdint.h>

#include "tables.h"

#if defined(__AVX512F__)
#define CYNN_LANE_BYTES 64
#define CYNN_ROWS_OF_H 4 /* 32 registers */
#elif defined(__AVX__)
#define CYNN_LANE_BYTES 32
#define CYNN_ROWS_OF_H 2
#else
#define CYNN_LANE_BYTES 16
#define CYNN_ROWS_OF_H 2
#endif
#define CYNN_COLUMNS_OF_H 4
#define CYNN_SUMS_OF_H (CYNN_ROWS_OF_H * CYNN_COLUMNS_OF_H)

#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define CYNN_HALVES 1
#endif
#endif

/* The first half of each group of 2, 4, 8 or 16 elements of two vectors of w; and the second half, h elements on. */
#define CYNN_FIRST_2_1(h) 0 + h, 2 + h
#define CYNN_FIRST_4_2(h) 0 + h, 1 + h, 4 + h, 5 + h
#define CYNN_FIRST_4_1(h) CYNN_FIRST_2_1(h), 4 + h, 6 + h
#define CYNN_FIRST_8_4(h) 0 + h, 1 + h, 2 + h, 3 + h, 8 + h, 9 + h, 10 + h, 11 + h
#define CYNN_FIRST_8_2(h) CYNN_FIRST_4_2(h), 8 + h, 9 + h, 12 + h, 13 + h
#define CYNN_FIRST_8_1(h) CYNN_FIRST_4_1(h), 8 + h, 10 + h, 12 + h, 14 + h
#define CYNN_FIRST_16_8(h)                                                                                  \
    0 + h, 1 + h, 2 + h, 3 + h, 4 + h, 5 + h, 6 + h, 7 + h, 16 + h, 17 + h, 18 + h, 19 + h, 20 + h, 21 + h, \
        22 + h, 23 + h
#define CYNN_FIRST_16_4(h) CYNN_FIRST_8_4(h), 16 + h, 17 + h, 18 + h, 19 + h, 24 + h, 25 + h, 26 + h, 27 + h
#define CYNN_FIRST_16_2(h) CYNN_FIRST_8_2(h), 16 + h, 17 + h, 20 + h, 21 + h, 24 + h, 25 + h, 28 + h, 29 + h
#define CYNN_FIRST_16_1(h) CYNN_FIRST_8_1(h), 16 + h, 18 + h, 20 + h, 22 + h, 24 + h, 26 + h, 28 + h, 30 + h

/* One step of adding up vectors of w: of two, the halves of their groups of 2 h, one after the other. */
#define CYNN_ADD_HALVES(w, h, count)                                                                        \
    _Pragma("GCC unroll 8") for (int i = 0; i < (count); i++)                                               \
        v[i] = __builtin_shufflevector(v[2 * i], v[2 * i + 1], CYNN_FIRST_##w##_##h(0)) +                   \
               __builtin_shufflevector(v[2 * i], v[2 * i + 1], CYNN_FIRST_##w##_##h(h));
#define CYNN_ADD_UP_1
#define CYNN_ADD_UP_2 CYNN_ADD_HALVES(2, 1, CYNN_SUMS_OF_H / 2)
#define CYNN_ADD_UP_4 CYNN_ADD_HALVES(4, 2, CYNN_SUMS_OF_H / 2) CYNN_ADD_HALVES(4, 1, CYNN_SUMS_OF_H / 4)
#define CYNN_ADD_UP_8                                                                                       \
    CYNN_ADD_HALVES(8, 4, CYNN_SUMS_OF_H / 2)                                                               \
    CYNN_ADD_HALVES(8, 2, CYNN_SUMS_OF_H / 4) CYNN_ADD_HALVES(8, 1, CYNN_SUMS_OF_H / 8)
#define CYNN_ADD_UP_16                                                                                      \
    CYNN_ADD_HALVES(16, 8, CYNN_SUMS_OF_H / 2)                                                              \
    CYNN_ADD_HALVES(16, 4, CYNN_SUMS_OF_H / 4)                                                              \
    CYNN_ADD_HALVES(16, 2, CYNN_SUMS_OF_H / 8) CYNN_ADD_HALVES(16, 1, CYNN_SUMS_OF_H / 16)

/* sums[i] := the sum of the w elements of vector i */
#ifdef CYNN_HALVES
#define CYNN_SUMS_OF_VECTORS(w)                                                                             \
    CYNN_ADD_UP_##w _Pragma("GCC unroll 16") for (int i = 0; i < CYNN_SUMS_OF_H / (w); i++)                 \
        *(vector *)(sums + i * (w)) = v[i];
#else
#define CYNN_SUMS_OF_VECTORS(w)                                                                             \
    for (int i = 0; i < CYNN_SUMS_OF_H; i++) {                                                              \
        sums[i] = v[i][0];                                                                                  \
        for (int l = 1; l < (w); l++) sums[i] += v[i][l];                                                   \
    }
#endif

/* Those of one row, and of one or several terms, each of a width of at least w. */
#define CYNN_CURVATURE(w)                                                                                   \
    static void NAME(cynn_curvature_##w)(int64_t n, int64_t row, const cynn_curvature_term *terms,          \
                                         int64_t n_terms, T *H)                                             \
    {                                                                                                       \
        typedef T vector __attribute__((vector_size((w) * sizeof(T)), aligned(sizeof(T)), may_alias));      \
        typedef __typeof__((vector){0} < (vector){0}) mask;                                                 \
        for (int64_t a = 0; a < n; a += CYNN_ROWS_OF_H)                                                     \
            for (int64_t b = a - a % CYNN_COLUMNS_OF_H; b < n; b += CYNN_COLUMNS_OF_H) {                    \
                vector v[CYNN_SUMS_OF_H] = {{0}};                                                           \
                T sums[CYNN_SUMS_OF_H];                                                                     \
                for (int64_t t = 0; t < n_terms; t++) {                                                     \
                    const int64_t width = terms[t].width;                                                   \
                    const T *J = (const T *)terms[t].J + row * terms[t].stride;                             \
                    const T *c = (const T *)terms[t].c + row * width;                                       \
                    const T *left[CYNN_ROWS_OF_H], *right[CYNN_COLUMNS_OF_H];                               \
                    _Pragma("GCC unroll 4") for (int i = 0; i < CYNN_ROWS_OF_H; i++)                        \
                        left[i] = J + (a + i < n ? a + i : n - 1) * width;                                  \
                    _Pragma("GCC unroll 4") for (int i = 0; i < CYNN_COLUMNS_OF_H; i++)                     \
                        right[i] = J + (b + i < n ? b + i : n - 1) * width;                                 \
                    for (int64_t k = 0; k < width; k += (w)) {                                              \
                        const int64_t j = k + (w) <= width ? k : width - (w);                               \
                        vector factor = *(const vector *)(c + j), of_right[CYNN_COLUMNS_OF_H];              \
                        if (j < k) {                                                                        \
                            const mask is_new = *(const vector *)NAME(cynn_numbers) >= (vector){0} + (T)(k - j); \
                            factor = (vector)((mask)factor & is_new);                                       \
                        }                                                                                   \
                        _Pragma("GCC unroll 4") for (int i = 0; i < CYNN_COLUMNS_OF_H; i++)                 \
                            of_right[i] = *(const vector *)(right[i] + j);                                  \
                        _Pragma("GCC unroll 4") for (int i = 0; i < CYNN_ROWS_OF_H; i++) {                  \
                            const vector of_left = factor * *(const vector *)(left[i] + j);                 \
                            _Pragma("GCC unroll 4") for (int m = 0; m < CYNN_COLUMNS_OF_H; m++)             \
                                v[i * CYNN_COLUMNS_OF_H + m] += of_left * of_right[m];                      \
                        }                                                                                   \
                    }                                                                                       \
                }                                                                                           \
                CYNN_SUMS_OF_VECTORS(w)                                                                     \
                NAME(cynn_add_block)(n, a, b, sums, H);                                                     \
            }                                                                                               \
    }

#endif

static const T NAME(cynn_numbers)[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

/* Adds a block to H, and its part above the diagonal at its mirror image, too. */
static inline void NAME(cynn_add_block)(int64_t n, int64_t a, int64_t b, const T *sums, T *H)
{
    for (int64_t i = a; i < a + CYNN_ROWS_OF_H && i < n; i++)
        for (int64_t m = b > i ? b : i; m < b + CYNN_COLUMNS_OF_H && m < n; m++)
            H[m * n + i] = H[i * n + m] += sums[(i - a) * CYNN_COLUMNS_OF_H + m - b];
}

CYNN_CURVATURE(1)
CYNN_CURVATURE(2)
#if CYNN_LANE_BYTES / CYNN_ELEMENT_BYTES >= 4
CYNN_CURVATURE(4)
#endif
#if CYNN_LANE_BYTES / CYNN_ELEMENT_BYTES >= 8
CYNN_CURVATURE(8)
#endif
#if CYNN_LANE_BYTES / CYNN_ELEMENT_BYTES >= 16
CYNN_CURVATURE(16)
#endif

/* Indexed by the logarithm of the width. */
static void (*const NAME(cynn_curvatures)[])(int64_t, int64_t, const cynn_curvature_term *, int64_t, T *) = {
    NAME(cynn_curvature_1), NAME(cynn_curvature_2),
#if CYNN_LANE_BYTES / CYNN_ELEMENT_BYTES >= 4
    NAME(cynn_curvature_4),
#endif
#if CYNN_LANE_BYTES / CYNN_ELEMENT_BYTES >= 8
    NAME(cynn_curvature_8),
#endif
#if CYNN_LANE_BYTES / CYNN_ELEMENT_BYTES >= 16
    NAME(cynn_curvature_16),
#endif
};

/* The logarithm of the width of vectors for a term: none is wider than a row of it. */
static inline int NAME(cynn_log_width)(const cynn_curvature_term *term)
{
    int log_width = 0;
    while (2 << log_width <= CYNN_LANE_BYTES / CYNN_ELEMENT_BYTES && 2 << log_width <= term->width) log_width++;
    return log_width;
}

/* H += the sum over the terms of Jᵀ diag(c) J, for each of the rows. Their H are `distance` apart. */
static void NAME(cynn_add_curvature)(int64_t rows, int64_t n, const cynn_curvature_term *terms, int64_t n_terms,
                                     T *H, int64_t distance)
{
    for (int64_t first = 0, end; first < n_terms; first = end) { /* as many as have the same width of vectors */
        const int log_width = NAME(cynn_log_width)(terms + first);
        for (end = first + 1; end < n_terms && NAME(cynn_log_width)(terms + end) == log_width;) end++;
        for (int64_t row = 0; row < rows; row++)
            NAME(cynn_curvatures)[log_width](n, row, terms + first, end - first, H + row * distance);
    }
}

/* The diagonals of the same, which are `distance` apart. */
static void NAME(cynn_add_diagonal)(int64_t rows, int64_t n, const cynn_curvature_term *terms, int64_t n_terms,
                                    T *diagonal, int64_t distance)
{
    enum { lanes = CYNN_LANE_BYTES / sizeof(T) };
    for (const cynn_curvature_term *term = terms; term < terms + n_terms; term++)
        for (int64_t row = 0; row < rows; row++)
            for (int64_t a = 0; a < n; a++) {
                const T *J = (const T *)term->J + row * term->stride + a * term->width;
                const T *c = (const T *)term->c + row * term->width;
                T sums[lanes] = {0}, sum = 0;
                int64_t j = 0;
                for (; j + lanes <= term->width; j += lanes)
                    for (int l = 0; l < lanes; l++) sums[l] += c[j + l] * J[j + l] * J[j + l];
                for (; j < term->width; j++) sum += c[j] * J[j] * J[j];
                for (int l = 0; l < lanes; l++) sum += sums[l];
                diagonal[row * distance + a] += sum;
            }
}
