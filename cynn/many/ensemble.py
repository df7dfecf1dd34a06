"""`Ensemble`: several networks that predict together."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from cynn.engine import threads
from cynn.errors import InvalidParameterError, ShapeError, as_list, shown
from cynn.metrics import of_outputs
from cynn.network import Network
from cynn.saving import container_file

__all__ = ["Ensemble"]

Array = npt.NDArray[Any]

_FORMAT = "cynn ensemble"


class Ensemble:
    """Several networks whose predictions are averaged.

    Parameters
    ----------
    networks : list of Network
        At least one network. All must have the same numbers of input and output columns, and one output.

    Attributes
    ----------
    networks : list of Network

    Raises
    ------
    InvalidParameterError
        An item is not a network, or has several outputs.
    ShapeError
        The networks have different numbers of input or output columns.

    Notes
    -----
    Source: Lakshminarayanan, Pritzel and Blundell, "Simple and scalable predictive uncertainty estimation using deep
    ensembles", 2017: networks that differ in their seed, trained on the same data.

    Examples
    --------
    >>> import cynn
    >>> x, y = np.linspace(-1, 1, 50)[:, None], np.linspace(-1, 1, 50) ** 2
    >>> nets = [cynn.Network.mlp([1, 8, 1], seed=seed) for seed in range(5)]
    >>> ensemble = cynn.Ensemble(nets)
    >>> result = cynn.fit_many(ensemble.networks, x, y, epochs=20)
    >>> ensemble.predict(x).shape, ensemble.spread([[0.0], [9.0]]).shape
    ((50, 1), (2, 1))
    """

    def __init__(self, networks: Sequence[Network]) -> None:
        own = None if isinstance(networks, (str, bytes, dict)) else as_list(networks)
        if not own or not all(isinstance(network, Network) for network in own):
            raise InvalidParameterError(
                "The 'networks' parameter of Ensemble must be a list of at least one Network. "
                f"Got {shown(networks)} instead."
            )
        for network in own:
            if not isinstance(network.outputs, int):
                raise InvalidParameterError(
                    f"The networks of an Ensemble must have one output each. Got {shown(network.outputs)} instead."
                )
        shapes = {(network.input.units, network.outputs) for network in own}
        if len(shapes) > 1:
            raise ShapeError(
                "The networks of an Ensemble must have the same numbers of inputs and outputs. "
                f"Got {', '.join(f'{a} and {b}' for a, b in sorted(shapes))} instead."
            )
        self.networks = list(own)

    def __len__(self) -> int:
        return len(self.networks)

    def predict_each(self, x: Any, *, n_threads: int | None = None) -> Array:
        """The predictions of each network.

        Parameters
        ----------
        x : array of shape (rows, inputs), or (inputs,) for a single row
            As for `Network.predict`.
        n_threads : int, optional
            By default `cynn.get_num_threads()`. The result does not depend on it.

        Returns
        -------
        array of shape (networks, rows, outputs), or (networks, outputs)
            In the widest dtype of the networks.
        """
        n_workers = min(threads.resolve(n_threads), len(self))
        if n_workers == 1:
            return np.stack([network.predict(x, n_threads=n_threads) for network in self.networks])
        share = threads.resolve(n_threads) // n_workers
        with ThreadPoolExecutor(n_workers) as pool:
            return np.stack(list(pool.map(lambda network: network.predict(x, n_threads=share), self.networks)))

    def predict(self, x: Any, *, n_threads: int | None = None) -> Array:
        """The mean of the predictions of the networks: for a softmax, of their probabilities.

        Parameters
        ----------
        x : array of shape (rows, inputs), or (inputs,) for a single row
            As for `Network.predict`.
        n_threads : int, optional
            By default `cynn.get_num_threads()`. The result does not depend on it.

        Returns
        -------
        array of shape (rows, outputs), or (outputs,)
            The means.
        """
        return np.asarray(self.predict_each(x, n_threads=n_threads).mean(axis=0))

    def spread(self, x: Any, *, n_threads: int | None = None) -> Array:
        """The standard deviation of the predictions over the networks: √(Σ (y - mean)² / networks).

        It is small where the networks agree, usually where there were training data.

        Parameters
        ----------
        x : array of shape (rows, inputs), or (inputs,) for a single row
            As for `Network.predict`.
        n_threads : int, optional
            By default `cynn.get_num_threads()`. The result does not depend on it.

        Returns
        -------
        array of shape (rows, outputs), or (outputs,)
            The standard deviations.
        """
        return np.asarray(self.predict_each(x, n_threads=n_threads).std(axis=0))

    def votes(self, x: Any, *, n_threads: int | None = None) -> Array:
        """The share of the networks that vote for each class. A network votes for the class of its largest output.

        A single output above 0.5 is a vote for the second of two classes.

        Parameters
        ----------
        x : array of shape (rows, inputs), or (inputs,) for a single row
            As for `Network.predict`.
        n_threads : int, optional
            By default `cynn.get_num_threads()`. The result does not depend on it.

        Returns
        -------
        array of shape (rows, classes), or (classes,)
            The shares, which sum to 1 for each row.
        """
        each = self.predict_each(x, n_threads=n_threads)
        if each.shape[-1] == 1:
            classes, count = (each[..., 0] > 0.5).astype(np.int64), 2
        else:
            classes, count = each.argmax(axis=-1), each.shape[-1]
        return np.asarray((classes[..., None] == np.arange(count)).mean(axis=0))

    def evaluate(self, x: Any, y: Any, *, loss: Any = None, metrics: Any = None) -> dict[str, float]:
        """The loss and the metrics of the mean prediction.

        Parameters
        ----------
        x, y : array
            As for `Network.evaluate`.
        loss : str, Loss or dict, optional
            By default, the loss that fits the last layer of the first network.
        metrics : list of str or callable, optional
            As for `Network.fit`.

        Returns
        -------
        dict of str to float
            The loss and the metrics by name.
        """
        objective = self.networks[0].objective(loss)
        prediction = np.ascontiguousarray(self.predict(x), self.networks[0].dtype)
        weights = objective.sample_weights(None, len(prediction))
        target = objective.targets(y, len(prediction), "y", weights, check_finite=True)
        part = target.parts[0]
        total = objective.kernels[0].total(prediction, part.values, part.classes, None, False)
        figures = {"loss": total / len(prediction)}
        by_name = of_outputs(objective.outputs, metrics)
        return figures | {name: metric(target, [prediction], weights) for name, metric in by_name.items()}

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all networks to one file, atomically.

        Parameters
        ----------
        path : str or path
            The file. It is replaced if it exists.
        """
        container_file.save(path, _FORMAT, self.networks, None)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read what `save` wrote. No code from the file is run.

        Parameters
        ----------
        path : str or path
            The file.

        Returns
        -------
        Ensemble
            An equal ensemble.

        Raises
        ------
        OSError
            The file cannot be read.
        ModelFileError
            The file is not an ensemble file, or is truncated.

        Examples
        --------
        >>> import cynn, tempfile, pathlib
        >>> nets = [cynn.Network.mlp([2, 1], seed=seed) for seed in range(3)]
        >>> ensemble = cynn.Ensemble(nets)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "three.safetensors")
        ...     ensemble.save(path)
        ...     same = cynn.Ensemble.load(path)
        >>> bool((same.predict([[1, 2]]) == ensemble.predict([[1, 2]])).all())
        True
        """
        networks, _ = container_file.read(path, _FORMAT, Network)
        return cls(networks)

    def __repr__(self) -> str:
        first = self.networks[0]
        return f"Ensemble(networks={len(self)}, inputs={first.input.units}, outputs={first.outputs})"
