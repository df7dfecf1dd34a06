"""What `import cynn` brings in, and what it must leave alone."""

import importlib.util
import os
import subprocess
import sys

import pytest

# Each costs milliseconds or more, and is needed by some calls only.
LATER = {
    "tqdm", "safetensors", "PIL", "importlib.metadata", "argparse", "subprocess", "asyncio", "unittest",
    "doctest", "multiprocessing", "concurrent.futures", "logging", "email", "http", "urllib.request", "ssl",
    "socket", "sqlite3", "cynn.cli", "cynn.data.images", "cynn.plot", "cynn.testing",
    "cynn_plugins", "Cython", "scipy",
    "importlib.abc", "importlib.resources", "tempfile", "shutil",
    "pandas", "matplotlib", "numpy.f2py", "numpy.testing", "setuptools", "pkg_resources",
}  # fmt: skip
FOR_FILES_AND_DISPLAY = {
    "cynn.display", "cynn.saving", "cynn.file_access", "cynn.components.schema", "threading", "fcntl"
}  # fmt: skip
FOR_TYPES = {"numpy.typing", "dataclasses"}
FOR_TRAINING = {
    "cynn.data.derivative_targets", "cynn.training", "cynn.engine.trainer", "cynn.callbacks", "cynn.metrics",
    "cynn.datasets",
}  # fmt: skip


def modules(code):
    """The modules of a process that has run this code, beyond those of NumPy alone."""
    listing = "import sys; print(*sorted(sys.modules))"
    loaded = [
        set(subprocess.check_output([sys.executable, "-c", f"{first}\n{listing}"], text=True).split())
        for first in ("import numpy", code)
    ]
    return loaded[1] - loaded[0]


def test_import_leaves_what_is_used_later():
    found = modules("import cynn")
    assert "cynn.network" in found
    assert sorted(found & (LATER | FOR_FILES_AND_DISPLAY | FOR_TYPES | FOR_TRAINING)) == []
    assert sorted(name for name in found if name.split(".")[0] in LATER) == []


def test_a_fit_without_a_terminal_does_not_either():
    code = """
import cynn
net = cynn.Network.mlp([1, 4, 1], seed=0)
net.fit([[1.0]], [1.0], epochs=1)
net.predict([[1.0]])
"""
    found = modules(code)
    assert sorted(found & LATER) == []


def test_what_is_imported_later_is_there_from_the_start():
    code = "import cynn; print(cynn.callbacks.Timer, cynn.metrics.Accuracy, 'callbacks' in dir(cynn))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).rstrip().endswith("True")


def test_import_starts_no_thread_and_leaves_the_environment():
    code = """
import os
os.environ.pop("OPENBLAS_NUM_THREADS", None)
before, environment = len(os.listdir("/proc/self/task")) if os.path.exists("/proc") else 1, dict(os.environ)
import numpy
with_numpy = len(os.listdir("/proc/self/task")) if os.path.exists("/proc") else 1
import cynn
after = len(os.listdir("/proc/self/task")) if os.path.exists("/proc") else 1
assert after == with_numpy, (before, with_numpy, after)
assert dict(os.environ) == environment
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_import_before_numpy_and_from_another_folder(tmp_path):
    subprocess.run([sys.executable, "-c", "import cynn, numpy; cynn.show_config()"], check=True, cwd=tmp_path)


def test_warnings_are_errors_for_it():
    subprocess.run([sys.executable, "-W", "error", "-c", "import cynn"], check=True)


@pytest.mark.parametrize("level", ["baseline", "avx2", "avx512"])
def test_a_level_of_kernels_can_be_chosen(level):
    from cynn.kernels import cpu

    code = "import cynn; print(cynn.kernels.level, cynn.kernels.dense.__name__)"
    environment = {**os.environ, "CYNN_CPU": level}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    if level in cpu.supported_levels() and importlib.util.find_spec(f"cynn.kernels.{level}.dense"):
        assert result.stdout.split() == [level, f"cynn.kernels.{level}.dense"], result.stderr
    else:
        assert "CYNN_CPU must name a level that this machine runs and this build holds" in result.stderr


def test_an_unknown_level_is_refused():
    environment = {**os.environ, "CYNN_CPU": "mmx"}
    command = [sys.executable, "-c", "import cynn"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.returncode == 1
    assert "this build holds: baseline" in result.stderr
    assert "Got 'mmx' instead." in result.stderr


def test_a_blas_of_our_own_leaves_numpys_alone():
    """NumPy's BLAS keeps its threads; ours runs on the calling thread."""
    code = """
import numpy, cynn
a = numpy.ones((300, 300))
assert (a @ a == 300).all()
assert cynn.Network.mlp([300, 300], seed=0).predict(a).shape == (300, 300)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_is_imported_when_somebody_asks_for_it():
    code = "import cynn; print(cynn.testing.check_loss.__name__, cynn.plot.network.__name__)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert found.stdout.split() == ["check_loss", "network"], found.stderr
