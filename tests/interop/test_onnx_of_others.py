"""Models that other libraries write, adopted from ONNX."""

import numpy as np
import pytest

import cynn

pytestmark = pytest.mark.interop

X = np.random.default_rng(0).normal(size=(150, 5)).astype(np.float32)


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic"])
@pytest.mark.filterwarnings("ignore")  # of scikit-learn, on epochs that are too few
def test_skl2onnx(tmp_path, activation, classes):
    from skl2onnx import to_onnx
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    y = (X[:, 0] * 3 + X[:, 1]).astype(int) % classes
    model = make_pipeline(
        StandardScaler(), MLPClassifier([9, 6], activation=activation, max_iter=5, random_state=0)
    ).fit(X, y)  # fmt: skip
    for options in ({}, {"zipmap": False}):
        onnx_model = to_onnx(model, X[:1], options={id(model): options} if options else None, target_opset=17)
        (tmp_path / "model.onnx").write_bytes(onnx_model.SerializeToString())
        net = cynn.interop.onnx.adopt(tmp_path / "model.onnx")
        np.testing.assert_allclose(net.predict(X), model.predict_proba(X), atol=2e-6)


def test_regression_of_skl2onnx(tmp_path):
    from skl2onnx import to_onnx
    from sklearn.neural_network import MLPRegressor

    model = MLPRegressor(hidden_layer_sizes=[7], max_iter=2000, tol=1e-2, random_state=0).fit(X, X[:, 0] * 2)
    (tmp_path / "model.onnx").write_bytes(to_onnx(model, X[:1]).SerializeToString())
    net = cynn.interop.onnx.adopt(tmp_path / "model.onnx")
    np.testing.assert_allclose(net.predict(X)[:, 0], model.predict(X), atol=5e-6)


def test_what_has_no_counterpart_is_named(tmp_path):
    from onnx import TensorProto, helper, save

    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 3])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", 3])
    nodes = [helper.make_node("Relu", ["x"], ["a"]), helper.make_node("Round", ["a"], ["b"], name="odd one"),
             helper.make_node("Relu", ["b"], ["y"])]  # fmt: skip
    save(helper.make_model(helper.make_graph(nodes, "g", [x], [y])), tmp_path / "model.onnx")
    with pytest.raises(cynn.errors.InvalidParameterError, match="the operator Round of the node 'odd one'") as caught:
        cynn.interop.onnx.adopt(tmp_path / "model.onnx")
    assert "Relu" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"no model", b"\x08\x01"])
def test_files_that_are_none(tmp_path, content):
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(cynn.CynnError):
        cynn.interop.onnx.adopt(tmp_path / "model.onnx")


@pytest.mark.filterwarnings("ignore")  # of PyTorch, on the older of its two ways
def test_torch_onnx(tmp_path):
    torch = pytest.importorskip("torch")
    nn = torch.nn
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(5, 8), nn.ReLU(), nn.BatchNorm1d(8), nn.Dropout(), nn.Linear(8, 8, bias=False), nn.Tanh(),
        nn.LayerNorm(8), nn.ELU(0.5), nn.Linear(8, 3), nn.Softmax(dim=1),
    ).eval()  # fmt: skip
    torch.onnx.export(model, (torch.zeros(2, 5),), str(tmp_path / "model.onnx"), dynamo=False, opset_version=17)
    net = cynn.interop.onnx.adopt(tmp_path / "model.onnx")
    wanted = model(torch.from_numpy(X)).detach().numpy()
    np.testing.assert_allclose(net.predict(X), wanted, atol=2e-6)
    assert (net.layers[0].weights == model[0].weight.detach().numpy().T).all()
