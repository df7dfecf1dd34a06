"""Second derivatives of the outputs by the inputs, in prediction mode, over row tiles.

They are the sum over the operations of J_kᵀ (∂²(δ_k · f_k) / ∂x_k²) J_k: J_k are the derivatives of what operation k
takes by the inputs, a pass forward along all inputs, and δ_k those of an output by what it returns, a pass backward for
each output. Only operations that are not linear count. For an activation the matrix in the middle is diagonal: its
derivatives f'(z) and f''(z) δ are computed once for a row, whatever the number of inputs (directions.pyx).

As long as a tile has met only linear operations, its tangents are the same for all rows, and are computed once.

Source: Gower and Mello, "A new framework for the computation of Hessians", Optimization Methods and Software, 2012.
"""

import numpy as np

from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from cynn.abi cimport CYNN_AFFINE_IN_X, cynn_pass
from cynn.blas cimport cynn_blas, import_blas, product
from cynn.engine.directions cimport ELEMENTWISE, LINEAR, OTHER, Kind, fill, kind_of, repeat_block, slope_of
from cynn.engine.dtypes cimport Dtype, at, set_element
from cynn.engine.engine cimport MIN_TEAM_MULTIPLICATIONS, Engine
from cynn.engine.flags cimport is_raised, raise_flag
from cynn.engine.row_matrix cimport RowMatrix, Source, are_categories, from_row, scale_of
from cynn.engine.tangent_step cimport tangents_of
from cynn.engine.tangents cimport Tangents, repeat_rows
from cynn.engine.thread_team cimport MAX_THREADS, Team, give_back, take_team
from cynn.engine.workspace cimport Node, add_gradients, address_of, aligned
from cynn.kernels.blas cimport faults, raise_faults_since
from cynn.kernels.tables cimport CurvatureTerm, Rows

# Rows of tangents that pass through the network together: as many as the L2 cache has room for.
cdef int64_t TILE_ROWS = 512


# What an operation does in a tile.
ctypedef struct Part:
    Kind kind
    bint is_moved     # whether the tangent of its output is read
    bint takes_one    # whether the tangent of its input is one block for all rows
    bint makes_one    # whether that of its output is
    bint goes_back    # whether its dC/dx is read
    void *slope       # f'(z) of an elementwise activation, for each row
    void *bend        # f''(z) dC/da


# One pass over a caller's rows.
ctypedef struct HessianPass:
    const Source *source
    const Rows *rows
    void **of_threads         # one TileHessians per thread
    void **outputs            # where to write, for each output of the network
    const int64_t *values     # of these
    int64_t n_outputs
    int64_t tile
    bint is_diagonal
    cynn_pass pass_
    int failed                # a flag: Python code raised an error
    int unusable              # a flag: a row has a NaN or an infinity


