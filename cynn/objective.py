"""What training makes small: the loss of each output, and how they are weighed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cynn import data, registry
from cynn.errors import check_held, check_number
from cynn.kernel_objects import LossKernel
from cynn.targets import JointTargets, Targets

if TYPE_CHECKING:
    from cynn.kernel_objects import ActivationKernel
    from cynn.losses import Loss
    from cynn.outputs import Outputs

__all__ = ["Objective", "Weights"]

Array = npt.NDArray[Any]
#: For each output the weights of rows, or None where all count the same.
Weights = list[Array | None]

_FITTING = {"softmax": "cross_entropy", "sigmoid": "binary_cross_entropy"}


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
    """

    def __init__(
        self, outputs: Outputs, activations: list[ActivationKernel | None], dtype: str, loss: Any, loss_weights: Any
    ) -> None:
        self.outputs = outputs
        self.dtype = dtype
        self.kernels = []
        for given, activation in zip(outputs.split_if(loss, "loss"), activations, strict=True):
            if given is None:
                name = "identity" if activation is None else activation.component.name
                given = _FITTING.get(name, "mean_squared_error")
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
        """Of each output."""
        return [kernel.component for kernel in self.kernels]

    def get_config(self) -> Any:
        """Of the loss and its weight; of several, in the form of the outputs."""
        configs = [
            {**loss.get_config(), "weight": weight} for loss, weight in zip(self.losses, self.weights, strict=True)
        ]
        return self.outputs.join(configs)

    def targets(self, y: Any, n: int, name: str, *, check_finite: bool) -> Targets:
        """`y` as targets of the outputs, checked."""
        if self.outputs.is_one:
            return data.as_targets(
                y, n, self.outputs.units[0], self.losses[0], name, self.dtype, check_finite=check_finite
            )
        parts = [
            data.as_targets(part, n, units, loss, f"{name} of {output}", self.dtype, check_finite=check_finite)
            for part, units, loss, output in zip(
                self.outputs.split(y, name), self.outputs.units, self.losses, self.outputs.names, strict=True
            )
        ]
        return self.as_one(parts)

    def sample_weights(self, given: Any, n: int, *, may_be_zero: bool = False) -> Weights:
        """The weights of rows for each output, checked: the same for all where one number a row is given."""
        form = isinstance(given, (list, tuple)) and any(one is None or np.ndim(one) for one in given)
        if self.outputs.is_one or not (form or isinstance(given, dict)):
            weight = data.as_sample_weight(given, n, "sample_weight", may_be_zero=may_be_zero)
            return [weight] * len(self.kernels)
        return [
            data.as_sample_weight(part, n, f"sample_weight of {output}", may_be_zero=may_be_zero)
            for part, output in zip(
                self.outputs.split_if(given, "sample_weight"), self.outputs.names, strict=True
            )
        ]

    def with_class_weights(
        self, weights: Weights, class_weight: Any, target: Targets, places: Array | None
    ) -> Weights:
        """These weights, each times that of the class of its row, as `data.with_class_weight` has it."""
        names = ["class_weight"] if self.outputs.is_one else [f"class_weight of {name}" for name in self.outputs.names]
        return [
            weight if given is None else data.with_class_weight(weight, given, part, places, name)
            for weight, given, part, name in zip(
                weights, self.outputs.split_if(class_weight, "class_weight"), target.parts, names, strict=True
            )
        ]

    def mean_losses(self, sums: Array) -> tuple[Array, Array]:
        """The loss, and the own loss of each output, from what `Trainer.sums` counts: of an epoch, a row.

        Parameters
        ----------
        sums : array of shape (..., 2 + 2 * outputs)

        Returns
        -------
        loss : array of shape (...)
        losses : array of shape (..., outputs)
        """
        losses = _mean(sums[..., 2::2], sums[..., 3::2])
        return (losses * self.weights).sum(axis=-1) + _mean(sums[..., 1], sums[..., 0]), losses

    def as_one(self, parts: list[Targets]) -> Targets:
        """The targets of each output as those of the network."""
        return parts[0] if self.outputs.is_one else JointTargets(parts, self.outputs.join)


def _mean(total: Array, weight: Array) -> Array:
    """A weighted mean; 0 of nothing."""
    return np.divide(total, weight, out=np.zeros_like(total), where=weight != 0)
