"""Directional derivatives and Hessians of the outputs by the inputs, per row. The threads share tiles of rows.

With tangents t_i of the inputs, `jvp` computes the tangents of all values. Entry (i, j) of the Hessian of an output is
a sum over the operations: the tangent j of an operation's input times what `backward_jvp` computes along tangent i,
where the tangent of dC/dout is 0. An operation that is affine in its inputs adds 0, and no tangent has to go backward
through the network.
"""

import numpy as np

from cynn.components import inheritance
from cynn.engine.abi_checks import describe
from cynn.errors import PluginError

from libc.stdint cimport int64_t
from libc.string cimport memcpy, memset

from cynn.abi cimport CYNN_AFFINE_IN_X, cynn_pass, floating
from cynn.blas cimport cynn_blas, import_blas
from cynn.engine.dtypes cimport Dtype, at, set_element
from cynn.engine.engine cimport MIN_TEAM_MULTIPLICATIONS, Engine
from cynn.engine.flags cimport is_raised, raise_flag
from cynn.engine.row_matrix cimport RowMatrix, Source, are_categories, from_row
from cynn.engine.tangent_step cimport tangents_of
from cynn.engine.tangents cimport Tangents, repeat_rows, repeat_values
from cynn.engine.thread_team cimport MAX_THREADS, Team, give_back, take_team
from cynn.engine.workspace cimport Node, add_gradients, address_of
from cynn.kernels.blas cimport faults, raise_faults_since
from cynn.kernels.tables cimport Rows

# Rows of tangents that go through the network together.
cdef int64_t TILE_ROWS = 128


def require(list operations, str dtype, list functions, str wanted_by):
    """Raise a PluginError unless all operations have functions for directional derivatives.

    Parameters
    ----------
    operations : list of Operation
    dtype : str
        The dtype of the network.
    functions : list of {"jvp", "backward_jvp", "gradient_jvp"}
        The functions that are needed; `gradient_jvp` for trained operations only.
    wanted_by : str
        What needs them, for the message.
    """
    for operation in operations:
        activation = operation.activation
        for function in functions:
            if function == "gradient_jvp":
                if not operation.trainable or all(array is None for array in operation.parameters):
                    continue
            elif activation is not None and not activation.has(function, dtype):
                refuse(activation.component, activation.is_python, function, dtype, wanted_by)
            if operation.python is not None:  # its backward_jvp computes the tangents of gradients, too
                if function != "gradient_jvp" and inheritance.directional(operation.python, function) is None:
                    refuse(operation.python, True, function, dtype, wanted_by)
            elif not operation.kernel.has(function, dtype):
                refuse(operation.kernel.layer, False, function, dtype, wanted_by)


def refuse(component, bint is_python, str function, str dtype, str wanted_by):
    """Raise the PluginError for a part that lacks a function.

    Parameters
    ----------
    component : Activation, Layer or Loss
        The part.
    is_python : bool
        Whether the part is written in Python.
    function : str
        The function.
    dtype : str
        The dtype of the network.
    wanted_by : str
        What needs the function.
    """
    what, found = f"the compiled function {function}_{'f32' if dtype == 'float32' else 'f64'}", "NULL"
    if is_python:
        what, found = f"a method {function}, as its methods are in Python", "none of its own"
    raise PluginError(f"For {wanted_by}, {describe(component)} must have {what}. Got {found} instead.")


# One pass over the caller's rows.
ctypedef struct Sweep:
    const Source *source
    const Rows *rows
    const Rows *directions        # one per row; NULL: the unit vectors
    void **of_threads             # one RowDerivatives per thread
    void **outputs                # where to write, for each output of the network
    const int64_t *values         # the numbers of their values
    int64_t n_outputs
    int64_t tile
    bint is_diagonal
    cynn_pass pass_
    int failed                    # a flag: Python code raised an error
    int unusable                  # a flag: a row has a NaN, an infinity or an invalid category


