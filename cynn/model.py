"""The model: layers, parameters and the engine. It does not depend on training, files or display."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, Self

import numpy as np

from cynn import layers, regularizers
from cynn.activations import Identity
from cynn.components.configurable import checks_arguments
from cynn.data import frames, inputs, names
from cynn.data.objective import Objective
from cynn.data.outputs import Outputs
from cynn.engine import randomness, threads
from cynn.engine.engine import Engine
from cynn.engine.plans import Plans, are_given_again
from cynn.errors import DataError, InvalidParameterError, ShapeError, as_list, check_switch, not_allowed, shown
from cynn.layers.builder import Builder, penalty_of
from cynn.layers.composition import compose

if TYPE_CHECKING:
    import numpy.typing as npt

    from cynn.engine.activation_kernel import ActivationKernel
    from cynn.layers import Input, Layer, Node

    Array = npt.NDArray[Any]

__all__ = ["Model"]


class Model:
    """Layers with their parameters, and the engine that runs them.

    Parameters
    ----------
    layers, seed, dtype, compute, regularizer, sources, outputs, feature_names, classes
        As for `cynn.Network`.
    """

    @checks_arguments("Network")
    def __init__(
        self,
        layers: Sequence[Input | Layer | Node] | Node | Mapping[str, Node],
        *,
        seed: int | None = None,
        dtype: str = "float32",
        compute: str | None = None,
        regularizer: Any = None,
        sources: list[list[int]] | None = None,
        outputs: list[int] | dict[str, int] | None = None,
        feature_names: Sequence[str] | None = None,
        classes: Any = None,
    ) -> None:
        self.dtype = inputs.check_dtype(dtype)
        self.compute = _check_compute(compute, self.dtype)
        self.seed = randomness.as_seed(seed)
        self._composition = compose(layers, sources, outputs)
        self.input = self._composition.input
        #: How the input converts x: dtype, scale and offset.
        self.conversion = self._conversion()
        self._regularizer = regularizers.get(regularizer)
        builder = Builder(self.input.units, self.dtype, self.seed, regularizer=self._regularizer, compute=self.compute)
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
        self.feature_names = feature_names
        self.classes = classes
        # Used only by training.
        self.history: Any = None
        self.epochs_trained = 0
        self._optimizer_state: Any = None
        # Reused by later calls.
        self._input_derivatives: Any = None
        self._input_hessians: Any = None
        self._places_of_layers: list[tuple[int | None, ...]] | None = None
        self._engine = Engine(
            self.dtype,
            self.input.units,
            self.conversion.scale,
            self.conversion.offset,
            builder.operations,
            self.seed,
            values,
            self._categories,
        )
        # Stored here because the lookup takes a noticeable part of the time of a one-row prediction.
        self._predict_small_batch = self._engine.predict_small_batch if self._outputs.is_one else None

    def _conversion(self) -> inputs.Conversion:
        """That of the input; with a scale of NaN, with which nothing runs, if it is not known yet."""
        scaling = self.input.scaling if self.input.rule is None else (np.nan, 0.0)
        return inputs.Conversion(self.dtype, *scaling)

    def replace_input(self, described: Input) -> None:
        """Scale x in another way from now on.

        Parameters
        ----------
        described : Input
            An input with as many columns.
        """
        if described is self.input:
            return
        self.input = self._composition.input = described
        self.conversion = self._conversion()
        self._engine.set_scaling(self.conversion.scale, self.conversion.offset)

    def _forget_kept(self) -> None:
        """Discard the plans that calls keep for later calls, since a setting has changed on which they depend."""
        self._plans = Plans()

    @property
    def outputs(self) -> Any:
        """The number of columns of the output; a list or a dict for several outputs."""
        return self._outputs.join(self._outputs.units)

    @property
    def feature_names(self) -> list[str] | None:
        """The names of the columns of x, or None. By default, those of the first DataFrame that trains the network.

        Every other DataFrame must have columns of these names, in this order. Assign None to accept any names again.

        Examples
        --------
        >>> import cynn
        >>> layers = [cynn.Input(2), cynn.Dense(1)]
        >>> net = cynn.Network(layers, feature_names=["age", "fare"])
        >>> net.feature_names
        ['age', 'fare']
        """
        return None if self._feature_names is None else list(self._feature_names)

    @feature_names.setter
    def feature_names(self, given: Any) -> None:
        self._feature_names = names.as_names(given, "feature_names", self.input.units)

    @property
    def classes(self) -> Any:
        """The labels of the classes in the order of their numbers, or None. For several outputs, a list or a dict.

        With them, y may have labels instead of class numbers.

        Examples
        --------
        >>> import cynn
        >>> x, y = [[0.0], [1.0]], ["no", "yes"]
        >>> layers = [cynn.Input(1), cynn.Dense(2, "softmax")]
        >>> net = cynn.Network(layers, seed=0, classes=["no", "yes"])
        >>> sgd = cynn.optimizers.SGD(1)
        >>> history = net.fit(x, y, epochs=200, batch_size=2, optimizer=sgd)
        >>> [net.classes[k] for k in net.predict(x).argmax(axis=1)]
        ['no', 'yes']
        """
        if all(one is None for one in self._classes):
            return None
        return self._outputs.join([None if one is None else list(one) for one in self._classes])

    @classes.setter
    def classes(self, given: Any) -> None:
        of_outputs = zip(self._outputs.split_if(given, "classes"), self._outputs.units, strict=True)
        self._classes = [names.as_names(one, "classes", max(2, units)) for one, units in of_outputs]
        self._forget_kept()

    @property
    def output_activation(self) -> Any:
        """The activation of the last layer; the identity if it has none. For several outputs, a list or a dict."""
        kernels = self._output_activations()
        return self._outputs.join([Identity() if kernel is None else kernel.component for kernel in kernels])

    def _output_activations(self) -> list[ActivationKernel | None]:
        return [self._engine.activation_of(number) for number in range(len(self._outputs.values))]

    @property
    def regularizer(self) -> Any:
        """The penalty on the weights of layers without a regularizer of their own, or None.

        It can be changed between two trainings.

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
            self._forget_kept()

    @property
    def parameter_count(self) -> int:
        """The number of weights and biases. For dense layers: Σ (inputs + 1) * units."""
        return sum(layer.parameter_count for layer in self.layers)

    def predict(
        self, x: Any, *, out: Any = None, n_threads: int | None = None, check_finite: bool = True
    ) -> Any:
        """Compute the outputs for the rows of x.

        Parameters
        ----------
        x : array of shape (rows, inputs), or (inputs,) for a single row
            The inputs, as for `fit`.
        out : array of shape (rows, outputs), optional
            The array to write to: C-contiguous, of the network's dtype. It may overlap x, but not the weights.
        n_threads : int, optional
            By default `cynn.get_num_threads()`. The result does not depend on it.
        check_finite : bool
            Whether a NaN or an infinity in x is an error.

        Returns
        -------
        array of shape (rows, outputs), or (outputs,) for a single row
            `out` if it was given. For several outputs, both are lists or dicts.

        Examples
        --------
        >>> import cynn
        >>> net = cynn.Network.mlp([784, 16, 16, 10], output="softmax", seed=0)
        >>> net.predict(np.zeros((5, 784))).shape
        (5, 10)
        >>> net.predict(np.zeros(784)).shape
        (10,)
        """
        if n_threads is not None:
            threads.resolve(n_threads)
        if check_finite is not True and check_finite is not False:  # faster than a call, in a prediction of one row
            check_finite = check_switch(check_finite, "check_finite", "predict")
        predict_small_batch = self._predict_small_batch
        if predict_small_batch is not None:
            few = predict_small_batch(x, out, check_finite)
            if few is not None:
                return few
        outputs = self._outputs
        if out is None and not outputs.is_one:
            each = self._engine.values_of_small_batch(x, outputs.values, check_finite)
            if each is not None:
                return outputs.join(each)
        rows, single = self.as_rows_or_one(x)
        shapes = [(units,) if single else (len(rows), units) for units in outputs.units]
        if out is None:
            found = wanted = [np.empty(shape, self.dtype) for shape in shapes]
        else:
            wanted = outputs.split(out, "out")
            inputs.check_outs(wanted, shapes, self.dtype, self._engine.holds)
            # all of x must be read before any of it is overwritten
            found = [np.empty_like(one, subok=False) if inputs.overlap(one, rows) else one for one in wanted]
        self.forward(rows, outputs.values, found, n_threads, check_finite=check_finite)
        for array, result in zip(wanted, found, strict=True):
            if result is not array:
                array[...] = result
        return outputs.join(wanted)

    def activations(self, x: Any, *, n_threads: int | None = None) -> list[Array]:
        """Compute the activations of all neurons: the outputs of every layer.

        Parameters
        ----------
        x : array of shape (rows, inputs), or (inputs,) for a single row
            As for `predict`.
        n_threads : int, optional
            By default `cynn.get_num_threads()`.

        Returns
        -------
        list of arrays of shape (rows, units), or (units,)
            The scaled input, then the output of each layer.

        Examples
        --------
        >>> import cynn
        >>> net = cynn.Network.mlp([784, 16, 16, 10], output="softmax", seed=0)
        >>> [a.shape for a in net.activations(np.zeros(784))]
        [(784,), (16,), (16,), (10,)]
        """
        if n_threads is not None:
            threads.resolve(n_threads)
        few = self._engine.values_of_small_batch(x, self._values, True)
        if few is not None:
            return few
        rows, single = self.as_rows_or_one(x)
        widths = [self.input.units, *(layer.units or 0 for layer in self.layers)]
        outputs = [np.empty((len(rows), units), self.dtype) for units in widths]
        self.forward(rows, self._values, outputs, n_threads, check_finite=True)
        return [output[0] for output in outputs] if single else outputs

    def as_rows(self, x: Any, name: str, *, needs_scale: bool = True) -> Array:
        """Convert `x` to rows for the engine. The values are not checked.

        Parameters
        ----------
        x : array-like of shape (rows, inputs)
            User input.
        name : str
            Its name in messages.
        needs_scale : bool
            Whether it is an error if the scale of the input is not known yet.

        Returns
        -------
        array of shape (rows, inputs)
            `x` itself, if it needs no conversion.

        Raises
        ------
        InvalidParameterError
            The scale of the input is not known yet.
        """
        if needs_scale:
            self.input.require_scale()
        self._check_names(x, name)
        return inputs.as_rows(x, self.input.units, name, exactly=self.conversion.has_offset)

    def as_rows_or_one(self, x: Any) -> tuple[Array, bool]:
        """Convert rows for the engine like `as_rows`, or one row of shape (inputs,).

        Parameters
        ----------
        x : array-like of shape (rows, inputs) or (inputs,)
            User input.

        Returns
        -------
        rows : array of shape (rows, inputs)
            `x` itself, if it needs no conversion.
        is_single : bool
            Whether it is one row.
        """
        self.input.require_scale()
        self._check_names(x, "x")
        return inputs.as_rows_or_one(x, self.input.units, "x", exactly=self.conversion.has_offset)

    def _check_names(self, x: Any, name: str) -> None:
        if self._feature_names is not None:
            frames.check_names(x, self._feature_names, name)

    def remember_names(self, x: Any) -> None:
        """Take the feature names from the training data x, if the network has none yet.

        Parameters
        ----------
        x : array or DataFrame
            What `as_rows` has converted.
        """
        if self._feature_names is None:
            self._feature_names = frames.names_of(x)

    def check_rows(
        self, rows: Array, name: str, places: npt.NDArray[np.int64] | None = None, *, check_finite: bool
    ) -> None:
        """Raise a DataError that names the first value that the network cannot use.

        Parameters
        ----------
        rows : array of shape (rows, inputs)
            What `as_rows` returned.
        name : str
            Their name in messages.
        places : array, optional
            The rows to look at; all by default.
        check_finite : bool
            Whether a NaN or an infinity is an error. An invalid category always is.
        """
        conversion = self.conversion if self.input.rule is None else inputs.Conversion("float64")
        inputs.check_rows(rows, name, conversion, self._categories, places, check_finite=check_finite)

    def raise_unusable(
        self, rows: Array, name: str, places: npt.NDArray[np.int64] | None = None, *, check_finite: bool
    ) -> NoReturn:
        """Raise the DataError for rows in which the engine has found an invalid value.

        Parameters
        ----------
        rows : array of shape (rows, inputs)
            What `as_rows` returned.
        name : str
            Their name in messages.
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
        """Run the operations on rows, up to the last requested value.

        Parameters
        ----------
        rows : array of shape (rows, inputs)
            What `as_rows` returned.
        values : list of int
            The numbers of the requested values in the engine.
        outputs : list of array
            The arrays to which they are written.
        n_threads : int, optional
            By default `cynn.get_num_threads()`.
        name : str
            The name of the rows in messages.
        check_finite : bool
            Whether a NaN or an infinity in rows is an error. An invalid category always is.
        """
        if not self._engine.forward(rows, values, outputs, threads.resolve(n_threads), check_finite):
            self.raise_unusable(rows, name, check_finite=check_finite)

    def outputs_for_loss(
        self, objective: Objective, rows: Array, n_threads: int | None, name: str = "x"
    ) -> list[tuple[Array, ActivationKernel | None]]:
        """Compute the values from which the loss of each output is computed.

        Parameters
        ----------
        objective : Objective
            The losses.
        rows : array of shape (rows, inputs)
            What `as_rows` returned.
        n_threads : int or None
            None for `cynn.get_num_threads()`.
        name : str
            The name of the rows in messages.

        Returns
        -------
        list of (array of shape (rows, units), ActivationKernel or None)
            For each output, the predictions, or z if the loss is fused with the activation; and the activation.
        """
        activations, values = self._output_activations(), self.values_for_loss(objective)
        found = [np.empty((len(rows), units), self.dtype) for units in self._outputs.units]
        self.forward(rows, values, found, n_threads, name=name)
        return list(zip(found, activations, strict=True))

    def values_for_loss(self, objective: Objective) -> list[int]:
        """The engine's numbers of the values that the losses read, one per output.

        Parameters
        ----------
        objective : Objective
            The losses.

        Returns
        -------
        list of int
            The number of z if the loss is fused with the activation, otherwise that of the output.
        """
        return [
            value if activation is None or not kernel.fuses_behind(activation)
            else self._engine.operations[value - 1].inputs[0]
            for value, kernel, activation in zip(
                self._outputs.values, objective.kernels, self._output_activations(), strict=True
            )
        ]

    def penalty(self) -> float:
        """The penalty that regularizers add to the loss: l1 Σ|w| + l2 Σw² over the regularized weights."""
        total = 0.0
        for parameter, rule in self.penalized():
            w = parameter.astype(np.float64)
            total += rule.l1 * float(np.abs(w).sum(dtype=np.float64))
            total += rule.l2 * float(np.square(w, dtype=np.float64).sum())
        return total

    def penalized(self) -> list[tuple[Array, Any]]:
        """The regularized weights, each with the rule that has its `l1` and `l2`."""
        return [
            (parameter, rule)
            for operation in self._engine.operations if operation.trainable
            for parameter, rule in zip(operation.parameters, operation.rules, strict=False)
            if parameter is not None and (rule.l1 or rule.l2)
        ]

    def objective(self, loss: Any, loss_weights: Any = None) -> Objective:
        """Make the losses of the outputs; by default, those that fit the last layers.

        Parameters
        ----------
        loss : str, Loss, dict, list or None
            As for `fit`.
        loss_weights : list or dict of float, optional
            As for `fit`.

        Returns
        -------
        Objective
            The losses, in the network's dtype.
        """
        plans, given = self._plans, (loss, loss_weights)
        if plans.objective is not None and are_given_again(given, plans.objective[0]):
            found: Objective = plans.objective[1]
            return found
        made = Objective(self._outputs, self._output_activations(), self.dtype, loss, loss_weights, self._classes)
        plans.keep_objective((given, made))
        return made

    def get_weights(self) -> list[Array]:
        """Copies of all arrays that training changes, layer by layer: weights, biases, moving averages.

        Examples
        --------
        >>> import cynn
        >>> net = cynn.Network.mlp([784, 16, 10])
        >>> [array.shape for array in net.get_weights()]
        [(784, 16), (16,), (16, 10), (10,)]
        """
        with self._weights_lock.turn():
            return [array.copy() for _, array in layers.arrays(self.layers)]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Set all arrays that training changes, in the order of `get_weights`.

        Parameters
        ----------
        weights : list of array
            Arrays with the shapes of those from `get_weights`.

        Raises
        ------
        ShapeError
            The number of arrays or a shape is different. No weight is changed.
        BusyError
            Another thread is training the network.

        Examples
        --------
        >>> import cynn
        >>> net = cynn.Network.mlp([2, 1], seed=0)
        >>> other = cynn.Network.mlp([2, 1], seed=1)
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
            (array, layers.as_values(value, array, f"array {name}"))  # copies: they may be views of these weights
            for (name, array), value in zip(own, given, strict=True)
        ]
        with self._weights_lock.turn_to_set("set_weights"):
            for array, values in pairs:
                array[...] = values

    def get_config(self) -> dict[str, Any]:
        """The configuration: seed, dtype and layers, without weights. `from_config` makes an equal network from it."""
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
        for name in ("compute", "feature_names", "classes"):
            if getattr(self, name) is not None:
                config[name] = getattr(self, name)
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make a network from its configuration, with initial weights.

        Parameters
        ----------
        config : dict
            What `get_config` returned.

        Returns
        -------
        Network
            A network with initial weights.
        """
        return cls(
            layers.of_network(config),
            seed=config["seed"],
            dtype=config["dtype"],
            compute=config.get("compute"),
            regularizer=config.get("regularizer"),
            sources=config.get("sources"),
            outputs=config.get("outputs"),
            feature_names=config.get("feature_names"),
            classes=config.get("classes"),
        )

    def __repr__(self) -> str:
        described = ", ".join(map(repr, [self.input, *self.layers]))
        compute = "" if self.compute is None else f", compute={self.compute!r}"
        return f"{type(self).__name__}([{described}], seed={self.seed}, dtype={self.dtype!r}{compute})"


def _check_compute(compute: Any, dtype: str) -> str | None:
    """Validate the `compute` of a network of that dtype: the processor must have what it asks for."""
    if compute is None:
        return None
    if not isinstance(compute, str) or compute != "bfloat16":
        raise not_allowed("compute", "Network", "'bfloat16' or None", compute)
    if dtype != "float32":
        raise InvalidParameterError(
            f"The dtype of a network with compute='bfloat16' must be 'float32'. Got {dtype!r} instead."
        )
    from cynn.kernels import bfloat16

    if not bfloat16.IS_AVAILABLE:
        raise InvalidParameterError(
            "compute='bfloat16' must be left out on this machine, whose processor has no AMX, or whose system "
            "does not allow it. The same network computes in float32 without it."
        )
    return "bfloat16"
