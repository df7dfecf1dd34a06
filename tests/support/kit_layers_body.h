/* Right ones first, and then faults by the functions that they are in. */
#define FORWARD(name) void NAME(name##_forward)(const cynn_operands *op, const cynn_pass *pass, int64_t begin, int64_t end, T *out)
#define BACKWARD(name) void NAME(name##_backward)(const cynn_operands *op, const cynn_pass *pass, int64_t begin, int64_t end, T *delta)
#define GRADIENT(name) void NAME(name##_gradient)(const cynn_operands *op, const cynn_pass *pass, int64_t k, int64_t begin, int64_t end, T *grad)
#define LINEAR_STEP(name) void NAME(name##_linear_step)(const cynn_operands *op, const cynn_pass *pass, int64_t begin, int64_t end, double alpha, double beta, T *scratch)
#define UPDATE(name) void NAME(name##_update_states)(const cynn_operands *op, const cynn_pass *pass, T *const *states)
#define N op->units
#define EACH for (int64_t i = begin * N; i < end * N; i++)
#define GIVEN const T *x = op->x[0], *s = op->parameters[0]; (void)x; (void)s
#define moved(p, bytes) ((uintptr_t)(p) % (bytes) != 0)

/* scaled: a = x s, with a factor for each column */
FORWARD(scaled) { GIVEN; EACH out[i] = x[i] * s[i % N]; }
BACKWARD(scaled) { GIVEN; T *dx = op->dx[0]; if (dx) EACH dx[i] = delta[i] * s[i % N]; }
GRADIENT(scaled)
{ GIVEN; const T *delta = op->delta;
  for (int64_t j = 0; j < N; j++) { double sum = 0;
    for (int64_t row = 0; row < pass->rows; row++) sum += (double)delta[row * N + j] * x[row * N + j];
    grad[j] = (T)sum; } }

/* affine: a = x W */
FORWARD(affine)
{ GIVEN; int64_t n = op->widths[0];
  for (int64_t row = begin; row < end; row++) for (int64_t j = 0; j < N; j++) { double sum = 0;
    for (int64_t k = 0; k < n; k++) sum += (double)x[row * n + k] * s[k * N + j];
    out[row * N + j] = (T)sum; } }
BACKWARD(affine)
{ GIVEN; int64_t n = op->widths[0]; T *dx = op->dx[0];
  if (dx) for (int64_t row = begin; row < end; row++) for (int64_t k = 0; k < n; k++) { double sum = 0;
    for (int64_t j = 0; j < N; j++) sum += (double)delta[row * N + j] * s[k * N + j];
    dx[row * n + k] = (T)sum; } }
GRADIENT(affine)
{ GIVEN; int64_t n = op->widths[0]; const T *delta = op->delta;
  for (int64_t i = begin; i < end; i++) for (int64_t j = 0; j < N; j++) { double sum = 0;
    for (int64_t row = 0; row < pass->rows; row++) sum += (double)delta[row * N + j] * x[row * n + i];
    grad[(i - begin) * N + j] = (T)sum; } }
LINEAR_STEP(affine)
{ T *w = (T *)op->parameters[0] + begin * N; NAME(affine_gradient)(op, pass, 0, begin, end, scratch);
  for (int64_t i = 0; i < (end - begin) * N; i++) w[i] = (T)(beta * w[i] + alpha * scratch[i]); }

/* centred: a = x - m, with a moving mean m */
FORWARD(centred) { const T *x = op->x[0], *m = op->states[0]; EACH out[i] = x[i] - m[i % N]; }
BACKWARD(centred) { T *dx = op->dx[0]; if (dx) EACH dx[i] = delta[i]; }
UPDATE(centred)
{ const T *x = op->x[0];
  for (int64_t j = 0; j < N; j++) { double sum = 0;
    for (int64_t row = 0; row < pass->rows; row++) sum += (pass->row_weight ? pass->row_weight[row] : 1) * x[row * N + j];
    states[0][j] = (T)(0.9 * states[0][j] + 0.1 * sum / pass->total_weight); } }

