"""The result of `fit_many`: the history or the error of each network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cynn.many.table import to_pandas

if TYPE_CHECKING:
    from cynn.network import Network
    from cynn.training.history import History

__all__ = ["FleetResult"]


class FleetResult:
    """The histories and the errors of networks that were trained together.

    Parameters
    ----------
    networks : list of Network
        All networks, in the order in which they were given.
    errors : list of Exception or None
        The error that ended the training of each network, or None.

    Attributes
    ----------
    networks : list of Network
    errors : list of Exception or None
    failed : list of int
        The numbers of the networks that an error ended.
    """

    def __init__(self, networks: Sequence[Network], errors: Sequence[BaseException | None]) -> None:
        self.networks, self.errors = list(networks), list(errors)

    @property
    def failed(self) -> list[int]:
        """The numbers of the networks that an error ended."""
        return [number for number, error in enumerate(self.errors) if error is not None]

    @property
    def histories(self) -> list[History | None]:
        """The history of each network; None for one whose training has not begun."""
        return [network.history for network in self.networks]

    def __len__(self) -> int:
        return len(self.networks)

    def __getitem__(self, number: int) -> History | None:
        return self.networks[number].history

    def rows(self) -> list[dict[str, Any]]:
        """For each network: its number, the number of epochs, the last loss and metrics, and the error."""
        found = []
        for number, (network, error) in enumerate(zip(self.networks, self.errors, strict=True)):
            history = network.history
            figures = {} if history is None else {name: last[-1] for name, last in history.history.items() if last}
            epochs = 0 if history is None else history.epochs
            problem = None if error is None else f"{type(error).__name__}: {error}"
            found.append({"network": number, "epochs": epochs, **figures, "error": problem})
        return found

    def to_pandas(self) -> Any:
        """A pandas DataFrame with a row for each network: see `rows`."""
        return to_pandas(self.rows())

    def __repr__(self) -> str:
        failed = f", failed={self.failed}" if self.failed else ""
        return f"FleetResult(networks={len(self)}{failed})"
