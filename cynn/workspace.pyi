from typing import Any, Self

import numpy as np
import numpy.typing as npt

from cynn.hyperparameters import Component
from cynn.operations import Operation

_Array = npt.NDArray[Any]

def aligned_zeros(shape: tuple[int, ...], dtype: str | type[np.generic]) -> _Array: ...

class PythonActivation:
    @property
    def error(self) -> BaseException | None: ...
    def __init__(self, component: Component, z: _Array, a: _Array, delta: _Array | None) -> None: ...

class Workspace:
    def __new__(
        cls, operations: list[Operation], dtype: str, inputs: int, rows: int, training: bool, keep_last_input: bool
    ) -> Self: ...
    @property
    def values(self) -> list[_Array]: ...
    @property
    def deltas(self) -> list[_Array | None]: ...
    @property
    def root(self) -> list[int]: ...
    @property
    def python(self) -> list[PythonActivation]: ...
    def raise_error(self) -> None: ...
