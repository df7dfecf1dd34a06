"""Checks of a layer: inside networks, and of the functions of its operations."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy as np

from cynn import registry
from cynn.errors import CynnError, InvalidParameterError
from cynn.layers import Layer
from cynn.testing import abi, directional, layer_kernels, precision
from cynn.testing.checks import NamedCheck, Sample
from cynn.testing.exports import same_as_c_source, same_as_onnx_nodes
from cynn.testing.layer_calls import PREDICTION, LayerCalls
from cynn.testing.layer_networks import InNetworks
from cynn.testing.memory import Array, Shifted
from cynn.testing.operation_calls import TANGENTS, Recorded
from cynn.testing.precision import Movement
from cynn.testing.report import Failure, Report, Skipped
from cynn.testing.tangent_calls import DirectedCalls
from cynn.testing.words import apart

__all__ = ["LayerChecks", "check_layer"]

MAX_NUMBERS = 1 << 17  # the largest total size of outputs and parameters
#: The arrays of an operation, in the order in which an out-of-bounds access is searched for.
_ARRAYS = [
    *(f"{name}[{i}]" for name in ("x", "dx", "saved", "parameters", "states", *TANGENTS) for i in range(8)),
    "out", "delta", "tangents.out", "tangents.delta", "grad", "scratch", "h", "activation_h", "widths",
    "parameter_rows", "parameter_columns", "row_weight",
    *(f"the addresses of {name}" for name in ("x", "dx", "parameters", "states", "saved", *TANGENTS)),
]  # fmt: skip


def check_layer(layer: Any, *, raise_on_failure: bool = True, seed: int = 0) -> Report:
    """Check that a layer follows the rules of `cynn/abi.h`, and that its derivatives are correct.

    The layer is used in networks: behind trainable layers, so that its inputs have gradients, and in front of a linear
    loss. Training steps then show all of its gradients. The functions of its operations are also called one by one, in
    guarded memory, on various pieces of a batch.

    A class may have a `reference(x, arrays)` in NumPy, which returns the output of a prediction from x and the layer's
    arrays by name, and a `reference_states(x, arrays)`, which returns its states after a batch. The results must agree.

    Parameters
    ----------
    layer : str, class or Layer
        A name, a class or an instance. If it accepts any number of inputs, it gets two.
    raise_on_failure : bool
        Whether a failed check raises an error. If False, the report contains the failure.
    seed : int
        The seed of the random inputs. Failures report it.

    Returns
    -------
    Report
        The results. Its `str` is a table of the checks with their evidence.

    Raises
    ------
    ConformanceError
        A check failed. The message is the table.
    InvalidParameterError
        A class was given that cannot be created without arguments.

    Examples
    --------
    >>> import cynn
    >>> from cynn.testing import check_layer
    >>> check_layer(cynn.PReLU()).passed
    True
    """
    return LayerChecks.report_on(_instance(layer), raise_on_failure=raise_on_failure, seed=seed)


def _instance(layer: Any) -> Any:
    made = registry.of_kind("layer").find(layer) if isinstance(layer, str) else layer
    if not isinstance(made, type) or not issubclass(made, Layer):
        return made
    try:
        return made()
    except (CynnError, TypeError) as error:
        raise InvalidParameterError(
            f"A layer that needs arguments must be given as an instance, as in check_layer({made.__name__}(...)). "
            f"Got the class instead ({error})."
        ) from None


class LayerChecks(InNetworks):
    """The checks of a layer: inside networks, and of the functions of its operations."""

    calls_of = DirectedCalls
    array_names: ClassVar[list[str]] = _ARRAYS

    def first_checks(self) -> list[NamedCheck]:
        return [("in a network", self.builds)]

    def all_checks(self) -> list[NamedCheck]:
        named: dict[str, Callable[[LayerChecks], str]] = {
            "reads only its arguments": layer_kernels.reads,
            "any pieces": layer_kernels.any_pieces,
            "aliasing as declared": layer_kernels.aliasing,
            "an input without a gradient": layer_kernels.unwanted,
            "deterministic calls": layer_kernels.repeated,
            "backward linear in its gradient": layer_kernels.linear_in_grad,
            "linear step as declared": layer_kernels.linear_step,
            "weights and order of rows": layer_kernels.row_weights,
            "many rows": layer_kernels.many_rows,
            "random numbers": layer_kernels.random_numbers,
            "flags": layer_kernels.flags,
            "gradient": LayerChecks.gradient,
            "gradient of wide rows": layer_kernels.wide_rows,
            "directional derivatives": directional.of_layer,
            "learning-rate factor": LayerChecks.factors,
            "float64 in full": precision.in_full,
            "as its reference": LayerChecks.as_reference,
            "float32 against float64": LayerChecks.float32,
            "rows independent of the batch": LayerChecks.batch,
            "large and odd shapes": LayerChecks.large_shapes,
            "NaN let through": LayerChecks.not_finite,
            "deterministic": LayerChecks.deterministic,
            "any number of threads": LayerChecks.threads,
            "saved and restored in the middle": LayerChecks.restored,
            "c_source": same_as_c_source,
            "onnx_nodes": same_as_onnx_nodes,
        }
        return [
            *self.memory_checks(),
            *((name, functools.partial(check, self)) for name, check in named.items()),
            ("re-entrant", self.reentrant),
            *self.watched(),
        ]

    def class_checks(self) -> list[NamedCheck]:
        return [("docstring", self.docstring), ("get_config round trip", self.round_trip)]

    # ------------------------------------------------------------------------------------ functions

    def samples(self, calls: LayerCalls, rows: int, columns: int) -> Iterator[tuple[str, Sample]]:
        for _, sample in self.training_samples(calls, rows, columns):
            yield "", sample
            yield "in a prediction", {**sample, "moment": PREDICTION}

    def training_samples(self, calls: LayerCalls, rows: int, columns: int) -> Iterator[tuple[str, Sample]]:
        """Inputs of this shape, or with fewer columns if the layer does not accept them or would become too large."""
        for n in (columns, 129, 33):
            widths = self.widths_near(n) if n <= columns else None
            if widths is not None and (made := calls.built(widths)).size(rows) <= MAX_NUMBERS:
                break
        else:
            widths = self.widths
            made = calls.built(widths)
        x = [self.random.normal(size=(rows, n)) for n in widths]
        for column, count in made.categories.items():
            x[0][:, column] = self.random.integers(0, count, rows)
        yield "", {"x": x, "v": self.random.normal(size=(rows, made.units))}

    def movements(self, component: Any) -> Iterator[Movement]:
        calls = self.calls("float64", component)
        for _, sample in self.training_samples(calls, 9, 6):
            made = calls.built([each.shape[1] for each in sample["x"]])
            for j, x in enumerate(sample["x"]):
                if not made.categories:
                    unit = self.random.uniform(0.5, 1, x.shape)

                    def of_x(t: float, j: int = j, unit: Array = unit, sample: Sample = sample) -> dict[str, Array]:
                        moved = [each + t * unit if i == j else each for i, each in enumerate(sample["x"])]
                        return calls.results({**sample, "x": moved})

                    yield Movement("an input", of_x)
            unit = self.random.uniform(0.5, 1, sample["v"].shape)
            yield Movement(
                "the gradient of the output",
                lambda t, unit=unit, sample=sample: calls.results({**sample, "v": sample["v"] + t * unit}),  # type: ignore[misc]  # bound
            )
            yield from self._movements_within(calls, made, sample)

    def _movements_within(self, calls: LayerCalls, made: Any, sample: Sample) -> Iterator[Movement]:
        """The checks of parameters and hyperparameters."""
        for operation in made.operations:
            for array in [each for each in operation.parameters if each is not None]:
                unit = self.random.uniform(0.5, 1, array.shape)

                def of_parameter(t: float, array: Array = array, unit: Array = unit) -> dict[str, Array]:
                    before = array.copy()
                    array[...] = before + t * unit
                    found = calls.results(sample)
                    array[...] = before
                    return found

                yield Movement(f"the parameter {made.name_of(array)}", of_parameter)
            for i, value in enumerate(operation.hyperparameters):
                if value.is_integer():  # it may be a count
                    continue

                def of_h(t: float, i: int = i, value: float = value, own: Any = operation) -> dict[str, Array]:
                    own.hyperparameters[i] = value + t * (abs(value) or 1)
                    found = calls.results(sample)
                    own.hyperparameters[i] = value
                    return found

                yield Movement(f"hyperparameter {i}", of_h)

    def functions(self) -> dict[str, int]:
        made = self.calls(self.best_dtype).built([self.inputs] * self.n_inputs)
        return {
            f"{name} of operation {i}": address
            for i, operation in enumerate(made.operations)
            for name, address in abi.functions_in(abi.struct_in(operation.kernel.capsule, "layer")).items()
        }

    def call_with_data(self, calls: LayerCalls) -> Callable[[], list[Array]]:
        records: list[Recorded] | None = [] if calls.compiled else None
        own = LayerCalls(self.component, calls.dtype, manner=Shifted(0), records=records)
        _, sample = next(iter(self.training_samples(own, 64, 33)))
        own.results(sample)
        if records is None:
            return lambda: list(own.results(sample).values())
        return lambda: [array for each in records for array in each.repeat()]

    def as_reference(self) -> str:
        """Predictions and states after a batch against the class's reference in NumPy."""
        reference, of_states = (getattr(self.component, key, None) for key in ("reference", "reference_states"))
        if reference is None and of_states is None:
            raise Skipped("the class has no reference")
        n = 0
        for dtype, (rows, columns) in itertools.product(self.dtypes, [(7, 5), (40, 33)]):
            calls = self.calls(dtype)
            for _, sample in self.training_samples(calls, rows, columns):
                made = calls.built([each.shape[1] for each in sample["x"]])
                arrays = {name: array.astype(np.float64) for name, array in made.layer.arrays()}
                x = [calls.cast(each).astype(np.float64) for each in sample["x"]]
                given = x[0] if self.component.n_inputs == 1 else x
                expected = {} if of_states is None else of_states(given, arrays)
                found = calls.results(sample)
                if reference is not None:
                    expected = {**expected, "a": reference(given, arrays)}
                    found |= calls.results({**sample, "moment": PREDICTION})
                for name, values in expected.items():
                    tolerance = 1e-9 if dtype == "float64" else 2e-4
                    bad = ~(np.abs(found[name] - values) <= tolerance * (1 + np.abs(values).max()))
                    if bad.any():
                        i = tuple(map(int, np.argwhere(bad)[0]))
                        first, second = apart(np.asarray(values)[i], found[name][i])
                        raise Failure(f"{name} must be what the reference gives, {first} at {i}. Got {second}")
                    n += bad.size
        return f"{n} numbers"

    def docstring(self) -> str:
        doc = (vars(type(self.component)).get("__doc__") or "").strip()
        if not doc:
            name = type(self.component).__name__
            raise Failure(f"{name} must have a docstring that starts with its formula. It has none.")
        return doc.splitlines()[0]

    def round_trip(self) -> str:
        config = self.component.get_config()
        other = type(self.component).from_config(config)
        if other.get_config() != config:
            raise Failure(f"from_config({config}) must give an equal one. Got {other.get_config()} instead.")
        return str(config)