cdef class TileHessians:
    """The buffers of one thread: values for some rows, and tangents along each input for each of them."""

    cdef Tangents base       # of which only the values and gradients are used
    cdef Tangents wide
    cdef Part *parts
    cdef CurvatureTerm *terms
    cdef int64_t n, n_terms
    cdef bint has_one        # whether the directions are one block for all rows
    cdef void *ones
    cdef list keep
    cdef const cynn_blas *blas

    def __cinit__(self, Engine engine, list values, int64_t rows):
        cdef int64_t i, n_nodes
        cdef Part *part
        self.n, self.keep, self.blas = engine.source.inputs, [], import_blas()
        self.base, self.wide = tangents_of(engine, values, rows), tangents_of(engine, values, rows * self.n)
        n_nodes = self.base.workspace.n_nodes
        self.parts = <Part *>calloc(n_nodes, sizeof(Part))
        self.terms = <CurvatureTerm *>calloc(n_nodes, sizeof(CurvatureTerm))
        if self.parts == NULL or self.terms == NULL:
            raise MemoryError
        self.find_out_what_is_needed([list(operation.inputs) for operation in engine.operations])
        self.ones = self.room(engine, rows, self.base.widest)
        fill(self.base.dtype, rows * self.base.widest, 1, self.ones)
        for i in sorted(range(n_nodes), key=lambda i: engine.operations[i].units):
            part = &self.parts[i]
            if part.kind == ELEMENTWISE and self.base.workspace.nodes[i].op.delta != NULL:
                units = engine.operations[i].units
                part.slope, part.bend = self.room(engine, rows, units), self.room(engine, rows, units)
                self.terms[self.n_terms] = CurvatureTerm(
                    self.wide.nodes[i].x[0], part.bend, units, 0 if part.takes_one else self.n * units
                )
                self.n_terms += 1

    cdef int find_out_what_is_needed(self, list inputs) except -1:
        cdef int64_t i, n_nodes = len(inputs)
        cdef Part *part
        is_curved = [False]
        is_moved = [False] * (n_nodes + 1)
        can_be_one = [True] * (n_nodes + 1)
        for i in range(n_nodes):
            part = &self.parts[i]
            part.kind = kind_of(&self.base.workspace.nodes[i])
            part.goes_back = any(is_curved[value] for value in inputs[i])
            is_curved.append(part.kind != LINEAR or part.goes_back)
        for i in range(n_nodes - 1, -1, -1):
            part = &self.parts[i]
            part.is_moved = is_moved[i + 1]
            for value in inputs[i] if self.base.workspace.nodes[i].op.delta != NULL else []:
                is_moved[value] = is_moved[value] or part.kind != LINEAR or part.is_moved
                if part.kind == OTHER or len(inputs[i]) > 1:
                    can_be_one[value] = False
        is_one = [can_be_one[0]]
        for i in range(n_nodes):
            part = &self.parts[i]
            part.takes_one = is_one[inputs[i][0]]
            part.makes_one = part.kind == LINEAR and part.takes_one and can_be_one[i + 1]
            is_one.append(part.makes_one)
        self.has_one = is_one[0]
        return 0

    cdef void *room(self, Engine engine, int64_t rows, int64_t columns) except NULL:
        array = aligned((rows, columns), engine.dtype)
        self.keep.append(array)
        return address_of(array)

    cdef int forward(self, HessianPass *job, int64_t begin, int64_t rows) noexcept nogil:
        """Values of a tile, and tangents along each input; 0, or -1 if that is not possible."""
        cdef const Source *source = job.source
        cdef const Dtype *dtype = source.dtype
        cdef Rows tile = from_row(job.rows, begin)
        cdef int64_t i, n = self.n
        cdef Part *part
        cdef const Node *node
        tile.rows = rows
        if dtype.rows.gather(
            &tile, NULL, rows, -rows, &source.scaling, True, self.base.workspace.x
        ) >= 0 or not are_categories(source, rows, self.base.workspace.x):
            raise_flag(&job.unusable)
            return -1
        if self.base.forward(&job.pass_, 0, rows):
            raise_flag(&job.failed)
            return -1
        memset(self.wide.first, 0, n * n * dtype.itemsize)
        for i in range(n):
            set_element(dtype, self.wide.first, i * n + i, scale_of(&source.slope, i))
        if not self.has_one:
            repeat_block(dtype, self.wide.first, n * n, rows)
        for i in range(self.base.workspace.n_nodes):
            part, node = &self.parts[i], &self.base.workspace.nodes[i]
            if node.op.delta == NULL:
                continue  # no output depends on it
            if part.kind == ELEMENTWISE:
                slope_of(dtype, node, rows, part.slope)
                if part.is_moved:
                    dtype.directions.multiply(
                        rows, n, node.op.units, part.slope, self.wide.nodes[i].x[0],
                        0 if part.takes_one else n * node.op.units, self.wide.nodes[i].out
                    )
            elif part.kind == LINEAR:
                if part.is_moved and self.wide.jvp_at(i, &job.pass_, 0, n if part.takes_one else rows * n):
                    raise_flag(&job.failed)
                    return -1
                if part.is_moved and part.takes_one and not part.makes_one:
                    repeat_block(dtype, self.wide.nodes[i].out, n * node.op.units, rows)
            else:
                self.repeat_values(i, rows)
                if self.wide.jvp_at(i, &job.pass_, 0, rows * n):
                    raise_flag(&job.failed)
                    return -1
        return 0

    cdef void repeat_values(self, int64_t i, int64_t rows) noexcept nogil:
        """What an operation reads of its rows, for each direction."""
        cdef const Dtype *dtype = self.base.dtype
        cdef const Node *node = &self.base.workspace.nodes[i]
        cdef const Node *to = &self.wide.workspace.nodes[i]
        cdef int64_t j
        for j in range(node.op.n_inputs):
            repeat_rows(dtype, node.op.x[j], <void *>to.op.x[j], self.n, 0, rows, node.op.widths[j])
        repeat_rows(dtype, node.op.out, to.op.out, self.n, 0, rows, node.op.units)
        for j in range(node.op.n_saved):
            self.base.repeat_saved(self.wide, i, j, self.n, 0, rows)

    cdef int backward(self, HessianPass *job, int64_t begin, int64_t rows, int64_t output) noexcept nogil:
        """The second derivatives of the units of an output, after `forward`."""
        cdef const Dtype *dtype = self.base.dtype
        cdef int64_t i, k, unit, n = self.n, units = self.base.workspace.nodes[job.values[output] - 1].op.units
        cdef int64_t size = n if job.is_diagonal else n * n
        cdef void *hessians = at(dtype, job.outputs[output], begin * units * size)
        cdef const Node *node
        cdef Part *part
        memset(hessians, 0, rows * units * size * dtype.itemsize)
        for unit in range(units):
            for k in range(job.n_outputs):
                memset(
                    self.base.entries[k], 0,
                    rows * self.base.workspace.nodes[job.values[k] - 1].op.units * dtype.itemsize
                )
            for i in range(rows):
                set_element(dtype, self.base.entries[output], i * units + unit, 1)
            for i in range(self.base.workspace.n_nodes - 1, -1, -1):
                part, node = &self.parts[i], &self.base.workspace.nodes[i]
                if node.op.delta == NULL:
                    continue
                add_gradients(dtype, node, 0, rows)
                if part.kind == ELEMENTWISE:
                    memset(part.bend, 0, rows * node.op.units * dtype.itemsize)
                    dtype.activation_backward_jvp(
                        node.op.activation, node.op.activation_h, rows, node.op.units, node.op.x[0], node.op.out,
                        node.op.delta, self.ones, part.slope, part.bend
                    )
                elif part.kind == OTHER and not node.operation.flags & CYNN_AFFINE_IN_X:
                    if self.bend(job, i, rows, at(dtype, hessians, unit * size), units * size):
                        return -1
                if not part.goes_back:
                    continue
                if part.kind == ELEMENTWISE:
                    dtype.directions.multiply(
                        rows, 1, node.op.units, part.slope, node.op.delta, node.op.units, node.op.dx[0]
                    )
                elif self.base.backward_at(i, &job.pass_, 0, rows):
                    raise_flag(&job.failed)
                    return -1
            if job.is_diagonal:
                dtype.directions.add_diagonal(
                    rows, n, self.terms, self.n_terms, at(dtype, hessians, unit * size), units * size
                )
            else:
                dtype.directions.add_curvature(
                    rows, n, self.terms, self.n_terms, at(dtype, hessians, unit * size), units * size
                )
        return 0

    cdef int bend(
        self, HessianPass *job, int64_t i, int64_t rows, void *hessian, int64_t distance
    ) noexcept nogil:
        """Add what an operation contributes that is not elementwise. The Hessians of rows are `distance` apart."""
        cdef const Dtype *dtype = self.base.dtype
        cdef const Node *node = &self.base.workspace.nodes[i]
        cdef int64_t j, r, k, n = self.n, width
        cdef const void *moved
        cdef const void *curved
        cdef void *out
        repeat_rows(dtype, node.op.delta, self.wide.workspace.nodes[i].op.delta, n, 0, rows, node.op.units)
        memset(<void *>self.wide.nodes[i].delta, 0, rows * n * node.op.units * dtype.itemsize)
        if self.wide.backward_jvp_at(i, &job.pass_, 0, rows * n):
            raise_flag(&job.failed)
            return -1
        for j in range(node.op.n_inputs):
            width = node.op.widths[j]
            for r in range(rows):
                moved = at(dtype, self.wide.nodes[i].x[j], r * n * width)
                curved = at(dtype, self.wide.nodes[i].dx[j], r * n * width)
                out = at(dtype, hessian, r * distance)
                if job.is_diagonal:
                    for k in range(n):
                        add_product(dtype, width, at(dtype, moved, k * width), at(dtype, curved, k * width),
                                    at(dtype, out, k))
                elif dtype.itemsize == sizeof(float):
                    product(
                        self.blas, False, True, n, n, width, 1, curved, width, moved, width, 1, <float *>out, n, NULL
                    )
                else:
                    product(
                        self.blas, False, True, n, n, width, 1, curved, width, moved, width, 1, <double *>out, n, NULL
                    )
        return 0

    def __dealloc__(self):
        free(self.parts)
        free(self.terms)


