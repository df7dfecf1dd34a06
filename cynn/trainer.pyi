from typing import Any, Self

import numpy as np
import numpy.typing as npt

from cynn.engine import Engine
from cynn.kernel_objects import LossKernel, OptimizerKernel

_Array = npt.NDArray[Any]

class Diverged(Exception):
    step: int
    loss: float
    def __init__(self, step: int, loss: float) -> None: ...

class NonFiniteRow(Exception): ...

class Trainer:
    def __new__(
        cls,
        engine: Engine,
        x: _Array,
        target: _Array | None,
        classes: npt.NDArray[np.int64] | None,
        sample_weight: npt.NDArray[np.float64] | None,
        loss: LossKernel,
        optimizer: OptimizerKernel | None,
        slots: list[list[_Array]],
        batch_size: int,
        n_threads: int,
    ) -> Self: ...
    @property
    def gradients(self) -> list[_Array]: ...
    @property
    def slots(self) -> list[list[_Array]]: ...
    @property
    def steps(self) -> int: ...
    @property
    def total_loss(self) -> float: ...
    @property
    def total_weight(self) -> float: ...
    def begin_epoch(self, check_finite: bool, epoch: int) -> None: ...
    def run(
        self,
        order: npt.NDArray[np.int64],
        first_step: int,
        t: int,
        learning_rate: float,
        predictions: _Array | None,
        seconds: float,
    ) -> int: ...
