"""What the docs show runs as shown, and the reference leaves no public name out."""

import importlib
import inspect
import re
import shutil
import subprocess
import sys
from pathlib import Path

import compiled_signatures
import public_names
import pytest
from public_names import find

import cynn
from cynn import cli, registry
from cynn.plugins import scaffold

DOCS = Path(__file__).parents[2] / "docs"
QUICKSTART = (DOCS / "quickstart.rst").read_text(encoding="utf-8")
COMMAND_LINE = (DOCS / "command_line.rst").read_text(encoding="utf-8")
#: Every module whose names are for users.
MODULES = ["cynn", "cynn.training.diagnosis", "cynn.data.images", "cynn.testing"]
MODULES += [f"cynn.{name}" for name in cynn.__all__ if inspect.ismodule(getattr(cynn, name))]
#: What other modules of CyNN import, and users need not.
INTERNAL = {
    "cynn.constraints": {"get"},
    "cynn.training.diagnosis": {"dead_share", "diagnose", "gradient_norms", "parameters_of"},  # of diagnose and of Live
    "cynn.errors": {"check_number", "check_whole_number"},
    "cynn.initializers": {"check_name", "get", "initial_weights"},
    "cynn.layers": {"arrays", "as_values", "compose", "of_network", "walk"},
    "cynn.metrics": {"greater_is_better", "of_outputs", "resolve"},
    "cynn.regularizers": {"get"},
    "cynn.schedules": {"learning_rate_of", "started"},
}


def test_the_short_form_is_the_same_network():
    (short,) = re.findall(r"``(cynn\.Network\.mlp\(.*?\))``", QUICKSTART)
    net = eval(short, {"cynn": cynn})
    assert net.parameter_count == 13_002
    assert net.input.scale == 1 / 255
    assert [layer.activation.name for layer in net.layers] == ["sigmoid", "sigmoid", "softmax"]


@pytest.mark.parametrize("module", MODULES)
def test_the_reference_is_complete(module):
    owner = find(module)
    listed = [find(f"cynn.{name}") for name in public_names.listed()]
    for name in set(owner.__all__) - INTERNAL.get(module, set()):
        thing = getattr(owner, name)
        if (inspect.isclass(thing) or inspect.isroutine(thing)) and thing is not cynn.CynnError:
            assert any(thing is one for one in listed), name


def test_what_is_internal_is_there():
    for module, names in INTERNAL.items():
        assert names <= set(find(module).__all__)


def test_every_compiled_module_with_a_public_stub_is_in_the_reference():
    assert {name.replace("/", ".") for name in compiled_signatures.PUBLIC} <= set(public_names.listed())


def test_everything_in_the_catalogue_has_its_place():
    """What comes with CyNN and is not in the reference is on the page of the registry's contents."""
    page = (DOCS / "catalogue.rst").read_text(encoding="utf-8")
    for kind, of_kind in registry.OF_KIND.items():
        assert re.search(rf"^\.\. catalogue:: {kind}$", page, re.MULTILINE)
        assert of_kind.names()


def test_every_command_and_option_is_in_the_docs(capsys):
    commands = re.findall(r"^``cynn (\w[\w-]+)", COMMAND_LINE, re.MULTILINE)
    listed = re.findall(r"^    (\w[\w-]+)(?: |$)", cli._parser().format_help(), re.MULTILINE)
    assert set(commands) == set(listed)
    for command in commands:
        with pytest.raises(SystemExit):
            cli.main([command, "--help"])
    real = set(re.findall(r"--[a-z][a-z-]*", capsys.readouterr().out)) | {"--version"}
    assert set(re.findall(r"--[a-z][a-z-]*", COMMAND_LINE)) <= real


def test_the_page_of_pictures_draws_as_shown(monkeypatch):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    text = (DOCS / "plots.rst").read_text(encoding="utf-8")
    blocks = re.findall(r"^\.\. plot::\n((?:   :.*\n)+)\n((?:   .*\n|\n)+)", text, re.MULTILINE)
    assert len(blocks) == 10
    assert [":alt:" in options or ":nofigs:" in options for options, _ in blocks] == [True] * 10
    epochs = iter([1])  # this is about the code, not about the digits
    fit = cynn.Network.fit
    monkeypatch.setattr(cynn.Network, "fit", lambda *a, **o: fit(*a, **o | {"epochs": next(epochs)}))
    namespace = {}
    pyplot.close("all")  # what other tests have left open
    for options, code in blocks:
        exec(re.sub(r"^   ", "", code, flags=re.MULTILINE), namespace)
        assert len(pyplot.get_fignums()) == (":nofigs:" not in options)
        pyplot.close("all")
    shown = set(re.findall(r"cynn\.plot\.(\w+)\(", text))
    assert shown == set(cynn.plot.__all__)


