"""Losses that are a negative log-likelihood, or a distance between distributions.

Predictions that must be positive are at least 1e-7. Below that, the loss continues as its tangent.
"""

import math

from cynn.errors import DataError
from cynn.hyperparameters import hyperparameter
from cynn.losses import Loss
from cynn_plugins.losses._likelihood import KERNELS
from cynn_plugins.losses.targets import Array, require

__all__ = ["Gamma", "GaussianNLL", "KLDivergence", "Poisson", "Tweedie"]


class Poisson(Loss):
    """C = mean over the outputs of p - t log p: counts t, predicted by their rates p.

    The negative log-likelihood of the Poisson distribution, without log t!. After `exponential`, it is computed from z
    as exp(z) - t z.

    Source: McCullagh and Nelder, "Generalized linear models", 1989, section 6.2.

    Examples
    --------
    >>> import cynn, numpy as np
    >>> loss = cynn.registry.losses.get("poisson")
    >>> prediction, target = np.array([[2.0]]), np.array([[3.0]])
    >>> value, gradient = loss.value_and_gradient(prediction, target)
    >>> value.round(4), gradient
    (array([-0.0794]), array([[-0.5]]))
    """

    name = "poisson"
    prediction_range = (0.0, math.inf)
    kernel = KERNELS["poisson"]

    def check_target(self, target: Array) -> None:
        require(target >= 0, target, self.name, "be >= 0")


class Gamma(Loss):
    """C = mean over the outputs of t / p - log(t / p) - 1: positive numbers t, predicted by their means.

    Half the deviance of the gamma distribution, which depends on the ratio t / p only. After `exponential`, it is
    computed from z.

    Source: McCullagh and Nelder, "Generalized linear models", 1989, section 8.3.

    Examples
    --------
    >>> import cynn, numpy as np
    >>> loss = cynn.registry.losses.get("gamma")
    >>> prediction, target = np.array([[2.0]]), np.array([[4.0]])
    >>> value, gradient = loss.value_and_gradient(prediction, target)
    >>> value.round(4), gradient
    (array([0.3069]), array([[-0.5]]))
    """

    name = "gamma"
    prediction_range = (0.0, math.inf)
    kernel = KERNELS["gamma"]

    def check_target(self, target: Array) -> None:
        require(target > 0, target, self.name, "be > 0")


class Tweedie(Loss):
    """Half the deviance of Tweedie's distribution, whose variance is the mean to some power q.

    C = mean over the outputs of t^(2-q) / ((1-q) (2-q)) - t p^(1-q) / (1-q) + p^(2-q) / (2-q), for
    numbers that are 0 or positive, such as insurance claims: between `poisson` (q = 1) and `gamma` (q = 2).
    After `exponential`, it is computed from z.

    Source: Jørgensen, "Exponential dispersion models", 1987, section 4; the default power as in
    scikit-learn's histogram boosting and LightGBM.

    Examples
    --------
    >>> import cynn, numpy as np
    >>> loss = cynn.registry.losses.get("tweedie", power=1.5)
    >>> loss.value_and_gradient(np.array([[4.0]]), np.array([[1.0]]))
    (array([1.]), array([[0.375]]))
    """

    name = "tweedie"
    prediction_range = (0.0, math.inf)
    kernel = KERNELS["tweedie"]
    power: float = hyperparameter(
        default=1.5, above=1, below=2, doc="The exponent q: the variance is the mean to the power q."
    )

    def check_target(self, target: Array) -> None:
        require(target >= 0, target, self.name, "be >= 0")


class GaussianNLL(Loss):
    """C = mean over the targets of (s + (mean - t)² exp(-s)) / 2: a mean with its variance.

    The network has two outputs per target: the first half of the outputs are the means, the second half are the
    logarithms s of the variances, so that any output is valid. Targets have as many columns as the network has
    outputs. Their second half is ignored.

    Source: Nix and Weigend, "Estimating the mean and variance of the target probability
    distribution", 1994, equation 4; Kendall and Gal, "What uncertainties do we need in Bayesian deep
    learning for computer vision?", 2017, equation 8 (by s). PyTorch's `GaussianNLLLoss` takes
    variances, from an input of their own.

    Examples
    --------
    >>> import cynn, numpy as np
    >>> loss = cynn.registry.losses.get("gaussian_nll")
    >>> prediction, target = np.array([[3.0, 0.0]]), np.array([[1.0, 0.0]])
    >>> loss.value_and_gradient(prediction, target)
    (array([2.]), array([[ 2. , -1.5]]))
    """

    name = "gaussian_nll"
    kernel = KERNELS["gaussian_nll"]
    full: bool = hyperparameter(
        default=False, doc="Whether to add the constant log(2 pi) / 2, which does not change the gradient."
    )

    def check_target(self, target: Array) -> None:
        if target.shape[1] % 2:
            raise DataError(
                "The targets of gaussian_nll must have an even number of columns, as many for means as for "
                f"variances. Got {target.shape[1]} instead."
            )


class KLDivergence(Loss):
    """C = Σ_j t_j log(t_j / p_j), with targets t and predictions p that are rows of probabilities.

    After a softmax, it is computed from z. It is `cross_entropy` minus the entropy of the targets, -Σ_j t_j log t_j,
    for any targets >= 0 and any p, including 0.

    Source: Kullback and Leibler, "On information and sufficiency", 1951, equation 2.6.

    Examples
    --------
    >>> import cynn, numpy as np
    >>> loss = cynn.registry.losses.get("kl_divergence")
    >>> prediction = np.array([[0.25, 0.75]])
    >>> target = np.array([[0.5, 0.5]])
    >>> value, gradient = loss.value_and_gradient(prediction, target)
    >>> value.round(4), gradient.round(4)
    (array([0.1438]), array([[-2.    , -0.6667]]))
    """

    name = "kl_divergence"
    prediction_range = (0.0, 1.0)
    kernel = KERNELS["kl_divergence"]

    def check_target(self, target: Array) -> None:
        require(target >= 0, target, self.name, "be classes or rows of probabilities >= 0")
