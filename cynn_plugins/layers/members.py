"""Networks within a network: an ensemble whose members share their weights, and a mixture of experts."""

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
    """An activation of single elements: a row has several members."""
    found = registry.activations.get("identity" if value is None else value)
    if found.is_rowwise:
        raise InvalidParameterError(
            f"The {name!r} parameter of {owner} must be of single elements. Got {found!r} instead, which is of rows."
        )
    return found


class BatchEnsemble(Layer):
    """Members that share W, each with factors and a bias of its own: of member m, a_m = f(((x_m r_m) W) s_m + b_m).

    What it returns has the members side by side in a row, and so must have what it takes, but where `first` says that
    all members take the same x. As in TabM, r of a first layer starts with -1 and 1 at random, and all other factors
    with 1. `MemberMean` is the end of such an ensemble.

    Sources: Wen, Tran and Ba, "BatchEnsemble: an alternative approach to efficient ensemble and lifelong learning",
    2020, equation 3; Gorishniy, Kotelnikov and Babenko, "TabM: advancing tabular deep learning with parameter-efficient
    ensembling", 2025, section 3.

    Parameters
    ----------
    member_units : int
        The neurons of a member.
    members : int
        How many there are.
    activation : str, Activation or dict
        f, of single elements.
    first : bool
        Whether all members take the same x.
    trainable : bool
        Whether training moves W, r, s and b.
    learning_rate_factor : float
        What the optimizer's learning rate is multiplied by for them.

    Attributes
    ----------
    weights : array of shape (inputs of a member, member_units)
        W. A live view, only in a network.
    input_factors : array of shape (members, inputs of a member)
        r.
    output_factors, biases : array of shape (members, member_units)
        s and b.

    Examples
    --------
    >>> import cynn
    >>> layer, mean = (cynn.registry.layers.find(name) for name in ("batch_ensemble", "member_mean"))
    >>> net = cynn.Network([cynn.Input(5), layer(16, 4, "relu", first=True), layer(1, 4), mean(4)], seed=0)
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
    """The mean over members that lie side by side in a row, such as those of `BatchEnsemble`.

    Parameters
    ----------
    members : int
        How many there are.

    Examples
    --------
    >>> import cynn
    >>> net = cynn.Network([cynn.Input(4), cynn.registry.layers.get("member_mean", members=2)])
    >>> net.predict([1.0, 2.0, 3.0, 6.0])
    array([2., 4.], dtype=float32)
    """

    name: ClassVar[str] = "member_mean"
    kernel = MEMBERS["mean"]
    members: int = whole_number(minimum=1, maximum=_MAX)
    trainable: bool = attribute(True)  # there is nothing to train
    learning_rate_factor: float = attribute(1.0)

    def build(self, builder: Builder, values: list[int]) -> int:
        return builder.add(self.kernel, values, _of_a_member(builder.widths[values[0]], self.members))


def _of_a_member(width: int, members: int) -> int:
    if width % members:
        raise ShapeError(f"The columns of {members} members must be a multiple of {members}. Got {width} instead.")
    return width // members


class MixtureOfExperts(Layer):
    """Dense layers side by side, and a softmax that says for each row how much each counts: a = Σ_e g_e f(x W_e + b_e).

    g = softmax(x G + c). All experts are computed for every row.

    Source: Jacobs, Jordan, Nowlan and Hinton, "Adaptive mixtures of local experts", 1991, equation 1.2.

    Parameters
    ----------
    units : int
        The neurons of an expert.
    experts : int
        How many there are.
    activation : str, Activation or dict
        f, of single elements.
    trainable : bool
        Whether training moves the weights and biases of the experts and the gate.
    learning_rate_factor : float
        What the optimizer's learning rate is multiplied by for them.

    Attributes
    ----------
    weights : array of shape (inputs, experts * units)
        The W_e side by side. A live view, only in a network.
    biases : array of shape (experts * units,)
        The b_e.
    gate_weights : array of shape (inputs, experts)
        G.
    gate_biases : array of shape (experts,)
        c.

    Examples
    --------
    >>> import cynn
    >>> layer = cynn.registry.layers.get("mixture_of_experts", units=8, experts=4, activation="relu")
    >>> cynn.Network([cynn.Input(5), layer, cynn.Dense(1)], seed=0).layers[0].units
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
        # every expert starts as a layer of its own, whose variance does not depend on how many there are
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
