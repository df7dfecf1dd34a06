/* Calls of the functions of operations and parts (abi.h) for one dtype: T, whose suffix NAME appends. Included once per
 * dtype. */

static void NAME(cynn_forward)(const cynn_operation *operation, const cynn_operands *op, const cynn_pass *pass,
                               int64_t begin, int64_t end)
{
    operation->NAME(forward)(op, pass, begin, end, op->out);
}

static void NAME(cynn_backward)(const cynn_operation *operation, const cynn_operands *op, const cynn_pass *pass,
                                int64_t begin, int64_t end, void *delta)
{
    operation->NAME(backward)(op, pass, begin, end, delta);
}

static void NAME(cynn_forward_columns)(const cynn_operation *operation, const cynn_operands *op, const cynn_pass *pass,
                                       int64_t begin, int64_t end)
{
    operation->NAME(forward_columns)(op, pass, begin, end, op->out);
}

static void NAME(cynn_backward_columns)(const cynn_operation *operation, const cynn_operands *op,
                                        const cynn_pass *pass, int64_t begin, int64_t end, void *delta)
{
    operation->NAME(backward_columns)(op, pass, begin, end, delta);
}

static void NAME(cynn_gradient)(const cynn_operation *operation, const cynn_operands *op, const cynn_pass *pass,
                                int64_t parameter, int64_t begin, int64_t end, void *grad)
{
    operation->NAME(gradient)(op, pass, parameter, begin, end, grad);
}

static int NAME(cynn_has_linear_step)(const cynn_operation *operation) { return operation->NAME(linear_step) != NULL; }

static int NAME(cynn_has_forward_columns)(const cynn_operation *operation)
{
    return operation->NAME(forward_columns) != NULL;
}

static int NAME(cynn_has_backward_columns)(const cynn_operation *operation)
{
    return operation->NAME(backward_columns) != NULL;
}

static void NAME(cynn_linear_step)(const cynn_operation *operation, const cynn_operands *op, const cynn_pass *pass,
                                   int64_t begin, int64_t end, double alpha, double beta, void *scratch)
{
    operation->NAME(linear_step)(op, pass, begin, end, alpha, beta, scratch);
}

static void NAME(cynn_update_states)(const cynn_operation *operation, const cynn_operands *op, const cynn_pass *pass)
{
    T *states[CYNN_MAX_STATES];
    if (!operation->NAME(update_states)) return;
    for (int64_t i = 0; i < op->n_states; i++) states[i] = op->states[i];
    operation->NAME(update_states)(op, pass, states);
}

static void NAME(cynn_activation_forward)(const cynn_activation *activation, const double *h, int64_t rows,
                                          int64_t cols, const void *z, void *a)
{
    activation->NAME(forward)(h, rows, cols, z, a);
}

static void NAME(cynn_activation_backward)(const cynn_activation *activation, const double *h, int64_t rows,
                                           int64_t cols, const void *z, const void *a, void *grad)
{
    activation->NAME(backward)(h, rows, cols, z, a, grad);
}

static int NAME(cynn_has_jvp)(const cynn_operation *operation) { return operation->NAME(jvp) != NULL; }

static int NAME(cynn_has_backward_jvp)(const cynn_operation *operation)
{
    return operation->NAME(backward_jvp) != NULL;
}

static int NAME(cynn_has_gradient_jvp)(const cynn_operation *operation)
{
    return operation->NAME(gradient_jvp) != NULL;
}

static void NAME(cynn_operation_jvp)(const cynn_operation *operation, const cynn_operands *op,
                                     const cynn_tangents *tangents, const cynn_pass *pass, int64_t begin, int64_t end)
{
    operation->NAME(jvp)(op, tangents, pass, begin, end, tangents->out);
}

static void NAME(cynn_backward_jvp)(const cynn_operation *operation, const cynn_operands *op,
                                    const cynn_tangents *tangents, const cynn_pass *pass, int64_t begin, int64_t end)
{
    operation->NAME(backward_jvp)(op, tangents, pass, begin, end, tangents->delta);
}

static void NAME(cynn_gradient_jvp)(const cynn_operation *operation, const cynn_operands *op,
                                    const cynn_tangents *tangents, const cynn_pass *pass, int64_t parameter,
                                    int64_t begin, int64_t end, void *grad)
{
    operation->NAME(gradient_jvp)(op, tangents, pass, parameter, begin, end, grad);
}

/* without jvp, backward does the same, if the derivative is diagonal */
static int NAME(cynn_has_activation_jvp)(const cynn_activation *activation)
{
    return activation->NAME(jvp) != NULL || !(activation->flags & CYNN_ROWWISE);
}

