"""Optimizers, by family.

============ =====================================================================================
module       optimizers
============ =====================================================================================
``adaptive`` `rmsprop`, `adagrad`, `adadelta`, `rprop`, `ftrl`
``moments``  `adamax`, `nadam`, `radam`, `amsgrad`, `adabelief`, `adan`, `lion`,
             `schedule_free_adamw`
``whole``    `lamb`, `adafactor`, `muon`
============ =====================================================================================

Each module has the classes, and beside it, with an underscore, their kernels.
"""

from cynn.plugins.levels import search_path

__path__ = search_path(__path__)
