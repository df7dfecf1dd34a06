"""Layers that treat each column separately: a learned scale, and numerical embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from cynn import registry
from cynn.errors import InvalidParameterError, ShapeError, as_list, check_whole_number, shown
from cynn.hyperparameters import checked_by, choice, number, whole_number
from cynn.layers import Concatenate, Layer, Parameter, SavedForBackward
from cynn_plugins.layers._columns import KERNELS as COLUMNS
from cynn_plugins.layers._periodic import KERNELS as PERIODIC

if TYPE_CHECKING:
    from cynn.layers import Builder

__all__ = ["NumericalEmbedding", "Scale"]


class Scale(Layer):
    """A learned factor per column: a = x s.

    After the input, it learns the importance of each column. This is the front scale of RealMLP, which uses six times
    the learning rate for it.

    Source: Holzmüller, Grinsztajn and Steinwart, "Better by default: strong pre-tuned MLPs and boosted trees on
    tabular data", 2024, section 3.

    Parameters
    ----------
    initial : float
        The initial value of s.
    trainable : bool
        Whether s is trained.
    learning_rate_factor : float
        A factor of the optimizer's learning rate for s.

    Attributes
    ----------
    factors : array of shape (units,)
        s, as a live view. Only available in a network.

    Examples
    --------
    >>> import cynn
    >>> scale = cynn.registry.layers.get("scale", learning_rate_factor=6)
    >>> net = cynn.Network([cynn.Input(2), scale], seed=0)
    >>> net.layers[0].factors = [2.0, 3.0]
    >>> net.predict([1.0, -1.0])
    array([ 2., -3.], dtype=float32)
    """

    name: ClassVar[str] = "scale"
    c_source = "factors * z"
    kernel = COLUMNS["scale"]
    factors = Parameter()
    initial: float = number(default=1.0)

    def build(self, builder: Builder, values: list[int]) -> int:
        units = builder.widths[values[0]]
        factors = builder.parameter("factors", builder.constant(self.initial, units))
        return builder.add(self.kernel, values, units, parameters=[factors, None], trainable=self.trainable)


def _borders(value: Any, name: str, owner: str) -> list[list[float]]:
    """For each column, two or more numbers in ascending order."""
    columns = as_list(value)
    found = None
    if columns:
        try:
            found = [np.asarray(column, np.float64) for column in columns]
        except (TypeError, ValueError):
            found = None
    if found is None or not all(
        each.ndim == 1 and len(each) > 1 and np.isfinite(each).all() and (np.diff(each) > 0).all() for each in found
    ):
        raise InvalidParameterError(
            f"The {name!r} parameter of {owner} must be a list with the borders of every column, two or more finite "
            f"numbers in ascending order. Got {shown(value)} instead."
        )
    return [each.tolist() for each in found]


def _columns(value: Any, name: str, owner: str) -> list[int]:
    """A list of different columns."""
    columns = [check_whole_number(column, name, owner) for column in as_list(value) or []]
    if not columns or len(set(columns)) < len(columns):
        raise InvalidParameterError(
            f"The {name!r} parameter of {owner} must be columns, each once. Got {shown(value)} instead."
        )
    return columns


class NumericalEmbedding(Layer):
    """Numerical embeddings: replaces each number x by several, so that a network can fit rapid changes.

    `"plr"` (periodic, linear, ReLU): sines and cosines with learned frequencies f, then a linear map per column::

        relu(W (cos 2πf x, sin 2πf x) + b)

    `"pbld"` (periodic, bias, linear, densenet)::

        x, and W cos(2πf x + phase) + b

    `"ple"` (piecewise linear encoding): one output for each interval between the borders t₀ < t₁ < ..., which is 0
    below the interval, 1 above it, and linear inside. It may be below 0 in the first interval, and above 1 in the
    last::

        (x - t_(k-1)) / (t_k - t_(k-1))

    The output begins with the columns that are not embedded, in their order. With `"pbld"` it begins with all columns,
    so that x stands beside its embedding. The embeddings of the columns follow in order.

    Sources: Gorishniy, Rubachev and Babenko, "On embeddings for numerical features in tabular deep learning", 2022
    (`"ple"`, `"plr"`); Holzmüller, Grinsztajn and Steinwart, "Better by default: strong pre-tuned MLPs and boosted
    trees on tabular data", 2024 (`"pbld"`, with initial phases between -π and π).

    Parameters
    ----------
    method : {"pbld", "plr", "ple"}
        The kind of embedding.
    units_per_column : int, optional
        The number of outputs of W per column, by default 3 for `"pbld"` and 24 for `"plr"`.
    frequencies : int, optional
        The number of frequencies per column, by default 16 for `"pbld"` and 48 for `"plr"`.
    deviation : float
        The standard deviation of the initial frequencies, which are normally distributed.
    bins : list of lists of float, optional
        The borders of each column, for `"ple"`. `quantile_bins` computes them.
    columns : list of int, optional
        The columns to embed, by default all.
    trainable : bool
        Whether f, the phases, W and b are trained.
    learning_rate_factor : float
        A factor of the optimizer's learning rate for these parameters, 0.1 in RealMLP.

    Attributes
    ----------
    waves, phases : array of shape (columns, frequencies), or None
        f, and the phases of `"pbld"`, as live views. Only available in a network.
    weights : array of shape (columns, waves of a column, units_per_column), or None
        W.
    biases : array of shape (columns, units_per_column), or None
        b.

    Examples
    --------
    >>> import cynn, numpy as np
    >>> x = np.random.default_rng(0).normal(size=(100, 5))
    >>> embedding = cynn.registry.layers.get(
    ...     "numerical_embedding", learning_rate_factor=0.1
    ... )
    >>> net = cynn.Network([
    ...     cynn.Input(5),
    ...     embedding,
    ...     cynn.Dense(64, "relu"),
    ...     cynn.Dense(1),
    ... ], seed=0)
    >>> net.layers[0].units
    20

    With borders from the data:

    >>> cls = cynn.registry.layers.find("numerical_embedding")
    >>> bins = cls.quantile_bins([[0.0], [1.0], [3.0]], 2)
    >>> net = cynn.Network([cynn.Input(1), cls("ple", bins=bins)])
    >>> net.predict([[0.5], [2.0], [4.0]])
    array([[0.5, 0. ],
           [1. , 0.5],
           [1. , 1.5]], dtype=float32)
    """

    name: ClassVar[str] = "numerical_embedding"
    waves = Parameter()
    phases = Parameter(decays=False)
    weights = Parameter()
    biases = Parameter(decays=False)
    method: str = choice("pbld", "plr", "ple", default="pbld")
    units_per_column: int | None = whole_number(default=None, minimum=1, maximum=2**20)
    frequencies: int | None = whole_number(default=None, minimum=1, maximum=2**20)
    deviation: float = number(default=0.1, minimum=0)
    bins: Any = checked_by(_borders, default=None)
    columns: Any = checked_by(_columns, default=None, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.method == "ple") != (self.bins is not None):
            raise InvalidParameterError(
                "The 'bins' parameter of NumericalEmbedding must be given for 'ple', and for that alone. Got "
                f"{shown(self.bins)} for {self.method!r} instead."
            )

    @staticmethod
    def quantile_bins(x: npt.ArrayLike, n_bins: int = 48) -> list[list[float]]:
        """Compute the borders of bins that hold equally many of the given numbers, for each column.

        Parameters
        ----------
        x : array of shape (rows, columns)
            For example the training data.
        n_bins : int
            The number of bins. Columns with few different numbers get fewer.

        Returns
        -------
        list of lists of float
            The value for `bins`. A constant column gets one bin of length 1.
        """
        rows = np.asarray(x, np.float64)
        if rows.ndim != 2 or not rows.size or not np.isfinite(rows).all():
            raise ShapeError(f"x must be a matrix of finite numbers. Got {shown(x)} instead.")
        parts = np.linspace(0, 1, check_whole_number(n_bins, "n_bins", "quantile_bins", minimum=1) + 1)
        found = [np.unique(column) for column in np.quantile(rows, parts, axis=0).T]
        return [(each if len(each) > 1 else each[0] + np.array([0.0, 1.0])).tolist() for each in found]

    def build(self, builder: Builder, values: list[int]) -> int:
        width = builder.widths[values[0]]
        columns = list(range(width)) if self.columns is None else self.columns
        if max(columns) >= width:
            raise ShapeError(f"The columns of an embedding must be there, below {width}. Got {max(columns)} instead.")
        embedded = self._embedded(builder, self._selected(builder, values[0], columns), len(columns))
        rest = [column for column in range(width) if column not in set(columns) or self.method == "pbld"]
        if not rest:
            return embedded
        beside = self._selected(builder, values[0], rest)
        units = builder.widths[beside] + builder.widths[embedded]
        return builder.add(Concatenate.kernel, [beside, embedded], units)

    def export_steps(self, steps: Any, values: list[int]) -> int:
        """The steps with which it leaves for other languages, from its arrays."""
        width = steps.widths[values[0]]
        columns = list(range(width)) if self.columns is None else self.columns
        embedded = (self._pieces_as_steps if self.method == "ple" else self._waves_as_steps)(steps, values[0], columns)
        rest = [column for column in range(width) if column not in set(columns) or self.method == "pbld"]
        return int(steps.concatenate([steps.select(values[0], rest), embedded]) if rest else embedded)

    def _waves_as_steps(self, steps: Any, value: int, columns: list[int]) -> int:
        waves = 2 * np.pi * np.asarray(self.waves, np.float64)
        phases: Any = self.phases
        if phases is None:  # sin v is cos(v - π/2)
            phases = np.tile(np.repeat([0.0, -np.pi / 2], waves.shape[1]), (len(columns), 1))
            waves = np.concatenate([waves, waves], axis=1)
        turned = steps.grouped(steps.select(value, columns), waves[:, None, :], phases)
        z = steps.grouped(steps.formula("cos(z)", turned, {}), self.weights, self.biases)
        return int(z if self.method == "pbld" else steps.formula("z < 0 ? 0 : z", z, {}))

    def _pieces_as_steps(self, steps: Any, value: int, columns: list[int]) -> int:
        far = np.finfo(np.float32).max
        ends = {
            "begin": [border for each in self.bins for border in each[:-1]],
            "length": [length for each in self.bins for length in np.diff(each)],
            "least": [0.0 if piece else -far for each in self.bins for piece in range(len(each) - 1)],
            "most": [1.0 if piece < len(each) - 2 else far for each in self.bins for piece in range(len(each) - 1)],
        }
        repeated = [column for column, each in zip(columns, self.bins, strict=True) for _ in each[1:]]
        part = "(z - begin) / length"
        limited = f"{part} < least ? least : {part} > most ? most : {part}"
        arrays = {name: np.array(numbers) for name, numbers in ends.items()}
        return int(steps.formula(limited, steps.select(value, repeated), arrays))

    def _selected(self, builder: Builder, value: int, columns: list[int]) -> int:
        if columns == list(range(builder.widths[value])):
            return value
        return builder.add(COLUMNS["select"], [value], len(columns), hyperparameters=columns)

    def _embedded(self, builder: Builder, value: int, n: int) -> int:
        if self.method != "ple":
            return self._of_waves(builder, value, n)
        if len(self.bins) != n:
            raise ShapeError(f"The bins of an embedding must be those of {n} columns. Got {len(self.bins)} instead.")
        counts = [len(each) - 1 for each in self.bins]
        borders = [border for each in self.bins for border in each]
        return builder.add(COLUMNS["pieces"], [value], sum(counts), hyperparameters=[*counts, *borders])

    def _of_waves(self, builder: Builder, value: int, n: int) -> int:
        has_phases = self.method == "pbld"
        k = self.frequencies or (16 if has_phases else 48)
        units = self.units_per_column or (3 if has_phases else 24)
        waves = builder.parameter("waves", builder.normal(self.deviation, n, k))
        phases = builder.parameter("phases", builder.uniform(np.pi, n, k)) if has_phases else None
        inner = k if has_phases else 2 * k
        waved = builder.add(
            PERIODIC["waves"],
            [value],
            n * inner,
            parameters=[waves, phases],
            trainable=self.trainable,
            saved=[SavedForBackward(n * k), SavedForBackward(n * k)],
            multiplications=30 * n * k,
        )
        limit = inner**-0.5
        weights = builder.parameter("weights", builder.uniform(limit, n, inner, units))
        biases = builder.parameter("biases", builder.uniform(limit, n, units))
        z = builder.add(
            PERIODIC["columns"],
            [waved],
            n * units,
            parameters=[weights, biases],
            trainable=self.trainable,
            hyperparameters=[n],
            multiplications=n * inner * units,
        )
        return z if has_phases else builder.add_activation(z, registry.activations.get("relu"))
