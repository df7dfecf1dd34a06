"""The conformance kit: checks that an activation, a loss, an optimizer or a layer follows the rules of the plugin ABI.

>>> from cynn import testing
>>> print(testing.check_optimizer("sgd"))
the optimizer 'sgd' of cynn-nn ... (compiled): SGD(...)
...
  all ... checks passed

It calls kernels in the same way as the engine, in a child process and in guarded memory. It compares the results with
finite differences, with repeated calls and with a reference. It may import the registry, the parts and the engine's
kernel objects.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cynn import registry
from cynn.errors import InvalidParameterError, unknown_name
from cynn.testing import files
from cynn.testing.activations import check_activation
from cynn.testing.layers import check_layer
from cynn.testing.losses import check_loss
from cynn.testing.optimizers import check_optimizer
from cynn.testing.report import Check, ConformanceError, Report

__all__ = [
    "Check",
    "ConformanceError",
    "Report",
    "check",
    "check_activation",
    "check_layer",
    "check_loss",
    "check_optimizer",
]

_CHECKS: dict[str, Callable[..., Report]] = {
    "activation": check_activation,
    "loss": check_loss,
    "optimizer": check_optimizer,
    "layer": check_layer,
}


def check(name: str, *, kind: str | None = None, raise_on_failure: bool = True, seed: int = 0) -> Report:
    """Check a plugin by name.

    Parameters
    ----------
    name : str
        The name of an activation, a loss, an optimizer or a layer; `"package:name"` if two packages offer it; or
        `"file.py:Class"` for a class in a file, which need not be installed.
    kind : {"activation", "loss", "optimizer", "layer"}, optional
        Only needed if parts of several kinds have this name.
    raise_on_failure : bool
        Whether a failed check raises an error. Otherwise it is only in the report.
    seed : int
        The seed of the random inputs. Failures report it.

    Returns
    -------
    Report
        All checks with their evidence.

    Examples
    --------
    >>> from cynn import testing
    >>> testing.check("adam").passed
    True
    """
    options: dict[str, Any] = {"raise_on_failure": raise_on_failure, "seed": seed}
    if files.is_place(name):
        cls = files.class_at(name)
        return _CHECKS[cls._registry.kind](cls, **options)
    bare = name.rpartition(":")[2]
    known = [registry.of_kind(each) for each in _CHECKS]
    kinds = [kind] if kind is not None else [of_kind.kind for of_kind in known if of_kind.has(bare)]
    if not kinds:
        raise unknown_name("plugin", name, [each for of_kind in known for each in of_kind.names()])
    if len(kinds) > 1:
        raise InvalidParameterError(
            f"The kind must be given if several kinds have that name. Got {name!r}, which is an "
            f"{' and an '.join(kinds)}: --kind {kinds[0]}, or check_{kinds[0]}({name!r})."
        )
    return _CHECKS[kinds[0]](name, **options)
