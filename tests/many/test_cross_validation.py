"""`cross_validate`: each network is tested on rows that it has not seen."""

import numpy as np
import pytest
from fleets import same_weights, small_network

import cynn

GENERATOR = np.random.default_rng(0)
X = GENERATOR.standard_normal((120, 6)).astype(np.float32)
Y = np.repeat([0, 1, 2], [80, 30, 10])


def validated(**options):
    return cynn.cross_validate(lambda: small_network(0), X, Y, **{"folds": 4, "epochs": 2} | options)


def test_each_fold_is_as_a_fit_of_its_own():
    weight = GENERATOR.random(120)
    found = validated(metrics=["accuracy"], sample_weight=weight)
    for network, (train, test), row in zip(found.networks, found.folds, found.rows(), strict=True):
        other = small_network(0)
        other.fit(X[train], Y[train], sample_weight=weight[train], epochs=2)
        assert same_weights([network], [other])
        figures = other.evaluate(X[test], Y[test], metrics=["accuracy"], sample_weight=weight[test])
        assert {name: row[name] for name in figures} == figures
    assert found.mean()["loss"] == pytest.approx(found.figures["loss"].mean())
    assert found.std()["accuracy"] == pytest.approx(found.figures["accuracy"].std())
    assert len(found.ensemble()) == 4
    assert "folds=4, loss=" in repr(found)


def test_folds_have_all_rows_once_and_the_share_of_each_class():
    folds = validated().folds
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(120))
    for train, test in folds:
        assert sorted([*train, *test]) == list(range(120))
        assert abs(np.bincount(Y[test], minlength=3) - [20, 7.5, 2.5]).max() <= 1
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(folds, validated(seed=0).folds, strict=True))
    assert not all(np.array_equal(a[1], b[1]) for a, b in zip(folds, validated(seed=1).folds, strict=True))


def test_folds_of_ones_own():
    class Splitter:
        def split(self, x, y):
            yield list(range(60)), list(range(60, 120))

    for folds in (Splitter(), [(np.arange(60), np.arange(60, 120))]):
        found = validated(folds=folds)
        assert [len(part) for part in found.folds[0]] == [60, 60]


def test_a_network_is_a_template():
    net = small_network(3)
    net.fit(X, Y, epochs=1)
    found = cynn.cross_validate(net, X, Y, folds=2, epochs=0)
    assert same_weights(found.networks, [small_network(3)] * 2)


def test_validate_each_epoch():
    stopping = cynn.callbacks.EarlyStopping(monitor="val_loss", patience=1)
    found = validated(validate_each_epoch=True, callbacks=[stopping])
    for network, loss in zip(found.networks, found.figures["loss"], strict=True):
        assert network.history["val_loss"][-1] == pytest.approx(loss)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"folds": 1}, "folds"),
        ({"folds": 121}, "folds"),
        ({"folds": []}, "'folds' parameter of cross_validate must have"),
        ({"folds": [([0], [200])]}, "'folds' parameter of cross_validate must be at least one number"),
        ({"loss": "crossentropy"}, "crossentropy"),
    ],
    ids=str,
)
def test_invalid_parameters(change, message):
    with pytest.raises(cynn.CynnError, match=message):
        validated(**change)


def test_build_must_make_a_network():
    with pytest.raises(cynn.errors.InvalidParameterError, match="'build' parameter of cross_validate must return a N"):
        cynn.cross_validate(lambda: 1, X, Y)
