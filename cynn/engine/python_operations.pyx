"""Activations and layers with Python methods. These run with the GIL, on NumPy arrays of whole batches."""

import numpy as np

from cpython.ref cimport PyObject
from libc.stdint cimport int64_t
from libc.string cimport memcpy

from cynn.abi cimport (
    CYNN_NEEDS_OUT,
    cynn_operands,
    cynn_operation,
    cynn_pass,
    cynn_tangents,
    floating,
    operation_capsule,
)


cdef class OperationTangents:
    """The tangents of an operation's arrays.

    Parameters
    ----------
    grad : array
        dC/da itself, which backward does not change.
    x, dx : list of array
        The tangents of each input, and of dC/dx.
    a, grad_tangent : array
        The tangents of the output, and of dC/da.
    saved : list of array
        The tangents of the gradients by the parameters.
    """

    def __init__(self, grad, list x, a, grad_tangent, list dx, list saved):
        self.grad, self.x, self.a, self.grad_tangent, self.dx, self.saved = grad, x, a, grad_tangent, dx, saved


cdef class PythonOperation:
    """Base of both kinds, which define the four methods. It keeps the error of a method for the caller."""

    cdef int run(self, Method method, int64_t rows) noexcept:
        try:
            if method == FORWARD:
                self.forward(rows)
            elif method == BACKWARD:
                self.backward(rows)
            elif method == JVP:
                self.jvp(rows)
            else:
                self.backward_jvp(rows)
            return 0
        except BaseException as error:
            self.error = error
            return -1

    cdef forward(self, int64_t rows):
        raise NotImplementedError

    cdef backward(self, int64_t rows):
        raise NotImplementedError

    cdef jvp(self, int64_t rows):
        raise NotImplementedError

    cdef backward_jvp(self, int64_t rows):
        raise NotImplementedError

    cdef set_directions(self, list directions):
        """Set the tangents of the parameters. None stands for zeros."""


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

    cdef jvp(self, int64_t rows):
        cdef OperationTangents tangents = self.tangents
        z, a, dz = self.z[:rows], self.a[:rows], tangents.x[0][:rows]
        result = self.component.jvp(read_only(z), read_only(a), read_only(dz))
        tangents.a[:rows] = of_shape("jvp must return", z.shape, result)

    cdef backward_jvp(self, int64_t rows):
        cdef OperationTangents tangents = self.tangents
        z, a, grad, dgrad = self.z[:rows], self.a[:rows], tangents.grad[:rows], tangents.dx[0][:rows]
        dgrad[...] = tangents.grad_tangent[:rows]
        result = self.component.backward_jvp(
            read_only(z), read_only(a), read_only(grad), read_only(tangents.x[0][:rows]),
            read_only(tangents.a[:rows]), dgrad
        )
        dgrad[...] = of_shape("backward_jvp must return", z.shape, result)


