"""What is exported: the plan of a model, the rows that its test takes, and what the model itself predicts for them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

from cynn.data.sparse import as_dense
from cynn.errors import DataError
from cynn.interop.from_layers import plan_of
from cynn.interop.plan import Array, Plan

if TYPE_CHECKING:
    from cynn.network import Network

__all__ = ["ExportedModel", "exported_model", "in_dtype"]


class ExportedModel(ABC):
    """A model that is exported.

    Attributes
    ----------
    plan : Plan
        What the model computes.
    networks : list of Network
        What it consists of: the outputs are made of the mean of theirs. The `layers` of the plan are those of the last.
    encoded : int
        The number of the value that the networks take: 0, or what preprocessing makes of it.
    encoded_names : list of str, optional
        What the columns of that value are, if there is preprocessing.
    """

    plan: Plan
    networks: list[Network]
    encoded: int = 0
    encoded_names: list[str] | None = None

    @abstractmethod
    def rows(self, given: Any, name: str, dtype: str) -> Array:
        """Rows as the exported file takes them, at least one.

        Parameters
        ----------
        given : object
            Rows as the model takes them.
        name : str
            The name of the parameter, for messages.
        dtype : {"float32", "float64"}
            The dtype of the computation.
        """

    @abstractmethod
    def predict(self, rows: Array, dtype: str) -> Array:
        """The outputs of the model itself for such rows, computed in a dtype: all outputs, concatenated."""


class _ExportedNetwork(ExportedModel):
    def __init__(self, network: Network, form: str) -> None:
        self.network = network
        self.networks = [network]
        self.plan = plan_of(network, form)

    def rows(self, given: Any, name: str, dtype: str) -> Array:
        rows = self.network.as_rows(given, name)
        self.network.check_rows(rows, name, check_finite=True)
        if not len(rows):
            raise DataError(f"{name} must hold a row or more. Got none.")
        return as_dense(rows).astype(dtype)

    def predict(self, rows: Array, dtype: str) -> Array:
        predicted = in_dtype(self.network, dtype).predict(rows)
        parts = list(predicted.values()) if isinstance(predicted, dict) else predicted
        return np.concatenate(parts, axis=1) if isinstance(parts, list) else parts


def in_dtype(network: Network, dtype: str) -> Network:
    """A copy of a network that computes in a dtype."""
    graph = {name: each for name, each in network.get_config().items() if name in ("sources", "outputs")}
    same = type(network)([network.input, *network.layers], seed=0, dtype=dtype, **graph)
    same.set_weights(network.get_weights())
    return same


def exported_model(model: Any, form: str = "formula") -> ExportedModel:
    """A network as what is exported, or what an estimator makes of itself by `_exported_model`.

    Parameters
    ----------
    model : Network or estimator
    form : str
        As for `plan_of`.
    """
    make = getattr(model, "_exported_model", None)
    found: ExportedModel = _ExportedNetwork(model, form) if make is None else make(form)
    return found
