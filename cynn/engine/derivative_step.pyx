"""A training step that also trains derivatives of the outputs by the inputs: C = L + w D.

L is the loss of the outputs y. D is the loss of v = J t, the product of their Jacobian J and a direction t. Let
λ = ∂D/∂v. The gradient of D by the weights W is that of λᵀ J t for a constant λ: the directional derivative along t of
∂(λᵀ y)/∂W. So λ goes backward through the network, and `backward_jvp` and `gradient_jvp` (cynn/abi.h) differentiate
this pass along t. Both are linear in the tangent of the gradient that goes backward. If this tangent is ∂L/∂y, they
compute the gradient of C in one sum.

There are two methods. (1) One copy of each row per direction: a forward pass along t computes v, then λ goes backward.
(2) If no directions are given and there are no more outputs than inputs, one copy of each row per output: its unit
vector goes backward and gives a row of J. Then ∂D/∂J is the direction t of this copy, since Σ ∂D/∂J J is a product J t,
too.

Source: Czarnecki et al., "Sobolev training for neural networks", NeurIPS 2017; Pearlmutter, "Fast exact multiplication
by the Hessian", Neural Computation 6, 1994, for passes of directional derivatives.
"""

import numpy as np

from libc.stdint cimport int64_t
from libc.string cimport memcpy, memset

from cynn.abi cimport cynn_pass, floating
from cynn.engine.dtypes cimport at, set_element
from cynn.engine.engine cimport Engine
from cynn.engine.row_matrix cimport InputScaling, RowMatrix, scale_of
from cynn.engine.step cimport Step
from cynn.engine.tangent_step cimport TangentStep
from cynn.engine.tangents cimport repeat_values
from cynn.engine.workspace cimport address_of, aligned
from cynn.kernels.tables cimport AS_IT_IS, Scaling


