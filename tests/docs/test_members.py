"""The tables at the head of large classes in the reference: every public method is in one, or is named as internal."""

import importlib
import inspect
from pathlib import Path

import pytest
from public_names import find, members

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def tables():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(DOCS / "_extensions")
        yield importlib.import_module("members")


def test_every_public_method_has_its_place(tables):
    for name, groups in tables.TABLES.items():
        placed = [each for names in groups.values() for each in names] + tables.INTERNAL.get(name, [])
        assert len(placed) == len(set(placed))
        assert set(placed) == {attribute for _, _, attribute in members(find(name))}


def test_networks_are_built_trained_used_inspected_and_saved(tables):
    assert list(tables.TABLES["cynn.Network"]) == ["Build", "Train", "Use", "Inspect", "Save"]


def test_internal_methods_are_on_no_page(tables):
    """But for those that are words of the field, too."""
    import cynn

    for name in tables.INTERNAL["cynn.Network"]:
        assert inspect.getattr_static(cynn.Network, name)
        for path in DOCS.glob("*.rst"):
            assert f"net.{name}(" not in path.read_text(encoding="utf-8"), (path, name)
