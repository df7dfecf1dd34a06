"""`Network.loop`: training step by step, for custom training loops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cynn.engine import threads
from cynn.errors import DataError, ShapeError, check_switch, check_whole_number, not_allowed, shown
from cynn.training import derivative_losses
from cynn.training.batch_steps import BatchSteps
from cynn.training.context import TrainingContext
from cynn.training.optimizer_state import optimizer_state
from cynn.training.steps import copies_of_layers, gradients_of_layers

if TYPE_CHECKING:
    from cynn.model import Model

__all__ = ["TrainingLoop"]

Array = npt.NDArray[Any]
_MAX_ROWS = 2**31 - 1


class TrainingLoop:
    """A custom training loop, which takes steps on batches that arrive one by one. `Network.loop` makes it.

    A step gives the same bits as `Network.train_batch`. The first step makes the buffers, and later ones reuse them.
    The settings cannot be changed, except for the learning rate of the optimizer.

    Parameters
    ----------
    network : Network
        The network to train.
    batch_size : int
        This and the other parameters are as for `Network.loop`.
    loss : str, Loss or dict, optional
        The loss.
    loss_weights : list or dict of float, optional
        The weights of several losses.
    optimizer : str, Optimizer or dict, optional
        The optimizer.
    n_threads : int, optional
        The number of threads.
    check_finite : bool
        Whether a NaN or an infinity in x or y is an error.
    derivative_weight : float, list or dict of float, optional
        The weight of the loss of derivatives.

    Attributes
    ----------
    network : Network
        The network that is trained.
    batch_size : int
        The largest number of rows per batch.

    Examples
    --------
    >>> import cynn
    >>> net = cynn.Network([cynn.Input(1), cynn.Dense(1)], seed=0)
    >>> net.layers[0].weights = [[2.0]]
    >>> loop = net.loop(1, optimizer=cynn.optimizers.SGD(0.25))
    >>> loop.step([[1.0]], [0.0]), loop.step([[1.0]], [0.0])
    (4.0, 0.0)
    """

    def __init__(
        self,
        network: Model,
        batch_size: int,
        loss: Any,
        loss_weights: Any,
        optimizer: Any,
        n_threads: int | None,
        check_finite: bool,
        derivative_weight: Any,
    ) -> None:
        self.network = network
        self.batch_size = check_whole_number(batch_size, "batch_size", "loop", minimum=1, maximum=_MAX_ROWS)
        self._check_finite = check_switch(check_finite, "check_finite", "loop")
        self._loss, self._loss_weights, self._n_threads = loss, loss_weights, threads.resolve(n_threads)
        self._derivative_weight = derivative_weight
        # first, since its errors must change nothing
        network.objective(loss, loss_weights).with_derivatives(None, derivative_weight, "loop")
        self._state = optimizer_state(network, optimizer, equal_goes_on=True)
        self._prepare()

    def _prepare(self) -> None:
        network = self.network
        objective = network.objective(self._loss, self._loss_weights)
        self._context = TrainingContext(network, objective, self._state, self._n_threads, self._check_finite)
        self._steps = BatchSteps(self._context, self.batch_size)
        self._in_halves = BatchSteps(self._context, self.batch_size, keeps_gradients=True)
        self._on_derivatives: dict[bool, BatchSteps] = {}
        self._prepared_for = network._plans

    def _steps_on_derivatives(self, dy_dx: Any, directions: Any, of: str, *, keeps_gradients: bool) -> BatchSteps:
        """The steps on batches with derivatives, which are made at the first of them."""
        network = self.network
        if dy_dx is None:
            raise not_allowed("directions", of, "left out without dy_dx", directions)
        if keeps_gradients not in self._on_derivatives:
            derivative_losses.check(network, of)
            objective = self._context.objective.with_derivatives(None, self._derivative_weight, "loop")
            context = TrainingContext(network, objective, self._state, self._n_threads, self._check_finite)
            steps = BatchSteps(context, self.batch_size, keeps_gradients=keeps_gradients)
            self._on_derivatives[keeps_gradients] = steps
        return self._on_derivatives[keeps_gradients]

    def _begin(self) -> None:
        """Continue with the optimizer of this loop, and notice changed settings of the network."""
        self.network._optimizer_state = self._state
        if self._prepared_for is not self.network._plans:
            self._prepare()

    @property
    def optimizer(self) -> Any:
        """The optimizer, whose learning rate may be assigned."""
        return self._state.optimizer

    @property
    def steps(self) -> int:
        """The number of steps that the optimizer has taken, including those before this loop."""
        return self._state.t

    def step(
        self, x: Any, y: Any, *, sample_weight: Any = None, dy_dx: Any = None, directions: Any = None
    ) -> float:
        """Take one step on a batch.

        Parameters
        ----------
        x, y : array
            At most `batch_size` rows and their targets, as for `fit`. NumPy arrays with the dtypes of the first batch
            are fastest.
        sample_weight : array of shape (rows,), optional
            As for `Network.train_batch`.
        dy_dx, directions : array, optional
            As for `Network.fit`, of these rows.

        Returns
        -------
        float
            The loss of the batch before the step.

        Raises
        ------
        TrainingDivergedError
            The loss became NaN or infinite.
        BusyError
            Another call trains the network.
        ShapeError, DataError
            x or y do not fit. Nothing is changed.
        """
        with self.network._weights_lock.training_by("step"):
            self._begin()
            if dy_dx is None and directions is None:
                return self._steps.step(x, y, sample_weight, self._check_finite)
            steps = self._steps_on_derivatives(dy_dx, directions, "step", keeps_gradients=False)
            return steps.step(x, y, sample_weight, self._check_finite, (dy_dx, directions))

    def learn_one(self, x: Any, y: Any) -> float:
        """Take one step on one row, for data that arrive in a stream.

        Parameters
        ----------
        x : array of shape (inputs,)
            The row.
        y : number, or array of shape (outputs,)
            Its target: a class, a value, or several values.

        Returns
        -------
        float
            The loss of the row before the step.

        Raises
        ------
        TrainingDivergedError, BusyError, ShapeError, DataError
            As for `step`.

        Examples
        --------
        >>> import cynn
        >>> net = cynn.Network([cynn.Input(1), cynn.Dense(1)], seed=0)
        >>> net.layers[0].weights = [[2.0]]
        >>> loop = net.loop(1, optimizer=cynn.optimizers.SGD(0.25))
        >>> loop.learn_one([1.0], 0.0), float(net.predict([1.0])[0])
        (4.0, 0.0)
        """
        return self.step(np.asarray(x)[None], np.asarray(y)[None])

    def gradients(
        self, x: Any, y: Any, *, sample_weight: Any = None, dy_dx: Any = None, directions: Any = None
    ) -> list[tuple[Array | None, ...]]:
        """∂C/∂W and ∂C/∂b of a batch, as `step` uses them, before any clipping: to be changed, and given to `apply`.

        Random numbers, such as those of dropout, are those of the next step. Moving averages are not updated.

        Parameters
        ----------
        x, y : array
            As for `step`.
        sample_weight : array of shape (rows,), optional
            As for `step`.
        dy_dx, directions : array, optional
            As for `step`.

        Returns
        -------
        list of (dW, db)
            As from `Network.gradients`.

        Raises
        ------
        TrainingDivergedError, BusyError, ShapeError, DataError
            As for `step`.

        Examples
        --------
        >>> import cynn
        >>> net = cynn.Network([cynn.Input(1), cynn.Dense(1)], seed=0)
        >>> net.layers[0].weights = [[2.0]]
        >>> net.loop(1).gradients([[1.0]], [0.0])
        [(array([[4.]], dtype=float32), array([4.], dtype=float32))]
        """
        with self.network._weights_lock.training_by("gradients of a loop"):
            self._begin()
            steps = self._in_halves
            if dy_dx is not None or directions is not None:
                steps = self._steps_on_derivatives(dy_dx, directions, "gradients", keeps_gradients=True)
            found = steps.gradients_of(x, y, sample_weight, (dy_dx, directions))
            return copies_of_layers(self.network, found)

    def apply(self, gradients: Sequence[Sequence[Any]]) -> None:
        """Take the optimizer's step with the given gradients: clipping, the optimizer's update, constraints.

        Parameters
        ----------
        gradients : list of (dW, db)
            Gradients in the form that `gradients` returns, for example clipped, added up over batches, or your own.

        Raises
        ------
        ShapeError, DataError
            The gradients do not have the shapes of the weights, or are not finite. Nothing is changed.
        TrainingDivergedError
            A norm for clipping, or a weight, became infinite.
        BusyError
            Another call trains the network.

        Examples
        --------
        >>> import cynn
        >>> net = cynn.Network([cynn.Input(1), cynn.Dense(1)], seed=0)
        >>> net.layers[0].weights = [[2.0]]
        >>> loop = net.loop(1, optimizer=cynn.optimizers.SGD(0.25))
        >>> (dw, db), = loop.gradients([[1.0]], [0.0])
        >>> loop.apply([(dw, db * 0)])
        >>> net.layers[0].weights, net.layers[0].biases
        (array([[1.]], dtype=float32), array([0.], dtype=float32))
        """
        with self.network._weights_lock.training_by("apply"):
            self._begin()
            own = gradients_of_layers(self.network, self._in_halves.gradients_to_apply())
            for array, values in self._matched(own, gradients):
                array[...] = values
            self._in_halves.apply()

    def _matched(self, own: list[tuple[Array | None, ...]], given: Any) -> list[tuple[Array, Array]]:
        """Check the gradients; return each array of the engine with its new values."""
        shapes = [tuple(None if array is None else array.shape for array in of_layer) for of_layer in own]
        try:
            arrays = [[None if each is None else np.asarray(each, self.network.dtype) for each in one] for one in given]
        except (TypeError, ValueError):
            arrays = []
        got = [tuple(None if array is None else array.shape for array in of_layer) for of_layer in arrays]
        if got != shapes:
            raise ShapeError(f"gradients must have the shapes {shapes}. Got {got or shown(given)} instead.")
        found = [
            (array, values)
            for of_layer, values_of_layer in zip(own, arrays, strict=True)
            for array, values in zip(of_layer, values_of_layer, strict=True)
            if array is not None and values is not None
        ]
        if not all(np.isfinite(values).all() for _, values in found):
            raise DataError("gradients must be finite. Got a NaN or an infinity instead.")
        return found
