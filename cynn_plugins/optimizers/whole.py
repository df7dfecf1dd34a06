"""Optimizers whose steps depend on a whole parameter: on its norm, its rows and columns, or the matrix."""

from cynn.hyperparameters import hyperparameter
from cynn.optimizers import Optimizer
from cynn_plugins.optimizers._whole import KERNELS

__all__ = ["LAMB", "Adafactor", "Muon"]


class LAMB(Optimizer):
    """AdamW with steps proportional to the norm of the weights, per layer: for large batches.

    ::

        u := m^ / (sqrt(v^) + epsilon) + weight_decay w         m^, v^ as in Adam
        w := w - η (‖w‖ / ‖u‖) u                                the ratio is 1 where either is 0

    ‖ ‖ is the norm of a whole parameter. Weights and biases are separate parameters.

    Source: You and others, "Large batch optimization for deep learning: training BERT in 76 minutes",
    2020, algorithm 2, with φ(z) = z.

    Examples
    --------
    >>> import cynn
    >>> cynn.registry.optimizers.get("lamb")
    LAMB(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-06,
         weight_decay=0.01)
    """

    name = "lamb"
    kernel = KERNELS["lamb"]
    learning_rate: float = hyperparameter(
        default=0.001, above=0, doc="The learning rate: the norm of a step divided by the norm of w."
    )
    beta_1: float = hyperparameter(default=0.9, minimum=0, below=1, doc="The decay rate of the mean of g.")
    beta_2: float = hyperparameter(
        default=0.999, minimum=0, below=1, doc="The decay rate of the mean of g²."
    )
    epsilon: float = hyperparameter(default=1e-6, above=0, doc="Added to the denominator, for numerical stability.")
    weight_decay: float = hyperparameter(
        default=0.01, minimum=0, doc="The weight decay: the share of w added to the direction."
    )


class Adafactor(Optimizer):
    """Adam-like steps with a mean of g² stored per row and column, relative to the root mean square of w.

    With β = 1 - t^(-decay_power), R and C the sums of g² + epsilon_1 over rows and columns, averaged by
    β, and RMS the root of the mean square::

        u := g / sqrt(R_i C_j / Σ R)                    a bias, a row or a column: the mean of g² itself
        u := u / max(1, RMS(u) / clip)
        w := w - min(η, 1 / sqrt(t)) max(epsilon_2, RMS(w)) u

    R and C are stored in one slot of the size of w, most of which is unused.

    Source: Shazeer and Stern, "Adafactor: adaptive learning rates with sublinear memory cost", 2018,
    algorithms 4 and 5; the learning rate is the 0.01 of its section 9.

    Examples
    --------
    >>> import cynn
    >>> cynn.registry.optimizers.get("adafactor")
    Adafactor(learning_rate=0.01, decay_power=0.8, epsilon_1=1e-30,
              epsilon_2=0.001, clip=1.0)
    """

    name = "adafactor"
    learning_rate_range = (0.0, 0.5)  # limited to 1 / sqrt(t)
    kernel = KERNELS["adafactor"]
    learning_rate: float = hyperparameter(
        default=0.01, above=0, doc="The maximum learning rate, relative to the root mean square of w."
    )
    decay_power: float = hyperparameter(
        default=0.8, above=0, doc="The exponent of the decay rate 1 - t^(-decay_power)."
    )
    epsilon_1: float = hyperparameter(default=1e-30, above=0, doc="Added to g².")
    epsilon_2: float = hyperparameter(default=1e-3, above=0, doc="The minimum for the root mean square of w.")
    clip: float = hyperparameter(default=1.0, above=0, doc="The maximum root mean square of u.")


class Muon(Optimizer):
    """Orthogonalized momentum: all singular values of a step are about the same.

    ::

        v := momentum v + (1 - momentum) g
        u := v                                          nesterov: u := (1 - momentum) g + momentum v
        X := u / ‖u‖, then `iterations` times X := 3.4445 X - 4.775 X Xᵀ X + 2.0315 (X Xᵀ)² X
        w := w (1 - η weight_decay) - η sqrt(max(1, outputs / inputs)) X

    Biases, and weights of layers with one input, are updated by AdamW with betas 0.9 and 0.95, epsilon 1e-10 and
    `bias_rate` times the learning rate, as is customary.

    Source: Jordan and others, "Muon: an optimizer for hidden layers in neural networks", 2024, and its
    code, whose defaults these are.

    Examples
    --------
    >>> import cynn
    >>> cynn.registry.optimizers.get("muon").learning_rate
    0.02
    """

    name = "muon"
    kernel = KERNELS["muon"]
    learning_rate: float = hyperparameter(default=0.02, above=0, doc="The learning rate.")
    momentum: float = hyperparameter(
        default=0.95, minimum=0, below=1, doc="The decay rate of the mean of g."
    )
    nesterov: bool = hyperparameter(default=True, doc="Whether to use Nesterov momentum.")
    iterations: float = hyperparameter(
        default=5.0, minimum=1, maximum=100, doc="The number of Newton-Schulz iterations, rounded down."
    )
    weight_decay: float = hyperparameter(
        default=0.0, minimum=0, doc="The weight decay: w shrinks by η times this share in each step."
    )
    bias_rate: float = hyperparameter(
        default=0.015, above=0, doc="The learning rate of biases, relative to that of weights."
    )
