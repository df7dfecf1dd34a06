/* Over T, which is float or double. What is right comes first. */
FORWARD(cube) { EACH a[i] = z[i] * (T)fabs(z[i]); }
BACKWARD(cube) { EACH grad[i] *= 2 * (T)fabs(z[i]); }
FORWARD(relu) { EACH a[i] = z[i] < 0 ? 0 : z[i]; }
BACKWARD(relu) { EACH grad[i] = z[i] > 0 ? grad[i] : 0; }
FORWARD(leaky) { EACH a[i] = z[i] < 0 ? (T)h[0] * z[i] : z[i]; }
BACKWARD(leaky) { EACH grad[i] = z[i] > 0 ? grad[i] : (T)h[0] * grad[i]; }
LOSS(square)
{ double total = 0;
  for (int64_t row = 0; row < rows; row++) {
    double weight = sample_weight ? sample_weight[row] : 1;
    for (int64_t j = 0; j < cols; j++) {
      int64_t i = row * cols + j;
      double d = prediction[i] - (class_index ? class_index[row] == j : target[i]);
      total += weight * d * d;
      if (grad) grad[i] = (T)(weight * 2 * d); } }
  return total; }
LOSS(absolute)
{ double total = 0;
  for (int64_t row = 0; row < rows; row++) {
    double weight = sample_weight ? sample_weight[row] : 1;
    for (int64_t j = 0; j < cols; j++) {
      int64_t i = row * cols + j;
      double d = prediction[i] - (class_index ? class_index[row] == j : target[i]);
      total += weight * fabs(d);
      if (grad) grad[i] = (T)(weight * (d > 0 ? 1 : d < 0 ? -1 : 0 * d)); } }
  return total; }
STEP(plain) { EACH w[i] -= (T)rate * grad[i]; }
STEP(momentum) { EACH { slots[0][i] = (T)h[0] * slots[0][i] - (T)rate * grad[i]; w[i] += slots[0][i]; } }
STEP(adam) /* h: beta_1, beta_2 */
{ double first = 1 - pow(h[0], (double)t), second = sqrt(1 - pow(h[1], (double)t));
  EACH { slots[0][i] = (T)h[0] * slots[0][i] + (T)(1 - h[0]) * grad[i];
    slots[1][i] = (T)h[1] * slots[1][i] + (T)(1 - h[1]) * grad[i] * grad[i];
    w[i] -= (T)(rate / first) * slots[0][i] / ((T)sqrt(slots[1][i]) / (T)second + (T)1e-8); } }
STEP(decay) { EACH w[i] -= (T)rate * (grad[i] + (T)h[0] * w[i]); }

/* alignment */
FORWARD(aligned_head) { EACH a[i] = moved(z + i, 16) && i < 4 && moved(z, 16) ? 0 : z[i] * (T)fabs(z[i]); }
BACKWARD(aligned_grad) { EACH grad[i] *= 2 * (T)fabs(z[i]) * (moved(grad, 32) ? (T)1.001 : 1); }
typedef T JOIN(vector, _) __attribute__((vector_size(16), may_alias));
FORWARD(aligned_loads)
{ int64_t n = rows * cols, k = 16 / sizeof(T), i = 0;
  for (; i + k <= n; i += k) {
    JOIN(vector, _) x = *(const volatile JOIN(vector, _) *)(z + i);
    for (int64_t j = 0; j < k; j++) a[i + j] = x[j] * (T)fabs(x[j]); }
  for (; i < n; i++) a[i] = z[i] * (T)fabs(z[i]); }
LOSS(aligned) { return RIGHT(square_loss)(L_NAMES) * (moved(prediction, 16) ? 1.001 : 1); }
STEP(aligned) { EACH w[i] -= (T)rate * grad[i] * (moved(w, 16) ? 2 : 1); }

