"""dy_dx in `evaluate`, `train_batch` and `loop`: what `fit` does, to the bit."""

import copy

import numpy as np
import pytest

import cynn
from cynn import Dense, Input
from cynn.errors import DataError, InvalidParameterError, ShapeError


def case_of_calls(name):
    """A network, x, y and what is given of derivatives."""
    generator = np.random.default_rng(3)
    x = generator.normal(size=(24, 3))
    if name == "several outputs":
        h = Dense(8, "tanh")(Input(3, scale=0.5))
        net = cynn.Network({"p": Dense(2)(h), "q": Dense(1, "tanh")(h)}, seed=0)
        y = {"p": generator.normal(size=(24, 2)), "q": generator.normal(size=24)}
        return net, x, y, {"dy_dx": {"q": generator.normal(size=(24, 3))}, "derivative_weight": {"p": 2.0, "q": 0.3}}
    net = cynn.Network([Input(3, scale=0.5), Dense(8, "tanh", regularizer="l2"), Dense(2)], seed=0)
    y = generator.normal(size=(24, 2))
    if name == "directions":
        given = {"dy_dx": generator.normal(size=(24, 2, 2)), "directions": generator.normal(size=(24, 2, 3))}
        return net, x, y, given
    dy_dx = generator.normal(size=(24, 2, 3))
    dy_dx[generator.random(dy_dx.shape) < 0.2] = np.nan
    return net, x, y, {"dy_dx": dy_dx, "derivative_weight": 0.7}


CASES = ["all inputs", "directions", "several outputs"]


def weights_after(take_step, net):
    net = copy.deepcopy(net)
    take_step(net)
    return net.get_weights()


def are_same(one, other):
    return all((a == b).all() for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("n_threads", [1, 2])
def test_steps_have_the_bits_of_fit(name, n_threads):
    net, x, y, given = case_of_calls(name)
    of_step = {key: each for key, each in given.items() if key != "derivative_weight"}
    weight = given.get("derivative_weight")

    def fit(net):
        net.fit(x, y, **given, epochs=3, batch_size=24, shuffle=False, progress=False, n_threads=n_threads)

    def train_batch(net):
        for _ in range(3):
            net.train_batch(x, y, **given, n_threads=n_threads)

    def loop_of(net):
        return net.loop(24, derivative_weight=weight, n_threads=n_threads)

    def steps(net):
        loop = loop_of(net)
        for _ in range(3):
            loop.step(x, y, **of_step)

    def halves(net):
        loop = loop_of(net)
        for _ in range(3):
            loop.apply(loop.gradients(x, y, **of_step))

    expected = weights_after(fit, net)
    assert not are_same(expected, weights_after(lambda net: net.fit(x, y, epochs=3, batch_size=24), net))
    for other in (train_batch, steps, halves):
        assert are_same(expected, weights_after(other, net)), other.__name__


@pytest.mark.parametrize("name", CASES)
def test_what_calls_return_is_the_loss_of_fit(name):
    net, x, y, given = case_of_calls(name)
    history = copy.deepcopy(net).fit(
        x, y, **given, epochs=1, batch_size=24, progress=False, validation_data=None, metrics=["mean_absolute_error"]
    )
    found = net.evaluate(x, y, **given, metrics=["mean_absolute_error"])
    for key, value in found.items():
        assert value == pytest.approx(history[key][0], rel=1e-5), key
    assert "derivative_loss" in found
    plain = net.evaluate(x, y)
    assert "derivative_loss" not in plain and plain["loss"] < found["loss"]
    assert net.evaluate(x, y, **given) == net.evaluate(x, y, **given)
    of_step = {key: each for key, each in given.items() if key != "derivative_weight"}
    loop = copy.deepcopy(net).loop(30, derivative_weight=given.get("derivative_weight"))
    assert loop.step(x, y, **of_step) == pytest.approx(found["loss"], rel=1e-5)
    assert copy.deepcopy(net).train_batch(x, y, **given) == pytest.approx(found["loss"], rel=1e-5)


def test_steps_with_and_without_derivatives_in_turn():
    net, x, y, given = case_of_calls("all inputs")
    optimizer = cynn.optimizers.Adam(0.01)

    def in_turn(net):
        for _ in range(3):
            net.train_batch(x, y, optimizer=optimizer)
            net.train_batch(x, y, **given, optimizer=optimizer)
            net.train_batch(x[:7], y[:7], dy_dx=given["dy_dx"][:7], optimizer=optimizer)

    def by_loops(net):
        loop = net.loop(24, optimizer=optimizer, derivative_weight=0.7)
        other = net.loop(24, optimizer=optimizer)
        for _ in range(3):
            loop.step(x, y)
            loop.step(x, y, dy_dx=given["dy_dx"])
            other.step(x[:7], y[:7], dy_dx=given["dy_dx"][:7])

    assert are_same(weights_after(in_turn, net), weights_after(by_loops, net))


def test_weights_of_rows_in_steps_are_those_of_copies():
    net, x, y, given = case_of_calls("all inputs")
    weight = np.random.default_rng(1).integers(0, 3, 24)
    rows = np.repeat(np.arange(24), weight)
    copies = {"dy_dx": given["dy_dx"][rows], "derivative_weight": 0.7}
    one = net.evaluate(x, y, **given, sample_weight=weight)
    assert one == pytest.approx(net.evaluate(x[rows], y[rows], **copies), rel=1e-5)
    assert one["derivative_loss"] > 0


def test_calls_refuse_what_fit_refuses():
    net, x, y, given = case_of_calls("all inputs")
    before = net.get_weights()
    loop = net.loop(24)
    dy_dx, directions = given["dy_dx"], np.zeros((24, 2, 3))
    for call, name in (net.evaluate, "evaluate"), (net.train_batch, "train_batch"):
        with pytest.raises(InvalidParameterError, match=f"'derivative_weight' parameter of {name} .*without dy_dx"):
            call(x, y, derivative_weight=1.0)
        with pytest.raises(InvalidParameterError, match=f"'derivative_weight' parameter of {name}"):
            call(x, y, dy_dx=dy_dx, derivative_weight=-1.0)
    for call in (net.evaluate, net.train_batch, loop.step, loop.gradients):
        with pytest.raises(InvalidParameterError, match=r"'directions' parameter of .* without dy_dx"):
            call(x, y, directions=directions)
        with pytest.raises(ShapeError, match="dy_dx must have the shape"):
            call(x, y, dy_dx=dy_dx[:, :, 1:])
        with pytest.raises(ShapeError, match="directions must have the shape"):
            call(x, y, dy_dx=dy_dx, directions=directions[:, :, 1:])
        with pytest.raises(DataError, match="dy_dx must be finite"):
            call(x, y, dy_dx=np.full_like(dy_dx, np.inf))
    with pytest.raises(InvalidParameterError, match="'derivative_weight' parameter of loop"):
        net.loop(24, derivative_weight=-1.0)
    with pytest.raises(ShapeError, match="x must have at most 4 rows"):
        net.loop(4).step(x, y, dy_dx=dy_dx)
    assert are_same(before, net.get_weights())
    assert net.train_batch(x, y) > 0  # after errors, the next call is as before
    noisy = cynn.Network([Input(3), Dense(4), cynn.Dropout(0.5), Dense(2)], seed=0)
    for call in (noisy.evaluate, noisy.train_batch, noisy.loop(24).step):
        with pytest.raises(InvalidParameterError, match="noise"):
            call(x, y, dy_dx=dy_dx)
