"""Runs the Python of the pages that a newcomer reads first, as printed, in the folder in which it is called.

.ci/run calls it in a clean clone after the first command of README.md. It needs no pytest, and imports nothing that the
pages do not import themselves.
"""

import doctest
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))

from code_blocks import DOCS, ROOT, blocks, name_of

OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
PAGES = [ROOT / "README.md", DOCS / "quickstart.rst", *sorted((DOCS / "learn").glob("*.rst"))]


def run(page: Path) -> int:
    """The number of blocks that ran: those of a page share their names, and those of README.md stand alone."""
    names, runner, count = {}, doctest.DocTestRunner(optionflags=OPTIONS), 0
    for block in blocks(page):
        if block.kind not in ("python", "plot", "doctest"):
            continue
        if page.suffix == ".md":
            names = {}
        if ">>>" in block.code:
            test = doctest.DocTestParser().get_doctest(block.code, names, block.page, block.page, block.line)
            if runner.run(test, clear_globs=False).failed:
                sys.exit(f"{block} does not run as printed")
            names = test.globs
        else:
            exec(compile(block.code, str(block), "exec"), names)
        count += 1
    return count


if __name__ == "__main__":
    for path in PAGES:
        print(f"{name_of(path)}: {run(path)} blocks ran", flush=True)
