"""``cynn train``, ``cynn predict`` and ``cynn evaluate`` for tables."""

import webbrowser
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("pandas")

import pandas as pd
from reading_browser import ReadingBrowser

from cynn import cli
from cynn.sklearn import commands, load

pytestmark = pytest.mark.interop

N = 200


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "area": random.normal(70, 20, N).round(1),
            "district": random.choice(["north", "south"], N),
            "built": pd.date_range("1960-01-01", periods=N, freq="90D").strftime("%Y-%m-%d"),
        }
    )
    table["price"] = (3000 * table["area"] * (1 + (table["district"] == "south"))).round(2)
    table["rooms"] = random.choice([1.5, 2.5], N)
    table["sold"] = table["area"] > 70
    table.loc[5, "district"] = None
    table.to_csv("flats.csv", index=False)
    table[["built", "sold", "rooms", "area", "district"]].head(7).to_csv("new.csv", index=False)
    return tmp_path


def succeed(capsys, *arguments):
    assert cli.main(arguments) == 0
    return capsys.readouterr().out


def fail(capsys, *arguments):
    assert cli.main(arguments) == 2
    return capsys.readouterr().err


def train(capsys, *more):
    options = ["--data", "flats.csv", "--target", "price", "--epochs", "40", "--preset", "fast", "--quiet"]
    return succeed(capsys, "train", *options, *more)


def test_values(folder, capsys):
    out = train(capsys)
    assert out.startswith("flats.csv: 5 columns, values of price; 180 rows train, 20 test\ntest r2 0.9")
    assert "columns and network are in flats.safetensors" in out
    lines = succeed(capsys, "predict", "flats.safetensors", "new.csv").splitlines()
    assert lines[0] == "row\tvalue"
    new = pd.read_csv("new.csv")
    new["built"] = pd.to_datetime(new["built"], utc=True)
    expected = load("flats.safetensors").predict(new[["area", "district", "built", "rooms", "sold"]])
    np.testing.assert_allclose([float(line.split("\t")[1]) for line in lines[1:]], expected, rtol=1e-5)
    assert succeed(capsys, "predict", "flats.safetensors", "new.csv", "--output", "out.csv") == ""
    np.testing.assert_allclose(pd.read_csv("out.csv")["value"], expected, rtol=1e-5)
    figures = succeed(capsys, "evaluate", "flats.safetensors", "--data", "flats.csv").split()
    assert figures[::2] == ["r2", "rmse", "mae"]
    assert float(figures[1]) > 0.9


def test_classes(folder, capsys):
    out = train(capsys, "--target", "district", "--output", "d.safetensors")
    assert "5 columns, 2 classes of district; 180 rows train, 19 test\ntest accuracy" in out
    lines = succeed(capsys, "predict", "d.safetensors", "flats.csv").splitlines()
    assert lines[0] == "row\tclass\tprobability"
    assert {line.split("\t")[1] for line in lines[1:]} == {"north", "south"}
    figures = succeed(capsys, "evaluate", "d.safetensors", "--data", "flats.csv")
    assert float(figures.split()[1]) > 90
    assert "classes of sold" in train(capsys, "--target", "sold")
    assert "2 classes of rooms" in train(capsys, "--target", "rooms", "--task", "classes", "--epochs", "1")
    assert "values of rooms" in train(capsys, "--target", "rooms", "--epochs", "1")


def test_a_page_shows_it(folder, capsys):
    train(capsys, "--target", "district", "--epochs", "1", "--output", "d.safetensors")
    assert "the page is in d.html" in succeed(capsys, "watch", "d.safetensors", "--output", "d.html", "--no-open")
    assert '"answers":[]' in Path("d.html").read_text(encoding="utf-8")
    succeed(capsys, "watch", "d.safetensors", "--data", "flats.csv", "--output", "d.html", "--no-open")
    page = Path("d.html").read_text(encoding="utf-8")
    assert '"answers":["' in page and "north" in page
    train(capsys, "--target", "price", "--epochs", "1", "--output", "p.safetensors")
    succeed(capsys, "watch", "p.safetensors", "--data", "flats.csv", "--output", "p.html", "--no-open")


