"""What a step of training works on: buffers, pieces of work, and where each parameter lies."""

import numpy as np

from cynn.engine.operations import ParameterRule
from cynn.engine.workspace import aligned_zeros

from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free

from cynn.abi cimport CYNN_CLASS_INDEX, CYNN_ELEMENTWISE, CYNN_MAX_SLOTS
from cynn.engine.engine cimport Engine
from cynn.engine.loss_kernel cimport LossKernel
from cynn.engine.optimizer_kernel cimport OptimizerKernel
from cynn.kernels.tables cimport (
    MAX_NORM,
    MAX_PARAMETERS,
    NON_NEGATIVE,
    UNIT_NORM,
    ConstraintKind,
)
from cynn.engine.row_matrix cimport RowMatrix
from cynn.engine.step cimport Block, Head, Part, Step, block_borders, plan_stages
from cynn.engine.thread_team cimport MAX_THREADS, Team
from cynn.engine.workspace cimport Node, address_of, aligned

# An operation with more multiplications a row, in a batch of so many rows, works on so many columns of the
# batch at a time: BLAS then packs its W once per step, and not once per tile.
cdef int64_t WIDE = 1 << 18
cdef int64_t MIN_WIDE_ROWS = 64
cdef int64_t WIDE_PIECE = 256

# What so many inputs contribute to the first layer is summed up in parts, so that a thread meets the same
# columns of x and the same rows of W again in every step, and finds them in its own cache.
cdef int64_t MIN_DIVIDED_INPUTS = 256
cdef int64_t PARTS = 2

cdef int64_t MAX_TILE_ROWS = 256
cdef int64_t MIN_TILE_ROWS = 32
cdef double TILE_MULTIPLICATIONS = 3e5

# Of the next tile's rows so much is asked for while a tile is worked on: they are to find room in the L2 cache.
cdef int64_t MAX_PREFETCHED_BYTES = 1 << 19

# Columns, or rows, of a constrained parameter that are a piece.
cdef int64_t CONSTRAINED_AT_ONCE = 256

# Multiplications of a step below which a second thread costs more than it saves.
cdef double WORTH_A_TEAM = 3e6


