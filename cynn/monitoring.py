"""A figure that is looked at from epoch to epoch: which, and when it is better."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cynn.errors import InvalidParameterError, unknown_name

__all__ = ["check_mode", "is_better", "monitored"]

# The figures that are to rise have one of these in their names.
_TO_RISE = ("accuracy", "r2_score", "auc", "precision", "recall", "f1_score")


def monitored(logs: Mapping[str, float], name: str, owner: str) -> float:
    """The figure of that name of an epoch."""
    if name not in logs:
        raise unknown_name(f"figure for the 'monitor' parameter of {owner}", name, logs)
    return logs[name]


def check_mode(mode: Any, owner: str) -> str:
    """`mode`, if it is one of the three."""
    if mode not in ("auto", "min", "max"):
        raise InvalidParameterError(
            f"The 'mode' parameter of {owner} must be 'auto', 'min' or 'max'. Got {mode!r} instead."
        )
    return str(mode)


def is_better(figure: float, best: float | None, min_delta: float, monitor: str, mode: str) -> bool:
    """Whether a figure is better than the best so far, by more than min_delta. A NaN never is."""
    if best is None:
        return bool(figure == figure)
    rises = mode == "max" or (mode == "auto" and any(word in monitor for word in _TO_RISE))
    return figure > best + min_delta if rises else figure < best - min_delta
