"""The residuals r of a network's outputs, their Jacobian J by the weights, and the products Jᵀ J and Jᵀ r.

There are two phases, as in a training step. (1) For each tile of rows: a forward pass, the residuals, and for each
output a backward pass; every operation then writes its part of the rows of J. (2) For each slab of rows and each block
of columns: the products of a panel of J are added to those of earlier panels. A panel is as many rows of J as fit in
the cache, and J is never stored whole. Where Jᵀ J is small, each slab has its own sums, which are added in order at the
end. Tiles, panels, slabs and blocks depend on shapes alone, so the result has the same bits for any number of threads.
Sums are in double precision.
"""

import numpy as np

from cynn.engine.trainer import UnusableRow
from cynn.engine.workspace import aligned_zeros

from libc.stddef cimport size_t
from libc.stdint cimport int64_t
from libc.string cimport memset

from cynn.abi cimport cynn_pass
from cynn.blas cimport cynn_blas, import_blas
from cynn.engine.dtypes cimport Dtype, at, element_at, set_element
from cynn.engine.engine cimport MIN_TEAM_MULTIPLICATIONS, Engine
from cynn.engine.flags cimport is_raised, lower_flag, raise_flag
from cynn.engine.row_matrix cimport RowMatrix, are_categories
from cynn.engine.thread_team cimport MAX_THREADS, Team
from cynn.engine.workspace cimport Node, Workspace, address_of, backward_node, forward_node
from cynn.kernels.blas cimport faults, raise_faults_since
from cynn.kernels.tables cimport FLOAT64

# Rows of a tile: few enough that its buffers stay in the L1 cache, many enough to be worth its calls.
cdef int64_t TILE_ROWS = 64

# A panel of J should fit in the L2 cache. With fewer rows than the minimum, memory bandwidth limits its products.
cdef int64_t PANEL_BYTES = 1 << 20
cdef int64_t MIN_PANEL_ROWS = 256
cdef int64_t MAX_PANEL_ROWS = 1 << 14

# Columns of J in a block of the products. Measured with 61 columns: blocks of 24 are 1.4 times as fast as one of 61.
cdef int64_t MIN_BLOCK = 24
cdef int64_t MAX_BLOCK = 192
cdef int64_t BLOCKS = 8

# There are as many slabs as have sums that fit in the L2 cache, but no more than keep all threads busy.
cdef int64_t SUMS_BYTES = 1 << 19
cdef int64_t MAX_SLABS = 8

# Rows of J are padded to whole vectors, so that a small product needs no copy of J.
cdef int64_t VECTOR = 8

cdef const cynn_blas *blas = import_blas()


cdef inline double scale_of(const Panel *panel, int64_t row, int64_t output) noexcept nogil:
    """The factor of a residual of a row of x."""
    return 1 if panel.scales == NULL else panel.scales[row * panel.outputs + output]


cdef inline void find_residuals(
    const Panel *panel, const Buffers *buffers, int64_t begin, int64_t end, double *squares
) noexcept nogil:
    """Compute r = scale * (output - target), and the sum of r² for each output."""
    cdef int64_t head, i, j, row, first = 0, outputs = panel.outputs
    cdef double r
    memset(squares, 0, outputs * sizeof(double))
    for head in range(panel.n_heads):
        for i in range(begin, end):
            row = panel.order[i]
            for j in range(panel.widths[head]):
                r = element_at(panel.dtype, buffers.outputs[head], (i - begin) * panel.widths[head] + j)
                r = scale_of(panel, row, first + j) * (r - panel.targets[row * outputs + first + j])
                panel.residuals[i * outputs + first + j] = r
                squares[first + j] += r * r
        first += panel.widths[head]


