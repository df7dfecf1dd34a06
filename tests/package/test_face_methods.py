"""The table of methods of `Network` that belong to a face, and the stub and the reference that follow from it."""

import ast
import inspect
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import cynn
from cynn.faces import table
from cynn.faces.face_method import FaceMethod

CLASSES = [table.FaceMethods]
METHODS = {name: each for cls in CLASSES for name, each in vars(cls).items() if isinstance(each, FaceMethod)}
STUB = ast.parse(Path(table.__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
STUBS = {
    function.name: function for cls in STUB.body if isinstance(cls, ast.ClassDef) for function in cls.body
}  # fmt: skip

with pytest.MonkeyPatch.context() as patch:
    patch.syspath_prepend(Path(__file__).parents[2] / "docs" / "_extensions")
    import wings

RANK = {wing: rank for rank, wing in enumerate(wings.WINGS)}


def arguments(function):
    """The parameters of a function's tree behind the first, and what it returns, as text."""
    shown = ast.unparse(function.args).partition(",")[2].strip()
    return shown, ast.unparse(function.returns)


@pytest.mark.parametrize("name", METHODS)
def test_the_stub_has_the_signature_of_the_function(name):
    source = textwrap.dedent(inspect.getsource(METHODS[name].function))
    assert arguments(STUBS[name]) == arguments(ast.parse(source).body[0])


def test_the_stub_has_no_other_methods():
    assert list(STUBS) == list(METHODS)
    assert [cls.name for cls in STUB.body if isinstance(cls, ast.ClassDef)] == [cls.__name__ for cls in CLASSES]


@pytest.mark.parametrize("name", METHODS)
def test_a_method_is_the_function_of_a_face(name):
    function = getattr(cynn.Network, name)
    assert function is METHODS[name].function
    assert function.__name__ == name
    assert function.__doc__
    assert RANK[wings.wing_of(function.__module__)] > RANK["network"]
    net = cynn.Network.mlp([1, 1], seed=0)
    assert getattr(net, name).__self__ is net
    assert name in dir(net)


def test_nothing_of_it_is_imported_before_it_is_called():
    faces = sorted({each.place.partition(":")[0] for each in METHODS.values()})
    code = f"import sys, cynn; cynn.Network.mlp([1, 1]); print([each for each in {faces} if each in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_a_subclass_may_have_its_own():
    class Own(cynn.Network):
        def to_c(self):
            return "own"

    assert Own.mlp([1, 1]).to_c() == "own"
