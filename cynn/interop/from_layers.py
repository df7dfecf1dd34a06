"""Makes the plan of a network. Layers and activations without a formula are named first, with their places."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from cynn import layers
from cynn.activations import Activation
from cynn.components.inheritance import FORWARD, own_of
from cynn.errors import InvalidParameterError, shown
from cynn.interop.c_functions import CFunction, is_function
from cynn.interop.expressions import Expression, number, where
from cynn.interop.formulas import parse
from cynn.interop.plan import Affine, Array, Copy, Function, Gather, Grouped, Output, Plan, Take, column, constant_or

if TYPE_CHECKING:
    from cynn.layers import Layer
    from cynn.network import Network

__all__ = ["Steps", "plan_of"]

# A row with numbers above this is divided by its largest, since squares would overflow.
_LARGE = 1e15
# The packages whose activations other libraries may know by their names.
_OURS = ("cynn", "cynn_plugins")
#: The forms of a plan: what is done with the network, and what a class may have to say what it computes.
_FORMS = {
    "formula": ("that is exported", "c_source, an expression of C"),
    "exact": ("that is exported to the bit", "c_source, an expression of C"),
    "whole numbers, tested": (
        "that is exported in int8 or int4 with a selftest, which allows no difference,", "c_source, an expression of C"
    ),
    "C": ("that is exported as C", "c_source, an expression or a function of C"),
    "ONNX": ("that is exported as ONNX", "onnx_nodes, or c_source, an expression of C"),
}  # fmt: skip


def plan_of(network: Network, form: str = "formula") -> Plan:
    """Make the plan of a network.

    Parameters
    ----------
    network : Network
        Its weights are not copied.
    form : {"formula", "exact", "whole numbers, tested", "C", "ONNX"}
        What it is for. For "C", functions of C may be in it, and for "ONNX" nodes of ONNX; otherwise formulas alone.

    Returns
    -------
    Plan
        Its steps.
    """
    plan = Plan(network.input.units, *network.input.scaling, network.dtype)
    plan.outputs = Steps(plan, form).network(network, 0)
    return plan


def c_source_of(part: Any) -> str | None:
    """The `c_source` of an activation or a layer; None without one, or if a class further down has other outputs."""
    found = own_of(part, "c_source")
    if found is not None and not isinstance(found, str):
        name = type(part).__name__
        raise InvalidParameterError(f"The c_source of {name} must be a text. Got {shown(found)} instead.")
    return found


class Steps:
    """Adds the steps of layers to a plan, and collects the parts without a formula.

    Parameters
    ----------
    plan : Plan
    form : str
        As for `plan_of`.
    """

    def __init__(self, plan: Plan, form: str = "formula") -> None:
        self.plan = plan
        self.form = form
        self.missing: list[str] = []
        self.place = ""

    def network(self, network: Network, value: int) -> list[Output]:
        """Add all layers of a network, whose scaled input is a value. Returns its outputs."""
        config = network.get_config()
        sources = config.get("sources") or [[k] for k in range(len(network.layers))]
        values = self.build(network.layers, sources, value, "layer {}")
        if self.missing:
            what, field = _FORMS[self.form]
            raise InvalidParameterError(
                f"Every part of a network {what} must be a layer of CyNN, or say what it computes: by {field}. "
                f"Got none for {'; '.join(self.missing)}."
            )
        self.plan.layers = values[1:]
        outputs = config.get("outputs", len(network.layers))
        if isinstance(outputs, dict):
            return [Output(str(name), values[k]) for name, k in outputs.items()]
        if isinstance(outputs, list):
            return [Output(f"output_{number}", values[k]) for number, k in enumerate(outputs)]
        return [Output(None, values[outputs])]

    def build(self, described: Sequence[Layer], sources: list[list[int]], value: int, place: str) -> list[int]:
        """Add all layers. Returns the numbers of the values: of the input and of each layer."""
        values = [value]
        outer = self.place
        for k, layer in enumerate(described):
            self.place = outer + place.format(k)
            values.append(self.layer(layer, [values[source] for source in sources[k]]))
        self.place = outer
        return values

    def chain(self, described: Sequence[Layer], value: int) -> int:
        """Add the layers within another. Returns the number of the last value."""
        return self.build(described, [[k] for k in range(len(described))], value, ", layer {} of it")[-1]

    def layer(self, layer: Any, values: list[int]) -> int:
        """Add a layer. Returns the number of its output."""
        for cls in type(layer).__mro__:
            if cls in _LAYERS:
                return _LAYERS[cls](self, layer, values)
            if "export_steps" in vars(cls):
                return int(layer.export_steps(self, values))
            if any(name in vars(cls) for name in (*FORWARD, "c_source", "onnx_nodes")):
                break
        arrays = dict(layer.arrays())
        settings = {name: each for name, each in vars(layer).items() if isinstance(each, (int, float))}
        numbers = {name: float(each) for name, each in settings.items() if name not in arrays}
        gates = {
            name: partial(self._gated, each, layer.units)
            for name, each in vars(layer).items()
            if isinstance(each, Activation)
        }
        z = column(values[0]) if len(values) == 1 else None
        found = None if z is None else self.own(layer, numbers, arrays, z, layer.inputs, layer.units, gates)
        if found is None:
            return self._lack(layer, layer.units)
        return self.plan.map(found, layer.units)

    def own(
        self,
        part: Any,
        numbers: dict[str, float],
        arrays: dict[str, Array],
        z: Expression,
        width: int,
        units: int,
        functions: Mapping[str, Callable[[Expression], Expression]] | None = None,
    ) -> Expression | None:
        """What a part makes of the row z, as the part itself says. None if it does not for this form of a plan."""
        text = c_source_of(part)
        has_nodes = self.form == "ONNX" and own_of(part, "onnx_nodes") is not None
        if text is not None and not has_nodes and not is_function(text):
            if width != units:
                return None
            short = {name: array for name, array in arrays.items() if array.shape == (units,)}
            names = {name: self.plan.array(array) for name, array in short.items()}
            names |= {name: number(each) for name, each in numbers.items()}
            return parse(text, {**names, "z": z}, type(part).__name__, functions)
        if not has_nodes and (text is None or self.form != "C"):
            return None
        code = None
        if not has_nodes and text is not None:
            code = CFunction(text, type(part).__name__)
            code.check(numbers, {name: array.ndim for name, array in arrays.items()})
        value, first = (z if z.kind == "column" else column(self.plan.map(z, width))).value
        places = {name: self.plan.array(array).value[0] for name, array in arrays.items()}
        return column(self.plan.add(Function(value, first, width, units, part, code, numbers, places)))

    def _lack(self, part: Any, units: int) -> int:
        self.lack(f"{part!r}", part)
        self.plan.widths.append(units)
        self.plan.steps.append(Take([]))
        return len(self.plan.steps)

    def lack(self, name: str, part: Any) -> None:
        """Note a part that says not what it computes."""
        text = c_source_of(part)
        why = ", whose c_source is a whole function" if text is not None and is_function(text) else ""
        self.missing.append(f"{name} in {self.place}{why}")

    def affine(self, layer: layers.Dense, value: int) -> int:
        """z = x W + b."""
        return self.plan.add(Affine(value, layer.weights, layer.biases))

    def grouped(self, value: int, weights: Array, biases: Array) -> int:
        """z = x W + b for each group of columns: weights of shape (groups, inputs, units)."""
        return self.plan.add(Grouped(value, weights, np.ravel(biases)))

    def select(self, value: int, columns: Sequence[int]) -> int:
        """Some columns of a value, in this order; one may come several times."""
        if list(columns) == list(range(self.plan.widths[value])):
            return value
        runs: list[list[int]] = []
        for each in columns:
            if runs and each == runs[-1][0] + runs[-1][1]:
                runs[-1][1] += 1
            else:
                runs.append([each, 1])
        return self.plan.add(Take([Copy(value, first, count) for first, count in runs]))

    def concatenate(self, values: Sequence[int]) -> int:
        """Values side by side."""
        return self.plan.add(Take([Copy(value, 0, self.plan.widths[value]) for value in values]))

    def formula(self, text: str, value: int, arrays: Mapping[str, Array]) -> int:
        """A formula of the elements z of a value, and of arrays with an element for each of its columns."""
        names = {name: self.plan.array(array) for name, array in arrays.items()}
        return self.plan.map(parse(text, {**names, "z": column(value)}, self.place), self.plan.widths[value])

    def mean(self, values: Sequence[int]) -> int:
        """The mean of values."""
        total = column(values[0])
        for value in values[1:]:
            total = total + column(value)
        return self.plan.map(total / float(len(values)), self.plan.widths[values[0]])

    @property
    def widths(self) -> Sequence[int]:
        """The number of columns of each value."""
        return self.plan.widths

    def _gated(self, activation: Activation, units: int, z: Expression) -> Expression:
        """The same as `gate`; z itself if the activation has no formula."""
        found = self.gate(activation, z, units)
        return z if found is None else found

    def gate(self, activation: Activation, z: Expression, units: int) -> Expression | None:
        """The formula of an activation of z. None if it has none, which is noted."""
        if activation.name == "identity":
            return z
        given = activation.hyperparameters.items()
        numbers = {name: declared.as_double(getattr(activation, name)) for name, declared in given}
        found = self.own(activation, numbers, {}, z, units, units)
        if found is None:
            self.lack(f"the activation {activation!r}", activation)
        return found

    def activation(self, activation: Activation, value: int) -> int:
        """a = f(z)."""
        units = self.plan.widths[value]
        formula = self.gate(activation, column(value), units)
        if formula is None:
            return value
        if type(activation).__module__.partition(".")[0] not in _OURS:  # it may have the name of another
            return self.plan.map(formula, units)
        return self.plan.group(activation, value, formula, units)


def _dense(builder: Steps, layer: Any, values: list[int]) -> int:
    return builder.activation(layer.activation, builder.affine(layer, values[0]))


def _glu(builder: Steps, layer: Any, values: list[int]) -> int:
    z = builder.affine(layer, values[0])
    gate = builder.gate(layer.activation, column(z, layer.units), layer.units)
    return builder.plan.map(column(z) * (number(0) if gate is None else gate), layer.units)


def _maxout(builder: Steps, layer: Any, values: list[int]) -> int:
    z = builder.affine(layer, values[0])
    largest = column(z)
    for piece in range(1, layer.pieces):
        each = column(z, piece * layer.units)
        largest = where(Expression("||", (each.compared(">", largest), each.compared("!=", each))), each, largest)
    return builder.plan.map(largest, layer.units)


def _activation(builder: Steps, layer: Any, values: list[int]) -> int:
    return builder.activation(layer.activation, values[0])


def _pass(builder: Steps, layer: Any, values: list[int]) -> int:
    return values[0]


def _branches(builder: Steps, layer: Any, values: list[int]) -> list[int]:
    return values if layer.branches is None else [builder.chain(branch, values[0]) for branch in layer.branches]


def _add(builder: Steps, layer: Any, values: list[int]) -> int:
    first, *rest = _branches(builder, layer, values)
    total = column(first)
    for value in rest:
        total = total + column(value)
    return builder.plan.map(total, layer.units)


def _concatenate(builder: Steps, layer: Any, values: list[int]) -> int:
    return builder.concatenate(_branches(builder, layer, values))


def _residual(builder: Steps, layer: Any, values: list[int]) -> int:
    inner = builder.chain(layer.layers, values[0])
    return builder.plan.map(column(values[0]) + column(inner), layer.units)


def _embedding(builder: Steps, layer: Any, values: list[int]) -> int:
    columns = layer.columns if isinstance(layer.columns, list) else [layer.columns]
    parts: list[Copy | Gather] = []
    first = 0
    for stop in [*sorted(columns), builder.plan.widths[values[0]]]:
        if stop > first:
            parts.append(Copy(values[0], first, stop - first))
        first = stop + 1
    parts += [Gather(values[0], each, layer.weights) for each in columns]
    return builder.plan.add(Take(parts))


def _batch_norm(builder: Steps, layer: Any, values: list[int]) -> int:
    """(x - mean) γ / √(variance + epsilon) + β; the slope is computed here, and rounded once."""
    variance = layer.moving_variance.astype(np.float64) + layer.epsilon
    deviation = np.where(variance == 0, np.inf, np.sqrt(variance))
    slope: Array = (1 if layer.gamma is None else layer.gamma) / deviation
    plan = builder.plan
    centered = column(values[0]) - plan.array(layer.moving_mean)
    formula = centered * plan.array(slope) + constant_or(layer.beta, plan, 0)
    return plan.group(layer, values[0], formula, layer.units)


def _row_norm(builder: Steps, layer: Any, values: list[int]) -> int:
    plan = builder.plan
    z = column(values[0])
    names = {
        "z": z,
        "epsilon": number(layer.epsilon),
        "large": number(_LARGE),
        "gamma": constant_or(layer.gamma, plan, 1),
        "beta": constant_or(layer.beta, plan, 0),
    }
    factor = "(row_max(fabs(z)) > large ? 1 / row_max(fabs(z)) : 1)"
    names["x"] = parse(f"z * {factor}", names, "LayerNorm")
    names["x"] = parse("x - row_mean(x)", names, "LayerNorm") if layer.is_centered else names["x"]
    names["v"] = parse(f"row_mean(x * x) + epsilon * {factor} * {factor}", names, "LayerNorm")
    formula = parse("x * (v == 0 ? 0 : 1 / sqrt(v)) * gamma + beta", names, "LayerNorm")
    return plan.group(layer, values[0], formula, layer.units)


def _prelu(builder: Steps, layer: Any, values: list[int]) -> int:
    z = column(values[0])
    formula = where(z.compared("<", 0.0), builder.plan.array(layer.alpha) * z, z)
    return builder.plan.group(layer, values[0], formula, layer.units)


_LAYERS: dict[type, Callable[[Steps, Any, list[int]], int]] = {
    layers.Dense: _dense,
    layers.GLU: _glu,
    layers.Maxout: _maxout,
    layers.Activation: _activation,
    layers.Dropout: _pass,
    layers.GaussianNoise: _pass,
    layers.Add: _add,
    layers.Concatenate: _concatenate,
    layers.Residual: _residual,
    layers.Embedding: _embedding,
    layers.BatchNorm: _batch_norm,
    layers.LayerNorm: _row_norm,
    layers.PReLU: _prelu,
}
