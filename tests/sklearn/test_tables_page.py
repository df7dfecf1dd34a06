"""The page "Tables" runs as shown, and prints what it shows."""

import re

import pytest

pytest.importorskip("sklearn")
pytest.importorskip("pandas")

from code_blocks import DOCS, blocks

pytestmark = pytest.mark.interop


def test_the_page(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names, shown = {}, ""
    for block in blocks(DOCS / "tables.rst"):
        if block.kind == "python":
            exec(compile(block.code, str(block), "exec"), names)
        elif block.kind == "text":
            shown = block.code
    printed = capsys.readouterr().out
    number = re.compile(r"\d+\.\d+")
    first = printed.split("[1. 1.]")[0]
    assert number.sub("", first).split() == number.sub("", shown).split()
    found, expected = ([float(each) for each in number.findall(text)] for text in (first, shown))
    assert found == pytest.approx(expected, abs=0.06)  # another processor, other last digits
    assert "[1. 1.] ['cheap' 'dear']" in printed
