"""The tangents of a workspace: its values and gradients, differentiated along one direction.

Forward and backward go through the nodes of the workspace, and `jvp` and `backward_jvp` (abi.h) compute the tangents.
No value or gradient overwrites another: the workspace is made with `whole`.
"""

import numpy as np

from cpython.ref cimport PyObject
from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from cynn.abi cimport CYNN_ONLY_TRAINING, cynn_operands, cynn_pass, cynn_tangents
from cynn.engine.dtypes cimport at, dtype_named
from cynn.engine.python_operations cimport (
    BACKWARD,
    BACKWARD_JVP,
    JVP,
    OperationTangents,
    PythonOperation,
    call_python,
)
from cynn.engine.workspace cimport Node, Workspace, address_of, aligned, forward_node


cdef inline bint is_identity(const Node *node, const cynn_pass *pass_) noexcept nogil:
    """Whether the output is the first input, as it is for noise in prediction mode."""
    return node.operation.flags & CYNN_ONLY_TRAINING and not pass_.training


cdef inline cynn_pass saving(const cynn_pass *pass_) noexcept nogil:
    """The pass with `training` set: forward then saves what the other functions read, in prediction mode, too."""
    cdef cynn_pass found = pass_[0]
    found.training = True
    return found


cdef class Tangents:
    """One tangent for each array of a workspace, and the passes that compute them.

    Parameters
    ----------
    workspace : Workspace
        Made with `training` and `whole`.
    operations : list of Operation
        The operations of the workspace.
    dtype : str
        The dtype of the network.

    Attributes
    ----------
    values : list of array
        The tangent of each value. The first is the direction of the inputs, which the caller writes.
    loss_gradients : list of array
        The tangents of the gradients by the outputs.
    """

    def __cinit__(self, Workspace workspace, list operations, str dtype):
        cdef int64_t i, j, rows = len(workspace.values[0]), widest = 1
        cdef Node *node
        cdef cynn_tangents *tangents
        self.workspace, self.dtype = workspace, dtype_named(dtype)
        self.keep, self.by_address = [workspace], {}
        self.nodes = <cynn_tangents *>calloc(max(1, workspace.n_nodes), sizeof(cynn_tangents))
        self.saved_columns = <int64_t **>calloc(max(1, workspace.n_nodes), sizeof(int64_t *))
        self.sums = <void ***>calloc(max(1, workspace.n_nodes), sizeof(void **))
        if self.nodes == NULL or self.saved_columns == NULL or self.sums == NULL:
            raise MemoryError
        self.values = [
            self.tangent_of(address_of(array), rows, array.shape[1]) for array in workspace.values
        ]
        self.loss_gradients = [
            self.tangent_of(address_of(array), rows, array.shape[1]) for array in workspace.loss_gradients
        ]
        for i in range(workspace.n_nodes):
            node, tangents = &workspace.nodes[i], &self.nodes[i]
            operation = operations[i]
            tangents.struct_size = sizeof(cynn_tangents)
            tangents.x = <const void *const *>self.addresses([self.values[value] for value in operation.inputs])
            tangents.out = address_of(self.values[i + 1])
            tangents.dx = self.addresses([
                None if node.op.dx[j] == NULL else self.tangent_of(node.op.dx[j], rows, operation.widths[j])
                for j in range(node.op.n_inputs)
            ])
            if node.op.delta != NULL:
                tangents.delta = address_of(self.tangent_of(node.op.delta, rows, operation.units))
            self.sums[i] = self.addresses([
                self.tangent_of(node.sums[j], rows, operation.units) for j in range(node.n_sums)
            ])
            tangents.saved = self.addresses([
                self.tangent_of(address_of(array), array.shape[0], array.shape[1]) for array in workspace.saved[i]
            ])
            if node.python != NULL:
                (<PythonOperation>node.python).tangents = OperationTangents(
                    workspace.deltas[i + 1], [self.values[value] for value in operation.inputs], self.values[i + 1],
                    self.tangent_of(node.op.delta, rows, operation.units),
                    [self.tangent_of(node.op.dx[j], rows, operation.widths[j]) for j in range(node.op.n_inputs)],
                    [self.tangent_of(address_of(array), 1, array.size) for array in workspace.saved[i]]
                )
            self.set_parameters(i, [None] * node.op.n_parameters)
            widest = max(widest, operation.units)
            columns = np.array([m.columns if m.for_each_row else -m.columns for m in operation.saved] + [0], np.int64)
            self.keep.append(columns)
            self.saved_columns[i] = <int64_t *>address_of(columns)
        self.inputs = workspace.values[0].shape[1]
        self.first, self.entries = address_of(self.values[0]), self.addresses(workspace.loss_gradients)
        self.entry_tangents = self.addresses(self.loss_gradients)
        self.scratch, self.widest = self.addresses([aligned((rows, widest), dtype)])[0], widest

    cdef object tangent_of(self, void *array, int64_t rows, int64_t columns):
        """The tangent of the array at an address. A new one is zero."""
        key = <size_t>array
        if key not in self.by_address:
            tangent = aligned((rows, columns), np.float32 if self.dtype.itemsize == 4 else np.float64)
            tangent[...] = 0
            self.by_address[key] = tangent
        return self.by_address[key]

    cdef void **addresses(self, list arrays) except NULL:
        cdef int64_t i
        cdef void **result
        held = np.zeros(max(1, len(arrays)), np.uintp)
        self.keep += [held, arrays]
        result = <void **>address_of(held)
        for i, array in enumerate(arrays):
            result[i] = NULL if array is None else address_of(array)
        return result

    cdef int set_parameters(self, int64_t node, list directions) except -1:
        """Set the tangents of a node's parameters. None stands for zeros."""
        self.nodes[node].parameters = <const void *const *>self.addresses(directions)
        if self.workspace.nodes[node].python != NULL:
            (<PythonOperation>self.workspace.nodes[node].python).set_directions(directions)
        return 0

    cdef int forward(self, const cynn_pass *pass_, int64_t begin, int64_t end) noexcept nogil:
        """Compute the values of rows begin..end. Returns -1 if Python raised."""
        cdef int64_t i
        cdef cynn_pass saving_pass = saving(pass_)
        cdef Node *node
        for i in range(self.workspace.n_nodes):
            node = &self.workspace.nodes[i]
            if is_identity(node, pass_):
                self.copy(node.op.x[0], node.op.out, begin, end, node.op.units)
            elif forward_node(self.dtype, node, &saving_pass, begin, end):
                return -1
        return 0

    cdef int jvp(self, const cynn_pass *pass_, int64_t begin, int64_t end) noexcept nogil:
        """Compute the tangents of the values of rows begin..end, after `forward`. Returns -1 if Python raised."""
        cdef int64_t i
        for i in range(self.workspace.n_nodes):
            if self.jvp_at(i, pass_, begin, end):
                return -1
        return 0

    cdef int jvp_at(self, int64_t i, const cynn_pass *pass_, int64_t begin, int64_t end) noexcept nogil:
        """Compute the tangent of the output of node i. Returns -1 if Python raised."""
        cdef Node *node = &self.workspace.nodes[i]
        cdef cynn_pass saving_pass = saving(pass_)
        if is_identity(node, pass_):
            self.copy(self.nodes[i].x[0], self.nodes[i].out, begin, end, node.op.units)
        elif node.python != NULL:
            return call_python(<PyObject *>node.python, JVP, end)
        else:
            self.dtype.jvp(node.operation, &node.op, &self.nodes[i], &saving_pass, begin, end)
        return 0

    cdef void copy(self, const void *source, void *target, int64_t begin, int64_t end, int64_t columns) noexcept nogil:
        cdef int64_t offset = begin * columns
        memcpy(
            at(self.dtype, target, offset), at(self.dtype, source, offset),
            (end - begin) * columns * self.dtype.itemsize,
        )

    cdef void add_tangents(self, int64_t i, int64_t begin, int64_t end) noexcept nogil:
        """Add up the tangent of dC/dout, as `add_gradients` adds up dC/dout."""
        cdef Node *node = &self.workspace.nodes[i]
        cdef int64_t j, offset = begin * node.op.units, size = (end - begin) * node.op.units
        for j in range(node.n_sums):
            self.dtype.updates.add(
                size, at(self.dtype, self.sums[i][j], offset), at(self.dtype, self.nodes[i].delta, offset)
            )

    cdef int backward_at(self, int64_t i, const cynn_pass *pass_, int64_t begin, int64_t end) noexcept nogil:
        """Compute dC/dx of a node from dC/dout, which is not changed. Returns -1 if Python raised."""
        cdef Node *node = &self.workspace.nodes[i]
        cdef cynn_pass saving_pass = saving(pass_)
        cdef cynn_operands op = node.op
        if is_identity(node, pass_):
            self.copy(op.delta, op.dx[0], begin, end, op.units)
            return 0
        if node.gradient_in_place:
            op.delta = op.dx[0]
        else:  # rows begin..end of scratch, whatever the units: other threads may be at nodes of other widths
            op.delta = at(self.dtype, self.scratch, begin * (self.widest - op.units))
        if op.delta == NULL:
            return 0
        self.copy(node.op.delta, op.delta, begin, end, op.units)
        if node.python != NULL:
            return call_python(<PyObject *>node.python, BACKWARD, end)
        self.dtype.backward(node.operation, &op, &saving_pass, begin, end, op.delta)
        return 0

    cdef int backward_jvp_at(self, int64_t i, const cynn_pass *pass_, int64_t begin, int64_t end) noexcept nogil:
        """Compute the tangent of dC/dx of a node, before or after `backward_at`. Returns -1 if Python raised."""
        cdef Node *node = &self.workspace.nodes[i]
        cdef cynn_pass saving_pass = saving(pass_)
        if is_identity(node, pass_):
            self.copy(self.nodes[i].delta, self.nodes[i].dx[0], begin, end, node.op.units)
        elif node.python != NULL:
            return call_python(<PyObject *>node.python, BACKWARD_JVP, end)
        else:
            self.dtype.backward_jvp(node.operation, &node.op, &self.nodes[i], &saving_pass, begin, end)
        return 0

    cdef void repeat_saved(
        self, Tangents wide, int64_t i, int64_t j, int64_t copies, int64_t begin, int64_t end
    ) noexcept nogil:
        """Write `copies` copies, for each of the rows begin..end, of matrix j of those that node i has saved."""
        cdef const void *source = self.workspace.nodes[i].op.saved[j]
        cdef void *target = wide.workspace.nodes[i].op.saved[j]
        cdef int64_t columns = self.saved_columns[i][j]
        if columns < 0:
            memcpy(target, source, -columns * self.dtype.itemsize)
        else:
            repeat_rows(self.dtype, source, target, copies, begin, end, columns)

    def __dealloc__(self):
        free(self.nodes)
        free(self.saved_columns)
        free(self.sums)


