"""The conformance kit: checks that an activation, a loss or an optimizer follows the rules of the plugin ABI.

>>> from cynn import testing
>>> print(testing.check_optimizer("sgd"))
the optimizer 'sgd' of cynn-nn ... (compiled): SGD(...)
...
  all ... checks passed

It calls kernels as the engine does, on guarded memory. It compares gradients with finite differences, and the results
of repeated calls with each other. It may use the registry, the parts and the engine's kernel objects.
"""

from __future__ import annotations

from cynn import registry
from cynn.errors import InvalidParameterError, unknown_name
from cynn.testing.activations import check_activation
from cynn.testing.losses import check_loss
from cynn.testing.optimizers import check_optimizer
from cynn.testing.report import Check, ConformanceError, Report

__all__ = [
    "Check",
    "ConformanceError",
    "Report",
    "check",
    "check_activation",
    "check_loss",
    "check_optimizer",
]

_CHECKS = {"activation": check_activation, "loss": check_loss, "optimizer": check_optimizer}


def check(name: str, *, kind: str | None = None, raise_on_failure: bool = True) -> Report:
    """Check the activation, loss or optimizer of that name.

    Parameters
    ----------
    name : str
        The name of an activation, a loss or an optimizer; `"package:name"` if two packages offer it.
    kind : {"activation", "loss", "optimizer"}, optional
        Needed only if several kinds have that name.
    raise_on_failure : bool
        Whether a failed check raises an error. Otherwise it is only in the report.

    Returns
    -------
    Report
        The result of every check, with its evidence.

    Examples
    --------
    >>> from cynn import testing
    >>> testing.check("adam").passed
    True
    """
    bare = name.rpartition(":")[2]
    if kind is not None:
        kinds = [kind]
    else:
        kinds = [key for key, of_kind in registry.OF_KIND.items() if of_kind.has(bare)]
    if not kinds:
        raise unknown_name(
            "plugin", name, [known for of_kind in registry.OF_KIND.values() for known in of_kind.names()]
        )
    if len(kinds) > 1:
        raise InvalidParameterError(
            f"The kind must be given if several kinds have that name. Got {name!r}, which is an "
            f"{' and an '.join(kinds)}: "
            f"--kind {kinds[0]}, or check_{kinds[0]}({name!r})."
        )
    return _CHECKS[kinds[0]](name, raise_on_failure=raise_on_failure)
