/* Prefetches memory that will be needed soon, between the blocks of a product, so that it arrives during the
 * computation. */
#ifndef CYNN_PREFETCH_H
#define CYNN_PREFETCH_H

#include <stdint.h>

#include "cynn/abi.h"

/* Rows index[0..rows) of a matrix, or rows 0..rows if index is NULL. `lines` cache lines are prefetched per call. */
struct cynn_prefetch {
    const char *data;
    const int64_t *index;
    int64_t row_stride, row_bytes, rows;
    int64_t lines;
    const char *at, *end; /* the rest of the current row */
};

static inline void cynn_prefetch_some(cynn_prefetch *prefetch)
{
    for (int64_t i = prefetch->lines; i > 0; i--) {
        if (prefetch->at >= prefetch->end) {
            if (prefetch->rows == 0) {
                prefetch->lines = 0;
                return;
            }
            prefetch->rows--;
            prefetch->at = prefetch->data;
            if (prefetch->index)
                prefetch->at += *prefetch->index++ * prefetch->row_stride;
            else
                prefetch->data += prefetch->row_stride;
            prefetch->end = prefetch->at + prefetch->row_bytes;
        }
        __builtin_prefetch(prefetch->at, 0, 2);
        prefetch->at += 64;
    }
}

/* Set the lines per call so that all rows are prefetched after that many calls. */
static inline void cynn_spread_prefetch(cynn_prefetch *prefetch, int64_t calls)
{
    prefetch->lines = prefetch->rows * (prefetch->row_bytes / 64 + 1) / calls + 1;
}

static inline void cynn_prefetch_rest(cynn_prefetch *prefetch)
{
    if (!prefetch) return;
    prefetch->lines = INT64_MAX;
    cynn_prefetch_some(prefetch);
}

#endif