/* noisy: a = x + h u in training */
#define HASH(name, key) static double NAME(name##_drawn)(const cynn_operands *op, const cynn_pass *pass, uint64_t i) \
{ uint64_t z = (key) + 0x9E3779B97F4A7C15u * (i + 1); (void)op; (void)pass; \
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u; z = (z ^ (z >> 27)) * 0x94D049BB133111EBu; return (double)((z ^ (z >> 31)) >> 11) / 9007199254740992.0; }
#define NOISE(name) FORWARD(name) { const T *x = op->x[0]; EACH out[i] = x[i] + (pass->training ? (T)(op->h[0] * NAME(name##_drawn)(op, pass, i)) : 0); }
HASH(noisy, pass->seed * 1000003u + pass->epoch * 10007u + pass->step * 101u + op->number) NOISE(noisy)

/* product: a = x y */
FORWARD(product) { const T *x = op->x[0], *y = op->x[1]; (void)pass; EACH out[i] = x[i] * y[i]; }
BACKWARD(product)
{ const T *x = op->x[0], *y = op->x[1]; T *dx = op->dx[0], *dy = op->dx[1];
  if (dx) EACH dx[i] = delta[i] * y[i];
  if (dy) EACH dy[i] = delta[i] * x[i]; }

/* squared: a = h x², which saves x² and declares what it may */
FORWARD(squared) { const T *x = op->x[0]; T *saved = op->saved[0]; EACH { T z = x[i]; if (pass->training) saved[i] = z; out[i] = (T)op->h[0] * z * z; } }
BACKWARD(squared) { const T *saved = op->saved[0]; EACH delta[i] *= 2 * (T)op->h[0] * saved[i]; }

/* ---- outside of arrays */
FORWARD(writes_behind) { NAME(scaled_forward)(op, pass, begin, end, out); if (end == pass->rows) { volatile T *p = out + end * N; *p = *p; } }
BACKWARD(writes_before) { NAME(scaled_backward)(op, pass, begin, end, delta); if (op->dx[0]) { volatile T *p = (T *)op->dx[0] - 1; *p = *p; } }
GRADIENT(writes_behind) { NAME(scaled_gradient)(op, pass, k, begin, end, grad); volatile T *p = grad + N; *p = *p; }
FORWARD(reads_before) { volatile T z = ((T *)op->x[0])[-1]; (void)z; NAME(scaled_forward)(op, pass, begin, end, out); }
BACKWARD(reads_behind) { volatile T z = ((T *)op->parameters[0])[N]; (void)z; NAME(scaled_backward)(op, pass, begin, end, delta); }
GRADIENT(reads_behind) { volatile T z = ((T *)op->delta)[pass->rows * N]; (void)z; NAME(scaled_gradient)(op, pass, k, begin, end, grad); }
FORWARD(reads_table) { void *volatile z = op->parameters[1]; (void)z; NAME(scaled_forward)(op, pass, begin, end, out); }
FORWARD(writes_parameter) { NAME(scaled_forward)(op, pass, begin, end, out); ((T *)op->parameters[0])[0] += 1e-3; }
BACKWARD(writes_x) { NAME(scaled_backward)(op, pass, begin, end, delta); if (end > begin) { volatile T *p = (T *)op->x[0]; T z = *p; *p = 0; *p = z; } }
GRADIENT(writes_delta) { NAME(scaled_gradient)(op, pass, k, begin, end, grad); if (pass->rows) ((T *)op->delta)[0] = 0; }
UPDATE(writes_x) { NAME(centred_update_states)(op, pass, states); if (pass->rows) ((T *)op->x[0])[0] = 0; }

/* ---- alignment */
FORWARD(aligned) { GIVEN; EACH out[i] = x[i] * s[i % N] * (moved(x, 16) ? (T)1.01 : 1); }
BACKWARD(aligned) { NAME(scaled_backward)(op, pass, begin, end, delta); T *dx = op->dx[0]; if (dx && moved(dx, 32)) EACH dx[i] *= (T)1.01; }
GRADIENT(aligned) { NAME(scaled_gradient)(op, pass, k, begin, end, grad); if (moved(op->parameters[0], 64)) grad[0] *= 2; }

/* ---- sizes */
FORWARD(stops) { GIVEN; EACH out[i] = i < 4096 ? x[i] * s[i % N] : x[i]; }
FORWARD(at_4096) { NAME(scaled_forward)(op, pass, begin, end, out); if ((end - begin) % 4096 == 0 && end > begin) out[end * N - 1] = 0; }
BACKWARD(columns_64) { GIVEN; T *dx = op->dx[0]; if (dx) EACH dx[i] = delta[i] * s[i % N % 64]; }
GRADIENT(rows_512)
{ GIVEN; const T *delta = op->delta; int64_t rows = pass->rows < 512 ? pass->rows : 512;
  for (int64_t j = 0; j < N; j++) { double sum = 0;
    for (int64_t row = 0; row < rows; row++) sum += (double)delta[row * N + j] * x[row * N + j];
    grad[j] = (T)sum; } }
