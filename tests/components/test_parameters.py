"""Parameters that are out of bounds or unknown: an error says what must be, and what was got."""

import numpy as np
import pytest

import cynn
from cynn.errors import CynnError, InvalidParameterError, ReadOnlyError, UnknownNameError

X, Y = np.arange(60.0).reshape(20, 3) / 60, np.zeros(20, int)


def fit(**options):
    net = cynn.Network.mlp([3, 5, 2], output="softmax", seed=0)
    return net.fit(X, Y, **options)


@pytest.mark.parametrize(
    "rate",
    [0, -0.1, np.nan, np.inf, "0.1", "fast", None, [1], 1j, pytest.param(10**400, id="huge")],
)
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_learning_rate(optimizer, rate):
    words = r"^The 'learning_rate' parameter of \w+ must be a finite number > 0, .*\. Got .* instead\.$"
    for error in (InvalidParameterError, ValueError, TypeError):
        with pytest.raises(error, match=words):
            cynn.registry.optimizers.get(optimizer, learning_rate=rate)
    good = cynn.registry.optimizers.get(optimizer)
    with pytest.raises(InvalidParameterError, match=words):
        good.learning_rate = rate


@pytest.mark.parametrize("kind", ["activations", "losses", "optimizers"])
def test_hyperparameters_are_read_only_but_for_the_learning_rate(kind):
    """A network holds a copy of them: a later value would be saved with it, and not computed with."""
    found = getattr(cynn.registry, kind)
    assigned = 0
    for component in map(found.get, found.names()):
        owner = type(component).__name__
        for name, value in component.get_config().items():
            if name in ("name", "learning_rate"):
                continue
            words = (
                f"The {name!r} parameter of {owner} must be given when the instance is made, as in "
                f"{owner}({name}={value!r}). Got an assignment instead."
            )
            for error in (ReadOnlyError, CynnError, AttributeError):
                with pytest.raises(error) as caught:
                    setattr(component, name, value)
                assert str(caught.value) == words
            assigned += 1
    assert assigned > 5


def test_what_a_network_is_saved_with_is_what_it_computes(tmp_path):
    net = cynn.Network([cynn.Input(1), cynn.Dense(1, cynn.activations.LeakyReLU(0.5))], seed=0)
    net.layers[0].weights = [[1.0]]
    with pytest.raises(ReadOnlyError, match=r"as in LeakyReLU\(negative_slope=0\.1\)"):
        net.layers[0].activation.negative_slope = 0.1
    net.save(tmp_path / "net.safetensors")
    assert net.predict([[-1.0]]) == cynn.load(tmp_path / "net.safetensors").predict([[-1.0]]) == -0.5


def test_the_learning_rate_is_assignable():
    for optimizer in map(cynn.registry.optimizers.get, cynn.registry.optimizers.names()):
        before = optimizer.kernel_values()
        optimizer.learning_rate = 0.125
        assert optimizer.learning_rate == optimizer.get_config()["learning_rate"] == 0.125
        assert optimizer.kernel_values() == before
        assert len(before) == len(optimizer.hyperparameters) - 1


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("batch_size", 0, "whole number >= 1 and <= 2147483647"),
        ("batch_size", -1, "whole number >= 1"),
        ("batch_size", 2.0, "whole number >= 1"),
        ("batch_size", np.array([1, 2]), "whole number >= 1"),
        ("batch_size", True, "whole number >= 1"),
        ("epochs", -1, "whole number >= 0"),
        ("epochs", 1.5, "whole number >= 0"),
        ("epochs", "3", "whole number >= 0"),
        ("n_threads", 0, "whole number >= 1"),
        ("n_threads", -2, "whole number >= 1"),
        ("n_threads", 1.0, "whole number >= 1"),
    ],
)
def test_whole_numbers(name, value, words):
    with pytest.raises(InvalidParameterError) as caught:
        fit(**{name: value})
    assert f"The {name!r} parameter of " in str(caught.value)
    assert f"must be a {words}" in str(caught.value)
    assert str(caught.value).endswith(f"Got {value!r} instead.")


def test_whole_numbers_of_numpy_are_numbers():
    assert fit(epochs=np.int64(2), batch_size=np.uint8(7), n_threads=np.int32(1)).epochs == 2


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("loss", "cross_entrpy", "There is no loss named 'cross_entrpy'. Did you mean 'cross_entropy'"),
        ("loss", "zzz", "There is no loss named 'zzz'. There are: binary_cross_entropy, "),
        ("optimizer", "adm", "There is no optimizer named 'adm'. Did you mean 'adam'"),
        ("optimizer", "SGD", "There is no optimizer named 'SGD'. Did you mean 'sgd'"),
        ("metrics", ["acc uracy"], "There is no metric named 'acc uracy'. Did you mean 'accuracy'"),
    ],
)
def test_unknown_names_list_the_nearest(name, value, words):
    for error in (UnknownNameError, KeyError):
        with pytest.raises(error) as caught:
            fit(**{name: value})
        assert str(caught.value).startswith(words)


def test_an_unknown_activation_lists_the_nearest():
    with pytest.raises(UnknownNameError, match=r"no activation named 'sigmiod'. Did you mean 'sigmoid'"):
        cynn.Dense(3, "sigmiod")


def test_an_unknown_hyperparameter_lists_the_nearest():
    with pytest.raises(UnknownNameError, match=r"no hyperparameter of SGD named 'momentun'.*'momentum'"):
        cynn.optimizers.SGD(momentun=0.9)


@pytest.mark.parametrize(
    ("name", "value", "bounds"),
    [
        ("momentum", 1.01, ">= 0 and <= 1"),
        ("momentum", -0.1, ">= 0 and <= 1"),
        ("weight_decay", -1, ">= 0, a schedule or its configuration"),
        ("momentum", "0.5", ">= 0 and <= 1"),
    ],
)
def test_hyperparameters_out_of_bounds(name, value, bounds):
    with pytest.raises(InvalidParameterError) as caught:
        cynn.optimizers.SGD(**{name: value})
    assert str(caught.value) == (
        f"The {name!r} parameter of SGD must be a finite number {bounds}. Got {value!r} instead."
    )


@pytest.mark.parametrize("value", [2, "yes", None, 0.5])
def test_switches(value):
    with pytest.raises(InvalidParameterError, match="'nesterov' parameter of SGD must be True or False"):
        cynn.optimizers.SGD(nesterov=value)


def test_too_many_or_twice():
    with pytest.raises(InvalidParameterError, match="takes 1 hyperparameters"):
        cynn.activations.LeakyReLU(0.1, 0.2)
    with pytest.raises(InvalidParameterError, match="'momentum' parameter of SGD must be given once"):
        cynn.optimizers.SGD(0.1, 0.9, momentum=0.9)


@pytest.mark.parametrize("name", ["loss", "optimizer"])
@pytest.mark.parametrize("value", [5, [], {"nome": "sgd"}, {"name": 5}, print, float])
def test_what_is_no_component(name, value):
    with pytest.raises(InvalidParameterError, match=rf"The {name} must be a name, an instance of "):
        fit(**{name: value})
