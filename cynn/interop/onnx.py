"""Networks from ONNX models."""

from __future__ import annotations

import os
from collections import Counter
from functools import partial
from typing import Any

import numpy as np

from cynn import file_access, layers
from cynn.errors import InvalidParameterError
from cynn.interop.adopter import Adopter
from cynn.interop.needed import needed
from cynn.interop.onnx_composed import COMPOSABLE, Composed
from cynn.interop.plan import Array
from cynn.network import Network

__all__ = ["adopt"]

#: The activation for an operator with its attributes.
_ACTIVATIONS: dict[str, Any] = {
    "Relu": lambda a: "relu",
    "Sigmoid": lambda a: "sigmoid",
    "Tanh": lambda a: "tanh",
    "Softplus": lambda a: "softplus",
    "Softsign": lambda a: "softsign",
    "Mish": lambda a: "mish",
    "HardSwish": lambda a: "hard_swish",
    "Exp": lambda a: "exponential",
    "Sin": lambda a: {"name": "sine", "w0": 1.0},
    "LeakyRelu": lambda a: {"name": "leaky_relu", "negative_slope": a.get("alpha", 0.01)},
    "Elu": lambda a: {"name": "elu", "alpha": a.get("alpha", 1.0)},
    "Celu": lambda a: {"name": "celu", "alpha": a.get("alpha", 1.0)},
    "Gelu": lambda a: {"name": "gelu", "approximate": a.get("approximate", b"none") == b"tanh"},
    "Swish": lambda a: {"name": "swish", "beta": a.get("alpha", 1.0)},
}
#: Operators that do not change their input here.
_SAME = {"Cast", "Dropout", "Flatten", "Identity", "Squeeze", "ZipMap"}
# The end of a slice that takes every row, or more.
_ALL_ROWS = 2**31 - 1


def adopt(path: str | os.PathLike[str]) -> Network:
    """Make a network from an ONNX model of dense layers.

    Dense layers (Gemm, MatMul and Add), activations, normalizations, Concat, Add, Gather of one category, and
    constants that are added or multiplied column by column, in opset 13 and newer. Outputs that
    are labels are left out. The weights are the same bits, the predictions equal up to rounding.

    Parameters
    ----------
    path : str or path
        Such as "digits.onnx".

    Returns
    -------
    Network
        It has the dtype of the model's weights.

    Raises
    ------
    MissingDependencyError
        The package onnx is not installed.
    InvalidParameterError
        An operator has no counterpart: the message names it and its place, before anything is built.
    """
    path = file_access.as_path(path, "path", "onnx.adopt")
    onnx = needed("onnx", "onnx")
    with file_access.open_regular(path) as file:
        try:
            model = onnx.load_model_from_string(file.read())
        except Exception as error:  # an error of the reader of protocol buffers
            raise InvalidParameterError(f"{path} must be an ONNX model. Got a file that is none: {error}") from error
    return _Reader(onnx, model).network()