cdef class StepMemory:
    """Lays out a step: what a Trainer, whose parameters these are, carries out."""

    def __cinit__(
        self, Engine engine, x, list targets, list sample_weights, row_weight, list losses, list loss_weights,
        OptimizerKernel optimizer, list slots, settings, int64_t batch_size, int n_threads
    ):
        cdef Step *step = &self.step
        cdef bint python_loss = any(loss.is_python for loss in losses)
        cdef bint python_optimizer = optimizer is not None and optimizer.is_python
        cdef const double[::1] row_weight_view
        self.engine, self.losses, self.optimizer, self.own_slots = engine, losses, optimizer, slots
        self.batch_size = batch_size
        self.keep = []
        self.x = RowMatrix(x)
        step.source = &engine.source
        step.dtype = engine.source.dtype
        step.x_source = &self.x.rows
        if row_weight is not None:
            row_weight_view = row_weight
            step.row_weight = &row_weight_view[0]
            self.keep.append(row_weight)

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
        step.tile = self.tile_rows(engine.has_python or python_loss)
        step.n_parts = 1
        # Python methods take whole batches.
        if engine.has_python or python_loss or engine.multiplications() * batch_size < WORTH_A_TEAM:
            n_threads = 1
        elif self.is_divided():
            step.n_parts = PARTS
        step.pass_.training = True
        step.pass_.updates = optimizer is not None
        step.pass_.seed = engine.seed
        self.allocate(max(1, min(n_threads, MAX_THREADS)), values, passed_over)

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
            elif operation.multiplications > WIDE and self.batch_size >= MIN_WIDE_ROWS and not whole_batch:
                node.column_piece = WIDE_PIECE
                node.forward_by_columns = node.op.units >= 2 * WIDE_PIECE
                node.backward_by_columns = node.op.widths[0] >= 2 * WIDE_PIECE
            if not node.forward_by_columns:
                multiplications += operation.multiplications
        if whole_batch:
            return self.batch_size
        rows = <int64_t>(TILE_MULTIPLICATIONS / max(1, multiplications))
        return max(MIN_TILE_ROWS, min(MAX_TILE_ROWS, rows))

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
        tile_loss = self.workspace.allocate((batch // self.step.tile + 1,), np.float64)
        head.batch_classes, head.tile_loss = <int64_t *>address_of(classes), <double *>address_of(tile_loss)
        self.keep += [classes, tile_loss]

    cdef bint is_divided(self):
        """Whether the first node works on parts of the inputs."""
        cdef Node *first = &self.step.nodes[0]
        return (
            first.op.kernels.is_divisible and not first.forward_by_columns and self.workspace.n_takes_x == 1
            and self.engine.source.inputs >= MIN_DIVIDED_INPUTS
        )

    cdef const Part *part_of(self, int64_t row):
        """The part of the inputs that a row of the first parameter belongs to."""
        cdef int64_t i = 0
        while i + 1 < self.step.n_parts and self.step.parts[i].last <= row:
            i += 1
        return &self.step.parts[i]

    cdef divide_inputs(self):
        """The parts of the inputs, as operations of their own where there are several."""
        cdef Step *step = &self.step
        cdef int64_t i, inputs = self.engine.source.inputs, units = step.nodes.op.units
        cdef Part *part
        dtype = self.engine.dtype
        borders = [0, inputs]
        if step.n_parts > 1:
            blocks = block_borders(inputs, units, self.batch_size, step.n_parts)
            borders = blocks[:: (len(blocks) - 1) // step.n_parts]
        step.parts = <Part *>calloc(step.n_parts, sizeof(Part))
        if step.parts == NULL:
            raise MemoryError
        for i in range(step.n_parts):
            part = &step.parts[i]
            part.first, part.last = borders[i], borders[i + 1]
            part.op = step.nodes.op
            if step.n_parts == 1:
                break
            part.width = part.last - part.first
            part.op.widths, part.op.x = &part.width, &part.x
            part.op.parameter_rows[0] = part.width
            part.op.parameters[0] = address_of(self.engine.operations[0].parameters[0][part.first :])
            x = self.workspace.allocate((self.batch_size, part.width), dtype)
            part.x = address_of(x)
            self.keep.append(x)
            if i > 0:
                out = self.workspace.allocate((self.batch_size, units), dtype)
                part.op.out = address_of(out)
                part.op.parameters[1] = NULL  # the first part has the bias
                self.keep.append(out)

    cdef allocate(self, int n_threads, list loss_inputs, set passed_over):
        cdef Step *step = &self.step
        cdef int64_t i, j, scratch = 1
        cdef Node *node
        dtype = self.engine.dtype
        self.batch_targets, self.batch_weights = [], []
        self.own_sums = np.zeros(2 + step.n_heads)
        step.batch_row_weight = self.doubles([0.0] * self.batch_size)
        for i, value in enumerate(loss_inputs):
            self.allocate_head(i, value)
        self.divide_inputs()
        taken = {value for operation in self.engine.operations for value in operation.inputs}
        plan_stages(step, passed_over - taken - set(loss_inputs))
        row_bytes = step.x_source.columns * step.x_source.column_stride
        if row_bytes > 0 and step.dtype.has_linear_step(&step.nodes.op) and not step.nodes.forward_by_columns:
            step.max_prefetched_rows = min(self.batch_size, step.stages.piece_size, MAX_PREFETCHED_BYTES // row_bytes)

        self.weights = self.engine.trained_parameters()
        self.n_parameters = len(self.weights)
        step.w = self.addresses(self.weights)
        self.own_gradients = [
            None if step.is_direct or w is None else aligned_zeros(w.shape, dtype) for w in self.weights
        ]
        step.gradient = self.addresses(self.own_gradients)
        every_slot = []
        for of_one in self.own_slots or [[] for _ in self.weights]:
            every_slot += list(of_one) + [None] * (CYNN_MAX_SLOTS - len(of_one))
        step.slots = self.addresses(every_slot)
        averages = self.settings.averages or [None] * self.n_parameters
        for w, mean, of_one in zip(self.weights, averages, self.own_slots or [[]] * self.n_parameters):
            if any((array.shape, array.dtype) != (w.shape, w.dtype) for array in [*of_one, mean] if array is not None):
                raise ValueError("the memory of an optimizer must have the shapes and the dtype of the parameters")

        blocks = []
        for i in range(step.n_nodes):
            node = &step.nodes[i]
            for j in range(MAX_PARAMETERS):
                if self.weights[MAX_PARAMETERS * i + j] is None:
                    continue
                rows, columns = node.op.parameter_rows[j], node.op.parameter_columns[j]
                borders = block_borders(rows, columns, self.batch_size, step.n_parts if i == j == 0 else 1)
                for begin, end in zip(borders, borders[1:]):
                    blocks.append(((begin + end) / (2 * rows), (i, j, begin, end)))
                    scratch = max(scratch, columns * (end - begin))
        # By where in their parameters they lie: a thread's share has the same rows of W in every step.
        blocks = [block for _, block in sorted(blocks, key=lambda place_and_block: place_and_block[0])]
        self.n_blocks = len(blocks)
        step.blocks = self.as_blocks(blocks)
        for i in range(self.n_blocks):
            if step.blocks[i].place == 0:
                step.blocks[i].part = self.part_of(step.blocks[i].begin)
        whole = [
            (place // MAX_PARAMETERS, place % MAX_PARAMETERS, 0, w.shape[0] if w.ndim == 2 else 1)
            for place, w in enumerate(self.weights) if w is not None
        ]
        updated = blocks if self.is_elementwise else whole
        self.n_updated = len(updated)
        step.updated = self.as_blocks(updated)
        self.set_rules()
        step.averages = self.addresses(averages)
        step.block_penalty = self.doubles([0.0] * self.n_blocks)
        step.block_norm = self.doubles([0.0] * self.n_blocks)
        self.norms = self.doubles([0.0] * self.n_parameters)

        self.team = Team(n_threads)
        step.block_gradient = self.addresses(
            [self.workspace.allocate((scratch,), dtype) for _ in range(n_threads)]
        )

    cdef Block *as_blocks(self, list described) except NULL:
        cdef Block *blocks = <Block *>calloc(max(1, len(described)), sizeof(Block))
        cdef int64_t i
        if blocks == NULL:
            raise MemoryError
        for i, (number, parameter, begin, end) in enumerate(described):
            blocks[i] = Block(
                &self.step.nodes[<int64_t>number], parameter, begin, end, MAX_PARAMETERS * number + parameter, NULL
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
            rules += list(operation.rules) + [ParameterRule()] * (MAX_PARAMETERS - len(operation.rules))
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
                number, parameter = place // MAX_PARAMETERS, place % MAX_PARAMETERS
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
        free(self.step.parts)
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
