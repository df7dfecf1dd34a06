"""Derivatives of the outputs by the inputs, in prediction mode: a backward pass over tiles of rows.

Each tile goes forward and then backward. Backward computes vᵀJ for one vector v per row. For a Jacobian, v is each unit
vector in turn. The unit vectors of a group of outputs go backward together, so that the products have many rows: a
block of gradients has a row for each row and output. Only for operations that are neither linear nor elementwise is
what forward has computed repeated for each output of the group (directions.pyx). Each group does its own forward pass.
So there is one forward pass per backward pass, as in training, and the threads can share the groups of a few rows.

Source: Griewank and Walther, "Evaluating derivatives", 2nd edition, 2008, chapters 3.2 and 3.5.
"""

import numpy as np

from libc.stdint cimport int64_t
from libc.string cimport memcpy, memset

from cynn.abi cimport cynn_pass, floating
from cynn.engine.directions cimport ELEMENTWISE, LINEAR, OTHER, kind_of, repeat_block, slope_of
from cynn.engine.dtypes cimport Dtype, at, set_element
from cynn.engine.engine cimport MIN_NOGIL_MULTIPLICATIONS, MIN_TEAM_MULTIPLICATIONS, Engine
from cynn.engine.flags cimport is_raised, raise_flag
from cynn.engine.loss_kernel cimport LossKernel
from cynn.engine.ndarray cimport (
    ALIGNED,
    C_CONTIGUOUS,
    array_data,
    array_flags,
    array_ndim,
    array_shape,
    is_all_set,
)
from cynn.engine.row_matrix cimport RowMatrix, Source, from_row, scale_gradients
from cynn.engine.thread_team cimport MAX_THREADS, Team, give_back, take_team
from cynn.engine.workspace cimport Node, Workspace, add_gradients, address_of, backward_node, forward_node
from cynn.kernels.blas cimport faults, raise_faults_since
from cynn.kernels.tables cimport Rows

# Rows that go backward together. With fewer, products are slow. With more, the values do not fit in the cache.
cdef int64_t STACK = 128


cdef object np_empty = np.empty
cdef object np_ndarray = np.ndarray


# One pass over the caller's rows.
ctypedef struct BackwardPass:
    const Source *source
    const Rows *rows
    Buffers **buffers        # one per thread
    int64_t tile             # rows
    int64_t group            # outputs that go backward together: 1 if vectors are given
    int64_t n_groups
    int64_t n_outputs        # 1 if vectors are given
    int64_t n_heads
    const int64_t *units     # of each head
    void **vectors           # for each head, one vector per row; NULL: unit vectors
    void **out               # one Jacobian per head; if vectors are given, one matrix
    bint check_finite
    int failed               # a flag: Python code raised an error
    int unusable             # a flag: a row has a NaN or an infinity


cdef inline void repeat_rows(const Buffers *buffers, int64_t rows, int64_t copies) noexcept nogil:
    """Repeat each row of these matrices for each output."""
    cdef int64_t i, row, k, size
    cdef char *data
    for i in range(buffers.n_matrices):
        size, data = buffers.matrices[i].row_bytes, buffers.matrices[i].data
        for row in range(rows - 1, -1, -1):
            for k in range(copies - 1, 0 if row == 0 else -1, -1):  # row 0 is where it belongs
                memcpy(data + (row * copies + k) * size, data + row * size, size)


cdef inline void set_vectors(
    const BackwardPass *job, const Buffers *buffers, int64_t begin, int64_t rows
) noexcept nogil:
    """Set dC/d(output) to the given vectors of these rows."""
    cdef const Dtype *dtype = job.source.dtype
    cdef int64_t head, units
    for head in range(job.n_heads):
        units = job.units[head]
        memcpy(
            buffers.head_gradients[head], at(dtype, job.vectors[head], begin * units), rows * units * dtype.itemsize
        )


