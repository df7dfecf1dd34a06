"""A model: layers, their parameters and an engine that runs them. It knows no training, no files and no display."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, Self

import numpy as np
import numpy.typing as npt

from cynn import layers, regularizers
from cynn.activations import Identity
from cynn.data import inputs
from cynn.data.objective import Objective
from cynn.data.outputs import Outputs
from cynn.engine import randomness, threads
from cynn.engine.engine import Engine
from cynn.errors import DataError, InvalidParameterError, ShapeError, as_list, check_switch, shown
from cynn.layers.builder import Builder, penalty_of
from cynn.layers.composition import compose

if TYPE_CHECKING:
    from cynn.engine.activation_kernel import ActivationKernel
    from cynn.layers import Input, Layer, Node

__all__ = ["Model"]

Array = npt.NDArray[Any]


class Model:
    """Layers with their parameters, and the engine that runs them.

    Parameters
    ----------
    layers, seed, dtype, regularizer, sources, outputs
        As for `cynn.Network`.
    """

    def __init__(
        self,
        layers: Sequence[Input | Layer | Node] | Node | Mapping[str, Node],
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
        self._regularizer = regularizers.get(regularizer)
        builder = Builder(self.input.units, self.dtype, self.seed, regularizer=self._regularizer)
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
        # What training keeps here: nothing else in this class makes use of it.
        self.history: Any = None
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
        # Looking for it anew would show in the time of a prediction on one row.
        self._predict_small_batch = self._engine.predict_small_batch if self._outputs.is_one else None

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
    def regularizer(self) -> Any:
        """The penalty on the weights of layers that have none of their own, or None. May be assigned between trainings.

        Examples
        --------
        >>> import cynn
        >>> net = cynn.Network([cynn.Input(1), cynn.Dense(1)], seed=0)
        >>> net.layers[0].weights = [[2.0]]
        >>> net.regularizer = cynn.regularizers.L2(0.5)
        >>> net.evaluate([[1.0]], [2.0])
        {'loss': 2.0}
        """
        return self._regularizer

    @regularizer.setter
    def regularizer(self, given: Any) -> None:
        regularizer = regularizers.get(given)
        l1, l2 = penalty_of(regularizer, self.dtype)
        with self._weights_lock.training_by("an assignment of regularizer"):
            self._regularizer = regularizer
            for operation in self._engine.operations:
                for rule in operation.rules:
                    if rule.follows_network:
                        rule.l1, rule.l2 = l1, l2

    @property
    def parameter_count(self) -> int:
        """All weights and biases: Σ (inputs + 1) * units over the layers."""
        return sum(layer.parameter_count for layer in self.layers)

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
        if check_finite is not True and check_finite is not False:  # quicker than a call, in a prediction on one row
            check_finite = check_switch(check_finite, "check_finite", "predict")
        predict_small_batch = self._predict_small_batch
        if predict_small_batch is not None:
            few = predict_small_batch(x, out, check_finite)
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
            # x must be read to its end before any of it is overwritten
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
        """Convert `x` to rows that the engine reads. Their numbers are not checked.

        Parameters
        ----------
        x : array-like of shape (rows, inputs)
            User input.
        name : str
            What messages call it.

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
        rows : array of shape (rows, inputs)
            As `as_rows` returned them.
        name : str
            What messages call them.
        places : array, optional
            The rows to look at; all by default.
        check_finite : bool
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
            (array, layers.as_values(value, array, f"array {name}"))  # a copy: it may be a view of these weights
            for (name, array), value in zip(own, given, strict=True)
        ]
        with self._weights_lock.turn_to_set("set_weights"):
            for array, values in pairs:
                array[...] = values

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
        return f"{type(self).__name__}([{described}], seed={self.seed}, dtype={self.dtype!r})"