cdef inline void seed(
    const Panel *panel, const Buffers *buffers, int64_t output, int64_t begin, int64_t end
) noexcept nogil:
    """Set dr/d(output) of each row, for the residual r of one output: its scale at this output, 0 at the others."""
    cdef int64_t head, i, first = 0, width
    for head in range(panel.n_heads):
        width = panel.widths[head]
        memset(buffers.seeds[head], 0, (end - begin) * width * panel.dtype.itemsize)
        if first <= output < first + width:
            for i in range(begin, end):
                set_element(
                    panel.dtype, buffers.seeds[head], (i - begin) * width + output - first,
                    scale_of(panel, panel.order[i], output)
                )
        first += width


cdef inline void seed_factors(const Panel *panel, const Buffers *buffers, int64_t begin, int64_t end) noexcept nogil:
    """Set d(Σ factor r)/d(output) of each row."""
    cdef int64_t head, i, j, first = 0, width
    cdef double factor
    for head in range(panel.n_heads):
        width = panel.widths[head]
        for i in range(begin, end):
            for j in range(width):
                factor = panel.factors[i * panel.outputs + first + j] * scale_of(panel, panel.order[i], first + j)
                set_element(panel.dtype, buffers.seeds[head], (i - begin) * width + j, factor)
        first += width


cdef int backward(const Panel *panel, const Buffers *buffers, const cynn_pass *pass_) noexcept nogil:
    cdef int64_t i, j
    cdef const Node *node
    for i in range(buffers.n_nodes - 1, -1, -1):
        node = &buffers.nodes[i]
        if node.op.delta == NULL or not node.has_gradient:
            continue
        for j in range(node.n_sums):
            panel.dtype.updates.add(pass_.rows * node.op.units, node.sums[j], node.op.delta)
        if backward_node(panel.dtype, node, pass_, 0, pass_.rows):
            return -1
    return 0


cdef inline void point_at_row(const Dtype *dtype, RowOperation *operation, int64_t row) noexcept nogil:
    cdef const Node *node = operation.node
    cdef int64_t j
    for j in range(node.op.n_inputs):
        operation.x[j] = at(dtype, node.op.x[j], row * node.op.widths[j])
    for j in range(node.op.n_saved):
        operation.saved[j] = at(dtype, node.op.saved[j], row * operation.saved_columns[j])
    operation.op.out = at(dtype, node.op.out, row * node.op.units)
    operation.op.delta = at(dtype, node.op.delta, row * node.op.units)


cdef void write_gradients(
    const Panel *panel, const Buffers *buffers, int64_t parts, int64_t rows, double *out, int64_t stride
) noexcept nogil:
    """For each part of a tile, write the gradient by all trained parameters, summed over its rows. With one row per
    part, these are rows of J.
    """
    cdef const Dtype *dtype = panel.dtype
    cdef int64_t i, j, k, part, size
    cdef RowOperation *operation
    cdef cynn_pass pass_
    cdef double *place
    begin_pass(panel, rows, &pass_)
    for i in range(buffers.n_operations):
        operation = &buffers.operations[i]
        for part in range(parts):
            point_at_row(dtype, operation, part * rows)
            for j in range(operation.op.n_parameters):
                if operation.places[j] < 0:
                    continue
                place = out + part * stride + operation.places[j]
                if dtype.kind == FLOAT64:
                    dtype.gradient(
                        operation.node.operation, &operation.op, &pass_, j, 0, operation.op.parameter_rows[j], place
                    )
                    continue
                size = operation.op.parameter_rows[j] * operation.op.parameter_columns[j]
                dtype.gradient(
                    operation.node.operation, &operation.op, &pass_, j, 0, operation.op.parameter_rows[j],
                    buffers.gradient
                )
                for k in range(size):
                    place[k] = (<const float *>buffers.gradient)[k]


cdef inline void begin_pass(const Panel *panel, int64_t rows, cynn_pass *pass_) noexcept nogil:
    memset(pass_, 0, sizeof(cynn_pass))
    pass_.struct_size, pass_.training, pass_.seed = sizeof(cynn_pass), True, panel.seed
    pass_.rows, pass_.total_weight = rows, rows


