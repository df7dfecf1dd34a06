"""The training step, in two phases without the GIL.

1. Row tiles: a tile of the batch goes all the way, from gathering its rows to dC/dz of every layer.
2. Weight blocks: dW = xᵀ dC/dz over the whole batch for some rows of W, then the optimizer's step on
   these rows while they are in cache.

The borders of tiles and blocks depend on the batch and the shapes, never on the number of threads,
and each is computed by one thread: the same bits come out at any number of threads, without copies
of the gradient to add up. An optimizer that needs whole parameters, or that is written in Python,
takes its steps in a third phase.
"""

import numpy as np

from cynn.engine import TILE_ROWS, aligned_zeros
from cynn.kernel_objects import checked_loss, raise_plugin_error

from libc.math cimport isfinite
from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from cynn.abi cimport CYNN_CLASS_INDEX, CYNN_ELEMENTWISE, cynn_loss, cynn_optimizer, floating
from cynn.engine cimport (
    DenseLayer,
    Engine,
    LayerBuffers,
    Plan,
    RowMatrix,
    Workspace,
    address_of,
    aligned,
    backward_tile,
    forward_tile,
    gather_rows,
)
from cynn.kernel_objects cimport LossKernel, OptimizerKernel, loss_of_rows, step_on_piece
from cynn.kernels.tables cimport Ahead, Rows
from cynn.team cimport Team

cdef extern from *:
    """
    #include <time.h>
    static double cynn_seconds(void) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return now.tv_sec + 1e-9 * now.tv_nsec;
    }
    """
    double cynn_seconds() noexcept nogil

# Rows of W that are updated together: at most as many as stay in cache, and, where W is narrow and fewer
# cost nothing, so few that threads find work. Rows of a tile likewise; but a piece is to be worth its calls.
cdef int64_t MOST_BLOCK_ROWS = 256
cdef int64_t LEAST_BLOCK_ROWS = 32
cdef double BLOCK_MULTIPLICATIONS = 1e6
cdef int64_t NARROW_UNITS = 512
cdef int64_t MOST_TILE_ROWS = 256
cdef int64_t LEAST_TILE_ROWS = 32
cdef double TILE_MULTIPLICATIONS = 3e5

# Of the next batch's rows so much is asked for in the course of the step: they are to find room in the L2 cache.
cdef int64_t MOST_FETCHED_BYTES = 1 << 19

# Multiplications of a step below which a second thread costs more than it saves.
cdef double WORTH_A_TEAM = 2e6

cdef enum:
    MOST_SLOTS = 16


# Some rows of W, or a bias, which is a matrix of one row.
ctypedef struct Block:
    int64_t layer
    int64_t begin
    int64_t end
    bint is_bias


ctypedef struct Step:
    Plan *plan
    LayerBuffers *layers
    # the data of the whole run
    const Rows *x_source
    const Rows *target_source        # NULL: classes
    const int64_t *classes           # NULL: target_source
    const double *sample_weight      # NULL: all ones
    # the loss and the optimizer
    cynn_loss loss
    const double *loss_h
    bint fused                       # computed from z of the last layer
    bint one_hot                     # the loss takes no classes: they are written as one-hot rows
    cynn_optimizer optimizer
    const double *optimizer_h
    bint in_block                    # the optimizer steps on each block
    bint is_linear                   # w := beta w + alpha grad, within the product that gives grad
    double alpha
    double beta
    double learning_rate
    int64_t t
    # buffers of one batch
    void *x
    void *target
    int64_t *batch_classes
    void *weight                     # of each row, so that they sum to 1
    double *tile_loss
    void *predictions                # of the epoch, or NULL
    void **scratch                   # of each thread
    void **block_gradient            # of each thread, when in_block
    # each parameter, W of layer i at 2 i and b at 2 i + 1
    void **w
    void **gradient                  # whole gradients, when not in_block
    void **slots                     # MOST_SLOTS for each parameter
    # this batch
    const int64_t *order
    int64_t ahead                    # entries of order after this batch
    bint are_fetched                 # the rows of this batch were asked for in the step before
    int64_t fetched_rows             # of the next batch, asked for in the course of the step
    int64_t rows
    int64_t tile
    int64_t first_row                # in the epoch
    Block *blocks
    int64_t n_slots
    bint check_finite                # look at every row of x that is gathered
    int nonfinite                    # one has a NaN or an infinity
    int failed                       # Python raised
    void *python_loss
    double python_loss_value


