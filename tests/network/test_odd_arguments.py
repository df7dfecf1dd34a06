"""Calls with odd arguments: each works, or is refused by an error of CyNN, and what is refused changes nothing."""

from __future__ import annotations

import contextlib
import functools
import inspect
import io
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import public_names
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cynn
from cynn.errors import CynnError
from cynn.training.diagnosis import Diagnosis

X = np.linspace(-1, 1, 24).reshape(12, 2)
Y = np.arange(12) % 3


class Hostile:
    """What raises, whatever is asked of it."""

    def __float__(self) -> float:
        raise RuntimeError("no number")

    def __index__(self) -> int:
        raise RuntimeError("no index")

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError("no array")

    def __bool__(self) -> bool:
        raise RuntimeError("neither true nor false")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("not to be compared")

    __hash__ = object.__hash__


class Sparse:
    """As scipy.sparse has them."""

    shape = (12, 2)

    def toarray(self) -> Any:
        return X


#: Functions that make a value, since a generator can be gone through once.
ODD: dict[str, Callable[[], Any]] = {
    repr(value)[:30]: functools.partial(lambda value: value, value)
    for value in [
        None, True, False, 0, 1, -1, 3, 2**31, 2**40, 2**63, 2**70, 0.5, 2.0, -0.0, float("nan"), float("inf"), 1e300,
        1e-320, 1j, "", "x", "relu", "mse", "sgd", "2", b"x", (), [], [1], [None], ["x"], [[1, 2], [3]], [[]], {},
        {"a": 1}, {"name": 3}, {"name": "x"}, {"name": None}, {"name": "relu", "x": 1}, {1: 2}, {0: -1}, {"x"},
        OrderedDict(a=1), range(3), slice(2), ..., NotImplemented, int, object, np.float32, Decimal("0.1"),
        Fraction(1, 3), Path("x"), np.int64(3), np.float32(0.1), np.float64(2), np.bool_(True), np.str_("relu"),
        np.datetime64("2020-01-01"), np.timedelta64(3), np.complex64(1j),
    ]
} | {
    "huge": lambda: 10**5000,
    "lambda": lambda: lambda *_: None,
    "identity": lambda: lambda x, *_: x,
    "raising": lambda: lambda *_: 1 / 0,
    "generator": lambda: (row for row in X),
    "empty generator": lambda: iter(()),
    "hostile": Hostile,
    "sparse": Sparse,
    "0-d": lambda: np.array(3),
    "1-d": lambda: np.array([1, 0]),
    "one number": lambda: np.array([0.5]),
    "no rows": lambda: np.zeros((0, 2)),
    "no columns": lambda: np.zeros((12, 0)),
    "3-d": lambda: np.zeros((12, 2, 1)),
    "matrix": lambda: X.view(np.matrix),
    "masked": lambda: np.ma.masked_array(X, X > 0),
    "masked rows": lambda: np.ma.masked_array(Y, Y > 1),
    "unmasked": lambda: np.ma.masked_array(X),
    "datetimes": lambda: np.zeros((12, 2), "datetime64[s]"),
    "complex": lambda: X.astype(complex),
    "strings": lambda: X.astype(str),
    "objects": lambda: X.astype(object),
    "structured": lambda: np.zeros(12, [("a", float), ("b", int)]),
    "int64": lambda: (X * 2**60).astype(np.int64),
    "float16": lambda: X.astype(np.float16),
    "longdouble": lambda: X.astype(np.longdouble) * np.longdouble("1e4000"),
    "big-endian": lambda: X.astype(">f8"),
    "bools": lambda: X > 0,
    "labels": lambda: Y,
    "labels in floats": lambda: Y.astype(float),
    "too large": lambda: np.full((12, 2), 1e300),
    "all nan": lambda: np.full((12, 2), np.nan),
    "layer": lambda: cynn.Dense(2),
    "activation": lambda: cynn.activations.ReLU(),
    "optimizer": lambda: cynn.optimizers.SGD(0.1),
    "callback": lambda: cynn.callbacks.Timer(),
    "class": lambda: cynn.activations.ReLU,
    "network": lambda: network(),
}


#: What can be called, and then raises: what a metric, a transform, a schedule or an order raises is the caller's own.
ODD_FUNCTIONS = [f"{call}={name}" for call in ("metrics", "transform", "learning_rate", "shuffle") for name in (
    "raising", "<class 'int'>", "<class 'object'>", "<class 'numpy.float32'>", "activation"
)]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    yield
    cynn.set_num_threads(None)


