"""Random numbers of a network. Each depends on the seed and its purpose, not on numbers drawn before."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from cynn.errors import check_whole_number
from cynn.kernels import random

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["Purpose", "as_seed", "block_permutation", "generator", "normal", "permutation", "uniform"]


class Purpose:
    """The purposes of random numbers. Never change a value, since the results of a seed depend on it."""

    INITIAL_WEIGHTS = 1
    SHUFFLE = 2
    SPLIT = 3
    NOISE = 4
    TRANSFORM = 8
    DATA_INITIALIZATION = 9


def as_seed(seed: Any) -> int:
    """Convert `seed` to an int of 64 bits. None draws a random one."""
    if seed is None:
        return int.from_bytes(os.urandom(8), "little") >> 1
    return check_whole_number(seed, "seed", "the random generator", maximum=2**64 - 1)


def permutation(n: int, seed: int, purpose: int, epoch: int = 0) -> npt.NDArray[np.int64]:
    """0 .. n-1 in random order."""
    out = np.empty(n, np.int64)
    random.permutation(out, seed, purpose, epoch)
    return out


def block_permutation(n: int, seed: int, purpose: int, epoch: int = 0) -> npt.NDArray[np.int64]:
    """0 .. n-1: blocks of 1,024 in random order, shuffled within each block."""
    out = np.empty(n, np.int64)
    random.block_permutation(out, 1024, seed, purpose, epoch)
    return out


def uniform(shape: tuple[int, ...], seed: int, purpose: int, part: int = 0) -> npt.NDArray[np.float64]:
    """Numbers uniform in [0, 1)."""
    out = np.empty(int(np.prod(shape)))
    random.uniform(out, seed, purpose, part)
    return out.reshape(shape)


def normal(
    shape: tuple[int, ...], seed: int, purpose: int, part: int = 0, attempt: int = 0
) -> npt.NDArray[np.float64]:
    """Standard normal numbers."""
    out = np.empty(int(np.prod(shape)))
    random.normal(out, seed, purpose, part, attempt)
    return out.reshape(shape)


def generator(seed: int, purpose: int, epoch: int, step: int) -> np.random.Generator:
    """A NumPy generator for a step, for functions of the user."""
    key = seed | purpose << 64  # NumPy would convert a list of both to floats if the seed needs 64 bits
    return np.random.Generator(np.random.Philox(key=key, counter=[0, 0, step, epoch]))