cdef int call_python_loss(void *trainer, int64_t rows, double *value) noexcept with gil:
    return (<Trainer>trainer).python_loss(rows, value)


cdef inline void rows_to_fetch(
    const Step *step, int64_t begin, int64_t end, int64_t total, Ahead *ahead
) noexcept nogil:
    """The share of the next batch's rows that is fetched while begin..end of a phase is worked on."""
    cdef int64_t first = step.fetched_rows * begin // total
    ahead.data = step.x_source.data
    ahead.index = step.order + step.rows + first
    ahead.row_stride = step.x_source.row_stride
    ahead.row_bytes = step.plan.inputs * step.x_source.column_stride
    ahead.rows = step.fetched_rows * end // total - first
    ahead.at = ahead.end = NULL


cdef inline void tile_phase(Step *step, int64_t piece, int thread, floating *type_) noexcept nogil:
    cdef const Plan *plan = step.plan
    cdef const DenseLayer *last = &plan.layers[plan.n_layers - 1]
    cdef const LayerBuffers *own = &step.layers[plan.n_layers - 1]
    cdef int64_t begin = piece * step.tile
    cdef int64_t rows = min(step.tile, step.rows - begin)
    # rows to prefetch: what the step before has not asked for, but for what this one will ask for
    cdef int64_t ahead = -rows if step.are_fetched else step.rows - begin - rows
    cdef Ahead next_rows
    cdef int64_t target_ahead = step.rows - begin - rows + step.ahead
    cdef int64_t i
    cdef const int64_t *order = step.order + begin
    cdef floating *x = <floating *>step.x + begin * plan.inputs
    cdef floating *a = <floating *>own.a + begin * last.units
    cdef floating *target = NULL
    cdef int64_t *classes = NULL
    cdef floating *prediction = <floating *>own.z + begin * last.units if step.fused else a
    if gather_rows(
        plan, step.x_source, order, rows, ahead, plan.scale, plan.offset, step.check_finite, x
    ) >= 0:
        step.nonfinite = 1
        return
    if step.one_hot:
        target = <floating *>step.target + begin * last.units
        memset(target, 0, rows * last.units * sizeof(floating))
        for i in range(rows):
            target[i * last.units + step.classes[order[i]]] = 1
    elif step.classes != NULL:
        classes = step.batch_classes + begin
        for i in range(rows):
            classes[i] = step.classes[order[i]]
    else:
        target = <floating *>step.target + begin * last.units
        gather_rows(plan, step.target_source, order, rows, target_ahead, 1, 0, False, target)
    rows_to_fetch(step, begin, begin + rows, 2 * step.rows, &next_rows)
    if forward_tile(
        plan, step.layers, begin, rows, x, <floating *>step.scratch[thread],
        step.fused and step.predictions == NULL, &next_rows
    ):
        step.failed = 1
        return
    if step.predictions != NULL:
        memcpy(
            <floating *>step.predictions + (step.first_row + begin) * last.units, a,
            rows * last.units * sizeof(floating)
        )
    if step.python_loss != NULL:
        if call_python_loss(step.python_loss, rows, &step.tile_loss[piece]):
            step.failed = 1
            return
    else:
        step.tile_loss[piece] = loss_of_rows(
            &step.loss, step.loss_h, step.fused, rows, last.units, prediction, target, classes,
            <const floating *>step.weight + begin, <floating *>own.delta + begin * last.units
        )
    if backward_tile(plan, step.layers, begin, rows, step.fused, type_):
        step.failed = 1


