"""Steps of training: what a step works on is laid out here, the step itself is in step.pyx."""

import numpy as np

from cynn import kernels
from cynn.kernel_objects import checked_loss, raise_plugin_error
from cynn.operations import Rule
from cynn.workspace import aligned_zeros

from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.math cimport isfinite, sqrt
from libc.stdint cimport int64_t, uint32_t
from libc.stdlib cimport calloc, free

from cynn.abi cimport CYNN_CLASS_INDEX, CYNN_ELEMENTWISE, CYNN_MOST_SLOTS, floating
from cynn.engine cimport Engine, RowMatrix
from cynn.kernel_objects cimport LossKernel, OptimizerKernel
from cynn.kernels.tables cimport (
    MAX_NORM,
    MOST_PARAMETERS,
    NON_NEGATIVE,
    UNIT_NORM,
    ConstraintKind,
    UpdateKernels,
)
from cynn.step cimport (
    Block,
    Head,
    Step,
    block_phase_f32,
    block_phase_f64,
    block_borders,
    constraint_phase_f32,
    constraint_phase_f64,
    cynn_seconds,
    plan_stages,
    squares_phase_f32,
    squares_phase_f64,
    stage_phase_f32,
    stage_phase_f64,
    update_phase_f32,
    update_phase_f64,
)
from cynn.team cimport Team
from cynn.workspace cimport Node, Workspace, address_of, aligned, update_states

# An operation with more multiplications a row, in a batch of so many rows, works on so many columns of the
# batch at a time: BLAS then packs its W once a step, and not once a tile.
cdef int64_t WIDE = 1 << 18
cdef int64_t LEAST_WIDE_ROWS = 64
cdef int64_t WIDE_PIECE = 256

cdef int64_t MOST_TILE_ROWS = 256
cdef int64_t LEAST_TILE_ROWS = 32
cdef double TILE_MULTIPLICATIONS = 3e5

# Of the next batch's rows so much is asked for in the course of the step: they are to find room in the L2 cache.
cdef int64_t MOST_FETCHED_BYTES = 1 << 19

# Columns, or rows, of a constrained parameter that are a piece.
cdef int64_t CONSTRAINED_AT_ONCE = 256

cdef int64_t MOST_STEPS = 1 << 62  # no limit

# Multiplications of a step below which a second thread costs more than it saves.
cdef double WORTH_A_TEAM = 2e6

cdef int call_python_loss(void *trainer, int64_t head, int64_t rows, double *value) noexcept with gil:
    return (<Trainer>trainer).python_loss(head, rows, value)


