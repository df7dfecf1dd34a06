"""Several networks in one layer: an ensemble with shared weights, and a mixture of experts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from cynn import Dense, registry
from cynn.errors import InvalidParameterError, ShapeError
from cynn.hyperparameters import attribute, checked_by, switch, whole_number
from cynn.layers import Layer, Parameter
from cynn_plugins.layers._columns import KERNELS as COLUMNS
from cynn_plugins.layers._members import KERNELS as MEMBERS

if TYPE_CHECKING:
    from cynn.layers import Builder

__all__ = ["BatchEnsemble", "MemberMean", "MixtureOfExperts"]

_MAX = 2**20


def _elementwise(value: Any, name: str, owner: str) -> Any:
    """An elementwise activation: a row holds several members."""
    found = registry.activations.get("identity" if value is None else value)
    if found.is_rowwise:
        raise InvalidParameterError(
            f"The {name!r} parameter of {owner} must be of single elements. Got {found!r} instead, which is of rows."
        )
    return found


class BatchEnsemble(Layer):
    """An ensemble with shared weights W, and factors and a bias per member m: a_m = f(((x_m r_m) W) s_m + b_m).

    A row of the output holds the outputs of all members one after the other. The same holds for the input, unless
    `first` is True, where all members have the same input x. As in TabM, the initial r of a first layer is -1 or 1 at
    random, and all other initial factors are 1. `MemberMean` averages the members at the end.

    Sources: Wen, Tran and Ba, "BatchEnsemble: an alternative approach to efficient ensemble and lifelong learning",
    2020, equation 3; Gorishniy, Kotelnikov and Babenko, "TabM: advancing tabular deep learning with parameter-efficient
    ensembling", 2025, section 3.

    Parameters
    ----------
    member_units : int
        The number of units per member.
    members : int
        The number of members.
    activation : str, Activation or dict
        f. It must be elementwise.
    first : bool
        Whether all members have the same input x.
    trainable : bool
        Whether W, r, s and b are trained.
    learning_rate_factor : float
        A factor of the optimizer's learning rate for these parameters.

    Attributes
    ----------
    weights : array of shape (inputs of a member, member_units)
        W, as a live view. Only available in a network.
    input_factors : array of shape (members, inputs of a member)
        r.
    output_factors, biases : array of shape (members, member_units)
        s and b.

    Examples
    --------
    >>> import cynn
    >>> layer = cynn.registry.layers.find("batch_ensemble")
    >>> mean = cynn.registry.layers.find("member_mean")
    >>> net = cynn.Network([
    ...     cynn.Input(5),
    ...     layer(16, 4, "relu", first=True),
    ...     layer(1, 4),
    ...     mean(4),
    ... ], seed=0)
    >>> [each.units for each in net.layers]
    [64, 4, 1]
    """

    name: ClassVar[str] = "batch_ensemble"
    weights = Parameter()
    input_factors = Parameter(decays=False)
    output_factors = Parameter(decays=False)
    biases = Parameter(decays=False)
    member_units: int = whole_number(minimum=1, maximum=_MAX)
    members: int = whole_number(minimum=1, maximum=_MAX)
    activation: Any = checked_by(_elementwise, default="identity")
    first: bool = switch(default=False, kw_only=True)

    def build(self, builder: Builder, values: list[int]) -> int:
        width, k, units = builder.widths[values[0]], self.members, self.member_units
        inputs = width if self.first else _of_a_member(width, k)
        start = self.activation.initializer_of(is_first=builder.is_first(values))
        W = builder.parameter("weights", builder.weights(start, inputs, units))
        r = builder.uniform(1.0, k, inputs) if self.first else builder.ones(k, inputs)
        if self.first and not builder.only_shapes:
            r[...] = np.where(r < 0, -1, 1)
        builder.parameter("input_factors", r)
        s = builder.parameter("output_factors", builder.ones(k, units))
        b = builder.parameter("biases", builder.zeros(k, units))
        scaled = builder.add(COLUMNS["scale"], values, k * inputs, parameters=[r, None], trainable=self.trainable)
        shared = builder.add(
            MEMBERS["shared"],
            [scaled],
            k * units,
            parameters=[W],
            trainable=self.trainable,
            multiplications=k * inputs * units,
        )
        z = builder.add(COLUMNS["scale"], [shared], k * units, parameters=[s, b], trainable=self.trainable)
        return builder.add_activation(z, self.activation)


class MemberMean(Layer):
    """The mean over the members of an ensemble, such as those of `BatchEnsemble`.

    Parameters
    ----------
    members : int
        The number of members.

    Examples
    --------
    >>> import cynn
    >>> mean = cynn.registry.layers.get("member_mean", members=2)
    >>> net = cynn.Network([cynn.Input(4), mean])
    >>> net.predict([1.0, 2.0, 3.0, 6.0])
    array([2., 4.], dtype=float32)
    """

    name: ClassVar[str] = "member_mean"
    kernel = MEMBERS["mean"]
    members: int = whole_number(minimum=1, maximum=_MAX)
    trainable: bool = attribute(True)  # without parameters
    learning_rate_factor: float = attribute(1.0)

    def build(self, builder: Builder, values: list[int]) -> int:
        return builder.add(self.kernel, values, _of_a_member(builder.widths[values[0]], self.members))


def _of_a_member(width: int, members: int) -> int:
    if width % members:
        raise ShapeError(f"The columns of {members} members must be a multiple of {members}. Got {width} instead.")
    return width // members


class MixtureOfExperts(Layer):
    """A mixture of experts: dense layers, weighted per row by a softmax gate: a = Σ_e g_e f(x W_e + b_e).

    g = softmax(x G + c). All experts are computed for each row.

    Source: Jacobs, Jordan, Nowlan and Hinton, "Adaptive mixtures of local experts", 1991, equation 1.2.

    Parameters
    ----------
    units : int
        The number of units per expert.
    experts : int
        The number of experts.
    activation : str, Activation or dict
        f. It must be elementwise.
    trainable : bool
        Whether the weights and biases of the experts and the gate are trained.
    learning_rate_factor : float
        A factor of the optimizer's learning rate for these parameters.

    Attributes
    ----------
    weights : array of shape (inputs, experts * units)
        The W_e side by side, as a live view. Only available in a network.
    biases : array of shape (experts * units,)
        The b_e.
    gate_weights : array of shape (inputs, experts)
        G.
    gate_biases : array of shape (experts,)
        c.

    Examples
    --------
    >>> import cynn
    >>> layer = cynn.registry.layers.get(
    ...     "mixture_of_experts", units=8, experts=4, activation="relu"
    ... )
    >>> net = cynn.Network([cynn.Input(5), layer, cynn.Dense(1)], seed=0)
    >>> net.layers[0].units
    8
    """

    name: ClassVar[str] = "mixture_of_experts"
    gate_weights = Parameter()
    gate_biases = Parameter()
    weights = Parameter()
    biases = Parameter()
    units: int = whole_number(minimum=1, maximum=_MAX)
    experts: int = whole_number(default=4, minimum=2, maximum=_MAX)
    activation: Any = checked_by(_elementwise, default="identity")

    def build(self, builder: Builder, values: list[int]) -> int:
        softmax = registry.activations.get("softmax")
        gate = self._affine(builder, values, "gate_weights", "gate_biases", self.experts, softmax)
        experts = self._affine(builder, values, "weights", "biases", self.experts * self.units, self.activation)
        return builder.add(MEMBERS["mixture"], [gate, experts], self.units)

    def _affine(
        self, builder: Builder, values: list[int], weights: str, biases: str, units: int, activation: Any
    ) -> int:
        inputs = builder.widths[values[0]]
        start = activation.initializer_of(is_first=builder.is_first(values))
        # each expert is initialized as a separate layer: its variance does not depend on the number of experts
        n = self.experts if weights == "weights" else 1
        W = builder.parameter(weights, builder.zeros(inputs, units))
        for columns in np.split(np.arange(units), n) if not builder.only_shapes else []:
            W[:, columns] = builder.weights(start, inputs, len(columns))
        z = builder.add(
            Dense.kernel,
            values,
            units,
            parameters=[W, builder.parameter(biases, builder.zeros(units))],
            trainable=self.trainable,
            multiplications=inputs * units,
        )
        return builder.add_activation(z, activation)
