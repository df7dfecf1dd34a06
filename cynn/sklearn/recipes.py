"""RealMLP: the architecture and training settings for tables.

Source: Holzmüller, Grinsztajn and Steinwart, "Better by default: strong pre-tuned MLPs and boosted trees on tabular
data", NeurIPS 2024, table A.1, and the authors' code, pytabkit.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cynn import registry
from cynn.layers import Activation, Dense, Dropout, Embedding, Input, Layer
from cynn.network import Network
from cynn.optimizers import Adam, AdamW, Optimizer
from cynn.schedules import CosineLog, FlatCosine
from cynn.sklearn.table_columns import TableColumns

__all__ = ["PRESETS", "ROWS_TO_START_BY", "Recipe", "network_of", "optimizer_of", "recipe_of", "start"]

#: The number of rows used for data-dependent initialization.
ROWS_TO_START_BY = 10_000


class Recipe(NamedTuple):
    """The architecture and training settings of a network for a table.

    Attributes
    ----------
    learning_rate : float
        The maximum of the learning-rate schedule.
    activation : str
        The activation of the hidden layers.
    is_plain : bool
        Whether this is RealMLP-TD-S: without numerical embeddings, dropout, weight decay and parametric activations,
        and with weights drawn from N(0, 1).
    dropout, weight_decay : float
        Initial values. Both fall to 0 in the second half of training.
    max_one_hot : int
        Columns with at most this many categories are one-hot encoded. Columns with more get an embedding.
    label_smoothing : float
        The share of each label that is spread over all classes.
    """

    learning_rate: float
    activation: str
    is_plain: bool
    dropout: float
    weight_decay: float
    max_one_hot: int
    label_smoothing: float = 0.1


#: By name, for classification and for regression.
PRESETS = {
    "default": {
        "classes": Recipe(0.04, "selu", False, 0.15, 0.02, 9),
        "values": Recipe(0.2, "mish", False, 0.15, 0.02, 9),
    },
    "fast": {
        "classes": Recipe(0.04, "selu", True, 0.0, 0.0, 100),
        "values": Recipe(0.07, "mish", True, 0.0, 0.0, 100),
    },
}

_EMBEDDED = 8
_FRONT_FACTOR = 6.0
_TENTH = 0.1


def recipe_of(preset: str, kind: str, **changes: float | None) -> Recipe:
    """A preset for "classes" or "values". Given values replace those of the preset."""
    given: dict[str, Any] = {name: value for name, value in changes.items() if value is not None}
    return PRESETS[preset][kind]._replace(**given)


def network_of(
    recipe: Recipe,
    columns: TableColumns,
    hidden: tuple[int, ...],
    outputs: int,
    output_activation: str,
    seed: int,
    classes: list[str] | None,
) -> Network:
    """Build a network for the inputs that `columns` produces. Call `start` to set its initial weights.

    A fixed factor 1 / √n in front of each dense layer with n inputs gives the NTK parametrization: all weights are of
    order 1, so one learning rate and one weight decay suit all layers.
    """
    get = registry.layers.get
    width = columns.n_inputs
    layers: list[Input | Layer] = [Input(width)]
    for size in columns.code_sizes:  # an embedding removes its column, so the next code moves to the same index
        layers.append(Embedding(size, _EMBEDDED, columns=columns.n_inputs - len(columns.code_sizes)))
        width += _EMBEDDED - 1
    if columns.n_numbers and not recipe.is_plain:
        numbers = list(range(columns.n_numbers))
        layers.append(get("numerical_embedding", method="pbld", columns=numbers, learning_rate_factor=_TENTH))
        width += 3 * len(numbers)
    layers.append(get("scale", learning_rate_factor=_FRONT_FACTOR))
    for units in hidden:
        layers += [_ntk(width), Dense(units, bias_learning_rate_factor=_TENTH)]
        if recipe.is_plain:
            layers.append(Activation(recipe.activation))
        else:
            layers.append(get("parametric_activation", activation=recipe.activation, learning_rate_factor=_TENTH))
        if recipe.dropout:
            layers.append(Dropout(FlatCosine(recipe.dropout)))
        width = units
    layers += [_ntk(width), Dense(outputs, output_activation, bias_learning_rate_factor=_TENTH)]
    return Network(layers, seed=seed, feature_names=columns.input_names, classes=classes)


def _ntk(inputs: int) -> Layer:
    factor: Layer = registry.layers.get("scale", initial=inputs**-0.5, trainable=False)
    return factor


def start(network: Network, recipe: Recipe, x: npt.NDArray[Any], n_threads: int | None) -> None:
    """Set the initial weights. Unless the recipe is plain, they depend on some rows of x."""
    random = np.random.default_rng(network.seed)
    dense = [layer for layer in network.layers if isinstance(layer, Dense)]
    for layer in network.layers:
        if isinstance(layer, (Dense, Embedding)):
            layer.weights = random.normal(size=layer.weights.shape)
        if isinstance(layer, Dense) and recipe.is_plain:
            layer.biases = random.normal(size=layer.biases.shape)
    if recipe.is_plain:
        dense[-1].weights, dense[-1].biases = np.zeros_like(dense[-1].weights), np.zeros_like(dense[-1].biases)
    elif len(x) > 1:
        network.initialize_from(x, n_threads=n_threads)


def optimizer_of(recipe: Recipe) -> Optimizer:
    """Adam with the coslog4 schedule, and with weight decay on the weights (not biases) if the recipe has some."""
    rate = CosineLog(recipe.learning_rate)
    if not recipe.weight_decay:
        return Adam(rate, beta_2=0.95)
    return AdamW(rate, beta_2=0.95, weight_decay=FlatCosine(recipe.weight_decay), decay_biases=False)
