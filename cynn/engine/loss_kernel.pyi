from typing import Any

import numpy as np
import numpy.typing as npt

from cynn.components.hyperparameters import Component
from cynn.engine.activation_kernel import ActivationKernel
from cynn.engine.kernel_object import KernelObject

_Array = npt.NDArray[Any]

def checked_loss(component: Component, prediction: _Array, target: _Array) -> tuple[_Array, _Array]: ...
def checked_product(component: Component, prediction: _Array, target: _Array, direction: _Array) -> _Array: ...

class LossKernel(KernelObject):
    def __init__(self, component: Component, *, use_kernel: bool = False) -> None: ...
    def require_dtype(self, dtype: str) -> None: ...
    @property
    def fuses_with(self) -> str | None: ...
    def fuses_behind(self, activation: ActivationKernel | None) -> bool: ...
    def has_backward_jvp(self, activation: ActivationKernel | None, dtype: str) -> bool: ...
    def value_and_gradient(
        self, prediction: npt.ArrayLike, target: npt.ArrayLike, *, fused: bool = False
    ) -> tuple[_Array, _Array]: ...
    def total(
        self,
        prediction: _Array,
        target: _Array | None,
        classes: npt.NDArray[np.int64] | None,
        sample_weight: _Array | None,
        fused: bool,
    ) -> float: ...
