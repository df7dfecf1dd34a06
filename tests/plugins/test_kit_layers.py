"""The conformance kit and layers: the built-in ones pass, and each planted fault is caught by its name."""

import os
import re

import numpy as np
import pytest

import cynn
from cynn import testing
from cynn.errors import InvalidParameterError
from cynn.layers import Layer, Parameter
from cynn.testing.layers import LayerChecks

FIND = cynn.registry.layers.find
AT_ONCE = [cynn.PReLU(), cynn.Dropout(0.3), FIND("scale")()]
LAYERS = [  # the rest of what comes with CyNN, with -m slow
    cynn.Dense(4, "tanh"),
    cynn.Dense(3, "relu", use_bias=False),
    cynn.Dense(4, learning_rate_factor=0.5),
    cynn.BatchNorm(),
    cynn.LayerNorm(),
    cynn.RMSNorm(),
    cynn.AlphaDropout(0.1),
    cynn.GaussianNoise(0.1),
    cynn.GLU(4),
    cynn.Maxout(3),
    cynn.Activation("softmax"),
    cynn.Add(),
    cynn.Concatenate(),
    cynn.Add([[], [cynn.Dense(4), cynn.Dense(5, "relu")]]),
    cynn.Residual([cynn.LayerNorm(), cynn.Dense(5)]),
    cynn.Embedding(4, 3, columns=1),
    FIND("numerical_embedding")("pbld"),
    FIND("numerical_embedding")("plr"),
    FIND("numerical_embedding")("ple", bins=[np.linspace(-1, 1, 4)] * 5),
    FIND("mixture_of_experts")(3),
    FIND("batch_ensemble")(3, 4, first=True),
    FIND("batch_ensemble")(3, 4),
    FIND("member_mean")(1),
]


class Scaled(Layer):
    """a = factor x, column by column."""

    name = "scaled"
    factor = Parameter(shape=("inputs",), initializer=cynn.initializers.Constant(0.8))

    def forward(self, x, parameters):
        return x * parameters["factor"]

    def backward(self, x, parameters, a, grad):
        return grad * parameters["factor"], {"factor": (grad * x).sum(axis=0)}


def forward_of(function):
    return type("Faulty", (Scaled,), {"__doc__": Scaled.__doc__, "forward": lambda self, x, p: function(self, x, p)})


def backward_of(change):
    def backward(self, x, parameters, a, grad):
        return change(*Scaled.backward(self, x, parameters, a, grad))

    return type("Faulty", (Scaled,), {"__doc__": Scaled.__doc__, "backward": backward})


def remembers(self, x, parameters):
    Scaled.calls = getattr(Scaled, "calls", 0) + 1
    return x * parameters["factor"] * (1 + 1e-3 * Scaled.calls)


BATCH = "rows independent of the batch"
FAULTS = {
    "half by the input": (backward_of(lambda dx, d: (dx / 2, d)), "gradient", "the gradient by the input must be"),
    "half by the factor": (backward_of(lambda dx, d: (dx, {"factor": d["factor"] / 2})), "gradient",
                           "the gradient by the parameter factor must be"),
    "mean over rows": (backward_of(lambda dx, d: (dx, {"factor": d["factor"] / len(dx)})), "gradient",
                       "by the parameter factor"),
    "mean of the batch": (forward_of(lambda s, x, p: (x - x.mean(axis=0)) * p["factor"]), BATCH,
                          "must not depend on the rows beside it"),
    "many rows": (forward_of(lambda s, x, p: x * p["factor"] * (1 + 1e-3 * (len(x) > 40))), "large and odd shapes",
                  "1031 rows of 129 columns"),
    "no NaN": (forward_of(lambda s, x, p: np.nan_to_num(x) * p["factor"]), "NaN let through", "must let NaN through"),
    "NaN to others": (forward_of(lambda s, x, p: x * p["factor"] + 0 * x.sum()), "NaN let through",
                      "must not reach other rows"),
    "remembers": (forward_of(remembers), "deterministic", "is something remembered"),
    "exit": (forward_of(lambda s, x, p: os._exit(4)), "in a network", r"exit code 4, in predict \(float64, 3 x 5\)"),
}  # fmt: skip


@pytest.mark.parametrize("layer", [*AT_ONCE, *(pytest.param(each, marks=pytest.mark.slow) for each in LAYERS)], ids=str)
def test_what_comes_with_cynn_passes(layer):
    report = testing.check_layer(layer, raise_on_failure=False)
    assert report.passed, str(report)


def test_a_layer_in_python_passes():
    assert testing.check_layer(Scaled).passed
    assert testing.check(f"{__file__}:Scaled").passed
    assert testing.check("prelu").passed


@pytest.mark.parametrize(("faulty", "check", "pattern"), FAULTS.values(), ids=FAULTS)
def test_fault_is_named(faulty, check, pattern):
    report = LayerChecks.report_on(faulty(), raise_on_failure=False, only={check})
    found = {each.name: each.evidence for each in report.failures}
    assert check in found, str(report)
    assert re.search(pattern, found[check]), found[check]
    assert "seed 0" in found[check]


def test_all_layers_are_here():
    made = {type(each) for each in [*AT_ONCE, *LAYERS]}
    own = {FIND(name) for name in cynn.registry.layers.names() if cynn.registry.layers.provider(name) == "cynn-nn"}
    assert own - made == {cynn.Input}


def test_a_class_whose_instances_need_arguments():
    with pytest.raises(InvalidParameterError, match=r"as in check_layer\(Dense\(\.\.\.\)\)"):
        testing.check_layer(cynn.Dense)
