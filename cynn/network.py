"""`Network`: what a user builds, trains, predicts with, looks at and saves."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy.typing as npt

from cynn import layers
from cynn.data import row_weights
from cynn.engine import threads
from cynn.errors import InvalidParameterError, as_list, shown
from cynn.faces.table import FaceMethods
from cynn.model import Model

if TYPE_CHECKING:
    from cynn.training.diagnosis import Diagnosis
    from cynn.training.history import History

__all__ = ["Network", "load"]

Array = npt.NDArray[Any]


class Network(Model, FaceMethods):
    """Layers that can be trained.

    Parameters
    ----------
    layers : list, or what calling a layer returned
        An `Input` and layers one behind the other; or, for a network that is no chain, the last layer
        called on what it takes, as in `Dense(1)(Concatenate()(h, x))`; a list or a dict of such for several
        outputs. Descriptions: the network makes its own copies.
    seed : int, optional
        Fixes the initial weights and the order of the data: the same seed, data and machine give
        the same bits. None draws a fresh one, kept as `seed`.
    dtype : {"float32", "float64"}
        In which the network computes.
    regularizer : str, Regularizer or dict, optional
        A penalty on the size of the weights of every layer that has none of its own, the vectors of an
        `Embedding` included. May be assigned between two trainings.
    sources : list of list of int, optional
        For a list of layers that is no chain, what each takes: 0 is the input, k layer k - 1.
    outputs : list or dict of int, optional
        For a list of layers with several outputs: which these are, counted likewise.

    Attributes
    ----------
    input : Input
    layers : list of Layer
        Without the input, so that `layers[0]` has the first weights.
    seed : int
    dtype : str
    parameter_count : int
        All weights and biases.
    history : cynn.training.History or None
        Of the last `fit`, also if it was interrupted.

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

    Two outputs; what is given and returned for each, such as targets, losses and predictions, has their names:

    >>> x = cynn.Input(784, scale=1 / 255)
    >>> h = cynn.Dense(16, "relu")(x)
    >>> net = cynn.Network({"digit": cynn.Dense(10, "softmax")(h), "even": cynn.Dense(1, "sigmoid")(h)}, seed=0)
    >>> {name: a.shape for name, a in net.predict(np.zeros((5, 784))).items()}
    {'digit': (5, 10), 'even': (5, 1)}
    """

    history: History | None

    @classmethod
    def mlp(
        cls,
        sizes: Sequence[int],
        *,
        activation: Any = "relu",
        output: Any = "identity",
        input_scale: float = 1.0,
        seed: int | None = None,
        dtype: str = "float32",
    ) -> Self:
        """A multilayer perceptron: dense layers of these sizes, one after the other.

        Parameters
        ----------
        sizes : list of int
            Inputs, units of each hidden layer, outputs.
        activation : str, Activation or dict
            Of the hidden layers.
        output : str, Activation or dict
            Of the last layer.
        input_scale : float
            What the inputs are multiplied by.
        seed : int, optional
            As for `Network`.
        dtype : {"float32", "float64"}
            As for `Network`.

        Examples
        --------
        >>> import cynn
        >>> net = cynn.Network.mlp([784, 16, 16, 10], activation="sigmoid", output="softmax", seed=0)
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
        return cls(described, seed=seed, dtype=dtype)

    def summary(self) -> str:
        """A table: layer, activation, shape of its weights, parameters.

        Examples
        --------
        >>> import cynn
        >>> print(cynn.Network.mlp([784, 16, 16, 10], activation="sigmoid", output="softmax").summary())
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

    def fit(
        self,
        x: Any,
        y: Any = None,
        *,
        loss: Any = None,
        loss_weights: Any = None,
        optimizer: Any = None,
        epochs: int = 10,
        batch_size: int = 32,
        validation_data: tuple[Any, Any] | None = None,
        validation_split: float = 0.0,
        metrics: Any = None,
        sample_weight: Any = None,
        class_weight: Any = None,
        transform: Callable[..., Any] | None = None,
        steps_per_epoch: int | None = None,
        shuffle: bool | str | Callable[[int], Any] = True,
        callbacks: Any = (),
        resume: str | os.PathLike[str] | bool | None = None,
        progress: bool = True,
        n_threads: int | None = None,
        check_finite: bool = True,
    ) -> History:
        """Train on data.

        Parameters
        ----------
        x : array of shape (rows, inputs)
            uint8, float32 or float64 are read where they lie, with any strides, also from a memmap;
            other numbers are converted first. Without y: an iterable of batches (x, y) or (x, y,
            sample_weight), or a function that returns one for an epoch, which counts from 0 in the life of
            the network. They are drawn in the calling thread, while another trains on the last.
        y : array of shape (rows,) or (rows, outputs)
            Classes (whole numbers, where there are several outputs) or values. Several labels per row are
            rows of 0 and 1. For a network of several outputs, a list or a dict of such.
        loss : str, Loss or dict, optional
            By default what fits the last layer: `cross_entropy` for softmax,
            `binary_cross_entropy` for sigmoid, else `mean_squared_error`. For several outputs, one for all, or
            a list or a dict of such.
        loss_weights : list or dict of float, optional
            What the loss of each output is multiplied by in the sum that is trained on; 1 by default.
        optimizer : str, Optimizer or dict, optional
            By default the one of the last `fit`, which goes on with its state, and Adam the first
            time. The same instance goes on, too; any other starts anew.
        epochs : int
            How often to go through the data.
        batch_size : int
            Rows in a batch; the last of an epoch takes what is left. A step is a batch, or as many as the optimizer's
            `gradient_accumulation_steps` says.
        validation_data : tuple (x, y) or (x, y, sample_weight), optional
            Evaluated after every epoch.
        validation_split : float
            The share of the rows that is kept from training and evaluated after every epoch. The seed says
            which; of every class it is the same share. Of several outputs, it is that of every combination of
            their classes, and of each class of the first that has some.
        metrics : list of str or callable, optional
            Names (`"accuracy"`), objects of `cynn.metrics`, or functions of (y_true, y_pred), also those of
            `sklearn.metrics`. For several outputs, the same for all, or a list or a dict of such.
        sample_weight : array of shape (rows,), optional
            How often each row is there: a weight of 2 is as if there were two copies, and a row of weight 0 is left
            out, first of all. Only ratios matter: the weights are divided by their mean over the rows that are
            trained on. The loss of a batch is Σ weight * loss over the number of its rows. In batches of one's own
            they count as they are given. For several outputs, the same for all, or a list or a dict of such.
        class_weight : dict or "balanced", optional
            The weight of each class, by its number (or its label, -1 or 1), 1 for one that is not named; "balanced"
            is rows / (classes * rows of the class), where a row counts as often as its sample_weight says. It
            multiplies sample_weight, but not for rows that validate. For several outputs, the same for all, or a list
            or a dict of such, for those whose targets are classes.
        transform : callable, optional
            Called for every batch as `transform(x, y, generator)`, returns the (x, y) to train on: for
            augmentation. It runs in the calling thread, while another trains on the last batch, always in
            the same order; the `numpy.random.Generator` depends on the seed, the epoch and the step alone.
        steps_per_epoch : int, optional
            Where x gives batches: how many of them make an epoch; fewer are an error. By default, all that there are.
        shuffle : bool, "blocks" or callable
            Whether every epoch takes the rows in an order of its own. "blocks" shuffles blocks of 1,024
            rows, and the rows within each: for a memmap larger than memory, which is then read in long
            pieces. A function of the epoch, which counts from 0 in the life of the network, returns an order of
            yours: each of the numbers from 0 to n - 1 once, for the n rows that are trained on.
        callbacks : list of cynn.callbacks.Callback
            Called in the course of the training.
        resume : str, path or bool, optional
            A file that a `cynn.callbacks.Checkpoint` wrote: the training goes on from there, in the middle of
            an epoch too, and ends with the same bits and the same history as if it had never stopped. True
            takes what the Checkpoint among the callbacks wrote last, and begins where there is nothing. All
            else must be as it was, but for n_threads, progress and, where the learning rate is a number, epochs.
        progress : bool
            Whether to show a progress bar, where stderr is a terminal.
        n_threads : int, optional
            By default `cynn.get_num_threads()`. The result does not depend on it.
        check_finite : bool
            Whether to look for NaN and infinity in x and y first.

        Returns
        -------
        cynn.training.History
            The figures of every epoch; of several outputs, those of one begin with its name. The loss is the mean
            over the rows of weight * loss. The training metrics are those of the predictions made during the epoch, as
            the weights were at each step.

        Raises
        ------
        TrainingDivergedError
            The loss became NaN or infinite.
        BusyError
            Another call trains the network: on another thread, or the one whose callback this call is made in.
        ShapeError, DataError
            x or y do not fit.
        CheckpointError, ModelFileError
            There is no checkpoint to go on from, or not a whole one.

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
                validation_data=validation_data,
                validation_split=validation_split,
                metrics=metrics,
                sample_weight=sample_weight,
                class_weight=class_weight,
                transform=transform,
                steps_per_epoch=steps_per_epoch,
                shuffle=shuffle,
                callbacks=callbacks,
                resume=resume,
                progress=progress,
                n_threads=n_threads,
                check_finite=check_finite,
            )
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
    ) -> float:
        """One step on one batch, for a loop of one's own.

        Parameters
        ----------
        x, y : array
            Rows and their targets, as for `fit`.
        loss : str, Loss or dict, optional
            As for `fit`.
        loss_weights : list or dict of float, optional
            Of several outputs, what the loss of each is multiplied by in the sum.
        optimizer : str, Optimizer or dict, optional
            By default the one of the last step, or Adam. It goes on with its state as long as it is equal to
            that of the last step.
        sample_weight : array of shape (rows,), optional
            How often each row is there, as it is given: here they are not divided by their mean. For several outputs,
            as for `fit`.
        n_threads : int, optional
            By default `cynn.get_num_threads()`.
        check_finite : bool
            Whether a NaN or an infinity in x is an error.

        Returns
        -------
        float
            The loss of the batch, before the step: Σ weight * loss, over the number of rows whose weight is not 0.

        Raises
        ------
        TrainingDivergedError
            The loss became NaN or infinite.
        BusyError
            Another call trains the network.
        ShapeError, DataError
            x or y do not fit.

        Examples
        --------
        >>> import cynn
        >>> net = cynn.Network([cynn.Input(1), cynn.Dense(1)], seed=0)
        >>> net.layers[0].weights = [[2.0]]
        >>> for _ in range(2):
        ...     print(net.train_batch([[1.0]], [0.0], optimizer=cynn.optimizers.SGD(0.25)))
        4.0
        0.0
        """
        from cynn.training.steps import train_batch

        with self._weights_lock.training_by("train_batch"):
            return train_batch(
                self,
                x,
                y,
                loss=loss,
                loss_weights=loss_weights,
                optimizer=optimizer,
                sample_weight=sample_weight,
                n_threads=n_threads,
                check_finite=check_finite,
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
            Of several outputs, what the loss of each is multiplied by in the sum.
        sample_weight : array of shape (rows,), optional
            How often each row is there, in ratio to the others; for several outputs, as for `fit`.

        Returns
        -------
        list of (dW, db)
            For each layer that has parameters, those of layers within it behind it: arrays of the shapes
            of its weights and biases, or of what parameters it has; None for those that are not trained.

        Examples
        --------
        >>> import cynn
        >>> net = cynn.Network([cynn.Input(1), cynn.Dense(1)], seed=0)
        >>> net.layers[0].weights = [[2.0]]
        >>> net.gradients([[3.0]], [[5.0]], loss="mean_squared_error")
        [(array([[6.]], dtype=float32), array([2.], dtype=float32))]
        """
        from cynn.training.steps import gradients

        return gradients(
            self, x, y, loss=loss, loss_weights=loss_weights, sample_weight=sample_weight
        )

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
    ) -> dict[str, float]:
        """The loss, and metrics, of predictions for x against y.

        Parameters
        ----------
        x, y : array
            Rows and their targets, as for `fit`.
        loss : str, Loss or dict, optional
            By default what fits the last layer, as for `fit`.
        loss_weights : list or dict of float, optional
            Of several outputs, what the loss of each is multiplied by in the sum.
        metrics : list, optional
            Names, objects of `cynn.metrics` or functions, as for `fit`.
        sample_weight : array of shape (rows,), optional
            How often each row is there, in ratio to the others, for the loss and the metrics: a weight of 2 is as if
            there were two copies, a row of weight 0 is left out. For several outputs, as for `fit`.
        n_threads : int, optional
            By default `cynn.get_num_threads()`.
        check_finite : bool
            Whether a NaN or an infinity in x is an error.

        Returns
        -------
        dict
            `"loss"` (the mean over rows) and one figure a metric.

        Examples
        --------
        >>> import cynn
        >>> net = cynn.Network([cynn.Input(1), cynn.Dense(1)], seed=0)
        >>> net.layers[0].weights = [[2.0]]
        >>> net.evaluate([[1.0], [2.0]], [2.0, 6.0], metrics=["mean_absolute_error"])
        {'loss': 2.0, 'mean_absolute_error': 1.0}
        """
        from cynn.training.evaluation import evaluate

        return evaluate(
            self,
            x,
            y,
            loss=loss,
            loss_weights=loss_weights,
            metrics=metrics,
            sample_weight=sample_weight,
            n_threads=n_threads,
            check_finite=check_finite,
        )

    def update_moving_averages(self, x: Any, *, sample_weight: Any = None, n_threads: int | None = None) -> None:
        """Compute the moving averages of every `BatchNorm` anew, as the mean and the variance over rows.

        For weights that did not come about step by step, such as averages of others. One pass over x for each
        of the layers, as in predictions: without dropout. (Ioffe and Szegedy, 2015, algorithm 2.)

        Parameters
        ----------
        x : array of shape (rows, inputs)
            The training data, or enough of them: two rows at least.
        sample_weight : array of shape (rows,), optional
            How often each row counts.
        n_threads : int, optional
            By default `cynn.get_num_threads()`. The result does not depend on it.

        Raises
        ------
        BusyError
            Another thread trains the network.

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

    def diagnose(self, x: Any, y: Any, *, loss: Any = None, optimizer: Any = None) -> Diagnosis:
        """What goes wrong where: a table of every layer. Nothing is trained.

        Parameters
        ----------
        x, y : array
            As for `fit`; some hundred rows are enough.
        loss : str, Loss or dict, optional
            As for `fit`.
        optimizer : str, Optimizer or dict, optional
            Whose step is tried on a copy of the network: by default the one of the last step, or Adam.

        Returns
        -------
        cynn.training.diagnosis.Diagnosis
            A list with one entry per layer: the mean and the spread of its outputs, the share of its dead units,
            the norm of its gradients, and how long a step is beside its weights.

        Examples
        --------
        A rectifier whose bias keeps it at 0 for all rows:

        >>> import cynn
        >>> net = cynn.Network([cynn.Input(1), cynn.Dense(2, "relu"), cynn.Dense(1)], seed=0)
        >>> net.layers[0].weights, net.layers[0].biases = [[1.0, 1.0]], [0.0, -9.0]
        >>> net.diagnose([[1.0], [2.0]], [1.0, 2.0])[0].dead
        0.5
        """
        from cynn.training.diagnosis import diagnose

        return diagnose(self, x, y, loss=loss, optimizer=optimizer)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write layers, weights and biases to a safetensors file, which `cynn.load` reads.

        Parameters
        ----------
        path : str or path
            Where to write; what is there is replaced.
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
        With the weights of the file.

    Raises
    ------
    OSError
        The file cannot be read.
    InvalidParameterError
        `path` is no path.
    NotAFileError
        It is a directory, a FIFO, a socket or a device.
    ModelFileError
        It is no model file, or not a whole one.
    UnknownNameError
        It needs an activation that nothing has.
    PluginError
        It needs a plugin whose package is not installed; the message names it.
    CynnWarning
        Only a warning: a plugin is installed in another version than the network was saved with.

    Examples
    --------
    >>> import cynn, tempfile, pathlib
    >>> net = cynn.Network.mlp([2, 3, 1], seed=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "net.safetensors")
    ...     net.save(path)
    ...     same = cynn.load(path)
    >>> same
    Network([Input(2), Dense(3, activation=ReLU()), Dense(1, activation=Identity())], seed=0, dtype='float32')
    """
    from cynn.saving import model_file

    return model_file.read(path, Network)
