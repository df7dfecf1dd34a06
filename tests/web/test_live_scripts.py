"""The page of a training: what its scripts make of what they are told, in Node."""

from node_scripts import run

from cynn.display import assets

__all__ = ["run"]  # a fixture


def test_a_history_gets_longer(run):
    steps = [{}, {"loss": [3, 2]}, {}, {"loss": [1], "val_loss": [None]}, {"val_loss": [4, 5]}]
    found = run("""import { longer } from "./live.js";
    console.log(JSON.stringify(given.reduce(longer, {})));""", steps)  # fmt: skip
    assert found == {"loss": [3, 2, 1, None, None], "val_loss": [None, None, None, 4, 5]}


def test_the_lines_of_layers(run):
    looks = [{"epoch": 2, "changes": {"relu 1": 0.5}}, {"epoch": 5, "changes": {"relu 1": 0.25, "dense 2": None}}]
    found = run("""import { layersOf } from "./live.js";
    const found = [given, []].map((looks) => layersOf("changes", looks, "changes"));
    console.log(JSON.stringify(found));""", looks)  # fmt: skip
    relu, dense = found[0]["lines"]
    assert (relu["name"], relu["x"], relu["y"]) == ("relu 1", [2, 5], [0.5, 0.25])
    assert (dense["name"], dense["x"], dense["y"]) == ("dense 2", [2, 5], [None, None])
    assert found[1]["lines"] == []


def test_a_layer_stays_where_the_last_look_lacks_it(run):
    looks = [{"epoch": 1, "gradients": {"relu 1": 0.5}}, {"epoch": 2, "gradients": {}}]
    found = run("""import { layersOf } from "./live.js";
    console.log(JSON.stringify(layersOf("norm of gradients", given, "gradients")));""", looks)
    assert [line["y"] for line in found["lines"]] == [[0.5, None]]


def test_the_last_epoch_in_words(run):
    history = {"loss": [2, 0.12345], "val_loss": [3, None], "val_area_mae": [1, 5], "seconds": [1, 1]}
    found = run("""import { lastOf } from "./live.js";
    console.log(JSON.stringify([lastOf(given), lastOf({})]));""", history)
    assert found[0] == "Epoch 2: loss 0.1235, validation loss NaN, validation area mae 5"
    assert found[1].startswith("Waiting")


def test_the_scripts_of_a_page_are_small():
    assert len(assets.joined("live")) < 20_000
    text = assets.joined("live")
    assert "import " not in text
    assert "/**" not in text
