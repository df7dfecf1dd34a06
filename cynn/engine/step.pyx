"""The training step, in two phases without the GIL.

1. Tiles of rows. A thread computes everything for one tile of the batch, from gathering its rows to the gradient of
   every operation's output. If an operation needs the whole batch (batch normalization), or is faster with it (wide
   layers), the threads share its columns instead, and wait for each other before and after it. Likewise, the calling
   thread calls methods in Python once for the whole batch.
2. Blocks of parameters. A thread computes the gradient of some rows of a parameter over the whole batch, then takes the
   optimizer's step on these rows while they are in the cache.

The borders of tiles, columns and blocks depend only on the batch and the shapes, not on the number of threads, and one
thread computes each piece. So the result has the same bits for any number of threads, and no copies of the gradient
have to be added. An optimizer that needs whole parameters, or is written in Python, takes its steps in a third phase.
"""

from libc.stdint cimport INT64_MAX, int64_t
from libc.stdlib cimport calloc
from libc.string cimport memcpy

from cynn.abi cimport cynn_operands, cynn_pass, cynn_prefetch
from cynn.engine.dtypes cimport Dtype, at
from cynn.engine.flags cimport is_raised, raise_flag
from cynn.engine.row_matrix cimport are_categories
from cynn.engine.workspace cimport Node, add_gradients, backward_node, forward_node
from cynn.kernels.tables cimport AS_IT_IS, Prefetch, Rows


# The rows of W that are updated together. They should be few enough to stay in the cache and, if W is narrow, to leave
# work for all threads. But a block must have enough work to be worth its calls.
cdef int64_t MAX_BLOCK_ROWS = 256
cdef int64_t MIN_BLOCK_ROWS = 32
cdef double BLOCK_MULTIPLICATIONS = 5e5
cdef int64_t NARROW_UNITS = 512

# Products compute this many rows at a time, or a divisor of it, and are slower for the remaining rows.
cdef int64_t BLOCK_GROUP = 24

# If the inputs are split into parts, a piece is one part of this many tiles: there are enough pieces for the threads,
# and W is read less often. Measured on 784-128-64-10: 1.04 times as fast.
cdef int64_t TILES_OF_A_PART = 2


