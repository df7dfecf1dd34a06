"""Translates the plan of a network to a graph of PyTorch."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from cynn.activations import Activation
from cynn.interop.expressions import Expression
from cynn.interop.from_layers import plan_of
from cynn.interop.needed import needed
from cynn.interop.plan import Affine, Array, Copy, Group, Grouped, Map, Reduce, Take

if TYPE_CHECKING:
    from cynn.network import Network

__all__ = ["Writer"]

#: The module of PyTorch for an activation: its name and arguments.
_MODULES: dict[str, Any] = {
    "relu": lambda f: ("ReLU", {}),
    "sigmoid": lambda f: ("Sigmoid", {}),
    "tanh": lambda f: ("Tanh", {}),
    "softmax": lambda f: ("Softmax", {"dim": 1}),
    "log_softmax": lambda f: ("LogSoftmax", {"dim": 1}),
    "softmin": lambda f: ("Softmin", {"dim": 1}),
    "leaky_relu": lambda f: ("LeakyReLU", {"negative_slope": f.negative_slope}),
    "elu": lambda f: ("ELU", {"alpha": f.alpha}),
    "selu": lambda f: ("SELU", {}),
    "celu": lambda f: ("CELU", {"alpha": f.alpha}),
    "gelu": lambda f: ("GELU", {"approximate": "tanh" if f.approximate else "none"}),
    "swish": lambda f: ("SiLU", {}) if f.beta == 1 else None,
    "mish": lambda f: ("Mish", {}),
    "softsign": lambda f: ("Softsign", {}),
    "tanhshrink": lambda f: ("Tanhshrink", {}),
    "log_sigmoid": lambda f: ("LogSigmoid", {}),
    "relu6": lambda f: ("ReLU6", {}),
    "hardtanh": lambda f: ("Hardtanh", {"min_val": f.minimum, "max_val": f.maximum}),
    "hard_sigmoid": lambda f: ("Hardsigmoid", {}),
    "hard_swish": lambda f: ("Hardswish", {}),
    "softshrink": lambda f: ("Softshrink", {"lambd": f.threshold}),
    "hardshrink": lambda f: ("Hardshrink", {"lambd": f.threshold}),
    "threshold": lambda f: ("Threshold", {"threshold": f.threshold, "value": f.value}),
}
_OPERATORS = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "negate": operator.neg,
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip


class Writer:
    """Makes a module from the steps of a plan."""

    def __init__(self, network: Network) -> None:
        self.torch = needed("torch", "torch")
        self.fx = needed("torch.fx", "torch")
        self.plan = plan_of(network)
        self.dtype = getattr(self.torch, self.plan.dtype)
        self.root = self.torch.nn.Module()
        self.graph = self.fx.Graph()
        self.values: list[Any] = []
        self.units = 0

    def module(self) -> Any:
        """The module."""
        plan = self.plan
        x = self.graph.placeholder("x")
        if plan.is_scaled_in_double:
            for name, array in plan.input_arrays.items():
                self.root.register_buffer(name, self.torch.from_numpy(array.copy()))
            scale, offset = plan.input_terms(float, self.graph.get_attr)
            x = self.function(operator.mul, self.graph.call_method("double", (x,)), scale)
            x = self.graph.call_method("to", (self.function(operator.add, x, offset), self.dtype))
        elif plan.changes_input:
            x = self.function(operator.mul, x, plan.scale)
        self.values = [x]
        groups = {group.first: group for group in plan.groups}
        while len(self.values) <= len(plan.steps):
            number = len(self.values)
            group = groups.get(number)
            whole = None if group is None else self.whole(group)
            if group is not None and whole is not None:
                self.values += [None] * (group.last - group.first) + [whole]
            else:
                step = plan.steps[number - 1]
                self.values.append(getattr(self, f"_{step.kind}")(number, step))
        found: Any = {output.name: self.values[output.value] for output in plan.outputs}
        self.graph.output(found.get(None, found))  # a single output has no name
        self.graph.lint()
        return self.fx.GraphModule(self.root, self.graph, "Network").eval()

    def function(self, function: Any, *arguments: Any, **named: Any) -> Any:
        """Add the call of a function to the graph."""
        return self.graph.call_function(function, arguments, named)

    def sub(self, name: str, module: Any, *arguments: Any) -> Any:
        """Add a submodule and its call to the graph."""
        self.root.add_module(name, module.to(self.dtype))
        return self.graph.call_module(name, arguments)

    def tensor(self, array: Array) -> Any:
        """A tensor with a copy of the array."""
        return self.torch.tensor(np.asarray(array), dtype=self.dtype)

    def buffer(self, name: str, array: Array) -> Any:
        """A constant."""
        if not hasattr(self.root, name):
            self.root.register_buffer(name, self.tensor(array))
        return self.graph.get_attr(name)

    def parameters(self, module: Any, **arrays: Array | None) -> Any:
        """Set the parameters of a module; those that are None keep their values."""
        module = module.to(self.dtype)
        with self.torch.no_grad():
            for name, array in arrays.items():
                if array is not None:
                    getattr(module, name).copy_(self.tensor(array))
        return module

    def whole(self, group: Group) -> Any:
        """The module for a whole activation or layer, or None if PyTorch has none."""
        nn, part, x = self.torch.nn, group.part, self.values[group.source]
        units = self.plan.widths[group.source]
        name = f"{part.name}_{group.last}"
        if isinstance(part, Activation):
            found = _MODULES[part.name](part) if part.name in _MODULES else None
            return None if found is None else self.sub(name, getattr(nn, found[0])(**found[1]), x)
        if part.name == "batch_norm":
            is_affine = part.gamma is not None or part.beta is not None
            module = nn.BatchNorm1d(units, part.epsilon, 1 - part.momentum, affine=is_affine)
            arrays = {"running_mean": part.moving_mean, "running_var": part.moving_variance}
            return self.sub(name, self.parameters(module, weight=part.gamma, bias=part.beta, **arrays), x)
        if part.name == "prelu":
            return self.sub(name, self.parameters(nn.PReLU(units), weight=part.alpha), x)
        is_affine = part.gamma is not None or part.beta is not None
        if part.is_centered:
            module = nn.LayerNorm(units, part.epsilon, elementwise_affine=is_affine, bias=part.beta is not None)
            return self.sub(name, self.parameters(module, weight=part.gamma, bias=part.beta), x)
        module = nn.RMSNorm(units, part.epsilon, elementwise_affine=is_affine)
        return self.sub(name, self.parameters(module, weight=part.gamma), x)

    def columns(self, value: int, first: int, count: int) -> Any:
        """Some columns of a value."""
        if (first, count) == (0, self.plan.widths[value]):
            return self.values[value]
        return self.function(operator.getitem, self.values[value], (slice(None), slice(first, first + count)))

    def _of(self, node: Expression, parts: list[Any]) -> Any:
        if node.kind == "number":
            return node.value
        if node.kind == "row":
            return self.values[node.value]
        if node.kind == "column":
            value, first = node.value
            return self.columns(value, first, self.units)
        if node.kind == "array":
            index, first = node.value
            whole = self.buffer(f"array_{index}", self.plan.arrays[index])
            return self.function(operator.getitem, whole, slice(first, first + self.units))
        if node.kind == "call":
            return self.function(getattr(self.torch, node.value.replace("fabs", "abs")), *parts)
        if node.kind in _OPERATORS:
            return self.function(_OPERATORS[node.kind], *parts)
        names = {"&&": "logical_and", "||": "logical_or", "where": "where"}
        return self.function(getattr(self.torch, names[node.kind]), *parts)

    def _affine(self, number: int, step: Affine) -> Any:
        n, units = step.weights.shape
        module = self.torch.nn.Linear(n, units, bias=step.biases is not None, dtype=self.dtype)
        module = self.parameters(module, weight=step.weights.T, bias=step.biases)
        return self.sub(f"dense_{number}", module, self.values[step.source])

    def _grouped(self, number: int, step: Grouped) -> Any:
        groups, n, _ = step.weights.shape
        names = f"weights_{number}", f"biases_{number}"
        for name, array in zip(names, (step.weights, step.biases), strict=True):
            self.root.register_parameter(name, self.torch.nn.Parameter(self.tensor(array)))
        x = self.graph.call_method("reshape", (self.values[step.source], (-1, groups, 1, n)))
        z = self.function(self.torch.matmul, x, self.graph.get_attr(names[0]))
        z = self.graph.call_method("reshape", (z, (-1, step.units)))
        return self.function(operator.add, z, self.graph.get_attr(names[1]))

    def _map(self, number: int, step: Map) -> Any:
        self.units = step.units
        found: dict[Expression, Any] = {}
        for node in step.formula.nodes():
            found[node] = self._of(node, [found[part] for part in node.arguments])
        return found[step.formula]

    def _reduce(self, number: int, step: Reduce) -> Any:
        x = self.columns(step.source, step.first, step.width)
        if step.how != "threshold":
            names = {"max": "amax", "min": "amin", "sum": "sum"}
            return self.function(getattr(self.torch, names[step.how]), x, dim=1, keepdim=True)
        ordered = self.function(operator.getitem, self.function(self.torch.sort, x, dim=1, descending=True), 0)
        sums = self.function(operator.sub, self.function(self.torch.cumsum, ordered, dim=1), 1)
        counts = self.buffer(f"counts_{step.width}", np.arange(1, step.width + 1))
        return self.function(self.torch.amax, self.function(operator.truediv, sums, counts), dim=1, keepdim=True)

    def _take(self, number: int, step: Take) -> Any:
        parts = []
        for place, part in enumerate(step.parts):
            if isinstance(part, Copy):
                parts.append(self.columns(part.source, part.first, part.count))
            else:
                x = self.function(operator.getitem, self.values[part.source], (slice(None), part.column))
                module = self.torch.nn.Embedding(*part.table.shape, dtype=self.dtype)
                module = self.parameters(module, weight=part.table)
                parts.append(self.sub(f"embedding_{number}_{place}", module, self.graph.call_method("long", (x,))))
        return self.function(self.torch.cat, parts, dim=1)
