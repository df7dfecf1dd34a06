"""Directional derivatives: every part of the library has them, and the conformance kit names what is wrong."""

import functools
import re
import sys

import every_part
import pytest
from kit_plugins import compiled
from kit_plugins import made as class_of

from cynn import registry
from cynn.activations import Activation
from cynn.layers import Layer, Parameter
from cynn.losses import Loss
from cynn.testing import tangent_calls
from cynn.testing.activations import ActivationChecks
from cynn.testing.layer_calls import built
from cynn.testing.layers import LayerChecks
from cynn.testing.losses import LossChecks

CHECK = "directional derivatives"
INSIDE, BOUNDS, INPUTS = "stays within its arrays", "writes nothing outside its output", "inputs unchanged"
CHECKS = {"activation": ActivationChecks, "loss": LossChecks, "layer": LayerChecks}
FUNCTIONS = {
    "activation": {"forward": "cube", "backward": "cube", "jvp": "cube", "backward_jvp": "cube"},
    "loss": {"value_and_gradient": "cubic", "backward_jvp": "cubic"},
    "layer": dict.fromkeys(["forward", "backward", "gradient", "jvp", "backward_jvp", "gradient_jvp"], "scaled"),
}


class Scaled(Layer):
    """a = x s."""

    name = "scaled"
    factor = Parameter()

    def build(self, builder, values):
        units = builder.widths[values[0]]
        factor = builder.parameter("factor", builder.constant(0.8, units))
        return builder.add(self.kernel, values, units, parameters=[factor])


@functools.cache
def library():
    return compiled("kit_directional.c")


def made(kind, **faulty):
    """A part with functions that are right, but for those of other names."""
    names = {**FUNCTIONS[kind], **faulty}
    functions = {
        f"{function}_{suffix}": getattr(
            library(), f"{name}_{'loss' if function == 'value_and_gradient' else function}_{suffix}"
        )
        for function, name in names.items()
        for suffix in ("f32", "f64")
        if name
    }
    if kind == "activation":
        return class_of(Activation, Activation.from_addresses(**functions, needs_z=True))
    if kind == "loss":
        return class_of(Loss, Loss.from_addresses(**functions, class_index=True))
    body = {"__doc__": "a = x s.", "__module__": __name__, "kernel": Layer.from_addresses(**functions)}
    return type("CompiledScaled", (Scaled,), body)()


def report_on(part, kind, *checks):
    return CHECKS[kind].report_on(part, raise_on_failure=False, only=set(checks))


FAULTS = [
    ("activation", {"backward_jvp": "half"}, CHECK, "backward_jvp of .* of dC/dz: element .* by differences"),
    ("activation", {"backward_jvp": "forgets"}, CHECK, "backward_jvp of .* by differences"),
    ("activation", {"jvp": "twice"}, CHECK, "jvp of .* derivative of a: element .* by differences"),
    ("activation", {"jvp": "adds"}, CHECK, "by differences|in those that it has to write"),
    ("activation", {"backward_jvp": "spreads"}, CHECK, "by differences|must not depend on the rows beside it"),
    ("activation", {"backward_jvp": "nan_spreads"}, CHECK, "a NaN in the first row must not reach"),
    ("activation", {"backward_jvp": "clips"}, CHECK, r"must be linear in the directions: 10000 times as far"),
    ("activation", {"backward_jvp": "reads_behind"}, INSIDE, "SIGSEGV.*in backward_jvp"),
    ("activation", {"backward_jvp": "writes_behind"}, BOUNDS, "backward_jvp"),
    ("activation", {"backward_jvp": "writes_dz"}, INPUTS, "backward_jvp .*dz"),
    ("loss", {"backward_jvp": "unweighted"}, CHECK, "must be its sample_weight times that without"),
    ("loss", {"backward_jvp": "gauss_newton"}, CHECK, "backward_jvp of .* derivative of grad.* by differences"),
    ("loss", {"backward_jvp": "without_classes"}, CHECK, "with class_index must be that with one-hot rows"),
    ("loss", {"backward_jvp": "leaves_some"}, CHECK, "backward_jvp of .* by differences. Got nan"),
    ("layer", {"jvp": "of_x"}, CHECK, "jvp of .* derivative of a.* by differences"),
    ("layer", {"jvp": "first_row"}, CHECK, "jvp of .* by differences"),
    ("layer", {"backward_jvp": "of_delta"}, CHECK, "backward_jvp of .* derivative of ∂C/∂x.* by differences"),
    ("layer", {"gradient_jvp": "of_own"}, CHECK, "gradient_jvp of .* derivative of ∂C/∂factor.* by differences"),
]


@pytest.mark.skipif(sys.platform != "linux", reason="the faults are written for glibc")
@pytest.mark.parametrize(
    ("kind", "faulty", "check", "pattern"), FAULTS, ids=[f"{kind}-{next(iter(f.values()))}" for kind, f, *_ in FAULTS]
)
def test_fault_is_named(kind, faulty, check, pattern):
    report = report_on(made(kind, **faulty), kind, check, CHECK)
    found = {each.name: each.evidence for each in report.failures}
    assert check in found, str(report)
    assert re.search(pattern, found[check]), found[check]


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_right_ones_pass_and_those_without_are_left_out(kind):
    checks = (CHECK, INSIDE, "any alignment", BOUNDS, INPUTS)
    report = report_on(made(kind), kind, *checks)
    assert report.passed, str(report)
    outcomes = {each.name: each for each in report.checks}
    assert outcomes[CHECK].outcome == "pass" and "derivatives against differences" in outcomes[CHECK].evidence
    names = [name for name in FUNCTIONS[kind] if name.endswith("jvp")]
    without = {each.name: each for each in report_on(made(kind, **dict.fromkeys(names)), kind, CHECK).checks}
    assert without[CHECK].outcome == "-" and "it has no" in without[CHECK].evidence


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_activation_and_loss_has_them(dtype):
    for kind in ("activation", "loss"):
        for text in every_part.PARTS[kind]:
            part = registry.of_kind(kind).get(every_part.make(kind, text))
            calls = CHECKS[kind].calls_of(part, dtype)
            assert calls.has("backward_jvp"), text
            assert kind == "loss" or not calls.rowwise or calls.has("jvp"), text
            assert kind == "activation" or not calls.fuses_with or calls.has("fused_backward_jvp"), text


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_layer_has_them(dtype):
    for text in every_part.PARTS["layer"]:
        layer = every_part.make("layer", text)
        if layer.kind == "layer" and not text.startswith("Input"):
            n = 2 if text.startswith(("Add()", "Concatenate()")) else 1
            assert tangent_calls.lacking(built(layer, [96] * n, dtype), dtype) is None, text
