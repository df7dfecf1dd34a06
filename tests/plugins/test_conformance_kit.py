"""The kit: everything that comes with CyNN passes it, and each planted fault is caught by its name."""

import ctypes
import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest

import cynn
from cynn import hyperparameter, registry, testing
from cynn.activations import Activation
from cynn.losses import Loss
from cynn.optimizers import Optimizer

CHECKS = {
    "activation": testing.check_activation,
    "loss": testing.check_loss,
    "optimizer": testing.check_optimizer,
}
# Of the catalogue one of each kind at once, the others with -m slow.
AT_ONCE = {"mish", "huber", "lion"}
NAMES = [
    pytest.param(of_kind.kind, name, marks=[pytest.mark.slow] if is_slow else [])
    for of_kind in (registry.activations, registry.losses, registry.optimizers)
    for name in of_kind.names()
    if of_kind.provider(name) == "cynn-nn"
    for is_slow in [of_kind.get(name).__module__.startswith("cynn_plugins") and name not in AT_ONCE]
]


@pytest.mark.parametrize(("kind", "name"), NAMES)
def test_what_comes_with_cynn_passes(kind, name):
    report = CHECKS[kind](name)
    assert report.passed
    assert len(report.checks) >= 17


@pytest.mark.parametrize(
    "optimizer",
    [cynn.optimizers.SGD(momentum=0.9, nesterov=True), cynn.optimizers.SGD(weight_decay=0.1, momentum=0.5)],
)
def test_other_hyperparameters_pass(optimizer):
    assert testing.check_optimizer(optimizer).passed


# -------------------------------------------------------------------------------- faults in Python


class Square(Activation):
    """a = z |z|."""

    name = "square"

    def forward(self, z):
        return z * np.abs(z)

    def backward(self, z, a, grad):
        return 2 * np.abs(z) * grad


class WrongDerivative(Square):
    """a = z |z|."""

    def backward(self, z, a, grad):
        return np.abs(z) * grad


class WrongAtTheKink(Activation):
    """a = max(z, 0)."""

    name = "wrong_at_the_kink"

    def forward(self, z):
        return np.maximum(z, 0)

    def backward(self, z, a, grad):
        return np.where(z == 0, 2, z > 0) * grad


class WrongAtAnotherKink(Activation):
    """a = min(max(z, 0), edge)."""

    name = "wrong_at_another_kink"
    edge: float = hyperparameter(default=3.3, above=0, doc="The largest a.")

    def forward(self, z):
        return np.clip(z, 0, self.edge)

    def backward(self, z, a, grad):
        return np.where(z == np.array(self.edge, z.dtype), -1, (z > 0) & (z < self.edge)) * grad


class WrongAtOnePoint(Activation):
    """a = z σ(z)."""

    name = "wrong_at_one_point"

    def forward(self, z):
        return z * cynn.activations.Sigmoid()(z)

    def backward(self, z, a, grad):
        s = cynn.activations.Sigmoid()(z)
        return np.where(z == 0, 0, s + a * (1 - s)) * grad


class ForgetsHyperparameter(Activation):
    """a = sin(frequency * z)."""

    name = "forgets_hyperparameter"
    frequency: float = hyperparameter(default=1.0, above=0, doc="How fast it swings.")

    def forward(self, z):
        return np.sin(self.frequency * z)

    def backward(self, z, a, grad):
        return np.cos(self.frequency * z) * grad


class NaNAtLargeInput(Activation):
    """a = log(1 + exp(z))."""

    name = "nan_at_large_input"

    def forward(self, z):
        return np.log(np.exp(z) + 1)

    def backward(self, z, a, grad):
        return np.exp(z) / (np.exp(z) + 1) * grad


class ChangesInput(Square):
    """a = z |z|."""

    def forward(self, z):
        z *= np.abs(z)
        return z


class WrongShape(Square):
    """a = z |z|."""

    def backward(self, z, a, grad):
        return (2 * np.abs(z) * grad).sum(axis=0)


class RemembersZ(Square):
    """a = z |z|."""

    def forward(self, z):
        self.z = z.copy()
        return z * np.abs(z)

    def backward(self, z, a, grad):
        # fails only if another z of this shape came in between
        return 2 * np.abs(self.z if self.z.shape == z.shape else z) * grad


