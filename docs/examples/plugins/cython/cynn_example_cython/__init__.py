"""An activation and an optimizer, compiled by Cython."""

from cynn import hyperparameter
from cynn.activations import Activation
from cynn.optimizers import Optimizer
from cynn_example_cython import _kernel


class BentIdentity(Activation):
    """a = z + bend (sqrt(z² + 1) - 1) / 2.

    f′ = 1 + bend z / (2 sqrt(z² + 1)).
    """

    name = "bent_identity"
    kernel = _kernel.BENT_IDENTITY
    bend: float = hyperparameter(
        default=1.0,
        minimum=0,
        maximum=2,
        doc="How much steeper the right side is.",
    )


class Signum(Optimizer):
    """v := momentum v + (1 - momentum) g, w := w - η sign(v).

    g is the gradient and η the learning rate.

    Source: Bernstein, Wang, Azizzadenesheli and Anandkumar, "signSGD:
    compressed optimisation for non-convex problems", 2018, algorithm 2.
    """

    name = "signum"
    kernel = _kernel.SIGNUM
    learning_rate: float = hyperparameter(
        default=0.001, above=0, doc="How far each step goes."
    )
    momentum: float = hyperparameter(
        default=0.9,
        minimum=0,
        below=1,
        doc="The decay rate of the mean of g.",
    )
