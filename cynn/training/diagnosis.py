"""`Network.diagnose`: dead units, vanishing gradients and too large steps, for each layer."""

from __future__ import annotations

import copy
import itertools
from dataclasses import astuple, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cynn import layers, registry
from cynn.display.summary import columns
from cynn.engine.activation_kernel import ActivationKernel
from cynn.kernels import blas
from cynn.training.optimizer_state import optimizer_state
from cynn.training.solver_state import SolverState
from cynn.training.steps import Gradients, gradients, train_batch

if TYPE_CHECKING:
    from cynn.layers import Layer
    from cynn.model import Model

__all__ = ["Diagnosis", "LayerDiagnosis", "dead_share", "diagnose", "gradient_norms", "parameters_of"]

Array = npt.NDArray[Any]

# A unit is dead if |f'(z)| is below this for all rows: almost no gradient passes through it.
_DEAD_BELOW = 0.01


@dataclass
class LayerDiagnosis:
    """The figures of one layer.

    Attributes
    ----------
    layer : str
        Its number and kind.
    mean, spread : float
        The mean and standard deviation of its outputs, over rows and units.
    dead : float
        The share of its units whose f'(z) is between -0.01 and 0.01 for all rows. In a layer without an elementwise
        activation, the share of units whose output is the same for all rows.
    gradient : float
        The norm of ∂C/∂w over all of its parameters; NaN if none are trained.
    update : float
        The norm of one step of the optimizer divided by the norm of the parameters. About 0.001 is usual.
    """

    layer: str
    mean: float
    spread: float
    dead: float
    gradient: float
    update: float


class Diagnosis(list[LayerDiagnosis]):
    """One entry per layer, shown as a table.

    Parameters
    ----------
    iterable : iterable of LayerDiagnosis
        The entries.
    """

    def __repr__(self) -> str:
        headings = [field.name for field in fields(LayerDiagnosis)]
        lines = columns([headings, *([_shown(value) for value in astuple(one)] for one in self)], words=1)
        return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def diagnose(network: Model, x: Any, y: Any, *, loss: Any, optimizer: Any) -> Diagnosis:
    """`Network.diagnose`."""
    tried = copy.deepcopy(network)  # a step is taken on it
    outputs = network.activations(x)
    norms = gradient_norms(network, gradients(network, x, y, loss, None, None))
    if optimizer is None and isinstance(network._optimizer_state, SolverState):
        optimizer = "adam"
    own = None if optimizer is None else copy.deepcopy(registry.optimizers.get(optimizer))
    optimizer_state(tried, own).settings.accumulation = 1
    train_batch(
        tried, x, y, loss=loss, loss_weights=None, optimizer=None, sample_weight=None, n_threads=None, check_finite=True
    )
    found = Diagnosis()
    for number, (layer, after) in enumerate(zip(network.layers, tried.layers, strict=True)):
        a = outputs[number + 1].astype(np.float64)
        w = parameters_of(layer)
        moved = [None if one is None else one - old for old, one in zip(w, parameters_of(after), strict=True)]
        size, norm = _norm(w), norms[number]
        found.append(
            LayerDiagnosis(
                f"{number} {layer.name}",
                float(a.mean()),
                float(a.std()),
                dead_share(network, layer, number, outputs),
                float("nan") if norm is None else norm,
                _norm(moved) / size if norm is not None and size else float("nan"),
            )
        )
    return found


def gradient_norms(network: Model, given: Gradients) -> list[float | None]:
    """The norm of the gradients of each layer and of those nested in it; None where nothing is trained."""
    of_arrays, norms = itertools.chain(*given), []
    for layer in network.layers:
        own = list(itertools.islice(of_arrays, sum(len(one.parameters) for one in layers.walk([layer]))))
        norms.append(None if all(one is None for one in own) else _norm(own))
    return norms


def parameters_of(layer: Layer) -> list[Array | None]:
    """The parameters of a layer and of those nested in it, in the order of their gradients; None for a missing one."""
    given = [array for one in layers.walk([layer]) for array in one.parameters.values()]
    return [None if array is None else array.astype(np.float64) for array in given]


def _norm(arrays: list[Array | None]) -> float:
    """The norm of all arrays together."""
    return float(np.sqrt(sum(np.square(array, dtype=np.float64).sum() for array in arrays if array is not None)))


def dead_share(network: Model, layer: Layer, number: int, outputs: list[Array]) -> float:
    """The share of dead units of the layer of that number, of the activations of all layers."""
    a = outputs[number + 1]
    slope = _slope(network, layer, number, outputs)
    if slope is None:
        return float(np.mean((a == a[0]).all(axis=0)))
    return float(np.mean(np.abs(slope).max(axis=0) < _DEAD_BELOW))


def _slope(network: Model, layer: Layer, number: int, outputs: list[Array]) -> Array | None:
    """f'(z) of a dense layer with an elementwise activation; None for other layers."""
    weights, biases, activation = (getattr(layer, name, None) for name in ("weights", "biases", "activation"))
    sources = network._composition.sources[number]
    if weights is None or activation is None or weights.shape[1] != layer.units:
        return None
    if ActivationKernel(activation).is_rowwise:
        return None
    x = outputs[sources[0]] if len(sources) == 1 else np.concatenate([outputs[k] for k in sources], axis=1)
    z = np.empty((len(x), weights.shape[1]), x.dtype)
    blas.matmul(x, weights, z)  # on this thread alone, unlike NumPy's product
    if biases is not None:
        z = z + biases
    slope: Array = activation.backward(z, activation.forward(z), np.ones_like(z))
    return slope


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else "" if np.isnan(value) else f"{value:.3g}"
