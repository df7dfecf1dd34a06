"""`fit` with dy_dx: gradients against differences, and all that goes with a fit."""

import numpy as np
import pytest

import cynn
from cynn import Dense, Input, layers
from cynn.callbacks import Checkpoint
from cynn.errors import CynnError, DataError, InvalidParameterError, PluginError, ShapeError

WEIGHT = 0.7


def graph():
    x = Input(3)
    first = Dense(4, "tanh")(x)
    both = layers.Add()(first, Dense(4, "sigmoid")(first))
    outputs = {"p": Dense(2, "softmax")(layers.Concatenate()(both, x)), "q": Dense(1)(both)}
    return cynn.Network(outputs, dtype="float64", seed=0)


def sequence(inputs, *parts, dtype="float64"):
    return cynn.Network([Input(inputs, scale=0.5, offset=0.1), *parts], seed=1, dtype=dtype)


NETWORKS = {
    "one output": lambda: sequence(3, Dense(5, "tanh"), Dense(4, "sigmoid"), Dense(1)),
    "more outputs": lambda: sequence(2, Dense(5, "tanh"), layers.LayerNorm(), Dense(4, "softmax")),
    "layers": lambda: sequence(3, layers.GLU(4), layers.RMSNorm(), layers.PReLU(), layers.Maxout(4), Dense(2, "tanh")),
    "shallow": lambda: sequence(3, Dense(2, "softmax")),
    "graph": graph,
}


def perturb(net):
    rng = np.random.default_rng(5)
    net.set_weights([w + rng.uniform(0.05, 0.3, w.shape) for w in net.get_weights()])


def data(net, n, k=None, seed=0):
    """x, y, dy_dx and directions; some derivatives are not given."""
    rng = np.random.default_rng(seed)
    inputs, units = net.input.units, net._outputs.units
    x = rng.normal(size=(n, inputs))
    y = [rng.dirichlet(np.ones(each), size=n) if each > 1 else rng.normal(size=(n, each)) for each in units]
    directions = None if k is None else rng.normal(size=(n, k, inputs))
    dy_dx = [rng.normal(size=(n, each, inputs) if k is None else (n, k, each)) for each in units]
    for each in dy_dx:
        each.ravel()[::5] = np.nan
    join = net._outputs.join
    return x, join(y), join(dy_dx), directions


def as_list(each):
    return list(each.values()) if isinstance(each, dict) else [each]


def derivative_losses(net, x, dy_dx, directions, weights=None):
    """The mean of squared errors over what is given, from Jacobians."""
    found = []
    for J, given in zip(as_list(net.jacobian(x)), as_list(dy_dx), strict=True):
        v = J if directions is None else np.einsum("roi,rki->rko", J, directions)
        given = given.reshape(v.shape)
        w = np.ones(len(v)) if weights is None else weights
        w = np.where(np.isnan(given), 0, w[:, None, None])
        found.append(np.nansum(w * (v - given) ** 2) / w.sum())
    return found


def objective(net, x, y, dy_dx, directions, weights=None):
    loss = net.evaluate(x, y, sample_weight=weights)["loss"]
    return loss + WEIGHT * sum(derivative_losses(net, x, dy_dx, directions, weights))


def step(net, x, y, dy_dx, directions, **options):
    """Minus the change of a step of gradient descent over all rows, in their order: the gradient."""
    before = net.get_weights()
    options = {"batch_size": len(x), "epochs": 1, "shuffle": False, "progress": False} | options
    options = {"optimizer": cynn.optimizers.SGD(learning_rate=1.0)} | options
    history = net.fit(x, y, dy_dx=dy_dx, directions=directions, derivative_weight=WEIGHT, **options)
    gradient = [a - b for a, b in zip(before, net.get_weights(), strict=True)]
    net.set_weights(before)
    return gradient, history


