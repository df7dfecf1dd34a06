import numpy as np
import numpy.typing as npt

def random_words(
    out: npt.NDArray[np.uint32], seed: int, purpose: int, epoch: int = 0, step: int = 0
) -> None: ...
def uniform(
    out: npt.NDArray[np.float64], seed: int, purpose: int, epoch: int = 0, step: int = 0
) -> None: ...
def normal(
    out: npt.NDArray[np.float64], seed: int, purpose: int, epoch: int = 0, step: int = 0
) -> None: ...
def block_permutation(
    out: npt.NDArray[np.int64], block: int, seed: int, purpose: int, epoch: int = 0
) -> None: ...
def permutation(
    out: npt.NDArray[np.int64], seed: int, purpose: int, epoch: int = 0, step: int = 0
) -> None: ...
