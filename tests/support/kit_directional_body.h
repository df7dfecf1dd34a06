/* Over T. What is right comes first. */
void NAME(cube_forward)(const double *h, int64_t rows, int64_t cols, const T *z, T *a) { EACH a[i] = z[i] * z[i] * z[i]; }
void NAME(cube_backward)(A, T *grad) { EACH grad[i] *= 3 * z[i] * z[i]; }
#define CURVED(name) void NAME(name##_backward_jvp)(A, const T *grad, const T *dz, const T *da, T *dgrad)
#define SECOND (3 * z[i] * z[i] * dgrad[i] + 6 * z[i] * dz[i] * grad[i])
CURVED(cube) { EACH dgrad[i] = SECOND; }
CURVED(half) { EACH dgrad[i] = 3 * z[i] * z[i] * dgrad[i] + 3 * z[i] * dz[i] * grad[i]; }
CURVED(forgets) { EACH dgrad[i] *= 3 * z[i] * z[i]; }
CURVED(spreads) { T first = rows ? dz[0] : 0; EACH dgrad[i] = SECOND + (T)1e-3 * (first - first * (i < cols)); }
CURVED(nan_spreads) { T first = rows ? dz[0] : 0; EACH dgrad[i] = SECOND + (first == first ? 0 : first); }
CURVED(clips) { EACH { T x = SECOND; dgrad[i] = x > 1e3 ? (T)1e3 : x; } }
CURVED(reads_behind) { T x = rows ? dz[rows * cols] : 0; EACH dgrad[i] = SECOND + (x == x ? x * (T)1e-30 : 0); }
CURVED(writes_behind) { EACH dgrad[i] = SECOND; if (rows) dgrad[rows * cols] = 0; }
CURVED(writes_dz) { EACH dgrad[i] = SECOND; if (rows) ((T *)dz)[0] = 1; }
#define AHEAD(name) void NAME(name##_jvp)(A, const T *dz, T *da)
AHEAD(cube) { EACH da[i] = 3 * z[i] * z[i] * dz[i]; }
AHEAD(twice) { EACH da[i] = 6 * z[i] * z[i] * dz[i]; }
AHEAD(adds) { EACH da[i] += 3 * z[i] * z[i] * dz[i]; }

#define WEIGHT(i) (w ? w[(i) / cols] : 1)
#define APART(i) (p[i] - (c ? c[(i) / cols] == (i) % cols : t[i]))
double NAME(cubic_loss)(L, T *grad)
{ double total = 0;
  EACH { double d = APART(i); total += WEIGHT(i) * d * d * d; if (grad) grad[i] = (T)(WEIGHT(i) * 3 * d * d); }
  return total; }
#define HESSIAN(name) void NAME(name##_backward_jvp)(L, const T *dp, T *dgrad)
HESSIAN(cubic) { EACH dgrad[i] = WEIGHT(i) * 6 * APART(i) * dp[i]; }
HESSIAN(unweighted) { EACH dgrad[i] = 6 * APART(i) * dp[i]; }
HESSIAN(gauss_newton) { EACH dgrad[i] = WEIGHT(i) * 2 * dp[i]; }
HESSIAN(without_classes) { EACH dgrad[i] = WEIGHT(i) * 6 * (p[i] - (t ? t[i] : 0)) * dp[i]; }
HESSIAN(leaves_some) { EACH if (i % 5) dgrad[i] = WEIGHT(i) * 6 * APART(i) * dp[i]; }

void NAME(scaled_forward)(O, T *out) { const T *x = op->x[0], *s = op->parameters[0]; ROWS out[i] = x[i] * s[i % op->units]; }
void NAME(scaled_backward)(O, T *delta)
{ const T *s = op->parameters[0]; T *dx = op->dx[0]; if (dx) ROWS dx[i] = delta[i] * s[i % op->units]; }
#define SUM(value) for (int64_t j = begin * op->units; j < end * op->units; j++) { double sum = 0; \
  for (int64_t i = j; i < pass->rows * op->units; i += op->units) sum += value; grad[j - begin * op->units] = (T)sum; }
void NAME(scaled_gradient)(const cynn_operands *op, const cynn_pass *pass, int64_t k, int64_t begin, int64_t end, T *grad)
{ const T *x = op->x[0], *delta = op->delta; SUM((double)delta[i] * x[i]) }
#define GIVEN const T *x = op->x[0], *s = op->parameters[0], *dx = along->x[0], *ds = along->parameters[0]; \
  const T *delta = op->delta, *own = along->delta; T *ddx = along->dx[0]; int64_t n = op->units; \
  (void)x; (void)s; (void)dx; (void)ds; (void)delta; (void)own; (void)ddx
#define OUT_JVP(name) void NAME(name##_jvp)(D, T *out)
OUT_JVP(scaled) { GIVEN; ROWS out[i] = dx[i] * s[i % n] + (ds ? x[i] * ds[i % n] : 0); }
OUT_JVP(of_x) { GIVEN; ROWS out[i] = dx[i] * s[i % n]; }
OUT_JVP(first_row) { GIVEN; ROWS out[i] = dx[i] * s[i % n] + (ds ? x[i] * ds[i % n] : 0) + (i < (begin + 1) * n ? dx[i] : 0); }
#define BACK_JVP(name) void NAME(name##_backward_jvp)(D, const T *ddelta)
BACK_JVP(scaled) { GIVEN; if (ddx) ROWS ddx[i] = ddelta[i] * s[i % n] + (ds ? delta[i] * ds[i % n] : 0); }
BACK_JVP(of_delta) { GIVEN; if (ddx) ROWS ddx[i] = ddelta[i] * s[i % n]; }
#define GRAD_JVP(name) void NAME(name##_gradient_jvp)(const cynn_operands *op, const cynn_tangents *along, \
  const cynn_pass *pass, int64_t k, int64_t begin, int64_t end, T *grad)
GRAD_JVP(scaled) { GIVEN; SUM((double)own[i] * x[i] + (double)delta[i] * dx[i]) }
GRAD_JVP(of_own) { GIVEN; SUM((double)own[i] * x[i]) }
GRAD_JVP(by_dx) { GIVEN; SUM((double)own[i] * x[i] + (double)delta[i] * dx[i] + ((T *)op->dx[0])[i]) }
