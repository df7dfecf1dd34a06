from typing import Any, NoReturn, Self

import numpy.typing as npt

from cynn.engine.engine import Engine
from cynn.engine.operations import Operation

_Array = npt.NDArray[Any]

def require(operations: list[Operation], dtype: str, functions: list[str], wanted_by: str) -> None: ...
def refuse(
    component: Any, is_python: bool, function: str, dtype: str, wanted_by: str
) -> NoReturn: ...

class RowDerivatives:
    def __new__(cls, engine: Engine, rows: int, directions: int) -> Self: ...

def differentiate(
    engine: Engine,
    x: _Array,
    directions: _Array | None,
    outputs: list[_Array],
    n_threads: int,
    *,
    is_second: bool = False,
    is_diagonal: bool = False,
) -> bool: ...
