"""`cynn watch`."""

import webbrowser
from pathlib import Path

import numpy as np
import pytest
from reading_browser import ReadingBrowser

import cynn
from cynn.cli import main


@pytest.fixture
def opened(tmp_path, monkeypatch):
    """Addresses that a browser was told to open, in a folder with networks and data."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    x = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    np.savez("flowers.npz", x=x, y=np.arange(60) % 3)
    cynn.Network.mlp([4, 8, 3], output="softmax", seed=0).save("flowers.safetensors")
    addresses = []
    monkeypatch.setattr(webbrowser, "open", lambda address: addresses.append(address) or True)
    return addresses


def test_a_page_is_opened(opened, capsys):
    assert main(["watch", "flowers.safetensors"]) == 0
    (path,) = Path.cwd().glob("cynn-*/flowers.html")
    assert opened == [path.as_uri()]
    assert capsys.readouterr().out == f"the page is in {path}\n"
    text = path.read_text(encoding="utf-8")
    assert "<h1>flowers</h1>" in text
    assert '"answers":[]' in text


def test_a_page_is_only_written(opened, capsys):
    options = ["--data", "flowers.npz", "--output", "here.html", "--no-open", "--int8"]
    assert main(["watch", "flowers.safetensors", *options]) == 0
    said = capsys.readouterr().out
    assert "Weights in eight bits: on 60 rows" in said
    assert said.endswith("the page is in here.html; open it in a browser\n")
    assert '"answers":["' in Path("here.html").read_text(encoding="utf-8")
    assert opened == []


def test_digits_come_with_examples(opened):
    cynn.Network.mlp([784, 4, 10], output="softmax", input_scale=1 / 255, seed=0).save("digits.safetensors")
    assert main(["watch", "digits.safetensors", "--output", "digits.html"]) == 0
    assert '"answers":["' in Path("digits.html").read_text(encoding="utf-8")
    assert opened == [Path("digits.html").absolute().as_uri()]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["no.safetensors"], "No such file"),
        (["flowers.safetensors", "--int8", "--no-open"], "examples"),
        (["flowers.safetensors", "--data", "no.npz"], "No such file"),
        (["flowers.safetensors", "--output", "no/where.html"], "No such file"),
        ([], "cynn watch must have a MODEL, or --train"),
        (["flowers.safetensors", "--train"], "MODEL must be left out before --train"),
        (["--output", "here.html", "--train"], "--output must be left out before --train"),
        (["--train", "--epochs", "many"], "invalid int value: 'many'"),
        (["--train", "--data", "no.npz"], "No such file"),
    ],
)
def test_mistakes(opened, capsys, options, said):
    assert main(["watch", *options]) == 2
    error = capsys.readouterr().err
    assert error.startswith("cynn: error: ")
    assert said in error
    assert opened == []
    assert list(Path.cwd().glob("cynn-*")) == []  # not even an empty folder


TRAINING = ["--train", "--data", "flowers.npz", "--hidden", "4", "--epochs", "3", "--output", "here.safetensors"]


def test_a_training_is_watched(opened, monkeypatch, capsys):
    browser = ReadingBrowser()
    monkeypatch.setattr(webbrowser, "get", lambda: browser)
    assert main(["watch", *TRAINING]) == 0
    browser.join()
    (messages,) = browser.pages
    losses = [loss for message in messages for loss in message["history"].get("val_loss", [])]
    assert len(losses) == 3
    assert messages[-1]["end"] == "The training has ended after 3 epochs."
    said = capsys.readouterr()
    assert "the training is shown at http://127.0.0.1:" in said.err
    assert "epoch 3/3" in said.out
    assert cynn.load("here.safetensors").outputs == 3


def test_a_training_is_shown_to_who_asks(opened, monkeypatch, capsys):
    monkeypatch.setattr(webbrowser, "get", lambda: pytest.fail("a browser"))
    assert main(["watch", "--no-open", *TRAINING, "--quiet"]) == 0
    said = capsys.readouterr()
    assert "the training is shown at http://127.0.0.1:" in said.err
    assert "epoch" not in said.out