cdef void repeat_rows(
    const Dtype *dtype, const void *source, void *target, int64_t copies, int64_t begin, int64_t end, int64_t columns
) noexcept nogil:
    """Write `copies` copies of each of the rows begin..end of source to rows begin * copies..end * copies of target."""
    cdef int64_t row, k, size = columns * dtype.itemsize
    for row in range(begin, end):
        for k in range(copies):
            memcpy(<char *>target + (row * copies + k) * size, <const char *>source + row * size, size)


cdef void repeat_values(Tangents base, Tangents wide, int64_t copies, int64_t begin, int64_t end) noexcept nogil:
    """Write `copies` copies of what forward has computed and saved for each of the rows begin..end."""
    cdef const Dtype *dtype = base.dtype
    cdef int64_t i, j
    cdef const Node *from_node
    cdef const Node *to_node
    repeat_rows(dtype, base.workspace.x, wide.workspace.x, copies, begin, end, base.inputs)
    for i in range(base.workspace.n_nodes):
        from_node, to_node = &base.workspace.nodes[i], &wide.workspace.nodes[i]
        repeat_rows(dtype, from_node.op.out, to_node.op.out, copies, begin, end, from_node.op.units)
        for j in range(from_node.op.n_saved):
            base.repeat_saved(wide, i, j, copies, begin, end)
