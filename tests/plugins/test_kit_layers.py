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
    FIND("parametric_activation")("mish"),
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


def writes(array):
    array.flags.writeable = True
    array[...] += 1e-3


def settings(*_):
    np.seterr(over="raise" if np.geterr()["over"] != "raise" else "warn")


class Last:
    """What the call before has left."""

    value = 0.0

    @classmethod
    def of(cls, x):
        before, cls.value = cls.value, float(x.sum()) if len(x) else 0.0
        return before


class Product(Layer):
    """a = x y."""

    name = "product_in_python"
    n_inputs = 2

    def forward(self, x, parameters):
        return x[0] * x[1]

    def backward(self, x, parameters, a, grad):
        return [grad * x[1], grad * x[0]], {}


def product_of(change):
    def backward(self, x, parameters, a, grad):
        return change(x, grad), {}

    return type("Faulty", (Product,), {"__doc__": Product.__doc__, "backward": backward})


def single(array):
    return array.astype(np.float32).astype(array.dtype)


BATCH, LINEAR, FULL = "rows independent of the batch", "backward linear in its gradient", "float64 in full"
INPUTS, CALLS, MANY = "inputs unchanged", "deterministic calls", "many rows"
SETTINGS, GRADIENT, NAN = "floating-point environment unchanged", "gradient", "NaN let through"
WIDE, FACTOR, REFERENCE = "gradient of wide rows", "learning-rate factor", "as its reference"
FAULTS = {
    # gradients
    "half by the input": (backward_of(lambda dx, d: (dx / 2, d)), GRADIENT, "the gradient by the input must be"),
    "half by the factor": (backward_of(lambda dx, d: (dx, {"factor": d["factor"] / 2})), GRADIENT,
                           "the gradient by the parameter factor must be"),
    "mean over rows": (backward_of(lambda dx, d: (dx, {"factor": d["factor"] / len(dx)})), GRADIENT,
                       "by the parameter factor"),
    "inputs swapped": (product_of(lambda x, g: [g * x[0], g * x[1]]), GRADIENT, "the gradient by input 0 must be"),
    "one input alone": (product_of(lambda x, g: [g * x[1], 0 * g]), GRADIENT, "the gradient by input 1 must be"),
    "half behind 64 columns": (backward_of(lambda dx, d: (dx * np.where(np.arange(dx.shape[1]) < 64, 1, 0.5), d)), WIDE,
                               "∂C/∂x of 3 x 130 must be"),
    # rows
    "mean of the batch": (forward_of(lambda s, x, p: (x - x.mean(axis=0)) * p["factor"]), BATCH,
                          "must not depend on the rows beside it"),
    "noise of its own": (forward_of(lambda s, x, p: x * p["factor"] + 1e-3 * np.random.random(x.shape)), BATCH,  # noqa: NPY002  # the fault
                         "must not depend on the rows beside it"),
    "sorted": (forward_of(lambda s, x, p: np.sort(x, axis=0) * p["factor"]), BATCH, "must not depend on the rows"),
    "many rows": (forward_of(lambda s, x, p: x * p["factor"] * (1 + 1e-3 * (len(x) > 40))), "large and odd shapes",
                  "1031 rows of 129 columns"),
    "4096 rows": (forward_of(lambda s, x, p: x * p["factor"] * (1 + 1e-3 * (len(x) == 4096))), MANY, "a of 4096 x 3"),
    "gradient of 512 rows": (backward_of(lambda dx, d: (dx, {"factor": d["factor"] * (1 if len(dx) < 512 else 0.5)})),
                             MANY, "∂C/∂factor of 1031 x 129: it must be the sum over rows"),
    "one column": (forward_of(lambda s, x, p: x * p["factor"] if x.shape[1] > 1 else 0 * x + x.sum()), MANY,
                   "of 70 x 1"),
    "first row's weight": (backward_of(lambda dx, d: (dx - dx[0], d)), "weights and order of rows",
                           "∂C/∂x must"),
    # NaN
    "no NaN": (forward_of(lambda s, x, p: np.nan_to_num(x) * p["factor"]), NAN, "must let NaN through"),
    "NaN to others": (forward_of(lambda s, x, p: x * p["factor"] + 0 * x.sum()), NAN, "must not reach other rows"),
    "NaN as an index": (forward_of(lambda s, x, p: x * p["factor"] + np.zeros(9)[(x * 0).astype(int)]), NAN,
                        "IndexError"),
    # what is remembered
    "counts": (forward_of(remembers), "deterministic", "is something remembered"),
    "the call before": (forward_of(lambda s, x, p: x * p["factor"] + 1e-4 * Last.of(x)), CALLS,
                        "a must be the same bits"),
    "in backward": (backward_of(lambda dx, d: (dx + 1e-4 * Last.of(dx), d)), CALLS, "∂C/∂x must be the same bits"),
    "for the gradient": (backward_of(lambda dx, d: (dx, {"factor": d["factor"] + 1e-4 * Last.of(dx)})), CALLS,
                         "∂C/∂factor must be the same bits"),
    # its inputs
    "writes x": (forward_of(lambda s, x, p: [writes(x), x * p["factor"]][1]), INPUTS,
                 r"forward changed its input x\[0\]"),
    "writes a parameter": (forward_of(lambda s, x, p: [writes(p["factor"]), x * p["factor"]][1]), INPUTS,
                           "forward changed its input factor"),
    "writes x in place": (forward_of(lambda s, x, p: np.multiply(x, p["factor"], out=x)), "in a network", "read-only"),
    # not linear
    "clips": (backward_of(lambda dx, d: (np.clip(dx, -1000, 1000), d)), LINEAR, r"∂C/∂x must be linear.*1e\+08 times"),
    "absolute": (backward_of(lambda dx, d: (np.abs(dx), d)), LINEAR, "∂C/∂x must be linear"),
    "decays": (backward_of(lambda dx, d: (dx, {"factor": d["factor"] + 1e-7})), LINEAR, "∂C/∂factor must be linear"),
    # float32
    "single x": (forward_of(lambda s, x, p: single(x) * p["factor"]), FULL, "does it go through float32"),
    "single grad": (backward_of(lambda dx, d: (single(dx), d)), FULL, "does it go through float32"),
    "single sums": (backward_of(lambda dx, d: (dx, {"factor": single(d["factor"])})), FULL,
                    "does it go through float32"),
    # factors of the learning rate
    "factor twice": (type("Faulty", (Scaled,), {
        "__doc__": Scaled.__doc__,
        "backward": lambda self, x, p, a, g: (
            g * p["factor"], {"factor": self.learning_rate_factor * (g * x).sum(axis=0)}
        ),
    }), FACTOR, "a step on the parameter factor must be in proportion to learning_rate_factor"),
    "factor of the input": (type("Faulty", (Scaled,), {
        "__doc__": Scaled.__doc__,
        "backward": lambda self, x, p, a, g: (
            self.learning_rate_factor * g * p["factor"], {"factor": (g * x).sum(axis=0)}
        ),
    }), FACTOR, "a step on the input must be in proportion"),
    "no factor": (type("Faulty", (Scaled,), {
        "__doc__": Scaled.__doc__,
        "forward": lambda self, x, p: x * p["factor"],
        "backward": lambda self, x, p, a, g: (
            g * p["factor"], {"factor": (g * x).sum(axis=0) / self.learning_rate_factor}
        ),
    }), FACTOR, "a step on the parameter factor must be in proportion"),
    # its reference
    "another function": (type("Faulty", (Scaled,), {
        "__doc__": Scaled.__doc__, "reference": lambda self, x, arrays: -x * arrays["factor"]
    }), REFERENCE, "a must be what the reference gives"),
    # the rest
    "settings in forward": (forward_of(lambda s, x, p: [settings(), x * p["factor"]][1]), SETTINGS, "numpy.seterr"),
    "settings in backward": (backward_of(lambda dx, d: [settings(), (dx, d)][1]), SETTINGS, "numpy.seterr"),
    "settings for one row": (forward_of(lambda s, x, p: [len(x) == 1 and settings(), x * p["factor"]][1]), SETTINGS,
                             "numpy.seterr"),
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
    only = {check, CALLS, BATCH} if check in (INPUTS, SETTINGS) else {check}  # what is seen in the course of others
    report = LayerChecks.report_on(faulty(), raise_on_failure=False, only=only)
    found = {each.name: each.evidence for each in report.failures}
    assert check in found, str(report)
    assert re.search(pattern, found[check]), found[check]
    assert "seed 0" in found[check] or check in (INPUTS, SETTINGS)


def test_all_layers_are_here():
    made = {type(each) for each in [*AT_ONCE, *LAYERS]}
    own = {FIND(name) for name in cynn.registry.layers.names() if cynn.registry.layers.provider(name) == "cynn-nn"}
    assert own - made == {cynn.Input}


def test_a_class_whose_instances_need_arguments():
    with pytest.raises(InvalidParameterError, match=r"as in check_layer\(Dense\(\.\.\.\)\)"):
        testing.check_layer(cynn.Dense)