cdef list block_borders(int64_t rows, int64_t columns, int64_t batch_size, int64_t n_parts):
    """The borders of the blocks of a parameter. They have about the same size, and each part has as many of them."""
    cdef int64_t size, n, k
    size = <int64_t>(BLOCK_MULTIPLICATIONS / (<double>columns * batch_size))
    size = MAX_BLOCK_ROWS if columns > NARROW_UNITS else max(MIN_BLOCK_ROWS, min(MAX_BLOCK_ROWS, size))
    n = (rows + size * n_parts - 1) // (size * n_parts) * n_parts
    return [(rows * k // n + BLOCK_GROUP // 2) // BLOCK_GROUP * BLOCK_GROUP for k in range(n)] + [rows]


cdef list backward_instructions(const Step *step):
    cdef int64_t i
    cdef const Node *node
    planned = []
    for i in range(step.n_nodes - 1, -1, -1):
        node = &step.nodes[i]
        if node.op.delta == NULL or not node.has_gradient:
            continue
        if node.n_sums:
            planned.append((ADD, i))
        planned.append((BACKWARD, i))
    if step.input != NULL and step.input.n_sums:
        planned.append((ADD, -1))
    return planned


cdef int plan_stages(Step *step, set only_predicted, bint has_python_loss) except -1:
    """Plan the instructions of the first phase, and the stages of those that need not wait for each other.

    The instructions for values that are `only_predicted` are skipped in steps in which no predictions are wanted.
    """
    cdef bint in_python  # whether methods in Python carry the instruction out: they get the whole batch
    cdef int64_t i, n = 0
    cdef Stage *stage
    cdef Node *node
    step.schedule.instructions = <Instruction *>calloc(3 * step.n_nodes + 5, sizeof(Instruction))
    step.schedule.stages = <Stage *>calloc(3 * step.n_nodes + 5, sizeof(Stage))
    if step.schedule.instructions == NULL or step.schedule.stages == NULL:
        raise MemoryError
    planned = [(GATHER, 0)]
    planned += [(FORWARD_PARTS, 0), (ADD_PARTS, 0)] if step.schedule.n_parts > 1 else [(FORWARD, 0)]
    planned += [(FORWARD, i) for i in range(1, step.n_nodes)]
    planned += [(GATHER_TARGETS, 0), (LOSS, 0)]
    planned += [(DIFFERENTIATE, 0)] if step.tangents != NULL else backward_instructions(step)
    for i, (task, number) in enumerate(planned):
        node = step.input if number < 0 else &step.nodes[<int64_t>number]
        step.schedule.instructions[i].task = task
        step.schedule.instructions[i].node = node
        step.schedule.instructions[i].only_predicts = task == FORWARD and node.value in only_predicted
        pieces = TILES
        if (task == FORWARD and node.forward_by_columns) or (task == BACKWARD and node.backward_by_columns):
            pieces = COLUMNS
        elif step.schedule.n_parts > 1 and task in (GATHER, FORWARD_PARTS):
            pieces = PARTS_OF_TILES
        if task in (GATHER_TARGETS, LOSS):
            in_python = has_python_loss
        else:
            in_python = task in (FORWARD, BACKWARD) and node.python != NULL
        if in_python:
            pieces = WHOLE_BATCH
        if i == 0 or pieces == COLUMNS or pieces != step.schedule.stages[n - 1].pieces:
            n += 1
            stage = &step.schedule.stages[n - 1]
            stage.begin = i
            stage.pieces = pieces
            if pieces == COLUMNS:
                stage.columns = node.op.units if task == FORWARD else node.op.widths[0]
            stage.piece_size = node.column_piece if pieces == COLUMNS else step.schedule.tile
            if pieces == PARTS_OF_TILES:
                stage.piece_size *= TILES_OF_A_PART
            elif pieces == WHOLE_BATCH:
                stage.piece_size = INT64_MAX
        stage = &step.schedule.stages[n - 1]
        stage.end = i + 1
        stage.has_losses = stage.has_losses or task == LOSS
    step.schedule.n_stages = n
    return 0


cdef inline int64_t total_of(const Step *step, const Stage *stage) noexcept nogil:
    """The number of rows or columns of a stage."""
    return stage.columns if stage.pieces == COLUMNS else step.pass_.rows


cdef inline int64_t tiles_of(const Step *step, const Stage *stage) noexcept nogil:
    return (total_of(step, stage) - 1) // stage.piece_size + 1


cdef int64_t pieces_of(const Step *step, const Stage *stage) noexcept nogil:
    """The number of pieces of a stage."""
    return tiles_of(step, stage) * (step.schedule.n_parts if stage.pieces == PARTS_OF_TILES else 1)


cdef inline Rows columns_of_x(const Step *step, const Part *part) noexcept nogil:
    """The columns of the caller's rows that belong to a part."""
    cdef Rows rows = step.x[0]
    rows.data += part.first * rows.column_stride
    rows.columns = part.last - part.first
    rows.first_column = part.first
    return rows


cdef inline void rows_to_prefetch(
    const Step *step, const Part *part, int64_t first, int64_t count, Prefetch *prefetch
) noexcept nogil:
    """Prefetch `count` rows of x from row `first` on, counted from the first row of this batch."""
    cdef Rows rows = columns_of_x(step, part)
    prefetch.data = rows.data
    prefetch.index = step.batch.order + first
    prefetch.row_stride = rows.row_stride
    prefetch.row_bytes = rows.columns * rows.column_stride
    prefetch.rows = count
    prefetch.at = prefetch.end = NULL


cdef inline void prefetch_next_tile(
    const Step *step, const Part *part, int64_t begin, int64_t end, Prefetch *prefetch
) noexcept nogil:
    """During rows begin..end, prefetch the next tile, or half of the first tile of the next batch."""
    if end < step.pass_.rows:
        rows_to_prefetch(step, part, end, min(end - begin, step.pass_.rows - end, step.prefetching.max_rows), prefetch)
    else:
        rows_to_prefetch(step, part, end, step.prefetching.rows // 2, prefetch)


cdef inline void prefetch_next_batch(
    const Step *step, const Part *part, int64_t begin, int64_t end, int64_t total, Prefetch *prefetch
) noexcept nogil:
    """During block begin..end, prefetch a share of the other half of the first tile of the next batch."""
    cdef int64_t half = step.prefetching.rows // 2, rest = step.prefetching.rows - half, first = rest * begin // total
    rows_to_prefetch(step, part, step.pass_.rows + half + first, rest * end // total - first, prefetch)


cdef inline void gather_tile(Step *step, const Part *part, int64_t begin, int64_t end) noexcept nogil:
    cdef int64_t count = end - begin
    cdef Rows rows = columns_of_x(step, part)
    cdef bint are_prefetched = count <= step.prefetching.max_rows and (begin > 0 or step.prefetching.has_first)
    cdef int64_t ahead = -count if are_prefetched else step.pass_.rows - end
    cdef void *x = at(step.dtype, part.op.x[0], begin * rows.columns)
    if step.dtype.rows.gather(
        &rows, step.batch.order + begin, count, ahead, &step.source.scaling, step.batch.check_finite, x
    ) >= 0 or not are_categories(step.source, count, x):
        raise_flag(&step.unusable)


cdef inline void gather_targets(Step *step, Head *head, int64_t begin, int64_t end) noexcept nogil:
    cdef int64_t i, rows = end - begin
    cdef const int64_t *order = step.batch.order + begin
    cdef void *target = at(step.dtype, head.target, begin * head.outputs)
    if head.one_hot:
        step.dtype.rows.one_hot(head.classes, order, rows, head.outputs, target)
    elif head.classes != NULL:
        for i in range(rows):
            head.batch_classes[begin + i] = head.classes[order[i]]
    else:
        step.dtype.rows.gather(
            head.target_source, order, rows, step.pass_.rows - end + step.batch.rows_left, &AS_IT_IS, False, target
        )


cdef inline void forward_part(const Step *step, const Part *part, int64_t begin, int64_t end) noexcept nogil:
    cdef cynn_pass pass_ = step.pass_
    cdef Prefetch next_rows
    prefetch_next_tile(step, part, begin, end, &next_rows)
    pass_.prefetch = <cynn_prefetch *>&next_rows
    step.dtype.forward(step.nodes.operation, &part.op, &pass_, begin, end)


cdef inline void add_rows(
    const Step *step, void *total, const void *x, int64_t begin, int64_t end, int64_t columns
) noexcept nogil:
    cdef int64_t offset = begin * columns
    step.dtype.updates.add((end - begin) * columns, at(step.dtype, x, offset), at(step.dtype, total, offset))


cdef inline void add_parts(const Step *step, int64_t begin, int64_t end) noexcept nogil:
    """Add the results of the parts, always in the same order."""
    cdef int64_t i
    for i in range(1, step.schedule.n_parts):
        add_rows(step, step.schedule.parts.op.out, step.schedule.parts[i].op.out, begin, end, step.nodes.op.units)


cdef inline void loss_of_tile(Step *step, Head *head, int64_t piece, int64_t begin, int64_t end) noexcept nogil:
    cdef const Dtype *dtype = step.dtype
    cdef int64_t rows = end - begin, offset = begin * head.outputs
    if head.predictions != NULL:
        memcpy(
            at(dtype, head.predictions, step.batch.first_row * head.outputs + offset), at(dtype, head.output, offset),
            rows * head.outputs * dtype.itemsize
        )
    if head.python_loss != NULL:
        if head.call_python_loss(head.python_loss, head.number, rows, &head.tile_loss[piece]):
            raise_flag(&step.failed)
    else:
        head.tile_loss[piece] = dtype.loss(
            &head.loss, head.loss_h, head.fused, rows, head.outputs, at(dtype, head.loss_input, offset),
            values_at(dtype, head, begin), classes_at(head, begin), at(dtype, head.weight, begin),
            at(dtype, head.loss_gradient, offset)
        )


cdef void stage_phase(void *context, int64_t piece, int thread) noexcept nogil:
    cdef Step *step = <Step *>context
    cdef const Stage *stage = step.schedule.stage
    cdef int64_t tiles = tiles_of(step, stage), total = total_of(step, stage)
    cdef int64_t begin = piece % tiles * stage.piece_size, end = begin + min(stage.piece_size, total - begin)
    cdef int64_t i, j, first_part = 0, last_part = step.schedule.n_parts
    cdef Node *node
    cdef cynn_pass pass_ = step.pass_
    cdef Prefetch next_rows
    if stage.pieces == PARTS_OF_TILES:
        first_part = piece // tiles
        last_part = first_part + 1
    for i in range(stage.begin, stage.end):
        node = step.schedule.instructions[i].node
        if step.schedule.instructions[i].task == GATHER:
            for j in range(first_part, last_part):
                gather_tile(step, &step.schedule.parts[j], begin, end)
        elif step.schedule.instructions[i].task == FORWARD_PARTS:
            for j in range(first_part, last_part):
                forward_part(step, &step.schedule.parts[j], begin, end)
        elif step.schedule.instructions[i].task == ADD_PARTS:
            add_parts(step, begin, end)
        elif step.schedule.instructions[i].task == GATHER_TARGETS:
            for j in range(step.n_heads):
                gather_targets(step, &step.heads[j], begin, end)
        elif step.schedule.instructions[i].task == FORWARD:
            if step.schedule.instructions[i].only_predicts and not step.batch.predicts:
                continue
            pass_.prefetch = NULL
            if node == step.nodes and stage.pieces == TILES:
                prefetch_next_tile(step, step.schedule.parts, begin, end, &next_rows)
                pass_.prefetch = <cynn_prefetch *>&next_rows
            if forward_node(step.dtype, node, &pass_, begin, end):
                raise_flag(&step.failed)
        elif step.schedule.instructions[i].task == LOSS:
            for j in range(step.n_heads):
                loss_of_tile(step, &step.heads[j], piece, begin, end)
        elif step.schedule.instructions[i].task == DIFFERENTIATE:
            if step.differentiate(step.tangents, step, piece, begin, end):
                raise_flag(&step.failed)
        elif step.schedule.instructions[i].task == ADD:
            add_gradients(step.dtype, node, begin, end)
        elif backward_node(step.dtype, node, &pass_, begin, end):
            raise_flag(&step.failed)
        if is_raised(&step.failed) or is_raised(&step.unusable):
            return


cdef inline int64_t columns_of(const Block *block) noexcept nogil:
    return block.op.parameter_columns[block.number]


cdef inline int64_t size_of(const Block *block) noexcept nogil:
    return (block.end - block.begin) * columns_of(block)


cdef inline void *rows_of(const Step *step, const Block *block, void *array) noexcept nogil:
    """The rows of the block in an array of the size of its parameter."""
    return at(step.dtype, array, block.begin * columns_of(block))


cdef void block_phase(void *context, int64_t piece, int thread) noexcept nogil:
    cdef Step *step = <Step *>context
    cdef Block *block = &step.blocks.blocks[piece]
    cdef const Parameter *parameter = block.parameter
    cdef const Updates *updates = &step.updates
    cdef const cynn_operands *op = block.op
    cdef int64_t size = size_of(block), begin = block.begin, end = block.end
    # the batch's share of the step's penalty
    cdef double l1, l2, share = <double>step.pass_.rows / step.batch.rows_of_step
    cdef void *grad
    cdef cynn_pass pass_ = step.pass_
    cdef Prefetch next_rows
    if block.part != NULL:
        begin -= block.part.first
        end -= block.part.first
        prefetch_next_batch(step, block.part, begin, end, op.parameter_rows[0], &next_rows)
        pass_.prefetch = <cynn_prefetch *>&next_rows
    if updates.is_direct or updates.is_added:
        grad = step.blocks.gradient[thread]
    else:
        grad = rows_of(step, block, parameter.gradient)
    if updates.is_linear and block.number == 0 and step.dtype.has_linear_step(block.operation):
        step.dtype.linear_step(block.operation, op, &pass_, begin, end, parameter.alpha, parameter.beta, grad)
        return
    if block.tangents != NULL:
        pass_.rows *= step.copies
        step.dtype.gradient_jvp(block.operation, op, block.tangents, &pass_, block.number, begin, end, grad)
    else:
        step.dtype.gradient(block.operation, op, &pass_, block.number, begin, end, grad)
    l1, l2 = share * parameter.l1, share * parameter.l2
    if l1 != 0 or l2 != 0:
        block.penalty = step.dtype.updates.regularize(size, rows_of(step, block, parameter.w), l1, l2, grad)
    if updates.is_direct:
        update(step, block, grad)
    elif updates.is_added:
        step.dtype.updates.add(size, grad, rows_of(step, block, parameter.gradient))


cdef inline void update(const Step *step, const Block *block, void *grad) noexcept nogil:
    """Take the optimizer's step on rows of a parameter."""
    cdef const Dtype *dtype = step.dtype
    cdef const Updates *updates = &step.updates
    cdef const Parameter *parameter = block.parameter
    cdef int64_t size = size_of(block)
    if parameter.factor != 1:
        dtype.updates.scale(size, parameter.factor, grad)
    if updates.clip_value > 0:
        dtype.updates.clip(size, updates.clip_value, grad)
    if updates.optimizer.struct_size == 0:
        return  # a Python optimizer takes its step later
    dtype.optimizer_step(
        &updates.optimizer, parameter.h, parameter.learning_rate_factor * updates.learning_rate, updates.t,
        block.end - block.begin, columns_of(block), block.begin * columns_of(block), parameter.w, grad,
        parameter.slots
    )
    if parameter.average != NULL:
        dtype.updates.average(
            size, rows_of(step, block, parameter.w), updates.average_momentum,
            rows_of(step, block, parameter.average)
        )


cdef void norms_phase(void *context, int64_t piece, int thread) noexcept nogil:
    cdef Step *step = <Step *>context
    cdef Block *block = &step.blocks.blocks[piece]
    block.norm = step.dtype.updates.norm(size_of(block), rows_of(step, block, block.parameter.gradient))


cdef void update_phase(void *context, int64_t piece, int thread) noexcept nogil:
    cdef Step *step = <Step *>context
    cdef const Block *block = &step.blocks.updated[piece]
    update(step, block, rows_of(step, block, block.parameter.gradient))


cdef void constraint_phase(void *context, int64_t piece, int thread) noexcept nogil:
    cdef Step *step = <Step *>context
    cdef const Block *block = &step.blocks.constrained[piece]
    cdef const Parameter *parameter = block.parameter
    cdef int64_t rows = block.op.parameter_rows[block.number], columns = columns_of(block), row
    if not parameter.constrains_rows:
        step.dtype.updates.constrain(
            parameter.constraint, parameter.constraint_value, rows, columns, block.begin, block.end, parameter.w
        )
        return
    for row in range(block.begin, block.end):  # a matrix of one column
        step.dtype.updates.constrain(
            parameter.constraint, parameter.constraint_value, columns, 1, 0, 1,
            at(step.dtype, parameter.w, row * columns)
        )