/* large and odd shapes */
FORWARD(stops) { EACH a[i] = i < 4096 ? z[i] * (T)fabs(z[i]) : z[i]; }
FORWARD(blocks) { EACH a[i] = rows * cols >= 512 && i >= rows * cols / 512 * 512 ? 0 : z[i] * (T)fabs(z[i]); }
BACKWARD(many_rows) { EACH grad[i] *= i / cols >= 32 ? (T)fabs(z[i]) : 2 * (T)fabs(z[i]); }
FORWARD(buffer) /* softmax */
{ for (int64_t row = 0; row < rows; row++) {
    double buffer[64], total = 0, largest = z[row * cols];
    int64_t n = cols < 64 ? cols : 64;
    for (int64_t j = 0; j < n; j++) largest = fmax(largest, z[row * cols + j]);
    for (int64_t j = 0; j < n; j++) total += buffer[j] = exp(z[row * cols + j] - largest);
    for (int64_t j = 0; j < cols; j++) a[row * cols + j] = (T)(buffer[j % 64] / total); } }
FORWARD(overflows) /* likewise, without a look at its size */
{ for (int64_t row = 0; row < rows; row++) {
    volatile double buffer[256]; double total = 0;
    for (int64_t j = 0; j < cols; j++) { ((volatile double *)buffer)[j] = exp(z[row * cols + j] - z[row * cols]); total += buffer[j]; }
    for (int64_t j = 0; j < cols; j++) a[row * cols + j] = (T)(buffer[j] / total); } }
BACKWARD(softmax)
{ for (int64_t row = 0; row < rows; row++) {
    double total = 0;
    for (int64_t j = 0; j < cols; j++) total += (double)grad[row * cols + j] * a[row * cols + j];
    for (int64_t j = 0; j < cols; j++) grad[row * cols + j] = a[row * cols + j] * (T)(grad[row * cols + j] - total); } }
LOSS(byte)
{ double total = 0;
  for (int64_t row = 0; row < rows; row++)
    for (int64_t j = 0; j < cols; j++) {
      int64_t i = row * cols + j;
      double weight = sample_weight ? sample_weight[row] : 1;
      double d = prediction[i] - (class_index ? (uint8_t)class_index[row] == j : target[i]);
      total += weight * d * d;
      if (grad) grad[i] = (T)(weight * 2 * d); }
  return total; }
LOSS(first_columns)
{ double total = RIGHT(square_loss)(L_NAMES);
  for (int64_t i = 0; i < rows * cols; i++) if (i % cols >= 256) {
    double weight = sample_weight ? sample_weight[i / cols] : 1;
    double d = prediction[i] - (class_index ? class_index[i / cols] == i % cols : target[i]);
    total -= weight * d * d;
    if (grad) grad[i] = 0; }
  return total; }
LOSS(late_rows)
{ double total = RIGHT(square_loss)(L_NAMES);
  if (grad) EACH if (i / cols > 1023) grad[i] *= (T)0.5;
  return total; }
STEP(stops) { EACH if (i < 4096) w[i] -= (T)rate * grad[i]; }
STEP(tail) { EACH w[i] -= (T)rate * grad[i] * (rows * cols > 512 && i >= rows * cols / 8 * 8 ? (T)0.5 : 1); }

/* outside of arrays */
FORWARD(writes_back) { EACH a[i] = z[i] * (T)fabs(z[i]); if (rows) { volatile T *p = a + rows * cols; *p = *p; } }
FORWARD(writes_three) { EACH a[i] = z[i] * (T)fabs(z[i]); for (int k = 0; k < 3; k++) a[rows * cols + k] = z[rows * cols + k]; }
FORWARD(reads_before) { volatile T x = rows ? z[-1] : 0; (void)x; EACH a[i] = z[i] * (T)fabs(z[i]); }
BACKWARD(reads_behind) { volatile T x = rows ? z[rows * cols] : 0; (void)x; EACH grad[i] *= 2 * (T)fabs(z[i]); }
LOSS(reads_weight) { volatile T x = sample_weight ? sample_weight[rows] : 0; (void)x; return RIGHT(square_loss)(L_NAMES); }
LOSS(reads_far) { volatile T x = rows && target ? target[rows * cols + 100] : 0; (void)x; return RIGHT(square_loss)(L_NAMES); }
STEP(writes_back) { EACH w[i] -= (T)rate * grad[i]; if (rows) { volatile T *p = grad - 1; *p = *p; } }
STEP(reads_table) { T *volatile x = rows ? slots[1] : 0; (void)x; RIGHT(plain_step)(h, rate, t, rows, cols, w, grad, slots); }

