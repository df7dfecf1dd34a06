"""`fit_many`: trains many networks at the same time, with the same result as one by one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cynn import file_access
from cynn.engine import threads
from cynn.errors import InvalidParameterError, as_list, check_switch, shown, warn
from cynn.many import crew
from cynn.many.each import options_of
from cynn.many.member import Member
from cynn.many.result import FleetResult
from cynn.network import Network
from cynn.training.progress import Progress

if TYPE_CHECKING:
    from cynn.many.each import Each

__all__ = ["fit_many"]

# Parameters of `Network.fit` that a fleet sets itself.
_OF_THE_FLEET = {"resume": "resume of fit_many", "n_threads": "n_threads of fit_many"}


def fit_many(
    networks: Sequence[Network],
    x: Any,
    y: Any = None,
    *,
    validation_rows: Each | Any = None,
    checkpoint: str | os.PathLike[str] | None = None,
    resume: bool = False,
    executor: Any = None,
    allow_mixed: bool = False,
    progress: bool = True,
    n_threads: int | None = None,
    **options: Any,
) -> FleetResult:
    """Train many networks at the same time. Each ends with the same bits as if it were trained alone.

    Parameters
    ----------
    networks : list of Network
        The networks to train. Each keeps its own seed.
    x, y : array
        The data, as for `Network.fit`. All networks read the same arrays. Use `cynn.many.each` for different data.
    validation_rows : array of int, or `each` of these, optional
        The numbers of the rows of x and y to evaluate after every epoch, instead of `validation_data`.
    checkpoint : str or path, optional
        A folder for the checkpoints of the networks, `network-0000.safetensors` and so on. Each is written when the
        training of the network ends and, with threads, every 10 seconds. The folder is created if it does not exist.
    resume : bool
        Whether to continue from the checkpoints in that folder, if there are any, with the same bits as without the
        interruption. All other arguments must be the same.
    executor : optional
        Trains the networks instead of threads of this process: a `concurrent.futures.Executor`, such as
        `mpi4py.futures.MPIPoolExecutor`, a Dask `Client`, or a `joblib.Parallel`. Data are sent to each worker once.
    allow_mixed : bool
        Whether workers may have another version, kernel level or BLAS than this process, and so other last bits.
    progress : bool
        Whether to show one progress bar for all networks if stderr is a terminal.
    n_threads : int, optional
        The number of networks that are trained at the same time in this process, each on one thread. If there are fewer
        networks, they share the threads. By default `cynn.get_num_threads()`. With an executor, the number of threads
        of each worker, 1 by default.
    **options
        The other parameters of `Network.fit`: one value for all networks, or `cynn.many.each` of a list with one value
        per network. For parameters that are never lists (`optimizer`, `epochs`, `batch_size` and so on), the list is
        enough. Single callbacks and optimizers are copied for each network.

    Returns
    -------
    FleetResult
        The history of each network, and the errors of those that failed.

    Raises
    ------
    InvalidParameterError
        A parameter is invalid for every network.
    WorkerError
        The workers of the executor were lost, or differ from this process. Networks that had been finished are trained,
        and their checkpoints are in the folder.
    CynnWarning
        A warning, not an error: some networks have failed. If all have failed, the error of the first one is raised.

    Notes
    -----
    With threads, an error or Ctrl-C leaves every network usable, with the steps that it has taken, as in `fit`.

    Examples
    --------
    Four learning rates, at the same time:

    >>> import cynn
    >>> x, y = [[0.0], [1.0]], [0.0, 1.0]
    >>> rates = [0.001, 0.003, 0.01, 0.03]
    >>> nets = [cynn.Network.mlp([1, 8, 1], seed=0) for _ in rates]
    >>> optimizers = [cynn.optimizers.Adam(rate) for rate in rates]
    >>> result = cynn.fit_many(nets, x, y, epochs=20, optimizer=optimizers)
    >>> result, len(result[3]["loss"])
    (FleetResult(networks=4), 20)
    """
    own = _checked(networks)
    for name in options.keys() & _OF_THE_FLEET:
        raise InvalidParameterError(f"The {name!r} parameter of each fit must be left to the {_OF_THE_FLEET[name]}.")
    given = options | {"x": x, "y": y, "validation_rows": validation_rows}
    folder = None if checkpoint is None else file_access.as_path(checkpoint, "checkpoint", "fit_many")
    resume = check_switch(resume, "resume", "fit_many")
    if resume and folder is None:
        raise InvalidParameterError("The 'resume' parameter of fit_many must be False where there is no checkpoint.")
    members = [
        Member(number, network, of_network, folder, resume)
        for number, (network, of_network) in enumerate(zip(own, options_of(given, len(own)), strict=True))
    ]
    if folder is not None:
        os.makedirs(folder, exist_ok=True)
    bar = Progress(check_switch(progress, "progress", "fit_many"), 1, len(own), unit=" networks")
    try:
        with training(executor, allow_mixed, n_threads) as train:
            train(members, bar.advance_to)
    finally:
        bar.close()
    return _reported(members)


@contextmanager
def training(
    executor: Any, allow_mixed: bool, n_threads: int | None
) -> Iterator[Callable[[list[Member], Callable[[int], None]], None]]:
    """Give a function that trains members, in threads or by an executor, and tells another how many are done.

    Within the context, data go to the workers of an executor once.
    """
    if executor is None:
        in_threads = threads.resolve(n_threads)
        yield lambda members, report: crew.train(members, in_threads, report)
        return
    from cynn.distributed.fleet import Workers

    of_workers = 1 if n_threads is None else threads.resolve(n_threads)
    with Workers(executor, check_switch(allow_mixed, "allow_mixed", "fit_many"), of_workers) as workers:
        yield workers.train


def _checked(networks: Any) -> list[Network]:
    own = None if isinstance(networks, (str, bytes, dict)) else as_list(networks)
    if not own or not all(isinstance(network, Network) for network in own):
        raise InvalidParameterError(
            f"The 'networks' parameter of fit_many must be a list of at least one Network. Got {shown(networks)} "
            "instead."
        )
    if len({id(network) for network in own}) < len(own):
        raise InvalidParameterError(
            "The networks of fit_many must be different objects. Got the same one twice: copy.deepcopy makes another."
        )
    return own


def _reported(members: list[Member]) -> FleetResult:
    result = FleetResult([member.network for member in members], [member.error for member in members])
    failed = result.failed
    if failed:
        first = result.errors[failed[0]]
        assert first is not None
        if len(failed) == len(result):
            raise first
        warn(
            f"All networks must be trained to the end. Got {len(failed)} of {len(result)} that an error ended, "
            f"the first of them number {failed[0]}: {type(first).__name__}: {first}",
            stacklevel=3,
        )
    return result