cdef inline void block_phase(Step *step, int64_t piece, int thread, floating *type_) noexcept nogil:
    cdef const Plan *plan = step.plan
    cdef const Block *block = &step.blocks[piece]
    cdef const DenseLayer *layer = &plan.layers[block.layer]
    cdef const floating *delta = <const floating *>step.layers[block.layer].delta
    cdef const floating *x = <const floating *>(
        step.x if block.layer == 0 else step.layers[block.layer - 1].a
    )
    cdef int64_t parameter = 2 * block.layer + block.is_bias
    cdef int64_t offset = block.begin * layer.units
    cdef floating *grad
    cdef Ahead next_rows
    cdef Ahead *ahead = NULL
    if block.layer == 0 and not block.is_bias:
        ahead = &next_rows
        rows_to_fetch(step, layer.inputs + block.begin, layer.inputs + block.end, 2 * layer.inputs, ahead)
    if step.in_block:
        grad = <floating *>step.block_gradient[thread]
    else:
        grad = <floating *>step.gradient[parameter] + offset
    if step.is_linear and not block.is_bias:
        if floating is float:
            plan.dense_kernels.weight_step_f32(
                step.rows, layer.inputs, layer.units, block.begin, block.end, x, delta, step.alpha, step.beta,
                <float *>step.w[parameter] + offset, grad, ahead
            )
        else:
            plan.dense_kernels.weight_step_f64(
                step.rows, layer.inputs, layer.units, block.begin, block.end, x, delta, step.alpha, step.beta,
                <double *>step.w[parameter] + offset, grad, ahead
            )
        return
    if block.is_bias:
        if floating is float:
            plan.dense_kernels.bias_gradient_f32(step.rows, layer.units, delta, grad)
        else:
            plan.dense_kernels.bias_gradient_f64(step.rows, layer.units, delta, grad)
    elif floating is float:
        plan.dense_kernels.weight_gradient_f32(
            step.rows, layer.inputs, layer.units, block.begin, block.end, x, delta, grad, ahead
        )
    else:
        plan.dense_kernels.weight_gradient_f64(
            step.rows, layer.inputs, layer.units, block.begin, block.end, x, delta, grad, ahead
        )
    if step.in_block:
        optimizer_step(step, parameter, block.end - block.begin, layer.units, offset, grad)


cdef inline void optimizer_step(
    Step *step, int64_t parameter, int64_t rows, int64_t cols, int64_t offset, floating *grad
) noexcept nogil:
    cdef floating *slots[MOST_SLOTS]
    cdef int64_t i
    for i in range(step.n_slots):
        slots[i] = <floating *>step.slots[parameter * MOST_SLOTS + i] + offset
    step_on_piece(
        &step.optimizer, step.optimizer_h, step.learning_rate, step.t, rows, cols,
        <floating *>step.w[parameter] + offset, grad, slots
    )


