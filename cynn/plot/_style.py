"""Shared by all plots: axes, colours, text sizes, checks of parameters, and predicted classes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from cynn.data.targets import Targets
from cynn.errors import InvalidParameterError, MissingDependencyError, ShapeError, check_whole_number

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap, Normalize
    from matplotlib.patches import Patch

Array: TypeAlias = npt.NDArray[Any]
Artists: TypeAlias = "dict[str, list[Artist]]"

# Blue and orange can be told apart by colour-blind people, and in greyscale, where blue is darker.
POSITIVE = "#114a9c"
NEGATIVE = "#ef7f2d"
INK = "#222222"
FAINT = "#9a9a9a"

LARGEST_TEXT = 10.0  # points
MIN_HEIGHT = 1.2  # inches of a new figure


def require_matplotlib() -> None:
    """Raise an error that names the extra if matplotlib is not installed."""
    try:
        import matplotlib  # noqa: F401  # to see whether it is there
    except ImportError as error:
        raise MissingDependencyError(
            'Drawing needs matplotlib. Install it with: pip install "cynn-nn[plot]"'
        ) from error


def axes(ax: Axes | None, width: float, height: float) -> Axes:
    """`ax` if it is given, else the axes of a new figure of width by height inches."""
    require_matplotlib()
    from matplotlib.axes import Axes

    if ax is None:
        from matplotlib import pyplot

        return pyplot.subplots(figsize=(width, height), layout="constrained")[1]
    if not isinstance(ax, Axes):
        raise InvalidParameterError(
            f"The 'ax' parameter of a plot must be the axes of a matplotlib figure. Got {ax!r} instead."
        )
    return ax


def canvas(
    ax: Axes | None,
    x: tuple[float, float],
    y: tuple[float, float],
    inches: float,
    *,
    beside: float = 0.0,
) -> tuple[Axes, float]:
    """Axes without a frame, with one scale for x and y, and the size of a unit in points.

    A new figure has `inches` per unit, and `beside` more inches at the right. In axes that were given, the unit follows
    from their size.
    """
    width, height = x[1] - x[0], y[1] - y[0]
    ax = axes(ax, width * inches + beside, max(height * inches, MIN_HEIGHT))
    ax.set(xlim=x, ylim=y, aspect="equal")
    ax.set_axis_off()
    box = ax.get_window_extent()
    unit = min(box.width / width, box.height / height)
    return ax, unit * 72 / ax.figure.dpi


EM = 0.62  # the size of text, as a part of the height of its line


def text_size(points: float) -> float:
    """The size of text for a line of this height in points."""
    return min(EM * points, LARGEST_TEXT)


def text_width(text: str, *, bold: bool = False) -> float:
    """The width of a line of text, as a multiple of its size."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    if not text.strip():
        return 0.0
    font = FontProperties(weight="bold" if bold else "normal")
    return float(TextPath((0, 0), text, size=1, prop=font).get_extents().x1)


def picture(ax: Axes, values: Array, left: float, bottom: float, width: float, height: float) -> list[Any]:
    """Draw an array as a greyscale image with a thin frame; the largest number is black."""
    extent = (left, left + width, bottom, bottom + height)
    limits = {"xlim": ax.get_xlim(), "ylim": ax.get_ylim()}
    values = values / (float(np.abs(values).max()) or 1.0)
    image = ax.imshow(
        values, cmap="Greys", norm=shade(values), extent=extent, interpolation="nearest", aspect=ax.get_aspect()
    )
    ax.set(**limits)  # imshow has set its own
    ax.add_patch(frame(left, bottom, width, height))
    return [image]


def frame(left: float, bottom: float, width: float, height: float) -> Patch:
    """A thin frame for an image that may be white at its border."""
    from matplotlib.patches import Rectangle

    return Rectangle((left, bottom), width, height, fill=False, edgecolor=FAINT, linewidth=0.6, clip_on=False)


def signed() -> Colormap:
    """A colour map: orange below zero, white at zero, blue above."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("cynn_signed", [NEGATIVE, "white", POSITIVE])


def strength() -> Colormap:
    """A colour map from white at 0 to blue at 1."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("cynn_strength", ["white", POSITIVE])


def legend(ax: Axes, lines: list[Any]) -> None:
    """Draw a legend above the axes, where it covers no line."""
    ax.legend(handles=lines, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(lines), frameon=False)


