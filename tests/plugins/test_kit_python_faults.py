"""Python classes with one fault each, of the kinds that the conformance kit looks for: it names the fault."""

import ctypes
import os
import re

import numpy as np
import pytest
from kit_plugins import failure_of

from cynn import hyperparameter, testing
from cynn.activations import Activation
from cynn.losses import Loss
from cynn.optimizers import Optimizer


class Cube(Activation):
    """a = z |z|."""

    name = "cube"

    def forward(self, z):
        return z * np.abs(z)

    def backward(self, z, a, grad):
        return 2 * np.abs(z) * grad


class Square(Loss):
    """(prediction - target)², summed over the outputs."""

    name = "square"

    def value_and_gradient(self, prediction, target):
        difference = prediction - target
        return (difference**2).sum(axis=1), 2 * difference


class Plain(Optimizer):
    """w := w - η g."""

    name = "plain"

    def step(self, w, grad, slots, learning_rate, t):
        w -= learning_rate * grad


class Adam(Optimizer):
    """Adam, without epsilon."""

    name = "adam_of_mine"
    n_slots = 2
    beta_1: float = hyperparameter(default=0.9, minimum=0, below=1, doc="Of the mean.")
    beta_2: float = hyperparameter(default=0.999, minimum=0, below=1, doc="Of the mean square.")

    def step(self, w, grad, slots, learning_rate, t):
        m, v = slots
        m[...] = self.beta_1 * m + (1 - self.beta_1) * grad
        v[...] = self.beta_2 * v + (1 - self.beta_2) * grad**2
        t = self.number(t)
        root = np.sqrt(v / (1 - self.beta_2**t)) + 1e-8
        w -= learning_rate * m / (1 - self.beta_1**t) / root

    def number(self, t):
        return t

    def reference(self, w, grad, slots, learning_rate, t):
        Adam.step(self, w, grad, slots, learning_rate, t)


def of(base, method, function, **attributes):
    """A class of its own with another method."""
    name = f"Faulty{base.__name__}"
    return type(name, (base,), {"__doc__": base.__doc__, method: function, **attributes})


def after(base, method, change):
    """The method of a class, and then something more."""
    original = getattr(base, method)

    def changed(self, *args):
        return change(original(self, *args), *args)

    return of(base, method, changed)


def before(base, method, act):
    original = getattr(base, method)

    def changed(self, *args):
        act(*args)
        return original(self, *args)

    return of(base, method, changed)


def number(base):
    return hyperparameter(default=base, minimum=0, maximum=1, doc="A number.")


def leaky(slope):
    """a = slope z below 0, as that function of the hyperparameter has it."""

    def forward(self, z):
        return np.where(z < 0, slope(self.slope) * z, z)

    def backward(self, z, a, grad):
        return np.where(z < 0, slope(self.slope), 1) * grad

    return of(Activation, "forward", forward, name="leaky", backward=backward, slope=number(0.1), __annotations__={})


def step(rate):
    def moved(self, w, grad, slots, learning_rate, t):
        w -= rate(self, learning_rate) * grad

    return of(Plain, "step", moved)


def adam(t):
    return of(Adam, "number", lambda self, given: t(given))


def undo(*arrays):
    own = arrays[0]
    if own.size:
        kept = own.flat[0]
        own.flat[0] = 7
        own.flat[0] = kept


def rows_from(limit, factor):
    return lambda result, z, *rest: np.where(np.arange(z.size).reshape(z.shape) >= limit, factor, 1) * result


def half(limit):
    def backward(self, z, a, grad):
        return np.where((z > 0) & (z < limit), 0.5, z > 0) * grad

    def forward(self, z):
        return np.maximum(z, 0)

    return of(Cube, "backward", backward, forward=forward)


def decayed(sign):
    def moved(self, w, grad, slots, learning_rate, t):
        w -= learning_rate * (grad + sign * self.weight_decay * w)

    return of(Plain, "step", moved, weight_decay=hyperparameter(default=0.01, minimum=0, doc="Decay."))