cdef inline void add_product(
    const Dtype *dtype, int64_t n, const void *x, const void *y, void *out
) noexcept nogil:
    """out += Σ x y"""
    cdef int64_t j
    cdef double total = 0
    if dtype.itemsize == sizeof(float):
        for j in range(n):
            total += <double>(<const float *>x)[j] * (<const float *>y)[j]
        (<float *>out)[0] += <float>total
    else:
        for j in range(n):
            total += (<const double *>x)[j] * (<const double *>y)[j]
        (<double *>out)[0] += total


cdef void hessians_of_tile(void *context, int64_t piece, int thread) noexcept nogil:
    cdef HessianPass *job = <HessianPass *>context
    cdef int64_t begin = piece * job.tile, rows = min(job.tile, job.rows.rows - begin), k
    if run_forward(job.of_threads[thread], job, begin, rows):
        return
    for k in range(job.n_outputs):
        if run_backward(job.of_threads[thread], job, begin, rows, k):
            return


# The caller keeps these alive, so they need no GIL.

cdef inline int run_forward(void *hessians, HessianPass *job, int64_t begin, int64_t rows) noexcept nogil:
    return (<TileHessians>hessians).forward(job, begin, rows)


cdef inline int run_backward(
    void *hessians, HessianPass *job, int64_t begin, int64_t rows, int64_t output
) noexcept nogil:
    return (<TileHessians>hessians).backward(job, begin, rows, output)


