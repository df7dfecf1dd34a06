"""`Network`, the class with which users build, train, evaluate, inspect and save networks."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Self

from cynn import layers
from cynn.components.configurable import checks_arguments
from cynn.data import row_weights
from cynn.derivatives.methods import DerivativeMethods
from cynn.derivatives.second import SecondDerivatives
from cynn.engine import threads
from cynn.errors import InvalidParameterError, ShapeError, as_list, shown
from cynn.faces.table import FaceMethods

if TYPE_CHECKING:
    import numpy.typing as npt

    from cynn.training.diagnosis import Diagnosis
    from cynn.training.history import History
    from cynn.training.laplace import Laplace
    from cynn.training.own_loop import TrainingLoop
    from cynn.training.problem import Problem

    Array = npt.NDArray[Any]

__all__ = ["Network", "load"]


class Network(SecondDerivatives, DerivativeMethods, FaceMethods):
    """A neural network: layers that can be trained.

    Parameters
    ----------
    layers : list, or what calling a layer returned
        An `Input` and layers in order. For a network that is not a chain: the result of calling the last layer on its
        inputs, as in `Dense(1)(Concatenate()(h, x))`; for several outputs, a list or a dict of such results. The
        network makes its own copies of the layers.
    seed : int, optional
        Determines the initial weights and the order of the data: the same seed, data and machine give the same bits.
        None draws a random seed, which is kept as `seed`.
    dtype : {"float32", "float64"}
        The dtype of the computations.
    compute : {"bfloat16"}, optional
        With "bfloat16", layers with at least 64 inputs and 64 units round their inputs, weights and errors to bfloat16
        before they multiply at least 32 rows: products are several times as fast, with 8 bits of precision. Weights,
        sums and all else stay float32. It needs a processor with AMX. A saved network is loaded without it.
    regularizer : str, Regularizer or dict, optional
        The penalty on the weights of every layer that has no regularizer of its own, including the vectors of an
        `Embedding`. It can be changed between two trainings.
    sources : list of list of int, optional
        For a list of layers that is not a chain: the inputs of each layer. 0 is the network's input, 1 the output of
        the first layer, and so on.
    outputs : list or dict of int, optional
        For a list of layers with several outputs: the numbers of the outputs, counted in the same way.
    feature_names : list of str, optional
        The names of the columns of x. By default those of the first DataFrame that trains the network. A DataFrame in a
        later call must have the same columns in the same order.
    classes : list of str, optional
        The labels of the classes. With them, y may have labels instead of class numbers. For several outputs, a list or
        a dict of such lists.

    Attributes
    ----------
    input : Input
    layers : list of Layer
        The layers without the input, so `layers[0]` has the first weights.
    seed : int
    dtype : str
    compute : str or None
    parameter_count : int
        The number of all weights and biases.
    history : cynn.training.History or None
        The history of the last `fit`, even if it was interrupted.

    Examples
    --------
    The network of the lecture, with its 13,002 weights and biases:

    >>> import cynn
    >>> net = cynn.Network([cynn.Input(784, scale=1 / 255),
    ...                     cynn.Dense(16, activation="sigmoid"),
    ...                     cynn.Dense(16, activation="sigmoid"),
    ...                     cynn.Dense(10, activation="softmax")], seed=0)
    >>> net.parameter_count
    13002

    Two outputs, with names. Targets, losses and predictions are dicts with these names:

    >>> x = cynn.Input(784, scale=1 / 255)
    >>> h = cynn.Dense(16, "relu")(x)
    >>> outputs = {
    ...     "digit": cynn.Dense(10, "softmax")(h),
    ...     "even": cynn.Dense(1, "sigmoid")(h),
    ... }
    >>> net = cynn.Network(outputs, seed=0)
    >>> prediction = net.predict(np.zeros((5, 784)))
    >>> {name: a.shape for name, a in prediction.items()}
    {'digit': (5, 10), 'even': (5, 1)}
    """

    history: History | None

    @classmethod
    @checks_arguments("Network.mlp")
    def mlp(
        cls,
        sizes: Sequence[int],
        *,
        activation: Any = "relu",
        output: Any = "identity",
        input_scale: float = 1.0,
        seed: int | None = None,
        dtype: str = "float32",
        compute: str | None = None,
        regularizer: Any = None,
        feature_names: Sequence[str] | None = None,
        classes: Any = None,
    ) -> Self:
        """Make a multilayer perceptron: a chain of dense layers of these sizes.

        Parameters
        ----------
        sizes : list of int
            The number of inputs, the units of each hidden layer, the number of outputs.
        activation : str, Activation or dict
            The activation of the hidden layers.
        output : str, Activation or dict
            The activation of the last layer.
        input_scale : float
            A factor for the inputs.
        seed : int, optional
            As for `Network`.
        dtype : {"float32", "float64"}
            As for `Network`.
        compute : {"bfloat16"}, optional
            As for `Network`.
        regularizer : str, Regularizer or dict, optional
            As for `Network`.
        feature_names : list of str, optional
            As for `Network`.
        classes : list of str, optional
            As for `Network`.

        Examples
        --------
        >>> import cynn
        >>> net = cynn.Network.mlp(
        ...     [784, 16, 16, 10], activation="sigmoid", output="softmax"
        ... )
        >>> net.parameter_count
        13002
        """
        given = None if isinstance(sizes, (str, bytes)) else as_list(sizes)
        if given is None or len(given) < 2:
            raise InvalidParameterError(
                "The 'sizes' parameter of Network.mlp must be a list of at least two sizes. "
                f"Got {shown(sizes)} instead."
            )
        first, *hidden, last = given
        dense = [layers.Dense(units, activation) for units in hidden]
        described: list[Any] = [layers.Input(first, scale=input_scale), *dense, layers.Dense(last, output)]
        return cls(
            described, seed=seed, dtype=dtype, compute=compute, regularizer=regularizer, feature_names=feature_names,
            classes=classes,
        )  # fmt: skip

    def summary(self) -> str:
        """A table of the layers with activations, inputs, units and parameters.

        Examples
        --------
        >>> import cynn
        >>> net = cynn.Network.mlp(
        ...     [784, 16, 16, 10], activation="sigmoid", output="softmax"
        ... )
        >>> print(net.summary())
        layer  activation  inputs  units  parameters
        --------------------------------------------
        input                        784           0
        dense  sigmoid        784     16      12,560
        dense  sigmoid         16     16         272
        dense  softmax         16     10         170
        --------------------------------------------
        total                                 13,002
        """
        from cynn.display import summary

        return summary.table(self)

    @checks_arguments("Network.fit")
    def fit(
        self,
        x: Any,
        y: Any = None,
        *,
        loss: Any = None,
        loss_weights: Any = None,
        optimizer: Any = None,
        epochs: int = 10,
        batch_size: int | None = None,
        rows: Any = None,
        validation_data: tuple[Any, Any] | None = None,
        validation_split: float = 0.0,
        metrics: Any = None,
        sample_weight: Any = None,
        dy_dx: Any = None,
        derivative_weight: Any = None,
        directions: Any = None,
        class_weight: Any = None,
        transform: Callable[..., Any] | None = None,
        steps_per_epoch: int | None = None,
        shuffle: bool | str | Callable[[int], Any] = True,
        callbacks: Any = (),
        resume: str | os.PathLike[str] | bool | None = None,
        progress: bool = True,
        n_threads: int | None = None,
        check_finite: bool = True,
        communicator: Any = None,
    ) -> History:
        """Train the network.

        Parameters
        ----------
        x : array, DataFrame or CSR matrix of shape (rows, inputs)
            Arrays of uint8, float32 or float64 are read in place, with any strides, even from a memmap. Other dtypes
            and the columns of a DataFrame (pandas, polars or pyarrow) are converted first. A sparse matrix in CSR form
            is never expanded as a whole: each step expands the rows of its batch.
            Without y: an iterable of batches (x, y) or (x, y, sample_weight), or a function of the epoch that returns
            such an iterable; epochs count from 0 over all calls of `fit`. The calling thread makes the next batch while
            another thread trains on the last one.
        y : array of shape (rows,) or (rows, outputs)
            Classes (whole numbers, for a network with several output units) or values. For several labels per row, rows
            of 0 and 1. For a network with several outputs, a list or a dict of targets.
        loss : str, Loss or dict, optional
            By default, the loss that fits the last layer: `cross_entropy` for softmax, `binary_cross_entropy` for
            sigmoid, otherwise `mean_squared_error`. For several outputs, one loss for all, or a list or a dict.
        loss_weights : list or dict of float, optional
            The weight of the loss of each output in the sum that is minimized; 1 by default.
        optimizer : str, Optimizer, Solver or dict, optional
            By default, Adam in the first `fit`. Later calls continue with the last optimizer and its state, also if
            they are given the same instance. Any other optimizer starts with a new state. The solvers of
            `cynn.solvers`, such as "levenberg_marquardt" and "lbfgs", train with second derivatives.
        epochs : int
            The number of passes over the data. A solver stops earlier if no step improves the weights.
        batch_size : int, optional
            The number of rows per batch: by default 32, or all rows with a solver. The last batch of an epoch has the
            remaining rows. A step uses one batch, or as many as the optimizer's `gradient_accumulation_steps`.
        rows : array of int, optional
            The numbers of the rows of x to train on, such as a fold or a bootstrap sample. x is not copied. A row may
            appear several times. The result has the same bits as `fit(x[rows], y[rows])`.
        validation_data : tuple (x, y) or (x, y, sample_weight), optional
            Data that are evaluated after every epoch. With `dy_dx`, also (x, y, sample_weight, dy_dx) or
            (x, y, sample_weight, dy_dx, directions).
        validation_split : float
            The fraction of the rows that is held out from training and evaluated after every epoch. The network's seed
            picks the rows; the split is stratified by class. With several outputs, it is stratified by the combinations
            of their classes, and by the classes of the first output that has classes.
        metrics : list of str or callable, optional
            Names (`"accuracy"`), objects of `cynn.metrics`, or functions of (y_true, y_pred), also those of
            `sklearn.metrics`. For several outputs, the same metrics for all, or a list or a dict of lists.
        sample_weight : array of shape (rows,), optional
            The weight of each row: a weight of 2 means two copies of the row, and rows of weight 0 are left out. Only
            ratios matter: the weights are divided by their mean over the training rows. The loss of a batch is
            Σ weight * loss, divided by the number of its rows. Weights in an iterable of batches are used as given. For
            several outputs, the same weights for all, or a list or a dict.
        dy_dx : array of shape (rows, outputs, inputs), optional
            Derivatives of the targets by the inputs: the network is trained to have these derivatives, too. They are by
            x as given, before the scale of `Input`. The loss becomes loss + derivative_weight * D, where D is the mean
            of (∂output/∂input - dy_dx)² over all numbers that are not NaN; NaN means unknown. The history has D as
            `derivative_loss`. For one output unit, the shape may be (rows, inputs); with `directions` it is
            (rows, k, outputs). For several outputs, a list or a dict, which may leave some out. Random layers, such as
            `Dropout`, and layers that depend on the whole batch, such as `BatchNorm`, are errors. Sources: Czarnecki
            et al., "Sobolev training for neural networks", 2017; Huge and Savine, "Differential machine learning",
            2020.
        derivative_weight : float, optional
            The weight of the loss of the derivatives, 1 by default. For several outputs, one for all, or a list or a
            dict. If it is given, the batches of an iterable are (x, y, sample_weight, dy_dx) or
            (x, y, sample_weight, dy_dx, directions), where sample_weight may be None.
        directions : array of shape (rows, k, inputs), optional
            For each row, k directions t. dy_dx then has Σ t ∂output/∂input, summed over the inputs, for each of them.
        class_weight : dict or "balanced", optional
            The weight of each class, by its number or by its label -1 or 1. The default for a class is 1. "balanced"
            means rows / (classes * rows of the class), where rows are counted with their sample_weight. Class weights
            multiply sample_weight, except for validation rows. For several outputs, the same for all outputs whose
            targets are classes, or a list or a dict.
        transform : callable, optional
            Data augmentation: `transform(x, y, generator)` is called for every batch and returns the (x, y) to train
            on. It runs in the calling thread, in the order of the batches, while another thread trains on the last
            batch. The `numpy.random.Generator` depends only on the seed, the epoch and the step.
        steps_per_epoch : int, optional
            For an iterable of batches: the number of batches per epoch. Fewer batches are an error. By default, all.
        shuffle : bool, "blocks" or callable
            Whether to shuffle the rows in every epoch. "blocks" shuffles blocks of 1,024 rows, and the rows within each
            block: it reads a memmap that is larger than memory in long pieces. A function of the epoch returns your own
            order of the n training rows: each number from 0 to n - 1 once. Its epochs count from 0 over all calls of
            `fit`.
        callbacks : list of cynn.callbacks.Callback
            Callbacks, whose methods are called during training.
        resume : str, path or bool, optional
            A file written by a `cynn.callbacks.Checkpoint`. The training continues from there, even in the middle of an
            epoch, and ends with the same bits and the same history as without the interruption. True uses the last file
            of the Checkpoint among the callbacks, or starts from the beginning if there is none. All other arguments
            must be the same, except n_threads, progress and, if the learning rate is a number, epochs.
        progress : bool
            Whether to show a progress bar if stderr is a terminal.
        n_threads : int, optional
            By default `cynn.get_num_threads()`. The result does not depend on it.
        check_finite : bool
            Whether to check x and y for NaN and infinity.
        communicator : mpi4py.MPI.Comm, optional
            The MPI ranks that take each step together, such as `MPI.COMM_WORLD` (extra `mpi`). Every rank calls `fit`
            with the same network, data and parameters. The result has the same bits as `fit` in one process. Rank 0
            writes checkpoints. By default, each rank has one thread.

        Returns
        -------
        cynn.training.History
            The loss and the metrics of every epoch. With several outputs, the figures of an output begin with its name.
            The loss is the mean of weight * loss over the rows. Training metrics are computed from the predictions
            made during the epoch, with the weights of each step.

        Raises
        ------
        TrainingDivergedError
            The loss became NaN or infinite.
        WorkerError
            Another rank has failed, or has other arguments.
        BusyError
            Another call is training the network, in another thread or around this call, which a callback makes.
        ShapeError, DataError
            x or y do not fit the network.
        CheckpointError, ModelFileError
            The checkpoint to resume from does not exist, or is not complete.

        Examples
        --------
        >>> import cynn
        >>> net = cynn.Network.mlp([1, 8, 1], activation="tanh", seed=0)
        >>> history = net.fit([[0.0], [1.0]], [0.0, 1.0], epochs=3)
        >>> len(history["loss"])
        3
        """
        from cynn.training.fit import fit
        from cynn.training.fit_options import FitOptions

        with self._weights_lock.training_by("fit"):
            options = FitOptions(
                loss=loss,
                loss_weights=loss_weights,
                optimizer=optimizer,
                epochs=epochs,
                batch_size=batch_size,
                rows=rows,
                validation_data=validation_data,
                validation_split=validation_split,
                metrics=metrics,
                sample_weight=sample_weight,
                dy_dx=dy_dx,
                derivative_weight=derivative_weight,
                directions=directions,
                class_weight=class_weight,
                transform=transform,
                steps_per_epoch=steps_per_epoch,
                shuffle=shuffle,
                callbacks=callbacks,
                resume=resume,
                progress=progress,
                n_threads=n_threads,
                check_finite=check_finite,
                communicator=communicator,
            )
            with contextlib.nullcontext() if options.communicator is None else options.communicator.guard():
                return fit(self, x, y, options)

    def train_batch(
        self,
        x: Any,
        y: Any,
        *,
        loss: Any = None,
        loss_weights: Any = None,
        optimizer: Any = None,
        sample_weight: Any = None,
        n_threads: int | None = None,
        check_finite: bool = True,
        dy_dx: Any = None,
        derivative_weight: Any = None,
        directions: Any = None,
    ) -> float:
        """Take one step on one batch, for custom training loops.

        Parameters
        ----------
        x, y : array
            Rows and their targets, as for `fit`.
        loss : str, Loss or dict, optional
            As for `fit`.
        loss_weights : list or dict of float, optional
            For several outputs, the weight of the loss of each in the sum.
        optimizer : str, Optimizer or dict, optional
            By default, the optimizer of the last step, or Adam. As long as it is equal to that of the last step, it
            continues with its state.
        sample_weight : array of shape (rows,), optional
            The weight of each row. Here weights are not divided by their mean. For several outputs, as for `fit`.
        n_threads : int, optional
            By default `cynn.get_num_threads()`.
        check_finite : bool
            Whether a NaN or an infinity in x is an error.
        dy_dx, derivative_weight, directions : optional
            As for `fit`: derivatives of the targets by the inputs, which are trained, too.

        Returns
        -------
        float
            The loss of the batch before the step: Σ weight * loss, divided by the number of rows with weight not 0.

        Raises
        ------
        TrainingDivergedError
            The loss became NaN or infinite.
        BusyError
            Another call is training the network.
        ShapeError, DataError
            x or y do not fit the network.

        Examples
        --------
        >>> import cynn
        >>> net = cynn.Network([cynn.Input(1), cynn.Dense(1)], seed=0)
        >>> net.layers[0].weights = [[2.0]]
        >>> sgd = cynn.optimizers.SGD(0.25)
        >>> for _ in range(2):
        ...     print(net.train_batch([[1.0]], [0.0], optimizer=sgd))
        4.0
        0.0
        """
        given = x, y, loss, loss_weights, optimizer, sample_weight, n_threads, check_finite
        with self._weights_lock.training_by("train_batch"):
            found: float | None = None
            if dy_dx is None and derivative_weight is None and directions is None:
                found = self._plans.again("train_batch", *given)
            if found is None:
                from cynn.training.steps import train_batch

                found = train_batch(self, *given, dy_dx, derivative_weight, directions)
            return found

    def loop(
        self,
        batch_size: int,
        *,
        loss: Any = None,
        loss_weights: Any = None,
        optimizer: Any = None,
        n_threads: int | None = None,
        check_finite: bool = True,
        derivative_weight: Any = None,
    ) -> TrainingLoop:
        """Prepare a custom training loop: for reinforcement learning, streams, or several networks in turn.

        Parameters
        ----------
        batch_size : int
            The largest number of rows per batch.
        loss : str, Loss or dict, optional
            As for `fit`.
        loss_weights : list or dict of float, optional
            For several outputs, the weight of the loss of each in the sum.
        optimizer : str, Optimizer or dict, optional
            As for `train_batch`.
        n_threads : int, optional
            By default `cynn.get_num_threads()`. The result does not depend on it.
        check_finite : bool
            Whether a NaN or an infinity in x or y is an error.
        derivative_weight : float, list or dict of float, optional
            As for `fit`, for steps that are given `dy_dx`.

        Returns
        -------
        cynn.training.TrainingLoop
            Its methods are `step`, `learn_one`, `gradients` and `apply`.

        Raises
        ------
        InvalidParameterError, UnknownNameError
            An argument is invalid.
        BusyError
            Another call is training the network.

        Examples
        --------
        >>> import cynn
        >>> net = cynn.Network([cynn.Input(1), cynn.Dense(1)], seed=0)
        >>> net.layers[0].weights = [[2.0]]
        >>> loop = net.loop(1, optimizer=cynn.optimizers.SGD(0.25))
        >>> loop.step([[1.0]], [0.0]), loop.step([[1.0]], [0.0])
        (4.0, 0.0)
        """
        from cynn.training.own_loop import TrainingLoop

        with self._weights_lock.training_by("loop"):
            return TrainingLoop(
                self, batch_size, loss, loss_weights, optimizer, n_threads, check_finite, derivative_weight
            )

    def gradients(
        self, x: Any, y: Any, *, loss: Any = None, loss_weights: Any = None, sample_weight: Any = None
    ) -> list[tuple[Array | None, ...]]:
        """∂C/∂W and ∂C/∂b of every layer, for the mean loss over the rows: backpropagation.

        Parameters
        ----------
        x, y : array
            Rows and their targets, as for `fit`.
        loss : str, Loss or dict, optional
            As for `fit`.
        loss_weights : list or dict of float, optional
            For several outputs, the weight of the loss of each in the sum.
        sample_weight : array of shape (rows,), optional
            The weight of each row. Only ratios matter. For several outputs, as for `fit`.

        Returns
        -------
        list of (dW, db)
            One tuple for each layer with parameters, followed by those of the layers nested in it: arrays with the
            shapes of its weights and biases, or of its other parameters. None for parameters that are not trained.

        Examples
        --------
        >>> import cynn
        >>> net = cynn.Network([cynn.Input(1), cynn.Dense(1)], seed=0)
        >>> net.layers[0].weights = [[2.0]]
        >>> net.gradients([[3.0]], [[5.0]], loss="mean_squared_error")
        [(array([[6.]], dtype=float32), array([2.], dtype=float32))]
        """
        given = x, y, loss, loss_weights, sample_weight
        found: list[tuple[Array | None, ...]] | None = self._plans.again("gradients", *given)
        if found is None:
            from cynn.training.steps import gradients

            found = gradients(self, *given)
        return found

    @property
    def parameter_vector(self) -> Array:
        """All trained weights as one vector: layer by layer, each array row by row.

        Reading it returns a copy. Assigning it copies the values into the network. Frozen weights are not part of it.
        `get_weights` returns all arrays separately.

        Raises
        ------
        ShapeError, DataError
            The assigned value is not a vector of that size, or not finite in the network's dtype.
        BusyError
            It is assigned while another thread is training the network.

        Examples
        --------
        >>> import cynn
        >>> net = cynn.Network([cynn.Input(2), cynn.Dense(1)], seed=0)
        >>> net.parameter_vector = [1.0, 2.0, 3.0]
        >>> net.layers[0].weights, net.layers[0].biases
        (array([[1.],
               [2.]], dtype=float32), array([3.], dtype=float32))
        >>> net.parameter_vector
        array([1., 2., 3.], dtype=float32)
        """
        from cynn.training.trained_weights import TrainedWeights

        with self._weights_lock.turn():
            return TrainedWeights(self).get(self.dtype)

    @parameter_vector.setter
    def parameter_vector(self, vector: Any) -> None:
        from cynn.training.trained_weights import TrainedWeights

        weights = TrainedWeights(self)
        values = layers.as_values(vector, weights.get(self.dtype), "parameter_vector")
        with self._weights_lock.turn_to_set("an assignment of parameter_vector"):
            weights.set(values)

    def problem(
        self,
        x: Any,
        y: Any,
        *,
        loss: Any = None,
        loss_weights: Any = None,
        sample_weight: Any = None,
        n_threads: int | None = None,
    ) -> Problem:
        """The loss of some rows as a function of the trained weights: for SciPy and other optimization libraries.

        Parameters
        ----------
        x, y : array
            Rows and their targets, as for `fit`.
        loss : str, Loss or dict, optional
            As for `fit`.
        loss_weights : list or dict of float, optional
            For several outputs, the weight of the loss of each in the sum.
        sample_weight : array of shape (rows,), optional
            The weight of each row. Only ratios matter. For several outputs, as for `fit`.
        n_threads : int, optional
            By default `cynn.get_num_threads()`. The results do not depend on it.

        Returns
        -------
        cynn.training.Problem
            Its methods take a vector of weights: `value`, `value_and_gradient`, and for squared errors `residuals` and
            `jacobian`. It works on a copy of the network and does not change this one.

        Raises
        ------
        InvalidParameterError
            A layer draws random numbers, such as `Dropout`, or depends on the other rows of a batch, such as
            `BatchNorm`.

        Examples
        --------
        >>> import cynn
        >>> net = cynn.Network([cynn.Input(1), cynn.Dense(1)], seed=0)
        >>> problem = net.problem([[1.0], [2.0]], [3.0, 5.0])
        >>> problem.residuals([1.0, 1.0])
        array([-1., -2.])
        >>> problem.value_and_gradient([1.0, 1.0])
        (2.5, array([-5., -3.]))
        """
        from cynn.training.problem import of_network

        return of_network(
            self, x, y, loss=loss, loss_weights=loss_weights, sample_weight=sample_weight, n_threads=n_threads
        )

    def laplace(
        self, x: Any, y: Any, *, kind: str = "last_layer", sample_weight: Any = None, n_threads: int | None = None
    ) -> Laplace:
        """The uncertainty of the predictions of a trained network, by the Laplace approximation.

        The weights are assumed to be normally distributed around those of the network, with the inverse of the
        Gauss-Newton matrix as covariance::

            p(w) = N(w of the network, (Σ JᵀJ / σ² + α)⁻¹)        deviation(x)² = σ² + J(x) (...)⁻¹ J(x)ᵀ

        σ is the noise of each output, and α the precision of the prior on the weights. Both are chosen to maximize the
        evidence. The cost is one pass over the rows; nothing is trained.

        Sources: MacKay, "Bayesian interpolation", 1992; Daxberger and others, "Laplace redux: effortless Bayesian deep
        learning", 2021.

        Parameters
        ----------
        x, y : array
            Rows and their targets, as for `fit`: the training rows or, if the network overfits them, held-out rows. The
            noise is estimated from these rows.
        kind : {"last_layer", "diagonal"}
            "last_layer": the weights of the last layer, with all their covariances. The last layer must be a `Dense`
            without an activation. This is fast, and the other layers may be of any kind. "diagonal": all trained
            weights, each independent of the others. This computes a Jacobian per row, here and in predictions.
        sample_weight : array of shape (rows,), optional
            The weight of each row. Only ratios matter.
        n_threads : int, optional
            By default `cynn.get_num_threads()`.

        Returns
        -------
        cynn.training.Laplace
            Its `predict` returns the mean and the standard deviation, its `interval` bounds. It has a copy of the
            network.

        Raises
        ------
        InvalidParameterError
            The loss that fits the last layer is not `mean_squared_error`, or `kind` does not support the layers.

        Examples
        --------
        >>> import cynn, numpy as np
        >>> x = np.linspace(-1, 1, 200)[:, None]
        >>> y = 2 * x[:, 0] + 0.1 * np.random.default_rng(0).normal(size=200)
        >>> net = cynn.Network([cynn.Input(1), cynn.Dense(1)], seed=0)
        >>> history = net.fit(x, y, optimizer="levenberg_marquardt")
        >>> low, high = net.laplace(x, y).interval(x, 0.9)
        >>> float(((low[:, 0] < y) & (y < high[:, 0])).mean().round(1))
        0.9
        """
        from cynn.training.laplace import of_network

        return of_network(self, x, y, kind=kind, sample_weight=sample_weight, n_threads=n_threads)

    @checks_arguments("Network.evaluate")
    def evaluate(
        self,
        x: Any,
        y: Any,
        *,
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        sample_weight: Any = None,
        n_threads: int | None = None,
        check_finite: bool = True,
        dy_dx: Any = None,
        derivative_weight: Any = None,
        directions: Any = None,
    ) -> dict[str, float]:
        """Compute the loss and the metrics of the predictions for x, compared with y.

        Parameters
        ----------
        x, y : array
            Rows and their targets, as for `fit`.
        loss : str, Loss or dict, optional
            By default, the loss that fits the last layer, as for `fit`.
        loss_weights : list or dict of float, optional
            For several outputs, the weight of the loss of each in the sum.
        metrics : list, optional
            Names, objects of `cynn.metrics` or functions, as for `fit`.
        sample_weight : array of shape (rows,), optional
            The weight of each row in the loss and the metrics: a weight of 2 means two copies of the row, and rows of
            weight 0 are left out. Only ratios matter. For several outputs, as for `fit`.
        n_threads : int, optional
            By default `cynn.get_num_threads()`.
        check_finite : bool
            Whether a NaN or an infinity in x is an error.
        dy_dx, derivative_weight, directions : optional
            As for `fit`: derivatives of the targets by the inputs, whose loss is added.

        Returns
        -------
        dict
            `"loss"`, which is the mean over rows, and one figure per metric. With `dy_dx`, also `"derivative_loss"`.

        Examples
        --------
        >>> import cynn
        >>> net = cynn.Network([cynn.Input(1), cynn.Dense(1)], seed=0)
        >>> net.layers[0].weights = [[2.0]]
        >>> x, y = [[1.0], [2.0]], [2.0, 6.0]
        >>> net.evaluate(x, y, metrics=["mean_absolute_error"])
        {'loss': 2.0, 'mean_absolute_error': 1.0}
        """
        given = x, y, loss, loss_weights, metrics, sample_weight, n_threads, check_finite
        found: dict[str, float] | None = None
        if dy_dx is None and derivative_weight is None and directions is None:
            found = self._plans.again("evaluate", *given)
        if found is None:
            from cynn.training.evaluation import evaluate

            found = evaluate(self, *given, dy_dx, derivative_weight, directions)
        return found

    def update_moving_averages(self, x: Any, *, sample_weight: Any = None, n_threads: int | None = None) -> None:
        """Recompute the moving averages of every `BatchNorm` as the mean and the variance over the rows of x.

        Call it for weights that do not come from training steps, such as averages of weights. It makes one pass over x
        per layer, as in predictions, without dropout. Source: Ioffe and Szegedy, "Batch normalization", 2015,
        algorithm 2.

        Parameters
        ----------
        x : array of shape (rows, inputs)
            The training data, or a sample of at least two rows.
        sample_weight : array of shape (rows,), optional
            The weight of each row.
        n_threads : int, optional
            By default `cynn.get_num_threads()`. The result does not depend on it.

        Raises
        ------
        BusyError
            Another thread is training the network.

        Examples
        --------
        >>> import cynn
        >>> net = cynn.Network([cynn.Input(1), cynn.BatchNorm()])
        >>> net.update_moving_averages([[1.0], [3.0], [5.0], [7.0]])
        >>> net.layers[0].moving_mean, net.layers[0].moving_variance
        (array([4.], dtype=float32), array([5.], dtype=float32))
        """
        from cynn.training import moving_averages

        with self._weights_lock.training_by("update_moving_averages", within_another=True):
            rows = self.as_rows(x, "x")
            weights = row_weights.of_one_output(sample_weight, len(rows))
            places, weight = weights.places(), weights.rows
            self.check_rows(rows, "x", places, check_finite=True)
            moving_averages.update(
                self, lambda: moving_averages.pieces(rows, weight, places), threads.resolve(n_threads)
            )

    def initialize_from(self, x: Any, *, n_threads: int | None = None) -> None:
        """Initialize the dense layers from data, instead of by their initializers alone.

        In each `Dense`, `GLU` and `Maxout`, starting at the input, each column of W is scaled so that z has a standard
        deviation of 1 over the rows. Each bias becomes minus a randomly weighted mean of z over five random rows, so
        that the kink of a ReLU lies within the data. Columns keep the directions from their initializer.

        Source: Steinwart, "A sober look at neural network initializations", 2019 (he+5); Holzmüller, Grinsztajn and
        Steinwart, "Better by default: strong pre-tuned MLPs and boosted trees on tabular data", 2024, appendix A.

        Parameters
        ----------
        x : array of shape (rows, inputs)
            The training data, or a sample of at least two rows.
        n_threads : int, optional
            By default `cynn.get_num_threads()`. The result does not depend on it.

        Raises
        ------
        BusyError
            Another thread is training the network.
        DataError
            x or the output of a layer is not finite. The weights stay as they were.

        Examples
        --------
        >>> import cynn, numpy as np
        >>> layers = [cynn.Input(2), cynn.Dense(100), cynn.Dense(1)]
        >>> net = cynn.Network(layers, seed=0)
        >>> x = np.random.default_rng(0).normal(50, 10, size=(1000, 2))
        >>> net.initialize_from(x)
        >>> float(net.activations(x)[1].std(axis=0).mean().round(3))
        1.0
        """
        from cynn.training.data_initialization import initialize_from

        with self._weights_lock.training_by("initialize_from"):
            rows = self.as_rows(x, "x")
            if len(rows) < 2:
                raise ShapeError(f"x must have at least two rows. Got {len(rows)} instead.")
            self.check_rows(rows, "x", check_finite=True)
            initialize_from(self, rows, threads.resolve(n_threads))

    def scale_inputs(self, x: Any, *, sample_weight: Any = None) -> None:
        """Compute the scale of an ``Input(scale="robust")`` or ``Input(scale="standard")`` from rows, and keep it.

        The first `fit` on arrays does so by itself. This is for loops of one's own, `train_batch` and batches from a
        generator. See `Input` for the formulas.

        Parameters
        ----------
        x : array of shape (rows, inputs)
            The training data.
        sample_weight : array of shape (rows,), optional
            The weight of each row: a weight of 2 means two copies of the row.

        Raises
        ------
        InvalidParameterError
            The scale of the input is known already, as numbers.
        DataError
            x is not finite. The network stays as it was.
        BusyError
            Another thread is training the network.

        Examples
        --------
        >>> import cynn
        >>> layers = [cynn.Input(1, scale="robust"), cynn.Dense(1)]
        >>> net = cynn.Network(layers, seed=0)
        >>> net.scale_inputs([[1.0], [2.0], [3.0], [4.0], [500.0]])
        >>> net.input
        Input(1, scale=[0.5], offset=[-1.5])
        >>> net.activations([[3.0], [5.0]])[0].ravel()
        array([0., 1.], dtype=float32)
        """
        from cynn.training.input_scaling import fit_input

        with self._weights_lock.training_by("scale_inputs", within_another=True):
            if self.input.rule is None:
                raise InvalidParameterError(
                    "The input of a network must have scale='robust' or scale='standard', and no numbers yet, to be "
                    f"scaled by rows. Got {self.input!r} instead."
                )
            rows = self.as_rows(x, "x", needs_scale=False)
            if len(rows) == 0:
                raise ShapeError("x must have at least one row to be scaled by. Got none instead.")
            weights = row_weights.of_one_output(sample_weight, len(rows))
            fit_input(self, rows, weights.rows, weights.places())

    def diagnose(self, x: Any, y: Any, *, loss: Any = None, optimizer: Any = None) -> Diagnosis:
        """Diagnose training problems: a table with one line per layer. The network is not changed.

        Parameters
        ----------
        x, y : array
            As for `fit`; a few hundred rows are enough.
        loss : str, Loss or dict, optional
            As for `fit`.
        optimizer : str, Optimizer or dict, optional
            The optimizer to try on a copy of the network. By default that of the last step, or Adam.

        Returns
        -------
        cynn.training.diagnosis.Diagnosis
            A list with one entry per layer: the mean and the standard deviation of its outputs, the share of dead
            units, the norm of its gradients, and the size of a step relative to its weights.

        Examples
        --------
        A ReLU unit whose bias keeps it at 0 for all rows:

        >>> import cynn
        >>> layers = [cynn.Input(1), cynn.Dense(2, "relu"), cynn.Dense(1)]
        >>> net = cynn.Network(layers, seed=0)
        >>> net.layers[0].weights = [[1.0, 1.0]]
        >>> net.layers[0].biases = [0.0, -9.0]
        >>> net.diagnose([[1.0], [2.0]], [1.0, 2.0])[0].dead
        0.5
        """
        from cynn.training.diagnosis import diagnose

        return diagnose(self, x, y, loss=loss, optimizer=optimizer)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Save the layers and weights in a safetensors file, which `cynn.load` reads.

        Parameters
        ----------
        path : str or path
            The file to write. An existing file is replaced.
        """
        from cynn.saving import model_file

        model_file.save(self, path)

    def _repr_html_(self) -> str:
        from cynn.display import notebook

        return notebook.network_face(self)

    def __getstate__(self) -> dict[str, Any]:
        from cynn.saving import model_file, pickling

        pickling.check([self.input, *self._composition.layers], self._optimizer_state)
        return model_file.pickled(self)

    def __setstate__(self, state: dict[str, Any]) -> None:
        Network.__init__(self, state["layers"], **state["options"])
        for (_, array), saved in zip(layers.arrays(self.layers), state["arrays"], strict=True):
            array[...] = saved
        self.history = state["history"]
        self.epochs_trained = state["epochs_trained"]
        self._optimizer_state = state["optimizer_state"]


def load(path: str | os.PathLike[str]) -> Network:
    """Read a network that `Network.save` wrote, or the network in a checkpoint.

    Parameters
    ----------
    path : str or path
        A file that `Network.save` wrote.

    Returns
    -------
    Network
        A network with the weights of the file.

    Raises
    ------
    OSError
        The file cannot be read.
    InvalidParameterError
        `path` is not a path.
    NotAFileError
        `path` is a directory, a FIFO, a socket or a device.
    ModelFileError
        The file is not a CyNN file, or is truncated.
    UnknownNameError
        The network has a part with an unknown name.
    PluginError
        The network needs a plugin whose package is not installed. The message names it.
    CynnWarning
        A warning, not an error: a plugin is installed in another version than when the network was saved.

    Examples
    --------
    >>> import cynn, tempfile, pathlib
    >>> net = cynn.Network.mlp([2, 3, 1], seed=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "net.safetensors")
    ...     net.save(path)
    ...     same = cynn.load(path)
    >>> same
    Network([Input(2), Dense(3, activation=ReLU()),
             Dense(1, activation=Identity())], seed=0, dtype='float32')
    """
    from cynn.saving import model_file

    return model_file.read(path, Network)
