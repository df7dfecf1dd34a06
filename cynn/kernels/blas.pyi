from typing import Any

import numpy.typing as npt

MAX_DIMENSION: int

_Array = npt.NDArray[Any]

def matmul(
    a: _Array,
    b: _Array,
    c: _Array,
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
    alpha: float = 1,
    beta: float = 0,
) -> None: ...
def description() -> tuple[str, str]: ...
