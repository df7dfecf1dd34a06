"""An activation, compiled by Numba."""

from cynn import hyperparameter
from cynn.activations import Activation
from cynn_example_numba import _kernel


class Arctangent(Activation):
    """a = atan(slope z); f′ = slope / (1 + (slope z)²)."""

    name = "arctangent"
    kernel = Activation.from_addresses(
        forward_f32=_kernel.float32["forward"],
        backward_f32=_kernel.float32["backward"],
        forward_f64=_kernel.float64["forward"],
        backward_f64=_kernel.float64["backward"],
        needs_z=True,
    )
    slope: float = hyperparameter(
        default=1.0, above=0, doc="The slope at 0."
    )