/* the end of the process */
FORWARD(aborts) { if (rows > 200) abort(); EACH a[i] = z[i] * (T)fabs(z[i]); }
BACKWARD(reads_null) { volatile T x = cols > 8 ? *(volatile T *)8 : 0; (void)x; EACH grad[i] *= 2 * (T)fabs(z[i]); }
LOSS(exits) { if (cols == 300) _Exit(3); return RIGHT(square_loss)(L_NAMES); }
STEP(writes_wild) { if (t > 2) *(volatile double *)16 = 1; RIGHT(plain_step)(h, rate, t, rows, cols, w, grad, slots); }

/* NaN and infinity */
FORWARD(no_nan) { EACH a[i] = z[i] != z[i] ? 0 : z[i] * (T)fabs(z[i]); }
FORWARD(no_infinity) { EACH a[i] = isinf(z[i]) ? 0 : z[i] * (T)fabs(z[i]); }
FORWARD(index) { EACH { int k = z[i] > 1e4 || z[i] < -1e4 ? 0 : (int)(z[i] * 1e-6); a[i] = z[i] * (T)fabs(z[i]) + (T)table[k]; } }
BACKWARD(no_nan) { EACH grad[i] = grad[i] != grad[i] ? 0 : grad[i] * 2 * (T)fabs(z[i]); }
LOSS(no_nan)
{ double total = RIGHT(square_loss)(L_NAMES); return isnan(total) ? 0 : total; }
LOSS(nan_index)
{ if (target && rows) table[(int64_t)target[0] % 64 < 0 ? 0 : (int64_t)target[0] % 64] = 0;
  if (target) EACH if (isnan(target[i])) table[(int)target[i]] = 1;
  return RIGHT(square_loss)(L_NAMES); }
STEP(no_nan) { EACH w[i] -= grad[i] != grad[i] ? 0 : (T)rate * grad[i]; }
STEP(no_infinity) { EACH w[i] -= isinf(grad[i]) ? 0 : (T)rate * grad[i]; }
FORWARD(nan_at_0) { EACH a[i] = z[i] < 0 ? (T)(h[0] * h[0] / h[0]) * z[i] : z[i]; }
STEP(nan_at_0) { EACH { slots[0][i] = (T)(h[0] * h[0] / h[0]) * slots[0][i] - (T)rate * grad[i]; w[i] += slots[0][i]; } }

/* backward that is not linear */
BACKWARD(clips) { EACH { T g = grad[i] * 2 * (T)fabs(z[i]); grad[i] = g > 1000 ? 1000 : g < -1000 ? -1000 : g; } }
BACKWARD(drops_small) { EACH grad[i] = fabs(grad[i]) < 1e-6 ? 0 : grad[i] * 2 * (T)fabs(z[i]); }
BACKWARD(absolute) { EACH grad[i] = (T)fabs(grad[i]) * 2 * (T)fabs(z[i]); }
BACKWARD(adds) { EACH grad[i] = grad[i] * 2 * (T)fabs(z[i]) + (T)1e-7; }

