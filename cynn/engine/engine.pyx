"""The engine: a network as a sequence of operations, and predictions with it.

A tile of rows goes through the whole network before the next one starts, so that the output of an operation is still
in the cache when the next operation reads it. Training is in trainer.pyx, which uses this module.
"""

import numpy as np

from libc.math cimport isnan
from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from cynn.abi cimport CYNN_PROPAGATES_NONFINITE, cynn_operands, cynn_pass, cynn_prefetch
from cynn.engine.dtypes cimport Dtype, at, dtype_named
from cynn.engine.flags cimport is_raised, raise_flag
from cynn.kernels.blas cimport faults, raise_faults_since
from cynn.engine.row_matrix cimport InputScaling, RowMatrix, Source, are_categories, from_row, gathered
from cynn.kernels.tables cimport FLOAT32, FLOAT64, UINT8, Categories, Prefetch, Rows
from cynn.engine.ndarray cimport (
    ALIGNED,
    C_CONTIGUOUS,
    FLOAT32_NUMBER,
    FLOAT64_NUMBER,
    UINT8_NUMBER,
    WRITEABLE,
    array_data,
    array_flags,
    array_ndim,
    array_shape,
    array_strides,
    is_all_set,
    is_native,
    type_number,
)
from cynn.engine.thread_team cimport MAX_THREADS, Team, give_back, take_team
from cynn.engine.workspace cimport Node, Workspace, address_of, forward_node

# Rows that go through the network together. With fewer, BLAS is slow for wide layers. With more, they do not fit in the
# cache, and some threads have no work.
TILE_ROWS = 128
cdef int64_t tile_rows = TILE_ROWS

# Few rows with at least this many multiplications are cut into half tiles, so that there is work for a second thread.
# In wide layers, this costs one thread up to a tenth of its speed, as W is packed more often.
cdef int64_t FEW_ROWS = 2 * tile_rows
cdef double MIN_SMALL_TILE_MULTIPLICATIONS = 8e6

# With fewer multiplications than these, a second thread costs more than it saves, and so does releasing the GIL.
# Measured: two threads are 0.97 to 1.06 times as fast as one at 1 million, 1.0 to 1.12 times at 2 million, and 1.02 to
# 1.44 times at 3 to 4 million. The lower figures are with threads that have fallen asleep since the last call.
cdef double MIN_TEAM_MULTIPLICATIONS = 2e6
cdef double MIN_NOGIL_MULTIPLICATIONS = 2e5

# The least number of entries for parameters per operation, used or not. Checkpoints depend on it.
cdef int64_t MIN_PLACES = 2

cdef object np_empty = np.empty
cdef object np_ndarray = np.ndarray


# One pass over the caller's rows: which values to compute, and where to write them.
ctypedef struct ForwardPass:
    Source *source
    const Rows *rows
    void **workspaces         # one Workspace per thread
    void **outputs            # where to write each value; NULL if it is not wanted
    int64_t n_nodes           # how many operations run
    int64_t tile
    bint check_finite
    int failed                # a flag: Python code raised an error
    int unusable              # a flag: a row has a NaN, an infinity or an invalid category


cdef inline void next_tile(const ForwardPass *job, int64_t begin, Prefetch *prefetch) noexcept nogil:
    """Prefetch the rows of the tile that this thread will probably compute next."""
    prefetch.data = job.rows.data + begin * job.rows.row_stride
    prefetch.index = NULL
    prefetch.row_stride = job.rows.row_stride
    prefetch.row_bytes = job.rows.columns * job.rows.column_stride
    prefetch.rows = max(0, min(job.tile, job.rows.rows - begin)) if prefetch.row_bytes > 0 else 0
    prefetch.at = prefetch.end = NULL


cdef inline void begin_prediction(cynn_pass *pass_, int64_t rows) noexcept nogil:
    memset(pass_, 0, sizeof(cynn_pass))
    pass_.struct_size, pass_.rows = sizeof(cynn_pass), rows


