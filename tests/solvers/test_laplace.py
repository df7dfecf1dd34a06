"""The uncertainty of predictions, by Laplace's approximation."""

import numpy as np
import pytest

import cynn
from cynn.errors import InvalidParameterError


def tables():
    """Three tables, of which the second has heavy tails, and the third columns that say nothing."""
    rng = np.random.default_rng(0)
    x = rng.uniform(size=(1200, 5))
    friedman = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2 + 10 * x[:, 3] + 5 * x[:, 4]
    yield "friedman 1", x, friedman + rng.normal(size=1200)
    yield "heavy tails", x, friedman + rng.standard_t(6, size=1200)
    yield "little to learn", rng.normal(size=(1200, 8)), 2 * rng.normal(size=1200)


TABLES = {name: (x, y) for name, x, y in tables()}


def trained(x, y):
    net = cynn.Network.mlp([x.shape[1], 12, 1], activation="tanh", seed=0)
    net.fit(
        (x - 0.5), (y - y.mean()) / y.std(), optimizer="adam", epochs=30, validation_split=0.2,
        callbacks=[cynn.callbacks.EarlyStopping(patience=5, restore_best_weights=True)],
    )  # fmt: skip
    return net


@pytest.mark.parametrize("name", TABLES)
def test_intervals_cover_what_they_say(name):
    """Those of 90 % between 85 and 95 % of rows that were held out."""
    x, y = TABLES[name]
    net = trained(x[:800], y[:800])
    x, y = x - 0.5, (y - y[:800].mean()) / y[:800].std()
    for kind in ("last_layer", "diagonal"):
        low, high = net.laplace(x[:800], y[:800], kind=kind).interval(x[800:], 0.9)
        covered = ((low[:, 0] < y[800:]) & (y[800:] < high[:, 0])).mean()
        assert 0.85 <= covered <= 0.95, kind


def test_of_a_linear_network_it_is_bayesian_regression():
    """The covariance, the noise and the precision of the prior fulfil MacKay's equations."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 2))
    y = x @ [1.0, -2.0] + 0.5 + 0.3 * rng.normal(size=60)
    weight = rng.integers(0, 3, size=60)
    net = cynn.Network([cynn.Input(2), cynn.Dense(1)], seed=0, dtype="float64")
    net.fit(x, y, optimizer="lm", sample_weight=weight)
    laplace = net.laplace(x, y, sample_weight=weight)
    copies = np.repeat(np.arange(60), weight)
    phi, w = np.column_stack([x, np.ones(60)]), net.parameter_vector
    used = phi[weight > 0]
    scaled = weight[weight > 0] / weight[weight > 0].mean()
    residual, n = phi[copies] @ w - y[copies], len(used)
    variance, alpha = (residual**2).mean(), 1.0
    for _ in range(200):
        covariance = np.linalg.inv(used.T @ (scaled[:, None] * used) / variance + alpha * np.eye(3))
        effective = 3 - alpha * np.trace(covariance)
        alpha, variance = effective / (w @ w), (residual**2).mean() * n / (n - effective)
    assert laplace.noise[0] == pytest.approx(np.sqrt(variance), rel=1e-5)
    mean, deviation = laplace.predict(x[:5])
    assert np.allclose(mean, net.predict(x[:5]))
    expected = np.sqrt(variance + np.einsum("ij,jk,ik->i", phi[:5], covariance, phi[:5]))
    assert np.allclose(deviation[:, 0], expected, rtol=1e-4)


def test_far_from_the_rows_the_deviation_is_larger():
    x = np.linspace(-1, 1, 200)[:, None]
    y = np.sin(3 * x[:, 0]) + 0.05 * np.random.default_rng(0).normal(size=200)
    net = cynn.Network.mlp([1, 10, 1], activation="tanh", seed=0)
    net.fit(x, y, optimizer="lbfgs", epochs=100)
    for kind in ("last_layer", "diagonal"):
        laplace = net.laplace(x, y, kind=kind)
        _, deviation = laplace.predict([[0.0], [3.0]])
        assert deviation[0, 0] > laplace.noise[0]
        assert deviation[1, 0] > (1.5 if kind == "last_layer" else 1.03) * deviation[0, 0]
        mean, deviation_of_one = laplace.predict([3.0])
        assert mean.shape == deviation_of_one.shape == (1,)
        assert deviation_of_one == pytest.approx(deviation[1])


def test_several_outputs_and_layers_with_noise():
    """A dropout and a batch norm before the last layer do nothing in predictions."""
    rng = np.random.default_rng(0)
    x = cynn.Input(3)
    h = cynn.Dropout(0.2)(cynn.BatchNorm()(cynn.Dense(8, "tanh")(x)))
    net = cynn.Network({"a": cynn.Dense(1)(h), "b": cynn.Dense(2)(h)}, seed=0)
    rows = rng.normal(size=(200, 3))
    y = {"a": rows[:, 0] + 0.1 * rng.normal(size=200), "b": rows[:, 1:] + 0.5 * rng.normal(size=(200, 2))}
    net.fit(rows, y, epochs=60)
    laplace = net.laplace(rows, y)
    mean, deviation = laplace.predict(rows)
    assert mean.shape == deviation.shape == (200, 3)
    assert laplace.noise[0] < laplace.noise[1]
    predicted = net.predict(rows)
    assert np.allclose(mean, np.concatenate([predicted["a"], predicted["b"]], axis=1))


def test_training_on_changes_nothing_in_it():
    x, y = TABLES["friedman 1"]
    net = cynn.Network.mlp([5, 4, 1], activation="tanh", seed=0)
    laplace = net.laplace(x[:100], y[:100])
    before = laplace.predict(x[:5])
    net.fit(x[:100], y[:100], epochs=2)
    assert all((a == b).all() for a, b in zip(before, laplace.predict(x[:5]), strict=True))


def test_what_is_refused():
    x, y = TABLES["friedman 1"]
    net = cynn.Network.mlp([5, 4, 1], activation="tanh", seed=0)
    with pytest.raises(InvalidParameterError, match="'kind' parameter of laplace must be 'last_layer' or 'diagonal'"):
        net.laplace(x, y, kind="full")
    with pytest.raises(InvalidParameterError, match="'probability' parameter of interval"):
        net.laplace(x, y).interval(x, 1)
    net = cynn.Network.mlp([5, 4, 1], output="tanh", seed=0)
    with pytest.raises(InvalidParameterError, match="last layer must be Dense without an activation"):
        net.laplace(x, y)
    assert net.laplace(x, y, kind="diagonal").noise.shape == (1,)
    net = cynn.Network.mlp([5, 4, 2], output="softmax", seed=0)
    with pytest.raises(InvalidParameterError, match=r"must be mean_squared_error.*'cross_entropy'"):
        net.laplace(x, y > 10)
