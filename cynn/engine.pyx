"""A network as operations that run one after the other, and its passes over rows: forward and backward.

A tile of rows goes all the way through the network before the next one starts, so that what an operation
writes is still in cache when the next one reads it. Training is in trainer.pyx, on top of this.
"""

from array import array as array_of

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
from libc.string cimport memcpy, memset

from cynn.abi cimport floating
from cynn.kernel_objects cimport ActivationKernel
from cynn.kernels.tables cimport (
    FLOAT32,
    FLOAT64,
    MOST_PARAMETERS,
    MOST_SAVED,
    MOST_STATES,
    UINT8,
    Ahead,
    Op,
    OpKernels,
    Pass,
    RowKernels,
    Rows,
)
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
    """The buffers of one pass through a network, for a number of rows. Used by one caller at a time.

    With `training`, what backward needs is kept, and `keep_last_input` keeps what the last operation
    takes, though it could write its output there.
    """

    def __cinit__(self, Engine engine, int64_t rows, bint training, bint keep_last_input):
        cdef int64_t i, j, n = len(engine.operations)
        cdef Node *node
        self.values = [aligned((rows, engine.source.inputs), engine.dtype)]
        self.deltas = [None] * (n + 1)
        self.python, self.keep, self.of_first_input = [], [], {}
        self.x = address_of(self.values[0])
        self.nodes = <Node *>calloc(n, sizeof(Node))
        self.takes_x = <void ***>calloc(sum(len(o.inputs) for o in engine.operations), sizeof(void **))
        if self.nodes == NULL or self.takes_x == NULL:
            raise MemoryError
        # The value that holds the numbers of each: in a prediction, some operations do nothing.
        root = list(range(n + 1))
        for i, operation in enumerate(engine.operations):
            if operation.only_training and not training and i + 1 < n:
                root[i + 1] = root[operation.inputs[0]]
        consumers = [0] * (n + 1)
        for i, operation in enumerate(engine.operations):
            if root[i + 1] == i + 1:
                for value in operation.inputs:
                    consumers[root[value]] += 1
        kept = {0}
        if training:
            kept.update(i + 1 for i, operation in enumerate(engine.operations) if operation.needs_output)
            if keep_last_input:
                kept.add(engine.operations[n - 1].inputs[0])
        for i, operation in enumerate(engine.operations):
            first = root[operation.inputs[0]]
            if root[i + 1] != i + 1:
                self.values.append(self.values[root[i + 1]])
                continue
            if operation.in_place and consumers[first] == 1 and first not in kept:
                self.values.append(self.values[first])
            else:
                self.values.append(aligned((rows, operation.units), engine.dtype))
            node = &self.nodes[self.n_nodes]
            self.n_nodes += 1
            node.value = i + 1
            self.connect(node, engine, i)
            for j, value in enumerate(operation.inputs):
                node.op.x[j] = address_of(self.values[value])
                if root[value] == 0:
                    self.takes_x[self.n_takes_x] = &node.op.x[j]
                    self.n_takes_x += 1
            node.op.out = address_of(self.values[i + 1])
            for j, saved in enumerate(operation.saved if training else []):
                shape = (rows if saved.for_each_row else 1, saved.columns)
                node.op.saved[j] = self.hold(aligned(shape, engine.dtype))
        if training:
            self.allocate_deltas(engine, consumers, rows)
        for i in range(self.n_nodes):
            node = &self.nodes[i]
            operation = engine.operations[node.value - 1]
            if operation.activation is not None and operation.activation.is_python:
                bound = PythonActivation(
                    operation.activation.component, self.values[operation.inputs[0]], self.values[node.value],
                    self.of_first_input.get(i)
                )
                self.python.append(bound)
                node.op.python = <void *>bound

    cdef int connect(self, Node *node, Engine engine, int64_t i) except -1:
        """What does not depend on the buffers."""
        cdef int64_t j
        cdef const double[::1] h
        cdef ActivationKernel activation
        cdef Op *op = &node.op
        operation = engine.operations[i]
        if (
            len(operation.parameters) > MOST_PARAMETERS or len(operation.states) > MOST_STATES
            or len(operation.saved) > MOST_SAVED
        ):
            raise ValueError(f"an operation has more than kernels have room for: {operation}")
        op.n_inputs = len(operation.inputs)
        op.widths = <int64_t *>calloc(op.n_inputs, sizeof(int64_t))
        op.x = <void **>calloc(op.n_inputs, sizeof(void *))
        op.dx = <void **>calloc(op.n_inputs, sizeof(void *))
        if op.widths == NULL or op.x == NULL or op.dx == NULL:
            raise MemoryError
        for j, width in enumerate(operation.widths):
            op.widths[j] = width
        op.units = operation.units
        for j, parameter in enumerate(operation.parameters):
            if parameter is not None:
                op.parameters[j] = address_of(parameter)
                op.parameter_rows[j] = parameter.shape[0] if parameter.ndim == 2 else 1
                op.parameter_columns[j] = parameter.shape[parameter.ndim - 1]
        for j, state in enumerate(operation.states):
            op.states[j] = address_of(state)
        if len(engine.h[i]):
            h = engine.h[i]
            op.h = &h[0]
        op.number = operation.number
        if operation.activation is not None:
            activation = operation.activation
            op.activation = activation.functions
            op.activation_h = activation.h
        op.kernels = <const OpKernels *>PyCapsule_GetPointer(operation.kernels, "cynn.kernels.operation")
        node.gradient_in_place = operation.gradient_in_place
        return 0

    cdef int allocate_deltas(self, Engine engine, list consumers, int64_t rows) except -1:
        """The gradient of every value that something trained depends on.

        Where several operations take a value, each has a gradient of its own, which are added up
        before the operation that made the value needs them.
        """
        cdef int64_t i, j, n = len(engine.operations)
        cdef Node *node
        has_gradient = [False] * (n + 1)
        sums = [[] for _ in range(n + 1)]
        for i, operation in enumerate(engine.operations):
            is_trained = operation.trainable and any(p is not None for p in operation.parameters)
            has_gradient[i + 1] = is_trained or any(has_gradient[value] for value in operation.inputs)
        self.deltas[n] = aligned((rows, engine.outputs), engine.dtype)
        for i in range(n - 1, -1, -1):
            operation = engine.operations[i]
            node = &self.nodes[i]
            node.has_gradient = has_gradient[i + 1]
            if self.deltas[i + 1] is None:
                continue
            node.op.delta = address_of(self.deltas[i + 1])
            for j, value in enumerate(operation.inputs):
                if not has_gradient[value]:
                    continue
                shared = operation.gradient_in_place and j == 0 and consumers[value] == 1
                array = self.deltas[i + 1] if shared else aligned((rows, operation.widths[j]), engine.dtype)
                if self.deltas[value] is None:
                    self.deltas[value] = array
                else:
                    sums[value].append(array)
                node.op.dx[j] = self.hold(array)
                if j == 0:
                    self.of_first_input[i] = array
            node.n_sums = len(sums[i + 1])
            node.sums = <void **>calloc(max(1, node.n_sums), sizeof(void *))
            if node.sums == NULL:
                raise MemoryError
            for j, array in enumerate(sums[i + 1]):
                node.sums[j] = self.hold(array)
        return 0

    cdef void *hold(self, array) except NULL:
        self.keep.append(array)
        return address_of(array)

    cdef void set_x(self, const void *x) noexcept nogil:
        """Let the operations read value 0 there."""
        cdef int64_t i
        for i in range(self.n_takes_x):
            self.takes_x[i][0] = <void *>x

    def __dealloc__(self):
        cdef int64_t i
        for i in range(self.n_nodes):
            free(self.nodes[i].op.widths)
            free(self.nodes[i].op.x)
            free(self.nodes[i].op.dx)
            free(self.nodes[i].sums)
        free(self.nodes)
        free(self.takes_x)

    def raise_error(self):
        """Raise what a Python activation has raised, as a PluginError that names it."""
        cdef PythonActivation activation
        for activation in self.python:
            error, activation.error = activation.error, None
            if error is not None:
                raise_plugin_error(activation.component, error)


