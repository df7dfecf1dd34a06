"""The code of the gallery fits the column of its page, as that of other pages does."""

import ast
import re

import pytest
from code_blocks import COLUMN, DOCS

GALLERY = DOCS / "examples" / "gallery"


@pytest.mark.parametrize("path", sorted(GALLERY.glob("*.py")), ids=lambda path: path.stem)
def test_code_fits_its_column(path):
    """The docstring at the head and comments are text of the page, and not code."""
    text = path.read_text(encoding="utf-8")
    code = text.splitlines()[ast.parse(text).body[0].end_lineno :]
    assert [line for line in code if len(line) > COLUMN and not re.match(" *#", line)] == []
