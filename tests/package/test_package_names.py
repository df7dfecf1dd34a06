"""On the package index `cynn` is another project, and we are `cynn-nn`: in whatever we print, write and document."""

import json
import re
import tomllib

import pytest
from plugin_packages import ROOT, run, write_package
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

import cynn
from cynn import registry
from cynn.components import package_names
from cynn.errors import CynnWarning, ModelFileError, PluginError
from cynn.plugins import scaffold

#: What would bring the other project.
WRONG = re.compile(
    r"""\bpip3?\s+(?:install|download|wheel)\b[^&;|`\n]*?(?<![\w./-])cynn(?![\w.-])  # pip install cynn
    |(?<![\w-])cynn\[                                                                # "cynn[plot]"
    |(?:requires|dependencies)\s*=\s*\[[^]]*["']cynn["'\s<>=~!;@]                    # requires = ["cynn"]
    """,
    re.VERBOSE,
)
READ = {".py", ".pyx", ".pxd", ".pyi", ".h", ".c", ".in", ".md", ".rst", ".toml", ".txt", ".json", ".html", ".js", ""}


def texts():
    """All that we have written but the tests."""
    for top in ("cynn", "cynn_plugins", "docs", "benchmarks", ".ci"):
        yield from (path for path in (ROOT / top).rglob("*") if path.is_file() and path.suffix in READ)
    yield from (path for path in ROOT.iterdir() if path.is_file() and path.suffix in {".md", ".toml", ".py", ".in"})


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("pip install cynn", True),
        ("pip install --upgrade cynn==0.2", True),
        ("python -m pip install 'cynn[plot]'", True),
        ("see the extra cynn[plot]", True),
        ('requires = ["setuptools>=77", "cynn"]', True),
        ('dependencies = [\n    "numpy",\n    "cynn>=0.1",\n]', True),
        ("pip install . && .venv/bin/cynn train", False),
        ('pip install "cynn-nn[plot]"', False),
        ('dependencies = ["cynn-nn", "numpy"]', False),
        ("pip uninstall cynn", False),
        ("pip install cynn-cube cynn.toml cynn_nn", False),
    ],
)
def test_what_is_looked_for(text, wrong):
    assert bool(WRONG.search(text)) == wrong


def test_nothing_that_we_wrote_leads_to_the_other_project():
    found = {}
    for path in texts():
        for match in WRONG.finditer(path.read_text(encoding="utf-8", errors="replace")):
            found.setdefault(str(path.relative_to(ROOT)), []).append(match[0])
    assert found == {}


@pytest.mark.parametrize(
    ("kind", "language"), [(kind, language) for kind in scaffold.KINDS for language in scaffold.languages(kind)]
)
def test_nothing_that_new_plugin_writes_does(tmp_path, kind, language):
    folder = scaffold.new_plugin(f"my-{kind}", kind=kind, language=language, parent=tmp_path)
    for path in folder.rglob("*"):
        assert path.is_dir() or not WRONG.search(path.read_text(encoding="utf-8")), path
    settings = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    floor = f"cynn-nn>={cynn.__version__}"
    assert floor in settings["project"]["dependencies"]
    assert "cynn" not in [re.split(r"[^\w-]", each)[0] for each in settings["build-system"]["requires"]]
    assert (floor in settings["build-system"]["requires"]) == (language in ("c", "cython"))


def test_one_page_says_it():
    told = [path for path in texts() if path.suffix in (".md", ".rst") and "another project" in path.read_text("utf-8")]
    assert [path.relative_to(ROOT).as_posix() for path in told] == ["docs/quickstart.rst"]


class TestOurNames:
    @pytest.mark.parametrize("package", ["cynn-nn", "cynn", "cynn_nn", "CyNN"])
    def test_in_front_of_a_name(self, package):
        for name in ("relu", "linear", "swish", "silu"):
            assert registry.activations.find(f"{package}:{name}") is registry.activations.find(name)
        assert repr(cynn.Dense(3, activation=f"{package}:relu")) == repr(cynn.Dense(3, activation="relu"))

    def test_a_package_that_does_not_offer_it(self):
        for name in ("other:relu", "cynn-cube:relu", ":relue", "cynn:relue"):
            with pytest.raises(cynn.errors.UnknownNameError):
                registry.activations.find(name)

    def test_who_provides_it(self):
        for name in ("relu", "swish"):
            assert registry.activations.provider(name) == "cynn-nn"
            assert registry.activations.offers(name) == {"cynn-nn": cynn.__version__}
            assert registry.activations.origin(registry.activations.find(name)) == ("cynn-nn", cynn.__version__)


