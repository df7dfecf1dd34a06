"""Nodes of ONNX that plugins bring along, and what the conformance kit says of faulty ones."""

import sys

import exported
import numpy as np
import pytest

import cynn
from cynn.testing.activations import ActivationChecks
from cynn.testing.layers import LayerChecks

pytestmark = pytest.mark.interop


def constant(value, dtype, name):
    from onnx import numpy_helper

    return numpy_helper.from_array(np.array(value, dtype), name)


def node(operator, inputs, output, **attributes):
    from onnx import helper

    return helper.make_node(operator, inputs, [output], **attributes)


class Cubes(cynn.activations.Activation):
    """a = factor z³ for z >= 0, and z for less"""

    name = "cubes"
    factor: float = cynn.hyperparameter(default=0.5, doc="What it is multiplied by.")

    def forward(self, z):
        return np.where(z < 0, z, self.factor * z**3)

    def backward(self, z, a, grad):
        return grad * np.where(z < 0, 1, 3 * self.factor * z**2)

    def onnx_nodes(self, dtype, opset):
        yield constant(self.factor, dtype, "factor")
        yield constant(0, dtype, "zero")
        yield node("Mul", ["z", "z"], "square")
        yield node("Mul", ["square", "z"], "cube")
        yield node("Mul", ["cube", "factor"], "scaled")
        yield node("Less", ["z", "zero"], "is_negative")
        yield node("Where", ["is_negative", "z", "scaled"], "a")


class Branched(Cubes):
    """Likewise, with graphs within a node, and a formula that has no say here."""

    name = "branched"
    c_source = "z"

    def onnx_nodes(self, dtype, opset):
        from onnx import helper, numpy_helper

        kind = helper.np_dtype_to_tensor_dtype(dtype)
        yield numpy_helper.from_array(np.array(self.factor > 0), "is_positive")
        *nodes, last = Cubes.onnx_nodes(self, dtype, opset)
        yield from nodes
        inner = [helper.make_tensor_value_info("inner", kind, None)]
        last.output[0] = "inner"
        graphs = {
            "then_branch": helper.make_graph([last], "then", [], inner),
            "else_branch": helper.make_graph([node("Identity", ["z"], "inner")], "else", [], inner),
        }
        yield node("If", ["is_positive"], "a", **graphs)


class Pairs(cynn.layers.Layer):
    """a = the weighted sums of two halves"""

    name = "pairs"
    s = cynn.layers.Parameter(("units",))

    def units_of(self, inputs):
        return inputs

    def forward(self, x, parameters):
        return x * parameters["s"] - x.mean(axis=1, keepdims=True)

    def backward(self, x, parameters, a, grad):
        return grad * parameters["s"] - grad.mean(axis=1, keepdims=True), {"s": (grad * x).sum(axis=0)}

    def onnx_nodes(self, dtype, opset):
        yield constant(self.s, dtype, "s")
        yield node("Mul", ["z", "s"], "scaled")
        if opset < 18:
            yield node("ReduceMean", ["z"], "mean", axes=[1], keepdims=1)
        else:
            yield constant([1], np.int64, "axes")
            yield node("ReduceMean", ["z", "axes"], "mean", keepdims=1)
        yield node("Sub", ["scaled", "mean"], "a")


def result(checks, part):
    report = checks.report_on(part, raise_on_failure=False, only={"onnx_nodes"})
    return next(check for check in report.checks if check.name == "onnx_nodes")


@pytest.mark.parametrize("opset", [13, 17, 20])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_they_leave(tmp_path, dtype, opset):
    import onnxruntime

    layers = [cynn.Input(4), cynn.Dense(3, Cubes()), Pairs(), cynn.Residual([cynn.Dense(3, Branched(0.25))]), Pairs()]
    net = exported.randomized(cynn.Network(layers, seed=0, dtype=dtype))
    x = exported.rows_for(net).astype(dtype)
    net.to_onnx(tmp_path / "net.onnx", opset=opset)
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    found, wanted = session.run(None, {"x": x})[0], net.predict(x)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=np.abs(wanted).max() * 40 * np.finfo(dtype).eps)


