"""Names of packages as pip uses them: our own, and how two names are compared.

The package is imported as `cynn`. On the package index that name belongs to another project, so it is installed as
`cynn-nn`.
"""

from __future__ import annotations

import re

__all__ = ["FORMER", "OWN", "canonical", "is_ours", "is_valid", "requirement"]

OWN = "cynn-nn"
# The former name, which occurs in older model files, in requirements of plugins and in old installations.
FORMER = "cynn"


def canonical(name: str) -> str:
    """Normalize a name as pip does; our former name becomes our name.

    Examples
    --------
    >>> canonical("My_Plugin"), canonical("cynn")
    ('my-plugin', 'cynn-nn')
    """
    spelled = re.sub(r"[-_.]+", "-", name).lower()
    return OWN if spelled == FORMER else spelled


def is_ours(name: str) -> bool:
    """Whether a name means CyNN.

    Examples
    --------
    >>> is_ours("cynn_nn"), is_ours("cynn"), is_ours("cynn-cube")
    (True, True, False)
    """
    return canonical(name) == OWN


def is_valid(name: str) -> bool:
    """Whether a text can be the name of a package. Options of pip and shell commands cannot.

    Examples
    --------
    >>> is_valid("cynn-cube"), is_valid("--pre"), is_valid("cube; reboot")
    (True, False, False)
    """
    return bool(re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", name))


def requirement(name: str, version: str = "") -> str:
    """A package, or one version of it, in quotes, as an argument of `pip install`.

    Examples
    --------
    >>> print(requirement("cynn-cube", "1.2"))
    "cynn-cube==1.2"
    """
    pinned = f"=={version}" if re.fullmatch(r"[A-Za-z0-9.!+_-]+", version) else ""
    return f'"{name}{pinned}"'
