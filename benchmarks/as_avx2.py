"""Runs a command as on a processor without AVX-512: ``python -m benchmarks.as_avx2 python -m benchmarks S M``.

``CYNN_CPU=avx2`` lowers CyNN alone. This lowers what it is compared with, too: ONNX Runtime has no setting for it. It
needs Linux, gcc, and a processor with AVX-512 whose CPUID instruction can fault (``cpuid_fault`` in
/proc/cpuinfo).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

__all__ = ["can_run", "main"]

_SOURCE = Path(__file__).with_suffix(".c")
# The C library has chosen its functions before the library is loaded.
_OF_C_LIBRARY = "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW,-AVX512DQ"


def can_run() -> bool:
    """Whether the processor and the system can do this."""
    about = Path("/proc/cpuinfo")
    return about.exists() and "cpuid_fault" in about.read_text(encoding="utf-8").split()


def main(command: list[str]) -> int:
    """Run a command; return its exit status."""
    if not command:
        print(__doc__)
        return 2
    if not can_run():
        print("as_avx2: /proc/cpuinfo must name cpuid_fault, and does not: CPUID cannot fault here.", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder, "as_avx2.so")
        subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", library, _SOURCE], check=True)
        environment = os.environ | {"LD_PRELOAD": str(library), "GLIBC_TUNABLES": _OF_C_LIBRARY}
        return subprocess.run(command, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