class SharedBuffer(Square):
    """a = z |z|."""

    buffer = np.empty((1024, 128))

    def forward(self, z):
        buffer = self.buffer[: z.shape[0], : z.shape[1]]
        for row in range(len(z)):  # slow enough for another thread to come in between
            buffer[row] = np.abs(z[row])
        return (z * buffer).astype(z.dtype)


class MeanOverTheBatch(Activation):
    """a = z - the mean of the batch."""

    name = "mean_over_the_batch"

    def forward(self, z):
        return z - z.mean(axis=0) if len(z) else z

    def backward(self, z, a, grad):
        return grad - grad.mean(axis=0) if len(z) else grad


class Undocumented(Square):
    pass


class UndocumentedHyperparameter(Square):
    """a = z |z|."""

    edge: float = hyperparameter(default=1.0)


class ConfigWithoutHyperparameter(Square):
    """a = z |z|."""

    edge: float = hyperparameter(default=1.0, doc="Nothing.")

    def get_config(self):
        return {"name": self.name}


class NotPicklable(Square):
    """a = z |z|."""

    def __init__(self, *args, **values):
        super().__init__(*args, **values)
        self.function = lambda z: z


class SquaredError(Loss):
    """(prediction - target)², summed over the outputs."""

    name = "squared_error"

    def value_and_gradient(self, prediction, target):
        difference = prediction - target
        return (difference**2).sum(axis=1), 2 * difference


class WrongGradientOfLoss(SquaredError):
    """(prediction - target)², summed over the outputs."""

    def value_and_gradient(self, prediction, target):
        value, gradient = super().value_and_gradient(prediction, target)
        return value, gradient / len(prediction)


class WrongAtTheTarget(Loss):
    """|prediction - target|."""

    name = "wrong_at_the_target"

    def value_and_gradient(self, prediction, target):
        difference = prediction - target
        return np.abs(difference).sum(axis=1), np.where(difference >= 0, 1, -1) * np.where(
            difference == 0, 3, 1
        )


class ChangesTarget(SquaredError):
    """(prediction - target)², summed over the outputs."""

    def value_and_gradient(self, prediction, target):
        target -= prediction
        return (target**2).sum(axis=1), -2 * target


class FirstRowOfLoss(SquaredError):
    """(prediction - target)², summed over the outputs."""

    def value_and_gradient(self, prediction, target):
        value, gradient = super().value_and_gradient(prediction, target)
        value[0] += 0.0
        return value, gradient


class SharedBufferOfLoss(SquaredError):
    """(prediction - target)², summed over the outputs."""

    buffer = np.empty((1024, 128))

    def value_and_gradient(self, prediction, target):
        buffer = self.buffer[: prediction.shape[0], : prediction.shape[1]]
        for row in range(len(prediction)):  # slow enough for another thread to come in between
            buffer[row] = prediction[row] - target[row]
        return (buffer**2).sum(axis=1).astype(prediction.dtype), (2 * buffer).astype(prediction.dtype)


class MeanOverRows(SquaredError):
    """(prediction - target)², summed over the outputs."""

    def value_and_gradient(self, prediction, target):
        value, gradient = super().value_and_gradient(prediction, target)
        return value / max(1, len(value)), gradient


class TotalInsteadOfRows(SquaredError):
    """(prediction - target)², summed over the outputs."""

    def value_and_gradient(self, prediction, target):
        value, gradient = super().value_and_gradient(prediction, target)
        return value.sum(), gradient


class NaNForSomeTargets(Loss):
    """target log(target / prediction)."""

    name = "nan_for_some_targets"
    prediction_range = (0.0, np.inf)

    def value_and_gradient(self, prediction, target):
        return (target * np.log(target / prediction)).sum(axis=1), -target / prediction


class Plain(Optimizer):
    """w := w - η g."""

    name = "plain"

    def step(self, w, grad, slots, learning_rate, t):
        w -= learning_rate * grad


class Ascends(Plain):
    """w := w + η g."""

    def step(self, w, grad, slots, learning_rate, t):
        w += learning_rate * grad


class OvershootsLater(Plain):
    """w := w - η g, 1000 times as far from step 10 on."""

    def step(self, w, grad, slots, learning_rate, t):
        w -= learning_rate * grad * (1 if t < 10 else 1000)