cdef inline void set_unit_vectors(
    const BackwardPass *job, const Buffers *buffers, int64_t first, int64_t copies, int64_t rows
) noexcept nogil:
    """In row k of each block, set dC/d(output) to the unit vector of output first + k, counted over all heads."""
    cdef const Dtype *dtype = job.source.dtype
    cdef int64_t head, units, row, output, blocks, before = 0
    cdef void *gradient
    for head in range(job.n_heads):
        units = job.units[head]
        gradient = buffers.head_gradients[head]
        blocks = 1 if buffers.starts_as_one[head] else rows
        memset(gradient, 0, blocks * copies * units * dtype.itemsize)
        for row in range(blocks):
            for output in range(max(first, before), min(first + copies, before + units)):
                set_element(dtype, gradient, (row * copies + output - first) * units + output - before, 1)
        before += units


cdef inline void copy_to_outputs(
    const BackwardPass *job, const Buffers *buffers, int64_t begin, int64_t rows, int64_t first, int64_t copies
) noexcept nogil:
    """Copy dC/dx to the caller's arrays."""
    cdef const Dtype *dtype = job.source.dtype
    cdef const void *dx = buffers.input.op.delta
    cdef int64_t inputs = job.source.inputs, head, units, row, output, end, before = 0
    if job.vectors != NULL:
        memcpy(at(dtype, job.out[0], begin * inputs), dx, rows * inputs * dtype.itemsize)
        return
    for head in range(job.n_heads):
        units = job.units[head]
        output, end = max(first, before), min(first + copies, before + units)
        for row in range(rows if output < end else 0):
            memcpy(
                at(dtype, job.out[head], ((begin + row) * units + output - before) * inputs),
                at(dtype, dx, (row * copies + output - first) * inputs), (end - output) * inputs * dtype.itemsize
            )
        before += units


cdef inline int backward_block(
    const Dtype *dtype, const Buffers *buffers, int64_t i, cynn_pass *pass_, int64_t rows, int64_t copies
) noexcept nogil:
    """dC/dx of a node from dC/dout, which has a block for each row, or one for all. Returns -1 if Python raised."""
    cdef const Node *node = &buffers.nodes[i]
    cdef const Part *part = &buffers.parts[i]
    cdef int64_t j, size = copies if part.takes_one else copies * rows
    add_gradients(dtype, node, 0, size)
    if part.kind == ELEMENTWISE:
        dtype.directions.multiply(
            rows, copies, node.op.units, part.slope, node.op.delta, 0 if part.takes_one else copies * node.op.units,
            node.op.dx[0]
        )
        return 0
    pass_.rows = pass_.total_weight = size
    if backward_node(dtype, node, pass_, 0, size):
        return -1
    for j in range(node.op.n_inputs):
        if part.repeats[j]:
            repeat_block(dtype, node.op.dx[j], copies * node.op.widths[j], rows)
    return 0


cdef void backward_piece(void *context, int64_t piece, int thread) noexcept nogil:
    cdef BackwardPass *job = <BackwardPass *>context
    cdef const Source *source = job.source
    cdef const Dtype *dtype = source.dtype
    cdef const Buffers *buffers = job.buffers[thread]
    cdef int64_t begin = piece // job.n_groups * job.tile, rows = min(job.tile, job.rows.rows - begin)
    cdef int64_t first = piece % job.n_groups * job.group, copies = min(job.group, job.n_outputs - first)
    cdef int64_t stacked = copies * rows, i
    cdef Rows tile = from_row(job.rows, begin)
    cdef Node *node
    cdef cynn_pass pass_
    cdef int status
    tile.rows = rows
    if dtype.rows.gather(&tile, NULL, rows, 0, &source.scaling, job.check_finite, buffers.x) >= 0:
        raise_flag(&job.unusable)
        return
    memset(&pass_, 0, sizeof(cynn_pass))
    pass_.struct_size, pass_.rows, pass_.total_weight = sizeof(cynn_pass), rows, rows
    for i in range(buffers.n_nodes):
        if forward_node(dtype, &buffers.nodes[i], &pass_, 0, rows):
            raise_flag(&job.failed)
            return
        if job.vectors == NULL and buffers.parts[i].kind == ELEMENTWISE:
            slope_of(dtype, &buffers.nodes[i], rows, buffers.parts[i].slope)
    if job.vectors != NULL:
        set_vectors(job, buffers, begin, rows)
    else:
        repeat_rows(buffers, rows, copies)
        set_unit_vectors(job, buffers, first, copies, rows)
    for i in range(buffers.n_nodes - 1, -1, -1):
        node = &buffers.nodes[i]
        if node.op.delta == NULL:
            continue  # no output depends on it
        if job.vectors == NULL:
            status = backward_block(dtype, buffers, i, &pass_, rows, copies)
        else:
            add_gradients(dtype, node, 0, rows)
            status = backward_node(dtype, node, &pass_, 0, rows)
        if status:
            raise_flag(&job.failed)
            return
    add_gradients(dtype, buffers.input, 0, stacked)
    scale_gradients(source, stacked, buffers.input.op.delta)
    copy_to_outputs(job, buffers, begin, rows, first, copies)