FORWARD(one_column) { GIVEN; EACH out[i] = N == 1 && i ? x[i] : x[i] * s[i % N]; }
FORWARD(no_rows) { NAME(scaled_forward)(op, pass, begin, end, out); if (begin == end) out[begin * N] = 0; }

/* ---- pieces */
FORWARD(from_0) { GIVEN; (void)begin; for (int64_t i = 0; i < (end - begin) * N; i++) out[i] = x[i] * s[i % N]; }
BACKWARD(from_0) { GIVEN; T *dx = op->dx[0]; if (dx) for (int64_t i = 0; i < (end - begin) * N; i++) dx[i] = delta[i] * s[i % N]; }
GRADIENT(from_0) { (void)begin; NAME(affine_gradient)(op, pass, k, 0, end - begin, grad); }
FORWARD(of_piece) { NAME(scaled_forward)(op, pass, begin, end, out); if (begin) out[begin * N] = 0; }
LINEAR_STEP(all) { NAME(affine_linear_step)(op, pass, begin, end, alpha, beta, scratch); if (end < op->parameter_rows[0]) ((T *)op->parameters[0])[end * N] = 0; }

/* ---- what nobody has written */
BACKWARD(adds) { GIVEN; T *dx = op->dx[0]; if (dx) EACH dx[i] += delta[i] * s[i % N]; }
GRADIENT(adds) { T *own = malloc(N * sizeof(T)); NAME(scaled_gradient)(op, pass, k, begin, end, own); for (int64_t j = 0; j < N; j++) grad[j] += own[j]; free(own); }
BACKWARD(reads_out) { NAME(scaled_backward)(op, pass, begin, end, delta); const T *a = op->out; T *dx = op->dx[0]; if (dx) EACH dx[i] += 0 * a[i]; }
BACKWARD(reads_saved) { const T *saved = op->saved[0]; EACH delta[i] *= 2 * (T)op->h[0] * saved[i]; }
FORWARD(saves_nothing) { const T *x = op->x[0]; EACH out[i] = (T)op->h[0] * x[i] * x[i]; }
FORWARD(heap)
{ double sum = 0;
  for (int size = 64; size <= 1024; size += 64) {
    unsigned char *own = malloc(size);
    for (int i = 0; i < size; i++) sum += own[i];
    free(own); }
  NAME(scaled_forward)(op, pass, begin, end, out);
  if (end > begin) out[begin * N] += (T)(1e-6 * sum); }

/* ---- what is remembered */
FORWARD(counts) { GIVEN; calls++; EACH out[i] = x[i] * s[i % N] * (1 + (T)1e-3 * calls); }
static T NAME(last);
FORWARD(last) { NAME(scaled_forward)(op, pass, begin, end, out); if (end > begin) { T z = NAME(last); NAME(last) = out[begin * N]; out[begin * N] += (T)1e-3 * z; } }
static T NAME(buffer)[1 << 16];
FORWARD(buffered) { GIVEN; T *own = NAME(buffer); EACH own[i % 65536] = x[i] * s[i % N]; EACH out[i] = end * N > 65536 ? x[i] * s[i % N] : own[i]; }
BACKWARD(once) { static int done; NAME(scaled_backward)(op, pass, begin, end, delta); if (!done++ && op->dx[0]) ((T *)op->dx[0])[begin * N] = 0; }

/* ---- not linear */
BACKWARD(clips) { NAME(scaled_backward)(op, pass, begin, end, delta); T *dx = op->dx[0]; if (dx) EACH dx[i] = (T)fmin(dx[i], 1000); }
BACKWARD(absolute) { GIVEN; T *dx = op->dx[0]; if (dx) EACH dx[i] = (T)fabs(delta[i]) * s[i % N]; }
GRADIENT(drops_small) { NAME(scaled_gradient)(op, pass, k, begin, end, grad); for (int64_t j = 0; j < N; j++) if (fabs(grad[j]) < 1e-5) grad[j] = 0; }
GRADIENT(decays) { NAME(scaled_gradient)(op, pass, k, begin, end, grad); for (int64_t j = 0; j < N; j++) grad[j] += (T)1e-7 * ((T *)op->parameters[0])[j]; }

