"""What training minimizes: the weighted sum of the losses of the outputs."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from cynn import registry
from cynn.activations import Activation
from cynn.data import inputs, row_weights
from cynn.data.names import classes_of_labels
from cynn.data.row_weights import RowWeights
from cynn.data.targets import JointTargets, Targets
from cynn.engine.loss_kernel import LossKernel
from cynn.errors import InvalidParameterError, check_held, check_number

if TYPE_CHECKING:
    import numpy.typing as npt

    from cynn.data.derivative_targets import DerivativeTargets
    from cynn.data.outputs import Outputs
    from cynn.engine.activation_kernel import ActivationKernel
    from cynn.losses import Loss

    Array = npt.NDArray[Any]

__all__ = ["Objective"]


class Objective:
    """The losses of a network's outputs.

    Parameters
    ----------
    outputs : Outputs
    activations : list of ActivationKernel or None
        The activation of each output.
    dtype : str
    loss, loss_weights
        As for `fit`.
    classes : list of (list of str, or None)
        The labels of the classes of each output.

    Attributes
    ----------
    derivative_weights : list of (float or None), or None
        For each output, the weight of the loss of its derivatives by the inputs, or None if it has no such loss. None
        if no derivatives are trained.
    """

    derivative_weights: list[float | None] | None = None

    def __init__(
        self,
        outputs: Outputs,
        activations: list[ActivationKernel | None],
        dtype: str,
        loss: Any,
        loss_weights: Any,
        classes: list[list[str] | None],
    ) -> None:
        self.outputs = outputs
        self.classes = classes
        self.dtype = dtype
        self.kernels = []
        for given, activation in zip(outputs.split_if(loss, "loss"), activations, strict=True):
            if given is None:
                given = (Activation if activation is None else activation.component).default_loss
            kernel = LossKernel(registry.losses.get(given))
            kernel.require_dtype(dtype)
            kernel.component.check_held(dtype)
            self.kernels.append(kernel)
        self.weights = [
            1.0 if weight is None else check_number(weight, "loss_weights", "fit", above=0)
            for weight in outputs.split_if(loss_weights, "loss_weights")
        ]
        for weight in self.weights:
            check_held(weight, "loss_weights", "fit", dtype)

    @property
    def takes_plain_targets(self) -> bool:
        """Whether the targets are a single array without labels that must be converted."""
        return self.outputs.is_one and self.classes == [None]

    @property
    def losses(self) -> list[Loss]:
        """The loss of each output."""
        return [kernel.component for kernel in self.kernels]

    def get_config(self) -> Any:
        """Return the configuration of the loss with its weight; for several outputs, a list or a dict of them."""
        configs = [
            {**loss.get_config(), "weight": weight} for loss, weight in zip(self.losses, self.weights, strict=True)
        ]
        for config, derivative_weight in zip(configs, self.derivative_weights or [], strict=False):
            config["derivative_weight"] = derivative_weight
        return self.outputs.join(configs)

    def with_derivatives(self, dy_dx: Any, derivative_weight: Any, of: str) -> Objective:
        """This objective with losses of derivatives, of the outputs in `dy_dx`; None: of all. `of` is the call."""
        outputs = self.outputs
        given = [True] * len(self.weights)
        if isinstance(dy_dx, dict) and not outputs.is_one:
            given = [dy_dx.get(name) is not None for name in outputs.names]
        found = copy.copy(self)
        found.derivative_weights = []
        for weight, is_given in zip(outputs.split_if(derivative_weight, "derivative_weight"), given, strict=True):
            number = 1.0 if weight is None else check_number(weight, "derivative_weight", of, minimum=0)
            check_held(number, "derivative_weight", of, self.dtype)
            found.derivative_weights.append(number if is_given else None)
        return found

    def derivatives(
        self, dy_dx: Any, directions: Any, inputs: int, n: int, form: str, weights: RowWeights
    ) -> DerivativeTargets | None:
        """Validate and convert the derivatives of n rows by so many inputs; None if none are given."""
        if dy_dx is None:
            if directions is not None:
                raise InvalidParameterError(
                    f"{form.format('directions')} must come with dy_dx along them. Got none instead."
                )
            return None
        from cynn.data.derivative_targets import as_derivatives

        assert self.derivative_weights is not None
        factors = [weight or 0.0 for weight in self.derivative_weights]
        is_counted = None if weights.rows is None else weights.rows > 0
        return as_derivatives(dy_dx, directions, self.outputs, inputs, n, factors, self.dtype, form, is_counted)

    def targets(
        self, y: Any, n: int, name: str, weights: RowWeights | None = None, *, check_finite: bool
    ) -> Targets:
        """Validate and convert `y` to the targets of the outputs. Rows of weight 0 are not checked."""
        names = self._names(name)
        counted = [None] * len(names) if weights is None else weights.each
        given = [
            part if classes is None else classes_of_labels(
                part, classes, own_name, weight, has_signs=units == 1 and loss.decision_threshold == 0
            )
            for part, classes, own_name, weight, units, loss in zip(
                self.outputs.split(y, name), self.classes, names, counted, self.outputs.units, self.losses, strict=True
            )
        ]
        of_outputs = zip(
            given, self.outputs.units, self.losses, names, counted, strict=True
        )
        return self.as_one(
            [
                inputs.as_targets(*of_output, n=n, dtype=self.dtype, check_finite=check_finite)
                for of_output in of_outputs
            ]
        )

    def sample_weights(self, given: Any, n: int, *, may_be_zero: bool = False) -> RowWeights:
        """Validate the row weights for each output. One number per row applies to all outputs."""
        if isinstance(given, RowWeights):
            return given
        names = self._names("sample_weight")
        form = isinstance(given, (list, tuple)) and any(one is None or np.ndim(one) for one in given)
        if self.outputs.is_one or not (form or isinstance(given, dict)):
            weight = row_weights.as_sample_weight(given, n, "sample_weight", may_be_zero=may_be_zero)
            return RowWeights([weight] * len(names), names)
        parts = zip(self.outputs.split_if(given, "sample_weight"), names, strict=True)
        return RowWeights(
            [row_weights.as_sample_weight(part, n, name, may_be_zero=may_be_zero) for part, name in parts], names
        )

    def with_class_weights(
        self, weights: RowWeights, class_weight: Any, target: Targets, places: Array | None
    ) -> RowWeights:
        """Multiply weights of rows by those of the classes of the rows: see `row_weights.of_classes`."""
        names = self._names("class_weight")
        factors = [
            None if given is None else row_weights.of_classes(given, part, weight, places, name)
            for given, part, weight, name in zip(
                self.outputs.split_if(class_weight, "class_weight"), target.parts, weights.each, names, strict=True
            )
        ]
        return weights.times(factors, names)

    def _names(self, name: str) -> list[str]:
        """The names in messages: one for each output."""
        return [name] if self.outputs.is_one else [f"{name} of {output}" for output in self.outputs.names]

    @property
    def n_sums(self) -> int:
        """The length of `Trainer.sums`."""
        return 2 + len(self.kernels) * (1 if self.derivative_weights is None else 2)

    def mean_losses(self, sums: Array) -> tuple[Array, Array]:
        """Return the mean loss per row, and that of each output, from the sums of an epoch in `Trainer.sums`.

        Parameters
        ----------
        sums : array of shape (..., n_sums)

        Returns
        -------
        loss : array of shape (...)
        losses : array of shape (..., outputs)
        """
        rows = np.maximum(sums[..., :1], 1)
        n = len(self.weights)
        penalty, losses = sums[..., 1] / rows[..., 0], sums[..., 2 : 2 + n] / rows
        loss = (losses * self.weights).sum(axis=-1) + penalty
        if self.derivative_weights is not None:
            weights = [weight or 0.0 for weight in self.derivative_weights]
            loss = loss + (self.mean_derivative_losses(sums) * weights).sum(axis=-1)
        return loss, losses

    def mean_derivative_losses(self, sums: Array) -> Array:
        """Return the mean loss of each output's derivatives likewise."""
        found: Array = sums[..., 2 + len(self.weights) :] / np.maximum(sums[..., :1], 1)
        return found

    def derivative_figures(self, losses: Array) -> dict[str, float]:
        """Return the losses of derivatives by their names in the history: their sum and, if there are several, each."""
        if self.derivative_weights is None:
            return {}
        each = {
            f"{name}_derivative_loss": float(loss)
            for name, loss, weight in zip(self.outputs.names, losses, self.derivative_weights, strict=True)
            if weight is not None
        }
        return {"derivative_loss": sum(each.values())} | ({} if self.outputs.is_one else each)

    def as_one(self, parts: list[Targets]) -> Targets:
        """Join the targets of each output to those of the network."""
        return parts[0] if self.outputs.is_one else JointTargets(parts, self.outputs.join)
