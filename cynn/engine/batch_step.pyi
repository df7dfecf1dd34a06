from typing import Any, Self

import numpy as np
import numpy.typing as npt

from cynn.engine.trainer import Trainer
from cynn.engine.weights_lock import WeightsLock

_Array = npt.NDArray[Any]

class BatchStep:
    def __new__(cls, trainer: Trainer, n_rows: int) -> Self: ...
    def step(
        self,
        lock: WeightsLock,
        state: Any,
        n: int,
        check_finite: bool,
        epoch: int,
        rate: float,
        scheduled: npt.NDArray[np.float64] | None,
        weight: float,
    ) -> float | None: ...
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
    def compute_gradients(self, n: int) -> None: ...
    def apply_gradients(
        self, lock: WeightsLock, state: Any, rate: float, scheduled: npt.NDArray[np.float64] | None
    ) -> None: ...
