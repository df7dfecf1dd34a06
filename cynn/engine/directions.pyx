"""How operations act on blocks that have several rows for each row of values: tangents along several directions, or the
gradients of several outputs.

Most operations need no values repeated for that. A dense layer takes the whole block in one product. An activation
multiplies each of these rows by f'(z), which is computed once for the row of values.
"""

from cynn import kernels

from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.stdint cimport int64_t
from libc.string cimport memcpy

from cynn.abi cimport CYNN_ONLY_TRAINING, CYNN_OPERATION_CAPSULE, CYNN_ROWWISE, cynn_operation
from cynn.engine.dtypes cimport Dtype, at, set_element
from cynn.engine.workspace cimport Node


cdef const cynn_operation *functions_in(object capsule) except NULL:
    return <const cynn_operation *>PyCapsule_GetPointer(capsule, CYNN_OPERATION_CAPSULE)


cdef const cynn_operation *activation = functions_in(kernels.activation_op.KERNELS["activation"])
cdef const cynn_operation *affine = functions_in(kernels.dense.KERNELS["affine"])
cdef const cynn_operation *total = functions_in(kernels.merge.KERNELS["add"])
cdef const cynn_operation *concatenation = functions_in(kernels.merge.KERNELS["concatenate"])


cdef inline bint is_of(const Node *node, const cynn_operation *functions) noexcept nogil:
    return node.operation.forward_f32 == functions.forward_f32


cdef Kind kind_of(const Node *node) noexcept nogil:
    """In the derivatives of a prediction, by inputs."""
    if node.operation.flags & CYNN_ONLY_TRAINING:
        return LINEAR  # it is passed over
    if node.python != NULL:
        return OTHER
    if is_of(node, activation):
        return OTHER if node.op.activation.flags & CYNN_ROWWISE else ELEMENTWISE
    return LINEAR if is_of(node, affine) or is_of(node, total) or is_of(node, concatenation) else OTHER


cdef void slope_of(const Dtype *dtype, const Node *node, int64_t rows, void *slope) noexcept nogil:
    """f'(z) of an elementwise activation, after forward."""
    fill(dtype, rows * node.op.units, 1, slope)
    dtype.activation_backward(
        node.op.activation, node.op.activation_h, rows, node.op.units, node.op.x[0], node.op.out, slope
    )


cdef void fill(const Dtype *dtype, int64_t size, double value, void *out) noexcept nogil:
    cdef int64_t done = 1
    set_element(dtype, out, 0, value)
    while done < size:  # memcpy is compiled for this CPU
        memcpy(at(dtype, out, done), out, min(done, size - done) * dtype.itemsize)
        done *= 2


cdef void repeat_block(const Dtype *dtype, void *block, int64_t size, int64_t rows) noexcept nogil:
    """Repeat a block of that many elements for each of the rows."""
    cdef int64_t row
    for row in range(1, rows):
        memcpy(at(dtype, block, row * size), block, size * dtype.itemsize)