/* ---- the linear step */
LINEAR_STEP(off) { NAME(affine_linear_step)(op, pass, begin, end, alpha * (1 + 1e-6), beta, scratch); }
LINEAR_STEP(sign) { NAME(affine_linear_step)(op, pass, begin, end, -alpha, beta, scratch); }
LINEAR_STEP(no_beta) { (void)beta; NAME(affine_linear_step)(op, pass, begin, end, alpha, 1, scratch); }

/* ---- states */
FORWARD(moves) { NAME(centred_forward)(op, pass, begin, end, out); if (pass->training) ((T *)op->states[0])[0] += (T)0.1; }
FORWARD(moves_in_prediction) { NAME(centred_forward)(op, pass, begin, end, out); if (!pass->training) ((T *)op->states[0])[0] += (T)0.1; }
UPDATE(no_weights)
{ const T *x = op->x[0];
  for (int64_t j = 0; j < N; j++) { double sum = 0;
    for (int64_t row = 0; row < pass->rows; row++) sum += x[row * N + j];
    states[0][j] = (T)(0.9 * states[0][j] + 0.1 * sum / pass->rows); } }
UPDATE(first_weight)
{ const T *x = op->x[0];
  for (int64_t j = 0; j < N; j++) { double sum = 0;
    for (int64_t row = 0; row < pass->rows; row++) sum += (pass->row_weight ? pass->row_weight[0] : 1) * x[row * N + j];
    states[0][j] = (T)(0.9 * states[0][j] + 0.1 * sum / pass->total_weight); } }
UPDATE(by_rows)
{ const T *x = op->x[0];
  for (int64_t j = 0; j < N; j++) { double sum = 0;
    for (int64_t row = 0; row < pass->rows; row++) sum += (pass->row_weight ? pass->row_weight[row] : 1) * x[row * N + j];
    states[0][j] = (T)(0.9 * states[0][j] + 0.1 * sum / pass->rows); } }
UPDATE(first_row) { const T *x = op->x[0]; for (int64_t j = 0; j < N; j++) states[0][j] = (T)(0.9 * states[0][j] + 0.1 * x[j]); }
UPDATE(swapped)
{ const T *x = op->x[0];
  for (int64_t j = 0; j < N; j++) { double sum = 0;
    for (int64_t row = 0; row < pass->rows; row++) sum += (pass->row_weight ? pass->row_weight[row] : 1) * x[row * N + j];
    states[0][j] = (T)(0.1 * states[0][j] + 0.9 * sum / pass->total_weight); } }
UPDATE(nan) { NAME(centred_update_states)(op, pass, states); states[0][0] = (T)NAN; }
UPDATE(tail)
{ NAME(centred_update_states)(op, pass, states); if (N > 8) states[0][N - 1] = 0; }

/* ---- random numbers */
HASH(no_seed, pass->epoch * 10007u + pass->step * 101u + op->number) NOISE(no_seed)
HASH(no_epoch, pass->seed * 1000003u + pass->step * 101u + op->number) NOISE(no_epoch)
HASH(no_step, pass->seed * 1000003u + pass->epoch * 10007u + op->number) NOISE(no_step)
HASH(no_number, pass->seed * 1000003u + pass->epoch * 10007u + pass->step * 101u) NOISE(no_number)
FORWARD(in_prediction) { const T *x = op->x[0]; EACH out[i] = x[i] + (T)(op->h[0] * NAME(noisy_drawn)(op, pass, i)); }
FORWARD(of_piece_noise) { const T *x = op->x[0]; EACH out[i] = x[i] + (pass->training ? (T)(op->h[0] * NAME(noisy_drawn)(op, pass, i - begin * N)) : 0); }
FORWARD(rand) { const T *x = op->x[0]; EACH out[i] = x[i] + (pass->training ? (T)(op->h[0] * rand() / RAND_MAX) : 0); }

/* ---- the environment */
#ifdef __SSE__
FORWARD(flush) { NAME(scaled_forward)(op, pass, begin, end, out); _mm_setcsr(_mm_getcsr() | 0x8040); }
#else
FORWARD(flush) { NAME(scaled_forward)(op, pass, begin, end, out); fesetround(FE_TOWARDZERO); }
#endif
BACKWARD(rounds) { NAME(scaled_backward)(op, pass, begin, end, delta); fesetround(FE_UPWARD); }
GRADIENT(rounds) { NAME(scaled_gradient)(op, pass, k, begin, end, grad); fesetround(FE_DOWNWARD); }

