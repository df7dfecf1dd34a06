"""Checks that each hyperparameter has an effect, at every scale, and not through its square."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from cynn.components.hyperparameters import Hyperparameter
from cynn.testing.bounds import interval, is_number, of_kernel
from cynn.testing.common import changed, variants
from cynn.testing.memory import Array
from cynn.testing.report import Failure, Skipped

if TYPE_CHECKING:
    from cynn.testing.checks import Checks

__all__ = ["each_matters"]

_SQUARE = 1.7  # an exponent above this counts as 2
_SMALL = 1e-2  # multiples of the default


def each_matters(checks: Checks[Any, Any]) -> str:
    """Each hyperparameter has an effect, up to the largest values, and a proportional one where it is small."""
    declared = of_kernel(checks.component)
    if not declared:
        raise Skipped("it has no hyperparameters")
    for name, hyperparameter in declared.items():
        values = _ladder(hyperparameter)
        effects = _effects(checks, name, values)
        if not any(effects):
            raise Failure(
                f"{name} must have an effect. Results are the same bits with {' and '.join(map(str, values))}, "
                "whatever the others are: is it read?"
            )
        if not effects[-1]:
            raise Failure(
                f"{name} must have an effect wherever it is allowed. Results are the same bits with {values[-2]} and "
                f"{values[-1]}, and others with {values[0]}: is it capped?"
            )
        _require_proportion(checks, name, hyperparameter)
    return ", ".join(declared)


def _ladder(declared: Hyperparameter) -> list[Any]:
    """Values from small to large."""
    if isinstance(declared.default, bool):
        return [False, True]
    if declared.choices:
        return list(declared.choices)
    numbers = _numbers(float(declared.default), *interval(declared))
    return sorted({round(number) for number in numbers}) if declared.is_whole else numbers


def _numbers(default: float, low: float, high: float) -> list[float]:
    if np.isfinite(low) and np.isfinite(high):
        return [low + (high - low) * part for part in (0.1, 0.3, 0.5, 0.7, 0.9, 0.97)]
    if np.isfinite(low):
        width = default - low or 1.0
        return [low + width * factor for factor in (0.1, 0.5, 1.0, 2.0, 10.0, 100.0)]
    width = abs(default) or 1.0
    values = [default + width * factor for factor in (-100.0, -10.0, -1.0, -0.5, 0.0, 0.5, 1.0, 10.0, 100.0)]
    return [value for value in values if value <= high]


def _effects(checks: Checks[Any, Any], name: str, values: list[Any]) -> list[bool]:
    """Whether results differ between consecutive values. True if one of them is not allowed."""
    effects = [False] * (len(values) - 1)
    for context in variants(checks.component):  # its effect may need another hyperparameter, as Nesterov needs momentum
        ones = [changed(context, **{name: value}) for value in values]
        found = [one and checks.probe(one) for one in ones]
        for i, (first, second) in enumerate(itertools.pairwise(found)):
            effects[i] |= first is None or second is None or _differ(first, second)
        if all(effects):
            break
    return effects


def _differ(first: dict[str, Array], second: dict[str, Array]) -> bool:
    return first.keys() != second.keys() or any(first[key].tobytes() != second[key].tobytes() for key in first)


def _require_proportion(checks: Checks[Any, Any], name: str, declared: Hyperparameter) -> None:
    """Near 0 the effect is proportional to the hyperparameter, unless the formula contains its square."""
    low, high = interval(declared)
    if not is_number(declared) or declared.is_whole or not low <= 0 < high or checks.dtypes[0] != "float64":
        return
    formula = type(checks.component).__doc__ or ""
    if re.search(rf"{name}\s*(²|\*\*\s*2|\^\s*2)", formula) or checks.component.reference is not None:
        return
    unit = float(declared.default) or min(1.0, high)
    base = 0.0 if "above" not in declared.bounds else 1e-6 * unit
    exponents = []
    for context in variants(checks.component):  # Nesterov momentum uses it twice; without, once
        ones = [changed(context, **{name: base + factor * _SMALL * abs(unit)}) for factor in (0, 1, 2)]
        if None in ones:
            continue
        start, once, twice = (checks.moderate(one, "float64") for one in ones)
        common = [key for key in start if key in once and key in twice]  # another value may select another kernel
        exponent = _exponent(*(np.concatenate([each[key].ravel() for key in common]) for each in (start, once, twice)))
        if exponent is not None:
            exponents.append(exponent)
    if exponents and min(exponents) > _SQUARE:
        raise Failure(
            f"a small {name} must have an effect in proportion to it. Twice as much has {2 ** exponents[0]:.3g} times "
            f"the effect: is it squared? If the formula says so, write {name}² in the docstring, or give the class a "
            "reference"
        )


def _exponent(start: Array, once: Array, twice: Array) -> float | None:
    """The exponent p of an effect proportional to h^p: the median over elements with a clear effect."""
    with np.errstate(all="ignore"):
        first, second = np.abs(once - start), np.abs(twice - start)
        shown = np.isfinite(first) & np.isfinite(second) & (first > 1e-12 * np.abs(start)) & (first > 0)
        if shown.sum() < 4:
            return None
        return float(np.median(np.log2(second[shown] / first[shown])))
