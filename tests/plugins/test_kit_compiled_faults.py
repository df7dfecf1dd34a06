"""Kernels with one fault each, of every kind that the conformance kit looks for: it names the fault."""

import re
import sys

import pytest
from kit_plugins import activation, failure_of, loss, optimizer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the faults are written for glibc")

SLOPE = {"slope": {"default": 0.1, "minimum": 0, "maximum": 1}}
MOMENTUM = {"momentum": {"default": 0.9, "minimum": 0, "below": 1}}
DECAY = {"weight_decay": {"default": 0.01, "minimum": 0}}
BETAS = {"beta_1": {"default": 0.9, "minimum": 0, "below": 1}, "beta_2": {"default": 0.999, "minimum": 0, "below": 1}}
SIDES = {"left": {"default": 0.5, "above": 0}, "right": {"default": 0.5, "above": 0}}
SOFTMAX = {"backward": "softmax", "flags": {"needs_a": True, "rowwise": True}}

ALIGNMENT, SHAPES, INSIDE = "any alignment", "large and odd shapes", "stays within its arrays"
NAN, MATTERS, T = "NaN and infinity let through", "each hyperparameter matters", "every number of a step"
RATE, PIECES, FLOAT64 = "in proportion to the learning rate", "elementwise as declared", "float64 in full"
SETTINGS, KINK = "floating-point environment unchanged", "gradient beside kinks"
LINEAR, LINEAR_STEP = "backward linear in its gradient", "linear step as declared"
REFERENCE, AT_BOUNDS, SUM = "as its reference", "bounds of hyperparameters", "sum in double"

