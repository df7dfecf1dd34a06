/* Philox4x32-10, as in random.pxd, for 32 blocks at once, in plain loops that the compiler vectorizes. */
#ifndef CYNN_PHILOX_LANES_H
#define CYNN_PHILOX_LANES_H

#include <stdint.h>

enum { CYNN_LANES = 32, CYNN_GROUP = 4 * CYNN_LANES };

#if defined(__GNUC__) && !defined(__clang__)
#define CYNN_KEEP_LOOP _Pragma("GCC unroll 1") /* unrolled first, so that the outer loop is vectorized */
#else
#define CYNN_KEEP_LOOP
#endif

/* The words of blocks first, first + 1, ... For every group of 32 blocks: word 0 of all, then word 1 of all, ... */
static inline void cynn_philox_lanes(
    uint64_t key, uint32_t first, uint32_t step, uint32_t epoch, uint32_t purpose, int64_t n_groups, uint32_t *words)
{
    for (int64_t group = 0; group < n_groups; group++) {
        uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
        uint32_t *c0 = words + group * CYNN_GROUP, *c1 = c0 + CYNN_LANES, *c2 = c1 + CYNN_LANES, *c3 = c2 + CYNN_LANES;
        for (int lane = 0; lane < CYNN_LANES; lane++) {
            c0[lane] = first + (uint32_t)(group * CYNN_LANES) + (uint32_t)lane;
            c1[lane] = step;
            c2[lane] = epoch;
            c3[lane] = purpose;
        }
        for (int round = 0; round < 10; round++) {
            CYNN_KEEP_LOOP
            for (int lane = 0; lane < CYNN_LANES; lane++) {
                uint64_t product_0 = (uint64_t)0xD2511F53u * c0[lane], product_1 = (uint64_t)0xCD9E8D57u * c2[lane];
                uint32_t new_0 = (uint32_t)(product_1 >> 32) ^ c1[lane] ^ k0;
                uint32_t new_2 = (uint32_t)(product_0 >> 32) ^ c3[lane] ^ k1;
                c1[lane] = (uint32_t)product_1;
                c3[lane] = (uint32_t)product_0;
                c0[lane] = new_0;
                c2[lane] = new_2;
            }
            k0 += 0x9E3779B9u;
            k1 += 0xBB67AE85u;
        }
    }
}

#endif
