"""The functions of a loss."""

import numpy as np

from cynn.errors import InvalidParameterError

from libc.stdint cimport int64_t

from cynn.abi cimport (
    CYNN_CLASS_INDEX,
    CYNN_LOSS_CAPSULE,
    CYNN_LOSS_FLAGS,
    CYNN_LOSS_SMALLEST_SIZE,
    cynn_loss,
)
from cynn.components import inheritance
from cynn.engine.abi_checks import describe, raise_plugin_error
from cynn.engine.abi_checks cimport (
    check_offer,
    copy_struct,
    missing_dtype,
    nothing_offered,
    require_overridden,
)
from cynn.engine.activation_kernel cimport ActivationKernel
from cynn.engine.dtypes cimport Dtype, at, dtype_named, dtype_of
from cynn.engine.kernel_object cimport KernelObject, as_matrix, check_pair, is_plain
from cynn.engine.ndarray cimport array_data, type_number
from cynn.kernels.blas cimport faults, raise_faults_since


def checked_loss(component, prediction, target):
    """Call a loss with Python methods, and check the shapes of its result.

    Parameters
    ----------
    component : Loss
        A loss with Python methods.
    prediction, target : array of shape (rows, outputs)
        Its arguments.

    Returns
    -------
    value : array of shape (rows,)
        The loss of each row.
    gradient : array of shape (rows, outputs)
        The gradient of each row's loss by its prediction.
    """
    value, gradient = component.value_and_gradient(prediction, target)
    if np.shape(value) != prediction.shape[:1] or np.shape(gradient) != prediction.shape:
        raise ValueError(
            f"value_and_gradient must return arrays of shapes {prediction.shape[:1]} and {prediction.shape}. "
            f"Got {np.shape(value)} and {np.shape(gradient)} instead."
        )
    return value, gradient


def checked_product(component, prediction, target, direction):
    """Call `backward_jvp` of a loss with Python methods, and check the shape of its result.

    Parameters
    ----------
    component : Loss
        A loss with Python methods.
    prediction, target, direction : array of shape (rows, outputs)
        Its arguments.

    Returns
    -------
    array of shape (rows, outputs)
        For each row, the Hessian of its loss times the direction.
    """
    found = component.backward_jvp(prediction, target, direction)
    if np.shape(found) != prediction.shape:
        raise ValueError(
            f"backward_jvp must return an array of shape {prediction.shape}. Got {np.shape(found)} instead."
        )
    return found


cdef object in_dtype_of(object prediction, object array):
    """The array in the dtype of the prediction, contiguous; None stays None."""
    if array is None or is_plain(array, type_number(prediction)):
        return array
    return np.require(array, prediction.dtype, ["C", "A"])


