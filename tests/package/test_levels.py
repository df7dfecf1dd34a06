"""Modules that are compiled once for each level of CPU: those of the catalogue, and those of other packages."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from setuptools import Extension

import cynn
from cynn.errors import InvalidParameterError
from cynn.kernels import cpu
from cynn.plugins.levels import LEVELS, at_levels, search_path

BETTER = [
    level for level in cpu.supported_levels()[1:] if importlib.util.find_spec(f"cynn.kernels.{level}.dense")
]  # fmt: skip
SETUP = """
from cynn.plugins.levels import at_levels
from setuptools import Extension, setup

setup(name="wide", packages=["wide"], ext_modules=at_levels([Extension("wide._kernel", ["wide/_kernel.c"])]))
"""
KERNEL = """
#include <Python.h>
#include "width.h"
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_kernel"};
PyMODINIT_FUNC PyInit__kernel(void)
{
    PyObject *made = PyModule_Create(&module);
    if (made != NULL)
        PyModule_AddIntConstant(made, "WIDTH", WIDTH);
    return made;
}
"""
HEADER = """
#if defined(__AVX512F__)
#define WIDTH 512
#elif defined(__AVX2__)
#define WIDTH 256
#else
#define WIDTH 128
#endif
"""
INIT = (
    "from cynn.plugins.levels import search_path\n\n__path__ = search_path(__path__)\nfrom wide._kernel import WIDTH\n"
)
PRINT = "from wide import WIDTH, _kernel; print(WIDTH, _kernel.__name__)"


def run(folder, *arguments, **environment):
    result = subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(Path(cynn.__file__).parents[1]), **environment},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return result.stdout.split()


def level_of(folder):
    """The level for which the modules of a folder are compiled."""
    return Path(folder).name if Path(folder).name in LEVELS else "baseline"


@pytest.mark.parametrize("level", ["baseline", *BETTER])
def test_the_catalogue_has_the_level_of_the_kernels(level):
    code = """
import cynn
cynn.registry.activations.get("selu"), cynn.registry.layers.get("scale"), cynn.registry.optimizers.get("lion")
import sys
print(cynn.kernels.level)
print(*(getattr(sys.modules[f"cynn_plugins.{name}"], "__file__") for name in
        ("activations._exponential", "layers._columns", "optimizers._moments")))
"""
    found, *files = run(".", "-c", code, CYNN_CPU=level)
    assert found == level
    assert [level_of(os.path.dirname(file)) for file in files] == [level] * 3


def test_a_package_of_ones_own(tmp_path):
    package = tmp_path / "wide"
    package.mkdir()
    for name, text in {"_kernel.c": KERNEL, "width.h": HEADER, "__init__.py": INIT, "../setup.py": SETUP}.items():
        (package / name).write_text(text)
    run(tmp_path, "setup.py", "-q", "build_ext", "--inplace")
    widths = {"baseline": "128", "avx2": "256", "avx512": "512"}
    for level in ["baseline", *BETTER]:
        assert run(tmp_path, "-c", PRINT, CYNN_CPU=level) == [widths[level], "wide._kernel"]
    for level, below in zip(BETTER[::-1], ["baseline", *BETTER][-2::-1], strict=True):
        for module in (package / level).glob("*"):
            module.unlink()  # the next below it serves
        assert run(tmp_path, "-c", PRINT, CYNN_CPU=level) == [widths[below], "wide._kernel"]


def test_native(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CYNN_NATIVE", "1")
    Path("kernel.c").touch()
    (module,) = at_levels([Extension("package.kernel", ["kernel.c"], extra_compile_args=["-O3"])])
    assert module.name == "package.kernel"
    assert module.extra_compile_args == ["-O3", "-march=native"]


def test_a_module_without_a_package(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path("kernel.c").touch()
    if len(LEVELS) > 1:
        with pytest.raises(InvalidParameterError, match=r"must be in a package\. Got 'kernel' instead"):
            at_levels([Extension("kernel", ["kernel.c"])])


def test_where_modules_are_looked_for(monkeypatch):
    monkeypatch.setattr(cynn.kernels, "level", cpu.supported_levels()[-1])
    folders = search_path(["a", "b"])
    assert folders[-2:] == ["a", "b"]
    expected = [os.path.join(folder, level) for level in reversed(cpu.supported_levels()[1:]) for folder in ("a", "b")]
    assert folders[:-2] == expected
    monkeypatch.setattr(cynn.kernels, "level", "baseline")
    assert search_path(["a"]) == ["a"]