cdef inline void parameter_phase(Step *step, int64_t parameter, int thread, floating *type_) noexcept nogil:
    cdef const DenseLayer *layer = &step.plan.layers[parameter // 2]
    if step.w[parameter] != NULL:
        optimizer_step(
            step, parameter, 1 if parameter % 2 else layer.inputs, layer.units, 0,
            <floating *>step.gradient[parameter]
        )


cdef void tile_phase_f32(void *context, int64_t piece, int thread) noexcept nogil:
    tile_phase[float](<Step *>context, piece, thread, NULL)


cdef void tile_phase_f64(void *context, int64_t piece, int thread) noexcept nogil:
    tile_phase[double](<Step *>context, piece, thread, NULL)


cdef void block_phase_f32(void *context, int64_t piece, int thread) noexcept nogil:
    block_phase[float](<Step *>context, piece, thread, NULL)


cdef void block_phase_f64(void *context, int64_t piece, int thread) noexcept nogil:
    block_phase[double](<Step *>context, piece, thread, NULL)


cdef void parameter_phase_f32(void *context, int64_t piece, int thread) noexcept nogil:
    parameter_phase[float](<Step *>context, piece, thread, NULL)


cdef void parameter_phase_f64(void *context, int64_t piece, int thread) noexcept nogil:
    parameter_phase[double](<Step *>context, piece, thread, NULL)


class Diverged(Exception):
    """The loss of a step was NaN or infinite; the weights are those before that step."""

    def __init__(self, step, loss):
        super().__init__(step, loss)
        self.step = step
        self.loss = loss


class NonFiniteRow(Exception):
    """A row of x holds a NaN or an infinity; the weights are those before its step."""


cdef class Trainer:
    """Runs steps of training on one network with one set of data.

    Parameters
    ----------
    engine : Engine
    x : array of shape (n, inputs) of uint8, float32 or float64
    target : array of shape (n, outputs) of uint8, float32 or float64, or None
    classes : int64 array of shape (n,), or None
        Exactly one of target and classes is given.
    sample_weight : float64 array of shape (n,), or None
    loss : LossKernel
    optimizer : OptimizerKernel or None
        None: the gradients are computed, and left in `gradients`.
    slots : list of lists of arrays
        The optimizer's memory, for W and b of every layer in turn.
    batch_size : int
    n_threads : int
    """

    cdef Step step
    cdef Engine engine
    cdef Workspace workspace
    cdef Team team
    cdef LossKernel loss
    cdef OptimizerKernel optimizer
    cdef RowMatrix x, target
    cdef list keep              # what the addresses in step belong to
    cdef list weights           # W and b of every layer in turn, b perhaps None
    cdef readonly list gradients
    cdef readonly list slots
    cdef object batch_target, batch_weight, classes
    cdef object python_error
    cdef int64_t n_blocks, batch_size, most_fetched_rows
    cdef readonly int64_t steps        # taken in all
    cdef readonly double total_loss    # sum over steps of loss * weight
    cdef readonly double total_weight

    def __cinit__(
        self, Engine engine, x, target, classes, sample_weight, LossKernel loss, OptimizerKernel optimizer,
        list slots, int64_t batch_size, int n_threads
    ):
        cdef Step *step = &self.step
        cdef bint python_loss = loss.is_python
        cdef bint python_optimizer = optimizer is not None and optimizer.is_python
        cdef const int64_t[::1] class_view
        cdef const double[::1] weight_view
        self.engine, self.loss, self.optimizer, self.slots = engine, loss, optimizer, slots
        self.batch_size = batch_size
        self.keep = []
        self.x = RowMatrix(x)
        step.plan = &engine.plan
        step.x_source = &self.x.rows
        if classes is not None:
            self.classes = classes
            class_view = classes
            step.classes = &class_view[0]
        if target is not None:
            self.target = RowMatrix(target)
            step.target_source = &self.target.rows
        if sample_weight is not None:
            weight_view = sample_weight
            self.keep.append(sample_weight)
            step.sample_weight = &weight_view[0]

        step.loss = loss.functions
        step.loss_h = loss.h
        step.fused = (
            loss.fuses_with is not None
            and loss.fuses_with == engine.kernels[-1].component.name
            and not engine.kernels[-1].is_python
        )
        step.one_hot = classes is not None and (python_loss or not loss.functions.flags & CYNN_CLASS_INDEX)
        if python_loss:
            step.python_loss = <void *>self
        if optimizer is not None and not python_optimizer:
            step.optimizer = optimizer.functions
            step.optimizer_h = optimizer.h
            step.n_slots = optimizer.n_slots
            step.in_block = (optimizer.functions.flags & CYNN_ELEMENTWISE) != 0
            step.is_linear = step.in_block and optimizer.functions.linear_step != NULL

        if step.x_source.column_stride > 0:
            row_bytes = step.x_source.columns * step.x_source.column_stride
            self.most_fetched_rows = min(batch_size, MOST_FETCHED_BYTES // row_bytes)

        # Python methods take whole batches.
        step.tile = self.tile_rows()
        if engine.has_python or python_loss:
            step.tile = batch_size
            n_threads = 1
        elif engine.multiplications() * batch_size < WORTH_A_TEAM:
            n_threads = 1
        self.allocate(max(1, min(n_threads, 256)))

    cdef allocate(self, int n_threads):
        cdef Step *step = &self.step
        cdef int64_t n_layers = self.engine.plan.n_layers
        cdef int64_t batch = self.batch_size
        cdef int64_t outputs = self.engine.plan.layers[n_layers - 1].units
        cdef int64_t units = self.engine.plan.largest_units
        cdef int64_t i, j
        dtype = self.engine.dtype
        self.workspace = Workspace(self.engine, batch, True, step.fused)
        step.layers = self.workspace.layers
        step.x = self.workspace.x_data
        self.batch_target = aligned((batch, outputs), dtype)
        self.batch_weight = aligned((batch,), dtype)
        step.target = address_of(self.batch_target)
        step.weight = address_of(self.batch_weight)
        batch_classes = aligned((batch,), np.int64)
        step.batch_classes = <int64_t *>address_of(batch_classes)
        tile_loss = aligned((batch // step.tile + 1,), np.float64)
        step.tile_loss = <double *>address_of(tile_loss)
        self.keep += [batch_classes, tile_loss]

        self.weights = [parameter for pair in self.engine.parameters for parameter in pair]
        step.w = self.addresses(self.weights)
        self.gradients = [
            None if step.in_block or w is None else aligned_zeros(w.shape, dtype) for w in self.weights
        ]
        step.gradient = self.addresses(self.gradients)
        every_slot = []
        for of_one in self.slots or [[] for _ in self.weights]:
            every_slot += list(of_one) + [None] * (MOST_SLOTS - len(of_one))
        step.slots = self.addresses(every_slot)

        self.team = Team(n_threads)
        scratch = [aligned((min(batch, step.tile), units), dtype) for _ in range(n_threads)]
        scratch_rows = MOST_BLOCK_ROWS if step.in_block else 1
        block = [aligned((scratch_rows, units), dtype) for _ in range(n_threads)]
        step.scratch = self.addresses(scratch)
        step.block_gradient = self.addresses(block)

        blocks = []
        for i in range(n_layers):
            inputs = self.engine.plan.layers[i].inputs
            n_blocks = -(-inputs // self.block_rows(self.engine.plan.layers[i].units))  # of about equal size
            borders = [inputs * j // n_blocks for j in range(n_blocks + 1)]
            blocks += [(i, borders[j], borders[j + 1], False) for j in range(n_blocks)]
        blocks += [(i, 0, 1, True) for i in range(n_layers) if self.weights[2 * i + 1] is not None]
        self.n_blocks = len(blocks)
        step.blocks = <Block *>calloc(self.n_blocks, sizeof(Block))
        if step.blocks == NULL:
            raise MemoryError
        for i, (layer, begin, end, is_bias) in enumerate(blocks):
            step.blocks[i] = Block(layer, begin, end, is_bias)

    cdef int64_t tile_rows(self):
        if self.engine.plan.largest_units > NARROW_UNITS:
            return TILE_ROWS
        rows = <int64_t>(TILE_MULTIPLICATIONS / self.engine.multiplications())
        return max(LEAST_TILE_ROWS, min(MOST_TILE_ROWS, rows))

    cdef int64_t block_rows(self, int64_t units):
        """How many rows of a W of that many columns are a block."""
        if units > NARROW_UNITS:
            return MOST_BLOCK_ROWS
        rows = <int64_t>(BLOCK_MULTIPLICATIONS / (<double>units * self.batch_size))
        return max(LEAST_BLOCK_ROWS, min(MOST_BLOCK_ROWS, rows))

    cdef void **addresses(self, list arrays) except NULL:
        """The addresses of arrays, NULL for None, in memory that ends with the trainer."""
        cdef void **result = <void **>calloc(max(1, len(arrays)), sizeof(void *))
        cdef int64_t i
        if result == NULL:
            raise MemoryError
        self.keep.append(arrays)
        for i, array in enumerate(arrays):
            if array is not None:
                result[i] = address_of(array)
        return result

    def __dealloc__(self):
        free(self.step.blocks)
        free(self.step.w)
        free(self.step.gradient)
        free(self.step.slots)
        free(self.step.scratch)
        free(self.step.block_gradient)

    def begin_epoch(self, bint check_finite):
        """Start the epoch's sums anew; with check_finite, look at every row of x: NonFiniteRow for a NaN."""
        self.step.check_finite = check_finite
        self.total_loss = 0
        self.total_weight = 0

    def run(
        self, const int64_t[::1] order, int64_t first_step, int64_t t, double learning_rate, predictions,
        double seconds
    ):
        """Take steps of an epoch, until it ends or the time is up.

        Parameters
        ----------
        order : int64 array
            The rows of the epoch, in their order.
        first_step : int
            The step of the epoch to begin with, from 0.
        t : int
            The number of that step in the whole training, from 1.
        learning_rate : float
        predictions : array of shape (n, outputs), or None
            Filled with what the network predicted for each row of `order` in its step.
        seconds : float
            After this time no further step is begun.

        Returns
        -------
        int
            How many steps were taken: at least one.
        """
        cdef Step *step = &self.step
        cdef int64_t n = order.shape[0]
        cdef int64_t n_steps = (n + self.batch_size - 1) // self.batch_size
        cdef int64_t done = 0
        cdef int status = 0
        cdef double until = cynn_seconds() + seconds
        cdef double loss = 0
        cdef bint is_float32 = self.engine.is_float32
        cdef bint python_optimizer = self.optimizer is not None and self.optimizer.is_python
        step.learning_rate = learning_rate
        step.predictions = NULL if predictions is None else address_of(predictions)
        self.team.begin()
        with nogil:
            while True:
                step.first_row = (first_step + done) * self.batch_size
                step.rows = min(self.batch_size, n - step.first_row)
                step.order = &order[step.first_row]
                step.ahead = n - step.first_row - step.rows
                step.are_fetched = done > 0 and step.fetched_rows == step.rows
                step.fetched_rows = min(step.ahead, self.most_fetched_rows)
                step.t = t + done
                if is_float32:
                    status = self.take_step[float](&loss, NULL)
                else:
                    status = self.take_step[double](&loss, NULL)
                if status == 0 and python_optimizer:
                    with gil:
                        status = self.python_optimizer_step()
                if status:
                    break
                done += 1
                self.steps += 1
                if first_step + done == n_steps or cynn_seconds() >= until:
                    break
        if status == 1:
            raise Diverged(first_step + done, loss)
        if status == 3:
            raise NonFiniteRow
        if status:
            self.raise_python_error()
        return done

    cdef int take_step(self, double *loss, floating *type_) noexcept nogil:
        """0; 1 when the loss is not finite, 2 when Python raised: the weights are then unchanged."""
        cdef Step *step = &self.step
        cdef int64_t i, n_tiles = (step.rows + step.tile - 1) // step.tile
        cdef int64_t n_parameters = 2 * step.plan.n_layers
        cdef double total_weight = 0
        cdef floating *weight = <floating *>step.weight
        for i in range(step.rows):
            total_weight += 1 if step.sample_weight == NULL else step.sample_weight[step.order[i]]
        for i in range(step.rows):
            if total_weight == 0:
                weight[i] = 0
            else:
                weight[i] = <floating>(
                    (1 if step.sample_weight == NULL else step.sample_weight[step.order[i]]) / total_weight
                )
        step.failed = 0
        step.nonfinite = 0
        self.team.run(tile_phase_f32 if floating is float else tile_phase_f64, step, n_tiles)
        if step.failed:
            return 2
        if step.nonfinite:
            return 3
        loss[0] = 0
        for i in range(n_tiles):
            loss[0] += step.tile_loss[i]
        if not isfinite(loss[0]):
            return 1
        self.total_loss += loss[0] * total_weight
        self.total_weight += total_weight
        if step.is_linear:
            step.optimizer.linear_step(
                step.optimizer_h, step.learning_rate, step.t, &step.alpha, &step.beta
            )
        self.team.run(block_phase_f32 if floating is float else block_phase_f64, step, self.n_blocks)
        if step.optimizer.struct_size and not step.in_block:
            self.team.run(
                parameter_phase_f32 if floating is float else parameter_phase_f64, step, n_parameters
            )
        return 0

    cdef int python_loss(self, int64_t rows, double *value) noexcept:
        try:
            prediction = self.workspace.a[-1][:rows]
            values, gradient = checked_loss(
                self.loss.component, prediction.copy(), self.batch_target[:rows].copy()
            )
            weight = self.batch_weight[:rows]
            value[0] = float(np.dot(np.asarray(values, np.float64), weight))
            self.workspace.delta[-1][:rows] = gradient * weight[:, None]
            return 0
        except BaseException as error:
            self.python_error = (self.loss.component, error)
            return -1

    cdef int python_optimizer_step(self) noexcept:
        """Steps on copies first: if one raises, no parameter has moved."""
        try:
            moved = []
            for w, grad, slots in zip(self.weights, self.gradients, self.slots, strict=True):
                if w is not None:
                    matrices = [array.reshape(-1, array.shape[-1]).copy() for array in (w, *slots)]
                    self.optimizer.component.step(
                        matrices[0], grad.reshape(matrices[0].shape), matrices[1:], self.step.learning_rate,
                        self.step.t
                    )
                    moved += zip((w, *slots), matrices, strict=True)
            for array, matrix in moved:
                array[...] = matrix.reshape(array.shape)
            return 0
        except BaseException as error:
            self.python_error = (self.optimizer.component, error)
            return 2

    cdef raise_python_error(self):
        if self.python_error is not None:
            (component, error), self.python_error = self.python_error, None
            raise_plugin_error(component, error)
        self.workspace.raise_error()
