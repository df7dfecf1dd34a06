"""How many threads to use. The default is the number of cores that this process may use."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from cynn.errors import check_whole_number

__all__ = ["get_num_threads", "set_num_threads"]

_chosen: int | None = None
_MOST = 2**31 - 1  # as the engine counts them; it starts no more than have something to do


def set_num_threads(n_threads: int | None) -> None:
    """Set the number of threads that `fit` and `predict` use where they are not told.

    Parameters
    ----------
    n_threads : int or None
        None goes back to the default: `CYNN_NUM_THREADS` or `OMP_NUM_THREADS` where one is set, else
        the cores that this process may use, by its affinity and its cgroup.

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
    """The number of threads that `fit` and `predict` use where they are not told."""
    if _chosen is not None:
        return _chosen
    # OMP_NUM_THREADS is what joblib's workers are told, so that together they fill the machine once
    for name in ("CYNN_NUM_THREADS", "OMP_NUM_THREADS"):
        value = os.environ.get(name)
        if value:
            return _checked(int(value) if value.isdecimal() else value, name)
    return available_cores()


def resolve(n_threads: Any) -> int:
    """`n_threads` as `fit` and `predict` take it: a number, or None for the default."""
    return get_num_threads() if n_threads is None else _checked(n_threads)


def _checked(n_threads: Any, name: str = "n_threads") -> int:
    return min(check_whole_number(n_threads, name, "cynn", minimum=1), _MOST)


@cache
def available_cores() -> int:
    """The cores that this process may use, by its affinity and its cgroup's quota."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(affinity, _cgroup_cores()))


def _cgroup_cores() -> int:
    from pathlib import Path  # not at every import of the package

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
        pass  # no cgroup file system here: no quota
    return unlimited
