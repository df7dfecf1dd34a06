"""`net.to_onnx`: a network as an ONNX model."""

from __future__ import annotations

import hashlib
import os
from typing import Any

import numpy as np

from cynn import file_access
from cynn.activations import Activation
from cynn.errors import check_whole_number
from cynn.interop import functions, onnx_columns
from cynn.interop.exported_model import exported_model
from cynn.interop.expressions import Expression
from cynn.interop.needed import needed
from cynn.interop.onnx_nodes import nodes_of
from cynn.interop.plan import LARGEST, Affine, Copy, Function, Group, Grouped, Map, Plan, Reduce, Take

__all__ = ["to_onnx"]

_OPERATORS = {
    "+": "Add", "-": "Sub", "*": "Mul", "/": "Div", "negate": "Neg", "where": "Where", "<": "Less", ">": "Greater",
    "==": "Equal", "&&": "And", "||": "Or",
}  # fmt: skip
#: Comparisons that the first opsets write as the negation of another. They differ for a NaN.
_CONTRARY = {"<=": "Greater", ">=": "Less", "!=": "Equal"}
_FUNCTIONS = {
    "cos": "Cos", "exp": "Exp", "fabs": "Abs", "log": "Log", "sin": "Sin", "sqrt": "Sqrt", "tanh": "Tanh"
}  # fmt: skip
#: Activations that are one operator, with its attributes. ONNX Runtime has the first of them for float64, too.
_SINGLE = ("log_softmax", "relu", "sigmoid", "softmax", "tanh")
_NATIVE: dict[str, Any] = {
    "relu": lambda f: ("Relu", {}),
    "sigmoid": lambda f: ("Sigmoid", {}),
    "tanh": lambda f: ("Tanh", {}),
    "softmax": lambda f: ("Softmax", {"axis": 1}),
    "log_softmax": lambda f: ("LogSoftmax", {"axis": 1}),
    "leaky_relu": lambda f: ("LeakyRelu", {"alpha": f.negative_slope}),
    "elu": lambda f: ("Elu", {"alpha": f.alpha}),
    "selu": lambda f: ("Selu", {}),
    "softsign": lambda f: ("Softsign", {}),
    "hard_sigmoid": lambda f: ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
}


def to_onnx(self: Any, path: str | os.PathLike[str], *, opset: int = 17) -> None:
    """Write the network as an ONNX model, in its own dtype, for any number of rows.

    The input is called "x" and the output "y"; several outputs keep their names. An activation that is no operator of
    ONNX is composed of several; the `onnx_nodes` of a plugin's part come before its `c_source`. Of an estimator for
    tables, each column is an input, a string for categories, and the outputs are "label" and "probabilities", or
    "prediction".

    Parameters
    ----------
    path : str or path
        Where to write, such as "digits.onnx". An existing file is replaced.
    opset : int
        The version of the operators, 13 or newer.

    Raises
    ------
    MissingDependencyError
        The package onnx is not installed.
    InvalidParameterError
        A layer or an activation has neither `onnx_nodes` nor a `c_source` that is an expression: the message names it
        and its place. Or its nodes are no valid ones of this opset. Nothing is written.
    """
    path = file_access.as_path(path, "path", "to_onnx")
    onnx = needed("onnx", "onnx")
    newest = onnx.defs.onnx_opset_version()
    opset = check_whole_number(opset, "opset", "to_onnx", minimum=13, maximum=newest)
    model = Graph(onnx, exported_model(self, "ONNX").plan, opset).model()
    onnx.checker.check_model(model, full_check=True)
    with file_access.replacing(path) as file:
        file.write(model.SerializeToString())


