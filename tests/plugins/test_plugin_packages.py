"""Packages with plugins, built and installed by pip: the examples in the docs, and what new-plugin writes."""

import importlib.util
import re
import shutil

import pytest
from plugin_packages import ROOT, pip_install, run

import cynn
from cynn.cli import main
from cynn.errors import InvalidParameterError, UnknownNameError
from cynn.plugins import scaffold

EXAMPLES = ROOT / "docs" / "examples" / "plugins"

TRAIN = """
import sys
import numpy as np, cynn
kind, name = sys.argv[1:]
used = {"activation": "tanh", "loss": "mean_squared_error", "optimizer": "adam"} | {kind: name}
x = np.linspace(-1, 1, 64).reshape(-1, 1)
for dtype in ("float32", "float64"):
    net = cynn.Network.mlp([1, 16, 1], activation=used["activation"], seed=0, dtype=dtype)
    history = net.fit(x, x**2, loss=used["loss"], optimizer=used["optimizer"], epochs=60, batch_size=8)
    assert history["loss"][-1] < 0.7 * history["loss"][0], history["loss"]
"""
NUMBA = pytest.mark.skipif(importlib.util.find_spec("numba") is None, reason="needs Numba")


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    """All four examples, copied, built and installed; the folder that holds them."""
    copies = tmp_path_factory.mktemp("examples")
    for language in scaffold.LANGUAGES:
        shutil.copytree(EXAMPLES / language, copies / language)
    return pip_install(
        tmp_path_factory.mktemp("site"), *(copies / language for language in scaffold.LANGUAGES)
    )


@pytest.mark.parametrize(
    ("language", "kind", "name", "compiled"),
    [
        ("cython", "activation", "bent_identity", True),
        ("cython", "optimizer", "signum", True),
        ("c", "activation", "inverse_square_root", True),
        ("c", "loss", "cauchy", True),
        pytest.param("numba", "activation", "arctangent", True, marks=NUMBA),
        ("python", "activation", "symlog", False),
    ],
)
def test_example(examples, language, kind, name, compiled):
    checked = run(examples, "-m", "cynn", "check", name)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"the {kind} '{name}' of cynn-example-{language} 0.1.0" in checked.stdout
    assert "documented hyperparameters" in checked.stdout
    shown = run(examples, "-m", "cynn", "plugins", name)
    assert (
        f"{kind} {name}, of cynn-example-{language} 0.1.0, {'compiled' if compiled else 'Python'}, float32"
        in (shown.stdout)
    )
    trained = run(examples, "-c", TRAIN, kind, name)
    assert trained.returncode == 0, trained.stderr


def generate(parent, combinations):
    return [
        scaffold.new_plugin(f"my-{language}-{kind}", kind=kind, language=language, parent=parent)
        for language, kind in combinations
    ]


def install_and_test(tmp_path, combinations):
    folders = generate(tmp_path, combinations)
    site = pip_install(tmp_path / "site", *folders)
    result = run(
        site, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(folder / "tests" for folder in folders)
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"{2 * len(folders)} passed" in result.stdout


@pytest.mark.parametrize(
    "combinations",
    [
        [("cython", "loss"), ("c", "activation"), ("python", "optimizer")],
        pytest.param([("numba", "loss")], marks=NUMBA),
    ],
)
def test_new_plugins_install_and_pass_their_tests(tmp_path, combinations):
    install_and_test(tmp_path, combinations)


@pytest.mark.slow
@NUMBA
def test_all_twelve_new_plugins_install_and_pass_their_tests(tmp_path):
    install_and_test(
        tmp_path, [(language, kind) for language in scaffold.LANGUAGES for kind in scaffold.KINDS]
    )


class TestNewPlugin:
    @pytest.mark.parametrize("language", scaffold.LANGUAGES)
    @pytest.mark.parametrize("kind", scaffold.KINDS)
    def test_files(self, tmp_path, kind, language):
        (folder,) = generate(tmp_path, [(language, kind)])
        files = {
            str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()
        }
        name = f"my_{language}_{kind}"
        sources = {"cython": "_kernel.pyx", "c": "_kernel.c", "numba": "_kernel.py", "python": "__init__.py"}
        assert f"{name}/{sources[language]}" in files
        assert (
            f'[project.entry-points."cynn.{"losses" if kind == "loss" else kind + "s"}"]'
            in files["pyproject.toml"]
        )
        assert not any("$" in text for text in files.values())
        assert "\n    pytest\n" in files["README.md"]  # python -m would import the folder, not what is installed
        assert not [line for text in files.values() for line in text.splitlines() if len(line) > 110]
        for path, text in files.items():
            if path.endswith(".py"):
                compile(text, path, "exec")

    def test_command(self, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        assert main(["new-plugin", "my-activation", "--kind", "activation", "--language", "cython"]) == 0
        out = capsys.readouterr().out
        assert "pip install --upgrade setuptools Cython\n" in out
        assert "pip install --no-build-isolation ./my-activation\n" in out
        assert "cynn check my_activation" in out
        assert (tmp_path / "my-activation" / "my_activation" / "_kernel.pyx").exists()
        assert main(["new-plugin", "my-activation"]) == 2
        assert "exists" in capsys.readouterr().err

    @pytest.mark.parametrize(
        "name", ["My-Plugin", "my plugin", "3d", "-x", "", "../up", "class", "a--b", "é"]
    )
    def test_names_that_cannot_be(self, tmp_path, name):
        with pytest.raises(InvalidParameterError, match="lower case words joined by '-'"):
            scaffold.new_plugin(name, parent=tmp_path)
        assert list(tmp_path.iterdir()) == []

    def test_names_that_are_taken(self, tmp_path):
        with pytest.raises(InvalidParameterError, match="Got 'leaky_relu', which cynn-nn has"):
            scaffold.new_plugin("leaky-relu", parent=tmp_path)
        scaffold.new_plugin("leaky-relu", kind="loss", parent=tmp_path)

    @pytest.mark.parametrize("name", ["cynn", "cynn-nn", "cynn-plugins", "numpy", "random", "pytest"])
    def test_names_of_packages_that_are_installed(self, tmp_path, name):
        with pytest.raises(InvalidParameterError, match=f"Got '{name}', which is the name of a package that is"):
            scaffold.new_plugin(name, parent=tmp_path)
        assert list(tmp_path.iterdir()) == []

    def test_other_kinds_and_languages(self, tmp_path):
        with pytest.raises(UnknownNameError, match="Did you mean 'activation'"):
            scaffold.new_plugin("x", kind="activations", parent=tmp_path)
        with pytest.raises(UnknownNameError, match="There are: c, cython, numba, python"):
            scaffold.new_plugin("x", language="fortran", parent=tmp_path)


def test_the_examples_differ_from_the_catalogue():
    names = re.findall(
        r'^    name = "(\w+)"', "".join(p.read_text() for p in EXAMPLES.rglob("__init__.py")), re.M
    )
    assert len(names) == 6
    for registry in (cynn.registry.activations, cynn.registry.losses, cynn.registry.optimizers):
        assert not set(names) & set(registry.names())
