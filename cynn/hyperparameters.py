"""Functions for plugins: they declare the parameters of a part in the body of its class.

`hyperparameter` is for activations, losses and optimizers, whose kernels get the values. The other functions are for
layers, schedules and all other parts.
"""

from cynn.components.declarations import (
    attribute,
    check_choice,
    checked_by,
    choice,
    number,
    part,
    switch,
    whole_number,
)
from cynn.components.hyperparameters import Component, Hyperparameter, hyperparameter, option

__all__ = [
    "Component",
    "Hyperparameter",
    "attribute",
    "check_choice",
    "checked_by",
    "choice",
    "hyperparameter",
    "number",
    "option",
    "part",
    "switch",
    "whole_number",
]
