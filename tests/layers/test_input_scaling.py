"""The scale and the offset of `Input`, one for each column, against NumPy in float64."""

from __future__ import annotations

from typing import Any

import helpers
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cynn
from cynn.errors import DataError, InvalidParameterError, ShapeError

Array = npt.NDArray[Any]

SCALE, OFFSET = [0.5, -2.0, 1e-9, 0.0], [1.0, 0.0, -1.7, 3.0]
X = np.random.default_rng(0).normal(size=(300, 4)) * [1, 10, 1e9, 5]

numbers = st.floats(-1e3, 1e3).map(lambda value: 0.0 if abs(value) < 1e-30 else value)


def make(dtype: str = "float64", scale: Any = SCALE, offset: Any = OFFSET, units: int = 4) -> cynn.Network:
    described = [cynn.Input(units, scale=scale, offset=offset), cynn.Dense(5, "tanh"), cynn.Dense(2)]
    return cynn.Network(described, seed=0, dtype=dtype)


def scaled(x: Any, net: cynn.Network) -> Array:
    found: Array = np.asarray(x, np.float64) * net.input.scale + net.input.offset
    return found.astype(net.dtype)


def laid_out(x: Array, how: str, folder: Any) -> Any:
    """The same numbers in other memory."""
    if how == "sparse":
        sparse = pytest.importorskip("scipy.sparse")
        return sparse.csr_matrix(x)
    if how == "memmap":
        found = np.memmap(folder / "x", x.dtype, "w+", shape=x.shape)
        found[...] = x
        return found
    if how == "columns":
        return np.asfortranarray(x)
    wide = np.zeros((2 * len(x), 3 * x.shape[1]), x.dtype)
    if how == "strided":
        wide[::2, ::3] = x
        return wide[::2, ::3]
    if how == "backward":
        wide[::-2, ::-3] = x
        return wide[::-2, ::-3]
    return x


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", ["uint8", "float32", "float64"])
@pytest.mark.parametrize("how", ["rows", "columns", "strided", "backward", "memmap", "sparse"])
@settings(max_examples=6)
@given(data=st.data())
def test_kinds_of_x(tmp_path_factory: Any, dtype: str, kind: str, how: str, data: st.DataObject) -> None:
    rows, units = data.draw(st.sampled_from([1, 2, 129, 300])), data.draw(st.integers(1, 9))
    scale, offset = (data.draw(st.lists(numbers, min_size=units, max_size=units)) for _ in range(2))
    net = make(dtype, scale, offset, units)
    rng = np.random.default_rng(rows)
    x = (rng.integers(0, 256, (rows, units)) * (rng.random((rows, units)) < 0.5)).astype(kind)
    found = net.activations(laid_out(x, how, tmp_path_factory.mktemp("x")))[0]
    # with a multiply-add in one rounding, or in two
    limit = 2e-16 * 255 * (np.abs(scale) + np.abs(offset)) + np.finfo(dtype).eps * np.abs(scaled(x, net))
    assert (np.abs(found - (x.astype(np.float64) * scale + offset)) <= limit).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rows", [slice(0, 0), 0, slice(0, 1), slice(0, 5), slice(None)], ids=str)
def test_predictions(dtype: str, rows: Any) -> None:
    net = make(dtype)
    same = make(dtype, 1.0, 0.0)
    for x in (X[rows], X[rows].astype(np.float32), X[rows].tolist()):
        x = x if np.size(x) else np.zeros((0, 4))
        np.testing.assert_allclose(net.predict(x), same.predict(scaled(x, net)), rtol=1e-6)


def test_digits_of_large_numbers_survive() -> None:
    """The offset is subtracted in double, and whole numbers that double does not hold are an error."""
    net = make("float32", [1.0, 2.0], [-1.7e9, -3.4e9], 2)
    np.testing.assert_array_equal(net.activations([[1_700_000_001, 1_700_000_002]])[0], [[1, 4]])
    with pytest.raises(DataError, match="9007199254740993"):
        net.predict(np.array([[9007199254740993, 0]]))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("offset", [0.0, -3.0])
def test_equal_numbers_are_one_number(dtype: str, offset: float) -> None:
    one, other = make(dtype, 0.1, offset), make(dtype, [0.1] * 4, [offset] * 4)
    np.testing.assert_array_equal(one.predict(X), other.predict(X))


def test_training_is_that_of_scaled_rows() -> None:
    net, same = make(), make(scale=1.0, offset=0.0)
    y = np.sin(X[:, 0])[:, None] * [1, 2]
    net.fit(X, y, epochs=3, progress=False)
    same.fit(scaled(X, net), y, epochs=3, progress=False)
    np.testing.assert_allclose(net.predict(X), same.predict(scaled(X, net)), rtol=1e-9, atol=1e-12)
    for each, z in ((net, X), (same, scaled(X, net))):
        each.train_batch(z[:20], y[:20])
    np.testing.assert_allclose(net.predict(X), same.predict(scaled(X, net)), rtol=1e-9, atol=1e-12)


def test_wide_first_layers_read_their_columns() -> None:
    """A first layer with many inputs is divided into parts, each of which gathers its own columns."""
    rng = np.random.default_rng(0)
    n, sparse = 3000, pytest.importorskip("scipy.sparse")
    scale, offset = rng.normal(size=n), rng.normal(size=n)
    x = rng.normal(size=(64, n)) * (rng.random((64, n)) < 0.3)
    y = rng.normal(size=(64, 1))

    def trained(x: Any, **scaling: Any) -> Any:
        net = cynn.Network([cynn.Input(n, **scaling), cynn.Dense(64, "tanh"), cynn.Dense(1)], seed=0, dtype="float64")
        return net.fit(x, y, epochs=2, batch_size=64, n_threads=2, progress=False)["loss"]

    wanted = trained(x * scale + offset)
    for given_x in (x, sparse.csr_matrix(x)):
        np.testing.assert_allclose(trained(given_x, scale=scale, offset=offset), wanted, rtol=1e-9)


