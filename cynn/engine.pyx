"""A network compiled into a plan, and its passes over a tile of rows: forward and backward.

A tile goes all the way through the network before the next one starts, so that what a layer writes
is still in cache when the next layer reads it. Training is in trainer.pyx, on top of this.
"""

import numpy as np

from cynn import kernels
from cynn.kernel_objects import raise_plugin_error

from cpython.buffer cimport (
    PyBUF_C_CONTIGUOUS,
    PyBUF_FORMAT,
    PyBUF_STRIDES,
    PyBUF_WRITABLE,
    PyBuffer_Release,
    PyObject_CheckBuffer,
    PyObject_GetBuffer,
)
from cpython.pycapsule cimport PyCapsule_GetPointer
from cpython.ref cimport PyObject
from libc.stdint cimport int64_t, uintptr_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from cynn.abi cimport CYNN_NEEDS_A, CYNN_NEEDS_Z, floating
from cynn.kernel_objects cimport ActivationKernel
from cynn.kernels.tables cimport FLOAT32, FLOAT64, UINT8, Ahead, DenseKernels, RowKernels, Rows
from cynn.team cimport Team

# Rows that go through the network together. Fewer cost BLAS its speed on wide layers, more would
# not fit in cache and leave threads without work.
TILE_ROWS = 128
cdef int64_t tile_rows = TILE_ROWS

# Multiplications below which a second thread costs more than it saves, and below which to release
# and take the GIL again does.
cdef double WORTH_A_TEAM = 2e6
cdef double WORTH_RELEASING_THE_GIL = 2e5

cdef object np_empty = np.empty
cdef object np_ndarray = np.ndarray


cdef object aligned(object shape, object dtype):
    """An uninitialized array that starts on a cache line."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.empty(size + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size].view(dtype).reshape(shape)


def aligned_zeros(shape, dtype):
    """An array of zeros that starts on a cache line."""
    array = aligned(shape, dtype)
    array[...] = 0
    return array


cdef void *address_of(object array) except NULL:
    """Where an array's data lies, which is never NULL for those that this package allocates."""
    cdef uintptr_t address = array.ctypes.data
    return <void *>address


cdef class RowMatrix:
    """A caller's matrix of uint8, float32 or float64, with any strides, held while it is read."""

    def __cinit__(self, object array):
        cdef char kind
        PyObject_GetBuffer(array, &self.buffer, PyBUF_STRIDES | PyBUF_FORMAT)
        if self.buffer.ndim != 2:
            raise ValueError(f"array must have 2 dimensions. Got {self.buffer.ndim} instead.")
        kind = self.buffer.format[0]
        if kind not in (c"B", c"f", c"d") or self.buffer.format[1] != 0:
            raise ValueError(f"array must be uint8, float32 or float64. Got {self.buffer.format} instead.")
        self.rows.kind = UINT8 if kind == c"B" else (FLOAT32 if kind == c"f" else FLOAT64)
        self.rows.data = <const char *>self.buffer.buf
        self.rows.rows = self.buffer.shape[0]
        self.rows.columns = self.buffer.shape[1]
        self.rows.row_stride = self.buffer.strides[0]
        self.rows.column_stride = self.buffer.strides[1]

    def __dealloc__(self):
        PyBuffer_Release(&self.buffer)

    def first_nonfinite_row(self):
        """The first row with a NaN or an infinity, -1 for none."""
        cdef const RowKernels *row_kernels = <const RowKernels *>PyCapsule_GetPointer(
            kernels.rows.TABLE, "cynn.kernels.rows"
        )
        cdef int64_t row
        with nogil:
            row = row_kernels.first_nonfinite_row(&self.rows)
        return row


