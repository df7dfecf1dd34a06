"""Recognizes activations and normalizations that an ONNX model composes of several operators, by what they compute."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np

from cynn import layers, registry
from cynn.components.hyperparameters import Hyperparameter
from cynn.errors import CynnError
from cynn.interop.needed import needed
from cynn.interop.plan import Array
from cynn.network import Network

__all__ = ["COMPOSABLE", "Composed"]

#: Operators of which a recognized part may be composed: for each element, over rows, and on shapes.
COMPOSABLE = {
    "Abs", "Add", "And", "Cast", "CastLike", "Celu", "Clip", "ConstantOfShape", "Cos", "Div", "Elu", "Equal", "Erf",
    "Exp", "Expand", "Greater", "GreaterOrEqual", "HardSigmoid", "Identity", "LeakyRelu", "Less", "LessOrEqual", "Log",
    "LogSoftmax", "Max", "Min", "Mul", "Neg", "Not", "Or", "PRelu", "Pow", "Reciprocal", "ReduceMax", "ReduceMean",
    "ReduceMin", "ReduceSum", "Relu", "Selu", "Shape", "Sigmoid", "Sign", "Sin", "Softmax", "Softplus", "Softsign",
    "Sqrt", "Sub", "Sum", "Tanh", "Where",
}  # fmt: skip
_MAX_NODES = 96
_MAX_ROOTS = 4
_MAX_NUMBERS = 8
_FAR = [12, 17, 25, 40, 60, 80]
_GRID = np.array([*np.linspace(-9, 9, 181), *np.linspace(-1.07, 1.07, 40), *_FAR, *(-each for each in _FAR)])
_TOLERANCE = {"float32": 2e-5, "float64": 1e-9}


class Composed:
    """The nodes of a graph, from which composed parts are read.

    Parameters
    ----------
    onnx : module
    graph : GraphProto
    opsets : sequence
        The opset imports of the model.
    dtype : str
    """

    def __init__(self, onnx: Any, graph: Any, opsets: Any, dtype: str) -> None:
        self.onnx = onnx
        self.opsets = opsets
        self.dtype = dtype
        self.producers = {name: k for k, node in enumerate(graph.node) for name in node.output}
        self.nodes = list(graph.node)

    def roots(self, name: str, values: dict[str, int], constants: dict[str, Array]) -> Iterator[tuple[str, list[Any]]]:
        """The known values of which alone a tensor is composed, nearest first, each with the nodes between.

        Parameters
        ----------
        name : str
            The tensor.
        values : dict of str to int
            The known values.
        constants : dict of str to array
        """
        frontier, found = {name}, 0
        between: set[int] = set()
        while len(between) <= _MAX_NODES and found < _MAX_ROOTS:
            if len(frontier) == 1 and between and next(iter(frontier)) in values:
                found += 1
                yield next(iter(frontier)), [self.nodes[k] for k in sorted(between)]
            last = max(frontier, key=lambda each: self.producers.get(each, -1))
            place = self.producers.get(last, -1)
            if place < 0 or self.nodes[place].op_type not in COMPOSABLE:
                return
            between.add(place)
            inputs = {each for each in self.nodes[place].input if each and each not in constants}
            frontier = (frontier - set(self.nodes[place].output)) | inputs
            if not frontier:
                return

    def evaluated(self, name: str, root: str, nodes: list[Any], constants: dict[str, Array], x: Array) -> Array | None:
        """What the nodes make of a value; None if they do not take it.

        Parameters
        ----------
        name, root : str
            The tensor, and that of which it is made.
        nodes : list of NodeProto
        constants : dict of str to array
        x : array
            The value of the root.
        """
        helper, used = self.onnx.helper, {each for node in nodes for each in node.input}
        kept = [self.onnx.numpy_helper.from_array(constants[each], each) for each in sorted(used) if each in constants]
        infos = [helper.make_tensor_value_info(each, self.onnx.TensorProto.FLOAT, None) for each in (root, name)]
        model = helper.make_model(
            helper.make_graph(nodes, "part", infos[:1], infos[1:], kept), opset_imports=self.opsets
        )
        evaluator = needed("onnx.reference", "onnx").ReferenceEvaluator
        try:
            with np.errstate(all="ignore"):
                return np.asarray(evaluator(model).run(None, {root: x})[0])
        except Exception:  # an operator that takes other shapes or dtypes; what is not evaluated is not recognized
            return None

    def activation(self, run: Any, units: int, scalars: list[float]) -> Any:
        """The activation that a function of rows is, or None.

        Parameters
        ----------
        run : callable
            The function.
        units : int
            The number of its columns.
        scalars : list of float
            The numbers that it uses, which may be hyperparameters.
        """
        found = run(np.repeat(_GRID[:, None], units, axis=1).astype(self.dtype))
        if found is None or found.shape != (len(_GRID), units) or not (found == found[:, :1]).all():
            return None
        numbers = tuple(sorted({*scalars, *(1 / each for each in scalars if each)}))
        numbers = numbers if len(numbers) <= _MAX_NUMBERS else ()  # a polynomial has many, which are no parameters
        rows = np.random.default_rng(0).normal(scale=3, size=(8, units)).astype(self.dtype)
        for f, curve in itertools.chain(_known(), _with_numbers(numbers)):
            if self._same(found[:, 0], curve) and self._same(run(rows), _values(f, rows)):
                return f
        return None

    def normalization(self, run: Any, units: int, scalars: list[float], arrays: list[Array]) -> Any:
        """The layer that a function of rows is, with its arrays by name: a row normalization or a PReLU; or None.

        Parameters
        ----------
        run, units, scalars
            As for `activation`.
        arrays : list of array
            Those that it uses with a number for each column.
        """
        rows = np.random.default_rng(0).normal(size=(40, units)).astype(self.dtype)
        found = run(rows)
        if found is None or found.shape != rows.shape:
            return None
        x = rows.astype(np.float64)
        for slope in [sign * each for each in arrays for sign in (1, -1)]:
            if self._same(found, np.where(x < 0, slope * x, x)):
                return layers.PReLU(), {"alpha": slope}
        for epsilon, (is_centered, cls) in itertools.product(
            [each for each in scalars if 0 <= each < 1], ((True, layers.LayerNorm), (False, layers.RMSNorm))
        ):
            centered = x - x.mean(axis=1, keepdims=True) if is_centered else x
            variance = (centered**2).mean(axis=1, keepdims=True) + epsilon
            normal = centered / np.sqrt(np.where(variance > 0, variance, 1))
            for gamma, beta in itertools.product([None, *arrays], [None, *arrays] if is_centered else [None]):
                expected = normal * (1 if gamma is None else gamma) + (0 if beta is None else beta)
                if self._same(found, expected):
                    options = {"use_bias": beta is not None} if is_centered else {}
                    layer = cls(epsilon, use_scale=gamma is not None, **options)
                    return layer, {"gamma": gamma, "beta": beta}
        return None

    def _same(self, found: Array, expected: Array) -> bool:
        with np.errstate(all="ignore"):
            return bool((np.abs(found - expected) <= _TOLERANCE[self.dtype] * (1 + np.abs(expected))).all())


def _values(f: Any, z: Array) -> Array:
    """The values of an activation."""
    described: list[Any] = [layers.Input(1), layers.Concatenate([[]]), layers.Activation(f)]
    network = Network(described, seed=0, dtype="float64")
    found: Array = network.predict(z.astype(np.float64).reshape(-1, 1), check_finite=False)
    return found.reshape(z.shape)


@cache
def _known() -> list[tuple[Any, Array]]:
    """The registered activations of one number, as by default and with each switch, and their values on the grid."""
    found = []
    for cls in _classes():
        switches = [key for key, each in cls.hyperparameters.items() if isinstance(each.default, bool)]
        found += [cls(), *(cls(**{key: True}) for key in switches)]
    return [(f, _values(f, _GRID)) for f in found]


@cache
def _with_numbers(numbers: tuple[float, ...]) -> list[tuple[Any, Array]]:
    """Those with one or two hyperparameters, which are some of these numbers."""
    found = []
    for cls in _classes():
        declared: dict[str, Hyperparameter] = cls.hyperparameters
        keys = [key for key, each in declared.items() if not isinstance(each.default, bool)]
        if len(keys) not in (1, 2):
            continue
        for values in itertools.product(numbers, repeat=len(keys)):
            try:
                found.append(cls(**dict(zip(keys, values, strict=True))))
            except CynnError:  # it is none of the numbers that are allowed
                continue
    return [(f, _values(f, _GRID)) for f in found]


def _classes() -> list[Any]:
    found = [registry.activations.find(name) for name in registry.activations.names()]
    return [cls for cls in found if cls.min_units == 1 and cls.name != "identity"]
