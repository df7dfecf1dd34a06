"""`Ensemble`: mean, spread, votes, one file."""

import numpy as np
import pytest
from fleets import same_weights, small_network

import cynn

X = np.random.default_rng(0).standard_normal((40, 6))
Y = np.arange(40) % 3


def ensemble(n=4):
    return cynn.Ensemble([small_network(seed) for seed in range(n)])


def test_predictions():
    ours = ensemble()
    each = np.stack([network.predict(X) for network in ours.networks])
    for n_threads in (1, 2, 7):
        np.testing.assert_array_equal(ours.predict_each(X, n_threads=n_threads), each)
    np.testing.assert_array_equal(ours.predict(X), each.mean(axis=0))
    np.testing.assert_array_equal(ours.spread(X), each.std(axis=0))
    votes = np.stack([(each.argmax(axis=2) == k).mean(axis=0) for k in range(3)], axis=1)
    np.testing.assert_array_equal(ours.votes(X), votes)
    assert ours.predict(X[0]).shape == ours.votes(X[0]).shape == (3,)
    np.testing.assert_allclose(ours.predict(X[0]), ours.predict(X)[0], rtol=1e-5)


def test_votes_of_one_output():
    networks = [cynn.Network.mlp([1, 1], output="sigmoid", seed=seed) for seed in range(3)]
    for network, bias in zip(networks, [1, 1, -1], strict=True):
        network.layers[0].biases = [bias]
        network.layers[0].weights = [[0.0]]
    np.testing.assert_allclose(cynn.Ensemble(networks).votes([[0.0]]), [[1 / 3, 2 / 3]])


def test_evaluate():
    ours = ensemble()
    mean = ours.predict(X)
    found = ours.evaluate(X, Y, metrics=["accuracy"])
    assert found["accuracy"] == pytest.approx((mean.argmax(axis=1) == Y).mean())
    assert found["loss"] == pytest.approx(-np.log(mean[np.arange(40), Y]).mean(), rel=1e-5)


def test_one_network_is_itself():
    [network] = ensemble(1).networks
    one = cynn.Ensemble([network])
    assert one.evaluate(X, Y)["loss"] == pytest.approx(network.evaluate(X, Y)["loss"], rel=1e-5)
    assert (one.spread(X) == 0).all()


def test_file(tmp_path):
    ours = ensemble()
    ours.save(tmp_path / "e.safetensors")
    same = cynn.Ensemble.load(tmp_path / "e.safetensors")
    assert same_weights(ours.networks, same.networks)
    assert repr(same) == "Ensemble(networks=4, inputs=6, outputs=3)"


def test_other_files(tmp_path):
    small_network(0).save(tmp_path / "one.safetensors")
    with pytest.raises(cynn.errors.ModelFileError, match="must hold"):
        cynn.Ensemble.load(tmp_path / "one.safetensors")
    ensemble().save(tmp_path / "four.safetensors")
    with pytest.raises(cynn.errors.ModelFileError, match="must hold a network saved by CyNN"):
        cynn.load(tmp_path / "four.safetensors")
    with pytest.raises(FileNotFoundError):
        cynn.Ensemble.load(tmp_path / "none.safetensors")


@pytest.mark.parametrize("place", range(0, 4000, 37))
def test_damaged_files(tmp_path, place):
    ensemble(2).save(tmp_path / "e.safetensors")
    data = bytearray((tmp_path / "e.safetensors").read_bytes())
    data[place % len(data)] ^= 0x41
    (tmp_path / "e.safetensors").write_bytes(data)
    with pytest.raises(cynn.errors.ModelFileError):
        cynn.Ensemble.load(tmp_path / "e.safetensors")


@pytest.mark.parametrize(
    ("networks", "message"),
    [
        ([], "list of at least one Network"),
        ("abc", "list of at least one Network"),
        ([small_network(0), small_network(0, inputs=5)], "same numbers of inputs and outputs. Got 5 and 3, 6 and 3"),
        ([cynn.Network({"a": cynn.Dense(1)(cynn.Input(2))})], "must have one output each"),
    ],
    ids=str,
)
def test_invalid_networks(networks, message):
    with pytest.raises(cynn.CynnError, match=message):
        cynn.Ensemble(networks)
