"""The base of the kernels of all kinds: checked ABI structs with hyperparameters.

Python can call them on arrays, and the engine can call their functions.
"""

from array import array

import numpy as np

from cynn.errors import ShapeError

from cynn.engine.ndarray cimport (
    ALIGNED,
    C_CONTIGUOUS,
    FLOAT32_NUMBER,
    FLOAT64_NUMBER,
    array_flags,
    array_ndim,
    is_all_set,
    is_native,
    type_number,
)

cdef object np_ndarray = np.ndarray


cdef int check_pair(object first, object second, str first_name, str second_name) except -1:
    if first.shape != second.shape or first.dtype != second.dtype:
        raise ShapeError(
            f"{second_name} must have the shape and dtype of {first_name}, {first.shape} {first.dtype}. "
            f"Got {second.shape} {second.dtype} instead."
        )
    return 0


cdef bint is_plain(object given, int number) noexcept:
    """Whether this is an array of the dtype with that number, as kernels read it: aligned and C-contiguous."""
    return (
        type(given) is np_ndarray and type_number(given) == number and is_native(given)
        and is_all_set(array_flags(given), ALIGNED | C_CONTIGUOUS)
    )


cdef object as_matrix(object array_like, str name):
    if (is_plain(array_like, FLOAT32_NUMBER) or is_plain(array_like, FLOAT64_NUMBER)) and array_ndim(array_like) == 2:
        return array_like
    matrix = np.require(array_like, requirements=["C", "A"])
    if matrix.ndim != 2 or matrix.dtype not in (np.float32, np.float64):
        raise ShapeError(
            f"{name} must be a two-dimensional array of float32 or float64. "
            f"Got {matrix.ndim} dimensions of {matrix.dtype} instead."
        )
    return matrix


cdef class KernelObject:
    """The base of the kernels of all kinds.

    Parameters
    ----------
    component : Component
        The component with these functions.
    use_kernel : bool
        Whether to ignore methods that a subclass of a compiled class overrides.

    Attributes
    ----------
    is_python : bool
        Whether it has Python methods instead of functions.
    values : array
        The hyperparameters as the functions receive them.
    """

    def __init__(self, component, *, bint use_kernel=False):
        self.component = component
        self.is_python = not (use_kernel and component.kernel is not None or component.is_compiled())
        self.values = array("d", component.kernel_values())
        if len(self.values):
            self.held = self.values  # an array that is viewed cannot be resized
            self.h = &self.held[0]
