"""Every block of code in the documentation runs as shown, or says here why it does not."""

import doctest
import re
import shlex
from itertools import pairwise

import numpy as np
import pytest
from code_blocks import COLUMN, DOCS, ROOT, blocks, name_of, pages
from printed import agrees

import cynn
from cynn import cli

OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
#: Pages whose blocks another module runs.
ELSEWHERE = {
    "README.md": "docs/test_readme.py",
    "plots.rst": "docs/test_docs.py",  # its networks are trained for one epoch alone
    "learn/": "docs/test_learn.py",
    "how_do_i.rst": "docs/test_how_do_i.py",  # some recipes need other libraries
    "tables.rst": "sklearn/test_tables_page.py",  # it needs pandas
    "case_studies/": "interop/test_case_studies.py",  # it compiles and runs what these write
    "in_scipy_pytorch_jax.rst": "interop/test_derivatives_elsewhere.py",  # it needs these
}
#: Lines of shell that no test runs, by how they begin, and why.
NOT_RUN = {
    "pip install -e ": "the README's command, which .ci/run runs, does the same",
    "pip install --no-build-isolation ./": "test_plugin_packages installs what new-plugin writes",
    "pip install --upgrade setuptools": "the tests have these",
    "pip install -r benchmarks": "it brings other frameworks",
    "pip install build": "the tests have it",
    "python -m build": "test_published_packages runs it",
    "export PIP_FIND_LINKS": "test_published_packages sets it",
    "cynn new-plugin": "test_docs runs it",
    "cynn train --data flats.csv": "cli/test_table_commands runs the like, which needs pandas",
    "cynn predict flats": "likewise",
    "cynn evaluate flats": "likewise",
    "cynn export flats": "sklearn/test_exported_tables runs the like",
    "cynn compare flats": "cli/test_table_commands runs the like",
    "cynn watch": "cli/test_watch runs it, without a browser",
    "cynn check my_layer": "test_plugin_packages checks what new-plugin writes",
    "cynn check my_activation": "test_plugin_packages checks what new-plugin writes",
    "python -m benchmarks": "test_benchmarks runs it on less",
    "git ls-files": "a step of .ci/run",
    "gcc ": "tests/interop compile such files",
    "gfortran ": "likewise, where there is one",
    "python3 -m venv": "a step of .ci/run",
    ". .venv/bin/activate": "a step of .ci/run",
    "CYNN_DEBUG=1 CYNN_NATIVE=1 CYNN_SANITIZE=": "it compiles for minutes",
    ".ci/sanitized": "it needs such a build",
    ".venv/bin/": "a step of .ci/run",
}
#: Blocks that are no code, by how they begin, and what they are.
SHOWN = {
    '#include "digits.h"': "tests/interop compile such programs",
    '#include "closure.h"': "likewise",
    "program main": "tests/interop compile such programs, where there is gfortran",
    "#include <cynn/vector_math.h>": "test_docs compiles it",
    "from libc.stdint cimport int64_t": "test_docs compiles it",
    "import pandas": "data/test_frames.py does the same, with pandas",
    "# train.py, to be run": "tests/distributed train on ranks of MPI, with the extra",
    "from sklearn.neural_network": "tests/interop do the same, with scikit-learn",
    "from river import": "tests/interop do the same, with the extra",
    "net = cynn.interop.keras.adopt": "tests/interop adopt models, with the extra",
    "net = cynn.interop.torch.adopt": "tests/interop adopt modules, with the extra",
    "module = cynn.interop.torch.export": "tests/interop export modules, with the extra",
    "net = cynn.interop.onnx.adopt": "tests/interop adopt such files, with the extra",
    'net.to_onnx("digits.onnx"': "tests/interop write such files, with the extra",
    "float x[DIGITS_INPUTS]": "tests/interop call such functions",
    "To go on from the checkpoint": "a message",
    "from optuna_integration import": "sklearn/test_pipelines runs the like, with Optuna",
    "view = net.watch": "web/test_widget does the same, with the extra",
    '[project.entry-points."cynn.activations"]': "a part of a pyproject.toml such as new-plugin writes",
}
#: Wider lines, by how they begin, and why.
WIDER = {
    "python3 -m venv .venv": ".ci/run runs the README's command, which is one line to be copied",
    ". .venv/bin/activate && ": "likewise",
}
EXAMPLES = DOCS / "examples" / "plugins"
PAGES = {name_of(path): path for path in pages()}
BLOCKS = [block for path in PAGES.values() for block in blocks(path)]