static int NAME(cynn_has_activation_backward_jvp)(const cynn_activation *activation)
{
    return activation->NAME(backward_jvp) != NULL;
}

static void NAME(cynn_jvp_of_activation)(const cynn_activation *activation, const double *h, int64_t rows,
                                         int64_t cols, const void *z, const void *a, const void *dz, void *da)
{
    cynn_activation_jvp(activation, h, rows, cols, (const T *)z, (const T *)a, (const T *)dz, (T *)da);
}

static void NAME(cynn_backward_jvp_of_activation)(const cynn_activation *activation, const double *h, int64_t rows,
                                                  int64_t cols, const void *z, const void *a, const void *grad,
                                                  const void *dz, const void *da, void *dgrad)
{
    activation->NAME(backward_jvp)(h, rows, cols, z, a, grad, dz, da, dgrad);
}

static int NAME(cynn_has_loss_backward_jvp)(const cynn_loss *loss, int fused)
{
    return (fused ? loss->NAME(fused_backward_jvp) : loss->NAME(backward_jvp)) != NULL;
}

static void NAME(cynn_loss_backward_jvp)(const cynn_loss *loss, const double *h, int fused, int64_t rows, int64_t cols,
                                         const void *prediction, const void *target, const int64_t *class_index,
                                         const void *sample_weight, const void *dprediction, void *dgrad)
{
    (fused ? loss->NAME(fused_backward_jvp) : loss->NAME(backward_jvp))(h, rows, cols, prediction, target, class_index,
                                                                       sample_weight, dprediction, dgrad);
}

static double NAME(cynn_loss_of_rows)(const cynn_loss *loss, const double *h, int fused, int64_t rows, int64_t cols,
                                      const void *prediction, const void *target, const int64_t *class_index,
                                      const void *sample_weight, void *grad)
{
    if (fused)
        return loss->NAME(fused_value_and_gradient)(h, rows, cols, prediction, target, class_index, sample_weight,
                                                    grad);
    return loss->NAME(value_and_gradient)(h, rows, cols, prediction, target, class_index, sample_weight, grad);
}

static void NAME(cynn_optimizer_step)(const cynn_optimizer *optimizer, const double *h, double learning_rate,
                                      int64_t t, int64_t rows, int64_t cols, int64_t offset, void *w, void *grad,
                                      void *const *slots)
{
    T *moved[CYNN_MAX_SLOTS];
    for (int64_t i = 0; i < optimizer->n_slots; i++) moved[i] = (T *)slots[i] + offset;
    optimizer->NAME(step)(h, learning_rate, t, rows, cols, (T *)w + offset, grad, moved);
}

static cynn_dtype NAME(cynn_dtype) = {
    .kind = sizeof(T) == sizeof(float) ? CYNN_FLOAT32 : CYNN_FLOAT64,
    .itemsize = sizeof(T),
    .forward = NAME(cynn_forward),
    .backward = NAME(cynn_backward),
    .forward_columns = NAME(cynn_forward_columns),
    .backward_columns = NAME(cynn_backward_columns),
    .gradient = NAME(cynn_gradient),
    .has_linear_step = NAME(cynn_has_linear_step),
    .has_forward_columns = NAME(cynn_has_forward_columns),
    .has_backward_columns = NAME(cynn_has_backward_columns),
    .linear_step = NAME(cynn_linear_step),
    .update_states = NAME(cynn_update_states),
    .has_jvp = NAME(cynn_has_jvp),
    .has_backward_jvp = NAME(cynn_has_backward_jvp),
    .has_gradient_jvp = NAME(cynn_has_gradient_jvp),
    .jvp = NAME(cynn_operation_jvp),
    .backward_jvp = NAME(cynn_backward_jvp),
    .gradient_jvp = NAME(cynn_gradient_jvp),
    .has_activation_jvp = NAME(cynn_has_activation_jvp),
    .has_activation_backward_jvp = NAME(cynn_has_activation_backward_jvp),
    .activation_jvp = NAME(cynn_jvp_of_activation),
    .activation_backward_jvp = NAME(cynn_backward_jvp_of_activation),
    .has_loss_backward_jvp = NAME(cynn_has_loss_backward_jvp),
    .loss_backward_jvp = NAME(cynn_loss_backward_jvp),
    .activation_forward = NAME(cynn_activation_forward),
    .activation_backward = NAME(cynn_activation_backward),
    .loss = NAME(cynn_loss_of_rows),
    .optimizer_step = NAME(cynn_optimizer_step),
};
