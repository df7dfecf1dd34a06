"""Every recipe of the page "How do I …?" runs by itself and prints what is shown; it ends with a link to more."""

import re

import pytest
from code_blocks import DOCS, blocks
from printed import agrees

PAGE = (DOCS / "how_do_i.rst").read_text(encoding="utf-8")
#: What the environment of the other tests does not have: recipes with these need the extra `interop`.
OTHERS = r"import (pandas|onnxruntime)|interop\.torch"


def recipes():
    """The question, the code and what it prints, of each."""
    found = list(blocks(DOCS / "how_do_i.rst"))
    for code, shown in zip(found[::2], found[1::2], strict=True):
        assert (code.kind, shown.kind) == ("python", "text"), code
        question = re.findall(r"^(How .*)\n~+$", "\n".join(PAGE.splitlines()[: code.line]), re.MULTILINE)[-1]
        marks = [pytest.mark.interop] if re.search(OTHERS, code.code) else []
        yield pytest.param(code.code, shown.code, marks=marks, id=question)


@pytest.mark.parametrize(("code", "shown"), list(recipes()))
def test_a_recipe_prints_what_is_shown(code, shown, tmp_path, monkeypatch, capsys):
    if "sklearn" in code:
        pytest.importorskip("sklearn")
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "how_do_i.rst", "exec"), {"__name__": "recipe"})
    printed = capsys.readouterr().out
    assert agrees(printed, shown), printed


def test_every_question_has_one_recipe_and_a_link():
    sections = re.split(r"\n(?=How do I [^\n]+\?\n~+\n)", PAGE)[1:]
    assert len(sections) >= 45
    for section in sections:
        title = section.splitlines()[0]
        assert section.count(".. code-block:: python") == section.count(".. code-block:: text") == 1, title
        assert re.search(r"\bMore: :\w+:`", section), title
    assert len({section.splitlines()[0] for section in sections}) == len(sections)