cdef class PythonActivation:
    """An activation with Python methods, bound to the buffers of its layer in one workspace."""

    cdef object component, z, a, delta
    cdef readonly object error

    def __init__(self, component, z, a, delta):
        self.component = component
        self.z = z
        self.a = a
        self.delta = delta

    cdef int forward(self, int64_t rows) noexcept:
        try:
            z = self.z[:rows]
            self.a[:rows] = self.checked("forward", z.shape, self.component.forward(read_only(z)))
            return 0
        except BaseException as error:
            self.error = error
            return -1

    cdef int backward(self, int64_t rows) noexcept:
        try:
            z, a, delta = self.z[:rows], self.a[:rows], self.delta[:rows]
            result = self.component.backward(read_only(z), read_only(a), delta)
            delta[...] = self.checked("backward", z.shape, result)
            return 0
        except BaseException as error:
            self.error = error
            return -1

    cdef object checked(self, str method, object shape, object result):
        if np.shape(result) != shape:
            raise ValueError(
                f"{method} must return an array of shape {shape}. Got {np.shape(result)} instead."
            )
        return result


cdef object read_only(object array):
    view = array.view()
    view.flags.writeable = False
    return view


cdef int call_python(PyObject *python, bint backward, int64_t rows) noexcept with gil:
    cdef PythonActivation activation = <PythonActivation>python
    return activation.backward(rows) if backward else activation.forward(rows)


cdef class Workspace:
    """The buffers of one pass through a network, for a number of rows. Used by one caller at a time."""

    def __cinit__(self, Engine engine, int64_t rows, bint training, bint keep_last_z):
        cdef int64_t i
        cdef DenseLayer *layer
        cdef ActivationKernel kernel
        self.n_layers = engine.plan.n_layers
        self.layers = <LayerBuffers *>calloc(self.n_layers, sizeof(LayerBuffers))
        if self.layers == NULL:
            raise MemoryError
        self.x = aligned((rows, engine.plan.inputs), engine.dtype)
        self.x_data = address_of(self.x)
        self.scratch_array = aligned((min(rows, tile_rows), engine.plan.largest_units), engine.dtype)
        self.scratch = address_of(self.scratch_array)
        self.z, self.a, self.delta, self.python = [], [], [], []
        for i in range(self.n_layers):
            layer = &engine.plan.layers[i]
            kernel = engine.kernels[i]
            shape = (rows, layer.units)
            last = i + 1 == self.n_layers
            keep_z = (
                kernel.is_python
                or (training and layer.activation.flags & CYNN_NEEDS_Z)
                or (last and keep_last_z)
            )
            self.z.append(aligned(shape, engine.dtype) if keep_z else None)
            self.a.append(aligned(shape, engine.dtype))
            self.delta.append(aligned(shape, engine.dtype) if training else None)
            self.layers[i].z = address_of(self.z[i]) if keep_z else NULL
            self.layers[i].a = address_of(self.a[i])
            self.layers[i].delta = address_of(self.delta[i]) if training else NULL
            if kernel.is_python:
                bound = PythonActivation(kernel.component, self.z[i], self.a[i], self.delta[i])
                self.python.append(bound)
                self.layers[i].python = <PyObject *>bound

    def __dealloc__(self):
        free(self.layers)

    def raise_error(self):
        """Raise what a Python activation has raised, as a PluginError that names it."""
        cdef PythonActivation activation
        for activation in self.python:
            error, activation.error = activation.error, None
            if error is not None:
                raise_plugin_error(activation.component, error)


cdef int64_t gather_rows(
    const Plan *plan, const Rows *source, const int64_t *index, int64_t count, int64_t ahead, double scale,
    double offset, bint check_finite, floating *out
) noexcept nogil:
    if floating is float:
        return plan.row_kernels.gather_f32(source, index, count, ahead, scale, offset, check_finite, out)
    else:
        return plan.row_kernels.gather_f64(source, index, count, ahead, scale, offset, check_finite, out)


cdef inline int activate(
    const DenseLayer *layer, PyObject *python, int64_t rows, const floating *z, floating *a
) noexcept nogil:
    if python != NULL:
        return call_python(python, False, rows)
    if floating is float:
        layer.activation.forward_f32(layer.h, rows, layer.units, z, a)
    else:
        layer.activation.forward_f64(layer.h, rows, layer.units, z, a)
    return 0