cdef class DerivativeStep(TangentStep):
    """A step that also trains derivatives of the outputs by the inputs.

    Parameters
    ----------
    engine : Engine
        The engine of the network.
    given : DerivativeTargets
        The derivatives of each output, or None, with the weights of their rows and losses, and the directions, if any.
    loss_values : list of int
        The values from which the losses of the outputs are computed.
    batch_size : int
        The number of rows.
    """

    def __cinit__(self, Engine engine, given, list loss_values, int64_t batch_size):
        cdef const double[::1] weight_view
        cdef int64_t i, copy = 0
        cdef DerivativeHead *head
        cdef RowMatrix rows
        cdef InputScaling slope
        self.keep, self.losses = [given], []
        self.dtype, self.inputs = engine.source.dtype, engine.source.inputs
        numbers = [i for i, values in enumerate(given.values) if values is not None]
        units = [engine.operations[value - 1].units for value in engine.outputs]
        self.is_backward = given.directions is None and sum(units[i] for i in numbers) <= self.inputs
        if self.is_backward:
            copies = sum(units[i] for i in numbers)
        else:
            copies = self.inputs if given.directions is None else given.directions.shape[1] // self.inputs
        entries = list(loss_values)
        self.n_losses, self.n_heads = len(entries), len(numbers)
        slope = (<InputScaling>engine.scalings[0]).slope(1 if given.directions is None else copies)
        self.slope = slope.scaling
        self.keep.append(slope)
        self.heads = <DerivativeHead *>self.hold(np.zeros(self.n_heads * sizeof(DerivativeHead), np.uint8))
        for i, number in enumerate(numbers):
            head, value = &self.heads[i], engine.outputs[number]
            if loss_values[number] != value:
                entries.append(value)
            head.number, head.value, head.units = number, value, units[number]
            head.loss_weight = given.loss_weights[number]
            head.entry = number if loss_values[number] == value else len(entries) - 1
            head.first_copy, copy = copy, copy + head.units
            head.columns = given.values[number].shape[1]
            rows = RowMatrix(given.values[number])
            head.source = &rows.rows
            weight_view = given.row_weights[number]
            head.row_weight = &weight_view[0]
            self.keep += [rows, given.row_weights[number]]
            head.given = self.hold(aligned((batch_size, head.columns), engine.dtype))
            head.weight = self.hold(aligned((batch_size,), engine.dtype))
            # one element per tile, and a tile has at least one row
            self.losses.append(np.zeros(batch_size))
            head.tile_loss = <double *>address_of(self.losses[i])
        if given.directions is not None:
            rows = RowMatrix(given.directions)
            self.source = &rows.rows
            self.keep.append(rows)
            self.directions = self.hold(aligned((batch_size, copies * self.inputs), engine.dtype))
        self.n_entries = len(entries)
        self.units = <int64_t *>self.hold(np.array([engine.operations[v - 1].units for v in entries], np.int64))
        self.set_up(engine, entries, batch_size, copies)

    cdef void weigh(self, const Step *step) noexcept nogil:
        cdef int64_t i
        for i in range(self.n_heads):
            self.dtype.rows.weigh(
                self.heads[i].row_weight, step.batch.order, step.pass_.rows, 1.0 / step.batch.rows_of_step,
                self.heads[i].weight
            )

    cdef double total(self, const Step *step, double *sums) noexcept nogil:
        cdef int64_t i, tile
        cdef double of_output, found = 0
        for i in range(self.n_heads):
            of_output = 0
            for tile in range(step.schedule.n_losses):
                of_output += self.heads[i].tile_loss[tile]
            sums[self.heads[i].number] += of_output * step.batch.rows_of_step
            found += self.heads[i].loss_weight * of_output
        return found

    cdef void gather(self, const Step *step, int64_t begin, int64_t end) noexcept nogil:
        """Gather the given derivatives and directions of these rows."""
        cdef int64_t i, count = end - begin
        cdef const int64_t *order = step.batch.order + begin
        cdef DerivativeHead *head
        for i in range(self.n_heads):
            head = &self.heads[i]
            self.dtype.rows.gather(
                head.source, order, count, -count, &AS_IT_IS, False, at(self.dtype, head.given, begin * head.columns)
            )
        if self.source != NULL:
            self.dtype.rows.gather(
                self.source, order, count, -count, &self.slope, False,
                at(self.dtype, self.directions, begin * self.copies * self.inputs)
            )

    cdef void set_loss_tangents(self, int64_t begin, int64_t end) noexcept nogil:
        """Set the gradients that go backward to 0. Set their tangents to ∂L/∂y in the first copy of each row, else 0.
        """
        cdef int64_t i, row, size
        cdef int64_t first = begin * self.copies, rows = (end - begin) * self.copies
        cdef char *tangent
        cdef const char *gradient
        for i in range(self.n_entries):
            size = self.units[i] * self.dtype.itemsize
            tangent = <char *>self.wide.entry_tangents[i]
            if self.copies > 1 or i >= self.n_losses:
                memset(tangent + first * size, 0, rows * size)
            if i < self.n_losses:
                gradient = <const char *>self.base.entries[i]
                for row in range(begin, end):
                    memcpy(tangent + row * self.copies * size, gradient + row * size, size)
            memset(<char *>self.wide.entries[i] + first * size, 0, rows * size)

    cdef void set_unit_vectors(self, int64_t begin, int64_t end) noexcept nogil:
        """Set the gradient that goes backward from each copy to the unit vector of its output."""
        cdef int64_t i, unit, row
        cdef const DerivativeHead *head
        for i in range(self.n_heads):
            head = &self.heads[i]
            for row in range(begin, end):
                for unit in range(head.units):
                    set_element(
                        self.dtype, self.wide.entries[head.entry],
                        (row * self.copies + head.first_copy + unit) * head.units + unit, 1
                    )

    cdef void set_directions(self, int64_t begin, int64_t end) noexcept nogil:
        """Set the tangents of the inputs to the given directions, or to the unit vectors."""
        cdef int64_t row, k, first = begin * self.copies * self.inputs
        cdef void *dx = at(self.dtype, self.wide.first, first)
        cdef int64_t size = (end - begin) * self.copies * self.inputs * self.dtype.itemsize
        if self.source != NULL:
            memcpy(dx, at(self.dtype, self.directions, first), size)
            return
        memset(dx, 0, size)
        for row in range(end - begin):
            for k in range(self.copies):
                set_element(self.dtype, dx, (row * self.copies + k) * self.inputs + k, scale_of(&self.slope, k))

    cdef void compare(self, const DerivativeHead *head, int64_t piece, int64_t begin, int64_t end) noexcept nogil:
        """Compute D of these rows and its gradient: λ, or with `is_backward` the direction of each copy."""
        cdef Comparison comparison
        comparison.head, comparison.begin, comparison.end = head, begin, end
        if self.is_backward:
            comparison.found, comparison.gradient = self.wide.workspace.input.op.delta, self.wide.first
            comparison.scaling = &self.slope
            comparison.i_size, comparison.i_stride = head.units, self.inputs
            comparison.j_size, comparison.j_stride = self.inputs, 1
            comparison.row_stride = self.copies * self.inputs
            comparison.first = head.first_copy * self.inputs
        else:
            comparison.found = self.wide.nodes[head.value - 1].out
            comparison.gradient = self.wide.entries[head.entry]
            comparison.scaling = &AS_IT_IS
            comparison.i_size, comparison.i_stride = self.copies, 1 if self.source == NULL else head.units
            comparison.j_size, comparison.j_stride = head.units, self.inputs if self.source == NULL else 1
            comparison.row_stride = self.copies * head.units
            comparison.first = 0
        if self.dtype.itemsize == 4:
            head.tile_loss[piece] = squared_errors[float](&comparison, NULL)
        else:
            head.tile_loss[piece] = squared_errors[double](&comparison, NULL)

    cdef int run(self, const Step *step, int64_t piece, int64_t begin, int64_t end) noexcept nogil:
        cdef int64_t i, first = begin * self.copies, last = end * self.copies
        cdef cynn_pass pass_ = step.pass_
        pass_.rows *= self.copies
        self.gather(step, begin, end)
        if self.wide is not self.base:
            repeat_values(self.base, self.wide, self.copies, begin, end)
        self.set_loss_tangents(begin, end)
        if self.is_backward:
            self.set_unit_vectors(begin, end)
            if self.backward(&pass_, first, last):
                return -1
        else:
            self.set_directions(begin, end)
            if self.wide.jvp(&pass_, first, last):
                return -1
        for i in range(self.n_heads):
            self.compare(&self.heads[i], piece, begin, end)
        if self.is_backward:
            if self.wide.jvp(&pass_, first, last):
                return -1
        elif self.backward(&pass_, first, last):
            return -1
        return self.backward_jvp(&pass_, first, last)


