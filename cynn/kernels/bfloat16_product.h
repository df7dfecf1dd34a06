/* C := alpha A.B + beta C, or A.B + bias, of float32 matrices, with A and B rounded to bfloat16 and sums in float32.
 *
 * AMX multiplies a tile of 16 x 32 numbers by one of 32 x 16. A strip is 16 rows of A or 16 columns of B. Its copy in
 * bfloat16 is cut into tiles of 32 numbers along k, and a tile is 16 x 16 pairs: by rows in a strip of A, by pairs in a
 * strip of B. Tiles are padded with zeros at the borders. The order of the sums depends only on the shapes.
 *
 * Measured on Sapphire Rapids: 3 to 4 times as fast as the product in float32. The pairwise products of AVX512-BF16,
 * which a processor without AMX may have, were half as fast as float32 there, so they are not used.
 */

#ifndef CYNN_BFLOAT16_PRODUCT
#define CYNN_BFLOAT16_PRODUCT

#include <stdint.h>
#include <string.h>

#if defined(__x86_64__) && defined(__linux__) && (defined(__clang__) ? __clang_major__ >= 12 : __GNUC__ >= 11)

#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CYNN_WITH_BF16 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")))
#define CYNN_WITH_AMX __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,amx-tile,amx-bf16")))

enum {
    CYNN_STRIP = 16,                                         /* rows of A, columns of B and pairs of a tile */
    CYNN_TILE_DEPTH = 32,                                    /* numbers along k */
    CYNN_TILE_PAIRS = CYNN_STRIP * CYNN_STRIP,               /* 1 KiB */
    CYNN_BF16_DEPTH = 1024,                                  /* of a copy: C is seldom written twice */
    CYNN_BF16_TILES = CYNN_BF16_DEPTH / CYNN_TILE_DEPTH,
    CYNN_BF16_ROWS = 256,                                    /* of a copy of A, which stays in the L2 cache */
};

static _Thread_local uint32_t cynn_bf16_rows[CYNN_BF16_ROWS / CYNN_STRIP * CYNN_BF16_TILES * CYNN_TILE_PAIRS]
    __attribute__((aligned(64)));
static _Thread_local uint32_t cynn_bf16_columns[2 * CYNN_BF16_TILES * CYNN_TILE_PAIRS] __attribute__((aligned(64)));

/* Whether this machine has AMX for bfloat16, and the system lets this process use it. */
static int cynn_has_amx(void)
{
    enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18, BF16_IN_AVX512 = 1 << 5, BF16_IN_AMX = 1 << 22, TILES = 1 << 24 };
    unsigned a, b, c, d;
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl"))
        return 0;
    if (!__get_cpuid_count(7, 1, &a, &b, &c, &d) || !(a & BF16_IN_AVX512)) return 0;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d & BF16_IN_AMX) || !(d & TILES)) return 0;
    return syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}

