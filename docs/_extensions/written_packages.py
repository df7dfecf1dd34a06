"""What `cynn new-plugin` writes, for the pages that show it."""

import functools
import re
import tempfile

from cynn.plugins import scaffold

_SHOWN = re.compile(r"^\.\. new-plugin:: (\w+) (\w+) (\S+)$", re.MULTILINE)


@functools.cache
def written(kind, language):
    """The texts of the files of a package, by their paths in the folder of the plugin or of the package."""
    with tempfile.TemporaryDirectory() as parent:
        folder = scaffold.new_plugin(f"my-{kind}", kind=kind, language=language, parent=parent)
        texts = {}
        for base in (folder, folder / f"my_{kind}"):
            for path in base.rglob("*"):
                if path.is_file():
                    texts[path.relative_to(base).as_posix()] = path.read_text(encoding="utf-8")
        return texts


def shown(page):
    """Kind, language and file of each directive of a page."""
    return _SHOWN.findall(page)
