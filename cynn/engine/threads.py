"""How many threads to use. The default is the number of cores that this process may use."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from cynn.errors import check_whole_number

__all__ = ["get_num_threads", "set_num_threads"]

_chosen: int | None = None
_MAX_THREADS = 2**31 - 1  # the engine stores the number in an int, and starts only as many threads as have work


def set_num_threads(n_threads: int | None) -> None:
    """Set the default number of threads of `fit` and `predict`.

    Parameters
    ----------
    n_threads : int or None
        None restores the initial default: `CYNN_NUM_THREADS` or `OMP_NUM_THREADS` if one is set, otherwise the number
        of cores that this process may use, by its affinity and its cgroup.

    Examples
    --------
    >>> import cynn
    >>> cynn.set_num_threads(2)
    >>> cynn.get_num_threads()
    2
    >>> cynn.set_num_threads(None)
    """
    global _chosen
    _chosen = None if n_threads is None else _checked(n_threads)


def get_num_threads() -> int:
    """The default number of threads of `fit` and `predict`."""
    if _chosen is not None:
        return _chosen
    # joblib sets OMP_NUM_THREADS in its workers, so that together they use every core once
    for name in ("CYNN_NUM_THREADS", "OMP_NUM_THREADS"):
        value = os.environ.get(name)
        if value:
            return _checked(int(value) if value.isdecimal() else value, name)
    return available_cores()


def resolve(n_threads: Any) -> int:
    """Check `n_threads`, and return the number of threads: None means the default."""
    return get_num_threads() if n_threads is None else _checked(n_threads)


def _checked(n_threads: Any, name: str = "n_threads") -> int:
    return min(check_whole_number(n_threads, name, "cynn", minimum=1), _MAX_THREADS)


@cache
def available_cores() -> int:
    """The number of cores that this process may use, by its affinity and its cgroup's quota."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(affinity, _cgroup_cores()))


def _cgroup_cores() -> int:
    from pathlib import Path  # imported when needed, as it takes time

    unlimited = 2**31
    try:
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers == "":  # version 2
                quota, period = Path(f"/sys/fs/cgroup{path}/cpu.max").read_text().split()
                return unlimited if quota == "max" else max(1, int(quota) // int(period))
            if "cpu" in controllers.split(","):  # version 1
                folder = Path(f"/sys/fs/cgroup/cpu{path}")
                quota = (folder / "cpu.cfs_quota_us").read_text()
                period = (folder / "cpu.cfs_period_us").read_text()
                return unlimited if int(quota) < 0 else max(1, int(quota) // int(period))
    except (OSError, ValueError):
        pass  # no cgroup file system, so no quota
    return unlimited