/* Transposes the tile t[i][p]. */
CYNN_WITH_BF16 static inline void cynn_transpose_tile(__m512i t[16])
{
    __m512i u[16];
    for (int i = 0; i < 16; i += 2) {
        u[i] = _mm512_unpacklo_epi32(t[i], t[i + 1]);
        u[i + 1] = _mm512_unpackhi_epi32(t[i], t[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
        t[i] = _mm512_unpacklo_epi64(u[i], u[i + 2]);
        t[i + 1] = _mm512_unpackhi_epi64(u[i], u[i + 2]);
        t[i + 2] = _mm512_unpacklo_epi64(u[i + 1], u[i + 3]);
        t[i + 3] = _mm512_unpackhi_epi64(u[i + 1], u[i + 3]);
    }
    for (int i = 0; i < 4; i++) {
        u[i] = _mm512_shuffle_i32x4(t[i], t[i + 4], 0x88);
        u[i + 4] = _mm512_shuffle_i32x4(t[i], t[i + 4], 0xdd);
        u[i + 8] = _mm512_shuffle_i32x4(t[i + 8], t[i + 12], 0x88);
        u[i + 12] = _mm512_shuffle_i32x4(t[i + 8], t[i + 12], 0xdd);
    }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_i32x4(u[i], u[i + 8], 0x88);
        t[i + 8] = _mm512_shuffle_i32x4(u[i], u[i + 8], 0xdd);
        t[i + 4] = _mm512_shuffle_i32x4(u[i + 4], u[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_i32x4(u[i + 4], u[i + 12], 0xdd);
    }
}

/* The numbers from[first..first + 16) that are in the mask, and zeros for the others, which are not read. */
CYNN_WITH_BF16 static inline __m512 cynn_load_masked(__mmask16 mask, const float *from, int64_t first)
{
    return mask ? _mm512_maskz_loadu_ps(mask, from + first) : _mm512_setzero_ps();
}

/* Copies a strip of `lines` lines of k numbers: number j of line i is at from[i * stride + j * step], and stride or
 * step is 1. A line is a row of A or a column of B. by_lines: pairs as in a strip of A, else as in one of B. */
CYNN_WITH_BF16 static void cynn_pack_strip(int64_t lines, int64_t k, const float *from, int64_t stride, int64_t step,
                                           int by_lines, uint32_t *to)
{
    const __m512i interleaved = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21,
                                           5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    const __mmask16 there = (__mmask16)((1u << lines) - 1);
    for (int64_t j = 0; j < k; j += CYNN_TILE_DEPTH, to += CYNN_TILE_PAIRS) {
        const int64_t depth = k - j < CYNN_TILE_DEPTH ? k - j : CYNN_TILE_DEPTH;
        __m512i tile[16];
        if (step == 1) {
            const uint32_t numbers = depth == CYNN_TILE_DEPTH ? ~0u : (1u << depth) - 1;
            for (int64_t i = 0; i < CYNN_STRIP; i++) {
                const uint32_t mask = i < lines ? numbers : 0;
                tile[i] = (__m512i)_mm512_cvtne2ps_pbh(cynn_load_masked(mask >> 16, from, i * stride + j + 16),
                                                       cynn_load_masked(mask & 0xffff, from, i * stride + j));
            }
        } else {
            for (int64_t p = 0, first = j * step; p < CYNN_STRIP; p++, first += 2 * step) {
                const __m512i both =
                    (__m512i)_mm512_cvtne2ps_pbh(cynn_load_masked(2 * p + 1 < depth ? there : 0, from, first + step),
                                                 cynn_load_masked(2 * p < depth ? there : 0, from, first));
                tile[p] = _mm512_permutexvar_epi16(interleaved, both);
            }
        }
        if ((step == 1) != by_lines) cynn_transpose_tile(tile);
        for (int i = 0; i < 16; i++) _mm512_store_si512(to + i * CYNN_STRIP, tile[i]);
    }
}

/* Copies up to 32 lines to two strips. The second is `apart` pairs behind the first. */
CYNN_WITH_BF16 static void cynn_pack_two(int64_t lines, int64_t k, const float *from, int64_t stride, int64_t step,
                                         int by_lines, uint32_t *to, int64_t apart)
{
    const int64_t first = lines < CYNN_STRIP ? lines : CYNN_STRIP;
    const int64_t second = lines - first < CYNN_STRIP ? lines - first : CYNN_STRIP;
    cynn_pack_strip(first, k, from, stride, step, by_lines, to);
    cynn_pack_strip(second, k, second ? from + CYNN_STRIP * stride : from, stride, step, by_lines, to + apart);
}

/* out (32 x 32) := the product of two strips of A and two of B. The second strips are `apart` pairs behind the first.
 */
CYNN_WITH_AMX static void cynn_multiply_strips(int64_t tiles, const uint32_t *a, const uint32_t *b, int64_t apart,
                                               float *out)
{
    __asm__ volatile("" ::: "memory"); /* store the copies: gcc does not know that tiles are loaded from them */
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int64_t t = 0; t < tiles; t++, a += CYNN_TILE_PAIRS, b += CYNN_TILE_PAIRS) {
        _tile_loadd(4, a, 64);
        _tile_loadd(6, b, 64);
        _tile_loadd(5, a + apart, 64);
        _tile_loadd(7, b + apart, 64);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    _tile_stored(0, out, 128);
    _tile_stored(1, out + 16, 128);
    _tile_stored(2, out + 16 * 32, 128);
    _tile_stored(3, out + 16 * 32 + 16, 128);
}

/* C (rows x columns, at most 32 x 32) := alpha block + beta C + bias. With beta = 0, C is not read. */
CYNN_WITH_BF16 static void cynn_add_block(int64_t rows, int64_t columns, const float *block, const float *bias,
                                          float alpha, float beta, float *C, int64_t ldc)
{
    const __m512 factor = _mm512_set1_ps(alpha), of_C = _mm512_set1_ps(beta);
    for (int64_t j = 0; j < columns; j += 16) {
        const __mmask16 there = columns - j < 16 ? (__mmask16)((1u << (columns - j)) - 1) : 0xffff;
        const __m512 b = bias ? _mm512_maskz_loadu_ps(there, bias + j) : _mm512_setzero_ps();
        for (int64_t i = 0; i < rows; i++) {
            __m512 sum = _mm512_fmadd_ps(factor, _mm512_loadu_ps(block + i * 32 + j), b);
            if (beta != 0) sum = _mm512_fmadd_ps(of_C, _mm512_maskz_loadu_ps(there, C + i * ldc + j), sum);
            _mm512_mask_storeu_ps(C + i * ldc + j, there, sum);
        }
    }
}

/* Eight tiles of 16 rows of 64 bytes: the palette, the row to start with, and for each tile bytes and rows. It is
 * static, since gcc assumes that the instruction reads only 8 bytes of it, and may not store the others of a local
 * one. */
static const struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} cynn_tiles = {1, 0, {0}, {64, 64, 64, 64, 64, 64, 64, 64}, {16, 16, 16, 16, 16, 16, 16, 16}};

CYNN_WITH_AMX static void cynn_start_tiles(void) { _tile_loadconfig(&cynn_tiles); }

CYNN_WITH_AMX static void cynn_end_tiles(void) { _tile_release(); }

/* C (m x n) := alpha A.B + beta C + bias. A (m x k) has A[i, j] at A[i * row_stride + j * k_stride], and B (k x n)
 * B[i, j] at B[i * row_stride_of_B + j * column_stride]; one stride of each is 1. bias (n) or NULL. With beta = 0, C is
 * not read. */
static void cynn_bfloat16_product(int64_t m, int64_t n, int64_t k, const float *A, int64_t row_stride,
                                  int64_t k_stride, const float *B, int64_t row_stride_of_B, int64_t column_stride,
                                  const float *bias, float alpha, float beta, float *C, int64_t ldc)
{
    uint32_t *rows = cynn_bf16_rows, *columns = cynn_bf16_columns;
    float block[32 * 32] __attribute__((aligned(64)));
#ifdef CYNN_DEBUG /* NaN, so that reading uninitialized memory is noticed */
    memset(rows, 0xff, sizeof cynn_bf16_rows);
    memset(columns, 0xff, sizeof cynn_bf16_columns);
#endif
    cynn_start_tiles();
    for (int64_t first = 0; first < k; first += CYNN_BF16_DEPTH, bias = NULL, beta = 1) {
        const int64_t depth = k - first < CYNN_BF16_DEPTH ? k - first : CYNN_BF16_DEPTH;
        const int64_t tiles = (depth + CYNN_TILE_DEPTH - 1) / CYNN_TILE_DEPTH, apart = tiles * CYNN_TILE_PAIRS;
        for (int64_t top = 0; top < m; top += CYNN_BF16_ROWS) {
            const int64_t height = m - top < CYNN_BF16_ROWS ? m - top : CYNN_BF16_ROWS;
            for (int64_t i = 0; i < height; i += 32)
                cynn_pack_two(height - i, depth, A + (top + i) * row_stride + first * k_stride, row_stride, k_stride, 1,
                              rows + i / CYNN_STRIP * apart, apart);
            for (int64_t j = 0; j < n; j += 32) {
                const int64_t width = n - j < 32 ? n - j : 32;
                cynn_pack_two(width, depth, B + first * row_stride_of_B + j * column_stride, column_stride,
                              row_stride_of_B, 0, columns, apart);
                for (int64_t i = 0; i < height; i += 32) {
                    const uint32_t *a = rows + i / CYNN_STRIP * apart;
                    cynn_multiply_strips(tiles, a, columns, apart, block);
                    cynn_add_block(height - i < 32 ? height - i : 32, width, block, bias ? bias + j : NULL, alpha, beta,
                                   C + (top + i) * ldc + j, ldc);
                }
            }
        }
    }
    cynn_end_tiles();
}

#else

static int cynn_has_amx(void) { return 0; }

static void cynn_bfloat16_product(int64_t m, int64_t n, int64_t k, const float *A, int64_t row_stride,
                                  int64_t k_stride, const float *B, int64_t row_stride_of_B, int64_t column_stride,
                                  const float *bias, float alpha, float beta, float *C, int64_t ldc)
{
    (void)m, (void)n, (void)k, (void)A, (void)row_stride, (void)k_stride, (void)B;
    (void)row_stride_of_B, (void)column_stride, (void)bias, (void)alpha, (void)beta, (void)C, (void)ldc;
}

#endif

#endif
