"""Averages, the best epoch and checkpoints together: one rule says what a fit ends with, whatever the order."""

import itertools

import helpers
import numpy as np
import pytest

import cynn
from cynn import BatchNorm, Dense, Input, Network
from cynn.callbacks import Callback, Checkpoint, EarlyStopping, StochasticWeightAveraging
from cynn.errors import InvalidParameterError
from cynn.optimizers import SGD

X, Y = helpers.blobs(90)
XV, YV = helpers.blobs(60, seed=5)


def network():
    layers = [Dense(6, "tanh"), BatchNorm(), Dense(3, "softmax")]
    return Network([Input(2), *layers], seed=1, dtype="float64")


class Own(Callback):
    """The weights that are trained, and the figures, of every epoch."""

    def on_train_begin(self):
        self.weights, self.figures = [], []

    def on_epoch_end(self, epoch, logs):
        self.weights.append(self.network.get_weights())
        self.figures.append(logs["val_loss"])


class Stop(Callback):
    def on_epoch_end(self, epoch, logs):
        if epoch == 4:
            raise KeyboardInterrupt


def fit(*callbacks, net=None, ema=False, epochs=6, **options):
    net = net or network()
    optimizer = SGD(1.5, use_ema=ema, ema_momentum=0.8)
    net.fit(X, Y, epochs=epochs, optimizer=optimizer, batch_size=30, validation_data=(XV, YV),
            callbacks=list(callbacks), **options)
    return net


def loss(net):
    return net.evaluate(XV, YV)["loss"]


@pytest.mark.parametrize("ema", [False, True])
def test_the_figures_of_validation_are_those_of_the_weights_that_one_gets(ema):
    for epochs in (1, 3, 6):
        callbacks = [] if ema else [StochasticWeightAveraging(2)]
        net = fit(*callbacks, ema=ema, epochs=epochs)
        assert net.history["val_loss"][-1] == pytest.approx(loss(net), rel=1e-12)


@pytest.mark.parametrize("ema", [False, True])
def test_training_goes_on_with_its_own_weights(ema):
    own, plain = Own(), Own()
    fit(own, *([] if ema else [StochasticWeightAveraging(2)]), ema=ema)
    fit(plain)
    for found, expected in zip(own.weights, plain.weights, strict=True):
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("ema", [False, True])
def test_any_order_of_callbacks(ema, tmp_path):
    averaging = [] if ema else [StochasticWeightAveraging(2)]
    best = min(loss(fit(*averaging, ema=ema, epochs=epochs)) for epochs in range(1, 7))
    digests = set()
    for number, order in enumerate(itertools.permutations(range(3))):
        stopping = EarlyStopping(patience=3, restore_best_weights=True)
        averaging = Callback() if ema else StochasticWeightAveraging(2)
        path = tmp_path / f"{number}.safetensors"
        callbacks = [stopping, averaging, Checkpoint(path)]
        net = fit(*(callbacks[k] for k in order), ema=ema)
        digests.add(helpers.digest(net))
        assert loss(net) == pytest.approx(stopping.best, rel=1e-12) == best
        again = network()
        fit(*(callbacks[k] for k in order), net=again, ema=ema, resume=path)
        assert helpers.digest(again) == helpers.digest(net)
    assert len(digests) == 1


@pytest.mark.parametrize("ema", [False, True])
def test_however_training_ends(ema):
    callbacks = [] if ema else [StochasticWeightAveraging(2)]
    ended, stopped = network(), network()
    with pytest.raises(KeyboardInterrupt):
        fit(Stop(), *callbacks, net=stopped, ema=ema)
    fit(*callbacks, net=ended, ema=ema, epochs=4)
    assert helpers.digest(stopped) == helpers.digest(ended)


def test_what_would_depend_on_the_order_is_refused():
    net = network()
    before = helpers.digest(net)
    for callbacks, ema, got in [
        ([StochasticWeightAveraging(1)], True, "StochasticWeightAveraging and use_ema"),
        ([StochasticWeightAveraging(1), StochasticWeightAveraging(2)], False, "one average of the weights at most"),
        ([EarlyStopping("loss", restore_best_weights=True), EarlyStopping(restore_best_weights=True)], False,
         "one EarlyStopping that restores weights at most"),
    ]:
        with pytest.raises(InvalidParameterError, match=got):
            fit(*callbacks, net=net, ema=ema)
        assert helpers.digest(net) == before
    fit(EarlyStopping("loss"), EarlyStopping(restore_best_weights=True), cynn.callbacks.Timer())
