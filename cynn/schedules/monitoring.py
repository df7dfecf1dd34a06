"""Monitored figures: which figure, and when it has improved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cynn import registry
from cynn.errors import InvalidParameterError, not_allowed, unknown_name

__all__ = ["MODES", "Directions", "check_name", "is_better", "monitored", "rises"]

#: For the name of each figure, whether greater is better; None if it is unknown.
Directions = Mapping[str, bool | None]
#: Whether a smaller or a larger figure is better.
MODES = ("auto", "min", "max")


def monitored(logs: Mapping[str, float], name: str, owner: str) -> float:
    """The figure of an epoch with that name."""
    if name not in logs:
        raise unknown_name(f"figure for the 'monitor' parameter of {owner}", name, logs)
    return logs[name]


def check_name(monitor: Any, name: str, owner: str) -> str:
    """Check that `monitor` can be the name of a figure, and return it."""
    if not isinstance(monitor, str):
        raise not_allowed(name, owner, "the name of a figure", monitor)
    return monitor


def rises(monitor: str, mode: str, directions: Directions, owner: str) -> bool:
    """Whether a larger figure is better: by `mode`, or by the class of the metric or loss that it comes from.

    If a figure is not in `directions`, the metric of CyNN with the same name decides, if there is one.
    """
    if mode != "auto":
        return mode == "max"
    greater_is_better = directions[monitor] if monitor in directions else _of_name(monitor.removeprefix("val_"))
    if greater_is_better is None:
        raise InvalidParameterError(
            f"The 'mode' parameter of {owner} must be 'min' or 'max' where nothing says whether the figure {monitor!r} "
            "is to fall or to rise. Got 'auto' instead. A metric of your own says it by its attribute "
            "greater_is_better, True or False."
        )
    return greater_is_better


def _of_name(name: str) -> bool | None:
    if name == "loss":
        return False
    return registry.metrics.find(name).greater_is_better if registry.metrics.has(name) else None


def is_better(figure: float, best: float | None, min_delta: float, *, rising: bool) -> bool:
    """Whether a figure is better than the best so far by more than min_delta. NaN never is."""
    if best is None:
        return bool(figure == figure)
    return figure > best + min_delta if rising else figure < best - min_delta