cdef int forward_tile(
    const Plan *plan, const LayerBuffers *buffers, int64_t begin, int64_t rows, const floating *x,
    floating *scratch, bint skip_last_activation, Ahead *ahead
) noexcept nogil:
    """z and a of every layer, for rows begin .. begin + rows of the buffers; 0, or -1 if Python raised."""
    cdef int64_t i, units
    cdef const DenseLayer *layer
    cdef floating *z
    cdef floating *a
    for i in range(plan.n_layers):
        layer = &plan.layers[i]
        units = layer.units
        z = scratch if buffers[i].z == NULL else <floating *>buffers[i].z + begin * units
        a = <floating *>buffers[i].a + begin * units
        if floating is float:
            plan.dense_kernels.forward_f32(
                rows, layer.inputs, units, x, <const float *>layer.W, <const float *>layer.b, z, ahead
            )
        else:
            plan.dense_kernels.forward_f64(
                rows, layer.inputs, units, x, <const double *>layer.W, <const double *>layer.b, z, ahead
            )
        ahead = NULL  # is for the first layer, which has the most to do
        if i + 1 == plan.n_layers and skip_last_activation:
            break
        if activate(layer, buffers[i].python, rows, z, a):
            return -1
        x = a
    return 0


cdef int backward_tile(
    const Plan *plan, const LayerBuffers *buffers, int64_t begin, int64_t rows, bint from_z, floating *type_
) noexcept nogil:
    """dC/dz of every layer from what the last layer's delta holds, dC/da or (from_z) dC/dz already."""
    cdef int64_t i, offset
    cdef const DenseLayer *layer
    cdef const LayerBuffers *own
    cdef floating *z
    cdef floating *a
    cdef floating *delta
    for i in range(plan.n_layers - 1, -1, -1):
        layer = &plan.layers[i]
        own = &buffers[i]
        offset = begin * layer.units
        delta = <floating *>own.delta + offset
        if from_z:
            from_z = False
        elif own.python != NULL:
            if call_python(own.python, True, rows):
                return -1
        else:
            z = <floating *>own.z + offset if layer.activation.flags & CYNN_NEEDS_Z else NULL
            a = <floating *>own.a + offset if layer.activation.flags & CYNN_NEEDS_A else NULL
            if floating is float:
                layer.activation.backward_f32(layer.h, rows, layer.units, z, a, delta)
            else:
                layer.activation.backward_f64(layer.h, rows, layer.units, z, a, delta)
        if i > 0:
            if floating is float:
                plan.dense_kernels.backward_f32(
                    rows, layer.inputs, layer.units, delta, <const float *>layer.W,
                    <float *>buffers[i - 1].delta + begin * layer.inputs
                )
            else:
                plan.dense_kernels.backward_f64(
                    rows, layer.inputs, layer.units, delta, <const double *>layer.W,
                    <double *>buffers[i - 1].delta + begin * layer.inputs
                )
    return 0


cdef inline const floating *gathered(const Plan *plan, const Rows *rows, floating *x) noexcept nogil:
    """The rows as the network sees them: gathered into x, or where they lie if they are as they must be."""
    cdef bint as_they_are = (
        rows.kind == (FLOAT32 if sizeof(floating) == sizeof(float) else FLOAT64)
        and plan.scale == 1 and plan.offset == 0 and rows.column_stride == sizeof(floating)
        and (rows.rows == 1 or rows.row_stride == rows.columns * <int64_t>sizeof(floating))
    )
    if as_they_are:
        return <const floating *>rows.data
    gather_rows(plan, rows, NULL, rows.rows, 0, plan.scale, plan.offset, False, x)
    return x


# One pass over a caller's rows: which layers' outputs are wanted, and where they go.
ctypedef struct ForwardPass:
    const Plan *plan
    const Rows *source
    LayerBuffers **buffers    # of each thread
    void **x                  # of each thread
    void **scratch            # of each thread
    void **outputs            # x, then a of every layer; NULL where it is not wanted
    int64_t tile
    int n_threads
    bint to_z
    bint check_finite
    int failed                # Python raised
    int nonfinite             # a row held a NaN or an infinity


