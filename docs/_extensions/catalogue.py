"""The catalogue: a page for every activation, loss and optimizer that comes with CyNN and for the layers that are
plugins, and the directive ``catalogue``, which lists those of a kind.

    .. catalogue:: activation

Names, docstrings, hyperparameters and curves are read from the registry when the site is built; `catalogue.toml` has
the formulas and says when a part is used. Packages that happen to be installed beside CyNN are left out.
"""

import re
import tomllib
from pathlib import Path

import curves
import numpy as np
import race
import rows
import sliders
from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList

from cynn import registry
from cynn.components import package_names
from cynn.plugins import table
from cynn.plugins.curves import takes_rows

KNOWN = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))


def names(of_kind):
    """What comes with CyNN, without second names."""
    own = [name for name in of_kind.names() if of_kind.provider(name) == package_names.OWN]
    return [name for name in own if of_kind.find(name).name == name]


def folder(of_kind):
    return of_kind.group.removeprefix("cynn.")


def layers():
    """The layers of the catalogue, by name; the others are in the reference."""
    found = {name: registry.layers.find(name) for name in names(registry.layers)}
    return {name: cls for name, cls in found.items() if _is_plugin(cls)}


def _is_plugin(cls):
    return cls.__module__.partition(".")[0] != "cynn"


# ----------------------------------------------------------------------------------------------- pages


def page(of_kind, name):
    """The lines of the page of one part."""
    component, known = of_kind.get(name), KNOWN[of_kind.kind][name]
    lines = _head(name)
    left = "a = " if of_kind.kind == "activation" and "_j" not in known["formula"] else LEFT[of_kind.kind]
    lines += [".. math::", "", f"   {left}{known['formula']}", "", f"**Use when:** {_escaped(known['use'])}", ""]
    lines += _raw(picture(of_kind.kind, component, known))
    lines += _used(of_kind, component)
    if component.hyperparameters:
        lines += _hyperparameters(component)
    cls = type(component)
    lines += ["Class", "-----", ""]
    if _is_plugin(cls):
        return [*lines, f".. autoclass:: {cls.__module__}.{cls.__name__}", ""]
    full = f"cynn.{folder(of_kind)}.{cls.__name__}"
    return [*lines, f"In the reference: :class:`{full}`.", "", f".. autoclass:: {full}", "   :no-index:", ""]


def page_of_layer(name):
    """The lines of the page of a layer, which is that of its class."""
    cls = layers()[name]
    code = f'   cynn.registry.layers.find("{name}")'
    return [*_head(name), ".. code-block:: python", "", code, "", f".. autoclass:: {cls.__module__}.{cls.__name__}",
            "   :members:", ""]  # fmt: skip


def _head(name):
    return [f".. _catalogue-{name}:", "", name, "=" * len(name), ""]


LEFT = {"activation": "a_j = ", "loss": "C = ", "optimizer": ""}


def picture(kind, component, known):
    """The lines of HTML of the curves, and of what moves them."""
    ranges = known.get("ranges", {})
    if kind == "activation":
        z, _, _ = curves.curve_of(component)
        limits = _limits(component, ranges, lambda each: curves.points(each, z))
        drawn = curves.of_activation(component, limits)
        if takes_rows(component):
            return [*drawn.splitlines(), *rows.of_activation(component)]
        return [*drawn.splitlines(), *sliders.of_activation(component, ranges, z[-1])]
    if kind == "loss":
        axis = curves.axis_of_loss(component)
        limits = _limits(component, ranges, lambda each: _for_both_targets(each, axis))
        drawn = curves.of_loss(component, limits)
        return [*drawn.splitlines(), *sliders.of_loss(component, known["code"], ranges)]
    return []


def _limits(component, ranges, values):
    """Limits of the vertical axes that hold the curves at both ends of every slider; None without sliders."""
    if not ranges:
        return None
    drawn = [component]
    drawn += [type(component)(**{name: end}) for name, ends in ranges.items() for end in ends]
    found = []
    for panel in zip(*map(values, drawn), strict=True):
        low, high = np.min(panel), np.max(panel)
        found.append((low - 0.05 * (high - low), high + 0.05 * (high - low)))
    return found


def _for_both_targets(loss, axis):
    return np.stack([curves.points_of_loss(loss, axis, t) for t in axis.targets], axis=1)