class SharedBufferOfOptimizer(Plain):
    """w := w - η g."""

    buffer = np.empty((1024, 128))

    def step(self, w, grad, slots, learning_rate, t):
        buffer = self.buffer[: w.shape[0], : w.shape[1]]
        for row in range(len(w)):  # slow enough for another thread to come in between
            buffer[row] = learning_rate * grad[row]
        w -= buffer.astype(w.dtype)


class FirstRowOfOptimizer(Plain):
    """w := w - η g."""

    def step(self, w, grad, slots, learning_rate, t):
        super().step(w, grad, slots, learning_rate, t)
        w[0] += 0.0


class DoesNotMove(Plain):
    """w := w - η g."""

    def step(self, w, grad, slots, learning_rate, t):
        w = w - learning_rate * grad


class StateOutsideOfSlots(Plain):
    """w := w + v, with a velocity v."""

    def step(self, w, grad, slots, learning_rate, t):
        self.v = 0.9 * getattr(self, "v", 0) * (t > 1) - learning_rate * grad
        w += self.v


class UndeclaredSlot(Plain):
    """w := w + v, with a velocity v."""

    def step(self, w, grad, slots, learning_rate, t):
        slots[0] *= 0.9
        slots[0] -= learning_rate * grad
        w += slots[0]


class AnotherArrayAsSlot(Plain):
    """w := w + v, with a velocity v."""

    n_slots = 1

    def step(self, w, grad, slots, learning_rate, t):
        slots[0] = 0.9 * slots[0] - learning_rate * grad
        w += slots[0]


class NoBiasCorrectionAtZero(Plain):
    """w := w - η g / √g²."""

    def step(self, w, grad, slots, learning_rate, t):
        w -= learning_rate * grad / np.sqrt(grad * grad)


class CountsByItself(Plain):
    """w := w - η g / steps."""

    count = 0

    def step(self, w, grad, slots, learning_rate, t):
        CountsByItself.count += 1
        w -= learning_rate * grad / CountsByItself.count


PYTHON_FAULTS = [
    (WrongDerivative, "gradient", "by central differences"),
    (WrongAtTheKink, "gradient", r"f′\(0\).* must be between 0 and 1"),
    (WrongAtAnotherKink, "gradient", r"f′\(3\.3\) .* must be between 0 and 1.* gave -1"),
    (WrongAtOnePoint, "gradient", r"f′\(0\).* must be 0\.5.*gave 0 "),
    (ForgetsHyperparameter, "gradient", r"frequency=1\.75"),
    (NaNAtLargeInput, "no NaN at extreme inputs", "must be finite. Got nan"),
    (ChangesInput, "inputs unchanged", "forward changed its input z"),
    (WrongShape, "gradient", "backward must return an array of shape"),
    (RemembersZ, "deterministic", "remembered from call to call"),
    (SharedBuffer, "re-entrant", "static or global buffer"),
    (MeanOverTheBatch, "rows independent of the batch", "must not depend on the rows beside it"),
    (Undocumented, "docstring", "must have a docstring"),
    (UndocumentedHyperparameter, "documented hyperparameters", "edge has none"),
    (ConfigWithoutHyperparameter, "get_config round trip", "lacks edge"),
    (NotPicklable, "pickling", "pickle"),
    (WrongGradientOfLoss, "value is the sum over rows", "gradient of row 0 must be that of the row alone"),
    (WrongAtTheTarget, "gradient", "equal to the prediction"),
    (ChangesTarget, "inputs unchanged", "value_and_gradient changed its input target"),
    (FirstRowOfLoss, "zero rows", "IndexError: index 0 is out of bounds"),
    (SharedBufferOfLoss, "re-entrant", "static or global buffer"),
    (MeanOverRows, "value is the sum over rows", "the mean would be"),
    (TotalInsteadOfRows, "gradient", r"must return an array of shape \(1,\)"),
    (NaNForSomeTargets, "no NaN at extreme inputs", "must be finite. Got nan"),
    (Ascends, "first step goes against the gradient", "w moved up"),
    (OvershootsLater, "goes down a bowl", r"200 steps of .* must end lower than .* Got (inf|nan|\d)"),
    (SharedBufferOfOptimizer, "re-entrant", "static or global buffer"),
    (FirstRowOfOptimizer, "zero rows and one row", "IndexError: index 0 is out of bounds"),
    (DoesNotMove, "first step goes against the gradient", "w did not move"),
    (StateOutsideOfSlots, "saved and restored in the middle", "remembered besides the slots"),
    (UndeclaredSlot, "first step goes against the gradient", "slot that is not declared: n_slots is 0"),
    (AnotherArrayAsSlot, "first step goes against the gradient", "put another array at slots"),
    (NoBiasCorrectionAtZero, "no NaN at extreme gradients", "all gradients 0 .* must leave w finite"),
    (CountsByItself, "deterministic", "remembered from run to run"),
]


