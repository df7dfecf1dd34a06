"""A skip that `CYNN_EXPECTED_SKIPS` does not name fails the run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import pytest
def test_a(): pytest.skip("no moon tonight")
def test_b(): pass
"""
MODULE = 'import pytest\npytest.importorskip("no_such_module")\n'


def run(folder, expected, code):
    (folder / "test_sky.py").write_text(code, encoding="utf-8")
    (folder / "expected").write_text(expected, encoding="utf-8")
    environment = os.environ | {
        "CYNN_EXPECTED_SKIPS": str(folder / "expected"), "PYTHONPATH": str(Path(__file__).parents[1] / "support")
    }  # fmt: skip
    command = [sys.executable, "-m", "pytest", "-q", "-p", "skips", "-p", "no:cacheprovider", "test_sky.py"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize(("code", "reason"), [(CODE, "no moon"), (MODULE, "could not import 'no_such_module'")])
def test_a_skip_is_expected_or_fails(tmp_path, code, reason):
    passed = {CODE: 0, MODULE: 5}[code]  # 5: there was no test
    assert run(tmp_path, f"# why\ntest_sky.py: {reason}\n", code).returncode == passed
    for other in (f"test_sea.py: {reason}\n", "test_sky.py: rain\n"):
        failed = run(tmp_path, other, code)
        assert failed.returncode == 1
        assert "skips that are not expected" in failed.stdout
        assert f"test_sky.py{'::test_a' if code == CODE else ''}: {reason}" in failed.stdout


def test_what_is_listed_for_ci_is_there():
    root = Path(__file__).parents[2]
    lines = [
        line for name in ("once", "expected-skips")
        for line in (root / ".ci" / name).read_text(encoding="utf-8").splitlines() if not line.startswith("#")
    ]  # fmt: skip
    assert lines
    assert [line for line in lines if not (root / line.partition(": ")[0]).exists()] == []
