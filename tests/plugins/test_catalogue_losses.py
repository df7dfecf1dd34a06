"""The losses of cynn_plugins against mpmath, their gradients, classes, weights and extremes."""

import re

import mpmath as mp
import numpy as np
import pytest
from catalogue_reference import LOSSES, ROW_OF, draw

import cynn
from cynn import registry
from cynn.engine.loss_kernel import LossKernel
from cynn.errors import DataError

DTYPES = [np.float32, np.float64]
FUSED = [key for key in LOSSES if LOSSES[key].fuses_with]
# a class stands for a one-hot row, which these can take
OF_CLASSES = [key for key in LOSSES if LOSSES[key].target != "number" and not key.startswith("gamma")]
OF_NETWORKS = ["huber", "cosine_similarity", "gaussian_nll", "kl_divergence", "categorical_focal"]
OF_NETWORKS += ["categorical_hinge", "multi_margin", "dice"]
OUTPUTS = {"positive": "softplus", "probability": "sigmoid", "number": "identity"}
OF_POSITIVE = ["poisson", "gamma", "tweedie", "kl_divergence", "categorical_focal", "binary_focal"]
OF_POSITIVE += ["mean_squared_logarithmic_error"]
SHAPE = (5, 4)


def _loss(key):
    return registry.losses.get(key.split()[0], **LOSSES[key].hyperparameters)


def _data(key, dtype, seed=0, fused=False):
    rng = np.random.default_rng(seed)
    prediction = draw("number" if fused else LOSSES[key].prediction, rng, SHAPE)
    return prediction.astype(dtype), draw(LOSSES[key].target, rng, SHAPE).astype(dtype)


def _numbers(row):
    return [mp.mpf(float(value)) for value in row]


def _partial(f, p, t, j):
    return mp.diff(lambda x: f([*p[:j], x, *p[j + 1 :]], t), p[j], h=mp.mpf("1e-15"))


def _check(f, prediction, target, value, gradient):
    epsilon = float(np.finfo(prediction.dtype).eps)
    for row in range(3):
        p, t = _numbers(prediction[row]), _numbers(target[row])
        exact = f(p, t)
        assert abs(mp.mpf(float(value[row])) - exact) <= 32 * epsilon * (1 + abs(exact)), row
        for j in range(len(p)):
            exact = _partial(f, p, t, j)
            assert abs(mp.mpf(float(gradient[row, j])) - exact) <= 32 * epsilon * (1 + abs(exact)), (row, j)


@pytest.mark.parametrize("name", sorted({key.split()[0] for key in LOSSES}))
def test_every_hyperparameter_has_a_case(name):
    """One that the kernel ignores, or takes for another, is found below."""
    cls = registry.losses.find(name)
    own = [reference for key, reference in LOSSES.items() if key.split()[0] in (cls.name, *cls.aliases)]
    assert {key for reference in own for key in reference.hyperparameters} == set(cls.hyperparameters)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("key", LOSSES)
def test_values_and_gradients(key, dtype):
    prediction, target = _data(key, dtype)
    _loss(key).check_target(target)
    value, gradient = _loss(key).value_and_gradient(prediction, target)
    assert value.dtype == gradient.dtype == dtype
    _check(LOSSES[key].f, prediction, target, value, gradient)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("key", FUSED)
