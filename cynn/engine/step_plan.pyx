"""The plan of a training step: buffers, pieces of work, and the addresses of the parameters."""

import numpy as np

from cynn.engine.workspace import aligned_zeros

from libc.stdint cimport int64_t
from libc.stdlib cimport free

from cynn.abi cimport (
    CYNN_CLASS_INDEX,
    CYNN_DIVISIBLE,
    CYNN_ELEMENTWISE,
    CYNN_PREFETCHES,
    cynn_operands,
    cynn_pass,
)
from cynn.engine.curvature_step cimport CurvatureStep
from cynn.engine.derivative_step cimport DerivativeStep
from cynn.engine.engine cimport Engine
from cynn.engine.loss_kernel cimport LossKernel
from cynn.engine.optimizer_kernel cimport OptimizerKernel
from cynn.kernels.tables cimport MAX_NORM, NON_NEGATIVE, UNCONSTRAINED, UNIT_NORM
from cynn.engine.row_matrix cimport RowMatrix
from cynn.engine.step cimport Block, Blocks, Head, Parameter, Part, Step, Updates, block_borders, plan_stages
from cynn.engine.tangent_step cimport run_tangents
from cynn.engine.thread_team cimport MAX_THREADS, Team
from cynn.engine.workspace cimport Node, address_of, zeroed

# An operation with more than WIDE multiplications per row computes WIDE_PIECE columns of the whole batch at a time, if
# the batch has enough rows and the operation enough columns: W is then packed once per step instead of once per tile.
# 1,024 columns are 8 pieces, so that 8 threads have work.
cdef int64_t WIDE = 1 << 18
cdef int64_t MIN_WIDE_ROWS = 64
cdef int64_t MIN_WIDE_COLUMNS = 512
cdef int64_t WIDE_PIECE = 128

# With at least this many inputs, the first layer is a sum over two or more parts of the inputs. A thread then uses the
# same columns of x and the same rows of W in every step, and finds them in its own cache.
cdef int64_t MIN_DIVIDED_INPUTS = 256
cdef int64_t INPUTS_OF_A_PART = 512

cdef int64_t MAX_TILE_ROWS = 256
cdef int64_t MIN_TILE_ROWS = 32
cdef double TILE_MULTIPLICATIONS = 3e5

# The most bytes of the next tile's rows that are prefetched during a tile: they must fit in the L2 cache.
cdef int64_t MAX_PREFETCHED_BYTES = 1 << 19

# The number of columns, or rows, of a constrained parameter per piece.
cdef int64_t CONSTRAINED_AT_ONCE = 256

# With fewer multiplications in a step, a second thread costs more than it saves.
cdef double MIN_TEAM_MULTIPLICATIONS = 3e6


