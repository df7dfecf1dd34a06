"""`fit(communicator=...)`: one network on several ranks of MPI, to the bits of one process."""

import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.interop

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "tests" / "support" / "on_ranks.py"


def on_ranks(n, *arguments):
    pytest.importorskip("mpi4py")
    return subprocess.run(
        [Path(sysconfig.get_path("scripts"), "mpiexec"), "-n", str(n), sys.executable, SCRIPT, *map(str, arguments)],
        capture_output=True, text=True, timeout=240,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'tests' / 'support'}", "CYNN_NUM_THREADS": "2"},
    )  # fmt: skip


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_same_bits(n):
    found = on_ranks(n, "same_bits")
    lines = found.stdout.splitlines()
    assert len(lines) >= 14 and all(line.endswith(" True") for line in lines), found.stdout + found.stderr


def test_a_training_keeps_no_communicator():
    found = on_ranks(2, "often")
    assert found.stdout.split() == ["done", "done"], found.stderr


def test_an_error_on_a_rank_ends_the_others():
    begin = time.monotonic()
    found = on_ranks(3, "ended", "raise")
    assert time.monotonic() - begin < 60
    assert sorted(found.stdout.splitlines()) == [
        "0: WorkerError: All ranks must train to the end. Got RuntimeError: the disk of this rank is full on rank 1 "
        "instead.",
        "1: RuntimeError: the disk of this rank is full",
        "2: WorkerError: All ranks must train to the end. Got RuntimeError: the disk of this rank is full on rank 1 "
        "instead.",
    ], found.stderr


def test_a_killed_rank_ends_the_others():
    begin = time.monotonic()
    found = on_ranks(3, "ended", "kill")
    assert found.returncode != 0 and time.monotonic() - begin < 60


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 3), (3, 1)])
def test_resume_on_another_number_of_ranks(tmp_path, before, after):
    stopped = on_ranks(before, "checkpoint", tmp_path)
    assert stopped.returncode == 0, stopped.stderr
    found = on_ranks(after, "resume", tmp_path)
    assert found.stdout == "True\n", found.stderr


def test_what_is_refused_is_refused_by_all():
    lines = [line.split("|") for line in on_ranks(3, "refused").stdout.splitlines()]
    assert [line[:-1] for line in lines] == [
        ["seed", "WorkerError"], ["epochs", "WorkerError"], ["seconds", "InvalidParameterError"], ["row", "DataError"],
        ["rate", "TrainingDivergedError"], ["object", "InvalidParameterError"],
    ], lines  # fmt: skip
    assert "the same network and parameters of fit. Got different ones on rank 0 and on rank 1" in lines[0][-1]
    assert "row 7" in lines[3][-1]