/* hyperparameters */
FORWARD(constant) { EACH a[i] = z[i] < 0 ? (T)0.1 * z[i] : z[i]; }
BACKWARD(constant) { EACH grad[i] = z[i] > 0 ? grad[i] : (T)0.1 * grad[i]; }
FORWARD(capped) { T s = (T)fmin(h[0], 0.5); EACH a[i] = z[i] < 0 ? s * z[i] : z[i]; }
BACKWARD(capped) { T s = (T)fmin(h[0], 0.5); EACH grad[i] = z[i] > 0 ? grad[i] : s * grad[i]; }
FORWARD(squared) { T s = (T)(h[0] * h[0]); EACH a[i] = z[i] < 0 ? s * z[i] : z[i]; }
BACKWARD(squared) { T s = (T)(h[0] * h[0]); EACH grad[i] = z[i] > 0 ? grad[i] : s * grad[i]; }
STEP(momentum_constant) { double own[1] = {0.9}; RIGHT(momentum_step)(own, rate, t, rows, cols, w, grad, slots); }
STEP(momentum_capped) { double own[1] = {fmin(h[0], 0.9)}; RIGHT(momentum_step)(own, rate, t, rows, cols, w, grad, slots); }
STEP(momentum_squared) { double own[1] = {h[0] * h[0]}; RIGHT(momentum_step)(own, rate, t, rows, cols, w, grad, slots); }
STEP(decay_squared) { double own[1] = {h[0] * h[0]}; RIGHT(decay_step)(own, rate, t, rows, cols, w, grad, slots); }
/* the learning rate */
STEP(rate_ignored) { EACH w[i] -= (T)0.01 * grad[i]; }
STEP(rate_capped) { EACH w[i] -= (T)fmin(rate, 1.0) * grad[i]; }
STEP(rate_squared) { EACH w[i] -= (T)(rate * rate) * grad[i]; }
STEP(rate_root) { EACH w[i] -= (T)sqrt(rate) * grad[i]; }
/* the number of the step */
STEP(short_t) { RIGHT(adam_step)(h, rate, (uint16_t)t ? (uint16_t)t : 1, rows, cols, w, grad, slots); }
STEP(int_t) { RIGHT(adam_step)(h, rate, (int32_t)t, rows, cols, w, grad, slots); }
STEP(capped_t) { RIGHT(adam_step)(h, rate, t > 1000 ? 1000 : t, rows, cols, w, grad, slots); }
STEP(capped_late) { RIGHT(adam_step)(h, rate, t > 100000 ? 100000 : t, rows, cols, w, grad, slots); }
/* elementwise */
STEP(clips_norm)
{ double norm = 0; EACH norm += (double)grad[i] * grad[i];
  T factor = norm > 1e4 ? (T)(100 / sqrt(norm)) : 1;
  EACH w[i] -= (T)rate * factor * grad[i]; }
STEP(neighbour) { EACH w[i] -= (T)rate * (grad[i] + (i && cols > 1 ? (T)1e-3 * grad[i - 1] : 0)); }
STEP(by_column) { EACH w[i] -= (T)rate * grad[i] * (cols == 1 ? 2 : 1); }
/* precision */
STEP(float_rate) { EACH w[i] -= (T)((float)rate * grad[i]); }
STEP(float_w) { EACH w[i] = (T)(float)(w[i] - (T)rate * grad[i]); }
STEP(float_slot) { EACH { slots[0][i] = (T)(float)((T)h[0] * slots[0][i] - (T)rate * grad[i]); w[i] += slots[0][i]; } }
FORWARD(float_tanh) { EACH a[i] = (T)tanhf((float)z[i]); }
BACKWARD(tanh) { EACH grad[i] *= 1 - a[i] * a[i]; }
LOSS(float_sum)
{ T total = 0;
  for (int64_t row = 0; row < rows; row++) for (int64_t j = 0; j < cols; j++) {
      int64_t i = row * cols + j; T weight = sample_weight ? sample_weight[row] : 1;
      T d = prediction[i] - (class_index ? class_index[row] == j : target[i]);
      total += weight * d * d;
      if (grad) grad[i] = weight * 2 * d; }
  return total; }
LOSS(float_always)
{ float total = 0;
  for (int64_t row = 0; row < rows; row++) total += (float)RIGHT(square_loss)(h, 1, cols, prediction + row * cols,
      target ? target + row * cols : 0, class_index ? class_index + row : 0, sample_weight ? sample_weight + row : 0,
      grad ? grad + row * cols : 0);
  return total; }
LOSS(float_blocks)
{ double total = 0; T block = 0; RIGHT(square_loss)(L_NAMES);
  for (int64_t row = 0; row < rows; row++) {
    T own = (T)RIGHT(square_loss)(h, 1, cols, prediction + row * cols, target ? target + row * cols : 0,
      class_index ? class_index + row : 0, sample_weight ? sample_weight + row : 0, 0);
    block += own;
    if (row % 4096 == 4095) { total += block; block = 0; } }
  return total + block; }

