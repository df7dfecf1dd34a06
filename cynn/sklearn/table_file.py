"""Saves and loads the tabular estimators: preprocessing, networks and targets in one file. Loading runs no code."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cynn.errors import CynnError, InvalidParameterError, ModelFileError, shown
from cynn.many import Ensemble
from cynn.network import Network
from cynn.saving import container_file
from cynn.sklearn.table_columns import TableColumns

if TYPE_CHECKING:
    from cynn.sklearn.tabular_base import TabularEstimator

__all__ = ["labels", "of_labels", "read", "save"]

_FORMAT = "cynn table"

#: Parameters that are not saved: they are needed in training alone, and may be of any class.
_OF_TRAINING = ("callbacks",)

_KINDS_OF_LABELS = {"b": "bool", "i": "int64", "u": "uint64", "f": "float64", "U": "str", "O": "object"}


def save(estimator: TabularEstimator, path: str | os.PathLike[str]) -> None:
    """Save a fitted estimator to a file, atomically."""
    names = getattr(estimator, "feature_names_in_", None)
    parameters = estimator.get_params(deep=False)
    notes = {
        "estimator": type(estimator).__name__,
        "parameters": {name: _plain(name, parameters[name]) for name in parameters if name not in _OF_TRAINING},
        "columns": estimator.columns_.get_config(),
        "feature_names": None if names is None else names.tolist(),
        "target_name": estimator.target_name_,
        "targets": estimator._targets_config(),
        "best_epochs": estimator.best_epochs_,
        "validation_score": estimator.validation_score_,
    }
    container_file.save(path, _FORMAT, estimator.ensemble_.networks, notes)


def _plain(name: str, value: Any) -> Any:
    """Convert a parameter to JSON. A RandomState is not saved: it is not needed after training."""
    if name == "random_state" and not isinstance(value, (int, np.integer)):
        return None
    if isinstance(value, np.generic):
        return value.item()
    if hasattr(value, "get_config"):
        return value.get_config()
    if isinstance(value, dict):
        return {"labels": of_labels(np.array(list(value))), "weights": [float(weight) for weight in value.values()]}
    return value


def read(path: str | os.PathLike[str], kinds: Sequence[type[TabularEstimator]]) -> Any:
    """Read an estimator that `save` wrote, of one of these classes."""
    by_name = {kind.__name__: kind for kind in kinds}
    networks, notes = container_file.read(path, _FORMAT, Network)
    named = notes.get("estimator") if isinstance(notes, dict) else None
    kind = by_name.get(str(named))
    if kind is None:
        raise ModelFileError(
            f"The file {os.fspath(path)!r} must hold one of {', '.join(by_name)}. Got {shown(named)} instead."
        )
    try:
        parameters = dict(notes["parameters"])
        weights = parameters.get("class_weight")
        if isinstance(weights, dict):
            parameters["class_weight"] = dict(zip(labels(weights["labels"]).tolist(), weights["weights"], strict=True))
        parameters["hidden_layer_sizes"] = tuple(parameters["hidden_layer_sizes"])
        estimator = kind(**parameters)
        estimator.columns_ = TableColumns.from_config(notes["columns"])
        estimator.n_features_in_ = len(estimator.columns_.names)
        if notes["feature_names"] is not None:
            estimator.feature_names_in_ = np.array([str(name) for name in notes["feature_names"]], object)
        estimator.target_name_ = None if notes["target_name"] is None else str(notes["target_name"])
        estimator._set_targets(notes["targets"])
        estimator.best_epochs_ = [int(epoch) for epoch in notes["best_epochs"]]
        score = notes["validation_score"]
        estimator.validation_score_ = None if score is None else float(score)
        estimator.histories_ = []
        estimator.ensemble_ = Ensemble(networks)
        _check(estimator)
    except (KeyError, TypeError, ValueError, CynnError) as error:
        raise ModelFileError(
            f"The file {os.fspath(path)!r} must hold a {kind.__name__} as it was saved. Got this instead: {error}"
        ) from error
    return estimator


def _check(estimator: Any) -> None:
    """Raise an error if the contents of a file are inconsistent."""
    network, columns = estimator.ensemble_.networks[0], estimator.columns_
    names = getattr(estimator, "feature_names_in_", columns.names)
    outputs = len(estimator._mean) if hasattr(estimator, "_mean") else max(2, len(estimator.classes_))
    if (network.input.units, network.outputs, len(names)) != (columns.n_inputs, outputs, estimator.n_features_in_):
        raise InvalidParameterError(
            f"A network for {columns.n_inputs} inputs and {outputs} outputs must be there. Got one of "
            f"{network.input.units} and {network.outputs} instead."
        )


def of_labels(found: npt.NDArray[Any]) -> dict[str, Any]:
    """Convert labels to JSON, with their dtype."""
    kind = _KINDS_OF_LABELS.get(found.dtype.kind)
    values = found.tolist()
    if kind is None or not all(isinstance(value, (bool, int, float, str)) for value in values):
        raise InvalidParameterError(
            f"Labels in a file must be numbers, booleans or texts. Got {shown(values[0])} instead."
        )
    return {"kind": kind, "values": values}


def labels(config: Any) -> npt.NDArray[Any]:
    """Convert the result of `of_labels` back to an array."""
    if config["kind"] not in _KINDS_OF_LABELS.values():
        raise ModelFileError(f"Labels in a file must be of a kind that it has. Got {shown(config['kind'])} instead.")
    return np.array(config["values"], config["kind"])