FENV = ctypes.CDLL(None)
NAN, SHAPES, INSIDE = "NaN and infinity let through", "large and odd shapes", "stays within its arrays"
MATTERS, RATE = "each hyperparameter matters", "in proportion to the learning rate"
T, KINK, FLOAT64 = "every number of a step", "gradient beside kinks", "float64 in full"
LINEAR, SETTINGS = "backward linear in its gradient", "floating-point environment unchanged"

FAULTS = {
    # shapes
    "stops at 4096": (after(Cube, "forward", rows_from(4096, 0)), SHAPES, "must be as it is alone"),
    "half from 65536 on": (after(Cube, "backward", rows_from(65536, 0.5)), SHAPES, "must be as it is alone"),
    "256 columns": (after(Square, "value_and_gradient", lambda r, p, y: (r[0], r[1] * (np.arange(p.shape[1]) < 256))),
                    SHAPES, "gradient of rows of 1031 must be the derivative"),
    # the end of the process
    "abort": (before(Cube, "backward", lambda *_: os.abort()), INSIDE, "SIGABRT.* in backward"),
    "exit": (before(Square, "value_and_gradient", lambda *_: os._exit(0)), INSIDE, "with exit code 0, in value_and"),
    "wild read": (before(Plain, "step", lambda *_: ctypes.string_at(8)), "first step goes against the gradient",
                  "SIGSEGV.* in step"),
    # inputs
    "z undone": (before(Cube, "forward", undo), INSIDE, "forward must not write to its inputs.*Traceback.*in undo"),
    "prediction undone": (before(Square, "value_and_gradient", undo), INSIDE, "read-only"),
    # NaN and infinity
    "nan_to_num": (after(Cube, "forward", lambda a, z: np.nan_to_num(a)), NAN, "must let NaN through"),
    "inf is 0": (after(Cube, "forward", lambda a, z: np.where(np.isinf(z), 0, a)), NAN, "must let infinity through"),
    "nan rows": (after(Square, "value_and_gradient", lambda r, p, y: (np.nan_to_num(r[0]), r[1])), NAN,
                 "the loss must let NaN through"),
    "nan gradients": (of(Plain, "step", lambda self, w, g, s, r, t: Plain.step(self, w, np.nan_to_num(g), s, r, t)),
     NAN,
                      "step must let NaN through"),
    # linearity
    "clip": (after(Cube, "backward", lambda d, *_: np.clip(d, -100, 100)), LINEAR, "must be linear"),
    "small is 0": (after(Cube, "backward", lambda d, *_: np.where(np.abs(d) < 1e-7, 0, d)), LINEAR, "must be linear"),
    "one more": (after(Cube, "backward", lambda d, *_: d + 1e-9), LINEAR, r"times 0 .* Got 1e-09"),
    # hyperparameters
    "is not read": (leaky(lambda h: 0.1), MATTERS, "slope must have an effect.* is it read"),
    "is capped": (leaky(lambda h: min(h, 0.6)), MATTERS, "is it capped"),
    "is squared": (leaky(lambda h: h * h), MATTERS, "is it squared"),
    "another rate": (step(lambda self, rate: self.learning_rate), RATE, "is it read"),
    "a capped rate": (step(lambda self, rate: min(rate, 0.1)), RATE, "is it capped"),
    "a squared rate": (step(lambda self, rate: rate**2), RATE, "is it squared"),
    # t
    "t in 16 bits": (adam(lambda t: t % 65536 or 1), T, "too few bits"),
    "t in 31 bits": (adam(lambda t: (t - 1) % 2**31 + 1), T, "too few bits"),
    "t capped": (adam(lambda t: min(t, 5000)), T, "is t capped"),
    # precision
    "tanh in float32": (of(Cube, "forward", lambda self, z: np.tanh(z.astype(np.float32)).astype(z.dtype),
                           backward=lambda self, z, a, grad: (1 - a * a) * grad), FLOAT64, "through float32"),
    "loss in float32": (of(Square, "value_and_gradient", lambda self, p, y: Square.value_and_gradient(
        self, p.astype(np.float32), y.astype(np.float32))), FLOAT64, "through float32"),
    "step in float32": (of(Plain, "step", lambda self, w, g, s, r, t: np.copyto(w, (w - r * g).astype(np.float32))),
                        FLOAT64, "through float32"),
    # kinks
    "half of relu": (half(1e-3), KINK, r"Got 0\.5"),
    "half of relu, nearer": (half(1e-9), KINK, r"Got 0\.5"),
    "half of |p - t|": (of(Square, "value_and_gradient", lambda self, p, y: (
        np.abs(p - y).sum(axis=1), np.sign(p - y) * np.where(np.abs(p - y) < 1e-5, 0.5, 1))), KINK, r"Got -?0\.5"),
    # reference
    "swapped betas": (of(Adam, "step", lambda self, *args: Adam.step(Adam(beta_1=self.beta_2, beta_2=self.beta_1),
     *args)),
                      "as its reference", "must be what its reference gives"),
    "wrong sign": (decayed(-1), "decay makes weights smaller", "is its sign wrong"),
    "wrong value": (of(Square, "value_and_gradient", lambda self, p, y: (2 * ((p - y) ** 2).sum(axis=1), 4 * (p - y)),
                       reference=lambda self, p, y: ((p - y) ** 2).sum(axis=1)), "as its reference",
                        "the loss of rows"),
}  # fmt: skip