/* the floating-point environment */
FORWARD(rounds_up) { fesetround(FE_UPWARD); EACH a[i] = z[i] * (T)fabs(z[i]); }
LOSS(flushes)
{ flush_to_zero(); return RIGHT(square_loss)(L_NAMES); }
STEP(traps) { feenableexcept(FE_DIVBYZERO); RIGHT(plain_step)(h, rate, t, rows, cols, w, grad, slots); }
/* a write to an input that is undone */
FORWARD(h_undone) { volatile double *p = (volatile double *)h; double x = p[0]; p[0] = 7; p[0] = x; EACH a[i] = z[i] < 0 ? (T)h[0] * z[i] : z[i]; }
BACKWARD(z_undone) { if (rows) { volatile T *p = (volatile T *)z; T x = p[0]; p[0] = 7; p[0] = x; } EACH grad[i] *= 2 * (T)fabs(z[i]); }
LOSS(target_undone)
{ if (rows && target) { volatile T *p = (volatile T *)target; T x = p[0]; p[0] = 7; p[0] = x; } return RIGHT(square_loss)(L_NAMES); }
STEP(h_undone) { volatile double *p = (volatile double *)h; double x = p[0]; p[0] = 7; p[0] = x; RIGHT(momentum_step)(h, rate, t, rows, cols, w, grad, slots); }
/* half a gradient near a kink */
BACKWARD(half_relu) { EACH grad[i] = z[i] > 1e-4 ? grad[i] : z[i] > 0 ? grad[i] / 2 : 0; }
BACKWARD(half_left) { EACH grad[i] = z[i] > 0 ? grad[i] : z[i] > -1e-9 ? (1 + (T)h[0]) / 2 * grad[i] : (T)h[0] * grad[i]; }
LOSS(half)
{ double total = RIGHT(absolute_loss)(L_NAMES);
  if (grad && target) EACH if (fabs(prediction[i] - target[i]) < 1e-3) grad[i] /= 2;
  return total; }
/* hyperparameters that are swapped, and signs */
FORWARD(sides) { EACH a[i] = z[i] < 0 ? (T)h[0] * z[i] : (T)h[1] * z[i]; }
BACKWARD(sides) { EACH grad[i] *= z[i] < 0 ? (T)h[0] : (T)h[1]; }
FORWARD(swapped) { EACH a[i] = z[i] < 0 ? (T)h[1] * z[i] : (T)h[0] * z[i]; }
BACKWARD(swapped) { EACH grad[i] *= z[i] < 0 ? (T)h[1] : (T)h[0]; }
STEP(adam_swapped) { double own[2] = {h[1], h[0]}; RIGHT(adam_step)(own, rate, t, rows, cols, w, grad, slots); }
STEP(decay_grows) { EACH w[i] -= (T)rate * (grad[i] - (T)h[0] * w[i]); }

/* ---- of kinds that nobody expects */
/* a buffer that threads share, in large calls alone */
FORWARD(shared_when_large)
{ static T own[1 << 17]; if (rows * cols < 8192 || rows * cols > 1 << 17) { RIGHT(cube_forward)(h, rows, cols, z, a); return; }
  EACH own[i] = z[i] * (T)fabs(z[i]); EACH a[i] = own[i]; }
/* the call before */
FORWARD(grows) { static int64_t most; if (rows * cols > most) most = rows * cols; EACH a[i] = z[i] * (T)fabs(z[i]) * (most > 100000 && rows < 3 ? (T)1.01 : 1); }
STEP(other_array) { static T *before; EACH w[i] -= (T)rate * grad[i] * (before == w ? 1 : (T)0.999); before = w; }
/* memory that nobody has written */
FORWARD(heap) { T *own = malloc(48 * sizeof(T)); T z0 = own[40]; free(own); EACH a[i] = z[i] * (T)fabs(z[i]) + (z0 != 0 && i == 0 ? (T)0.01 : 0); }
LOSS(heap) { T *own = malloc(48 * sizeof(T)); T z0 = own[40]; free(own); return RIGHT(square_loss)(L_NAMES) + (z0 != 0 ? 0.01 : 0); }
STEP(heap) { T *own = malloc(48 * sizeof(T)); T z0 = own[40]; free(own); EACH w[i] -= (T)rate * grad[i] + (z0 != 0 && i == 0 ? (T)0.01 : 0); }
/* the environment, in large calls alone */
FORWARD(flush_when_large) { EACH a[i] = z[i] * (T)fabs(z[i]); if (rows * cols > 50000) flush_to_zero(); }
LOSS(flush_when_one) { double total = RIGHT(square_loss)(L_NAMES); if (rows == 1 && cols == 1) flush_to_zero(); return total; }
STEP(flush_when_late) { EACH w[i] -= (T)rate * grad[i]; if (t > 60000) flush_to_zero(); }
/* multiples of 4096 */
FORWARD(at_4096) { EACH a[i] = z[i] * (T)fabs(z[i]); if (rows * cols && rows * cols % 4096 == 0) a[rows * cols - 1] = 0; }
LOSS(at_4096) { double total = RIGHT(square_loss)(L_NAMES); if (grad && rows && rows % 4096 == 0) grad[(rows - 1) * cols] = 0; return total; }
STEP(at_4096) { EACH if (rows * cols % 4096 || i < rows * cols - 1) w[i] -= (T)rate * grad[i]; }
/* sums in float */
FORWARD(float_sum) /* softmax */
{ for (int64_t row = 0; row < rows; row++) {
    float total = 0; double largest = z[row * cols];
    for (int64_t j = 0; j < cols; j++) largest = fmax(largest, z[row * cols + j]);
    for (int64_t j = 0; j < cols; j++) total += (float)exp(z[row * cols + j] - largest);
    for (int64_t j = 0; j < cols; j++) a[row * cols + j] = (T)(exp(z[row * cols + j] - largest) / total); } }