cdef int64_t gather_rows(
    const Source *source, const Rows *rows, const int64_t *index, int64_t count, int64_t ahead, double scale,
    double offset, bint check_finite, floating *out
) noexcept nogil:
    if floating is float:
        return source.row_kernels.gather_f32(rows, index, count, ahead, scale, offset, check_finite, out)
    else:
        return source.row_kernels.gather_f64(rows, index, count, ahead, scale, offset, check_finite, out)


cdef int forward_node(
    const Node *node, const Pass *pass_, int64_t begin, int64_t end, floating *type_
) noexcept nogil:
    """0, or -1 if Python raised."""
    cdef const Op *op = &node.op
    cdef const OpKernels *kernels_ = op.kernels
    if op.python != NULL:
        return call_python(<PyObject *>op.python, False, end)
    if floating is float:
        if node.forward_by_columns:
            kernels_.forward_columns_f32(op, pass_, begin, end, <float *>op.out)
        else:
            kernels_.forward_f32(op, pass_, begin, end, <float *>op.out)
    else:
        if node.forward_by_columns:
            kernels_.forward_columns_f64(op, pass_, begin, end, <double *>op.out)
        else:
            kernels_.forward_f64(op, pass_, begin, end, <double *>op.out)
    return 0


cdef int backward_node(
    const Node *node, const Pass *pass_, int64_t begin, int64_t end, floating *type_
) noexcept nogil:
    """dC/dx from dC/dout; 0, or -1 if Python raised."""
    cdef const Op *op = &node.op
    cdef const OpKernels *kernels_ = op.kernels
    cdef floating *delta = <floating *>op.delta
    cdef int64_t size = (end - begin) * op.units
    if node.gradient_in_place:
        if op.dx[0] == NULL:
            return 0
        if op.dx[0] != op.delta:
            memcpy(
                <floating *>op.dx[0] + begin * op.units, delta + begin * op.units, size * sizeof(floating)
            )
            delta = <floating *>op.dx[0]
    if op.python != NULL:
        return call_python(<PyObject *>op.python, True, end)
    if floating is float:
        if node.backward_by_columns:
            kernels_.backward_columns_f32(op, pass_, begin, end, delta)
        else:
            kernels_.backward_f32(op, pass_, begin, end, delta)
    else:
        if node.backward_by_columns:
            kernels_.backward_columns_f64(op, pass_, begin, end, delta)
        else:
            kernels_.backward_f64(op, pass_, begin, end, delta)
    return 0


