"""Models of Keras as networks."""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")

from pathlib import Path

import numpy as np
import pytest

import cynn
from cynn.cli import main

pytestmark = [pytest.mark.interop, pytest.mark.filterwarnings("ignore")]

keras = pytest.importorskip("keras")
L = keras.layers

X = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)


def predicted(model):
    found = model(X)
    found = found if isinstance(found, (list, tuple)) else [found]
    return [keras.ops.convert_to_numpy(each) for each in found]


ACTIVATIONS = [
    "linear", "relu", "sigmoid", "tanh", "softmax", "elu", "selu", "gelu", "silu", "softplus", "softsign",
    "exponential", "leaky_relu", "relu6", "hard_sigmoid", "hard_silu", "hard_tanh", "mish", "log_softmax",
    "celu", "tanh_shrink", "squareplus", "sparse_plus", "log_sigmoid", "soft_shrink", "hard_shrink",
]  # fmt: skip


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation(activation):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((6,)), L.Dense(5, activation=activation), L.Dense(3, use_bias=False)])
    net = cynn.interop.keras.adopt(model)
    np.testing.assert_allclose(net.predict(X), predicted(model)[0], rtol=1e-5, atol=3e-6)
    assert (net.layers[0].weights == keras.ops.convert_to_numpy(model.layers[0].kernel)).all()


def test_layers():
    keras.utils.set_random_seed(0)
    normalization = L.Normalization()
    normalization.adapt(X)
    model = keras.Sequential([
        keras.Input((6,)), normalization, L.Rescaling(0.5, offset=1.0), L.Dense(8), L.BatchNormalization(),
        L.ReLU(), L.Dropout(0.2), L.LayerNormalization(), L.Dense(8), L.LeakyReLU(0.1), L.GaussianNoise(0.1),
        L.PReLU(), L.ELU(0.5), L.Activation("tanh"), keras.Sequential([L.Dense(4, activation="relu"), L.Dense(4)]),
        L.ReLU(max_value=6), L.BatchNormalization(scale=False, center=False), L.Softmax(),
    ])  # fmt: skip
    for layer in model.layers:
        rng = np.random.default_rng(1)
        layer.set_weights([rng.uniform(0.1, 1, w.shape).astype(w.dtype) for w in layer.get_weights()])
    net = cynn.interop.keras.adopt(model)
    np.testing.assert_allclose(net.predict(X), predicted(model)[0], rtol=1e-5, atol=3e-6)
    net.fit(X, np.arange(40) % 4, epochs=1, progress=False)


def test_a_functional_model_of_two_outputs():
    keras.utils.set_random_seed(0)
    x = keras.Input((6,))
    h = L.Dense(8, activation="relu")(x)
    g = L.Add()([h, L.Dense(8, activation="tanh")(h)])
    model = keras.Model(x, [L.Dense(2, activation="softmax")(L.Concatenate()([g, x])), L.Dense(1)(h)])
    found = cynn.interop.keras.adopt(model).predict(X)
    for a, b in zip(found, predicted(model), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-6)


def shared():
    x, layer = keras.Input((6,)), L.Dense(6)
    return keras.Model(x, layer(layer(x)))


def tanh(z):
    """A function of one's own with the name of theirs."""
    return 3 * z


def quantized():
    model = keras.Sequential([keras.Input((6,)), L.Dense(4)])
    model.quantize("int8")
    return model


@pytest.mark.parametrize(
    "model", [quantized, lambda: keras.Sequential([keras.Input((6,)), L.Dense(4, activation=tanh)])]
)
def test_what_would_be_another_function_is_named(model):
    with pytest.raises(cynn.errors.InvalidParameterError, match=r"Got none for Dense \(dense"):
        cynn.interop.keras.adopt(model())


def test_lora_is_in_the_weights():
    model = keras.Sequential([keras.Input((6,)), L.Dense(4)])
    model.layers[0].enable_lora(2)
    model.layers[0].lora_kernel_b.assign(np.ones((2, 4)))
    np.testing.assert_allclose(cynn.interop.keras.adopt(model).predict(X), predicted(model)[0], atol=1e-5)


@pytest.mark.parametrize(
    ("model", "message"),
    [(lambda: 3, "Got 3"), (lambda: keras.Sequential([L.Dense(3)]), "that is built"),
     (lambda: keras.Sequential([keras.Input((6, 2)), L.LSTM(3)]), "rows of numbers"),
     (lambda: keras.Sequential([keras.Input((6,)), L.Dense(4), L.UnitNormalization(name="odd")]),
      r"UnitNormalization \(odd"),
     (lambda: keras.Sequential([keras.Input((6,)), L.Dense(4, activation=lambda z: z)]), "Dense"), (shared, "shared")],
)  # fmt: skip
def test_what_cannot_be_adopted(model, message):
    with pytest.raises(cynn.errors.InvalidParameterError, match=message):
        cynn.interop.keras.adopt(model())


def test_a_file_is_adopted_by_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    model = keras.Sequential([keras.Input((6,)), L.Dense(3, activation="tanh")])
    model.save("net.keras")
    assert main(["adopt", "net.keras", "net.safetensors"]) == 0
    np.testing.assert_allclose(cynn.load("net.safetensors").predict(X), predicted(model)[0], atol=1e-6)
    keras.Sequential([keras.Input((6,)), L.Lambda(lambda x: 2 * x)]).save("code.keras")
    Path("text.keras").write_text("no model")
    for name, said in (("code", "ambda"), ("text", "must be a model of Keras"), ("none", "No such file")):
        assert main(["adopt", f"{name}.keras", "other.safetensors"]) == 2
        assert said in capsys.readouterr().err
    assert not Path("other.safetensors").exists()
