"""Models that other libraries write, adopted from ONNX."""

from pathlib import Path

import numpy as np
import pytest

import cynn

pytestmark = pytest.mark.interop

#: What tf2onnx has made of Keras models; its make.py says how.
TF2ONNX = Path(__file__).parents[1] / "support" / "data" / "tf2onnx"

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


@pytest.mark.filterwarnings("ignore")  # likewise
@pytest.mark.parametrize(
    "name", ["GELU", "SiLU", "Mish", "Hardswish", "Softshrink", "LogSigmoid", "Tanhshrink", "CELU"]
)
def test_activations_that_torch_composes(tmp_path, name):
    torch = pytest.importorskip("torch")
    nn = torch.nn
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 8), getattr(nn, name)(), nn.Linear(8, 3)).eval()
    torch.onnx.export(model, (torch.zeros(2, 5),), str(tmp_path / "model.onnx"), dynamo=False, opset_version=13)
    net = cynn.interop.onnx.adopt(tmp_path / "model.onnx")
    np.testing.assert_allclose(net.predict(X), model(torch.from_numpy(X)).detach().numpy(), atol=2e-6)


@pytest.mark.filterwarnings("ignore")  # likewise
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("options", [{}, {"bias": False}, {"elementwise_affine": False}])
def test_a_layer_norm_that_torch_composes(tmp_path, dtype, options):
    torch = pytest.importorskip("torch")
    nn = torch.nn
    torch.manual_seed(0)
    norm = nn.LayerNorm(8, eps=1e-3, **options)
    model = nn.Sequential(nn.Linear(5, 8), norm, nn.Linear(8, 3)).eval().to(getattr(torch, dtype))
    with torch.no_grad():
        for each in norm.parameters():
            each.uniform_(0.5, 2)
    x = torch.from_numpy(X).to(getattr(torch, dtype))
    torch.onnx.export(model, (x[:2],), str(tmp_path / "model.onnx"), dynamo=False, opset_version=13)
    net = cynn.interop.onnx.adopt(tmp_path / "model.onnx")
    assert [type(layer) for layer in net.layers] == [cynn.Dense, cynn.LayerNorm, cynn.Dense]
    np.testing.assert_allclose(net.predict(x.numpy()), model(x).detach().numpy(), atol=5e-6)
    if norm.weight is not None:
        assert (net.layers[1].gamma == norm.weight.detach().numpy()).all()


@pytest.mark.filterwarnings("ignore")  # likewise
@pytest.mark.parametrize("is_onnx", [False, True])
def test_what_is_read_before_and_behind_an_activation(tmp_path, is_onnx):
    """The activation is none of the layer's then; a constant that is added is no bias of it either."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first = torch.nn.Linear(5, 6, bias=False)
            self.last = torch.nn.Linear(6, 2)

        def forward(self, x):
            z = self.first(x)
            return self.last(z + torch.relu(z) + torch.tanh(z + 0.5))

    model = Model().eval()
    if is_onnx:
        torch.onnx.export(model, (torch.zeros(2, 5),), str(tmp_path / "model.onnx"), dynamo=False, opset_version=17)
        net = cynn.interop.onnx.adopt(tmp_path / "model.onnx")
    else:
        net = cynn.interop.torch.adopt(model)
    np.testing.assert_allclose(net.predict(X), model(torch.from_numpy(X)).detach().numpy(), atol=2e-6)


@pytest.mark.parametrize("path", sorted(TF2ONNX.glob("*.onnx")), ids=lambda path: path.stem)
def test_tf2onnx(path):
    import onnx

    data = np.load(path.with_name(f"{path.stem.rpartition('_')[0]}.npz"))
    net = cynn.interop.onnx.adopt(path)
    found = net.predict(data["x"])
    found = list(found.values()) if isinstance(found, dict) else [found]
    for number, each in enumerate(found):
        wanted = data[f"y{number}"]
        assert each.dtype == wanted.dtype
        np.testing.assert_allclose(each, wanted, rtol=0, atol=8 * np.spacing(np.abs(wanted).max()))
    matrices = [onnx.numpy_helper.to_array(each) for each in onnx.load(path).graph.initializer]
    dense = [layer for layer in net.layers if isinstance(layer, cynn.Dense) and layer.trainable]
    for layer in dense:
        assert any(layer.weights.shape == each.shape and (layer.weights == each).all() for each in matrices)
    net.fit(data["x"], net.predict(data["x"]), loss="mean_squared_error", epochs=1, progress=False)


@pytest.mark.parametrize(
    ("file", "parts"),
    [("composed_17", ["swish", "mish", "hard_swish", "hardtanh", "tanhshrink", "softshrink", "hardshrink", "squareplus",
                      "sparse_plus", "relu6"]),
     ("layer_norm_17", ["layer_norm"]), ("rms_norm_17", ["rms_norm"]), ("rectifiers_17", ["prelu", "leaky_relu"]),
     ("embedding_17", ["embedding"]), ("squeezed_embedding_17", ["embedding"])],
)  # fmt: skip
def test_what_tf2onnx_composes_is_recognized(file, parts):
    net = cynn.interop.onnx.adopt(TF2ONNX / f"{file}.onnx")
    found = {layer.name for layer in net.layers} | {getattr(layer, "activation", layer).name for layer in net.layers}
    assert set(parts) <= found


@pytest.mark.parametrize(
    ("operator", "attributes"), [("Flatten", {"axis": 0}), ("Cast", {"to": 6}), ("Cast", {"to": 9})], ids=str
)
def test_what_would_be_another_function_is_named(tmp_path, operator, attributes):
    """Rows that are joined, and whole numbers and booleans of what is no category."""
    from onnx import TensorProto, helper, save

    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 3])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    nodes = [helper.make_node("Relu", ["x"], ["a"]), helper.make_node(operator, ["a"], ["b"], **attributes),
             helper.make_node("Cast", ["b"], ["y"], to=TensorProto.FLOAT)]  # fmt: skip
    save(helper.make_model(helper.make_graph(nodes, "g", [x], [y])), tmp_path / "model.onnx")
    with pytest.raises(cynn.errors.InvalidParameterError, match=f"none for the operator {operator} of the node 'b'"):
        cynn.interop.onnx.adopt(tmp_path / "model.onnx")


def test_pieces_of_no_known_part_are_named(tmp_path):
    """The first operator of what is composed, and no other."""
    from onnx import TensorProto, helper, save

    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 3])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", 3])
    pieces = [("Abs", ["x"], "a"), ("Sqrt", ["a"], "b"), ("Mul", ["b", "x"], "c"), ("Relu", ["c"], "y")]
    nodes = [helper.make_node(operator, inputs, [name], f"node {name}") for operator, inputs, name in pieces]
    save(helper.make_model(helper.make_graph(nodes, "g", [x], [y])), tmp_path / "model.onnx")
    with pytest.raises(cynn.errors.InvalidParameterError, match=r"none for the operator Abs of the node 'node a'\.$"):
        cynn.interop.onnx.adopt(tmp_path / "model.onnx")