@pytest.mark.parametrize(
    ("checks", "part"), [(ActivationChecks, Cubes()), (ActivationChecks, Branched()), (LayerChecks, Pairs())]
)
def test_the_kit_passes(checks, part):
    check = result(checks, part)
    assert check.outcome == "pass", check.evidence
    assert check.evidence.endswith("in the opsets 13, 17, 20")


def test_where_neither_is_there_it_is_said(tmp_path):
    class Without(Cubes):
        onnx_nodes = None
        c_source = "real f(real z) { return z; }"

    assert result(ActivationChecks, Without()).evidence == "it has no onnx_nodes: networks with it do not leave as ONNX"
    net = cynn.Network([cynn.Input(2), cynn.Dense(2, Without())], seed=0)
    with pytest.raises(cynn.errors.InvalidParameterError, match="by onnx_nodes, or c_source, an expression of C"):
        net.to_onnx(tmp_path / "net.onnx")


def all_but(place, other):
    """The nodes of Cubes, one of them another."""

    def onnx_nodes(self, dtype, opset):
        each = list(Cubes.onnx_nodes(self, dtype, opset))
        each[place] = other(dtype)
        return each

    return onnx_nodes


FAULTS = {
    "wrong for negative numbers": (
        all_but(6, lambda d: node("Identity", ["scaled"], "a")), "must give what the kernel gives"
    ),
    "a NaN becomes a number": (
        lambda self, dtype, opset: [
            *list(Cubes.onnx_nodes(self, dtype, opset))[:-1], node("Where", ["is_negative", "z", "scaled"], "w"),
            node("Equal", ["w", "w"], "is_one"), node("Where", ["is_one", "w", "zero"], "a"),
        ], "must give what the kernel gives, nan",
    ),
    "one column": (
        lambda self, dtype, opset: [constant([1], np.int64, "one"), node("ReduceSum", ["z", "one"], "a", keepdims=1)],
        "must make a of 5 columns from z of 5, in float64",
    ),
    "another dtype": (all_but(0, lambda d: constant(0.5, np.float16, "factor")), "must make a of 5 columns"),
    "an operator of a later opset": (all_but(6, lambda d: node("Mish", ["z"], "a")), "in opset 13. Got Mish instead"),
    "an operator that there is not": (all_but(6, lambda d: node("Cubes", ["z"], "a")), "Got Cubes instead"),
    "of another domain": (all_but(6, lambda d: node("Gelu", ["z"], "a", domain="com.microsoft")), "Got Gelu instead"),
    "an unknown input": (all_but(2, lambda d: node("Mul", ["x", "z"], "square")), "Got x instead"),
    "no output": (all_but(6, lambda d: node("Neg", ["z"], "b")), "must have an output called a. Got b, cube, factor"),
    "no node": (all_but(6, lambda d: "a"), "must yield NodeProto and TensorProto of onnx alone. Got 'a' instead"),
    "an attribute of another opset": (
        all_but(6, lambda d: node("ReduceSum", ["z"], "a", axes=[1], keepdims=0)), "must make a of 5 columns"
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_the_kit_fails_faulty_nodes(fault):
    nodes, said = FAULTS[fault]
    check = result(ActivationChecks, type("Odd", (Cubes,), {"onnx_nodes": nodes, "__doc__": "odd"})())
    assert check.outcome == "FAIL"
    assert said in check.evidence


def test_the_kit_fails_faulty_layers():
    class Odd(Pairs):
        def onnx_nodes(self, dtype, opset):
            yield constant(self.s[::-1].copy(), dtype, "s")
            yield from list(Pairs.onnx_nodes(self, dtype, opset))[1:]

    check = result(LayerChecks, Odd())
    assert check.outcome == "FAIL"
    assert "must give what the kernel gives" in check.evidence


def test_the_kit_says_where_onnx_runtime_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    check = result(ActivationChecks, Cubes())
    assert check.outcome == "-"
    assert check.evidence.startswith("not run. This needs the package onnxruntime. Install it with: pip install")
