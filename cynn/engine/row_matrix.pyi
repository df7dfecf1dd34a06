from typing import Any, Protocol, Self

import numpy.typing as npt

_Array = npt.NDArray[Any]

class InputScaling:
    def __new__(cls, scale: float | _Array, offset: float | _Array) -> Self: ...

class _Conversion(Protocol):  # cynn.data.inputs.Conversion
    dtype: str
    scale: Any
    offset: Any

class RowMatrix:
    def __new__(cls, array: Any) -> Self: ...
    def converted(self, conversion: _Conversion) -> _Array: ...
    def first_nonfinite_row(self, conversion: _Conversion) -> int: ...
