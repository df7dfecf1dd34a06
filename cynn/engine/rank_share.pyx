"""A training step that several processes, the ranks, take together. The result has the same bits as in one process.

Every rank has the same plan, and runs its share of the pieces of each phase. Then the ranks exchange what others read:
rows or columns of a stage, rows of the parameters. The result of a piece does not depend on the rank that computes it.

A rank takes part in every exchange, even if one of its pieces has failed. All ranks learn of the failure before the
weights change.
"""

import numpy as np

from cynn.errors import WorkerError

from libc.stdint cimport int64_t

from cynn.engine.flags cimport is_raised, raise_flag
from cynn.engine.step cimport (
    ADD,
    ADD_PARTS,
    BACKWARD,
    COLUMNS,
    FORWARD,
    FORWARD_PARTS,
    GATHER,
    GATHER_TARGETS,
    LOSS,
    WHOLE_BATCH,
    Block,
    Instruction,
    Stage,
    Step,
    block_phase,
    norms_phase,
    pieces_of,
    stage_phase,
    update_phase,
)
from cynn.engine.step_plan cimport StepPlan
from cynn.engine.thread_team cimport Task


ctypedef struct Shifted:
    Task task
    void *context
    int64_t first


cdef void shifted_phase(void *context, int64_t piece, int thread) noexcept nogil:
    """Run a piece that is counted from the first one of this rank."""
    cdef Shifted *shifted = <Shifted *>context
    shifted.task(shifted.context, shifted.first + piece, thread)


