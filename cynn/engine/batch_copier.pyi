from typing import Any, Self

import numpy as np
import numpy.typing as npt

_Array = npt.NDArray[Any]

class BatchCopier:
    def __new__(
        cls,
        dtype: str,
        rows: _Array | None,
        values: _Array | None,
        classes: npt.NDArray[np.int64] | None,
        n_classes: int,
        weights: list[npt.NDArray[np.float64]],
        capacity: int,
    ) -> Self: ...
    def put(self, begin: int, x: Any, y: Any, check_finite: bool) -> int: ...
    def put_targets(self, begin: int, n: int, y: Any, check_finite: bool) -> bool: ...
