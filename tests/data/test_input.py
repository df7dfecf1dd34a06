"""What a user may hand over: it works as expected, or it is an error that says what must be."""

import subprocess
import sys
import textwrap

import helpers
import numpy as np
import pytest

from cynn import Network
from cynn.errors import CynnError, DataError, InvalidParameterError, ShapeError

ROWS = np.random.default_rng(0).integers(0, 100, size=(20, 3))  # every dtype holds these


def network(outputs=2, output="softmax"):
    return Network.mlp([3, 5, outputs], output=output, input_scale=0.01, seed=0, dtype="float64")


def packed(array):
    """The same rows as fields of a packed record, which are not aligned."""
    records = np.zeros((len(array), array.shape[1]), dtype=[("gap", "u1"), ("value", array.dtype)])
    records["value"] = array
    return records["value"]


def frozen(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def strided(array):
    wide = np.zeros((3 * len(array), 2 * array.shape[1]), array.dtype)
    wide[::3, 1::2] = array
    return wide[::3, 1::2]


LAYOUTS = {
    "as it is": lambda array: array,
    "read-only": frozen,
    "Fortran order": np.asfortranarray,
    "negative strides": lambda array: array[::-1, ::-1].copy()[::-1, ::-1],
    "other strides": strided,
    "unaligned": packed,
    "big-endian": lambda array: array.astype(array.dtype.newbyteorder(">")),
    "list of lists": lambda array: array.tolist(),
    "tuple of rows": tuple,
}


class TestInputs:
    @pytest.mark.parametrize("layout", LAYOUTS)
    @pytest.mark.parametrize(
        "dtype",
        [
            *("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"),
            *("float16", "float32", "float64", "longdouble"),
        ],
    )
    def test_any_number_in_any_layout(self, dtype, layout):
        net = network()
        expected = net.predict(ROWS.astype(np.float64))
        x = LAYOUTS[layout](ROWS.astype(dtype))
        np.testing.assert_allclose(net.predict(x), expected, rtol=1e-12)
        np.testing.assert_allclose(net.activations(x)[-1], expected, rtol=1e-12)
        np.testing.assert_allclose(net.activations(x)[0], ROWS / 100, rtol=1e-6)
        y = np.arange(20) % 2
        assert net.evaluate(x, y) == pytest.approx(net.evaluate(ROWS, y))
        assert net.fit(x, y, epochs=1).epochs == 1

    def test_bools(self):
        net, x = network(), ROWS > 50
        np.testing.assert_allclose(net.predict(x), net.predict(x.astype(float)), rtol=1e-12)

    @pytest.mark.parametrize("mode", ["r", "r+", "c"])
    @pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
    def test_memmap(self, tmp_path, mode, dtype):
        path = tmp_path / "x.npy"
        np.save(path, ROWS.astype(dtype))
        x = np.load(path, mmap_mode=mode)
        net, y = network(), np.arange(20) % 2
        np.testing.assert_allclose(net.predict(x), net.predict(ROWS), rtol=1e-12)
        assert net.fit(x, y, epochs=2).epochs == 2

    def test_it_is_left_as_it_is(self):
        for dtype in ("uint8", "float32", "float64"):
            x = ROWS.astype(dtype)
            before = x.copy()
            network().fit(x, np.arange(20) % 2, epochs=1)
            assert (x == before).all()

    @pytest.mark.parametrize(
        ("x", "words"),
        [
            (ROWS.astype(object), "x must hold real numbers. Got the dtype object instead."),
            (ROWS.astype(str), "x must hold real numbers. Got the dtype <U21 instead."),
            (ROWS.astype(complex), "x must hold real numbers. Got the dtype complex128 instead."),
            (ROWS.astype("M8[s]"), "x must hold real numbers. Got the dtype datetime64[s] instead."),
            (None, "x must hold real numbers. Got the dtype object instead."),
            ("digits", "x must hold real numbers. Got the dtype <U6 instead."),
            ({"x": ROWS}, "x must hold real numbers. Got the dtype object instead."),
            ([[1, 2, 3], [1, 2]], "x must be a matrix of numbers. Got rows of different lengths instead."),
            (np.zeros((20, 4)), "x must have 3 columns. Got 4, in the shape (20, 4), instead."),
            (np.zeros((0, 4)), "x must have 3 columns. Got 4, in the shape (0, 4), instead."),
            (
                np.zeros((5, 3, 1)),
                "x must have the shape (rows, 3). Got (5, 3, 1) instead. Use x.reshape(len(x), -1).",
            ),
            (np.zeros((5, 3, 2)), "x must have the shape (rows, 3). Got (5, 3, 2) instead."),
            (5.0, "x must have the shape (rows, 3). Got () instead."),
        ],
    )
    def test_what_does_not_fit(self, x, words):
        net, y = network(), np.zeros(20, int)
        for use in (net.predict, net.activations, lambda x: net.evaluate(x, y), lambda x: net.fit(x, y)):
            with pytest.raises(CynnError) as caught:
                use(x)
            assert str(caught.value) == words
            assert isinstance(caught.value, ValueError)

    def test_one_row_alone_is_for_predictions_only(self):
        net = network()
        assert net.predict(ROWS[0]).shape == (2,)
        words = r"x must have the shape \(rows, 3\)\. Got \(3,\) instead\. For one row, use x\[None, :\]\."
        with pytest.raises(ShapeError, match=words):
            net.fit(ROWS[0], [1])
        with pytest.raises(ShapeError, match=words):
            net.evaluate(ROWS[0], [1])

    @pytest.mark.parametrize("x", [[], np.zeros((0, 3)), [[]]])
    def test_nothing(self, x):
        for use in (network().fit, network().evaluate, network().gradients):
            with pytest.raises(ShapeError, match=r"x must have (at least one row|3 columns|the shape)"):
                use(x, [])

    def test_of_another_length_than_the_targets(self):
        for use in (network().fit, network().evaluate, network().gradients):
            with pytest.raises(ShapeError, match=r"y must have as many rows as x, 20\. Got the shape"):
                use(ROWS, np.zeros(19, int))


class TestNotFinite:
    @pytest.mark.parametrize(
        "layout", ["as it is", "Fortran order", "negative strides", "unaligned", "big-endian"]
    )
    @pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_the_first_bad_row_is_named(self, bad, dtype, layout):
        x = ROWS.astype(dtype)
        x[7, 2] = x[11, 0] = bad
        x = LAYOUTS[layout](x)
        net, y = network(), np.zeros(20, int)
        words = rf"x must be finite\. Got {bad} in row 7, column 2, instead\. \(check_finite=False turns"
        for use in (net.predict, net.activations, lambda x: net.evaluate(x, y), lambda x: net.fit(x, y)):
            with pytest.raises(DataError, match=words):
                use(x)
        with pytest.raises(DataError, match=r"validation x must be finite.* in row 7"):
            net.fit(ROWS, y, validation_data=(x, y))

    @pytest.mark.parametrize("units", [1, 5, 40, 600])
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("bad", [np.nan, -np.inf])
    def test_whatever_the_first_layer_and_its_weights(self, bad, dtype, units):
        net = Network.mlp([700, units, 2], seed=0, dtype=dtype)
        net.layers[0].weights = np.zeros((700, units))
        for rows, row in [(9, 0), (70, 69), (300, 150)]:
            x = np.ones((rows, 700), dtype)
            x[row, 699] = bad
            with pytest.raises(DataError, match=f"in row {row}, column 699"):
                net.predict(x)

    def test_what_is_too_large_in_the_network_only(self):
        net = Network.mlp([700, 5, 2], activation="relu", output="identity", seed=0)
        net.layers[0].weights = np.full((700, 5), 1e30)
        assert not np.isfinite(net.predict(np.full((70, 700), 1e30))).any()

    def test_in_a_single_row(self):
        with pytest.raises(DataError, match="in row 0, column 1"):
            network().predict([1.0, np.nan, 2.0])

    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    def test_in_targets(self, bad):
        t = np.zeros((20, 2))
        t[9, 1] = bad
        for use in (network(output="identity").fit, network(output="identity").evaluate):
            with pytest.raises(DataError, match=rf"y must be finite\. Got {bad} in row 9, column 1, instead"):
                use(ROWS, t)

    def test_the_check_can_be_turned_off(self):
        x = ROWS.astype(float)
        x[7, 2] = np.nan
        net = network()
        predicted = net.predict(x, check_finite=False)
        assert np.isnan(predicted[7]).all()
        assert np.isfinite(np.delete(predicted, 7, axis=0)).all()
        assert np.isnan(net.evaluate(x, np.zeros(20, int), check_finite=False)["loss"])


class TestTargets:
    @pytest.mark.parametrize("dtype", ["uint8", "int32", "int64", "uint64", "float32", "bool", ">i4"])
    @pytest.mark.parametrize("layout", ["as it is", "read-only", "column", "list", "strided"])
    def test_classes(self, dtype, layout):
        classes = (np.arange(20) % 2).astype(dtype)
        y = {
            "as it is": classes,
            "read-only": frozen(classes),
            "column": classes[:, None],
            "list": classes.tolist(),
            "strided": np.repeat(classes, 2)[::2],
        }[layout]
        net = network()
        expected = net.evaluate(ROWS, np.arange(20) % 2)
        assert net.evaluate(ROWS, y) == expected
        assert net.fit(ROWS, y, epochs=1, validation_data=(ROWS, y)).epochs == 1

    def test_a_read_only_sample_weight(self):
        assert network().fit(ROWS, np.arange(20) % 2, sample_weight=frozen(np.ones(20)), epochs=1).epochs == 1

    @pytest.mark.parametrize(
        ("label", "got"),
        [(2, "2"), (-1, "-1"), (0.5, "0.5"), (np.nan, "nan"), (np.inf, "inf"), (2**40, str(2**40))],
    )
    def test_what_is_no_class(self, label, got):
        y = [0, 1] * 9 + [label, 0]
        for use in (network().fit, network().evaluate, network().gradients):
            with pytest.raises(DataError) as caught:
                use(ROWS, y)
            assert str(caught.value).startswith(
                f"y must be classes, whole numbers from 0 to 1, or rows of 2 values. Got {got}"
            )
            assert str(caught.value).endswith("in row 18 instead.")

    @pytest.mark.parametrize("dtype", ["uint8", "int64", "float16", "float32", "float64", "bool"])
    @pytest.mark.parametrize("layout", LAYOUTS)
    def test_values(self, dtype, layout):
        t = np.arange(40).reshape(20, 2) % 2
        net = network(output="identity")
        expected = net.evaluate(ROWS, t.astype(float))
        assert net.evaluate(ROWS, LAYOUTS[layout](t.astype(dtype))) == expected
        assert net.fit(ROWS, LAYOUTS[layout](t.astype(dtype)), epochs=1).epochs == 1

    def test_one_output_takes_a_column_or_a_list(self):
        net, t = network(1, "identity"), np.arange(20.0)
        assert net.evaluate(ROWS, t) == net.evaluate(ROWS, t[:, None]) == net.evaluate(ROWS, t.tolist())

    @pytest.mark.parametrize(
        ("y", "words"),
        [
            (np.zeros((20, 3)), "y must have 2 columns. Got 3, in the shape (20, 3), instead."),
            (np.zeros((20, 2, 1)), "y must have the shape (rows, 2). Got (20, 2, 1) instead."),
            (np.zeros((19, 2)), "y must have as many rows as x, 20. Got the shape (19, 2) instead."),
            (5, "y must have as many rows as x, 20. Got the shape () instead."),
            (["a"] * 20, "y must be numbers. Got 'a', a label, instead."),
            ([None] * 20, "y must hold real numbers. Got the dtype object instead."),
            (np.zeros(20, complex), "y must hold real numbers. Got the dtype complex128 instead."),
            ([[1, 2]] * 19 + [[1]], "y must be a matrix of numbers. Got rows of different lengths instead."),
        ],
    )
    def test_what_does_not_fit(self, y, words):
        for use in (network().fit, network().evaluate, network().gradients):
            with pytest.raises(CynnError) as caught:
                use(ROWS, y)
            assert str(caught.value).startswith(words)

    @pytest.mark.parametrize(("bad", "output"), [(-0.5, "softmax"), (-0.5, "sigmoid"), (1.5, "sigmoid")])
    def test_what_is_no_probability(self, bad, output):
        t = np.full((20, 2), 0.5)
        t[13, 1] = bad
        with pytest.raises(DataError, match=rf"targets of \w+ must .*Got {bad} in row 13 instead"):
            network(output=output).fit(ROWS, t)

    @pytest.mark.parametrize(
        ("weight", "words"),
        [
            (np.ones(19), r"sample_weight must have the shape \(20,\)\. Got \(19,\) instead"),
            (np.ones((20, 1)), r"sample_weight must have the shape \(20,\)\. Got \(20, 1\) instead"),
            ([1] * 19 + [-1], r"sample_weight must be finite and >= 0\. Got -1.0 in row 19 instead"),
            ([1] * 19 + [np.nan], r"sample_weight must be finite and >= 0\. Got nan in row 19 instead"),
            ([0] * 20, "sample_weight must not be zero everywhere"),
            (["1"] * 20, "sample_weight must hold real numbers"),
        ],
    )
    def test_weights_of_rows(self, weight, words):
        for use in (network().fit, network().evaluate, network().gradients):
            with pytest.raises(CynnError, match=words):
                use(ROWS, np.zeros(20, int), sample_weight=weight)

    @pytest.mark.parametrize("data", [5, "ab", (ROWS,), (1, 2, 3, 4), np.zeros((2, 3))])
    def test_validation_data(self, data):
        words = r"'validation_data' parameter of fit must be a tuple \(x, y\) or \(x, y, sample_weight\)"
        with pytest.raises(InvalidParameterError, match=words):
            network().fit(ROWS, np.zeros(20, int), validation_data=data)


def test_nothing_of_a_refused_fit_remains():
    net = network()
    before = helpers.digest(net)
    for options in ({"epochs": -1}, {"sample_weight": [1]}, {"loss": "x"}, {"optimizer": "x"}):
        with pytest.raises(CynnError):
            net.fit(ROWS, np.zeros(20, int), **options)
    assert net.history is None
    assert helpers.digest(net) == before


class TestRowsThatAreCheckedAsTheyAreRead:
    """`fit` looks for NaN and infinity as it gathers rows: what it finds late must undo what it did before."""

    def network(self):
        net = Network.mlp([3, 4, 1], activation="tanh", seed=0)
        x, y = np.random.default_rng(0).random((2, 64, 3), np.float32)
        return net, x, y[:, :1]

    @pytest.mark.parametrize("shuffle", [False, True])
    @pytest.mark.parametrize("n_threads", [1, 2])
    @pytest.mark.parametrize("fits_before", [0, 1])
    def test_everything_is_as_it_was(self, fits_before, n_threads, shuffle):
        options = {"batch_size": 4, "progress": False, "shuffle": shuffle, "n_threads": n_threads, "optimizer": "adam"}
        net, x, y = self.network()
        other, _, _ = self.network()
        for _ in range(fits_before):
            options["optimizer"] = None
            net.fit(x, y, epochs=2, **options)
            other.fit(x, y, epochs=2, **options)
        history = net.history
        bad = x.copy()
        bad[61, 1] = np.inf
        with pytest.raises(DataError, match=r"x must be finite\. Got inf in row 61, column 1"):
            net.fit(bad, y, epochs=3, **options)
        assert net.history is history
        assert net.epochs_trained == other.epochs_trained
        net.fit(x, y, epochs=2, **options)
        other.fit(x, y, epochs=2, **options)
        for layer, expected in zip(net.layers, other.layers, strict=True):
            np.testing.assert_array_equal(layer.weights, expected.weights)
            np.testing.assert_array_equal(layer.biases, expected.biases)

    def test_no_epoch(self):
        net, x, y = self.network()
        x[5, 0] = np.nan
        with pytest.raises(DataError, match="row 5"):
            net.fit(x, y, epochs=0, progress=False)

    def test_too_large_for_the_dtype(self):
        net, x, y = self.network()
        x = x.astype(np.float64)
        x[5, 0] = 1e300
        with pytest.raises(DataError, match="x must be finite in float32"):
            net.fit(x, y, progress=False)


@pytest.mark.skipif(sys.platform != "linux", reason="anonymous memory is read from /proc")
def test_a_memmap_is_not_copied(tmp_path):
    """What fit needs beside the pages of the file, which the system takes back, is a fraction of it: 200 MB."""
    script = f"""
        import numpy as np
        import cynn

        def anonymous():
            lines = open("/proc/self/status").read().splitlines()
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))

        class Look(cynn.callbacks.Callback):
            def on_epoch_end(self, epoch, logs):
                self.most = anonymous()

        look = Look()
        x = np.memmap({str(tmp_path / "x")!r}, np.uint8, "w+", shape=(200_000, 1000))  # of holes
        y = np.arange(len(x)) % 2
        net = cynn.Network.mlp([1000, 2], output="softmax", seed=0)
        net.fit(x[:1000], y[:1000], epochs=1, batch_size=500)
        before = anonymous()
        net.fit(x, y, epochs=1, batch_size=1000, shuffle="blocks", progress=False, callbacks=[look])
        print(look.most - before)
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True
    )
    assert int(result.stdout) < 30e6
