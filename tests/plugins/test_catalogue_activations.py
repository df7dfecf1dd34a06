"""The activations of cynn_plugins against mpmath and SciPy, their slopes, kinks and extremes."""

import mpmath as mp
import numpy as np
import pytest
import scipy.special
from catalogue_reference import ACTIVATIONS, ROWWISE_ACTIVATIONS, nearest_in_simplex

import cynn
from cynn import registry
from cynn.errors import InvalidParameterError

DTYPES = [np.float32, np.float64]
NAMES = sorted({key.split()[0] for key in ACTIVATIONS} | set(ROWWISE_ACTIVATIONS))


def _activation(key):
    return registry.activations.get(key.split()[0], **ACTIVATIONS[key].hyperparameters)


def _points(key, dtype):
    """Random numbers, extremes, zeros, denormals, and the kinks with their neighbours."""
    rng = np.random.default_rng(len(key))
    info = np.finfo(dtype)
    special = [0, -0.0, 1e4, -1e4, 100, -100, 20, -20, 1e-3, -1e-3, info.tiny, -info.tiny]
    kinks = np.array(list(ACTIVATIONS[key].slope_at_kink), dtype)
    special += [info.smallest_subnormal, -info.smallest_subnormal]
    neighbours = [kinks, np.nextafter(kinks, dtype(np.inf)), np.nextafter(kinks, dtype(-np.inf))]
    points = np.concatenate([3 * rng.normal(size=40), 0.1 * rng.normal(size=10), special, *neighbours])
    return points.astype(dtype)[None, :]


def _overflows(key, z):
    return key == "exponential" and float(z) > 80


def _slope(activation, z):
    z = np.atleast_2d(z)
    return activation.backward(z, activation.forward(z), np.ones_like(z))


@pytest.mark.parametrize("name", NAMES)
def test_every_hyperparameter_has_a_case(name):
    """One that the kernel ignores, or takes for another, is found below."""
    cls = registry.activations.find(name)
    own = [reference for key, reference in ACTIVATIONS.items() if key.split()[0] in (cls.name, *cls.aliases)]
    assert {key for reference in own for key in reference.hyperparameters} == set(cls.hyperparameters)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("key", ACTIVATIONS)
def test_values(key, dtype):
    reference, z = ACTIVATIONS[key], _points(key, dtype)
    a = _activation(key).forward(z)
    assert a.dtype == dtype
    info = np.finfo(dtype)
    epsilon, tiny, smallest = float(info.eps), float(info.tiny), float(info.smallest_subnormal)
    for z_j, a_j in zip(z[0], a[0], strict=True):
        if _overflows(key, z_j):
            continue
        exact = reference.f(mp.mpf(float(z_j)))
        # a rounding of f, a rounding of z as f sees it, what cancels, and a gate that underflows
        through_z = abs(mp.diff(reference.f, mp.mpf(float(z_j)))) if abs(z_j) > 0.1 else 1
        through_z += reference.frequency + reference.cancels
        allowed = 8 * epsilon * (abs(exact) + abs(z_j) * through_z) + tiny * abs(z_j) + 4 * smallest
        assert abs(mp.mpf(float(a_j)) - exact) <= allowed, (z_j, a_j, exact)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("key", ACTIVATIONS)
def test_slopes(key, dtype):
    reference, z = ACTIVATIONS[key], _points(key, dtype)
    slopes = _slope(_activation(key), z)
    epsilon = np.finfo(dtype).eps
    for z_j, slope in zip(z[0], slopes[0], strict=True):
        if _overflows(key, z_j) or any(abs(z_j - kink) < 1e-5 for kink in reference.slope_at_kink):
            continue
        exact = mp.diff(reference.f, mp.mpf(float(z_j)), h=mp.mpf("1e-15"), relative=False)
        rounding = 32 * epsilon * (1 + reference.frequency) * (1 + reference.frequency * abs(z_j))
        assert abs(mp.mpf(float(slope)) - exact) <= (1 + abs(exact)) * rounding + 1e-14, (z_j, slope)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("key", [key for key in ACTIVATIONS if ACTIVATIONS[key].slope_at_kink])
def test_slopes_at_kinks(key, dtype):
    activation = _activation(key)
    for kink, at_kink in ACTIVATIONS[key].slope_at_kink.items():
        z = dtype(kink)
        assert _slope(activation, z) == pytest.approx(at_kink, rel=1e-6), kink
        # and its neighbours belong to the pieces they lie in
        for neighbour, step in ((np.nextafter(z, dtype(9)), 1e-3), (np.nextafter(z, dtype(-9)), -1e-3)):
            inside = mp.diff(ACTIVATIONS[key].f, mp.mpf(kink) + step, h=mp.mpf("1e-15"), relative=False)
            slope = _slope(activation, neighbour)[0, 0]
            assert slope == pytest.approx(float(inside), abs=2e-3), neighbour


