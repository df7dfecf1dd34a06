"""Gaussian noise: adds random numbers in training."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from cynn import kernels
from cynn.components.declarations import checked_by
from cynn.layers.layer import _WithoutParameters
from cynn.schedules.base import number_of

if TYPE_CHECKING:
    from cynn.layers.builder import Builder

__all__ = ["GaussianNoise"]


class GaussianNoise(_WithoutParameters):
    """Adds normal random numbers in training: a = x + stddev n.

    In predictions, the layer does nothing. n depends only on the network's seed, the epoch and the step.

    Parameters
    ----------
    stddev : float, Schedule or dict
        The standard deviation of the noise, or a schedule, as for `Dropout`.

    Examples
    --------
    >>> import cynn
    >>> net = cynn.Network([cynn.Input(2), cynn.GaussianNoise(0.1)])
    >>> net.predict([-1.0, 2.0])
    array([-1.,  2.], dtype=float32)
    """

    name: ClassVar[str] = "gaussian_noise"
    kernel = kernels.noise.KERNELS["gaussian"]
    stddev: Any = checked_by(partial(number_of, minimum=0))

    def build(self, builder: Builder, values: list[int]) -> int:
        return builder.add(
            self.kernel,
            values,
            builder.widths[values[0]],
            **builder.scheduled(self.stddev, "stddev", "GaussianNoise", lambda stddev: [stddev]),
            draws=True,
        )