# The products J t of some rows, and where to write ∂D/∂(J t): an i x j matrix per row. The given derivatives have other
# strides.
ctypedef struct Comparison:
    const DerivativeHead *head
    int64_t begin
    int64_t end
    const void *found
    void *gradient
    const Scaling *scaling  # converts what is found to derivatives by the caller's x
    int64_t first           # element of a row
    int64_t row_stride
    int64_t i_size
    int64_t j_size
    int64_t i_stride        # of the given derivatives
    int64_t j_stride


cdef double squared_errors(const Comparison *comparison, const floating *_) noexcept nogil:
    """Compute Σ weight (found - given)² over the given derivatives, and its gradient times the weight of the loss."""
    cdef const DerivativeHead *head = comparison.head
    cdef int64_t row, i, j, place
    cdef const floating *given
    cdef const floating *found
    cdef floating *gradient
    cdef floating weight, scale, error
    cdef double scale_in_double, twice = 2 * head.loss_weight
    cdef double total = 0, of_row
    for row in range(comparison.begin, comparison.end):
        weight = (<const floating *>head.weight)[row]
        of_row = 0
        for i in range(comparison.i_size):
            place = row * comparison.row_stride + comparison.first + i * comparison.j_size
            given = <const floating *>head.given + row * head.columns + i * comparison.i_stride
            found, gradient = <const floating *>comparison.found + place, <floating *>comparison.gradient + place
            for j in range(comparison.j_size):
                scale_in_double = scale_of(comparison.scaling, j)
                scale = <floating>scale_in_double
                error = scale * found[j] - given[j * comparison.j_stride]
                if given[j * comparison.j_stride] != given[j * comparison.j_stride]:  # NaN: not given
                    error = 0
                of_row += <double>error * error
                gradient[j] = <floating>(twice * scale_in_double) * weight * error
        total += weight * of_row
    return total
