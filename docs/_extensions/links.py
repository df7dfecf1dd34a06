"""Names of classes in the text link to the reference: ``Dense`` is a link wherever a page says it.

In a paragraph only the first is one, and none in headings, in links, and on the page of the class itself.
"""

import functools
import re
from pathlib import Path

from catalogue import layers
from docutils import nodes
from members import TABLES
from sphinx import addnodes
from sphinx.transforms import SphinxTransform

REFERENCE = Path(__file__).parents[1] / "reference" / "index.rst"


@functools.cache
def targets():
    """The full name of each class that the reference lists, by the ways in which pages write it.

    A bare name must be that of one class, or of one of the package itself.
    """
    listed = re.findall(r"^   ([\w.]+)$", REFERENCE.read_text(encoding="utf-8"), re.M)
    full = {f"cynn.{name}" for name in listed}
    found = {name: name for name in full}
    bare = {}
    for name in full:
        bare.setdefault(name.rpartition(".")[2], []).append(name)
    for last, names in bare.items():
        first = f"cynn.{last}"
        if last[0].isupper() and (len(names) == 1 or first in names):
            found[last] = first if first in names else names[0]
    for cls, groups in TABLES.items():
        for name in (each for names in groups.values() for each in names):
            found[f"{cls.rpartition('.')[2]}.{name}"] = f"{cls}.{name}"
    for name, cls in layers().items():
        found[cls.__name__] = f"{cls.__module__}.{cls.__name__}"
        if "_" in name:  # a word of its own, such as "scale", may mean something else
            found[name] = found[cls.__name__]
    return found


class LinkNames(SphinxTransform):
    default_priority = 500

    def apply(self, **_):
        page = self.env.current_document.docname
        known, seen = targets(), set()
        for literal in list(self.document.findall(nodes.literal)):
            target = known.get(literal.astext())
            around = list(_around(literal))
            if target is None or page.endswith(f"/{target}") or any(isinstance(each, _NOT_IN) for each in around):
                continue
            place = (id(around[0]), target)
            if place in seen:
                continue
            seen.add(place)
            link = addnodes.pending_xref(
                "", literal.deepcopy(), refdomain="py", reftype="obj", reftarget=target, refexplicit=True,
                refdoc=page, refwarn=False,
            )  # fmt: skip
            literal.replace_self(link)


_NOT_IN = (nodes.title, nodes.reference, addnodes.pending_xref, nodes.rubric, addnodes.desc_signature)


def _around(node):
    while node.parent is not None:
        node = node.parent
        yield node


def setup(app):
    app.add_transform(LinkNames)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
