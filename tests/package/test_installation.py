"""A package that is not compiled, or not ours alone, says so and what to type."""

import importlib.machinery
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import setuptools
from plugin_packages import ROOT, run, write_package

import cynn
from cynn import installation
from cynn.errors import CynnWarning

SUFFIX = importlib.machinery.EXTENSION_SUFFIXES[0]
COMPILED = shutil.ignore_patterns("*.so", "*.pyd", "*.dylib", "openblas", "__pycache__", "*.npz")
# An editable installation would lend its modules to the copies.
NO_EDITABLE = "import sys; sys.meta_path[:] = [each for each in sys.meta_path if 'editable' not in each.__module__]"


def python(folder, *arguments):
    """Python as one starts it in a folder, without the sources of the tests on its path."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def sources(tmp_path):
    """A clean clone, as far as Python is concerned."""
    for package in ("cynn", "cynn_plugins"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=COMPILED)
    return tmp_path


@pytest.fixture
def copy(tmp_path):
    """The package of this environment in a folder of its own, in which files may come and go."""
    for package in ("cynn", "cynn_plugins"):
        shutil.copytree(os.path.join(os.path.dirname(cynn.__file__), "..", package), tmp_path / package,
                        copy_function=os.symlink, ignore=shutil.ignore_patterns("__pycache__"))  # fmt: skip
    return tmp_path


class TestSources:
    @pytest.mark.parametrize(
        "arguments",
        [
            ["-c", "import cynn"],
            ["-c", "from cynn.network import Network"],
            ["-c", "import cynn_plugins.activations.gated"],
            ["-m", "cynn", "train"],
        ],
    )
    def test_they_say_what_to_type(self, sources, arguments):
        result = python(sources, *arguments)
        assert result.returncode == 1
        said = result.stderr.splitlines()[-1]
        assert said.startswith(f"ImportError: The folder {sources / 'cynn'} is the source of CyNN")
        assert f"In the folder {sources}, type: {sys.executable} -m pip install -e ." in said
        assert "circular" not in result.stderr

    def test_pytest_and_sphinx_there(self, sources):
        (sources / "tests").mkdir()
        (sources / "tests" / "conftest.py").write_text("import cynn\n")
        result = python(sources, "-m", "pytest", "-p", "no:cacheprovider")
        assert result.returncode != 0
        assert "-m pip install -e ." in result.stderr + result.stdout

    @pytest.mark.parametrize("module", ["cynn/engine/engine", "cynn/engine/workspace", "cynn/kernels/cpu",
                                        "cynn/kernels/random", "cynn/kernels/baseline/dense"])  # fmt: skip
    def test_one_module_that_is_not_compiled(self, copy, module):
        for path in copy.glob(f"{module}.*{SUFFIX[-3:]}"):
            path.unlink()
        if module.endswith("dense"):
            for path in copy.glob("cynn/kernels/avx*"):
                shutil.rmtree(path)
        result = python(copy, "-c", f"{NO_EDITABLE}; import cynn")
        assert result.returncode == 1
        name = module.replace("/", ".")
        assert f"Got no {name} for Python {sys.version_info.major}.{sys.version_info.minor}." in result.stderr

    def test_another_error_stays_what_it_is(self, copy):
        result = python(copy, "-c", "import sys; sys.modules['numpy'] = None; import cynn")
        assert result.returncode == 1
        assert "ModuleNotFoundError: import of numpy halted" in result.stderr
        assert "-m pip install -e" not in result.stderr


OTHER_INIT = '__version__ = "0.1.5"\n'  # all that the other project's __init__.py holds, but for comments


class TestTheOtherProject:
    def test_this_folder_is_ours_alone(self):
        result = python(ROOT, "-W", "error", "-c", "import cynn")
        assert result.returncode == 0, result.stderr

    @pytest.mark.parametrize("name", ["fann" + SUFFIX, "kann.cp311-win_amd64.pyd", "CMakeLists.txt", "tinn.abi3.so"])
    def test_its_files_beside_ours(self, copy, name):
        (copy / "cynn" / name).touch()
        result = python(copy, "-c", "import cynn\nprint(cynn.Network.mlp([1, 1], seed=0))")
        assert result.returncode == 0
        assert f"<string>:1: CynnWarning: The folder {copy / 'cynn'} must hold nothing but CyNN. Got {name} of" in (
            result.stderr
        )
        assert "pip uninstall cynn cynn-nn" in result.stderr

    @pytest.mark.parametrize("init", [OTHER_INIT, None])
    def test_its_init_over_ours(self, copy, init):
        """As it is where it was installed after ours, or was removed again."""
        (copy / "cynn" / "__init__.py").unlink()
        if init:
            (copy / "cynn" / "__init__.py").write_text(init)
        result = python(copy, "-m", "cynn", "plugins")
        assert result.returncode == 2
        assert result.stderr.startswith(f"cynn: error: The folder {copy / 'cynn'} must hold the __init__.py of CyNN.")
        assert result.stderr.count("\n") == 1
        assert "pip uninstall cynn cynn-nn" in result.stderr

    def test_where_there_is_no_folder(self, monkeypatch, recwarn):
        monkeypatch.setattr(installation, "_FOLDER", "/no/such/folder")
        installation.warn_of_foreign_files()
        installation.require_compiled()
        assert not [warning for warning in recwarn if issubclass(warning.category, CynnWarning)]


CUBE = """
import cynn
class Cube(cynn.activations.Activation):
    name = "cube"
    def forward(self, z): return z**3
    def backward(self, z, a, grad): return grad * 3 * z**2
"""


@pytest.mark.parametrize(
    ("requirement", "warns"),
    [
        ("cynn", True),
        ("CyNN (>=0.1)", True),
        ("cynn[plot]>=0.1; extra == 'pictures'", True),
        ("cynn-nn", False),
        ("cynn_nn>=0.1", False),
        ("cynn-cube", False),
    ],
)
def test_plugins_that_require_the_other_project(tmp_path, requirement, warns):
    write_package(tmp_path, "my-cube", "1.2", {"activations": {"cube": "cube:Cube"}}, cube=CUBE)
    with open(tmp_path / "my_cube-1.2.dist-info" / "METADATA", "a", encoding="utf-8") as file:
        file.write(f"Requires-Dist: numpy\nRequires-Dist: {requirement}\n")
    result = run(tmp_path, "-m", "cynn", "plugins")
    assert result.returncode == 0, result.stderr
    said = "warning: my-cube requires the package cynn, which is another project's. It should require cynn-nn"
    assert (said in result.stdout) == warns
    assert result.stdout.count("warning:") == warns


@pytest.mark.parametrize("native", [False, True])
def test_kernels_that_an_earlier_build_has_left(tmp_path, monkeypatch, native):
    """A native build has one level: kernels of better ones would be chosen instead of the new."""
    monkeypatch.setattr(setuptools, "setup", lambda **options: None)
    setup = runpy.run_path(str(ROOT / "setup.py"))
    modules = [Path(tmp_path, "cynn/kernels", level, f"dense{SUFFIX}") for level in setup["LEVELS"]]
    for module in modules:
        module.parent.mkdir(parents=True)
        module.touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CYNN_NATIVE", "1" if native else "0")
    setup["remove_other_levels"]()
    left = [module for module in modules if module.exists()]
    assert left == [module for module in modules if module.parent.name == "baseline" or not native]
