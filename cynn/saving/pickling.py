"""Names the part of a network that cannot be pickled: the error of pickle itself says only `<lambda>`."""

from __future__ import annotations

import sys
from typing import Any

from cynn.errors import InvalidParameterError

__all__ = ["check"]

# Modules that can pickle lambdas, or that copy objects without pickling them.
_OTHERS = {"copy", "cloudpickle", "dill"}


def check(layers: list[Any], optimizer_state: Any) -> None:
    """Raise an InvalidParameterError that names the first part that the calling pickler cannot pickle.

    To be called in `__getstate__`.
    """
    parts = {f"layer {number}": layer for number, layer in enumerate(layers)}
    if optimizer_state is not None:
        optimizer = optimizer_state.optimizer
        parts[f"the learning rate of {type(optimizer).__name__}"] = getattr(optimizer, "learning_rate", None)
    import pickle

    caller = sys._getframe(2).f_globals.get("__name__", "")
    if _OTHERS & set(caller.split(".")):
        return
    for name, part in parts.items():
        try:
            pickle.dumps(part)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise InvalidParameterError(
                f"A network that is pickled must have parts that pickle can take along. Got {part!r} as {name} "
                f"instead: {error}. A function or a class of a module can be pickled, a lambda or one within a "
                "function cannot."
            ) from error
