"""Layers of the catalogue that look at columns: they leave for every language."""

import json
import runpy
import subprocess

import catalogue_layers
import exported
import numpy as np
import pytest

import cynn
from cynn.interop.evaluation import Exact, Reference
from cynn.interop.expressions import call
from cynn.interop.from_layers import plan_of
from cynn.interop.plan import Output, Plan, column

NAMES = [
    "scale", "plr", "pbld", "ple", "plr of columns", "pbld of columns", "ple of columns", "parametric",
    "parametric with hyperparameters",
]  # fmt: skip


def network(name, dtype="float32"):
    layers = [cynn.Input(6), catalogue_layers.LAYERS[name](), cynn.Dense(3)]
    return exported.randomized(cynn.Network(layers, seed=0, dtype=dtype))


def rows():
    return np.random.default_rng(0).normal(scale=2, size=(40, 6))


@pytest.mark.parametrize("name", NAMES)
def test_the_plan_is_what_the_kernels_compute(name):
    net, x = network(name, "float64"), rows()
    np.testing.assert_allclose(Reference(plan_of(net), "float64")(x), net.predict(x), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("name", ["pbld", "plr of columns", "ple", "parametric"])
def test_c(tmp_path, name, exact):
    net, x = network(name), rows()
    net.to_c(tmp_path / "net.c", selftest=x, exact=exact)
    status, said = exported.selftest(tmp_path / "net.c", ["-O2"])
    assert status == 0, said
    assert exact == said.endswith("allowed 0\n")


@pytest.mark.parametrize("name", ["sin", "cos"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sine_and_cosine_with_the_same_bits_everywhere(dtype, name):
    plan = Plan(1, 1.0, 0.0, dtype)
    plan.outputs = [Output(None, plan.map(call(name, column(0)), 1))]
    random = np.random.default_rng(0)
    x = np.concatenate([random.uniform(-far, far, 5000) for far in (1e-3, 4, 30_000)])[:, None].astype(dtype)
    wanted = getattr(np, name)(x.astype(np.longdouble))
    errors = np.abs(Exact(plan, dtype)(x) - wanted) / np.spacing(np.abs(wanted).astype(dtype))
    assert errors.max() < 2


def test_python(tmp_path):
    net, x = network("pbld of columns"), rows().astype(np.float32)
    net.to_python(tmp_path / "net.py")
    found = runpy.run_path(str(tmp_path / "net.py"))["predict"](x)
    np.testing.assert_allclose(found, net.predict(x), rtol=1e-4, atol=1e-5)


def test_js(tmp_path):
    net, x = network("pbld of columns"), rows().astype(np.float32)
    net.to_js(tmp_path / "net.mjs")
    rows_ = json.dumps(x.tolist())
    code = f"import {{ predict }} from './net.mjs'; console.log(JSON.stringify({rows_}.map((x) => [...predict(x)])));"
    (tmp_path / "main.mjs").write_text(code)
    said = subprocess.check_output([exported.skipped_without("node"), "main.mjs"], cwd=tmp_path)
    np.testing.assert_allclose(json.loads(said), net.predict(x), rtol=1e-4, atol=1e-5)


def test_fortran(tmp_path):
    net, x = network("pbld of columns"), rows().astype(np.float32)
    found = exported.by_fortran(net, x, tmp_path)
    np.testing.assert_allclose(found, net.predict(x), rtol=1e-4, atol=1e-5)


@pytest.mark.interop
@pytest.mark.parametrize("name", NAMES)
def test_onnx_and_torch(tmp_path, name):
    import onnxruntime
    import torch

    net, x = network(name), rows().astype(np.float32)
    net.to_onnx(tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(session.run(None, {"x": x})[0], net.predict(x), rtol=1e-4, atol=1e-5)
    module = cynn.interop.torch.export(net)
    np.testing.assert_allclose(module(torch.tensor(x)).detach(), net.predict(x), rtol=1e-4, atol=1e-5)