cdef void add_gradients(const Node *node, int64_t begin, int64_t end, floating *type_) noexcept nogil:
    """Add up what several operations have found as dC/dout, for rows begin..end."""
    cdef int64_t i, j, offset = begin * node.op.units, size = (end - begin) * node.op.units
    cdef floating *delta = <floating *>node.op.delta + offset
    cdef const floating *other
    for i in range(node.n_sums):
        other = <const floating *>node.sums[i] + offset
        for j in range(size):
            delta[j] += other[j]


cdef inline const floating *gathered(
    const Source *source, const Rows *rows, floating *x
) noexcept nogil:
    """The rows as the network sees them: gathered into x, or where they lie if they are as they must be."""
    cdef bint as_they_are = (
        rows.kind == (FLOAT32 if sizeof(floating) == sizeof(float) else FLOAT64)
        and source.scale == 1 and source.offset == 0 and rows.column_stride == sizeof(floating)
        and (rows.rows == 1 or rows.row_stride == rows.columns * <int64_t>sizeof(floating))
    )
    if as_they_are:
        return <const floating *>rows.data
    gather_rows(source, rows, NULL, rows.rows, 0, source.scale, source.offset, False, x)
    return x


# One pass over a caller's rows: which values are wanted, and where they go.
ctypedef struct ForwardPass:
    Source *source
    const Rows *rows
    void **workspaces         # the Workspace of each thread
    void **outputs            # each value; NULL where it is not wanted
    int64_t n_nodes           # how many operations run
    int64_t tile
    int n_threads
    bint check_finite
    int failed                # Python raised
    int nonfinite             # a row held a NaN or an infinity


cdef inline void next_tile(const ForwardPass *job, int64_t begin, Ahead *ahead) noexcept nogil:
    """What to fetch: the rows of the tile that starts there, which this thread is likely to have next."""
    ahead.data = job.rows.data + begin * job.rows.row_stride
    ahead.index = NULL
    ahead.row_stride = job.rows.row_stride
    ahead.row_bytes = job.rows.columns * job.rows.column_stride
    ahead.rows = max(0, min(job.tile, job.rows.rows - begin)) if ahead.row_bytes > 0 else 0
    ahead.at = ahead.end = NULL


