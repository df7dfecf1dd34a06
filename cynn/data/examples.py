"""Some rows with their targets, to look at while a network is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cynn.data.sparse import as_dense

if TYPE_CHECKING:
    import numpy.typing as npt

    from cynn.data.row_weights import RowWeights
    from cynn.data.targets import Targets

    Array = npt.NDArray[Any]

__all__ = ["Examples"]


@dataclass
class Examples:
    """Rows with their targets.

    Parameters
    ----------
    kind : {"training", "validation"}
        What they are for.
    rows : array
        Checked inputs, dense or sparse.
    target : Targets
        Of these rows.
    weights : RowWeights
        Of these rows, as they count in the loss.
    places : array of int64, optional
        Which of the rows count; by default, all.
    """

    kind: str
    rows: Array
    target: Targets
    weights: RowWeights
    places: npt.NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.rows if self.places is None else self.places)

    def spread(self, most: int) -> tuple[Array, Targets, RowWeights]:
        """Take at most so many rows, spread over all, without those that have NaN or infinity."""
        chosen = np.unique(np.linspace(0, len(self) - 1, min(most, len(self))).astype(np.int64))
        if self.places is not None:
            chosen = self.places[chosen]
        rows = as_dense(self.rows[chosen])
        is_finite = np.isfinite(rows).all(axis=1)
        chosen = chosen[is_finite]
        return rows[is_finite], self.target.take(chosen), self.weights.take(chosen)