cdef inline bint is_nonfinite(const Dtype *dtype, const Node *node, int64_t rows) noexcept nogil:
    """Whether the output of the node has a NaN or an infinity."""
    cdef Rows out
    out.data = <const char *>node.op.out
    out.kind, out.starts = dtype.kind, NULL
    out.rows, out.columns = rows, node.op.units
    out.row_stride, out.column_stride = out.columns * dtype.itemsize, dtype.itemsize
    return dtype.rows.first_nonfinite_row(&out) >= 0


cdef inline void copy_to_output(
    const ForwardPass *job, int64_t value, const void *computed, int64_t begin, int64_t rows, int64_t columns
) noexcept nogil:
    """Copy rows of a value to its output, if it is wanted."""
    cdef const Dtype *dtype = job.source.dtype
    if job.outputs[value] != NULL:
        memcpy(at(dtype, job.outputs[value], begin * columns), computed, rows * columns * dtype.itemsize)


cdef void forward_piece(void *context, int64_t piece, int thread) noexcept nogil:
    cdef ForwardPass *job = <ForwardPass *>context
    cdef const Source *source = job.source
    cdef Node *nodes = workspace_nodes(job.workspaces[thread])
    cdef int64_t begin = piece * job.tile
    cdef int64_t rows = min(job.tile, job.rows.rows - begin)
    cdef int64_t i
    cdef Rows tile = from_row(job.rows, begin)
    cdef void *buffer = workspace_x(job.workspaces[thread])
    cdef const void *x
    cdef cynn_pass pass_
    cdef Prefetch prefetch
    # z of the first layer usually has fewer numbers to check than x; uint8 needs no check unless its scale is huge
    cdef bint check_z = (
        job.check_finite and tile.kind != UINT8 and nodes.operation.flags & CYNN_PROPAGATES_NONFINITE
        and nodes.op.units < source.inputs
    )
    tile.rows = rows
    x = gathered(source, &tile, job.check_finite and not check_z, buffer)
    if x == NULL or not are_categories(source, rows, x):
        raise_flag(&job.unusable)
        return
    if x != buffer and workspace_copies_x(job.workspaces[thread]):
        memcpy(buffer, x, rows * source.inputs * source.dtype.itemsize)
        x = buffer
    point_at(job.workspaces[thread], x)
    copy_to_output(job, 0, x, begin, rows, source.inputs)
    next_tile(job, begin + job.tile, &prefetch)
    begin_prediction(&pass_, rows)
    for i in range(job.n_nodes):
        pass_.prefetch = <cynn_prefetch *>&prefetch if i == 0 else NULL  # the first operation has the most work
        if forward_node(source.dtype, &nodes[i], &pass_, 0, rows):
            raise_flag(&job.failed)
            return
        if check_z and i == 0 and is_nonfinite(source.dtype, nodes, rows):
            # z may have overflowed although x is finite
            if gathered(source, &tile, True, buffer) == NULL:
                raise_flag(&job.unusable)
                return
        copy_to_output(job, nodes[i].value, nodes[i].op.out, begin, rows, nodes[i].op.units)


# The caller keeps the workspaces alive, so these functions need no GIL.

cdef inline Node *workspace_nodes(void *workspace) noexcept nogil:
    return (<Workspace>workspace).nodes


cdef inline void *workspace_x(void *workspace) noexcept nogil:
    return (<Workspace>workspace).x


cdef inline bint workspace_copies_x(void *workspace) noexcept nogil:
    return (<Workspace>workspace).copies_x


cdef inline void point_at(void *workspace, const void *x) noexcept nogil:
    (<Workspace>workspace).set_x(x)


