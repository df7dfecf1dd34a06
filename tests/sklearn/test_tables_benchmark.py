"""The comparison with other estimators for tables runs, on tables that are tiny."""

import sys

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("pandas")

from benchmarks import tables

pytestmark = pytest.mark.interop


def test_it_prints_errors_and_times(tmp_path, monkeypatch, capsys):
    random = np.random.default_rng(0)
    columns = {f"{name}/size": random.normal(size=60) for name in ("kinds", "diamonds")}
    columns |= {f"{name}/colour": random.choice(["red", "blue"], 60) for name in ("kinds", "diamonds")}
    columns["kinds//target"] = np.where(columns["kinds/size"] > 0, "a", "b")
    columns["diamonds//target"] = np.exp(columns["diamonds/size"])
    np.savez(tmp_path / "tables.npz", **columns)
    found = tables.read(str(tmp_path / "tables.npz"))
    np.testing.assert_allclose(found["diamonds"][1], columns["diamonds/size"])
    options = ["--data", str(tmp_path / "tables.npz"), "--seeds", "1", "--only", "HistGradientBoosting", "CyNN fast"]
    monkeypatch.setattr(sys, "argv", ["tables", *options])
    tables.main()
    out = capsys.readouterr().out
    assert "Errors" in out
    assert "Seconds of training" in out
    header = next(line for line in out.splitlines() if line.endswith("to HistGradientBoosting"))
    assert header.split()[:2] == ["diamonds", "kinds"]
