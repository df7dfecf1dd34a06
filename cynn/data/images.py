"""Converts pictures of handwritten digits to the format of MNIST."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from cynn import file_access
from cynn.errors import DataError, MissingDependencyError

__all__ = ["read_digit"]

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp"})
SIDE = 28  # pixels of an MNIST image
BOX = 20  # pixels of the box that the digit itself fills


def read_digit(path: str | Path) -> npt.NDArray[np.uint8]:
    """Read a picture of one digit as a row like those of :func:`cynn.datasets.load_mnist`.

    The picture is converted to greyscale, with light ink on a dark background: a picture with a light border is
    inverted. The digit is cropped, scaled to fit a box of 20 by 20 pixels with its proportions kept, and placed in
    28 by 28 pixels with its centre of mass in the middle, as LeCun and colleagues did. A picture of 28 by 28 pixels is
    only inverted, if it has a light border.

    Parameters
    ----------
    path : str or path
        A PNG or any other picture that Pillow reads.

    Returns
    -------
    ndarray
        784 bytes, shape (784,), uint8.

    Raises
    ------
    MissingDependencyError
        If Pillow is not installed: ``pip install "cynn-nn[image]"``.
    DataError
        If the file is no picture, or has a single colour.
    OSError
        If the file cannot be read.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingDependencyError(
            'Reading a picture needs Pillow. Install it with: pip install "cynn-nn[image]"'
        ) from error
    try:
        given = file_access.as_path(path, "path", "read_digit")
        with file_access.open_regular(given) as file, Image.open(file) as picture:
            flat = picture.convert("RGBA")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # from the operating system: no such file, no permission
        raise DataError(f"{str(path)!r} must be a whole picture, such as a PNG.") from error
    paper = Image.new("RGBA", flat.size, "white")
    grey = np.asarray(Image.alpha_composite(paper, flat).convert("L"))

    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    if np.median(border) > 127:
        grey = 255 - grey
        border = 255 - border
    if grey.shape == (SIDE, SIDE):
        return np.array(grey, dtype=np.uint8).reshape(-1)

    background = float(np.median(border))
    contrast = float(grey.max()) - background
    if contrast < 32:
        raise DataError(f"The picture must show a digit. Got {str(path)!r}, which is of one colour.")
    ink = np.clip((grey - background) / contrast, 0.0, 1.0)
    rows, columns = (np.flatnonzero((ink > 0.2).any(axis=axis)) for axis in (1, 0))
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]

    height, width = (max(1, round(n * BOX / max(ink.shape))) for n in ink.shape)
    cut = Image.fromarray(np.rint(255 * ink).astype(np.uint8))
    digit = np.asarray(cut.resize((width, height), Image.Resampling.LANCZOS))

    row = np.zeros((SIDE, SIDE), dtype=np.uint8)
    top = _first(digit.sum(axis=1, dtype=np.float64))
    left = _first(digit.sum(axis=0, dtype=np.float64))
    row[top : top + height, left : left + width] = digit
    return row.reshape(-1)


def _first(mass: npt.NDArray[np.float64]) -> int:
    """The start of a line of pixels that puts its centre of mass in the middle of the image."""
    centre = float(mass @ np.arange(len(mass)) / mass.sum())
    return int(np.clip(round((SIDE - 1) / 2 - centre), 0, SIDE - len(mass)))
