"""`TabularClassifier` and `TabularRegressor`: tables as they are, what they learn, and their files."""

import copy
import datetime
import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("pandas")

import pandas as pd
import sklearn.base

import cynn
from cynn.callbacks import Callback, Checkpoint, CSVLogger, EarlyStopping, Live
from cynn.data.weighted import mean_and_deviation, quantiles
from cynn.errors import DataError, InvalidParameterError, ModelFileError, UnknownNameError
from cynn.saving import container_file
from cynn.sklearn import TabularClassifier, TabularRegressor, load

pytestmark = [pytest.mark.interop, pytest.mark.filterwarnings("error")]

N = 240


def classifier(**options):
    return TabularClassifier(**{"epochs": 24, "hidden_layer_sizes": (48, 48), "random_state": 0} | options)


def regressor(**options):
    return TabularRegressor(**{"epochs": 24, "hidden_layer_sizes": (48, 48), "random_state": 0} | options)


@pytest.fixture
def table():
    """A column of every kind, with something missing in all but one."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "size": random.normal(50, 10, N),
            "colour": random.choice(["red", "green", "blue"], N),
            "shop": random.choice([f"shop {k}" for k in range(30)], N),
            "is_new": pd.array(random.random(N) > 0.5, "boolean"),
            "count": pd.array(random.integers(0, 9, N), "Int64"),
            "grade": pd.Categorical(random.integers(1, 4, N)),
            "day": pd.date_range("2024-01-01", periods=N, freq="h"),
            "same": 7.0,
        }
    )
    for place, name in enumerate(frame.columns[:-1]):
        frame.loc[place * 3 : place * 3 + 4, name] = None
    return frame


def labels(frame):
    return np.where((frame["size"].fillna(50) > 50) ^ (frame["colour"] == "red"), "yes", "no")


def values(frame):
    return 5000 + 10 * frame["size"].fillna(50).to_numpy() + 300 * (frame["colour"] == "red")


class TestColumns:
    def test_of_every_kind(self, table):
        y = labels(table)
        found = classifier(epochs=60).fit(table, y)
        assert found.score(table, y) > 0.9
        assert list(found.feature_names_in_) == list(table.columns)
        assert found.columns_.kinds == [
            "number", "category", "category", "switch", "number", "category", "number", "number"
        ]  # fmt: skip
        assert found.columns_.code_sizes == [31]
        assert found.columns_.parts_of(7) == []  # it says nothing
        assert found.columns_.n_numbers == 3

    def test_arrays_lists_and_polars_are_the_same_table(self, table):
        pl = pytest.importorskip("polars")
        y = labels(table)
        of_pandas = classifier(epochs=3).fit(table, y).predict_proba(table)
        texts = table.assign(grade=table["grade"].astype(object).map(str, na_action="ignore"))
        rows = texts.astype(object).where(table.notna(), None).to_numpy().tolist()
        for other in (rows, np.array(rows, object)):
            np.testing.assert_allclose(classifier(epochs=3).fit(other, y).predict_proba(other), of_pandas, rtol=1e-6)
        colours = pl.col("colour").cast(pl.Enum(["red", "green", "blue"]))
        other = pl.DataFrame(rows, schema=list(table.columns), orient="row", infer_schema_length=None)
        other = other.with_columns(pl.col("grade").cast(pl.Categorical), colours)
        found = classifier(epochs=3).fit(other, y)
        np.testing.assert_allclose(found.predict_proba(other), of_pandas, rtol=1e-6)
        assert list(found.feature_names_in_) == list(table.columns)

    def test_what_was_never_seen(self, table):
        found = classifier().fit(table, labels(table))
        new = table.iloc[:8].assign(colour="violet", shop="shop 99", grade=9, size=1e300, count=pd.NA)
        assert np.isfinite(found.predict_proba(new)).all()
        missing = new.assign(colour=None, shop=None, grade=None)
        np.testing.assert_array_equal(found.predict_proba(new), found.predict_proba(missing))

    def test_dates_are_seconds(self):
        from cynn.sklearn.raw_columns import column

        day = datetime.datetime(2024, 5, 1, 12)
        seconds = (day - datetime.datetime(1970, 1, 1)).total_seconds()
        for given in (
            np.array([day, None], "datetime64[ms]"), np.array([day, None], object), pd.Series([day, None]),
            pd.Series([pd.Timestamp(day, tz="UTC"), pd.NaT]), pd.Series([pd.Timestamp(day), None], dtype=object),
            pd.Series([pd.Timestamp("2024-05-01T14:00", tz="Europe/Berlin"), None]),
        ):  # fmt: skip
            found = column(given, "day")
            assert found.kind == "number"
            np.testing.assert_array_equal(found.values, [seconds, np.nan])
        assert column(np.array([day.date()], object), "day").values[0] == seconds - 43200
        assert column(pd.Series([pd.Period("2024-05")]), "day").values[0] == seconds - 43200
        assert column(pd.Series([pd.Timedelta("2min")]), "day").values[0] == 120
        assert column(np.array([datetime.timedelta(1)], object), "day").values[0] == 86400

    def test_numbers_are_as_in_the_paper(self):
        random = np.random.default_rng(1)
        x = random.normal(3, 4, size=(201, 2))
        columns = classifier(epochs=1).fit(x, x[:, 0] > 3).columns_
        z = (x - np.median(x, axis=0)) / (np.quantile(x, 0.75, axis=0) - np.quantile(x, 0.25, axis=0))
        from cynn.sklearn.raw_columns import columns as raw

        np.testing.assert_allclose(columns.inputs(raw(x)), z / np.sqrt(1 + (z / 3) ** 2), rtol=1e-5, atol=1e-6)

    @pytest.mark.parametrize(
        ("X", "message"),
        [
            ([[np.inf], [1.0]], r"Column 0 must hold finite numbers, or nothing\. Got inf in row 0"),
            (np.array([[1j], [0]]), "Complex data not supported"),
            (np.zeros((0, 2)), r"Found array with 0 sample\(s\)"),
            (np.zeros(3), "Expected 2D array, got 1D array"),
            (pd.DataFrame({"a": []}), r"Found array with 0 sample\(s\)"),
            (pd.DataFrame(index=[0, 1]), r"Found array with 0 feature\(s\)"),
        ],
    )
    def test_what_is_no_table(self, X, message):
        with pytest.raises(ValueError, match=message):
            classifier().fit(X, [0] * len(X))

    def test_columns_that_are_not_there_or_are_others(self, table):
        found = classifier(epochs=1).fit(table, labels(table))
        with pytest.raises(ValueError, match="now missing:\n- colour"):
            found.predict(table.drop(columns="colour"))
        with pytest.raises(ValueError, match="same order"):
            found.predict(table[table.columns[::-1]])
        with pytest.raises(DataError, match=r"Column 'size' must hold numbers, as in fit\. Got 'big' in row 0"):
            found.predict(table.assign(size="big"))
        np.testing.assert_array_equal(
            found.predict_proba(table), found.predict_proba(table.assign(size=table["size"].astype(object)))
        )

    def test_no_column_says_anything(self):
        found = classifier(epochs=40).fit(np.zeros((40, 3)), np.arange(40) % 4 == 0)
        assert found.predict_proba(np.zeros((1, 3)))[0, 1] == pytest.approx(0.27, abs=0.1)


class TestWeights:
    def test_quantiles_are_those_of_copies(self):
        random = np.random.default_rng(0)
        for n in (1, 2, 7, 20):
            x, weight = random.normal(size=n).round(1), random.integers(1, 5, n)
            copies = np.repeat(x, weight)
            for scale in (1.0, 0.1):
                found = quantiles(x, [0.0, 0.25, 0.5, 0.75, 1.0], weight * scale)
                expected = np.quantile(copies, [0, 0.25, 0.5, 0.75, 1], method="averaged_inverted_cdf")
                np.testing.assert_allclose(found, expected)
            assert quantiles(x, [0.5])[0] == pytest.approx(np.median(x))
            mean, deviation = mean_and_deviation(x[:, None], weight)
            found = mean[0], deviation[0] if n > 1 else 0
            np.testing.assert_allclose(found, [copies.mean(), copies.std()], atol=1e-12)

    @pytest.mark.parametrize("make", [classifier, regressor])
    def test_a_weight_means_copies(self, make):
        """Where neither rows held out nor dropout look at the number of rows, nor batches."""
        random = np.random.default_rng(0)
        x, weight = random.normal(size=(60, 3)), random.integers(0, 3, 60)
        y = (x[:, 0] > 0).astype(int)
        options = {"preset": "fast", "early_stopping": False, "batch_size": 1000, "epochs": 8}
        weighted = make(**options).fit(x, y, sample_weight=weight)
        copied = make(**options).fit(np.repeat(x, weight, axis=0), np.repeat(y, weight))
        predict = "predict_proba" if make is classifier else "predict"
        np.testing.assert_allclose(getattr(weighted, predict)(x), getattr(copied, predict)(x), rtol=2e-3, atol=2e-3)
        plain = make(**options).fit(x, y)
        assert np.abs(getattr(plain, predict)(x) - getattr(copied, predict)(x)).max() > 0.01

    def test_class_weight(self):
        random = np.random.default_rng(0)
        x = random.normal(size=(300, 2))
        y = np.where(x[:, 0] + random.normal(size=300) > 1.5, "rare", "usual")
        shares = [
            np.mean(classifier(class_weight=weight).fit(x, y).predict(x) == "rare")
            for weight in (None, "balanced", {"rare": 30.0})
        ]
        assert shares[0] < shares[1] < shares[2]


class TestTraining:
    def test_the_best_epoch_is_kept(self, table):
        y = labels(table)
        rows, held = table.iloc[:180], table.iloc[180:]
        found = classifier(epochs=20).fit(rows, y[:180], X_val=held, y_val=y[180:])
        accuracies = found.histories_[0]["val_accuracy"]
        assert found.best_epochs_ == [20 - int(np.argmax(accuracies[::-1]))]
        assert found.validation_score_ == pytest.approx(max(accuracies))
        assert found.score(held, y[180:]) == pytest.approx(max(accuracies))
        last = classifier(epochs=20, early_stopping=False).fit(rows, y[:180])
        assert last.best_epochs_ == [20]
        assert last.validation_score_ is None

    def test_the_same_seed_is_the_same_model(self, table):
        one, two, other = (
            regressor(random_state=seed, n_threads=n).fit(table, values(table)).predict(table)
            for seed, n in ((3, 1), (3, 2), (4, 1))
        )
        np.testing.assert_array_equal(one, two)
        assert (one != other).any()

    def test_large_targets(self, table):
        y = values(table) * 1e6
        found = regressor(epochs=80).fit(table, y)
        assert found.score(table, y) > 0.9
        assert y.min() <= found.predict(table).min()
        assert found.predict(table).max() <= y.max()

    def test_several_outputs(self, table):
        y = np.column_stack([values(table), -values(table) / 100])
        found = regressor(epochs=60).fit(table, y)
        assert found.predict(table).shape == (N, 2)
        assert found.score(table, y) > 0.85

    def test_quantiles(self):
        random = np.random.default_rng(0)
        x = random.random((600, 1))
        y = random.normal(size=600) * 10 + 100
        for quantile in (0.1, 0.5, 0.9):
            found = regressor(loss="quantile", quantile=quantile, epochs=40).fit(x, y)
            assert np.mean(y < found.predict(x)) == pytest.approx(quantile, abs=0.1)
        assert regressor(loss="huber", epochs=2).fit(x, y).predict(x).shape == (600,)

    def test_members_and_folds(self, table):
        y = labels(table)
        for options, n in [({"n_members": 3}, 3), ({"n_folds": 4}, 4), ({"n_folds": 2, "n_members": 2}, 4)]:
            found = classifier(epochs=4, **options).fit(table, y)
            assert len(found.ensemble_) == len(found.best_epochs_) == n
            np.testing.assert_allclose(found.predict_proba(table).sum(axis=1), 1, rtol=1e-12)
            assert 0 < found.validation_score_ <= 1

    def test_probabilities_are_calibrated(self):
        random = np.random.default_rng(0)
        x = random.normal(size=(900, 3))
        y = x[:, 0] + 2 * random.normal(size=900) > 0
        plain, calibrated = (
            classifier(calibrate=on, epochs=60, early_stopping=False, dropout=0.0, label_smoothing=0.0).fit(
                x[:300], y[:300], X_val=x[300:450], y_val=y[300:450]
            )
            for on in (False, True)
        )
        assert plain.temperature_ == 1
        assert calibrated.temperature_ > 1.1  # it was too sure
        rows, codes = np.arange(450), y[450:].astype(int)
        losses = [-np.log(each.predict_proba(x[450:])[rows, codes]).mean() for each in (plain, calibrated)]
        assert losses[1] < losses[0]
        np.testing.assert_array_equal(plain.predict(x), calibrated.predict(x))

    def test_importances(self, table):
        y = labels(table)
        found = classifier(epochs=60).fit(table, y).feature_importances(table, y, random_state=0)
        assert found.shape == (8,)
        assert set(np.argsort(found)[-2:]) == {0, 1}
        assert found[7] == 0

    def test_labels_of_any_kind(self):
        x = np.linspace(-1, 1, 60)[:, None]
        for zero, one in [(0, 1), ("a", "b"), (False, True), (-1.0, 2.0)]:
            y = np.where(x[:, 0] > 0, one, zero)
            found = classifier().fit(x, y)
            assert set(found.predict(x)) <= {zero, one}
            assert found.score(x, y) > 0.9

    def test_few_rows(self):
        assert classifier(epochs=5).fit([[0.0], [1.0]], ["a", "b"]).predict([[0.0]]).shape == (1,)
        assert classifier(epochs=5).fit([[0.0]], ["a"]).predict_proba([[0.0]]).tolist() == [[1.0]]

    def test_verbose(self, capsys):
        regressor(epochs=2, verbose=True, n_members=2).fit(np.zeros((20, 1)), np.arange(20))
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == 4
        assert lines[3].startswith("network 2 of 2, epoch 2: loss ")

    @pytest.mark.parametrize(
        "options",
        [
            {"preset": "best"}, {"preset": 3}, {"hidden_layer_sizes": 5}, {"hidden_layer_sizes": [0]}, {"epochs": 0},
            {"batch_size": 0}, {"n_members": 0}, {"n_folds": 1}, {"learning_rate": 0}, {"dropout": 1},
            {"weight_decay": -1}, {"validation_fraction": 1.0}, {"early_stopping": "yes"},
            {"label_smoothing": 1}, {"calibrate": 2},
        ],
    )  # fmt: skip
    def test_wrong_parameters(self, options):
        with pytest.raises(InvalidParameterError, match=next(iter(options))):
            classifier(**options).fit([[0.0]] * 20, [0, 1] * 10)

    def test_what_does_not_go_together(self):
        x, y = np.zeros((20, 1)), np.arange(20) % 2
        with pytest.raises(DataError, match="X_val and y_val must be given together"):
            classifier().fit(x, y, X_val=x)
        with pytest.raises(DataError, match="n_folds must be None where X_val and y_val are given"):
            classifier(n_folds=2).fit(x, y, X_val=x, y_val=y)
        with pytest.raises(DataError, match="n_folds must be at most the number of rows, 20"):
            classifier(n_folds=21).fit(x, y)
        with pytest.raises(DataError, match="calibrate=True must have rows that were not trained on"):
            classifier(calibrate=True, early_stopping=False).fit(x, y)
        with pytest.raises(DataError, match="y must have one label per row"):
            classifier().fit(x, np.column_stack([y, 1 - y]))
        with pytest.raises(DataError, match="class_weight must leave rows that count"):
            classifier(class_weight={0: 0, 1: 0}).fit(x, y)
        with pytest.raises(DataError, match=r"y must hold numbers\. Got 'a' instead"):
            regressor().fit(x, ["a"] * 20)
        with pytest.raises(InvalidParameterError, match="quantile"):
            regressor(loss="quantile", quantile=1).fit(x, y)
        with pytest.raises(DataError, match="y must have one value per row, as at first"):
            regressor(epochs=1).fit(x, y).feature_importances(x, np.column_stack([y, y]))


class Epochs(Callback):
    """Notes the epochs and, at the end of each, the output weights; raises an error or stops after one of them."""

    def __init__(self, *, error_at=None, stop_at=None):
        self.error_at, self.stop_at, self.epochs, self.weights = error_at, stop_at, [], []

    def on_epoch_end(self, epoch, logs):
        self.epochs.append(epoch)
        self.weights.append(self.network.layers[-1].weights.copy())
        self.stop_training = epoch == self.stop_at
        if epoch == self.error_at:
            raise RuntimeError("of a callback")


class TestCallbacks:
    def test_each_network_has_copies(self, table):
        given = Epochs()
        found = regressor(epochs=3, n_members=2, callbacks=[given]).fit(table, values(table))
        assert [[each.epochs for each in of_one] for of_one in found.callbacks_] == [[[1, 2, 3]]] * 2
        for (of_one,), network in zip(found.callbacks_, found.ensemble_.networks, strict=True):
            assert of_one.network is network
        assert given.epochs == []
        assert given.network is None
        assert len(found.fit(table, values(table)).callbacks_) == 2
        assert len(found.set_params(n_members=1, n_folds=3).fit(table, values(table)).callbacks_) == 3
        assert regressor(epochs=1).fit(table, values(table)).callbacks_ == [[]]

    def test_the_model_is_the_same_to_the_bit(self, table):
        plain, called = (
            classifier(epochs=6, n_members=2, callbacks=callbacks).fit(table, labels(table))
            for callbacks in (None, [Epochs(), "timer"])
        )
        np.testing.assert_array_equal(plain.predict_proba(table), called.predict_proba(table))
        assert plain.best_epochs_ == called.best_epochs_

    def test_the_best_epoch_is_kept_where_a_callback_stops(self, table):
        y = values(table)
        losses = regressor().fit(table, y).histories_[0]["val_loss"]
        worse = next(epoch for epoch in range(2, 25) if losses[epoch - 1] > losses[epoch - 2])
        for callbacks in ([Epochs(stop_at=worse)], [EarlyStopping("val_loss", patience=1), Epochs()]):
            found = regressor(callbacks=callbacks).fit(table, y)
            assert found.histories_[0].epochs == worse
            assert found.best_epochs_ == [worse - 1]
            at_best = found.callbacks_[0][-1].weights[worse - 2]
            np.testing.assert_array_equal(found.ensemble_.networks[0].layers[-1].weights, at_best)

    def test_the_own_choice_of_the_best_epoch_wins(self, table):
        worst = EarlyStopping("val_loss", mode="max", patience=20, restore_best_weights=True)
        found = regressor(epochs=20, callbacks=[worst]).fit(table, values(table))
        assert found.best_epochs_ == [int(np.argmin(found.histories_[0]["val_loss"])) + 1]
        plain = regressor(epochs=20).fit(table, values(table))
        np.testing.assert_array_equal(found.predict(table), plain.predict(table))

    def test_without_held_out_rows_a_callback_may_choose(self, table):
        restoring = EarlyStopping("loss", mode="max", patience=20, restore_best_weights=True)
        found = regressor(epochs=20, early_stopping=False, callbacks=[restoring, Epochs()]).fit(table, values(table))
        restored, noted = found.callbacks_[0]
        assert found.best_epochs_ == [restored.best_epoch]
        assert restored.best_epoch < 20
        weights = found.ensemble_.networks[0].layers[-1].weights
        np.testing.assert_array_equal(weights, noted.weights[restored.best_epoch - 1])

    def test_an_average_is_kept_as_it_was_validated(self, table):
        y = labels(table)
        rows, held = table.iloc[:180], table.iloc[180:]
        averaging = cynn.callbacks.StochasticWeightAveraging(start_epoch=2)
        found = classifier(callbacks=averaging).fit(rows, y[:180], X_val=held, y_val=y[180:])
        accuracies = found.histories_[0]["val_accuracy"]
        assert found.score(held, y[180:]) == pytest.approx(max(accuracies))
        assert found.validation_score_ == pytest.approx(max(accuracies))

    def test_parameters_within(self):
        one = classifier(callbacks=[EarlyStopping(patience=3)])
        assert one.get_params()["callbacks__0__patience"] == 3
        other = sklearn.base.clone(one).set_params(callbacks__0__patience=5)
        assert (one.callbacks[0].patience, other.callbacks[0].patience) == (3, 5)
        assert classifier(callbacks="early_stopping").set_params(callbacks__patience=7).callbacks.patience == 7
        with pytest.raises(UnknownNameError, match="parameter of EarlyStopping named 'patients'"):
            one.set_params(callbacks__0__patients=5)

    @pytest.mark.parametrize("wrong", [3, [3], [None], "early stopping"])
    def test_what_is_no_callback(self, wrong):
        x, y = np.zeros((20, 1)), np.arange(20) % 2
        with pytest.raises((InvalidParameterError, UnknownNameError), match="callback"):
            classifier(callbacks=wrong).fit(x, y)
        with pytest.raises(InvalidParameterError, match=r"must be a list of cynn.callbacks.Callback\. Got \[3\] inst"):
            classifier(callbacks=[3]).fit(x, y)

    def test_an_error_in_a_callback(self, table):
        y = labels(table)
        found = classifier(epochs=3).fit(table, y)
        before = found.predict(table)
        found.set_params(callbacks=[Epochs(error_at=2)])
        with pytest.raises(RuntimeError, match="of a callback"):
            found.fit(table[["size", "colour"]], values(table) > 5500)
        np.testing.assert_array_equal(found.predict(table), before)  # by the columns and labels of its network
        assert set(found.set_params(callbacks=None).fit(table, y).predict(table)) <= {"yes", "no"}

    def test_copies_and_files(self, table, tmp_path):
        given = [Epochs(), EarlyStopping(patience=9), Live(open=False)]
        found = classifier(epochs=2, callbacks=given).fit(table, labels(table))
        same = pickle.loads(pickle.dumps(copy.deepcopy(found)))
        np.testing.assert_array_equal(same.predict_proba(table), found.predict_proba(table))
        assert same.callbacks_[0][1].best == found.callbacks_[0][1].best
        assert same.callbacks[1].patience == 9
        found.save(tmp_path / "model")
        loaded = load(tmp_path / "model")
        assert loaded.callbacks is None
        np.testing.assert_array_equal(loaded.predict_proba(table), found.predict_proba(table))

    def test_checkpoints_and_logs(self, table, tmp_path):
        callbacks = [Checkpoint(tmp_path / "run.safetensors"), CSVLogger(tmp_path / "log.csv")]
        found = regressor(epochs=3, callbacks=callbacks).fit(table, values(table))
        assert cynn.load(tmp_path / "run.safetensors").input.units == found.columns_.n_inputs
        assert pd.read_csv(tmp_path / "log.csv")["val_loss"].tolist() == found.histories_[0]["val_loss"]


class TestNames:
    """What each network calls its inputs and outputs, for those who look at it alone."""

    def test_of_a_frame(self, table):
        found = classifier(epochs=1, n_members=2).fit(table, labels(table))
        for network in found.ensemble_.networks:
            assert network.classes == ["no", "yes"]
            assert network.feature_names[:3] == ["size", "count", "day"]
            assert network.feature_names[-1] == "shop"
            assert {"size is missing", "colour = red", "is_new = True", "grade = 3"} <= set(network.feature_names)
        assert regressor(epochs=1).fit(table, values(table)).ensemble_.networks[0].classes is None

    def test_of_other_tables(self):
        x = np.random.default_rng(0).normal(size=(30, 3))
        x[3] = np.nan
        frame = pd.DataFrame(x, columns=["a", "b", "a is missing"])
        for X, names in [
            (x[:, :2], ["x0", "x1", "x0 is missing", "x1 is missing"]),
            (frame, ["a", "b", "a is missing", "a is missing'", "b is missing", "a is missing is missing"]),
            (np.ones((30, 2)), ["nothing"]),
        ]:
            found = classifier(epochs=1, callbacks=[Live(open=False)]).fit(X, np.arange(30) % 3)
            assert found.ensemble_.networks[0].feature_names == names
            assert found.ensemble_.networks[0].classes == ["0", "1", "2"]
        assert classifier(epochs=1).fit(x, [7] * 30).ensemble_.networks[0].classes is None


class TestFiles:
    def test_what_is_saved_predicts_the_same(self, table, tmp_path):
        path = tmp_path / "model.safetensors"
        y = labels(table)
        one = classifier(epochs=3, n_members=2, calibrate=True, class_weight={"yes": 2.0}, learning_rate=0.03)
        one.fit(table, y).save(path)
        same = load(path)
        np.testing.assert_array_equal(same.predict_proba(table), one.predict_proba(table))
        np.testing.assert_array_equal(same.predict(table), one.predict(table))
        assert same.get_params() == one.get_params()
        assert same.validation_score_ == one.validation_score_
        assert same.score(table, y) == one.score(table, y)
        with pytest.raises(ValueError, match="same order"):
            same.predict(table[table.columns[::-1]])
        two = regressor(epochs=3, random_state=np.random.RandomState(0))
        two.fit(table, np.column_stack([values(table)] * 2)).save(path)
        np.testing.assert_array_equal(load(path).predict(table), two.predict(table))

    @pytest.mark.parametrize("kind", [bool, int, float, str, object])
    def test_labels(self, kind, tmp_path):
        x, y = np.arange(20.0)[:, None], np.array([0, 1] * 10).astype(kind if kind is not object else str).astype(kind)
        found = classifier(epochs=2).fit(x, y)
        found.save(tmp_path / "model.safetensors")
        again = load(tmp_path / "model.safetensors")
        np.testing.assert_array_equal(again.classes_, found.classes_)
        np.testing.assert_array_equal(again.predict(x), found.predict(x))

    def test_other_files(self, table, tmp_path):
        path = tmp_path / "model.safetensors"
        cynn.Network.mlp([2, 1]).save(path)
        with pytest.raises(ModelFileError, match=r"must hold a cynn table in version 1\. Got 'cynn' in"):
            load(path)
        container_file.save(path, "cynn table", [cynn.Network.mlp([2, 1])], None)
        with pytest.raises(ModelFileError, match="must hold one of TabularClassifier, TabularRegressor"):
            load(path)
        found = classifier(epochs=1).fit(table, labels(table))
        found.save(path)
        with pytest.raises(ModelFileError, match=r"must hold a network saved by CyNN\. Got the format 'cynn table'"):
            cynn.load(path)
        whole = path.read_bytes()
        for length in (0, 100, len(whole) // 2, len(whole) - 1):
            path.write_bytes(whole[:length])
            with pytest.raises(ModelFileError):
                load(path)

    def test_notes_that_were_changed(self, table, tmp_path):
        """By one who knows the format: whatever they say, it is an error of the file, or a model."""
        path = tmp_path / "model.safetensors"
        found = classifier(epochs=1).fit(table, labels(table))
        found.save(path)
        networks, notes = container_file.read(path, "cynn table", cynn.Network)
        wrong = {
            "parameters": [None, {"colour": 3}, 5], "columns": [None, {}, {**notes["columns"], "names": ["a"]}],
            "targets": [None, {"classes": {"kind": "O", "values": []}}, {"classes": 5}],
            "feature_names": [["a"], 5], "best_epochs": [None, ["a"]], "validation_score": ["x"],
        }  # fmt: skip
        for name, others in wrong.items():
            for other in others:
                container_file.save(path, "cynn table", networks, {**notes, name: other})
                with pytest.raises(ModelFileError, match="must hold a TabularClassifier as it was saved"):
                    load(path)
