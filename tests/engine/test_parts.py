"""The first layer of a network of many inputs, which threads work on in parts of its inputs."""

import helpers
import numpy as np
import pytest
import reference

from cynn import Concatenate, Dense, Dropout, Input, Network
from cynn.errors import DataError
from cynn.optimizers import SGD, Adam

ROWS = 250
# inputs and units of a first layer that is divided, the last two into three and five parts; the last batch of 250 rows
# is a smaller one
SHAPES = [(256, 64), (257, 33), (300, 1), (300, 7), (784, 16), (1000, 130), (1600, 33), (2600, 64)]


def data(inputs, dtype="float64"):
    return helpers.inputs(ROWS, inputs, dtype), helpers.targets(ROWS, 3, "mean_squared_error").astype(dtype)


def network(inputs, units, dtype="float64", **dense):
    layers = [Input(inputs), Dense(units, "tanh", **dense), *(Dense(130, "tanh") for _ in range(2)), Dense(3)]
    return Network(layers, seed=1, dtype=dtype)


@pytest.mark.parametrize(("inputs", "units"), SHAPES)
@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_steps_are_those_of_numpy(inputs, units, n_threads):
    x, y = data(inputs)
    net = network(inputs, units)
    names, expected = ["tanh"] * 3 + ["identity"], helpers.parameters(net)
    net.fit(
        x, y, epochs=2, batch_size=200, optimizer=SGD(0.05), loss="mean_squared_error", shuffle=False,
        n_threads=n_threads,
    )
    for begin, end in [(0, 200), (200, 250)] * 2:
        gradients = reference.gradients(x[begin:end], y[begin:end], expected, names, "mean_squared_error")
        expected = [
            (W - 0.05 * dW, b - 0.05 * db) for (W, b), (dW, db) in zip(expected, gradients, strict=True)
        ]
    for got, wanted in zip(helpers.parameters(net), expected, strict=True):
        np.testing.assert_allclose(got[0], wanted[0], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(got[1], wanted[1], rtol=1e-9, atol=1e-12)


def digest(build, x, y, n_threads, **options):
    net = build()
    net.fit(x, y, epochs=2, batch_size=200, loss="mean_squared_error", n_threads=n_threads, **options)
    return helpers.digest(net)


def check_threads(build, x, y, **options):
    alone = digest(build, x, y, 1, **options)
    for n_threads in (2, 3, 4, 8, 16):
        assert digest(build, x, y, n_threads, **options) == alone, n_threads


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("inputs", "units"), SHAPES)
def test_any_number_of_threads_gives_the_same_bits(inputs, units, dtype):
    check_threads(lambda: network(inputs, units, dtype), *data(inputs, dtype))


@pytest.mark.parametrize(
    "options", [{}, {"global_clipnorm": 0.1}, {"gradient_accumulation_steps": 2}, {"use_ema": True}], ids=str
)
def test_whatever_becomes_of_the_gradients(options):
    check_threads(lambda: network(300, 40, "float32"), *data(300, "float32"), optimizer=Adam(**options))


@pytest.mark.parametrize(
    "dense", [{"regularizer": "l2"}, {"trainable": False}, {"use_bias": False}],
    ids=["regularized", "not trainable", "without biases"],
)  # fmt: skip
def test_whatever_the_layer_is(dense):
    check_threads(lambda: network(300, 40, "float32", **dense), *data(300, "float32"))


def test_bytes_that_are_scaled():
    x = np.random.default_rng(0).integers(0, 256, (ROWS, 400), dtype=np.uint8)
    _, y = data(400, "float32")
    check_threads(lambda: Network([Input(400, scale=1 / 255), Dense(60, "relu"), Dense(3)], seed=0), x, y)


@pytest.mark.parametrize("column", [0, 150, 299])
@pytest.mark.parametrize("n_threads", [1, 2])
def test_a_nan_is_found_in_every_part(column, n_threads):
    x, y = data(300)
    x[123, column] = np.nan
    net = network(300, 40)
    before = helpers.digest(net)
    with pytest.raises(DataError, match="Got nan in row 123"):
        net.fit(x, y, epochs=1, batch_size=250, loss="mean_squared_error", n_threads=n_threads)
    assert helpers.digest(net) == before


def test_rows_of_a_caller_that_lie_otherwise():
    x, y = data(300)
    wide = np.zeros((2 * ROWS, 602))
    wide[::2, 1:601:2] = x
    digests = {digest(lambda: network(300, 40), same, y, 2) for same in (x, np.asfortranarray(x), wide[::2, 1:601:2])}
    assert len(digests) == 1


def test_inputs_that_something_else_takes_too():
    """They are not divided; batches of ten are too small to be, and 25 of them make the same step."""
    x, y = data(300)
    found = []
    for batch_size, optimizer in [(250, SGD(0.05)), (10, SGD(0.05, gradient_accumulation_steps=25))]:
        inputs = Input(300)
        hidden = Dense(50, "tanh")(inputs)
        net = Network(Dense(3)(Concatenate()(hidden, inputs)), seed=0, dtype="float64")
        net.fit(x, y, epochs=2, batch_size=batch_size, optimizer=optimizer, loss="mean_squared_error", n_threads=2)
        found.append(net.predict(x))
    np.testing.assert_allclose(*found, rtol=1e-10)


def test_a_first_layer_that_cannot_be_divided():
    check_threads(
        lambda: Network([Input(300), Dropout(0.5), Dense(60, "tanh"), Dense(3)], seed=0), *data(300, "float32")
    )


def test_wide_layers_have_the_same_bits_at_any_number_of_threads():
    """They are computed in pieces of columns: eight for 1,024, and a last one of its own width for others."""
    x, y = data(600, "float32")

    def build():
        layers = [Input(600), Dense(1100, "tanh"), Dense(1024, "relu"), Dense(3)]
        return Network(layers, seed=1, dtype="float32")

    check_threads(build, x, y, optimizer=SGD(0.05))
