"""Arguments and names that other libraries have: the error says what is called so here, or where it belongs."""

import copy
import inspect

import numpy as np
import pytest

import cynn
from cynn import errors
from cynn.errors import CynnError, InvalidParameterError, UnknownNameError, UnknownParameterError

X, Y = np.zeros((4, 2)), np.zeros(4)


def network():
    return cynn.Network.mlp([2, 3, 1], seed=0)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("verbose", "Did you mean 'progress'?"),
        ("lr", "Give optimizer=cynn.optimizers.Adam(learning_rate=...) instead."),
        ("learning_rate", "Give optimizer=cynn.optimizers.Adam(learning_rate=...) instead."),
        ("weight_decay", "Give optimizer=cynn.optimizers.AdamW(weight_decay=...) instead."),
        ("validation_fraction", "Did you mean 'validation_split'?"),
        ("batchsize", "Did you mean 'batch_size'?"),
        ("Epochs", "Did you mean 'epochs'?"),
        ("max_iter", "Did you mean 'epochs'?"),
        ("early_stopping", "Give callbacks=[cynn.callbacks.EarlyStopping(patience=...)] instead."),
        ("seed", "Give cynn.Network(..., seed=...) instead."),
        ("wholly_other", "There are: batch_size, callbacks, check_finite,"),
    ],
)
def test_fit(name, hint):
    net = network()
    weights = net.get_weights()
    with pytest.raises(UnknownParameterError) as caught:
        net.fit(X, Y, **{name: 1})
    assert f"There is no parameter of Network.fit named {name!r}. {hint}" in str(caught.value)
    assert isinstance(caught.value, CynnError)
    assert isinstance(caught.value, TypeError)
    assert net.history is None
    assert all((a == b).all() for a, b in zip(net.get_weights(), weights, strict=True))
    with pytest.raises(UnknownParameterError, match=r"of Network\.fit named"):  # what hands arguments on to it
        cynn.fit_many([net], X, Y, **{name: 1})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: network().fit(), "The 'x' parameter of Network.fit must be given. Got nothing instead."),
        (lambda: network().fit(X, Y, "mse"), "Network.fit takes 2 parameters (x, y). Got 3 values instead."),
        (lambda: network().fit(X, Y, x=X),
         "The 'x' parameter of Network.fit must be given once. Got it twice instead."),
        (lambda: network().evaluate(X, Y, metric=["mae"]),
         "of Network.evaluate named 'metric'. Did you mean 'metrics'?"),
        (lambda: cynn.Network(), "The 'layers' parameter of Network must be given. Got nothing instead."),
        (lambda: cynn.Network([cynn.Input(2)], random_state=1),
         "of Network named 'random_state'. Did you mean 'seed'?"),
        (lambda: cynn.Network([cynn.Input(2)], loss="mse"), "of Network named 'loss'. Give net.fit(..., loss=...)"),
        (lambda: cynn.Network.mlp(hidden_layer_sizes=[2]),
         "of Network.mlp named 'hidden_layer_sizes'. Did you mean 'sizes'"),
    ],
)  # fmt: skip
def test_other_calls(call, message):
    with pytest.raises(InvalidParameterError) as caught:
        call()
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cynn.optimizers.Adam(lr=0.1), "Adam named 'lr'. Did you mean 'learning_rate'?"),
        (lambda: cynn.registry.optimizers.get({"name": "sgd", "lr": 1}),
         "SGD named 'lr'. Did you mean 'learning_rate'?"),
        (lambda: cynn.optimizers.AdamW(wd=0.1), "AdamW named 'wd'. Did you mean 'weight_decay'?"),
        (lambda: cynn.optimizers.Adam(weight_decay=0.1),
         "Give optimizer=cynn.optimizers.AdamW(weight_decay=...) instead."),
        (lambda: cynn.optimizers.Adam(decay=0.1), "Give optimizer=cynn.optimizers.AdamW(weight_decay=...) instead."),
        (lambda: cynn.optimizers.Adam(betas=(0.9, 0.999)), "Did you mean 'beta_1' or 'beta_2'?"),
        (lambda: cynn.optimizers.Adam(eps=0.1), "Did you mean 'epsilon'?"),
        (lambda: cynn.schedules.StepDecay(lr=0.1), "Did you mean 'initial_learning_rate'?"),
        (lambda: cynn.Dense(3, kernel_regularizer="l2"), "Did you mean 'regularizer'?"),
        (lambda: cynn.Dense(3, init="ones"), "Did you mean 'initializer'?"),
        (lambda: cynn.Dense(3, input_dim=2), "Give the first layer cynn.Input(...) instead."),
        (lambda: cynn.Dropout(p=0.5), "Did you mean 'rate'?"),
    ],
)  # fmt: skip
def test_parameters_of_parts(call, message):
    with pytest.raises(UnknownParameterError) as caught:
        call()
    assert str(caught.value).endswith(message)


