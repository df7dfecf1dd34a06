"""What training minimizes: the weighted sum of the losses of the outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cynn import registry
from cynn.activations import Activation
from cynn.data import inputs, row_weights
from cynn.data.names import classes_of_labels
from cynn.data.row_weights import RowWeights
from cynn.data.targets import JointTargets, Targets
from cynn.engine.loss_kernel import LossKernel
from cynn.errors import check_held, check_number

if TYPE_CHECKING:
    import numpy.typing as npt

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
        Which each output comes from.
    dtype : str
    loss, loss_weights
        As for `fit`.
    classes : list of (list of str, or None)
        The labels of the classes of each output.
    """

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
    def losses(self) -> list[Loss]:
        """The loss of each output."""
        return [kernel.component for kernel in self.kernels]

    def get_config(self) -> Any:
        """Return the configuration of the loss with its weight; for several outputs, a list or a dict of them."""
        configs = [
            {**loss.get_config(), "weight": weight} for loss, weight in zip(self.losses, self.weights, strict=True)
        ]
        return self.outputs.join(configs)

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
        """Validate the weights of rows for each output: the same for all outputs if one number per row is given."""
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

    def mean_losses(self, sums: Array) -> tuple[Array, Array]:
        """Return the mean loss per row, and that of each output, from the sums of an epoch in `Trainer.sums`.

        Parameters
        ----------
        sums : array of shape (..., 2 + outputs)

        Returns
        -------
        loss : array of shape (...)
        losses : array of shape (..., outputs)
        """
        rows = np.maximum(sums[..., :1], 1)
        penalty_and_losses = sums[..., 1:] / rows
        losses = penalty_and_losses[..., 1:]
        return (losses * self.weights).sum(axis=-1) + penalty_and_losses[..., 0], losses

    def as_one(self, parts: list[Targets]) -> Targets:
        """Join the targets of each output to those of the network."""
        return parts[0] if self.outputs.is_one else JointTargets(parts, self.outputs.join)
