"""Writes plots to files, for the command line. Needs no display."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from cynn import file_access
from cynn.errors import InvalidParameterError
from cynn.plot import _style
from cynn.plot._style import Artists

__all__ = ["check_path", "save"]

DOTS_PER_INCH = 160


def check_path(path: str | Path, name: str) -> Path:
    """Return `path` if a plot can be written there. Otherwise raise an error.

    Examples
    --------
    >>> check_path("digits.png", "--plot").name
    'digits.png'
    """
    _style.require_matplotlib()
    from matplotlib.backend_bases import FigureCanvasBase

    path = Path(file_access.as_path(path, name, "a picture"))
    kinds = sorted(FigureCanvasBase.get_supported_filetypes())
    if path.suffix[1:].lower() not in kinds:
        raise InvalidParameterError(
            f"{name} must be a file that ends in one of {', '.join(kinds)}. Got {str(path)!r} instead."
        )
    if not path.absolute().parent.is_dir():
        raise InvalidParameterError(f"{name} must be in a folder that exists. Got {str(path)!r} instead.")
    return path


def save(path: Path, picture: Callable[..., Artists], *arguments: Any, **options: Any) -> None:
    """Draw a plot into a new figure, and write it to a file.

    Examples
    --------
    >>> import cynn, pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "tanh.png")
    ...     save(path, cynn.plot.function, "tanh")
    ...     path.exists()
    True
    """
    _style.require_matplotlib()
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    before = set(pyplot.get_fignums())
    try:
        picture(*arguments, **options)
        with file_access.replacing(str(path)) as file:
            pyplot.gcf().savefig(file, format=path.suffix[1:].lower(), dpi=DOTS_PER_INCH)
    finally:
        for number in set(pyplot.get_fignums()) - before:
            pyplot.close(number)
