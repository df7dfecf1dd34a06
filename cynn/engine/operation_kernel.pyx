"""The functions of an operation, and checks that they support what a layer asks for."""

from cynn.errors import PluginError

from libc.stdint cimport int64_t

from cynn.abi cimport (
    CYNN_DIVISIBLE,
    CYNN_GRADIENT_IN_PLACE,
    CYNN_IN_PLACE,
    CYNN_MAX_PARAMETERS,
    CYNN_MAX_SAVED,
    CYNN_MAX_STATES,
    CYNN_NEEDS_OUT,
    CYNN_ONLY_TRAINING,
    CYNN_OPERATION_CAPSULE,
    CYNN_OPERATION_FLAGS,
    CYNN_OPERATION_SMALLEST_SIZE,
    cynn_operation,
)
from cynn.engine.abi_checks import describe
from cynn.engine.abi_checks cimport check_offer, copy_struct, missing_dtype, nothing_offered
from cynn.engine.dtypes cimport Dtype, dtype_named


cdef class OperationKernel:
    """The functions of an operation, for one layer.

    Attributes
    ----------
    layer : Layer
        The layer of the operation.
    capsule : capsule
        The capsule of the functions.
    """

    def __init__(self, layer, capsule):
        self.layer, self.capsule = layer, capsule
        copy_struct(
            layer, capsule, CYNN_OPERATION_CAPSULE, CYNN_OPERATION_FLAGS, CYNN_OPERATION_SMALLEST_SIZE,
            &self.functions, sizeof(cynn_operation)
        )
        self.check_functions()

    cdef int check_functions(self) except -1:
        """Raise a PluginError unless each dtype has all functions, or none."""
        cdef cynn_operation *own = &self.functions
        cdef dict of_f32 = {
            "backward": own.backward_f32 != NULL, "gradient": own.gradient_f32 != NULL,
            "forward_columns": own.forward_columns_f32 != NULL, "backward_columns": own.backward_columns_f32 != NULL,
            "linear_step": own.linear_step_f32 != NULL, "update_states": own.update_states_f32 != NULL,
            "jvp": own.jvp_f32 != NULL, "backward_jvp": own.backward_jvp_f32 != NULL,
            "gradient_jvp": own.gradient_jvp_f32 != NULL,
        }
        cdef dict of_f64 = {
            "backward": own.backward_f64 != NULL, "gradient": own.gradient_f64 != NULL,
            "forward_columns": own.forward_columns_f64 != NULL, "backward_columns": own.backward_columns_f64 != NULL,
            "linear_step": own.linear_step_f64 != NULL, "update_states": own.update_states_f64 != NULL,
            "jvp": own.jvp_f64 != NULL, "backward_jvp": own.backward_jvp_f64 != NULL,
            "gradient_jvp": own.gradient_jvp_f64 != NULL,
        }
        if own.forward_f32 == NULL and own.forward_f64 == NULL:
            raise nothing_offered(self.layer, "forward and backward")
        for name in of_f32:
            if name == "backward" or of_f32[name] or of_f64[name]:
                check_offer(self.layer, "float32", own.forward_f32 != NULL, of_f32[name], "forward", name)
                check_offer(self.layer, "float64", own.forward_f64 != NULL, of_f64[name], "forward", name)
        return 0

    @property
    def in_place(self):
        """Whether the output may overwrite the first input."""
        return (self.functions.flags & CYNN_IN_PLACE) != 0

    @property
    def gradient_in_place(self):
        """Whether backward works in place on the gradient of the output."""
        return (self.functions.flags & CYNN_GRADIENT_IN_PLACE) != 0

    @property
    def needs_out(self):
        """Whether backward, or gradient, reads the output."""
        return (self.functions.flags & CYNN_NEEDS_OUT) != 0

    @property
    def only_training(self):
        """Whether the output is the first input in a prediction."""
        return (self.functions.flags & CYNN_ONLY_TRAINING) != 0

    def require_dtype(self, str dtype):
        """Raise a PluginError unless there are functions for that dtype.

        Parameters
        ----------
        dtype : {"float32", "float64"}
            The dtype of the network.
        """
        offered = self.functions.forward_f32 != NULL if dtype == "float32" else self.functions.forward_f64 != NULL
        if not offered:
            raise missing_dtype(self.layer, dtype)

    def has(self, str function, str dtype):
        """Whether there is a function for directional derivatives.

        Parameters
        ----------
        function : {"jvp", "backward_jvp", "gradient_jvp"}
        dtype : {"float32", "float64"}
            The dtype of the network.

        Returns
        -------
        bool
            False if it is NULL.
        """
        cdef const Dtype *functions = dtype_named(dtype)
        if function == "jvp":
            return functions.has_jvp(&self.functions)
        if function == "backward_jvp":
            return functions.has_backward_jvp(&self.functions)
        return functions.has_gradient_jvp(&self.functions)

    def require_gradient(self):
        """Raise a PluginError unless there is a function for the gradient by the parameters."""
        if self.functions.gradient_f32 == NULL and self.functions.gradient_f64 == NULL:
            raise PluginError(
                f"The kernel of {describe(self.layer)} must have the function gradient, since the layer has "
                "parameters that are trained. Got NULL instead."
            )

    def require_columns(self):
        """Raise a PluginError unless there are both functions over columns."""
        if (
            self.functions.forward_columns_f32 == NULL and self.functions.forward_columns_f64 == NULL
            or self.functions.backward_columns_f32 == NULL and self.functions.backward_columns_f64 == NULL
        ):
            raise PluginError(
                f"The kernel of {describe(self.layer)} must have the functions forward_columns and backward_columns, "
                "since the layer asks for columns. Got NULL instead."
            )

    def require_shapes(self, list widths, int64_t units, list shapes, int64_t n_states, int64_t n_saved):
        """Raise a PluginError if a layer's arrays are too many, or do not fit the flags.

        Parameters
        ----------
        widths : list of int
            The columns of each input.
        units : int
            The columns of the output.
        shapes : list of (tuple of int or None)
            The shapes of the parameters.
        n_states, n_saved : int
            The number of states, and of matrices that forward saves.
        """
        for given, most, what in [
            (len(shapes), CYNN_MAX_PARAMETERS, "parameters"), (n_states, CYNN_MAX_STATES, "states"),
            (n_saved, CYNN_MAX_SAVED, "matrices that are saved"),
        ]:
            if given > most:
                raise PluginError(
                    f"The operation of {describe(self.layer)} must have at most {most} {what}. Got {given} instead."
                )
        self.check_same_columns(widths, units)
        if self.functions.flags & CYNN_DIVISIBLE:
            self.check_divisible(widths, shapes)

    cdef int check_same_columns(self, list widths, int64_t units) except -1:
        for flag, name in [
            (CYNN_IN_PLACE, "CYNN_IN_PLACE"), (CYNN_GRADIENT_IN_PLACE, "CYNN_GRADIENT_IN_PLACE"),
            (CYNN_ONLY_TRAINING, "CYNN_ONLY_TRAINING"),
        ]:
            if self.functions.flags & <int>flag and widths[0] != units:
                raise PluginError(
                    f"An operation with the flag {name}, of {describe(self.layer)}, must return as many columns as it "
                    f"takes, {widths[0]}. Got {units} instead: drop the flag."
                )
        return 0

    cdef int check_divisible(self, list widths, list shapes) except -1:
        if len(widths) != 1 or not shapes or shapes[0] is None or len(shapes[0]) < 2 or shapes[0][0] != widths[0]:
            raise PluginError(
                f"An operation with the flag CYNN_DIVISIBLE, of {describe(self.layer)}, must have one input, and a row "
                f"of its first parameter for each column of that. Got inputs of {widths} columns, and a first "
                f"parameter of the shape {shapes[0] if shapes else None} instead: drop the flag."
            )
        return 0
