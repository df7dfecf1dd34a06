"""A training step with passes of directional derivatives instead of its backward pass.

The forward pass and the losses are those of any step. Then `run`, which subclasses define, goes through the nodes for
each tile, and `gradient_jvp` (cynn/abi.h) computes the gradients by the parameters.
"""

import numpy as np

from libc.stdint cimport int64_t

from cynn.abi cimport cynn_operands, cynn_pass, cynn_tangents
from cynn.engine.engine cimport Engine
from cynn.engine.step cimport Step
from cynn.engine.tangents cimport Tangents
from cynn.engine.workspace cimport Workspace, add_gradients, address_of


cdef class TangentStep:
    """Base of the steps with passes of directional derivatives.

    Attributes
    ----------
    copies : int
        The number of copies of each row that go through the network.
    entries : list of int
        The values from which the backward pass begins: first those from which losses are computed.
    """

    cdef int set_up(self, Engine engine, list entries, int64_t rows, int64_t copies) except -1:
        self.entries, self.copies = entries, copies
        self.values = <int64_t *>self.hold(np.array(entries, np.int64))
        self.base = tangents_of(engine, entries, rows)
        self.wide = self.base if copies == 1 else tangents_of(engine, entries, rows * copies)
        return 0

    cdef void *hold(self, array) except NULL:
        self.keep.append(array)
        return address_of(array)

    cdef const cynn_operands *op(self, int64_t node) noexcept:
        return &self.wide.workspace.nodes[node].op

    cdef const cynn_tangents *tangents(self, int64_t node) noexcept:
        return &self.wide.nodes[node]

    cdef int backward(self, const cynn_pass *pass_, int64_t begin, int64_t end) noexcept nogil:
        """Compute the gradients by all values from those by the entries. Returns -1 if Python raised."""
        cdef int64_t i
        for i in range(self.wide.workspace.n_nodes - 1, -1, -1):
            if self.wide.workspace.nodes[i].op.delta == NULL:
                continue
            add_gradients(self.wide.dtype, &self.wide.workspace.nodes[i], begin, end)
            if self.wide.backward_at(i, pass_, begin, end):
                return -1
        add_gradients(self.wide.dtype, &self.wide.workspace.input, begin, end)
        return 0

    cdef int backward_jvp(self, const cynn_pass *pass_, int64_t begin, int64_t end) noexcept nogil:
        """Compute the tangents of these gradients. Returns -1 if Python raised."""
        cdef int64_t i
        for i in range(self.wide.workspace.n_nodes - 1, -1, -1):
            if self.wide.workspace.nodes[i].op.delta == NULL:
                continue
            self.wide.add_tangents(i, begin, end)
            if self.wide.backward_jvp_at(i, pass_, begin, end):
                return -1
        return 0

    cdef void weigh(self, const Step *step) noexcept nogil:
        """Compute the weights of the batch's rows for the loss that this class adds, if it adds one."""

    cdef double total(self, const Step *step, double *sums) noexcept nogil:
        """The loss that this class adds. Its sum over the rows is added to `sums` for each output."""
        return 0

    cdef int run(self, const Step *step, int64_t piece, int64_t begin, int64_t end) noexcept nogil:
        """Run the passes of rows begin..end, after forward and the losses. Returns -1 if Python raised."""
        return 0


cdef int run_tangents(void *tangent_step, Step *step, int64_t piece, int64_t begin, int64_t end) noexcept nogil:
    # the plan of the step keeps the object alive, so this needs no GIL
    return (<TangentStep>tangent_step).run(step, piece, begin, end)


cdef Tangents tangents_of(Engine engine, list entries, int64_t rows):
    """A new workspace and its tangents, with a gradient for each of the values `entries`."""
    return Tangents(
        Workspace(engine.operations, engine.dtype, engine.source.inputs, rows, True, entries, False, True),
        engine.operations, engine.dtype
    )
