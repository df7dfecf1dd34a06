"""The errors of CyNN. Each is a `CynnError`, and also the built-in error that a user would expect.

Every message has one form: what is required, what was got instead and, if it helps, what to do.
"""

from __future__ import annotations

import ctypes
import math
import operator
from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np

__all__ = [
    "BusyError",
    "CheckpointError",
    "CynnError",
    "CynnWarning",
    "DataError",
    "InvalidParameterError",
    "KernelError",
    "MissingDependencyError",
    "ModelFileError",
    "NotAFileError",
    "PluginError",
    "ReadOnlyError",
    "ShapeError",
    "TrainingDivergedError",
    "UnknownNameError",
    "UnknownParameterError",
    "WorkerError",
    "check_number",
    "check_whole_number",
]


_MAX_SHOWN = 200


class CynnWarning(UserWarning):
    """The category of every warning of CyNN."""


def warn(message: str, stacklevel: int) -> None:
    """Issue a CynnWarning. Does nothing if sys.stderr is closed, as in a program without a console."""
    import contextlib
    import warnings

    with contextlib.suppress(ValueError):  # writing to a closed stream
        warnings.warn(message, CynnWarning, stacklevel=stacklevel + 1)


class CynnError(Exception):
    """The base class of all errors of CyNN."""


class InvalidParameterError(CynnError, ValueError, TypeError):
    """A parameter has an invalid value or type."""


class ShapeError(CynnError, ValueError):
    """An array has a shape that does not fit the network."""


class DataError(CynnError, ValueError):
    """The data have invalid values: a NaN, a class out of range, or no rows."""


class UnknownNameError(CynnError, KeyError):
    """No activation, loss, optimizer or metric has that name."""

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would show the repr


class UnknownParameterError(UnknownNameError, InvalidParameterError):
    """A class has no parameter of that name."""


class PluginError(CynnError):
    """A plugin could not be found, imported, trusted or run."""


class BusyError(CynnError, RuntimeError):
    """Another call is training the network."""


class KernelError(CynnError, RuntimeError):
    """A compiled kernel got invalid arguments, because of an error in CyNN or in a plugin."""


class ReadOnlyError(CynnError, AttributeError):
    """A parameter cannot be changed after an object has been created."""


class ModelFileError(CynnError, ValueError):
    """A file is not a complete model file."""


class NotAFileError(ModelFileError, OSError):
    """A path is a directory, a FIFO, a socket or a device instead of a file."""


class CheckpointError(CynnError, OSError):
    """A checkpoint cannot be written, or there is no checkpoint to resume from."""


class MissingDependencyError(CynnError, ImportError):
    """An optional package is needed; the message names the extra that installs it."""


class WorkerError(CynnError, RuntimeError):
    """A worker process or an MPI rank was lost, has failed, or differs from this process."""


class Figures(Protocol):
    """The part of `cynn.training.History` that errors and plots use."""

    history: dict[str, list[float]]

    @property
    def epochs(self) -> int:
        """The number of epochs."""

    def __getitem__(self, name: str) -> list[float]: ...


class TrainingDivergedError(CynnError, ArithmeticError):
    """The loss became NaN or infinite.

    Parameters
    ----------
    message : str
        What has happened, and what to do.
    epoch, step : int
        The epoch and the step within it, both counted from 1.
    history : cynn.training.History
        The history of the completed epochs.

    Attributes
    ----------
    epoch, step : int
        The epoch and the step within it, both counted from 1.
    history : cynn.training.History
        The history of the completed epochs.
    """

    def __init__(self, message: str, epoch: int, step: int, history: Figures) -> None:
        super().__init__(message, epoch, step, history)  # all arguments, so that it can be pickled
        self.epoch = epoch
        self.step = step
        self.history = history

    def __str__(self) -> str:
        return str(self.args[0])


def bounds_in_words(
    *,
    minimum: float = float("-inf"),
    maximum: float = float("inf"),
    above: float | None = None,
    below: float | None = None,
) -> list[str]:
    """The bounds as text, such as `["> 0", "<= 1"]`."""
    bounds = []
    if above is not None:
        bounds.append(f"> {above:g}")
    elif minimum != float("-inf"):
        bounds.append(f">= {minimum:g}")
    if below is not None:
        bounds.append(f"< {below:g}")
    elif maximum != float("inf"):
        bounds.append(f"<= {maximum:g}")
    return bounds


def check_number(
    value: Any,
    name: str,
    owner: str,
    *,
    minimum: float = float("-inf"),
    maximum: float = float("inf"),
    above: float | None = None,
    below: float | None = None,
) -> float:
    """Check that `value` is a finite number within the bounds, and return it as a float."""
    try:
        number = float(value) if _may_be_number(value, "iuf") else math.nan
    except Exception:  # __float__ may raise anything
        number = math.nan
    inside = minimum <= number <= maximum and math.isfinite(number)
    if not inside or (above is not None and number <= above) or (below is not None and number >= below):
        bounds = bounds_in_words(minimum=minimum, maximum=maximum, above=above, below=below)
        raise not_allowed(name, owner, f"a finite number {' and '.join(bounds)}".strip(), value)
    return number


