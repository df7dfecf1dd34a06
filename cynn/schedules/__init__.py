"""Schedules of the learning rate.

The `learning_rate` of an optimizer may be a schedule, or any function of the step. Before an epoch the rates of all its
steps are computed as one array, so no Python code runs between the steps. A schedule gets the numbers of steps and, if
it follows a figure, the figures of the epochs. Schedules may use only the components.
"""

from cynn import registry
from cynn.schedules.around import ReduceOnPlateau, WarmUp
from cynn.schedules.base import Constant, Schedule, learning_rate_of, started
from cynn.schedules.decays import (
    CosineDecay,
    CosineDecayRestarts,
    CosineLog,
    ExponentialDecay,
    FlatCosine,
    OneCycle,
    PolynomialDecay,
    StepDecay,
)

__all__ = [
    "Constant",
    "CosineDecay",
    "CosineDecayRestarts",
    "CosineLog",
    "ExponentialDecay",
    "FlatCosine",
    "OneCycle",
    "PolynomialDecay",
    "ReduceOnPlateau",
    "Schedule",
    "StepDecay",
    "WarmUp",
    "learning_rate_of",
    "started",
]

registry.declare(Schedule, globals())