def test_derivatives_by_the_inputs() -> None:
    net, same = make(), make(scale=1.0, offset=0.0)
    z, scale, rng = scaled(X, net), np.array(SCALE), np.random.default_rng(1)
    v, t, y = rng.normal(size=(300, 2)), rng.normal(size=(300, 4)), rng.normal(size=(300, 2))
    for found, wanted in (
        (net.jacobian(X), same.jacobian(z) * scale),
        (net.jacobian(X, training=True), same.jacobian(z, training=True) * scale),
        (net.vjp(X, v), same.vjp(z, v) * scale),
        (net.jvp(X, t), same.jvp(z, t * scale)),
        (net.hessian(X), same.hessian(z) * np.outer(scale, scale)),
        (net.hessian_diagonal(X), same.hessian_diagonal(z) * scale**2),
        (net.input_gradients(X, y), same.input_gradients(z, y) * scale),
    ):
        assert np.abs(found - wanted).max() <= 1e-12 * np.abs(wanted).max()


@pytest.mark.parametrize("units", [1, 6], ids=["backward", "forward"])
@pytest.mark.parametrize("has_directions", [False, True])
def test_training_on_derivatives(units: int, has_directions: bool) -> None:
    """The loss and the gradients are those of a network whose first weights are scaled instead."""
    rng, scale, offset, rate = np.random.default_rng(0), np.array([0.5, -2.0, 3.0]), np.array([1.0, 2, 3]), 0.01
    given: dict[str, Any] = {"dy_dx": rng.normal(size=(40, 2, units) if has_directions else (40, units, 3))}
    if has_directions:
        given["directions"] = rng.normal(size=(40, 2, 3))
    x, y = rng.normal(size=(40, 3)), rng.normal(size=(40, units))
    nets, steps = [], []
    for options in ({"scale": scale, "offset": offset}, {}):
        described = [cynn.Input(3, **options), cynn.Dense(4, "tanh"), cynn.Dense(units)]
        nets.append(cynn.Network(described, seed=0, dtype="float64"))
    net, same = nets
    same.layers[0].biases = net.layers[0].biases + offset @ net.layers[0].weights
    same.layers[0].weights = scale[:, None] * net.layers[0].weights
    losses = []
    for each in nets:
        before = each.get_weights()
        losses.append(each.train_batch(x, y, optimizer=cynn.optimizers.SGD(rate), **given))
        steps.append([(new - old) / rate for new, old in zip(each.get_weights(), before, strict=True)])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-12)
    (dw, *others), (dw_of_same, db, *others_of_same) = steps
    np.testing.assert_allclose(dw, scale[:, None] * dw_of_same + np.outer(offset, db), rtol=1e-9, atol=1e-12)
    for one, other in zip(others, [db, *others_of_same], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("way", ["save", "pickle", "config"])
def test_it_is_kept(way: str, tmp_path: Any) -> None:
    net = make()
    other = helpers.kept(net, way, tmp_path)
    np.testing.assert_array_equal(other.predict(X), net.predict(X))


def test_categories_are_scaled_by_their_own_number() -> None:
    described = [cynn.Input(2, scale=[1, 0.5], offset=[0, 7]), cynn.Embedding(3, 2, 0), cynn.Dense(1)]
    net = cynn.Network(described, seed=0)
    assert net.predict([[2, 100.0]]).shape == (1, 1)
    with pytest.raises(DataError, match=r"column 0\. Got 3 in row 0"):
        net.predict([[3, 100.0]])


def test_what_is_not_finite_is_found() -> None:
    net = make("float32", [1.0, 1e38, 1.0, 1.0])
    with pytest.raises(DataError, match=r"float32, multiplied by the scale .* row 1, column 1"):
        net.predict(np.array([[1, 1, 1, 1], [1, 200, 1, 1]], np.uint8))
    with pytest.raises(DataError, match="row 0, column 3"):
        net.predict([[1, 1, 1, np.nan]])


@pytest.mark.parametrize(
    ("error", "match", "given"),
    [
        (ShapeError, "'scale' .* each of 4 columns. Got 3", {"scale": [1, 2, 3]}),
        (ShapeError, "'offset' .* each of 4 columns. Got 0", {"offset": []}),
        (InvalidParameterError, r"'scale\[1\]' .* finite", {"scale": [1, np.nan, 3, 4]}),
        (InvalidParameterError, r"'offset\[0\]' .* finite", {"offset": ["a", 1, 3, 4]}),
        (InvalidParameterError, r"'scale\[0\]'", {"scale": np.ones((4, 1))}),
        (InvalidParameterError, "'scale' .* one for each column, .* Got 'median'", {"scale": "median"}),
        (InvalidParameterError, "'offset' .* one for each column. Got None", {"offset": None}),
    ],
    ids=str,
)
def test_errors(error: Any, match: str, given: Any) -> None:
    with pytest.raises(error, match=match):
        cynn.Input(4, **given)


def test_repr() -> None:
    assert repr(cynn.Input(2, scale=(1, 0.5))) == "Input(2, scale=[1.0, 0.5])"
    assert repr(cynn.Input(9, offset=range(9))).endswith("6.0, 7.0, ...])")
