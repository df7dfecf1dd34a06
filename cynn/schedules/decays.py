"""Schedules that depend on the step by a formula."""

from __future__ import annotations

from typing import Any

import numpy as np

from cynn.components.declarations import number, switch, whole_number
from cynn.errors import InvalidParameterError
from cynn.schedules.base import Rates, Schedule

__all__ = [
    "CosineDecay",
    "CosineDecayRestarts",
    "CosineLog",
    "ExponentialDecay",
    "FlatCosine",
    "OneCycle",
    "PolynomialDecay",
    "StepDecay",
]


class _Decay(Schedule):
    """The base class of schedules with an initial rate and a number of steps.

    Parameters
    ----------
    initial_learning_rate : float
        The rate of step 0.
    decay_steps : int, optional
        The number of steps. By default, all steps of the `fit`.
    """
    initial_learning_rate: float = number(above=0)
    decay_steps: int | None = whole_number(default=None, minimum=1)

    def _decay_steps(self, total_steps: int | None) -> int:
        return _known(self.decay_steps, total_steps, "decay_steps", self)


class ExponentialDecay(_Decay):
    """rate = initial_learning_rate * decay_rate^(step / decay_steps).

    Parameters
    ----------
    initial_learning_rate : float
        The rate of step 0.
    decay_steps : int, optional
        The steps in which the rate is multiplied by `decay_rate`. By default, all steps of the `fit`.
    decay_rate : float
        The factor of the rate per `decay_steps`.
    staircase : bool
        Whether the exponent is rounded down, so that the rate is constant for `decay_steps` steps.

    Examples
    --------
    >>> from cynn.schedules import ExponentialDecay
    >>> ExponentialDecay(0.1, decay_steps=2, decay_rate=0.25).rates(0, 5)
    array([0.1    , 0.05   , 0.025  , 0.0125 , 0.00625])
    """

    name = "exponential_decay"
    decay_rate: float = number(default=0.1, above=0)
    staircase: bool = switch(default=False)

    def at(self, steps: Rates, total_steps: int | None) -> Any:
        exponent = steps / self._decay_steps(total_steps)
        return self.initial_learning_rate * self.decay_rate ** (
            np.floor(exponent) if self.staircase else exponent
        )