def network() -> cynn.Network:
    return cynn.Network.mlp([2, 3, 3], activation="tanh", output="softmax", seed=0)


def state(net: cynn.Network) -> list[bytes]:
    return [array.tobytes() for array in net.get_weights()] + [str(net.epochs_trained).encode()]


def fault(call: Callable[[], Any], shown: str) -> str | None:
    """"" where a call goes well, None where it is refused as it should; else what is wrong."""
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            call()
        except CynnError as error:
            return None if str(error) else f"{shown}: an error without words"
        except Exception as error:
            is_of_odd_function = any(function in shown for function in ODD_FUNCTIONS)
            if is_of_odd_function and isinstance(error, (ZeroDivisionError, TypeError)):
                return ""  # it is that of the caller's own function
            return f"{shown}: {type(error).__name__}: {error}"
    return ""


#: Of methods, what is given beside the odd argument.
USUAL: dict[str, dict[str, Any]] = {
    "predict": {"x": X},
    "activations": {"x": X},
    "evaluate": {"x": X, "y": Y},
    "fit": {"x": X, "y": Y, "epochs": 1, "progress": False},
    "train_batch": {"x": X, "y": Y},
    "gradients": {"x": X, "y": Y},
    "diagnose": {"x": X, "y": Y},
    "update_moving_averages": {"x": X},
    "set_weights": {"weights": network().get_weights()},
}
#: What would go on for ever, rightly.
ENDLESS = {("epochs", value) for value in ("2147483648", "1099511627776")}
CASES = [
    (method, parameter)
    for method in USUAL
    for parameter in inspect.signature(getattr(cynn.Network, method)).parameters
    if parameter != "self"
]


@pytest.mark.parametrize(("method", "parameter"), CASES)
def test_methods_of_a_network(method: str, parameter: str) -> None:
    net, faults = network(), []
    for name, value in ODD.items():
        if (parameter, name) in ENDLESS:
            continue
        before, shown = state(net), f"{method}({parameter}={name})"
        arguments = USUAL[method] | {parameter: value()}
        found = fault(functools.partial(getattr(net, method), **arguments), shown)
        if found == "":
            net = network()
        elif found is not None:
            faults.append(found)
        elif state(net) != before and parameter != "metrics":  # what a metric returns shows after an epoch
            faults.append(f"{shown}: the network has changed")
    assert not faults, "\n".join(faults)


@settings(max_examples=150, derandomize=True, deadline=None, database=None)
@given(st.data())
def test_several_at_once(data: st.DataObject) -> None:
    method = data.draw(st.sampled_from(sorted(USUAL)))
    net = network()
    before = state(net)
    parameters = [parameter for each, parameter in CASES if each == method]
    odd = data.draw(st.dictionaries(st.sampled_from(parameters), st.sampled_from(sorted(ODD)), min_size=1, max_size=3))
    if set(odd.items()) & ENDLESS:
        return
    arguments = USUAL[method] | {parameter: ODD[name]() for parameter, name in odd.items()}
    found = fault(lambda: getattr(net, method)(**arguments), f"{method} {odd}")
    assert not found
    assert found == "" or "metrics" in odd or state(net) == before


def constructors() -> dict[str, type]:
    """Every public class that somebody makes instances of, and the catalogue's."""
    found = {name: public_names.find(f"cynn.{name}") for name in public_names.listed()}
    classes = {name: thing for name, thing in found.items() if inspect.isclass(thing)}
    for kind in cynn.registry.OF_KIND.values():
        classes |= {f"{kind.kind} {name}": kind.find(name) for name in kind.names()}
    skipped = (
        BaseException, cynn.Network, cynn.registry.Registry, Diagnosis, cynn.training.History, cynn.training.Problem,
        cynn.training.TrainingLoop, cynn.many.Each, cynn.many.FleetResult, cynn.many.CrossValidation,
        cynn.many.SearchResult,
    )  # fmt: skip
    return {name: cls for name, cls in classes.items() if not issubclass(cls, skipped)}