class Graph:
    """The nodes and the constants of a model."""

    def __init__(self, onnx: Any, plan: Plan, opset: int) -> None:
        self.onnx = onnx
        self.plan = plan
        self.opset = opset
        self.dtype = np.dtype(plan.dtype)
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}
        self.known: dict[Any, str] = {}
        self.names: list[str] = []
        self.x = "x"
        self.units = 0

    def model(self) -> Any:
        """The whole model."""
        helper, plan = self.onnx.helper, self.plan
        kind = helper.np_dtype_to_tensor_dtype(self.dtype)
        inputs = onnx_columns.inputs(self)
        self.names = [self.scaled()]
        groups = {group.first: group for group in plan.groups}
        while len(self.names) <= len(plan.steps):
            number = len(self.names)
            group = groups.get(number)
            whole = None if group is None else self.native(group)
            if group is not None and whole is not None:
                self.names += [""] * (group.last - group.first) + [whole]
            else:
                step = plan.steps[number - 1]
                self.names.append(getattr(self, f"_{step.kind}")(number, step))
        outputs = []
        for output in plan.outputs:
            name = plan.output_name if output.name is None else output.name
            self.nodes.append(helper.make_node("Identity", [self.names[output.value]], [name]))
            outputs.append(helper.make_tensor_value_info(name, kind, ["rows", plan.widths[output.value]]))
        outputs = [*onnx_columns.label(self), *outputs]
        graph = helper.make_graph(self.nodes, "network", inputs, outputs, list(self.constants.values()))
        opsets = [helper.make_opsetid("", self.opset), helper.make_opsetid("ai.onnx.ml", 2)]
        opsets = opsets[: 1 + any(node.domain == "ai.onnx.ml" for node in self.nodes)]
        version = helper.find_min_ir_version_for(opsets)
        return helper.make_model(graph, opset_imports=opsets, producer_name="cynn", ir_version=version)

    def node(self, operator: str, inputs: list[str], **attributes: Any) -> str:
        """Add a node. Returns the name of its output."""
        name = f"/v{len(self.nodes) + 1}"
        self.nodes.append(self.onnx.helper.make_node(operator, inputs, [name], **attributes))
        return name

    def constant(self, value: Any, dtype: Any = None) -> str:
        """The name of a constant; equal constants are stored once."""
        array = np.asarray(value, dtype or self.dtype)
        key = (array.dtype.str, array.shape, hashlib.sha256(array.tobytes()).digest())
        if key not in self.known:
            name = self.known[key] = f"/c{len(self.constants) + 1}"
            kept = np.ascontiguousarray(array).reshape(array.shape)  # also the shape of a single number
            self.constants[name] = self.onnx.numpy_helper.from_array(kept, name)
        return self.known[key]

    def scaled(self) -> str:
        """Value 0: the scaled input. With an offset or a scale for each column, it is computed in float64."""
        scale, offset, known, x = self.plan.scale, self.plan.offset, self.plan.standardization, self.x
        if known is not None:
            z = self.node("Sub", [x, self.constant(known.centers, "f8")])
            z = self.node("Mul", [z, self.constant(known.scales, "f8")])
            for operator, far in (("Greater", LARGEST), ("Less", -LARGEST)):
                limit = self.constant(far, "f8")
                z = self.node("Where", [self.node(operator, [z, limit]), limit, z])
        elif not self.plan.is_scaled_in_double:
            return self.node("Mul", [x, self.constant(scale)]) if self.plan.changes_input else x
        else:
            z = self.node("Cast", [x], to=self.onnx.TensorProto.DOUBLE)
            z = self.node("Mul", [z, self.constant(scale, "f8")])
            z = self.node("Add", [z, self.constant(offset, "f8")])
        return self.node("Cast", [z], to=self.onnx.helper.np_dtype_to_tensor_dtype(self.dtype))

    def native(self, group: Group) -> str | None:
        """The operator for a whole activation or layer, or None."""
        source, part = self.names[group.source], group.part
        if isinstance(part, Activation):
            if part.name not in _NATIVE or (self.dtype == np.float64 and part.name not in _SINGLE):
                return None
            operator, attributes = _NATIVE[part.name](part)
            return self.node(operator, [source], **attributes)
        if self.dtype == np.float64:  # for which ONNX has no epsilon, and ONNX Runtime no PRelu
            return None
        if part.name == "prelu":
            return self.node("PRelu", [source, self.constant(part.alpha)])
        if not part.epsilon > 0 or part.name == "rms_norm":
            return None
        units = self.plan.widths[group.source]
        gamma = np.ones(units) if part.gamma is None else part.gamma
        beta = np.zeros(units) if part.beta is None else part.beta
        if part.name == "layer_norm" and self.opset >= 17:
            arrays = [self.constant(gamma), self.constant(beta)]
            return self.node("LayerNormalization", [source, *arrays], axis=1, epsilon=part.epsilon)
        if part.name == "batch_norm":
            names = [self.constant(array) for array in (gamma, beta, part.moving_mean, part.moving_variance)]
            return self.node("BatchNormalization", [source, *names], epsilon=part.epsilon)
        return None

    def columns(self, name: str, first: int, count: int, width: int) -> str:
        """Some columns of a value."""
        if (first, count) == (0, width):
            return name
        bounds = [self.constant([bound], np.int64) for bound in (first, first + count, 1)]
        return self.node("Slice", [name, *bounds])

    def formula(self, formula: Expression, leaves: dict[Expression, str]) -> str:
        """The nodes of a formula."""
        names = dict(leaves)
        for node in formula.nodes():
            if node not in names:
                names[node] = self._of(node, [names[part] for part in node.arguments])
        return names[formula]

    def _of(self, node: Expression, parts: list[str]) -> str:
        if node.kind == "number":
            return self.constant(node.value)
        if node.kind == "row":
            return str(self.names[node.value])
        if node.kind == "column":
            value, first = node.value
            return self.columns(self.names[value], first, self.units, self.plan.widths[value])
        if node.kind == "array":
            index, first = node.value
            return self.constant(self.plan.arrays[index][first : first + self.units])
        if node.kind in _CONTRARY:
            return self.node("Not", [self.node(_CONTRARY[node.kind], parts)])
        return self.call(node.value, parts[0]) if node.kind == "call" else self.node(_OPERATORS[node.kind], parts)

    def call(self, name: str, x: str) -> str:
        """A function of one number."""
        if name in _FUNCTIONS:
            return self.node(_FUNCTIONS[name], [x])
        one = self.constant(1)
        if name == "expm1":
            return self.node("Sub", [self.node("Exp", [x]), one])
        if name == "log1p":
            return self.node("Log", [self.node("Add", [x, one])])
        if self.dtype == np.float32:
            return self.node("Sub", [one, self.node("Erf", [x])])
        return self.formula(functions.body("erfc", "float64"), {functions.X: x})  # ONNX Runtime has no Erf of these

    def _affine(self, number: int, step: Affine) -> str:
        b = [] if step.biases is None else [self.constant(step.biases)]
        return self.node("Gemm", [self.names[step.source], self.constant(step.weights), *b])

    def _grouped(self, number: int, step: Grouped) -> str:
        groups, n, _ = step.weights.shape
        x = self.node("Reshape", [self.names[step.source], self.constant([-1, groups, 1, n], np.int64)])
        z = self.node("MatMul", [x, self.constant(step.weights)])
        z = self.node("Reshape", [z, self.constant([-1, step.units], np.int64)])
        return self.node("Add", [z, self.constant(step.biases)])

    def _map(self, number: int, step: Map) -> str:
        self.units = step.units
        return self.formula(step.formula, {})

    def _function(self, number: int, step: Function) -> str:
        z = self.columns(self.names[step.source], step.first, step.width, self.plan.widths[step.source])
        a = f"p{number}"
        nodes, constants = nodes_of(
            self.onnx, step.part, (step.width, step.units), self.dtype, self.opset, {"z": z, "a": a}, f"{a}_"
        )
        self.nodes += nodes
        self.constants |= {each.name: each for each in constants}
        return a

    def _reduce(self, number: int, step: Reduce) -> str:
        x = self.columns(self.names[step.source], step.first, step.width, self.plan.widths[step.source])
        if step.how == "threshold":
            return self._threshold(x, step.width)
        operator = f"Reduce{step.how.capitalize()}"
        if step.how == "sum" or self.opset >= 18:
            return self.node(operator, [x, self.constant([1], np.int64)], keepdims=1)
        return self.node(operator, [x], axes=[1], keepdims=1)

    def _threshold(self, x: str, width: int) -> str:
        name = self.node("TopK", [x, self.constant([width], np.int64)], axis=1)
        self.nodes[-1].output.append(f"{name}_places")
        sums = self.node("CumSum", [name, self.constant(1, np.int64)])
        shares = self.node("Div", [self.node("Sub", [sums, self.constant(1)]), self.constant(np.arange(1, width + 1))])
        if self.opset >= 18:
            return self.node("ReduceMax", [shares, self.constant([1], np.int64)], keepdims=1)
        return self.node("ReduceMax", [shares], axes=[1], keepdims=1)

    def _take(self, number: int, step: Take) -> str:
        parts = []
        for part in step.parts:
            source, width = self.names[part.source], self.plan.widths[part.source]
            if isinstance(part, Copy):
                parts.append(self.columns(source, part.first, part.count, width))
            else:
                column = self.columns(source, part.column, 1, width)
                index = self.node("Cast", [column], to=self.onnx.TensorProto.INT64)
                index = self.node("Squeeze", [index, self.constant([1], np.int64)])
                parts.append(self.node("Gather", [self.constant(part.table), index], axis=0))
        return self.node("Concat", parts, axis=1)
