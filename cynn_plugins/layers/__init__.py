"""Layers, by family.

=============== ==================================================================================
module          layers
=============== ==================================================================================
``columns``     `numerical_embedding`, `scale`
``members``     `batch_ensemble`, `member_mean`, `mixture_of_experts`
``parametric``  `parametric_activation`
=============== ==================================================================================

Each module has the classes; beside them, with an underscore, are the kernels of their operations.
"""

from cynn.plugins.levels import search_path

__path__ = search_path(__path__)
