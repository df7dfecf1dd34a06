"""`net.to_html`: one page that shows a network as it thinks."""

from __future__ import annotations

import html
import os
from pathlib import Path
from string import Template
from typing import Any

from cynn import file_access
from cynn.display import assets
from cynn.interop.exported_model import exported_model
from cynn.web.contents import Contents, contents_of

__all__ = ["to_html", "view_of"]


def to_html(
    self: Any,
    path: str | os.PathLike[str],
    *,
    examples: Any = None,
    labels: Any = None,
    inputs: Any = None,
    dtype: str = "float32",
    title: str | None = None,
) -> None:
    """Write a page that shows the network as it thinks: one HTML file, which asks for nothing from elsewhere.

    Neurons are shaded by their activation, and edges have the sign and size of their weights. A picture is drawn by
    hand, columns of a table have sliders and menus, and of a network with one or two inputs the learned function is
    shown. A neuron that is chosen shows its weights, activation * weight, the examples that light it most, and where it
    goes. The browser computes in float64 with the weights of the page. Of a large layer, the neurons with the largest
    weights are drawn; all of them are computed.

    The page of a `TabularClassifier` or `TabularRegressor` takes the columns of the table as they are: numbers in their
    units, categories, and what is missing.

    Parameters
    ----------
    path : str or path
        Where to write, such as "digits.html". An existing file is replaced.
    examples : array, DataFrame or tuple (x, y), optional
        Rows of data. They give the ranges of sliders, and the page holds those that light a neuron most, among the
        first 5,000. With y, it says what they are.
    labels : list of str, optional
        The names of the outputs. By default the network's `classes`, or numbers. For several outputs, a list or a dict
        of such lists.
    inputs : tuple (rows, columns), list or dict, optional
        The shape of a picture; or the names of the columns; or a dict with what each may be: a range (low, high), a
        list of categories, whose numbers count from 0, or None. By default a square picture where the number of inputs
        allows it, else columns with the network's `feature_names` or those of a DataFrame. A picture of 28 by 28
        pixels is centred as in MNIST. Of an estimator for tables, names and categories are those of its training.
    dtype : {"float32", "int8"}
        How the weights of dense layers are written: up to a million numbers in float32, up to four million in int8.
        With int8, a quarter of the size, the page says what that costs on the examples, and so does a line that is
        printed.
    title : str, optional
        The heading. By default the name of the file.

    Raises
    ------
    InvalidParameterError
        A layer or an activation has no formula, the network is too large for a page, or a parameter does not fit it.
        Nothing is written.
    DataError, ShapeError
        The examples do not fit the network, or a weight is not finite.

    Examples
    --------
    >>> import cynn, pathlib, tempfile
    >>> net = cynn.Network.mlp([2, 3, 1], activation="tanh", seed=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "small.html")
    ...     net.to_html(path, inputs={"width": (0, 10), "height": None})
    ...     text = path.read_text()
    >>> "<h1>small</h1>" in text
    True
    """
    path = Path(file_access.as_path(path, "path", "to_html"))
    title = path.stem if title is None else title
    found = contents_of(self, examples=examples, labels=labels, inputs=inputs, dtype=dtype, title=title)
    text = _text(found, found.data(exported_model(self).plan))
    with file_access.replacing(str(path)) as file:
        file.write(text.encode())
    if dtype == "int8":
        print(found.notes)


def view_of(found: Contents) -> str:
    """The elements of the view."""
    return Template(assets.read("view.html")).substitute(
        title=html.escape(found.title),
        about=html.escape(found.about),
        notes=html.escape(f" {found.notes}" if found.notes else ""),
    )


def _text(found: Contents, data: str) -> str:
    """The page as text."""
    return Template(assets.read("page.html")).substitute(
        title=html.escape(found.title),
        style=assets.read("page.css"),
        view=view_of(found),
        summary=html.escape(found.summary),
        page=assets.as_json({**found.page, "data": data}),
        script="\n".join([assets.joined("page"), found.forward]),
    )
