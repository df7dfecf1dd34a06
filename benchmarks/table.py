"""A table, as plain text and as reStructuredText."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field

WIDTH = 110  # of notes


@dataclass
class Table:
    """Rows of cells under a header. The first `words` columns are words, the others numbers."""

    title: str
    header: list[str]
    rows: list[list[str]] = field(default_factory=list)
    note: str = ""
    words: int = 1

    def text(self) -> str:
        """For a terminal."""
        widths = self._widths()
        rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
        lines = [self.title, rule, self._line(self.header, widths), rule]
        lines += [self._line(row, widths) for row in self.rows]
        return "\n".join([*lines, rule, *textwrap.wrap(self.note, WIDTH)])

    def rst(self, underline: str = "-") -> str:
        """For the docs, with a heading that is underlined so."""
        widths = self._widths()
        rule = "  ".join("=" * width for width in widths)
        lines = [self.title, underline * len(self.title), ""]
        lines += [*textwrap.wrap(self.note, WIDTH), ""] if self.note else []
        lines += [rule, self._line(self.header, widths), rule]
        lines += [self._line(row, widths) for row in self.rows]
        return "\n".join([*lines, rule, ""])

    def _widths(self) -> list[int]:
        return [max(map(len, column)) for column in zip(self.header, *self.rows, strict=True)]

    def _line(self, cells: list[str], widths: list[int]) -> str:
        aligned = [
            cell.ljust(width) if column < self.words else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return "  ".join(aligned).rstrip()