CATALOGUE = {
    "activations": {"swish": "cynn_plugins.activations.gated:Swish", "gone": "cynn_plugins.activations.gone:Gone"},
    "losses": {"huber": "cynn_plugins.losses.regression:Huber"},
}


@pytest.mark.parametrize("version", ["0.0.1", "9.9"])
def test_an_installation_under_the_former_name_is_no_second_provider(tmp_path, version):
    """Whether it is found first or last, and what it offered beyond the present one is gone."""
    (tmp_path / "site").mkdir()
    write_package(tmp_path / "site", "cynn", version, CATALOGUE)
    for order in ("sys.path.insert(0, {!r})", "sys.path.append({!r})"):
        code = f"""
import sys
{order.format(str(tmp_path / "site"))}
import cynn
from cynn import registry
assert registry.activations.provider("swish") == "cynn-nn"
assert registry.activations.describe("swish")[2:4] == ("cynn-nn", cynn.__version__)
assert registry.losses.offers("huber") == {{"cynn-nn": cynn.__version__}}
assert "swish" in registry.activations.names() and "gone" not in registry.activations.names()
"""
        result = run(tmp_path / "elsewhere", "-c", code)
        assert result.returncode == 0, result.stderr


def test_an_installation_under_the_former_name_alone_is_ours(monkeypatch):
    from importlib.metadata import EntryPoint

    class Former:
        name, version = "cynn", "0.0.1"

    point = EntryPoint("swish", "cynn_plugins.activations.gated:Swish", "cynn.activations")
    vars(point).update(dist=Former())
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: [point])
    monkeypatch.setattr(registry.activations, "_entry_points", None)
    assert registry.activations.offers("swish") == {"cynn-nn": cynn.__version__}
    assert registry.activations.find("cynn:swish").name == "swish"


class TestModelFiles:
    @pytest.fixture
    def model(self, tmp_path):
        """A function that makes a model file whose activation is said to be of a package."""

        def make(name="swish", **plugin):
            path = tmp_path / "model.safetensors"
            cynn.Network.mlp([2, 3, 1], activation="tanh", seed=0).save(path)
            with safe_open(path, framework="numpy") as file:
                metadata = file.metadata()
            metadata["network"] = metadata["network"].replace('"tanh"', json.dumps(name))
            said = {"kind": "activation", "name": name, "distribution": "cynn", "version": cynn.__version__}
            metadata["plugins"] = json.dumps([said | plugin])
            del metadata["sha256"]
            save_file(load_file(path), path, metadata)
            return path

        return make

    @pytest.mark.parametrize("package", ["cynn", "cynn-nn", "cynn_nn"])
    @pytest.mark.parametrize("name", ["swish", "relu"])
    def test_both_names_are_ours(self, model, package, name):
        assert cynn.load(model(name, distribution=package)).layers[0].activation.name == name

    def test_another_version(self, model):
        with pytest.warns(CynnWarning, match=r"of 'cynn-nn 0\.0\.1'; .*: pip install \"cynn-nn==0\.0\.1\"$"):
            cynn.load(model(version="0.0.1"))

    def test_what_we_offer_no_more(self, model):
        with pytest.raises(PluginError, match=r"from the package 'cynn-nn 0\.0\.1': pip install \"cynn-nn\"$"):
            cynn.load(model("gone", version="0.0.1"))

    @pytest.mark.parametrize(
        "package",
        ["cube; rm -rf ~", "--index-url=http://x", "-r x", "a b", "a\nb", "cube\x1b[31m", "$(x)", "`x`", "",
         "\u202ecube", "https://x/y.whl", "../cube", 'a"b', "cube\n", "é"],
    )  # fmt: skip
    def test_a_package_that_is_none_is_no_name_for_pip(self, model, package):
        with pytest.raises(ModelFileError) as caught:
            cynn.load(model("cube", distribution=package))
        assert "pip" not in str(caught.value)
        assert str(caught.value).isprintable()

    @pytest.mark.parametrize("part", ["name", "version"])
    def test_other_texts_are_quoted(self, model, part):
        with pytest.raises(PluginError, match="needs activation") as caught:
            cynn.load(model(**{"name": "cube", "distribution": "some-cube"} | {part: 'a"; \x1b[31m\nrm'}))
        assert str(caught.value).isprintable()
        assert str(caught.value).endswith(': pip install "some-cube"')

    def test_a_module_is_quoted(self, model):
        with pytest.raises(PluginError, match=r"of the module 'a\\x1b\[31m' that no package") as caught:
            cynn.load(model("cube", distribution="a\x1b[31m", version="unpackaged"))
        assert str(caught.value).isprintable()


def test_names_are_compared_as_pip_does():
    assert package_names.canonical("My.Plug__in") == "my-plug-in"
    assert not package_names.is_valid("cube\n")
