"""Packages with plugins, built and installed by pip: the examples in the docs, and what new-plugin writes."""

import importlib.util
import re
import shutil
import tomllib

import pytest
import yaml
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


@pytest.mark.parametrize(
    "combinations",
    [
        [("cython", "loss"), ("c", "layer"), ("python", "optimizer"), ("python", "initializer")],
        pytest.param([("numba", "loss")], marks=NUMBA),
    ],
)
def test_new_plugins_install_and_pass_their_tests(tmp_path, combinations):
    """Into this environment; test_published_packages installs them all elsewhere."""
    folders = generate(tmp_path, combinations)
    site = pip_install(tmp_path / "site", *folders)
    result = run(
        site, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(folder / "tests" for folder in folders)
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"{sum(3 if 'layer' in folder.name else 2 for folder in folders)} passed" in result.stdout


def texts(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in folder.rglob("*")
        if path.is_file()
    }


class TestNewPlugin:
    @pytest.mark.parametrize(
        ("kind", "language"), [(kind, language) for kind in scaffold.KINDS for language in scaffold.languages(kind)]
    )
    def test_files(self, tmp_path, kind, language):
        (folder,) = generate(tmp_path, [(language, kind)])
        files = texts(folder)
        name = f"my_{language}_{kind}"
        sources = {"cython": "_kernel.pyx", "c": "_kernel.c", "numba": "_kernel.py", "python": "__init__.py"}
        assert f"{name}/{sources[language]}" in files
        assert (f"{name}/_kernel.pyi" in files) == (language != "python")
        assert {"LICENSE", "MANIFEST.in", "README.md", ".github/workflows/wheels.yml", f"{name}/py.typed"} <= set(files)
        assert ("setup.py" in files) == (language in ("c", "cython"))
        settings = tomllib.loads(files["pyproject.toml"])["project"]
        plural = "losses" if kind == "loss" else f"{kind}s"
        class_name = "".join(word.capitalize() for word in name.split("_"))
        assert settings["entry-points"] == {f"cynn.{plural}": {name: f"{name}:{class_name}"}}
        assert settings["optional-dependencies"]["test"] == ["pytest>=8"]
        assert settings["readme"] == "README.md"
        assert settings["license"] == "BSD-3-Clause"
        assert settings["authors"][0]["name"]
        assert len(settings["classifiers"]) >= 5
        workflow = files.pop(".github/workflows/wheels.yml")
        assert ("cibuildwheel" in workflow) == (language in ("c", "cython"))
        assert "PIP_FIND_LINKS: ${{ vars.CYNN_WHEELS }}" in workflow
        assert not any("$" in text for text in files.values())
        assert "\n    pytest\n" in files["README.md"]  # python -m would import the folder, not what is installed
        assert f"the {kind} `{name}`" in files["README.md"]
        del files["README.md"]  # where lines may be longer
        assert not [line for text in files.values() for line in text.splitlines() if len(line) > 110]
        for path, text in files.items():
            if path.endswith(".py"):
                compile(text, path, "exec")

    def test_the_workflow_is_one(self, tmp_path):
        for folder in generate(tmp_path, [("c", "loss"), ("python", "metric")]):
            workflow = yaml.safe_load(texts(folder)[".github/workflows/wheels.yml"])
            for name, job in workflow["jobs"].items():
                assert set(job.get("needs", [])) <= set(workflow["jobs"]) - {name}
                assert all(len({"uses", "run"} & set(step)) == 1 for step in job["steps"])

    def test_the_author_is_whom_git_knows(self, tmp_path, monkeypatch):
        for name, expected in (('Ada "x" \\ Lovelace', 'Ada "x" \\ Lovelace'), ("", "Your Name"), ("Zoë\tB", "ZoëB")):
            monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
            monkeypatch.setenv("GIT_CONFIG_KEY_0", "user.name")
            monkeypatch.setenv("GIT_CONFIG_VALUE_0", name)
            folder = scaffold.new_plugin("my-x", language="python", parent=tmp_path / str(len(name)))
            settings = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
            assert settings["project"]["authors"] == [{"name": expected}]
            assert f", {expected}\n" in (folder / "LICENSE").read_text(encoding="utf-8")
        monkeypatch.setenv("PATH", "")
        folder = scaffold.new_plugin("my-x", language="python", parent=tmp_path / "without-git")
        assert "Your Name" in (folder / "LICENSE").read_text(encoding="utf-8")

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

    @pytest.mark.parametrize("name", [
        "My-Plugin", "my plugin", "3d", "-x", "", "../up", "class", "a--b", "é", "none", "true", "tests", "con", "loss",
        "x-", "a.b", "a" * 65,
    ])  # fmt: skip
    def test_names_that_cannot_be(self, tmp_path, name):
        with pytest.raises(InvalidParameterError, match="lower case words joined by '-'"):
            scaffold.new_plugin(name, parent=tmp_path)
        with pytest.raises(InvalidParameterError, match="lower case words joined by '-'"):
            scaffold.new_plugin(name, parent=tmp_path, into="lab-plugins")
        assert list(tmp_path.iterdir()) == []

    def test_names_that_are_taken(self, tmp_path, monkeypatch):
        with pytest.raises(InvalidParameterError, match="Got 'leaky_relu', which cynn-nn has"):
            scaffold.new_plugin("leaky-relu", parent=tmp_path)
        with pytest.raises(InvalidParameterError, match="Got 'one_cycle', which cynn-nn has"):
            scaffold.new_plugin("one-cycle", kind="schedule", parent=tmp_path)
        scaffold.new_plugin("leaky-relu", kind="loss", parent=tmp_path)
        monkeypatch.setitem(cynn.registry.losses._registered, "mine", cynn.losses.Loss)
        with pytest.raises(InvalidParameterError, match="Got 'mine', which this process has"):
            scaffold.new_plugin("mine", kind="loss", parent=tmp_path)

    @pytest.mark.parametrize(("name", "whose"), [
        ("cynn", "installed"), ("cynn-nn", "installed"), ("cynn_nn", "installed"), ("cynn-plugins", "installed"),
        ("numpy", "installed"), ("random", "installed"), ("pytest", "installed"), ("winreg", "part of Python"),
        ("msvcrt", "part of Python"), ("torch", "well known"), ("tensorflow", "well known"), ("xgboost", "well known"),
        ("pytorch-lightning", "well known"), ("pytorch_lightning", "well known"), ("keras", "well known"),
    ])  # fmt: skip
    @pytest.mark.parametrize("into", [False, True])
    def test_names_of_other_packages(self, tmp_path, name, whose, into):
        whose = rf"({whose}|installed)" if whose == "well known" else whose
        words = f"Got '{name}', which is the name of a package that is {whose}"
        with pytest.raises(InvalidParameterError, match=words):
            if into:
                scaffold.new_plugin("mine", parent=tmp_path, into=name)
            else:
                scaffold.new_plugin(name, parent=tmp_path)
        assert list(tmp_path.iterdir()) == []

    def test_other_kinds_and_languages(self, tmp_path):
        with pytest.raises(UnknownNameError, match="Did you mean 'activation'"):
            scaffold.new_plugin("x", kind="activations", parent=tmp_path)
        with pytest.raises(UnknownNameError, match="There are: c, cython, numba, python"):
            scaffold.new_plugin("x", language="fortran", parent=tmp_path)
        with pytest.raises(UnknownNameError, match=r"no language of a new metric named 'c'\. There are: python\."):
            scaffold.new_plugin("x", kind="metric", language="c", parent=tmp_path)
        assert list(tmp_path.iterdir()) == []


class TestInto:
    def add(self, parent, name, kind="loss", language="python", into="lab-plugins"):
        return scaffold.new_plugin(name, kind=kind, language=language, into=into, parent=parent)

    def test_several(self, tmp_path):
        folder = self.add(tmp_path, "first")
        before = texts(folder)
        assert before["lab_plugins/__init__.py"] == '"""Plugins for CyNN."""\n'
        assert "setup.py" not in before
        self.add(tmp_path, "second", "activation", "c")
        self.add(tmp_path, "third", "loss", "cython", into=folder)
        self.add(tmp_path, "fourth", "optimizer", "numba")
        self.add(folder, "fifth", "metric", into=".")
        after = texts(folder)
        settings = tomllib.loads(after["pyproject.toml"])
        assert settings["project"]["name"] == "lab-plugins"
        assert settings["project"]["entry-points"] == {
            "cynn.losses": {"first": "lab_plugins.first:First", "third": "lab_plugins.third:Third"},
            "cynn.activations": {"second": "lab_plugins.second:Second"},
            "cynn.optimizers": {"fourth": "lab_plugins.fourth:Fourth"},
            "cynn.metrics": {"fifth": "lab_plugins.fifth:Fifth"},
        }
        required = [re.split("[^a-zA-Z-]", each)[0] for each in settings["build-system"]["requires"]]
        assert sorted(required) == ["Cython", "cynn-nn", "setuptools"]
        required = [re.split("[^a-zA-Z-]", each)[0] for each in settings["project"]["dependencies"]]
        assert sorted(required) == ["cynn-nn", "numba", "numpy"]
        assert "cibuildwheel" in after[".github/workflows/wheels.yml"]
        assert "pip install --upgrade setuptools Cython\n" in after["README.md"]
        listed = re.findall(r"^- the \w+ `(\w+)`", after["README.md"], re.MULTILINE)
        assert listed == ["first", "second", "third", "fourth", "fifth"]
        for path in set(before) - {"pyproject.toml", "README.md", ".github/workflows/wheels.yml"}:
            assert after[path] == before[path], path

    def test_into_a_package_with_one(self, tmp_path):
        folder = scaffold.new_plugin("my-loss", kind="loss", language="c", parent=tmp_path)
        self.add(tmp_path, "more", "schedule", into="my-loss")
        points = tomllib.loads((folder / "pyproject.toml").read_text())["project"]["entry-points"]
        assert points == {"cynn.losses": {"my_loss": "my_loss:MyLoss"}, "cynn.schedules": {"more": "my_loss.more:More"}}

    def test_what_somebody_has_changed_stays(self, tmp_path):
        folder = self.add(tmp_path, "first")
        (folder / "README.md").write_text("# Mine\n")
        workflow = folder / ".github/workflows/wheels.yml"
        workflow.write_text(workflow.read_text() + "# mine\n")
        settings = folder / "pyproject.toml"
        text = settings.read_text().replace('["setuptools>=77"]', '[\n    "setuptools>=80",  # new\n]')
        settings.write_text(text + '\n[tool.black]\nline-length = 99\n')
        self.add(tmp_path, "second", "loss", "c")
        assert (folder / "README.md").read_text() == "# Mine\n"
        assert workflow.read_text().endswith("# mine\n")
        assert "cibuildwheel" not in workflow.read_text()
        found = tomllib.loads(settings.read_text())
        assert found["build-system"]["requires"] == [f"cynn-nn>={cynn.__version__}", "setuptools>=80"]
        assert found["tool"]["black"] == {"line-length": 99}

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            (None, "FileNotFoundError"),
            ("[", "TOMLDecodeError"),
            ("", r"it has no \[project\] with a name"),
            ("project = 3", r"it has no \[project\] with a name"),
            ('[project]\nname = "other-name"\n', "there is no folder other_name"),
        ],
    )
    def test_what_is_no_package(self, tmp_path, text, words):
        folder = tmp_path / "lab-plugins"
        folder.mkdir()
        if text is not None:
            (folder / "pyproject.toml").write_text(text)
        with pytest.raises(InvalidParameterError, match=f"--into must name a folder that is new, or a .*{words}"):
            self.add(tmp_path, "first")
        assert texts(folder) == ({} if text is None else {"pyproject.toml": text})

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ('[project.entry-points."cynn.losses"]', "[project.entry-points.'cynn.losses']"),
            ('[build-system]\nrequires = ', "build-system.requires = "),
        ],
    )
    def test_a_file_of_another_form(self, tmp_path, old, new):
        """It is not changed into something else than was meant."""
        folder = self.add(tmp_path, "first")
        path = folder / "pyproject.toml"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))
        before = texts(folder)
        with pytest.raises(InvalidParameterError, match=r"must be written as new-plugin does to"):
            self.add(tmp_path, "second", "loss", "c")
        assert texts(folder) == before

    def test_a_name_twice(self, tmp_path):
        folder = self.add(tmp_path, "first")
        before = texts(folder)
        with pytest.raises(InvalidParameterError, match=r"Got 'first', whose lab_plugins/first/__init__\.py exists"):
            self.add(tmp_path, "first", "metric")
        with pytest.raises(InvalidParameterError, match="Got 'first', which is in the entry points of the group cynn"):
            self.add(tmp_path, "first")
        assert texts(folder) == before

    def test_command(self, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        assert main(["new-plugin", "bright", "--kind", "metric", "--into", "lab-plugins"]) == 0
        out = capsys.readouterr().out
        assert "pip install --no-build-isolation ./lab-plugins\n" in out
        assert "    cynn plugins bright\n" in out
        monkeypatch.chdir(tmp_path / "lab-plugins")
        assert main(["new-plugin", "dark", "--language", "c", "--into", "."]) == 0
        assert "pip install --no-build-isolation .\n" in capsys.readouterr().out
        assert main(["new-plugin", "grey", "--kind", "metric", "--language", "c"]) == 2
        assert "language of a new metric" in capsys.readouterr().err


def test_the_examples_differ_from_the_catalogue():
    names = re.findall(
        r'^    name = "(\w+)"', "".join(p.read_text() for p in EXAMPLES.rglob("__init__.py")), re.M
    )
    assert len(names) == 6
    for registry in (cynn.registry.activations, cynn.registry.losses, cynn.registry.optimizers):
        assert not set(names) & set(registry.names())