FAULTS = [
    # of kinds that nobody expects
    (activation, {"forward": "shared_when_large"}, "re-entrant", "static or global memory"),
    (activation, {"forward": "grows"}, SHAPES, "a of 1 x 4099"),
    (activation, {"forward": "at_4096"}, SHAPES, "a of 4096 x 1"),
    (activation, {"forward": "float_sum", **SOFTMAX}, "gradient", "must be"),
    (activation, {"forward": "float_h", "backward": "float_h", "hyperparameters": SLOPE}, FLOAT64,
     "a in float64 must follow hyperparameter 0 in all its bits"),
    (activation, {"forward": "one_column"}, SHAPES, "a of "),
    (loss, {"name": "at_4096"}, SHAPES, "the gradient of 4096 x 2"),
    (loss, {"name": "float_row"}, FLOAT64, "the value in float64|value in float64"),
    (loss, {"name": "one_column"}, SHAPES, "the gradient of rows of 1 must be the derivative"),
    (loss, {"name": "no_rows"}, "zero rows", "the loss of no rows must be 0"),
    (loss, {"name": "first_weight"}, "sample weights", "each row's times its weight"),
    (loss, {"name": "no_weight_of_classes"}, "classes as one-hot rows", "classes must give what one-hot rows give"),
    (loss, {"name": "adds"}, "reads only its arguments", "."),
    (optimizer, {"name": "other_array"}, "deterministic", "is something remembered"),
    (optimizer, {"name": "at_4096"}, SHAPES, "w of 32 x 128"),
    (optimizer, {"name": "one_row"}, PIECES, "steps on pieces must give"),
    (optimizer, {"name": "float_h", "n_slots": 1, "hyperparameters": MOMENTUM}, FLOAT64,
     "must follow hyperparameter 0 in all its bits"),
    # alignment
    (activation, {"forward": "aligned_head"}, ALIGNMENT,
     r"a must not depend on where arrays start: moved by \d+ bytes"),
    (activation, {"backward": "aligned_grad"}, ALIGNMENT, r"dC/dz must not depend on where arrays start"),
    (activation, {"forward": "aligned_loads"}, INSIDE, "SIGSEGV.* in forward"),
    (loss, {"name": "aligned"}, ALIGNMENT, "value must not depend on where arrays start"),
    (optimizer, {"name": "aligned"}, ALIGNMENT, "w must not depend on where arrays start"),
    # large and odd shapes
    (activation, {"forward": "stops"}, SHAPES, "a of 1031 x 129: each element must be as it is alone"),
    (activation, {"forward": "blocks"}, SHAPES, "a of 1031 x 129: each element must be as it is alone"),
    (activation, {"backward": "many_rows"}, SHAPES, "dC/dz of 1031 x 129"),
    (activation, {"forward": "buffer", **SOFTMAX}, SHAPES, "backward of rows of 129 must be the derivative"),
    (activation, {"forward": "overflows", **SOFTMAX}, SHAPES, r"ended by SIG.* in forward \(float64, 1 x 1031\)"),
    (loss, {"name": "byte"}, "classes as one-hot rows", "300 classes"),
    (loss, {"name": "first_columns"}, SHAPES, "every output must count. Of 1031 those from 256 on"),
    (loss, {"name": "late_rows"}, SHAPES, "the gradient of 1031 x 129"),
    (optimizer, {"name": "stops"}, SHAPES, "w of 1031 x 129: each element must be"),
    (optimizer, {"name": "stops", "elementwise": False}, SHAPES, "must move alike.* is a part left out"),
    (optimizer, {"name": "tail"}, SHAPES, "w of 1031 x 129"),
    # outside of arrays
    (activation, {"forward": "writes_back"}, INSIDE,
     "forward must read and write nothing behind the end of a: .*SIGSEGV"),
    (activation, {"forward": "writes_three"}, INSIDE, "nothing behind the end of [za]"),
    (activation, {"forward": "reads_before"}, INSIDE, "forward must read and write nothing before the start of z"),
    (activation, {"backward": "reads_behind"}, INSIDE, "backward must read and write nothing behind the end of z"),
    (loss, {"name": "reads_weight"}, INSIDE, "behind the end of sample_weight"),
    (loss, {"name": "reads_far"}, INSIDE, "behind the end of target"),
    (optimizer, {"name": "writes_back"}, INSIDE, "step must read and write nothing before the start of grad"),
    (optimizer, {"name": "reads_table"}, INSIDE, "behind the end of slots"),
    # the end of the process
    (activation, {"forward": "aborts"}, "gradient", r"SIGABRT \(Aborted\), in forward \(float64, \d+ x 1\), seed 0"),
    (activation, {"backward": "reads_null"}, INSIDE, r"SIGSEGV.* in backward \(float64, 7 x 33\)"),
    (loss, {"name": "exits"}, "classes as one-hot rows", "ended, with exit code 3, in value_and_gradient"),
    (optimizer, {"name": "writes_wild"}, "goes down a bowl", "SIGSEGV.* in step"),
    # NaN and infinity
    (activation, {"forward": "no_nan"}, NAN,
     r"forward must let NaN through. Of z = nan at .* it made 0 .*3 x 5, seed 0"),
    (activation, {"forward": "no_infinity"}, NAN, r"forward must let infinity through"),
    (activation, {"forward": "index"}, NAN, "SIGSEGV"),
    (activation, {"backward": "no_nan"}, NAN, "backward must let nan in ∂C/∂a through"),
    (loss, {"name": "no_nan"}, NAN, "the loss must let NaN through. With nan in the prediction"),
    (loss, {"name": "nan_index"}, NAN, "SIGSEGV"),
    (optimizer, {"name": "no_nan"}, NAN, "step must let NaN through. With a gradient of nan"),
    (optimizer, {"name": "no_infinity"}, NAN, "step must let infinity through"),
    (activation, {"forward": "nan_at_0", "backward": "leaky", "hyperparameters": SLOPE}, AT_BOUNDS,
     "with slope=0, which"),
    (optimizer, {"name": "nan_at_0", "n_slots": 1, "hyperparameters": MOMENTUM}, AT_BOUNDS, "with momentum=0, which"),
    # backward that is not linear
    (activation, {"backward": "clips"}, LINEAR, r"backward must be linear in ∂C/∂a: with ∂C/∂a times 10+ "),
    (activation, {"backward": "drops_small"}, LINEAR, "must be linear in ∂C/∂a: .* Got 0 "),
    (activation, {"backward": "absolute"}, LINEAR, r"with ∂C/∂a times -1 "),
    (activation, {"backward": "adds"}, LINEAR, r"with ∂C/∂a times 0 .* Got 1e-07"),
    # hyperparameters
    (activation, {"forward": "constant", "backward": "constant", "hyperparameters": SLOPE}, MATTERS, "is it read"),
    (activation, {"forward": "capped", "backward": "capped", "hyperparameters": SLOPE}, MATTERS, "is it capped"),
    (activation, {"forward": "squared", "backward": "squared", "hyperparameters": SLOPE}, MATTERS, "is it squared"),
    (optimizer, {"name": "momentum_constant", "n_slots": 1, "hyperparameters": MOMENTUM}, MATTERS, "is it read"),
    (optimizer, {"name": "momentum_capped", "n_slots": 1, "hyperparameters": MOMENTUM}, MATTERS, "is it capped"),
    (optimizer, {"name": "momentum_squared", "n_slots": 1, "hyperparameters": MOMENTUM}, MATTERS, "is it squared"),
    (optimizer, {"name": "decay_squared", "hyperparameters": DECAY}, MATTERS, "weight_decay must .* is it squared"),
    # the learning rate
    (optimizer, {"name": "rate_ignored"}, RATE, "is it read"),
    (optimizer, {"name": "rate_capped"}, RATE, "is it capped"),
    (optimizer, {"name": "rate_squared"}, RATE, "as the rate to the power of 2: is it squared"),
    (optimizer, {"name": "rate_root"}, RATE, "to the power of 0.5"),
    # the number of the step
    (optimizer, {"name": "short_t", "n_slots": 2, "hyperparameters": BETAS}, T, "step 65536 .* too few bits"),
    (optimizer, {"name": "int_t", "n_slots": 2, "hyperparameters": BETAS}, T, "step 2147483648 .* too few bits"),
    (optimizer, {"name": "capped_t", "n_slots": 2, "hyperparameters": BETAS}, T, "Up to t = 1,024 .* is t capped"),
    (optimizer, {"name": "capped_late", "n_slots": 2, "hyperparameters": BETAS}, T, "Up to t = 131,072 .* is t capped"),
    # elementwise, and linear
    (optimizer, {"name": "clips_norm"}, PIECES, "with gradients of the size 10000: drop the flag"),
    (optimizer, {"name": "neighbour"}, PIECES, "drop the flag"),
    (optimizer, {"name": "by_column"}, PIECES, "drop the flag"),
    (optimizer, {"linear": "linear_off"}, LINEAR_STEP, "as linear_step says"),
    (optimizer, {"linear": "linear_beta_off"}, LINEAR_STEP, "as linear_step says"),
    (optimizer, {"linear": "linear_late"}, LINEAR_STEP, "step 100000 of"),
    (optimizer, {"linear": "linear_float"}, LINEAR_STEP, "as linear_step says"),
    # precision
    (optimizer, {"name": "float_rate"}, FLOAT64,
     "w in float64 must follow the (gradient|learning rate) in all its bits"),
    (optimizer, {"name": "float_w"}, FLOAT64, "w in float64 must follow w in all its bits.* through float32"),
    (optimizer, {"name": "float_slot", "n_slots": 1, "hyperparameters": MOMENTUM}, FLOAT64, "through float32"),
    (activation, {"forward": "float_tanh", "backward": "tanh", "flags": {"needs_a": True}}, FLOAT64, "a in float64"),
    (loss, {"name": "float_sum"}, SUM, r"summed in double. Of 65,539 rows .*float32\) it must be"),
    (loss, {"name": "float_always"}, SUM, "is the sum, or a part of it, in float"),
    (loss, {"name": "float_blocks"}, SUM, "is the sum, or a part of it, in float"),
    # inputs that are written for a moment
    (activation, {"forward": "h_undone", "backward": "leaky", "hyperparameters": SLOPE}, INSIDE,
     "forward must not write to its input h, not even for a moment: .*SIGSEGV"),
    (activation, {"backward": "z_undone"}, INSIDE, "backward must not write to its input z, not even for a moment"),
    (loss, {"name": "target_undone"}, INSIDE, "must not write to its input target"),
    (optimizer, {"name": "h_undone", "n_slots": 1, "hyperparameters": MOMENTUM}, INSIDE,
     "must not write to its input h"),
    # half a gradient near a kink
    (activation, {"forward": "relu", "backward": "half_relu"}, KINK,
     r"must give the derivative on that side, 1 .* Got 0\.5"),
    (activation, {"forward": "leaky", "backward": "half_left", "hyperparameters": SLOPE}, KINK, "on that side"),
    (loss, {"name": "half"}, KINK, r"must be -?1, by differences. Got -?0\.5"),
    # signs, and hyperparameters that are swapped
    (optimizer, {"name": "decay_grows", "hyperparameters": DECAY}, "decay makes weights smaller", "is its sign wrong"),
]  # fmt: skip