@pytest.mark.parametrize(
    ("kind", "name", "ours"),
    [
        ("metric", "acc", "'accuracy'"),
        ("metric", "ACC", "'accuracy'"),
        ("metric", "r2", "'r2_score'"),
        ("loss", "bce", "'binary_cross_entropy'"),
        ("loss", "BCE", "'binary_cross_entropy'"),
        ("loss", "ce", "'cross_entropy'"),
        ("loss", "log_loss", "'binary_cross_entropy' or 'cross_entropy'"),
        ("loss", "l1", "'mean_absolute_error'"),
        ("loss", "rmse", "'mean_squared_error'"),
        ("optimizer", "gradient_descent", "'sgd'"),
        ("activation", "logistic", "'sigmoid'"),
        ("initializer", "xavier_uniform", "'glorot_uniform'"),
        ("initializer", "kaiming_normal", "'he_normal'"),
    ],
)
def test_names_of_parts(kind, name, ours):
    with pytest.raises(UnknownNameError) as caught:
        cynn.registry.of_kind(kind).get(name)
    assert str(caught.value) == f"There is no {kind} named {name!r}. Did you mean {ours}?"


def test_every_name_that_a_hint_names_is_there():
    """In a registry, or as a parameter of something."""
    names = {name for of_kind in cynn.registry.every() for name in of_kind.names()}
    parts = [of_kind.find(name) for of_kind in cynn.registry.every() for name in of_kind.names()]
    for made in (*parts, cynn.Network, cynn.Network.fit, cynn.Network.mlp):
        names |= set(inspect.signature(made).parameters)
    hinted = {name for ours in errors._OTHER_NAMES.values() for name in ours} | set(errors._ELSEWHERE)
    assert sorted(hinted - names - {"input"}) == []


def test_a_type_error_within_a_call_is_passed_on():
    class Broken(cynn.callbacks.Callback):
        def on_epoch_begin(self, *_):
            raise TypeError("mine")

    with pytest.raises(TypeError, match=r"^mine$"):
        network().fit(X, Y, callbacks=[Broken()])


def test_mlp_takes_what_a_network_takes():
    options = {"classes": ["no", "yes"], "feature_names": ["a", "b"], "regularizer": "l2"}
    net = cynn.Network.mlp([2, 3, 2], output="softmax", **options)
    assert (net.classes, net.feature_names, net.regularizer) == (["no", "yes"], ["a", "b"], cynn.regularizers.L2())
    net.fit(X, ["no", "yes", "no", "no"], epochs=1)
    assert copy.deepcopy(net).classes == ["no", "yes"]


def test_a_hint_at_check_finite_fits_every_method(tmp_path):
    """`to_c` has no such parameter."""
    with pytest.raises(errors.DataError, match="turns this check off, where a method has it"):
        network().to_c(tmp_path / "net.c", selftest=[[np.nan, 1.0]])
