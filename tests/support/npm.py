"""Packages of npm, for tests alone."""

import shutil
import subprocess
import tarfile

import pytest


def unpacked(package, folder):
    """The folder of a package such as "axe-core@4.11.0", unpacked in that folder."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    done = subprocess.run([npm, "pack", "--silent", package], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("npm reaches no registry")
    with tarfile.open(next(folder.glob("*.tgz"))) as packed:
        packed.extractall(folder, filter="data")
    return folder / "package"
