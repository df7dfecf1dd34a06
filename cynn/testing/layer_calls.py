"""Calls the functions of the operations of one layer, in the same order as the engine."""

from __future__ import annotations

import copy
import ctypes
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cynn.engine.operations import Operation
from cynn.engine.randomness import Purpose
from cynn.errors import CynnError
from cynn.layers import Builder
from cynn.testing import abi
from cynn.testing.calls import Calls
from cynn.testing.memory import Array, Canaries, Manner
from cynn.testing.operation_calls import Arrays, Moment, OperationCalls, Recorded, Span, over
from cynn.testing.watch import Watch

__all__ = ["PREDICTION", "TRAINING", "Built", "LayerCalls", "Pass", "built", "dtypes_of", "widths_taken"]

TRAINING, PREDICTION = Moment(), Moment(training=False)

_PLAIN = Canaries()


@dataclass(frozen=True)
class Built:
    """A layer with its arrays, its operations, and the index of its output among the values."""

    layer: Any
    operations: list[Operation]
    output: int
    units: int
    categories: dict[int, int]

    def size(self, rows: int) -> int:
        """The size of an output plus the sizes of all arrays of the layer."""
        return rows * self.units + sum(int(array.size) for _, array in self.layer.arrays())

    def name_of(self, array: Array) -> str:
        """The attribute of the layer that holds an array."""
        return next((key for key, each in self.layer.arrays() if np.may_share_memory(each, array)), "an array")


def built(layer: Any, widths: Sequence[int], dtype: str) -> Built:
    """Build a layer for inputs with these numbers of columns. Constant initial parameters get different values."""
    builder = Builder(widths[0], dtype, 0)
    builder.widths.extend(widths[1:])
    builder._drawn[Purpose.NOISE] = 1  # so that a random operation does not have the index 0
    made, output = copy.copy(layer).bind(builder, list(range(len(widths))))
    random = np.random.default_rng(1)
    for operation in builder.operations:
        for array in operation.parameters:
            if array is not None and array.size and (array == array.flat[0]).all():
                array += random.uniform(0.05, 0.2, array.shape)
    return Built(made, builder.operations, output, builder.widths[output], dict(builder.categories))


def dtypes_of(layer: Any, widths: Sequence[int]) -> list[str]:
    """The dtypes in which the layer can be built. Raises the error if there is none."""
    found, errors = [], []
    for dtype in ("float64", "float32"):
        try:
            built(layer, widths, dtype)
        except CynnError as error:
            errors.append(error)
        else:
            found.append(dtype)
    if not found:
        raise errors[0]
    return found


def widths_taken(layer: Any, n: int) -> Sequence[int] | None:
    """The numbers of columns of its inputs, n each, or None if it does not accept them."""
    for inputs in [layer.n_inputs] if layer.n_inputs is not None else [2, 1]:
        try:
            built(layer, [n] * inputs, dtypes_of(layer, [n] * inputs)[0])
        except CynnError:
            continue
        return [n] * inputs
    return None


class LayerCalls(Calls):
    """Calls forward, backward, gradients and states of a layer in one dtype."""

    def __init__(
        self,
        component: Any,
        dtype: str,
        watch: Watch | None = None,
        manner: Manner = _PLAIN,
        records: list[Recorded] | None = None,
    ) -> None:
        self.component, self.dtype, self.manner, self.records = component, dtype, manner, records
        self.watch = Watch() if watch is None else watch
        self.compiled = component.is_compiled()
        self.values: list[float] = []  # for the structs, flags and hyperparameters of its operations
        self._built: dict[tuple[int, ...], Built] = {}

    def built(self, widths: Sequence[int]) -> Built:
        if tuple(widths) not in self._built:
            self._built[tuple(widths)] = built(self.component, widths, self.dtype)
        return self._built[tuple(widths)]

    def results(
        self,
        sample: dict[str, Any],
        *,
        rows: Sequence[Span] | None = None,
        one_by_one: bool = False,
        in_place: bool = False,
        unwanted: int | None = None,
        forward_alone: bool = False,
        by_rows: bool = False,
    ) -> dict[str, Array]:
        """The results for `x`, a list of inputs, and `v`, the gradient of the output.

        Parameters
        ----------
        sample : dict
            `x`, `v`, and optionally the `moment`. A prediction has only an output.
        rows : sequence of pairs, optional
            The pieces of the batch. By default, one piece with all rows.
        one_by_one : bool
            Whether gradients and linear steps are computed row by row of a parameter, and column by column.
        in_place : bool
            Whether forward and backward work in place, where flags allow it.
        unwanted : int, optional
            The index of an input whose gradient is not requested.
        forward_alone : bool
            Whether to skip backward.
        by_rows : bool
            Whether also what needs the whole batch in training goes by rows, as in derivatives of a prediction.
        """
        x = [self.cast(each) for each in sample["x"]]
        whole = self.built([each.shape[1] for each in x])
        v, moment = self.cast(sample["v"]), sample.get("moment", TRAINING)
        one = Pass(self, whole, moment, rows or [(0, len(v))], one_by_one, in_place, by_rows)
        values = dict(enumerate(x))
        for i, operation in enumerate(whole.operations):
            values[len(x) + i] = one.forward(i, operation, values)
        found = {"a": values[whole.output]}
        if forward_alone or not moment.training:
            return found
        deltas: dict[int, Array] = {whole.output: v}
        for i, operation in reversed(list(enumerate(whole.operations))):
            if len(x) + i in deltas:
                wanted = [value != unwanted and value not in whole.categories for value in operation.inputs]
                for value, dx in zip(
                    operation.inputs, one.backward(i, operation, values, deltas[len(x) + i], wanted), strict=True
                ):
                    if dx is not None:
                        deltas[value] = deltas[value] + dx if value in deltas else dx
        found |= {f"∂C/∂{_input(j, len(x))}": deltas[j] for j in range(len(x)) if j in deltas}
        return found | one.found


