"""Tables of pandas, polars and pyarrow in place of a matrix."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import cynn
from cynn.errors import DataError, InvalidParameterError, ShapeError

AGE = np.array([3, 1, 2, 5], np.int64)
IS_OLD = np.array([True, False, True, True])
FARE = np.array([0.5, 1.5, -2.0, 1e-30])
MATRIX = np.column_stack([AGE, IS_OLD, FARE]).astype(np.float64)
Y = np.array([1.0, 2.0, 3.0, 4.0])


class Column:
    """A column of a table of an unknown library."""

    def __init__(self, values: Any) -> None:
        self.values = values
        self.dtype = "own"

    def __arrow_c_stream__(self) -> None:
        raise AssertionError("nobody needs Arrow")

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.array([0 if value is None else value for value in self.values], self.values.dtype)

    def is_null(self) -> Any:
        return np.array([value is None for value in self.values])


class Table:
    """A table of an unknown library."""

    def __init__(self, columns: dict[Any, Any]) -> None:
        self.of_names = columns
        self.columns = list(columns)

    def __dataframe__(self) -> None:
        raise AssertionError("nobody needs the protocol itself")

    def __len__(self) -> int:
        return len(next(iter(self.of_names.values())))

    def get_columns(self) -> list[Column]:
        return [Column(np.asarray(values)) for values in self.of_names.values()]


def of_pandas(columns: dict[Any, Any]) -> Any:
    return pytest.importorskip("pandas").DataFrame(columns)


def of_pandas_nullable(columns: dict[Any, Any]) -> Any:
    return pytest.importorskip("pandas").DataFrame(columns).convert_dtypes()


def of_polars(columns: dict[Any, Any]) -> Any:
    return pytest.importorskip("polars").DataFrame(columns)


def of_pyarrow(columns: dict[Any, Any]) -> Any:
    return pytest.importorskip("pyarrow").table({str(name): list(values) for name, values in columns.items()})


LIBRARIES = [
    Table,
    pytest.param(of_pandas, marks=pytest.mark.interop),
    pytest.param(of_pandas_nullable, marks=pytest.mark.interop),
    pytest.param(of_polars, marks=pytest.mark.interop),
    pytest.param(of_pyarrow, marks=pytest.mark.interop),
]
in_every_library = pytest.mark.parametrize("library", LIBRARIES)
MIXED = {"age": AGE, "is_old": IS_OLD, "fare": FARE}


def plain(**options: Any) -> cynn.Network:
    return cynn.Network([cynn.Input(3), cynn.Dense(2, "tanh"), cynn.Dense(1)], seed=0, dtype="float64", **options)


@in_every_library
def test_a_table_of_mixed_columns_is_as_its_matrix(library: Any) -> None:
    frame, one, other = library(MIXED), plain(), plain()
    for net, x in ((one, frame), (other, MATRIX)):
        net.fit(x, Y, epochs=2, batch_size=2, validation_data=(x, Y), progress=False)
        net.train_batch(x, Y)
        net.fit([(x, Y)], epochs=1, progress=False)
    assert one.evaluate(frame, Y) == other.evaluate(MATRIX, Y)
    np.testing.assert_array_equal(one.predict(frame), other.predict(MATRIX))
    np.testing.assert_array_equal(one.activations(frame)[0], MATRIX)


@in_every_library
def test_a_column_as_y(library: Any) -> None:
    frame = library({"a": AGE, "b": IS_OLD})
    column = frame["a"] if not isinstance(frame, Table) else frame.get_columns()[0]
    assert plain().evaluate(MATRIX, column) == plain().evaluate(MATRIX, AGE)


@in_every_library
def test_the_column_of_text_is_named(library: Any) -> None:
    frame = library({"age": AGE, "colour": np.array(["red", "blue", "red", "red"], object), "fare": FARE})
    with pytest.raises(InvalidParameterError, match=r"column 'colour' of x must hold numbers. Got 'red' in row 0.*One"):
        plain().fit(frame, Y)


@in_every_library
@pytest.mark.parametrize("values", [[1, 2, None, 3], [True, False, None, True]], ids=["whole numbers", "booleans"])
def test_a_missing_value_is_named(library: Any, values: list[Any]) -> None:
    frame = library({"age": AGE, "is_old": np.array(values, object), "fare": FARE})
    with pytest.raises(DataError, match=r"column 'is_old' of x must have no missing values. Got one in row 2 "):
        plain().predict(frame)


@pytest.mark.interop
def test_one_dtype_is_not_copied() -> None:
    import pandas

    x = np.arange(12, dtype=np.float32).reshape(4, 3)
    frame = pandas.DataFrame(x, copy=False)
    assert np.shares_memory(plain().as_rows(frame, "x"), x)


@pytest.mark.interop
def test_categories_of_numbers_and_dates() -> None:
    import pandas

    numbers = pandas.Categorical([3, 1, 2, 5])
    frame = pandas.DataFrame({"age": numbers, "is_old": IS_OLD, "fare": FARE})
    np.testing.assert_array_equal(plain().predict(frame), plain().predict(MATRIX))
    frame["age"] = pandas.to_datetime(["2020-01-01"] * 4)
    with pytest.raises(InvalidParameterError, match="column 'age' of x must hold real numbers"):
        plain().predict(frame)


@in_every_library
def test_whole_numbers_that_are_not_exact_are_refused_before_an_offset(library: Any) -> None:
    frame = library({"time": np.array([2**53 + 1, 1]), "other": np.array([1.5, 2.5])})
    net = cynn.Network([cynn.Input(2, offset=-1.0), cynn.Dense(1)])
    with pytest.raises(DataError, match="column 'time' of x must be whole numbers that float64 holds"):
        net.predict(frame)


class TestNames:
    """The names of columns that a network remembers."""

    @in_every_library
    @pytest.mark.parametrize("how", ["fit", "train_batch", "generator"])
    def test_what_trains_gives_them(self, library: Any, how: str) -> None:
        net, frame = plain(), library(MIXED)
        if how == "fit":
            net.fit(frame, Y, epochs=1, progress=False)
        elif how == "train_batch":
            net.train_batch(frame, Y)
        else:
            net.fit([(frame, Y)], epochs=1, progress=False)
        assert net.feature_names == ["age", "is_old", "fare"]

    def test_what_fails_gives_none(self) -> None:
        net = plain()
        with pytest.raises(ShapeError):
            net.fit(Table(MIXED), Y[:2])
        assert net.feature_names is None
        net.predict(Table(MIXED))
        assert net.feature_names is None

    @pytest.mark.parametrize(
        ("names", "words"),
        [
            (["age", "is_old", "price"], "Got no 'fare' and 'price', which it does not know, instead."),
            (["is_old", "age", "fare"], r"Got another order instead. Use x\[net.feature_names\]"),
            (["age", "is_old"], "Got no 'fare' instead."),
            (["age", "is_old", "fare", "id"], r"Got 'id', which it does not know, instead. Use x\[net.feature_names\]"),
        ],
    )
    def test_others_are_refused(self, names: list[str], words: str) -> None:
        net = plain(feature_names=["age", "is_old", "fare"])
        frame = Table(dict.fromkeys(names, FARE))
        of_both = (lambda x, do=do: do(x, Y) for do in (net.evaluate, net.fit, net.train_batch))
        calls = [net.predict, net.activations, *of_both]
        for call in calls:
            with pytest.raises(DataError, match=f"must have the columns that the network was trained with.*{words}"):
                call(frame)
        with pytest.raises(DataError, match="validation x must have the columns"):
            net.fit(MATRIX, Y, validation_data=(frame, Y))

    def test_arrays_have_none(self) -> None:
        net = plain(feature_names=["age", "is_old", "fare"])
        np.testing.assert_array_equal(net.predict(MATRIX), net.predict(Table(MIXED)))

    def test_names_that_are_numbers_are_none(self) -> None:
        net = plain()
        net.fit(Table({0: AGE, 1: IS_OLD, 2: FARE}), Y, epochs=1, progress=False)
        assert net.feature_names is None

    @pytest.mark.parametrize("given", ["abc", ["a", "b"], ["a", "b", "b"], ["a", "b", 3], 3])
    def test_what_they_may_be(self, given: Any) -> None:
        with pytest.raises(InvalidParameterError, match="'feature_names' parameter of Network must be None or a l"):
            plain(feature_names=given)

    def test_they_are_saved(self, tmp_path: Any) -> None:
        net = cynn.Network(
            [cynn.Input(2), cynn.Dense(3, "softmax")], feature_names=["a", "b"], classes=["x", "y", "z"]
        )
        net.save(tmp_path / "net.safetensors")
        for other in (cynn.load(tmp_path / "net.safetensors"), pickle.loads(pickle.dumps(net)), copy.deepcopy(net)):
            assert other.feature_names == ["a", "b"]
            assert other.classes == ["x", "y", "z"]
        plain().save(tmp_path / "net.safetensors")
        assert cynn.load(tmp_path / "net.safetensors").feature_names is None

    def test_the_summary_shows_them(self) -> None:
        net = cynn.Network([cynn.Input(2), cynn.Dense(1, "sigmoid")], feature_names=["a", "b"], classes=["no", "yes"])
        assert net.summary().endswith("\nfeatures: a, b\nclasses: no, yes")
        assert "features" not in plain().summary()

    def test_a_checkpoint_goes_on_in_the_network_that_it_saved(self, tmp_path: Any) -> None:
        frame = Table(MIXED)
        options: dict[str, Any] = {"progress": False, "batch_size": 2}
        net, path = plain(), tmp_path / "point.safetensors"
        net.fit(frame, Y, epochs=2, callbacks=[cynn.callbacks.Checkpoint(path)], **options)
        other = cynn.load(path)
        other.fit(frame, Y, epochs=3, resume=path, **options)
        assert len(other.history["loss"]) == 3


class TestLabels:
    """Labels that are words."""

    @pytest.mark.parametrize("y", [["no", "yes"] * 2, np.array(["no", "yes"] * 2, object)])
    def test_without_classes_the_cure_is_named(self, y: Any) -> None:
        for call in (plain().fit, plain().evaluate, plain().train_batch):
            with pytest.raises(InvalidParameterError, match=r"y must be numbers. Got 'no', a label.*unique.*classes="):
                call(MATRIX, y)

    @pytest.mark.parametrize(
        ("last", "loss", "codes"),
        [
            (cynn.Dense(2, "softmax"), None, [1, 0, 1, 1]),
            (cynn.Dense(1, "sigmoid"), None, [1, 0, 1, 1]),
            (cynn.Dense(1), "hinge", [1, -1, 1, 1]),
        ],
    )
    def test_with_classes_they_are_numbers(self, last: Any, loss: Any, codes: list[int]) -> None:
        labels = ["yes", "no", "yes", "yes"]
        one, other = (
            cynn.Network([cynn.Input(3), last], seed=0, classes=["no", "yes"]),
            cynn.Network([cynn.Input(3), last], seed=0),
        )
        for y, net in ((labels, one), (codes, other)):
            net.fit(MATRIX, y, loss=loss, epochs=2, metrics=["accuracy"], validation_data=(MATRIX, y), progress=False)
        assert one.history["val_loss"] == other.history["val_loss"]
        assert one.evaluate(MATRIX, codes, loss=loss) == one.evaluate(MATRIX, labels, loss=loss)

    def test_a_label_that_it_does_not_know(self) -> None:
        net = cynn.Network([cynn.Input(3), cynn.Dense(2, "softmax")], seed=0, classes=["no", "yes"])
        y = ["no", "maybe", "yes", "yes"]
        with pytest.raises(DataError, match=r"y must have labels among the classes.*Got 'maybe' in row 1"):
            net.fit(MATRIX, y)
        net.fit(MATRIX, y, sample_weight=[1, 0, 1, 1], epochs=1, progress=False)

    def test_of_several_outputs(self) -> None:
        x = cynn.Input(3)
        net = cynn.Network(
            {"a": cynn.Dense(2, "softmax")(x), "b": cynn.Dense(1)(x)}, seed=0, classes={"a": ["no", "yes"]}
        )
        assert net.classes == {"a": ["no", "yes"], "b": None}
        labels = net.evaluate(MATRIX, {"a": ["no", "yes", "no", "no"], "b": Y})
        assert labels == net.evaluate(MATRIX, {"a": [0, 1, 0, 0], "b": Y})
        assert cynn.Network.from_config(net.get_config()).classes == net.classes

    @pytest.mark.parametrize("given", ["no", ["no"], ["no", "no"], [0, 1]])
    def test_what_classes_may_be(self, given: Any) -> None:
        with pytest.raises(InvalidParameterError, match="'classes' parameter of Network must be None or a list of 2"):
            cynn.Network([cynn.Input(3), cynn.Dense(2, "softmax")], classes=given)
