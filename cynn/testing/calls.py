"""Calls a component on guarded memory, through one interface for compiled kernels and Python methods."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from cynn.activations import Activation
from cynn.engine.activation_kernel import ActivationKernel
from cynn.engine.loss_kernel import LossKernel
from cynn.engine.optimizer_kernel import OptimizerKernel
from cynn.losses import Loss
from cynn.optimizers import Optimizer
from cynn.schedules import started
from cynn.testing import abi
from cynn.testing.memory import Array, Guarded, Violations, hyperparameter_array
from cynn.testing.report import Failure

__all__ = ["ActivationCalls", "Calls", "LossCalls", "OptimizerCalls", "dtypes_of"]

_SUFFIX = {"float32": "f32", "float64": "f64"}


def dtypes_of(component: Any) -> list[str]:
    """The dtypes that a component offers. Raises a `PluginError` if its kernel is invalid."""
    kernels = {"activation": ActivationKernel, "loss": LossKernel, "optimizer": OptimizerKernel}
    kernels[component._registry.kind](component)  # validates the kernel
    if not component.is_compiled():
        return ["float64", "float32"]
    functions = abi.functions(component)
    first = {"activation": "forward", "loss": "value_and_gradient", "optimizer": "step"}[component._registry.kind]
    return [dtype for dtype, suffix in reversed(_SUFFIX.items()) if f"{first}_{suffix}" in functions]


class Calls:
    """Base class for the three kinds: the struct, its functions for one dtype, the hyperparameters."""

    def __init__(self, component: Any, dtype: str, violations: Violations | None = None) -> None:
        self.component = component
        self.dtype = dtype
        self.compiled = component.is_compiled()
        self.violations = Violations() if violations is None else violations
        self.values = component.kernel_values()
        self.struct = abi.struct_of(component) if self.compiled else None
        self.flags: int = self.struct.flags if self.struct is not None else 0

    def function(self, name: str) -> Any:
        return getattr(self.struct, f"{name}_{_SUFFIX[self.dtype]}")

    def cast(self, values: Any) -> Array:
        return np.array(values, dtype=self.dtype, order="C")

    def h(self, fill: float = np.nan) -> Guarded | None:
        return hyperparameter_array(self.values, fill)

    def inspect(
        self, function: str, h: Guarded | None, inputs: dict[str, Guarded], outputs: dict[str, Guarded]
    ) -> None:
        self.violations.inspect(function, {**inputs, **({"h": h} if h else {})}, outputs)

    def checked(self, function: str, result: Any, shape: tuple[int, ...]) -> Array:
        """The result of a Python method, checked and converted to the dtype."""
        if np.shape(result) != shape:
            raise Failure(
                f"{function} must return an array of shape {shape}. Got {np.shape(result)} instead."
            )
        return self.cast(result)


class ActivationCalls(Calls):
    """Calls forward and backward of an activation in one dtype."""

    component: Activation

    @property
    def rowwise(self) -> bool:
        """Whether an element may depend on its whole row. A Python class does not declare it, so it is tried out."""
        if self.compiled:
            return bool(self.flags & abi.ROWWISE)
        z = np.linspace(-2, 2, 12).reshape(3, 4)
        other = z.copy()
        other[:, 0] += 0.5
        before, after = self.forward(z), self.forward(other)
        return not np.array_equal(before[:, 1:], after[:, 1:], equal_nan=True)

    def forward(self, z: Any, *, in_place: bool = False, fill: float = np.nan) -> Array:
        """The activation a. The memory around the arrays is checked after the call."""
        z = self.cast(z)
        if not self.compiled:
            given = Guarded(z)
            a = self.checked("forward", self.component.forward(given.array), z.shape)
            self.violations.inspect("forward", {"z": given}, {})
            return a
        h, source = self.h(fill), Guarded(z, fill)
        target = source if in_place else Guarded(np.full(z.shape, fill, z.dtype), fill)
        self.function("forward")(h.address if h else None, *z.shape, source.address, target.address)
        self.inspect("forward", h, {} if in_place else {"z": source}, {"a": target})
        return target.array.copy()

    def backward(self, z: Any, a: Any, grad: Any, *, fill: float = np.nan) -> Array:
        """dC/dz. Inputs that the flags do not ask for are filled with `fill`."""
        z, a, grad = self.cast(z), self.cast(a), self.cast(grad)
        if not self.compiled:
            given = {"z": Guarded(z), "a": Guarded(a)}
            result = self.component.backward(given["z"].array, given["a"].array, grad)
            self.violations.inspect("backward", given, {})
            return self.checked("backward", result, z.shape)
        h = self.h(fill)
        unknown = np.full(z.shape, fill, z.dtype)
        inputs = {
            "z": Guarded(z if self.flags & abi.NEEDS_Z else unknown, fill),
            "a": Guarded(a if self.flags & abi.NEEDS_A else unknown, fill),
        }
        target = Guarded(grad, fill)
        self.function("backward")(
            h.address if h else None, *z.shape, inputs["z"].address, inputs["a"].address, target.address
        )
        self.inspect("backward", h, inputs, {"grad": target})
        return target.array.copy()

    def gradient(self, z: Any, grad: Any) -> Array:
        """Call forward, then backward."""
        return self.backward(z, self.forward(z), grad)


class LossCalls(Calls):
    """Calls a loss in one dtype."""

    component: Loss

    @property
    def fuses_with(self) -> str | None:
        """The activation with which the loss is fused, or None."""
        name = self.struct.fuses_with if self.struct is not None else None
        return name.decode() if name else None

    def __call__(
        self,
        prediction: Any,
        target: Any = None,
        *,
        classes: Any = None,
        weight: Any = None,
        want_gradient: bool = True,
        fused: bool = False,
        fill: float = np.nan,
    ) -> tuple[float, Array]:
        """The sum over rows of weight * loss, and its gradient (NaN if it was not asked for)."""
        prediction = self.cast(prediction)
        rows = len(prediction)
        if not self.compiled:
            return self._python(prediction, self.cast(target), weight)
        inputs = {"prediction": Guarded(prediction, fill)}
        if target is not None:
            inputs["target"] = Guarded(self.cast(target), fill)
        if classes is not None:
            inputs["class_index"] = Guarded(np.array(classes, np.int64), 0)
        if weight is not None:
            inputs["sample_weight"] = Guarded(self.cast(weight), fill)
        h, grad = self.h(fill), Guarded(np.full(prediction.shape, fill, prediction.dtype), fill)
        name = "fused_value_and_gradient" if fused else "value_and_gradient"
        value = self.function(name)(
            h.address if h else None,
            rows,
            prediction.shape[1],
            *(inputs[key].address if key in inputs else None for key in ("prediction", "target")),
            *(inputs[key].address if key in inputs else None for key in ("class_index", "sample_weight")),
            grad.address if want_gradient else None,
        )
        self.inspect(name, h, inputs, {"grad": grad})
        return value, grad.array.copy()

    def _python(self, prediction: Array, target: Array, weight: Any) -> tuple[float, Array]:
        given = {"prediction": Guarded(prediction), "target": Guarded(target)}
        result = self.component.value_and_gradient(given["prediction"].array, given["target"].array)
        self.violations.inspect("value_and_gradient", given, {})
        value = self.checked("the value of value_and_gradient", result[0], (len(prediction),))
        gradient = self.checked("the gradient of value_and_gradient", result[1], prediction.shape)
        if weight is None:
            weight = np.ones(len(prediction))
        total = float(np.dot(value.astype(np.float64), np.asarray(weight, np.float64)))
        return total, self.cast(gradient * self.cast(weight)[:, None])

    def each(self, prediction: Any, target: Any, *, fused: bool = False) -> tuple[Array, Array]:
        """The loss and the gradient of each row, from one call per row."""
        prediction, target = self.cast(prediction), self.cast(target)
        rows, outputs = prediction.shape
        if not self.compiled:
            values, grads = [], []
            for i in range(rows):
                value, grad = self.component.value_and_gradient(prediction[i : i + 1], target[i : i + 1])
                values.append(self.checked("the value of value_and_gradient", value, (1,)))
                grads.append(self.checked("the gradient of value_and_gradient", grad, (1, outputs)))
            return np.concatenate(values).astype(np.float64), np.concatenate(grads)
        name = "fused_value_and_gradient" if fused else "value_and_gradient"
        inputs = {"prediction": Guarded(prediction), "target": Guarded(target)}
        memory, h = Guarded(np.empty_like(prediction)), self.h()
        function, address, stride = (
            self.function(name),
            h.address if h else None,
            outputs * prediction.itemsize,
        )
        starts = [array.address for array in (*inputs.values(), memory)]
        values = [
            function(address, 1, outputs, x, t, None, None, d)
            for x, t, d in ([start + i * stride for start in starts] for i in range(rows))
        ]
        self.inspect(name, h, inputs, {"grad": memory})  # once for all calls, since there are many
        return np.array(values), memory.array.copy()

    def rows(self, prediction: Array, target: Array, *, fused: bool = False) -> Array:
        """The loss of each row, from one call per row."""
        return self.each(prediction, target, fused=fused)[0]


class _Slots(list[Array]):
    """The slots that a Python method gets. Asking for one that is not declared raises a Failure."""

    def __getitem__(self, key: Any) -> Any:
        try:
            return super().__getitem__(key)
        except IndexError as error:
            raise Failure(
                f"step() asked for a slot that is not declared: n_slots is {len(self)} ({error})"
            ) from error


class OptimizerCalls(Calls):
    """Calls an optimizer in one dtype."""

    component: Optimizer

    @property
    def n_slots(self) -> int:
        """How many slots the optimizer declares."""
        return int(self.struct.n_slots if self.struct is not None else self.component.n_slots)

    @property
    def elementwise(self) -> bool:
        """Whether a step may be taken on any part of a parameter."""
        return bool(self.flags & abi.ELEMENTWISE)

    def linear(self, t: int) -> tuple[float, float] | None:
        """alpha and beta of step t, or None if the step is not declared linear."""
        if self.struct is None or not ctypes.cast(self.struct.linear_step, ctypes.c_void_p).value:
            return None
        h, alpha, beta = self.h(), ctypes.c_double(np.nan), ctypes.c_double(np.nan)
        rate = started(self.component.learning_rate)(0)
        self.struct.linear_step(h.address if h else None, rate, t, ctypes.byref(alpha), ctypes.byref(beta))
        return alpha.value, beta.value

    def zero_slots(self, w: Array) -> list[Array]:
        return [np.zeros(w.shape, self.dtype) for _ in range(self.n_slots)]

    def step(
        self,
        w: Array,
        grad: Any,
        slots: list[Array],
        t: int,
        *,
        rate: float | None = None,
        fill: float = np.nan,
    ) -> None:
        """Take step t, in place on w and the slots."""
        rate = started(self.component.learning_rate)(0) if rate is None else rate
        if not self.compiled:
            own = _Slots(array.copy() for array in slots)
            given = list(own)
            scratch = self.cast(grad)
            self.component.step(w, scratch, own, rate, t)
            for i, (slot, moved) in enumerate(zip(slots, given, strict=True)):
                if own[i] is not moved:
                    raise Failure(
                        f"step() put another array at slots[{i}]: write into it, slots[{i}][...] = ..."
                    )
                slot[...] = moved
            self.violations.calls += 1
            return
        h = self.h(fill)
        memory = {"w": Guarded(w, fill), "grad": Guarded(self.cast(grad), fill)}
        memory |= {f"slots[{i}]": Guarded(slot, fill) for i, slot in enumerate(slots)}
        n = len(slots)
        undeclared = [Guarded(np.full(w.shape, fill, w.dtype), fill) for _ in range(4)]
        addresses = [memory[f"slots[{i}]"].address for i in range(n)] + [
            extra.address for extra in undeclared
        ]
        table = (ctypes.c_void_p * len(addresses))(*addresses)
        self.function("step")(
            h.address if h else None, rate, t, *w.shape, memory["w"].address, memory["grad"].address, table
        )
        self.inspect("step", h, {}, memory)
        for i, extra in enumerate(undeclared):
            if extra.changed_inside():
                self.violations.add("slots", f"step wrote to slots[{n + i}], but n_slots is {n}")
        w[...] = memory["w"].array
        for i, slot in enumerate(slots):
            slot[...] = memory[f"slots[{i}]"].array
