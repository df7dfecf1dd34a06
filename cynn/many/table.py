"""Rows of results as a table of pandas."""

from __future__ import annotations

from typing import Any

from cynn.interop.needed import needed

__all__ = ["to_pandas"]


def to_pandas(rows: list[dict[str, Any]]) -> Any:
    """Make a pandas DataFrame of rows by name."""
    return needed("pandas", "pandas").DataFrame(rows)
