"""Directional derivatives and Hessians by the inputs, against differences of what is one order lower."""

import numpy as np
import pytest

import cynn
from cynn import Dense, Input, layers


def every_layer():
    """Networks in float64 that together have every built-in layer and activation with numbers as inputs."""
    found = {
        name: [Dense(5, name), Dense(4, "tanh"), Dense(2, name)]
        for name in ("identity", "sigmoid", "tanh", "softmax", "leaky_relu", "relu")
    }
    found["glu"] = [layers.GLU(4), layers.LayerNorm(), layers.Dropout(0.3), Dense(2, "tanh")]
    found["maxout"] = [layers.Maxout(4), layers.RMSNorm(), layers.BatchNorm(), layers.PReLU(), Dense(2, "sigmoid")]
    found["noise"] = [layers.GaussianNoise(0.2), Dense(3, "tanh"), layers.AlphaDropout(0.1), Dense(2)]
    return {
        name: cynn.Network([Input(3, scale=0.5, offset=0.1), *each], seed=1, dtype="float64")
        for name, each in found.items()
    }


def graph():
    x = Input(3)
    first = Dense(4, "tanh")(x)
    both = layers.Add()(first, Dense(4, "sigmoid")(first))
    return cynn.Network({"p": Dense(2, "softmax")(layers.Concatenate()(both, x)), "q": Dense(1)(both)}, dtype="float64")


def perturb(net):
    """Parameters that are all different: no scale of 1, no bias of 0."""
    rng = np.random.default_rng(5)
    net.set_weights([w + rng.uniform(0.05, 0.3, w.shape) for w in net.get_weights()])


NETWORKS = {**every_layer(), "graph": graph()}


def outputs_of(result):
    return list(result.values()) if isinstance(result, dict) else [result]


def along(function, x, t, step=1e-6):
    """The derivative of a function of x along t, by central differences."""
    pairs = zip(outputs_of(function(x + step * t)), outputs_of(function(x - step * t)), strict=True)
    return [(above - below) / (2 * step) for above, below in pairs]


def close(found, expected):
    largest = max(1.0, *(np.abs(each).max() for each in expected))
    return all(np.abs(a - b).max() <= 1e-6 * largest for a, b in zip(outputs_of(found), expected, strict=True))


@pytest.mark.parametrize("name", NETWORKS)
def test_against_differences(name):
    net = NETWORKS[name]
    perturb(net)
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(2, 40, 3))
    assert close(net.jvp(x, t), along(net.predict, x, t))
    columns = [along(lambda x, u=unit: net.jvp(x, np.tile(u, (40, 1))), x, np.tile(v, (40, 1)))
               for unit in np.eye(3) for v in np.eye(3)]  # fmt: skip
    expected = [np.stack([c[k] for c in columns], -1).reshape(*columns[0][k].shape, 3, 3)
                for k in range(len(columns[0]))]  # fmt: skip
    hessian = net.hessian(x)
    assert close(hessian, expected)
    assert close(net.hessian_diagonal(x), [np.einsum("rmii->rmi", each) for each in outputs_of(hessian)])


def test_of_a_tanh_by_hand():
    net = cynn.Network([Input(2), Dense(1, "tanh")], dtype="float64")
    w = net.layers[0].weights = [[2.0], [-1.0]]
    w, a = np.array(w)[:, 0], np.tanh(0.5)
    assert net.hessian([0.5, 0.5]) == pytest.approx((-2 * a * (1 - a * a) * np.outer(w, w))[None], rel=1e-14)


def by_hand(net, x):
    """The Hessians and their diagonals of a network with two layers of tanh and a linear one, one row at a time."""
    w, _, v, _, u, _ = [array.astype(np.float64) for array in net.get_weights()]
    found = []
    for row in x:
        a = np.tanh(row @ w + net.layers[0].biases)
        b = np.tanh(a @ v + net.layers[1].biases)
        inner = w * (1 - a * a)
        moved = [w, inner @ v]
        of_b = -2 * b * (1 - b * b) * u.T
        of_a = -2 * a * (1 - a * a) * ((u.T * (1 - b * b)) @ v.T)
        found.append([sum((m * c[k]) @ m.T for m, c in zip(moved, (of_a, of_b), strict=True)) for k in range(len(u.T))])
    return np.array(found)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("inputs", [1, 2, 3, 5, 16, 17])
def test_of_any_width(inputs, dtype):
    """Narrower and wider than vectors, and no multiple of them."""
    rng = np.random.default_rng(inputs)
    for units, more in [(1, 2), (3, 7), (15, 17), (16, 33), (64, 5)]:
        net = cynn.Network([Input(inputs), Dense(units, "tanh"), Dense(more, "tanh"), Dense(2)], seed=1, dtype=dtype)
        net.set_weights([each + rng.uniform(-0.3, 0.3, each.shape) for each in net.get_weights()])
        x = rng.normal(size=(70, inputs)).astype(dtype)
        expected = by_hand(net, x)
        atol = (1e-5 if dtype == "float32" else 1e-13) * max(1, np.abs(expected).max())
        np.testing.assert_allclose(net.hessian(x), expected, rtol=0, atol=atol)
        np.testing.assert_allclose(net.hessian_diagonal(x), np.einsum("rkii->rki", expected), rtol=0, atol=atol)
        assert (net.hessian(x) == net.hessian(x).swapaxes(2, 3)).all()