cdef class InputHessians:
    """Second derivatives of one network by its inputs, in prediction mode. Calls in several threads are allowed.

    Parameters
    ----------
    engine : Engine
        The engine of the network.
    """

    cdef Engine engine
    cdef object values       # of the outputs
    cdef int64_t tile
    cdef list idle           # buffers of earlier calls

    def __cinit__(self, Engine engine):
        self.engine, self.idle = engine, []
        self.values = np.array(engine.outputs, np.int64)
        self.tile = max(1, TILE_ROWS // max(1, engine.source.inputs))

    cdef TileHessians buffers(self):
        cdef TileHessians buffers
        # pop and append of a list are atomic under the GIL, so callers in several threads get different ones
        if self.idle:
            buffers = self.idle.pop()
        else:
            buffers = TileHessians(self.engine, self.engine.outputs, self.tile)
        buffers.base.workspace.begin_pass()
        buffers.wide.workspace.begin_pass()
        return buffers

    def compute(self, x, list outputs, int n_threads, *, bint is_diagonal=False):
        """The second derivatives of each output for each row.

        Parameters
        ----------
        x : array of shape (rows, inputs)
            Rows of the caller.
        outputs : list of array
            Where to write: for each output of the network, C-contiguous, of the dtype, the Hessians (rows, units,
            inputs, inputs), or their diagonals (rows, units, inputs).
        n_threads : int
            The largest number of threads. The result does not depend on it.
        is_diagonal : bool
            Which of them.

        Returns
        -------
        bool
            False if a row has a NaN or an infinity.
        """
        cdef RowMatrix rows = RowMatrix(x)
        cdef HessianPass job
        cdef int64_t i, faults_before = faults(), n = self.engine.source.inputs
        cdef int64_t n_pieces
        cdef Team team
        cdef void *of_threads[MAX_THREADS]
        cdef const int64_t[::1] values = self.values
        addresses = np.array([<size_t>address_of(array) if array.size else 0 for array in outputs], np.uintp)
        cdef size_t[::1] where = addresses
        memset(&job, 0, sizeof(HessianPass))
        job.source, job.rows, job.tile, job.of_threads = &self.engine.source, &rows.rows, self.tile, of_threads
        job.values, job.n_outputs, job.outputs = &values[0], len(outputs), <void **>&where[0]
        job.is_diagonal = is_diagonal
        job.pass_.struct_size, job.pass_.rows, job.pass_.seed = sizeof(cynn_pass), self.tile * n, self.engine.seed
        n_pieces = (rows.rows.rows + self.tile - 1) // self.tile
        if self.engine.multiplications_of_row * rows.rows.rows * n < MIN_TEAM_MULTIPLICATIONS:
            n_threads = 1
        n_threads = <int>max(1, min(n_threads, n_pieces, MAX_THREADS))
        each = [self.buffers() for _ in range(n_threads)]
        for i, buffers in enumerate(each):
            of_threads[i] = <void *>buffers
        try:
            team = take_team(n_threads)
            with nogil:
                team.run(hessians_of_tile, &job, n_pieces)
            give_back(team)
            if is_raised(&job.failed):
                for buffers in each:  # before another thread takes them
                    (<TileHessians>buffers).base.workspace.raise_error()
                    (<TileHessians>buffers).wide.workspace.raise_error()
        finally:
            self.idle.extend(each)
        raise_faults_since(faults_before)
        return not is_raised(&job.unusable)
