"""The validation rows of a fit: those of `validation_data`, or those that `validation_split` holds out."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cynn.data import inputs
from cynn.data.examples import Examples
from cynn.errors import InvalidParameterError
from cynn.training import evaluation

if TYPE_CHECKING:
    from cynn.data.objective import Objective
    from cynn.model import Model
    from cynn.training.evaluation import Checked
    from cynn.training.fit_options import FitOptions

__all__ = ["Validation", "of_data", "split"]

Places = npt.NDArray[np.int64]


class Validation:
    """Checked validation rows.

    Parameters
    ----------
    given : tuple
        Rows, targets, and weights as they count in the loss.
    places : array, optional
        Which of the rows they are; by default all.
    """

    def __init__(self, given: Checked, places: Places | None = None) -> None:
        self._given, self._places = given, places

    def __len__(self) -> int:
        return len(self._given[0] if self._places is None else self._places)

    @cached_property
    def checked(self) -> Checked:
        """The rows, their targets and weights. Those of a split are copied when an epoch first needs them."""
        if self._places is None:
            return self._given
        rows, target, weights = self._given
        places = self._places
        return evaluation.weighed(rows[places], target.take(places), weights.take(places))

    def examples(self) -> Examples:
        """The same rows, to look at."""
        return Examples("validation", *self._given, self._places)


def of_data(network: Model, objective: Objective, options: FitOptions) -> Validation | None:
    """The rows of `validation_data`, if there are any."""
    validation_data = options.validation_data
    if validation_data is None:
        return None
    most = 5 if options.has_derivatives else 3
    if not isinstance(validation_data, (tuple, list)) or not 2 <= len(validation_data) <= most:
        form = "(x, y) or (x, y, sample_weight)"
        if options.has_derivatives:
            form += ", or (x, y, sample_weight, dy_dx), or with directions behind that"
        raise InvalidParameterError(
            f"The 'validation_data' parameter of fit must be a tuple {form}. Got {type(validation_data).__name__} "
            "instead."
        )
    x, y, weight, *derivatives = [*validation_data, None, None, None][:5]
    given = evaluation.checked(
        network, objective, x, y, weight, "validation ", check_finite=options.check_finite,
        derivatives=(derivatives[0], derivatives[1]), needs_scale=False,
    )  # fmt: skip
    return Validation(evaluation.counted(*given))


def split(
    network: Model, given: Checked, among: Places | None, options: FitOptions
) -> tuple[Places, Validation]:
    """Split all rows, or those at `among`; return the places of the training rows, and the validation rows."""
    rows, target, weights = given
    if among is None:
        among = np.arange(len(rows))
    parts = inputs.split(target.take(among), len(among), options.validation_split or 0.0, network.seed)
    train, held_out = (among[part] for part in parts)
    network.check_rows(rows, "x of the validation split", held_out, check_finite=options.check_finite)
    return train, Validation((rows, target, weights.scaled(held_out)), held_out)
