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


def test_no_example_prints_a_warning():
    for path in Path(SITE, "gallery").glob("*.html"):
        assert not re.search(r"Warning:|site-packages", path.read_text(encoding="utf-8")), path


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


def test_names_of_layers_are_links():
    page = text_of("layers")
    for name, target in [
        ("Dense", "reference/generated/cynn.Dense.html#cynn.Dense"),
        ("batch_ensemble", "catalogue/layers/batch_ensemble.html#cynn_plugins.layers.members.BatchEnsemble"),
    ]:
        link = rf'<a class="[^"]*" href="{re.escape(target)}"[^>]*><code[^>]*><span class="pre">{name}<'
        assert re.search(link, page)


def test_the_reference_of_networks_begins_with_a_table():
    page = text_of("reference/generated/cynn.Network")
    parts = ["Build", "Train", "Use", "Inspect", "Save"]
    places = [page.index(f'<p class="rubric">{part}</p>') for part in parts]
    assert places == sorted(places)
    assert places[-1] < page.index('id="cynn.Network"')
    assert 'href="#cynn.Network.fit"' in page[places[1] : places[2]]
    assert "raise_unusable" not in page


def test_the_page_of_speed_begins_with_charts():
    page = text_of("speed")
    assert page.index('<table class="cynn-bars">') < page.index('<table class="table')


def test_the_overview_of_the_gallery_says_what_each_script_is_about():
    page = text_of("gallery/index")
    count = page.count('class="sphx-glr-thumbcontainer"')
    assert count == page.count('<p class="about">') > 10


def test_pictures_are_drawn_for_the_dark_too():
    for page in ("plots", "learn/layers", "gallery/digits", "gallery/index"):
        found = [tag for tag in re.findall("<img[^>]*>", text_of(page)) if "only-dark" in tag and "_images/" in tag]
        assert found, page
        for tag in found:
            path = re.search(r'src="([^"]+)"', tag)[1]
            assert path.endswith(".dark.png")
            assert Path(SITE, page).parent.joinpath(path).exists()


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
