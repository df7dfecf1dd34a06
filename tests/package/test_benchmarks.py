"""The benchmarks run and print their tables. How fast anything is, no test says."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

import cynn
from benchmarks import as_avx2, long_accuracy
from benchmarks.distortions import Distortions
from benchmarks.time_to_accuracy import Recipe, time_table

ROOT = Path(__file__).parents[2]


def test_a_quick_run_prints_a_table(tmp_path):
    figures, page = tmp_path / "figures.json", tmp_path / "speed.rst"
    options = ["--quick", "--rounds", "1", "--peers", "numpy", "--json", str(figures), "--page", str(page)]
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks", "S", *options],
        cwd=ROOT,
        env=os.environ | {"PYTHONWARNINGS": "error"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    header = lines[lines.index("Training: µs a step") + 2].split()
    assert header == ["workload", "cynn", "numpy", ":", "cynn"]
    assert "has computed something else" not in run.stdout
    assert figures.stat().st_size > 0
    assert page.read_text(encoding="utf-8").startswith("Speed\n=====\n")


# Hiding AVX-512 needs a processor and a system that let CPUID fault. Where they do not, the tool refuses to run.
@pytest.mark.skipif(not as_avx2.can_run(), reason="CPUID cannot fault here")
def test_as_avx2():
    """CyNN and OpenBLAS choose for AVX2, in a child process and a thread, too. Another fault still ends a process."""
    choice = "import cynn; print(cynn.kernels.level, *cynn.kernels.blas.description()[-1:])"
    beside = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {choice!r}])"
    in_thread = f"import threading; t = threading.Thread(target=exec, args=({choice!r},)); t.start(); t.join()"
    own = {name: value for name, value in os.environ.items() if name not in ("CYNN_CPU", "OPENBLAS_CORETYPE")}
    for script in (choice, beside, in_thread):
        run = _as_avx2(script, own)
        assert run.stdout.split() == ["avx2", "Haswell"], run.stderr
    assert _as_avx2("import ctypes; ctypes.string_at(0)", own).returncode != 0


def _as_avx2(script, environment):
    command = [sys.executable, "-m", "benchmarks.as_avx2", sys.executable, "-c", script]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def digits():
    (x, y), _ = cynn.datasets.load_mnist()
    return x[:20], y[:20]


def test_long_recipes_are_run_once_and_make_a_table(tmp_path):
    command = [sys.executable, "-m", "benchmarks.accuracy", "--long", "lecture", "--quick", "--results", str(tmp_path)]
    for seeds in (["0"], ["0", "1"]):
        run = subprocess.run([*command, "--seeds", *seeds], cwd=ROOT, capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
        row = next(line for line in run.stdout.splitlines() if line.startswith("784-16-16-10"))
        assert "missed" in row
        if seeds == ["0"]:
            first = (tmp_path / "lecture-0.json").read_bytes()
    assert (tmp_path / "lecture-0.json").read_bytes() == first  # with its seconds
    accuracies = [json.loads((tmp_path / f"lecture-{seed}.json").read_text())["accuracy"] for seed in (0, 1)]
    assert f"{100 * sum(accuracies) / 2:.2f} %" in row


def test_a_changed_recipe_is_run_again(tmp_path, monkeypatch):
    trials = long_accuracy.Trials(tmp_path, quick=True)
    trials.run(["lecture"], [0])
    recipe = long_accuracy.RECIPES["lecture"]
    monkeypatch.setitem(long_accuracy.RECIPES, "lecture", dataclasses.replace(recipe, setting="another"))
    assert trials.table().rows == []
    trials.run(["lecture"], [0])
    (row,) = trials.table().rows
    assert "another, quick" in row


def test_distortions_of_no_size_change_nothing(digits):
    nothing = Distortions(alpha=0, rotation=0, scaling=0, shift=0, displacements=3)
    x, y = nothing(*digits, np.random.default_rng(0))
    assert x.dtype == np.float32
    np.testing.assert_array_equal(x, digits[0])
    assert y is digits[1]


def test_distortions_take_pixels_from_where_they_say(digits):
    distortions = Distortions(displacements=10)
    x, _ = distortions(*digits, np.random.default_rng(1))
    places = distortions._places(20, np.random.default_rng(1)) - 1  # without the frame
    assert abs(places - np.indices((28, 28)).reshape(2, 784)).max() > 3
    for row, image, place in zip(x, digits[0], places, strict=True):
        expected = ndimage.map_coordinates(image.reshape(28, 28).astype(float), place, order=1, mode="grid-constant")
        np.testing.assert_allclose(row, expected, atol=0.01)


def test_seconds_to_an_accuracy():
    recipe = Recipe((784, 16, 10), "relu", 0.003, 32, (0.5, 1.0), 2)
    table = time_table(1, [recipe], ["cynn"], images=2_000)
    first, second = table.rows
    assert first[:4] == ["784-16-10", "cynn", "50 %", "1"]
    assert float(first[6]) == pytest.approx(float(first[4]) + float(first[5]), abs=0.011)
    assert second[2:4] == ["100 %", "-"]
    assert "A dash: a round did not get there." in table.text()


@pytest.mark.interop
def test_seconds_to_an_accuracy_of_every_library():
    table = time_table(1, [Recipe((784, 16, 10), "relu", 0.003, 32, (0.0,), 1)], images=300)
    assert [row[1:4] for row in table.rows] == [
        [library, "0 %", "1"] for library in ("cynn", "torch", "keras", "jax", "sklearn")
    ]


def test_what_layers_cost():
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.layers", "--rounds", "1", "--steps", "2"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    for name in ("plain", "Dropout", "BatchNorm", "LayerNorm", "clipvalue", "clipnorm", "global_clipnorm"):
        rows = [line.split() for line in run.stdout.splitlines() if line.startswith(f"{name} ")]
        assert len(rows) == 2  # SGD and Adam
        assert all(float(row[2]) > 0 for row in rows)


def test_what_calls_cost():
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.calls", "--quick"], cwd=ROOT, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    for name in ("train_batch, 32 rows", "evaluate, 32 rows", "predict, 1 rows", "building a network"):
        (row,) = [line[len(name) :].split() for line in run.stdout.splitlines() if line.startswith(f"{name} ")]
        assert float(row[0]) > 0


def test_accuracy_and_cost_of_the_functions_for_kernels():
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.vector_math", "--quick"], cwd=ROOT, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    rows = [line.split() for line in run.stdout.splitlines() if line.startswith("``")]
    n = len(rows) // 3
    assert {"``exp``", "``sin``"} <= {row[0] for row in rows}
    assert [row[0] for row in rows[:n]] == [row[0] for row in rows[n : 2 * n]] == [row[0] for row in rows[2 * n :]]
    assert all(float(error) < 6 for row in rows[:n] for error in row[1:])
    assert all(float(cost) > 0 for row in rows[n:] for cost in row[1:])


def test_estimators_beside_those_of_scikit_learn():
    pytest.importorskip("sklearn")
    from benchmarks import estimators

    lines = estimators.table(epochs=1, rounds=1, cpu_time=True).text().splitlines()
    assert [line.split("  ")[0] for line in lines[4:7]] == [
        "fit, 1 epochs, float32", "predict_proba of a row, float32", "partial_fit of a row, float32"
    ]  # fmt: skip


def test_the_table_of_derivatives():
    from benchmarks import derivatives

    lines = derivatives.table(derivatives.CASES, 0.01).splitlines()
    assert len(lines) == 2 + len(derivatives.CASES)
    assert all(line.count("|") == 9 for line in lines)
