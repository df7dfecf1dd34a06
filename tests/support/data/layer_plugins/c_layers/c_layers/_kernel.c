/* The operations of the layers of this package. */
#include <Python.h>
#include <string.h>

#include <cynn/blas.h>

static const cynn_blas *blas;

#define T float
#define NAME(x) x##_f32
#include "_operations.h"
#undef T
#undef NAME
#define T double
#define NAME(x) x##_f64
#include "_operations.h"

static cynn_operation dense = {
    CYNN_ABI_PREFIX(cynn_operation, CYNN_PROPAGATES_NONFINITE | CYNN_DIVISIBLE | CYNN_PREFETCHES),
    .forward_f32 = dense_forward_f32,
    .forward_f64 = dense_forward_f64,
    .backward_f32 = dense_backward_f32,
    .backward_f64 = dense_backward_f64,
    .gradient_f32 = dense_gradient_f32,
    .gradient_f64 = dense_gradient_f64,
};
static cynn_operation ratio = {
    CYNN_ABI_PREFIX(cynn_operation, 0),
    .forward_f32 = ratio_forward_f32,
    .forward_f64 = ratio_forward_f64,
    .backward_f32 = ratio_backward_f32,
    .backward_f64 = ratio_backward_f64,
    .gradient_f32 = ratio_gradient_f32,
    .gradient_f64 = ratio_gradient_f64,
    .update_states_f32 = ratio_update_states_f32,
    .update_states_f64 = ratio_update_states_f64,
};
static cynn_operation gate = {
    CYNN_ABI_PREFIX(cynn_operation, 0),
    .forward_f32 = gate_forward_f32,
    .forward_f64 = gate_forward_f64,
    .backward_f32 = gate_backward_f32,
    .backward_f64 = gate_backward_f64,
};
static cynn_operation noise = {
    CYNN_ABI_PREFIX(cynn_operation, CYNN_GRADIENT_IN_PLACE | CYNN_ONLY_TRAINING),
    .forward_f32 = noise_forward_f32,
    .forward_f64 = noise_forward_f64,
    .backward_f32 = noise_backward_f32,
    .backward_f64 = noise_backward_f64,
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_kernel", NULL, -1, NULL, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__kernel(void)
{
    PyObject *module;
    struct {
        const char *name;
        cynn_operation *kernel;
    } kernels[] = {{"DENSE", &dense}, {"RATIO", &ratio}, {"GATE", &gate}, {"NOISE", &noise}};
    blas = cynn_import_blas();
    if (!blas) return NULL;
    module = PyModule_Create(&definition);
    for (size_t i = 0; module && i < sizeof kernels / sizeof kernels[0]; i++) {
        PyObject *capsule = PyCapsule_New(kernels[i].kernel, CYNN_OPERATION_CAPSULE, NULL);
        if (!capsule || PyModule_AddObject(module, kernels[i].name, capsule) < 0) {
            Py_XDECREF(capsule);
            Py_CLEAR(module);
        }
    }
    return module;
}