@pytest.mark.parametrize(("faulty", "check", "pattern"), FAULTS.values(), ids=FAULTS)
def test_fault_is_named(faulty, check, pattern):
    evidence = failure_of(faulty, check)
    assert re.search(pattern, evidence, re.S), evidence
    assert "seed 0" in evidence


SETTERS = {
    "rounding": (before(Cube, "forward", lambda *_: FENV.fesetround(0x800)), "direction of rounding from 0x0 to 0x800"),
    "numpy.seterr": (
        before(Cube, "forward", lambda *_: np.seterr(over="raise")),
        r"numpy\.seterr\(over\) from 'ignore'",
    ),
    "rounding in a step": (before(Plain, "step", lambda *_: FENV.fesetround(0x400)), "direction of rounding"),
}


@pytest.mark.parametrize(("faulty", "pattern"), SETTERS.values(), ids=SETTERS)
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the numbers are those of this CPU")
def test_settings_of_the_thread_are_compared_around_each_call(faulty, pattern):
    from kit_plugins import CHECKS

    report = CHECKS[faulty.kind].report_on(faulty, raise_on_failure=False, only={SHAPES, SETTINGS})
    found = {check.name: check.evidence for check in report.failures}
    assert re.search(pattern, found[SETTINGS]), found


def test_what_is_right_passes_these_checks():
    for right in (Cube, Square, Adam, leaky(lambda h: h), decayed(1)):
        report = testing.check(f"{__file__}:{right.__name__}") if right in (Cube, Square, Adam) else None
        if report is None:
            report = {"activation": testing.check_activation, "optimizer": testing.check_optimizer}[right.kind](right)
        assert report.passed


def test_an_exception_comes_with_the_traceback_of_the_class():
    def forward(self, z):
        return undefined_name(z)  # noqa: F821  # the fault

    report = testing.check_activation(of(Cube, "forward", forward), raise_on_failure=False)
    (failure,) = [check for check in report.failures if check.name == "kernel"]
    assert "NameError" in failure.evidence
    assert failure.traceback.startswith("Traceback (most recent call last):")
    assert "return undefined_name(z)" in failure.traceback
    assert "cynn/testing" not in failure.traceback
    assert "return undefined_name(z)" in str(report)


def test_no_message_names_two_numbers_that_look_alike():
    evidence = failure_of(after(Cube, "backward", lambda d, *_: d * (1 + 1e-5)), "gradient")
    expected, got = re.search(r"must be (\S+), by central differences\. backward gave (\S+)", evidence).groups()
    assert expected != got