@pytest.fixture
def browser(monkeypatch):
    browser = ReadingBrowser()
    monkeypatch.setattr(webbrowser, "get", lambda: browser)
    return browser


WATCHED = ["--train", "--data", "flats.csv", "--target", "district", "--epochs", "3", "--quiet"]


@pytest.mark.parametrize("preset", ["default", "fast"])
def test_a_training_is_watched(folder, capsys, browser, preset):
    table = pd.read_csv("flats.csv")
    table["district"] = table["district"].replace("north", "<north>")
    table["street"] = [f"street {k % 40}" for k in range(N)]  # more categories than are one-hot in the default
    table.to_csv("flats.csv", index=False)
    out = succeed(capsys, "watch", *WATCHED, "--preset", preset)
    browser.join()
    (messages,) = browser.pages
    history = [name for message in messages for name in message["history"]]
    assert {"loss", "accuracy", "val_loss", "val_accuracy"} <= set(history)
    assert sum(len(message["history"].get("val_accuracy", [])) for message in messages) == 3
    assert messages[-1]["end"] == "The training has ended after 3 epochs."
    latest = next(message["latest"] for message in reversed(messages) if message["latest"])
    (confusion,) = latest["confusions"]
    assert (confusion["labels"], confusion["kind"], confusion["rows"]) == (["<north>", "south"], "validation", 36)
    weights = latest["weights"]
    assert (weights["name"], weights["units"], len(weights["bars"])) == ("dense", 256, 6)
    if preset == "fast":  # no embeddings are in front of the weights
        (network,) = load("flats.safetensors").ensemble_.networks
        assert set(weights["names"]) <= set(network.feature_names)
    trained = train(capsys, "--target", "district", "--epochs", "3", "--preset", preset)
    assert trained.splitlines()[:2] == out.splitlines()[:2]  # the same rows, and the same accuracy


def test_a_training_of_values_is_watched(folder, capsys, browser):
    succeed(capsys, "watch", *WATCHED, "--target", "price")
    browser.join()
    (messages,) = browser.pages
    assert [loss for message in messages for loss in message["history"].get("val_loss", [])]
    latest = next(message["latest"] for message in reversed(messages) if message["latest"])
    assert latest["confusions"] == []


def test_a_training_is_shown_to_who_asks(folder, capsys, browser):
    assert cli.main(["watch", "--no-open", *WATCHED]) == 0
    assert "the training is shown at http://127.0.0.1:" in capsys.readouterr().err
    assert browser.pages == []


def test_what_cannot_be_watched(folder, capsys, browser):
    for options, said in [
        (["--data", "flats.csv"], "--target must name a column"),
        (["--data", "flats.csv", "--target", "prize"], "Did you mean 'price'?"),
        (["--data", "flats.csv", "--target", "price", "--hidden", "3"], "--hidden must be left out for a table"),
        (["--data", "nowhere.csv", "--target", "price"], "No such file"),
    ]:
        assert said in fail(capsys, "watch", "--train", *options)
    assert browser.pages == []


def test_parquet(folder, capsys):
    pytest.importorskip("pyarrow")
    pd.read_csv("flats.csv").to_parquet("flats.parquet")
    assert "180 rows train" in train(capsys, "--data", "flats.parquet")


def test_a_line_for_each_epoch(folder, capsys):
    out = succeed(capsys, "train", "--data", "flats.csv", "--target", "price", "--epochs", "2", "--preset", "fast")
    assert "network 1 of 1, epoch 2: loss" in out


