"""The history of a training."""

from __future__ import annotations

from cynn.display import notebook

__all__ = ["History"]


class History:
    """The loss, the metrics and the seconds of every epoch.

    Attributes
    ----------
    history : dict of str to list of float
        One entry per epoch for `loss`, the metrics, the same for the validation data with the prefix `val_`, and
        `seconds`. With a learning-rate schedule, also `learning_rate`: that of the last step of the epoch.

    Examples
    --------
    >>> import cynn
    >>> net = cynn.Network.mlp([1, 1], seed=0)
    >>> history = net.fit([[1.0]], [1.0], epochs=2)
    >>> len(history["loss"]), history
    (2, History(epochs=2, loss=...))
    """

    def __init__(self) -> None:
        self.history: dict[str, list[float]] = {}

    @property
    def epochs(self) -> int:
        """The number of epochs."""
        return len(self.history.get("loss", []))

    def append(self, logs: dict[str, float]) -> None:
        """Add the figures of an epoch.

        Parameters
        ----------
        logs : dict of str to float
            The figures by name.
        """
        self.extend({name: [figure] for name, figure in logs.items()})

    def extend(self, logs: dict[str, list[float]]) -> None:
        """Add the figures of several epochs.

        Parameters
        ----------
        logs : dict of str to list of float
            The figures by name: lists with one entry per epoch.
        """
        for name, figures in logs.items():
            self.history.setdefault(name, []).extend(figures)

    def copy(self) -> History:
        """Copy the figures so far.

        Returns
        -------
        History
            A copy, independent of this history.
        """
        found = History()
        found.history = {name: list(figures) for name, figures in self.history.copy().items()}
        return found

    def __getitem__(self, name: str) -> list[float]:
        return self.history[name]

    def __repr__(self) -> str:
        last = "".join(f", {name}={figures[-1]:.4g}" for name, figures in self.history.items() if figures)
        return f"History(epochs={self.epochs}{last})"

    _repr_html_ = notebook.history_face
