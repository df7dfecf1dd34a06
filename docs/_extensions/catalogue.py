"""The directive ``catalogue``: a section for every activation, loss or optimizer that comes with CyNN.

All of it is read from the registry when the site is built: names, docstrings, hyperparameters and curves. Packages
that happen to be installed beside CyNN are left out.
"""

import re

import curves
from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList
from sphinx.util.nodes import nested_parse_with_titles

from cynn import registry
from cynn.components import package_names
from cynn.plugins import table

DRAW = {"activation": curves.of_activation, "loss": curves.of_loss}


def names(of_kind):
    """What comes with CyNN, without second names."""
    own = [name for name in of_kind.names() if of_kind.provider(name) == package_names.OWN]
    return [name for name in own if of_kind.find(name).name == name]


def section(of_kind, name):
    """The lines of the section of one name."""
    component = of_kind.get(name)
    cls = type(component)
    lines = [f".. _catalogue-{name}:", "", name, "~" * len(name), ""]
    text = table.paragraphs(cls)
    about = [part for part in text if re.match("Sources?:", part)]
    lines += _as_rst([part for part in text if part not in about])
    if of_kind.kind in DRAW:
        lines += [".. raw:: html", "", *("   " + line for line in DRAW[of_kind.kind](component).splitlines()), ""]
    if component.hyperparameters:
        lines += [".. list-table::", "   :header-rows: 1", "   :widths: auto", ""]
        for row in table.hyperparameter_rows(component):
            cells = [row[0] if row[0] == "hyperparameter" else f"``{row[0]}``", *map(_escaped, row[1:])]
            lines += [f"   {'*' if i == 0 else ' '} - {cell}" for i, cell in enumerate(cells)]
        lines.append("")
    lines += _as_rst(about)
    return [*lines, *_facts(of_kind, component), ""]


def _facts(of_kind, component):
    facts = []
    if component.aliases:
        facts.append(f"Also {' and '.join(f'``{alias}``' for alias in component.aliases)}.")
    cls = type(component)
    if _is_built_in(cls):
        facts.append(f"Class :class:`cynn.{of_kind.group.removeprefix('cynn.')}.{cls.__name__}`.")
    else:
        facts.append(f"Class ``{cls.__module__}.{cls.__name__}``.")
    return [" ".join(facts)]


def _is_built_in(cls):
    return cls.__module__.partition(".")[0] == "cynn"


def _as_rst(paragraphs):
    """Paragraphs of a docstring, in which a bar is a bar; blocks that are indented stay as they are."""
    lines = []
    for paragraph in paragraphs:
        lines += [*(paragraph if paragraph.startswith(" ") else _escaped(paragraph)).splitlines(), ""]
    return lines


def _escaped(text):
    """With the bars of |z| escaped, outside of literals."""
    parts = re.split(r"(`+[^`]+`+)", text)
    return "".join(part if part.startswith("`") else part.replace("|", r"\|") for part in parts)


class Catalogue(Directive):
    """``.. catalogue:: activation``"""

    required_arguments = 1

    def run(self):
        environment = self.state.document.settings.env
        environment.note_reread()  # what is installed may have changed
        of_kind = registry.OF_KIND[self.arguments[0]]
        lines = [line for name in names(of_kind) for line in section(of_kind, name)]
        node = nodes.Element()
        nested_parse_with_titles(self.state, StringList(lines, source="registry"), node)
        return node.children


def setup(app):
    app.add_directive("catalogue", Catalogue)
    return {"parallel_read_safe": True}
