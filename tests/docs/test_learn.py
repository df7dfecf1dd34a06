"""The lecture in the docs: every block of code runs, prints what the page says and draws what it should."""

import doctest
import re
import textwrap
from pathlib import Path

import pytest
from code_blocks import COLUMN

LEARN = Path(__file__).parents[2] / "docs" / "learn"
PAGES = re.findall(r"^   (\w+)$", (LEARN / "index.rst").read_text(encoding="utf-8"), re.MULTILINE)
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def page(name):
    return (LEARN / f"{name}.rst").read_text(encoding="utf-8")


def blocks(name):
    """The options and the code of each block, and the line that it begins in."""
    text = page(name)
    pattern = r"^( *)\.\. plot::\n((?:\1   :.*\n)+)\n((?:\1   .*\n|\n)+)"  # of an answer, within a list
    for found in re.finditer(pattern, text, re.MULTILINE):
        yield found[2], textwrap.dedent(found[3]), text[: found.start(3)].count("\n")


def test_there_are_eight_pages():
    assert len(PAGES) == 8
    assert {path.stem for path in LEARN.glob("*.rst")} == {"index", *PAGES}
    assert re.findall(r"^#\. :doc:`(\w+)`", page("index"), re.MULTILINE) == PAGES


@pytest.mark.parametrize("name", PAGES)
def test_a_page_runs_as_shown(name, capsys):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    names, runner, said = {}, doctest.DocTestRunner(optionflags=OPTIONS), []
    pyplot.close("all")  # what other tests have left open
    for options, code, line in blocks(name):
        test = doctest.DocTestParser().get_doctest(code, names, f"{name}.rst", f"{name}.rst", line)
        assert test.examples, f"{name}.rst, line {line}: not a line begins with >>>"
        runner.run(test, out=said.append, clear_globs=False)
        names = test.globs
        assert runner.failures == 0, "".join(said)
        assert len(pyplot.get_fignums()) == (":nofigs:" not in options)
        assert (":alt:" in options) == (":nofigs:" not in options)
        pyplot.close("all")
    assert runner.tries > 5


@pytest.mark.parametrize("name", PAGES)
def test_no_code_is_left_out(name):
    """What is not in a block that runs is no code."""
    text = page(name)
    assert "code-block" not in text
    assert not re.search(r"(?<!plot)(?<!answer)(?<!math)::$", text, re.MULTILINE)
    assert sum(code.count(">>>") for _, code, _ in blocks(name)) == text.count(">>>")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_ends_with_two_things_to_try(name):
    _, _, end = page(name).rpartition("\nTry\n---\n")
    questions = re.split(r"^- ", end, flags=re.MULTILINE)[1:]
    assert len(questions) == 2
    assert "\n---" not in end
    for question in questions:
        (answer,) = re.findall(r"^  \.\. answer::\n\n((?:     .*\n|\n)+)", question, re.MULTILINE)
        assert len(answer.split()) > 10


@pytest.mark.parametrize("name", PAGES)
def test_code_fits_its_column(name):
    for _, code, line in blocks(name):
        assert max(map(len, code.splitlines())) <= COLUMN, f"{name}.rst, line {line}"


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_chosen_by_the_test_digits(name):
    """Networks are compared on rows held back from the training digits; the test digits judge one that is finished."""
    code = "\n".join(code for _, code, _ in blocks(name))
    assert "validation_data=(x_test" not in code
    loops = re.findall(r"^>>> for .*\n(?:\.\.\. .*\n)+", code, re.MULTILINE)
    assert not [loop for loop in loops if "fit(" in loop and "x_test" in loop]
