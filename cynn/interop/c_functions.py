"""Whole functions of C that a plugin has as its `c_source`: reads them, and prints them for a file and a dtype."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from cynn.errors import InvalidParameterError, did_you_mean, shown
from cynn.interop.formulas import FUNCTIONS

__all__ = ["MATH_H", "CFunction", "is_function"]

#: Functions of math.h that a file does not bring along.
MATH_H = (
    "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cbrt", "ceil", "copysign", "cosh", "erf", "exp2",
    "fdim", "floor", "fma", "fmax", "fmin", "fmod", "hypot", "ldexp", "lgamma", "log10", "log2", "nearbyint", "pow",
    "rint", "round", "scalbn", "sinh", "tan", "tgamma", "trunc",
)  # fmt: skip

_TOKEN = re.compile(
    r"""(?P<space>\s+|/\*.*?\*/|//[^\n]*)
    |(?P<number>0[xX][\da-fA-F.]+(?:[pP][-+]?\d+)?\w*|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?\w*)
    |(?P<name>[A-Za-z_]\w*)
    |(?P<mark>.)""",
    re.S | re.X,
)
#: The types of a parameter, each with how it is written.
_TYPES = {"real": "number", "int": "count", "const real *": "array", "real *": "output"}
_TYPE_DEFINITIONS = ("enum", "struct", "typedef", "union")
_FORMS = (
    "a function `real name(real z, ...)` of one number, or `void name(int n, const real *z, real *a, ...)` of a row"
)


def is_function(source: str) -> bool:
    """Whether a `c_source` is a whole function, and no expression."""
    return "{" in source


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str


@dataclass(frozen=True)
class CFunction:
    """The last function of a text of C, with the constants and functions before it.

    Parameters
    ----------
    text : str
        C in which the type of numbers is called `real`.
    owner : str
        The owner, for messages.
    """

    text: str
    owner: str

    @cached_property
    def _tokens(self) -> list[_Token]:
        return [_Token(found.lastgroup or "", found[0]) for found in _TOKEN.finditer(self.text)]

    @cached_property
    def _items(self) -> list[list[_Token]]:
        """The definitions at the top, each with the space in front of it."""
        items: list[list[_Token]] = [[]]
        depth, before, is_body = 0, "", False
        for token in self._tokens:
            items[-1].append(token)
            if token.kind == "space":
                continue
            if token.text == "{" and depth == 0:
                is_body = before == ")"
            depth += (token.text in "([{") - (token.text in ")]}")
            before = token.text
            if depth == 0 and (before == ";" or (before == "}" and is_body)):
                items.append([])
        if depth or any(token.kind != "space" for token in items[-1]):
            raise self._mistake("whole definitions", self.text.strip()[-40:])
        return items[:-1]

    def _mistake(self, wanted: str, got: str) -> InvalidParameterError:
        return InvalidParameterError(f"The c_source of {self.owner} must have {wanted}. Got {shown(got)} instead.")

    @cached_property
    def _signature(self) -> tuple[str, str, list[tuple[str, str]]]:
        """The type that the last function returns, its name, and the types and names of its parameters."""
        words = [token.text for token in self._items[-1] if token.kind != "space"] if self._items else []
        head = words[: words.index("{")] if "{" in words else words
        if "(" not in head or head[-1] != ")" or words[-1] != "}":
            raise self._mistake(f"{_FORMS} at its end", " ".join(head))
        place = head.index("(")
        returned = [word for word in head[: place - 1] if word not in ("static", "inline")]
        parameters = []
        for text in " ".join(head[place + 1 : -1]).split(","):
            kind, _, name = text.replace("[ ]", "").strip().rpartition(" ")
            kind = f"{kind} *" if "[ ]" in text else kind
            kind = kind.removeprefix("const ") if "*" not in kind else kind
            parameters.append((_TYPES.get(kind, kind), name))
        if returned not in (["real"], ["void"]):
            raise self._mistake(_FORMS, " ".join(head))
        return returned[0], head[place - 1], parameters

    @property
    def is_of_rows(self) -> bool:
        """Whether it takes a whole row."""
        return self._signature[0] == "void"

    @property
    def parameters(self) -> list[tuple[str, str]]:
        """The type and the name of each parameter."""
        return self._signature[2]

    @property
    def calls(self) -> list[str]:
        """The functions of one number that it calls, and that a file brings along."""
        called = {
            token.text.removesuffix("f")
            for item in self._items
            for place, token in enumerate(item)
            if token.kind == "name" and _after(item, place) == "("
        }
        return [name for name in FUNCTIONS if name in called]

    def check(self, numbers: Mapping[str, float], arrays: Mapping[str, int]) -> None:
        """Check that it can be called.

        Parameters
        ----------
        numbers : mapping of str to float
            What has a name and is a number.
        arrays : mapping of str to int
            The number of dimensions of what has a name and is an array.
        """
        self._check_definitions()
        types: dict[str, tuple[str, ...]] = {
            name: ("number", "count") if float(value).is_integer() else ("number",) for name, value in numbers.items()
        }
        if self.is_of_rows:
            types |= dict.fromkeys(arrays, ("array",))
            types |= {"n": ("count",), "units": ("count",), "z": ("array",), "a": ("output",)}
        else:
            types |= {name: ("number",) for name, dimensions in arrays.items() if dimensions == 1}
            types |= {"z": ("number",)}
        written = {kind: text for text, kind in _TYPES.items()}
        for kind, name in self.parameters:
            if name not in types:
                raise InvalidParameterError(
                    f"Each parameter of the function in the c_source of {self.owner} must be one of "
                    f"{', '.join(types)}. Got {shown(name)} instead.{did_you_mean(name, list(types))}"
                )
            if kind not in types[name]:
                allowed = " or ".join(written[each] for each in types[name])
                raise self._mistake(f"the type {allowed} for its parameter {name}", written.get(kind, kind))
        names = [name for _, name in self.parameters]
        lacking = [name for name in (("z", "a") if self.is_of_rows else ("z",)) if name not in names]
        if lacking or len(set(names)) < len(names):
            raise self._mistake(_FORMS, f"the parameters {', '.join(names)}")

    def _check_definitions(self) -> None:
        """Nothing for the preprocessor, and no memory that is written."""
        words = [token.text for token in self._tokens if token.kind != "space"]
        if "#" in words:
            raise self._mistake("no lines for the preprocessor: constants are `static const`", "#")
        for place, word in enumerate(words):
            if word == "static" and not _is_unwritten(words[place + 1 :]):
                raise self._mistake("no static variable that is not const", " ".join(words[place : place + 3]))
        for item in self._items:
            definition = [token.text for token in item if token.kind != "space"]
            if definition[0] not in _TYPE_DEFINITIONS and not _is_unwritten(definition):
                raise self._mistake("no variable beside its functions that is not const", " ".join(definition[:3]))

    def printed(self, prefix: str, real: str, name_of: Callable[[str], str]) -> str:
        """The text with the names of one file.

        Parameters
        ----------
        prefix : str
            Put in front of the names that it defines.
        real : {"float", "double"}
            The type of numbers.
        name_of : callable
            The name that a function of one number, such as "exp", has in the file.
        """
        suffix = "f" if real == "float" else ""
        defined = {name for item in self._items for name in _defined(item)}
        parts = []
        for item in self._items:
            texts = [token.text for token in item if token.kind != "space"]
            is_static = texts[0] in ("static", *_TYPE_DEFINITIONS)
            for place, token in enumerate(item):
                text = token.text
                if token.kind == "name":
                    is_call = _after(item, place) == "("
                    bare = text.removesuffix("f") if text not in FUNCTIONS else text
                    if text == "real":
                        text = real
                    elif text in defined:
                        text = f"{prefix}_{text}"
                    elif is_call and bare in FUNCTIONS:
                        text = name_of(bare)
                    elif is_call and text in MATH_H:
                        text += suffix
                elif token.kind == "number" and re.fullmatch(r"[\d.]+(?:[eE][-+]?\d+)?", text) and not text.isdigit():
                    text += suffix
                if token.kind != "space" and not is_static:
                    text, is_static = f"static {text}", True
                parts.append(text)
        return "".join(parts).strip() + "\n"

    def name_in(self, prefix: str) -> str:
        """Its name in a file, for the same prefix."""
        return f"{prefix}_{self._signature[1]}"


def _after(item: list[_Token], place: int) -> str:
    """The next token that is no space."""
    return next((token.text for token in item[place + 1 :] if token.kind != "space"), "")


def _is_unwritten(words: list[str]) -> bool:
    """Whether a definition is that of a function or of a constant."""
    end = next((place for place, word in enumerate(words) if word in ("(", "=", "{", ";")), len(words))
    return words[end : end + 1] == ["("] or "const" in words[:end]


def _defined(item: list[_Token]) -> list[str]:
    """The names that a definition at the top defines: functions and constants."""
    words = [token for token in item if token.kind != "space"]
    depth, found = 0, []
    for token, following in itertools.pairwise(words):
        depth += (token.text in "([{") - (token.text in ")]}")
        if depth == 0 and token.kind == "name" and following.text in ("(", "[", "=", ",", ";"):
            found.append(token.text)
    return found
