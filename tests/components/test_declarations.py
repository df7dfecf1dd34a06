"""Parameters that a class declares in its body: what follows from them, and what hyperparameters become in a kernel."""

import copy
import ctypes
import inspect
import pickle
import shutil
import subprocess

import numpy as np
import pytest

import cynn
from cynn import testing
from cynn.components.configurable import Configurable
from cynn.components.declarations import attribute, checked_by, choice, number, part, switch, whole_number
from cynn.errors import InvalidParameterError, ReadOnlyError, UnknownNameError, UnknownParameterError
from cynn.schedules import Schedule


def _text(value, name, owner):
    if not isinstance(value, str):
        raise InvalidParameterError(f"The {name!r} parameter of {owner} must be a text. Got {value!r} instead.")
    return value.strip()


class Every(Schedule):
    """One parameter of each sort."""

    name = "every"
    rate: float = number(above=0, below=1)
    steps: int | None = whole_number(default=None, minimum=1)
    mode: str = choice("up", "down", default="up")
    after: object = part(Schedule, default=None)
    note: str = checked_by(_text, default="none", kw_only=True)
    loud: bool = switch(default=False, kw_only=True)

    def __post_init__(self):
        self.begun = 0

    def at(self, steps, total_steps):
        return np.full(len(steps), self.rate)


class Fixed(Every):
    """One parameter less, and another default."""

    name = "fixed"
    mode: str = attribute("down")
    steps: int = whole_number(default=3)
    more: float = number(default=2)


@pytest.fixture(autouse=True, scope="module")
def registered():
    before = dict(cynn.registry.schedules._registered)
    for cls in (Every, Fixed, Own):
        cynn.registry.schedules.register(cls)
    yield
    cynn.registry.schedules._registered = before


def given():
    return Every(0.5, 3, "down", {"name": "constant", "learning_rate": 1}, note=" a ", loud=np.bool_(True))


class TestWhatFollows:
    def test_the_signature(self):
        assert str(inspect.signature(Every)) == (
            "(rate: float, steps: int | None = None, mode: str = 'up', after: object = None, *, "
            "note: str = 'none', loud: bool = False)"
        )
        # what the body names again stays where it was
        assert str(inspect.signature(Fixed)) == (
            "(rate: float, steps: int = 3, after: object = None, more: float = 2, *, note: str = 'none', "
            "loud: bool = False)"
        )
        assert "(rate: float," in __import__("pydoc").render_doc(Every)

    def test_of_an_instance_that_is_called(self):
        assert list(inspect.signature(given()).parameters) == ["step"]

    def test_the_values(self):
        one = given()
        assert (one.rate, one.steps, one.mode, one.note, one.loud, one.begun) == (0.5, 3, "down", "a", True, 0)
        assert one.after == cynn.schedules.Constant(1)
        assert Fixed(0.5).mode == "down"
        assert Fixed(0.5).more == 2.0

    def test_configuration_repr_and_equality(self):
        one = given()
        config = one.get_config()
        assert config == {
            "name": "every", "rate": 0.5, "steps": 3, "mode": "down",
            "after": {"name": "constant", "learning_rate": 1.0}, "note": "a", "loud": True,
        }  # fmt: skip
        assert cynn.registry.schedules.get(config) == one == Every.from_config(config) != Every(0.5)
        assert hash(one) == hash(given())
        assert repr(one) == (
            "Every(rate=0.5, steps=3, mode='down', after=Constant(learning_rate=1.0), note='a', loud=True)"
        )
        # what comes by name alone stands where it is not as by default
        assert repr(Every(0.5)) == "Every(rate=0.5, steps=None, mode='up', after=None)"

    @pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
    def test_copies_and_pickles(self, again):
        other = again(given())
        assert other == given()
        assert other.begun == 0

    def test_a_pickle_of_before_lacks_a_parameter(self):
        one = given()
        state = {name: value for name, value in vars(one).items() if name not in ("loud", "steps")}
        one.__dict__ = state
        assert (one.loud, one.steps, one.mode) == (False, None, "down")
        del one.__dict__["rate"]
        with pytest.raises(AttributeError, match="rate"):
            _ = one.rate

    def test_an_assignment_is_checked(self):
        one = given()
        one.steps = np.int64(7)
        assert type(one.steps) is int
        with pytest.raises(InvalidParameterError, match=r"'steps' parameter of Every must be a whole number >= 1\."):
            one.steps = 0
        assert one.steps == 7


