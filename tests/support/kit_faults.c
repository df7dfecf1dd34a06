/* Kernels with faults of the kinds that a conformance kit must see; float and double from one text. */
#define _GNU_SOURCE
#include <fenv.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define A_ARGS const double *h, int64_t rows, int64_t cols
#define L_ARGS(T) const double *h, int64_t rows, int64_t cols, const T *prediction, const T *target, \
    const int64_t *class_index, const T *sample_weight, T *grad
#define L_NAMES h, rows, cols, prediction, target, class_index, sample_weight, grad
#define S_ARGS(T) const double *h, double rate, int64_t t, int64_t rows, int64_t cols, T *w, T *grad, T *const *slots
#define EACH for (int64_t i = 0; i < rows * cols; i++)
#define JOIN2(a, b) a##b
#define JOIN(a, b) JOIN2(a, b)
#define FORWARD(name) void JOIN(name##_forward, _)(A_ARGS, const T *z, T *a)
#define BACKWARD(name) void JOIN(name##_backward, _)(A_ARGS, const T *z, const T *a, T *grad)
#define LOSS(name) double JOIN(name##_loss, _)(L_ARGS(T))
#define STEP(name) void JOIN(name##_step, _)(S_ARGS(T))
#define RIGHT(name) JOIN(name, _)

static void flush_to_zero(void)
{
#ifdef __x86_64__
    __builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() | 0x8040);
#else
    fesetround(FE_DOWNWARD);
#endif
}
static double table[64];
static int moved(const void *p, int bytes) { return ((uintptr_t)p) % bytes != 0; }

#define T float
#define _ _f32
#include "kit_faults_body.h"
#undef T
#undef _
#define T double
#define _ _f64
#include "kit_faults_body.h"

/* of linear steps */
void linear_right(const double *h, double rate, int64_t t, double *alpha, double *beta) { *alpha = -rate; *beta = 1; }
void linear_off(const double *h, double rate, int64_t t, double *alpha, double *beta)
{ *alpha = -rate * (1 + 1e-6); *beta = 1; }
void linear_beta_off(const double *h, double rate, int64_t t, double *alpha, double *beta)
{ *alpha = -rate; *beta = 1 - 1e-6; }
void linear_late(const double *h, double rate, int64_t t, double *alpha, double *beta)
{ *alpha = t > 50000 ? -rate / 2 : -rate; *beta = 1; }
void linear_float(const double *h, double rate, int64_t t, double *alpha, double *beta)
{ *alpha = -(float)rate; *beta = 1; }
