"""The functions of an activation."""

import numpy as np

from cynn.components import inheritance
from cynn.errors import PluginError

from libc.stdint cimport int64_t, uint32_t

from cynn.abi cimport (
    CYNN_ACTIVATION_CAPSULE,
    CYNN_ACTIVATION_FLAGS,
    CYNN_ACTIVATION_SMALLEST_SIZE,
    CYNN_IN_PLACE,
    CYNN_NEEDS_A,
    CYNN_NEEDS_Z,
    CYNN_ROWWISE,
    cynn_activation,
)
from cynn.engine.abi_checks import describe
from cynn.engine.abi_checks cimport (
    check_offer,
    copy_struct,
    missing_dtype,
    nothing_offered,
    require_overridden,
)
from cynn.engine.dtypes cimport Dtype, dtype_named, dtype_of
from cynn.engine.kernel_object cimport KernelObject, as_matrix, check_pair
from cynn.engine.ndarray cimport array_data
from cynn.kernels.blas cimport faults, raise_faults_since


cdef class ActivationKernel(KernelObject):
    """The functions of an activation."""

    def __init__(self, component, *, bint use_kernel=False):
        super().__init__(component, use_kernel=use_kernel)
        if self.is_python:
            require_overridden(component, "forward")
            require_overridden(component, "backward")
        else:
            copy_struct(
                component, component.kernel, CYNN_ACTIVATION_CAPSULE, CYNN_ACTIVATION_FLAGS,
                CYNN_ACTIVATION_SMALLEST_SIZE, &self.functions, sizeof(cynn_activation)
            )
            self.check_functions()
            # so that no layer reads beyond the end of this copy
            self.functions.struct_size = min(self.functions.struct_size, <uint32_t>sizeof(cynn_activation))

    cdef int check_functions(self) except -1:
        cdef cynn_activation *functions = &self.functions
        check_offer(
            self.component, "float32", functions.forward_f32 != NULL, functions.backward_f32 != NULL,
            "forward", "backward"
        )
        check_offer(
            self.component, "float64", functions.forward_f64 != NULL, functions.backward_f64 != NULL,
            "forward", "backward"
        )
        if functions.forward_f32 == NULL and functions.forward_f64 == NULL:
            raise nothing_offered(self.component, "forward and backward")
        if functions.flags & CYNN_IN_PLACE and functions.flags & CYNN_NEEDS_Z:
            raise PluginError(
                f"The flags of the kernel of {describe(self.component)} must not have CYNN_IN_PLACE and "
                "CYNN_NEEDS_Z together. Got both: z is lost where a takes its place, so drop CYNN_IN_PLACE."
            )
        return 0

    @property
    def in_place(self):
        """Whether forward may write a over z."""
        return not self.is_python and (self.functions.flags & CYNN_IN_PLACE) != 0

    @property
    def is_rowwise(self):
        """Whether an element of a depends on its whole row of z."""
        return not self.is_python and (self.functions.flags & CYNN_ROWWISE) != 0

    @property
    def needs_a(self):
        """Whether backward reads a."""
        return self.is_python or (self.functions.flags & CYNN_NEEDS_A) != 0

    @property
    def needs_z(self):
        """Whether backward reads z."""
        return self.is_python or (self.functions.flags & CYNN_NEEDS_Z) != 0

    def require_dtype(self, str dtype):
        """Raise a PluginError unless there are kernels for that dtype.

        Parameters
        ----------
        dtype : {"float32", "float64"}
            The dtype of the network.
        """
        if self.is_python:
            return
        if dtype == "float32":
            offered = self.functions.forward_f32 != NULL and self.functions.backward_f32 != NULL
        else:
            offered = self.functions.forward_f64 != NULL and self.functions.backward_f64 != NULL
        if not offered:
            raise missing_dtype(self.component, dtype)

    def has(self, str function, str dtype):
        """Whether there is a function for directional derivatives. For an elementwise one, backward serves as jvp.

        Parameters
        ----------
        function : {"jvp", "backward_jvp"}
        dtype : {"float32", "float64"}
            The dtype of the network.

        Returns
        -------
        bool
            False if it is NULL. Of an activation in Python, whether it has such a method, jvp included.
        """
        cdef const Dtype *functions = dtype_named(dtype)
        if self.is_python:
            return inheritance.directional(self.component, function) is not None
        if function == "jvp":
            return functions.has_activation_jvp(&self.functions)
        return functions.has_activation_backward_jvp(&self.functions)

    def forward(self, z):
        """Compute a = f(z) for a matrix.

        Parameters
        ----------
        z : array of shape (rows, units)
            float32 or float64.

        Returns
        -------
        array
            a, of the same shape and dtype.
        """
        cdef int64_t faults_before = faults()
        z = as_matrix(z, "z")
        if self.is_python:
            return self.component.forward(z)
        self.require_dtype(z.dtype.name)
        a = np.empty_like(z)
        if z.size:
            dtype_of(z).activation_forward(
                &self.functions, self.h, z.shape[0], z.shape[1], array_data(z), array_data(a)
            )
        raise_faults_since(faults_before)
        return a

    def backward(self, z, a, grad):
        """Compute dC/dz from dC/da.

        Parameters
        ----------
        z, a : array of shape (rows, units)
            The input and the output of forward.
        grad : array of shape (rows, units)
            dC/da, which is not changed.

        Returns
        -------
        array
            dC/dz, of the same shape and dtype.
        """
        cdef int64_t faults_before = faults()
        z, a, grad = as_matrix(z, "z"), as_matrix(a, "a"), as_matrix(grad, "grad").copy()
        check_pair(z, a, "z", "a")
        check_pair(z, grad, "z", "grad")
        if self.is_python:
            return self.component.backward(z, a, grad)
        self.require_dtype(z.dtype.name)
        if z.size:
            dtype_of(z).activation_backward(
                &self.functions, self.h, z.shape[0], z.shape[1], array_data(z), array_data(a), array_data(grad)
            )
        raise_faults_since(faults_before)
        return grad