cdef inline void next_tile(const ForwardPass *job, int64_t begin, Ahead *ahead) noexcept nogil:
    """What to fetch: the rows of the tile that starts there, which this thread is likely to have next."""
    ahead.data = job.source.data + begin * job.source.row_stride
    ahead.index = NULL
    ahead.row_stride = job.source.row_stride
    ahead.row_bytes = job.source.columns * job.source.column_stride
    ahead.rows = max(0, min(job.tile, job.source.rows - begin)) if ahead.row_bytes > 0 else 0
    ahead.at = ahead.end = NULL


cdef inline void forward_piece(ForwardPass *job, int64_t piece, int thread, floating *type_) noexcept nogil:
    cdef const Plan *plan = job.plan
    cdef int64_t begin = piece * job.tile
    cdef int64_t rows = min(job.tile, job.source.rows - begin)
    cdef int64_t i, units
    cdef const void *source
    cdef Rows tile = job.source[0]
    cdef const floating *x
    cdef Ahead ahead
    tile.data = job.source.data + begin * job.source.row_stride
    tile.rows = rows
    if job.check_finite and plan.row_kernels.first_nonfinite_row(&tile) >= 0:
        job.nonfinite = 1
        return
    x = gathered(plan, &tile, <floating *>job.x[thread])
    next_tile(job, begin + job.n_threads * job.tile, &ahead)
    if forward_tile(plan, job.buffers[thread], 0, rows, x, <floating *>job.scratch[thread], job.to_z, &ahead):
        job.failed = 1
        return
    if job.outputs[0] != NULL:
        memcpy(<floating *>job.outputs[0] + begin * plan.inputs, x, rows * plan.inputs * sizeof(floating))
    for i in range(plan.n_layers):
        if job.outputs[i + 1] != NULL:
            units = plan.layers[i].units
            source = job.buffers[thread][i].a
            if job.to_z and i + 1 == plan.n_layers:
                source = job.scratch[thread] if job.buffers[thread][i].z == NULL else job.buffers[thread][i].z
            memcpy(<floating *>job.outputs[i + 1] + begin * units, source, rows * units * sizeof(floating))


cdef void forward_piece_f32(void *context, int64_t piece, int thread) noexcept nogil:
    forward_piece[float](<ForwardPass *>context, piece, thread, NULL)


cdef void forward_piece_f64(void *context, int64_t piece, int thread) noexcept nogil:
    forward_piece[double](<ForwardPass *>context, piece, thread, NULL)


