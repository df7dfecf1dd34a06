"""Estimators for tables as plans: preprocessing, all networks and targets, for the exports of `cynn.interop`."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from cynn.interop.exported_model import ExportedModel, in_dtype
from cynn.interop.from_layers import Steps
from cynn.interop.plan import Column, Copy, Gather, Output, Plan, Standardization, Take
from cynn.many import Ensemble
from cynn.sklearn import raw_columns
from cynn.sklearn.raw_columns import RawColumn
from cynn.sklearn.table_columns import TableColumns

__all__ = ["ExportedTable"]

Array = npt.NDArray[Any]

#: The smooth clip, and 0 for what is missing.
_CLIP = "z != z ? 0 : z / sqrt(1 + (z / 3) * (z / 3))"


class ExportedTable(ExportedModel):
    """A fitted `TabularClassifier` or `TabularRegressor` as what is exported.

    Parameters
    ----------
    estimator : TabularEstimator
    form : str
        As for `plan_of`.
    """

    def __init__(self, estimator: Any, form: str) -> None:
        self.estimator = estimator
        self.networks = estimator.ensemble_.networks
        self.table: TableColumns = estimator.columns_
        n = len(self.table.names)
        self.plan = plan = Plan(n, 1.0, 0.0, "float32")
        plan.columns = [Column(name, self._categories(place)) for place, name in enumerate(self.table.names)]
        centers, scales = np.zeros(n), np.ones(n)
        for place, column in enumerate(plan.columns):
            centers[place] = 0 if column.categories is None else -1  # categories count from 1, and 0 is none
        for part in self.table.parts:
            if part.role == "number":
                centers[part.column], scales[part.column] = part.center, part.scale
        plan.standardization = Standardization(centers, scales)
        steps = Steps(plan, form)
        self.encoded = self._inputs(steps)
        self.encoded_names = self.table.input_names
        values = [steps.network(network, self.encoded)[0].value for network in self.networks]
        plan.outputs = [Output(None, estimator._predictions_as_steps(steps, steps.mean(values)))]

    def rows(self, given: Any, name: str, dtype: str) -> Array:
        raw = self.estimator._raw(given)
        found = np.empty((len(raw[0].values), len(raw)))
        for place, column in enumerate(raw):
            found[:, place] = self.table.values_of(place, column)
            categories = self._categories(place)
            if categories is not None:
                places = [-1, *map(categories.index, self.table.categories[place])]
                found[:, place] = np.array(places)[found[:, place].astype(int)]
        return found

    def predict(self, rows: Array, dtype: str) -> Array:
        raw = []
        for column, values in zip(self.plan.columns or [], rows.T, strict=True):
            categories = column.categories
            if categories is None:
                raw.append(RawColumn("number", values))
            else:
                texts = np.array([*categories, None], object)
                raw.append(RawColumn("category", texts[values.astype(int)]))
        networks = [in_dtype(network, dtype) for network in self.networks]
        found: Array = self.estimator._predictions(Ensemble(networks).predict(self.table.inputs(raw)))
        return found

    def _categories(self, place: int) -> list[str] | None:
        """The categories of a column, of a boolean one both; None of numbers."""
        kind = self.table.kinds[place]
        if kind == "switch":
            return list(raw_columns.SWITCHES)
        return None if kind == "number" else self.table.categories[place]

    def _inputs(self, steps: Steps) -> int:
        """Add what makes the inputs of a network of the standardized columns."""
        parts, columns = self.table.parts, self.plan.columns or []
        if not parts:
            return steps.formula("z != z ? 0 : 0 * z", steps.select(0, [0]), {})
        pieces: list[Copy | Gather] = []
        numbers = [part.column for part in parts if part.role == "number"]
        if numbers:
            pieces.append(Copy(steps.formula(_CLIP, steps.select(0, numbers), {}), 0, len(numbers)))
        unknown = [part.column for part in parts if part.role == "missing"]
        if unknown:
            there, missing = self._table_of_inputs([RawColumn("number", np.array([0.0, np.nan]))] * len(columns))
            places = [place for place, part in enumerate(parts) if part.role == "missing"]
            arrays = {"there": there[places], "missing": missing[places]}
            flags = steps.formula("z != z ? missing : there", steps.select(0, unknown), arrays)
        for (column, role), group in groupby(parts, key=lambda part: (part.column, part.role)):
            if role == "missing":
                pieces.append(Copy(flags, unknown.index(column), 1))
            elif role != "number":
                places = [parts.index(part) for part in group]
                pieces.append(Gather(0, column, self._table_of_column(column)[:, places]))
        return steps.plan.add(Take(pieces))

    def _table_of_column(self, column: int) -> Array:
        """The inputs for no category, for each, and for what is none."""
        texts: Array = np.array([None, *(self._categories(column) or []), None], object)
        other = RawColumn("number", np.full(len(texts), np.nan))
        raw = [other if kind == "number" else RawColumn("category", texts) for kind in self.table.kinds]
        return self._table_of_inputs(raw)

    def _table_of_inputs(self, raw: list[RawColumn]) -> Array:
        found: Array = self.table.inputs(raw)
        return found
