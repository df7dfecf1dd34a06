"""The conformance kit holds a `c_source` to its kernel."""

import exported
import numpy as np
import pytest
from exported import ACTIVATIONS

import cynn
from cynn.testing.activations import ActivationChecks


def result(activation):
    report = ActivationChecks.report_on(activation, raise_on_failure=False, only={"c_source"})
    return next(check for check in report.checks if check.name == "c_source")


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation(name):
    assert result(ACTIVATIONS[name]).outcome == "pass"


class Cube(cynn.activations.Activation):
    """a = factor z³"""

    name = "cube"
    factor: float = cynn.hyperparameter(default=2.0, doc="What it is multiplied by.")

    def forward(self, z):
        return self.factor * z**3

    def backward(self, z, a, grad):
        return grad * 3 * self.factor * z**2


@pytest.mark.parametrize(
    ("formula", "outcome", "said"),
    [("factor * z * z * z", "pass", "numbers, of the formula"),
     ("z * z * z", "FAIL", "must give what the kernel gives"),
     ("z != z ? 0 : factor * z * z * z", "FAIL", "must give what the kernel gives, nan"),
     ("z < 0 ? 0 : factor * z * z * z", "FAIL", "must give what the kernel gives"),
     ("2 * cube(z)", "FAIL", "function in the c_source"), (None, "-", "it has no c_source")],
)  # fmt: skip
def test_ones_own(formula, outcome, said):
    check = result(type("Own", (Cube,), {"c_source": formula, "name": "own_cube", "__doc__": Cube.__doc__})())
    assert check.outcome == outcome
    assert said in check.evidence


def test_it_is_what_leaves(tmp_path):
    cube = type("C", (Cube,), {"c_source": "factor * z * z * z"})()
    net = cynn.Network([cynn.Input(2), cynn.Activation(cube)], seed=0)
    net.to_c(tmp_path / "net.c")
    x = np.array([[1.0, -2.0]], np.float32)
    assert (exported.Compiled(tmp_path / "net.c", ["-O1"], "float32")(x) == [[2.0, -16.0]]).all()
