"""What imports what, what is documented, and how long a file is."""

import ast
import importlib
import inspect
import re
from pathlib import Path

import pytest

import cynn

ROOT = Path(__file__).parents[2]
PACKAGE = Path(cynn.__file__).parent
SOURCES = sorted([*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.pyx"), *PACKAGE.rglob("*.pxd")])
PLUGINS = sorted(p for p in (PACKAGE.parent / "cynn_plugins").rglob("*.py*") if p.suffix != ".pyc")

with pytest.MonkeyPatch.context() as patch:
    patch.syspath_prepend(ROOT / "docs" / "_extensions")
    import wings

IMPORTS = [each for each in wings.imports() if each.source not in wings.DOORS]
RANK = {wing: rank for rank, wing in enumerate(wings.WINGS)}

# Imports that point upward, each with its reason. At run time, they are made inside a function.
UPWARD = {
    ("cynn.activations", "cynn.plugins.addresses"): "from_addresses makes a kernel",
    ("cynn.layers.layer", "cynn.plugins.addresses"): "likewise",
    ("cynn.losses", "cynn.plugins.addresses"): "likewise",
    ("cynn.optimizers", "cynn.plugins.addresses"): "likewise",
    ("cynn.cli", "cynn"): "the command shows what the package shows",
}


def test_every_file_is_in_a_wing():
    modules = set(wings.sources()) - wings.DOORS
    assert sorted(module for module in modules if wings.wing_of(module) is None) == []
    parts = {part for parts in wings.WINGS.values() for part in parts}
    assert parts == {module.split(".")[1] for module in modules}


def test_there_are_few_files_at_the_top():
    files = [path for path in PACKAGE.iterdir() if path.suffix in (".py", ".pyx", ".pxd")]
    assert len(files) <= 26


def test_imports_point_downward():
    """Those for types alone may point up at the model."""
    upward = {
        each[:2]
        for each in IMPORTS
        if each.target in wings.DOORS
        or RANK[wings.wing_of(each.target)] > RANK[wings.wing_of(each.source)]
        if not (each.kind == "types" and each.target == "cynn.model")
    }
    assert sorted(upward - UPWARD.keys()) == []


def test_no_circle_at_run_time():
    """Of imports at the top and inside functions, of files."""
    assert wings.circles(each[:2] for each in IMPORTS if each.kind != "types") == set()


def test_the_reading_of_imports(tmp_path, monkeypatch):
    """All kinds of import are found, in Python and in Cython, and a circle of three."""
    package = tmp_path / "cynn"
    package.mkdir()
    (package / "a.py").write_text("import cynn.b\ndef f():\n    from cynn import c\nX = 1\n")
    (package / "b.pyx").write_text("from cynn.c cimport (\n    y,\n)\ndef f():\n    import cynn.a\n")
    (package / "c.py").write_text("if TYPE_CHECKING:\n    from cynn.b import z\nclass C:\n    import cynn.a\n")
    monkeypatch.setattr(wings, "ROOT", tmp_path)
    monkeypatch.setattr(wings, "PACKAGE", package)
    found = wings.imports()
    assert [tuple(each) for each in found] == [
        ("cynn.a", "cynn.b", "top"), ("cynn.a", "cynn.c", "function"), ("cynn.b", "cynn.a", "function"),
        ("cynn.b", "cynn.c", "top"), ("cynn.c", "cynn.a", "function"), ("cynn.c", "cynn.b", "types"),
    ]  # fmt: skip
    assert wings.circles(each[:2] for each in found) == {frozenset({"cynn.a", "cynn.b", "cynn.c"})}
    assert wings.circles([("cynn.a", "cynn.b"), ("cynn.b", "cynn.c")]) == set()


def test_kernels_hold_no_classes():
    for path in SOURCES:
        if path.suffix == ".pyx" and "kernels" in path.relative_to(PACKAGE).parts:
            assert "class " not in re.sub(r'""".*?"""|#.*', "", path.read_text(), flags=re.S), path.name


def test_each_wing_says_at_its_door_what_it_is():
    """What enters, and what it may use; the others are of data, or of public names."""
    without = {"avx2", "avx512", "baseline"}
    for door in PACKAGE.rglob("*/__init__.py"):
        if door.parent.name not in without:
            assert len(ast.get_docstring(ast.parse(door.read_text(encoding="utf-8"))).splitlines()) >= 3, door


def test_no_module_imports_the_plugins():
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"^\s*(from|import|cimport)\s+cynn_plugins", text, re.M), path.name
        assert "import_module('cynn_plugins" not in text.replace('"', "'")


def test_plugins_use_what_every_plugin_may_use():
    allowed = {
        "abi",
        "blas",
        "vector_math",
        "sums",
        "loss_rows",
        "moments",
        "activations",
        "losses",
        "optimizers",
        "layers",
        "registry",
        "hyperparameters",
        "errors",
        "plugins",
    }
    allowed.add("cynn")  # the package itself, in examples
    for path in PLUGINS:
        if path.suffix in (".py", ".pyx", ".pxd"):
            read = wings.of_python if path.suffix == ".py" else wings.of_cython
            for module, names, _ in read(path.read_text(encoding="utf-8")):
                used = module.split(".")[1:2] or [name for name in names if name in allowed] or ["cynn"]
                assert set(used) <= allowed, path.name


def public_things():
    for path in sorted([*PACKAGE.glob("*.py"), *PACKAGE.glob("layers/*.py"), *PACKAGE.glob("schedules/*.py"),
                        *PACKAGE.glob("callbacks/*.py")]):
        if path.stem == "__main__":
            continue
        parts = ["cynn", *path.relative_to(PACKAGE).with_suffix("").parts]
        module = importlib.import_module(".".join(part for part in parts if part != "__init__"))
        yield module.__name__, module
        for name in getattr(module, "__all__", ()):
            thing = getattr(module, name)
            if inspect.isclass(thing) or inspect.isroutine(thing):
                yield f"{module.__name__}.{name}", thing
            if inspect.isclass(thing) and thing.__module__ == module.__name__:
                for attribute, part in vars(thing).items():
                    described = isinstance(part, property) or inspect.isroutine(part)
                    if described and not attribute.startswith("_"):
                        yield f"{module.__name__}.{name}.{attribute}", part


def is_documented(thing):
    """A method or property that overrides one need not say again what it does."""
    return bool((inspect.getdoc(getattr(thing, "__func__", thing)) or "").strip())


def test_what_is_public_has_a_docstring():
    without = {name for name, thing in public_things() if not is_documented(thing)}
    without = {name for name in without if not name.endswith(".kernel")}  # a struct in a capsule
    assert without == set()


def test_every_public_name_exists():
    assert [name for name in cynn.__all__ if not hasattr(cynn, name)] == []


def n_lines_of_code(path):
    """Lines that are neither blank, nor comments, nor in docstrings."""
    text = path.read_text(encoding="utf-8")
    text = re.sub(r'^ *[rR]?""".*?"""', "", text, flags=re.S | re.M)
    return sum(1 for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#"))


@pytest.mark.parametrize("path", [*SOURCES, *PLUGINS], ids=lambda path: path.name)
def test_no_file_is_long(path):
    assert n_lines_of_code(path) <= 450