cdef void tile_phase(void *context, int64_t piece, int thread) noexcept nogil:
    cdef Panel *panel = <Panel *>context
    cdef Buffers *buffers = &panel.buffers[thread]
    cdef int64_t begin = piece * panel.tile, end = min(begin + panel.tile, panel.rows), i, output
    cdef cynn_pass pass_
    if panel.dtype.rows.gather(
        panel.x, panel.order + begin, end - begin, 0, &panel.source.scaling, True, buffers.x
    ) >= 0 or not are_categories(panel.source, end - begin, buffers.x):
        raise_flag(&panel.unusable)
        return
    begin_pass(panel, end - begin, &pass_)
    for i in range(buffers.n_nodes):
        if forward_node(panel.dtype, &buffers.nodes[i], &pass_, 0, end - begin):
            raise_flag(&panel.failed)
            return
    find_residuals(panel, buffers, begin, end, panel.squares + piece * panel.outputs)
    if panel.tile_sums != NULL:
        seed_factors(panel, buffers, begin, end)
        if backward(panel, buffers, &pass_):
            raise_flag(&panel.failed)
            return
        write_gradients(panel, buffers, 1, end - begin, panel.tile_sums + piece * panel.n_parameters, 0)
    if panel.jacobian == NULL:
        return
    for output in range(panel.outputs):
        seed(panel, buffers, output, begin, end)
        if backward(panel, buffers, &pass_):
            raise_flag(&panel.failed)
            return
        write_gradients(
            panel, buffers, end - begin, 1, panel.jacobian + (begin * panel.outputs + output) * panel.row_length,
            panel.outputs * panel.row_length
        )


cdef void product_phase(void *context, int64_t piece, int thread) noexcept nogil:
    """Add a block of rows of the upper triangle of Jᵀ J, and of Jᵀ r, to the sums of a slab."""
    cdef Panel *panel = <Panel *>context
    cdef int64_t n = panel.n_parameters, rows = panel.rows * panel.outputs, length = panel.row_length
    cdef int64_t blocks = (n + panel.block - 1) // panel.block, slab = piece // blocks
    cdef int64_t begin = piece % blocks * panel.block, end = min(begin + panel.block, n)
    cdef int64_t first = rows * slab // panel.slabs, sums_length = panel.sums_length
    cdef const double *columns = panel.jacobian + first * length + begin
    rows = rows * (slab + 1) // panel.slabs - first
    blas.gemm_f64(
        True, False, end - begin, sums_length - begin, rows, 1, columns, length, columns, length, 1,
        panel.products + (slab * n + begin) * sums_length + begin, sums_length, NULL
    )
    blas.gemv_f64(
        True, rows, end - begin, 1, columns, length, panel.residuals + first, 1, panel.right + slab * n + begin
    )


cdef inline void add_slabs(const Panel *panel, double *products, double *right) noexcept nogil:
    """The sums of all slabs, in order; of the products, the upper triangle."""
    cdef int64_t n = panel.n_parameters, slab, i, j
    cdef const double *row
    for slab in range(panel.slabs):
        for i in range(n):
            right[i] += panel.right[slab * n + i]
            row = panel.products + (slab * n + i) * panel.sums_length
            for j in range(i, n):
                products[i * n + j] += row[j]


