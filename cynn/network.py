"""A network: layers in, predictions out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, Self

import numpy as np
import numpy.typing as npt

from cynn import layers, regularizers
from cynn.activations import Identity
from cynn.data import inputs
from cynn.data.objective import Objective
from cynn.data.outputs import Outputs
from cynn.display import notebook
from cynn.engine import randomness, threads
from cynn.engine.engine import Engine
from cynn.errors import DataError, InvalidParameterError, ShapeError, as_list, check_switch, shown
from cynn.layers.builder import Builder
from cynn.layers.composition import compose
from cynn.saving import pickling
from cynn.trainable import Trainable

if TYPE_CHECKING:
    from cynn.engine.activation_kernel import ActivationKernel
    from cynn.layers import Input, Layer, Node
    from cynn.training.history import History

__all__ = ["Network"]

Array = npt.NDArray[Any]


class Network(Trainable):
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
        `Embedding` included.
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

    def __init__(
        self,
        layers: Sequence[Input | Layer] | Node | Sequence[Node] | Mapping[str, Node],
        *,
        seed: int | None = None,
        dtype: str = "float32",
        regularizer: Any = None,
        sources: list[list[int]] | None = None,
        outputs: list[int] | dict[str, int] | None = None,
    ) -> None:
        self.dtype = inputs.check_dtype(dtype)
        self.seed = randomness.as_seed(seed)
        self._composition = compose(layers, sources, outputs)
        self.input = self._composition.input
        self.regularizer = regularizers.get(regularizer)
        builder = Builder(self.input.units, self.dtype, self.seed, regularizer=self.regularizer)
        self.layers: list[Layer]
        self.layers, self._values = self._composition.build(builder)
        self._categories = builder.categories
        self._weights_lock = builder.weights_lock
        values = [self._values[k] for k in self._composition.output_numbers]
        if 0 in values:
            raise InvalidParameterError(
                "Every output of a network must be what a layer has made of the input. Got the input itself instead."
            )
        self._outputs = Outputs(self._composition.outputs, values, [builder.widths[value] for value in values])
        self.history: History | None = None
        self.epochs_trained = 0
        self._optimizer_state: Any = None
        self._batch_buffer: Any = None
        self._engine = Engine(
            self.dtype,
            self.input.units,
            self.input.scale,
            self.input.offset,
            builder.operations,
            self.seed,
            values,
            self._categories,
        )
        # What a call on one row runs: to look for each of these every time would show.
        self._predict_few = self._engine.predict_few if self._outputs.is_one else None

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

    @property
    def outputs(self) -> Any:
        """Columns of what `predict` returns; a list or a dict for several outputs."""
        return self._outputs.join(self._outputs.units)

    @property
    def output_activation(self) -> Any:
        """The activation that the outputs come from: the identity where none comes last.

        A list or a dict for several outputs.
        """
        kernels = self._output_activations()
        return self._outputs.join([Identity() if kernel is None else kernel.component for kernel in kernels])

    def _output_activations(self) -> list[ActivationKernel | None]:
        return [self._engine.activation_of(number) for number in range(len(self._outputs.values))]

    @property
    def parameter_count(self) -> int:
        """All weights and biases: Σ (inputs + 1) * units over the layers."""
        return sum(layer.parameter_count for layer in self.layers)

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
        from cynn.display.summary import table

        return table(self)

    def predict(
        self, x: Any, *, out: Any = None, n_threads: int | None = None, check_finite: bool = True
    ) -> Any:
        """The outputs for rows of inputs.

        Parameters
        ----------
        x : array of shape (rows, inputs), or (inputs,) for a single row
            What the network takes: uint8, float32 or float64, with any strides.
        out : array of shape (rows, outputs), optional
            Where to write: C-contiguous, of the network's dtype. It may overlap x, but not the weights.
        n_threads : int, optional
            By default `cynn.get_num_threads()`. The result does not depend on it.
        check_finite : bool
            Whether a NaN or an infinity in x is an error.

        Returns
        -------
        array of shape (rows, outputs), or (outputs,) for a single row
            `out`, where that is given. For several outputs, both are lists or dicts of such.

        Examples
        --------
        >>> import cynn
        >>> net = cynn.Network.mlp([784, 16, 16, 10], output="softmax", seed=0)
        >>> net.predict(np.zeros((5, 784))).shape, net.predict(np.zeros(784)).shape
        ((5, 10), (10,))
        """
        if n_threads is not None:
            threads.resolve(n_threads)
        if check_finite is not True and check_finite is not False:  # on every call of a prediction on one row
            check_finite = check_switch(check_finite, "check_finite", "predict")
        predict_few = self._predict_few
        if predict_few is not None:
            few = predict_few(x, out, check_finite)
            if few is not None:
                return few
        outputs = self._outputs
        rows, single = inputs.as_rows_or_one(x, self.input.units, "x", exactly=self.input.offset != 0)
        shapes = [(units,) if single else (len(rows), units) for units in outputs.units]
        if out is None:
            found = wanted = [np.empty(shape, self.dtype) for shape in shapes]
        else:
            wanted = outputs.split(out, "out")
            inputs.check_outs(wanted, shapes, self.dtype, self._engine.holds)
            # x is read to the end before anything in it is overwritten
            found = [np.empty_like(one, subok=False) if np.may_share_memory(one, rows) else one for one in wanted]
        self.forward(rows, outputs.values, found, n_threads, check_finite=check_finite)
        for array, result in zip(wanted, found, strict=True):
            if result is not array:
                array[...] = result
        return outputs.join(wanted)

    def activations(self, x: Any, *, n_threads: int | None = None) -> list[Array]:
        """The output of every layer, the input first: what each neuron holds.

        Parameters
        ----------
        x : array of shape (rows, inputs), or (inputs,) for a single row
            As for `predict`.
        n_threads : int, optional
            By default `cynn.get_num_threads()`.

        Returns
        -------
        list of arrays of shape (rows, units), or (units,)
            x as the network sees it, scaled, then a of each layer.

        Examples
        --------
        >>> import cynn
        >>> net = cynn.Network.mlp([784, 16, 16, 10], output="softmax", seed=0)
        >>> [a.shape for a in net.activations(np.zeros(784))]
        [(784,), (16,), (16,), (10,)]
        """
        rows, single = inputs.as_rows_or_one(x, self.input.units, "x", exactly=self.input.offset != 0)
        widths = [self.input.units, *(layer.units or 0 for layer in self.layers)]
        outputs = [np.empty((len(rows), units), self.dtype) for units in widths]
        self.forward(rows, self._values, outputs, n_threads, check_finite=True)
        return [output[0] for output in outputs] if single else outputs

    def as_rows(self, x: Any, name: str) -> Array:
        """`x` as rows that the engine reads; their numbers are not looked at.

        Parameters
        ----------
        x : array-like of shape (rows, inputs)
            What somebody has given.
        name : str
            How messages call it.

        Returns
        -------
        array of shape (rows, inputs)
            `x` itself, where it can be read as it is.
        """
        return inputs.as_rows(x, self.input.units, name, exactly=self.input.offset != 0)

    @property
    def conversion(self) -> inputs.Conversion:
        """How x comes into the network."""
        return inputs.Conversion(self.dtype, self.input.scale, self.input.offset)

    def check_rows(
        self, rows: Array, name: str, places: npt.NDArray[np.int64] | None = None, *, check_finite: bool
    ) -> None:
        """Raise a DataError that names the first number that the network cannot use.

        Parameters
        ----------
        rows : array of shape (rows, inputs)
            As `as_rows` returned them.
        name : str
            What messages call them.
        places : array, optional
            The rows to look at; all by default.
        check_finite : bool
            Whether a NaN or an infinity is an error. What is no category, where one must be, is one in any case.
        """
        inputs.check_rows(rows, name, self.conversion, self._categories, places, check_finite=check_finite)

    def raise_unusable(
        self, rows: Array, name: str, places: npt.NDArray[np.int64] | None = None, *, check_finite: bool
    ) -> NoReturn:
        """Raise the DataError for rows in which the engine has met what `check_rows` looks for.

        Parameters
        ----------
        rows, name, places, check_finite
            As for `check_rows`.
        """
        self.check_rows(rows, name, places, check_finite=check_finite)
        raise DataError(f"{name} must stay as it is while it is read. Got numbers in the meantime that cannot be used.")

    def forward(
        self,
        rows: Array,
        values: list[int],
        outputs: list[Array],
        n_threads: int | None,
        *,
        name: str = "x",
        check_finite: bool = False,
    ) -> None:
        """Run the operations over rows, up to the last value that is wanted.

        Parameters
        ----------
        rows : array of shape (rows, inputs)
            As `as_rows` returned them.
        values : list of int
            Which values are wanted, by number, as the engine counts them.
        outputs : list of array
            Where each of them goes.
        n_threads : int, optional
            By default `cynn.get_num_threads()`.
        name : str
            What messages call the rows.
        check_finite : bool
            Whether a NaN or an infinity in rows is an error. What is no category, where one must be, is one in any
            case.
        """
        if not self._engine.forward(rows, values, outputs, threads.resolve(n_threads), check_finite):
            self.raise_unusable(rows, name, check_finite=check_finite)

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

    def outputs_for_loss(
        self, objective: Objective, rows: Array, n_threads: int | None, name: str = "x"
    ) -> list[tuple[Array, ActivationKernel | None]]:
        """What the loss of each output is computed from, and the activation that the output comes from.

        Parameters
        ----------
        objective : Objective
            The losses.
        rows : array of shape (rows, inputs)
            As `as_rows` returned them.
        n_threads : int or None
            None for `cynn.get_num_threads()`.
        name : str
            What messages call the rows.

        Returns
        -------
        list of (array of shape (rows, units), ActivationKernel or None)
            Predictions, or z of the activation where the loss is computed from that.
        """
        activations, values = self._output_activations(), list(self._outputs.values)
        for number, (kernel, activation) in enumerate(zip(objective.kernels, activations, strict=True)):
            if activation is not None and kernel.fuses_behind(activation):
                values[number] = self._engine.operations[values[number] - 1].inputs[0]
        found = [np.empty((len(rows), units), self.dtype) for units in self._outputs.units]
        self.forward(rows, values, found, n_threads, name=name)
        return list(zip(found, activations, strict=True))

    def penalty(self) -> float:
        """What regularizers add to the loss: l1 Σ|w| + l2 Σw², over what they hold for."""
        total = 0.0
        for operation in self._engine.operations:
            for parameter, rule in zip(operation.parameters, operation.rules, strict=False):
                if parameter is not None and operation.trainable and (rule.l1 or rule.l2):
                    w = parameter.astype(np.float64)
                    total += rule.l1 * float(np.abs(w).sum(dtype=np.float64))
                    total += rule.l2 * float(np.square(w, dtype=np.float64).sum())
        return total

    def objective(self, loss: Any, loss_weights: Any = None) -> Objective:
        """The kernels of losses, or of those that fit the last layers.

        Parameters
        ----------
        loss : str, Loss, dict, list or None
            As for `fit`.
        loss_weights : list or dict of float, optional
            As for `fit`.

        Returns
        -------
        Objective
            Its kernels have the network's dtype.
        """
        return Objective(self._outputs, self._output_activations(), self.dtype, loss, loss_weights)

    def get_weights(self) -> list[Array]:
        """Copies of all that training changes: the weights and the biases of every layer in turn.

        Examples
        --------
        >>> import cynn
        >>> [array.shape for array in cynn.Network.mlp([784, 16, 10]).get_weights()]
        [(784, 16), (16,), (16, 10), (10,)]
        """
        with self._weights_lock.turn():
            return [array.copy() for _, array in layers.arrays(self.layers)]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Give all that training changes the values of arrays as `get_weights` returns them.

        Parameters
        ----------
        weights : list of array
            As many, of the same shapes, as `get_weights` returns. While another thread trains: a BusyError.

        Examples
        --------
        >>> import cynn
        >>> net, other = (cynn.Network.mlp([2, 1], seed=seed) for seed in (0, 1))
        >>> other.set_weights(net.get_weights())
        >>> bool((other.layers[0].weights == net.layers[0].weights).all())
        True
        """
        own = list(layers.arrays(self.layers))
        given = None if isinstance(weights, (str, bytes, Mapping)) else as_list(weights)
        if given is None:
            raise InvalidParameterError(f"The weights must be a list of arrays. Got {shown(weights)} instead.")
        if len(given) != len(own):
            raise ShapeError(f"The weights must be {len(own)} arrays. Got {len(given)} instead.")
        pairs = [
            (array, layers.as_values(value, array, f"array {name}"))  # copies: they may be views of these very weights
            for (name, array), value in zip(own, given, strict=True)
        ]
        with self._weights_lock.turn_to_set("set_weights"):
            for array, values in pairs:
                array[...] = values

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write layers, weights and biases to a safetensors file, which `cynn.load` reads.

        Parameters
        ----------
        path : str or path
            Where to write; what is there is replaced.
        """
        from cynn.saving.model_file import save

        save(self, path)

    def get_config(self) -> dict[str, Any]:
        """Seed, dtype and layers, without weights; `from_config` makes an equal network."""
        config = {
            "seed": self.seed,
            "dtype": self.dtype,
            "regularizer": self.regularizer and self.regularizer.get_config(),
            "layers": [self.input.get_config(), *(layer.get_config() for layer in self.layers)],
        }
        if not self._composition.is_chain:
            config["sources"] = self._composition.sources
        if not self._outputs.is_one:
            config["outputs"] = self._composition.outputs
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The inverse of `get_config`; the weights are the initial ones.

        Parameters
        ----------
        config : dict
            As `get_config` returned it.

        Returns
        -------
        Network
            With its initial weights.
        """
        return cls(
            layers.of_network(config),
            seed=config["seed"],
            dtype=config["dtype"],
            regularizer=config.get("regularizer"),
            sources=config.get("sources"),
            outputs=config.get("outputs"),
        )

    def __repr__(self) -> str:
        described = ", ".join(map(repr, [self.input, *self.layers]))
        return f"Network([{described}], seed={self.seed}, dtype={self.dtype!r})"

    _repr_html_ = notebook.network_face

    def __getstate__(self) -> dict[str, Any]:
        pickling.check([self.input, *self._composition.layers], self._optimizer_state)
        from cynn.saving.model_file import pickled

        return pickled(self)

    def __setstate__(self, state: dict[str, Any]) -> None:
        Network.__init__(self, state["layers"], **state["options"])
        for (_, array), saved in zip(layers.arrays(self.layers), state["arrays"], strict=True):
            array[...] = saved
        self.history = state["history"]
        self.epochs_trained = state["epochs_trained"]
        self._optimizer_state = state["optimizer_state"]