def _used(of_kind, component):
    """How the part is named in code."""
    name = component.name
    code = {
        "activation": f'cynn.Dense(16, activation="{name}")',
        "loss": f'net.fit(x, y, loss="{name}")',
        "optimizer": f'net.fit(x, y, optimizer="{name}")',
    }[of_kind.kind]
    lines = [".. code-block:: python", "", f"   {code}"]
    settings = [key for key, declared in component.hyperparameters.items() if not isinstance(declared.default, bool)]
    if settings:
        default = component.hyperparameters[settings[0]].default
        lines.append(f'   cynn.registry.{folder(of_kind)}.get("{name}", {settings[0]}={default:g})')
    if component.aliases:
        lines += ["", f"Also {' and '.join(f'``{alias}``' for alias in component.aliases)}."]
    return [*lines, ""]


def _hyperparameters(component):
    lines = ["Hyperparameters", "---------------", "", ".. list-table::", "   :header-rows: 1", "   :widths: auto", ""]
    for row in table.hyperparameter_rows(component):
        cells = [row[0] if row[0] == "hyperparameter" else f"``{row[0]}``", *map(_escaped, row[1:])]
        lines += [f"   {'*' if i == 0 else ' '} - {cell}" for i, cell in enumerate(cells)]
    return [*lines, ""]


def _docstring(app, what, name, obj, options, lines):
    """The bars of |z| are bars; blocks that are indented stay as they are."""
    lines[:] = [line if line.startswith((" ", ">>>")) else _escaped(line) for line in lines]


def _escaped(text):
    """With the bars of |z| escaped, outside of literals."""
    parts = re.split(r"(`+[^`]+`+)", text)
    return "".join(part if part.startswith("`") else part.replace("|", r"\|") for part in parts)


def _raw(lines):
    return [".. raw:: html", "", *("   " + line for line in lines), ""] if lines else []


def write(app):
    """Write the pages of all parts. A page that is the same stays as it is, so that Sphinx need not read it again."""
    root = Path(app.srcdir, "catalogue")
    wanted = {}
    for of_kind in registry.OF_KIND.values():
        for name in names(of_kind):
            wanted[root / folder(of_kind) / f"{name}.rst"] = "\n".join(page(of_kind, name))
    for name in layers():
        wanted[root / "layers" / f"{name}.rst"] = "\n".join(page_of_layer(name))
    for path in root.rglob("*.rst"):
        if path not in wanted:
            path.unlink()
    for path, text in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


# ----------------------------------------------------------------------------------------------- index


def index(of_kind):
    """The lines of the list of a kind: for each part its curve, its name, its formula and when one uses it."""
    lines = _tree(folder(of_kind), names(of_kind))
    for name in names(of_kind):
        known = KNOWN[of_kind.kind][name]
        aliases = "".join(f", {alias}" for alias in of_kind.find(name).aliases)
        lines += [
            "- .. raw:: html", "", f"     {sparkline(of_kind.kind, of_kind.get(name))}", "",
            f"  :ref:`{name} <catalogue-{name}>`{aliases}", "",
            f"  :math:`{known['formula']}`", "", f"  {_escaped(known['use'])}", "",
        ]  # fmt: skip
    return lines


def index_of_layers():
    """Likewise of the layers: for each its name and its first sentence."""
    lines = _tree("layers", layers())
    for name, cls in layers().items():
        first = re.split(r"(?<=[.:])\s", table.paragraphs(cls)[0])[0].removesuffix(":").removesuffix(".")
        lines += [f"- :ref:`{name} <catalogue-{name}>`", "", f"  {_escaped(first)}.", ""]
    return lines


def _tree(kind, found):
    """The table of contents, and the beginning of the list."""
    pages = [f"   catalogue/{kind}/{name}" for name in found]
    return [".. toctree::", "   :hidden:", "", *pages, "", f".. rst-class:: parts {kind}", ""]


def sparkline(kind, component):
    if kind == "activation":
        z, a, _ = curves.curve_of(component)
        return curves.sparkline(z, a)
    if kind == "loss":
        p, _, values, _ = curves.curves_of_loss(component)
        return curves.sparkline(p, values[1][0])
    return race.sparkline(component.name)


class Catalogue(Directive):
    """``.. catalogue:: activation``"""

    required_arguments = 1

    def run(self):
        self.state.document.settings.env.note_reread()  # what is installed may have changed
        kind = self.arguments[0]
        lines = index_of_layers() if kind == "layer" else index(registry.OF_KIND[kind])
        node = nodes.Element()
        self.state.nested_parse(StringList(lines, source="registry"), 0, node)
        return node.children


def setup(app):
    app.add_directive("catalogue", Catalogue)
    app.connect("autodoc-process-docstring", _docstring, priority=300)  # before numpydoc
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True}