class TestWhatIsWrong:
    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"rate": 1}, "The 'rate' parameter of Every must be a finite number > 0 and < 1. Got 1 instead."),
            ({"rate": None}, "The 'rate' parameter of Every must be a finite number > 0 and < 1. Got None instead."),
            ({"steps": 2.0}, "The 'steps' parameter of Every must be a whole number >= 1. Got 2.0 instead."),
            ({"mode": "left"}, "The 'mode' parameter of Every must be 'up' or 'down'. Got 'left' instead."),
            ({"mode": ["up"]}, "The 'mode' parameter of Every must be 'up' or 'down'. Got ['up'] instead."),
            ({"mode": None}, "The 'mode' parameter of Every must be 'up' or 'down'. Got None instead."),
            ({"loud": 1}, "The 'loud' parameter of Every must be True or False. Got 1 instead."),
            ({"note": 3}, "The 'note' parameter of Every must be a text. Got 3 instead."),
            ({"after": 3}, "A schedule must be a name, "),
        ],
    )
    def test_a_value(self, options, words):
        with pytest.raises(InvalidParameterError) as caught:
            Every(**{"rate": 0.5, **options})
        assert str(caught.value).startswith(words)

    def test_unknown_twice_missing_or_too_many(self):
        for error in (UnknownParameterError, UnknownNameError, InvalidParameterError, TypeError, KeyError):
            with pytest.raises(error, match=r"no parameter of Every named 'stepz'\. Did you mean 'steps'\?"):
                Every(0.5, stepz=3)
        with pytest.raises(UnknownParameterError, match=r"no parameter of Fixed named 'mode'"):
            Fixed(0.5, mode="up")
        with pytest.raises(InvalidParameterError, match=r"'rate' parameter of Every must be given once\. Got it twice"):
            Every(0.5, rate=0.5)
        with pytest.raises(InvalidParameterError, match=r"'rate' parameter of Every must be given\. Got nothing"):
            Every()
        with pytest.raises(InvalidParameterError, match=r"takes 4 parameters \(rate, steps, mode, after\)\. Got 5"):
            Every(0.5, 1, "up", None, "note")


class Own(Fixed):
    """With an `__init__` of its own, which hands on what comes by name alone."""

    name = "own"

    def __init__(self, percent, **options):
        super().__init__(percent / 100, **options)
        self.percent = percent


def test_an_init_of_its_own():
    assert str(inspect.signature(Own)) == "(percent, *, note: str = 'none', loud: bool = False)"
    one = Own(50, loud=True)
    assert one.get_config() == {"name": "own", "percent": 50, "note": "none", "loud": True}
    assert (one.rate, one.begun) == (0.5, 0)
    assert Own.from_config(one.get_config()) == one == copy.deepcopy(one)


def test_what_is_neither_equal_nor_unequal_has_a_repr():
    class Odd(Configurable):
        def __init__(self, *, values=None):
            self.values = values

    assert repr(Odd(values=np.arange(2))) == "Odd(values=array([0, 1]))"
    assert repr(Odd()) == "Odd()"


class Saw(cynn.activations.Activation):
    """a = z + n sin(kind), with one hyperparameter of each sort."""

    name = "saw"
    scale: float = cynn.hyperparameter(default=1, above=0, doc="A number.")
    n: int = cynn.hyperparameter(default=3, minimum=-2, maximum=2**40, doc="A whole number.")
    kind: str = cynn.hyperparameter(default="hard", choices=("soft", "hard", "none"), doc="A choice.")
    is_odd: bool = cynn.hyperparameter(default=True, doc="A switch.")