def caught(component, check, pattern):
    with pytest.raises(testing.ConformanceError) as error:
        CHECKS[component.kind](component)
    failures = {failure.name: failure.evidence for failure in error.value.report.failures}
    assert check in failures, str(error.value)
    assert re.search(pattern, failures[check]), failures[check]


@pytest.mark.parametrize("good", [Square, SquaredError, Plain])
def test_the_same_without_a_fault(good):
    CHECKS[good.kind](good)


@pytest.mark.parametrize(
    ("faulty", "check", "pattern"), PYTHON_FAULTS, ids=lambda value: getattr(value, "__name__", "")
)
def test_fault_in_python(faulty, check, pattern):
    caught(faulty, check, pattern)


# ------------------------------------------------------------------------------ faults in compiled code


@pytest.fixture(scope="session")
def library(tmp_path_factory):
    """The faulty kernels, compiled."""
    path = tmp_path_factory.mktemp("faulty") / "faulty.so"
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()
    source = Path(__file__).parents[1] / "support" / "faulty_plugins.c"
    command = [*compiler, "-O1", "-shared", "-fPIC", "-w", str(source), "-o", str(path), "-lm"]
    subprocess.run(command, check=True)
    return ctypes.CDLL(str(path))


def functions(library, **names):
    return {
        f"{kernel}_{suffix}": getattr(library, f"{name}_{suffix}")
        for kernel, name in names.items()
        for suffix in ("f32", "f64")
    }


def activation(library, forward="forward", backward="backward", **flags):
    if "needs_z" not in flags and not flags.get("in_place"):
        flags["needs_z"] = True

    class Compiled(Activation):
        """a = z |z|."""

        name = "compiled"
        kernel = Activation.from_addresses(**functions(library, forward=forward, backward=backward), **flags)

    class WithHyperparameter(Compiled):
        """a = z |z|."""

        edge: float = hyperparameter(default=1.0, doc="What the fault writes.")

    return WithHyperparameter if backward == "backward_changes_h" else Compiled


def loss(library, name="loss_good", **fields):
    class Compiled(Loss):
        """(prediction - target)², summed over the outputs."""

    Compiled.name = "compiled"
    Compiled.kernel = Loss.from_addresses(
        **functions(library, value_and_gradient=name), class_index=True, **fields
    )
    return Compiled


def optimizer(library, name="step_good", n_slots=1, **fields):
    class Compiled(Optimizer):
        """w := w + v, with a velocity v."""

    Compiled.name = "compiled"
    fields = {"elementwise": True, **fields}
    Compiled.kernel = Optimizer.from_addresses(**functions(library, step=name), n_slots=n_slots, **fields)
    return Compiled


@pytest.mark.parametrize("make", [activation, loss, optimizer])
def test_the_same_without_a_fault_compiled(library, make):
    CHECKS[make(library).kind](make(library))


