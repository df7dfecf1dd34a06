"""Activations, by family.

=============== ==================================================================================
module          activations
=============== ==================================================================================
``exponential`` `elu`, `selu`, `celu`, `exponential`
``gated``       `swish` (also `silu`), `gelu`, `mish`
``gaussian``    `gaussian`
``periodic``    `sine`, `snake`
``piecewise``   `relu6`, `hardtanh`, `hard_sigmoid`, `hard_swish`, `squared_relu`, `sparse_plus`,
                `softshrink`, `hardshrink`, `threshold`
``rowwise``     `softmin`, `log_softmax`, `sparsemax`
``soft``        `softplus`, `log_sigmoid`, `squareplus`, `softsign`, `smooth_clip`, `tanhshrink`
=============== ==================================================================================

Each module has the classes, and beside it, with an underscore, their kernels.
"""

from cynn.plugins.levels import search_path

__path__ = search_path(__path__)
