"""Checks that float64 is computed in float64: tiny changes of an input have the same slope as larger ones."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cynn.testing.memory import Array
from cynn.testing.report import Failure

if TYPE_CHECKING:
    from cynn.testing.checks import Checks

__all__ = ["Movement", "in_full"]

# In float32 a number near 1 has steps of 2^-23: a change of 2^-33 is lost, or comes as a jump.
_FINE = 2.0**-33
# The second pair is for steep functions. In the first, rounding of a single number to float32 does not show.
_COARSE = [(2.0**-11, 2.0**-13), (2.0**-14, 2.0**-17)]


@dataclass(frozen=True)
class Movement:
    """Outputs as functions of the distance by which an input is moved.

    Attributes
    ----------
    what : str
        The name of the input.
    moved : function
        Maps the distance to the outputs by name.
    """

    what: str
    moved: Callable[[float], dict[str, Array]]


def in_full(checks: Checks[Any, Any]) -> str:
    """Compare the slopes over a distance too small for float32 and over a larger one."""
    checks.require_float64()
    n = 0
    for movement, pair in itertools.product(checks.movements(checks.component), _COARSE):
        size, fine, coarse, other = (_slopes(movement, step) for step in (None, _FINE, *pair))
        for name, values in size.items():
            at, slope = fine[name], coarse[name]
            floor = 1e-3 * float(np.max(np.abs(values[np.isfinite(values)]), initial=0))
            with np.errstate(all="ignore"):
                sure = np.isfinite(at) & (np.abs(slope - other[name]) <= 1e-3 * np.abs(slope)) & (np.abs(slope) > floor)
                bad = sure & ~(np.abs(at - slope) <= 0.02 * np.abs(slope))
            if bad.sum() >= 2 and bad.sum() > 0.25 * sure.sum():
                i = tuple(map(int, np.argwhere(bad)[0]))
                raise Failure(
                    f"{name} in float64 must follow {movement.what} in all its bits. Moved by {_FINE:.3g} it "
                    f"changes at a rate of {at[i]:.6g}, by {pair[0]:.3g} at {slope[i]:.6g} "
                    f"({int(bad.sum())} of {int(sure.sum())} elements): does it go through float32?"
                )
            n += int(sure.sum())
    return f"{n} rates of change over {_FINE:.2g} are those over {_COARSE[0][0]:.2g} and {_COARSE[1][0]:.2g}"


def _slopes(movement: Movement, step: float | None) -> dict[str, Array]:
    if step is None:
        return movement.moved(0.0)
    ahead, back = movement.moved(step), movement.moved(-step)
    return {name: (ahead[name] - back[name]) / (2 * step) for name in ahead}
