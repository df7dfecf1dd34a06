"""Calls a component's kernels or Python methods on arrays in a given memory layout."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np

from cynn.activations import Activation
from cynn.components import inheritance
from cynn.engine.activation_kernel import ActivationKernel
from cynn.engine.loss_kernel import LossKernel
from cynn.engine.optimizer_kernel import OptimizerKernel
from cynn.losses import Loss
from cynn.optimizers import Optimizer
from cynn.schedules import started
from cynn.testing import abi
from cynn.testing.memory import Array, Canaries, Manner, Placed
from cynn.testing.report import Failure
from cynn.testing.watch import Watch

__all__ = ["ActivationCalls", "Calls", "LossCalls", "OptimizerCalls", "dtypes_of"]

_SUFFIX = {"float32": "f32", "float64": "f64"}
_PLAIN = Canaries()


def dtypes_of(component: Any) -> list[str]:
    """The dtypes that a component offers. Raises `PluginError` for an invalid kernel."""
    kernels = {"activation": ActivationKernel, "loss": LossKernel, "optimizer": OptimizerKernel}
    kernels[component._registry.kind](component)  # its own checks
    if not component.is_compiled():
        return ["float64", "float32"]
    functions = abi.functions(component)
    first = {"activation": "forward", "loss": "value_and_gradient", "optimizer": "step"}[component._registry.kind]
    return [dtype for dtype, suffix in reversed(_SUFFIX.items()) if f"{first}_{suffix}" in functions]


class Calls:
    """The base of the calls of all kinds: the struct, its functions for one dtype, hyperparameters and memory."""

    def __init__(self, component: Any, dtype: str, watch: Watch | None = None, manner: Manner = _PLAIN) -> None:
        self.component = component
        self.dtype = dtype
        self.compiled = component.is_compiled()
        self.watch = Watch() if watch is None else watch
        self.manner = manner
        self.values = component.kernel_values()
        self.struct = abi.struct_of(component) if self.compiled else None
        self.flags: int = self.struct.flags if self.struct is not None else 0

    def cast(self, values: Any) -> Array:
        return np.array(values, dtype=self.dtype, order="C")

    def results(self, sample: dict[str, Any]) -> dict[str, Array]:
        """The results for a sample, by name."""
        raise NotImplementedError

    def directional(self, sample: dict[str, Any]) -> dict[str, Array]:
        """The derivatives of what `results` finds along the `directions` of the sample, where there are functions."""
        return {}

    def has(self, name: str) -> bool:
        """Whether there is a function, or a method in Python for directional derivatives."""
        if not self.compiled:
            return inheritance.directional(self.component, name) is not None
        return bool(ctypes.cast(self.function(name), ctypes.c_void_p).value)

    def everything(self, sample: dict[str, Any]) -> dict[str, Array]:
        """What comes out of all functions, along directions that are made up."""
        directed = {**sample, "directions": self.made_up(sample)}
        derivatives = self.directional(directed)
        return self.results(sample) | {f"the tangent of {name}": each for name, each in derivatives.items()}

    def made_up(self, sample: dict[str, Any]) -> dict[str, Any]:
        """A direction for each array of a sample that may have one."""
        return {}

    def function(self, name: str) -> Any:
        """A function of the struct for this dtype."""
        return getattr(self.struct, f"{name}_{_SUFFIX[self.dtype]}")

    def place(self, name: str, values: Any, *, is_input: bool = True) -> Placed:
        return self.manner.place(name, values, is_input=is_input)

    def undefined(self, shape: tuple[int, ...], name: str) -> Array:
        """The contents of an array that no function may read."""
        return self.cast(np.full(shape, np.nan if not self.manner.turn else 3 + len(name) / 8))

    def h(self) -> Placed | None:
        return self.place("h", np.array(self.values, np.float64)) if self.values else None

    def invoke(
        self, name: str, shape: tuple[int, ...], inputs: dict[str, Placed], outputs: dict[str, Placed], *rest: Any
    ) -> Any:
        """Call a kernel with h and `rest`, then check the memory."""
        h = self.h()
        with self.watch.call(name, self.dtype, shape):
            result = self.function(name)(h.address if h else None, *rest)
        self.watch.inspect(name, {**inputs, **({"h": h} if h else {})}, outputs)
        return result

    def method(self, name: str, shape: tuple[int, ...], inputs: dict[str, Placed], *rest: Any) -> Any:
        """Call a Python method with the arrays of `inputs` and with `rest`, then check the memory."""
        with self.watch.call(name, self.dtype, shape):
            try:
                result = getattr(self.component, name)(*(each.array for each in inputs.values()), *rest)
            except ValueError as error:
                if "read-only" not in str(error):
                    raise
                raise Failure(f"{name} must not write to its inputs, not even for a moment ({error})") from error
        self.watch.inspect(name, inputs, {})
        return result

    def checked(self, function: str, result: Any, shape: tuple[int, ...]) -> Array:
        """Convert the result of a Python method to an array of the dtype."""
        if np.shape(result) != shape:
            raise Failure(f"{function} must return an array of shape {shape}. Got {np.shape(result)} instead.")
        return self.cast(result)


class ActivationCalls(Calls):
    """Calls forward and backward of an activation in one dtype."""

    component: Activation

    @property
    def rowwise(self) -> bool:
        """Whether an element may depend on its row. A Python class does not declare it, so it is tried here."""
        if self.compiled:
            return bool(self.flags & abi.ROWWISE)
        z = np.linspace(0.1, 0.9, 12).reshape(3, 4)
        other = z.copy()
        other[:, 0] += 0.5
        before, after = self.forward(z), self.forward(other)
        return not np.array_equal(before[:, 1:], after[:, 1:], equal_nan=True)

    def forward(self, z: Any, *, in_place: bool = False) -> Array:
        """a. The memory is checked after the call."""
        z = self.cast(z)
        if not self.compiled:
            return self.checked("forward", self.method("forward", z.shape, {"z": self.place("z", z)}), z.shape)
        source = self.place("z", z, is_input=not in_place)
        target = source if in_place else self.place("a", self.undefined(z.shape, "a"), is_input=False)
        inputs = {} if in_place else {"z": source}
        self.invoke("forward", z.shape, inputs, {"a": target}, *z.shape, source.address, target.address)
        return target.array.copy()

    def backward(self, z: Any, a: Any, grad: Any) -> Array:
        """dC/dz. Arrays that the flags exclude are undefined."""
        z, a, grad = self.cast(z), self.cast(a), self.cast(grad)
        if not self.compiled:
            given = {"z": self.place("z", z), "a": self.place("a", a)}
            return self.checked("backward", self.method("backward", z.shape, given, grad), z.shape)
        inputs = {
            "z": self.place("z", z if self.flags & abi.NEEDS_Z else self.undefined(z.shape, "z")),
            "a": self.place("a", a if self.flags & abi.NEEDS_A else self.undefined(z.shape, "a")),
        }
        target = self.place("grad", grad, is_input=False)
        addresses = (inputs["z"].address, inputs["a"].address, target.address)
        self.invoke("backward", z.shape, inputs, {"grad": target}, *z.shape, *addresses)
        return target.array.copy()

    def gradient(self, z: Any, grad: Any) -> Array:
        """The results of forward and backward."""
        return self.backward(z, self.forward(z), grad)

    def results(self, sample: dict[str, Any]) -> dict[str, Array]:
        a = self.forward(sample["z"])
        return {"a": a, "dC/dz": self.backward(sample["z"], a, sample["grad"])}

    def made_up(self, sample: dict[str, Any]) -> dict[str, Any]:
        return {"z": sample["grad"], "grad": sample["grad"][:, ::-1]}

    def jvp(self, z: Any, a: Any, dz: Any) -> Array:
        """da"""
        if not self.has("jvp"):
            return self.backward(z, a, dz)
        given = {"z": self.cast(z), "a": self.cast(a), "dz": self.cast(dz)}
        inputs = {name: self.place(name, array) for name, array in given.items()}
        if not self.compiled:
            return self.checked("jvp", self.method("jvp", given["z"].shape, inputs), given["z"].shape)
        target = self.place("da", self.undefined(given["z"].shape, "da"), is_input=False)
        addresses = [each.address for each in inputs.values()]
        self.invoke("jvp", given["z"].shape, inputs, {"da": target}, *given["z"].shape, *addresses, target.address)
        return target.array.copy()

    def backward_jvp(self, z: Any, a: Any, grad: Any, dz: Any, da: Any, dgrad: Any) -> Array:
        """The tangent of dC/dz."""
        given = {"z": z, "a": a, "grad": grad, "dz": dz, "da": da}
        inputs = {name: self.place(name, self.cast(array)) for name, array in given.items()}
        shape, dgrad = np.shape(z), self.cast(dgrad)
        if not self.compiled:
            return self.checked("backward_jvp", self.method("backward_jvp", shape, inputs, dgrad), shape)
        target = self.place("dgrad", dgrad, is_input=False)
        addresses = [each.address for each in inputs.values()]
        self.invoke("backward_jvp", shape, inputs, {"dgrad": target}, *shape, *addresses, target.address)
        return target.array.copy()

    def directional(self, sample: dict[str, Any]) -> dict[str, Array]:
        z, grad, moved = sample["z"], sample["grad"], sample["directions"]
        found: dict[str, Array] = {}
        if not (self.has("jvp") or self.has("backward_jvp")):
            return found
        a = self.forward(z)
        da = self.jvp(z, a, moved["z"])
        found["a"] = da
        if self.has("backward_jvp"):
            found["dC/dz"] = self.backward_jvp(z, a, grad, moved["z"], da, moved["grad"])
        return found


class LossCalls(Calls):
    """Calls the value and gradient of a loss in one dtype."""

    component: Loss

    @property
    def fuses_with(self) -> str | None:
        """The activation with which the loss has a fused form, or None."""
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
    ) -> tuple[float, Array]:
        """The sum over rows of weight * loss, and its gradient (undefined if not requested)."""
        prediction = self.cast(prediction)
        if not self.compiled:
            if target is None:
                target = np.eye(prediction.shape[1])[classes]
            return self._python(prediction, self.cast(target), weight)
        inputs = {"prediction": self.place("prediction", prediction)}
        if target is not None:
            inputs["target"] = self.place("target", self.cast(target))
        if classes is not None:
            inputs["class_index"] = self.place("class_index", np.array(classes, np.int64))
        if weight is not None:
            inputs["sample_weight"] = self.place("sample_weight", self.cast(weight))
        grad = self.place("grad", self.undefined(prediction.shape, "grad"), is_input=False)
        value = self.invoke(
            "fused_value_and_gradient" if fused else "value_and_gradient",
            prediction.shape,
            inputs,
            {"grad": grad},
            *prediction.shape,
            *(
                inputs[key].address if key in inputs else None
                for key in ("prediction", "target", "class_index", "sample_weight")
            ),
            grad.address if want_gradient else None,
        )
        return value, grad.array.copy()

    def _python(self, prediction: Array, target: Array, weight: Any) -> tuple[float, Array]:
        value, gradient = self._pair(prediction, target)
        if weight is None:
            weight = np.ones(len(prediction))
        total = float(np.dot(value.astype(np.float64), np.asarray(weight, np.float64)))
        return total, self.cast(gradient * self.cast(weight)[:, None])

    def _pair(self, prediction: Array, target: Array) -> tuple[Array, Array]:
        """The checked result of a Python method."""
        given = {"prediction": self.place("prediction", prediction), "target": self.place("target", target)}
        result = self.method("value_and_gradient", prediction.shape, given)
        value = self.checked("the value of value_and_gradient", result[0], (len(prediction),))
        return value, self.checked("the gradient of value_and_gradient", result[1], prediction.shape)

    def each(self, prediction: Any, target: Any, *, fused: bool = False) -> tuple[Array, Array]:
        """The loss of each row, computed separately, and its gradient."""
        prediction, target = self.cast(prediction), self.cast(target)
        rows, outputs = prediction.shape
        if not self.compiled:
            pairs = [self._pair(prediction[i : i + 1], target[i : i + 1]) for i in range(rows)]
            return np.concatenate([v for v, _ in pairs]).astype(np.float64), np.concatenate([g for _, g in pairs])
        name = "fused_value_and_gradient" if fused else "value_and_gradient"
        h = self.h()
        inputs = {"prediction": self.place("prediction", prediction), "target": self.place("target", target)}
        memory = self.place("grad", self.undefined(prediction.shape, "grad"), is_input=False)
        function, address, stride = self.function(name), h.address if h else None, outputs * prediction.itemsize
        starts = [array.address for array in (*inputs.values(), memory)]
        with self.watch.call(name, self.dtype, (1, outputs)):  # once: there are many calls
            values = [
                function(address, 1, outputs, x, t, None, None, d)
                for x, t, d in ([start + i * stride for start in starts] for i in range(rows))
            ]
        self.watch.inspect(name, {**inputs, **({"h": h} if h else {})}, {"grad": memory})
        return np.array(values), memory.array.copy()

    def rows(self, prediction: Array, target: Array, *, fused: bool = False) -> Array:
        """The loss of each row, computed separately."""
        return self.each(prediction, target, fused=fused)[0]

    def line(self, prediction: Array, target: Array, *, fused: bool = False) -> tuple[Array, Array]:
        """The loss and gradient of each of many rows: in one call, if a call can return the loss per row."""
        if self.compiled:
            return self.each(prediction, target, fused=fused)
        return self._pair(self.cast(prediction), self.cast(target))

    def results(self, sample: dict[str, Any]) -> dict[str, Array]:
        value, grad = self(**{name: each for name, each in sample.items() if name != "directions"})
        return {"value": np.array([value]), "grad": grad}

    def made_up(self, sample: dict[str, Any]) -> dict[str, Any]:
        return {"prediction": np.cos(np.arange(np.size(sample["prediction"]))).reshape(np.shape(sample["prediction"]))}

    def directional(self, sample: dict[str, Any]) -> dict[str, Array]:
        prediction, target, weight = self.cast(sample["prediction"]), sample.get("target"), sample.get("weight")
        name = "fused_backward_jvp" if sample.get("fused") else "backward_jvp"
        if not self.has(name):
            return {}
        given = {"prediction": prediction, "target": target, "class_index": sample.get("classes")}
        if not self.compiled and target is None:
            given["target"] = np.eye(prediction.shape[1])[sample["classes"]]
        given |= {"sample_weight": weight, "dprediction": sample["directions"]["prediction"]}
        inputs = {
            key: self.place(key, np.array(each, np.int64) if key == "class_index" else self.cast(each))
            for key, each in given.items()
            if each is not None
        }
        shape = prediction.shape
        if not self.compiled:
            of_method = {key: inputs[key] for key in ("prediction", "target", "dprediction")}
            found = self.checked(name, self.method(name, shape, of_method), shape)
            return {"grad": found if weight is None else self.cast(found * self.cast(weight)[:, None])}
        target_memory = self.place("dgrad", self.undefined(shape, "dgrad"), is_input=False)
        addresses = [inputs[key].address if key in inputs else None for key in given]
        self.invoke(name, shape, inputs, {"dgrad": target_memory}, *shape, *addresses, target_memory.address)
        return {"grad": target_memory.array.copy()}


class _Slots(list[Array]):
    """The arguments of a Python method, with a clear error if it asks for more."""

    def __getitem__(self, key: Any) -> Any:
        try:
            return super().__getitem__(key)
        except IndexError as error:
            raise Failure(f"step() asked for a slot that is not declared: n_slots is {len(self)} ({error})") from error


class OptimizerCalls(Calls):
    """Calls steps of an optimizer in one dtype."""

    component: Optimizer

    @property
    def n_slots(self) -> int:
        """The number of slots that the optimizer declares."""
        return int(self.struct.n_slots if self.struct is not None else self.component.n_slots)

    @property
    def elementwise(self) -> bool:
        """Whether a step may be split into any pieces."""
        return bool(self.flags & abi.ELEMENTWISE)

    @property
    def rate(self) -> float:
        """The learning rate of the first step."""
        return started(self.component.learning_rate)(0)

    def linear(self, t: int, rate: float | None = None) -> tuple[float, float] | None:
        """alpha and beta of step t, or None if the step is not declared linear."""
        if self.struct is None or not ctypes.cast(self.struct.linear_step, ctypes.c_void_p).value:
            return None
        h, alpha, beta = self.h(), ctypes.c_double(np.nan), ctypes.c_double(np.nan)
        rate = self.rate if rate is None else rate
        with self.watch.call("linear_step", "float64", (1, 1)):
            self.struct.linear_step(h.address if h else None, rate, t, ctypes.byref(alpha), ctypes.byref(beta))
        self.watch.inspect("linear_step", {"h": h} if h else {}, {})
        return alpha.value, beta.value

    def zero_slots(self, w: Array) -> list[Array]:
        return [np.zeros(w.shape, self.dtype) for _ in range(self.n_slots)]

    def step(self, w: Array, grad: Any, slots: Sequence[Array], t: int, *, rate: float | None = None) -> None:
        """Do step t, in place on w and the slots."""
        rate = self.rate if rate is None else rate
        if not self.compiled:
            self._python(w, self.cast(grad), slots, rate, t)
            return
        memory = {"w": self.place("w", w, is_input=False), "grad": self.place("grad", self.cast(grad), is_input=False)}
        memory |= {f"slots[{i}]": self.place(f"slots[{i}]", slot, is_input=False) for i, slot in enumerate(slots)}
        n = len(slots)
        undeclared = [
            self.place(f"slots[{n + i}]", self.undefined(w.shape, str(i)), is_input=False)
            for i in range(2 if isinstance(self.manner, Canaries) else 0)
        ]
        addresses = [*(memory[f"slots[{i}]"].address for i in range(n)), *(extra.address for extra in undeclared)]
        table = self.place("slots", np.array(addresses, np.uint64))
        arguments = (rate, t, *w.shape, memory["w"].address, memory["grad"].address, table.address)
        self.invoke("step", w.shape, {"slots": table}, memory, *arguments)
        for i, extra in enumerate(undeclared):
            if extra.changed_inside():
                self.watch.add("slots", f"step wrote to slots[{n + i}], but n_slots is {n} ({self.watch.last})")
        w[...] = memory["w"].array
        for i, slot in enumerate(slots):
            slot[...] = memory[f"slots[{i}]"].array

    def _python(self, w: Array, scratch: Array, slots: Sequence[Array], rate: float, t: int) -> None:
        own = _Slots(array.copy() for array in slots)
        given = list(own)
        with self.watch.call("step", self.dtype, w.shape):
            self.component.step(w, scratch, own, rate, t)
        for i, (slot, moved) in enumerate(zip(slots, given, strict=True)):
            if own[i] is not moved:
                raise Failure(f"step() put another array at slots[{i}]: write into it, slots[{i}][...] = ...")
            slot[...] = moved

    def run(
        self,
        w: Any,
        grads: Sequence[Any],
        *,
        rate: float | None = None,
        t: int = 1,
        slots: Sequence[Array] | None = None,
    ) -> tuple[Array, list[Array]]:
        """w and the slots after one step per gradient. The first is step t."""
        w = self.cast(w)
        own = self.zero_slots(w) if slots is None else [self.cast(slot) for slot in slots]
        for i, grad in enumerate(grads):
            self.step(w, grad, own, t + i, rate=rate)
        return w, own

    def results(self, sample: dict[str, Any]) -> dict[str, Array]:
        w, slots = self.run(**sample)
        return {"w": w, **{f"slots[{i}]": slot for i, slot in enumerate(slots)}}