class TestHyperparameters:
    def test_they_arrive_as_what_they_are(self):
        one = Saw(2, 5, "none", False)
        assert [type(value) for value in (one.scale, one.n, one.kind, one.is_odd)] == [float, int, str, bool]
        assert repr(one) == "Saw(scale=2.0, n=5, kind='none', is_odd=False)"
        assert one.get_config() == {"name": "saw", "scale": 2.0, "n": 5, "kind": "none", "is_odd": False}
        assert Saw.from_config(one.get_config()) == pickle.loads(pickle.dumps(one)) == one != Saw()
        assert Saw(n=2.0) == Saw(n=np.int8(2)) == Saw(n=np.float32(2))  # as configurations of before have it
        for name, value in {"n": 1, "kind": "soft"}.items():
            with pytest.raises(ReadOnlyError):
                setattr(one, name, value)

    def test_a_kernel_gets_doubles(self):
        assert Saw().kernel_values() == [1.0, 3.0, 1.0, 1.0]
        assert Saw(0.5, -2, "soft", False).kernel_values() == [0.5, -2.0, 0.0, 0.0]
        assert Saw(n=2**40, kind="none").kernel_values() == [1.0, 2.0**40, 2.0, 1.0]

    @pytest.mark.parametrize(
        ("options", "allowed"),
        [
            *(({"n": value}, "a whole number >= -2 and <= 1.09951e+12")
              for value in (1.5, -3, "3", None, True, np.nan, np.inf, 2**41, 10**400, [1], np.array([1]))),
            *(({"kind": value}, "'soft', 'hard' or 'none'") for value in ("Soft", 0, 1.0, None, ["soft"], b"soft")),
            *(({"is_odd": value}, "True or False") for value in (1, "yes", None)),
        ],
    )  # fmt: skip
    def test_what_is_not_allowed(self, options, allowed):
        name = next(iter(options))
        with pytest.raises(InvalidParameterError) as caught:
            Saw(**options)
        assert str(caught.value).startswith(f"The {name!r} parameter of Saw must be {allowed}. Got ")

    @pytest.mark.parametrize("annotation", [int, "int"])
    def test_by_the_annotation(self, annotation):
        body = {"n": cynn.hyperparameter(default=2), "__annotations__": {"n": annotation}, "name": "m"}
        cls = type("M", (cynn.losses.Loss,), body)
        assert type(cls(-4).n) is int
        assert cls(2**53).kernel_values() == [2.0**53]
        with pytest.raises(InvalidParameterError, match=r"must be a whole number\. Got"):
            cls(2**53 + 2)

    @pytest.mark.parametrize(
        "options",
        [{"default": "a"}, {"default": "a", "choices": ["a"]}, {"default": "c", "choices": ["a", "b"]},
         {"default": 1, "choices": ["a", "b"]}, {"default": "a", "choices": ["a", 1]},
         {"default": "a", "choices": ["a", "a"]}, {"default": "a", "choices": 3}, {"default": 1, "choices": [1, 2]},
         {"default": "a", "choices": [["a"], "a"]}],
    )  # fmt: skip
    def test_choices_that_are_none(self, options):
        with pytest.raises(InvalidParameterError, match="'choices' parameter of hyperparameter must be"):
            cynn.hyperparameter(**options)

    def test_a_default_that_is_none(self):
        with pytest.raises(InvalidParameterError, match=r"'n' parameter of M \(its default\) must be a whole number"):
            type("M", (cynn.losses.Loss,), {"n": cynn.hyperparameter(1.5, above=0), "__annotations__": {"n": "int"}})

    def test_pickles_of_before(self):
        """They had the values in two dicts, and whole numbers as floats."""
        one = Saw.__new__(Saw)
        one.__setstate__({"_values": {"scale": 2.0, "n": 4.0, "kind": "soft", "is_odd": False}, "_options": {}})
        assert one == Saw(2, 4, "soft", False)
        sgd = cynn.optimizers.SGD.__new__(cynn.optimizers.SGD)
        sgd.__setstate__({"_values": {"learning_rate": 0.5}, "_options": {"gradient_accumulation_steps": 2.0}})
        assert sgd == cynn.optimizers.SGD(0.5, gradient_accumulation_steps=2)
        assert type(sgd.gradient_accumulation_steps) is int


