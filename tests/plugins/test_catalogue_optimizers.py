"""The optimizers of cynn_plugins against loops written from the papers."""

import catalogue_optimizers
import numpy as np
import pytest

import cynn
from cynn import registry
from cynn.engine.optimizer_kernel import OptimizerKernel
from cynn.errors import InvalidParameterError

DTYPES = [np.float32, np.float64]
# the name, and hyperparameters that differ from the defaults
CASES = {
    "rmsprop": {},
    "rmsprop momentum": {"rho": 0.8, "momentum": 0.7, "learning_rate": 0.01, "epsilon": 0.01},
    "rmsprop centered": {"centered": True},
    "rmsprop both": {"centered": True, "momentum": 0.5},
    "adagrad": {},
    "adagrad 0.1": {"initial_accumulator": 0.1, "learning_rate": 0.1, "epsilon": 0.01},
    "adadelta": {},
    "adadelta 0.5": {"rho": 0.5, "learning_rate": 0.5, "epsilon": 1e-4},
    "rprop": {},
    "rprop bounds": {
        "learning_rate": 0.015, "largest_step": 0.02, "smallest_step": 0.006, "decrease": 0.7, "increase": 1.5
    },
    "ftrl": {},
    "ftrl l1 l2": {"learning_rate": 0.1, "l1": 0.3, "l2": 0.2, "beta": 0.5, "initial_accumulator": 0.1},
    "adamax": {},
    "adamax slow": {"learning_rate": 0.1, "beta_1": 0.5, "beta_2": 0.9, "epsilon": 0.01},
    "nadam": {},
    "nadam constant": {"momentum_decay": 0, "learning_rate": 0.05},
    "nadam fast": {"momentum_decay": 0.3, "beta_1": 0.8, "beta_2": 0.9, "epsilon": 0.01},
    "radam": {},
    "radam fast": {"beta_1": 0.7, "beta_2": 0.9, "learning_rate": 0.02, "epsilon": 0.01},
    "amsgrad": {},
    "amsgrad fast": {"beta_1": 0.7, "beta_2": 0.5, "learning_rate": 0.02, "epsilon": 0.01},
    "adabelief": {},
    "adabelief fast": {"beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-8, "learning_rate": 0.02},
    "adan": {},
    "adan decay": {
        "weight_decay": 0.5, "learning_rate": 0.02, "beta_1": 0.9, "beta_2": 0.8, "beta_3": 0.95, "epsilon": 0.01
    },
    "lion": {},
    "lion decay": {"weight_decay": 2, "learning_rate": 0.01, "beta_1": 0.7, "beta_2": 0.8},
    "schedule_free_adamw": {},
    "schedule_free_adamw warmup": {
        "warmup_steps": 20, "weight_decay": 0.3, "beta_1": 0.7, "beta_2": 0.9, "epsilon": 0.01, "learning_rate": 0.01
    },
    "lamb": {},
    "lamb decay": {"weight_decay": 0.5, "learning_rate": 0.05, "beta_1": 0.8, "beta_2": 0.9, "epsilon": 0.01},
    "adafactor": {},
    "adafactor clip": {"clip": 0.5, "learning_rate": 0.5, "epsilon_1": 0.1, "epsilon_2": 10, "decay_power": 0.5},
    "muon": {},
    "muon plain": {"nesterov": False, "iterations": 3, "weight_decay": 0.5, "bias_rate": 0.5},
    "muon slow": {"learning_rate": 0.01, "momentum": 0.8},
}
NAMES = sorted({key.split()[0] for key in CASES})
SHAPES = [(1, 5), (4, 1), (3, 7), (7, 3), (6, 6)]
STEPS = 50


def _optimizer(key):
    return registry.optimizers.get(key.split()[0], **CASES.get(key, {}))


def _reference(optimizer):
    config = optimizer.get_config()
    return getattr(catalogue_optimizers, config.pop("name"))(config.pop("learning_rate"), **config)


def _slots(optimizer, w):
    return [np.zeros_like(w) for _ in range(OptimizerKernel(optimizer).n_slots)]


def _run(optimizer, w, gradient_of, steps=STEPS):
    """The weights after each step, and the slots after the last."""
    w, path = w.copy(), []
    slots = _slots(optimizer, w)
    for t in range(1, steps + 1):
        grad = np.array(gradient_of(w, t), dtype=w.dtype)  # a step may overwrite it
        optimizer.step(w, grad, slots, optimizer.learning_rate, t)
        path.append(w.copy())
    return path, slots


def _run_reference(step, w, gradient_of):
    w, path = w.astype(np.float64), []
    for t in range(1, STEPS + 1):
        w = step(w, gradient_of(w, t), t)
        path.append(w)
    return path


def _tolerance(dtype):
    return {"rtol": 1e-9, "atol": 1e-11} if dtype is np.float64 else {"rtol": 2e-3, "atol": 2e-4}


@pytest.mark.parametrize("name", NAMES)
def test_every_hyperparameter_has_a_case(name):
    """One that the kernel ignores, or takes for another, is found below."""
    given = {key for case, values in CASES.items() if case.split()[0] == name for key in values}
    assert given == set(registry.optimizers.find(name).hyperparameters)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("key", CASES)
def test_on_a_sequence_of_gradients(key, shape, dtype):
    rng = np.random.default_rng(len(key))
    w = rng.normal(size=shape).astype(dtype)
    sizes = 10.0 ** rng.uniform(-2, 1, size=(STEPS, 1, 1))
    gradients = (sizes * rng.normal(size=(STEPS, *shape))).astype(dtype)
    optimizer = _optimizer(key)
    path, _ = _run(optimizer, w, lambda w, t: gradients[t - 1])
    expected = _run_reference(_reference(optimizer), w, lambda w, t: gradients[t - 1].astype(np.float64))
    for t, (got, exact) in enumerate(zip(path, expected, strict=True), 1):
        np.testing.assert_allclose(got, exact, err_msg=f"step {t}", **_tolerance(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("key", CASES)
def test_on_a_quadratic(key, dtype):
    rng = np.random.default_rng(1)
    w, aim = rng.normal(size=(4, 5)).astype(dtype), rng.normal(size=(4, 5))
    curvature = rng.uniform(0.5, 2, size=(4, 5))
    optimizer = _optimizer(key)

    def gradient(w, t):
        return curvature * (w - aim)

    path, _ = _run(optimizer, w, gradient)
    expected = _run_reference(_reference(optimizer), w, gradient)
    if dtype is np.float64:
        np.testing.assert_allclose(path[-1], expected[-1], **_tolerance(dtype))
    else:  # a rounding may turn a sign, or grow where a gradient is divided by its own size
        assert np.median(np.abs(path[-1] - expected[-1])) < 1e-4
    cost = [(curvature * (w - aim) ** 2).sum() for w in (w, path[-1])]
    assert cost[1] < cost[0] or "decay" in key or "l2" in key


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("key", CASES)
def test_no_gradient_and_extreme_gradients(key, dtype):
    w = np.linspace(-1, 1, 12, dtype=dtype).reshape(4, 3)
    denormal = np.finfo(dtype).smallest_subnormal
    for size in (0, denormal, np.finfo(dtype).tiny, 1e4):
        path, slots = _run(_optimizer(key), w, lambda w, t, size=size: np.full_like(w, size), steps=5)
        assert np.isfinite(path).all(), size
        assert np.isfinite(slots).all(), size
    path, _ = _run(_optimizer(key), np.zeros_like(w), lambda w, t: np.zeros_like(w), steps=3)
    assert (path[-1] == 0).all()


@pytest.mark.parametrize("key", CASES)
def test_nan_goes_on(key):
    path, _ = _run(_optimizer(key), np.ones((3, 3)), lambda w, t: np.full_like(w, np.nan), steps=1)
    assert np.isnan(path[0]).all()


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("lamb", "adafactor", "muon")])
def test_pieces_give_the_same_bits(name):
    optimizer = registry.optimizers.get(name)
    rng = np.random.default_rng(2)
    w, gradients = rng.normal(size=(6, 4)), rng.normal(size=(5, 6, 4))
    whole, _ = _run(optimizer, w, lambda w, t: gradients[t - 1], steps=5)
    first, _ = _run(optimizer, w[:2].copy(), lambda w, t: gradients[t - 1, :2], steps=5)
    rest, _ = _run(optimizer, w[2:].copy(), lambda w, t: gradients[t - 1, 2:], steps=5)
    np.testing.assert_array_equal(whole[-1], np.concatenate([first[-1], rest[-1]]))


def test_nadam_product_far_on():
    """The momenta's product comes from a series, not from a number that is kept: right at any step."""
    optimizer = registry.optimizers.get("nadam", beta_1=0.999, momentum_decay=0.01)
    reference = _reference(optimizer)
    w = expected = np.ones((1, 1))
    slots = _slots(optimizer, w)
    w = w.copy()
    for t in range(1, 3001):
        optimizer.step(w, np.full_like(w, np.sin(t)), slots, optimizer.learning_rate, t)
        expected = reference(expected, np.full((1, 1), np.sin(t)), t)
    np.testing.assert_allclose(w, expected, rtol=1e-9)


def test_schedule_free_averages():
    optimizer = _optimizer("schedule_free_adamw warmup")
    reference = _reference(optimizer)
    w, aim = np.ones((2, 3)), np.zeros((2, 3))
    _run_reference(reference, w, lambda w, t: w - aim)
    path, slots = _run(optimizer, w, lambda w, t: w - aim)
    np.testing.assert_allclose(slots[0], reference.state["z"], rtol=1e-9, atol=1e-12)
    x = optimizer.averaged(path[-1], slots[0])
    np.testing.assert_allclose(x, reference.state["x"], rtol=1e-9, atol=1e-12)


def test_ftrl_makes_zeros():
    optimizer = registry.optimizers.get("ftrl", l1=1.0, learning_rate=0.5)
    gradients = np.array([[0.1, -0.1, 3.0, -3.0]])
    path, _ = _run(optimizer, np.zeros((1, 4)), lambda w, t: gradients, steps=5)
    assert (path[-1] == 0).tolist() == [[True, True, False, False]]


@pytest.mark.parametrize("shape", [(40, 12), (12, 40), (20, 20)])
def test_muon_moves_all_directions_alike(shape):
    gradient = np.random.default_rng(3).normal(size=shape)
    path, _ = _run(registry.optimizers.get("muon"), np.zeros(shape), lambda w, t: gradient, steps=1)
    singular = np.linalg.svd(path[0] / 0.02 / max(1, shape[1] / shape[0]) ** 0.5, compute_uv=False)
    assert singular[: min(shape) * 3 // 4].min() > 0.6
    assert singular.max() < 1.3


def test_rprop_refuses_bounds_in_the_wrong_order():
    with pytest.raises(InvalidParameterError, match="must be >= its smallest_step, 2"):
        registry.optimizers.get("rprop", smallest_step=2, largest_step=1)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("key", CASES)
def test_a_network_trains(key, dtype):
    rng = np.random.default_rng(4)
    x = rng.normal(size=(48, 5))
    y = np.tanh(x @ rng.normal(size=(5, 2)))
    results = []
    for n_threads in (1, 2):
        net = cynn.Network.mlp([5, 16, 2], activation="tanh", output="identity", seed=0, dtype=dtype)
        optimizer = _optimizer(key)
        settings = {"epochs": 15, "batch_size": 16, "progress": False, "n_threads": n_threads}
        history = net.fit(x, y, loss="mse", optimizer=optimizer, **settings)
        results.append(net.layers[-1].weights.copy())
    losses = history.history["loss"]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0] or "adadelta" in key
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("key", [*CASES, "sgd", "adam", "adamw"])
def test_what_decays_becomes_zero(key, dtype):
    """What a weight without gradients keeps would end as the smallest subnormal number, with which steps are slow."""
    tiny = np.finfo(dtype).tiny
    optimizer = registry.optimizers.get("sgd", momentum=0.9) if key == "sgd" else _optimizer(key)
    w, slots = np.ones((3, 4), dtype), [np.zeros((3, 4), dtype) for _ in range(OptimizerKernel(optimizer).n_slots)]
    optimizer.step(w, np.ones_like(w), slots, 0.01, 1)
    for slot in slots:
        slot[...] = 4 * tiny
    for t in range(2, 2000):
        optimizer.step(w, np.zeros_like(w), slots, 0.01, t)
    for slot in slots:
        assert ((slot == 0) | (np.abs(slot) >= tiny)).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("key", ["adam", "rmsprop"])
def test_what_is_not_finite_stays(key, value, dtype):
    optimizer = registry.optimizers.get(key)
    slots = [np.zeros((1, 2), dtype) for _ in range(OptimizerKernel(optimizer).n_slots)]
    optimizer.step(np.ones((1, 2), dtype), np.array([[value, 1]], dtype), slots, 0.01, 1)
    assert not np.isfinite(slots[0][0, 0])
    assert np.isfinite(slots[0][0, 1])
