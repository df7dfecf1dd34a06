"""The widths of a network as text."""

import pytest

from cynn.display.widths import widths_of


@pytest.mark.parametrize(
    ("units", "sources", "text"),
    [
        ([784, 16, 10], [[], [0], [1]], "784-16-10"),
        ([4, 12, 3, 1, 1], [[], [0], [1], [1], [1]], "4-12-(3, 1, 1)"),
        ([4, 8, 8, 5], [[], [0], [0], [1, 2]], "4-(8, 8)-5"),
        ([4, 8, 12, 5], [[], [0], [0, 1], [2]], "4-8-12-5"),
        ([3], [[]], "3"),
    ],
)
def test_widths(units, sources, text):
    assert widths_of(units, sources) == text
