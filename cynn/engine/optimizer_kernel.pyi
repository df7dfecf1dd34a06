from typing import Any

import numpy.typing as npt

from cynn.components.hyperparameters import Component
from cynn.engine.kernel_object import KernelObject

_Array = npt.NDArray[Any]

class OptimizerKernel(KernelObject):
    def __init__(self, component: Component, *, use_kernel: bool = False) -> None: ...
    @property
    def n_slots(self) -> int: ...
    def require_dtype(self, dtype: str) -> None: ...
    def step(self, w: _Array, grad: _Array, slots: list[_Array], learning_rate: float, t: int) -> None: ...
