"""The names of packages as pip knows them: our own, and how any two are compared.

What one imports is called `cynn`. On the package index that name is another project's, so what one
installs is called `cynn-nn`.
"""

from __future__ import annotations

import re

__all__ = ["FORMER", "OWN", "canonical", "is_ours", "is_valid", "requirement"]

OWN = "cynn-nn"
# So it was called before: in model files, in what plugins require, and in installations that were not removed.
FORMER = "cynn"


def canonical(name: str) -> str:
    """The one spelling of a name that pip takes in many; our former name is our name.

    Examples
    --------
    >>> canonical("My_Plugin"), canonical("cynn")
    ('my-plugin', 'cynn-nn')
    """
    spelled = re.sub(r"[-_.]+", "-", name).lower()
    return OWN if spelled == FORMER else spelled


def is_ours(name: str) -> bool:
    """Whether a name that an installation, a model file or a user gives means CyNN.

    Examples
    --------
    >>> is_ours("cynn_nn"), is_ours("cynn"), is_ours("cynn-cube")
    (True, True, False)
    """
    return canonical(name) == OWN


def is_valid(name: str) -> bool:
    """Whether a text can be the name of a package, so that it is nothing else to pip or to a shell.

    Examples
    --------
    >>> is_valid("cynn-cube"), is_valid("--pre"), is_valid("cube; reboot")
    (True, False, False)
    """
    return bool(re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", name))


def requirement(name: str, version: str = "") -> str:
    """A package, or one version of it, in quotes, as one types it behind `pip install`.

    Examples
    --------
    >>> print(requirement("cynn-cube", "1.2"))
    "cynn-cube==1.2"
    """
    pinned = f"=={version}" if re.fullmatch(r"[A-Za-z0-9.!+_-]+", version) else ""
    return f'"{name}{pinned}"'
