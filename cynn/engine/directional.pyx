"""Directional derivatives of the outputs by the inputs, per row. The threads share tiles of rows."""

import numpy as np

from cynn.components import inheritance
from cynn.engine.abi_checks import describe
from cynn.errors import PluginError

from libc.stdint cimport int64_t
from libc.string cimport memcpy, memset

from cynn.abi cimport cynn_pass
from cynn.engine.dtypes cimport Dtype, at
from cynn.engine.engine cimport MIN_TEAM_MULTIPLICATIONS, Engine
from cynn.engine.flags cimport is_raised, raise_flag
from cynn.engine.row_matrix cimport RowMatrix, Source, are_categories, from_row
from cynn.engine.tangent_step cimport tangents_of
from cynn.engine.tangents cimport Tangents
from cynn.engine.thread_team cimport MAX_THREADS, Team, give_back, take_team
from cynn.engine.workspace cimport address_of
from cynn.kernels.blas cimport faults, raise_faults_since
from cynn.kernels.tables cimport Rows

# Rows that pass through the network together.
cdef int64_t TILE_ROWS = 128


def require(list operations, str dtype, list functions, str wanted_by):
    """Raise a PluginError unless all operations have functions for directional derivatives.

    Parameters
    ----------
    operations : list of Operation
    dtype : str
        Of the network.
    functions : list of {"jvp", "backward_jvp", "gradient_jvp"}
        Of the latter, those of trained operations alone are needed.
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
            if operation.python is not None:  # of which backward_jvp has the tangents of gradients, too
                if function != "gradient_jvp" and inheritance.directional(operation.python, function) is None:
                    refuse(operation.python, True, function, dtype, wanted_by)
            elif not operation.kernel.has(function, dtype):
                refuse(operation.kernel.layer, False, function, dtype, wanted_by)


def refuse(component, bint is_python, str function, str dtype, str wanted_by):
    """Raise the error for a part without a function.

    Parameters
    ----------
    component : Activation, Layer or Loss
        The part.
    is_python : bool
        Whether it has methods.
    function : str
        The function.
    dtype : str
        Of the network.
    wanted_by : str
        What needs it.
    """
    what, found = f"the compiled function {function}_{'f32' if dtype == 'float32' else 'f64'}", "NULL"
    if is_python:
        what, found = f"a method {function}, as its methods are in Python", "none of its own"
    raise PluginError(f"For {wanted_by}, {describe(component)} must have {what}. Got {found} instead.")


# One pass over a caller's rows.
ctypedef struct Sweep:
    const Source *source
    const Rows *rows
    const Rows *directions        # one for each row
    void **of_threads             # one Tangents per thread
    void **outputs                # where to write, for each output of the network
    const int64_t *values         # of these
    int64_t n_outputs
    cynn_pass pass_
    int failed                    # a flag: Python code raised an error
    int unusable                  # a flag: a row has a NaN, an infinity or an invalid category


cdef void jvp_of_tile(void *context, int64_t piece, int thread) noexcept nogil:
    cdef Sweep *sweep = <Sweep *>context
    cdef int64_t begin = piece * TILE_ROWS
    # the caller keeps them alive, so they need no GIL
    run_jvp(sweep.of_threads[thread], sweep, begin, min(TILE_ROWS, sweep.rows.rows - begin))


cdef inline void run_jvp(void *tangents, Sweep *sweep, int64_t begin, int64_t rows) noexcept nogil:
    jvp_of_rows(<Tangents>tangents, sweep, begin, rows)


cdef void jvp_of_rows(Tangents tangents, Sweep *sweep, int64_t begin, int64_t rows) noexcept nogil:
    cdef const Source *source = sweep.source
    cdef const Dtype *dtype = source.dtype
    cdef Rows tile = from_row(sweep.rows, begin), moved = from_row(sweep.directions, begin)
    cdef void *x = tangents.workspace.x
    cdef int64_t k, units
    tile.rows = moved.rows = rows
    if dtype.rows.gather(&tile, NULL, rows, -rows, &source.scaling, True, x) >= 0 or (
        not are_categories(source, rows, x)
    ):
        raise_flag(&sweep.unusable)
        return
    dtype.rows.gather(&moved, NULL, rows, -rows, &source.slope, False, tangents.first)
    if tangents.forward(&sweep.pass_, 0, rows) or tangents.jvp(&sweep.pass_, 0, rows):
        raise_flag(&sweep.failed)
        return
    for k in range(sweep.n_outputs):
        units = tangents.workspace.nodes[sweep.values[k] - 1].op.units
        memcpy(
            at(dtype, sweep.outputs[k], begin * units), tangents.nodes[sweep.values[k] - 1].out,
            rows * units * dtype.itemsize
        )


def differentiate(Engine engine, x, directions, list outputs, int n_threads):
    """Directional derivatives of the outputs by the inputs as the caller gives them.

    Parameters
    ----------
    engine : Engine
        Of the network.
    x : array of shape (rows, inputs)
        Rows of the caller.
    directions : array of shape (rows, inputs)
        The direction of each row.
    outputs : list of array
        C-contiguous, of the dtype: the derivatives (rows, units) are written to them.
    n_threads : int
        The largest number of threads. The result does not depend on it.

    Returns
    -------
    bool
        False if a row has a NaN, an infinity or an invalid category.
    """
    cdef RowMatrix rows = RowMatrix(x), moved = RowMatrix(directions)
    cdef Sweep sweep
    cdef int64_t i, faults_before = faults(), n_pieces = (rows.rows.rows + TILE_ROWS - 1) // TILE_ROWS
    cdef Team team
    cdef void *of_threads[MAX_THREADS]
    cdef const int64_t[::1] values = np.array(engine.outputs, np.int64)
    addresses = np.array([<size_t>address_of(array) if array.size else 0 for array in outputs], np.uintp)
    cdef size_t[::1] where = addresses
    memset(&sweep, 0, sizeof(Sweep))
    sweep.source, sweep.rows, sweep.directions = &engine.source, &rows.rows, &moved.rows
    sweep.values, sweep.n_outputs, sweep.outputs = &values[0], len(outputs), <void **>&where[0]
    sweep.pass_.struct_size, sweep.pass_.rows, sweep.pass_.seed = sizeof(cynn_pass), TILE_ROWS, engine.seed
    if engine.multiplications_of_row * rows.rows.rows < MIN_TEAM_MULTIPLICATIONS:
        n_threads = 1
    n_threads = <int>max(1, min(n_threads, n_pieces, MAX_THREADS))
    each = [tangents_of(engine, engine.outputs, TILE_ROWS) for _ in range(n_threads)]
    for i, tangents in enumerate(each):
        of_threads[i] = <void *>tangents
    sweep.of_threads = of_threads
    team = take_team(n_threads)
    with nogil:
        team.run(jvp_of_tile, &sweep, n_pieces)
    give_back(team)
    if is_raised(&sweep.failed):
        for tangents in each:
            (<Tangents>tangents).workspace.raise_error()
    raise_faults_since(faults_before)
    return not is_raised(&sweep.unusable)
