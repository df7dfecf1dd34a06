"""The conformance kit: does an activation, a loss or an optimizer keep the rules of the plugin ABI?

>>> from cynn import testing
>>> print(testing.check_optimizer("sgd"))
the optimizer 'sgd' of cynn ... (compiled): SGD(...)
...
  all ... checks passed
"""

from cynn.testing.activations import check_activation
from cynn.testing.losses import check_loss
from cynn.testing.optimizers import check_optimizer
from cynn.testing.report import Check, ConformanceError, Report

__all__ = ["Check", "ConformanceError", "Report", "check_activation", "check_loss", "check_optimizer"]