class TestPluginPages:
    ABI = (DOCS / "abi.rst").read_text(encoding="utf-8")
    HEADER = Path(cynn.get_include(), "cynn", "abi.h").read_text(encoding="utf-8")

    def included(self):
        """What the page shows of the header, as Sphinx cuts it out."""
        shown = ""
        pattern = r"literalinclude:: \.\./cynn/include/cynn/abi\.h\n((?:   :.*\n)+)"
        for options in re.findall(pattern, self.ABI):
            given = dict(re.findall(r"^   :([\w-]+): (.*)$", options, re.MULTILINE))
            start = self.HEADER.index(given["start-at"]) if "start-at" in given else 0
            if "end-at" in given:
                end = self.HEADER.index(given["end-at"], start) + len(given["end-at"])
            else:
                end = self.HEADER.index(given["end-before"], start)
            shown += self.HEADER[start:end]
        return shown

    def test_every_file_for_kernels_in_cython_is_on_the_page(self):
        for path in Path(cynn.__file__).parent.glob("*.pxd"):
            assert f"\n``cynn.{path.stem}``" in self.ABI

    def test_every_name_of_the_header_is_on_the_page(self):
        shown = self.included()
        names = set(re.findall(r"\b(?:CYNN|cynn)_\w+", self.HEADER)) - {"CYNN_ABI_H"}
        assert len(names) > 20
        assert not [name for name in names if name not in shown]
        for comment in re.findall(r"/\*.*?\*/", self.HEADER, re.DOTALL):
            assert comment in shown

    def test_every_name_on_the_page_is_in_the_header(self):
        blas = Path(cynn.get_include(), "cynn", "blas.h").read_text(encoding="utf-8")
        for name in re.findall(r"\bCYNN_\w+", self.ABI):
            assert name in self.HEADER or name in blas
        for name in re.findall(r"``(abi_\w+|struct_size|n_slots)``", self.ABI):
            assert re.search(rf"\b{name}\b", self.HEADER)

    @pytest.mark.parametrize("page", ["plugins.rst", "abi.rst"])
    def test_what_is_included_is_there(self, page):
        text = (DOCS / page).read_text(encoding="utf-8")
        for path, options in re.findall(r"literalinclude:: (\S+)\n((?:   :.*\n)+)", text):
            source = (DOCS / path).read_text(encoding="utf-8")
            for _, marker in re.findall(r":(start-at|end-at|end-before): (.*)", options):
                assert marker in source
            for name in re.findall(r":pyobject: (\w+)", options):
                assert f"class {name}(" in source

    def test_the_commands_run(self, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        text = (DOCS / "plugins.rst").read_text(encoding="utf-8")
        lines = re.findall(r"^    cynn (new-plugin .*)$", text, re.M)
        assert [cli.main(line.split()) for line in lines] == [0, 0, 0]
        files = {each for pair in re.findall(r"^``([^`]+)``(?:, ``([^`]+)``)? {2,}", text, re.M) for each in pair}
        files = {file for file in files if re.search(r"[./]", file) and "(" not in file}
        assert len(files) == 9
        for file in files:
            assert (tmp_path / "my-activation" / file).exists(), file
        assert (tmp_path / "lab-plugins" / "lab_plugins" / "bright" / "_kernel.c").exists()
        assert (tmp_path / "lab-plugins" / "lab_plugins" / "steady" / "__init__.py").exists()

    def test_every_kind_is_shown_whole_in_every_language(self, monkeypatch):
        monkeypatch.syspath_prepend(DOCS / "_extensions")
        written_packages = importlib.import_module("written_packages")
        pages = [DOCS / "plugins.rst", DOCS / "write_layer.rst"]
        shown = [each for page in pages for each in written_packages.shown(page.read_text(encoding="utf-8"))]
        for kind in scaffold.KINDS:
            for language in scaffold.languages(kind):
                files = {file for *key, file in shown if key == [kind, language]}
                source = {"cython": "_kernel.pyx", "c": "_kernel.c", "numba": "_kernel.py", "python": "__init__.py"}
                assert source[language] in files, (kind, language)
        for kind, language, file in shown:
            text = written_packages.written(kind, language)[file]
            assert f"my_{kind}" in text
            assert "$" not in text

    def test_the_signatures_for_numba_are_those_of_the_templates(self):
        page = (DOCS / "plugins.rst").read_text(encoding="utf-8")
        told = re.findall(r"^\w+, ``(?:forward|backward|value_and_gradient|step|gradient)``.*  ``(.*)``$", page, re.M)
        templates = Path(cynn.__file__).parent / "plugins" / "templates" / "numba"
        code = "".join("".join(path.read_text(encoding="utf-8").split()) for path in templates.glob("*_kernel.py.in"))
        code = code.replace("types.", "").replace("slots_type)", "CPointer(array))")
        assert len(told) == 6
        for signature in told:
            assert signature.replace(" ", "") in code


class TestVectorMathPage:
    PAGE = (DOCS / "vector_math.rst").read_text(encoding="utf-8")

    def block(self, language):
        (found,) = re.findall(rf"^\.\. code-block:: {language}\n\n((?:    .*\n|\n)+)", self.PAGE, re.M)
        return re.sub("^    ", "", found, flags=re.M)

    def test_every_function_is_there(self):
        header = Path(cynn.get_include(), "cynn", "vector_math.h").read_text(encoding="utf-8")
        names = re.findall(r"^static inline \w+ cynn_(\w+)_f32\((?:float|double) x\)", header, re.M)
        assert len(names) == 10
        for name in names:
            assert f"``cynn_{name}_f32``, ``_f64``" in self.PAGE
        declared = (Path(cynn.__file__).parent / "vector_math.pxd").read_text(encoding="utf-8")
        names = re.findall(r"^cdef inline floating (\w+)\(", declared, re.M)
        assert len(names) == 13
        for name in names:
            assert re.search(rf"^[`\\].* ``{name}`` ", self.PAGE, re.M), name

    def test_the_code_compiles(self, tmp_path):
        compiler = shutil.which("cc") or pytest.skip("no C compiler")
        (tmp_path / "in_c.c").write_text(self.block("c"))
        (tmp_path / "in_cython.pyx").write_text(self.block("cython"))
        options = ["-Wall", "-Wno-unused-function", "-Wno-unused-parameter", "-Werror", f"-I{cynn.get_include()}"]
        subprocess.run([compiler, *options, "-fsyntax-only", "in_c.c"], cwd=tmp_path, check=True)
        include = Path(cynn.__file__).parents[1]
        subprocess.run([sys.executable, "-m", "cython", "-3", "-I", include, "in_cython.pyx"], cwd=tmp_path, check=True)

    def test_the_bounds_are_those_that_are_tested(self):
        bounds = {"log": 1, "exp": 2, "log1p": 2, "tanh": 2, "sin": 2, "cos": 2, "erf": 3, "erfc": 5, "expm1": 5}
        source = (Path(__file__).parents[1] / "engine" / "test_vector_math.py").read_text(encoding="utf-8")
        assert {name: int(bound) for name, bound in re.findall(r'^    "(\w+)": \((\d), \(', source, re.M)} == bounds
        told = re.search(r"^A test holds (.*\n?.*)\.$", self.PAGE, re.M)[1]
        parts = re.findall(r"((?:``\w+``(?:, | and )?)+) to (\d)", told)
        assert {name: int(bound) for names, bound in parts for name in re.findall(r"``(\w+)``", names)} == bounds


def test_the_gallery_has_a_place_for_every_script():
    """The build of the pages would fail without."""
    order = (DOCS / "_extensions" / "pictures.py").read_text(encoding="utf-8")
    listed = re.findall(r'^    "(\w+)",$', order, re.MULTILINE)
    assert sorted(listed) == sorted(path.stem for path in (DOCS / "examples" / "gallery").glob("*.py"))
