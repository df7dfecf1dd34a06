from collections.abc import Callable
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from cynn.engine.engine import Engine
from cynn.engine.loss_kernel import LossKernel
from cynn.engine.operations import UpdateSettings
from cynn.engine.optimizer_kernel import OptimizerKernel

_Array = npt.NDArray[Any]

class Diverged(Exception):
    step: int
    what: str
    figure: float
    def __init__(self, step: int, what: str, figure: float) -> None: ...

class UnusableRow(Exception): ...

class Trainer:
    def __new__(
        cls,
        engine: Engine,
        x: _Array,
        targets: list[tuple[_Array | None, npt.NDArray[np.int64] | None]],
        sample_weights: list[npt.NDArray[np.float64] | None],
        row_weight: npt.NDArray[np.float64] | None,
        losses: list[LossKernel],
        loss_weights: list[float],
        optimizer: OptimizerKernel | None,
        slots: list[list[_Array]],
        settings: UpdateSettings,
        batch_size: int,
        n_threads: int,
        communicator: object = None,
        training: bool = True,
        by_inputs: bool = False,
        derivatives: object = None,
        direction: list[_Array | None] | None = None,
    ) -> Self: ...
    @property
    def input_gradient(self) -> _Array: ...
    @property
    def calls_python(self) -> bool: ...
    def constrain(self) -> None: ...
    def is_finite(self) -> bool: ...
    def gather_memory(self) -> None: ...
    @property
    def uses_threads(self) -> bool: ...
    @property
    def gradients(self) -> list[_Array]: ...
    @property
    def slots(self) -> list[list[_Array]]: ...
    @property
    def steps(self) -> int: ...
    @property
    def sums(self) -> npt.NDArray[np.float64]: ...
    @property
    def batches(self) -> int: ...
    @property
    def epochs_done(self) -> int: ...
    def run_epochs(
        self,
        order_of: Callable[[int], npt.NDArray[np.int64]],
        first_epoch: int,
        t: int,
        learning_rates: npt.NDArray[np.float64],
        figures: npt.NDArray[np.float64],
        seconds: float,
    ) -> None: ...
    def begin_epoch(
        self, check_finite: bool, epoch: int, batches: int = 0, sums: npt.NDArray[np.float64] | None = None
    ) -> None: ...
    def run(
        self,
        order: npt.NDArray[np.int64],
        first_batch: int,
        t: int,
        learning_rates: npt.NDArray[np.float64],
        predictions: list[_Array] | None,
        seconds: float,
        max_steps: int = 4611686018427387904,
        scheduled: npt.NDArray[np.float64] | None = None,
    ) -> int: ...