class _Reader:
    """Translates the nodes of a graph, in their order."""

    def __init__(self, onnx: Any, model: Any) -> None:
        self.onnx = onnx
        self.graph = model.graph
        to_array = onnx.numpy_helper.to_array
        self.constants: dict[str, Array] = {tensor.name: to_array(tensor) for tensor in self.graph.initializer}
        inputs = [each for each in self.graph.input if each.name not in self.constants]
        shape = [each.dim_value for each in inputs[0].type.tensor_type.shape.dim] if len(inputs) == 1 else []
        if len(shape) != 2 or shape[1] < 1:
            raise InvalidParameterError(
                "An ONNX model that is adopted must have one input, of the shape (rows, columns). "
                f"Got {len(inputs)} inputs, the first of the shape {shape}."
            )
        self.kind = inputs[0].type.tensor_type.elem_type
        self.adopter = Adopter(shape[1], "an ONNX model")
        self.values: dict[str, int] = {inputs[0].name: 0}
        self.dtype = "float64" if self.kind == onnx.TensorProto.DOUBLE else "float32"
        self.composed = Composed(onnx, self.graph, model.opset_import, self.dtype)
        self.uses = Counter([name for node in self.graph.node for name in node.input])
        self.uses.update(each.name for each in self.graph.output)
        self.labels: set[str] = set()
        self.unknown: set[str] = set()
        #: Nodes that are no part by themselves, by the names of their outputs: they may be pieces of one.
        self.pieces: dict[str, Any] = {}
        #: The outputs of parts of several operators, of which a larger part may be composed.
        self.parts: set[str] = set()

    def network(self) -> Network:
        """The network."""
        for node in self.graph.node:
            self._node(node)
        labels = (self.onnx.TensorProto.INT64, self.onnx.TensorProto.STRING)
        kept = [each for each in self.graph.output if each.type.tensor_type.elem_type not in labels]
        names = [each.name for each in kept]
        found = {name: self.values[name] for name in names if name in self.values}
        for name in names:
            if name not in found:
                self._lack_pieces(name)
            if name not in found and not self.adopter.missing:
                self.adopter.missing.append(f"the output {name}")
        return self.adopter.network(next(iter(found.values())) if len(names) == 1 and found else found, self.dtype)

    def _lack(self, node: Any) -> None:
        if node.op_type in COMPOSABLE:
            self.pieces[node.output[0]] = node
            return
        self.unknown |= set(node.output)
        if not any(name in self.unknown or name in self.pieces for name in node.input):
            self._note(node)  # its successors are unknown only for that reason
        for name in node.input:
            self._lack_pieces(name)

    def _note(self, node: Any) -> None:
        self.adopter.missing.append(f"the operator {node.op_type} of the node {node.name or node.output[0]!r}")

    def _lack_pieces(self, name: str) -> None:
        """Note the first of the pieces that make up a tensor, which are no known part."""
        node = self.pieces.pop(name, None)
        if node is not None:
            self.unknown |= set(node.output)
            if not any(each in self.pieces or each in self.unknown for each in node.input):
                self._note(node)
            for each in node.input:
                self._lack_pieces(each)

    def _node(self, node: Any) -> None:
        attributes = {each.name: self.onnx.helper.get_attribute_value(each) for each in node.attribute}
        if node.op_type == "Constant":
            value = attributes.get("value")
            if value is not None:
                self.constants[node.output[0]] = self.onnx.numpy_helper.to_array(value)
            else:
                self.constants[node.output[0]] = np.asarray(next(iter(attributes.values())))
            return
        if self._is_label(node):
            return
        sources = [self.values.get(name) for name in node.input]
        constants = [self.constants.get(name) for name in node.input]
        if all(c is not None for c in constants) and node.op_type in ("Identity", "Cast", "Transpose", "Unsqueeze"):
            self.constants[node.output[0]] = self._computed(node.op_type, constants[0], attributes)
            return
        read = [each for each in node.input if each not in self.constants]
        is_end = len(read) > 1 or any(each in self.pieces or each in self.parts for each in read)
        found = self._composed(node) if is_end else None
        if found is None:
            found = self._value(node.op_type, node, sources, constants, attributes)
        if found is None and not is_end:
            found = self._composed(node)
        if found is None:
            self._lack(node)
        else:
            self.values[node.output[0]] = found

    def _composed(self, node: Any) -> int | None:
        """The number of the output of a node, if it ends a part of several operators that is known; else None."""
        name = node.output[0]
        if node.op_type not in COMPOSABLE:
            return None
        for root, nodes in self.composed.roots(name, self.values, self.constants):
            x = self.values[root]
            units, run = self.adopter.widths[x], partial(self.composed.evaluated, name, root, nodes, self.constants)
            used = [self.constants[each] for part in nodes for each in part.input if each in self.constants]
            numbers = [each for each in used if each.dtype.kind == "f"]
            scalars = [float(each.reshape(-1)[0]) for each in numbers if each.size == 1]
            arrays = [each.reshape(-1) for each in numbers if each.size == units]
            f = self.composed.activation(run, units, scalars)
            layer = None if f is not None else self.composed.normalization(run, units, scalars, arrays)
            if f is None and layer is None:
                continue
            self.parts.add(name)
            if layer is None:
                return self.adopter.activation(x, f)
            return self.adopter.add(layer[0], [x], units, **layer[1])
        return None

    def _is_label(self, node: Any) -> bool:
        """Whether a node turns probabilities into a class, or follows such a node."""
        is_label = node.op_type == "ArgMax" or any(name in self.labels for name in node.input)
        if is_label:
            self.labels |= set(node.output)
        return is_label

    def _computed(self, operator: str, array: Any, attributes: dict[str, Any]) -> Array:
        if operator == "Transpose":
            return np.asarray(array).transpose(attributes.get("perm"))
        if operator == "Cast":
            return np.asarray(array).astype(self.onnx.helper.tensor_dtype_to_np_dtype(attributes["to"]))
        return np.asarray(array)

    def _value(
        self, operator: str, node: Any, sources: list[int | None], constants: list[Array | None], a: dict[str, Any]
    ) -> int | None:
        """The number of the output of a node; None if it has no counterpart."""
        adopter = self.adopter
        x = sources[0]
        if operator in ("Gather", "Slice"):
            return self._columns(operator, node, constants, a)
        if operator == "Concat" and a.get("axis") in (1, -1):
            return adopter.concatenate(sources)
        if operator in ("Add", "Sub", "Mul", "Div"):
            return self._arithmetic(operator, node, sources, constants)
        if x is None:
            return None
        if operator == "Neg":
            return adopter.affine_columns(x, np.zeros(adopter.widths[x]), -np.ones(adopter.widths[x]))
        if operator in _SAME:
            return x if self._is_same(operator, x, a) else None
        if operator in ("Gemm", "MatMul"):
            return self._dense(operator, x, constants, a)
        if operator in ("Softmax", "LogSoftmax") and a.get("axis", -1) in (1, -1):
            return adopter.activation(x, "softmax" if operator == "Softmax" else "log_softmax")
        if operator in _ACTIVATIONS:
            return adopter.activation(x, _ACTIVATIONS[operator](a))
        return self._other(operator, x, constants, a)

    def _is_same(self, operator: str, x: int, a: dict[str, Any]) -> bool:
        """Whether rows stay rows, and only categories become whole numbers."""
        if operator == "Flatten":
            return a.get("axis", 1) in (1, -1)
        if operator != "Cast":
            return True
        is_float = self.onnx.helper.tensor_dtype_to_np_dtype(a["to"]).kind not in "iub"
        return is_float or None not in self.adopter.origins[x]

    def _other(self, operator: str, x: int, constants: list[Array | None], a: dict[str, Any]) -> int | None:
        adopter, units = self.adopter, self.adopter.widths[x]
        if operator == "Selu" and np.allclose([a.get("alpha", 1.67326), a.get("gamma", 1.0507)], [1.67326, 1.0507]):
            return adopter.activation(x, "selu")
        if operator == "HardSigmoid" and abs(a.get("alpha", 0.2) - 1 / 6) < 1e-6 and a.get("beta", 0.5) == 0.5:
            return adopter.activation(x, "hard_sigmoid")
        if operator == "Reshape" and constants[1] is not None and constants[1].tolist() in ([-1, units], [0, units]):
            return x
        if operator == "Clip" and len(constants) == 3 and constants[1] is not None and constants[2] is not None:
            low, high = float(constants[1]), float(constants[2])
            f: Any = "relu6" if (low, high) == (0, 6) else {"name": "hardtanh", "minimum": low, "maximum": high}
            return adopter.activation(x, f)
        if operator == "PRelu" and constants[1] is not None:
            alpha = np.broadcast_to(np.asarray(constants[1]).ravel(), units)
            return adopter.add(layers.PReLU(), [x], units, alpha=alpha)
        if operator == "BatchNormalization" and all(each is not None for each in constants[1:5]):
            gamma, beta, mean, variance = constants[1:5]
            layer = layers.BatchNorm(a.get("momentum", 0.9), a.get("epsilon", 1e-5))
            return adopter.add(layer, [x], units, gamma=gamma, beta=beta, moving_mean=mean, moving_variance=variance)
        if operator in ("LayerNormalization", "RMSNormalization") and a.get("axis", -1) in (1, -1):
            gamma, beta = [*constants[1:3], None][:2]
            epsilon = a.get("epsilon", 1e-5)
            if operator == "RMSNormalization":
                return adopter.add(layers.RMSNorm(epsilon), [x], units, gamma=gamma)
            return adopter.add(layers.LayerNorm(epsilon, use_bias=beta is not None), [x], units, gamma=gamma, beta=beta)
        if operator == "Scaler" and "offset" in a:  # of ai.onnx.ml
            return adopter.affine_columns(x, np.broadcast_to(a["offset"], units), np.broadcast_to(a["scale"], units))
        return None

    def _dense(self, operator: str, x: int, constants: list[Array | None], a: dict[str, Any]) -> int | None:
        W = constants[1]
        if W is None or W.ndim != 2 or a.get("transA"):
            return None
        W = W.T if a.get("transB") else W
        alpha, beta = a.get("alpha", 1.0), a.get("beta", 1.0)
        b = constants[2] if len(constants) > 2 else None
        W = W if alpha == 1 else W * W.dtype.type(alpha)
        b = b if b is None or beta == 1 else b * b.dtype.type(beta)
        b = None if b is None else np.broadcast_to(b.reshape(-1), W.shape[1])
        return self.adopter.dense(x, W, b)

    def _arithmetic(
        self, operator: str, node: Any, sources: list[int | None], constants: list[Array | None]
    ) -> int | None:
        adopter = self.adopter
        left, right = sources
        if left is not None and right is not None:
            if operator == "Add" and adopter.widths[left] == adopter.widths[right]:
                return adopter.add(layers.Add(), [left, right], adopter.widths[left])
            return None
        x = left if left is not None else right
        constant = constants[1] if left is not None else constants[0]
        if x is None or constant is None or constant.size not in (1, adopter.widths[x]):
            return None
        c = np.broadcast_to(constant.reshape(-1), adopter.widths[x])
        if operator == "Add" and self._becomes_bias(node.input[0 if left is not None else 1], x, c):
            return x
        zero, one = np.zeros_like(c), np.ones_like(c)
        if operator in ("Add", "Sub"):
            if left is not None:
                return adopter.affine_columns(x, c if operator == "Sub" else -c, one)
            return adopter.affine_columns(x, zero, one if operator == "Add" else -one, c)
        if operator == "Div" and left is None:
            return None
        return adopter.affine_columns(x, zero, c if operator == "Mul" else one / c)

    def _becomes_bias(self, name: str, x: int, c: Array) -> bool:
        """Whether a constant that is added to x W can be the bias b: nothing else reads x W."""
        adopter = self.adopter
        if self.uses[name] != 1 or list(self.values.values()).count(x) != 1:
            return False
        layer = adopter.layers[x - 1] if x else None
        if type(layer) is not layers.Dense or layer.use_bias or x != len(adopter.layers) or not layer.trainable:
            return False
        if layer.activation.name != "identity":
            return False
        adopter.layers[x - 1] = layers.Dense(len(c))
        adopter.arrays[x - 1]["biases"] = c
        return True

    def _category(self, name: str, count: int) -> int | None:
        """The value of the categories in a tensor, which may be composed of operators that change none from 0 on."""
        x = self.values.get(name)
        if x is not None and len(self.adopter.origins[x]) == 1 and self.adopter.origins[x][0] is not None:
            return x
        categories = np.arange(count)[:, None]
        for root, nodes in self.composed.roots(name, self.values, self.constants):
            found = self.composed.evaluated(name, root, nodes, self.constants, categories)
            if found is not None and np.array_equal(found, categories):
                return self.values[root]
        return None

    def _columns(self, operator: str, node: Any, constants: list[Array | None], a: dict[str, Any]) -> int | None:
        """Some columns of a value, or the rows of a table for a column of categories."""
        x = self.values.get(node.input[0])
        if operator == "Gather" and constants[0] is not None:
            table, value = constants[0], self._category(node.input[1], len(constants[0]))
            origins = [] if value is None else self.adopter.origins[value]
            is_one = len(origins) == 1 and origins[0] is not None and table.ndim == 2
            return self.adopter.embedding(origins[0] or 0, table) if is_one else None
        if x is None:
            return None
        if operator == "Gather":
            index = constants[1]
            if a.get("axis", 0) not in (1, -1) or index is None or index.size != 1:
                return None
            first, last = int(index.reshape(-1)[0]), int(index.reshape(-1)[0]) + 1
        else:
            found = [None if each is None else each.reshape(-1).tolist() for each in [*constants[1:], None, None][:4]]
            if not found[0] or not found[1] or not found[2] or set(found[3] or [1]) != {1}:
                return None
            bounds = {axis: each for *each, axis in zip(*found[:3], strict=True)}
            rows = bounds.pop(0, [0, _ALL_ROWS])
            if set(bounds) not in ({1}, {-1}) or rows[0] != 0 or rows[1] < _ALL_ROWS:
                return None
            ((first, last),) = bounds.values()
            last = min(last, self.adopter.widths[x])
        if not 0 <= first < last <= self.adopter.widths[x]:
            return None
        return self.adopter.select(x, first, last - first)
