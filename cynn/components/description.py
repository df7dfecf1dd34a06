"""`Description`, which `describe` of a registry returns, imported only then."""

from typing import NamedTuple

__all__ = ["Description"]


class Description(NamedTuple):
    """The origin of a part.

    Attributes
    ----------
    kind, name : str
        The kind, such as `"activation"`, and the name that was looked up.
    distribution, version : str
        The package that provides it; for a class without a package, its module and `"unpackaged"`.
    compiled : bool
        Whether it has a compiled kernel, which runs without the GIL.
    """

    kind: str
    name: str
    distribution: str
    version: str
    compiled: bool
