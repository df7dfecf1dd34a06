"""Schedules: how the learning rate goes from step to step.

An optimizer takes one as its `learning_rate`, or any function of the step. Before an epoch the rates of
all its steps are computed as one array, so that no Python runs between the steps. What enters are steps and,
where a schedule follows a figure, the figures of epochs; schedules may use the components alone.
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
