"""`compute="bfloat16"`: products of wide layers on processors with AMX."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cynn
from cynn.errors import InvalidParameterError
from cynn.kernels import bfloat16

needs_amx = pytest.mark.skipif(not bfloat16.IS_AVAILABLE, reason="AMX is not there, or CYNN_CPU asks for less")


def rounded(values):
    """Round float32 to bfloat16, to the nearest, ties to even."""
    bits = np.asarray(values, np.float32).view(np.uint32)
    bits = (bits + 0x7FFF + (bits >> 16 & 1)) & np.uint32(0xFFFF0000)
    return bits.view(np.float32).astype(np.float64)


def two_layers(sizes, **options):
    return cynn.Network.mlp(sizes, activation="tanh", seed=0, **options)


@pytest.mark.parametrize("given", ["float16", "bf16", True, 3, ["bfloat16"]])
def test_what_is_not_known_is_refused(given):
    with pytest.raises(InvalidParameterError, match="'compute' parameter of Network must be 'bfloat16' or None"):
        two_layers([64, 64, 1], compute=given)


def test_it_is_refused_in_float64():
    with pytest.raises(InvalidParameterError, match=r"compute='bfloat16' must be 'float32'. Got 'float64'"):
        two_layers([64, 64, 1], dtype="float64", compute="bfloat16")


def test_it_is_refused_where_the_processor_has_none(monkeypatch):
    monkeypatch.setattr(bfloat16, "IS_AVAILABLE", False)
    with pytest.raises(InvalidParameterError, match="no AMX, or whose system"):
        two_layers([64, 64, 1], compute="bfloat16")


@needs_amx
@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(32, 300),
    inputs=st.integers(64, 1100),
    units=st.integers(64, 300),
    bias=st.booleans(),
    seed=st.integers(0, 99),
)
def test_products_are_those_of_rounded_factors(rows, inputs, units, bias, seed):
    random = np.random.default_rng(seed)
    net = cynn.Network([cynn.Input(inputs), cynn.Dense(units, use_bias=bias)], seed=seed, compute="bfloat16")
    x = random.normal(size=(rows, inputs)).astype(np.float32)
    y = random.normal(size=(rows, units)).astype(np.float32)
    W = net.layers[0].weights
    expected = rounded(x) @ rounded(W) + (net.layers[0].biases if bias else 0)
    whole = rows - rows % 128  # of a last tile of few rows, the product is that in float32
    if bias:
        net.layers[0].biases = random.normal(size=units)
        expected = rounded(x) @ rounded(W) + net.layers[0].biases
    np.testing.assert_allclose(net.predict(x)[:whole], expected[:whole], rtol=1e-4, atol=1e-4)
    # delta = prediction - y, and its product with x
    net.layers[0].weights = np.zeros_like(W)
    dW = net.gradients(x, y, loss="mean_squared_error")[0][0]
    delta = -2 * y / (rows * units) if not bias else 2 * (net.layers[0].biases - y) / (rows * units)
    np.testing.assert_allclose(dW, rounded(x).T @ rounded(delta), rtol=1e-3, atol=1e-5)


@needs_amx
def test_errors_go_back_through_rounded_weights():
    net = cynn.Network([cynn.Input(80), cynn.Dense(96)], seed=0, compute="bfloat16")
    random = np.random.default_rng(0)
    x, v = random.normal(size=(64, 80)).astype(np.float32), random.normal(size=(64, 96)).astype(np.float32)
    np.testing.assert_allclose(net.vjp(x, v), rounded(v) @ rounded(net.layers[0].weights).T, rtol=1e-4, atol=1e-4)


@needs_amx
def test_narrow_layers_and_few_rows_have_the_bits_of_float32():
    random = np.random.default_rng(0)
    for sizes, rows in (([63, 512], 256), ([512, 63], 256), ([512, 512], 31)):
        x = random.normal(size=(rows, sizes[0])).astype(np.float32)
        plain, other = two_layers(sizes), two_layers(sizes, compute="bfloat16")
        np.testing.assert_array_equal(plain.predict(x), other.predict(x))
    x = random.normal(size=(256, 512)).astype(np.float32)
    assert (two_layers([512, 512]).predict(x) != two_layers([512, 512], compute="bfloat16").predict(x)).any()


@needs_amx
@pytest.mark.parametrize("optimizer", [cynn.optimizers.SGD(0.05, momentum=0.9, weight_decay=0.01), "adam"])
def test_the_same_bits_at_any_number_of_threads(optimizer):
    random = np.random.default_rng(0)
    x = random.normal(size=(600, 300)).astype(np.float32)
    y = np.tanh(x @ random.normal(size=(300, 3)) / 8)
    networks = [two_layers([300, 600, 520, 3], compute="bfloat16") for _ in range(3)]
    for n_threads, net in enumerate(networks, start=1):
        net.fit(x, y, epochs=2, batch_size=200, optimizer=optimizer, n_threads=n_threads, progress=False)
    for net in networks[1:]:
        for one, other in zip(networks[0].get_weights(), net.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)
    report = networks[0].history.history["loss"]
    assert report[-1] < report[0]


@needs_amx
def test_copies_keep_it_and_files_do_not(tmp_path):
    net = two_layers([64, 64, 1], compute="bfloat16")
    assert "compute='bfloat16'" in repr(net)
    for kept in (pickle.loads(pickle.dumps(net)), copy.deepcopy(net), cynn.Network.from_config(net.get_config())):
        assert kept.compute == "bfloat16"
    net.save(tmp_path / "net.safetensors")
    loaded = cynn.load(tmp_path / "net.safetensors")
    assert loaded.compute is None and "compute" not in repr(loaded)
    for one, other in zip(net.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@needs_amx
def test_nan_and_infinity_are_propagated():
    net = two_layers([64, 64], compute="bfloat16")
    x = np.zeros((32, 64), np.float32)
    x[3, 5] = np.nan
    found = net.predict(x, check_finite=False)
    assert np.isnan(found[3]).all() and np.isfinite(np.delete(found, 3, axis=0)).all()


@needs_amx
@pytest.mark.parametrize("name", ["digits", "breast_cancer", "diabetes"])
def test_networks_are_as_good_as_in_float32(name):
    datasets = pytest.importorskip("sklearn.datasets")
    data = getattr(datasets, f"load_{name}")()
    x = (data.data - data.data.mean(axis=0)) / (data.data.std(axis=0) + 1e-6)
    y = data.target if name != "diabetes" else (data.target - data.target.mean()) / data.target.std()
    order = np.random.default_rng(0).permutation(len(x))
    train, test = order[len(x) // 4 :], order[: len(x) // 4]
    outputs, output = (1, "identity") if name == "diabetes" else (int(y.max()) + 1, "softmax")
    errors = []
    for compute in (None, "bfloat16"):
        net = cynn.Network.mlp([x.shape[1], 128, 128, outputs], output=output, seed=0, compute=compute)
        net.fit(x[train], y[train], epochs=10, batch_size=32, optimizer="adam", progress=False)
        found = net.predict(x[test])
        right = found.argmax(axis=1) == y[test] if outputs > 1 else None
        errors.append(np.mean((found[:, 0] - y[test]) ** 2) if right is None else 1 - right.mean())
    assert abs(errors[1] - errors[0]) <= 0.02