class Bent(cynn.activations.Activation):
    """a = z + shift tanh(n z), or its shift alone where kind is "tail" """

    name = "bent"
    n: int = cynn.hyperparameter(default=1, minimum=1, doc="A factor.")
    kind: str = cynn.hyperparameter(default="whole", choices=["whole", "tail"], doc="What stands in a.")

    def forward(self, z):
        return np.tanh(self.n * z) + (z if self.kind == "whole" else 0)

    def backward(self, z, a, grad):
        return grad * (self.n / np.cosh(self.n * z) ** 2 + (1 if self.kind == "whole" else 0))


def test_the_kit_tries_other_choices_and_whole_numbers(monkeypatch):
    tried = list(testing.common.variants(Bent()))
    assert tried == [Bent(), Bent(n=2), Bent(kind="tail")]
    monkeypatch.setattr(cynn.registry.activations, "_registered", {"bent": Bent})
    assert testing.check("bent").passed


SOURCE = """
#include <cynn/abi.h>

/* h: scale, n, kind (0 soft, 1 hard, 2 none), is_odd */
void forward(const double *h, int64_t rows, int64_t cols, const double *z, double *a) {
    for (int64_t i = 0; i < rows * cols; i++)
        a[i] = h[0] * z[i] + 10 * (int)h[1] + 100 * (int)h[2] + 1000 * (int)h[3];
}
void backward(const double *h, int64_t rows, int64_t cols, const double *z, const double *a, double *grad) {
    for (int64_t i = 0; i < rows * cols; i++)
        grad[i] *= h[0];
}
"""


@pytest.mark.skipif(not (shutil.which("cc") or shutil.which("gcc")), reason="needs a C compiler")
def test_a_compiled_plugin_gets_them(tmp_path, monkeypatch):
    """In the order of declaration, in a network that is trained, saved and loaded."""
    (tmp_path / "saw.c").write_text(SOURCE)
    include = cynn.get_include()
    compiler = shutil.which("cc") or shutil.which("gcc")
    subprocess.run(
        [compiler, "-shared", "-fPIC", f"-I{include}", "-o", tmp_path / "saw.so", tmp_path / "saw.c"], check=True
    )
    library = ctypes.CDLL(str(tmp_path / "saw.so"))
    compiled = cynn.activations.Activation.from_addresses(
        forward_f64=library.forward, backward_f64=library.backward
    )

    monkeypatch.setattr(cynn.registry.activations, "_registered", {})

    @cynn.registry.activations.register
    class CompiledSaw(Saw):
        name = "compiled_saw"
        kernel = compiled

    one = CompiledSaw(0.5, 7, "none", False)
    assert one.is_compiled()
    np.testing.assert_array_equal(one(np.array([[2.0, 4.0]])), [[271.0, 272.0]])
    net = cynn.Network([cynn.Input(1), cynn.Dense(1, one)], seed=0, dtype="float64")
    net.layers[0].weights = [[2.0]]
    assert net.predict([[1.0]]) == 271
    net.save(tmp_path / "net.safetensors")
    again = cynn.load(tmp_path / "net.safetensors")
    assert again.layers[0].activation == one
    assert type(again.layers[0].activation.n) is int
    assert again.predict([[1.0]]) == 271
    assert net.train_batch([[1.0]], [271.0], optimizer="sgd") == 0
