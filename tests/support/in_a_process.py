"""Code for a process of its own, which is killed where it hangs."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path


def run(code: str, seconds: float = 120) -> str:
    """What the code prints. The process must end in time, and end well. It can import what is in this folder."""
    folders = [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}
    result = subprocess.run(command, capture_output=True, text=True, timeout=seconds, env=environment)
    assert result.returncode == 0, result.stderr
    return result.stdout
