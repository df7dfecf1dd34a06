from typing import Any, Self

import numpy.typing as npt

_Array = npt.NDArray[Any]

class RowMatrix:
    def __new__(cls, array: Any) -> Self: ...
    def converted(self, conversion: tuple[str, float, float]) -> _Array: ...
    def first_nonfinite_row(self, conversion: tuple[str, float, float]) -> int: ...
