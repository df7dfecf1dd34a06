"""Translates a traced module of PyTorch to layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from cynn import layers
from cynn.errors import InvalidParameterError, shown
from cynn.interop.adopter import Adopter
from cynn.interop.needed import needed
from cynn.interop.plan import Array
from cynn.network import Network

__all__ = ["Reader"]

#: The activation for a module.
_ACTIVATIONS: dict[str, Any] = {
    "ReLU": lambda m: "relu",
    "Sigmoid": lambda m: "sigmoid",
    "Tanh": lambda m: "tanh",
    "SELU": lambda m: "selu",
    "SiLU": lambda m: "swish",
    "Mish": lambda m: "mish",
    "Softsign": lambda m: "softsign",
    "Tanhshrink": lambda m: "tanhshrink",
    "LogSigmoid": lambda m: "log_sigmoid",
    "ReLU6": lambda m: "relu6",
    "Hardsigmoid": lambda m: "hard_sigmoid",
    "Hardswish": lambda m: "hard_swish",
    "LeakyReLU": lambda m: {"name": "leaky_relu", "negative_slope": m.negative_slope},
    "ELU": lambda m: {"name": "elu", "alpha": m.alpha},
    "CELU": lambda m: {"name": "celu", "alpha": m.alpha},
    "GELU": lambda m: {"name": "gelu", "approximate": m.approximate == "tanh"},
    "Softplus": lambda m: {"name": "softplus", "beta": m.beta},
    "Hardtanh": lambda m: {"name": "hardtanh", "minimum": m.min_val, "maximum": m.max_val},
    "Softshrink": lambda m: {"name": "softshrink", "threshold": m.lambd},
    "Hardshrink": lambda m: {"name": "hardshrink", "threshold": m.lambd},
    "Threshold": lambda m: {"name": "threshold", "threshold": m.threshold, "value": m.value},
}
_OF_ROWS = {"Softmax": "softmax", "LogSoftmax": "log_softmax", "Softmin": "softmin"}
#: The activation for the name of a function or method.
_FUNCTIONS = {
    "relu": "relu", "relu_": "relu", "sigmoid": "sigmoid", "tanh": "tanh", "silu": "swish", "selu": "selu",
    "mish": "mish", "softsign": "softsign", "hardswish": "hard_swish", "hardsigmoid": "hard_sigmoid", "relu6": "relu6",
    "gelu": "gelu", "elu": "elu", "leaky_relu": "leaky_relu", "softplus": "softplus", "exp": "exponential",
    "logsigmoid": "log_sigmoid", "tanhshrink": "tanhshrink",
}  # fmt: skip
_SAME = ("contiguous", "dropout", "flatten", "float", "double", "long", "int", "squeeze", "clone", "detach", "to")
#: Of Softplus, the least x from which on it may be x, since the difference is within rounding.
_LINEAR_FROM = 15
_ARITHMETIC = {
    "add": "+", "iadd": "+", "sub": "-", "mul": "*", "imul": "*", "truediv": "/", "div": "/"
}  # fmt: skip


class Reader:
    """Translates the nodes of a traced module.

    Parameters
    ----------
    module : torch.nn.Module
    inputs : int, optional
    """

    def __init__(self, module: Any, inputs: int | None) -> None:
        self.torch = needed("torch", "torch")
        fx = needed("torch.fx", "torch")
        if not isinstance(module, self.torch.nn.Module):
            raise InvalidParameterError(
                f"A model of PyTorch that is adopted must be a torch.nn.Module. Got {shown(module)} instead."
            )
        try:
            self.traced = self._traced(fx, module)
        except Exception as error:  # a forward may fail in any way during tracing
            raise InvalidParameterError(
                "A module that is adopted must be one that torch.fx can trace, without branches that depend on data. "
                f"Got {type(error).__name__}: {error}"
            ) from error
        self.modules = dict(self.traced.named_modules())
        self.nodes = list(self.traced.graph.nodes)
        self.adopter = Adopter(inputs or self._inputs(), "a module")
        if self._has_hooks(module):  # of those within, the trace tells
            self.adopter.lack("a module with hooks", "the module itself", 0)
        self.values: dict[Any, int] = {}
        self.unknown: set[Any] = set()
        #: For each parameter: the value of its layer, the name of the array, and whether that is the transpose.
        self.parameters: dict[Any, tuple[int, str, bool]] = {}

    def _traced(self, fx: Any, module: Any) -> Any:
        """The traced module, which must do the same in training and in evaluation, but for dropout and the like."""
        modes = [(each, each.training) for each in module.modules()]
        try:
            training, evaluation = (fx.symbolic_trace(module.train(mode)) for mode in (True, False))
        finally:
            for each, mode in modes:
                each.training = mode
        steps = [[(node.op, node.target) for node in traced.graph.nodes] for traced in (training, evaluation)]
        if steps[0] != steps[1]:
            raise ValueError("its forward branches on self.training")
        return evaluation

    def _inputs(self) -> int:
        """The number of columns of the input, as the first layers require it."""
        holders = [node for node in self.nodes if node.op == "placeholder"]
        reached = set(holders)
        for node in self.nodes:
            if reached.isdisjoint(node.all_input_nodes):
                continue
            module = self.modules.get(node.target) if node.op == "call_module" else None
            for name in ("in_features", "num_features", "normalized_shape"):
                found = getattr(module, name, 0)  # 0, too, of a lazy one
                if found:
                    return int(found[0] if isinstance(found, tuple) else found)
            if node.op == "call_module" and type(module).__name__ not in ("Embedding", "Sequential"):
                reached.add(node)
        raise InvalidParameterError(
            "The 'inputs' parameter of torch.adopt must say how many columns the input has, where no layer that takes "
            f"it does. Got None for {type(self.traced).__name__}."
        )

    def network(self) -> Network:
        """The network."""
        for node in self.nodes:
            if node.op == "placeholder":
                self.values[node] = 0
            elif node.op == "output":
                return self.adopter.network(self._outputs(node.args[0]), self._dtype())
            elif node.op != "get_attr":
                self._node(node)
        raise AssertionError("a traced module has an output")

    def arrays_of(self, network: Network) -> dict[Any, tuple[Array, bool]]:
        """The array of the network for each parameter of the module."""
        layer_of = dict(zip(self.adopter.kept, network.layers, strict=True))
        return {
            parameter: (getattr(layer_of[value], name), is_transposed)
            for parameter, (value, name, is_transposed) in self.parameters.items()
            if value in layer_of
        }

    def _note_parameters(self, m: Any, value: int) -> None:
        kind = type(m).__name__
        weight = {"Linear": "weights", "Embedding": "weights", "PReLU": "alpha"}.get(kind, "gamma")
        bias = "biases" if kind == "Linear" else "beta"
        if kind == "Embedding" and type(self.adopter.layers[value - 1]) is layers.Dense:
            value -= 1  # before the layer that selects its columns
        for parameter, name in ((m.weight, weight), (getattr(m, "bias", None), bias)):
            if parameter is not None:
                self.parameters[parameter] = (value, name, kind == "Linear")

    def _dtype(self) -> str:
        kinds = [parameter.dtype for parameter in self.traced.parameters()]
        return "float64" if self.torch.float64 in kinds else "float32"

    def _outputs(self, given: Any) -> Any:
        if isinstance(given, dict):
            return {str(name): self.values.get(node, -1) for name, node in given.items()}
        if isinstance(given, (tuple, list)):
            return [self.values.get(node, -1) for node in given]
        return self.values.get(given, -1)

    def _node(self, node: Any) -> None:
        sources = [self.values[each] for each in node.all_input_nodes if each in self.values]
        if any(each in self.unknown for each in node.all_input_nodes):
            self.unknown.add(node)  # unknown only for that reason
            return
        found = None
        if node.op == "call_module":
            module = self.modules[node.target]
            has_hooks = self._has_hooks(module)
            found = self._module(module, sources[0]) if len(sources) == 1 and not has_hooks else None
            if found is not None and hasattr(module, "weight"):
                self._note_parameters(module, found)
            name, place = f"{module!r}{', which has hooks' if has_hooks else ''}", str(node.target)
        else:
            name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))
            place = str(node)
            found = self._function(name, node, sources)
        if found is None:
            self.unknown.add(node)
            self.adopter.lack(name, place, 0)
        else:
            self.values[node] = found

    def _has_hooks(self, module: Any) -> bool:
        """Whether functions of a user change what a module takes or returns. Pruning is in the weights already."""
        pruning = needed("torch.nn.utils.prune", "torch").BasePruningMethod
        hooks = [*module._forward_pre_hooks.values(), *module._forward_hooks.values()]
        return any(not isinstance(hook, pruning) for hook in hooks)

    def _array(self, tensor: Any) -> Array | None:
        if tensor is None or self.torch.nn.parameter.is_lazy(tensor):
            return None
        held = tensor.detach().cpu()
        found: Array = (held.float() if held.dtype == self.torch.bfloat16 else held).numpy()
        return found

    def _module(self, m: Any, x: int) -> int | None:
        """Add a module of PyTorch. Returns the number of its output."""
        adopter, name, units = self.adopter, type(m).__name__, self.adopter.widths[x]
        if not type(m).__module__.startswith("torch.nn"):
            return None
        if name == "Linear":
            W = self._array(m.weight)
            return None if W is None else adopter.dense(x, W.T, self._array(m.bias))
        if name == "Softplus" and m.threshold < _LINEAR_FROM:
            return None
        if name in _ACTIVATIONS:
            return adopter.activation(x, _ACTIVATIONS[name](m))
        if name in _OF_ROWS and m.dim in (1, -1):
            return adopter.activation(x, _OF_ROWS[name])
        if name == "Identity" or (name == "Flatten" and m.start_dim == 1):
            return x
        if name in ("Dropout", "AlphaDropout"):
            return adopter.add(getattr(layers, name)(m.p), [x], units) if m.p < 1 else None
        if name == "PReLU":
            alpha = m.weight.detach().cpu().expand(units).numpy()
            return adopter.add(layers.PReLU(), [x], units, alpha=alpha)
        if name == "GLU" and m.dim in (1, -1):
            return self._glu(x)
        if name == "Embedding":
            column = adopter.origins[x][0] if units == 1 else None
            W = self._array(m.weight)
            return None if column is None or W is None or m.max_norm else adopter.embedding(column, W)
        return self._normalization(name, m, x)

    def _normalization(self, name: str, m: Any, x: int) -> int | None:
        adopter, units = self.adopter, self.adopter.widths[x]
        gamma, beta = (self._array(getattr(m, each, None)) for each in ("weight", "bias"))
        has = {"use_scale": gamma is not None, "use_bias": beta is not None}
        if name == "BatchNorm1d" and m.running_mean is not None and m.momentum is not None:
            layer = layers.BatchNorm(1 - m.momentum, m.eps, **has)
            mean, variance = self._array(m.running_mean), self._array(m.running_var)
            return adopter.add(layer, [x], units, gamma=gamma, beta=beta, moving_mean=mean, moving_variance=variance)
        if name == "LayerNorm" and m.normalized_shape == (units,):
            return adopter.add(layers.LayerNorm(m.eps, **has), [x], units, gamma=gamma, beta=beta)
        if name == "RMSNorm" and m.normalized_shape == (units,):
            epsilon = self.torch.finfo(self.torch.float32).eps if m.eps is None else m.eps
            return adopter.add(layers.RMSNorm(epsilon, use_scale=gamma is not None), [x], units, gamma=gamma)
        return None

    def _glu(self, x: int) -> int | None:
        """A GLU after a linear layer, whose output holds values and gates: both become one layer."""
        adopter = self.adopter
        layer = adopter.layers[x - 1] if x else None
        if type(layer) is not layers.Dense or layer.activation.name != "identity" or x != len(adopter.layers):
            return None
        units = adopter.widths[x] // 2
        adopter.layers[x - 1] = layers.GLU(units, use_bias=layer.use_bias)
        adopter.widths[x], adopter.origins[x] = units, [None] * units
        return x

    def _function(self, name: str, node: Any, sources: list[int]) -> int | None:
        """Add a function or a method. Returns the number of its output."""
        adopter = self.adopter
        if name == "cat":
            dim = node.kwargs.get("dim", node.args[1] if len(node.args) > 1 else 0)
            tensors = node.args[0] if node.args else node.kwargs["tensors"]
            return adopter.concatenate([self.values.get(each) for each in tensors]) if dim in (1, -1) else None
        if not sources:
            return None
        x = sources[0]
        if name == "getitem":
            return self._columns(x, node.args[1])
        if name in _ARITHMETIC:
            return self._arithmetic(_ARITHMETIC[name], node)
        if name in _SAME:
            return x if self._is_same(name, node, x) else None
        options = [*node.args[1:], *(value for key, value in node.kwargs.items() if key != "inplace")]
        if name in ("softmax", "log_softmax", "softmin"):
            dim = node.kwargs.get("dim", node.args[1] if len(node.args) > 1 else None)
            return adopter.activation(x, name) if dim in (1, -1) else None
        plain = all(option is False or option is None for option in options)
        return adopter.activation(x, _FUNCTIONS[name]) if name in _FUNCTIONS and plain else None

    def _is_same(self, name: str, node: Any, x: int) -> bool:
        """Whether a function leaves its input as it is: rows stay rows, and only categories become whole numbers."""
        options = [*node.args[1:], *node.kwargs.values()]
        if name == "flatten":
            return options[:1] == [1]
        if name == "squeeze":
            return not options or options[0] in (1, -1)
        kinds = [each for each in options if isinstance(each, self.torch.dtype)]
        is_whole = name in ("long", "int") or any(not kind.is_floating_point for kind in kinds)
        return not is_whole or None not in self.adopter.origins[x]

    def _columns(self, x: int, key: Any) -> int | None:
        width = self.adopter.widths[x]
        if not isinstance(key, tuple) or len(key) != 2 or key[0] not in (slice(None), Ellipsis):
            return None
        if isinstance(key[1], int):
            place = key[1] % width
            return self.adopter.select(x, place, 1)
        if not isinstance(key[1], slice):
            return None
        first, last, step = key[1].indices(width)
        return self.adopter.select(x, first, last - first) if step == 1 and last > first else None

    def _arithmetic(self, sign: str, node: Any) -> int | None:
        """The sum of two values, or a value and a number, or one number for each of its columns."""
        adopter = self.adopter
        left, right = (self.values.get(each) if hasattr(each, "op") else None for each in node.args[:2])
        if left is not None and right is not None:
            same = adopter.widths[left] == adopter.widths[right] and not node.kwargs
            return adopter.add(layers.Add(), [left, right], adopter.widths[left]) if sign == "+" and same else None
        x = left if left is not None else right
        if x is None or node.kwargs or len(node.args) != 2:
            return None
        c = self._constants(node.args[1] if left is not None else node.args[0], adopter.widths[x])
        if c is None or (sign == "/" and (left is None or not c.all())):
            return None
        zeros = np.zeros(len(c))
        ones = zeros + 1
        if sign in "+-":
            slope, offset = (ones, c if sign == "+" else -c) if left is not None or sign == "+" else (-ones, c)
        else:
            slope, offset = c if sign == "*" else 1 / c, zeros
        return adopter.affine_columns(x, zeros, slope, offset if offset.any() else None)

    def _constants(self, given: Any, n: int) -> Array | None:
        """A number n times, or the n numbers of a buffer; None for anything else."""
        if getattr(given, "op", None) == "get_attr":
            held = self._array(dict(self.traced.named_buffers()).get(given.target))
            return held.astype(np.float64) if held is not None and held.shape == (n,) else None
        return np.full(n, float(given)) if isinstance(given, (int, float)) else None