cdef class BackwardWorkspace(Workspace):
    """The buffers of a tile that goes forward and backward. Its parameters are those of Workspace."""

    def __cinit__(self, list operations, str dtype, int64_t inputs, int64_t rows, bint training, list heads, *_):
        cdef int64_t i, n = len(operations)
        cdef Part *part
        cdef Node *node
        self.buffers.parts = <Part *>self.hold(np.zeros(max(1, n) * sizeof(Part), np.uint8))
        # whether the gradient of a value is one block for all rows: as long as it has come through linear operations
        is_one = [False] + [True] * n
        matrices = {}
        for i in range(n):
            part, node = &self.buffers.parts[i], &self.nodes[i]
            part.kind = kind_of(node)
            if part.kind == ELEMENTWISE:
                part.slope = address_of(self.allocate((rows, node.op.units), dtype))
            elif part.kind == OTHER:
                is_one[i + 1] = False
                for matrix in [*(self.values[value] for value in operations[i].inputs), self.values[i + 1],
                               *self.saved[i]]:
                    if len(matrix) == rows:
                        matrices[matrix.ctypes.data] = matrix
        for i in range(n - 1, -1, -1):
            part = &self.buffers.parts[i]
            part.takes_one = is_one[i + 1]
            for value in operations[i].inputs if self.nodes[i].op.delta != NULL else []:
                is_one[value] = is_one[value] and part.kind == LINEAR and part.takes_one
        for i in range(n):
            part = &self.buffers.parts[i]
            part.repeats = self.whole_numbers(
                [part.kind == LINEAR and part.takes_one and not is_one[value] for value in operations[i].inputs]
            )
        self.buffers.starts_as_one = self.whole_numbers([is_one[value] for value in heads])
        self.buffers.matrices = <Matrix *>self.hold(np.zeros(max(1, len(matrices)) * sizeof(Matrix), np.uint8))
        self.buffers.n_matrices = len(matrices)
        for i, matrix in enumerate(matrices.values()):
            self.buffers.matrices[i] = Matrix(<char *>address_of(matrix), matrix.shape[1] * matrix.itemsize)
        self.buffers.x = self.x
        self.buffers.nodes, self.buffers.n_nodes = self.nodes, self.n_nodes
        self.buffers.input = &self.input
        self.buffers.head_gradients = self.addresses(len(self.loss_gradients), self.loss_gradients)