cdef class Engine:
    """The operations of a network, ready to run.

    Parameters
    ----------
    dtype : {"float32", "float64"}
    inputs : int
        The number of columns of value 0.
    scale, offset : float or array
        As for `set_scaling`.
    operations : list of Operation
        At least one. Parameters and states are C-contiguous arrays of the dtype.
    seed : int
        The seed of the random numbers in training.
    outputs : list of int, optional
        The values that are outputs of the network; by default the last.
    categories : dict of int to int, optional
        The columns of the input with categories, and the number of categories of each.

    Attributes
    ----------
    has_python : bool
        Whether an operation has Python methods.
    places : list of int
        The index of the first parameter of each operation in `trained_parameters`, then the length of that list.
    """

    def __cinit__(
        self, str dtype, int64_t inputs, scale, offset, list operations, seed, list outputs=None,
        dict categories=None
    ):
        cdef int64_t i
        self.dtype = dtype
        self.seed = seed
        self.numpy_dtype = np.dtype(dtype)
        self.operations = operations
        self.idle_workspaces = []
        self.source.inputs = inputs
        self.set_scaling(scale, offset)
        self.source.dtype = dtype_named(dtype)
        categories = categories or {}
        self.source.categories = <Categories *>calloc(max(1, len(categories)), sizeof(Categories))
        if self.source.categories == NULL:
            raise MemoryError
        self.source.n_categories = len(categories)
        for i, (column, count) in enumerate(categories.items()):
            self.source.categories[i] = Categories(column, count)
        for operation in operations:
            if operation.activation is not None:
                operation.activation.require_dtype(dtype)
                self.has_python = self.has_python or operation.activation.is_python
            self.has_python = self.has_python or operation.python is not None
        self.outputs = [len(operations)] if outputs is None else outputs
        self.own_arrays = [
            array for operation in operations for array in [*operation.parameters, *operation.states]
            if array is not None
        ]
        self.places = [0]
        for operation in operations:
            self.places.append(self.places[-1] + max(MIN_PLACES, len(operation.parameters)))
        self.widths = [inputs, *(operation.units for operation in operations)]
        self.last_units = self.widths[-1]
        self.multiplications_of_row = self.multiplications()

    def __dealloc__(self):
        free(self.source.categories)

    def set_scaling(self, scale, offset):
        """Set what rows become as they are gathered: x = scale * value + offset.

        Parameters
        ----------
        scale, offset : float, or array of float64 of shape (inputs,)
            Both are numbers, or both are arrays. NaN as scale means that it is not known yet.
        """
        cdef InputScaling scaling, slope
        if not isinstance(scale, np.ndarray) and isnan(scale):
            self.source.scaling.scale = scale
            return
        scaling = InputScaling(scale, offset)
        slope = scaling.slope(1)
        if scaling.scaling.scales != NULL and len(scale) != self.source.inputs:
            raise ValueError(f"scale must have {self.source.inputs} numbers. Got {len(scale)} instead.")
        # another thread may still read the arrays of earlier ones
        self.scalings = (scaling, slope, *(self.scalings or ()))
        self.source.scaling, self.source.slope = scaling.scaling, slope.scaling

    def activation_of(self, int64_t output):
        """The kernel of the activation that computes an output.

        Parameters
        ----------
        output : int
            Its index in `outputs`.

        Returns
        -------
        ActivationKernel or None
            None if it is computed by another operation.
        """
        operation = self.operations[<int64_t>self.outputs[output] - 1]
        return operation.activation if operation.is_activation else None

    def trained_parameters(self):
        """The parameters that an optimizer updates, in the order of `places`. None for absent or frozen ones."""
        found = [None] * self.places[-1]
        for place, operation in zip(self.places, self.operations):
            if operation.trainable:
                found[place : place + len(operation.parameters)] = operation.parameters
        return found

    def multiplications(self):
        """The number of multiplications per row."""
        return float(sum(operation.multiplications for operation in self.operations))

    cdef Workspace new_workspace(self, int64_t rows, bint training, list losses, bint by_inputs=False):
        return Workspace(self.operations, self.dtype, self.source.inputs, rows, training, losses, by_inputs)

    cdef int64_t rows_of_tile(self, int64_t rows) noexcept:
        """How many of these rows go through the network together. It does not depend on the number of threads."""
        if rows <= FEW_ROWS and self.multiplications_of_row * rows >= MIN_SMALL_TILE_MULTIPLICATIONS:
            return tile_rows // 2
        return tile_rows

    cdef Workspace workspace(self):
        cdef Workspace workspace
        # pop and append of a list are atomic under the GIL, so callers in several threads get different workspaces.
        if self.idle_workspaces:
            workspace = self.idle_workspaces.pop()
        else:
            workspace = self.new_workspace(tile_rows, False, [])
        workspace.begin_pass()
        return workspace

    def forward(self, array, list values, list outputs, int n_threads, bint check_finite=False):
        """Run the network on the rows of `array`, up to the last value that is wanted.

        Parameters
        ----------
        array : array of shape (rows, inputs) of uint8, float32 or float64
            The inputs.
        values : list of int
            The numbers of the wanted values: 0 is the converted rows, k the output of operation k - 1.
        outputs : list of arrays
            Where to write them: C-contiguous matrices of the dtype.
        n_threads : int
            The largest number of threads to use. The result does not depend on it.
        check_finite : bool
            Whether to check each tile for NaN and infinity.

        Returns
        -------
        bool
            False if `check_finite` found a NaN or an infinity, or a row has an invalid category. The outputs are then
            incomplete.
        """
        cdef RowMatrix rows = RowMatrix(array)
        cdef ForwardPass job
        cdef int64_t tile = self.rows_of_tile(rows.rows.rows), n_pieces = (rows.rows.rows + tile - 1) // tile
        cdef int64_t i, enough = 1, faults_before = faults()
        cdef Workspace workspace
        cdef Team team
        cdef void *of_threads[MAX_THREADS]
        cdef list root
        cdef dict made = {}
        if self.multiplications_of_row * rows.rows.rows < MIN_TEAM_MULTIPLICATIONS:
            n_threads = 1
        # a power of two, so that only a few sizes of teams are kept
        while enough < n_pieces and enough < MAX_THREADS:
            enough *= 2
        n_threads = <int>max(1, min(n_threads, enough))
        workspaces = [self.workspace() for _ in range(n_threads)]
        for i, workspace in enumerate(workspaces):
            of_threads[i] = <void *>workspace
        job.source, job.rows, job.tile = &self.source, &rows.rows, tile
        job.check_finite, job.failed, job.unusable = check_finite, 0, 0
        job.workspaces = of_threads
        workspace = workspaces[0]
        # an operation that does nothing in a prediction has the same output as input: it is written only once
        root = workspace.root
        for value, output in zip(values, outputs, strict=True):
            made.setdefault(root[value], output)
        job.n_nodes = workspace.n_nodes
        while job.n_nodes > 1 and workspace.nodes[job.n_nodes - 1].value > max(made, default=0):
            job.n_nodes -= 1
        job.outputs = <void **>calloc(len(root), sizeof(void *))
        if job.outputs == NULL:
            raise MemoryError
        try:
            for i, output in made.items():
                job.outputs[i] = address_of(output)
            team = take_team(n_threads)
            with nogil:
                team.run(forward_piece, &job, n_pieces)
            give_back(team)
            if is_raised(&job.failed):
                for workspace in workspaces:  # before another thread uses them
                    workspace.raise_error()
        finally:
            free(job.outputs)
            self.idle_workspaces.extend(workspaces)
        raise_faults_since(faults_before)
        for value, output in zip(values, outputs, strict=True):
            if made[root[value]] is not output:
                output[...] = made[root[value]]
        return not is_raised(&job.unusable)

    def predict_small_batch(self, x, out, bint check_finite):
        """Predict one row or a few with little overhead.

        Parameters
        ----------
        x : array of shape (inputs,) or (rows, inputs)
            The inputs.
        out : array or None
            Where to write. None: a new array.
        check_finite : bool
            Whether to return None for a NaN or an infinity.

        Returns
        -------
        array or None
            None in any other case: many rows, another dtype, a wrong shape, a NaN, an invalid category. The caller
            then calls `forward`, or raises the error.
        """
        cdef Rows rows
        cdef int ndim
        if self.has_python or type(x) is not np_ndarray or not self.describe_rows(x, &rows):
            return None
        ndim = array_ndim(x)
        if out is None:
            if ndim == 1:
                out = np_empty(self.last_units, self.numpy_dtype)
            else:
                out = np_empty((rows.rows, self.last_units), self.numpy_dtype)
        elif (
            type(out) is not np_ndarray or out.dtype is not self.numpy_dtype or array_ndim(out) != ndim
            or array_shape(out)[ndim - 1] != self.last_units
            or ndim == 2 and array_shape(out)[0] != rows.rows
            or not is_all_set(array_flags(out), ALIGNED | C_CONTIGUOUS | WRITEABLE)
            or self.must_not_be_written(
                &rows, array_data(out), rows.rows * self.last_units * self.source.dtype.itemsize
            )
        ):
            return None
        return out if self.forward_small_batch(&rows, check_finite, array_data(out)) else None

    def values_of_small_batch(self, x, list values, bint check_finite):
        """Compute several values of one row or a few with little overhead.

        Parameters
        ----------
        x : array of shape (inputs,) or (rows, inputs)
            The inputs.
        values : list of int
            The numbers of the wanted values, as for `forward`.
        check_finite : bool
            Whether to return None for a NaN or an infinity.

        Returns
        -------
        list of array, or None
            New arrays of shape (units,) or (rows, units); None in any other case.
        """
        cdef Rows rows
        cdef Workspace workspace
        cdef int64_t value, root, units, last = 0
        cdef bint is_done
        if self.has_python or type(x) is not np_ndarray or not self.describe_rows(x, &rows):
            return None
        workspace = self.workspace()
        found = []
        for value in values:
            units = self.widths[value]
            if array_ndim(x) == 1:
                out = np_empty(units, self.numpy_dtype)
            else:
                out = np_empty((rows.rows, units), self.numpy_dtype)
            found.append(out)
            # an operation that does nothing in a prediction has the same output as input: it is written only once
            root = workspace.root[value]
            if workspace.wanted[root] == NULL:
                workspace.wanted[root] = array_data(out)
                last = max(last, root)
        is_done = self.forward_rows(workspace, &rows, check_finite, last)
        for value, out in zip(values, found):
            root = workspace.root[value]
            if workspace.wanted[root] != array_data(out):
                memcpy(array_data(out), workspace.wanted[root], out.nbytes)
        for value in values:
            workspace.wanted[<int64_t>workspace.root[value]] = NULL
        self.idle_workspaces.append(workspace)
        return found if is_done else None

    cdef bint must_not_be_written(self, const Rows *rows, const char *begin, int64_t size) noexcept:
        """Whether these bytes overlap the rows that are read, or the arrays of the network."""
        cdef const char *first = rows.data + min(0, (rows.rows - 1) * rows.row_stride)
        cdef const char *last = rows.data + max(0, (rows.rows - 1) * rows.row_stride)
        first += min(0, (rows.columns - 1) * rows.column_stride)
        last += max(0, (rows.columns - 1) * rows.column_stride)
        return (first < begin + size and begin <= last + 7) or self.lies_in_network(begin, begin + size)

    cdef bint lies_in_network(self, const char *begin, const char *end) noexcept:
        cdef const char *own
        for array in self.own_arrays:
            own = array_data(array)
            if own < end and begin < own + <int64_t>array_shape(array)[0] * array_strides(array)[0]:
                return True
        return False

    def holds(self, array):
        """Whether a C-contiguous array shares memory with the parameters or the states.

        Parameters
        ----------
        array : array
            An array of the engine's dtype.

        Returns
        -------
        bool
            Whether it does. If so, a prediction must not write to it.
        """
        cdef const char *begin = array_data(array)
        return self.lies_in_network(begin, begin + <int64_t>array.nbytes)

    cdef bint describe_rows(self, object array, Rows *rows) noexcept:
        """Set the data, shape and strides of `rows`. False if `predict_small_batch` does not support the array."""
        cdef int ndim = array_ndim(array), number = type_number(array)
        if ndim != 1 and ndim != 2 or array_shape(array)[ndim - 1] != self.source.inputs:
            return False
        if not is_all_set(array_flags(array), ALIGNED) or not is_native(array) or isnan(self.source.scaling.scale):
            return False
        rows.rows = 1 if ndim == 1 else array_shape(array)[0]
        if rows.rows > self.rows_of_tile(rows.rows) or rows.rows == 0:
            return False
        if number == FLOAT32_NUMBER:
            rows.kind = FLOAT32
        elif number == FLOAT64_NUMBER:
            rows.kind = FLOAT64
        elif number == UINT8_NUMBER:
            rows.kind = UINT8
        else:
            return False
        rows.data, rows.starts, rows.first_column = array_data(array), NULL, 0
        rows.columns = self.source.inputs
        rows.row_stride = 0 if ndim == 1 else array_strides(array)[0]
        rows.column_stride = array_strides(array)[ndim - 1]
        return True

    cdef int forward_small_batch(self, const Rows *rows, bint check_finite, void *out) except -1:
        """Predict. Returns 1, or 0 for an invalid category or, with `check_finite`, a NaN or an infinity."""
        cdef bint is_done
        cdef Workspace workspace = self.workspace()
        cdef cynn_operands *last = &workspace.nodes[workspace.n_nodes - 1].op
        cdef void *own = last.out
        last.out = out
        is_done = self.forward_rows(workspace, rows, check_finite, len(self.operations))
        last.out = own
        self.idle_workspaces.append(workspace)
        return is_done

    cdef int forward_rows(self, Workspace workspace, const Rows *rows, bint check_finite, int64_t last) except -1:
        """Compute the values up to `last`, without the GIL if there is much to do. Returns as `forward_small_batch`."""
        cdef bint is_done
        cdef int64_t faults_before = faults()
        if self.multiplications_of_row * rows.rows < MIN_NOGIL_MULTIPLICATIONS:
            is_done = self.forward_in_workspace(workspace, rows, check_finite, last)
        else:
            with nogil:
                is_done = self.forward_in_workspace(workspace, rows, check_finite, last)
        raise_faults_since(faults_before)
        return is_done

    cdef bint forward_in_workspace(
        self, Workspace workspace, const Rows *rows, bint check_finite, int64_t last
    ) noexcept nogil:
        cdef const Dtype *dtype = self.source.dtype
        cdef const void *x = gathered(&self.source, rows, check_finite, workspace.x)
        cdef const Node *node
        cdef cynn_pass pass_
        cdef int64_t i
        if x == NULL or not are_categories(&self.source, rows.rows, x):
            return False
        workspace.set_x(x)
        if workspace.wanted[0] != NULL:
            memcpy(workspace.wanted[0], x, rows.rows * self.source.inputs * dtype.itemsize)
        begin_prediction(&pass_, rows.rows)
        for i in range(workspace.n_nodes):
            node = &workspace.nodes[i]
            if node.value > last:
                break
            forward_node(dtype, node, &pass_, 0, rows.rows)
            if workspace.wanted[node.value] != NULL:
                memcpy(workspace.wanted[node.value], node.op.out, rows.rows * node.op.units * dtype.itemsize)
        return True
