"""Sparse matrices in place of a matrix: the same bits as the dense one, which is made nowhere."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import cynn
from cynn.errors import DataError, InvalidParameterError, ShapeError


class Csr:
    """What of a CSR matrix is needed; it cannot become dense by itself."""

    format = "csr"

    def __init__(self, data: Any, indices: Any, indptr: Any, shape: tuple[int, ...]) -> None:
        self.data, self.indices, self.indptr, self.shape = data, indices, indptr, shape

    def toarray(self) -> None:
        raise AssertionError("nobody makes it dense")


def csr(dense: np.ndarray, dtype: Any = np.int32) -> Csr:
    rows, columns = np.nonzero(dense)
    starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(dense)))])
    return Csr(dense[rows, columns], columns.astype(dtype), starts.astype(dtype), dense.shape)


RANDOM = np.random.default_rng(0)
INPUTS = 40
#: Of 300 rows, some without an element.
DENSE = np.where(RANDOM.random((300, INPUTS)) < 0.1, RANDOM.normal(size=(300, INPUTS)), 0)
DENSE[[0, 7, 299]] = 0
Y = RANDOM.integers(0, 3, 300)
WEIGHT = RANDOM.integers(0, 3, 300).astype(float)


def make(*hidden: Any, dtype: str = "float32", **options: float) -> cynn.Network:
    first = cynn.Input(INPUTS, **options)
    return cynn.Network([first, *(hidden or (cynn.Dense(16, "tanh"),)), cynn.Dense(3, "softmax")], seed=0, dtype=dtype)


def assert_same(one: cynn.Network, other: cynn.Network) -> None:
    for own, others in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(own, others)


def figures(net: cynn.Network) -> dict[str, Any]:
    assert net.history is not None
    return {name: values for name, values in net.history.history.items() if name != "seconds"}


FITS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "plain": lambda x: {},
    "in order": lambda x: {"shuffle": False, "batch_size": 300},
    "held out": lambda x: {"validation_split": 0.2, "metrics": ["accuracy"]},
    "validation data": lambda x: {"validation_data": (x, Y, WEIGHT), "metrics": ["accuracy"]},
    "weights": lambda x: {"sample_weight": WEIGHT, "class_weight": "balanced"},
    "some rows": lambda x: {"rows": [3, 5, 5, 299, 0, 17]},
    "unchecked": lambda x: {"check_finite": False},
    "a transform": lambda x: {"transform": lambda x, y, generator: (x + 1, y)},
}


@pytest.mark.parametrize("how", FITS)
@pytest.mark.parametrize("n_threads", [1, 2, 5])
def test_fit(how: str, n_threads: int) -> None:
    one, other = make(cynn.Dense(64, "relu"), scale=1.5), make(cynn.Dense(64, "relu"), scale=1.5)
    for net, x in ((one, csr(DENSE)), (other, DENSE)):
        net.fit(x, Y, epochs=2, n_threads=n_threads, progress=False, **FITS[how](x))
    assert_same(one, other)
    assert figures(one) == figures(other)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", ["uint8", "float32", "float64", "float16", "int16", "int64", "bool"])
@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("options", [{}, {"scale": -0.25}, {"scale": 1e-39}, {"offset": 3.0, "scale": 2.0}], ids=str)
def test_conversion(dtype: str, kind: str, index: Any, options: dict[str, float]) -> None:
    dense = (20 * np.abs(DENSE)).astype(kind)
    net = make(dtype=dtype, **options)
    for sparse, own in zip(net.activations(csr(dense, index)), net.activations(dense), strict=True):
        np.testing.assert_array_equal(sparse, own)
        np.testing.assert_array_equal(np.signbit(sparse), np.signbit(own))
    np.testing.assert_array_equal(net.predict(csr(dense, index)), net.predict(dense))


@pytest.mark.parametrize("rows", [0, 1, 2, 64, 300])
def test_calls(rows: int) -> None:
    x, dense, y = csr(DENSE[:rows]), DENSE[:rows], Y[:rows]
    one, other = make(), make()
    np.testing.assert_array_equal(one.predict(x), other.predict(dense))
    if rows > 0:
        assert one.evaluate(x, y, sample_weight=WEIGHT[:rows] + 1) == other.evaluate(
            dense, y, sample_weight=WEIGHT[:rows] + 1
        )
        for _ in range(2):
            assert one.train_batch(x, y) == other.train_batch(dense, y)
        np.testing.assert_array_equal(one.gradients(x, y)[0][0], other.gradients(dense, y)[0][0])
        one.fit([(x, y)], epochs=2, progress=False)
        other.fit([(dense, y)], epochs=2, progress=False)
        assert_same(one, other)
    out = np.empty((rows, 3), np.float32)
    assert one.predict(x, out=out) is out


def test_wide_layers_that_are_divided_by_columns_of_the_input() -> None:
    dense = np.tile(DENSE, (1, 50))
    layers = [cynn.Input(dense.shape[1], offset=0.5), cynn.Dense(160, "relu"), cynn.Dense(3, "softmax")]
    one, other = (cynn.Network(layers, seed=0) for _ in range(2))
    for net, x in ((one, csr(dense)), (other, dense)):
        net.fit(x, Y, epochs=2, batch_size=128, n_threads=4, progress=False)
    assert_same(one, other)


@pytest.mark.parametrize("solver", [cynn.solvers.LBFGS(), cynn.solvers.LevenbergMarquardt()], ids=str)
def test_solvers(solver: Any) -> None:
    one, other = make(cynn.Dense(4, "tanh")), make(cynn.Dense(4, "tanh"))
    for net, x in ((one, csr(DENSE)), (other, DENSE)):
        options = {"loss": "mean_squared_error", "optimizer": solver, "validation_split": 0.1}
        net.fit(x, np.eye(3)[Y], epochs=2, batch_size=300, metrics=["accuracy"], progress=False, **options)
    assert_same(one, other)


def test_what_starts_from_the_data() -> None:
    one, other = (make(cynn.BatchNorm(), cynn.Dense(8, "relu")) for _ in range(2))
    for net, x in ((one, csr(DENSE)), (other, DENSE)):
        net.update_moving_averages(x, sample_weight=WEIGHT)
        net.initialize_from(x)
        net.fit(x, Y, epochs=1, progress=False)
        net.diagnose(x, Y)
    assert_same(one, other)


def test_elements_in_any_order_and_doubled() -> None:
    net = make()
    dense = np.zeros((2, INPUTS), np.float32)
    dense[0, 3], dense[0, 1], dense[1, 39] = np.float32(0.1) + np.float32(0.2), 4, -0.0
    x = Csr(np.array([0.1, 4, 0.2, -0.0], "f"), np.array([3, 1, 3, 39]), np.array([0, 3, 4]), dense.shape)
    np.testing.assert_array_equal(net.activations(x)[0], dense)
    rise = Csr(np.array([0.1, 4], "f"), np.array([3, 1]), np.array([0, 2, 2]), dense.shape)
    assert list(np.flatnonzero(net.activations(rise)[0][0])) == [1, 3]


@pytest.mark.parametrize(
    ("parts", "allowed"),
    [
        ({"indices": [INPUTS, 1]}, "CSR matrix"),
        ({"indices": [-1, 1]}, "CSR matrix"),
        ({"indices": [2**32 + 1, 1]}, "CSR matrix"),
        ({"indices": [1.0, 2.0]}, "CSR matrix"),
        ({"indices": [1]}, "CSR matrix"),
        ({"data": [1.0]}, "CSR matrix"),
        ({"indptr": [0, 3, 2]}, "CSR matrix"),
        ({"indptr": [0, 2, 3]}, "CSR matrix"),
        ({"indptr": [1, 2, 2]}, "CSR matrix"),
        ({"indptr": [0, -1, 2]}, "CSR matrix"),
        ({"indptr": [0, 2]}, "CSR matrix"),
        ({"format": "csc"}, r"sparse by rows: use x.tocsr\(\)"),
        ({"data": ["a", "b"]}, "real numbers"),
        ({"data": [1j, 2.0]}, "real numbers"),
    ],
)
def test_what_is_not_right_is_refused(parts: dict[str, Any], allowed: str) -> None:
    given = {"data": [1.0, 2.0], "indices": [3, 1], "indptr": [0, 1, 2], **parts}
    x: Any = Csr(*(np.array(given[part]) for part in ("data", "indices", "indptr")), (2, INPUTS))
    x.format = given.get("format", "csr")
    net = make()
    before = net.get_weights()
    for call in (net.predict, lambda x: net.fit(x, [0, 1]), lambda x: net.train_batch(x, [0, 1])):
        with pytest.raises(InvalidParameterError, match=allowed):
            call(x)
    for own, array in zip(net.get_weights(), before, strict=True):
        np.testing.assert_array_equal(own, array)


def test_another_number_of_columns() -> None:
    with pytest.raises(ShapeError, match=f"x must have {INPUTS} columns. Got 39, in the shape"):
        make().predict(csr(DENSE[:, :39]))


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e39])
def test_what_is_not_finite_is_named(value: float) -> None:
    dense = DENSE.copy()
    dense[17, 5] = value
    for call in (make().predict, lambda x: make().evaluate(x, Y), lambda x: make().train_batch(x, Y)):
        with pytest.raises(DataError, match=r"x must be finite.* in row 17, column 5, instead"):
            call(csr(dense))
    net = make()
    before = net.get_weights()
    with pytest.raises(DataError, match=r"x must be finite.* in row 17, column 5, instead"):
        net.fit(csr(dense), Y, batch_size=4)
    for own, array in zip(net.get_weights(), before, strict=True):
        np.testing.assert_array_equal(own, array)
    net.fit(csr(dense), Y, sample_weight=np.arange(300) != 17, epochs=1, progress=False)
    net.predict(csr(dense), check_finite=False)


def test_categories() -> None:
    one, other = (
        cynn.Network([cynn.Input(INPUTS), cynn.Embedding(4, 2, 2), cynn.Dense(3, "softmax")], seed=0) for _ in range(2)
    )
    dense = np.floor(np.abs(DENSE)).clip(0, 3)
    for net, x in ((one, csr(dense)), (other, dense)):
        net.fit(x, Y, epochs=2, progress=False)
    assert_same(one, other)
    dense[9, 2] = 4
    with pytest.raises(DataError, match=r"in column 2. Got 4 in row 9 instead"):
        one.fit(csr(dense), Y)
    with pytest.raises(DataError, match=r"in column 2. Got 4 in row 9 instead"):
        one.predict(csr(dense))


def test_indices_that_another_thread_changes_do_no_harm() -> None:
    dense = np.tile(DENSE, (10, 1))
    x, one, other = csr(dense), make(), make()
    kept, ends = (x.indices.copy(), x.indptr.copy()), threading.Event()

    class Spoil(cynn.callbacks.Callback):
        def on_step_end(self, step: int, logs: dict[str, float]) -> None:
            x.indices[:], x.indptr[:] = 2**30, 2**30
            ends.set()

    one.fit(x, np.tile(Y, 10), epochs=2, callbacks=[Spoil()], progress=False)
    assert ends.is_set()
    x.indices[:], x.indptr[:] = kept
    other.fit(dense, np.tile(Y, 10), epochs=2, progress=False)
    assert_same(one, other)


def test_it_needs_no_room_for_the_dense_matrix() -> None:
    """A matrix that would take 4 TB."""
    n = 10**6
    x = Csr(np.ones(n, "f"), np.arange(n, dtype=np.int32) % 1000, np.arange(n + 1), (n, 10**6))
    net = cynn.Network([cynn.Input(10**6), cynn.Dense(1)], seed=0)
    net.fit(x, np.zeros(n), rows=[0, 5, n - 1], epochs=1, progress=False)
    assert net.predict(Csr(x.data[:9], x.indices[:9], x.indptr[:10], (9, 10**6))).shape == (9, 1)


@pytest.mark.interop
@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("form", ["csr_array", "csr_matrix"])
def test_of_scipy(form: str, index: Any) -> None:
    from scipy import sparse

    x = getattr(sparse, form)(DENSE)
    x.indices, x.indptr = x.indices.astype(index), x.indptr.astype(index)
    one, other = make(), make()
    for net, each in ((one, x), (other, DENSE)):
        net.fit(each, Y, epochs=2, validation_split=0.2, progress=False)
    assert_same(one, other)
    for other_form in (x.tocsc(), x.tocoo(), x.tolil(), x.todok(), x.tobsr()):
        with pytest.raises(InvalidParameterError, match=r"use x.tocsr\(\)"):
            one.predict(other_form)
    y = sparse.csr_array(np.eye(3)[Y])
    with pytest.raises(InvalidParameterError, match=r"y must be dense: use y.toarray\(\)"):
        one.fit(x, y)
