"""Directional derivatives of one layer, function by function: of its output, and of its gradients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from cynn.components import inheritance
from cynn.engine.operations import Operation
from cynn.testing.layer_calls import TRAINING, Built, LayerCalls, Pass
from cynn.testing.memory import Array
from cynn.testing.operation_calls import Arrays, OperationCalls, Span, over

__all__ = ["DirectedCalls", "lacking", "moved"]


def lacking(whole: Built, dtype: str) -> str | None:
    """The first function that an operation of the layer lacks, or None."""
    for operation in whole.operations:
        activation, python = operation.activation, operation.python
        for name in ("jvp", "backward_jvp"):
            if activation is not None and not activation.has(name, dtype):
                return name
            if python is not None and inheritance.directional(python, name) is None:
                return name
        for name in ("jvp", "backward_jvp", *(["gradient_jvp"] if _trained(operation) else [])):
            if python is None and not operation.kernel.has(name, dtype):
                return name
    return None


def _trained(operation: Operation) -> dict[int, Array]:
    """The parameters that have a gradient, by their numbers."""
    return {k: array for k, array in enumerate(operation.parameters) if array is not None and operation.trainable}


@contextmanager
def moved(calls: LayerCalls, sample: dict[str, Any], t: float) -> Iterator[dict[str, Any]]:
    """The sample, and within the block the parameters, t further along the directions."""
    along = sample["directions"]
    whole = calls.built([each.shape[1] for each in sample["x"]])
    arrays = [
        pair
        for operation, directions in zip(whole.operations, along["parameters"], strict=True)
        for pair in zip(_trained(operation).values(), directions, strict=True)
    ]
    before = [array.copy() for array, _ in arrays]
    for array, direction in arrays:
        array += t * direction
    x = [each + t * dx for each, dx in zip(sample["x"], along["x"], strict=True)]
    yield {**sample, "x": x, "v": sample["v"] + t * along["v"]}
    for (array, _), values in zip(arrays, before, strict=True):
        array[...] = values


class DirectedCalls(LayerCalls):
    """Calls of a layer, and their derivatives along directions."""

    def made_up(self, sample: dict[str, Any]) -> dict[str, Any]:
        """A direction for each input, for the gradient of the output, and for each parameter."""
        whole = self.built([each.shape[1] for each in sample["x"]])

        def wave(array: Array, k: int) -> Array:
            found: Array = np.cos(k + 2.3 * np.arange(array.size)).reshape(array.shape)
            return found

        x = [wave(each, j) for j, each in enumerate(sample["x"])]
        for column in whole.categories:
            x[0][:, column] = 0
        return {
            "x": x,
            "v": wave(sample["v"], 7),
            "parameters": [
                [wave(array, 11 + k) for k, array in _trained(operation).items()] for operation in whole.operations
            ],
        }

    def directional(self, sample: dict[str, Any], rows: Sequence[Span] | None = None) -> dict[str, Array]:
        """The derivatives along the directions, by the names of `results`; nothing where a function lacks."""
        x, along = [self.cast(each) for each in sample["x"]], sample["directions"]
        whole = self.built([each.shape[1] for each in x])
        moment = sample.get("moment", TRAINING)
        if not moment.training or lacking(whole, self.dtype):
            return {}
        v = self.cast(sample["v"])
        one = _Directional(Pass(self, whole, moment, rows or [(0, len(v))], by_rows=True), along["parameters"])
        values = dict(enumerate(x))
        tangents = {j: self.cast(each) for j, each in enumerate(along["x"])}
        for i, operation in enumerate(whole.operations):
            values[len(x) + i] = one.own.forward(i, operation, values)
            tangents[len(x) + i] = one.jvp(i, operation, values, tangents)
        found = {"a": tangents[whole.output]}
        deltas = {whole.output: (v, self.cast(along["v"]))}
        for i, operation in reversed(list(enumerate(whole.operations))):
            if len(x) + i in deltas:
                wanted = [value not in whole.categories for value in operation.inputs]
                pairs = one.backward(i, operation, values, deltas[len(x) + i], wanted)
                for value, pair in zip(operation.inputs, pairs, strict=True):
                    if pair is not None:
                        before = deltas.get(value, (0, 0))
                        deltas[value] = (before[0] + pair[0], before[1] + pair[1])
        names = ["x"] if len(x) == 1 else [f"x[{j}]" for j in range(len(x))]
        found |= {f"∂C/∂{name}": deltas[j][1] for j, name in enumerate(names) if j in deltas}
        return found | one.found


class _Directional:
    """The tangents of one pass through the operations."""

    def __init__(self, own: Pass, parameters: list[list[Array]]) -> None:
        self.own, self.parameters = own, parameters
        self.arrays: dict[int, Arrays] = {}
        self.tangents: dict[int, tuple[Array, list[Array], Array]] = {}  # of methods: a, and the tangents of x and a
        self.found: dict[str, Array] = {}

    def jvp(self, i: int, operation: Operation, values: dict[int, Array], tangents: dict[int, Array]) -> Array:
        out = values[max(values)]  # the last that forward has found
        if _has_methods(operation):
            return self.jvp_of_methods(i, operation, values, tangents, out)
        calls = self.own.of(operation)
        arrays: Arrays = {**self.own.arrays[i], "out": out}
        for j, value in enumerate(operation.inputs):
            arrays[f"x[{j}]"], arrays[f"tangents.x[{j}]"] = values[value], tangents[value]
        for k, direction in zip(_trained(operation), self.parameters[i], strict=True):
            arrays[f"tangents.parameters[{k}]"] = direction.astype(calls.dtype)
        saved = [f"tangents.saved[{j}]" for j in range(len(operation.saved))]
        for name, each in zip(saved, operation.saved, strict=True):
            arrays[name] = self.own.undefined((len(out) if each.for_each_row else 1, each.columns), name)
        arrays["tangents.out"] = self.own.undefined(out.shape, "tangents.out")
        self.invoke(calls, "jvp", arrays, ["tangents.out", *saved], "tangents.out")
        self.arrays[i] = arrays
        found = arrays["tangents.out"]
        assert found is not None
        return found

    def invoke(self, calls: OperationCalls, name: str, arrays: Arrays, written: list[str], last: str) -> None:
        for begin, end in self.own.rows:
            calls.invoke(name, arrays, written, self.own.moment, over(begin, end, array=last), along=True)

    def backward(
        self, i: int, operation: Operation, values: dict[int, Array], deltas: tuple[Array, Array], wanted: list[bool]
    ) -> list[tuple[Array, Array] | None]:
        """dC/dx of each input and its tangent, which is computed first."""
        if _has_methods(operation):
            return self.backward_of_methods(i, operation, values, deltas, wanted)
        calls, arrays = self.own.of(operation), self.arrays[i]
        arrays["delta"], arrays["tangents.delta"] = deltas
        dx = [f"tangents.dx[{j}]" for j, want in enumerate(wanted) if want]
        for j, want in enumerate(wanted):
            shape = values[operation.inputs[j]].shape
            arrays[f"dx[{j}]"] = self.own.undefined(shape, "dx") if want else None
            arrays[f"tangents.dx[{j}]"] = self.own.undefined(shape, "tangents.dx") if want else None
        saved = [f"tangents.saved[{j}]" for j in range(len(operation.saved))]
        self.invoke(calls, "backward_jvp", arrays, [*dx, *saved], "tangents.delta")
        found = self.own.backward(i, operation, values, deltas[0], wanted)
        arrays |= {key: each for key, each in self.own.arrays[i].items() if key.startswith("saved")}
        self.gradients(i, operation, calls, arrays)
        return [
            None if each is None else (each, arrays[f"tangents.dx[{j}]"])  # type: ignore[misc]  # it is there
            for j, each in enumerate(found)
        ]

    def gradients(self, i: int, operation: Operation, calls: OperationCalls, arrays: Arrays) -> None:
        for k, parameter in _trained(operation).items():
            columns, found = parameter.shape[-1], []
            for begin, end in self.own.pieces(parameter.size // columns, 0):
                mine = {**arrays, "grad": self.own.undefined((end - begin, columns), "grad")}
                arguments, moment = over(k, begin, end, array="grad"), self.own.moment_of_gradients
                calls.invoke("gradient_jvp", mine, ["grad"], moment, arguments, along=True)
                found.append(mine["grad"])
            name = self.own.whole.name_of(parameter)
            self.found[f"∂C/∂{name}"] = np.concatenate(found).reshape(parameter.shape)  # type: ignore[arg-type]  # arrays

    # ------------------------------------------------------------------------------------ methods in Python

    def jvp_of_methods(
        self, i: int, operation: Operation, values: dict[int, Array], tangents: dict[int, Array], out: Array
    ) -> Array:
        x = [values[value] for value in operation.inputs]
        along = [tangents[value] for value in operation.inputs]
        result = self.own._method(operation, "jvp", x, _constant(out), *self.directions(i, operation, along))
        found = self.own.calls.checked("jvp", result, out.shape)
        self.tangents[i] = (out, along, found)
        return found

    def directions(self, i: int, operation: Operation, along: list[Array]) -> list[Any]:
        """The tangents of the inputs and of the parameters, as methods get them."""
        found = [_constant(each) for each in along]
        if operation.python is None:
            return found
        inputs = found[0] if operation.python.n_inputs == 1 else found
        moved = dict(zip(_trained(operation), self.parameters[i], strict=True))
        every = enumerate(zip(operation.names, operation.parameters, strict=True))
        parameters = {name: moved[k] if k in moved else np.zeros_like(array) for k, (name, array) in every}
        return [inputs, {name: _constant(self.own.calls.cast(each)) for name, each in parameters.items()}]

    def backward_of_methods(
        self, i: int, operation: Operation, values: dict[int, Array], deltas: tuple[Array, Array], wanted: list[bool]
    ) -> list[tuple[Array, Array] | None]:
        """Likewise, of methods in Python."""
        calls, (out, along, moved) = self.own.calls, self.tangents[i]
        x = [values[value] for value in operation.inputs]
        given = [_constant(deltas[0]), *self.directions(i, operation, along), _constant(moved), deltas[1].copy()]
        result = self.own._method(operation, "backward_jvp", x, _constant(out), *given)
        dx = [result]
        if operation.python is not None:
            dx, gradients = ([result[0]] if operation.python.n_inputs == 1 else result[0]), result[1]
            for k, parameter in _trained(operation).items():
                name = operation.names[k]
                found = calls.checked("backward_jvp", gradients[name], parameter.shape)
                self.found[f"∂C/∂{name}"] = found
        own = self.own.backward(i, operation, values, deltas[0], wanted)
        return [
            None if each is None else (each, calls.checked("backward_jvp", tangent, each.shape))
            for each, tangent in zip(own, dx, strict=True)
        ]


def _has_methods(operation: Operation) -> bool:
    activation = operation.activation
    return operation.python is not None or (activation is not None and activation.is_python)


def _constant(array: Array) -> Array:
    """A copy that raises an error if a method writes to it."""
    found = array.copy()
    found.flags.writeable = False
    return found