def check_whole_number(
    value: Any, name: str, owner: str, *, minimum: int = 0, maximum: int = 2**63 - 1
) -> int:
    """Check that `value` is a whole number within the bounds, not a bool or float; return it as an int."""
    try:
        number = operator.index(value) if _may_be_number(value, "iu") else None
    except Exception:  # __index__ may raise anything
        number = None
    if number is None or not minimum <= number <= maximum:
        is_too_large = number is not None and number > maximum
        limit = f" and <= {maximum}" if is_too_large or maximum != 2**63 - 1 else ""
        raise not_allowed(name, owner, f"a whole number >= {minimum}{limit}", value)
    return number


def check_switch(value: object, name: str, owner: str) -> bool:
    """Check that `value` is True or False, and return it as a bool."""
    if not isinstance(value, (bool, np.bool_)):
        raise not_allowed(name, owner, "True or False", value)
    return bool(value)


def check_held(value: float, name: str, owner: str, dtype: str) -> None:
    """Raise an InvalidParameterError if a number overflows, or underflows to 0, in the dtype of a network."""
    held = ctypes.c_float(value).value if dtype == "float32" else float(value)
    if not math.isfinite(held) or (held == 0) != (value == 0):
        raise not_allowed(name, owner, f"a number that {dtype} holds in such a network", value)


def as_list(value: Any) -> list[Any] | None:
    """A list of the items of an iterable; None if `value` is not iterable."""
    try:
        return list(value)
    except TypeError:  # iter() accepts an array without dimensions, list() does not
        return None


def not_allowed(name: str, owner: str, allowed: str, value: object) -> InvalidParameterError:
    """Make the error for a parameter with an invalid value."""
    return InvalidParameterError(f"The {name!r} parameter of {owner} must be {allowed}. Got {shown(value)} instead.")


def shown(value: object) -> str:
    """The repr of a value, shortened if it is long."""
    try:
        text = repr(value)
    except Exception:  # an int with thousands of digits, or a repr that raises
        text = f"{type(value).__name__} without a repr"
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."


def _may_be_number(value: object, kinds: str) -> bool:
    """Whether it is a single number, not a text or a bool. NumPy numbers must have one of these dtype kinds."""
    if isinstance(value, (str, bytes, bytearray, bool)):
        return False
    return getattr(getattr(value, "dtype", None), "kind", kinds[0]) in kinds and not getattr(value, "ndim", 0)


def unknown_name(kind: str, name: object, names: Iterable[str]) -> UnknownNameError:
    """Make the error for an unknown name, with the most similar names or, if there are none, all names."""
    known = sorted(names)
    hint = did_you_mean(name, known) or f" There are: {', '.join(known)}."
    return UnknownNameError(f"There is no {kind} named {shown(name)}.{hint}")


def unknown_parameter(name: str, owner: str, names: Iterable[str], word: str = "parameter") -> UnknownParameterError:
    """Make the error for an unknown parameter, with the most similar names, or else with where it belongs."""
    known = sorted(names)
    places = [_ELSEWHERE[each] for each in _OTHER_NAMES.get(name.lower(), (name,)) if each in _ELSEWHERE]
    elsewhere = f" Give {' or '.join(places)} instead." if places else ""
    hint = did_you_mean(name, known) or elsewhere or f" There are: {', '.join(known) or '(none)'}."
    return UnknownParameterError(f"There is no {word} of {owner} named {shown(name)}.{hint}")


def did_you_mean(name: object, names: Iterable[str]) -> str:
    """A sentence that lists the names for what other libraries call so, or the most similar names; empty if none."""
    import difflib  # slow to import

    names = list(names)
    wanted = (name if isinstance(name, str) else shown(name)).lower()
    similar = difflib.get_close_matches(wanted, {each.lower() for each in names}, n=3)
    near = [each for each in _OTHER_NAMES.get(wanted, ()) if each in names]
    near = near or [each for lower in similar for each in names if each.lower() == lower]
    return f" Did you mean {' or '.join(map(repr, near))}?" if near else ""


