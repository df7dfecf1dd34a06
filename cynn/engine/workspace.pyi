from typing import Any, Self

import numpy as np
import numpy.typing as npt

from cynn.engine.operations import Operation
from cynn.engine.python_operations import PythonOperation

_Array = npt.NDArray[Any]

def aligned_zeros(shape: tuple[int, ...], dtype: str | type[np.generic]) -> _Array: ...
def aligned_copy(array: _Array, dtype: npt.DTypeLike) -> _Array: ...

class Workspace:
    def __new__(
        cls,
        operations: list[Operation],
        dtype: str,
        inputs: int,
        rows: int,
        training: bool,
        losses: list[int],
        by_inputs: bool = False,
        whole: bool = False,
    ) -> Self: ...
    @property
    def values(self) -> list[_Array]: ...
    @property
    def deltas(self) -> list[_Array | None]: ...
    @property
    def loss_gradients(self) -> list[_Array]: ...
    @property
    def root(self) -> list[int]: ...
    @property
    def python(self) -> list[PythonOperation]: ...
    def raise_error(self) -> None: ...
