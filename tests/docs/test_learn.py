"""The lecture in the docs: every block of code runs, prints what the page says and draws what it should."""

import doctest
import re
from pathlib import Path

import pytest

LEARN = Path(__file__).parents[2] / "docs" / "learn"
PAGES = re.findall(r"^   (\w+)$", (LEARN / "index.rst").read_text(encoding="utf-8"), re.MULTILINE)
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def page(name):
    return (LEARN / f"{name}.rst").read_text(encoding="utf-8")


def blocks(name):
    """The options and the code of each block, and the line that it begins in."""
    text = page(name)
    for found in re.finditer(r"^\.\. plot::\n((?:   :.*\n)+)\n((?:   .*\n|\n)+)", text, re.MULTILINE):
        yield found[1], re.sub(r"^   ", "", found[2], flags=re.MULTILINE), text[: found.start(2)].count("\n")


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
    assert not re.search(r"(?<!plot)::$", text, re.MULTILINE)
    assert sum(code.count(">>>") for _, code, _ in blocks(name)) == text.count(">>>")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_ends_with_two_things_to_try(name):
    _, _, end = page(name).rpartition("\nTry\n---\n")
    assert len(re.findall(r"^- ", end, re.MULTILINE)) == 2
    assert "\n---" not in end