cdef inline void forward_piece(ForwardPass *job, int64_t piece, int thread, floating *type_) noexcept nogil:
    cdef const Source *source = job.source
    cdef Node *nodes = workspace_nodes(job.workspaces[thread])
    cdef int64_t begin = piece * job.tile
    cdef int64_t rows = min(job.tile, job.rows.rows - begin)
    cdef int64_t i, units
    cdef Rows tile = job.rows[0]
    cdef const floating *x
    cdef Pass pass_
    cdef Ahead ahead
    tile.data = job.rows.data + begin * job.rows.row_stride
    tile.rows = rows
    if job.check_finite and source.row_kernels.first_nonfinite_row(&tile) >= 0:
        job.nonfinite = 1
        return
    x = gathered(source, &tile, <floating *>workspace_x(job.workspaces[thread]))
    point_at(job.workspaces[thread], x)
    if job.outputs[0] != NULL:
        memcpy(<floating *>job.outputs[0] + begin * source.inputs, x, rows * source.inputs * sizeof(floating))
    next_tile(job, begin + job.n_threads * job.tile, &ahead)
    memset(&pass_, 0, sizeof(Pass))
    pass_.rows = rows
    for i in range(job.n_nodes):
        pass_.ahead = &ahead if i == 0 else NULL  # the first operation has the most to do
        if forward_node(&nodes[i], &pass_, 0, rows, type_):
            job.failed = 1
            return
        if job.outputs[nodes[i].value] != NULL:
            units = nodes[i].op.units
            memcpy(
                <floating *>job.outputs[nodes[i].value] + begin * units, nodes[i].op.out,
                rows * units * sizeof(floating)
            )


# Workspaces are kept alive by the caller, so that these need no GIL.

cdef inline Node *workspace_nodes(void *workspace) noexcept nogil:
    return (<Workspace>workspace).nodes


cdef inline void *workspace_x(void *workspace) noexcept nogil:
    return (<Workspace>workspace).x


cdef inline void point_at(void *workspace, const void *x) noexcept nogil:
    (<Workspace>workspace).set_x(x)


cdef void forward_piece_f32(void *context, int64_t piece, int thread) noexcept nogil:
    forward_piece[float](<ForwardPass *>context, piece, thread, NULL)


cdef void forward_piece_f64(void *context, int64_t piece, int thread) noexcept nogil:
    forward_piece[double](<ForwardPass *>context, piece, thread, NULL)