def runs_elsewhere(page):
    return next((module for start, module in ELSEWHERE.items() if page.startswith(start)), None)


def of_kind(page, *kinds):
    return [block for block in blocks(PAGES[page]) if block.kind in kinds]


def commands(block):
    """The commands of a block of shell: a line each, or several that end in backslashes."""
    return [line for line in block.code.replace("\\\n", "").splitlines() if line.strip()]


def has_python(page):
    return not runs_elsewhere(page) and bool(of_kind(page, "python", "doctest", "plot"))


@pytest.fixture
def run_page(tmp_path, monkeypatch, capsys):
    """What the blocks of a page leave behind, run one after the other in an empty folder, and what they print.

    A block of text is what the code before it has printed, and what code prints stands in one.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(DOCS / "_extensions")  # as docs/conf.py does

    def run(page):
        names, said, printed, unshown = {}, [], [], {}
        runner = doctest.DocTestRunner(optionflags=OPTIONS)
        for block in of_kind(page, "python", "doctest", "plot", "text"):
            if block.kind == "text":
                assert agrees(printed[-1], block.code), f"{block} must be\n{printed[-1]}"
                unshown.popitem()
                continue
            if ">>>" in block.code:
                test = doctest.DocTestParser().get_doctest(block.code, names, page, page, block.line)
                runner.run(test, out=said.append, clear_globs=False)
                assert runner.failures == 0, "".join(said)
                names = test.globs
            else:
                exec(compile(block.code, str(block), "exec"), names)
            printed.append(capsys.readouterr().out)
            if printed[-1]:
                unshown[str(block)] = printed[-1]
        assert not unshown, "what is printed must be shown"
        return names, "".join(printed)

    return run


def quickstart(names, out, folder):
    assert "13,002" in out
    assert (folder / "digits.safetensors").exists()
    assert names["net"].layers[0].weights.shape == (784, 16)


def layers(names, out, folder):
    assert names["history"].epochs == 2
    assert "dead" in out


def training(names, out, folder):
    assert "the best was" in out
    assert names["stopping"].best > 0.8
    assert (folder / "log.csv").exists()


def checkpoints(names, out, folder):
    assert names["history"].epochs == 4
    assert "004-000300" in out
    assert sorted(path.name for path in folder.iterdir()) == ["best.safetensors", "run", "run.safetensors"]


#: What is to be so after a page besides that it ran.
AFTER = {"quickstart.rst": quickstart, "layers.rst": layers, "training.rst": training,
         "checkpoints.rst": checkpoints}


@pytest.mark.parametrize("page", [page for page in PAGES if has_python(page)])
def test_a_page_runs_as_shown(page, run_page, tmp_path):
    names, out = run_page(page)
    if page in AFTER:
        AFTER[page](names, out, tmp_path)


@pytest.mark.parametrize("page", [page for page in PAGES if of_kind(page, "sh") and not runs_elsewhere(page)])
def test_commands_run(page, tmp_path, monkeypatch):
    """On fewer digits, and a file of the name that the pages use."""
    (x, y), (x_test, y_test) = cynn.datasets.load_mnist()
    few = (x[:6000], y[:6000]), (x_test[:200], y_test[:200])
    monkeypatch.setattr(cynn.datasets, "load_mnist", lambda: few)
    monkeypatch.chdir(tmp_path)
    np.savez("flowers.npz", x=np.random.default_rng(0).normal(size=(60, 4)), y=np.arange(60) % 3)
    for block in of_kind(page, "sh"):
        for line in commands(block):
            if not line.startswith(tuple(NOT_RUN)):
                program, *arguments = shlex.split(line)
                assert program == "cynn", f"{block}: nobody runs {line!r}"
                if "plot" in line:
                    pytest.importorskip("matplotlib")
                assert cli.main(arguments) == 0, line


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_somebody_runs_it(block):
    """A new block of another kind, or on another page, is to be run, or to have a reason."""
    module = runs_elsewhere(block.page)
    if module:
        assert (ROOT / "tests" / module).exists()
    elif block.kind == "sh":
        assert commands(block)
    elif block.kind == "literalinclude":  # test_docs reads these, other tests build and run them
        assert block.argument.startswith(
            ("../cynn/", "../cynn_plugins/", "../tests/support/data/layer_plugins/", "examples/plugins/")
        )
    elif block.kind == "literal" and all(line.startswith(tuple(NOT_RUN)) for line in commands(block)):
        assert commands(block)
    elif block.kind not in ("python", "doctest", "plot", "text"):
        assert block.code.startswith(tuple(SHOWN)), f"{block}: nobody runs it"


def test_no_reason_is_left_over():
    lines = [line for block in BLOCKS for line in block.code.splitlines()]
    for start in (*NOT_RUN, *SHOWN, *WIDER):
        assert any(line.startswith(start) for line in lines), start
    for start in ELSEWHERE:
        assert start == "learn/" or any(page.startswith(start) for page in PAGES), start


@pytest.mark.parametrize("page", [page for page in PAGES if has_python(page)])
def test_text_is_what_code_has_printed(page):
    kinds = [block.kind for block in of_kind(page, "python", "doctest", "plot", "text")]
    assert "text" not in kinds[:1]
    assert ("text", "text") not in pairwise(kinds)


@pytest.mark.parametrize("page", PAGES)
def test_code_fits_its_column(page):
    lines = [(block.line, line) for block in blocks(PAGES[page]) for line in block.code.splitlines()]
    assert [each for each in lines if len(each[1]) > COLUMN and not each[1].startswith(tuple(WIDER))] == []


def test_the_examples_of_plugins_fit_the_column_of_a_page():
    paths = [path for path in EXAMPLES.rglob("*") if path.suffix in (".c", ".py", ".pyx", ".toml")]
    assert len(paths) > 10
    lines = [(path, line) for path in paths for line in path.read_text(encoding="utf-8").splitlines()]
    assert [each for each in lines if len(each[1]) > COLUMN] == []


def test_decimals_may_differ_a_little():
    assert agrees("x = 0.91, 3 rows\n", "x = 0.93,  3 rows")
    assert agrees("[1.2e-05 -3.0]", "[1.6e-05 -3.1]")
    assert not agrees("0.91", "0.97")
    assert not agrees("0.9 4", "0.9 3")
    assert not agrees("0.9", "0.9 0.9")
    assert not agrees("[1.2e-05]", "[1.2e-04]")
    assert not agrees("-0.50", "0.50")


def test_blocks_are_found(tmp_path, monkeypatch):
    page = tmp_path / "page.rst"
    page.write_text(
        ".. code-block:: python\n\n    a = 1\n\n    b = 2\n\nText::\n\n    literal\n\n- in a list\n\n"
        "  .. code-block:: sh\n     :caption: one\n\n     cynn train\n\n>>> 1 + 1\n2\n\n.. note:: no block\n",
        encoding="utf-8",
    )
    monkeypatch.setattr("code_blocks.DOCS", tmp_path)
    found = [(block.kind, block.code) for block in blocks(page)]
    assert found == [
        ("python", "a = 1\n\nb = 2\n"),
        ("literal", "literal\n"),
        ("sh", "cynn train\n"),
        ("doctest", ">>> 1 + 1\n2\n"),
    ]


def test_the_readme_has_a_name_for_every_block():
    source = (ROOT / "tests" / "docs" / "test_readme.py").read_text(encoding="utf-8")
    for block in of_kind("README.md", *{block.kind for block in BLOCKS}):
        name = block.argument.removeprefix("command: ")
        assert name, f"{block} must have a line <!-- name --> above it, by which test_readme runs it"
        assert re.search(rf'"{name}"', source), f"{block}: test_readme does not run {name!r}"


def test_the_pages_are_those_of_the_site():
    assert DOCS / "quickstart.rst" in PAGES.values()
    assert not [page for page in PAGES if page.startswith("reference/generated")]
