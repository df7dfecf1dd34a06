/* Memory that will be wanted soon, asked for between blocks of a product so that it comes while there is
 * something to compute. */
#ifndef CYNN_AHEAD_H
#define CYNN_AHEAD_H

#include <stdint.h>

/* Rows index[0..rows) of a matrix, or rows 0..rows where index is NULL; `lines` of 64 bytes are asked for at a time. */
typedef struct {
    const char *data;
    const int64_t *index;
    int64_t row_stride, row_bytes, rows;
    int64_t lines;
    const char *at, *end; /* what is left of the current row */
} cynn_ahead;

static inline void cynn_fetch_ahead(cynn_ahead *ahead)
{
    for (int64_t i = ahead->lines; i > 0; i--) {
        if (ahead->at >= ahead->end) {
            if (ahead->rows == 0) {
                ahead->lines = 0;
                return;
            }
            ahead->rows--;
            ahead->at = ahead->data;
            if (ahead->index)
                ahead->at += *ahead->index++ * ahead->row_stride;
            else
                ahead->data += ahead->row_stride;
            ahead->end = ahead->at + ahead->row_bytes;
        }
        __builtin_prefetch(ahead->at, 0, 2);
        ahead->at += 64;
    }
}

/* So many lines at a time that all have been asked for after that many looks ahead. */
static inline void cynn_spread(cynn_ahead *ahead, int64_t looks)
{
    ahead->lines = ahead->rows * (ahead->row_bytes / 64 + 1) / looks + 1;
}

static inline void cynn_fetch_rest(cynn_ahead *ahead)
{
    if (!ahead) return;
    ahead->lines = INT64_MAX;
    cynn_fetch_ahead(ahead);
}

#endif
