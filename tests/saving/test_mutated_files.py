"""Files with anything in them: what is read works, or is refused with a CynnError and nothing changed."""

import copy
import random
import resource
import warnings
from collections import Counter
from pathlib import Path

import helpers
import mutations
import numpy as np
import old_files
import pytest

import cynn
from cynn.errors import CynnError, TrainingDivergedError

DATA = Path(__file__).parents[1] / "support" / "data"
FILES = ["model", *old_files.TRAININGS]
WHOLE = {name: (DATA / f"{name}.safetensors").read_bytes() for name in FILES}


@pytest.fixture(autouse=True)
def peak_memory():
    """No file asks for much more memory than it has bytes."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000


def try_all(name, seeds, folder, attempt):
    """How many of the files did what."""
    path = folder / "mutated.safetensors"
    found = Counter()
    for seed in seeds:
        path.write_bytes(mutations.mutated(WHOLE[name], random.Random(f"{name} {seed}")))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # weights that are infinite, a plugin in another version
            try:
                found[attempt(path)] += 1
            except Exception as error:
                raise AssertionError(f"{name}, seed {seed}: {type(error).__name__}: {error}") from error
    return found


def load(path):
    try:
        net = cynn.load(path)
    except CynnError:
        return "refused"
    if net.input.units > 1000 or max(layer.units for layer in net.layers) > 100_000:
        return "large"
    try:
        net.predict(np.zeros((3, net.input.units)))
    except CynnError as error:
        assert "categories" in str(error) or "finite" in str(error)
        return "takes no zeros"
    return "loaded"


def go_on(name, net):
    """Go on in a copy of a network that has been trained: none of it changes where the checkpoint is refused."""

    def attempt(path):
        mine = copy.deepcopy(net)
        before = state_of(mine)
        try:
            old_files.fit(**{**old_files.TRAININGS[name](path.parent), "net": mine}, resume=path)
        except TrainingDivergedError:
            return "diverged"
        except CynnError:
            assert state_of(mine) == before
            return "refused"
        mine.predict(old_files.X)
        return "went on"

    return attempt


def state_of(net):
    optimizer = net._optimizer_state
    return (
        helpers.digest(net), net.epochs_trained, net.history and copy.deepcopy(net.history.history), id(optimizer),
        optimizer and (optimizer.t, [slot.tobytes() for slots in optimizer.slots for slot in slots]),
    )  # fmt: skip


def attempt_of(name, folder):
    if name == "model":
        return load
    options = old_files.TRAININGS[name](folder)
    return go_on(name, old_files.fit(**{**options, "callbacks": ()}))


@pytest.mark.parametrize("name", FILES)
def test_a_file_as_it_was_written(name, tmp_path):
    """So that what is refused below is refused for what is changed in it."""
    (tmp_path / "whole").write_bytes(mutations.File(WHOLE[name]).content())
    assert attempt_of(name, tmp_path)(tmp_path / "whole") in ("loaded", "went on")


@pytest.mark.parametrize("name", FILES)
def test_five_hundred(name, tmp_path):
    found = try_all(name, range(500), tmp_path, attempt_of(name, tmp_path))
    assert found["refused"] > 100, found


@pytest.mark.fuzz
@pytest.mark.parametrize("name", FILES)
def test_twenty_five_thousand(name, tmp_path):
    found = try_all(name, range(500, 25_500), tmp_path, attempt_of(name, tmp_path))
    print(name, dict(found))


@pytest.mark.parametrize("rows", [10, 10**6, 2**31 - 1, 2**48])
def test_the_largest_batch_of_a_checkpoint(rows, tmp_path):
    """It asks for no memory before there is such a batch, and for none that there is not."""
    file = mutations.File(WHOLE["feeding"])
    file.trees["training"]["capacity"] = rows
    (tmp_path / "forged").write_bytes(file.content())
    expected = {10: "went on", 10**6: "went on", 2**48: "refused"}
    found = attempt_of("feeding", tmp_path)(tmp_path / "forged")
    assert found == expected.get(rows, found)
