"""The MPI ranks that train one network together: they exchange arrays, check that they agree, and report failures."""

from __future__ import annotations

import hashlib
import importlib
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import numpy.typing as npt

from cynn import kernels
from cynn.errors import InvalidParameterError, WorkerError, shown
from cynn.version import __version__

if TYPE_CHECKING:
    from cynn.callbacks.checkpoint import Checkpoint

__all__ = ["Communicator"]

Array = npt.NDArray[Any]

# The tag of the message in which a rank reports its error.
_FAILURE = 7
# A waiting rank polls this often without sleeping, for about a millisecond, and then sleeps between polls.
_ACTIVE_LOOKS = 2000
_SECONDS_BETWEEN_LOOKS = 5e-5
# Messages that a failed rank sent before its error may take this long. They may lead this rank to the same error.
_SECONDS_TO_ARRIVE = 1.0


class Communicator:
    """The MPI ranks that train one network.

    No exchange waits forever: while it waits, a rank checks whether another one has reported an error.

    Parameters
    ----------
    given : mpi4py.MPI.Comm
        The caller's communicator. Messages go through a copy of it, apart from those of the caller.

    Attributes
    ----------
    rank, size : int
        The number of this process, and the number of processes.
    """

    def __init__(self, given: Any) -> None:
        self._mpi = importlib.import_module(type(given).__module__)
        self._given = given
        self.rank, self.size = int(given.Get_rank()), int(given.Get_size())
        self._own = given.Dup()
        self._is_over = False

    @classmethod
    def of(cls, given: Any) -> Communicator:
        """Make a communicator from the one that a user has given, after a check."""
        if not all(hasattr(given, name) for name in ("Get_rank", "Get_size", "Dup", "Iallgatherv", "Iprobe")):
            raise InvalidParameterError(
                "The 'communicator' parameter of fit must be an mpi4py.MPI.Comm, such as MPI.COMM_WORLD. "
                f"Got {shown(given)} instead."
            )
        return cls(given)

    def exchange(self, arrays: Sequence[tuple[Array, Sequence[int]]]) -> None:
        """Give every rank the parts of the arrays that the others have.

        Parameters
        ----------
        arrays : list of (flat array, list of int)
            Rank r has the elements from borders[r] to borders[r + 1] of an array, and gets all others.
        """
        requests = []
        for array, borders in arrays:
            counts = [b - a for a, b in pairwise(borders)]
            requests.append(self._own.Iallgatherv(self._mpi.IN_PLACE, [array, (counts, list(borders[:-1]))]))
        looks, failed_at = 0, 0.0
        while not self._mpi.Request.Testall(requests):
            looks += 1
            if looks > _ACTIVE_LOOKS:  # for example with more ranks than cores
                time.sleep(_SECONDS_BETWEEN_LOOKS)
                if not failed_at and self._own.Iprobe(self._mpi.ANY_SOURCE, _FAILURE):
                    failed_at = time.monotonic()
                if failed_at and time.monotonic() > failed_at + _SECONDS_TO_ARRIVE:
                    self._raise_failure()

    def any(self, flag: bool) -> bool:
        """Whether a flag is set on any rank."""
        flags = np.zeros(self.size, np.int8)
        flags[self.rank] = flag
        self.exchange([(flags, range(self.size + 1))])
        return bool(flags.any())

    def _raise_failure(self) -> NoReturn:
        rank, words = self._own.recv(source=self._mpi.ANY_SOURCE, tag=_FAILURE)
        self._is_over = True
        raise WorkerError(f"All ranks must train to the end. Got {words} on rank {rank} instead.")

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Report an error within the context to the other ranks."""
        try:
            yield
        except BaseException as error:
            # the copy is not freed: a slower rank may still read from it
            if not self._is_over:
                for other in range(self.size):
                    if other != self.rank:
                        words = f"{type(error).__name__}: {error}"
                        self._own.isend((self.rank, words), dest=other, tag=_FAILURE)
            raise
        self._own.Free()

    def check_same(self, settings: dict[str, Any], arrays: Sequence[Array]) -> None:
        """Raise a WorkerError unless all ranks have the same settings, arrays, version and kernels."""
        of_machine = [__version__, kernels.level, *kernels.blas.description()]
        self._check(of_machine, "version, kernels and BLAS", ", ".join(of_machine))
        self._check(settings, "network and parameters of fit", "others")
        self._check([hashlib.sha256(array.tobytes()).hexdigest() for array in arrays], "weights", "others")

    def _check(self, value: Any, what: str, own: str) -> None:
        digest = hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).digest()
        digests = np.zeros((self.size, len(digest)), np.uint8)
        digests[self.rank] = np.frombuffer(digest, np.uint8)
        self.exchange([(digests.reshape(-1), range(0, digests.size + 1, len(digest)))])
        different = (digests != digests[0]).any(axis=1).nonzero()[0]
        if len(different):
            self._is_over = True  # every rank raises this
            raise WorkerError(
                f"All ranks must have the same {what}. Got different ones on rank 0 and on rank {different[0]}; "
                f"this is rank {self.rank}, with {own}."
            )

    def check_callbacks(self, checkpoints: Sequence[Checkpoint]) -> None:
        """Raise an error for callbacks that cannot do the same on all ranks."""
        for each in checkpoints:
            if each.every_seconds is not None:
                raise InvalidParameterError(
                    "The 'every_seconds' parameter of Checkpoint must be left out where several ranks train: their "
                    f"clocks differ. Got {each.every_seconds} instead."
                )
