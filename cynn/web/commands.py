"""``cynn watch``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from cynn.errors import InvalidParameterError
from cynn.interop.commands import Opened
from cynn.network import Network

__all__ = ["add_commands"]

_MNIST_INPUTS = 784


def add_commands(
    command: Callable[[str, Any, str], argparse.ArgumentParser],
    open_model: Callable[[str], Opened],
    train: Callable[[list[str], Any], int],
) -> None:
    """Add the command to ``cynn``.

    Parameters
    ----------
    command : callable
        Makes a parser from a name, a function and a description.
    open_model : callable
        Reads the file of a network or an estimator. Returns it, and what reads its rows and targets, or None for those.
    train : callable
        ``cynn train`` with these arguments and one more callback.
    """
    text = "Open a page that shows a saved network as it thinks, or a training as it runs."

    def run(options: argparse.Namespace) -> int:
        return _watch(options, open_model) if options.train is None else _watch_training(options, train)

    watch = command("watch", run, text)
    watch.add_argument("model", nargs="?", metavar="MODEL", help="a file that cynn train wrote")
    watch.add_argument("--data", metavar="FILE", help="examples, in a .npz or a table (default for 784 inputs: mnist)")
    watch.add_argument("--int8", action="store_true", help="weights of eight bits; prints what that costs")
    watch.add_argument("--output", metavar="FILE.html", help="where to write the page (default: a temporary file)")
    watch.add_argument("--no-open", action="store_true", help="do not open the page in the browser")
    watch.add_argument("--train", nargs=argparse.REMAINDER, help="train as cynn train with the options that follow")


def _watch(options: argparse.Namespace, open_model: Callable[[str], Opened]) -> int:
    import shutil  # imported when needed, as they take time
    import tempfile
    import webbrowser

    if options.model is None:
        raise InvalidParameterError("cynn watch must have a MODEL, or --train. Got neither.")
    model, read = open_model(options.model)
    is_of_digits = isinstance(model, Network) and model.input.units == _MNIST_INPUTS
    data = options.data or ("mnist" if is_of_digits else None)
    stem = Path(options.model).stem
    x, y = (None, None) if data is None else read(data)
    with ExitStack() as where_it_fails:
        path = Path(options.output or "")
        if not options.output:
            folder = tempfile.mkdtemp(prefix="cynn-")
            where_it_fails.callback(shutil.rmtree, folder)
            path = Path(folder, f"{stem}.html")
        examples = x if y is None else (x, y)
        model.to_html(path, examples=examples, dtype="int8" if options.int8 else "float32", title=stem)
        where_it_fails.pop_all()
    is_open = not options.no_open and webbrowser.open(path.absolute().as_uri())
    print(f"the page is in {path}{'' if is_open else '; open it in a browser'}")
    return 0


def _watch_training(options: argparse.Namespace, train: Callable[[list[str], Any], int]) -> int:
    from cynn.callbacks import Live

    given = {"MODEL": options.model, "--data": options.data, "--int8": options.int8, "--output": options.output}
    for name, value in given.items():
        if value:
            raise InvalidParameterError(f"{name} must be left out before --train, whose own options follow it. Got it.")
    return train(options.train, Live(open=not options.no_open))
