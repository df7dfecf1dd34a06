"""How numbers come into a network: nothing is lost before the offset is subtracted, and all see the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import cynn
from cynn.data import arrays, inputs
from cynn.errors import DataError, InvalidParameterError

SECONDS = 1_700_000_000


def plain(units: int, dtype: str = "float32", **options: float) -> cynn.Network:
    """A network that returns what comes in."""
    net = cynn.Network([cynn.Input(units, **options), cynn.Dense(units)], seed=0, dtype=dtype)
    net.layers[0].weights = np.eye(units)
    return net


def every_way_in(net: cynn.Network, x: np.ndarray) -> dict[str, np.ndarray]:
    """What the network is given for x, by each path that reads it."""
    n = len(x)
    y = np.zeros((n, net.outputs))
    seen: dict[str, np.ndarray] = {
        "predict": net.predict(x),
        "predict one": np.stack([net.predict(row) for row in x]),
        "predict many": net.predict(np.concatenate([x] * 200))[-n:],
        "predict strided": net.predict(np.asfortranarray(x)),
        "activations": net.activations(x)[0],
    }
    target = seen["predict"]
    losses = {
        "evaluate": net.evaluate(x, target, loss="mse")["loss"],
        "fit": net.fit(x, target, loss="mse", optimizer=cynn.optimizers.SGD(1e-30), epochs=1, shuffle=False)["loss"][0],
        "train_batch": net.train_batch(x, target, loss="mse", optimizer=cynn.optimizers.SGD(1e-30)),
        "batches": net.fit([(x, target)], loss="mse", optimizer=cynn.optimizers.SGD(1e-30), epochs=1)["loss"][0],
    }
    assert losses == dict.fromkeys(losses, 0.0)
    gradient = net.gradients(x, y, loss="mse")[0][0]
    np.testing.assert_allclose(gradient, 2 / target.size * target.T.astype(float) @ target, rtol=1e-5, atol=1e-6)
    return seen


@pytest.mark.parametrize("kind", ["float64", "float32", "uint8", "int64", "int32", "uint64"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_offset_is_subtracted_before_anything_is_rounded(kind: str, dtype: str) -> None:
    steps = np.arange(12).reshape(6, 2)
    if kind == "uint8":
        x, scale, offset = steps.astype(kind), 2.0**24 + 1, -(2.0**24 + 1) * 3
        right = (steps - 3.0) * (2**24 + 1)
    elif kind == "float32":
        x, scale, offset = (steps * 128 + SECONDS).astype(kind), 1.0, -SECONDS - 1.0
        right = steps * 128 - 1.0
    else:
        x, scale, offset = (steps + SECONDS).astype(kind), 1.0, float(-SECONDS)
        right = steps.astype(float)
    for way, seen in every_way_in(plain(2, dtype, scale=scale, offset=offset), x).items():
        assert seen.dtype == dtype
        np.testing.assert_array_equal(seen, right.astype(dtype), err_msg=way)


@pytest.mark.parametrize("kind", ["uint8", "float32", "float64"])
@pytest.mark.parametrize(("scale", "offset"), [(1 / 255, 0.0), (1 / 127.5, -1.0), (3.7, -471.7), (1e-40, 0.0)])
def test_conversion_is_that_of_double_to_a_rounding(kind: str, scale: float, offset: float) -> None:
    x = np.random.default_rng(0).integers(0, 256, (40, 33)).astype(kind)
    right = (x.astype(np.float64) * scale + offset).astype(np.float32)
    for given in (x, x[:, ::-1][:, ::-1], np.asfortranarray(x)):
        np.testing.assert_array_max_ulp(plain(33, scale=scale, offset=offset).activations(given)[0], right, maxulp=2)


def test_a_scale_beyond_float32_counts_as_it_is() -> None:
    np.testing.assert_allclose(plain(1, scale=1e-50).predict([[1e50]]), [[1.0]], rtol=1e-6)
    np.testing.assert_allclose(plain(1, scale=1e-46).predict(np.float32([[1e38]])), [[1e-8]], rtol=1e-6)
    np.testing.assert_allclose(plain(1, scale=1e40).predict(np.float32([[1e-30]])), [[1e10]], rtol=1e-6)


def test_whole_numbers_that_float64_cannot_hold_are_refused_before_an_offset() -> None:
    net = plain(1, offset=-(2.0**53))
    assert net.predict(np.array([[2**53 + 2]])) == 2
    for x in (np.array([[2**53 + 1]]), np.array([[2**53 + 1]], np.uint64)):
        with pytest.raises(DataError, match=r"whole numbers that float64 holds .* Got 9007199254740993 instead"):
            net.predict(x)
    assert plain(1).predict(np.array([[2**53 + 1]])) == 2.0**53  # without, it is rounded like any number


def embedding(categories: int, dtype: str = "float32", **options: float) -> cynn.Network:
    net = cynn.Network([cynn.Input(1, **options), cynn.Embedding(categories, 1)], seed=0, dtype=dtype)
    net.layers[0].weights = np.arange(float(categories))[:, None]
    return net


@pytest.mark.parametrize("kind", ["int64", "float64", "uint64"])
def test_the_table_sees_the_categories_that_were_checked(kind: str) -> None:
    x = (SECONDS + np.arange(6)).astype(kind)[:, None]
    np.testing.assert_array_equal(embedding(6, offset=-SECONDS).predict(x)[:, 0], np.arange(6))


def test_categories_are_checked_as_the_table_sees_them() -> None:
    net = embedding(4)
    assert net.predict([[2.9999999999]]) == 3  # in float32, it is
    for wrong in (2.0**24 + 1, 2**53 + 1, 3.5, -1, 4, 1e300):
        with pytest.raises(DataError):
            net.predict([[wrong]])
        with pytest.raises(DataError):
            net.predict([[wrong]], check_finite=False)
    with pytest.raises(DataError, match="must hold categories"):
        embedding(4, "float64").predict([[2.9999999999]])
    with pytest.raises(DataError, match="must hold categories"):
        embedding(4).predict([[np.nan]], check_finite=False)


# ------------------------------------------------------------------------------------------------ finiteness


TOO_LARGE = [
    pytest.param(np.full((3, 40), 1e300), {}, id="float64"),
    pytest.param(np.full((3, 40), -1e39), {}, id="negative"),
    pytest.param(np.full((3, 40), 1e200), {"scale": 1e200}, id="scaled"),
    pytest.param(np.full((3, 40), 1e38, np.float32), {"scale": 10.0}, id="float32"),
    pytest.param(np.full((3, 40), 200, np.uint8), {"scale": 1e38}, id="uint8"),
    pytest.param(np.full((3, 40), 3e38), {"offset": 3e38}, id="moved"),
    pytest.param(np.full((3, 40), 10**18), {"scale": 1e30}, id="int64"),
]


def calls(net: cynn.Network, x: np.ndarray, y: np.ndarray) -> dict[str, object]:
    good = np.zeros((4, x.shape[1])), np.zeros((4, y.shape[1]))
    return {
        "predict": lambda: net.predict(x),
        "predict one": lambda: net.predict(x[0]),
        "predict many": lambda: net.predict(np.concatenate([np.zeros((500, x.shape[1])), x])),
        "evaluate": lambda: net.evaluate(x, y),
        "activations": lambda: net.activations(x),
        "gradients": lambda: net.gradients(x, y),
        "train_batch": lambda: net.train_batch(x, y),
        "update_moving_averages": lambda: net.update_moving_averages(x),
        "fit": lambda: net.fit(x, y, epochs=1),
        "fit batches": lambda: net.fit([(x, y)], epochs=1),
        "validation_data": lambda: net.fit(*good, epochs=1, validation_data=(x, y)),
        "validation_split": lambda: net.fit(x, y, epochs=1, validation_split=0.4),
        "diagnose": lambda: net.diagnose(x, y),
    }


@pytest.mark.parametrize("units", [1, 50])  # fewer and more than inputs: z or x is looked at
@pytest.mark.parametrize(("x", "options"), TOO_LARGE)
def test_x_must_be_finite_in_the_precision_of_the_network(x: np.ndarray, options: dict[str, float], units: int) -> None:
    net = cynn.Network([cynn.Input(40, **options), cynn.Dense(units)], seed=0)
    before = net.get_weights()
    for name, call in calls(net, x, np.zeros((3, units))).items():
        with pytest.raises(DataError, match=r"must be finite in float32.* Got .* in row \d+, column 0, instead"):
            call()
            pytest.fail(name)
        if name not in ("validation_data", "fit batches"):
            for old, new in zip(before, net.get_weights(), strict=True):
                np.testing.assert_array_equal(old, new, err_msg=name)
    assert not np.isfinite(net.predict(x, check_finite=False)).all()
    net64 = cynn.Network([cynn.Input(40, **options), cynn.Dense(units)], seed=0, dtype="float64")
    if options != {"scale": 1e200}:
        assert np.isfinite(net64.predict(x)).all()


@pytest.mark.parametrize("value", [1e39, -1e300])
def test_y_must_be_finite_in_the_precision_of_the_network(value: float) -> None:
    net = plain(1)
    before = net.get_weights()
    x, y = np.ones((3, 1)), np.array([[0.0], [value], [0.0]])
    for name, call in calls(net, x, y).items():
        if not name.startswith(("predict", "activations", "update")):
            with pytest.raises(DataError, match=r"y.* must be finite in float32. Got .* in row 1, column 0"):
                call()
                pytest.fail(name)
            if name != "validation_data":
                np.testing.assert_array_equal(before[0], net.get_weights()[0], err_msg=name)


def test_what_is_finite_in_float32_at_its_end_is_taken() -> None:
    largest = float(np.finfo(np.float32).max)
    assert np.isfinite(plain(1).predict([[largest]])).all()
    assert plain(1, scale=0.5).predict([[2 * largest]]) == np.float32(largest)
    with pytest.raises(DataError):
        plain(1).predict([[largest * (1 + 1e-7)]])


@pytest.mark.parametrize(
    "given",
    [
        np.ma.masked_array([[1.0, 2.0]], mask=[[0, 1]]),
        [[1.0], [1.0, 2.0]],
        [[1.0, 1j]],
        [["a", "b"]],
        np.array([["2020-01-01", "2020-01-02"]], "datetime64[s]"),
        [[None, 1.0]],
        [[10**400, 1]],
        {"a": 1},
        (row for row in [[1.0, 2.0]]),
        None,
        object(),
    ],
)
def test_what_is_no_matrix_of_numbers_is_refused(given: object) -> None:
    with pytest.raises((DataError, InvalidParameterError, cynn.errors.ShapeError), match="Got"):
        plain(2).predict(given)


def test_masked_arrays_without_masked_values_are_arrays() -> None:
    x = np.ma.masked_array([[1.0, 2.0]], mask=[[False, False]])
    np.testing.assert_array_equal(plain(2).predict(x), [[1.0, 2.0]])
    y, weight = np.ma.masked_array([[1.0, 2.0]], mask=True), np.ma.masked_array([1], [True])
    for data in ({"y": y}, {"sample_weight": weight}):
        with pytest.raises(DataError, match="masked values"):
            plain(2).evaluate(**{"x": [[1.0, 2.0]], "y": [[1.0, 2.0]], **data})


# ----------------------------------------------------------------------------------- numbers that float32 holds


@pytest.mark.parametrize("weights", [[1e308, 1e308, 1.0], [np.inf, 1, 1], [1, -1, 1], [1, np.nan, 1]])
def test_weights_of_rows_have_a_finite_sum(weights: list[float]) -> None:
    net, x, y = plain(1), np.ones((3, 1)), np.zeros((3, 1))
    for call in (net.fit, net.evaluate, net.gradients, net.train_batch):
        with pytest.raises(DataError, match=r"sample_weight must (have a finite sum|be finite)"):
            call(x, y, sample_weight=weights)
    with pytest.raises(DataError, match="class_weight must have a finite sum"):
        cynn.Network.mlp([1, 2], output="softmax").fit(x, [0, 1, 1], class_weight={1: 1e308})


@pytest.mark.parametrize(
    "make",
    [
        lambda dtype: cynn.Network([cynn.Input(1), cynn.BatchNorm(epsilon=1e-50)], dtype=dtype),
        lambda dtype: cynn.Network([cynn.Input(1), cynn.LayerNorm(1e-50)], dtype=dtype),
        lambda dtype: cynn.Network([cynn.Input(1), cynn.GaussianNoise(1e300)], dtype=dtype),
        lambda dtype: cynn.Network([cynn.Input(1), cynn.Dense(1, {"name": "elu", "alpha": 1e300})], dtype=dtype),
        lambda dtype: cynn.Network(
            [cynn.Input(1), cynn.Dense(1)], regularizer=cynn.regularizers.L2(1e300), dtype=dtype
        ),
        lambda dtype: cynn.Network(
            [cynn.Input(1), cynn.Dense(1, constraint=cynn.constraints.MaxNorm(1e300))], dtype=dtype
        ),
        lambda dtype: cynn.Network(
            [cynn.Input(1), cynn.Dense(1, initializer=cynn.initializers.Constant(1e300))], dtype=dtype
        ),
        lambda dtype: plain(1, dtype).fit([[1.0]], [1.0], epochs=0, optimizer=cynn.optimizers.SGD(1e300)),
        lambda dtype: plain(1, dtype).train_batch([[1.0]], [1.0], optimizer=cynn.optimizers.Adam(epsilon=1e-50)),
        lambda dtype: plain(1, dtype).evaluate([[1.0]], [1.0], loss={"name": "huber", "delta": 1e300}),
        lambda dtype: plain(1, dtype).evaluate([[1.0]], [1.0], loss_weights=1e39),
        lambda dtype: setattr(plain(1, dtype).layers[0], "weights", [[1e300]]),
        lambda dtype: plain(1, dtype).set_weights([[[1e300]], [0]]),
    ],
)
def test_constants_that_the_network_cannot_hold_are_refused(make: Callable[[str], object]) -> None:
    make("float64")
    with pytest.raises((DataError, InvalidParameterError), match=r"float32.* Got .* instead"):
        make("float32")


class TestOnce:
    """What is given is looked at once, and the numbers of x only in the pass that reads them."""

    def calls(self, monkeypatch: pytest.MonkeyPatch, call: Callable[[], object]) -> int:
        """How often a call takes something for what NumPy makes an array of."""
        found = []

        def counted(x: object, name: str, **options: Any) -> np.ndarray:
            found.append(name)
            return as_array(x, name, **options)

        as_array = arrays.as_array
        for module in (arrays, inputs):
            monkeypatch.setattr(module, "as_array", counted)
        call()
        return found.count("x")

    @pytest.mark.parametrize("x", [[[0.5, 0.25]], np.ones((300, 2), np.float16), np.ones(2, np.int32)])
    def test_x_is_made_an_array_of(self, monkeypatch: pytest.MonkeyPatch, x: object) -> None:
        net = plain(2)
        assert self.calls(monkeypatch, lambda: net.predict(x)) == 1
        assert self.calls(monkeypatch, lambda: net.activations(x)) == 1
        rows = np.atleast_2d(np.asarray(x))
        y = np.zeros(rows.shape)
        assert self.calls(monkeypatch, lambda: net.fit(rows.tolist(), y, epochs=2)) == 1
        assert self.calls(monkeypatch, lambda: net.train_batch(rows.tolist(), y)) == 1

    def test_numbers_are_looked_at_where_they_are_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        net = cynn.Network([cynn.Input(3), cynn.Embedding(4, 2, 2), cynn.Dense(2)], seed=0)
        x, y = np.ones((300, 3)), np.zeros((300, 2))
        monkeypatch.setattr(inputs, "check_rows", None)
        assert net.predict(x).shape == (300, 2)
        assert net.predict(x[0]).shape == (2,)
        assert len(net.activations(x)) == 3
        net.fit(x, y, epochs=1)
        net.train_batch(x, y)

    @pytest.mark.parametrize("wrong", [-1.0, 4.0, 0.5, np.nan])
    def test_what_is_no_category_is_found_by_every_path(self, wrong: float) -> None:
        net = cynn.Network([cynn.Input(3), cynn.Embedding(4, 2, 2), cynn.Dense(2)], seed=0)
        x, y = np.ones((300, 3)), np.zeros((300, 2))
        x[7, 2] = wrong
        for rows, at in ((x, 7), (x[:20], 7), (x[7], 0)):
            with pytest.raises(DataError, match=rf"x must hold categories.* in row {at} instead"):
                net.predict(rows, check_finite=False)
        validated = np.ones((10, 3))

        class Spoil(cynn.callbacks.Callback):
            def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
                validated[5, 2] = wrong

        with pytest.raises(DataError, match=r"validation x must hold categories.* in row 5"):
            net.fit(
                x[10:], y[10:], epochs=3, validation_data=(validated, y[:10]), callbacks=[Spoil()], check_finite=False
            )
