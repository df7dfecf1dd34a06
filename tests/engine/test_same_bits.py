"""What is trained has the bits that are recorded, at any number of threads: see same_bits.py."""

import subprocess
import sys

import every_part
import numpy as np
import pytest
import same_bits


@pytest.fixture(scope="module")
def digests():
    return {(name, dtype, n_threads): digest for name, dtype, n_threads, digest in same_bits.all_digests()}


def test_every_part_and_every_parameter_has_a_network():
    missing = every_part.missing()
    assert missing == [], f"{', '.join(missing)}: to be added to tests/support/every_part.py"


def test_what_is_missing_is_named(monkeypatch):
    shorter = {kind: texts[1:] for kind, texts in every_part.PARTS.items()}
    monkeypatch.setattr(every_part, "PARTS", shorter)
    missing = every_part.missing()
    assert "activation identity" in missing
    assert "regularizer L1" in missing
    assert "metric Accuracy" in missing
    assert "callback CSVLogger" in missing
    assert "schedule Constant" in missing
    kept = [text for text in every_part.PARTS["optimizer"] if "nesterov" not in text or "muon" in text]
    monkeypatch.setitem(every_part.PARTS, "optimizer", kept)
    assert "optimizer sgd: nesterov" in every_part.missing()


def test_one_thread_and_two(digests):
    differing = [
        f"{name} {dtype}" for name, dtype, n_threads in digests
        if digests[name, dtype, n_threads] != digests[name, dtype, 1]
    ]  # fmt: skip
    assert differing == []


def test_another_network_is_another_hash(digests):
    """What two have in common they have in common by their definition: most hashes are there once."""
    of_one_dtype = [digest for (_, dtype, n_threads), digest in digests.items() if (dtype, n_threads) == ("float64", 1)]
    assert len(set(of_one_dtype)) > 0.9 * len(of_one_dtype)
    for n_threads in same_bits.THREADS:
        for name, _, _ in digests:
            assert digests[name, "float32", n_threads] != digests[name, "float64", n_threads], name


def test_bits_are_those_recorded(digests):
    record = same_bits.recorded().get(same_bits.place())
    if record is None:
        pytest.skip(f"no hashes are recorded for {same_bits.place()}")
    found = {name: " ".join(digests[name, dtype, 1] for dtype in same_bits.DTYPES) for name, _, _ in digests}
    differing = sorted(name for name in found | record["hashes"] if found.get(name) != record["hashes"].get(name))
    assert differing == [], (
        f"{', '.join(differing)}: not as recorded with NumPy {record['numpy']} (this is {np.__version__}). If that is "
        "meant, run `python -m tests.support.same_bits --renew`, and say so in CHANGELOG.md."
    )


class TestAgainst:
    def run(self, *arguments):
        command = [sys.executable, "-m", "tests.support.same_bits", *map(str, arguments)]
        root = same_bits.RECORD.parents[3]
        return subprocess.run(command, capture_output=True, text=True, cwd=root)

    def test_itself(self):
        compared = self.run("--against", sys.executable, "--only", "^shape:.1")
        assert compared.stdout == ""
        assert compared.returncode == 0, compared.stderr
        assert compared.stderr.endswith("16 here, 16 there, 0 differ\n")

    def test_another(self, tmp_path):
        listed = self.run("--only", "^shape:.1").stdout
        other = tmp_path / "python"
        lines = listed.splitlines()
        assert [line.split(" ")[1:3] for line in lines[:4]] == [[d, t] for d in same_bits.DTYPES for t in "12"]
        name, dtype, n_threads, digest = lines[0].split(" ")
        lines[0] = f"{name} {dtype} {n_threads} 0123"
        other.write_text("#!/bin/sh\ncat <<'END'\n" + "\n".join(lines[:-1]) + "\nEND\n")
        other.chmod(0o755)
        compared = self.run("--against", other, "--only", "^shape:.1")
        assert compared.returncode == 1
        last = " ".join(listed.splitlines()[-1].split(" ")[:3])
        assert compared.stdout.splitlines() == [
            f"{name} {dtype} {n_threads} {digest} 0123", f"{last} {listed.split()[-1]} none"
        ]  # fmt: skip
        assert compared.stderr.endswith("2 differ\n")
