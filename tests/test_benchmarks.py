"""The benchmarks run and print their tables. How fast anything is, no test says."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


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
