"""The catalogue in the docs: a section for everything in the registry, the same at every build."""

import re
import textwrap
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

import cynn
from cynn import registry

pytest.importorskip("matplotlib")
pytest.importorskip("sphinx")

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "catalogue.rst").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def catalogue():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(DOCS / "_extensions")
        import catalogue

        yield catalogue


@pytest.fixture(scope="module")
def sections(catalogue):
    """The lines of every section, by kind and name."""
    return {
        (kind, name): catalogue.section(of_kind, name)
        for kind, of_kind in registry.OF_KIND.items()
        for name in catalogue.names(of_kind)
    }


def svg(lines):
    text = "\n".join(line.strip() for line in lines)
    return text[text.index("<svg") : text.index("</svg>") + len("</svg>")]


def test_everything_that_comes_with_cynn_has_a_section(sections):
    for kind, of_kind in registry.OF_KIND.items():
        own = {of_kind.find(name).name for name in of_kind.names() if of_kind.provider(name) == "cynn-nn"}
        assert {name for of, name in sections if of == kind} == own
        assert f".. catalogue:: {kind}" in PAGE


def test_formula_source_and_hyperparameters(sections):
    for (kind, name), lines in sections.items():
        text = "\n".join(lines)
        cls = registry.OF_KIND[kind].find(name)
        assert " ".join(cls.__doc__.split()[:3]) in " ".join(text.replace("\\|", "|").split())
        assert re.search("^Sources?: ", text, re.M) or name in ("identity", "mean_absolute_error")
        for hyperparameter, declared in cls.hyperparameters.items():
            default = declared.default if isinstance(declared.default, bool) else f"{declared.default:g}"
            row = f"- ``{hyperparameter}``\n     - {default}\n"
            assert row in text, row
        for alias in cls.aliases:
            assert f"``{alias}``" in text


def test_activations_and_losses_have_two_curves(sections):
    for (kind, name), lines in sections.items():
        if kind == "optimizer":
            assert not any("svg" in line for line in lines)
            continue
        picture = svg(lines)
        assert ElementTree.fromstring(picture).tag.endswith("svg")
        for colour, wanted in [("primary", 2), ("secondary", 2 if kind == "loss" else 0)]:
            curves = re.findall(rf'<path d="[^"]+" clip-path[^>]* stroke: var\(--pst-color-{colour}\b', picture)
            assert len(curves) == wanted, name
        assert "nan" not in picture
        assert not re.search("#0[1-4]0[1-4]0[1-4]", picture)  # every stand-in has a colour of the theme


def test_ids_are_unique_on_the_page_or_the_same_thing(sections):
    found = {}
    for kind, name in sections:
        if kind == "optimizer":
            continue
        for element in ElementTree.fromstring(svg(sections[kind, name])).iter():
            if "id" in element.attrib:
                content = ElementTree.tostring(element)
                assert found.setdefault(element.attrib["id"], content) == content, (name, element.attrib["id"])


def test_the_same_at_every_build(catalogue, sections):
    for kind, name in [("activation", "mish"), ("loss", "huber"), ("optimizer", "muon")]:
        assert catalogue.section(registry.OF_KIND[kind], name) == sections[kind, name]


def test_what_is_not_ours_stays_out(catalogue, monkeypatch):
    class Mine(cynn.activations.Activation):
        name = "mine"

    monkeypatch.setitem(registry.activations._registered, "mine", Mine)
    assert "mine" not in catalogue.names(registry.activations)


def test_the_curves_are_those_of_the_functions(catalogue, monkeypatch):
    drawn = []
    monkeypatch.setattr(catalogue.curves, "_draw", lambda x, label, panels: drawn.append((x, panels)))
    catalogue.curves.of_activation(registry.activations.get("tanh"))
    catalogue.curves.of_activation(registry.activations.get("softmax"))
    catalogue.curves.of_activation(registry.activations.get("sine"))
    catalogue.curves.of_activation(registry.activations.get("relu6"))
    (z, panels), (z_row, of_row), (z_sine, _), (z_relu6, _) = drawn
    np.testing.assert_allclose(panels[0][1][0][0], np.tanh(z))
    np.testing.assert_allclose(panels[1][1][0][0], 1 - np.tanh(z) ** 2, atol=1e-12)
    s = 1 / (1 + np.exp(-z_row))
    np.testing.assert_allclose(of_row[0][1][0][0], s)
    np.testing.assert_allclose(of_row[1][1][0][0], s * (1 - s), atol=1e-12)
    assert z_sine[-1] < 1  # a few periods
    assert z_relu6[-1] > 6  # beyond the last kink


@pytest.mark.parametrize(
    ("name", "curves"),
    [
        ("mean_squared_error", {"-1": lambda p: (p + 1) ** 2, "1": lambda p: (p - 1) ** 2}),
        ("hinge", {"-1": lambda p: np.maximum(0, 1 + p), "1": lambda p: np.maximum(0, 1 - p)}),
        ("binary_cross_entropy", {"0": lambda p: -np.log(1 - p), "1": lambda p: -np.log(p)}),
        ("cross_entropy", {"(1, 0)": lambda p: -np.log(p), "(0, 1)": lambda p: -np.log(1 - p)}),
        ("gamma", {"1": lambda p: 1 / p + np.log(p) - 1, "2": lambda p: 2 / p - np.log(2 / p) - 1}),
    ],
)
def test_the_curves_of_losses_are_those_of_the_functions(catalogue, monkeypatch, name, curves):
    drawn = []
    monkeypatch.setattr(catalogue.curves, "_draw", lambda p, label, panels: drawn.append((p, panels)))
    catalogue.curves.of_loss(registry.losses.get(name))
    ((p, ((_, values), (_, slopes))),) = drawn
    assert [label for _, label in values] == [label for _, label in slopes] == [f"target {t}" for t in curves]
    for (value, _), (slope, _), f in zip(values, slopes, curves.values(), strict=True):
        np.testing.assert_allclose(value, f(p), atol=1e-9)
        if name != "cross_entropy":  # there both outputs move
            assert abs(np.median(slope - np.gradient(f(p), p))) < 1e-3


def test_the_examples_run():
    (block,) = re.findall(r"\.\. code-block:: python\n\n((?:(?:    .*)?\n)+)", PAGE)
    exec(textwrap.dedent(block), {})