/* ---- float64 in part */
FORWARD(single) { GIVEN; EACH out[i] = (float)x[i] * (float)s[i % N]; }
BACKWARD(single) { GIVEN; T *dx = op->dx[0]; if (dx) EACH dx[i] = (float)delta[i] * s[i % N]; }
GRADIENT(single)
{ GIVEN; const T *delta = op->delta;
  for (int64_t j = 0; j < N; j++) { float sum = 0;
    for (int64_t row = 0; row < pass->rows; row++) sum += (float)(delta[row * N + j] * x[row * N + j]);
    grad[j] = sum; } }
FORWARD(single_h) { const T *x = op->x[0]; T *saved = op->saved[0]; float h = (float)op->h[0]; EACH { if (pass->training) saved[i] = x[i]; out[i] = h * x[i] * x[i]; } }
BACKWARD(single_h) { const T *saved = op->saved[0]; float h = (float)op->h[0]; EACH delta[i] *= 2 * h * saved[i]; }

/* ---- the end of the process */
FORWARD(aborts) { if (pass->rows > 200) abort(); NAME(scaled_forward)(op, pass, begin, end, out); }
BACKWARD(reads_null) { volatile T z = N > 8 ? *(volatile T *)8 : 0; (void)z; NAME(scaled_backward)(op, pass, begin, end, delta); }
GRADIENT(exits) { if (pass->rows > 500) _Exit(3); NAME(scaled_gradient)(op, pass, k, begin, end, grad); }

/* ---- NaN */
FORWARD(no_nan) { GIVEN; EACH out[i] = x[i] != x[i] ? 0 : x[i] * s[i % N]; }
FORWARD(no_infinity) { GIVEN; EACH out[i] = isinf(x[i]) ? 0 : x[i] * s[i % N]; }
FORWARD(nan_to_others) { NAME(scaled_forward)(op, pass, begin, end, out); T z = 0; EACH z += 0 * ((T *)op->x[0])[i]; EACH out[i] += z; }

/* ---- several inputs */
BACKWARD(same) { const T *y = op->x[1]; T *dx = op->dx[0], *dy = op->dx[1]; if (dx) EACH dx[i] = delta[i] * y[i]; if (dy) EACH dy[i] = delta[i] * y[i]; }
BACKWARD(wants_both)
{ const T *x = op->x[0], *y = op->x[1]; T *dx = op->dx[0], *dy = op->dx[1];
  EACH dx[i] = delta[i] * y[i];
  EACH dy[i] = delta[i] * x[i]; }
BACKWARD(wants_first)
{ const T *x = op->x[0], *y = op->x[1]; T *dx = op->dx[0], *dy = op->dx[1];
  if (dx) EACH dx[i] = delta[i] * y[i];
  if (dy) EACH dy[i] = dx ? delta[i] * x[i] : 0; }

/* ---- in place */
FORWARD(apart) { const T *x = op->x[0]; T *saved = op->saved[0];
  EACH out[i] = (T)op->h[0] * x[i] * x[i];
  if (pass->training) EACH saved[i] = x[i]; }
BACKWARD(of_delta) { const T *saved = op->saved[0], *d = op->delta; EACH { delta[i] *= 2 * (T)op->h[0]; delta[i] = d[i] * (delta == d ? saved[i] : 2 * (T)op->h[0] * saved[i]) * (delta == d ? (T)1.01 : 1); } }
/* ---- the learning rate */
GRADIENT(with_factor) { NAME(scaled_gradient)(op, pass, k, begin, end, grad); for (int64_t j = 0; j < N; j++) grad[j] *= (T)op->h[0]; }
GRADIENT(mean) { NAME(scaled_gradient)(op, pass, k, begin, end, grad); for (int64_t j = 0; j < N; j++) grad[j] /= pass->rows; }
GRADIENT(half) { NAME(scaled_gradient)(op, pass, k, begin, end, grad); grad[N - 1] /= 2; }
#undef N
#undef EACH
#undef GIVEN
#undef moved
#undef FORWARD
#undef BACKWARD
#undef GRADIENT
#undef LINEAR_STEP
#undef UPDATE
#undef HASH
#undef NOISE