class StepDecay(_Decay):
    """rate = initial_learning_rate * decay_rate^floor(step / decay_steps).

    Parameters
    ----------
    initial_learning_rate : float
        The rate of step 0.
    decay_steps : int
        The steps for which the rate is constant.
    decay_rate : float
        The factor of the rate after that.

    Examples
    --------
    >>> from cynn.schedules import StepDecay
    >>> StepDecay(0.1, decay_steps=2, decay_rate=0.5).rates(0, 5)
    array([0.1  , 0.1  , 0.05 , 0.05 , 0.025])
    """

    name = "step_decay"
    decay_steps: int = whole_number(minimum=1)
    decay_rate: float = number(default=0.1, above=0)

    def at(self, steps: Rates, total_steps: int | None) -> Any:
        return self.initial_learning_rate * self.decay_rate ** (steps // self._decay_steps(total_steps))


class PolynomialDecay(_Decay):
    """rate = (initial - end) (1 - step / decay_steps)^power + end, and the end rate after that.

    Parameters
    ----------
    initial_learning_rate : float
        The rate of step 0.
    decay_steps : int, optional
        The steps until the end rate is reached. By default, all steps of the `fit`.
    end_learning_rate : float
        The rate at the end.
    power : float
        1 for a straight line.
    cycle : bool
        Whether, at the end, `decay_steps` is raised to its next multiple, so that the rate rises again.

    Examples
    --------
    >>> from cynn.schedules import PolynomialDecay
    >>> decay = PolynomialDecay(0.5, decay_steps=4, end_learning_rate=0.1)
    >>> decay.rates(0, 6)
    array([0.5, 0.4, 0.3, 0.2, 0.1, 0.1])
    """

    name = "polynomial_decay"
    end_learning_rate: float = number(default=0.0001, minimum=0)
    power: float = number(default=1.0, above=0)
    cycle: bool = switch(default=False)

    def at(self, steps: Rates, total_steps: int | None) -> Any:
        fraction = steps / self._decay_steps(total_steps)
        fraction = fraction / np.maximum(1, np.ceil(fraction)) if self.cycle else np.minimum(fraction, 1)
        span = self.initial_learning_rate - self.end_learning_rate
        return span * (1 - fraction) ** self.power + self.end_learning_rate


class CosineDecay(_Decay):
    """rate = initial ((1 - alpha) (1 + cos(π step / decay_steps)) / 2 + alpha), and initial * alpha after that.

    Parameters
    ----------
    initial_learning_rate : float
        The rate of step 0.
    decay_steps : int, optional
        The steps until the end rate is reached. By default, all steps of the `fit`.
    alpha : float
        The final rate as a part of the initial rate.

    Notes
    -----
    Source: Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017,
    equation 5, without the restarts.

    Examples
    --------
    >>> from cynn.schedules import CosineDecay
    >>> CosineDecay(0.5, decay_steps=4).rates(0, 6).round(4)
    array([0.5   , 0.4268, 0.25  , 0.0732, 0.    , 0.    ])
    """

    name = "cosine_decay"
    alpha: float = number(default=0.0, minimum=0, maximum=1)

    def at(self, steps: Rates, total_steps: int | None) -> Any:
        fraction = np.minimum(steps / self._decay_steps(total_steps), 1)
        return self.initial_learning_rate * ((1 - self.alpha) * _half_cosine(fraction) + self.alpha)


class CosineDecayRestarts(Schedule):
    """Cosine decay with restarts.

    In period i, of length first_decay_steps * t_mul^i, after a fraction f of the period::

        rate = initial ((1 - alpha) m_mul^i (1 + cos(π f)) / 2 + alpha)

    Parameters
    ----------
    initial_learning_rate : float
        The rate of step 0.
    first_decay_steps : int
        The length of the first period.
    t_mul : float
        The length of each period as a multiple of the one before; at least 1.
    m_mul : float
        The first rate of each period as a multiple of that of the one before.
    alpha : float
        The rate at the end of a period as a part of the rate at its start.

    Notes
    -----
    Source: Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017.

    Examples
    --------
    >>> from cynn.schedules import CosineDecayRestarts
    >>> CosineDecayRestarts(0.5, first_decay_steps=2).rates(0, 7).round(4)
    array([0.5   , 0.25  , 0.5   , 0.4268, 0.25  , 0.0732, 0.5   ])
    """

    name = "cosine_decay_restarts"
    initial_learning_rate: float = number(above=0)
    first_decay_steps: int = whole_number(minimum=1)
    t_mul: float = number(default=2.0, minimum=1)
    m_mul: float = number(default=1.0, above=0)
    alpha: float = number(default=0.0, minimum=0, maximum=1)

    def at(self, steps: Rates, total_steps: int | None) -> Any:
        first, factor = self.first_decay_steps, self.t_mul
        if factor == 1:
            period = steps // first
        else:
            # rounding may put the first step of a period just before the period: it is moved by a tiny distance
            ahead = steps * (1 + 1e-12)
            period = np.floor(np.log1p(ahead / first * (factor - 1)) / np.log(factor))
        fraction = (steps - self._begin(period)) / (first * factor**period)
        height = self.m_mul**period * _half_cosine(fraction)
        return self.initial_learning_rate * ((1 - self.alpha) * height + self.alpha)

    def _begin(self, period: Rates) -> Any:
        """The step with which a period begins: first (1 + t_mul + ... + t_mul^(period - 1))."""
        if self.t_mul == 1:
            return self.first_decay_steps * period
        return self.first_decay_steps * (self.t_mul**period - 1) / (self.t_mul - 1)


class FlatCosine(_Decay):
    """A constant rate, then a cosine decay to 0.

    With t = step / decay_steps, and f = `flat_fraction`::

        rate = initial (1 + cos(π max(0, t - f) / (1 - f))) / 2

    Parameters
    ----------
    initial_learning_rate : float
        The rate of step 0, or the first value of another parameter: dropout, weight decay.
    decay_steps : int, optional
        The steps until the end rate is reached. By default, all steps of the `fit`.
    flat_fraction : float
        The part of the steps with a constant rate; below 1.

    Notes
    -----
    Source: Holzmüller, Grinsztajn and Steinwart, "Better by default: strong pre-tuned MLPs and boosted trees on
    tabular data", 2024, appendix A, with half of the steps flat.

    Examples
    --------
    >>> from cynn.schedules import FlatCosine
    >>> FlatCosine(0.5, decay_steps=8).rates(0, 10).round(4)
    array([0.5   , 0.5   , 0.5   , 0.5   , 0.5   , 0.4268, 0.25  , 0.0732,
           0.    , 0.    ])
    """

    name = "flat_cosine"
    flat_fraction: float = number(default=0.5, minimum=0, below=1)

    def at(self, steps: Rates, total_steps: int | None) -> Any:
        t = np.minimum(steps / self._decay_steps(total_steps), 1)
        return self.initial_learning_rate * _half_cosine(
            np.maximum(0, t - self.flat_fraction) / (1 - self.flat_fraction)
        )


class CosineLog(Schedule):
    """Waves between 0 and a maximal rate, each twice as long as the one before.

    With t = step / decay_steps and k = `cycles`::

        rate = max (1 - cos(2π log₂(1 + (2ᵏ - 1) t))) / 2

    Parameters
    ----------
    max_learning_rate : float
        The maximum of every wave.
    decay_steps : int, optional
        The length of all waves together. By default, all steps of the `fit`.
    cycles : int
        The number of waves; at most 50.

    Notes
    -----
    Source: Holzmüller, Grinsztajn and Steinwart, "Better by default: strong pre-tuned MLPs and boosted trees on
    tabular data", 2024, equation 1, there coslog4 for 4 waves.

    Examples
    --------
    >>> from cynn.schedules import CosineLog
    >>> CosineLog(0.5, decay_steps=6, cycles=2).rates(0, 7).round(4)
    array([0.    , 0.4652, 0.    , 0.3592, 0.4652, 0.1618, 0.    ])
    """

    name = "cosine_log"
    max_learning_rate: float = number(above=0)
    decay_steps: int | None = whole_number(default=None, minimum=1)
    cycles: int = whole_number(default=4, minimum=1, maximum=50)

    def at(self, steps: Rates, total_steps: int | None) -> Any:
        t = np.minimum(steps / _known(self.decay_steps, total_steps, "decay_steps", self), 1)
        wave = np.log2(1 + (2**self.cycles - 1) * t)
        return self.max_learning_rate * _half_cosine(2 * wave + 1)


class OneCycle(Schedule):
    """One cycle: a cosine rise to the maximal rate, then a cosine decay to nearly 0.

    Parameters
    ----------
    max_learning_rate : float
        The maximal rate.
    total_steps : int, optional
        The length of the cycle. By default, all steps of the `fit`.
    pct_start : float
        The part of the steps in which the rate rises.
    div_factor : float
        The first rate is max_learning_rate / div_factor.
    final_div_factor : float
        The last rate is the first one / final_div_factor.

    Notes
    -----
    Source: Smith and Topin, "Super-convergence: very fast training of neural networks using large
    learning rates", 2018; names, defaults and the form of the curve as in PyTorch's `OneCycleLR`.

    Examples
    --------
    >>> from cynn.schedules import OneCycle
    >>> cycle = OneCycle(0.5, total_steps=6, pct_start=0.5, div_factor=5)
    >>> cycle.rates(0, 6).round(4)
    array([0.1  , 0.3  , 0.5  , 0.375, 0.125, 0.   ])
    """

    name = "one_cycle"
    max_learning_rate: float = number(above=0)
    total_steps: int | None = whole_number(default=None, minimum=1)
    pct_start: float = number(default=0.3, minimum=0, maximum=1)
    div_factor: float = number(default=25.0, minimum=1)
    final_div_factor: float = number(default=1e4, minimum=1)

    def at(self, steps: Rates, total_steps: int | None) -> Any:
        last = _known(self.total_steps, total_steps, "total_steps", self) - 1
        top = max(0.0, self.pct_start * (last + 1) - 1)
        first_rate = self.max_learning_rate / self.div_factor
        last_rate = first_rate / self.final_div_factor
        # a cycle of one step, or without a rise or a decay, has no length to divide by
        up = np.minimum(steps / max(top, 1e-9), 1)
        down = np.clip((steps - top) / max(last - top, 1e-9), 0, 1)
        rising = self.max_learning_rate + (first_rate - self.max_learning_rate) * _half_cosine(up)
        falling = last_rate + (self.max_learning_rate - last_rate) * _half_cosine(down)
        return np.where(steps <= top, rising, falling) if top else falling


def _half_cosine(fraction: Any) -> Any:
    """Half a cosine: 1 at 0, and 0 at 1."""
    return (1 + np.cos(np.pi * fraction)) / 2


def _known(given: int | None, total_steps: int | None, name: str, schedule: Schedule) -> int:
    steps = total_steps if given is None else given
    if steps is None:
        raise InvalidParameterError(
            f"The {name!r} parameter of {type(schedule).__name__} must be given where the number of steps is not "
            "known beforehand. Got None instead."
        )
    return steps