cdef class Engine:
    """The operations of a network, ready to run.

    Parameters
    ----------
    dtype : {"float32", "float64"}
    inputs : int
        Columns of value 0.
    scale, offset : float
        Applied to the rows as they are gathered: x = scale * value + offset.
    operations : list of Operation
        At least one. Parameters and states are C-contiguous arrays of the dtype.
    seed : int
        Of the random numbers that operations draw in training.
    """

    def __cinit__(self, str dtype, int64_t inputs, double scale, double offset, list operations, seed):
        self.dtype = dtype
        self.seed = seed
        self.is_float32 = dtype == "float32"
        self.numpy_dtype = np.dtype(dtype)
        self.operations = operations
        self.idle_workspaces = []
        self.source.inputs = inputs
        self.source.scale = scale
        self.source.offset = offset
        self.source.row_kernels = <const RowKernels *>PyCapsule_GetPointer(
            kernels.rows.TABLE, "cynn.kernels.rows"
        )
        self.h = []
        for operation in operations:
            self.h.append(array_of("d", operation.hyperparameters))
            if operation.activation is not None:
                operation.activation.require_dtype(dtype)
                self.has_python = self.has_python or operation.activation.is_python
        self.outputs = operations[-1].units
        self.multiplications_of_row = self.multiplications()

    @property
    def output_activation(self):
        """The kernel of the activation that comes last, or None."""
        return self.operations[-1].activation

    def trained_parameters(self):
        """What an optimizer moves: so many places for every operation as one can have, None where none is."""
        found = []
        for operation in self.operations:
            own = list(operation.parameters) if operation.trainable else []
            found += own + [None] * (MOST_PARAMETERS - len(own))
        return found

    def multiplications(self):
        """How many multiplications one row costs."""
        return float(sum(operation.multiplications for operation in self.operations))

    cdef Workspace workspace(self):
        # Taking from and putting into a list is atomic under the GIL, so callers in several threads
        # get workspaces of their own.
        if self.idle_workspaces:
            return self.idle_workspaces.pop()
        return Workspace(self, tile_rows, False, False)

    def forward(self, array, list outputs, int n_threads, bint skip_last=False, bint check_finite=False):
        """Run the network over the rows of `array`.

        Parameters
        ----------
        array : array of shape (rows, inputs) of uint8, float32 or float64
        outputs : list of arrays or None
            Where the values go: operations + 1 C-contiguous matrices of the dtype, None for those that
            are not wanted.
        n_threads : int
            The most threads to use. The result does not depend on it.
        skip_last : bool
            Whether the last operation is left out.
        check_finite : bool
            Whether to look for NaN and infinity in each tile.

        Returns
        -------
        bool
            False where `check_finite` found one; the outputs are then not complete.
        """
        cdef RowMatrix rows = RowMatrix(array)
        cdef ForwardPass job
        cdef int64_t n_pieces = (rows.rows.rows + tile_rows - 1) // tile_rows
        cdef int64_t i
        cdef Workspace workspace
        cdef Team team
        cdef void *of_threads[256]
        if self.has_python or self.multiplications_of_row * rows.rows.rows < WORTH_A_TEAM:
            n_threads = 1
        n_threads = <int>max(1, min(n_threads, n_pieces, 256))
        workspaces = [self.workspace() for _ in range(n_threads)]
        for i, workspace in enumerate(workspaces):
            of_threads[i] = <void *>workspace
        job.source, job.rows, job.tile, job.n_threads = &self.source, &rows.rows, tile_rows, n_threads
        job.check_finite, job.failed, job.nonfinite = check_finite, 0, 0
        job.workspaces = of_threads
        workspace = workspaces[0]
        job.n_nodes = workspace.n_nodes - skip_last
        job.outputs = <void **>calloc(len(outputs), sizeof(void *))
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
        if self.has_python or not PyObject_CheckBuffer(x):
            return None
        if out is not None and not (type(out) is np_ndarray and out.dtype is self.numpy_dtype):
            return None
        try:
            PyObject_GetBuffer(x, &view, PyBUF_STRIDES | PyBUF_FORMAT)
        except (BufferError, ValueError):
            return None  # NumPy has dtypes that a buffer has not
        try:
            if self.describe_rows(&view, &rows) and not (
                check_finite and self.source.row_kernels.first_nonfinite_row(&rows) >= 0
            ):
                result = out
                if out is None and view.ndim == 1:
                    result = np_empty(self.outputs, self.numpy_dtype)
                elif out is None:
                    result = np_empty((rows.rows, self.outputs), self.numpy_dtype)
                PyObject_GetBuffer(result, &out_view, PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE)
                try:
                    if out_view.ndim != view.ndim or out_view.len != (
                        rows.rows * self.outputs * out_view.itemsize
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
        if view.shape[view.ndim - 1] != self.source.inputs:
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
        rows.columns = self.source.inputs
        rows.row_stride = 0 if view.ndim == 1 else view.strides[0]
        rows.column_stride = view.strides[view.ndim - 1]
        return True

    cdef int forward_few(self, const Rows *rows, void *out) except -1:
        cdef Workspace workspace = self.workspace()
        cdef Op *last = &workspace.nodes[workspace.n_nodes - 1].op
        cdef void *own = last.out
        last.out = out
        if self.multiplications_of_row * rows.rows < WORTH_RELEASING_THE_GIL:
            self.forward_in_workspace(workspace, rows)
        else:
            with nogil:
                self.forward_in_workspace(workspace, rows)
        last.out = own
        self.idle_workspaces.append(workspace)
        return 0

    cdef void forward_in_workspace(self, Workspace workspace, const Rows *rows) noexcept nogil:
        cdef Pass pass_
        cdef int64_t i
        memset(&pass_, 0, sizeof(Pass))
        pass_.rows = rows.rows
        if self.is_float32:
            workspace.set_x(gathered[float](&self.source, rows, <float *>workspace.x))
            for i in range(workspace.n_nodes):
                forward_node[float](&workspace.nodes[i], &pass_, 0, rows.rows, NULL)
        else:
            workspace.set_x(gathered[double](&self.source, rows, <double *>workspace.x))
            for i in range(workspace.n_nodes):
                forward_node[double](&workspace.nodes[i], &pass_, 0, rows.rows, NULL)
