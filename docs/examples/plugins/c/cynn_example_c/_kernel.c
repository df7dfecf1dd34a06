/* The kernels. The rules for them are in cynn/abi.h. */
#include <Python.h>

#include <math.h>

#include <cynn/abi.h>

/* The functions, written once for float and double. */
#define FUNCTIONS(number, suffix, root_of)                             \
    static void inverse_square_root_forward_##suffix(                  \
        const double *h, int64_t rows, int64_t cols, const number *z,  \
        number *a)                                                     \
    {                                                                  \
        number alpha = (number)h[0];                                   \
        for (int64_t i = 0; i < rows * cols; i++)                      \
            a[i] = z[i] / root_of(1 + alpha * z[i] * z[i]);            \
    }                                                                  \
    static void inverse_square_root_backward_##suffix(                 \
        const double *h, int64_t rows, int64_t cols, const number *z,  \
        const number *a, number *grad)                                 \
    {                                                                  \
        number alpha = (number)h[0];                                   \
        (void)a;                                                       \
        for (int64_t i = 0; i < rows * cols; i++) {                    \
            number root = root_of(1 + alpha * z[i] * z[i]);            \
            grad[i] = grad[i] / (root * root * root);                  \
        }                                                              \
    }                                                                  \
    static double cauchy_##suffix(                                     \
        const double *h, int64_t rows, int64_t cols,                   \
        const number *prediction, const number *target,                \
        const int64_t *class_index, const number *sample_weight,       \
        number *grad)                                                  \
    {                                                                  \
        double scale = h[0], total = 0;                                \
        (void)class_index;                                             \
        for (int64_t row = 0; row < rows; row++) {                     \
            double weight = 1.0 / (double)cols;                        \
            if (sample_weight != NULL)                                 \
                weight *= sample_weight[row];                          \
            for (int64_t i = row * cols; i < (row + 1) * cols; i++) {  \
                double d = (double)prediction[i] - target[i];          \
                double square = (d / scale) * (d / scale);             \
                total += weight * scale * scale / 2 * log1p(square);   \
                if (grad != NULL)                                      \
                    grad[i] = (number)(weight * d / (1 + square));     \
            }                                                          \
        }                                                              \
        return total;                                                  \
    }

FUNCTIONS(float, f32, sqrtf)
FUNCTIONS(double, f64, sqrt)

static cynn_activation inverse_square_root = {
    /* backward reads z */
    CYNN_ABI_PREFIX(cynn_activation, CYNN_NEEDS_Z),
    inverse_square_root_forward_f32,
    inverse_square_root_backward_f32,
    inverse_square_root_forward_f64,
    inverse_square_root_backward_f64,
};

static cynn_loss cauchy = {
    /* no flags: classes come as one-hot rows */
    CYNN_ABI_PREFIX(cynn_loss, 0),
    cauchy_f32,
    cauchy_f64,
    NULL, NULL, NULL, /* it fuses with no activation */
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_kernel", NULL, 0, NULL,
};

static int add(PyObject *module, const char *name, void *kernel,
               const char *kind)
{
    PyObject *capsule = PyCapsule_New(kernel, kind, NULL);
    if (capsule != NULL
        && PyModule_AddObject(module, name, capsule) == 0)
        return 0;
    Py_XDECREF(capsule);
    return -1;
}

PyMODINIT_FUNC PyInit__kernel(void)
{
    PyObject *module = PyModule_Create(&definition);
    if (module == NULL)
        return NULL;
    if (add(module, "INVERSE_SQUARE_ROOT", &inverse_square_root,
            CYNN_ACTIVATION_CAPSULE)
        || add(module, "CAUCHY", &cauchy, CYNN_LOSS_CAPSULE)) {
        Py_DECREF(module);
        return NULL;
    }
    return module;
}
