# Operations with Python methods, bound to the buffers of one workspace.
from cpython.ref cimport PyObject
from libc.stdint cimport int64_t


cdef enum Method:
    FORWARD
    BACKWARD
    JVP
    BACKWARD_JVP


cdef class OperationTangents:
    cdef object grad, a, grad_tangent
    cdef list x, dx, saved


cdef class PythonOperation:
    cdef readonly object component
    cdef readonly object error       # what a method has raised
    cdef OperationTangents tangents  # or None
    cdef int run(self, Method method, int64_t rows) noexcept
    cdef forward(self, int64_t rows)
    cdef backward(self, int64_t rows)
    cdef jvp(self, int64_t rows)
    cdef backward_jvp(self, int64_t rows)
    cdef set_directions(self, list directions)


cdef class PythonActivation(PythonOperation):
    cdef object z, a, delta


cdef class PythonLayer(PythonOperation):
    cdef object a, delta
    cdef list x, dx                  # of each input; None if no gradient is wanted
    cdef bint takes_list             # methods get and return lists, not the only array
    cdef dict parameters             # read-only views
    cdef dict directions             # the tangents of the parameters
    cdef readonly dict gradients     # of the trained parameters, where the engine reads them
    cdef views(self, list arrays, int64_t rows)
    cdef write(self, str method, result, int64_t rows, list targets, dict gradients)


cdef int call_python(PyObject *python, Method method, int64_t rows) noexcept with gil