cdef class Engine:
    """A network's layers as the kernels see them.

    Parameters
    ----------
    dtype : {"float32", "float64"}
    inputs : int
    scale, offset : float
        Applied to the inputs as they are gathered: x = scale * value + offset.
    layers : list of (W, b, ActivationKernel)
        Arrays of the dtype, C-contiguous, W (inputs, units) and b (units,) or None.
    """

    def __cinit__(self, str dtype, int64_t inputs, double scale, double offset, list layers):
        cdef int64_t i
        cdef ActivationKernel kernel
        self.dtype = dtype
        self.is_float32 = dtype == "float32"
        self.kernels = []
        self.parameters = []
        self.idle_workspaces = []
        self.plan.layers = <DenseLayer *>calloc(len(layers), sizeof(DenseLayer))
        if self.plan.layers == NULL:
            raise MemoryError
        self.plan.n_layers = len(layers)
        self.plan.inputs = inputs
        self.plan.scale = scale
        self.plan.offset = offset
        self.plan.row_kernels = <const RowKernels *>PyCapsule_GetPointer(
            kernels.rows.TABLE, "cynn.kernels.rows"
        )
        self.plan.dense_kernels = <const DenseKernels *>PyCapsule_GetPointer(
            kernels.dense.TABLE, "cynn.kernels.dense"
        )
        for i in range(self.plan.n_layers):
            W, b, kernel = layers[i]
            kernel.require_dtype(dtype)
            self.kernels.append(kernel)
            self.parameters.append((W, b))
            self.plan.layers[i].inputs = W.shape[0]
            self.plan.layers[i].units = W.shape[1]
            self.plan.layers[i].W = address_of(W)
            self.plan.layers[i].b = NULL if b is None else address_of(b)
            self.plan.layers[i].activation = kernel.functions
            self.plan.layers[i].h = kernel.h
            self.plan.largest_units = max(self.plan.largest_units, self.plan.layers[i].units)
            self.plan.has_python = self.plan.has_python or kernel.is_python
        self.plan_outputs = self.plan.layers[self.plan.n_layers - 1].units
        self.numpy_dtype = np.dtype(dtype)
        self.multiplications_of_row = self.multiplications()

    def __dealloc__(self):
        free(self.plan.layers)

    @property
    def has_python(self):
        """Whether an activation has Python methods, so that passes run on one thread."""
        return self.plan.has_python

    cdef Workspace workspace(self):
        # Taking from and putting into a list is atomic under the GIL, so callers in several threads
        # get workspaces of their own.
        if self.idle_workspaces:
            return self.idle_workspaces.pop()
        return Workspace(self, tile_rows, False, False)

    def forward(self, array, list outputs, int n_threads, bint to_z=False, bint check_finite=False):
        """Run the network over the rows of `array`.

        Parameters
        ----------
        array : array of shape (rows, inputs) of uint8, float32 or float64
        outputs : list of arrays or None
            Where x and every layer's output go: layers + 1 C-contiguous matrices of the dtype, None
            for those that are not wanted.
        n_threads : int
            The most threads to use. The result does not depend on it.
        to_z : bool
            Whether the last layer stops at its z, which is then what its output is.
        check_finite : bool
            Whether to look for NaN and infinity in each tile.

        Returns
        -------
        bool
            False where `check_finite` found one; the outputs are then not complete.
        """
        cdef RowMatrix source = RowMatrix(array)
        cdef ForwardPass job
        cdef int64_t n_pieces = (source.rows.rows + tile_rows - 1) // tile_rows
        cdef int64_t i
        cdef Workspace workspace
        cdef Team team
        cdef LayerBuffers *buffers[256]
        cdef void *x[256]
        cdef void *scratch[256]
        if self.plan.has_python or self.multiplications_of_row * source.rows.rows < WORTH_A_TEAM:
            n_threads = 1
        n_threads = <int>max(1, min(n_threads, n_pieces, 256))
        workspaces = [self.workspace() for _ in range(n_threads)]
        for i, workspace in enumerate(workspaces):
            buffers[i], x[i], scratch[i] = workspace.layers, workspace.x_data, workspace.scratch
        job.plan, job.source, job.tile, job.n_threads = &self.plan, &source.rows, tile_rows, n_threads
        job.to_z, job.check_finite, job.failed, job.nonfinite = to_z, check_finite, 0, 0
        job.buffers, job.x, job.scratch = buffers, x, scratch
        job.outputs = <void **>calloc(self.plan.n_layers + 1, sizeof(void *))
        if job.outputs == NULL:
            raise MemoryError
        try:
            for i, output in enumerate(outputs):
                job.outputs[i] = NULL if output is None else address_of(output)
            team = Team(n_threads)
            with nogil:
                team.run(forward_piece_f32 if self.is_float32 else forward_piece_f64, &job, n_pieces)
        finally:
            free(job.outputs)
            self.idle_workspaces.extend(workspaces)
        if job.failed:
            for workspace in workspaces:
                workspace.raise_error()
        return not job.nonfinite

    def predict_few(self, x, out, bint check_finite):
        """Predictions for one row, or a few, with as little around the arithmetic as can be.

        Parameters
        ----------
        x : array of shape (inputs,) or (rows, inputs)
        out : array or None
            Where to write; None makes a new array.
        check_finite : bool

        Returns
        -------
        array or None
            None where something is out of the ordinary (many rows, another dtype, a wrong shape, a
            NaN): the general way then does the work, or says what is wrong.
        """
        cdef Py_buffer view, out_view
        cdef Rows rows
        cdef object result = None
        if self.plan.has_python or not PyObject_CheckBuffer(x):
            return None
        if out is not None and not (type(out) is np_ndarray and out.dtype is self.numpy_dtype):
            return None
        try:
            PyObject_GetBuffer(x, &view, PyBUF_STRIDES | PyBUF_FORMAT)
        except (BufferError, ValueError):
            return None  # NumPy has dtypes that a buffer has not
        try:
            if self.describe_rows(&view, &rows) and not (
                check_finite and self.plan.row_kernels.first_nonfinite_row(&rows) >= 0
            ):
                result = out
                if out is None and view.ndim == 1:
                    result = np_empty(self.plan_outputs, self.numpy_dtype)
                elif out is None:
                    result = np_empty((rows.rows, self.plan_outputs), self.numpy_dtype)
                PyObject_GetBuffer(result, &out_view, PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE)
                try:
                    if out_view.ndim != view.ndim or out_view.len != (
                        rows.rows * self.plan_outputs * out_view.itemsize
                    ):
                        result = None
                    else:
                        self.forward_few(&rows, out_view.buf)
                finally:
                    PyBuffer_Release(&out_view)
        except (BufferError, ValueError):
            return None  # out is not contiguous, or read-only
        finally:
            PyBuffer_Release(&view)
        return result

    cdef bint describe_rows(self, const Py_buffer *view, Rows *rows) noexcept:
        """Whether predict_few is for this array; if so, how it lies in memory."""
        cdef char kind = view.format[0] if view.format != NULL and view.format[1] == 0 else 0
        if view.ndim != 1 and view.ndim != 2:
            return False
        if view.shape[view.ndim - 1] != self.plan.inputs:
            return False
        rows.rows = 1 if view.ndim == 1 else view.shape[0]
        if rows.rows > tile_rows or rows.rows == 0:
            return False
        if kind == c"f":
            rows.kind = FLOAT32
        elif kind == c"d":
            rows.kind = FLOAT64
        elif kind == c"B":
            rows.kind = UINT8
        else:
            return False
        rows.data = <const char *>view.buf
        rows.columns = self.plan.inputs
        rows.row_stride = 0 if view.ndim == 1 else view.strides[0]
        rows.column_stride = view.strides[view.ndim - 1]
        return True

    cdef int forward_few(self, const Rows *rows, void *out) except -1:
        cdef Workspace workspace = self.workspace()
        cdef LayerBuffers *last = &workspace.layers[self.plan.n_layers - 1]
        cdef void *own = last.a
        last.a = out
        if self.multiplications_of_row * rows.rows < WORTH_RELEASING_THE_GIL:
            self.forward_in_workspace(workspace, rows)
        else:
            with nogil:
                self.forward_in_workspace(workspace, rows)
        last.a = own
        self.idle_workspaces.append(workspace)
        return 0

    cdef void forward_in_workspace(self, Workspace workspace, const Rows *rows) noexcept nogil:
        cdef const Plan *plan = &self.plan
        if self.is_float32:
            forward_tile[float](
                plan, workspace.layers, 0, rows.rows,
                gathered[float](plan, rows, <float *>workspace.x_data), <float *>workspace.scratch, False, NULL
            )
        else:
            forward_tile[double](
                plan, workspace.layers, 0, rows.rows,
                gathered[double](plan, rows, <double *>workspace.x_data), <double *>workspace.scratch, False, NULL
            )

    cpdef double multiplications(self):
        """How many multiplications one row costs."""
        cdef double total = 0
        cdef int64_t i
        for i in range(self.plan.n_layers):
            total += <double>self.plan.layers[i].inputs * self.plan.layers[i].units
        return total
