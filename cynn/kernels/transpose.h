/* to[i, j] := from[j, i], for a matrix with few rows and columns, which fits in the L1 cache.
 *
 * The matrix is covered by squares as wide as a short vector. The last square of a row or column is shifted back to end
 * at the border of the matrix, so some elements are written twice, with the same value.
 *
 * This file is included once for each dtype, with T, the element type, and NAME(x), x with the dtype's suffix.
 */

#ifndef CYNN_TRANSPOSE_ONCE
#define CYNN_TRANSPOSE_ONCE
#include <stdint.h>
#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define CYNN_SHUFFLES 1
#endif
#endif
#endif

static void NAME(cynn_transpose)(int64_t rows, int64_t columns, const T *from, int64_t from_stride, T *to,
                                 int64_t to_stride)
{
#ifdef CYNN_SHUFFLES
    typedef T vector __attribute__((vector_size(16), aligned(sizeof(T)), may_alias));
    enum { lanes = 16 / sizeof(T) };
    if (rows >= lanes && columns >= lanes) {
        for (int64_t j = 0; j < columns; j += lanes) {
            if (j > columns - lanes) j = columns - lanes;
            for (int64_t i = 0; i < rows; i += lanes) {
                if (i > rows - lanes) i = rows - lanes;
                const T *b = from + j * from_stride + i;
                T *c = to + i * to_stride + j;
#if CYNN_ELEMENT_BYTES == 4
                vector r_0 = *(const vector *)b, r_1 = *(const vector *)(b + from_stride);
                vector r_2 = *(const vector *)(b + 2 * from_stride), r_3 = *(const vector *)(b + 3 * from_stride);
                vector low_01 = __builtin_shufflevector(r_0, r_1, 0, 4, 1, 5);
                vector high_01 = __builtin_shufflevector(r_0, r_1, 2, 6, 3, 7);
                vector low_23 = __builtin_shufflevector(r_2, r_3, 0, 4, 1, 5);
                vector high_23 = __builtin_shufflevector(r_2, r_3, 2, 6, 3, 7);
                *(vector *)c = __builtin_shufflevector(low_01, low_23, 0, 1, 4, 5);
                *(vector *)(c + to_stride) = __builtin_shufflevector(low_01, low_23, 2, 3, 6, 7);
                *(vector *)(c + 2 * to_stride) = __builtin_shufflevector(high_01, high_23, 0, 1, 4, 5);
                *(vector *)(c + 3 * to_stride) = __builtin_shufflevector(high_01, high_23, 2, 3, 6, 7);
#else
                vector r_0 = *(const vector *)b, r_1 = *(const vector *)(b + from_stride);
                *(vector *)c = __builtin_shufflevector(r_0, r_1, 0, 2);
                *(vector *)(c + to_stride) = __builtin_shufflevector(r_0, r_1, 1, 3);
#endif
            }
        }
        return;
    }
#endif
    for (int64_t j = 0; j < columns; j++)
        for (int64_t i = 0; i < rows; i++) to[i * to_stride + j] = from[j * from_stride + i];
}
