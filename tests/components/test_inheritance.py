"""What a class inherits holds only if no class in between computes something else."""

import pytest

import cynn
from cynn.components import inheritance


class Base(cynn.layers.Layer):
    c_source = "2 * z"

    def jvp(self, *_):
        """For directional derivatives."""


@pytest.mark.parametrize("changed", ["kernel", "build", "merge", "bind", "forward"])
def test_with_other_outputs_nothing_is_inherited(changed):
    derived = type("Derived", (Base,), {changed: None})()
    assert inheritance.own_of(derived, "c_source") is None
    assert inheritance.directional(derived, "jvp") is None
    again = type("Again", (type(derived),), {"c_source": "3 * z"})()
    assert inheritance.own_of(again, "c_source") == "3 * z"


@pytest.mark.parametrize("changed", ["backward", "value_and_gradient"])
def test_with_other_derivatives_the_formula_of_the_outputs_is_inherited(changed):
    derived = type("Derived", (Base,), {changed: None})()
    assert inheritance.own_of(derived, "c_source") == "2 * z"
    assert inheritance.directional(derived, "jvp") is None


def test_what_changes_no_computation_inherits_all():
    derived = type("Derived", (Base,), {"name": "derived"})()
    assert inheritance.own_of(derived, "c_source") == "2 * z"
    assert inheritance.directional(derived, "jvp") is not None
