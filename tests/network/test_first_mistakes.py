"""What a newcomer does wrong is said in the words of the mistake."""

import copy
import pickle

import helpers
import numpy as np
import pytest

import cynn
from cynn.errors import CynnWarning, DataError, InvalidParameterError


def test_classes_from_one_on():
    x, y = helpers.blobs(30)
    with pytest.raises(DataError, match=r"from 0 to 2, .* Got 3 in row 2 instead\. They go from 1 on: subtract 1\."):
        helpers.classifier().fit(x, y + 1)
    for other in (y + 2, np.where(y == 0, 0, y + 1), y + 1.5):
        with pytest.raises(DataError) as caught:
            helpers.classifier().fit(x, other)
        assert "subtract" not in str(caught.value)


@pytest.mark.parametrize("name", ["softmax", "softmin", "log_softmax", "sparsemax"])
def test_one_unit_that_is_constant(name):
    for layers in ([cynn.Dense(1, name)], [cynn.Dense(1), cynn.Activation(name), cynn.Dense(2)]):
        net = cynn.Network([cynn.Input(2), *layers], seed=0)
        with pytest.warns(CynnWarning, match=r"must be of at least 2 units to learn\. Got 1, .* sigmoid"):
            net.fit(np.ones((4, 2)), np.ones((4, net.outputs)), loss="mean_squared_error", epochs=1)


@pytest.mark.parametrize("rate", [lambda step: 0.1, cynn.schedules.WarmUp(lambda step: 0.1, 2)])
def test_what_cannot_be_pickled_is_named(rate):
    x, y = helpers.blobs(30)
    net = helpers.classifier()
    net.fit(x, y, optimizer=cynn.optimizers.SGD(rate), epochs=1)
    with pytest.raises(InvalidParameterError, match=r"as the learning rate of SGD instead: .*lambda"):
        pickle.dumps(net)
    again = copy.deepcopy(net)
    again.fit(x, y, epochs=1)
    net.fit(x, y, optimizer="adam", epochs=1)
    pickle.loads(pickle.dumps(net))


def test_a_part_of_a_layer_that_cannot_be_pickled_is_named():
    class Own(cynn.activations.Activation):
        name = "own"

        def forward(self, z):
            return z

        def backward(self, z, a, grad):
            return grad

    with pytest.raises(InvalidParameterError, match="as layer 1 instead: "):
        pickle.dumps(cynn.Network([cynn.Input(2), cynn.Dense(1, Own())], seed=0))


def test_cloudpickle_takes_a_lambda_along():
    cloudpickle = pytest.importorskip("cloudpickle", reason="cloudpickle is not installed")
    x, y = helpers.blobs(30)
    net = helpers.classifier()
    net.fit(x, y, optimizer=cynn.optimizers.SGD(lambda step: 0.1), epochs=1)
    pickle.loads(cloudpickle.dumps(net)).fit(x, y, epochs=1)
