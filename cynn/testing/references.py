"""Compares a component with its `reference` in NumPy, to find swapped hyperparameters and wrong signs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from cynn.testing.bounds import is_number, of_kernel
from cynn.testing.common import changed, variants
from cynn.testing.memory import Array
from cynn.testing.report import Failure, Skipped
from cynn.testing.words import apart

if TYPE_CHECKING:
    from cynn.testing.checks import Checks

__all__ = ["Pair", "compare", "of"]

Pair: TypeAlias = tuple[str, Array, Array]  # description, expected, actual

_ALLOWED = {"float64": 1e-9, "float32": 2e-4}


def of(reference: Any, *arrays: Array) -> Array:
    """The results of the reference for float64 arrays."""
    return np.asarray(reference(*(each.copy() for each in arrays)), np.float64)


def compare(checks: Checks[Any, Any], pairs: Callable[[Any, str], Iterator[Pair]]) -> str:
    """Each result with that of the reference, varying each hyperparameter separately and all at once."""
    if checks.component.reference is None:
        raise Skipped("the class has no reference")
    n = 0
    for one in (*variants(checks.component), _all_changed(checks.component)):
        for dtype in checks.dtypes:
            for what, expected, got in pairs(one, dtype):
                if expected.shape != got.shape:
                    raise Failure(f"reference must give {what} of shape {got.shape}. Got {expected.shape} instead")
                scale = 1 + np.max(np.abs(expected[np.isfinite(expected)]), initial=0.0)
                bad = ~(np.abs(got - expected) <= _ALLOWED[dtype] * scale) & ~(np.isnan(got) & np.isnan(expected))
                if bad.any():
                    i = tuple(map(int, np.argwhere(bad)[0]))
                    first, second = apart(expected[i], got[i])
                    raise Failure(
                        f"{what} of {one!r} must be what its reference gives, {first} at {i}. Got {second} "
                        f"({int(bad.sum())} of {bad.size} differ): are hyperparameters swapped, or is a sign wrong?"
                    )
                n += got.size
    return f"{n} numbers"


def _all_changed(component: Any) -> Any:
    """The component with a different value for each hyperparameter, where allowed."""
    for k, (name, declared) in enumerate(of_kernel(component).items()):
        if is_number(declared):
            default = float(declared.default)
            for value in (
                default * (1.2 + 0.1 * k) + 0.1 + 0.05 * k,
                default * (0.8 - 0.07 * k) + 0.01 * k,
                default + 1 + k,
            ):
                one = changed(component, **{name: value})
                if one is not None:
                    component = one
                    break
    return component
