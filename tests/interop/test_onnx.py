"""Networks as ONNX models, and back: checked by onnx, and run by ONNX Runtime."""

import sys

import exported
import numpy as np
import pytest
from exported import LAYERS, side_by_side

import cynn

pytestmark = pytest.mark.interop

NETWORKS = ["activations", *LAYERS]


def network(name, dtype="float32"):
    return exported.all_activations(dtype) if name == "activations" else exported.network(name, dtype)


def run(path, x):
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    assert given.name == "x"
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"x": x}), strict=True))


@pytest.mark.parametrize("opset", [13, 17, 20])
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_onnx_runtime_computes_the_same(tmp_path, dtype, name, opset):
    net = network(name, dtype)
    x = exported.rows_for(net).astype(dtype)
    net.to_onnx(tmp_path / "net.onnx", opset=opset)
    found = run(tmp_path / "net.onnx", x)
    wanted = net.predict(x)
    assert list(found) == (list(wanted) if isinstance(wanted, dict) else ["y"])
    for a, b in zip(found.values(), wanted.values() if isinstance(wanted, dict) else [wanted], strict=True):
        assert a.dtype == dtype
        np.testing.assert_allclose(a, b, rtol=2e-5 if dtype == "float32" else 1e-12, atol=100 * np.finfo(dtype).eps)
    assert next(iter(run(tmp_path / "net.onnx", x[:1]).values())).shape[0] == 1


#: What is composed of operators that no layer is.
COMPOSED = {"glu", "maxout"}


@pytest.mark.parametrize("name", [name for name in LAYERS if name != "all are one"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_there_and_back(tmp_path, dtype, name):
    """Layers come back, or what is composed is named."""
    net = network(name, dtype)
    x = exported.rows_for(net).astype(dtype)
    net.to_onnx(tmp_path / "net.onnx")
    if name in COMPOSED:
        with pytest.raises(cynn.errors.InvalidParameterError, match="Got none for the operator"):
            cynn.interop.onnx.adopt(tmp_path / "net.onnx")
        return
    same = cynn.interop.onnx.adopt(tmp_path / "net.onnx")
    assert same.dtype == dtype
    np.testing.assert_allclose(side_by_side(same.predict(x)), side_by_side(net.predict(x)), rtol=1e-5, atol=1e-6)
    if name in {"dense", "wide"}:
        assert all((a == b).all() for a, b in zip(same.get_weights(), net.get_weights(), strict=True))
    same.fit(x, same.predict(x), loss="mean_squared_error", epochs=1, progress=False)


def test_odd_arguments(tmp_path):
    net = network("dense")
    for opset in (12, 999, "17"):
        with pytest.raises(cynn.errors.InvalidParameterError, match="opset"):
            net.to_onnx(tmp_path / "net.onnx", opset=opset)
    with pytest.raises(cynn.errors.InvalidParameterError, match="must do something"):
        exported.network("all are one").to_onnx(tmp_path / "net.onnx")
        cynn.interop.onnx.adopt(tmp_path / "net.onnx")


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(cynn.errors.MissingDependencyError, match=r'pip install "cynn-nn\[onnx\]"'):
        network("dense").to_onnx(tmp_path / "net.onnx")
    with pytest.raises(cynn.errors.MissingDependencyError, match="onnx"):
        cynn.interop.onnx.adopt(tmp_path / "net.onnx")
