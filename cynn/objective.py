"""What training makes small: the loss of each output, and how they are weighed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from cynn import data, registry
from cynn.errors import check_number
from cynn.kernel_objects import LossKernel
from cynn.targets import JointTargets, Targets

if TYPE_CHECKING:
    from cynn.kernel_objects import ActivationKernel
    from cynn.losses import Loss
    from cynn.outputs import Outputs

__all__ = ["Objective"]

Array = npt.NDArray[Any]

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
        self.kernels = []
        for given, activation in zip(outputs.split_if(loss, "loss"), activations, strict=True):
            if given is None:
                name = "identity" if activation is None else activation.component.name
                given = _FITTING.get(name, "mean_squared_error")
            kernel = LossKernel(registry.losses.get(given))
            kernel.require_dtype(dtype)
            self.kernels.append(kernel)
        self.weights = [
            1.0 if weight is None else check_number(weight, "loss_weights", "fit", above=0)
            for weight in outputs.split_if(loss_weights, "loss_weights")
        ]

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
            return data.as_targets(y, n, self.outputs.units[0], self.losses[0], name, check_finite=check_finite)
        parts = [
            data.as_targets(part, n, units, loss, f"{name} of {output}", check_finite=check_finite)
            for part, units, loss, output in zip(
                self.outputs.split(y, name), self.outputs.units, self.losses, self.outputs.names, strict=True
            )
        ]
        return self.as_one(parts)

    def as_one(self, parts: list[Targets]) -> Targets:
        """The targets of each output as those of the network."""
        return parts[0] if self.outputs.is_one else JointTargets(parts, self.outputs.join)
