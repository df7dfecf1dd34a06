"""A look at a network while it is trained: its weights, gradients, dead units, changes, and what it confuses."""

from __future__ import annotations

import base64
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from cynn import layers
from cynn.display.summary import name_of
from cynn.errors import InvalidParameterError, TrainingDivergedError
from cynn.training.diagnosis import dead_share, gradient_norms, parameters_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from cynn.data.examples import Examples
    from cynn.data.targets import Targets
    from cynn.model import Model

    Array = npt.NDArray[Any]

__all__ = ["Looks"]

_MAX_ROWS = 500
_MIN_SIDE = 8  # pixels, from which on a square number of inputs is taken for a picture
_MAX_PICTURES = 16
_MAX_PIXELS = 1 << 16  # of all pictures
_MAX_UNITS = 6  # that have bars
_MAX_BARS = 12  # of a unit
_MAX_CLASSES = 30


class Looks:
    """Looks at a network, each of which remembers the weights of the last one.

    Parameters
    ----------
    network : Model
        The network that is trained.
    examples : Examples or None
        Rows to look at.
    gradients : function, or None
        Returns the gradients of the loss of at most so many training rows.
    shape : tuple of int, optional
        Of a row as a picture.
    epoch : int
        How many epochs there have been.
    """

    def __init__(
        self,
        network: Model,
        examples: Examples | None,
        gradients: Callable[[int], list[Any]] | None,
        shape: tuple[int, int] | None,
        epoch: int,
    ) -> None:
        n = network.input.units
        if shape is not None and shape[0] * shape[1] != n:
            raise InvalidParameterError(
                f"The 'shape' parameter of Live must have {n} pixels, one for each input. Got {shape} instead."
            )
        side = math.isqrt(n)
        if shape is None and side * side == n and side >= _MIN_SIDE and network.feature_names is None:
            shape = (side, side)
        self._network, self._examples, self._gradients, self._shape = network, examples, gradients, shape
        self._rows: Array | None = None
        self._target: Targets | None = None
        self._before, self._epoch = self._parameters(), epoch
        names = enumerate(map(name_of, network.layers), start=1)
        self._names = [f"{name} {number}" for number, name in names]

    def prepare(self) -> None:
        """Take the rows to look at from the examples, once."""
        if self._rows is None and self._examples is not None:
            self._rows, self._target, _ = self._examples.spread(_MAX_ROWS)

    def take(self, epoch: int) -> dict[str, Any]:
        """Look at the network after an epoch.

        Returns
        -------
        dict
            `series`: the epoch, and by the names of layers the shares of `dead` units, the `changes` of weights and the
            norms of `gradients`; `latest`: the `weights` of the first layer, and a list of `confusions`.
        """
        dead: dict[str, float] = {}
        confusions: list[dict[str, Any]] = []
        if self._rows is not None and len(self._rows):
            outputs = self._network.activations(self._rows, n_threads=1)
            dead = self._dead(outputs)
            confusions = self._confusions(outputs)
        return {
            "series": {"epoch": epoch, "dead": dead, "changes": self._changes(epoch), "gradients": self._norms()},
            "latest": {"weights": self._weights(), "confusions": confusions},
        }

    def _dead(self, outputs: list[Array]) -> dict[str, float]:
        """The share of dead units of each layer that has an activation of its own, or weights."""
        return {
            name: dead_share(self._network, layer, number, outputs)
            for number, (name, layer) in enumerate(zip(self._names, self._network.layers, strict=True))
            if layer.parameters or getattr(layer, "activation", None) is not None
        }

    def _changes(self, epoch: int) -> dict[str, float]:
        """The norm of what each layer has changed per epoch since the last look, by that of its weights."""
        now, before, epochs = self._parameters(), self._before, epoch - self._epoch
        if epochs == 0:
            return {}
        self._before, self._epoch = now, epoch
        return {
            name: _norm([a - b for a, b in zip(new, old, strict=True)]) / epochs / (_norm(new) or 1.0)
            for name, new, old in zip(self._names, now, before, strict=True)
            if new
        }

    def _norms(self) -> dict[str, float]:
        """The norm of the gradients of each layer that is trained; of none if the loss is not finite."""
        if self._gradients is None:
            return {}
        try:
            norms = gradient_norms(self._network, self._gradients(_MAX_ROWS))
        except TrainingDivergedError:
            return {}
        return {name: norm for name, norm in zip(self._names, norms, strict=True) if norm is not None}

    def _parameters(self) -> list[list[Array]]:
        """Copies of the parameters of each layer."""
        return [[array for array in parameters_of(layer) if array is not None] for layer in self._network.layers]

    def _weights(self) -> dict[str, Any] | None:
        """The weights that lead to the first units, from the inputs if a layer has such: as pictures or as bars."""
        n, found = self._network.input.units, None
        for layer in layers.walk(self._network.layers):
            W = layer.parameters.get("weights")
            if W is None or W.ndim != 2 or isinstance(layer, layers.Embedding):  # whose rows are categories
                continue
            if found is None or W.shape[0] == n != found[1].shape[0]:
                found = layer, W
        if found is None:
            return None
        layer, W = found
        of_inputs = W.shape[0] == n
        shown: dict[str, Any] = {"name": name_of(layer), "units": W.shape[1], "of": W.shape[0]}
        if of_inputs and self._shape is not None:
            W = W[:, : max(1, min(_MAX_PICTURES, _MAX_PIXELS // n))]
            most = float(np.abs(W).max()) or 1.0
            pixels = np.rint(W.T * (127 / most)).astype(np.int8)
            return shown | {"shape": self._shape, "most": most, "pixels": base64.b64encode(pixels.tobytes()).decode()}
        chosen = np.sort(np.argsort(-np.abs(W).sum(axis=1), kind="stable")[:_MAX_BARS])
        names = self._network.feature_names if of_inputs else None
        return shown | {
            "names": [f"input {k + 1}" if names is None else names[k] for k in chosen],
            "bars": W[chosen, :_MAX_UNITS].T.tolist(),
        }

    def _confusions(self, outputs: list[Array]) -> list[dict[str, Any]]:
        """For each output of classes: how many rows of each true class are taken for each class."""
        network, found = self._network, []
        assert self._target is not None
        assert self._examples is not None
        of_outputs = network.objective(None).outputs
        classes = of_outputs.split_if(network.classes, "classes")
        for name, value, target, labels in zip(
            of_outputs.names, of_outputs.values, self._target.parts, classes, strict=True
        ):
            n = max(2, target.outputs)
            if target.kind != "classes" or n > _MAX_CLASSES:
                continue
            predicted = target.predicted_classes(outputs[network._values.index(value)])
            counts = np.zeros((n, n), np.int64)
            np.add.at(counts, (target.as_classes(), predicted), 1)
            found.append({
                "name": "" if of_outputs.is_one else name,
                "labels": [str(label) for label in labels or range(n)],
                "counts": counts.tolist(),
                "rows": int(counts.sum()),
                "kind": self._examples.kind,
            })  # fmt: skip
        return found


def _norm(arrays: list[Array]) -> float:
    return math.sqrt(sum(float(np.square(array).sum()) for array in arrays))
