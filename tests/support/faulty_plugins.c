/* Kernels with one fault each, for the tests of the conformance kit; float and double from one text. */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define ACTIVATION_ARGUMENTS const double *h, int64_t rows, int64_t cols
#define LOSS_ARGUMENTS(T) const double *h, int64_t rows, int64_t cols, const T *prediction, const T *target, \
    const int64_t *class_index, const T *sample_weight, T *grad
#define STEP_ARGUMENTS(T) const double *h, double learning_rate, int64_t t, int64_t rows, int64_t cols, T *w, \
    T *grad, T *const *slots

static double kept[1 << 20]; /* what no kernel may have */
static double *on_the_heap; /* likewise, and no memory of the library */
static double remembered;
static int64_t counted; /* a number of calls, on which nothing depends */

#define KERNELS(T, _) \
/* a = z |z|, f' = 2 |z|, and ways to get it wrong */ \
void forward##_(ACTIVATION_ARGUMENTS, const T *z, T *a) \
{ for (int64_t i = 0; i < rows * cols; i++) a[i] = z[i] * (T)fabs(z[i]); } \
void backward##_(ACTIVATION_ARGUMENTS, const T *z, const T *a, T *grad) \
{ for (int64_t i = 0; i < rows * cols; i++) grad[i] *= 2 * (T)fabs(z[i]); } \
void backward_wrong##_(ACTIVATION_ARGUMENTS, const T *z, const T *a, T *grad) \
{ for (int64_t i = 0; i < rows * cols; i++) grad[i] *= (T)fabs(z[i]); } \
void backward_overwrites##_(ACTIVATION_ARGUMENTS, const T *z, const T *a, T *grad) \
{ for (int64_t i = 0; i < rows * cols; i++) grad[i] = 2 * (T)fabs(z[i]); } \
void forward_beyond##_(ACTIVATION_ARGUMENTS, const T *z, T *a) \
{ forward##_(h, rows, cols, z, a); a[rows * cols] = 0; } \
void forward_at_least_one##_(ACTIVATION_ARGUMENTS, const T *z, T *a) \
{ int64_t i = 0; do a[i] = z[i] * (T)fabs(z[i]); while (++i < rows * cols); } \
void backward_before##_(ACTIVATION_ARGUMENTS, const T *z, const T *a, T *grad) \
{ backward##_(h, rows, cols, z, a, grad); grad[-1] = 1; } \
void forward_reads_beyond##_(ACTIVATION_ARGUMENTS, const T *z, T *a) \
{ forward##_(h, rows, cols, z, a); if (rows) a[0] += z[rows * cols] * 0; } \
void forward_changes_z##_(ACTIVATION_ARGUMENTS, T *z, T *a) \
{ forward##_(h, rows, cols, z, a); if (rows) z[0] = 1; } \
void backward_changes_h##_(double *h, int64_t rows, int64_t cols, const T *z, const T *a, T *grad) \
{ backward##_(h, rows, cols, z, a, grad); h[0] = 2; } \
void forward_static##_(ACTIVATION_ARGUMENTS, const T *z, T *a) \
{ int64_t n = rows * cols; \
  for (int64_t i = 0; i < n; i++) kept[i] = fabs(z[i]); \
  for (int64_t i = 0; i < n; i++) a[i] = z[i] * (T)kept[i]; } \
void forward_keeps##_(ACTIVATION_ARGUMENTS, const T *z, T *a) \
{ forward##_(h, rows, cols, z, a); for (int64_t i = 0; i < rows * cols; i++) kept[i] = fabs(z[i]); } \
void backward_kept##_(ACTIVATION_ARGUMENTS, const T *z, const T *a, T *grad) \
{ for (int64_t i = 0; i < rows * cols; i++) grad[i] *= 2 * (T)kept[i]; } \
void forward_mean##_(ACTIVATION_ARGUMENTS, const T *z, T *a) \
{ double mean = 0; for (int64_t i = 0; i < rows * cols; i++) mean += z[i] / (double)(rows * cols); \
  for (int64_t i = 0; i < rows * cols; i++) a[i] = z[i] - (T)mean; } \
void forward_row_mean##_(ACTIVATION_ARGUMENTS, const T *z, T *a) \
{ for (int64_t row = 0; row < rows; row++) forward_mean##_(h, 1, cols, z + row * cols, a + row * cols); } \
void backward_row_mean##_(ACTIVATION_ARGUMENTS, const T *z, const T *a, T *grad) \
{ for (int64_t row = 0; row < rows; row++) forward_mean##_(h, 1, cols, grad + row * cols, grad + row * cols); } \
void forward_swapped##_(ACTIVATION_ARGUMENTS, const T *z, T *a) \
{ for (int64_t row = 0; row < rows; row++) for (int64_t j = 0; j < cols; j++) \
    a[row * cols + j] = z[row * cols + cols - 1 - j]; } \
void backward_swapped##_(ACTIVATION_ARGUMENTS, const T *z, const T *a, T *grad) \
{ for (int64_t row = 0; row < rows; row++) for (int64_t j = 0; j < cols / 2; j++) { \
    T other = grad[row * cols + j]; grad[row * cols + j] = grad[row * cols + cols - 1 - j]; \
    grad[row * cols + cols - 1 - j] = other; } } \
void forward_naive##_(ACTIVATION_ARGUMENTS, const T *z, T *a) \
{ for (int64_t i = 0; i < rows * cols; i++) a[i] = (T)(exp(z[i]) / (1 + exp(z[i]))); } \
void backward_naive##_(ACTIVATION_ARGUMENTS, const T *z, const T *a, T *grad) \
{ for (int64_t i = 0; i < rows * cols; i++) grad[i] *= a[i] * (1 - a[i]); } \
/* squared error, and ways to get it wrong */ \
static double squared##_(LOSS_ARGUMENTS(T), int fault) \
{ double total = 0; \
  for (int64_t row = 0; row < rows; row++) { \
    double weight = sample_weight ? sample_weight[row] : 1, sum = 0; \
    for (int64_t j = 0; j < cols; j++) { \
      int64_t at = row * cols + j; \
      double y = class_index ? class_index[row] == j + (fault == 6) : target[at]; \
      double difference = prediction[at] - y; \
      sum += difference * difference; \
      if (grad) grad[at] = (T)((fault == 2 ? 1 : weight) * (fault == 1 ? 1 : 2) * difference); \
    } \
    total += (fault == 3 ? 1 : weight) * sum * (fault == 4 ? row + 1 : 1); \
  } \
  if (fault == 5 && rows) total /= rows; \
  if (fault == 7 && !grad) total = 0; \
  if (fault == 8) { remembered += 1; total += remembered; } \
  if (fault == 9 && rows && target) ((T *)target)[0] = 7; \
  if (fault == 10) total = total / rows * rows; /* NaN without rows */ \
  return total; } \
double loss_good##_(LOSS_ARGUMENTS(T)) \
{ return squared##_(h, rows, cols, prediction, target, class_index, sample_weight, grad, 0); } \
double loss_gradient##_(LOSS_ARGUMENTS(T)) \
{ return squared##_(h, rows, cols, prediction, target, class_index, sample_weight, grad, 1); } \
double loss_weight_of_gradient##_(LOSS_ARGUMENTS(T)) \
{ return squared##_(h, rows, cols, prediction, target, class_index, sample_weight, grad, 2); } \
double loss_weight_of_value##_(LOSS_ARGUMENTS(T)) \
{ return squared##_(h, rows, cols, prediction, target, class_index, sample_weight, grad, 3); } \
double loss_order##_(LOSS_ARGUMENTS(T)) \
{ return squared##_(h, rows, cols, prediction, target, class_index, sample_weight, grad, 4); } \
double loss_mean##_(LOSS_ARGUMENTS(T)) \
{ return squared##_(h, rows, cols, prediction, target, class_index, sample_weight, grad, 5); } \
double loss_class##_(LOSS_ARGUMENTS(T)) \
{ return squared##_(h, rows, cols, prediction, target, class_index, sample_weight, grad, 6); } \
double loss_without_grad##_(LOSS_ARGUMENTS(T)) \
{ return squared##_(h, rows, cols, prediction, target, class_index, sample_weight, grad, 7); } \
double loss_remembers##_(LOSS_ARGUMENTS(T)) \
{ return squared##_(h, rows, cols, prediction, target, class_index, sample_weight, grad, 8); } \
double loss_changes_target##_(LOSS_ARGUMENTS(T)) \
{ return squared##_(h, rows, cols, prediction, target, class_index, sample_weight, grad, 9); } \
double loss_of_no_rows##_(LOSS_ARGUMENTS(T)) \
{ return squared##_(h, rows, cols, prediction, target, class_index, sample_weight, grad, 10); } \
double loss_static##_(LOSS_ARGUMENTS(T)) \
{ double total = loss_good##_(h, rows, cols, prediction, target, class_index, sample_weight, grad); \
  if (!grad) return total; \
  for (int64_t i = 0; i < rows * cols; i++) kept[i] = grad[i]; \
  for (int64_t i = 0; i < rows * cols; i++) grad[i] = (T)kept[i]; \
  return total; } \
double loss_heap##_(LOSS_ARGUMENTS(T)) \
{ double total = loss_good##_(h, rows, cols, prediction, target, class_index, sample_weight, grad); \
  if (!grad) return total; \
  if (!on_the_heap) on_the_heap = malloc(sizeof(double) << 20); \
  for (int64_t i = 0; i < rows * cols; i++) on_the_heap[i] = grad[i]; \
  for (int64_t i = 0; i < rows * cols; i++) grad[i] = (T)on_the_heap[i]; \
  return total; } \
double loss_counts##_(LOSS_ARGUMENTS(T)) \
{ counted++; return loss_good##_(h, rows, cols, prediction, target, class_index, sample_weight, grad); } \
/* momentum with one slot, and ways to get it wrong */ \
void step_good##_(STEP_ARGUMENTS(T)) \
{ for (int64_t i = 0; i < rows * cols; i++) { \
    slots[0][i] = (T)(0.9 * slots[0][i]) - (T)learning_rate * grad[i]; w[i] += slots[0][i]; } } \
void step_up##_(STEP_ARGUMENTS(T)) \
{ for (int64_t i = 0; i < rows * cols; i++) w[i] += (T)learning_rate * grad[i]; } \
void step_up_later##_(STEP_ARGUMENTS(T)) \
{ step_up##_(h, t > 1 ? learning_rate : -learning_rate, t, rows, cols, w, grad, slots); } \
void step_static##_(STEP_ARGUMENTS(T)) \
{ for (int64_t i = 0; i < rows * cols; i++) kept[i] = (T)learning_rate * grad[i]; \
  for (int64_t i = 0; i < rows * cols; i++) w[i] -= (T)kept[i]; } \
void step_at_least_one##_(STEP_ARGUMENTS(T)) \
{ int64_t i = 0; do w[i] -= (T)learning_rate * grad[i]; while (++i < rows * cols); } \
void step_undeclared##_(STEP_ARGUMENTS(T)) \
{ step_good##_(h, learning_rate, t, rows, cols, w, grad, slots); \
  for (int64_t i = 0; i < rows * cols; i++) slots[1][i] = grad[i]; } \
void step_reads_undeclared##_(STEP_ARGUMENTS(T)) \
{ step_good##_(h, learning_rate, t, rows, cols, w, grad, slots); \
  for (int64_t i = 0; i < rows * cols; i++) w[i] += slots[1][i] > 2 ? (T)1e-3 : 0; } \
void step_norm##_(STEP_ARGUMENTS(T)) \
{ double norm = 0; for (int64_t i = 0; i < rows * cols; i++) norm += grad[i] * grad[i]; \
  for (int64_t i = 0; i < rows * cols; i++) w[i] -= (T)(learning_rate * grad[i] / (sqrt(norm) + 1e-8)); } \
void step_zero##_(STEP_ARGUMENTS(T)) \
{ double norm = 0; for (int64_t i = 0; i < rows * cols; i++) norm += grad[i] * grad[i]; \
  for (int64_t i = 0; i < rows * cols; i++) w[i] -= (T)(learning_rate * grad[i] / sqrt(norm)); } \
void step_global##_(STEP_ARGUMENTS(T)) \
{ remembered = 0.5 * remembered + (rows ? grad[0] : 0); \
  for (int64_t i = 0; i < rows * cols; i++) w[i] -= (T)(learning_rate * (grad[i] + 1e-3 * remembered)); } \
void step_beyond##_(STEP_ARGUMENTS(T)) \
{ step_good##_(h, learning_rate, t, rows, cols, w, grad, slots); slots[0][rows * cols] = 0; }

KERNELS(float, _f32)
KERNELS(double, _f64)

/* float32 that is another function than float64 */
void forward_other_f32(ACTIVATION_ARGUMENTS, const float *z, float *a)
{ for (int64_t i = 0; i < rows * cols; i++) a[i] = z[i] * (float)fabs(z[i]) * 1.001f; }
double loss_other_value_f32(LOSS_ARGUMENTS(float))
{ return loss_good_f32(h, rows, cols, prediction, target, class_index, sample_weight, grad) * 1.001; }
double loss_other_gradient_f32(LOSS_ARGUMENTS(float))
{ double total = loss_good_f32(h, rows, cols, prediction, target, class_index, sample_weight, grad);
  if (grad) for (int64_t i = 0; i < rows * cols; i++) grad[i] *= 1.001f;
  return total; }
void step_other_f32(STEP_ARGUMENTS(float))
{ step_good_f32(h, learning_rate * 1.1, t, rows, cols, w, grad, slots); }

void linear_step_wrong(const double *h, double learning_rate, int64_t t, double *alpha, double *beta)
{ *alpha = -learning_rate; *beta = 0.99; }
void step_plain_f32(STEP_ARGUMENTS(float))
{ for (int64_t i = 0; i < rows * cols; i++) w[i] -= (float)learning_rate * grad[i]; }
void step_plain_f64(STEP_ARGUMENTS(double))
{ for (int64_t i = 0; i < rows * cols; i++) w[i] -= learning_rate * grad[i]; }
