from typing import Any, Self

import numpy as np
import numpy.typing as npt

from cynn.engine.trainer import Trainer
from cynn.engine.weights_lock import WeightsLock

_Array = npt.NDArray[Any]

class BatchStep:
    def __new__(
        cls,
        trainer: Trainer,
        rows: _Array,
        values: _Array | None,
        classes: npt.NDArray[np.int64] | None,
        n_classes: int,
        weights: list[npt.NDArray[np.float64]],
        capacity: int,
    ) -> Self: ...
    def put(self, begin: int, x: Any, y: Any, check_finite: bool) -> int: ...
    def take(
        self,
        lock: WeightsLock,
        state: Any,
        begin: int,
        n: int,
        rate: float,
        scheduled: npt.NDArray[np.float64] | None,
        predictions: list[_Array] | None,
    ) -> None: ...
    def begin(self, check_finite: bool, epoch: int, batches: int) -> None: ...
    def mean_loss(self, weight: float) -> float: ...
    def compute_gradients(self, n: int) -> None: ...
    def apply_gradients(
        self, lock: WeightsLock, state: Any, rate: float, scheduled: npt.NDArray[np.float64] | None
    ) -> None: ...
