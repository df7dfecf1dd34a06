/* Written once for both dtypes: T is the type of an element, NAME(x) is x with its suffix. */

static void NAME(dense_forward)(const cynn_operands *op, const cynn_pass *pass, int64_t begin, int64_t end, T *out)
{
    const int64_t inputs = op->widths[0];
    const T *x = op->x[0];
    blas->NAME(affine)(end - begin, inputs, op->units, x + begin * inputs, op->parameters[0], op->parameters[1],
                       out + begin * op->units, pass->prefetch);
}

static void NAME(dense_backward)(const cynn_operands *op, const cynn_pass *pass, int64_t begin, int64_t end, T *delta)
{
    const int64_t inputs = op->widths[0], units = op->units;
    T *dx = op->dx[0];
    (void)pass;
    if (dx)
        blas->NAME(gemm)(0, 1, end - begin, inputs, units, 1, delta + begin * units, units, op->parameters[0], units, 0,
                         dx + begin * inputs, inputs, NULL);
}

static void NAME(dense_gradient)(const cynn_operands *op, const cynn_pass *pass, int64_t parameter, int64_t begin,
                                 int64_t end, T *grad)
{
    const int64_t inputs = op->widths[0], units = op->units;
    const T *x = op->x[0], *delta = op->delta;
    if (parameter == 0) {
        blas->NAME(gemm)(1, 0, end - begin, units, pass->rows, 1, x + begin, inputs, delta, units, 0, grad, units,
                         pass->prefetch);
        return;
    }
    memset(grad, 0, units * sizeof(T));
    for (int64_t row = 0; row < pass->rows; row++)
        for (int64_t j = 0; j < units; j++) grad[j] += delta[row * units + j];
}

/* a = s x / (1 + y^2); saved: x / (1 + y^2) */
static void NAME(ratio_forward)(const cynn_operands *op, const cynn_pass *pass, int64_t begin, int64_t end, T *out)
{
    const T *x = op->x[0], *y = op->x[1], *s = op->parameters[0];
    T *quotient = op->saved[0];
    for (int64_t i = begin * op->units; i < end * op->units; i++) {
        const T value = x[i] / (1 + y[i] * y[i]);
        if (pass->training) quotient[i] = value;
        out[i] = s[i % op->units] * value;
    }
}

static void NAME(ratio_backward)(const cynn_operands *op, const cynn_pass *pass, int64_t begin, int64_t end, T *delta)
{
    const T *y = op->x[1], *s = op->parameters[0], *quotient = op->saved[0];
    T *dx = op->dx[0], *dy = op->dx[1];
    (void)pass;
    for (int64_t i = begin * op->units; i < end * op->units; i++) {
        const T d = delta[i] * s[i % op->units] / (1 + y[i] * y[i]);
        if (dx) dx[i] = d;
        if (dy) dy[i] = -2 * y[i] * quotient[i] * d;
    }
}

static void NAME(ratio_gradient)(const cynn_operands *op, const cynn_pass *pass, int64_t parameter, int64_t begin,
                                 int64_t end, T *grad)
{
    const T *delta = op->delta, *quotient = op->saved[0];
    (void)parameter, (void)begin, (void)end;
    memset(grad, 0, op->units * sizeof(T));
    for (int64_t i = 0; i < pass->rows * op->units; i++) grad[i % op->units] += delta[i] * quotient[i];
}

static void NAME(ratio_update_states)(const cynn_operands *op, const cynn_pass *pass, T *const *states)
{
    const T *quotient = op->saved[0];
    for (int64_t j = 0; j < op->units; j++) {
        double sum = 0;
        for (int64_t row = 0; row < pass->rows; row++) {
            const double weight = pass->row_weight == NULL ? 1 : pass->row_weight[row];
            sum += weight * quotient[row * op->units + j];
        }
        states[0][j] = (T)(sum / pass->total_weight);
    }
}

/* a = x f(x); saved: f(x) */
static void NAME(gate_forward)(const cynn_operands *op, const cynn_pass *pass, int64_t begin, int64_t end, T *out)
{
    const int64_t first = begin * op->units, size = (end - begin) * op->units;
    const T *x = op->x[0];
    op->activation->NAME(forward)(op->activation_h, end - begin, op->units, x + first, out + first);
    if (pass->training) memcpy((T *)op->saved[0] + first, out + first, size * sizeof(T));
    for (int64_t i = first; i < first + size; i++) out[i] *= x[i];
}

static void NAME(gate_backward)(const cynn_operands *op, const cynn_pass *pass, int64_t begin, int64_t end, T *delta)
{
    const int64_t first = begin * op->units, size = (end - begin) * op->units;
    const T *x = op->x[0], *f = op->saved[0];
    T *dx = op->dx[0];
    (void)pass;
    if (!dx) return;
    for (int64_t i = first; i < first + size; i++) dx[i] = delta[i] * x[i];
    op->activation->NAME(backward)(op->activation_h, end - begin, op->units, x + first, f + first, dx + first);
    for (int64_t i = first; i < first + size; i++) dx[i] += delta[i] * f[i];
}

/* h: limit, and whether the numbers are normal */
static void NAME(noise_forward)(const cynn_operands *op, const cynn_pass *pass, int64_t begin, int64_t end, T *out)
{
    const int64_t first = begin * op->units, size = (end - begin) * op->units;
    const T *x = op->x[0];
    if (!pass->training)
        memset(out + first, 0, size * sizeof(T));
    else if (op->h[1])
        blas->NAME(random_normal)(op, pass, first, size, out + first);
    else
        blas->NAME(random_uniform)(op, pass, first, size, out + first);
    for (int64_t i = first; i < first + size; i++) out[i] = x[i] + (T)op->h[0] * out[i];
}

static void NAME(noise_backward)(const cynn_operands *op, const cynn_pass *pass, int64_t begin, int64_t end, T *delta)
{
    (void)op, (void)pass, (void)begin, (void)end, (void)delta;
}
