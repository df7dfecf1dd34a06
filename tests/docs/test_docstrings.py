"""Every public docstring passes numpydoc's validation, but for checks that say why they are left out."""

import dataclasses
import inspect
import re

import pytest
from public_names import public_objects

validate = pytest.importorskip("numpydoc.validate")
from compiled_signatures import signature_of_compiled  # noqa: E402  # with the rest
from numpydoc.docscrape import NumpyDocString, get_doc_object  # noqa: E402  # it may be missing, as the line above says

#: Checks that hold for no docstring here, and why.
IGNORED = {
    "SA01": "no See Also: the reference is grouped, and a method stands beside its likes",
    "ES01": "no extended summary: where a sentence says it all, a second one is a paraphrase",
    "EX01": "no examples: test_doctest says which objects must have one",
    "SS05": "a verb in its basic form: it is told by its last letter, and so takes a plural for a verb",
}
#: Checks that are for text; a formula, or a name, has the letters that it has.
CAPITALS = {"SS02", "PR08", "RT04"}

PUBLIC = public_objects()
FORMULA = re.compile(r"`|[^\W\d]\w*(\([^)]*\))?'?( [=:+] |/)|\(")
EMBEDDED = re.compile(r"^[\w.]+\(.*\)( -> .*)?$")


def text_of(thing):
    """A docstring, and whether Cython has written a signature into its first line."""
    text = "" if type(thing).__name__ == "_tuplegetter" else thing.__doc__ or ""
    first, _, rest = text.partition("\n")
    return (rest, first) if EMBEDDED.match(first) else (text, "")


class Docstring(validate.Validator):
    """One that knows declared hyperparameters, and the signatures that Cython writes into docstrings."""

    def __init__(self, obj_name):
        self.public_name = obj_name
        thing = PUBLIC[obj_name][0]
        text, self.embedded = text_of(thing)
        if self.embedded:  # Cython leaves the last line's end away
            text = text.strip() + ("\n" if "\n" in text.strip() else "")
        super().__init__(get_doc_object(thing, doc=inspect.cleandoc(text), config={"show_class_members": False}))
        self.raw_doc, self.clean_doc = text, inspect.cleandoc(text)

    @property
    def name(self):
        return self.public_name

    @property
    def signature_parameters(self):
        if isinstance(self.obj, (property, type(PUBLIC))) or not callable(self.obj):
            return ()
        if hasattr(self.obj, "__signatures__"):  # over a fused type
            names = list(inspect.signature(self.obj).parameters)
        elif self.embedded:
            names = [name for name, _, _ in signature_of_compiled(self.obj)]
        elif inspect.isclass(self.obj) and inspect.getmodule(self.obj).__file__.endswith((".so", ".pyd")):
            shown = super().signature_parameters  # a compiled class has none
            return shown or tuple(super()._doc_parameters(["Parameters"]))
        else:
            return super().signature_parameters
        return tuple(name for name in names if name != "self")

    def _doc_parameters(self, sections):
        """With what a class declares: the fields of a record are its attributes; a hyperparameter has a line."""
        found = super()._doc_parameters(sections)
        if inspect.isclass(self.obj):
            if dataclasses.is_dataclass(self.obj) or hasattr(self.obj, "_fields"):
                found |= super()._doc_parameters(["Attributes"])
            declared = {**getattr(self.obj, "hyperparameters", {}), **getattr(self.obj, "options", {})}
            found |= {name: ("float", [each.doc]) for name, each in declared.items()}
            order = list(self.signature_parameters)
            found = dict(sorted(found.items(), key=lambda item: order.index(item[0]) if item[0] in order else -1))
        return found


def is_said_elsewhere(thing, owner, attribute):
    """Whether a member without a docstring is that of a base class again, or is said in that of the class."""
    if owner is None:
        return False
    if any(getattr(vars(base).get(attribute), "__doc__", None) for base in owner.__mro__[1:]):
        return True
    text = NumpyDocString(inspect.cleandoc(text_of(owner)[0]))
    entries = text["Parameters"] + text["Attributes"]
    return attribute in [name for names, *_ in entries for name in names.split(", ")]


def mistakes(name):
    thing, owner, attribute = PUBLIC[name]
    if not text_of(thing)[0].strip():
        return [] if is_said_elsewhere(thing, owner, attribute) else ["GL08 no docstring"]
    docstring = Docstring(name)
    found = validate.validate(name, Docstring)["errors"]
    return [f"{code} {text}" for code, text in found if not is_ignored(code, docstring)]


def is_ignored(code, docstring):
    if code in CAPITALS:
        return FORMULA.match(docstring.summary) or code != "SS02"
    if code == "RT01":  # such as "The name of the plugin.", of a function that takes nothing
        return not docstring.doc_parameters
    return code in IGNORED


@pytest.mark.parametrize("name", PUBLIC)
def test_docstring(name):
    assert mistakes(name) == []
