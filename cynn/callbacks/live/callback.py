"""The callback that shows a training on a local page as it runs."""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from cynn.callbacks.base import Callback
from cynn.components.declarations import checked_by, switch, whole_number
from cynn.errors import InvalidParameterError, shown

if TYPE_CHECKING:
    from cynn.callbacks.live.look import Looks
    from cynn.callbacks.live.server import Server

__all__ = ["Live"]

# A look at the network is taken if the last one cost no more than this share of the time since then.
_SHARE = 0.01
# How long the end of a training waits for a page that was opened and has not come yet.
_SECONDS_TO_OPEN = 3.0


def _shape(value: Any, name: str, owner: str) -> Any:
    if value is None:
        return None
    is_pair = isinstance(value, (tuple, list)) and len(value) == 2
    if not is_pair or not all(isinstance(each, int) and not isinstance(each, bool) and each > 0 for each in value):
        raise InvalidParameterError(
            f"The {name!r} parameter of {owner} must be None, or the rows and columns of a picture. "
            f"Got {shown(value)} instead."
        )
    return tuple(value)


class Live(Callback):
    """Shows the training as it runs, on a page in the browser.

    The page has the curves of the loss and the metrics, in training and validation; the weights of the first layer, as
    pictures or as bars; for each layer the norm of its gradients, how much its weights change, and the share of dead
    units; and, of classes, the confusion matrix. These are computed at the end of an epoch, by the weights of that
    epoch, and only while a page is open: from at most 500 rows of the validation data (without these, of the training
    data), the gradients from at most 500 training rows. Where an epoch takes less than 100 times as long as such a
    look, some epochs go without.

    The page is served by a thread of this process to this machine alone, under an address that nobody can guess, and
    asks for nothing from elsewhere. With the training, the server ends; the page stays as it is. Of several ranks, the
    first one shows the training.

    Parameters
    ----------
    port : int
        Of the server. By default, one that is free.
    open : bool
        Whether to open the page in the browser. Its address is printed to standard error in any case.
    shape : tuple (rows, columns), optional
        The shape of a row of x as a picture. By default, a square from 8 by 8 pixels up, if the network has no names
        of features.

    Attributes
    ----------
    address : str or None
        Where the page is while the training runs.

    Raises
    ------
    InvalidParameterError
        When training begins: the port is in use, the shape is not that of a row, or another training is shown.

    Notes
    -----
    The norm of the gradients of a layer is ‖∂C/∂w‖ over all of its parameters, as `Network.gradients` returns them;
    there is none where x is an iterator of batches. A unit is dead if |f'(z)| < 0.01 for all of these rows, as for
    `Network.diagnose`. The change of a layer is ‖w - w_before‖ / ‖w‖, per epoch since the last look.

    Examples
    --------
    >>> import cynn
    >>> net = cynn.Network.mlp([1, 1], seed=0)
    >>> live = cynn.callbacks.Live(open=False)
    >>> history = net.fit([[1.0]], [1.0], epochs=2, callbacks=[live])
    >>> history.epochs
    2
    """

    name = "live"
    port: int = whole_number(default=0, maximum=65535, kw_only=True)
    open: bool = switch(default=True, kw_only=True)
    shape: tuple[int, int] | None = checked_by(_shape, default=None, kw_only=True)

    def __post_init__(self) -> None:
        self._showing: _Showing | None = None

    @property
    def address(self) -> str | None:
        """Where the page is while the training runs, else None."""
        return None if self._showing is None else self._showing.server.address

    def on_train_begin(self) -> None:
        if self._showing is not None:
            raise InvalidParameterError(
                "A Live must show one training at a time. Got a second one instead: give it a Live of its own."
            )
        if self._rank == 0:
            self._showing = _Showing(self)
            self._showing.announce(self.open)

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        if self._showing is not None:
            self._showing.tell(epoch, logs)

    def on_train_end(self) -> None:
        showing = self._showing
        # `fit` calls this also where `on_train_begin` has refused a second training, perhaps in another thread
        if showing is not None and showing.thread == threading.get_ident():
            self._showing = None
            showing.end()


class _Showing:
    """A training that is shown: its server, and when it was looked at."""

    server: Server
    looks: Looks

    def __init__(self, live: Live) -> None:
        from cynn.callbacks.live.look import Looks  # imported when needed, as they take time
        from cynn.callbacks.live.page import page_of
        from cynn.callbacks.live.server import Server

        self.network = live.network
        self.thread = threading.get_ident()
        history = self.network.history  # of a training that goes on from a checkpoint, it has epochs already
        self._epoch = history.epochs
        self.looks = Looks(self.network, live._examples, live._sampled_gradients, live.shape, self._epoch)
        self.server = Server(live.port, page_of(self.network))
        if history.epochs:
            self.server.events.add(history=history.history)
        self._before = sys.exception()  # fit may be called while one is handled
        self._looked_at = self._cost = 0.0
        self._is_looked_at = False
        self._is_opened = False

    def announce(self, is_to_open: bool) -> None:
        """Print the address, and open the page."""
        print(f"the training is shown at {self.server.address}", file=sys.stderr, flush=True)
        self._is_opened = is_to_open and _open(self.server.address)

    def tell(self, epoch: int, logs: dict[str, float]) -> None:
        """Tell the pages of an epoch and, if one is open, of a look at the network."""
        self._epoch = epoch
        look = None
        if self.server.events.readers and time.perf_counter() - self._looked_at >= self._cost / _SHARE:
            look = self._look()
        self.server.events.add(history={name: [figure] for name, figure in logs.items()}, look=look)
        self._is_looked_at = look is not None

    def _look(self) -> dict[str, Any]:
        self.looks.prepare()
        began = time.thread_time()
        look = self.looks.take(self._epoch)
        self._cost = time.thread_time() - began
        self._looked_at = time.perf_counter()
        return look

    def end(self) -> None:
        """Tell the pages that the training has ended, and close the server."""
        error = sys.exception()
        try:
            events = self.server.events
            if self._is_opened and self._epoch:
                events.wait_for_reader(_SECONDS_TO_OPEN)
            is_stale = events.readers and self._epoch and not self._is_looked_at
            look = self._look() if is_stale and error is self._before else None
            events.add(look=look, end=_end_of(None if error is self._before else error, self._epoch))
        finally:
            self.server.close()


def _end_of(error: BaseException | None, epoch: int) -> str:
    """How a training has ended, in words."""
    epochs = f"{epoch:,} epoch{'' if epoch == 1 else 's'}"
    if error is None:
        return f"The training has ended after {epochs}."
    if isinstance(error, KeyboardInterrupt):
        return f"The training was interrupted after {epochs}."
    return f"The training was ended after {epochs} by an error: {type(error).__name__}."


def _open(address: str) -> bool:
    """Open a page in the browser; False if there is none, or one that would run in this terminal."""
    import webbrowser

    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return False
    return type(browser) is not webbrowser.GenericBrowser and browser.open(address)
