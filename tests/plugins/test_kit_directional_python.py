"""The kit takes the directional derivatives of parts in Python, and names what is wrong with them."""

import re

import numpy as np
import pytest

from cynn.activations import Activation
from cynn.layers import Layer, Parameter
from cynn.losses import Loss
from cynn.testing.activations import ActivationChecks
from cynn.testing.layers import LayerChecks
from cynn.testing.losses import LossChecks

CHECK = "directional derivatives"
CHECKS = {"activation": ActivationChecks, "loss": LossChecks, "layer": LayerChecks}


class Sine(Activation):
    """a = z + sin(z)"""

    name = "sine_with_directions"

    def forward(self, z):
        return z + np.sin(z)

    def backward(self, z, a, grad):
        return grad * (1 + np.cos(z))

    def jvp(self, z, a, dz):
        return dz * (1 + np.cos(z))

    def backward_jvp(self, z, a, grad, dz, da, dgrad):
        return dgrad * (1 + np.cos(z)) - np.sin(z) * dz * grad


class Share(Activation):
    """a = z² / (1 + Σ z²)"""

    name = "share_with_directions"

    def forward(self, z):
        return z**2 / (1 + (z**2).sum(axis=1, keepdims=True))

    def backward(self, z, a, grad):
        total = 1 + (z**2).sum(axis=1, keepdims=True)
        return 2 * z / total * (grad - (grad * a).sum(axis=1, keepdims=True))


class Cosh(Loss):
    """The mean over the outputs of sqrt(1 + d²)."""

    name = "cosh_with_directions"

    def value_and_gradient(self, prediction, target):
        d = prediction - target
        root = np.sqrt(1 + d * d)
        return root.mean(axis=1), d / root / d.shape[1]

    def backward_jvp(self, prediction, target, dprediction):
        d = prediction - target
        return (1 + d * d) ** -1.5 * dprediction / d.shape[1]


class Product(Layer):
    """a = s x y"""

    name = "product_with_directions"
    n_inputs = 2
    s = Parameter(("units",), initializer={"name": "constant", "value": 0.8})

    def forward(self, x, parameters):
        return parameters["s"] * x[0] * x[1]

    def backward(self, x, parameters, a, grad):
        s = parameters["s"]
        return [grad * s * x[1], grad * s * x[0]], {"s": (grad * x[0] * x[1]).sum(axis=0)}

    def jvp(self, x, parameters, a, dx, dparameters):
        s = parameters["s"]
        return dparameters["s"] * x[0] * x[1] + s * (dx[0] * x[1] + x[0] * dx[1])

    def backward_jvp(self, x, parameters, a, grad, dx, dparameters, da, dgrad):
        s, ds = parameters["s"], dparameters["s"]
        first, second = (
            dgrad * s * other + grad * (ds * other + s * moved) for other, moved in ((x[1], dx[1]), (x[0], dx[0]))
        )
        of_s = dgrad * x[0] * x[1] + grad * (dx[0] * x[1] + x[0] * dx[1])
        return [first, second], {"s": of_s.sum(axis=0)}


def report_on(part):
    kind = part.kind
    return CHECKS[kind].report_on(part, raise_on_failure=False, only={CHECK, "inputs unchanged"})


@pytest.mark.parametrize("base", [Sine, Cosh, Product])
def test_right_ones_pass(base):
    report = report_on(base())
    assert report.passed, str(report)
    outcomes = {each.name: each for each in report.checks}
    assert outcomes[CHECK].outcome == "pass" and "derivatives against differences" in outcomes[CHECK].evidence


def half(method):
    return lambda self, *given: method(self, *given) / 2


def forgets_weights(self, x, parameters, a, grad, dx, dparameters, da, dgrad):
    nothing = {"s": np.zeros_like(parameters["s"])}
    return Product.backward_jvp(self, x, parameters, a, grad, dx, nothing, da, dgrad)


def without_gradients(self, *given):
    dx, of_parameters = Product.backward_jvp(self, *given)
    return dx, {"s": 0 * of_parameters["s"]}


def clips(self, z, a, grad, dz, da, dgrad):
    return Sine.backward_jvp(self, z, a, grad, np.clip(dz, -10, 10), da, dgrad)


def writes(self, prediction, target, dprediction):
    dprediction *= 2
    return Cosh.backward_jvp(self, prediction, target, dprediction)


FAULTS = [
    (Sine, {"jvp": half(Sine.jvp)}, "jvp of .* derivative of a: element .* by differences"),
    (Sine, {"backward_jvp": half(Sine.backward_jvp)}, "backward_jvp of .* of dC/dz: element .* by differences"),
    (Sine, {"backward_jvp": clips}, "must be linear in the directions: 10000 times as far"),
    (Sine, {"backward_jvp": lambda self, *given: given[0][:, 0]}, "backward_jvp must return an array of shape"),
    (Sine, {"jvp": None}, "jvp must be given with backward_jvp"),
    (Share, {"jvp": Share.backward}, "jvp of .* derivative of a: element .* by differences"),
    (Cosh, {"backward_jvp": half(Cosh.backward_jvp)}, "backward_jvp of .* derivative of grad.* by differences"),
    (Cosh, {"backward_jvp": writes}, "backward_jvp changed its input dprediction"),
    (Product, {"jvp": half(Product.jvp)}, "jvp of .* derivative of a: element .* by differences"),
    (Product, {"backward_jvp": forgets_weights}, r"backward_jvp of .* derivative of ∂C/∂x\[0\].* by differences"),
    (Product, {"backward_jvp": without_gradients}, "backward_jvp of .* derivative of ∂C/∂s.* by differences"),
]


@pytest.mark.parametrize(("base", "methods", "pattern"), FAULTS)
def test_fault_is_named(base, methods, pattern):
    part = type("Faulty", (base,), {"__doc__": base.__doc__, "name": "faulty_directions", **methods})()
    report = report_on(part)
    assert any(re.search(pattern, each.evidence) for each in report.failures), str(report)


def test_those_without_are_left_out():
    class Plain(Sine):
        """a = 2 z"""

        def forward(self, z):
            return 2 * z

        def backward(self, z, a, grad):
            return 2 * grad

    outcomes = {each.name: each for each in report_on(Plain()).checks}
    assert outcomes[CHECK].outcome == "-" and "it has no" in outcomes[CHECK].evidence
