"""The stubs of compiled modules say what the modules have, and with which signatures."""

import ast
import importlib
import inspect
from pathlib import Path

import pytest

import cynn

PACKAGE = Path(cynn.__file__).parent
STUBS = sorted(PACKAGE.rglob("*.pyi"))
PUBLIC = {"engine/engine", "engine/trainer", "engine/kernel_objects", "kernels/blas", "kernels/random", "kernels/cpu"}


def name_of(stub):
    return ".".join(["cynn", *stub.relative_to(PACKAGE).with_suffix("").parts])


def parameters_of_stub(function):
    """(name, kind, whether there is a default) of each parameter."""
    a = function.args
    positional = a.posonlyargs + a.args
    defaults = [None] * (len(positional) - len(a.defaults)) + a.defaults
    found = [(p.arg, "positional", d is not None) for p, d in zip(positional, defaults, strict=True)]
    found += [(p.arg, "keyword", d is not None) for p, d in zip(a.kwonlyargs, a.kw_defaults, strict=True)]
    return found


def signature_of_compiled(thing):
    """From the signature that Cython puts in the first line of a docstring."""
    line = thing.__doc__.splitlines()[0]
    tree = ast.parse(f"def {_without_types(line)}: ...").body[0]
    return parameters_of_stub(tree)


def assert_same_signature(node, thing):
    if hasattr(thing, "__signatures__"):
        # over a fused type, Cython keeps the names alone
        found = inspect.signature(thing).parameters.values()
        names = [(p.name, "keyword" if p.kind is p.KEYWORD_ONLY else "positional") for p in found]
        assert [parameter[:2] for parameter in parameters_of_stub(node)] == names, node.name
    else:
        assert parameters_of_stub(node) == signature_of_compiled(thing), node.name


def _without_types(line):
    """f(a: const_double[::1], b=1) as f(a, b=1): names of C types are no Python."""
    name, _, rest = line.partition("(")
    rest = rest.rpartition(" -> ")[0] or rest
    parts, depth, part = [], 0, ""
    for character in rest.rpartition(")")[0]:
        depth += character in "[("
        depth -= character in "])"
        if character == "," and depth == 0:
            parts.append(part)
            part = ""
        else:
            part += character
    parts.append(part)
    plain = []
    for each in parts:
        left, equals, default = each.partition("=")
        plain.append(left.partition(":")[0].strip() + (equals + default if equals else ""))
    return f"{name}({', '.join(plain)})"


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
