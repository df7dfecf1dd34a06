"""The buffers of a pass through a network, and nodes: its operations bound to these buffers."""

import math
from array import array as array_of

import numpy as np

from cynn.engine.abi_checks import raise_plugin_error
from cynn.engine.python_operations import PythonActivation, PythonLayer

from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_FromStringAndSize
from cpython.ref cimport PyObject
from libc.stddef cimport size_t
from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from cynn.abi cimport cynn_operands, cynn_pass
from cynn.engine.activation_kernel cimport ActivationKernel
from cynn.engine.dtypes cimport Dtype, at
from cynn.engine.ndarray cimport ALIGNED, C_CONTIGUOUS, WRITEABLE, array_data, array_flags, is_all_set
from cynn.engine.operation_kernel cimport OperationKernel
from cynn.engine.python_operations cimport BACKWARD, FORWARD, PythonOperation, call_python


cdef int poison(object array) except -1:
    """In a debug build, fill an array with NaN or -1, so that reading uninitialized memory is noticed."""
    if IS_DEBUG:
        memset(address_of(array), 0xFF, array.nbytes)
    return 0


cdef object aligned(object shape, object dtype):
    """Make an uninitialized array that starts on a cache line."""
    dtype = np.dtype(dtype)
    raw = np.empty(math.prod(shape) * dtype.itemsize + 64, np.uint8)
    poison(raw)
    return np.ndarray(shape, dtype, raw, -<size_t>array_data(raw) % 64)


def aligned_zeros(shape, dtype):
    """Make an array of zeros that starts on a cache line."""
    array = aligned(shape, dtype)
    array[...] = 0
    return array


def aligned_copy(array, dtype):
    """Copy an array to new memory, for an array that the engine writes.

    Parameters
    ----------
    array : array
        For example an unpickled array, which may be read-only, memory-mapped, or a view of bytes of the caller.
    dtype : str or dtype
        The dtype of the copy.

    Returns
    -------
    array
        The copy.
    """
    copy = aligned(array.shape, dtype)
    copy[...] = array
    return copy


cdef void *zeroed(list keep, size_t size) except NULL:
    """Allocate zeroed bytes, which are freed with the list."""
    cdef bytearray memory = PyByteArray_FromStringAndSize(NULL, size)
    keep.append(memory)
    memset(PyByteArray_AS_STRING(memory), 0, size)
    return PyByteArray_AS_STRING(memory)


cdef void *address_of(object array) except NULL:
    """The address of an array's data, which is never NULL for arrays of this package.

    The engine writes to this address, and needs contiguous rows.
    """
    if not isinstance(array, np.ndarray) or not is_all_set(array_flags(array), ALIGNED | C_CONTIGUOUS | WRITEABLE):
        raise ValueError("the engine must be given aligned, C-contiguous and writeable arrays")
    return array_data(array)