def test_values_and_gradients_from_z(key, dtype):
    reference = LOSSES[key]
    kernel = LossKernel(_loss(key))
    assert kernel.fuses_with == reference.fuses_with
    z, target = _data(key, dtype, fused=True)
    value, gradient = kernel.value_and_gradient(z, target, fused=True)
    _check(lambda z, t: reference.f(ROW_OF[reference.fuses_with](z), t), z, target, value, gradient)


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("key", LOSSES)
def test_gradient_by_central_differences(key, fused):
    kernel = LossKernel(_loss(key))
    if fused and kernel.fuses_with is None:
        return
    prediction, target = _data(key, np.float64, seed=1, fused=fused)
    _, gradient = kernel.value_and_gradient(prediction, target, fused=fused)
    h = 1e-6
    for j in range(SHAPE[1]):
        up, down = prediction.copy(), prediction.copy()
        up[:, j] += h
        down[:, j] -= h
        values = [kernel.value_and_gradient(p, target, fused=fused)[0] for p in (up, down)]
        np.testing.assert_allclose(gradient[:, j], (values[0] - values[1]) / (2 * h), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("key", LOSSES)
def test_weights_and_no_gradient(key, fused, dtype):
    kernel = LossKernel(_loss(key))
    if fused and kernel.fuses_with is None:
        return
    prediction, target = _data(key, dtype, seed=2, fused=fused)
    value, _ = kernel.value_and_gradient(prediction, target, fused=fused)
    weight = np.arange(SHAPE[0], dtype=dtype)
    total = kernel.total(prediction, target, None, weight, fused)
    assert total == pytest.approx((value * weight).sum(), rel=1e-5)
    assert kernel.total(prediction, target, None, None, fused) == pytest.approx(value.sum(), rel=1e-5)


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("key", OF_CLASSES)
def test_a_class_is_a_one_hot_row(key, fused):
    kernel = LossKernel(_loss(key))
    if fused and kernel.fuses_with is None:
        return
    prediction, _ = _data(key, np.float64, seed=3, fused=fused)
    classes = np.array([0, 3, 1, 1, 2])
    of_classes = kernel.total(prediction, None, classes, None, fused)
    assert of_classes == kernel.total(prediction, np.eye(4)[classes], None, None, fused)


@pytest.mark.parametrize("key", OF_NETWORKS)
def test_weights_and_classes_in_gradients_of_a_network(key):
    net = cynn.Network([cynn.Input(3), cynn.Dense(4, activation="sigmoid")], dtype="float64", seed=0)
    rng = np.random.default_rng(4)
    x, classes, weight = rng.normal(size=(6, 3)), np.array([0, 3, 1, 1, 2, 0]), np.array([1.0, 0, 2, 1, 3, 1])
    one_hot = np.eye(4)[classes]
    by_class = net.gradients(x, classes, loss=_loss(key), sample_weight=weight)
    by_row = net.gradients(x, one_hot, loss=_loss(key), sample_weight=weight)
    np.testing.assert_array_equal(by_class[0][0], by_row[0][0])
    a = net.predict(x)
    _, gradient = _loss(key).value_and_gradient(a, one_hot)
    expected = (weight[:, None] / weight.sum() * gradient * a * (1 - a)).sum(axis=0)
    np.testing.assert_allclose(by_row[0][1], expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("key", LOSSES)
def test_extremes_stay_finite(key, fused, dtype):
    kernel = LossKernel(_loss(key))
    if fused and kernel.fuses_with is None:
        return
    _, target = _data(key, dtype)
    low, high = LOSSES[key].largest_z if fused or key.startswith("gaussian") else (-1e4, 1e4)
    denormal = np.finfo(dtype).smallest_subnormal
    rows = [[low, high, 0, denormal], [high] * 4, [low] * 4, [-denormal, 0, -0.0, high], [0] * 4]
    z = np.array(rows, dtype)
    value, gradient = kernel.value_and_gradient(z, target, fused=fused)
    assert np.isfinite(value).all()
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("key", LOSSES)
def test_nan_goes_on(key, fused):
    kernel = LossKernel(_loss(key))
    if fused and kernel.fuses_with is None:
        return
    prediction, target = _data(key, np.float64, seed=5, fused=fused)
    target[0] = [1, 0.5, 0.5, 0.5] if LOSSES[key].target != "label" else [1, 0, 0, 0]
    if LOSSES[key].target == "one_hot":
        target[0] = [0, 1, 0, 0]
    prediction[0, 0] = np.nan
    value, _ = kernel.value_and_gradient(prediction, target, fused=fused)
    assert np.isnan(value[0])
    assert np.isfinite(value[1:]).all()


@pytest.mark.parametrize(("key", "at", "slope"), [
    ("huber", 1.0, 1), ("huber", -1.0, -1), ("smooth_l1", 1.0, 1), ("quantile 0.9", 0.0, 0),
    ("mean_absolute_percentage_error", 0.0, 0), ("hinge", -1.0, 0), ("squared_hinge", -1.0, 0),
])
def test_slopes_at_kinks(key, at, slope):
    _, gradient = _loss(key).value_and_gradient(np.array([[at]]), np.array([[0.0]]))
    assert gradient[0, 0] == slope


@pytest.mark.parametrize("key", ["categorical_hinge", "multi_margin", "multilabel_margin"])
def test_no_slope_at_the_margin(key):
    _, gradient = _loss(key).value_and_gradient(np.array([[1.0, 0.0]]), np.array([[1.0, 0.0]]))
    assert (gradient == 0).all()


@pytest.mark.parametrize("key", OF_POSITIVE)
def test_outside_its_domain_a_loss_is_its_tangent(key):
    edge, loss = (0.0 if key.startswith("mean") else 1e-7), _loss(key)
    target = np.array([[1.0]])
    (at_edge, slope), (below, same) = (loss.value_and_gradient(np.array([[p]]), target) for p in (edge, -2.0))
    assert slope[0, 0] == same[0, 0] < 0
    assert below[0] == pytest.approx(at_edge[0] + slope[0, 0] * (-2 - edge), rel=1e-9)


@pytest.mark.parametrize(("name", "row", "must"), [
    ("poisson", [1, -2, 0, 0], "be >= 0. Got -2"),
    ("tweedie", [1, -2, 0, 0], "be >= 0. Got -2"),
    ("mean_squared_logarithmic_error", [1, -2, 0, 0], "be >= 0. Got -2"),
    ("gamma", [1, 0, 2, 3], "be > 0. Got 0"),
    ("kl_divergence", [1, -2, 0, 0], "be classes or rows of probabilities >= 0. Got -2"),
    ("categorical_focal", [1, -2, 0, 0], "be classes or rows of probabilities >= 0. Got -2"),
    ("hinge", [1, 0, -1, 2], "be -1 and 1, or 0 and 1. Got 2"),
    ("squared_hinge", [1, 0, -1, 2], "be -1 and 1, or 0 and 1. Got 2"),
    ("soft_margin", [1, 0, -1, 0.5], "be -1 and 1, or 0 and 1. Got 0.5"),
    ("categorical_hinge", [1, 0, 1], "be classes or rows with one 1 among zeros. Got [1.0, 0.0, 1.0]"),
    ("multi_margin", [0, 0, 0, 0], "be classes or rows with one 1 among zeros. Got [0.0, 0.0, 0.0, 0.0]"),
    ("multilabel_margin", [1, 0, 2, 0], "be rows of 0 and 1. Got 2"),
    ("binary_focal", [1, 0, 1.5, 0], "lie between 0 and 1. Got 1.5"),
    ("dice", [1, 0, 1.5, 0], "lie between 0 and 1. Got 1.5"),
])
def test_targets_outside_the_domain_are_refused(name, row, must):
    good = np.ones(len(row)) if name == "gamma" else np.eye(len(row))[0]
    with pytest.raises(DataError, match=re.escape(f"The targets of {name} must {must} in row 1 instead.")):
        registry.losses.get(name).check_target(np.array([good, row], float))


def test_gaussian_nll_needs_pairs():
    with pytest.raises(DataError, match=r"even number of columns.* Got 3 instead"):
        registry.losses.get("gaussian_nll").check_target(np.ones((2, 3)))


@pytest.mark.parametrize("key", LOSSES)
def test_a_network_trains(key):
    reference = LOSSES[key]
    output = reference.fuses_with or OUTPUTS[reference.prediction]
    rng = np.random.default_rng(6)
    x, y = rng.normal(size=(32, 3)), draw(reference.target, rng, (32, 4))
    net = cynn.Network.mlp([3, 8, 4], activation="tanh", output=output, seed=0)
    optimizer = cynn.optimizers.Adam(learning_rate=0.01)
    history = net.fit(x, y, loss=_loss(key), optimizer=optimizer, epochs=20, batch_size=8, progress=False)
    losses = history.history["loss"]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("row", [[1, 0, 0], [0.2, 0.3, 0.5], [0, 0, 0], [2, 0, 3.5], [0, 0.7, 0]])
@pytest.mark.parametrize("p", [[0, 1, 0], [0.1, 0.2, 0.7], [1e-9, 1e-8, 1], [-0.5, 0, 2]])
def test_cross_entropy_is_kl_divergence_and_the_entropy(row, p, dtype):
    """At p = 0 too, for rows that sum to anything, from p and from z."""
    t, kl, ce = np.array([row], dtype), _loss("kl_divergence"), registry.losses.get("cross_entropy")
    entropy = -sum(share * np.log(share) for share in row if share)
    prediction, epsilon = np.array([p], dtype), float(np.finfo(dtype).eps)
    (divergence, slope), (cross, same) = (loss.value_and_gradient(prediction, t) for loss in (kl, ce))
    assert cross[0] == pytest.approx(divergence[0] + entropy, rel=8 * epsilon, abs=8 * epsilon)
    np.testing.assert_allclose(slope, same, rtol=8 * epsilon)
    divergence, cross = (
        LossKernel(loss).value_and_gradient(prediction, t, fused=True)[0][0] for loss in (kl, ce)
    )
    assert cross == pytest.approx(divergence + entropy, rel=16 * epsilon, abs=16 * epsilon)
    log_p = np.array(p) - np.log(np.exp(p).sum())
    assert cross == pytest.approx(-np.dot(row, log_p), rel=16 * epsilon, abs=16 * epsilon)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("p", [0.0, 1.0, 1e-9, 0.3, -0.5])
def test_a_focal_loss_that_focuses_on_nothing_is_the_cross_entropy(p, dtype):
    both = np.array([[p, 1 - p]], dtype)
    focal = registry.losses.get("categorical_focal", gamma=0, alpha=1)
    for found, right in zip(
        focal.value_and_gradient(both, np.array([[1, 0]], dtype)),
        registry.losses.get("cross_entropy").value_and_gradient(both, np.array([[1, 0]], dtype)),
        strict=True,
    ):
        np.testing.assert_allclose(found, right, rtol=1e-5)
    focal = registry.losses.get("binary_focal", gamma=0, alpha=0.5)
    for found, right in zip(
        focal.value_and_gradient(both, np.array([[1, 0]], dtype)),
        registry.losses.get("binary_cross_entropy").value_and_gradient(both, np.array([[1, 0]], dtype)),
        strict=True,
    ):
        np.testing.assert_allclose(2 * found, right, rtol=1e-5)


@pytest.mark.parametrize(("name", "edge", "beyond"), [
    ("cross_entropy", 1e-7, -2.0), ("binary_cross_entropy", 1e-7, -2.0), ("binary_cross_entropy", 1 - 1e-7, 3.0),
])
def test_a_built_in_loss_is_its_tangent_too(name, edge, beyond):
    loss, target = registry.losses.get(name), np.array([[0.7]])
    (at_edge, slope), (far, same) = (loss.value_and_gradient(np.array([[p]]), target) for p in (edge, beyond))
    np.testing.assert_allclose(slope, same, rtol=1e-6)
    assert far[0] == pytest.approx(at_edge[0] + slope[0, 0] * (beyond - edge), rel=1e-6)
