"""Operations whose methods are Python: activations and layers over NumPy arrays, with the GIL, on whole batches."""

import numpy as np

from cpython.ref cimport PyObject
from libc.stdint cimport int64_t
from libc.string cimport memcpy

from cynn.abi cimport CYNN_NEEDS_OUT, cynn_operands, cynn_operation, cynn_pass, floating, operation_capsule


cdef class PythonOperation:
    """What they have in common: what a method raises is kept for the caller."""

    cdef int run(self, bint backward, int64_t rows) noexcept:
        try:
            if backward:
                self.backward(rows)
            else:
                self.forward(rows)
            return 0
        except BaseException as error:
            self.error = error
            return -1

    cdef forward(self, int64_t rows):
        raise NotImplementedError

    cdef backward(self, int64_t rows):
        raise NotImplementedError


cdef class PythonActivation(PythonOperation):
    """An activation with Python methods."""

    def __init__(self, component, z, a, delta):
        self.component = component
        self.z = z
        self.a = a
        self.delta = delta

    cdef forward(self, int64_t rows):
        z = self.z[:rows]
        self.a[:rows] = of_shape("forward must return", z.shape, self.component.forward(read_only(z)))

    cdef backward(self, int64_t rows):
        z, a, delta = self.z[:rows], self.a[:rows], self.delta[:rows]
        result = self.component.backward(read_only(z), read_only(a), delta)
        delta[...] = of_shape("backward must return", z.shape, result)


cdef class PythonLayer(PythonOperation):
    """A layer with Python methods, and with its parameters."""

    def __init__(self, component, list x, a, delta, list dx, dict parameters, dict gradients):
        self.component = component
        self.x, self.a, self.delta, self.dx = x, a, delta, dx
        self.takes_list = component.n_inputs != 1
        self.parameters = {name: read_only(parameter) for name, parameter in parameters.items()}
        self.gradients = {name: matrix.reshape(parameters[name].shape) for name, matrix in gradients.items()}

    cdef forward(self, int64_t rows):
        a = self.a[:rows]
        result = self.component.forward(self.inputs(rows), self.parameters)
        a[...] = of_shape("forward must return", a.shape, result)

    cdef inputs(self, int64_t rows):
        cdef list x = [read_only(array[:rows]) for array in self.x]
        return x if self.takes_list else x[0]

    cdef backward(self, int64_t rows):
        a = read_only(self.a[:rows])
        result = self.component.backward(self.inputs(rows), self.parameters, a, self.delta[:rows])
        if not isinstance(result, tuple) or len(result) != 2 or not isinstance(result[1], dict):
            raise TypeError(
                "backward must return a tuple of dC/dx and a dict with the gradient of every parameter. "
                f"Got {type(result).__name__} instead."
            )
        dx, gradients = result
        if gradients.keys() != self.parameters.keys():
            raise KeyError(
                f"backward must return the gradients of {list(self.parameters)}. Got {list(gradients)} instead."
            )
        if not self.takes_list:
            dx = [dx]
        elif not isinstance(dx, (list, tuple)) or len(dx) != len(self.x):
            raise TypeError(
                f"dC/dx of a layer with several inputs must be a list of {len(self.x)} arrays. Got "
                f"{f'{len(dx)} of them' if isinstance(dx, (list, tuple)) else type(dx).__name__} instead."
            )
        for target, x, found in zip(self.dx, self.x, dx):
            found = of_shape("dC/dx must be", x[:rows].shape, found)
            if target is not None:
                target[:rows] = found
        for name, gradient in self.gradients.items():
            gradient[...] = of_shape(f"the gradient of {name} must be", gradient.shape, gradients[name])


cdef object read_only(object array):
    view = array.view()
    view.flags.writeable = False
    return view


cdef object of_shape(str what, object shape, object result):
    if np.shape(result) != shape:
        raise ValueError(f"{what} an array of shape {shape}. Got {np.shape(result)} instead.")
    return result


cdef int call_python(PyObject *python, bint backward, int64_t rows) noexcept with gil:
    return (<PythonOperation>python).run(backward, rows)


cdef void instead(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *array
) noexcept nogil:
    """Never called: the engine calls the methods in Python."""


cdef void copied_gradient(
    const cynn_operands *op, const cynn_pass *pass_, int64_t parameter, int64_t begin, int64_t end, floating *grad
) noexcept nogil:
    """What backward has left."""
    cdef int64_t columns = op.parameter_columns[parameter]
    memcpy(grad, <floating *>op.saved[parameter] + begin * columns, (end - begin) * columns * sizeof(floating))


cdef cynn_operation layer
layer.forward_f32 = instead[float]
layer.forward_f64 = instead[double]
layer.backward_f32 = instead[float]
layer.backward_f64 = instead[double]
layer.gradient_f32 = copied_gradient[float]
layer.gradient_f64 = copied_gradient[double]

#: The functions of a layer whose methods are Python: of these, the engine calls that for the gradients alone.
KERNEL = operation_capsule(&layer, CYNN_NEEDS_OUT)
