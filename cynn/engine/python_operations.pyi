from typing import Any

import numpy.typing as npt

_Array = npt.NDArray[Any]

KERNEL: Any

class OperationTangents:
    def __init__(
        self, grad: _Array, x: list[_Array], a: _Array, grad_tangent: _Array, dx: list[_Array], saved: list[_Array]
    ) -> None: ...

class PythonOperation:
    @property
    def component(self) -> Any: ...
    @property
    def error(self) -> BaseException | None: ...

class PythonActivation(PythonOperation):
    def __init__(self, component: Any, z: _Array, a: _Array, delta: _Array | None) -> None: ...

class PythonLayer(PythonOperation):
    @property
    def gradients(self) -> dict[str, _Array]: ...
    def __init__(
        self,
        component: Any,
        x: list[_Array],
        a: _Array,
        delta: _Array | None,
        dx: list[_Array | None],
        parameters: dict[str, _Array],
        gradients: dict[str, _Array],
    ) -> None: ...
