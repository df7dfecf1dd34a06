"""`net.to_html`: one page that shows a network as it thinks."""

from __future__ import annotations

import base64
import html
import json
import os
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

import numpy as np

from cynn import file_access
from cynn.errors import InvalidParameterError, shown
from cynn.interop.c_file import check_held
from cynn.interop.from_layers import plan_of
from cynn.interop.js_file import JsPrinter
from cynn.interop.plan import Array, Plan
from cynn.web import eight_bits
from cynn.web import examples as of_examples
from cynn.web.columns import columns_of
from cynn.web.inputs import inputs_of
from cynn.web.outputs import outputs_of

if TYPE_CHECKING:
    from cynn.network import Network

__all__ = ["to_html"]

_MAX_NUMBERS = 1_000_000  # numbers in a page, which has them all
_STATIC = Path(__file__).with_name("static")
_SCRIPTS = ["arrays", "picture", "layout", "elements", "inputs", "curve", "network", "details", "main"]


def to_html(
    self: Network,
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
    goes. The browser computes in float64 with the weights of the page.

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
        pixels is centred as in MNIST.
    dtype : {"float32", "int8"}
        How the weights of dense layers are written. With int8, a third of the size, the page says what that costs on
        the examples, and so does a line that is printed.
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
    if dtype not in ("float32", "int8"):
        raise InvalidParameterError(
            f"The 'dtype' parameter of to_html must be 'float32' or 'int8'. Got {shown(dtype)} instead."
        )
    if not isinstance(title, (str, type(None))):
        raise InvalidParameterError(f"The 'title' parameter of to_html must be a string. Got {shown(title)} instead.")
    if self.parameter_count > _MAX_NUMBERS:
        raise InvalidParameterError(
            f"The network of a page must have at most {_MAX_NUMBERS:,} weights and biases, since it holds them all. "
            f"Got {self.parameter_count:,} instead, for which it would be {self.parameter_count * 16 // 3 // 10**6} MB."
        )
    names = self.feature_names or of_examples.names_of(examples)
    rows, y = of_examples.rows_of(self, examples)
    if dtype == "int8" and rows is None:
        raise InvalidParameterError(
            "The 'examples' parameter of to_html must be given with dtype='int8', so that the page can say what the "
            "eight bits cost. Got None instead."
        )
    network = eight_bits.rounded(self) if dtype == "int8" else self
    plan = plan_of(network)
    check_held(plan, "float32")
    described = inputs_of(network, plan, inputs, rows, names)
    columns = columns_of(network, plan)
    outputs = outputs_of(network, plan, columns, labels)
    arrays = list(_arrays(plan, dtype))
    answers: list[str] = []
    if rows is not None:
        held = of_examples.chosen(network, rows)
        arrays.append(("examples", of_examples.as_held(rows[held])))
        answers = of_examples.answers_of(y, held, outputs[0]["labels"])
    arrays.sort(key=lambda each: -each[1].itemsize)  # float32 first
    page = {
        "inputs": described,
        "columns": columns,
        "outputs": outputs,
        "answers": answers,
        "described": [(name, array.dtype.name, array.size) for name, array in arrays],
        "data": _packed([array for _, array in arrays]),
    }
    notes = eight_bits.difference(self, network, rows, y) if dtype == "int8" and rows is not None else ""
    text = _text(network, plan, page, title or path.stem, notes)
    with file_access.replacing(str(path)) as file:
        file.write(text.encode())
    if notes:
        print(notes)


def _arrays(plan: Plan, dtype: str) -> Iterator[tuple[str, Array]]:
    """The arrays of a plan as the page holds them."""
    for name, array in plan.named_arrays():
        if dtype == "int8" and name.startswith("w"):
            whole, scales = eight_bits.weights8(array)
            yield f"{name}_scales", scales
            yield name, whole
        else:
            yield name, array.astype(np.float32)


def _packed(arrays: list[Array]) -> str:
    """The bytes of arrays: of those of float32, all first bytes come first, which compresses better."""
    floats = np.concatenate([np.zeros(0, np.float32), *(a.ravel() for a in arrays if a.dtype == np.float32)])
    planes = floats.astype("<f4").view(np.uint8).reshape(-1, 4).T
    rest = [array.tobytes() for array in arrays if array.dtype != np.float32]
    return base64.b64encode(zlib.compress(b"".join([planes.tobytes(), *rest]), 9)).decode()


def _text(network: Network, plan: Plan, page: dict[str, Any], title: str, notes: str) -> str:
    """The page as text."""
    widths = "-".join(str(column["units"]) for column in page["columns"])
    named = ", ".join(name for name, _ in plan.named_arrays())
    values = ", ".join(f"v{number}" for number in range(len(plan.widths)))
    forward = JsPrinter(plan).function("function forward(x, arrays)", f"[{values}]")
    forward = forward.replace("{", f"{{\n  const {{ {named} }} = arrays;", 1)
    return Template(_read("page.html")).substitute(
        title=html.escape(title),
        about=html.escape(f"{widths}, {network.parameter_count:,} weights and biases"),
        notes=html.escape(f" {notes}" if notes else ""),
        style=_read("page.css"),
        summary=html.escape(network.summary()),
        page=json.dumps(page, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c"),
        script="\n".join([*map(_script, _SCRIPTS), forward]),
    )


def _read(name: str) -> str:
    return (_STATIC / name).read_text(encoding="utf-8")


def _script(name: str) -> str:
    """A module without its imports, exports and comments, to be one with the others."""
    text = re.sub(r"/\*\*.*?\*/ ?|^import [^\n]*\n", "", _read(f"{name}.js"), flags=re.S | re.M)
    text = re.sub(r"^export ", "", text, flags=re.M)
    return re.sub(r"\s*\n\s*", "\n", text).strip()
