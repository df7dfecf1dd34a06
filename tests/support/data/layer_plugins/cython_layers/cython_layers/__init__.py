"""Dense and PReLU once more, with kernels in Cython."""

import cynn

from . import _kernel

__all__ = ["CythonDense", "CythonPReLU"]


class CythonDense(cynn.Dense):
    """a = f(x W + b), over the published products."""

    name = "cython_dense"
    kernel = _kernel.DENSE


class CythonPReLU(cynn.PReLU):
    """a = z where z >= 0, else alpha z."""

    name = "cython_prelu"
    kernel = _kernel.PRELU
