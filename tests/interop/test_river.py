"""Networks in River's streams: its own checks, pipelines, features and labels that come and go, pickles."""

import copy
import itertools
import pickle
import sys

import numpy as np
import pytest

import cynn
from cynn.interop import river as ours

base, checks, datasets = (pytest.importorskip(f"river.{name}") for name in ("base", "checks", "datasets"))
evaluate, metrics, preprocessing = (
    pytest.importorskip(f"river.{name}") for name in ("evaluate", "metrics", "preprocessing")
)

pytestmark = pytest.mark.interop
BOTH = [ours.MLPClassifier, ours.MLPRegressor]


def named(row):
    return {f"f{k}": float(value) for k, value in enumerate(row)}


def stream(n=40, columns=4):
    return list(map(named, np.random.default_rng(0).normal(size=(n, columns))))


@pytest.mark.parametrize("seed", [None, 1])
@pytest.mark.parametrize("cls", BOTH)
def test_the_checks_of_river(cls, seed):
    for check in checks.yield_checks(cls(seed=seed)):
        check(cls(seed=seed))


@pytest.mark.parametrize("cls", BOTH)
def test_it_is_one_of_river(cls):
    model = cls(seed=0)
    assert isinstance(model, cls)
    assert isinstance(model, getattr(base, cls._base))
    assert repr(model.clone()) == repr(model)
    assert isinstance(model.clone({"hidden_layer_sizes": (3,)}), cls)


def test_a_pipeline_with_progressive_validation():
    model = preprocessing.StandardScaler() | ours.MLPClassifier(seed=0)
    found = evaluate.progressive_val_score(datasets.Phishing(), model, metrics.Accuracy())
    assert found.get() > 0.85
    model = preprocessing.StandardScaler() | ours.MLPRegressor(seed=0)
    found = evaluate.progressive_val_score(datasets.TrumpApproval(), model, metrics.MAE())
    assert found.get() < 6


def test_the_bits_of_a_loop():
    model = ours.MLPRegressor((5,), "tanh", cynn.optimizers.Adam(0.05), seed=3)
    net = cynn.Network.mlp([4, 5, 1], activation="tanh", seed=3)
    loop = net.loop(1, optimizer=cynn.optimizers.Adam(0.05))
    for x in stream():
        row, y = np.array(list(x.values()), "f4"), x["f0"]
        model.learn_one(x, y)
        loop.step(row[None], np.array([[y]], "f4"))
        assert model.predict_one(x) == float(net.predict(row)[0])


def test_a_missing_feature_is_0_and_one_never_learned_is_left_out():
    model = ours.MLPRegressor(seed=0)
    for x in stream():
        model.learn_one(x, x["f0"])
    assert model.predict_one({"f0": 1.0}) == model.predict_one({"f0": 1.0, "f1": 0, "f2": 0, "f3": 0})
    assert model.predict_one({"f0": 1.0, "else": 9.0}) == model.predict_one({"f0": 1.0})
    assert model.predict_one({}) == model.predict_one({"f0": 0})


def test_features_that_come_later():
    """The network grows by twice, and what it has learned stays."""
    model = ours.MLPRegressor(seed=0, optimizer=cynn.optimizers.SGD(0.01))
    for x in stream():
        model.learn_one(x, x["f0"])
    before, x = model._network, {"f0": 1.0, "f2": -1.0}
    predicted = model.predict_one(x)
    model.learn_one({**x, "new": 0.5}, predicted)
    assert (before.input.units, model._network.input.units) == (4, 8)
    np.testing.assert_allclose(model._network.layers[0].weights[:4], before.layers[0].weights, atol=0.1)
    network = model._network
    model.learn_one({"newer": 1.0, "newest": True, 7: 2}, 0.0)
    assert model._network is network
    for x in stream(400, 12):
        model.learn_one(x, x["f11"])
    errors = [abs(model.predict_one(x) - x["f11"]) for x in stream(50, 12)]
    assert np.mean(errors) < 0.5


def test_labels_that_come_later():
    model = ours.MLPClassifier(seed=0)
    assert model.predict_proba_one({"a": 1}) == {}
    assert model.predict_one({"a": 1}) is None
    model.learn_one({"a": 1}, "red")
    assert model.predict_proba_one({"a": 1}) == {"red": 1.0}
    for label in ["green", "blue", 4, True] * 60:
        model.learn_one({"a": {"green": -1, "blue": 1, 4: 3}.get(label, 6)}, label)
    assert list(model.predict_proba_one({"a": 1})) == ["red", "green", "blue", 4, True]
    assert sum(model.predict_proba_one({"a": 1}).values()) == pytest.approx(1)
    assert model.predict_one({"a": -1}) == "green"
    assert model.predict_one({"a": 6}) is True


@pytest.mark.parametrize("cls", BOTH)
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_resumed_in_the_middle(cls, copied):
    """A copy has the optimizer with its memory, and learns on to the same bits."""
    model = cls(seed=0)
    for x in stream():
        model.learn_one(x, x["f0"] > 0)
    other = copied(model)
    assert type(other) is type(model)
    for x in stream(columns=6):
        assert model.predict_one(x) == other.predict_one(x)
        for each in (model, other):
            each.learn_one(x, x["f1"] > 0)
    for one, same in zip(model._network.get_weights(), other._network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, same)


@pytest.mark.parametrize("cls", BOTH)
def test_what_is_wrong(cls):
    model, x = cls(seed=0), {"a": 1.0, "b": 2.0}
    model.learn_one(x, 1)
    before = model._network.get_weights()
    for wrong in ({"b": "red"}, {"new": "red"}, {"b": None}):
        with pytest.raises(cynn.errors.InvalidParameterError, match=r"^Feature '.*must be a number.* Got .* instead"):
            model.learn_one({"a": 1.0, **wrong}, 1)
    for wrong in ({"b": float("nan")}, {"new": float("inf")}):
        with pytest.raises(cynn.errors.DataError, match=r"^Feature .* must be finite"):
            model.learn_one({"a": 1.0, **wrong}, 1)
        with pytest.raises(cynn.errors.DataError, match=r"^Feature .* must be finite"):
            model.learn_one({"a": 1.0, **wrong}, 2)
    with pytest.raises(cynn.errors.DataError, match=r"^Feature .* must be finite"):
        model.predict_one({"a": 1.0, "b": float("inf")})
    assert list(model._columns) == ["a", "b"]
    if cls is ours.MLPClassifier:
        assert list(model.predict_proba_one(x)) == [1]
    else:
        with pytest.raises(cynn.errors.InvalidParameterError, match=r"^y must be a number"):
            model.learn_one(x, "red")
    for array, same in zip(before, model._network.get_weights(), strict=True):
        np.testing.assert_array_equal(array, same)


def test_a_seed_decides():
    first, second, other = (ours.MLPRegressor(seed=seed) for seed in (1, 1, 2))
    for model, x in itertools.product((first, second, other), stream()):
        model.learn_one(x, 1.0)
    x = stream()[0]
    assert first.predict_one(x) == second.predict_one(x) != other.predict_one(x)


@pytest.mark.parametrize("cls", BOTH)
def test_where_river_is_missing(cls, monkeypatch):
    monkeypatch.setattr(ours, "_MADE", {})
    monkeypatch.setitem(sys.modules, "river.base", None)
    with pytest.raises(cynn.errors.MissingDependencyError, match=r'pip install "cynn-nn\[river\]"'):
        cls()
