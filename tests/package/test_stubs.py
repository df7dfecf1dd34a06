"""The stubs of compiled modules say what the modules have, and with which signatures."""

import ast
import importlib
import inspect
from pathlib import Path

import pytest
from compiled_signatures import PUBLIC, parameters_of_stub, signature_of_compiled

import cynn

PACKAGE = Path(cynn.__file__).parent
STUBS = sorted(stub for stub in PACKAGE.rglob("*.pyi") if stub.with_suffix(".pyx").exists())


def name_of(stub):
    return ".".join(["cynn", *stub.relative_to(PACKAGE).with_suffix("").parts])


def assert_same_signature(node, thing):
    if hasattr(thing, "__signatures__"):
        # over a fused type, Cython keeps the names alone
        found = inspect.signature(thing).parameters.values()
        names = [(p.name, "keyword" if p.kind is p.KEYWORD_ONLY else "positional") for p in found]
        assert [parameter[:2] for parameter in parameters_of_stub(node)] == names, node.name
    else:
        assert parameters_of_stub(node) == signature_of_compiled(thing), node.name


def definitions(stub):
    tree = ast.parse(stub.read_text(encoding="utf-8"))
    return {n.name: n for n in tree.body if isinstance(n, (ast.FunctionDef, ast.ClassDef))}


def is_property(function):
    return any(isinstance(d, ast.Name) and d.id == "property" for d in function.decorator_list)


def public_names(module):
    """What is defined in a compiled module, apart from private names."""
    return {
        name
        for name, thing in vars(module).items()
        if not name.startswith("_") and getattr(thing, "__module__", None) == module.__name__
    }


def test_public_modules_have_stubs():
    assert {str(stub.relative_to(PACKAGE).with_suffix("")) for stub in STUBS} >= PUBLIC


@pytest.mark.parametrize("stub", STUBS, ids=name_of)
def test_names(stub):
    module = importlib.import_module(name_of(stub))
    assert set(definitions(stub)) == public_names(module)
    tree = ast.parse(stub.read_text(encoding="utf-8"))
    constants = {n.target.id for n in tree.body if isinstance(n, ast.AnnAssign)}
    assert all(hasattr(module, name) for name in constants)


@pytest.mark.parametrize("stub", STUBS, ids=name_of)
def test_functions(stub):
    module = importlib.import_module(name_of(stub))
    for name, node in definitions(stub).items():
        if isinstance(node, ast.FunctionDef):
            assert_same_signature(node, getattr(module, name))


@pytest.mark.parametrize("stub", STUBS, ids=name_of)
def test_classes(stub):
    module = importlib.import_module(name_of(stub))
    for name, node in definitions(stub).items():
        if not isinstance(node, ast.ClassDef):
            continue
        cls = getattr(module, name)
        functions = {f.name: f for f in node.body if isinstance(f, ast.FunctionDef)}
        compiled = {key: thing for key, thing in vars(cls).items() if not key.startswith("_")}
        assert {key for key in functions if not key.startswith("_")} == set(compiled), name
        for key, thing in compiled.items():
            assert is_property(functions[key]) == inspect.isdatadescriptor(thing), (name, key)
            if not is_property(functions[key]):
                assert_same_signature(functions[key], thing)


def test_the_reading_of_signatures():
    """f(a: float[::1], *, b: bool = False) -> None"""
    found = signature_of_compiled(test_the_reading_of_signatures)
    assert found == [("a", "positional", False), ("b", "keyword", True)]
