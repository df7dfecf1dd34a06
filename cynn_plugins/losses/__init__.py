"""Losses, by family.

================== ===============================================================================
module             losses
================== ===============================================================================
``regression``     `huber`, `smooth_l1`, `log_cosh`, `quantile`, `mean_absolute_percentage_error`
                   (also `mape`), `mean_squared_logarithmic_error` (also `msle`),
                   `cosine_similarity`
``likelihood``     `poisson`, `gamma`, `tweedie`, `gaussian_nll`, `kl_divergence`
``classification`` `hinge`, `squared_hinge`, `categorical_hinge`, `soft_margin`, `multi_margin`,
                   `multilabel_margin`, `binary_focal` (also `focal`), `categorical_focal`, `dice`
================== ===============================================================================

Each module has the classes, and beside it, with an underscore, their kernels.
"""