def test_what_is_linear_at_first():
    """Tangents that are the same for all rows: until they meet something else, or those of one row each."""
    x = Input(3)
    first = Dense(4)(x)
    curved = Dense(4, "tanh")(layers.Dropout(0.5)(first))
    twice = layers.Add()(first, first)
    nets = [
        cynn.Network([Input(3), layers.Activation("tanh"), Dense(2)], dtype="float64"),
        cynn.Network({"p": Dense(2)(layers.Concatenate()(first, curved, x)), "q": first}, dtype="float64"),
        cynn.Network({"p": Dense(2, "tanh")(twice), "q": layers.LayerNorm()(first)}, dtype="float64"),
        cynn.Network({"p": Dense(2, "softmax")(first), "q": layers.Activation("sigmoid")(first)}, dtype="float64"),
    ]
    rows = np.random.default_rng(1).normal(size=(60, 3))
    for net in nets:
        perturb(net)
        gradients = [along(lambda x, n=net: n.jacobian(x), rows, np.tile(unit, (60, 1))) for unit in np.eye(3)]
        expected = [np.stack([of_input[k] for of_input in gradients], -1) for k in range(len(gradients[0]))]
        assert close(net.hessian(rows), expected)
        assert close(net.hessian_diagonal(rows), [np.einsum("rkii->rki", each) for each in expected])


def test_each_call_has_the_weights_of_its_time():
    net = cynn.Network([Input(2), Dense(3, "tanh"), Dense(1)], seed=0, dtype="float64")
    x = np.random.default_rng(2).normal(size=(5, 2))
    before = net.hessian(x)
    net.set_weights([2 * each for each in net.get_weights()])
    other = cynn.Network([Input(2), Dense(3, "tanh"), Dense(1)], seed=1, dtype="float64")
    other.set_weights(net.get_weights())
    assert (net.hessian(x) == other.hessian(x)).all()
    assert not np.allclose(net.hessian(x), before)


def test_of_no_rows_one_row_and_any_dtype():
    net = cynn.Network([Input(3), Dense(4, "tanh"), Dense(2)], seed=0)
    assert net.jvp(np.ones((0, 3)), np.ones((0, 3))).shape == (0, 2)
    assert net.hessian(np.ones((0, 3))).shape == (0, 2, 3, 3)
    assert net.hessian([1, 2, 3]).shape == (2, 3, 3)
    assert net.hessian_diagonal(np.ones(3, np.uint8)).dtype == np.float32
    assert (net.jvp([1, 2, 3], [1, 0, 1]) == net.jvp([[1, 2, 3]], [[1, 0, 1]])[0]).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_same_bits_with_any_number_of_threads(dtype):
    net = cynn.Network([Input(7), Dense(64, "tanh"), Dense(64, "sigmoid"), Dense(3)], seed=0, dtype=dtype)
    x, t = np.random.default_rng(0).normal(size=(2, 3000, 7))
    assert (net.jvp(x, t, n_threads=1) == net.jvp(x, t, n_threads=3)).all()
    assert (net.hessian(x, n_threads=1) == net.hessian(x, n_threads=3)).all()
    np.testing.assert_allclose(net.hessian(x[:100]), net.hessian(x)[:100], atol=1e-6)


def test_what_cannot_be():
    net = cynn.Network([Input(2), Dense(1, "tanh")])
    with pytest.raises(cynn.errors.ShapeError, match="t must have the shape of x"):
        net.jvp([1.0, 2.0], [[1.0, 2.0]])
    with pytest.raises(cynn.errors.DataError, match="t must be finite"):
        net.jvp([1.0, 2.0], [np.nan, 2.0])
    with pytest.raises(cynn.errors.DataError, match="x"):
        net.hessian([np.inf, 2.0])
    categories = cynn.Network([Input(2), layers.Embedding(3, 2, columns=[0]), Dense(1)])
    with pytest.raises(cynn.errors.InvalidParameterError, match=r"categories, for an Embedding, in the columns \[0\]"):
        categories.hessian([[1, 2.0]])
    assert categories.jvp([[1, 2.0]], [[0, 1.0]]).shape == (1, 1)


class Cube(cynn.activations.Activation):
    """An activation in Python, without directional derivatives."""

    name = "cube"

    def forward(self, z):
        return z**3

    def backward(self, z, a, grad):
        return 3 * z**2 * grad


def test_a_part_without_them_says_so():
    net = cynn.Network([Input(2), Dense(1, Cube())])
    what = r"For jvp, the activation 'cube' .* must have a method jvp, as its methods are in Python. Got none"
    with pytest.raises(cynn.errors.PluginError, match=what):
        net.jvp([1.0, 2.0], [1.0, 0.0])
