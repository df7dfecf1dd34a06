/* The table of one dtype, T, from the functions that kernels and parts offer for it: those whose names end as NAME
 * says. Included once per dtype, behind row_kernels and update_kernels. */

static int64_t NAME(cynn_gather)(const cynn_rows *source, const int64_t *index, int64_t count, int64_t ahead,
                                 double scale, double offset, int check_finite, void *out)
{
    return row_kernels->NAME(gather)(source, index, count, ahead, scale, offset, check_finite, out);
}

static int64_t NAME(cynn_first_nonfinite_row)(const cynn_rows *source)
{
    return row_kernels->first_nonfinite_row(source);
}

static int NAME(cynn_are_categories)(int64_t n, const cynn_categories *categories, int64_t rows, int64_t columns,
                                     const void *x)
{
    return row_kernels->NAME(are_categories)(n, categories, rows, columns, x);
}

static void NAME(cynn_one_hot)(const int64_t *classes, const int64_t *index, int64_t count, int64_t columns,
                               void *target)
{
    row_kernels->NAME(one_hot)(classes, index, count, columns, target);
}

static void NAME(cynn_weigh)(const double *sample_weight, const int64_t *index, int64_t count, double share,
                             void *weight)
{
    row_kernels->NAME(weigh)(sample_weight, index, count, share, weight);
}

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

static double NAME(cynn_regularize)(int64_t size, const void *w, double l1, double l2, void *grad)
{
    return update_kernels->NAME(regularize)(size, w, l1, l2, grad);
}

static int NAME(cynn_are_finite)(int64_t size, const void *x) { return update_kernels->NAME(are_finite)(size, x); }

static double NAME(cynn_norm)(int64_t size, const void *x) { return update_kernels->NAME(norm)(size, x); }

static void NAME(cynn_scale)(int64_t size, double factor, void *x) { update_kernels->NAME(scale)(size, factor, x); }

static void NAME(cynn_add)(int64_t size, const void *x, void *total) { update_kernels->NAME(add)(size, x, total); }

static void NAME(cynn_clip)(int64_t size, double limit, void *x) { update_kernels->NAME(clip)(size, limit, x); }

static void NAME(cynn_average)(int64_t size, const void *w, double momentum, void *mean)
{
    update_kernels->NAME(average)(size, w, momentum, mean);
}

static void NAME(cynn_constrain)(cynn_constraint_kind kind, double value, int64_t rows, int64_t columns,
                                 int64_t begin, int64_t end, void *w)
{
    update_kernels->NAME(constrain)(kind, value, rows, columns, begin, end, w);
}

static const cynn_dtype NAME(cynn_dtype) = {
    .kind = sizeof(T) == sizeof(float) ? CYNN_FLOAT32 : CYNN_FLOAT64,
    .itemsize = sizeof(T),
    .gather = NAME(cynn_gather),
    .first_nonfinite_row = NAME(cynn_first_nonfinite_row),
    .are_categories = NAME(cynn_are_categories),
    .one_hot = NAME(cynn_one_hot),
    .weigh = NAME(cynn_weigh),
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
    .activation_forward = NAME(cynn_activation_forward),
    .activation_backward = NAME(cynn_activation_backward),
    .loss = NAME(cynn_loss_of_rows),
    .optimizer_step = NAME(cynn_optimizer_step),
    .regularize = NAME(cynn_regularize),
    .are_finite = NAME(cynn_are_finite),
    .norm = NAME(cynn_norm),
    .scale = NAME(cynn_scale),
    .add = NAME(cynn_add),
    .clip = NAME(cynn_clip),
    .average = NAME(cynn_average),
    .constrain = NAME(cynn_constrain),
};