def test_what_is_refused(folder, capsys):
    train(capsys, "--epochs", "1")
    pd.read_csv("flats.csv").drop(columns=["area", "built"]).to_csv("less.csv", index=False)
    message = fail(capsys, "predict", "flats.safetensors", "less.csv")
    assert "less.csv must have all columns of the training. Missing: 'area', 'built'." in message
    assert "Did you mean 'price'?" in fail(capsys, "train", "--data", "flats.csv", "--target", "prize")
    assert "--target must name a column" in fail(capsys, "train", "--data", "flats.csv")
    assert "--hidden must be left out" in fail(
        capsys, "train", "--data", "flats.csv", "--target", "price", "--hidden", "3"
    )
    assert "must be in a folder that exists" in fail(
        capsys, "train", "--data", "flats.csv", "--target", "price", "--output", "no/x"
    )
    (folder / "empty.csv").write_text("")
    assert "must be a table that pandas can read" in fail(capsys, "predict", "flats.safetensors", "empty.csv")
    assert "nowhere.csv" in fail(capsys, "train", "--data", "nowhere.csv", "--target", "price")
    assert "must be a .csv file" in fail(capsys, "predict", "flats.safetensors", "new.csv", "--output", "x.npy")
    pd.read_csv("flats.csv").head(5).to_csv("few.csv", index=False)
    assert "must hold at least 10 rows" in fail(capsys, "train", "--data", "few.csv", "--target", "price")
    assert "Got the format 'cynn table'" in fail(capsys, "summary", "flats.safetensors")


def largest_difference(capsys, *arguments):
    out = succeed(capsys, "compare", *arguments)
    assert out.startswith("row\tmodel_0\tother_0")
    assert out.splitlines()[-1].startswith("200 rows; the largest difference is ")
    return float(out.split("difference is ")[1].split(",")[0])


@pytest.mark.parametrize("target", ["price", "sold"])
def test_estimators_are_compared(folder, capsys, target):
    """With each other, and with the ONNX model that one becomes: missing values, categories, dates and booleans."""
    pytest.importorskip("onnxruntime")
    train(capsys, "--target", target)
    train(capsys, "--target", target, "--seed", "1", "--output", "other.safetensors")
    succeed(capsys, "export", "flats.safetensors", "flats.onnx")
    scale = 1 if target == "sold" else 1e5
    assert largest_difference(capsys, "flats.safetensors", "flats.safetensors", "flats.csv") == 0
    assert largest_difference(capsys, "flats.safetensors", "other.safetensors", "flats.csv") > 1e-4 * scale
    assert largest_difference(capsys, "flats.safetensors", "flats.onnx", "flats.csv") < 1e-5 * scale
    assert largest_difference(capsys, "flats.onnx", "other.safetensors", "flats.csv") > 1e-4 * scale


def test_what_is_not_compared(folder, capsys):
    pytest.importorskip("onnxruntime")
    train(capsys, "--epochs", "1")
    train(capsys, "--epochs", "1", "--target", "district", "--output", "d.safetensors")
    train(capsys, "--epochs", "1", "--target", "rooms", "--task", "classes", "--output", "r.safetensors")
    pd.read_csv("flats.csv").drop(columns="area").to_csv("less.csv", index=False)
    train(capsys, "--epochs", "1", "--data", "less.csv", "--output", "less.safetensors")
    succeed(capsys, "export", "less.safetensors", "less.onnx")
    said = fail(capsys, "compare", "flats.safetensors", "d.safetensors", "flats.csv")
    assert "Got 200 rows of 1 and 199 rows of 2 instead" in said
    assert "must have 5 inputs" in fail(capsys, "compare", "flats.safetensors", "less.onnx", "flats.csv")
    assert "Missing: 'area'" in fail(capsys, "compare", "flats.safetensors", "flats.safetensors", "less.csv")
    assert "'mnist'" in fail(capsys, "compare", "flats.safetensors", "flats.safetensors", "mnist")


def test_what_is_a_table():
    assert set(cli.TABLES) == set(commands._READERS)