def name_of(make, given):
    return "-".join([make.__name__, *(given[key] for key in ("name", "forward", "backward", "linear") if key in given)])


@pytest.mark.parametrize(
    ("make", "arguments", "check", "pattern"), FAULTS, ids=[name_of(make, given) for make, given, *_ in FAULTS]
)
def test_fault_is_named(make, arguments, check, pattern):
    evidence = failure_of(make(**arguments), check)
    assert re.search(pattern, evidence), evidence
    assert "seed 0" in evidence


@pytest.mark.parametrize(
    ("make", "arguments", "seen_after"),
    [
        (activation, {"forward": "rounds_up"}, "large and odd shapes"),
        (activation, {"forward": "flush_when_large"}, "re-entrant"),
        (loss, {"name": "flushes"}, "gradient"),
        (optimizer, {"name": "traps"}, "goes down a bowl"),
    ],
)
def test_settings_of_the_thread_are_compared_around_each_call(make, arguments, seen_after):
    from kit_plugins import CHECKS

    component = make(**arguments)
    report = CHECKS[component.kind].report_on(component, raise_on_failure=False, only={seen_after, SETTINGS})
    found = {check.name: check.evidence for check in report.failures}
    assert re.search(r"changed (the|flush).* from 0x.* to 0x.*\(float(32|64)", found[SETTINGS])