class Diverged(Exception):
    """The loss of a step was NaN or infinite; the weights are those before that step.

    Parameters
    ----------
    step : int
        The batch in its epoch, from 0.
    loss : float
        NaN or infinity.
    """

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
        That of the network, whose parameters are moved.
    x : array of shape (n, inputs) of uint8, float32 or float64
        The inputs.
    targets : list of tuple (values, classes)
        For each output of the engine: an array of shape (n, units) of uint8, float32 or float64, and an int64
        array of shape (n,); one of them is None.
    sample_weights : list of float64 array of shape (n,), or None
        For each output, how much each row counts.
    losses : list of LossKernel
        Of each output.
    loss_weights : list of float
        What each is multiplied by in the sum.
    optimizer : OptimizerKernel or None
        None: the gradients are computed, and left in `gradients`.
    slots : list of lists of arrays
        The optimizer's memory, for each place of `Engine.trained_parameters`.
    settings : UpdateSettings
        Clipping, accumulation and averages.
    batch_size : int
        Rows of a batch.
    n_threads : int
        That work together.

    Attributes
    ----------
    gradients : list of arrays
        Where an optimizer that needs whole gradients finds them, or who asks for them.
    steps : int
        Taken in all.
    batches : int
        Of this epoch that are done.
    epochs_done : int
        In the last `run_epochs`.
    sums : float64 array
        Over the batches of this epoch: rows, rows * penalty, and for each output weight * loss, as if its loss
        weight were 1, and weight.
    """

    cdef Step step
    cdef Engine engine
    cdef Workspace workspace
    cdef Team team
    cdef list losses
    cdef OptimizerKernel optimizer
    cdef RowMatrix x
    cdef list keep              # what the addresses in step belong to
    cdef list weights           # W and b of every layer in turn, b perhaps None
    cdef readonly list gradients
    cdef readonly list slots
    cdef list batch_targets, batch_weights   # of each output, as of all that follow
    cdef double[::1] own_sums
    cdef object python_error
    cdef object settings
    cdef double clip_norm, global_clip_norm
    cdef double *squares               # of each parameter's gradient, summed
    cdef bint is_elementwise
    cdef int64_t n_blocks, n_updated, n_constrained, n_parameters
    cdef int64_t batch_size, most_fetched_rows
    cdef int64_t n_added               # batches whose gradients wait for a step
    cdef readonly int64_t steps        # taken in all
    cdef readonly int64_t batches      # of this epoch that are done
    cdef readonly int64_t epochs_done  # in the last run_epochs

    def __cinit__(
        self, Engine engine, x, list targets, list sample_weights, list losses, list loss_weights,
        OptimizerKernel optimizer, list slots, settings, int64_t batch_size, int n_threads
    ):
        cdef Step *step = &self.step
        cdef bint python_loss = any(loss.is_python for loss in losses)
        cdef bint python_optimizer = optimizer is not None and optimizer.is_python
        self.engine, self.losses, self.optimizer, self.slots = engine, losses, optimizer, slots
        self.batch_size = batch_size
        self.keep = []
        self.x = RowMatrix(x)
        step.source = &engine.source
        step.x_source = &self.x.rows

        if optimizer is not None and not python_optimizer:
            step.optimizer = optimizer.functions
            step.optimizer_h = optimizer.h
            step.n_slots = optimizer.n_slots
            self.is_elementwise = (optimizer.functions.flags & CYNN_ELEMENTWISE) != 0
        self.settings = settings
        self.clip_norm, self.global_clip_norm = settings.clip_norm, settings.global_clip_norm
        step.clip_value, step.average_momentum = settings.clip_value, settings.average_momentum
        step.is_direct = (
            self.is_elementwise and settings.accumulation == 1 and settings.clip_norm == 0
            and settings.global_clip_norm == 0
        )
        rules = [rule for operation in engine.operations for rule in operation.rules]
        step.is_linear = (
            step.is_direct and step.optimizer.linear_step != NULL and settings.clip_value == 0
            and settings.average_momentum == 0 and all(rule.l1 == rule.l2 == 0 for rule in rules)
        )

        step.n_heads = len(engine.outputs)
        step.heads = <Head *>calloc(step.n_heads, sizeof(Head))
        if step.heads == NULL:
            raise MemoryError
        passed_over, values = set(), []
        for number, value in enumerate(engine.outputs):
            target, classes = targets[number]
            if self.set_head(
                number, losses[number], loss_weights[number], target, classes, sample_weights[number]
            ):
                passed_over.add(value)
                value = engine.operations[value - 1].inputs[0]
            values.append(value)
        self.workspace = engine.new_workspace(batch_size, True, values)
        step.nodes, step.n_nodes = self.workspace.nodes, self.workspace.n_nodes
        step.updates = <const UpdateKernels *>PyCapsule_GetPointer(
            kernels.updates.TABLE, "cynn.kernels.updates"
        )
        if step.x_source.column_stride > 0 and step.nodes[0].op.kernels.linear_step_f32 != NULL:
            row_bytes = step.x_source.columns * step.x_source.column_stride
            self.most_fetched_rows = min(batch_size, MOST_FETCHED_BYTES // row_bytes)
        step.tile = self.tile_rows(engine.has_python or python_loss)
        # Python methods take whole batches.
        if engine.has_python or python_loss or engine.multiplications() * batch_size < WORTH_A_TEAM:
            n_threads = 1
        step.pass_.training = True
        step.pass_.updates = optimizer is not None
        step.pass_.seed = engine.seed
        self.allocate(max(1, min(n_threads, 256)), values, passed_over)

    cdef bint set_head(
        self, int64_t number, LossKernel loss, double loss_weight, target, classes, sample_weight
    ) except -1:
        """The loss of an output; whether it is computed from what the last activation takes."""
        cdef Head *head = &self.step.heads[number]
        cdef const int64_t[::1] class_view
        cdef const double[::1] weight_view
        cdef RowMatrix rows
        activation = self.engine.activation_of(number)
        head.outputs = self.engine.operations[<int64_t>self.engine.outputs[number] - 1].units
        head.loss, head.loss_h = loss.functions, loss.h
        head.loss_weight = loss_weight
        head.fused = loss.fuses_behind(activation)
        head.one_hot = classes is not None and (
            loss.is_python or not loss.functions.flags & CYNN_CLASS_INDEX
        )
        if loss.is_python:
            head.python_loss = <void *>self
            head.number = number
            head.call_python_loss = call_python_loss
        if classes is not None:
            class_view = classes
            head.classes = &class_view[0]
            self.keep.append(classes)
        else:
            rows = RowMatrix(target)
            head.target_source = &rows.rows
            self.keep.append(rows)
        if sample_weight is not None:
            weight_view = sample_weight
            head.sample_weight = &weight_view[0]
            self.keep.append(sample_weight)
        return head.fused and activation is not None

    cdef int64_t tile_rows(self, bint whole_batch):
        """Rows of a tile; also decides which nodes work on columns of the whole batch."""
        cdef int64_t i
        cdef Node *node
        multiplications = 0
        for i, operation in enumerate(self.engine.operations):
            node = &self.step.nodes[i]
            if operation.column_piece:
                node.column_piece = operation.column_piece
                node.forward_by_columns = node.backward_by_columns = True
            elif operation.multiplications > WIDE and self.batch_size >= LEAST_WIDE_ROWS and not whole_batch:
                node.column_piece = WIDE_PIECE
                node.forward_by_columns = node.op.units >= 2 * WIDE_PIECE
                node.backward_by_columns = node.op.widths[0] >= 2 * WIDE_PIECE
            if not node.forward_by_columns:
                multiplications += operation.multiplications
        if whole_batch:
            return self.batch_size
        rows = <int64_t>(TILE_MULTIPLICATIONS / max(1, multiplications))
        return max(LEAST_TILE_ROWS, min(MOST_TILE_ROWS, rows))

    cdef allocate_head(self, int64_t number, int64_t loss_input):
        cdef Head *head = &self.step.heads[number]
        cdef int64_t batch = self.batch_size
        dtype, values = self.engine.dtype, self.workspace.values
        head.output = address_of(values[<int64_t>self.engine.outputs[number]])
        head.loss_input = address_of(values[loss_input])
        head.loss_gradient = address_of(self.workspace.loss_gradients[number])
        target, weight = aligned((batch, head.outputs), dtype), aligned((batch,), dtype)
        self.batch_targets.append(target)
        self.batch_weights.append(weight)
        head.target, head.weight = address_of(target), address_of(weight)
        classes, tile_loss = aligned((batch,), np.int64), aligned((batch // self.step.tile + 1,), np.float64)
        head.batch_classes, head.tile_loss = <int64_t *>address_of(classes), <double *>address_of(tile_loss)
        self.keep += [classes, tile_loss]

    cdef allocate(self, int n_threads, list loss_inputs, set passed_over):
        cdef Step *step = &self.step
        cdef int64_t i, j, scratch = 1
        cdef Node *node
        dtype = self.engine.dtype
        step.x = self.workspace.x
        self.batch_targets, self.batch_weights = [], []
        self.own_sums = np.zeros(2 + 2 * step.n_heads)
        for i, value in enumerate(loss_inputs):
            self.allocate_head(i, value)
        taken = {value for operation in self.engine.operations for value in operation.inputs}
        plan_stages(step, passed_over - taken - set(loss_inputs))

        self.weights = self.engine.trained_parameters()
        self.n_parameters = len(self.weights)
        step.w = self.addresses(self.weights)
        self.gradients = [
            None if step.is_direct or w is None else aligned_zeros(w.shape, dtype) for w in self.weights
        ]
        step.gradient = self.addresses(self.gradients)
        every_slot = []
        for of_one in self.slots or [[] for _ in self.weights]:
            every_slot += list(of_one) + [None] * (CYNN_MOST_SLOTS - len(of_one))
        step.slots = self.addresses(every_slot)

        blocks = []
        for i in range(step.n_nodes):
            node = &step.nodes[i]
            for j in range(MOST_PARAMETERS):
                if self.weights[MOST_PARAMETERS * i + j] is None:
                    continue
                rows, columns = node.op.parameter_rows[j], node.op.parameter_columns[j]
                borders = block_borders(rows, columns, self.batch_size)
                for begin, end in zip(borders, borders[1:]):
                    blocks.append((i, j, begin, end))
                    scratch = max(scratch, columns * (end - begin))
        blocks.sort(key=lambda block: block[1])  # the small ones at the end, where threads wait for the last
        self.n_blocks = len(blocks)
        step.blocks = self.as_blocks(blocks)
        whole = [
            (place // MOST_PARAMETERS, place % MOST_PARAMETERS, 0, w.shape[0] if w.ndim == 2 else 1)
            for place, w in enumerate(self.weights) if w is not None
        ]
        updated = blocks if self.is_elementwise else whole
        self.n_updated = len(updated)
        step.updated = self.as_blocks(updated)
        self.set_rules()
        step.averages = self.addresses(self.settings.averages or [None] * self.n_parameters)
        step.block_penalty = self.doubles([0.0] * self.n_blocks)
        step.block_squares = self.doubles([0.0] * self.n_blocks)
        self.squares = self.doubles([0.0] * self.n_parameters)

        self.team = Team(n_threads)
        step.block_gradient = self.addresses([aligned((scratch,), dtype) for _ in range(n_threads)])

    cdef Block *as_blocks(self, list described) except NULL:
        cdef Block *blocks = <Block *>calloc(max(1, len(described)), sizeof(Block))
        cdef int64_t i
        if blocks == NULL:
            raise MemoryError
        for i, (number, parameter, begin, end) in enumerate(described):
            blocks[i] = Block(
                &self.step.nodes[<int64_t>number], parameter, begin, end, MOST_PARAMETERS * number + parameter
            )
        return blocks

    cdef double *doubles(self, list values) except NULL:
        array = aligned((max(1, len(values)),), np.float64)
        array[: len(values)] = values
        self.keep.append(array)
        return <double *>address_of(array)

    cdef set_rules(self):
        """What holds for each parameter, and the pieces of those that are brought back to something."""
        cdef Step *step = &self.step
        cdef int64_t place
        kinds = {"none": 0, "max_norm": MAX_NORM, "unit_norm": UNIT_NORM, "non_negative": NON_NEGATIVE}
        rules = []
        for operation in self.engine.operations:
            rules += list(operation.rules) + [Rule()] * (MOST_PARAMETERS - len(operation.rules))
        step.l1 = self.doubles([rule.l1 for rule in rules])
        step.l2 = self.doubles([rule.l2 for rule in rules])
        step.factor = self.doubles([1.0] * self.n_parameters)
        step.constraint_value = self.doubles([rule.value for rule in rules])
        step.constraint = <ConstraintKind *>calloc(self.n_parameters, sizeof(ConstraintKind))
        step.constrains_rows = <bint *>calloc(self.n_parameters, sizeof(bint))
        if step.constraint == NULL or step.constrains_rows == NULL:
            raise MemoryError
        pieces = []
        for place, rule in enumerate(rules):
            step.constraint[place] = kinds[rule.constraint]
            step.constrains_rows[place] = rule.of_rows
            if rule.constraint != "none" and self.weights[place] is not None:
                number, parameter = place // MOST_PARAMETERS, place % MOST_PARAMETERS
                n = self.weights[place].shape[0 if rule.of_rows else -1]
                pieces += [
                    (number, parameter, begin, min(begin + CONSTRAINED_AT_ONCE, n))
                    for begin in range(0, n, CONSTRAINED_AT_ONCE)
                ]
        self.n_constrained = len(pieces)
        step.constrained = self.as_blocks(pieces)

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
        free(self.step.heads)
        free(self.step.instructions)
        free(self.step.stages)
        free(self.step.blocks)
        free(self.step.updated)
        free(self.step.constrained)
        free(self.step.constraint)
        free(self.step.constrains_rows)
        free(self.step.averages)
        free(self.step.w)
        free(self.step.gradient)
        free(self.step.slots)
        free(self.step.block_gradient)

    def begin_epoch(
        self, bint check_finite, int64_t epoch, int64_t batches=0, const double[::1] sums=None
    ):
        """Begin an epoch, or go on with one.

        Parameters
        ----------
        check_finite : bool
            Whether to look at every row of x: NonFiniteRow for a NaN or an infinity.
        epoch, batches : int
            The number of the epoch, and of its batches that are done: random numbers depend on these.
        sums : float64 array, optional
            The `sums` over those batches.
        """
        self.step.check_finite = check_finite
        self.step.pass_.epoch = <uint32_t>epoch
        self.batches = batches
        self.own_sums[:] = 0
        if sums is not None:
            self.own_sums[:] = sums

    @property
    def sums(self):
        return np.array(self.own_sums)

    def run(
        self, const int64_t[::1] order, int64_t first_batch, int64_t t, const double[::1] learning_rates,
        predictions, double seconds, int64_t most_steps=MOST_STEPS
    ):
        """Train on batches of an epoch, until it ends, the time is up or so many steps are taken.

        Parameters
        ----------
        order : int64 array
            The rows of the epoch, in their order.
        first_batch : int
            The batch of the epoch to begin with, from 0.
        t : int
            The number of its step in the whole training, from 1.
        learning_rates : float64 array
            Of every step of the epoch: the last batch ends a step, however many were to make one.
        predictions : list of arrays of shape (n, units), or None
            Filled with what the network predicted for each row of `order` in its step, for each output.
        seconds : float
            After this time no further step is begun.
        most_steps : int
            Nor after so many.

        Returns
        -------
        int
            How many batches were trained on: those of one step at least.
        """
        cdef Step *step = &self.step
        cdef int64_t n = order.shape[0]
        cdef int64_t n_batches = (n + self.batch_size - 1) // self.batch_size
        cdef int64_t accumulation = self.settings.accumulation
        cdef int64_t i, batch = first_batch, steps_before = self.steps
        cdef int status = 0
        cdef bint ends_step
        cdef double until = cynn_seconds() + seconds
        cdef double loss = 0
        cdef bint is_float32 = self.engine.is_float32
        cdef bint python_optimizer = self.optimizer is not None and self.optimizer.is_python
        if learning_rates.shape[0] < (n_batches + accumulation - 1) // accumulation:
            raise ValueError("there must be a learning rate for every step of the epoch")
        step.predicts = predictions is not None
        for i in range(step.n_heads):
            step.heads[i].predictions = address_of(predictions[i]) if step.predicts else NULL
        step.fetched_rows = 0
        self.n_added = 0
        self.team.begin()
        with nogil:
            while True:
                step.first_row = batch * self.batch_size
                step.pass_.rows = min(self.batch_size, n - step.first_row)
                step.pass_.step = <uint32_t>self.batches
                step.order = &order[step.first_row]
                step.ahead = n - step.first_row - step.pass_.rows
                step.are_fetched = step.fetched_rows == step.pass_.rows
                step.fetched_rows = min(step.ahead, self.most_fetched_rows)
                step.learning_rate = learning_rates[batch // accumulation]
                step.t = t + self.steps - steps_before
                ends_step = batch + 1 == n_batches or (batch + 1) % accumulation == 0
                if is_float32:
                    status = self.train_on_batch[float](ends_step, &loss, NULL)
                else:
                    status = self.train_on_batch[double](ends_step, &loss, NULL)
                if status == 0 and python_optimizer and ends_step:
                    with gil:
                        status = self.python_optimizer_step()
                if status == 0 and ends_step:
                    if step.pass_.updates:
                        self.team.run(
                            constraint_phase_f32 if is_float32 else constraint_phase_f64, step, self.n_constrained
                        )
                    self.steps += 1
                if status:
                    break
                batch += 1
                self.batches += 1
                if batch == n_batches:
                    break
                if ends_step and (self.steps - steps_before >= most_steps or cynn_seconds() >= until):
                    break
        if status == 1:
            raise Diverged(batch, loss)
        if status == 3:
            raise NonFiniteRow
        if status:
            self.raise_python_error()
        return batch - first_batch

    def run_epochs(
        self, order_of, int64_t first_epoch, int64_t t, const double[::1] learning_rates, double[:, ::1] figures,
        double seconds
    ):
        """Train for whole epochs that are short, until the time is up, with nothing in between.

        Parameters
        ----------
        order_of : function
            The rows of an epoch of that number, in their order, as an int64 array.
        first_epoch : int
            Its number.
        t : int
            As for `run`.
        learning_rates : float64 array
            As for `run`; those of every epoch.
        figures : float64 array of shape (epochs, len(sums) + 1)
            Filled with the sums and the seconds of each; `epochs_done` says of how many.
        seconds : float
            After this time no further epoch is begun.
        """
        cdef double begin, now = cynn_seconds()
        cdef double until = now + seconds
        cdef int64_t steps_before = self.steps, n_sums = self.own_sums.shape[0], i
        self.epochs_done = 0
        while self.epochs_done < figures.shape[0]:
            begin = now
            self.begin_epoch(False, first_epoch + self.epochs_done)
            self.run(
                order_of(first_epoch + self.epochs_done), 0, t + self.steps - steps_before, learning_rates, None, 1e9
            )
            now = cynn_seconds()
            for i in range(n_sums):
                figures[self.epochs_done, i] = self.own_sums[i]
            figures[self.epochs_done, n_sums] = now - begin
            self.epochs_done += 1
            if now >= until:
                break

    cdef int train_on_batch(self, bint ends_step, double *loss, floating *type_) noexcept nogil:
        """0; else the weights are unchanged: 1 when the loss is not finite, 2 when Python raised, 3 when
        x is not finite.
        """
        cdef Step *step = &self.step
        cdef int64_t i, n_pieces
        cdef int64_t n_tiles = (step.pass_.rows + step.tile - 1) // step.tile
        cdef int64_t j
        cdef double of_output, penalty = 0
        cdef Head *head
        for j in range(step.n_heads):
            self.weigh_rows(&step.heads[j], <floating *>step.heads[j].weight)
        step.failed = 0
        step.nonfinite = 0
        for i in range(step.n_stages):
            step.stage = &step.stages[i]
            n_pieces = n_tiles
            if step.stage.by_columns:
                n_pieces = (step.stage.columns + step.stage.column_piece - 1) // step.stage.column_piece
            self.team.run(stage_phase_f32 if floating is float else stage_phase_f64, step, n_pieces)
            if step.failed:
                return 2
            if step.nonfinite:
                return 3
        loss[0] = 0
        for j in range(step.n_heads):
            head = &step.heads[j]
            of_output = 0
            for i in range(n_tiles):
                of_output += head.tile_loss[i]
            loss[0] += of_output
            self.own_sums[2 + 2 * j] += of_output / head.loss_weight * head.total_weight
            self.own_sums[3 + 2 * j] += head.total_weight
        if not isfinite(loss[0]):
            return 1
        if step.is_linear:
            step.optimizer.linear_step(
                step.optimizer_h, step.learning_rate, step.t, &step.alpha, &step.beta
            )
        step.is_added = self.n_added > 0
        self.team.run(block_phase_f32 if floating is float else block_phase_f64, step, self.n_blocks)
        for i in range(self.n_blocks):
            penalty += step.block_penalty[i]
        if not step.is_direct and self.optimizer is not None:
            self.n_added += 1
            if ends_step:
                if not self.find_factors(type_):
                    return 1
                self.team.run(update_phase_f32 if floating is float else update_phase_f64, step, self.n_updated)
                self.n_added = 0
        for i in range(step.n_nodes if step.pass_.updates else 0):
            update_states(&step.nodes[i], &step.pass_, type_)
        self.own_sums[0] += step.pass_.rows
        self.own_sums[1] += step.pass_.rows * penalty
        return 0

    cdef void weigh_rows(self, Head *head, floating *weight) noexcept nogil:
        """The weights of the batch's rows for an output, so that they sum to its loss_weight."""
        cdef Step *step = &self.step
        cdef int64_t i
        cdef double total = 0
        cdef floating equal = <floating>(head.loss_weight / step.pass_.rows)
        if head.sample_weight == NULL:
            for i in range(step.pass_.rows):
                weight[i] = equal
            head.total_weight = step.pass_.rows
            return
        for i in range(step.pass_.rows):
            total += head.sample_weight[step.order[i]]
        for i in range(step.pass_.rows):
            weight[i] = 0 if total == 0 else <floating>(head.loss_weight * head.sample_weight[step.order[i]] / total)
        head.total_weight = total

    cdef bint find_factors(self, floating *type_) noexcept nogil:
        """What each gradient is multiplied by before the step; False where a norm to be clipped is not finite."""
        cdef Step *step = &self.step
        cdef double mean = 1.0 / self.n_added, total = 0, norm
        cdef int64_t i, place
        for place in range(self.n_parameters):
            step.factor[place] = mean
        if self.clip_norm == 0 and self.global_clip_norm == 0:
            return True
        self.team.run(squares_phase_f32 if floating is float else squares_phase_f64, step, self.n_blocks)
        for place in range(self.n_parameters):
            self.squares[place] = 0
        for i in range(self.n_blocks):
            self.squares[step.blocks[i].place] += step.block_squares[i]
        for place in range(self.n_parameters):
            norm = mean * sqrt(self.squares[place])
            if not isfinite(norm):
                return False
            if self.clip_norm > 0 and norm > self.clip_norm:
                step.factor[place] *= self.clip_norm / norm
                norm = self.clip_norm
            total += norm * norm
        norm = sqrt(total)
        if self.global_clip_norm > 0 and norm > self.global_clip_norm:
            for place in range(self.n_parameters):
                step.factor[place] *= self.global_clip_norm / norm
        return True

    cdef int python_loss(self, int64_t head, int64_t rows, double *value) noexcept:
        component = self.losses[head].component
        try:
            prediction = self.workspace.values[<int64_t>self.engine.outputs[head]][:rows]
            values, gradient = checked_loss(component, prediction.copy(), self.batch_targets[head][:rows].copy())
            weight = self.batch_weights[head][:rows]
            value[0] = float(np.dot(np.asarray(values, np.float64), weight))
            self.workspace.loss_gradients[head][:rows] = gradient * weight[:, None]
            return 0
        except BaseException as error:
            self.python_error = (component, error)
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
            momentum = self.settings.average_momentum
            for w, mean in zip(self.weights, self.settings.averages, strict=False):
                if momentum and w is not None:
                    mean[...] = momentum * mean + (1 - momentum) * w
            return 0
        except BaseException as error:
            self.python_error = (self.optimizer.component, error)
            return 2

    cdef raise_python_error(self):
        if self.python_error is not None:
            (component, error), self.python_error = self.python_error, None
            raise_plugin_error(component, error)
        self.workspace.raise_error()