cdef class NormalEquations:
    """The residuals of a network on some data, and their derivatives by the trained weights.

    The residual of a row and an output is scale * (output - target). All methods have the numbers of the rows to use as
    a parameter, and compute with the network's current weights.

    Parameters
    ----------
    engine : Engine
        The engine of the network.
    x : array of shape (n, inputs) of uint8, float32 or float64
        The inputs.
    targets : float64 array of shape (n, outputs)
        The targets of all outputs, side by side.
    scales : float64 array of shape (n, outputs), or None
        The factor of each residual; None for ones.
    n_threads : int
        The largest number of threads to use.

    Attributes
    ----------
    parameters : list of arrays
        The trained parameters, in the order of the columns of J.
    n_parameters, n_outputs : int
        The columns of J, and its rows per row of x.
    """

    def __cinit__(self, Engine engine, x, targets, scales, int n_threads):
        cdef Panel *panel = &self.panel
        cdef const double[:, ::1] target_view = targets
        cdef const double[:, ::1] scale_view
        cdef int64_t rows
        self.engine, self.x, self.keep = engine, RowMatrix(x), []
        panel.dtype, panel.source, panel.x = engine.source.dtype, &engine.source, &self.x.rows
        widths = [engine.operations[<int64_t>value - 1].units for value in engine.outputs]
        panel.n_heads, panel.outputs = len(widths), sum(widths)
        panel.widths = <int64_t *>self.hold(np.array(widths, np.int64))
        if (target_view.shape[0], target_view.shape[1]) != (panel.x.rows, panel.outputs):
            raise ValueError("there must be a target for every row and output")
        panel.targets = self.hold_view(targets)
        if scales is not None:
            scale_view = scales
            if (scale_view.shape[0], scale_view.shape[1]) != (panel.x.rows, panel.outputs):
                raise ValueError("there must be a scale for every row and output")
            panel.scales = self.hold_view(scales)
        panel.seed = engine.seed
        places, self.parameters = [], []
        for parameter in engine.trained_parameters():
            places.append(-1 if parameter is None else self.n_parameters)
            if parameter is not None:
                self.parameters.append(parameter)
                self.n_parameters += parameter.size
        self.n_outputs, panel.n_parameters = panel.outputs, self.n_parameters
        # a Python method computes one gradient for all rows of a batch, so that each tile has one row
        panel.tile = 1 if engine.has_python else TILE_ROWS
        self.padded_length = (self.n_parameters + VECTOR - 1) // VECTOR * VECTOR
        rows = PANEL_BYTES // (8 * max(1, self.padded_length))
        self.panel_rows = max(1, max(MIN_PANEL_ROWS, min(rows, MAX_PANEL_ROWS)) // panel.outputs)
        self.panel_rows = (self.panel_rows + TILE_ROWS - 1) // TILE_ROWS * TILE_ROWS
        panel.block = max(MIN_BLOCK, min(MAX_BLOCK, (self.n_parameters + BLOCKS - 1) // BLOCKS))
        panel.slabs = max(1, min(MAX_SLABS, SUMS_BYTES // (8 * max(1, self.n_parameters * self.padded_length))))
        work = engine.multiplications() + <double>panel.outputs * self.n_parameters * self.n_parameters
        if work * panel.x.rows < MIN_TEAM_MULTIPLICATIONS:
            n_threads = 1
        self.team = Team(max(1, min(n_threads, MAX_THREADS)))
        panel.squares = <double *>self.zeros(self.panel_rows // panel.tile * panel.outputs, sizeof(double))
        self.make_buffers(engine.outputs, places)

    cdef int make_buffers(self, list values, list places) except -1:
        """Make the buffers of each thread."""
        cdef Panel *panel = &self.panel
        cdef int64_t thread, i, largest
        cdef Buffers *buffers
        cdef RowOperation *operation
        cdef Workspace workspace
        cdef const Node *node
        self.workspaces = []
        panel.buffers = <Buffers *>self.zeros(self.team.state.n_threads, sizeof(Buffers))
        largest = max([parameter.size for parameter in self.parameters], default=1)
        for thread in range(self.team.state.n_threads):
            workspace = self.engine.new_workspace(panel.tile, True, values)
            self.workspaces.append(workspace)
            buffers = &panel.buffers[thread]
            buffers.nodes, buffers.n_nodes, buffers.x = workspace.nodes, workspace.n_nodes, workspace.x
            buffers.outputs = <void **>self.zeros(panel.n_heads, sizeof(void *))
            buffers.seeds = <void **>self.zeros(panel.n_heads, sizeof(void *))
            for i, value in enumerate(values):
                buffers.outputs[i] = address_of(workspace.values[value])
                buffers.seeds[i] = address_of(workspace.loss_gradients[i])
            buffers.gradient = self.zeros(largest, sizeof(double))
            buffers.operations = <RowOperation *>self.zeros(buffers.n_nodes, sizeof(RowOperation))
            for i in range(buffers.n_nodes):
                node = &buffers.nodes[i]
                of_node = places[self.engine.places[i] : self.engine.places[i + 1]]
                if node.op.delta == NULL or max(of_node) < 0:
                    continue
                operation = &buffers.operations[buffers.n_operations]
                buffers.n_operations += 1
                operation.node, operation.op = node, node.op
                operation.x = <void **>self.zeros(node.op.n_inputs, sizeof(void *))
                operation.saved = <void **>self.zeros(node.op.n_saved, sizeof(void *))
                operation.op.x, operation.op.saved = <const void *const *>operation.x, operation.saved
                operation.saved_columns = <int64_t *>self.hold(np.array(
                    [one.columns if one.for_each_row else 0 for one in self.engine.operations[i].saved] or [0], np.int64
                ))
                operation.places = <int64_t *>self.hold(np.array(of_node, np.int64))
        return 0

    cdef void *hold(self, array) except NULL:
        self.keep.append(array)
        return address_of(array)

    cdef const double *hold_view(self, array) except NULL:
        """The address of a matrix that is only read."""
        cdef const double[:, ::1] view = array
        self.keep.append(array)
        return &view[0, 0]

    cdef void *zeros(self, int64_t n, size_t size) except NULL:
        return self.hold(aligned_zeros((max(1, n) * size,), np.uint8))

    cdef double *begin_sums(self, double *products, double *right) except NULL:
        """Set the sums of the products and of Jᵀ r to 0, for each slab if there are several. Returns a buffer for J."""
        cdef Panel *panel = &self.panel
        cdef int64_t n = self.n_parameters, size
        panel.row_length = self.padded_length
        panel.products, panel.right, panel.sums_length = products, right, n
        if self.own_jacobian == NULL:
            self.own_jacobian = <double *>self.zeros(self.panel_rows * panel.outputs * panel.row_length, sizeof(double))
        if panel.slabs > 1:
            size = panel.slabs * n * (panel.row_length + 1)
            if self.slab_sums == NULL:
                self.slab_sums = <double *>self.zeros(size, sizeof(double))
            memset(self.slab_sums, 0, size * sizeof(double))
            panel.sums_length = panel.row_length
            panel.products, panel.right = self.slab_sums, self.slab_sums + panel.slabs * n * panel.row_length
        return self.own_jacobian

    cdef object run(
        self, const int64_t[::1] order, double *residuals, double *jacobian, double *products, double *right,
        const double *factors
    ):
        """Go through the rows, and compute what is not NULL. Returns Σ r² for each output.

        With `products`, Jᵀ r is added to `right`. With `factors`, Jᵀ times the factors is added to it.
        """
        cdef Panel *panel = &self.panel
        cdef int64_t n = order.shape[0], begin = 0, i, j, tiles, faults_before = faults()
        cdef int64_t outputs = panel.outputs, columns = self.n_parameters
        cdef int64_t blocks = (columns + panel.block - 1) // panel.block
        cdef double *own_residuals = NULL
        cdef double *own_jacobian = NULL
        cdef double[::1] sums = np.zeros(outputs)
        cdef Workspace workspace
        if n and not 0 <= np.min(order) <= np.max(order) < panel.x.rows:
            raise ValueError("the rows must be among those of x")
        if residuals == NULL:
            residual_buffer = np.empty((min(n, self.panel_rows), outputs))
            own_residuals = <double *>address_of(residual_buffer)
        panel.row_length = columns
        if products != NULL:
            own_jacobian = self.begin_sums(products, right)
        panel.tile_sums = NULL
        if factors != NULL:
            tile_sums = np.zeros(((min(n, self.panel_rows) + panel.tile - 1) // panel.tile, columns))
            panel.tile_sums = <double *>address_of(tile_sums)
        lower_flag(&panel.failed)
        lower_flag(&panel.unusable)
        for workspace in self.workspaces:
            workspace.begin_pass()
        self.team.begin()
        with nogil:
            while begin < n:
                panel.order, panel.rows = &order[begin], min(self.panel_rows, n - begin)
                panel.residuals = own_residuals if residuals == NULL else residuals + begin * outputs
                panel.factors = factors + begin * outputs if factors != NULL else NULL
                panel.jacobian = jacobian + begin * outputs * columns if jacobian != NULL else own_jacobian
                tiles = (panel.rows + panel.tile - 1) // panel.tile
                if panel.tile == 1:
                    for i in range(tiles):  # Python, which several threads would only wait for
                        tile_phase(panel, i, 0)
                else:
                    self.team.run(tile_phase, panel, tiles)
                if is_raised(&panel.failed) or is_raised(&panel.unusable):
                    break
                if products != NULL:
                    self.team.run(product_phase, panel, panel.slabs * blocks)
                for i in range(tiles):
                    for j in range(outputs):
                        sums[j] += panel.squares[i * outputs + j]
                    for j in range(columns if factors != NULL else 0):
                        right[j] += panel.tile_sums[i * columns + j]
                begin += panel.rows
            if products != NULL and panel.slabs > 1:
                add_slabs(panel, products, right)
        if is_raised(&panel.failed):
            for workspace in self.workspaces:
                workspace.raise_error()
        if is_raised(&panel.unusable):
            raise UnusableRow
        raise_faults_since(faults_before)
        return np.asarray(sums)

    def squares(self, const int64_t[::1] order):
        """The sum of r² over the rows, for each output.

        Parameters
        ----------
        order : int64 array
            The rows.

        Returns
        -------
        float64 array of shape (outputs,)
            The sums.
        """
        return self.run(order, NULL, NULL, NULL, NULL, NULL)

    def residuals(self, const int64_t[::1] order):
        """The residuals of the rows.

        Parameters
        ----------
        order : int64 array
            The rows.

        Returns
        -------
        float64 array of shape (rows, outputs)
            scale * (output - target).
        """
        found = np.empty((order.shape[0], self.n_outputs))
        self.run(order, <double *>address_of(found), NULL, NULL, NULL, NULL)
        return found

    def jacobian(self, const int64_t[::1] order):
        """J: the derivatives of the rows' residuals by the trained weights.

        Parameters
        ----------
        order : int64 array
            The rows.

        Returns
        -------
        float64 array of shape (rows * outputs, parameters)
            One row per residual.
        """
        found = np.zeros((order.shape[0] * self.n_outputs, self.n_parameters))
        self.run(order, NULL, <double *>address_of(found), NULL, NULL, NULL)
        return found

    def equations(self, const int64_t[::1] order, products):
        """Jᵀ J and Jᵀ r.

        Parameters
        ----------
        order : int64 array
            The rows.
        products : float64 array of shape (parameters, parameters)
            Its upper triangle becomes that of Jᵀ J.

        Returns
        -------
        squares : float64 array of shape (outputs,)
            The sum of r² for each output.
        right : float64 array of shape (parameters,)
            Jᵀ r
        """
        right = np.zeros(self.n_parameters)
        if products.shape != (self.n_parameters, self.n_parameters) or products.dtype != np.float64:
            raise ValueError("products must be a float64 matrix with a row and a column for each parameter")
        products[...] = 0
        squares = self.run(order, NULL, NULL, <double *>address_of(products), <double *>address_of(right), NULL)
        return squares, right

    def transposed_product(self, const int64_t[::1] order, const double[:, ::1] factors):
        """Jᵀ times a vector, computed by one forward and one backward pass.

        Parameters
        ----------
        order : int64 array
            The rows.
        factors : float64 array of shape (rows, outputs)
            The vector, with one element per residual.

        Returns
        -------
        float64 array of shape (parameters,)
            The product.
        """
        right = np.zeros(self.n_parameters)
        if not order.shape[0]:
            return right
        if factors.shape[0] != order.shape[0] or factors.shape[1] != self.n_outputs:
            raise ValueError("there must be a factor for every residual")
        self.run(order, NULL, NULL, NULL, <double *>address_of(right), &factors[0, 0])
        return right
