"""`Input(scale="robust")` and `scale="standard"`: computed from the training rows, and kept."""

from __future__ import annotations

import pickle
from typing import Any

import helpers
import numpy as np
import pytest

import cynn
from cynn.errors import DataError, InvalidParameterError, ShapeError

#: Quartiles that differ; the same in most rows; all the same.
X = np.array([[1.0, 0, 7], [2, 0, 7], [3, 0, 7], [4, 0, 7], [500, 8, 7]])
Y = X[:, :1] / 100
RULES = ["robust", "standard"]


def make(rule: Any = "robust", dtype: str = "float64", seed: int = 0) -> cynn.Network:
    return cynn.Network([cynn.Input(3, scale=rule), cynn.Dense(4, "tanh"), cynn.Dense(1)], seed=seed, dtype=dtype)


def fitted(rule: str, **options: Any) -> cynn.Network:
    net = make(rule)
    net.fit(X, Y, epochs=1, progress=False, **options)
    return net


def wanted(rule: str) -> Any:
    if rule == "robust":
        return np.column_stack([(X[:, 0] - 3) / 2, X[:, 1] * 2 / 8, np.zeros(5)])
    return (X - X.mean(axis=0)) / np.where(X.std(axis=0) > 0, X.std(axis=0), 1)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", ["float32", "float64", "uint8", "sparse"])
def test_columns(rule: str, dtype: str, kind: str) -> None:
    net = make(rule, dtype)
    x: Any = np.minimum(X, 255) if kind == "uint8" else X
    net.scale_inputs(pytest.importorskip("scipy.sparse").csr_matrix(x) if kind == "sparse" else x.astype(kind))
    found = net.activations(X)[0]
    if kind == "uint8":
        found, expected = found[:4], wanted(rule)[:4] if rule == "robust" else None
        if expected is None:
            expected = ((X - x.mean(axis=0)) / np.where(x.std(axis=0) > 0, x.std(axis=0), 1))[:4]
    else:
        expected = wanted(rule)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("rule", RULES)
def test_fit_does_so_once(rule: str) -> None:
    net, same = make(rule), make(rule)
    net.fit(X, Y, epochs=1, progress=False)
    np.testing.assert_allclose(net.activations(X)[0], wanted(rule), rtol=1e-12, atol=1e-12)
    same.scale_inputs(X)
    same.fit(X, Y, epochs=1, progress=False)
    np.testing.assert_array_equal(net.predict(X), same.predict(X))
    kept = net.input
    net.fit(10 * X, Y, epochs=1, progress=False)
    net.train_batch(X * 3, Y)
    assert net.input is kept


