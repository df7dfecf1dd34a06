"""HTML for networks and histories in a notebook, with SVG drawings in the colours of the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cynn.display import summary

if TYPE_CHECKING:
    from cynn.errors import Figures
    from cynn.model import Model

__all__ = ["history_face", "network_face"]

_FONT = "font-family:sans-serif;font-size:11px"
_VALIDATION = "#e07b28"  # visible on light and on dark pages
_TALLEST = 96.0  # pixels
_MAX_LAYERS = 14  # the middle layers of a longer network are left out
_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 360.0, 180.0, 56.0, 36.0, 24.0  # size and margins of a curve
_MAX_POINTS = 400  # a curve with more points is thinned out


def network_face(network: Model) -> str:
    """A drawing of the layers, and the summary as a table below it.

    Examples
    --------
    >>> import cynn
    >>> from cynn.display.notebook import network_face
    >>> net = cynn.Network.mlp([784, 16, 10], output="softmax", seed=0)
    >>> face = network_face(net)
    >>> "12,560" in face, face.count("<rect")
    (True, 3)
    """
    return f'<div style="overflow-x:auto">{_layers(network)}{_table(network)}</div>'


def history_face(history: Figures) -> str:
    """The curves of the training and validation loss, and the last figures below them.

    Examples
    --------
    >>> import cynn
    >>> from cynn.display.notebook import history_face
    >>> net = cynn.Network.mlp([1, 1], seed=0)
    >>> history = net.fit([[1.0]], [1.0], epochs=3)
    >>> history_face(history).count("<polyline")
    1
    """
    return f"<div>{_curves(history)}<div><code>{_escape(repr(history))}</code></div></div>"


def _escape(text: str) -> str:
    from html import escape  # imported when needed, as it takes time

    return escape(text)


# ----------------------------------------------------------------------------------------------- network


def _table(network: Model) -> str:
    head = "".join(_cell("th", text, i) for i, text in enumerate(summary.HEADINGS))
    body = "".join(
        "<tr>" + "".join(_cell("td", text, i) for i, text in enumerate(row)) + "</tr>" for row in summary.rows(network)
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(tag: str, text: str, column: int) -> str:
    side = "left" if column < summary.WORDS else "right"
    return f'<{tag} style="text-align:{side}">{_escape(text)}</{tag}>'


def _layers(network: Model) -> str:
    """One bar per layer, as high as the logarithm of its units, with its units and name below."""
    sizes = [network.input.units, *(layer.units or 0 for layer in network.layers)]
    names = ["input", *map(summary.name_of, network.layers)]
    bars: list[tuple[str, int] | None] = list(zip(names, sizes, strict=True))
    if len(bars) > _MAX_LAYERS:
        bars[_MAX_LAYERS // 2 : -(_MAX_LAYERS // 2)] = [None]
    pitch = max(64.0, 6.6 * max(map(len, names)) + 12)
    tallest = math.log2(max(sizes) + 1)
    width, height = pitch * len(bars), _TALLEST + 48
    middle = 8 + _TALLEST / 2
    parts = []
    for i, bar in enumerate(bars):
        x = pitch * (i + 0.5)
        if i:
            parts.append(
                f'<line x1="{x - pitch + 12:g}" y1="{middle:g}" x2="{x - 12:g}" y2="{middle:g}" '
                'stroke="currentColor" stroke-opacity="0.4"/>'
            )
        if bar is None:
            parts.append(_text(x, middle + 4, "…", "middle"))
            continue
        name, units = bar
        tall = max(4.0, _TALLEST * math.log2(units + 1) / tallest)
        parts.append(
            f'<rect x="{x - 11:g}" y="{middle - tall / 2:.1f}" width="22" height="{tall:.1f}" rx="4" '
            'fill="currentColor" fill-opacity="0.25" stroke="currentColor"/>'
        )
        parts.append(_text(x, _TALLEST + 26, f"{units:,}", "middle"))
        parts.append(_text(x, _TALLEST + 41, name, "middle"))
    return _svg(width, height, parts, "the layers of the network")


# ----------------------------------------------------------------------------------------------- history


def _curves(history: Figures) -> str:
    lines = {
        name: _finite(history.history[key])
        for name, key in (("training", "loss"), ("validation", "val_loss"))
        if key in history.history
    }
    points = [point for line in lines.values() for point in line]
    if not points:
        return ""
    last = max(epoch for epoch, _ in points)
    low, high = min(y for _, y in points), max(y for _, y in points)
    over = _WIDTH - _LEFT - 12
    up = _HEIGHT - _BOTTOM - _TOP

    def place(epoch: int, y: float) -> str:
        at = (epoch - 1) / max(1, last - 1)
        share = (y - low) / (high - low) if high > low else 0.5
        return f"{_LEFT + over * at:.1f},{_TOP + up * (1 - share):.1f}"

    base = _HEIGHT - _BOTTOM
    parts = [
        f'<path d="M{_LEFT - 4:g} {_TOP:g}V{base + 4:g}H{_WIDTH - 12:g}" fill="none" stroke="currentColor" '
        'stroke-opacity="0.4"/>',
        _text(_LEFT - 8, _TOP + 4, f"{high:.3g}", "end"),
        _text(_LEFT, base + 18, "1", "middle"),
        _text(_LEFT + over / 2, base + 18, "epoch", "middle"),
    ]
    if high > low:
        parts.append(_text(_LEFT - 8, base + 4, f"{low:.3g}", "end"))
    if last > 1:
        parts.append(_text(_WIDTH - 12, base + 18, str(last), "end"))
    for i, (name, line) in enumerate(lines.items()):
        color = _VALIDATION if i else "currentColor"
        dash = ' stroke-dasharray="5 3"' if i else ""
        stroke = f'stroke="{color}" stroke-width="1.8"{dash}'
        x = _LEFT + 4 + 130 * i
        parts.append(f'<line x1="{x:g}" y1="10" x2="{x + 24:g}" y2="10" {stroke}/>')
        parts.append(_text(x + 30, 14, f"{name} loss", "start"))
        if len(line) == 1:
            line = [*line, (line[0][0] + 1, line[0][1])] if last == 1 else line
        parts.append(f'<polyline points="{" ".join(place(*point) for point in line)}" fill="none" {stroke}/>')
    return _svg(_WIDTH, _HEIGHT, parts, "the loss over the epochs")


def _finite(figures: Sequence[float]) -> list[tuple[int, float]]:
    """The finite figures as (epoch, figure), thinned out if there are many."""
    found = [(i, y) for i, y in enumerate(figures, start=1) if math.isfinite(y)]
    step = math.ceil(len(found) / _MAX_POINTS)
    return [*found[:-1:step], found[-1]] if found else []


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" fill="currentColor">{_escape(text)}</text>'


def _svg(width: float, height: float, parts: list[str], what: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
        f'viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{what}" '
        f'style="max-width:100%;height:auto;display:block;{_FONT}">{"".join(parts)}</svg>'
    )