# Names of Keras, PyTorch, scikit-learn and papers, in lower case, and what they are called here.
_OTHER_NAMES: dict[str, tuple[str, ...]] = {
    # metrics and losses
    "acc": ("accuracy",),
    "categorical_accuracy": ("accuracy",),
    "sparse_categorical_accuracy": ("accuracy",),
    "bce": ("binary_cross_entropy",),
    "bce_with_logits": ("binary_cross_entropy",),
    "log_loss": ("binary_cross_entropy", "cross_entropy"),
    "logloss": ("binary_cross_entropy", "cross_entropy"),
    "ce": ("cross_entropy",),
    "cce": ("cross_entropy",),
    "scce": ("cross_entropy",),
    "categorical_cross_entropy": ("cross_entropy",),
    "sparse_categorical_cross_entropy": ("cross_entropy",),
    "nll": ("cross_entropy", "gaussian_nll"),
    "kl": ("kl_divergence",),
    "kld": ("kl_divergence",),
    "mse": ("mean_squared_error",),
    "squared_error": ("mean_squared_error",),
    "l2": ("mean_squared_error", "regularizer", "weight_decay"),
    "mae": ("mean_absolute_error",),
    "absolute_error": ("mean_absolute_error",),
    "l1": ("mean_absolute_error", "regularizer"),
    "rmse": ("root_mean_squared_error", "mean_squared_error"),
    "r2": ("r2_score",),
    "r_squared": ("r2_score",),
    "top_k": ("top_k_accuracy",),
    "pinball": ("quantile",),
    # optimizers and solvers
    "gd": ("sgd",),
    "gradient_descent": ("sgd",),
    "bfgs": ("lbfgs",),
    # activations and initializers
    "none": ("identity", "zeros"),
    "logistic": ("sigmoid",),
    "leaky": ("leaky_relu",),
    "sin": ("sine",),
    "glorot": ("glorot_uniform", "glorot_normal"),
    "xavier": ("glorot_uniform", "glorot_normal"),
    "xavier_uniform": ("glorot_uniform",),
    "xavier_normal": ("glorot_normal",),
    "he": ("he_normal", "he_uniform"),
    "kaiming": ("he_normal", "he_uniform"),
    "kaiming_uniform": ("he_uniform",),
    "kaiming_normal": ("he_normal",),
    "lecun": ("lecun_normal", "lecun_uniform"),
    "normal": ("truncated_normal",),
    "random_normal": ("truncated_normal",),
    # parameters
    "lr": ("learning_rate", "initial_learning_rate"),
    "eta": ("learning_rate", "initial_learning_rate"),
    "learning_rate_init": ("learning_rate", "initial_learning_rate"),
    "betas": ("beta_1", "beta_2"),
    "eps": ("epsilon",),
    "decay": ("weight_decay",),
    "wd": ("weight_decay",),
    "verbose": ("progress",),
    "max_iter": ("epochs",),
    "n_epochs": ("epochs",),
    "nb_epoch": ("epochs",),
    "validation_fraction": ("validation_split",),
    "eval_set": ("validation_data",),
    "workers": ("n_threads",),
    "n_jobs": ("n_threads",),
    "random_state": ("seed",),
    "class_names": ("classes",),
    "labels": ("classes",),
    "init": ("initializer",),
    "kernel_initializer": ("initializer",),
    "kernel_regularizer": ("regularizer",),
    "kernel_constraint": ("constraint",),
    "bias": ("use_bias",),
    "p": ("rate",),
    "neurons": ("units",),
    "out_features": ("units",),
    "hidden_layer_sizes": ("sizes",),
    "input_dim": ("input",),
    "input_shape": ("input",),
    "in_features": ("input",),
    "n_iter_no_change": ("patience",),
    "early_stopping": ("patience",),
}

# Where parameters belong that are often given in other places.
_ELSEWHERE = {
    "learning_rate": "optimizer=cynn.optimizers.Adam(learning_rate=...)",
    "weight_decay": "optimizer=cynn.optimizers.AdamW(weight_decay=...)",
    "momentum": "optimizer=cynn.optimizers.SGD(momentum=...)",
    "clipnorm": "optimizer=cynn.optimizers.Adam(clipnorm=...)",
    "patience": "callbacks=[cynn.callbacks.EarlyStopping(patience=...)]",
    "seed": "cynn.Network(..., seed=...)",
    "dtype": "cynn.Network(..., dtype=...)",
    "classes": "cynn.Network(..., classes=...)",
    "regularizer": "cynn.Network(..., regularizer=...)",
    "activation": "cynn.Dense(..., activation=...)",
    "initializer": "cynn.Dense(..., initializer=...)",
    "dropout": "the layer cynn.Dropout(...)",
    "input": "the first layer cynn.Input(...)",
    "loss": "net.fit(..., loss=...)",
    "optimizer": "net.fit(..., optimizer=...)",
    "metrics": "net.fit(..., metrics=...)",
    "epochs": "net.fit(..., epochs=...)",
    "callbacks": "net.fit(..., callbacks=...)",
    "validation_split": "net.fit(..., validation_split=...)",
    "validation_data": "net.fit(..., validation_data=...)",
}
