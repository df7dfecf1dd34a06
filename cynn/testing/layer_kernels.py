"""Checks of the functions of a layer's operations, called in all ways in which the engine may call them."""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from cynn.testing import abi, differences
from cynn.testing.layer_calls import PREDICTION, TRAINING, Built, LayerCalls
from cynn.testing.memory import Array, Canaries, first_difference
from cynn.testing.report import Failure, Skipped
from cynn.testing.words import apart, require_close

if TYPE_CHECKING:
    from cynn.testing.layers import LayerChecks

__all__ = [
    "aliasing", "any_pieces", "flags", "linear_in_grad", "linear_step", "many_rows", "random_numbers", "reads",
    "repeated", "row_weights", "unwanted", "wide_rows",
]  # fmt: skip

SHAPES = [(1, 1), (3, 5), (7, 33), (5, 130)]
LARGE = [(1031, 129), (3, 1031), (70, 1), (4096, 3), (2, 4096)]
DISTINCT = 31

Found = dict[str, Array]


def _largest(*arrays: Array) -> float:
    found = [np.abs(each[np.isfinite(each)]).max(initial=0) for each in arrays]
    return float(max(found, default=0.0))


def _require_same(got: Found, expected: Found, dtype: str, what: str, *, ulps: float = 256) -> None:
    for name, values in expected.items():
        require_close(got[name], values, dtype, f"{name} {what}", scale=_largest(values) or 1, ulps=ulps)


def _require_bits(got: Found, expected: Found, what: str) -> None:
    for name, values in expected.items():
        place = first_difference(values, got[name])
        if place is not None:
            first, second = apart(values.ravel()[place], got[name].ravel()[place])
            raise Failure(f"{name} {what}. Element {place} was {first}, then {second}")


def _whole(calls: LayerCalls, sample: dict[str, Any]) -> Built:
    return calls.built([each.shape[1] for each in sample["x"]])


def _draws(built: Built) -> bool:
    return any(operation.number for operation in built.operations)


def reads(checks: LayerChecks) -> str:
    """Memory around the arrays, and arrays that have not been written, do not affect the result."""
    checks.require_compiled("Python methods get no memory but their arrays")
    n = 0
    for dtype, (rows, columns) in itertools.product(checks.dtypes, SHAPES):
        turns = [checks.calls(dtype, manner=Canaries(turn)) for turn in (0, 1)]
        for what, sample in checks.samples(turns[0], rows, columns):
            first, second = (calls.results(sample) for calls in turns)
            _require_bits(
                second, first,
                f"must follow from the arrays alone{what and f' ({what})'}. It changes with what lies around them, or "
                "was in those that it has to write",
            )  # fmt: skip
            n += 1
    return f"{n} passes, with two contents of what is around and undefined"


def repeated(checks: LayerChecks) -> str:
    """The same bits in repeated calls, with others in between."""
    for dtype in checks.dtypes:
        calls = checks.calls(dtype)
        for what, sample in checks.samples(calls, 9, 6):
            before = calls.results(sample)
            for _ in range(2):
                for _, other in checks.samples(calls, 9, 6):
                    calls.results(other)
                after = calls.results(sample)
                again = "must be the same bits, whatever was called in between: is something remembered? In "
                _require_bits(after, before, again + dtype + (what and f", {what}"))
    return "the same bits in repeated calls, with others in between"


def any_pieces(checks: LayerChecks) -> str:
    """Rows of the batch, rows of a parameter and columns may be split into any pieces."""
    checks.require_compiled("methods in Python get whole batches")
    n = 0
    for dtype, (rows, columns) in itertools.product(checks.dtypes, [(9, 6), (40, 33), (70, 1)]):
        calls = checks.calls(dtype)
        for what, sample in checks.samples(calls, rows, columns):
            whole = calls.results(sample)
            each = [(i, i + 1) for i in range(rows)][::-1]
            half = rows // 2
            for pieces in [[(0, 1), (1, 4), (4, rows)], [(half, rows), (0, half), (1, 1), (rows, rows)], each]:
                got = calls.results(sample, rows=pieces, one_by_one=pieces is each)
                said = ", ".join(f"{begin}..{end}" for begin, end in pieces[:4])
                _require_same(
                    got, whole, dtype,
                    f"must not depend on the pieces that rows, or rows of a parameter, come in"
                    f"{what and f' ({what})'}: in {said}, ... it differs from all at once",
                )  # fmt: skip
                n += 1
    return f"{n} passes in pieces"


