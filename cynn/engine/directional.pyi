from typing import Any, NoReturn

import numpy.typing as npt

from cynn.engine.engine import Engine
from cynn.engine.operations import Operation

_Array = npt.NDArray[Any]

def require(operations: list[Operation], dtype: str, functions: list[str], wanted_by: str) -> None: ...
def refuse(
    component: Any, is_python: bool, function: str, dtype: str, wanted_by: str
) -> NoReturn: ...

def differentiate(
    engine: Engine, x: _Array, directions: _Array, outputs: list[_Array], n_threads: int
) -> bool: ...