cdef class RankShare:
    """The share of one rank in a step.

    Parameters
    ----------
    plan : StepPlan
        The plan of the step, the same on all ranks.
    communicator : object
        It has `rank`, `size` and `exchange(list of (array, borders))`: rank r has the elements from borders[r] to
        borders[r + 1] of a flat array, and gets the elements of the other ranks.
    """

    def __cinit__(self, StepPlan plan, communicator):
        cdef Step *step = &plan.step
        cdef int64_t place
        self.plan, self.communicator = plan, communicator
        self.rank, self.n_ranks = communicator.rank, communicator.size
        self.exchanges_gradients = plan.optimizer is not None and (
            not step.updates.is_elementwise or plan.optimizer.is_python
        )
        self.has_penalty = any([
            step.parameters[place].l1 != 0 or step.parameters[place].l2 != 0 for place in range(step.n_parameters)
        ])
        self.borders_of_blocks = self.borders_of(step.blocks.blocks, step.blocks.n_blocks)
        self.borders_of_updates = self.borders_of(step.blocks.updated, step.blocks.n_updated)
        self.plan_exchanges()

    cdef int64_t first(self, int64_t pieces, int64_t rank) noexcept nogil:
        """The first piece of a rank."""
        return pieces * rank // self.n_ranks

    cdef void run(self, Task task, int64_t pieces) noexcept nogil:
        """Run this rank's share of the pieces of a phase."""
        cdef Shifted shifted
        cdef int64_t end = self.first(pieces, self.rank + 1)
        shifted.task, shifted.context, shifted.first = task, &self.plan.step, self.first(pieces, self.rank)
        if end > shifted.first:
            self.plan.team.run(shifted_phase, &shifted, end - shifted.first)

    cdef void exchange(self, list arrays) noexcept:
        """Exchange flat arrays, each with the borders of the ranks. After an error, exchange nothing."""
        if self.has_failed or not arrays:
            return
        try:
            self.communicator.exchange(arrays)
        except BaseException as error:
            self.error, self.has_failed = error, True

    def raise_error(self):
        """Raise the error that has ended an exchange."""
        if self.error is not None:
            error, self.error = self.error, None
            raise error

    # ------------------------------------------------------------------------------------------- first phase

    def plan_exchanges(self):
        """For each stage, find the arrays that it writes and that other ranks read.

        Stages of columns read them, stages that add parts of the inputs, and the second phase.
        """
        cdef Step *step = &self.plan.step
        cdef Stage *stage
        cdef int64_t s, i, j
        read = set()
        for i in range(step.n_nodes):
            places = [<int64_t>self.plan.engine.places[i] + j for j in range(step.nodes[i].op.n_parameters)]
            if any(self.plan.weights[place] is not None for place in places):
                read |= {id(array) for array in self.arrays_of_node(i)}
        self.is_shared = np.ones(step.schedule.n_stages, np.int8)
        for s in range(step.schedule.n_stages):
            stage = &step.schedule.stages[s]
            if stage.pieces not in (COLUMNS, WHOLE_BATCH):
                continue
            # methods in Python may write more than rows: all ranks call them
            self.is_shared[s] = stage.pieces == COLUMNS
            for j in range(stage.begin, stage.end):
                if step.schedule.instructions[j].task in (GATHER_TARGETS, LOSS):
                    read |= {id(self.plan.workspace.values[i]) for i in self.plan.values_of_losses}
                    continue
                i = step.schedule.instructions[j].node - step.nodes
                read |= {id(array) for array in self.arrays_of_node(i)}
                if self.plan.engine.operations[step.nodes[i].value - 1].column_piece:
                    self.is_shared[s] = 0  # normalization writes more than these columns, too, and is little work
        self.stages = []
        for s in range(step.schedule.n_stages):
            found = {}
            for array, part in self.written_by(s) if self.is_shared[s] else []:
                if (part is not None or id(array) in read) and len(array) == self.plan.batch_size:
                    found[id(array)] = (array, part)
            self.stages.append(list(found.values()))

    def arrays_of_node(self, int64_t number):
        """The arrays with one row per row of the batch that an operation reads or writes."""
        workspace = self.plan.workspace
        value = self.plan.step.nodes[number].value
        arrays = [workspace.values[each] for each in self.plan.engine.operations[value - 1].inputs]
        arrays += [workspace.values[value], workspace.deltas[value], *workspace.saved[number]]
        return [array for array in [*arrays, *workspace.input_gradients.get(number, [])] if array is not None]

    def written_by(self, int64_t number):
        """The arrays that a stage writes, each with the number of its part of the inputs, or None."""
        cdef Step *step = &self.plan.step
        cdef const Stage *stage = &step.schedule.stages[number]
        cdef const Instruction *instruction
        cdef int64_t i, j
        workspace, found = self.plan.workspace, []
        for i in range(stage.begin, stage.end):
            instruction = &step.schedule.instructions[i]
            j = instruction.node - step.nodes
            value, task = step.nodes[j].value, instruction.task
            if task in (GATHER, FORWARD_PARTS) and step.schedule.n_parts > 1:
                found += [(arrays[task == FORWARD_PARTS], part) for part, arrays in enumerate(self.plan.part_arrays)]
            elif task == GATHER:
                found.append((workspace.values[0], None))
            elif task in (FORWARD, ADD_PARTS):
                found += [(array, None) for array in [workspace.values[value], *workspace.saved[j]]]
            elif task == LOSS:
                found += [(array, None) for array in workspace.loss_gradients]
            elif task == ADD:
                found.append((workspace.deltas[value], None))
            elif task == BACKWARD:
                changed = [workspace.deltas[value], *workspace.input_gradients.get(j, []), *workspace.saved[j]]
                found += [(array, None) for array in changed if array is not None]
        return found

    cdef void run_stage(self, int64_t number) noexcept nogil:
        """Run this rank's share of a stage, and exchange."""
        cdef Step *step = &self.plan.step
        cdef int64_t pieces = pieces_of(step, step.schedule.stage)
        if not self.is_shared[number]:
            self.plan.team.run(stage_phase, step, pieces)
            return
        self.run(stage_phase, pieces)
        self.exchange_stage(number)

    cdef void exchange_stage(self, int64_t number) noexcept with gil:
        cdef Step *step = &self.plan.step
        cdef const Stage *stage = &step.schedule.stages[number]
        rows = step.pass_.rows
        arrays = self.stages[number]
        if stage.pieces == COLUMNS:
            for array, _ in arrays:
                if array.shape[1] == stage.columns:
                    self.exchange_columns(array[:rows], stage.piece_size)
            return
        self.exchange([
            (array.reshape(-1), [row * array.shape[1] for row in self.row_borders(rows, stage.piece_size, part)])
            for array, part in arrays
        ])
        if step.batch.predicts and stage.has_losses:
            self.exchange_predictions(stage.piece_size)

    def row_borders(self, int64_t rows, int64_t piece_size, part):
        """The first row of each rank in a stage of tiles, and the end. `part` is a part of the inputs, or None."""
        cdef int64_t tiles = (rows + piece_size - 1) // piece_size, rank
        pieces = tiles if part is None else tiles * self.plan.step.schedule.n_parts
        before = 0 if part is None else part * tiles
        return [
            min(max(0, min(self.first(pieces, rank) - before, tiles)) * piece_size, rows)
            for rank in range(self.n_ranks + 1)
        ]

    def exchange_columns(self, array, int64_t piece_size):
        """Exchange the columns of a matrix, through a flat copy."""
        rows, columns = array.shape
        pieces = (columns + piece_size - 1) // piece_size
        borders = [min(self.first(pieces, rank) * piece_size, columns) for rank in range(self.n_ranks + 1)]
        flat = np.empty(rows * columns, array.dtype)
        parts = [flat[rows * a : rows * b].reshape(rows, b - a) for a, b in zip(borders, borders[1:])]
        parts[self.rank][...] = array[:, borders[self.rank] : borders[self.rank + 1]]
        self.exchange([(flat, [rows * border for border in borders])])
        for rank, part in enumerate(parts):
            if rank != self.rank:
                array[:, borders[rank] : borders[rank + 1]] = part

    def exchange_predictions(self, int64_t piece_size):
        """Exchange the predictions for the rows of this batch."""
        cdef Step *step = &self.plan.step
        borders = self.row_borders(step.pass_.rows, piece_size, None)
        self.exchange([
            (array.reshape(-1), [(step.batch.first_row + row) * array.shape[1] for row in borders])
            for array in self.plan.predictions
        ])

    cdef bint agree(self) noexcept with gil:
        """After the first phase, exchange the losses of the tiles. Returns whether no rank has failed."""
        cdef Step *step = &self.plan.step
        cdef int64_t rank
        flags = np.zeros((self.n_ranks, 2))
        flags[self.rank] = is_raised(&step.failed), is_raised(&step.unusable)
        borders = [self.first(step.schedule.n_losses, rank) for rank in range(self.n_ranks + 1)]
        losses = [(array, borders) for array in self.plan.tile_losses]
        self.exchange([(flags.reshape(-1), [2 * rank for rank in range(self.n_ranks + 1)]), *losses])
        failed, unusable = flags[:, 0].nonzero()[0], flags[:, 1].any()
        if len(failed) and not flags[self.rank, 0] and not self.has_failed:
            self.has_failed = True
            self.error = WorkerError(
                f"All ranks must take each step. Got an error on rank {failed[0]} instead, which that rank raises."
            )
        if unusable:
            raise_flag(&step.unusable)
        return not self.has_failed

    # ------------------------------------------------------------------------------------------ second phase

    cdef list borders_of(self, const Block *blocks, int64_t n):
        """For each parameter, the first element of each rank, and the end. Each rank has consecutive rows."""
        cdef int64_t rank, i, place
        cdef const Block *block
        found = [[-1] * self.n_ranks for _ in self.plan.weights]
        for rank in range(self.n_ranks):
            for i in range(self.first(n, rank), self.first(n, rank + 1)):
                block = &blocks[i]
                place = block.parameter - self.plan.step.parameters
                begin = block.begin * block.op.parameter_columns[block.number]
                if found[place][rank] < 0:
                    found[place][rank] = begin
        for borders, w in zip(found, self.plan.weights):
            borders.append(0 if w is None else w.size)
            for rank in range(self.n_ranks - 1, -1, -1):
                if borders[rank] < 0:  # this rank has no rows
                    borders[rank] = borders[rank + 1]
            borders[0] = 0
        return found

    cdef void run_blocks(self, bint ends_step) noexcept nogil:
        """Run this rank's share of the second phase."""
        cdef Step *step = &self.plan.step
        self.run(block_phase, step.blocks.n_blocks)
        if self.has_penalty:
            self.exchange_of_blocks(&step.blocks.blocks.penalty)
        if step.updates.is_direct:
            self.exchange_weights()
        elif ends_step and self.exchanges_gradients:
            self.exchange_parameters(self.plan.gradients, self.borders_of_blocks)

    cdef void exchange_weights(self) noexcept nogil:
        self.exchange_parameters(self.plan.weights, self.borders_of_updates)

    cdef void run_norms(self) noexcept nogil:
        """Compute the norms of this rank's blocks of the gradient, and get those of the others."""
        cdef Step *step = &self.plan.step
        self.run(norms_phase, step.blocks.n_blocks)
        self.exchange_of_blocks(&step.blocks.blocks.norm)

    cdef void run_updates(self) noexcept nogil:
        """Run this rank's share of the third phase."""
        self.run(update_phase, self.plan.step.blocks.n_updated)
        self.exchange_weights()

    cdef void exchange_parameters(self, list arrays, list borders) noexcept with gil:
        self.exchange([
            (array.reshape(-1), of_ranks)
            for array, of_ranks in zip(arrays, borders) if array is not None
        ])

    cdef void exchange_of_blocks(self, double *first) noexcept with gil:
        """Exchange one number per block."""
        cdef int64_t n = self.plan.step.blocks.n_blocks, i
        numbers = np.empty(n)
        for i in range(n):
            numbers[i] = (<double *>(<char *>first + i * sizeof(Block)))[0]
        self.exchange([(numbers, [self.first(n, rank) for rank in range(self.n_ranks + 1)])])
        for i in range(n):
            (<double *>(<char *>first + i * sizeof(Block)))[0] = numbers[i]

    def gather_memory(self):
        """Get the rows of the optimizer's memory, and of averages, that other ranks have."""
        cdef int64_t i
        slots = self.plan.slots or []
        for i in range(max([len(of_one) for of_one in slots], default=0)):
            self.exchange_parameters([of_one[i] if of_one else None for of_one in slots], self.borders_of_updates)
        self.exchange_parameters(self.plan.averages or [], self.borders_of_updates)
        self.raise_error()
