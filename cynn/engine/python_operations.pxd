# Operations whose methods are Python, bound to the buffers of one workspace.
from cpython.ref cimport PyObject
from libc.stdint cimport int64_t


cdef class PythonOperation:
    cdef readonly object component
    cdef readonly object error       # what a method has raised
    cdef int run(self, bint backward, int64_t rows) noexcept
    cdef forward(self, int64_t rows)
    cdef backward(self, int64_t rows)


cdef class PythonActivation(PythonOperation):
    cdef object z, a, delta


cdef class PythonLayer(PythonOperation):
    cdef object a, delta
    cdef list x, dx                  # of each input; None where no gradient is wanted
    cdef bint takes_list             # whether methods get, and return, these lists
    cdef dict parameters             # read-only views
    cdef readonly dict gradients     # of those that are trained, where the engine reads them
    cdef inputs(self, int64_t rows)


cdef int call_python(PyObject *python, bint backward, int64_t rows) noexcept with gil
