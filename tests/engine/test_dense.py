"""z = x W + b, ∂C/∂W, ∂C/∂b and ∂C/∂x of dense layers of many shapes, against NumPy in float64.

The kernels pick by shape, so the shapes lie on both sides of every border: single rows, odd units,
a tile of 64 rows, blocks of W, narrow and wide layers.
"""

import helpers
import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

import cynn

DTYPES = ["float32", "float64"]
UNITS = [1, 2, 3, 7, 8, 10, 15, 16, 17, 30, 31, 32, 33, 64, 100]
ROWS = [1, 2, 3, 10, 63, 64, 65, 128, 257]
INPUTS = [1, 2, 3, 8, 17, 196, 197, 784, 800]


def check(rows, inputs, units, dtype, seed=0, outputs=3):
    """Outputs and gradients of two layers, so that ∂C/∂x of the second one matters, too."""
    names = ["identity", "identity"]
    net = helpers.network([inputs, units, outputs], names, dtype, seed)
    x = helpers.inputs(rows, inputs, dtype, seed)
    t = helpers.targets(rows, outputs, "mean_squared_error", seed)
    parameters = helpers.parameters(net)
    tolerance = helpers.TOLERANCE[dtype]

    expected_outputs = reference.forward(x.astype(np.float64), parameters, names)
    for found, expected in zip(net.activations(x), expected_outputs, strict=True):
        assert found.dtype == dtype
        assert helpers.relative_error(found, expected) < tolerance
    assert helpers.relative_error(net.predict(x), expected_outputs[-1]) < tolerance

    found = net.gradients(x, t, loss="mean_squared_error")
    expected = reference.gradients(x.astype(np.float64), t, parameters, names, "mean_squared_error")
    for (dW, db), (dW_expected, db_expected) in zip(found, expected, strict=True):
        assert dW.dtype == db.dtype == dtype
        assert helpers.relative_error(dW, dW_expected) < 4 * tolerance
        assert helpers.relative_error(db, db_expected) < 4 * tolerance


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("units", UNITS)
@pytest.mark.parametrize("inputs", [1, 17, 784])
def test_units(inputs, units, dtype):
    for rows in (1, 10, 65):
        check(rows, inputs, units, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("units", [1, 16, 30, 100])
def test_rows(rows, units, dtype):
    check(rows, 40, units, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("inputs", INPUTS)
@pytest.mark.parametrize("units", [10, 33])
def test_inputs(inputs, units, dtype):
    check(12, inputs, units, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("units", [3, 12, 16, 32, 47, 48, 64, 79, 113])
def test_blocks_of_any_rows(units, dtype):
    """Blocks of one to four vectors, with all that may be left of the rows and of the products to be summed."""
    for rows in range(1, 27):
        check(rows, 3 + rows % 9, units, dtype)
        check(3 + rows % 9, rows, units, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@given(st.integers(1, 300), st.integers(1, 90), st.integers(1, 80), st.integers(0, 5))
def test_any_shape(dtype, rows, inputs, units, seed):
    check(rows, inputs, units, dtype, seed)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("units", [511, 512, 513, 520, 600, 1000, 1024, 1025, 1366, 2000])
@pytest.mark.parametrize("rows", [1, 3, 70])
def test_wide_and_then_narrow(rows, units, dtype):
    """∂C/∂x of a layer with many inputs and three units, on both sides of every border of the kernels."""
    check(rows, 4, units, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@given(st.integers(1, 70), st.integers(1, 2000), st.integers(1, 2000), st.integers(1, 40))
@settings(max_examples=40)
def test_any_shape_wide(dtype, rows, inputs, units, outputs):
    check(rows, inputs, units, dtype, outputs=outputs)


@pytest.mark.parametrize("dtype", DTYPES)
def test_wide(dtype):
    check(130, 600, 512, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", [23, 24, 30, 70])
@pytest.mark.parametrize("units", [513, 528, 545, 560, 575, 640])
def test_large(rows, units, dtype):
    """Two layers of large products: whole panels and what is left of one, and more inputs than go at once."""
    check(rows, 1030, units, dtype, outputs=600)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("inputs", [256, 512, 1024])
@pytest.mark.parametrize("rows", [100, 129, 300])
def test_rows_a_power_of_two_apart(rows, inputs, dtype):
    """Whose columns are copied for dW."""
    check(rows, inputs, 600, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", [10, 40, 300])
@pytest.mark.parametrize("units", [16, 33, 600, 640])
@pytest.mark.parametrize("inputs", [100, 256])
def test_a_step_that_is_added_to_the_weights(inputs, rows, units, dtype):
    """SGD adds to W what xᵀ delta brings, without a gradient in between: nothing is added twice."""
    net = helpers.network([inputs, units, 3], ["identity"] * 2, dtype)
    x, t = helpers.inputs(rows, inputs, dtype), helpers.targets(rows, 3, "mean_squared_error")
    before = helpers.parameters(net)
    gradients = net.gradients(x, t, loss="mean_squared_error")
    optimizer = cynn.optimizers.SGD(learning_rate=0.5)
    net.fit(x, t, loss="mean_squared_error", optimizer=optimizer, batch_size=rows, epochs=1, shuffle=False)
    for (W, _), (W_before, _), (dW, _) in zip(helpers.parameters(net), before, gradients, strict=True):
        assert helpers.relative_error(W_before - W, 0.5 * dW) < 40 * helpers.TOLERANCE[dtype]


@pytest.mark.parametrize("source", ["uint8", "float32", "float64"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_scale_and_offset_of_the_input(source, dtype):
    plain = np.random.default_rng(0).integers(0, 256, size=(70, 20)).astype(source)
    wide = np.zeros((70, 60), source)
    wide[:, ::3] = plain
    net = cynn.Network(
        [cynn.Input(20, scale=1 / 255, offset=-0.5), cynn.Dense(4)], seed=0, dtype=dtype
    )
    expected = plain.astype(np.float64) / 255 - 0.5
    (W, b), = helpers.parameters(net)
    for x in (plain, np.asfortranarray(plain), wide[:, ::3], plain[:, ::-1].copy()[:, ::-1]):
        as_seen, outputs = net.activations(x)
        assert helpers.relative_error(as_seen, expected) < helpers.TOLERANCE[dtype]
        assert helpers.relative_error(outputs, expected @ W + b) < helpers.TOLERANCE[dtype]
        assert helpers.relative_error(net.predict(x[:3]), (expected @ W + b)[:3]) < helpers.TOLERANCE[dtype]


def test_nothing_beside_the_arrays_is_written():
    x = helpers.inputs(10, 7, "float32")
    net = helpers.network([7, 5], ["identity"], "float32")
    large = np.full((12, 5), 77, np.float32)
    net.predict(x, out=large[1:11])
    assert (large[[0, 11]] == 77).all()
    assert (large[1:11] == net.predict(x)).all()
