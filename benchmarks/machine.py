"""What was measured on, in words: no names of hosts, no paths."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import numpy as np

import cynn
from cynn import kernels


def describe() -> dict[str, str]:
    """CPU, cores, caches, system, Python and CyNN."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "CPU": _cpu_model(),
        "cores in use": f"{cores}",
        "caches": _caches(),
        "CyNN's kernels": kernels.level,
        "BLAS of CyNN": " for ".join(part.split(" NO_")[0] for part in kernels.blas.description()),
        "system": f"{_system()}, {platform.machine()}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "NumPy": np.__version__,
        "CyNN": cynn.__version__,
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown")


def _caches() -> str:
    """Of the first core: L1d 48K, L2 2048K, ..."""
    found = []
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        try:
            level, kind, size = ((folder / name).read_text().strip() for name in ("level", "type", "size"))
        except OSError:
            continue
        if kind != "Instruction":
            found.append(f"L{level} {size}iB")
    return ", ".join(found) or "unknown"


def _system() -> str:
    try:
        name = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return f"{platform.system()} {platform.release()}"
    return f"{name}, {platform.system()} {'.'.join(platform.release().split('.')[:2])}"