cdef class LossKernel(KernelObject):
    """The functions of a loss."""

    def __init__(self, component, *, bint use_kernel=False):
        super().__init__(component, use_kernel=use_kernel)
        if self.is_python:
            require_overridden(component, "value_and_gradient")
        else:
            copy_struct(
                component, component.kernel, CYNN_LOSS_CAPSULE, CYNN_LOSS_FLAGS, CYNN_LOSS_SMALLEST_SIZE,
                &self.functions, sizeof(cynn_loss)
            )
            self.check_functions()

    cdef int check_functions(self) except -1:
        cdef cynn_loss *functions = &self.functions
        cdef bint f32 = functions.value_and_gradient_f32 != NULL
        cdef bint f64 = functions.value_and_gradient_f64 != NULL
        if not f32 and not f64:
            raise nothing_offered(self.component, "value_and_gradient")
        if functions.fuses_with != NULL:
            check_offer(
                self.component, "float32", f32, functions.fused_value_and_gradient_f32 != NULL,
                "value_and_gradient", "fused_value_and_gradient"
            )
            check_offer(
                self.component, "float64", f64, functions.fused_value_and_gradient_f64 != NULL,
                "value_and_gradient", "fused_value_and_gradient"
            )
        return 0

    def require_dtype(self, str dtype):
        """Raise a PluginError unless there is a kernel for that dtype.

        Parameters
        ----------
        dtype : {"float32", "float64"}
            The dtype of the network.
        """
        if self.is_python:
            return
        if dtype == "float32":
            offered = self.functions.value_and_gradient_f32 != NULL
        else:
            offered = self.functions.value_and_gradient_f64 != NULL
        if not offered:
            raise missing_dtype(self.component, dtype)

    @property
    def fuses_with(self):
        """The name of the activation with which this loss is fused, or None."""
        if self.is_python or self.functions.fuses_with == NULL:
            return None
        return self.functions.fuses_with.decode()

    def fuses_behind(self, ActivationKernel activation):
        """Whether this loss is computed from z, the input of the last activation (None: the identity).

        Parameters
        ----------
        activation : ActivationKernel or None
            The last activation of a network.

        Returns
        -------
        bool
            True if the loss reads z.
        """
        if self.fuses_with is None:
            return False
        if activation is None:
            return self.fuses_with == "identity"
        return not activation.is_python and self.fuses_with == activation.component.name

    def has_backward_jvp(self, ActivationKernel activation, str dtype):
        """Whether there is a function for the Hessian of this loss times a vector.

        Parameters
        ----------
        activation : ActivationKernel or None
            As for `fuses_behind`.
        dtype : {"float32", "float64"}
            The dtype of the network.

        Returns
        -------
        bool
            False if it is NULL, or a Python loss has no such method.
        """
        if self.is_python:
            return inheritance.directional(self.component, "backward_jvp") is not None
        return dtype_named(dtype).has_loss_backward_jvp(&self.functions, self.fuses_behind(activation))

    def value_and_gradient(self, prediction, target, *, fused=False):
        """The loss of each row and its gradient.

        Parameters
        ----------
        prediction, target : array of shape (rows, outputs)
            Both float32, or both float64.
        fused : bool
            Whether prediction is z of the activation that `fuses_with` names.

        Returns
        -------
        value : array of shape (rows,)
            The loss of each row.
        gradient : array of shape (rows, outputs)
            The gradient of each row's loss by its prediction.
        """
        cdef const Dtype *dtype
        cdef int64_t rows, outputs, row, faults_before = faults()
        prediction, target = as_matrix(prediction, "prediction"), as_matrix(target, "target")
        check_pair(prediction, target, "prediction", "target")
        if self.is_python:
            return self.component.value_and_gradient(prediction, target)
        self.require_dtype(prediction.dtype.name)
        if fused and self.fuses_with is None:
            raise InvalidParameterError(
                f"fused must be False for {describe(self.component)}, which fuses with no activation. "
                "Got True instead."
            )
        dtype = dtype_of(prediction)
        rows, outputs = prediction.shape
        value, gradient = np.zeros(rows, prediction.dtype), np.empty_like(prediction)
        for row in range(rows if outputs else 0):
            value[row] = dtype.loss(
                &self.functions, self.h, fused, 1, outputs, at(dtype, array_data(prediction), row * outputs),
                at(dtype, array_data(target), row * outputs), NULL, NULL,
                at(dtype, array_data(gradient), row * outputs)
            )
        raise_faults_since(faults_before)
        return value, gradient

    def total(self, prediction, target, classes, sample_weight, bint fused):
        """The sum over the rows of weight * loss.

        Exactly one of target and classes is given.

        Parameters
        ----------
        prediction : array of shape (rows, outputs)
            Predictions, or z.
        target : array of shape (rows, outputs) or None
            Values.
        classes : int64 array of shape (rows,) or None
            The class of each row.
        sample_weight : array of shape (rows,) or None
            The weight of each row.
        fused : bool
            Whether prediction is z.

        Returns
        -------
        float
            The sum.
        """
        cdef const Dtype *dtype
        cdef const int64_t[::1] class_view
        cdef const int64_t *class_index = NULL
        cdef const void *predictions
        cdef const void *targets = NULL
        cdef const void *weights = NULL
        cdef int64_t rows, outputs, faults_before = faults()
        cdef double total
        prediction = as_matrix(prediction, "prediction")
        rows, outputs = prediction.shape
        if classes is not None and (self.is_python or not self.functions.flags & CYNN_CLASS_INDEX):
            target = np.zeros((rows, outputs), prediction.dtype)
            target[np.arange(rows), classes] = 1
            classes = None
        target, sample_weight = in_dtype_of(prediction, target), in_dtype_of(prediction, sample_weight)
        if self.is_python:
            try:
                value, _ = checked_loss(self.component, prediction, target)
            except Exception as error:
                raise_plugin_error(self.component, error)
            weight = 1 if sample_weight is None else sample_weight
            return float(np.sum(np.asarray(value, np.float64) * weight))
        dtype, predictions = dtype_of(prediction), array_data(prediction)
        if target is not None:
            targets = array_data(target)
        if classes is not None and rows:
            class_view = classes
            class_index = &class_view[0]
        if sample_weight is not None:
            weights = array_data(sample_weight)
        with nogil:
            total = dtype.loss(
                &self.functions, self.h, fused, rows, outputs, predictions, targets, class_index, weights, NULL
            )
        raise_faults_since(faults_before)
        return total