cdef class Workspace:
    """The buffers of a pass of some rows through a network. One caller at a time may use it.

    With `training`, it keeps what backward needs, and the values that losses use. With `by_inputs`, it keeps them, too,
    and every value has a gradient, the network's inputs included. With `whole`, each value and each gradient has memory
    of its own, which nothing overwrites: directional derivatives need it.
    """

    def __cinit__(
        self, list operations, str dtype, int64_t inputs, int64_t rows, bint training, list losses,
        bint by_inputs=False, bint whole=False
    ):
        cdef int64_t i, j, n = len(operations)
        cdef bint has_backward = training or by_inputs
        cdef Node *node
        cdef void **x
        cdef void **saved
        self.scratch = []
        self.values = [self.allocate((rows, inputs), dtype)]
        self.deltas = [None] * (n + 1)
        self.python, self.keep, self.saved, self.input_gradients = [], [], [], {}
        self.x = address_of(self.values[0])
        self.nodes = <Node *>calloc(n, sizeof(Node))
        self.x_fields = <void ***>calloc(sum(len(o.inputs) for o in operations), sizeof(void **))
        self.wanted = <void **>calloc(n + 1, sizeof(void *))
        if self.nodes == NULL or self.x_fields == NULL or self.wanted == NULL:
            raise MemoryError
        # The value whose buffer each value uses: in a prediction, some operations do nothing.
        root = self.root = list(range(n + 1))
        for i, operation in enumerate(operations):
            if operation.kernel.only_training and not has_backward and i + 1 < n:
                root[i + 1] = root[operation.inputs[0]]
        consumers = [0] * (n + 1)
        for i, operation in enumerate(operations):
            if root[i + 1] == i + 1:
                for value in operation.inputs:
                    consumers[root[value]] += 1
        kept = {0}
        if has_backward:
            kept.update(i + 1 for i, operation in enumerate(operations) if operation.needs_output)
            kept.update(losses)
        for i, operation in enumerate(operations):
            first = root[operation.inputs[0]]
            if root[i + 1] != i + 1:
                self.values.append(self.values[root[i + 1]])
                continue
            if operation.kernel.in_place and consumers[first] == 1 and first not in kept and not whole:
                self.values.append(self.values[first])
            else:
                self.values.append(self.allocate((rows, operation.units), dtype))
            node = &self.nodes[self.n_nodes]
            self.n_nodes += 1
            node.value = i + 1
            self.connect(node, operation)
            x, saved = <void **>node.op.x, <void **>node.op.saved
            for j, value in enumerate(operation.inputs):
                x[j] = address_of(self.values[value])
                if root[value] == 0:
                    self.x_fields[self.n_x_fields] = &x[j]
                    self.n_x_fields += 1
            node.op.out = address_of(self.values[i + 1])
            self.saved.append([
                self.allocate((rows if matrix.for_each_row else 1, matrix.columns), dtype)
                for matrix in (operation.saved if has_backward else [])
            ])
            node.saves = by_inputs and len(operation.saved) > 0 and not node.only_training
            for j, matrix in enumerate(self.saved[-1]):
                saved[j] = self.hold(matrix)
        if has_backward:
            self.allocate_deltas(operations, dtype, consumers, rows, losses, by_inputs, whole)
        for i in range(self.n_nodes):
            node = &self.nodes[i]
            operation = operations[node.value - 1]
            arrays, out = [self.values[value] for value in operation.inputs], self.values[node.value]
            dx = self.input_gradients.get(i, [None] * len(arrays))
            if operation.activation is not None and operation.activation.is_python:
                bound = PythonActivation(operation.activation.component, arrays[0], out, dx[0])
            elif operation.python is not None:
                bound = PythonLayer(
                    operation.python, arrays, out, self.deltas[node.value], dx,
                    dict(zip(operation.names, operation.parameters, strict=True)),
                    dict(zip(operation.names, self.saved[i], strict=False))
                )
            else:
                continue
            # a Python method reads the array of value 0, not the caller's rows
            self.copies_x = self.copies_x or any(root[value] == 0 for value in operation.inputs)
            self.python.append(bound)
            node.python = <void *>bound

    cdef int connect(self, Node *node, operation) except -1:
        """Set up what does not depend on the buffers."""
        cdef const double[::1] h
        cdef ActivationKernel activation
        cdef OperationKernel kernel = operation.kernel
        cdef cynn_operands *op = &node.op
        op.struct_size = sizeof(cynn_operands)
        op.number = operation.number
        op.n_inputs, op.units = len(operation.inputs), operation.units
        op.widths = self.whole_numbers(operation.widths)
        op.x, op.dx = <const void *const *>self.addresses(op.n_inputs), self.addresses(op.n_inputs)
        self.set_parameters(op, operation.parameters)
        op.n_states, op.states = len(operation.states), self.addresses(len(operation.states), operation.states)
        op.n_saved, op.saved = len(operation.saved), self.addresses(len(operation.saved))
        op.n_h = len(operation.hyperparameters)
        if op.n_h:
            h = array_of("d", operation.hyperparameters)
            self.keep.append(h)
            op.h = &h[0]
        if operation.activation is not None:
            activation = operation.activation
            op.activation, op.activation_h = &activation.functions, activation.h
        node.operation = &kernel.functions
        node.gradient_in_place, node.only_training = kernel.gradient_in_place, kernel.only_training
        self.keep.append(operation)
        return 0

    cdef int set_parameters(self, cynn_operands *op, list parameters) except -1:
        op.n_parameters, op.parameters = len(parameters), self.addresses(len(parameters), parameters)
        columns = [0 if parameter is None else parameter.shape[-1] for parameter in parameters]
        op.parameter_columns = self.whole_numbers(columns)
        op.parameter_rows = self.whole_numbers(
            [0 if parameter is None else parameter.size // n for parameter, n in zip(parameters, columns)]
        )
        return 0

    cdef void **addresses(self, int64_t n, list arrays=None) except NULL:
        """Allocate n addresses: those of the arrays, or NULL. They are freed with the workspace."""
        cdef void **result
        cdef int64_t i
        result = <void **>zeroed(self.keep, max(1, n) * sizeof(void *))
        for i, array in enumerate(arrays or []):
            result[i] = NULL if array is None else address_of(array)
        return result

    cdef int64_t *whole_numbers(self, list values) except NULL:
        cdef int64_t *result = <int64_t *>zeroed(self.keep, (len(values) + 1) * sizeof(int64_t))
        cdef int64_t i
        for i in range(len(values)):
            result[i] = values[i]
        return result

    cdef int allocate_deltas(
        self, list operations, str dtype, list consumers, int64_t rows, list losses, bint by_inputs,
        bint whole
    ) except -1:
        """Allocate the gradient of every value that depends on something trained, or of all.

        If several operations or losses use a value, each writes a gradient of its own. They are added up before the
        operation that computed the value needs the sum.
        """
        cdef int64_t i, j, n = len(operations)
        cdef Node *node
        has_gradient = [by_inputs or whole] * (n + 1)
        sums = [[] for _ in range(n + 1)]
        for i, operation in enumerate(operations):
            is_trained = operation.trainable and any(p is not None for p in operation.parameters)
            has_gradient[i + 1] = is_trained or any(has_gradient[value] for value in operation.inputs)
        self.loss_gradients = []
        for value in losses:
            array = self.allocate((rows, operations[<int64_t>value - 1].units), dtype)
            self.loss_gradients.append(array)
            if self.deltas[value] is None:
                self.deltas[value] = array
            else:
                sums[value].append(array)
        for i in range(n - 1, -1, -1):
            operation = operations[i]
            node = &self.nodes[i]
            node.has_gradient = has_gradient[i + 1]
            if self.deltas[i + 1] is None:
                continue
            node.op.delta = address_of(self.deltas[i + 1])
            for j, value in enumerate(operation.inputs):
                if not has_gradient[value]:
                    continue
                shared = operation.kernel.gradient_in_place and j == 0 and consumers[value] == 1 and not whole
                array = self.deltas[i + 1] if shared else self.allocate((rows, operation.widths[j]), dtype)
                if self.deltas[value] is None:
                    self.deltas[value] = array
                else:
                    sums[value].append(array)
                (<void **>node.op.dx)[j] = self.hold(array)
                self.input_gradients.setdefault(i, [None] * len(operation.inputs))[j] = array
            self.hold_sums(node, sums[i + 1])
        if self.deltas[0] is not None:
            self.input.op.delta, self.input.op.units = address_of(self.deltas[0]), self.deltas[0].shape[1]
            self.hold_sums(&self.input, sums[0])
        return 0

    cdef int hold_sums(self, Node *node, list sums) except -1:
        cdef int64_t i
        node.n_sums = len(sums)
        node.sums = <void **>calloc(max(1, node.n_sums), sizeof(void *))
        if node.sums == NULL:
            raise MemoryError
        for i, array in enumerate(sums):
            node.sums[i] = self.hold(array)
        return 0

    cdef object allocate(self, object shape, object dtype):
        """Allocate an array that every pass writes before it reads it."""
        array = aligned(shape, dtype)
        self.scratch.append(array)
        return array

    cdef int begin_pass(self) except -1:
        """Call this before every pass: in a debug build, it overwrites the values of the last pass with NaN."""
        if IS_DEBUG:
            for array in self.scratch:
                poison(array)
        return 0

    cdef void *hold(self, array) except NULL:
        self.keep.append(array)
        return address_of(array)

    cdef void set_x(self, const void *x) noexcept nogil:
        """Set the address from which the operations read value 0."""
        cdef int64_t i
        for i in range(self.n_x_fields):
            self.x_fields[i][0] = <void *>x

    def __dealloc__(self):
        cdef int64_t i
        for i in range(self.n_nodes):
            free(self.nodes[i].sums)
        free(self.input.sums)
        free(self.nodes)
        free(self.x_fields)
        free(self.wanted)

    def raise_error(self):
        """Raise the error of a Python method, as a PluginError that names the component."""
        cdef PythonOperation operation
        for operation in self.python:
            error, operation.error = operation.error, None
            if error is not None:
                raise_plugin_error(operation.component, error)


cdef int forward_node(
    const Dtype *dtype, const Node *node, const cynn_pass *pass_, int64_t begin, int64_t end
) noexcept nogil:
    """Run forward on rows begin..end. Returns 0, or -1 if Python raised."""
    cdef const cynn_operands *op = &node.op
    cdef cynn_pass saving
    if node.saves and not pass_.training:
        saving = pass_[0]
        saving.training = True
        pass_ = &saving
    if node.python != NULL:
        return call_python(<PyObject *>node.python, FORWARD, end)
    if node.forward_by_columns:
        dtype.forward_columns(node.operation, op, pass_, begin, end)
    else:
        dtype.forward(node.operation, op, pass_, begin, end)
    return 0


cdef int backward_node(
    const Dtype *dtype, const Node *node, const cynn_pass *pass_, int64_t begin, int64_t end
) noexcept nogil:
    """Compute dC/dx from dC/dout for rows begin..end. Returns 0, or -1 if Python raised."""
    cdef const cynn_operands *op = &node.op
    cdef void *delta = op.delta
    cdef int64_t offset = begin * op.units, size = (end - begin) * op.units
    cdef bint passes_on = node.only_training and not pass_.training
    cdef int64_t i
    if node.gradient_in_place or passes_on:
        if op.dx[0] == NULL:
            return 0
        if op.dx[0] != op.delta:
            memcpy(at(dtype, op.dx[0], offset), at(dtype, delta, offset), size * dtype.itemsize)
            delta = op.dx[0]
    if passes_on:
        for i in range(1, op.n_inputs):  # a prediction does not use these inputs
            memset(at(dtype, op.dx[i], begin * op.widths[i]), 0, (end - begin) * op.widths[i] * dtype.itemsize)
        return 0
    if node.python != NULL:
        return call_python(<PyObject *>node.python, BACKWARD, end)
    if node.backward_by_columns:
        dtype.backward_columns(node.operation, op, pass_, begin, end, delta)
    else:
        dtype.backward(node.operation, op, pass_, begin, end, delta)
    return 0


cdef void add_gradients(const Dtype *dtype, const Node *node, int64_t begin, int64_t end) noexcept nogil:
    """Complete dC/dout of rows begin..end: if several operations use the output, it is the sum of their gradients."""
    cdef int64_t i, offset = begin * node.op.units, size = (end - begin) * node.op.units
    for i in range(node.n_sums):
        dtype.updates.add(size, at(dtype, node.sums[i], offset), at(dtype, node.op.delta, offset))
