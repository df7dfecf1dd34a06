"""Schemas of checkpoints: what is held to be as they say, and where what is not is said to be."""

import math

import numpy as np
import pytest

from cynn.components import schema
from cynn.components.schema import ByName, Having, ListOf, Mismatch, Optional, Then
from cynn.errors import CynnError, ModelFileError

WHOLE, NUMBER = schema.whole_number(), schema.number(0, 1)
FIGURE, PAIR = schema.number(is_finite=False), schema.array((2,), "f4")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, WHOLE), (2**48, WHOLE), (0, NUMBER), (0.5, NUMBER), (math.nan, FIGURE), (-math.inf, FIGURE), (3, FIGURE),
        (True, schema.SWITCH), ("", schema.TEXT), (None, schema.NOTHING), (None, Optional(WHOLE)), (3, Optional(WHOLE)),
        ([], ListOf(WHOLE)), ([1, 2], ListOf(WHOLE, 2, 2)), ({"a": 1}, ByName(WHOLE)), ({"a": 1}, {"a": WHOLE}),
        ({"a": 1, "b": 2}, Having({"a": WHOLE})), ([1, "x"], [WHOLE, schema.TEXT]), ([], []), ({}, {}),
        (np.ones(2, "f4"), PAIR), (np.full(2, np.inf, "f4"), schema.array((2,), "f4", is_finite=False)),
        ({"n": 1, "of": [5]}, Then(Having({"n": WHOLE}), lambda given: {"n": WHOLE, "of": [WHOLE] * given["n"]})),
    ],
)  # fmt: skip
def test_what_is_as_it_must_be(value, expected):
    schema.check(value, expected, "training")


@pytest.mark.parametrize(
    ("value", "expected", "place"),
    [
        (-1, WHOLE, ""), (2**48 + 1, WHOLE, ""), (True, WHOLE, ""), (1.0, WHOLE, ""), ("1", WHOLE, ""),
        (None, WHOLE, ""),
        (1.5, NUMBER, ""), (math.nan, NUMBER, ""), (math.inf, schema.number(), ""), (True, NUMBER, ""),
        (10**400, FIGURE, ""), ("nan", FIGURE, ""), (None, FIGURE, ""), (1, schema.SWITCH, ""), (0, schema.NOTHING, ""),
        (b"", schema.TEXT, ""), ([1], Optional(WHOLE), ""), ([1, -1], ListOf(WHOLE), "[1]"),
        ([1], ListOf(WHOLE, 2), ""),
        ([1, 2], ListOf(WHOLE, 0, 1), ""), ({}, ListOf(WHOLE), ""), ({"a": "x"}, ByName(WHOLE), ".a"),
        ([], ByName(WHOLE), ""), ({"a": None}, {"a": WHOLE}, ".a"), ({}, {"a": WHOLE}, ""), ([], {}, ""),
        ({"a": 1, "b": 1}, {"a": WHOLE}, ""), ({"b": 1}, Having({"a": WHOLE}), ""), ([1], [WHOLE, WHOLE], ""),
        ({"a": 1}, [WHOLE], ""), ([[1, "x"]], [[WHOLE, WHOLE]], "[0][1]"), (np.ones(3, "f4"), PAIR, ""),
        (np.ones(2), PAIR, ""), (np.array([1, np.inf], "f4"), PAIR, ""), ([1.0, 1.0], PAIR, ""), (None, PAIR, ""),
        (np.full(2, np.nan, "f4"), schema.array((2,), "f4", is_finite=False), ""),
        ({"n": 2, "of": [5]}, Then(Having({"n": WHOLE}), lambda given: Having({"of": [WHOLE] * given["n"]})), ".of"),
    ],
)  # fmt: skip
def test_what_is_not(value, expected, place):
    with pytest.raises(Mismatch) as caught:
        schema.check(value, expected, "training")
    assert caught.value.place == "training" + place
    assert caught.value.allowed
    assert caught.value.got


class Part:
    def get_state(self):
        return {}

    def _state_schema(self, more):
        return {more: WHOLE}


class PartWithMore(Part):
    def get_state(self):
        return {"what": "it likes"}


def test_a_class_with_a_state_of_its_own_has_any():
    assert schema.of_state(Part(), "a") == {"a": WHOLE}
    assert schema.of_state(PartWithMore(), "a") is schema.ANYTHING


def test_what_a_class_of_somebodys_raises_is_the_files_fault():
    with pytest.raises(ModelFileError, match=r"of Best .* one that it takes\. Got KeyError"), schema.taken_by("Best"):
        raise KeyError("best")
    with pytest.raises(CynnError, match="as it is"), schema.taken_by("Best"):
        raise CynnError("as it is")