cdef class InputDerivatives:
    """Derivatives of a network's outputs by its inputs, in prediction mode. Several threads may call it at once.

    Parameters
    ----------
    engine : Engine
        The engine of a network that has no inputs with categories.
    has_one_output : bool
        Whether results are arrays rather than lists of arrays. Only then can `small_jacobian` and `small_vjp` be used.
    """

    def __cinit__(self, Engine engine, bint has_one_output):
        self.engine, self.has_one_output = engine, has_one_output
        self.numpy_dtype = np.dtype(engine.dtype)
        self.heads = list(engine.outputs)
        self.units = np.array([engine.operations[value - 1].units for value in self.heads], np.int64)
        self.units_view = self.units
        self.n_outputs = self.units.sum()
        # groups of about equal size
        n_groups = (self.n_outputs + STACK // 2 - 1) // (STACK // 2)
        self.outputs_at_once = (self.n_outputs + n_groups - 1) // n_groups
        self.stack = STACK
        self.idle_workspaces = []

    cdef BackwardWorkspace workspace(self):
        cdef BackwardWorkspace workspace
        # pop and append of a list are atomic under the GIL, so callers in several threads get different workspaces
        if self.idle_workspaces:
            workspace = self.idle_workspaces.pop()
        else:
            workspace = BackwardWorkspace(
                self.engine.operations, self.engine.dtype, self.engine.source.inputs, self.stack, False, self.heads,
                True
            )
        workspace.begin_pass()
        return workspace

    cdef int run(
        self, const Rows *rows, bint unit_vectors, void **vectors, void **out, int n_threads, bint check_finite
    ) except -1:
        """Compute the derivatives. Returns 1, or 0 if `check_finite` found a NaN or an infinity."""
        cdef BackwardPass job
        cdef BackwardWorkspace workspace
        cdef Team team
        cdef Buffers *of_threads[MAX_THREADS]
        cdef int64_t n_pieces, enough = 1, faults_before = faults()
        cdef int i
        cdef double work
        job.source, job.rows, job.buffers = &self.engine.source, rows, of_threads
        job.n_outputs = self.n_outputs if unit_vectors else 1
        job.group = self.outputs_at_once if unit_vectors else 1
        job.n_groups = (job.n_outputs + job.group - 1) // job.group
        job.tile = self.stack // job.group
        job.n_heads, job.units = self.units_view.shape[0], &self.units_view[0]
        job.vectors, job.out = vectors, out
        job.check_finite, job.failed, job.unusable = check_finite, 0, 0
        n_pieces = (rows.rows + job.tile - 1) // job.tile * job.n_groups
        work = self.engine.multiplications_of_row * rows.rows * (job.n_groups + job.n_outputs)
        if work < MIN_TEAM_MULTIPLICATIONS:
            n_threads = 1
        # a power of two, so that only a few sizes of teams are kept
        while enough < n_pieces and enough < MAX_THREADS:
            enough *= 2
        n_threads = <int>max(1, min(n_threads, enough))
        workspaces = [self.workspace() for _ in range(n_threads)]
        for i, workspace in enumerate(workspaces):
            of_threads[i] = &workspace.buffers
        try:
            if work < MIN_NOGIL_MULTIPLICATIONS:
                for i in range(n_pieces):
                    backward_piece(&job, i, 0)
            else:
                team = take_team(n_threads)
                with nogil:
                    team.run(backward_piece, &job, n_pieces)
                give_back(team)
            if is_raised(&job.failed):
                for workspace in workspaces:  # before another thread uses them
                    workspace.raise_error()
        finally:
            self.idle_workspaces.extend(workspaces)
        raise_faults_since(faults_before)
        return not is_raised(&job.unusable)

    def vjp(self, array, list vectors, out, int n_threads, bint check_finite):
        """Compute vᵀJ for each row, where J is the Jacobian of all outputs.

        Parameters
        ----------
        array : array of shape (rows, inputs) of uint8, float32 or float64
            The inputs.
        vectors : list of arrays of shape (rows, units)
            v for each output of the network: C-contiguous, of its dtype.
        out : array of shape (rows, inputs)
            Where to write: C-contiguous, of the dtype, not overlapping the other arguments.
        n_threads : int
            The largest number of threads to use. The result does not depend on it.
        check_finite : bool
            Whether to check the rows for NaN and infinity.

        Returns
        -------
        bool
            False if `check_finite` found a NaN or an infinity. `out` is then incomplete.
        """
        cdef RowMatrix rows = RowMatrix(array)
        cdef size_t[::1] addresses = np.array([<size_t>address_of(vector) for vector in vectors], np.uintp)
        cdef void *target = address_of(out)
        return self.run(&rows.rows, False, <void **>&addresses[0], &target, n_threads, check_finite)

    def jacobian(self, array, list outs, int n_threads, bint check_finite):
        """Compute the Jacobian of each output for each row.

        Parameters
        ----------
        array, n_threads, check_finite
            As for `vjp`.
        outs : list of arrays of shape (rows, units, inputs)
            Where to write, one for each output of the network.

        Returns
        -------
        bool
            As for `vjp`.
        """
        cdef RowMatrix rows = RowMatrix(array)
        cdef size_t[::1] addresses = np.array([<size_t>address_of(out) for out in outs], np.uintp)
        return self.run(&rows.rows, True, NULL, <void **>&addresses[0], n_threads, check_finite)

    def small_jacobian(self, x, bint check_finite):
        """Compute the Jacobian for one or a few rows of a network with one output, with little overhead.

        Parameters
        ----------
        x : array of shape (inputs,) or (rows, inputs)
            The inputs.
        check_finite : bool
            Whether to return None for a NaN or an infinity.

        Returns
        -------
        array or None
            None in any other case. The caller then calls `jacobian`, or raises the error.
        """
        cdef Rows rows
        cdef void *target
        cdef int ndim
        if not self.has_one_output or type(x) is not np_ndarray or not self.engine.describe_rows(x, &rows):
            return None
        ndim = array_ndim(x)
        if ndim == 1:
            out = np_empty((self.n_outputs, rows.columns), self.numpy_dtype)
        else:
            out = np_empty((rows.rows, self.n_outputs, rows.columns), self.numpy_dtype)
        target = array_data(out)
        return out if self.run(&rows, True, NULL, &target, 1, check_finite) else None

    def small_vjp(self, x, v, bint check_finite):
        """Compute vᵀJ for one or a few rows of a network with one output, with little overhead.

        Parameters
        ----------
        x : array of shape (inputs,) or (rows, inputs)
            The inputs.
        v : array of shape (outputs,) or (rows, outputs)
            The vectors.
        check_finite : bool
            As for `small_jacobian`.

        Returns
        -------
        array or None
            None in any other case. The caller then calls `vjp`, or raises the error.
        """
        cdef Rows rows
        cdef void *target
        cdef void *vector
        cdef int ndim
        if not self.has_one_output or type(x) is not np_ndarray or not self.engine.describe_rows(x, &rows):
            return None
        ndim = array_ndim(x)
        if (
            type(v) is not np_ndarray or v.dtype is not self.numpy_dtype or array_ndim(v) != ndim
            or array_shape(v)[ndim - 1] != self.n_outputs or ndim == 2 and array_shape(v)[0] != rows.rows
            or not is_all_set(array_flags(v), ALIGNED | C_CONTIGUOUS)
        ):
            return None
        vector = array_data(v)
        if check_finite and not self.engine.source.dtype.updates.are_finite(rows.rows * self.n_outputs, vector):
            return None
        if ndim == 1:
            out = np_empty(rows.columns, self.numpy_dtype)
        else:
            out = np_empty((rows.rows, rows.columns), self.numpy_dtype)
        target = array_data(out)
        return out if self.run(&rows, False, &vector, &target, 1, check_finite) else None


cdef double target_as_gradient(
    const double *h, int64_t rows, int64_t columns, const floating *prediction, const floating *target,
    const int64_t *classes, const floating *weight, floating *gradient
) noexcept nogil:
    memcpy(gradient, target, rows * columns * sizeof(floating))
    return 0


cdef class GivenGradient(LossKernel):
    """A loss whose value is 0 and whose gradient is its target, whatever the prediction.

    With it, a Trainer computes vᵀJ by inputs and by parameters.
    """

    def __init__(self):
        self.functions.value_and_gradient_f32 = target_as_gradient[float]
        self.functions.value_and_gradient_f64 = target_as_gradient[double]
