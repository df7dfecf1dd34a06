"""What the built site has: formulas, sources, answers to a search. CYNN_SITE names the folder of sphinx-build."""

import json
import os
import re
from pathlib import Path

import pytest

SITE = os.environ.get("CYNN_SITE")
pytestmark = pytest.mark.skipif(not SITE, reason="CYNN_SITE names no built site")


def text_of(page):
    return Path(SITE, f"{page}.html").read_text(encoding="utf-8")


def test_formulas_are_mathml():
    """They need no script and no request."""
    page = text_of("catalogue/activations/sigmoid")
    assert re.search(r"<mfrac>\s*<mn>1</mn>\s*<mrow>", page)
    assert text_of("catalogue").count("<math ") > 70
    for path in Path(SITE).rglob("*.html"):
        assert "MathJax" not in path.read_text(encoding="utf-8"), path


def test_nothing_is_loaded_from_elsewhere():
    loads = re.compile(
        r"""<(?:script|img|iframe|source|video)\b[^>]*\bsrc(?:set)?=["']?(?:https?:)?//"""
        r"""|<link\b[^>]*stylesheet[^>]*//"""
    )
    for path in Path(SITE).rglob("*.html"):
        assert not loads.search(path.read_text(encoding="utf-8")), path


@pytest.mark.parametrize(
    ("page", "name"),
    [
        ("reference/generated/cynn.Network", "Network.fit"),
        ("catalogue/activations/mish", "Mish"),
        ("reference/generated/cynn.kernels.cpu", "supported_levels"),  # in Cython
    ],
)
def test_sources_are_linked(page, name):
    found = re.findall(r'href="([^"#]*_modules/[^"#]*)#([\w.]+)"', text_of(page))
    target = {anchor: path for path, anchor in found}[name]
    source = Path(SITE, page).parent.joinpath(target).resolve().read_text(encoding="utf-8")
    assert f'id="{name}"' in source


def search_index():
    text = Path(SITE, "searchindex.js").read_text(encoding="utf-8")
    return json.loads(text.removeprefix("Search.setIndex(").removesuffix(")"))


@pytest.mark.parametrize(
    "word", ["panda", "pipelin", "export", "gradient", "gpu", "regress", "classifi", "onnx", "dropout", "surrog"]
)
def test_search_finds(word):
    """Words as the index has them: their stems. Some page has the word in a title, or several have it in the text."""
    index = search_index()
    titles, texts = index["titleterms"].get(word, []), index["terms"].get(word, [])
    count = [len(found) if isinstance(found, list) else 1 for found in (titles, texts)]
    assert count[0] >= 1 or count[1] >= 2
