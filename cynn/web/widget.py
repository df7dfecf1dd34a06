"""`net.watch`: the view of a network in a notebook, and the curves of a training as they grow."""

from __future__ import annotations

import functools
import math
import time
from typing import Any

from cynn.callbacks import Callback
from cynn.display import assets
from cynn.errors import DataError, InvalidParameterError
from cynn.interop.c_file import check_held
from cynn.interop.exported_model import exported_model
from cynn.interop.needed import needed
from cynn.interop.plan import Plan
from cynn.web.contents import Contents, contents_of
from cynn.web.page import view_of

__all__ = ["module_of", "watch"]

_SHARE = 0.02  # of the time of a training, which its display may take


def watch(
    self: Any,
    *,
    examples: Any = None,
    labels: Any = None,
    inputs: Any = None,
    dtype: str = "float32",
    title: str | None = None,
) -> Any:
    """Show the network in a notebook as it thinks: what `to_html` writes, as a widget for Jupyter, marimo and others.

    The callback `training` of the widget shows a training as it runs: curves of the losses and metrics grow, and the
    neurons and edges have the weights of the last epoch. It takes at most 2 % of the training's time. Needs the extra
    `cynn-nn[widget]`.

    Parameters
    ----------
    examples, labels, inputs, dtype : optional
        As for `to_html`.
    title : str, optional
        The heading. By default the name of the class.

    Returns
    -------
    anywidget.AnyWidget
        A widget, which a notebook shows as the last line of a cell. Its `training` is a callback for `fit`; None for an
        estimator for tables, whose `fit` makes new networks.

    Raises
    ------
    MissingDependencyError
        The package anywidget is not installed.
    InvalidParameterError, DataError, ShapeError
        As for `to_html`.

    Examples
    --------
    >>> import cynn
    >>> net = cynn.Network.mlp([2, 8, 1], activation="tanh", seed=0)
    >>> widget = net.watch()  # doctest: +SKIP
    >>> net.fit(x, y, callbacks=[widget.training])  # doctest: +SKIP
    """
    make = _widget_class()
    title = type(self).__name__ if title is None else title
    found = contents_of(self, examples=examples, labels=labels, inputs=inputs, dtype=dtype, title=title)
    plan = exported_model(self).plan
    widget = make(_esm=module_of(found), markup=_markup(found), page=found.page, data=found.data(plan))
    widget.training = None if plan.columns is not None else _Training(widget, self, found)
    return widget


def module_of(found: Contents) -> str:
    """The module of JavaScript of a widget."""
    return f"{assets.joined('widget')}\n{found.forward}\nexport default widgetOf(forward);\n"


def _markup(found: Contents) -> str:
    return f'<style>{assets.read("page.css")}</style><div class="view">{view_of(found)}</div>'


@functools.cache
def _widget_class() -> Any:
    """The class of widgets, whose base is there only where the package is.

    Its state is the module of JavaScript, the elements and the style of the view (`markup`), what its scripts need to
    know (`page`), the weights (`data`), and the figures of a training (`history`), None where one is not finite.
    """
    base = needed("anywidget", "widget").AnyWidget
    traitlets = needed("traitlets", "widget")
    kinds = {"_esm": "Unicode", "markup": "Unicode", "page": "Dict", "data": "Unicode", "history": "Dict"}
    state = {name: getattr(traitlets, kind)().tag(sync=True) for name, kind in kinds.items()}
    return type("NetworkWidget", (base,), {"__module__": __name__, "training": None, **state})


class _Training(Callback):
    """Shows a training in a widget."""

    def __init__(self, widget: Any, watched: Any, contents: Contents) -> None:
        self.widget = widget
        self.watched = watched
        self.contents = contents
        self.history: dict[str, list[float | None]] = {}
        self.next_seconds = 0.0

    def on_train_begin(self) -> None:
        if self.network is not self.watched:
            raise InvalidParameterError(
                "The callback 'training' of a widget must be given to fit of the network that the widget shows. Got "
                "another network instead."
            )
        self.history, self.next_seconds = {}, 0.0

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        for name, figure in logs.items():
            self.history.setdefault(name, []).append(figure if math.isfinite(figure) else None)
        begun = time.monotonic()
        if begun >= self.next_seconds:
            self._show()
            ended = time.monotonic()
            self.next_seconds = ended + (ended - begun) / _SHARE

    def on_train_end(self) -> None:
        self._show()

    def _show(self) -> None:
        with self.widget.hold_sync():
            self.widget.history = {name: list(figures) for name, figures in self.history.items()}
            plan = exported_model(self.network).plan
            if _is_finite(plan):
                self.widget.data = self.contents.data(plan)


def _is_finite(plan: Plan) -> bool:
    """Whether a page can show the weights. Where they are not finite, `fit` says so."""
    try:
        check_held(plan, "float32")
    except DataError:
        return False
    return True