cdef class RowDerivatives:
    """The buffers of one thread: the values of `rows` rows, and their tangents along `directions` directions per row.

    With one direction, one workspace holds both. With several, a wider one repeats the values for each direction.
    """

    cdef Tangents base       # its tangents are not used if there are several directions
    cdef Tangents wide       # has a row for each row and direction
    cdef int64_t directions
    cdef const cynn_blas *blas

    def __cinit__(self, Engine engine, int64_t rows, int64_t directions):
        self.directions = directions
        self.base = tangents_of(engine, engine.outputs, rows)
        self.wide = self.base if directions == 1 else tangents_of(engine, engine.outputs, rows * directions)
        self.blas = import_blas()

    cdef int forward(self, Sweep *sweep, int64_t begin, int64_t rows) noexcept nogil:
        """Compute the values and tangents of a tile. Returns 0, or -1 after raising a flag of the sweep."""
        cdef const Source *source = sweep.source
        cdef const Dtype *dtype = source.dtype
        cdef Rows tile = from_row(sweep.rows, begin)
        cdef void *x = self.base.workspace.x
        cdef void *dx = self.wide.first
        cdef int64_t i, k, wide_rows = rows * self.directions
        tile.rows = rows
        if dtype.rows.gather(&tile, NULL, rows, -rows, source.scale, source.offset, True, x) >= 0 or (
            not are_categories(source, rows, x)
        ):
            raise_flag(&sweep.unusable)
            return -1
        if sweep.directions != NULL:
            tile = from_row(sweep.directions, begin)
            tile.rows = rows
            dtype.rows.gather(&tile, NULL, rows, -rows, source.scale, 0, False, dx)
        else:
            memset(dx, 0, wide_rows * source.inputs * dtype.itemsize)
            for i in range(rows):
                for k in range(self.directions):
                    set_element(dtype, dx, (i * self.directions + k) * source.inputs + k, source.scale)
        if self.base.forward(&sweep.pass_, 0, rows):
            raise_flag(&sweep.failed)
            return -1
        if self.wide is not self.base:
            repeat_values(self.base, self.wide, self.directions, 0, rows)
        if self.wide.jvp(&sweep.pass_, 0, wide_rows):
            raise_flag(&sweep.failed)
            return -1
        return 0

    cdef void add_curvature(
        self, Sweep *sweep, int64_t i, int64_t rows, int64_t first, int64_t units, void *hessian
    ) noexcept nogil:
        """Add a node's term to the Hessians of one unit. The Hessian of row r is number first + r * units."""
        cdef const Dtype *dtype = self.base.dtype
        cdef Node *node = &self.wide.workspace.nodes[i]
        cdef int64_t j, r, n = self.directions, width, size = n if sweep.is_diagonal else n * n
        cdef const void *moved
        cdef const void *curved
        cdef void *out
        for j in range(node.op.n_inputs):
            width = node.op.widths[j]
            for r in range(rows):
                moved = at(dtype, self.wide.nodes[i].x[j], r * n * width)
                curved = at(dtype, self.wide.nodes[i].dx[j], r * n * width)
                out = at(dtype, hessian, (first + r * units) * size)
                if sweep.is_diagonal and dtype.itemsize == 4:
                    add_products[float](n, width, <const float *>moved, <const float *>curved, <float *>out)
                elif sweep.is_diagonal:
                    add_products[double](n, width, <const double *>moved, <const double *>curved, <double *>out)
                elif dtype.itemsize == 4:
                    self.blas.gemm_f32(
                        False, True, n, n, width, 1, <const float *>curved, width, <const float *>moved, width, 1,
                        <float *>out, n, NULL
                    )
                else:
                    self.blas.gemm_f64(
                        False, True, n, n, width, 1, <const double *>curved, width, <const double *>moved, width, 1,
                        <double *>out, n, NULL
                    )

    cdef int hessians(self, Sweep *sweep, int64_t begin, int64_t rows, int64_t output) noexcept nogil:
        """Compute the second derivatives of all units of an output, after `forward`."""
        cdef const Dtype *dtype = self.base.dtype
        cdef int64_t i, k, unit, units = self.base.workspace.nodes[sweep.values[output] - 1].op.units
        cdef int64_t wide_rows = rows * self.directions
        cdef Node *node
        for unit in range(units):
            for k in range(sweep.n_outputs):
                memset(
                    self.base.entries[k], 0,
                    rows * self.base.workspace.nodes[sweep.values[k] - 1].op.units * dtype.itemsize
                )
            for i in range(rows):
                set_element(dtype, self.base.entries[output], i * units + unit, 1)
            for i in range(self.base.workspace.n_nodes - 1, -1, -1):
                node = &self.base.workspace.nodes[i]
                if node.op.delta == NULL:
                    continue
                add_gradients(dtype, node, 0, rows)
                if not node.operation.flags & CYNN_AFFINE_IN_X:
                    if self.wide is not self.base:
                        repeat_rows(
                            dtype, node.op.delta, self.wide.workspace.nodes[i].op.delta, self.directions, 0, rows,
                            node.op.units
                        )
                    memset(<void *>self.wide.nodes[i].delta, 0, wide_rows * node.op.units * dtype.itemsize)
                    if self.wide.backward_jvp_at(i, &sweep.pass_, 0, wide_rows):
                        raise_flag(&sweep.failed)
                        return -1
                    self.add_curvature(sweep, i, rows, begin * units + unit, units, sweep.outputs[output])
                if self.base.backward_at(i, &sweep.pass_, 0, rows):
                    raise_flag(&sweep.failed)
                    return -1
        return 0


cdef void add_products(
    int64_t n, int64_t width, const floating *moved, const floating *curved, floating *out
) noexcept nogil:
    """out[i] += Σ moved[i, j] curved[i, j]"""
    cdef int64_t i, j
    cdef double total
    for i in range(n):
        total = 0
        for j in range(width):
            total += <double>moved[i * width + j] * curved[i * width + j]
        out[i] += <floating>total


