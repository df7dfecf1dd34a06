"""What a network has for each of its outputs, as a list, and back: for other libraries, which know arrays and lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cynn.network import Network

__all__ = ["as_given", "as_list"]


def as_list(network: Network, given: Any) -> list[Any]:
    """What a method gives or takes, one for each output.

    Parameters
    ----------
    network : Network
        The network.
    given : array, list or dict
        What there is for its outputs.
    """
    form = network.outputs
    if isinstance(form, dict):
        return [given[name] for name in form]
    return list(given) if isinstance(form, list) else [given]


def as_given(network: Network, found: list[Any]) -> Any:
    """The inverse of `as_list`.

    Parameters
    ----------
    network : Network
        The network.
    found : list
        One for each output.
    """
    form = network.outputs
    if isinstance(form, dict):
        return dict(zip(form, found, strict=True))
    return found if isinstance(form, list) else found[0]
