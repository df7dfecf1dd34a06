"""``cynn watch``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cynn.interop.plan import Array
from cynn.network import load

__all__ = ["add_commands"]

_MNIST_INPUTS = 784


def add_commands(
    command: Callable[[str, Any, str], argparse.ArgumentParser], read: Callable[[str], tuple[Array, Array]]
) -> None:
    """Add the command to ``cynn``.

    Parameters
    ----------
    command : callable
        Makes a parser from a name, a function and a description.
    read : callable
        Reads the rows and targets that ``--data`` names.
    """
    text = "Open a page that shows a saved network as it thinks."
    watch = command("watch", lambda options: _watch(options, read), text)
    watch.add_argument("model", metavar="MODEL", help="a file that cynn train wrote")
    watch.add_argument("--data", metavar="FILE.npz", help="examples (default: mnist for 784 inputs, else none)")
    watch.add_argument("--int8", action="store_true", help="weights of eight bits; prints what that costs")
    watch.add_argument("--output", metavar="FILE.html", help="where to write the page (default: a temporary file)")
    watch.add_argument("--no-open", action="store_true", help="only write the page")


def _watch(options: argparse.Namespace, read: Callable[[str], tuple[Array, Array]]) -> int:
    import tempfile  # imported when needed, as they take time
    import webbrowser

    network = load(options.model)
    data = options.data or ("mnist" if network.input.units == _MNIST_INPUTS else None)
    stem = Path(options.model).stem
    path = Path(options.output or Path(tempfile.mkdtemp(prefix="cynn-"), f"{stem}.html"))
    examples = None if data is None else read(data)
    network.to_html(path, examples=examples, dtype="int8" if options.int8 else "float32", title=stem)
    is_open = not options.no_open and webbrowser.open(path.absolute().as_uri())
    print(f"the page is in {path}{'' if is_open else '; open it in a browser'}")
    return 0