cdef class StepPlan:
    """All data that a training step of a Trainer needs. Its parameters are those of Trainer."""

    def __cinit__(
        self, Engine engine, x, list targets, list sample_weights, row_weight, list losses, list loss_weights,
        OptimizerKernel optimizer, list slots, settings, int64_t batch_size, int n_threads, bint training,
        bint by_inputs, derivatives, list direction
    ):
        cdef Step *step = &self.step
        cdef bint has_python_loss = any(loss.is_python for loss in losses)
        cdef list values
        cdef set skipped
        self.engine, self.losses, self.optimizer = engine, losses, optimizer
        self.slots, self.averages = slots, settings.averages
        self.batch_size = batch_size
        self.keep = []
        step.copies = 1
        self.set_data(x, row_weight)
        self.set_updates(settings)
        self.set_hyperparameters(settings)
        values, skipped = self.set_heads(targets, sample_weights, loss_weights)
        self.values_of_losses = [*engine.outputs, *values]
        if derivatives is None and direction is None:
            self.workspace = engine.new_workspace(batch_size, training, values, by_inputs)
        else:
            self.set_tangents(derivatives, direction, values)
        self.set_scheduled(settings)
        step.nodes, step.n_nodes = self.workspace.nodes, self.workspace.n_nodes
        step.input = &self.workspace.input if by_inputs else NULL
        step.pass_.struct_size = sizeof(cynn_pass)
        step.pass_.training = training
        step.pass_.updates = optimizer is not None
        step.pass_.seed = engine.seed
        step.schedule.tile = self.tile_rows(self.tangents is not None and (engine.has_python or has_python_loss))
        step.schedule.n_parts = 1
        self.is_worth_a_team = engine.multiplications() * batch_size * step.copies >= MIN_TEAM_MULTIPLICATIONS
        if not self.is_worth_a_team:
            n_threads = 1
        elif not by_inputs and self.tangents is None and self.is_divided():
            step.schedule.n_parts = max(2, engine.source.inputs // INPUTS_OF_A_PART)
        self.team = Team(max(1, min(n_threads, MAX_THREADS)))
        self.allocate_heads(values)
        self.divide_inputs()
        used = {value for operation in engine.operations for value in operation.inputs}
        only_predicted = skipped - used - set(values if self.tangents is None else self.tangents.entries)
        plan_stages(step, only_predicted, has_python_loss)
        self.plan_prefetching()
        self.set_parameters(settings)
        self.set_rules(settings)
        self.plan_blocks()
        self.plan_constraints()

    cdef set_data(self, x, row_weight):
        cdef Step *step = &self.step
        cdef const double[::1] row_weight_view
        self.x = RowMatrix(x)
        step.source = &self.engine.source
        step.dtype = self.engine.source.dtype
        step.x = &self.x.rows
        step.batch.row_weight = self.doubles([0.0] * self.batch_size)
        if row_weight is not None:
            row_weight_view = row_weight
            step.row_weight = &row_weight_view[0]
            self.keep.append(row_weight)

    cdef set_updates(self, settings):
        """Set how gradients are changed, and choose the fastest form of the step."""
        cdef Updates *updates = &self.step.updates
        if self.optimizer is not None and not self.optimizer.is_python:
            updates.optimizer = self.optimizer.functions
            updates.is_elementwise = (self.optimizer.functions.flags & CYNN_ELEMENTWISE) != 0
        self.accumulation = settings.accumulation
        updates.clip_value, updates.average_momentum = settings.clip_value, settings.average_momentum
        updates.clip_norm, updates.global_clip_norm = settings.clip_norm, settings.global_clip_norm
        updates.is_direct = (
            updates.is_elementwise and settings.accumulation == 1 and settings.clip_norm == 0
            and settings.global_clip_norm == 0 and not settings.keeps_gradients
        )
        rules = [rule for operation in self.engine.operations for rule in operation.rules]
        updates.is_linear = (
            updates.is_direct and updates.optimizer.linear_step != NULL and settings.clip_value == 0
            and not settings.averages and all(rule.l1 == rule.l2 == 0 for rule in rules)
        )

    cdef set_hyperparameters(self, settings):
        """Copy the optimizer's hyperparameters, since a schedule may change its weight decay."""
        if self.optimizer is None:
            return
        self.decay_place, self.is_decay_scheduled = settings.decay_place, settings.is_decay_scheduled
        values = list(self.optimizer.values)
        self.h = self.doubles(values)
        if settings.decay_place is not None:
            values[settings.decay_place] = 0.0
        self.undecayed_h = self.doubles(values)

    cdef tuple python_optimizers(self):
        """The Python optimizers for parameters with and without weight decay."""
        optimizer = self.optimizer.component
        if self.decay_place is None:
            return optimizer, optimizer
        decayed = optimizer
        if self.is_decay_scheduled:
            decayed = optimizer.with_weight_decay(self.h[<int64_t>self.decay_place])
        return decayed, optimizer.with_weight_decay(0.0)

    cdef set_scheduled(self, settings):
        """Find the addresses of what changes from step to step: weight decay, then hyperparameters of operations."""
        cdef Workspace workspace = self.workspace
        cdef int64_t i, j, n
        operations = [operation for operation in self.engine.operations if operation.schedule is not None]
        n = settings.is_decay_scheduled + sum(len(operation.hyperparameters) for operation in operations)
        self.scheduled = <double **>self.zeros(n, sizeof(double *))
        if settings.is_decay_scheduled:
            self.scheduled[0] = &self.h[<int64_t>settings.decay_place]
            self.n_scheduled = 1
        for i, operation in enumerate(self.engine.operations):
            for j in range(len(operation.hyperparameters) if operation.schedule is not None else 0):
                self.scheduled[self.n_scheduled] = <double *>&workspace.nodes[i].op.h[j]
                self.n_scheduled += 1

    cdef set_tangents(self, derivatives, list direction, list values):
        """Set up the passes of directional derivatives, for losses that use these values."""
        cdef Step *step = &self.step
        if derivatives is not None:
            self.tangents = DerivativeStep(self.engine, derivatives, values, self.batch_size)
            self.sums = np.zeros(2 + 2 * step.n_heads)
        else:
            self.tangents = CurvatureStep(self.engine, direction, values, self.batch_size)
        self.workspace = self.tangents.base.workspace
        step.tangents, step.differentiate, step.copies = <void *>self.tangents, run_tangents, self.tangents.copies
        step.updates.is_linear = False

    cdef tuple set_heads(self, list targets, list sample_weights, list loss_weights):
        """Set up the losses. Returns the values that they use, and the outputs of activations that they skip."""
        self.step.n_heads = len(self.engine.outputs)
        self.step.heads = <Head *>self.zeros(self.step.n_heads, sizeof(Head))
        self.sums = np.zeros(2 + self.step.n_heads)
        skipped, values = set(), []
        for number, value in enumerate(self.engine.outputs):
            target, classes = targets[number]
            if self.set_head(
                number, self.losses[number], loss_weights[number], target, classes, sample_weights[number]
            ):
                skipped.add(value)
                value = self.engine.operations[value - 1].inputs[0]
            values.append(value)
        return values, skipped

    cdef bint set_head(
        self, int64_t number, LossKernel loss, double loss_weight, target, classes, sample_weight
    ) except -1:
        """Set up the loss of an output. Returns whether it is computed from z, and skips the last activation."""
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
        """The number of rows of a tile. Also decides which nodes compute columns of the whole batch.

        With `whole_batch`, there is one tile: all passes along tangents follow each other in it, and methods in Python
        take whole batches.
        """
        cdef int64_t i, copies = self.step.copies
        cdef Node *node
        multiplications = 0
        for i, operation in enumerate(self.engine.operations):
            node = &self.step.nodes[i]
            if self.tangents is not None:
                pass  # a tile goes through all passes at once
            elif operation.column_piece and self.step.pass_.training:
                node.column_piece = operation.column_piece
                node.forward_by_columns = node.backward_by_columns = True
            elif operation.multiplications > WIDE and self.batch_size >= MIN_WIDE_ROWS:
                node.column_piece = WIDE_PIECE
                node.forward_by_columns = (
                    self.step.dtype.has_forward_columns(node.operation) and node.op.units >= MIN_WIDE_COLUMNS
                )
                node.backward_by_columns = (
                    self.step.dtype.has_backward_columns(node.operation)
                    and node.op.widths[0] >= MIN_WIDE_COLUMNS
                )
            if not node.forward_by_columns:
                multiplications += operation.multiplications
        if whole_batch:
            return self.batch_size
        rows = <int64_t>(TILE_MULTIPLICATIONS / max(1, multiplications * copies))
        return max(1, MIN_TILE_ROWS // copies, min(MAX_TILE_ROWS, rows))

    cdef allocate_heads(self, list values):
        self.batch_targets, self.batch_weights, self.tile_losses = [], [], []
        for number, value in enumerate(values):
            self.allocate_head(number, value)

    cdef allocate_head(self, int64_t number, int64_t loss_input):
        cdef Head *head = &self.step.heads[number]
        cdef int64_t batch = self.batch_size
        dtype, values = self.engine.dtype, self.workspace.values
        head.output = address_of(values[<int64_t>self.engine.outputs[number]])
        head.loss_input = address_of(values[loss_input])
        head.loss_gradient = address_of(self.workspace.loss_gradients[number])
        target = self.workspace.allocate((batch, head.outputs), dtype)
        weight = self.workspace.allocate((batch,), dtype)
        self.batch_targets.append(target)
        self.batch_weights.append(weight)
        head.target, head.weight = address_of(target), address_of(weight)
        classes = self.workspace.allocate((batch,), np.int64)
        tile_loss = self.workspace.allocate((batch // self.step.schedule.tile + 1,), np.float64)
        head.batch_classes, head.tile_loss = <int64_t *>address_of(classes), <double *>address_of(tile_loss)
        self.tile_losses.append(tile_loss)
        self.keep.append(classes)

    cdef bint is_divided(self):
        """Whether the first node is a sum over parts of the inputs."""
        cdef Node *first = &self.step.nodes[0]
        return (
            first.operation.flags & CYNN_DIVISIBLE and not first.forward_by_columns and self.workspace.n_x_fields == 1
            and self.engine.source.inputs >= MIN_DIVIDED_INPUTS
        )

    cdef const Part *part_of(self, int64_t row):
        """The part of the inputs for a row of the first parameter."""
        cdef int64_t i = 0
        while i + 1 < self.step.schedule.n_parts and self.step.schedule.parts[i].last <= row:
            i += 1
        return &self.step.schedule.parts[i]

    cdef divide_inputs(self):
        """Set up the parts of the inputs, each as an operation if there are several."""
        cdef Step *step = &self.step
        cdef int64_t i, inputs = self.engine.source.inputs, units = step.nodes.op.units
        cdef Part *part
        parameters = self.engine.operations[0].parameters
        dtype = self.engine.dtype
        borders = [0, inputs]
        if step.schedule.n_parts > 1:
            blocks = block_borders(inputs, units, self.batch_size, step.schedule.n_parts)
            borders = blocks[:: (len(blocks) - 1) // step.schedule.n_parts]
        self.part_arrays = []
        step.schedule.parts = <Part *>self.zeros(step.schedule.n_parts, sizeof(Part))
        for i in range(step.schedule.n_parts):
            part = &step.schedule.parts[i]
            part.first, part.last = borders[i], borders[i + 1]
            part.op = step.nodes.op
            if step.schedule.n_parts == 1:
                break
            part.width = part.last - part.first
            own = [parameters[0][part.first : part.last], *(parameters[1:] if i == 0 else [None] * len(parameters[1:]))]
            self.workspace.set_parameters(&part.op, own)
            part.op.widths, part.op.x = &part.width, <const void *const *>&part.x
            x = self.workspace.allocate((self.batch_size, part.width), dtype)
            part.x = address_of(x)
            out = self.workspace.values[step.nodes.value]
            if i > 0:
                out = self.workspace.allocate((self.batch_size, units), dtype)
                part.op.out = address_of(out)
            self.part_arrays.append((x, out))

    cdef plan_prefetching(self):
        cdef Step *step = &self.step
        row_bytes = step.x.columns * step.x.column_stride
        if row_bytes > 0 and step.nodes.operation.flags & CYNN_PREFETCHES and not step.nodes.forward_by_columns:
            step.prefetching.max_rows = min(
                self.batch_size, step.schedule.stages.piece_size, MAX_PREFETCHED_BYTES // row_bytes
            )

    cdef set_parameters(self, settings):
        """Set up the addresses of each parameter, its gradient, its slots and its average."""
        cdef Step *step = &self.step
        cdef int64_t place, i
        cdef Parameter *parameter
        self.weights = self.engine.trained_parameters()
        self.gradients = [
            None if step.updates.is_direct or w is None else aligned_zeros(w.shape, self.engine.dtype)
            for w in self.weights
        ]
        step.n_parameters = len(self.weights)
        step.parameters = <Parameter *>self.zeros(step.n_parameters, sizeof(Parameter))
        slots = self.slots or [[]] * step.n_parameters
        averages = self.averages or [None] * step.n_parameters
        self.keep += [slots, averages]
        for place, w in enumerate(self.weights):
            parameter = &step.parameters[place]
            parameter.factor = parameter.learning_rate_factor = 1
            parameter.h = self.h
            if w is None:
                continue
            if w.ndim == 1 and not settings.decays_biases:
                parameter.h = self.undecayed_h
            for array in [*slots[place], averages[place]]:
                if array is not None and (array.shape, array.dtype) != (w.shape, w.dtype):
                    raise ValueError(
                        "the memory of an optimizer must have the shapes and the dtype of the parameters"
                    )
            parameter.w = address_of(w)
            if self.gradients[place] is not None:
                parameter.gradient = address_of(self.gradients[place])
            if averages[place] is not None:
                parameter.average = address_of(averages[place])
            for i, slot in enumerate(slots[place]):
                parameter.slots[i] = address_of(slot)

    cdef set_rules(self, settings):
        """Set the penalty, the constraint and the other rules of each parameter."""
        cdef int64_t place
        cdef Parameter *parameter
        kinds = {"none": UNCONSTRAINED, "max_norm": MAX_NORM, "unit_norm": UNIT_NORM, "non_negative": NON_NEGATIVE}
        for i, operation in enumerate(self.engine.operations):
            for j, rule in enumerate(operation.rules):
                place = self.engine.places[i] + j
                parameter = &self.step.parameters[place]
                if settings.regularizes:
                    parameter.l1, parameter.l2 = rule.l1, rule.l2
                parameter.constraint, parameter.constraint_value = kinds[rule.constraint], rule.value
                parameter.constrains_rows = rule.of_rows
                parameter.learning_rate_factor = rule.learning_rate_factor
                if not rule.decays:
                    parameter.h = self.undecayed_h

    cdef plan_blocks(self):
        """Set up the pieces of the second phase, and those of an optimizer that needs whole parameters."""
        cdef Step *step = &self.step
        cdef Blocks *blocks = &step.blocks
        cdef int64_t i, j, scratch = 1
        cdef const cynn_operands *op
        cdef const Part *part
        planned, whole = [], []
        for i in range(step.n_nodes):
            op = &step.nodes[i].op
            for j in range(op.n_parameters):
                if self.weights[self.engine.places[i] + j] is None:
                    continue
                rows, columns = op.parameter_rows[j], op.parameter_columns[j]
                whole.append((i, j, 0, rows))
                borders = block_borders(
                    rows, columns, self.batch_size, step.schedule.n_parts if i == j == 0 else 1
                )
                for begin, end in zip(borders, borders[1:]):
                    planned.append(((begin + end) / (2 * rows), (i, j, begin, end)))
                    scratch = max(scratch, columns * (end - begin))
        # Sorted by their position in the parameter: a thread then has the same rows of W in every step.
        planned = [block for _, block in sorted(planned, key=lambda place_and_block: place_and_block[0])]
        blocks.n_blocks, blocks.blocks = len(planned), self.as_blocks(planned)
        for i in range(blocks.n_blocks):
            if blocks.blocks[i].parameter == step.parameters and self.tangents is None:
                part = self.part_of(blocks.blocks[i].begin)
                blocks.blocks[i].part, blocks.blocks[i].op = part, &part.op
        updated = planned if step.updates.is_elementwise else whole
        blocks.n_updated, blocks.updated = len(updated), self.as_blocks(updated)
        blocks.gradient = self.addresses(
            [self.workspace.allocate((scratch,), self.engine.dtype) for _ in range(self.team.state.n_threads)]
        )

    cdef plan_constraints(self):
        """Set up the pieces of the constrained parameters."""
        cdef Blocks *blocks = &self.step.blocks
        cdef int64_t i, j, place
        cdef const cynn_operands *op
        cdef const Parameter *parameter
        pieces = []
        for i in range(self.step.n_nodes):
            op = &self.step.nodes[i].op
            for j in range(op.n_parameters):
                place = self.engine.places[i] + j
                parameter = &self.step.parameters[place]
                if self.weights[place] is None or parameter.constraint == UNCONSTRAINED:
                    continue
                n = op.parameter_rows[j] if parameter.constrains_rows else op.parameter_columns[j]
                pieces += [
                    (i, j, begin, min(begin + CONSTRAINED_AT_ONCE, n)) for begin in range(0, n, CONSTRAINED_AT_ONCE)
                ]
        blocks.n_constrained, blocks.constrained = len(pieces), self.as_blocks(pieces)

    cdef Block *as_blocks(self, list planned) except NULL:
        """Make blocks of tuples (number of the node, number of its parameter, begin, end)."""
        cdef Block *blocks = <Block *>self.zeros(len(planned), sizeof(Block))
        cdef int64_t i, j, number
        for i, (number, j, begin, end) in enumerate(planned):
            blocks[i].operation, blocks[i].op = self.step.nodes[number].operation, &self.step.nodes[number].op
            if self.tangents is not None:
                blocks[i].op, blocks[i].tangents = self.tangents.op(number), self.tangents.tangents(number)
            blocks[i].number = j
            blocks[i].parameter = &self.step.parameters[<int64_t>self.engine.places[number] + j]
            blocks[i].begin, blocks[i].end = begin, end
        return blocks

    cdef double *doubles(self, list values) except NULL:
        cdef double *result = <double *>self.zeros(len(values), sizeof(double))
        cdef int64_t i
        for i in range(len(values)):
            result[i] = values[i]
        return result

    cdef void **addresses(self, list arrays) except NULL:
        cdef void **result = <void **>self.zeros(len(arrays), sizeof(void *))
        cdef int64_t i
        self.keep.append(arrays)
        for i, array in enumerate(arrays):
            result[i] = address_of(array)
        return result

    cdef void *zeros(self, int64_t n, size_t size) except NULL:
        """Allocate n structs, which are freed with the plan."""
        return zeroed(self.keep, max(1, n) * size)

    def __dealloc__(self):
        free(self.step.schedule.instructions)
        free(self.step.schedule.stages)
