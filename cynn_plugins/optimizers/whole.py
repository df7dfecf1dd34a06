"""Optimizers of whole parameters: steps that depend on norms, on rows and columns, or on the matrix."""

from cynn.hyperparameters import hyperparameter
from cynn.optimizers import Optimizer
from cynn_plugins.optimizers._whole import KERNELS

__all__ = ["LAMB", "Adafactor", "Muon"]


class LAMB(Optimizer):
    """AdamW whose step, layer by layer, is as long as the weights are: for large batches.

    ::

        u := m^ / (sqrt(v^) + epsilon) + weight_decay w         m^, v^ as in Adam
        w := w - η (‖w‖ / ‖u‖) u                                a ratio of 1 where either is 0

    ‖ ‖ is over a whole parameter, weights and biases apart.

    Source: You and others, "Large batch optimization for deep learning: training BERT in 76 minutes",
    2020, algorithm 2, with φ(z) = z.

    Examples
    --------
    >>> import cynn
    >>> cynn.registry.optimizers.get("lamb")
    LAMB(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-06, weight_decay=0.01)
    """

    name = "lamb"
    kernel = KERNELS["lamb"]
    learning_rate: float = hyperparameter(default=0.001, above=0, doc="The length of a step, over that of w.")
    beta_1: float = hyperparameter(default=0.9, minimum=0, below=1, doc="How slowly the mean of g forgets.")
    beta_2: float = hyperparameter(
        default=0.999, minimum=0, below=1, doc="How slowly the mean of g² forgets."
    )
    epsilon: float = hyperparameter(default=1e-6, above=0, doc="Keeps the quotient finite.")
    weight_decay: float = hyperparameter(default=0.01, minimum=0, doc="The part of w in the direction.")


class Adafactor(Optimizer):
    """Steps over the root of a mean of g² that is kept by rows and columns, and relative to the size of w.

    With β = 1 - t^(-decay_power), R and C the sums of g² + epsilon_1 over rows and columns, averaged by
    β, and RMS the root of the mean square::

        u := g / sqrt(R_i C_j / Σ R)                    a bias, a row or a column: the mean of g² itself
        u := u / max(1, RMS(u) / clip)
        w := w - min(η, 1 / sqrt(t)) max(epsilon_2, RMS(w)) u

    R and C lie in one slot of the size of w, most of which is not used.

    Source: Shazeer and Stern, "Adafactor: adaptive learning rates with sublinear memory cost", 2018,
    algorithms 4 and 5; the learning rate is the 0.01 of its section 9.

    Examples
    --------
    >>> import cynn
    >>> cynn.registry.optimizers.get("adafactor")
    Adafactor(learning_rate=0.01, decay_power=0.8, epsilon_1=1e-30, epsilon_2=0.001, clip=1.0)
    """

    name = "adafactor"
    learning_rate_range = (0.0, 0.5)  # above 1 / sqrt(t) it has a limit
    kernel = KERNELS["adafactor"]
    learning_rate: float = hyperparameter(default=0.01, above=0, doc="The largest step, over the size of w.")
    decay_power: float = hyperparameter(default=0.8, above=0, doc="How fast the means lengthen.")
    epsilon_1: float = hyperparameter(default=1e-30, above=0, doc="Added to g².")
    epsilon_2: float = hyperparameter(default=1e-3, above=0, doc="The least size that w counts with.")
    clip: float = hyperparameter(default=1.0, above=0, doc="The largest root mean square of u.")


class Muon(Optimizer):
    """Momentum, orthogonalized: every direction that a layer's weights could move in moves as far.

    ::

        v := momentum v + (1 - momentum) g
        u := v                                          nesterov: u := (1 - momentum) g + momentum v
        X := u / ‖u‖, then `iterations` times X := 3.4445 X - 4.775 X Xᵀ X + 2.0315 (X Xᵀ)² X
        w := w (1 - η weight_decay) - η sqrt(max(1, outputs / inputs)) X

    Biases, and the weights of a single input, move by AdamW with betas 0.9 and 0.95, epsilon 1e-10 and
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
    learning_rate: float = hyperparameter(default=0.02, above=0, doc="How far every direction moves.")
    momentum: float = hyperparameter(
        default=0.95, minimum=0, below=1, doc="How slowly the mean of g forgets."
    )
    nesterov: bool = hyperparameter(default=True, doc="Look ahead by the momentum.")
    iterations: float = hyperparameter(
        default=5.0, minimum=1, maximum=100, doc="Newton-Schulz steps, rounded down."
    )
    weight_decay: float = hyperparameter(
        default=0.0, minimum=0, doc="The part of w that goes each step, times η."
    )
    bias_rate: float = hyperparameter(default=0.015, above=0, doc="The rate of biases, over that of weights.")