@pytest.mark.parametrize("k", [None, 2])
@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_are_those_of_differences(name, k):
    net = NETWORKS[name]()
    perturb(net)
    given = data(net, 7, k)
    weights = np.array([1.0, 2, 0, 1, 3, 1, 0.5])
    gradient, history = step(net, *given, sample_weight=weights)
    assert history["loss"][0] == pytest.approx(objective(net, *given, weights), rel=1e-12)
    losses = derivative_losses(net, given[0], given[2], given[3], weights)
    assert history["derivative_loss"][0] == pytest.approx(sum(losses), rel=1e-12)
    before, largest = net.get_weights(), max(np.abs(each).max() for each in gradient)
    rng = np.random.default_rng(1)
    for number, each in enumerate(gradient):
        for place in rng.choice(each.size, min(6, each.size), replace=False):
            values = []
            for sign in (1, -1):
                moved = [w.copy() for w in before]
                moved[number].ravel()[place] += sign * 1e-5
                net.set_weights(moved)
                values.append(objective(net, *given, weights))
            assert each.ravel()[place] == pytest.approx((values[0] - values[1]) / 2e-5, abs=1e-6 * largest)


@pytest.mark.parametrize("k", [None, 2])
@pytest.mark.parametrize("name", ["one output", "more outputs", "graph"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_same_bits_on_any_number_of_threads(name, k, dtype):
    found = []
    for n_threads in (1, 2, 3):
        net = NETWORKS[name]()
        config = [Input(3), Dense(64, "tanh"), Dense(96, "tanh"), Dense(2)]
        net = cynn.Network(config, seed=0, dtype=dtype) if name == "one output" else net
        x, y, dy_dx, directions = data(net, 700, k)
        net.fit(x, y, dy_dx=dy_dx, directions=directions, epochs=2, batch_size=300, n_threads=n_threads, progress=False)
        found.append(net.get_weights())
    for others in found[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(found[0], others, strict=True))


def small(**options):
    return cynn.Network([Input(2), Dense(8, "tanh"), Dense(1)], seed=0, dtype="float64", **options)


def test_shapes_of_one_output():
    net = small()
    x, y, dy_dx, directions = data(net, 9, 3)
    assert step(net, x, y, dy_dx, directions)[1]["loss"] == step(net, x, y, dy_dx[:, :, 0], directions)[1]["loss"]
    x, y, dy_dx, _ = data(net, 9)
    assert step(net, x, y, dy_dx, None)[1]["loss"] == step(net, x, y, dy_dx[:, 0], None)[1]["loss"]


def test_directions_that_are_the_coordinates_are_the_jacobian():
    net = NETWORKS["layers"]()
    x, y, dy_dx, _ = data(net, 6)
    coordinates = np.broadcast_to(np.eye(3), (6, 3, 3))
    first, _ = step(net, x, y, dy_dx, None)
    second, _ = step(net, x, y, dy_dx.transpose(0, 2, 1), coordinates)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_a_dict_may_leave_outputs_out():
    net = graph()
    x, y, dy_dx, _ = data(net, 6)
    some, history = step(net, x, y, {"q": dy_dx["q"]}, None)
    nothing = {"p": np.full_like(dy_dx["p"], np.nan), "q": dy_dx["q"]}
    others, _ = step(net, x, y, nothing, None)
    assert "p_derivative_loss" not in history.history
    assert history["derivative_loss"] == history["q_derivative_loss"]
    for a, b in zip(some, others, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-13)


def test_weights_of_outputs():
    net = graph()
    x, y, dy_dx, _ = data(net, 6)
    loss = net.evaluate(x, y)["loss"]
    first, second = derivative_losses(net, x, dy_dx, None)
    history = net.fit(
        x, y, dy_dx=dy_dx, derivative_weight={"p": 0, "q": 3.0}, epochs=1, batch_size=6, progress=False
    )
    assert history["loss"][0] == pytest.approx(loss + 3 * second, rel=1e-12)
    assert history["p_derivative_loss"][0] == pytest.approx(first, rel=1e-12)


def test_a_weight_of_two_is_two_copies():
    net = small()
    x, y, dy_dx, _ = data(net, 6)
    weights = np.array([2, 1, 0, 1, 2, 1])
    copies = np.repeat(np.arange(6), weights)
    weighted, first = step(net, x, y, dy_dx, None, sample_weight=weights)
    copied, second = step(net, x[copies], y[copies], dy_dx[copies], None)
    assert first["derivative_loss"] == pytest.approx(second["derivative_loss"], rel=1e-12)
    for a, b in zip(weighted, copied, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-13)


def test_generators_and_arrays():
    """Batches of a generator have the steps of the same rows in arrays."""
    found = []
    for is_generator in (False, True):
        net = small()
        x, y, dy_dx, directions = data(net, 40, 2)
        dy_dx = np.nan_to_num(dy_dx)  # else a batch is a mean over what it has, not over what all have
        batches = [
            (x[i : i + 10], y[i : i + 10], None, dy_dx[i : i + 10], directions[i : i + 10]) for i in range(0, 40, 10)
        ]
        options = {"epochs": 3, "derivative_weight": 2.0, "progress": False}
        if is_generator:
            history = net.fit(batches, **options)
        else:
            options |= {"batch_size": 10, "shuffle": False}
            history = net.fit(x, y, dy_dx=dy_dx, directions=directions, **options)
        found.append((net.get_weights(), history["loss"], history["derivative_loss"]))
    assert found[0][1:] == found[1][1:]
    assert all(np.array_equal(a, b) for a, b in zip(found[0][0], found[1][0], strict=True))


@pytest.mark.parametrize("k", [None, 2])
def test_validation(k):
    net = graph()
    x, y, dy_dx, directions = data(net, 30, k)
    *other, other_directions = data(net, 20, k, seed=3)
    weights = np.random.default_rng(0).uniform(size=20)
    validation = (*other[:2], weights, other[2], *([] if k is None else [other_directions]))
    history = net.fit(
        x, y, dy_dx=dy_dx, directions=directions, derivative_weight=WEIGHT, validation_data=validation, epochs=2,
        progress=False,
    )  # fmt: skip
    losses = derivative_losses(net, other[0], other[2], other_directions, weights)
    assert history["val_derivative_loss"][-1] == pytest.approx(sum(losses), rel=1e-10)
    assert history["val_q_derivative_loss"][-1] == pytest.approx(losses[1], rel=1e-10)
    whole = objective(net, other[0], other[1], other[2], other_directions, weights)
    assert history["val_loss"][-1] == pytest.approx(whole, rel=1e-10)


def test_a_split_counts_its_own_rows():
    net = small()
    x, y, dy_dx, _ = data(net, 40)
    history = net.fit(x, y, dy_dx=dy_dx, validation_split=0.25, epochs=1, batch_size=30, progress=False)
    other = small()
    seen = cynn.data.inputs.split(net.objective(None).targets(y, 40, "y", check_finite=True), 40, 0.25, net.seed)
    train, held_out = (np.sort(part) for part in seen)
    again = other.fit(
        x[train], y[train], dy_dx=dy_dx[train], epochs=1, batch_size=30, progress=False,
        validation_data=(x[held_out], y[held_out], None, dy_dx[held_out]),
    )  # fmt: skip
    assert history["derivative_loss"] == pytest.approx(again["derivative_loss"], rel=1e-12)
    assert history["val_derivative_loss"] == pytest.approx(again["val_derivative_loss"], rel=1e-9)


def test_some_rows():
    options = {"epochs": 2, "batch_size": 8, "progress": False}
    net, other = small(), small()
    x, y, dy_dx, _ = data(net, 40)
    rows = np.random.default_rng(0).integers(0, 40, 20)
    first = net.fit(x, y, dy_dx=dy_dx, rows=rows, **options)
    second = other.fit(x[rows], y[rows], dy_dx=dy_dx[rows], **options)
    assert first["loss"] == second["loss"]


@pytest.mark.parametrize("is_generator", [False, True])
def test_a_resumed_training_has_the_same_bits(tmp_path, is_generator):
    def training(net, *, epochs, **options):
        x, y, dy_dx, _ = data(net, 40)
        options |= {"derivative_weight": 0.5, "progress": False, "epochs": epochs, "optimizer": cynn.optimizers.Adam()}
        if is_generator:
            return net.fit([(x[i::4], y[i::4], None, dy_dx[i::4]) for i in range(4)], **options)
        return net.fit(x, y, dy_dx=dy_dx, batch_size=10, metrics=["mean_absolute_error"], **options)

    whole, stopped, resumed = small(), small(), small()
    history = training(whole, epochs=3)
    path = tmp_path / "training"
    training(stopped, epochs=2, callbacks=[Checkpoint(path, every_steps=6)])
    again = training(resumed, epochs=3, resume=path)
    assert again["derivative_loss"] == history["derivative_loss"]
    assert all(np.array_equal(a, b) for a, b in zip(whole.get_weights(), resumed.get_weights(), strict=True))


def test_another_weight_is_another_training(tmp_path):
    net = small()
    x, y, dy_dx, _ = data(net, 40)
    net.fit(x, y, dy_dx=dy_dx, epochs=1, callbacks=[Checkpoint(tmp_path / "a")], progress=False)
    with pytest.raises(CynnError, match="derivative_weight"):
        small().fit(x, y, dy_dx=dy_dx, derivative_weight=2.0, epochs=2, resume=tmp_path / "a", progress=False)


def test_accumulation_regularizers_and_clipping():
    """Two batches of a step are one, and the penalty is in the loss."""
    gradients = []
    for options in ({"batch_size": 20}, {"batch_size": 10, "accumulation": 2}):
        optimizer = cynn.optimizers.SGD(
            learning_rate=1.0, gradient_accumulation_steps=options.pop("accumulation", 1), global_clipnorm=0.5
        )
        net = cynn.Network(
            [Input(2), Dense(8, "tanh", regularizer="l2"), Dense(1)], seed=0, dtype="float64"
        )
        given = data(net, 20)
        gradient, history = step(net, *given, optimizer=optimizer, **options)
        assert history["loss"][0] == pytest.approx(objective(net, *given), rel=1e-12)
        assert np.sqrt(sum(np.square(each).sum() for each in gradient)) == pytest.approx(0.5)
        gradients.append(gradient)
    for a, b in zip(*gradients, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_lbfgs_takes_derivatives():
    net = small()
    x = np.random.default_rng(0).uniform(-1, 1, (50, 2))
    y, dy_dx = np.sin(x.sum(axis=1)), np.cos(x.sum(axis=1))[:, None].repeat(2, axis=1)
    history = net.fit(x, y, dy_dx=dy_dx, optimizer="lbfgs", epochs=80, progress=False)
    assert history["derivative_loss"][-1] < 2e-3 < 0.05 < history["derivative_loss"][0]
    assert history["loss"][-1] > history["derivative_loss"][-1]
    with pytest.raises(InvalidParameterError, match="dy_dx"):
        net.fit(x, y, dy_dx=dy_dx, optimizer="levenberg_marquardt", epochs=1, progress=False)


def test_derivatives_help():
    """Few rows with derivatives fit a function better than the same rows without."""
    rng = np.random.default_rng(0)
    x, test = rng.uniform(-2, 2, (30, 2)), rng.uniform(-2, 2, (500, 2))

    def f(x):
        return np.sin(x[:, 0]) * x[:, 1]

    slopes = np.stack([np.cos(x[:, 0]) * x[:, 1], np.sin(x[:, 0])], axis=1)
    errors = []
    for given in ({}, {"dy_dx": slopes}):
        net = cynn.Network.mlp([2, 32, 32, 1], activation="tanh", seed=0)
        net.fit(x, f(x), epochs=300, batch_size=30, progress=False, optimizer=cynn.optimizers.Adam(0.01), **given)
        errors.append(np.sqrt(np.mean((net.predict(test)[:, 0] - f(test)) ** 2)))
    assert errors[1] < errors[0] / 2


@pytest.mark.parametrize("kind", ["sparse", "uint8", "classes", "wide"])
def test_forms_of_rows(kind):
    rng = np.random.default_rng(0)
    net = cynn.Network([Input(40, scale=1 / 16), Dense(600 if kind == "wide" else 6, "tanh"), Dense(3, "softmax")],
                       seed=0, dtype="float64")  # fmt: skip
    x = rng.integers(0, 255, (80, 40)).astype(np.uint8) * (rng.uniform(size=(80, 40)) < 0.3)
    y = rng.integers(0, 3, 80) if kind == "classes" else rng.dirichlet(np.ones(3), 80)
    dy_dx = rng.normal(size=(80, 3, 40))
    given = x.astype(np.uint8) if kind == "uint8" else x.astype(float)
    if kind == "sparse":
        given = pytest.importorskip("scipy.sparse").csr_matrix(given)
    expected = derivative_losses(net, given, dy_dx, None)
    history = net.fit(
        given, y, dy_dx=dy_dx, batch_size=80, epochs=1, progress=False, validation_data=(given, y, None, dy_dx)
    )
    assert history["derivative_loss"] == pytest.approx(expected, rel=1e-12)
    assert history["val_derivative_loss"] == pytest.approx(derivative_losses(net, given, dy_dx, None), rel=1e-10)


def test_what_cannot_be_trained_says_why():
    net = small()
    x, y, dy_dx, directions = data(net, 6, 2)

    def refuses(error, match, *, net=net, **options):
        before = net.get_weights()
        with pytest.raises(error, match=match):
            net.fit(x, y, progress=False, **options)
        assert all(np.array_equal(a, b) for a, b in zip(before, net.get_weights(), strict=True))

    noisy = cynn.Network([Input(2), Dense(4), layers.Dropout(0.5), Dense(1)], seed=0)
    refuses(InvalidParameterError, "noise", net=noisy, dy_dx=np.zeros((6, 2)))
    normed = cynn.Network([Input(2), Dense(4), layers.BatchNorm(), Dense(1)], seed=0)
    refuses(InvalidParameterError, "statistics over the batch", net=normed, dy_dx=np.zeros((6, 2)))
    refuses(ShapeError, r"\(6, 1, 2\) or \(6, 2\)", dy_dx=np.zeros((6, 3)))
    refuses(ShapeError, r"\(6, 2, 1\) or \(6, 2\)", dy_dx=np.zeros((6, 3)), directions=directions)
    refuses(ShapeError, r"\(6, k, 2\)", dy_dx=dy_dx, directions=directions[:, :, :1])
    refuses(DataError, "finite", dy_dx=np.full((6, 2), np.inf))
    refuses(DataError, "finite", dy_dx=dy_dx, directions=np.full_like(directions, np.nan))
    refuses(InvalidParameterError, "directions must come with dy_dx", directions=directions)
    refuses(InvalidParameterError, "derivative_weight", derivative_weight=1.0)
    refuses(InvalidParameterError, "derivative_weight", dy_dx=np.zeros((6, 2)), derivative_weight=-1.0)
    refuses(InvalidParameterError, "transform", dy_dx=np.zeros((6, 2)), transform=lambda x, y, generator: (x, y))
    refuses(InvalidParameterError, "validation_data", validation_data=(x, y, None, dy_dx))
    with pytest.raises(InvalidParameterError, match="sample_weight, dy_dx"):
        net.fit([(x, y)], derivative_weight=1.0, progress=False)
    with pytest.raises(ShapeError, match="dy_dx of batch 1"):
        net.fit([(x, y, None, np.zeros((6, 3)))], derivative_weight=1.0, progress=False)


class Cube(cynn.activations.Activation):
    """z³, in Python."""

    name = "cube_of_this_test"

    def forward(self, z):
        return z**3

    def backward(self, z, a, grad):
        return 3 * z**2 * grad


def test_a_part_without_directional_derivatives_is_named():
    net = cynn.Network([Input(2), Dense(4, Cube()), Dense(1)], seed=0)
    with pytest.raises(PluginError, match="cube_of_this_test"):
        net.fit(np.zeros((3, 2)), np.zeros(3), dy_dx=np.zeros((3, 2)), progress=False)