ROW_MEAN = {"forward": "forward_row_mean", "backward": "backward_row_mean"}
SWAPPED = {"forward": "forward_swapped", "backward": "backward_swapped"}
NAIVE = {"forward": "forward_naive", "backward": "backward_naive", "needs_a": True}
COMPILED_FAULTS = [
    (activation, {"backward": "backward_wrong"}, "gradient", "by central differences"),
    (activation, {"backward": "backward_overwrites"}, "gradient", "by central differences"),
    (
        activation,
        {"forward": "forward_beyond"},
        "writes nothing outside",
        "forward wrote outside of a.*1 behind the last",
    ),
    (
        activation,
        {"backward": "backward_before"},
        "writes nothing outside",
        "outside of grad.*before its start",
    ),
    (
        activation,
        {"forward": "forward_at_least_one"},
        "writes nothing outside",
        r"forward wrote outside of a, of shape \(0, 4\)",
    ),
    (activation, {"forward": "forward_reads_beyond"}, "reads only its arguments", "what lies beside"),
    (activation, {"forward": "forward_changes_z"}, "inputs unchanged", "forward changed its input z"),
    (activation, {"backward": "backward_changes_h"}, "inputs unchanged", "backward changed its input h"),
    (activation, {"forward": "forward_static"}, "re-entrant", r"bytes of the static memory of faulty\.so"),
    (
        activation,
        {"forward": "forward_keeps", "backward": "backward_kept"},
        "deterministic",
        "remembered from call to call",
    ),
    (activation, {"forward": "forward_mean"}, "rows independent of the batch", "rows beside it"),
    (activation, ROW_MEAN, "rowwise as declared", "set CYNN_ROWWISE"),
    (
        activation,
        {"forward": "forward_mean", "rowwise": True},
        "rowwise as declared",
        "changed with another row",
    ),
    (
        activation,
        {**SWAPPED, "rowwise": True, "in_place": True},
        "aliasing as declared",
        "forward with a == z",
    ),
    (activation, {"needs_z": False}, "reads only its arguments", "z without CYNN_NEEDS_Z"),
    (activation, NAIVE, "no NaN at extreme inputs", "Got nan"),
    (loss, {"name": "loss_gradient"}, "gradient", "by differences"),
    (
        loss,
        {"name": "loss_weight_of_gradient"},
        "sample weights",
        "gradient must be multiplied by its weight",
    ),
    (loss, {"name": "loss_weight_of_value"}, "sample weights", "each row's times its weight"),
    (loss, {"name": "loss_order"}, "value is the sum over rows", "sum of their own values"),
    (loss, {"name": "loss_mean"}, "value is the sum over rows", "the mean would be"),
    (loss, {"name": "loss_class"}, "classes as one-hot rows", "classes must give what one-hot rows give"),
    (loss, {"name": "loss_without_grad"}, "value without gradient", "must not depend on grad"),
    (loss, {"name": "loss_remembers"}, "deterministic", "remembered from call to call"),
    (loss, {"name": "loss_changes_target"}, "inputs unchanged", "changed its input target"),
    (loss, {"name": "loss_static"}, "re-entrant", r"bytes of the static memory of faulty\.so"),
    (loss, {"name": "loss_heap"}, "re-entrant", r"two threads at once .* alone it is"),
    (loss, {"name": "loss_of_no_rows"}, "zero rows", "the loss of no rows must be 0. Got nan"),
    (loss, {"fuses_with": "sigmoid"}, "fused form", "that of sigmoid and then the loss"),
    (loss, {"fuses_with": "sigmiod"}, "fused form", "fuses_with must name an activation"),
    (optimizer, {"name": "step_up"}, "first step goes", "w moved up"),
    (optimizer, {"name": "step_up_later", "n_slots": 0}, "goes down a bowl", r"must end lower than .* Got \d"),
    (optimizer, {"name": "step_static", "n_slots": 0}, "re-entrant", r"bytes of the static memory of faulty\.so"),
    (
        optimizer,
        {"name": "step_at_least_one", "n_slots": 0},
        "writes nothing outside",
        r"step wrote outside of w, of shape \(0, 4\)",
    ),
    (optimizer, {"name": "step_undeclared"}, "slots as declared", r"wrote to slots\[1\], but n_slots is 1"),
    (optimizer, {"name": "step_reads_undeclared"}, "reads only its arguments", "slot that is not declared"),
    (optimizer, {"name": "step_norm"}, "elementwise as declared", "drop the flag"),
    (
        optimizer,
        {"name": "step_zero", "elementwise": False},
        "no NaN at extreme gradients",
        "all gradients 0 ",
    ),
    (optimizer, {"name": "step_global"}, "parameters apart", "remembered besides the slots"),
    (optimizer, {"name": "step_beyond"}, "writes nothing outside", r"outside of slots\[0\]"),
]


@pytest.mark.parametrize(
    ("make", "arguments", "check", "pattern"),
    COMPILED_FAULTS,
    ids=["-".join(map(str, [make.__name__, *arguments.values()])) for make, arguments, *_ in COMPILED_FAULTS],
)
def test_fault_in_compiled_code(library, make, arguments, check, pattern):
    if "fuses_with" in arguments:
        good = functions(library, fused_value_and_gradient="loss_good")
        arguments = {**arguments, **good}
    with pytest.raises(testing.ConformanceError) as error:
        CHECKS[make.__name__](make(library, **arguments))
    failures = [f"{failure.name}: {failure.evidence}" for failure in error.value.report.failures]
    assert any(re.search(f"^{check}.*: .*{pattern}", failure) for failure in failures), failures


