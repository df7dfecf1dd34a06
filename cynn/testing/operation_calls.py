"""Calls the functions of one operation, with all arrays in a given memory layout."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from cynn.engine.operations import Operation
from cynn.testing import abi
from cynn.testing.memory import Array, Manner, Placed
from cynn.testing.watch import Watch

__all__ = ["TANGENTS", "Arguments", "Arrays", "Moment", "OperationCalls", "Recorded", "Span", "over"]

Span = tuple[int, int]
Arrays = dict[str, Array | None]  # by names as in cynn_operands, such as x[0], and those of cynn_tangents
#: The fields of cynn_tangents that are several arrays.
TANGENTS = ("tangents.x", "tangents.parameters", "tangents.dx", "tangents.saved")
#: Maps the addresses of arrays by name to the arguments of a function after `pass`.
Arguments = Callable[[Callable[[str], int | None]], list[Any]]


def over(*numbers: float, array: str) -> Arguments:
    """Arguments: numbers, then the address of an array."""
    return lambda address: [*numbers, address(array)]


@dataclass(frozen=True)
class Moment:
    """The fields of `cynn_pass` other than the rows."""

    training: bool = True
    seed: int = 7
    epoch: int = 0
    step: int = 0
    number: int = 0  # added to the index of operations that draw random numbers
    row_weight: tuple[float, ...] = ()


@dataclass(frozen=True)
class Recorded:
    """A call that can be repeated, on the same memory."""

    call: Callable[[], Any]
    outputs: dict[str, Placed]
    before: dict[str, Array]
    kept: list[Any] = field(repr=False)  # keeps the memory of the addresses alive

    def repeat(self) -> list[Array]:
        for name, memory in self.outputs.items():
            memory.array[...] = self.before[name]
        self.call()
        return [memory.array for memory in self.outputs.values()]


class OperationCalls:
    """The functions of an operation in one dtype."""

    def __init__(
        self, operation: Operation, dtype: str, watch: Watch, manner: Manner, records: list[Recorded] | None = None
    ) -> None:
        self.operation, self.dtype, self.watch, self.manner, self.records = operation, dtype, watch, manner, records
        self.struct = abi.struct_in(operation.kernel.capsule, "layer")
        self.flags: int = self.struct.flags

    def has(self, name: str) -> bool:
        """Whether a function is offered in this dtype."""
        return bool(ctypes.cast(self.function(name), ctypes.c_void_p).value)

    def function(self, name: str) -> Any:
        return getattr(self.struct, f"{name}_{'f32' if self.dtype == 'float32' else 'f64'}")

    def invoke(
        self,
        name: str,
        arrays: Arrays,
        written: Iterable[str],
        moment: Moment,
        arguments: Arguments,
        *,
        same: Mapping[str, str] = MappingProxyType({}),
        along: bool = False,
    ) -> None:
        """Call a function, check the memory, and copy what it may write into `arrays`.

        Parameters
        ----------
        name : str
            For example `"forward"`.
        arrays : dict
            The arrays of the operation. None or missing means NULL.
        written : iterable of str
            The names of the arrays that the function may write.
        moment : Moment
            The pass.
        arguments : function
            The arguments after `pass`.
        same : dict
            The names of aliased arrays.
        along : bool
            Whether it is given tangents.
        """
        written = [each for each in written if arrays.get(each) is not None and each not in same]
        rows = len(arrays["x[0]"])  # type: ignore[arg-type]  # there always is one
        kept = self._kept(arrays, moment)
        placed = {
            key: self.manner.place(key, values, is_input=key not in written)
            for key, values in {**arrays, **kept}.items()
            if values is not None and key not in same
        }
        placed |= {key: placed[other] for key, other in same.items()}

        def address(key: str) -> int | None:
            return placed[key].address if key in placed else None

        tables = {
            key: self.manner.place(
                f"the addresses of {key}",
                np.array([address(f"{key}[{i}]") or 0 for i in range(n)] or [0], np.uint64),
                is_input=True,
            )
            for key, n in self._counts(along).items()
        }
        activation = self.operation.activation
        struct = abi.struct_of(activation.component) if activation is not None else None
        operands = self._operands(address, tables, moment, ctypes.addressof(struct) if struct is not None else None)
        pass_ = self._pass(rows, address, moment)
        given = arguments(address)
        function = self.function(name)
        passed = [operands, *([self._tangents(address, tables)] if along else []), pass_]
        structs = [bytes(each) for each in passed]

        def call() -> None:
            function(*map(ctypes.byref, passed), *given)

        outputs = {key: placed[key] for key in written}
        if self.records is not None:
            before = {key: memory.array.copy() for key, memory in outputs.items()}
            self.records.append(Recorded(call, outputs, before, [placed, tables, arguments, struct]))
        with self.watch.call(name, self.dtype, (rows, self.operation.units)):
            call()
        inputs = {key: each for key, each in (placed | tables).items() if key not in written and key not in same}
        self.watch.inspect(name, inputs, outputs)
        if structs != [bytes(each) for each in passed]:
            self.watch.add("inputs", f"{name} changed its operands, its tangents or its pass ({self.watch.last})")
        for key, memory in outputs.items():
            arrays[key] = memory.array.copy()
        for key, other in same.items():
            arrays[key] = arrays[other]

    def _counts(self, along: bool) -> dict[str, int]:
        own, inputs = self.operation, len(self.operation.inputs)
        counts = {
            "x": inputs,
            "dx": inputs,
            "parameters": len(own.parameters),
            "states": len(own.states),
            "saved": len(own.saved),
        }
        return counts | {name: counts[name.partition(".")[2]] for name in (TANGENTS if along else ())}

    def _kept(self, arrays: Arrays, moment: Moment) -> Arrays:
        """Fields that are the same for all functions."""
        own = self.operation
        columns = [0 if each is None else each.shape[-1] for each in own.parameters]
        sizes = [0 if each is None else each.size for each in own.parameters]
        kept: Arrays = {
            "widths": np.array(own.widths, np.int64),
            "parameter_columns": np.array([*columns, *([] if columns else [0])], np.int64),
            "parameter_rows": np.array(
                [size // max(1, n) for size, n in zip(sizes, columns, strict=True)] or [0], np.int64
            ),
            "h": np.array(own.hyperparameters) if own.hyperparameters else None,
        }
        if moment.row_weight:
            kept["row_weight"] = np.array(moment.row_weight)
        if own.activation is not None:
            kept["activation_h"] = np.array(own.activation.component.kernel_values() or [0.0])
        return kept

    def _operands(
        self, address: Callable[[str], int | None], tables: dict[str, Placed], moment: Moment, activation: int | None
    ) -> Any:
        own, void = self.operation, ctypes.POINTER(ctypes.c_void_p)

        def of(key: str, kind: Any) -> Any:
            return ctypes.cast(ctypes.c_void_p(address(key)), ctypes.POINTER(kind))

        return abi.Operands(
            struct_size=ctypes.sizeof(abi.Operands),
            number=own.number + moment.number,
            n_inputs=len(own.inputs),
            widths=of("widths", ctypes.c_int64),
            units=own.units,
            out=address("out"),
            delta=address("delta"),
            n_parameters=len(own.parameters),
            parameter_rows=of("parameter_rows", ctypes.c_int64),
            parameter_columns=of("parameter_columns", ctypes.c_int64),
            n_states=len(own.states),
            n_saved=len(own.saved),
            n_h=len(own.hyperparameters),
            h=of("h", ctypes.c_double),
            activation=activation,
            activation_h=of("activation_h", ctypes.c_double),
            **{key: ctypes.cast(table.address, void) for key, table in tables.items() if key not in TANGENTS},
        )

    def _tangents(self, address: Callable[[str], int | None], tables: dict[str, Placed]) -> Any:
        void = ctypes.POINTER(ctypes.c_void_p)
        return abi.Tangents(
            struct_size=ctypes.sizeof(abi.Tangents),
            out=address("tangents.out"),
            delta=address("tangents.delta"),
            **{key.partition(".")[2]: ctypes.cast(tables[key].address, void) for key in TANGENTS},
        )

    def _pass(self, rows: int, address: Callable[[str], int | None], moment: Moment) -> Any:
        if not moment.training:  # the other fields are not set in a prediction
            return abi.Pass(struct_size=ctypes.sizeof(abi.Pass), rows=rows)
        return abi.Pass(
            struct_size=ctypes.sizeof(abi.Pass),
            training=1,
            updates=1,
            epoch=moment.epoch,
            step=moment.step,
            seed=moment.seed,
            rows=rows,
            row_weight=address("row_weight"),
            total_weight=sum(moment.row_weight) if moment.row_weight else rows,
        )