@pytest.mark.parametrize("name", NAMES)
def test_gradient_by_central_differences(name):
    activation = registry.activations.get(name)
    rng = np.random.default_rng(1)
    z, towards, h = rng.normal(size=(7, 5)) * 2, rng.normal(size=(7, 5)), 1e-6
    grad = activation.backward(z, activation.forward(z), towards.copy())
    for j in range(z.shape[1]):
        up, down = z.copy(), z.copy()
        up[:, j] += h
        down[:, j] -= h
        numeric = ((activation.forward(up) - activation.forward(down)) / (2 * h) * towards).sum(axis=1)
        np.testing.assert_allclose(grad[:, j], numeric, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_extremes_stay_finite(name, dtype):
    activation = registry.activations.get(name)
    largest = 80 if name == "exponential" else 1e4
    denormal = np.finfo(dtype).smallest_subnormal
    z = np.array([[-1e4, largest, 0, denormal, -denormal], [largest, largest, -1e4, -1e4, -0.0]], dtype)
    a = activation.forward(z)
    assert np.isfinite(a).all()
    assert np.isfinite(activation.backward(z, a, np.ones_like(z))).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_nan_goes_on(name, dtype):
    activation = registry.activations.get(name)
    for column in range(3):
        z = np.ones((2, 3), dtype)
        z[0, column] = np.nan
        a = activation.forward(z)
        spoilt = np.isnan(a)
        assert (spoilt[0] | (np.arange(3) != column)).all()
        assert spoilt[0].sum() == (3 if name in ROWWISE_ACTIVATIONS else 1)
        assert not spoilt[1].any()


@pytest.mark.parametrize("dtype", DTYPES)
def test_log_softmax_and_softmin(dtype):
    z = (np.random.default_rng(2).normal(size=(20, 9)) * 10).astype(dtype)
    z[0, 0], z[1, 1] = 1e4, -1e4
    tolerance = 20 * np.finfo(dtype).eps
    exact = scipy.special.log_softmax(z.astype(np.float64), axis=1)
    a = registry.activations.get("log_softmax").forward(z)
    np.testing.assert_allclose(a, exact, rtol=tolerance, atol=1e-6)
    exact = scipy.special.softmax(-z.astype(np.float64), axis=1)
    a = registry.activations.get("softmin").forward(z)
    np.testing.assert_allclose(a, exact, rtol=1e3 * tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("scale", [0.1, 1, 10])
def test_sparsemax_is_the_nearest_row_of_probabilities(dtype, scale):
    z = (np.random.default_rng(3).normal(size=(30, 6)) * scale).astype(dtype)
    a = registry.activations.get("sparsemax").forward(z)
    exact = np.array([nearest_in_simplex(row.astype(np.float64)) for row in z])
    np.testing.assert_allclose(a, exact, atol=20 * scale * np.finfo(dtype).eps)
    np.testing.assert_allclose(a.sum(axis=1), 1, rtol=1e-5)


def test_sparsemax_of_a_tie_and_of_one():
    sparsemax = registry.activations.get("sparsemax")
    assert sparsemax([1e4, 1e4, 1e4, -1e4]).tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0])
    assert sparsemax([3.0]).tolist() == [1]


@pytest.mark.parametrize("name", NAMES)
def test_a_network_trains(name):
    rng = np.random.default_rng(4)
    x = rng.uniform(-1, 1, size=(40, 3)).astype(np.float32)
    y = (x @ rng.normal(size=(3, 2)) + 0.3).astype(np.float32)
    net = cynn.Network([cynn.Input(3), cynn.Dense(8, activation=name), cynn.Dense(2)], seed=0)
    optimizer = cynn.optimizers.Adam(learning_rate=0.01)
    history = net.fit(x, y, loss="mse", optimizer=optimizer, epochs=30, batch_size=8, progress=False)
    assert np.isfinite(history.history["loss"]).all()
    assert history.history["loss"][-1] < history.history["loss"][0]


def test_two_names_of_swish():
    assert type(registry.activations.get("silu")) is type(registry.activations.get("swish"))
    assert registry.activations.get("silu").beta == 1


def test_hardtanh_refuses_bounds_in_the_wrong_order():
    with pytest.raises(InvalidParameterError, match="must be > its minimum, 1"):
        registry.activations.get("hardtanh", minimum=1, maximum=1)