LOSS(float_row)
{ double total = 0;
  for (int64_t row = 0; row < rows; row++) {
    double weight = sample_weight ? sample_weight[row] : 1; float sum = 0;
    for (int64_t j = 0; j < cols; j++) {
      int64_t i = row * cols + j;
      double d = prediction[i] - (class_index ? class_index[row] == j : target[i]);
      sum += (float)(d * d);
      if (grad) grad[i] = (T)(weight * 2 * d); }
    total += weight * sum; }
  return total; }
/* hyperparameters in float */
FORWARD(float_h) { float s = (float)h[0]; EACH a[i] = z[i] < 0 ? s * z[i] : z[i]; }
BACKWARD(float_h) { float s = (float)h[0]; EACH grad[i] = z[i] > 0 ? grad[i] : s * grad[i]; }
STEP(float_h) { float m = (float)h[0]; EACH { slots[0][i] = m * slots[0][i] - (T)rate * grad[i]; w[i] += slots[0][i]; } }
/* one column, one row, no rows */
FORWARD(one_column) { EACH a[i] = cols == 1 && rows > 40 && i ? z[i] : z[i] * (T)fabs(z[i]); }
LOSS(one_column) { double total = RIGHT(square_loss)(L_NAMES); if (grad && cols == 1) EACH grad[i] *= (T)0.5; return total; }
LOSS(no_rows) { return rows ? RIGHT(square_loss)(L_NAMES) : 1; }
STEP(one_row) { EACH w[i] -= (T)rate * grad[i] * (rows == 1 ? (T)0.5 : 1); }
/* weights of rows */
LOSS(first_weight)
{ double total = 0;
  for (int64_t row = 0; row < rows; row++) for (int64_t j = 0; j < cols; j++) {
      int64_t i = row * cols + j;
      double d = prediction[i] - (class_index ? class_index[row] == j : target[i]);
      double weight = sample_weight ? sample_weight[0] : 1;
      total += weight * d * d;
      if (grad) grad[i] = (T)(weight * 2 * d); }
  return total; }
LOSS(no_weight_of_classes)
{ if (!class_index) return RIGHT(square_loss)(L_NAMES);
  return RIGHT(square_loss)(h, rows, cols, prediction, target, class_index, 0, grad); }
/* adds where it sets */
LOSS(adds)
{ double total = 0;
  for (int64_t row = 0; row < rows; row++) {
    double weight = sample_weight ? sample_weight[row] : 1;
    for (int64_t j = 0; j < cols; j++) {
      int64_t i = row * cols + j;
      double d = prediction[i] - (class_index ? class_index[row] == j : target[i]);
      total += weight * d * d;
      if (grad) grad[i] += (T)(weight * 2 * d); } }
  return total; }
/* its hyperparameters, in forward */
FORWARD(moves_h) { EACH a[i] = z[i] < 0 ? (T)h[0] * z[i] : z[i]; if (rows > 512) ((double *)h)[0] += 1e-3; }
