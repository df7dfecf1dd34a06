"""The functions of an optimizer."""

from cynn.errors import PluginError, ShapeError

from libc.stdint cimport int64_t

from cynn.abi cimport (
    CYNN_MAX_SLOTS,
    CYNN_OPTIMIZER_CAPSULE,
    CYNN_OPTIMIZER_FLAGS,
    CYNN_OPTIMIZER_SMALLEST_SIZE,
    cynn_optimizer,
)
from cynn.engine.abi_checks import describe
from cynn.engine.abi_checks cimport copy_struct, missing_dtype, nothing_offered, require_overridden
from cynn.engine.dtypes cimport dtype_of
from cynn.engine.kernel_object cimport KernelObject, check_pair
from cynn.engine.ndarray cimport array_data
from cynn.kernels.blas cimport faults, raise_faults_since


cdef class OptimizerKernel(KernelObject):
    """The functions of an optimizer.

    Attributes
    ----------
    n_slots : int
        The number of state arrays per parameter.
    """

    def __init__(self, component, *, bint use_kernel=False):
        super().__init__(component, use_kernel=use_kernel)
        if self.is_python:
            require_overridden(component, "step")
            n_slots = component.n_slots
        else:
            copy_struct(
                component, component.kernel, CYNN_OPTIMIZER_CAPSULE, CYNN_OPTIMIZER_FLAGS,
                CYNN_OPTIMIZER_SMALLEST_SIZE, &self.functions, sizeof(cynn_optimizer)
            )
            if self.functions.step_f32 == NULL and self.functions.step_f64 == NULL:
                raise nothing_offered(component, "step")
            n_slots = self.functions.n_slots
        if not isinstance(n_slots, int) or not 0 <= n_slots <= CYNN_MAX_SLOTS:
            raise PluginError(
                f"The n_slots of {describe(component)} must be a whole number from 0 to {CYNN_MAX_SLOTS}. "
                f"Got {n_slots!r} instead."
            )
        self.n_slots = n_slots

    def require_dtype(self, str dtype):
        """Raise a PluginError unless there is a kernel for that dtype.

        Parameters
        ----------
        dtype : {"float32", "float64"}
            The dtype of the network.
        """
        if self.is_python:
            return
        offered = self.functions.step_f32 != NULL if dtype == "float32" else self.functions.step_f64 != NULL
        if not offered:
            raise missing_dtype(self.component, dtype)

    def step(self, w, grad, slots, double learning_rate, int64_t t):
        """Update w, a C-contiguous matrix, and the slots in place.

        Parameters
        ----------
        w, grad : array of shape (rows, columns)
            The parameter and its gradient.
        slots : list of array
            `n_slots` arrays of the same shape.
        learning_rate : float
            The learning rate.
        t : int
            The number of the step, from 1.
        """
        cdef void *addresses[CYNN_MAX_SLOTS]
        cdef int64_t faults_before = faults()
        cdef int i
        for array_, name in [(w, "w"), (grad, "grad"), *((slot, "a slot") for slot in slots)]:
            if not array_.flags.carray or array_.ndim != 2:
                raise ShapeError(
                    f"{name} must be a writeable, C-contiguous matrix of aligned numbers. Got {array_.flags} instead."
                )
            check_pair(w, array_, "w", name)
        if len(slots) != self.n_slots:
            raise ShapeError(f"slots must be {self.n_slots} arrays. Got {len(slots)} instead.")
        if self.is_python:
            self.component.step(w, grad, slots, learning_rate, t)
            return
        self.require_dtype(w.dtype.name)
        for i, slot in enumerate(slots):
            addresses[i] = array_data(slot)
        if w.size:
            dtype_of(w).optimizer_step(
                &self.functions, self.h, learning_rate, t, w.shape[0], w.shape[1], 0, array_data(w),
                array_data(grad), addresses
            )
        raise_faults_since(faults_before)
