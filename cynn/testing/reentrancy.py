"""Checks that a kernel or a method can run on several threads at once."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable

import numpy as np

from cynn.testing.memory import Array, first_difference
from cynn.testing.report import Failure

__all__ = ["same_in_two_threads"]

_SECONDS = 0.12  # two threads call for at least this long,
_MEETINGS = 200  # and until their calls have overlapped this many times,
_MAX_SECONDS = 3.0  # but no longer than this, on a busy machine


def same_in_two_threads(calls: tuple[Callable[[], list[Array]], Callable[[], list[Array]]]) -> str:
    """Repeat two calls in two threads until they have overlapped many times. Raises Failure if a result changes.

    Parameters
    ----------
    calls : two functions without arguments
        Each calls the kernel with its own data and returns the results.
    """
    expected = [[array.copy() for array in call()] for call in calls]
    bits = [[array.tobytes() for array in arrays] for arrays in expected]
    start, wrong = threading.Barrier(2), list[Failure]()
    counts, meetings, inside = [0, 0], [0, 0], [False, False]

    def is_done(begun: float) -> bool:
        seconds = time.perf_counter() - begun
        return seconds > _SECONDS and (sum(meetings) >= _MEETINGS or seconds > _MAX_SECONDS) and min(counts) >= 5

    def work(number: int) -> None:
        other = 1 - number
        start.wait()
        begun = time.perf_counter()
        try:
            while not wrong and not is_done(begun):
                before = counts[other]
                inside[number] = True
                results = calls[number]()
                inside[number] = False
                meetings[number] += inside[other] or counts[other] > before
                counts[number] += 1
                for got, good, same in zip(results, expected[number], bits[number], strict=True):
                    if got.tobytes() != same:
                        wrong.append(_difference(got, good, counts[number]))
        except Exception as error:
            wrong.append(Failure(f"two threads at once: {type(error).__name__}: {error}"))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # so that Python methods are interrupted often
    try:
        with np.errstate(all="ignore"):
            threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    finally:
        sys.setswitchinterval(interval)
    if wrong:
        raise wrong[0]
    return f"{sum(counts)} calls in two threads, {sum(meetings)} of them at once"


def _difference(got: Array, good: Array, count: int) -> Failure:
    place = first_difference(good, got)
    return Failure(
        f"two threads at once must give what one gives. In call {count} element {place} was "
        f"{got.ravel()[place]!s}, alone it is {good.ravel()[place]!s}: is a static or global buffer written?"
    )
