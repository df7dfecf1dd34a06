"""Batch normalization: normalizes every column of a batch to mean 0 and variance 1."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from cynn import kernels
from cynn.components.declarations import number, switch
from cynn.engine.operations import SavedForBackward
from cynn.layers.layer import Layer, Parameter

if TYPE_CHECKING:
    from cynn.layers.builder import Builder

__all__ = ["BatchNorm"]


class BatchNorm(Layer):
    """Normalizes every column to mean 0 and variance 1: a = γ (x - mean) / √(variance + epsilon) + β.

    In training, the mean and the variance are those of the batch, where a row of weight w counts w times. Predictions
    use their moving averages: moving := momentum * moving + (1 - momentum) * batch. A single row has no variance: a
    batch of one row is normalized by the moving averages and does not update them, with a `CynnWarning` the first time.

    Both variances are means of squared deviations over m rows. The moving variance of PyTorch and of algorithm 2 is
    m / (m - 1) times as large.

    Source: Ioffe and Szegedy, "Batch normalization: accelerating deep network training by reducing internal covariate
    shift", 2015, algorithms 1 and 2.

    Parameters
    ----------
    momentum : float
        The decay rate of the moving averages, below 1.
    epsilon : float
        Added to the variance.
    use_scale, use_bias : bool
        Whether to use γ and β (`scale` and `center` in Keras).
    trainable : bool
        Whether training updates γ, β and the moving averages. If not, training uses the moving averages, as
        predictions do.
    learning_rate_factor : float
        A factor for the optimizer's learning rate for γ and β.

    Attributes
    ----------
    gamma, beta : array of shape (units,), or None
        γ and β: live views, only in a network.
    moving_mean, moving_variance : array of shape (units,)
        The moving averages: live views, only in a network.

    Examples
    --------
    >>> import cynn
    >>> net = cynn.Network([cynn.Input(1), cynn.BatchNorm(epsilon=0)])
    >>> net.layers[0].moving_mean = [3.0]
    >>> net.layers[0].moving_variance = [4.0]
    >>> net.predict([[3.0], [5.0]])
    array([[0.],
           [1.]], dtype=float32)
    """

    name: ClassVar[str] = "batch_norm"
    kernel = kernels.normalization.KERNELS["batch"]
    gamma = Parameter()
    beta = Parameter()
    moving_mean = Parameter(is_trained=False)
    moving_variance = Parameter(is_trained=False)
    momentum: float = number(default=0.99, minimum=0, below=1)
    epsilon: float = number(default=1e-3, minimum=0)
    use_scale: bool = switch(default=True, kw_only=True)
    use_bias: bool = switch(default=True, kw_only=True)

    def build(self, builder: Builder, values: list[int]) -> int:
        units = builder.widths[values[0]]
        gamma = builder.parameter("gamma", builder.ones(units)) if self.use_scale else None
        beta = builder.parameter("beta", builder.zeros(units)) if self.use_bias else None
        mean = builder.state("moving_mean", builder.zeros(units))
        variance = builder.state("moving_variance", builder.ones(units))
        return builder.add(
            self.kernel,
            values,
            units,
            parameters=[gamma, beta],
            trainable=self.trainable,
            states=[mean, variance],
            saved=[SavedForBackward(2 * units, for_each_row=False)] * 2 if self.trainable else [],
            hyperparameters=[self.momentum, self.epsilon],
            column_piece=kernels.normalization.COLUMN_PIECE if self.trainable else 0,
        )
