from typing import Any, Self

import numpy.typing as npt

from cynn.engine.engine import Engine

_Array = npt.NDArray[Any]

class TileHessians:
    def __new__(cls, engine: Engine, values: list[int], rows: int) -> Self: ...

class InputHessians:
    def __new__(cls, engine: Engine) -> Self: ...
    def compute(
        self, x: _Array, outputs: list[_Array], n_threads: int, *, is_diagonal: bool = False
    ) -> bool: ...