cdef void jvp_of_tile(void *context, int64_t piece, int thread) noexcept nogil:
    cdef Sweep *sweep = <Sweep *>context
    cdef int64_t begin = piece * sweep.tile, rows = min(sweep.tile, sweep.rows.rows - begin), k, units
    cdef const Dtype *dtype = sweep.source.dtype
    if run_forward(sweep.of_threads[thread], sweep, begin, rows):
        return
    for k in range(sweep.n_outputs):
        units = units_of(sweep.of_threads[thread], sweep.values[k])
        memcpy(
            at(dtype, sweep.outputs[k], begin * units), tangent_of(sweep.of_threads[thread], sweep.values[k]),
            rows * units * dtype.itemsize
        )


cdef void hessians_of_tile(void *context, int64_t piece, int thread) noexcept nogil:
    cdef Sweep *sweep = <Sweep *>context
    cdef int64_t begin = piece * sweep.tile, rows = min(sweep.tile, sweep.rows.rows - begin), k
    if run_forward(sweep.of_threads[thread], sweep, begin, rows):
        return
    for k in range(sweep.n_outputs):
        if run_hessians(sweep.of_threads[thread], sweep, begin, rows, k):
            return


# The caller keeps the RowDerivatives alive, so these functions need no GIL.

cdef inline int run_forward(void *derivatives, Sweep *sweep, int64_t begin, int64_t rows) noexcept nogil:
    return (<RowDerivatives>derivatives).forward(sweep, begin, rows)


cdef inline int run_hessians(
    void *derivatives, Sweep *sweep, int64_t begin, int64_t rows, int64_t output
) noexcept nogil:
    return (<RowDerivatives>derivatives).hessians(sweep, begin, rows, output)


cdef inline int64_t units_of(void *derivatives, int64_t value) noexcept nogil:
    return (<RowDerivatives>derivatives).base.workspace.nodes[value - 1].op.units


cdef inline void *tangent_of(void *derivatives, int64_t value) noexcept nogil:
    return (<RowDerivatives>derivatives).wide.nodes[value - 1].out


def differentiate(
    Engine engine, x, directions, list outputs, int n_threads, *, bint is_second=False, bint is_diagonal=False
):
    """Compute directional or second derivatives of the outputs by the inputs, before any scaling of these.

    Parameters
    ----------
    engine : Engine
        The engine of the network.
    x : array of shape (rows, inputs)
        The caller's rows.
    directions : array of shape (rows, inputs) or None
        One direction per row. With `is_second` None: the derivatives are by every input.
    outputs : list of array
        Where to write: C-contiguous arrays of the dtype, for derivatives of shape (rows, units). With `is_second`, for
        Hessians of shape (rows, units, inputs, inputs), or their diagonals of shape (rows, units, inputs).
    n_threads : int
        The largest number of threads to use. The result does not depend on it.
    is_second : bool
        Whether to compute second derivatives.
    is_diagonal : bool
        Whether to compute the diagonals of the Hessians alone.

    Returns
    -------
    bool
        False if a row has a NaN, an infinity or an invalid category.
    """
    cdef RowMatrix rows = RowMatrix(x), moved
    cdef Sweep sweep
    cdef int64_t i, faults_before = faults(), n = engine.source.inputs if is_second else 1
    cdef int64_t n_pieces
    cdef Team team
    cdef void *of_threads[MAX_THREADS]
    cdef const int64_t[::1] values = np.array(engine.outputs, np.int64)
    addresses = np.array([<size_t>address_of(array) if array.size else 0 for array in outputs], np.uintp)
    cdef size_t[::1] where = addresses
    memset(&sweep, 0, sizeof(Sweep))
    sweep.source, sweep.rows, sweep.tile = &engine.source, &rows.rows, max(1, TILE_ROWS // n)
    if directions is not None:
        moved = RowMatrix(directions)
        sweep.directions = &moved.rows
    sweep.values, sweep.n_outputs, sweep.outputs = &values[0], len(outputs), <void **>&where[0]
    sweep.is_diagonal = is_diagonal
    sweep.pass_.struct_size, sweep.pass_.rows, sweep.pass_.seed = sizeof(cynn_pass), sweep.tile * n, engine.seed
    n_pieces = (rows.rows.rows + sweep.tile - 1) // sweep.tile
    if engine.has_python or engine.multiplications_of_row * rows.rows.rows * n < MIN_TEAM_MULTIPLICATIONS:
        n_threads = 1
    n_threads = <int>max(1, min(n_threads, n_pieces, MAX_THREADS))
    each = [RowDerivatives(engine, sweep.tile, n) for _ in range(n_threads)]
    for i, derivatives in enumerate(each):
        of_threads[i] = <void *>derivatives
    sweep.of_threads = of_threads
    if is_second:
        for array in outputs:
            array[...] = 0
    team = take_team(n_threads)
    with nogil:
        team.run(hessians_of_tile if is_second else jvp_of_tile, &sweep, n_pieces)
    give_back(team)
    if is_raised(&sweep.failed):
        for derivatives in each:
            (<RowDerivatives>derivatives).base.workspace.raise_error()
            (<RowDerivatives>derivatives).wide.workspace.raise_error()
    raise_faults_since(faults_before)
    return not is_raised(&sweep.unusable)