def reference_of_sides(self, z):
    import numpy as np

    return np.where(z < 0, self.left, self.right) * z


def reference_of_adam(self, w, grad, slots, learning_rate, t):
    import numpy as np

    slots[0][...] = self.beta_1 * slots[0] + (1 - self.beta_1) * grad
    slots[1][...] = self.beta_2 * slots[1] + (1 - self.beta_2) * grad**2
    root = np.sqrt(slots[1] / (1 - self.beta_2**t))
    w -= learning_rate * slots[0] / (1 - self.beta_1**t) / (root + 1e-8)


def reference_of_decay(self, w, grad, slots, learning_rate, t):
    w -= learning_rate * (grad + self.weight_decay * w)


REFERENCES = [
    (activation, {"forward": "sides", "backward": "sides", "hyperparameters": SIDES, "reference": reference_of_sides},
     {"forward": "swapped", "backward": "swapped"}),
    (optimizer, {"name": "adam", "n_slots": 2, "hyperparameters": BETAS, "reference": reference_of_adam},
     {"name": "adam_swapped"}),
    (optimizer, {"name": "decay", "hyperparameters": DECAY, "reference": reference_of_decay}, {"name": "decay_grows"}),
]  # fmt: skip


@pytest.mark.parametrize(("make", "right", "wrong"), REFERENCES, ids=["sides", "betas", "decay"])
def test_what_differs_from_its_reference(make, right, wrong):
    from kit_plugins import CHECKS

    component = make(**right)
    report = CHECKS[component.kind].report_on(component, raise_on_failure=True, only={REFERENCE})
    assert any(check.name == REFERENCE and check.outcome == "pass" for check in report.checks)
    evidence = failure_of(make(**{**right, **wrong}), REFERENCE)
    assert "must be what its reference gives" in evidence
    assert "swapped, or is a sign wrong" in evidence