@pytest.mark.parametrize("name", constructors())
def test_constructors(name: str) -> None:
    cls = constructors()[name]
    parameters = [
        parameter
        for parameter in inspect.signature(cls).parameters.values()
        if parameter.name != "self" and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    needed = {parameter.name: 2 for parameter in parameters if parameter.default is parameter.empty}
    found = [
        fault(lambda p=parameter, v=value: cls(**{**needed, p.name: v()}), f"{name}({parameter.name}={odd})")
        for parameter in parameters
        for odd, value in ODD.items()
    ]
    faults = [each for each in found if each]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    "call",
    [
        cynn.set_num_threads,
        cynn.registry.activations.get,
        cynn.registry.losses.get,
        cynn.registry.optimizers.get,
        cynn.initializers.get,
        cynn.regularizers.get,
        cynn.constraints.get,
        lambda value: cynn.Network.mlp(value),
        lambda value: cynn.Network.mlp([2, value, 1]),
        lambda value: cynn.Network.mlp([2, 1], activation=value),
        lambda value: cynn.Network.mlp([2, 1], output=value),
        lambda value: cynn.Network.mlp([2, 1], input_scale=value),
        lambda value: cynn.Network.mlp([2, 1], seed=value),
        lambda value: cynn.Network.mlp([2, 1], dtype=value),
        lambda value: cynn.Network([cynn.Input(2), cynn.Dense(1)], regularizer=value),
        lambda value: cynn.Network([cynn.Input(2), cynn.Dense(1)], sources=value),
        lambda value: cynn.Network([cynn.Input(2), cynn.Dense(1)], outputs=value),
        lambda value: cynn.Network(value),
        lambda value: cynn.Network([cynn.Input(2), value]),
        lambda value: setattr(network().layers[0], "weights", value),
        lambda value: setattr(cynn.optimizers.SGD(), "learning_rate", value),
        lambda value: cynn.Dense(2)(value),
    ],
)
def test_other_calls(call: Callable[[Any], Any]) -> None:
    found = [fault(lambda v=value: call(v()), name) for name, value in ODD.items() if name != "2147483648"]
    faults = [each for each in found if each]
    assert not faults, "\n".join(faults)


METRICS_THAT_RETURN = [None, "x", np.zeros(2), 1j, [1.0], object(), {}, Hostile(), np.array([]), np.datetime64("2020")]


@pytest.mark.parametrize("value", METRICS_THAT_RETURN, ids=lambda value: type(value).__name__)
def test_a_metric_that_returns_no_number(value: Any) -> None:
    def own(y_true: Any, y_pred: Any) -> Any:
        return value

    for call in (network().evaluate, network().fit):
        with pytest.raises(CynnError, match=r"metric 'own' must return a number. Got"):
            call(X, Y, metrics=[own])


FIGURES = [np.float32(0.5), np.array(0.5), 1, True, Fraction(1, 2), np.array([0.5]), float("nan")]


@pytest.mark.parametrize("value", FIGURES)
def test_a_metric_that_returns_a_number(value: Any) -> None:
    def own(y_true: Any, y_pred: Any) -> Any:
        return value

    assert isinstance(network().evaluate(X, Y, metrics=[own])["own"], float)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"n_threads": 2**70}, r"'n_threads' parameter of cynn must be a whole number >= 1 and <="),
        ({"optimizer": {"name": "sgd", "gradient_accumulation_steps": 1.5}}, r"must be a whole number >= 1"),
        ({"shuffle": np.array([1, 0])}, "'shuffle' parameter of fit must be True, False, 'blocks' or"),
        ({"progress": np.array([1, 0])}, "'progress' parameter of fit must be True or False"),
        ({"check_finite": "no"}, "'check_finite' parameter of fit must be True or False"),
        ({"epochs": 2.0}, "'epochs' parameter of fit must be a whole number"),
        ({"batch_size": True}, "'batch_size' parameter of fit must be a whole number"),
        ({"validation_split": np.array([0.1, 0.2])}, "'validation_split' parameter of fit must be a finite number"),
        ({"validation_split": "0.1"}, "'validation_split' parameter of fit must be a finite number"),
        ({"validation_split": -0.1}, "'validation_split' parameter of fit must be a finite number"),
    ],
)
def test_what_is_said(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(CynnError, match=words):
        network().fit(X, Y, **({"epochs": 1} | arguments))


def test_more_threads_than_there_can_be() -> None:
    np.testing.assert_array_equal(network().predict(X, n_threads=2**40), network().predict(X, n_threads=1))


def test_numbers_of_numpy_are_numbers() -> None:
    history = network().fit(
        X, Y, epochs=np.int64(2), batch_size=np.uint8(4), validation_split=np.float32(0.25), shuffle=np.bool_(True),
        optimizer=cynn.optimizers.SGD(np.float32(0.1), momentum=np.array(0.5), nesterov=np.bool_(True)),
        n_threads=np.int32(1), progress=np.bool_(False),
    )
    assert history.epochs == 2
