/* Directional derivatives for the tests of the conformance kit: a right one of each kind, and others with one fault.
 * The activation is z³, the loss Σ d³, the layer x s with a factor for each column. */
#include <math.h>
#include <stdint.h>
#include "cynn/abi.h"

#define JOIN2(a, b) a##b
#define JOIN(a, b) JOIN2(a, b)
#define EACH for (int64_t i = 0; i < rows * cols; i++)
#define ROWS for (int64_t i = begin * op->units; i < end * op->units; i++)
#define A const double *h, int64_t rows, int64_t cols, const T *z, const T *a
#define L const double *h, int64_t rows, int64_t cols, const T *p, const T *t, const int64_t *c, const T *w
#define O const cynn_operands *op, const cynn_pass *pass, int64_t begin, int64_t end
#define D const cynn_operands *op, const cynn_tangents *along, const cynn_pass *pass, int64_t begin, int64_t end

#define T float
#define NAME(name) JOIN(name, _f32)
#include "kit_directional_body.h"
#undef T
#undef NAME
#define T double
#define NAME(name) JOIN(name, _f64)
#include "kit_directional_body.h"