cdef class PythonLayer(PythonOperation):
    """A layer with Python methods."""

    def __init__(self, component, list x, a, delta, list dx, dict parameters, dict gradients):
        self.component = component
        self.x, self.a, self.delta, self.dx = x, a, delta, dx
        self.takes_list = component.n_inputs != 1
        self.parameters = {name: read_only(parameter) for name, parameter in parameters.items()}
        self.gradients = {name: matrix.reshape(parameters[name].shape) for name, matrix in gradients.items()}

    cdef set_directions(self, list directions):
        self.directions = {
            name: read_only(np.zeros_like(parameter) if direction is None else direction)
            for (name, parameter), direction in zip(self.parameters.items(), directions, strict=True)
        }

    cdef forward(self, int64_t rows):
        a = self.a[:rows]
        result = self.component.forward(self.views(self.x, rows), self.parameters)
        a[...] = of_shape("forward must return", a.shape, result)

    cdef backward(self, int64_t rows):
        a, grad = read_only(self.a[:rows]), self.delta[:rows].copy()
        result = self.component.backward(self.views(self.x, rows), self.parameters, a, grad)
        self.write("backward", result, rows, self.dx, self.gradients)

    cdef jvp(self, int64_t rows):
        cdef OperationTangents tangents = self.tangents
        a = read_only(self.a[:rows])
        result = self.component.jvp(
            self.views(self.x, rows), self.parameters, a, self.views(tangents.x, rows), self.directions
        )
        tangents.a[:rows] = of_shape("jvp must return", a.shape, result)

    cdef backward_jvp(self, int64_t rows):
        cdef OperationTangents tangents = self.tangents
        result = self.component.backward_jvp(
            self.views(self.x, rows), self.parameters, read_only(self.a[:rows]), read_only(tangents.grad[:rows]),
            self.views(tangents.x, rows), self.directions, read_only(tangents.a[:rows]),
            tangents.grad_tangent[:rows].copy()
        )
        gradients = {
            name: array.reshape(parameter.shape)
            for (name, parameter), array in zip(self.parameters.items(), tangents.saved, strict=True)
        }
        self.write("backward_jvp", result, rows, tangents.dx, gradients)

    cdef views(self, list arrays, int64_t rows):
        """Read-only views of the arrays' first rows, as methods get them: a list, or the only one."""
        cdef list found = [read_only(array[:rows]) for array in arrays]
        return found if self.takes_list else found[0]

    cdef write(self, str method, result, int64_t rows, list targets, dict gradients):
        """Check and copy what `backward` or `backward_jvp` has returned for the inputs and the parameters."""
        if not isinstance(result, tuple) or len(result) != 2 or not isinstance(result[1], dict):
            raise TypeError(
                f"{method} must return a tuple of dC/dx and a dict with the gradient of every parameter. "
                f"Got {type(result).__name__} instead."
            )
        dx, found_gradients = result
        if found_gradients.keys() != self.parameters.keys():
            raise KeyError(
                f"{method} must return the gradients of {list(self.parameters)}. Got {list(found_gradients)} instead."
            )
        if not self.takes_list:
            dx = [dx]
        elif not isinstance(dx, (list, tuple)) or len(dx) != len(self.x):
            raise TypeError(
                f"dC/dx of a layer with several inputs must be a list of {len(self.x)} arrays. Got "
                f"{f'{len(dx)} of them' if isinstance(dx, (list, tuple)) else type(dx).__name__} instead."
            )
        for target, x, found in zip(targets, self.x, dx):
            found = of_shape("dC/dx must be", x[:rows].shape, found)
            if target is not None:
                target[:rows] = found
        for name, gradient in gradients.items():
            gradient[...] = of_shape(f"the gradient of {name} must be", gradient.shape, found_gradients[name])


cdef object read_only(object array):
    view = array.view()
    view.flags.writeable = False
    return view


cdef object of_shape(str what, object shape, object result):
    if np.shape(result) != shape:
        raise ValueError(f"{what} an array of shape {shape}. Got {np.shape(result)} instead.")
    return result


cdef int call_python(PyObject *python, Method method, int64_t rows) noexcept with gil:
    return (<PythonOperation>python).run(method, rows)


cdef void never_called(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *array
) noexcept nogil:
    """Only says that the kernel has the function: the engine calls the Python methods."""


cdef void copied_gradient(
    const cynn_operands *op, const cynn_pass *pass_, int64_t parameter, int64_t begin, int64_t end, floating *grad
) noexcept nogil:
    """Copy the gradient that backward has computed."""
    cdef int64_t columns = op.parameter_columns[parameter]
    memcpy(grad, <floating *>op.saved[parameter] + begin * columns, (end - begin) * columns * sizeof(floating))


cdef void copied_tangent(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t parameter, int64_t begin,
    int64_t end, floating *grad
) noexcept nogil:
    """Copy the tangent of the gradient that backward_jvp has computed."""
    cdef int64_t columns = op.parameter_columns[parameter]
    memcpy(grad, <floating *>tangents.saved[parameter] + begin * columns, (end - begin) * columns * sizeof(floating))


cdef cynn_operation layer
layer.forward_f32 = never_called[float]
layer.forward_f64 = never_called[double]
layer.backward_f32 = never_called[float]
layer.backward_f64 = never_called[double]
layer.gradient_f32 = copied_gradient[float]
layer.gradient_f64 = copied_gradient[double]
layer.gradient_jvp_f32 = copied_tangent[float]
layer.gradient_jvp_f64 = copied_tangent[double]

#: The functions of a layer with Python methods. The engine calls only those for the gradients.
KERNEL = operation_capsule(&layer, CYNN_NEEDS_OUT)
