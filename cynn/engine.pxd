from cpython.buffer cimport Py_buffer
from cpython.ref cimport PyObject
from libc.stdint cimport int64_t

from cynn.abi cimport cynn_activation, floating
from cynn.kernels.tables cimport Ahead, DenseKernels, RowKernels, Rows


# A dense layer as the engine sees it: z = x W + b, a = f(z).
ctypedef struct DenseLayer:
    int64_t inputs
    int64_t units
    void *W
    void *b
    cynn_activation activation
    const double *h


# What one layer writes, in one workspace: matrices of `rows` x units.
ctypedef struct LayerBuffers:
    void *z            # NULL: z is not needed after the activation, and goes to scratch
    void *a
    void *delta        # dC/da, then dC/dz; NULL where only predictions are made
    PyObject *python   # the PythonActivation of this layer, or NULL


ctypedef struct Plan:
    int64_t n_layers
    int64_t inputs
    int64_t largest_units
    double scale
    double offset
    DenseLayer *layers
    const RowKernels *row_kernels
    const DenseKernels *dense_kernels
    bint has_python


cdef class RowMatrix:
    cdef Py_buffer buffer
    cdef Rows rows


cdef class Engine:
    cdef Plan plan
    cdef readonly str dtype
    cdef bint is_float32
    cdef readonly list kernels      # an ActivationKernel a layer
    cdef readonly list parameters   # (W, b) a layer, the arrays that the plan points into
    cdef object numpy_dtype
    cdef int64_t plan_outputs
    cdef double multiplications_of_row
    cdef list idle_workspaces
    cdef Workspace workspace(self)
    cdef bint describe_rows(self, const Py_buffer *view, Rows *rows) noexcept
    cdef int forward_few(self, const Rows *rows, void *out) except -1
    cdef void forward_in_workspace(self, Workspace workspace, const Rows *rows) noexcept nogil
    cpdef double multiplications(self)


cdef class Workspace:
    cdef readonly object x
    cdef readonly list z, a, delta, python
    cdef object scratch_array
    cdef void *x_data
    cdef void *scratch
    cdef LayerBuffers *layers
    cdef int64_t n_layers


cdef object aligned(object shape, object dtype)
cdef void *address_of(object array) except NULL

cdef int64_t gather_rows(
    const Plan *plan, const Rows *source, const int64_t *index, int64_t count, int64_t ahead, double scale,
    double offset, bint check_finite, floating *out
) noexcept nogil

cdef int forward_tile(
    const Plan *plan, const LayerBuffers *buffers, int64_t begin, int64_t rows, const floating *x,
    floating *scratch, bint skip_last_activation, Ahead *ahead
) noexcept nogil

cdef int backward_tile(
    const Plan *plan, const LayerBuffers *buffers, int64_t begin, int64_t rows, bint from_z, floating *type_
) noexcept nogil
