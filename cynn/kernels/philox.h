/* Philox4x32-10: four random words for a key and a counter, with no state between calls. For one block, or for 32
 * blocks at once in plain loops that the compiler vectorizes. */
#ifndef CYNN_PHILOX_H
#define CYNN_PHILOX_H

#include <stdint.h>

enum { CYNN_LANES = 32, CYNN_GROUP = 4 * CYNN_LANES };

#if defined(__GNUC__) && !defined(__clang__)
#define CYNN_KEEP_LOOP _Pragma("GCC unroll 1") /* gcc would unroll the inner loop, then vectorize the outer one */
#else
#define CYNN_KEEP_LOOP
#endif

/* On n counters, in place: word 0 of counter i is c0[i], ... */
static inline void cynn_philox_rounds(int n, uint64_t key, uint32_t *c0, uint32_t *c1, uint32_t *c2, uint32_t *c3)
{
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int round = 0; round < 10; round++) {
        CYNN_KEEP_LOOP
        for (int i = 0; i < n; i++) {
            uint64_t product_0 = (uint64_t)0xD2511F53u * c0[i], product_1 = (uint64_t)0xCD9E8D57u * c2[i];
            uint32_t new_0 = (uint32_t)(product_1 >> 32) ^ c1[i] ^ k0;
            uint32_t new_2 = (uint32_t)(product_0 >> 32) ^ c3[i] ^ k1;
            c1[i] = (uint32_t)product_1;
            c3[i] = (uint32_t)product_0;
            c0[i] = new_0;
            c2[i] = new_2;
        }
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
}

/* The words of one block. */
static inline void cynn_philox(const uint32_t *counter, uint64_t key, uint32_t *words)
{
    /* One word at a time: a caller has just written one of them, and a wider load would wait for that store. */
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    cynn_philox_rounds(1, key, &c0, &c1, &c2, &c3);
    words[0] = c0;
    words[1] = c1;
    words[2] = c2;
    words[3] = c3;
}

/* The words of blocks first, first + 1, ... For every group of 32 blocks: word 0 of all, then word 1 of all, ... */
static inline void cynn_philox_lanes(
    uint64_t key, uint32_t first, uint32_t step, uint32_t epoch, uint32_t purpose, int64_t n_groups, uint32_t *words)
{
    for (int64_t group = 0; group < n_groups; group++) {
        uint32_t *c0 = words + group * CYNN_GROUP, *c1 = c0 + CYNN_LANES, *c2 = c1 + CYNN_LANES, *c3 = c2 + CYNN_LANES;
        for (int lane = 0; lane < CYNN_LANES; lane++) {
            c0[lane] = first + (uint32_t)(group * CYNN_LANES) + (uint32_t)lane;
            c1[lane] = step;
            c2[lane] = epoch;
            c3[lane] = purpose;
        }
        cynn_philox_rounds(CYNN_LANES, key, c0, c1, c2, c3);
    }
}

#endif