def _input(j: int, n: int) -> str:
    return "x" if n == 1 else f"x[{j}]"


class Pass:
    """A forward and backward pass through the operations of a layer."""

    def __init__(
        self,
        calls: LayerCalls,
        whole: Built,
        moment: Moment,
        rows: Sequence[Span],
        one_by_one: bool = False,
        in_place: bool = False,
        by_rows: bool = False,
    ) -> None:
        self.calls, self.whole, self.moment, self.rows = calls, whole, moment, rows
        self.one_by_one, self.in_place, self.by_rows = one_by_one, in_place, by_rows
        # derivatives of a prediction have gradients of a prediction
        self.moment_of_gradients = dataclasses.replace(moment, training=False) if by_rows else moment
        self.arrays: dict[int, Arrays] = {}
        self.found: dict[str, Array] = {}

    def undefined(self, shape: tuple[int, ...], name: str) -> Array:
        return np.full(shape, np.nan if not self.calls.manner.turn else 3 + len(name) / 8, self.calls.dtype)

    def of(self, operation: Operation) -> OperationCalls:
        calls = self.calls
        return OperationCalls(operation, calls.dtype, calls.watch, calls.manner, calls.records)

    def takes_columns(self, operation: Operation, calls: OperationCalls, function: str) -> bool:
        return not self.by_rows and bool(operation.column_piece or (self.one_by_one and calls.has(function)))

    def pieces(self, total: int, most: int) -> list[Span]:
        size = max(1, total // 37) if self.one_by_one else most or max(1, total)
        return [(begin, min(begin + size, total)) for begin in range(0, total, size)]

    # ------------------------------------------------------------------------------------- forward

    def forward(self, i: int, operation: Operation, values: dict[int, Array]) -> Array:
        x = [values[value] for value in operation.inputs]
        if operation.python is not None or (operation.activation is not None and operation.activation.is_python):
            return self._python_forward(i, operation, x)
        training, calls = self.moment.training, self.of(operation)
        arrays: Arrays = {f"x[{j}]": each for j, each in enumerate(x)}
        arrays |= {f"parameters[{j}]": each for j, each in enumerate(operation.parameters)}
        arrays |= {f"states[{j}]": each for j, each in enumerate(operation.states)}
        saved = [f"saved[{j}]" for j in range(len(operation.saved))] if training else []
        for name, each in zip(saved, operation.saved, strict=False):
            arrays[name] = self.undefined((len(x[0]) if each.for_each_row else 1, each.columns), name)
        arrays["out"] = self.undefined((len(x[0]), operation.units), "out")
        if training:
            arrays["delta"] = self.undefined((len(x[0]), operation.units), "delta")
        shares = self.in_place and calls.flags & abi.IN_PLACE
        if shares:
            arrays["out"] = x[0]
        function, spans = "forward", self.rows
        if training and self.takes_columns(operation, calls, "forward_columns"):
            function, spans = "forward_columns", self.pieces(operation.units, operation.column_piece)
        for begin, end in spans:
            if shares:
                arrays["x[0]"] = arrays["out"]
            calls.invoke(
                function,
                arrays,
                ["out", *saved],
                self.moment,
                over(begin, end, array="out"),
                same={"x[0]": "out"} if shares else {},
            )
        out = arrays["out"]
        assert out is not None
        if not operation.needs_output:
            arrays["out"] = self.undefined(out.shape, "out")
        arrays["x[0]"] = x[0]
        self.arrays[i] = arrays
        return out

    def _python_forward(self, i: int, operation: Operation, x: list[Array]) -> Array:
        a = self._method(operation, "forward", x)
        out = self.calls.checked("forward", a, (len(x[0]), operation.units))
        self.arrays[i] = {"out": out}
        return out

    def _method(self, operation: Operation, name: str, x: list[Array], *rest: Array) -> Any:
        """Call a Python method with read-only arrays, and optionally a writable gradient."""
        python = operation.python if operation.python is not None else operation.activation.component  # type: ignore[union-attr]  # one of them
        placed = {f"x[{j}]": self.calls.manner.place(f"x[{j}]", each, is_input=True) for j, each in enumerate(x)}
        given: list[Any] = [each.array for each in placed.values()]
        if operation.python is not None and python.n_inputs != 1:
            given = [given]
        if operation.python is not None:
            names = zip(operation.names, operation.parameters, strict=True)
            parameters = {key: self.calls.manner.place(key, each, is_input=True) for key, each in names}  # type: ignore[arg-type]  # it has all
            given.append({key: each.array for key, each in parameters.items()})
            placed |= parameters
        with self.calls.watch.call(name, self.calls.dtype, x[0].shape):
            result = getattr(python, name)(*given, *rest)
        self.calls.watch.inspect(name, placed, {})
        return result

    # ------------------------------------------------------------------------------------ backward

    def backward(
        self, i: int, operation: Operation, values: dict[int, Array], delta: Array, wanted: list[bool]
    ) -> list[Array | None]:
        """∂C/∂x of each input. Also computes gradients and states."""
        x = [values[value] for value in operation.inputs]
        arrays = self.arrays[i]
        if operation.python is not None or (operation.activation is not None and operation.activation.is_python):
            return self._python_backward(operation, x, arrays["out"], delta, wanted)
        calls = self.of(operation)
        written = ["delta", *(f"saved[{j}]" for j in range(len(operation.saved)))]
        arrays["delta"] = delta.copy()
        dx = [f"dx[{j}]" for j in range(len(x)) if wanted[j]]
        for name, each in ((f"dx[{j}]", each) for j, each in enumerate(x)):
            arrays[name] = self.undefined(each.shape, name) if name in dx else None
        works_in_place = bool(calls.flags & abi.GRADIENT_IN_PLACE)
        shares = works_in_place and self.in_place
        if works_in_place:
            arrays["dx[0]"] = delta.copy() if wanted[0] else None
        if wanted[0] or not works_in_place:
            function, spans = "backward", self.rows
            if self.takes_columns(operation, calls, "backward_columns"):
                function, spans = "backward_columns", self.pieces(x[0].shape[1], operation.column_piece)
            for begin, end in spans:
                calls.invoke(
                    function,
                    arrays,
                    [*written, *dx],
                    self.moment,
                    over(begin, end, array="dx[0]" if works_in_place else "delta"),
                    same={"delta": "dx[0]"} if shares else {},
                )
        found = [arrays.pop(f"dx[{j}]") for j in range(len(x))]
        self._gradients(operation, calls, arrays)
        self._states(operation, calls, arrays)
        return found

    def _gradients(self, operation: Operation, calls: OperationCalls, arrays: Arrays) -> None:
        for k, parameter in enumerate(operation.parameters):
            if parameter is None or not operation.trainable or not calls.has("gradient"):
                continue
            name = self.whole.name_of(parameter)
            columns = parameter.shape[-1]
            pieces = self.pieces(parameter.size // columns, 0)
            found = []
            for begin, end in pieces:
                own = {**arrays, "grad": self.undefined((end - begin, columns), "grad")}
                calls.invoke("gradient", own, ["grad"], self.moment_of_gradients, over(k, begin, end, array="grad"))
                found.append(own["grad"])
            self.found[f"∂C/∂{name}"] = np.concatenate(found).reshape(parameter.shape)  # type: ignore[arg-type]  # arrays
            if k == 0 and calls.has("linear_step"):
                own = {**arrays}
                for begin, end in pieces:
                    own["scratch"] = self.undefined((end - begin, columns), "scratch")
                    arguments = over(begin, end, -0.3, 0.7, array="scratch")
                    calls.invoke("linear_step", own, ["parameters[0]", "scratch"], self.moment, arguments)
                moved = own["parameters[0]"]
                assert moved is not None
                self.found[f"0.7 {name} - 0.3 ∂C/∂{name}"] = moved

    def _states(self, operation: Operation, calls: OperationCalls, arrays: Arrays) -> None:
        if self.by_rows or not operation.states or not calls.has("update_states"):
            return
        own, names = {**arrays}, [f"states[{j}]" for j in range(len(operation.states))]
        table = self.calls.manner.place("the addresses of states", np.zeros(len(names), np.uint64), is_input=False)

        def addresses(address: Any) -> list[Any]:
            table.array[...] = [address(name) for name in names]
            return [ctypes.cast(table.address, ctypes.POINTER(ctypes.c_void_p))]

        calls.invoke("update_states", own, names, self.moment, addresses)
        for name, state in zip(names, operation.states, strict=True):
            self.found[self.whole.name_of(state)] = own[name]  # type: ignore[assignment]  # it is there

    def _python_backward(
        self, operation: Operation, x: list[Array], a: Any, delta: Array, wanted: list[bool]
    ) -> list[Array | None]:
        result = self._method(operation, "backward", x, a, delta.copy())
        if operation.python is None:
            return [self.calls.cast(result)]
        dx, gradients = result
        for name, gradient in gradients.items():
            self.found[f"∂C/∂{name}"] = self.calls.cast(gradient)
        found = [dx] if operation.python.n_inputs == 1 else dx
        return [self.calls.cast(each) if want else None for each, want in zip(found, wanted, strict=True)]