@pytest.mark.parametrize("rule", RULES)
def test_weights_are_copies(rule: str) -> None:
    weight = np.array([3, 0, 1, 2, 1])
    one, other, third = make(rule), make(rule), fitted(rule, sample_weight=weight)
    one.scale_inputs(X, sample_weight=weight)
    other.scale_inputs(np.repeat(X, weight, axis=0))
    for each in (one, third):
        np.testing.assert_allclose(each.activations(X)[0], other.activations(X)[0], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("rule", RULES)
def test_training_rows_alone_count(rule: str) -> None:
    only = make(rule)
    only.scale_inputs(X[:4])
    given: list[dict[str, Any]] = [
        {"rows": [0, 1, 2, 3]}, {"rows": [0, 1, 2, 3], "validation_data": (X * 100, Y)},
        {"sample_weight": [1, 1, 1, 1, 0]},
    ]
    for options in given:
        assert fitted(rule, **options).input.get_config() == only.input.get_config(), options
    x = np.random.default_rng(0).normal(size=(40, 3))
    net, same = make(rule), make(rule)
    net.fit(x, x[:, :1], validation_split=0.25, epochs=1, progress=False)
    target = net.objective(None)
    weights = target.sample_weights(None, 40)
    train, _ = cynn.data.inputs.split(target.targets(x[:, :1], 40, "y", weights, check_finite=True), 40, 0.25, net.seed)
    same.scale_inputs(x[train])
    assert net.input.get_config() == same.input.get_config()


@pytest.mark.parametrize("way", ["save", "pickle", "config"])
def test_it_is_kept(way: str, tmp_path: Any) -> None:
    net = fitted("robust")
    other = helpers.kept(net, way, tmp_path)
    np.testing.assert_array_equal(other.predict(X), net.predict(X))
    new = pickle.loads(pickle.dumps(make()))
    assert new.input.scale == cynn.Network.from_config(new.get_config()).input.scale == "robust"


def test_resume(tmp_path: Any) -> None:
    straight = make()
    straight.fit(X, Y, epochs=4, batch_size=2, progress=False)
    for epochs in (2, 4):
        net = make()
        checkpoint = cynn.callbacks.Checkpoint(tmp_path / "net.safetensors", every_steps=1)
        net.fit(X, Y, epochs=epochs, batch_size=2, progress=False, callbacks=[checkpoint], resume=True)
    np.testing.assert_array_equal(net.predict(X), straight.predict(X))


def test_fit_many() -> None:
    nets, alone = ([make(rule, seed=seed) for seed in (0, 1) for rule in RULES] for _ in range(2))
    cynn.fit_many(nets, X, Y, epochs=2, progress=False)
    for net, same in zip(nets, alone, strict=True):
        same.fit(X, Y, epochs=2, progress=False)
        np.testing.assert_array_equal(net.predict(X), same.predict(X))


def test_before_it_is_known(tmp_path: Any) -> None:
    net, pairs = make(), [(X, Y)]
    calls = [
        lambda: net.predict(X), lambda: net.predict(X[0]), lambda: net.predict(X[0], check_finite=False),
        lambda: net.activations(X), lambda: net.jacobian(X), lambda: net.jvp(X, X), lambda: net.hessian(X),
        lambda: net.evaluate(X, Y), lambda: net.train_batch(X, Y), lambda: net.loop(1).step(X, Y),
        lambda: net.gradients(X, Y), lambda: net.initialize_from(X), lambda: net.fit(pairs, epochs=1, progress=False),
        lambda: net.to_python(tmp_path / "net.py"), lambda: net.problem(X, Y),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(InvalidParameterError, match=r"scale='robust' instead: net\.scale_inputs\(x\)"):
            call()
    net.scale_inputs(X)
    assert net.predict(X).shape == (5, 1)
    net.fit(pairs, epochs=1, progress=False)


def test_categories_stay() -> None:
    net = cynn.Network([cynn.Input(2, scale="standard"), cynn.Embedding(3, 2, 0), cynn.Dense(1)], seed=0)
    net.scale_inputs([[0, 1.0], [2, 3.0]])
    assert net.input.scale == (1.0, 1.0) and net.input.offset == (0.0, -2.0)


def test_what_cannot_be_scaled_by_changes_nothing() -> None:
    net = make()
    bad: list[tuple[Any, Any, str]] = [
        (DataError, np.where(X == 2, np.nan, X), "x must be finite"), (ShapeError, X[:0], "at least one row"),
        (DataError, np.array([[0, 0, 0], [5e-324, 0, 0]]), "column 0"),
    ]
    for error, x, match in bad:
        with pytest.raises(error, match=match):
            net.scale_inputs(x)
        if len(x):
            with pytest.raises(error, match=match):
                net.fit(x, Y[: len(x)], epochs=1, progress=False)
    with pytest.raises(cynn.errors.CynnError):
        net.fit(X, Y, epochs=1, progress=False, resume="nowhere.safetensors")
    assert net.input.scale == "robust"
    net.scale_inputs(X)
    with pytest.raises(InvalidParameterError, match="Got Input"):
        net.scale_inputs(X)
    with pytest.raises(InvalidParameterError, match=r"'offset' .* scale='robust'"):
        cynn.Input(3, scale="robust", offset=1)
    with pytest.raises(InvalidParameterError, match="'robust' or 'standard'"):
        cynn.Input(3, scale="median")
