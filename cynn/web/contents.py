"""What a page shows of a model: its inputs, columns of neurons and outputs, its arrays, and its computation."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cynn.display.widths import widths_of
from cynn.errors import InvalidParameterError, shown
from cynn.interop.c_file import check_held
from cynn.interop.exported_model import exported_model
from cynn.interop.js_file import JsPrinter
from cynn.interop.plan import Array, Plan
from cynn.web import eight_bits
from cynn.web import examples as of_examples
from cynn.web.columns import columns_of
from cynn.web.inputs import inputs_of
from cynn.web.outputs import outputs_of

__all__ = ["Contents", "contents_of"]

_MAX_BYTES = 4_000_000  # of the arrays in a page, which has them all


@dataclass
class Contents:
    """What a page shows.

    Attributes
    ----------
    page : dict
        What its scripts need to know, all but the arrays.
    dtype : {"float32", "int8"}
        How weights are written.
    examples : array or None
        Those that are held.
    forward : str
        A function of JavaScript that computes all values of the plan.
    title, about : str
        The heading, and a line below it.
    notes : str
        What else is to be known.
    summary : str
        The network as a table in plain text.
    """

    page: dict[str, Any]
    dtype: str
    examples: Array | None
    forward: str
    title: str
    about: str
    notes: str
    summary: str

    def arrays(self, plan: Plan) -> list[tuple[str, Array]]:
        """The names and the arrays in the order of `data`, those of float32 first."""
        found = list(_arrays(plan, self.dtype))
        if self.examples is not None:
            found.append(("examples", self.examples))
        return sorted(found, key=lambda each: each[1].dtype != np.float32)

    def data(self, plan: Plan) -> str:
        """The arrays of a plan as text. Its weights may be others than those that the page began with."""
        return _packed([array for _, array in self.arrays(plan)])


def contents_of(model: Any, *, examples: Any, labels: Any, inputs: Any, dtype: str, title: Any) -> Contents:
    """What a page shows of a network or an estimator. The parameters are those of `to_html`."""
    if dtype not in ("float32", "int8"):
        raise InvalidParameterError(f"The 'dtype' parameter must be 'float32' or 'int8'. Got {shown(dtype)} instead.")
    if not isinstance(title, str):
        raise InvalidParameterError(f"The 'title' parameter must be a string. Got {shown(title)} instead.")
    exported = exported_model(model)
    _check_size(exported.plan, dtype)
    check_held(exported.plan, "float32")
    frame_names, dates = of_examples.names_of(examples), of_examples.dates_of(examples)
    rows, y = of_examples.rows_of(exported, examples)
    if dtype == "int8" and rows is None:
        raise InvalidParameterError(
            "The 'examples' parameter must be given with dtype='int8', so that the page can say what the eight bits "
            "cost. Got None instead."
        )
    plan = eight_bits.rounded(exported.plan) if dtype == "int8" else exported.plan
    described = inputs_of(exported, inputs, rows, frame_names, dates)
    columns = columns_of(exported)
    outputs = outputs_of(exported, columns, labels)
    answers: list[str] = []
    notes = []
    held = None
    if rows is not None:
        places = of_examples.chosen(plan, [column["value"] for column in columns[1:]], rows)
        held = of_examples.as_held(rows[places])
        texts = of_examples.answers_of(y, outputs[0], is_coded=plan.labels is None)
        answers = [""] * len(held) if texts is None else [texts[place] for place in places]
        if dtype == "int8":
            notes.append(eight_bits.difference(exported.plan, plan, rows, outputs, texts))
    networks = exported.networks
    if len(networks) > 1:
        notes.append(f"The output is made of the mean of {len(networks)} networks, of which one is drawn.")
    count = sum(network.parameter_count for network in networks)
    sources = [[source["from"] for source in column["sources"]] for column in columns]
    widths = widths_of([column["units"] for column in columns], sources)
    page: dict[str, Any] = {"inputs": described, "columns": columns, "outputs": outputs, "answers": answers}
    about = f"{widths}, {count:,} weights and biases"
    found = Contents(page, dtype, held, _forward(plan), title, about, " ".join(notes), networks[-1].summary())
    page["described"] = [(name, array.dtype.name, array.size) for name, array in found.arrays(exported.plan)]
    return found


def _check_size(plan: Plan, dtype: str) -> None:
    """Raise an error if the arrays are too large for a page."""
    size = _bytes_of(plan, dtype)
    if size > _MAX_BYTES:
        also = f"; with dtype='int8', {_bytes_of(plan, 'int8') / 1e6:.1f} MB" if dtype == "float32" else ""
        raise InvalidParameterError(
            f"The weights of a page must take at most {_MAX_BYTES // 10**6} MB, since it holds them all. Got "
            f"{plan.parameter_count:,} weights and other numbers instead, which take {size / 1e6:.1f} MB in "
            f"{dtype}, for a file of about {size / 750_000:.0f} MB{also}."
        )


def _bytes_of(plan: Plan, dtype: str) -> int:
    """The size of the arrays in a page, without that of what is short."""
    return sum(
        array.size * (1 if dtype == "int8" and name.startswith("w") else 4) for name, array in plan.named_arrays()
    )


def _arrays(plan: Plan, dtype: str) -> Iterator[tuple[str, Array]]:
    """The arrays of a plan as the page holds them. Those of formulas are short, and stay in their dtype."""
    for name, array in plan.named_arrays():
        if dtype == "int8" and name.startswith("w"):
            whole, scales = eight_bits.weights8(array)
            yield f"{name}_scales", scales
            yield name, whole
        else:
            yield name, array if name.startswith("p") else array.astype(np.float32)
    yield from plan.input_arrays.items()


def _packed(arrays: list[Array]) -> str:
    """The bytes of arrays: of those of float32, all first bytes come first, which compresses better."""
    floats = np.concatenate([np.zeros(0, np.float32), *(a.ravel() for a in arrays if a.dtype == np.float32)])
    planes = floats.astype("<f4").view(np.uint8).reshape(-1, 4).T
    rest = [array.tobytes() for array in arrays if array.dtype != np.float32]
    return base64.b64encode(zlib.compress(b"".join([planes.tobytes(), *rest]), 9)).decode()


def _forward(plan: Plan) -> str:
    """A function of JavaScript that takes a row of numbers, and the arrays of the page."""
    named = [name for name, _ in plan.named_arrays()]
    named += plan.input_arrays
    values = ", ".join(f"v{number}" for number in range(len(plan.widths)))
    of_numbers = replace(plan, columns=None)  # of a row that has numbers for its categories
    text = JsPrinter(of_numbers).function("function forward(x, arrays)", f"[{values}]")
    return text.replace("{", f"{{\n  const {{ {', '.join(named)} }} = arrays;", 1)
