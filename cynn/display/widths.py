"""The widths of a network as text, such as 784-16-10."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["widths_of"]


def widths_of(units: Sequence[int | None], sources: Sequence[Iterable[int]]) -> str:
    """The widths from the input on; those that are equally far from it stand in brackets.

    Parameters
    ----------
    units : sequence of int
        Of the input and of all that follows.
    sources : sequence of iterable of int
        From which of these each is made, which come before it.
    """
    ranks: list[int] = []
    of_rank: dict[int, list[int | None]] = {}
    for width, made_of in zip(units, sources, strict=True):
        rank = 1 + max((ranks[place] for place in made_of), default=-1)
        ranks.append(rank)
        of_rank.setdefault(rank, []).append(width)
    return "-".join(str(*each) if len(each) == 1 else f"({', '.join(map(str, each))})" for each in of_rank.values())
