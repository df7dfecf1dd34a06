"""`Network.diagnose`: dead units, vanishing gradients and steps that are too long, layer by layer."""

from __future__ import annotations

import copy
from dataclasses import astuple, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cynn import layers
from cynn.kernel_objects import ActivationKernel
from cynn.optimizer_state import optimizer_state

if TYPE_CHECKING:
    from cynn.layers import Layer
    from cynn.network import Network

__all__ = ["Diagnosis", "LayerDiagnosis", "diagnose"]

Array = npt.NDArray[Any]

# A unit is dead where |f'(z)| stays below this for all rows: what it passes back is all but nothing.
_DEAD_BELOW = 0.01


@dataclass
class LayerDiagnosis:
    """The figures of one layer.

    Attributes
    ----------
    layer : str
        Its number and kind.
    mean, spread : float
        Of its outputs, over rows and units: the spread is their standard deviation.
    dead : float
        The share of its units whose f'(z) is between -0.01 and 0.01 for all rows, or, in a layer without an
        activation of single elements, whose output is the same for all rows.
    gradient : float
        The norm of ∂C/∂w, over all of its parameters; NaN where it has none that are trained.
    update : float
        The norm of one step of the optimizer over that of the parameters: about 0.001 is usual.
    """

    layer: str
    mean: float
    spread: float
    dead: float
    gradient: float
    update: float


class Diagnosis(list[LayerDiagnosis]):
    """The figures of every layer, shown as a table."""

    def __repr__(self) -> str:
        headings = [field.name for field in fields(LayerDiagnosis)]
        cells = [headings] + [[_shown(value) for value in astuple(one)] for one in self]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = [
            "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))])
            for row in cells
        ]
        return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def diagnose(network: Network, x: Any, y: Any, *, loss: Any, optimizer: Any) -> Diagnosis:
    """`Network.diagnose`."""
    tried = copy.deepcopy(network)  # a step is taken on it
    outputs = network.activations(x)
    gradients = network.gradients(x, y, loss=loss)
    optimizer_state(tried, copy.deepcopy(optimizer)).settings.accumulation = 1
    tried.train_batch(x, y, loss=loss)
    norms = _norms(network, gradients)
    moved = _norms(network, [tuple(layer.parameters.values()) for layer in _with_parameters(tried)], minus=network)
    sizes = _norms(network, [tuple(layer.parameters.values()) for layer in _with_parameters(network)])
    found = Diagnosis()
    for number, layer in enumerate(network.layers):
        a = outputs[number + 1].astype(np.float64)
        inner = [k for k, one in enumerate(_with_parameters(network)) if _is_within(one, layer)]
        gradient, update, size = (float(np.sqrt(sum(of[k] for k in inner))) for of in (norms, moved, sizes))
        has_trained = any(g is not None for k in inner for g in gradients[k])
        found.append(
            LayerDiagnosis(
                f"{number} {layer.name}",
                float(a.mean()),
                float(a.std()),
                _dead(network, layer, number, outputs),
                gradient if has_trained else float("nan"),
                update / size if has_trained and size else float("nan"),
            )
        )
    return found


def _with_parameters(network: Network) -> list[Layer]:
    return [layer for layer in layers.walk(network.layers) if layer.parameters]


def _is_within(inner: Layer, layer: Layer) -> bool:
    return any(inner is one for one in layers.walk([layer]))


def _norms(
    network: Network, of_layers: list[tuple[Array | None, ...]], minus: Network | None = None
) -> list[float]:
    """The sum of squares over the parameters of each layer, or over how far they are from another network's."""
    others = [tuple(layer.parameters.values()) for layer in _with_parameters(minus or network)]
    total = []
    for arrays, before in zip(of_layers, others, strict=True):
        differences = [
            array.astype(np.float64) - (b if minus is not None and b is not None else 0)
            for array, b in zip(arrays, before, strict=True)
            if array is not None
        ]
        total.append(float(sum(np.square(d).sum() for d in differences)))
    return total


def _dead(network: Network, layer: Layer, number: int, outputs: list[Array]) -> float:
    a = outputs[number + 1]
    slope = _slope(network, layer, number, outputs)
    if slope is None:
        return float(np.mean((a == a[0]).all(axis=0)))
    return float(np.mean(np.abs(slope).max(axis=0) < _DEAD_BELOW))


def _slope(network: Network, layer: Layer, number: int, outputs: list[Array]) -> Array | None:
    """f'(z) for a dense layer whose f is of single elements."""
    weights, activation = getattr(layer, "weights", None), getattr(layer, "activation", None)
    sources = network._composition.sources[number]
    if weights is None or activation is None or weights.shape[1] != layer.units:
        return None
    if ActivationKernel(activation).is_rowwise:
        return None
    z = np.concatenate([outputs[k] for k in sources], axis=1) @ weights
    if layer.biases is not None:  # type: ignore[attr-defined]
        z = z + layer.biases  # type: ignore[attr-defined]
    slope: Array = activation.backward(z, activation.forward(z), np.ones_like(z))
    return slope


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else "" if np.isnan(value) else f"{value:.3g}"
