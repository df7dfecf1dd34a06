"""A step that computes H v instead of the gradient, where H is the Hessian of the loss by the parameters.

H v is the directional derivative of the gradient along v. A forward pass computes tangents along v. The Hessian of each
loss multiplies the tangents of its output. A backward pass computes the gradients and their tangents, which are H v.

Source: Pearlmutter, "Fast exact multiplication by the Hessian", Neural Computation 6, 1994.
"""

from libc.stdint cimport int64_t
from libc.string cimport memset

from cynn.engine.dtypes cimport Dtype, at
from cynn.engine.engine cimport Engine
from cynn.engine.step cimport Head, Step, classes_at, values_at
from cynn.engine.tangent_step cimport TangentStep


cdef class CurvatureStep(TangentStep):
    """A step that computes H v.

    Parameters
    ----------
    engine : Engine
        The engine of the network.
    directions : list of (array or None)
        The part of v for each entry of `Engine.trained_parameters`. Each step reads these arrays anew.
    loss_values : list of int
        The values from which the losses of the outputs are computed.
    batch_size : int
        The number of rows.
    """

    def __cinit__(self, Engine engine, list directions, list loss_values, int64_t batch_size):
        cdef int64_t i
        self.keep = [directions]
        self.set_up(engine, loss_values, batch_size, 1)
        for i, operation in enumerate(engine.operations):
            first = engine.places[i]
            own = directions[first : first + len(operation.parameters)] if operation.trainable else []
            self.wide.set_parameters(i, own or [None] * len(operation.parameters))

    cdef int run(self, const Step *step, int64_t piece, int64_t begin, int64_t end) noexcept nogil:
        cdef const Dtype *dtype = step.dtype
        cdef int64_t i, offset
        cdef const Head *head
        memset(
            at(dtype, self.wide.first, begin * self.wide.inputs), 0, (end - begin) * self.wide.inputs * dtype.itemsize
        )
        if self.wide.jvp(&step.pass_, begin, end):
            return -1
        for i in range(step.n_heads):
            head = &step.heads[i]
            offset = begin * head.outputs
            if head.python_loss != NULL:
                if head.call_python_product(head.python_loss, head.number, end - begin):
                    return -1
                continue
            dtype.loss_backward_jvp(
                &head.loss, head.loss_h, head.fused, end - begin, head.outputs, at(dtype, head.loss_input, offset),
                values_at(dtype, head, begin), classes_at(head, begin), at(dtype, head.weight, begin),
                at(dtype, self.wide.nodes[self.values[i] - 1].out, offset),
                at(dtype, self.wide.entry_tangents[i], offset)
            )
        return -1 if self.backward(&step.pass_, begin, end) else self.backward_jvp(&step.pass_, begin, end)
