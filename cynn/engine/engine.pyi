from typing import Any, Self

import numpy.typing as npt

from cynn.engine.activation_kernel import ActivationKernel
from cynn.engine.operations import Operation

TILE_ROWS: int

_Array = npt.NDArray[Any]

class Engine:
    def __new__(
        cls,
        dtype: str,
        inputs: int,
        scale: float | _Array,
        offset: float | _Array,
        operations: list[Operation],
        seed: int,
        outputs: list[int] | None = None,
        categories: dict[int, int] | None = None,
    ) -> Self: ...
    @property
    def dtype(self) -> str: ...
    @property
    def seed(self) -> int: ...
    @property
    def operations(self) -> list[Operation]: ...
    @property
    def outputs(self) -> list[int]: ...
    @property
    def places(self) -> list[int]: ...
    def set_scaling(self, scale: float | _Array, offset: float | _Array) -> None: ...
    def activation_of(self, output: int) -> ActivationKernel | None: ...
    @property
    def has_python(self) -> bool: ...
    def trained_parameters(self) -> list[_Array | None]: ...
    def forward(
        self,
        array: _Array,
        values: list[int],
        outputs: list[_Array],
        n_threads: int,
        check_finite: bool = False,
    ) -> bool: ...
    def predict_small_batch(self, x: Any, out: _Array | None, check_finite: bool) -> _Array | None: ...
    def values_of_small_batch(self, x: Any, values: list[int], check_finite: bool) -> list[_Array] | None: ...
    def holds(self, array: _Array) -> bool: ...
    def multiplications(self) -> float: ...