def shade(a: Array) -> Normalize:
    """The grey scale of activations: white at 0 and black at 1, if all are between 0 and 1.

    If some are larger, black is at the largest. If some are negative, white is as far below zero as black is above.
    """
    from matplotlib.colors import Normalize

    largest = max(1.0, float(np.abs(a).max(initial=0.0)))
    return Normalize(-largest if a.min(initial=0.0) < 0 else 0.0, largest)


def layer_weights(layer: Any, inputs: int) -> Array | None:
    """The weights of a layer if they are a matrix (inputs, units), else None."""
    weights = getattr(layer, "weights", None)
    if weights is None or np.shape(weights) != (inputs, layer.units):
        return None
    return np.asarray(weights, np.float64)


def rows_of(x: Any, owner: str) -> Array:
    """`x` as a matrix of rows. A single row becomes a matrix of one row."""
    rows = np.asarray(x)
    if rows.ndim not in (1, 2) or rows.size == 0:
        raise ShapeError(f"The 'x' parameter of {owner} must be rows, or one row. Got {rows.shape} instead.")
    return np.atleast_2d(rows)


def picture_shape(shape: Any, n: int, owner: str) -> tuple[int, int]:
    """Rows and columns of a picture of n numbers: as given; or a square if n is one; or a single row."""
    if shape is None:
        side = math.isqrt(n)
        return (side, side) if side * side == n else (1, n)
    try:
        height, width = (check_whole_number(size, "shape", owner, minimum=1) for size in shape)
    except (TypeError, ValueError) as error:
        raise InvalidParameterError(
            f"The 'shape' parameter of {owner} must be (rows, columns). Got {shape!r} instead."
        ) from error
    if height * width != n:
        raise ShapeError(
            f"The 'shape' parameter of {owner} must hold {n:,} numbers, one per input. Got {shape!r} instead."
        )
    return height, width


def label_of(number: int, labels: Any) -> str:
    """The label of an output if labels were given, else its number."""
    return str(number if labels is None else labels[number])


def require_one_output(net: Any, owner: str) -> None:
    """Raise an InvalidParameterError if a network has several outputs."""
    if not isinstance(net.outputs, int):
        raise InvalidParameterError(
            f"The 'net' parameter of {owner} must be a network of one output. Got one whose outputs are {net.outputs}."
        )


def check_labels(labels: Any, outputs: int, owner: str) -> None:
    """Raise a ShapeError unless there is a label for every output, or none at all."""
    if labels is not None and len(labels) != outputs:
        raise ShapeError(
            f"The 'labels' parameter of {owner} must have one label per output, {outputs}. Got {len(labels)} instead."
        )


def true_and_predicted(net: Any, x: Any, y: Any, loss: Any, owner: str) -> tuple[Array, Array, Array]:
    """The true class of each row of x, the predicted class, and the confidence of the prediction."""
    require_one_output(net, owner)
    outputs = net.predict(rows_of(x, owner))
    given = np.asarray(y)
    if given.ndim == 2 and given.shape[1] == 1:
        given = given[:, 0]
    if given.shape[:1] != (len(outputs),) or given.shape[1:] not in ((), (net.outputs,)):
        raise ShapeError(
            f"The 'y' parameter of {owner} must have one class for each of {len(outputs)} rows. "
            f"Got the shape {given.shape} instead."
        )
    if given.dtype.kind not in "buif":
        raise InvalidParameterError(
            f"The 'y' parameter of {owner} must be classes as numbers. Got the dtype {given.dtype} instead."
        )
    threshold = 0.5
    if net.outputs == 1:  # the loss defines the threshold, and -1 may stand for 0
        target = Targets(given[:, None], None, 1, net.objective(loss).losses[0].decision_threshold)
        threshold = target.decision_threshold
        given = target.as_classes() if target.kind == "classes" else given
    with np.errstate(invalid="ignore"):  # NaN is found by the next lines
        true = given.argmax(axis=1) if given.ndim == 2 else given.astype(np.int64)
    classes = max(2, net.outputs)
    wrong = (true < 0) | (true >= classes) | ((given != true) if given.ndim == 1 else False)
    if wrong.any():
        row = int(wrong.argmax())
        raise InvalidParameterError(
            f"The 'y' parameter of {owner} must be classes, whole numbers from 0 to {classes - 1}. "
            f"Got {given[row]} in row {row} instead."
        )
    if net.outputs > 1:
        return true, outputs.argmax(axis=1), outputs.max(axis=1)
    return true, (outputs[:, 0] > threshold).astype(np.int64), np.abs(outputs[:, 0] - threshold)