def test_static_buffers_are_seen_however_busy_the_machine_is(library, monkeypatch):
    """Without any luck: here no second thread is started."""
    monkeypatch.setattr("cynn.testing.checks.same_in_two_threads", lambda calls: "not tried")
    for component in (activation(library, "forward_static"), loss(library, "loss_static"),
                      optimizer(library, "step_static", n_slots=0)):
        found = CHECKS[component.kind](component, raise_on_failure=False)
        assert [failure.name for failure in found.failures] == ["re-entrant"]


def test_a_counter_on_which_nothing_depends_is_no_fault(library):
    assert testing.check_loss(loss(library, "loss_counts")).passed


@pytest.mark.parametrize(
    ("base", "good", "faulty", "pattern"),
    [
        (
            Activation,
            {"forward": "forward", "backward": "backward"},
            {"forward": "forward_other"},
            r"forward in float32 at z = .* must be .*, as in float64\. Got",
        ),
        (
            Loss,
            {"value_and_gradient": "loss_good"},
            {"value_and_gradient": "loss_other_value"},
            r"the value in float32 must be that in float64\..* expected .*, got",
        ),
        (
            Loss,
            {"value_and_gradient": "loss_good"},
            {"value_and_gradient": "loss_other_gradient"},
            r"the gradient in float32 must be that in float64\..* expected .*, got",
        ),
        (
            Optimizer,
            {"step": "step_good"},
            {"step": "step_other"},
            r"in float32 must end where those in float64 do, at .* Got",
        ),
    ],
    ids=["activation", "value of a loss", "gradient of a loss", "optimizer"],
)
def test_float32_that_is_another_function(library, base, good, faulty, pattern):
    declared = {
        Activation: {"needs_z": True},
        Loss: {"class_index": True},
        Optimizer: {"n_slots": 1, "elementwise": True},
    }[base]
    addresses = functions(library, **good)
    addresses |= {f"{kernel}_f32": getattr(library, f"{name}_f32") for kernel, name in faulty.items()}

    class Other(base):
        """In float32 another one."""

        name = "other"
        kernel = base.from_addresses(**addresses, **declared)

    with pytest.raises(testing.ConformanceError) as error:
        CHECKS[base.kind](Other)
    (failure,) = error.value.report.failures  # float64 is right, so nothing else is wrong
    assert failure.name == "float32 against float64"
    assert re.search(pattern, failure.evidence), failure.evidence


def test_linear_step_that_is_another_step(library):
    faulty = optimizer(library, "step_plain", n_slots=0, linear_step=library.linear_step_wrong)
    caught(faulty, "linear step as declared", "as linear_step says")
    caught(
        optimizer(library, "step_good", linear_step=library.linear_step_wrong),
        "linear step as declared",
        "no slots alone",
    )


# ------------------------------------------------------------------------------------------ the report


def test_a_report_without_raising():
    report = testing.check_activation(WrongDerivative, raise_on_failure=False)
    assert [check.name for check in report.failures] == ["gradient"]
    assert str(report).splitlines()[0] == (
        "the activation 'square' of test_conformance_kit unpackaged (Python): WrongDerivative()"
    )
    assert (
        str(report).splitlines()[-1].strip()
        == f"1 of {len([c for c in report.checks if c.outcome != '-'])} checks failed"
    )


def test_a_kernel_that_is_none_fails_as_such():
    class Bad(Activation):
        """Nothing."""

        name = "bad"
        kernel = 1

    caught(Bad, "kernel", "must be a capsule named")


@pytest.mark.parametrize("value", ["sigmiod", 3, None])
def test_no_such_component(value):
    with pytest.raises(cynn.CynnError):
        testing.check_activation(value)


def test_nothing_is_left_changed(library):
    np.random.seed(1)  # noqa: NPY002  # the old global state is what is not to be touched
    interval = sys.getswitchinterval()
    testing.check_activation("relu")
    assert np.random.rand() == 0.417022004702574  # noqa: NPY002
    assert sys.getswitchinterval() == interval