def wide_rows(checks: LayerChecks) -> str:
    """All gradients of a pass against finite differences of Σ v a, along all columns and along the last ones."""
    checks.require_float64()
    calls, n = checks.calls("float64"), 0
    for rows, columns in [(3, 5), (3, 130), (2, 1031)]:
        for _, sample in checks.training_samples(calls, rows, columns):
            whole = _whole(calls, sample)
            found = calls.results(sample)
            parameters = dict(whole.layer.arrays())
            inputs = {f"∂C/∂x[{j}]" if len(sample["x"]) > 1 else "∂C/∂x": x for j, x in enumerate(sample["x"])}
            given = inputs | {f"∂C/∂{name}": each for name, each in parameters.items()}
            for name, array in given.items():
                if name not in found:
                    continue
                for behind in (0, array.shape[-1] // 2, array.shape[-1] - 3):
                    unit = checks.random.normal(size=array.shape)
                    unit[..., : max(0, behind)] = 0
                    expected, doubt = differences.along(
                        lambda: float((sample["v"] * calls.results(sample, forward_alone=True)["a"]).sum()),  # noqa: B023  # called at once
                        array, unit,
                    )  # fmt: skip
                    got = float((found[name] * unit).sum())
                    if not abs(got - expected) <= 1e-5 * max(1.0, abs(expected)) + 4 * doubt:
                        first, second = apart(expected, got)
                        raise Failure(
                            f"{name} of {rows} x {columns} must be {first}, by differences along columns "
                            f"{max(0, behind)} and behind. Got {second}"
                        )
                    n += 1
    return f"{n} derivatives of passes against differences"


def linear_in_grad(checks: LayerChecks) -> str:
    """Gradients are linear in the gradient of the output."""
    for dtype in checks.dtypes:
        calls = checks.calls(dtype)
        for _, sample in checks.training_samples(calls, 9, 6):
            v = calls.cast(sample["v"])
            once = {name: values for name, values in calls.results(sample).items() if name.startswith("∂C/∂")}
            for factor in (1e8, 1e-8, -1.0, 0.0):
                got = calls.results({**sample, "v": v * factor})
                for name, values in once.items():
                    expected = values * calls.cast(factor)
                    require_close(
                        got[name], expected, dtype,
                        f"{name} must be linear in the gradient of the output: {factor:g} times as much of it makes "
                        f"{factor:g} times as much",
                        scale=_largest(expected),
                    )  # fmt: skip
    return "gradients times 1e8, 1e-8, -1 and 0"


def linear_step(checks: LayerChecks) -> str:
    """The linear step moves a parameter by its gradient."""
    checks.require_compiled("methods in Python have none")
    n = 0
    for dtype, (rows, columns) in itertools.product(checks.dtypes, [(9, 6), (1031, 33)]):
        calls = checks.calls(dtype)
        for _, sample in checks.training_samples(calls, rows, columns):
            found = calls.results(sample)
            arrays = dict(_whole(calls, sample).layer.arrays())
            for name in [each for each in found if each.startswith("0.7 ")]:
                parameter = name.partition(" - ")[0].removeprefix("0.7 ")
                gradient = found[f"∂C/∂{parameter}"]
                expected = 0.7 * arrays[parameter] - 0.3 * gradient
                require_close(
                    found[name], expected.astype(dtype), dtype,
                    f"linear_step must make {name} of the parameter, as gradient has it",
                    scale=_largest(gradient, expected),
                )  # fmt: skip
                n += 1
    if not n:
        raise Skipped("it has no linear_step")
    return f"{n} steps are those by gradient"


def aliasing(checks: LayerChecks) -> str:
    """Where a flag allows aliasing, it does not affect the result."""
    checks.require_compiled("Python methods get arrays that are apart")
    flags = 0
    for dtype, (rows, columns) in itertools.product(checks.dtypes, [(9, 6), (70, 65)]):
        calls = checks.calls(dtype)
        for what, sample in checks.samples(calls, rows, columns):
            for operation in _whole(calls, sample).operations:
                flags |= abi.struct_in(operation.kernel.capsule, "layer").flags
            apart_, shared = calls.results(sample), calls.results(sample, in_place=True)
            text = f"must be the same where out is x[0], or dx[0] is delta{what and f' ({what})'}"
            _require_same(shared, apart_, dtype, text, ulps=4)
    if not flags & (abi.IN_PLACE | abi.GRADIENT_IN_PLACE):
        raise Skipped("it declares neither CYNN_IN_PLACE nor CYNN_GRADIENT_IN_PLACE")
    return "the same results in place"


def unwanted(checks: LayerChecks) -> str:
    """If the gradient of an input is not requested (NULL), the other gradients are the same."""
    checks.require_compiled("methods in Python return all")
    n = 0
    for dtype in checks.dtypes:
        calls = checks.calls(dtype)
        for _, sample in checks.training_samples(calls, 9, 6):
            whole = calls.results(sample)
            for j in range(len(sample["x"])):
                got = calls.results(sample, unwanted=j)
                missing = f"∂C/∂x[{j}]" if len(sample["x"]) > 1 else "∂C/∂x"
                kept = {name: values for name, values in whole.items() if name != missing}
                _require_same(got, kept, dtype, f"must be the same where nobody wants {missing}, and dx[{j}] is NULL")
                n += 1
    return f"{n} passes without the gradient of an input"


def row_weights(checks: LayerChecks) -> str:
    """A row of weight w has the effect of w copies, and the order of rows has none."""
    n = 0
    for dtype in checks.dtypes:
        calls = checks.calls(dtype)
        for _, sample in checks.training_samples(calls, 9, 6):
            if _draws(_whole(calls, sample)):
                raise Skipped("it draws random numbers, which each row has of its own")
            rows = len(sample["v"])
            order = checks.random.permutation(rows)
            _require_rows(
                calls, sample, calls.results(sample), order, np.ones(rows),
                "must follow each row, in whatever order they are",
            )  # fmt: skip
            weights = 1.0 + np.arange(rows) % 3
            moment = dataclasses.replace(TRAINING, row_weight=tuple(weights))
            weighted = calls.results({**sample, "moment": moment, "v": sample["v"] * weights[:, None]})
            which = np.repeat(np.arange(rows), weights.astype(int))
            text = "must be as with so many copies of each row as row_weight says"
            _require_rows(calls, sample, weighted, which, weights, text)
            n += 1
    return f"{n} batches of weighted rows, and in another order"


def _require_rows(
    calls: LayerCalls, sample: dict[str, Any], found: Found, which: Array, weights: Array, text: str
) -> None:
    """The results are those that the rows `which` give separately, each with its share."""
    got = calls.results({"x": [each[which] for each in sample["x"]], "v": sample["v"][which]})
    for name, values in found.items():
        if name == "a":
            values = values[which]
        elif name.startswith("∂C/∂x"):
            values = values[which] / weights[which][:, None]
        require_close(got[name], values, calls.dtype, f"{name} {text}", scale=_largest(values) or 1, ulps=4096)


def many_rows(checks: LayerChecks) -> str:
    """Large numbers of rows and columns: each row has the same result as alone, and gradients are sums over rows."""
    done = []
    for (rows, columns), dtype in itertools.product(LARGE, checks.dtypes):
        calls = checks.calls(dtype)
        for _, sample in checks.training_samples(calls, min(rows, DISTINCT), columns):
            whole = _whole(calls, sample)
            if _draws(whole) or any(operation.column_piece for operation in whole.operations):
                raise Skipped("a row is not what it is alone: it needs the whole batch, or draws random numbers")
            n = len(sample["v"])
            alone = [
                calls.results({"x": [each[i : i + 1] for each in sample["x"]], "v": sample["v"][i : i + 1]})
                for i in range(n)
            ]
            which = np.arange(rows) % n
            shape = f"{rows} x {sample['x'][0].shape[1]}"
            got = calls.results({"x": [each[which] for each in sample["x"]], "v": sample["v"][which]})
            for name in alone[0]:
                each = np.stack([one[name] for one in alone])
                of_rows = name == "a" or name.startswith("∂C/∂x")
                if not of_rows and not name.startswith("∂C/∂"):
                    continue
                counts = np.bincount(which, minlength=n).reshape(-1, *[1] * (each.ndim - 1))
                expected = each[which, 0] if of_rows else (each.astype(np.float64) * counts).sum(axis=0)
                scale = _largest(each if of_rows else (np.abs(each) * counts).sum(axis=0))
                law = "each row must be as it is alone" if of_rows else "it must be the sum over rows"
                require_close(
                    got[name], expected.astype(dtype), dtype, f"{name} of {shape}: {law}", scale=scale or 1,
                    ulps=1024,
                )  # fmt: skip
            done.append(shape)
    return "; ".join(dict.fromkeys(done))


def random_numbers(checks: LayerChecks) -> str:
    """Random numbers depend on the seed, the epoch, the step and the index of the operation."""
    checks.require_compiled("methods in Python are not told the seed")
    changes = {"seed": 8, "epoch": 1, "step": 1, "number": 1}
    for dtype in checks.dtypes:
        calls = checks.calls(dtype)
        for _, sample in checks.training_samples(calls, 40, 6):
            declared = _draws(_whole(calls, sample))
            training = calls.results(sample)["a"]
            for name, value in changes.items():
                moment = dataclasses.replace(TRAINING, **{name: getattr(TRAINING, name) + value})
                same = first_difference(calls.results({**sample, "moment": moment})["a"], training) is None
                if declared and same:
                    raise Failure(
                        f"random numbers must be others with another {name} of the pass. Got the same bits in {dtype}"
                    )
                if not declared and not same:
                    raise Failure(
                        f"an operation whose output changes with the {name} of the pass must be declared by "
                        "builder.add(..., draws=True): otherwise two such layers draw the same"
                    )
            first = calls.results({**sample, "moment": PREDICTION})["a"]
            for value in (1, 2):
                moment = dataclasses.replace(PREDICTION, number=value)
                if first_difference(calls.results({**sample, "moment": moment})["a"], first) is not None:
                    raise Failure("a prediction must not draw random numbers. It changes with the operation's number")
    if not declared:
        raise Skipped("it draws none")
    return "others with each of seed, epoch, step and number; none in a prediction"


def flags(checks: LayerChecks) -> str:
    """Promises of the flags: non-finite rows stay non-finite, and predictions return x unchanged."""
    checks.require_compiled("Python methods have no flags")
    n = 0
    for dtype in checks.dtypes:
        calls = checks.calls(dtype)
        for _, sample in checks.training_samples(calls, 5, 6):
            whole = _whole(calls, sample)
            if len(whole.operations) != 1 or whole.categories:
                raise Skipped("it is made of several operations, or takes categories")
            declared = abi.struct_in(whole.operations[0].kernel.capsule, "layer").flags
            if declared & abi.ONLY_TRAINING:
                prediction = calls.results({**sample, "moment": PREDICTION})["a"]
                if first_difference(prediction, calls.cast(sample["x"][0])) is not None:
                    raise Failure("out must be x[0] in a prediction, as CYNN_ONLY_TRAINING says. They differ")
                n += 1
            if declared & abi.PROPAGATES_NONFINITE:
                for value, column in itertools.product((np.nan, np.inf, -np.inf), range(6)):
                    x = [each.copy() for each in sample["x"]]
                    x[0][2, column] = value
                    a = calls.results({**sample, "x": x, "moment": PREDICTION})["a"]
                    if np.isfinite(a[2]).all():
                        raise Failure(
                            f"with {value} at (2, {column}) the row of out must not be finite, as "
                            f"CYNN_PROPAGATES_NONFINITE says. Got {a[2].tolist()}"
                        )
                    n += 1
    if not n:
        raise Skipped("it declares neither CYNN_PROPAGATES_NONFINITE nor CYNN_ONLY_TRAINING")
    return f"{n} promises kept"
