"""Jacobians, vᵀJ and input gradients against differences in float64, in all layers, graphs and plugins."""

import catalogue_layers
import derived
import every_part
import helpers
import numpy as np
import pytest

import cynn
from cynn import BatchNorm, Dense, Dropout, Input, Network
from cynn.errors import DataError, InvalidParameterError, PluginError, ShapeError, TrainingDivergedError

SMALL = 1e-6
X = helpers.inputs(9, 6)


def check(net, x):
    """The Jacobian against differences; vᵀJ and the gradients by weights against it."""
    outputs = net._outputs
    found = outputs.split(net.jacobian(x), "jacobian")
    vectors = [helpers.inputs(len(x), units, seed=k) for k, units in enumerate(outputs.units)]
    product = 0
    for number, (jacobian, v) in enumerate(zip(found, vectors, strict=True)):
        expected = derived.differences(lambda x, number=number: derived.outputs_of(net, x)[number], x)
        assert helpers.relative_error(jacobian, expected) < SMALL
        product = product + np.einsum("ro,roi->ri", v, jacobian)
    v = outputs.join(vectors)
    assert helpers.relative_error(net.vjp(x, v), product) < 1e-12
    dx, dw = net.vjp(x, v, weights=True)
    assert helpers.relative_error(dx, product) < 1e-12
    check_weights(net, x, vectors, dw)


def check_weights(net, x, vectors, dw):
    """Some of the derivatives of Σ v f(x) by the weights, against differences."""
    generator = np.random.default_rng(0)

    def total():
        return float(sum((v * out).sum() for v, out in zip(vectors, derived.outputs_of(net, x), strict=True)))

    layers = [layer for layer in cynn.layers.walk(net.layers) if layer.parameters]
    for layer, gradients in zip(layers, dw, strict=True):
        for array, gradient in zip(layer.parameters.values(), gradients, strict=True):
            if gradient is None:
                continue
            scale = max(np.abs(gradient).max(), 1e-3)
            for place in generator.integers(array.size, size=3):
                part = array.reshape(-1)[place : place + 1]
                before, slopes = part[0], []
                for h in (1e-4, 5e-5):
                    part[0] = before + h
                    above = total()
                    part[0] = before - h
                    slopes.append((above - total()) / (2 * h))
                part[0] = before
                assert abs(gradient.reshape(-1)[place] - (4 * slopes[1] - slopes[0]) / 3) < SMALL * scale


def small(text):
    """A layer of `every_part` with six columns."""
    return every_part.make("layer", text.replace("96", "6").replace("units=48", "units=6"))


LAYERS = [text for text in every_part.PARTS["layer"] if not text.startswith(("Embedding", "Input"))]


@pytest.mark.parametrize("text", LAYERS)
def test_every_layer(text):
    check(derived.around(small(text)), X)


@pytest.mark.parametrize("name", sorted(catalogue_layers.LAYERS))
def test_layers_of_the_catalogue(name):
    layer = catalogue_layers.LAYERS[name]()
    net = derived.prepared(Network([Input(6, scale=0.5), layer, Dense(3, "tanh")], seed=1, dtype="float64"))
    check(net, X / 3)


@pytest.mark.parametrize("text", every_part.PARTS["activation"])
def test_every_activation(text):
    layers = [Input(6), Dense(5, "tanh"), cynn.Activation(every_part.make("activation", text)), Dense(2)]
    net = derived.prepared(Network(layers, seed=2, dtype="float64"), seed=5)
    check(net, X)


@pytest.mark.parametrize("seed", range(25))
def test_graphs(seed):
    net = derived.graph(seed)
    check(net, helpers.inputs(5, 5, seed=seed))


def test_methods_in_python():
    net = derived.prepared(Network([Input(4), Dense(5, "tanh"), derived.Scaled(), Dense(3), cynn.Activation(
        derived.Cubed())], seed=0, dtype="float64"))  # fmt: skip
    check(net, helpers.inputs(300, 4))


def test_a_network_of_what_predictions_leave_out():
    net = Network([Input(3, scale=4.0), Dropout(0.5)], dtype="float64")
    np.testing.assert_array_equal(net.jacobian([1.0, 2.0, 3.0]), 4 * np.eye(3))
    np.testing.assert_array_equal(net.vjp([[1.0, 2.0, 3.0]], [[1.0, 0.0, 2.0]]), [[4, 0, 8]])


@pytest.mark.parametrize("rows", [1, 2, 127, 129, 700])
@pytest.mark.parametrize("outputs", [1, 3, 130])
def test_any_rows_and_outputs(rows, outputs):
    net = helpers.network([7, 9, outputs], ["tanh", "sigmoid"])
    x = helpers.inputs(rows, 7)
    a, h = net.predict(x), net.activations(x)[1]
    (w1, _), (w2, _) = helpers.parameters(net)
    expected = np.einsum("ro,ho,rh,ih->roi", a * (1 - a), w2, 1 - h * h, w1)
    assert helpers.relative_error(net.jacobian(x), expected) < 1e-12
    assert helpers.relative_error(net.jacobian(x[0]), expected[0]) < 1e-12


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_same_bits_for_any_number_of_threads(dtype):
    net = helpers.network([40, 200, 150, 6], ["tanh", "relu", "identity"], dtype=dtype)
    x = helpers.inputs(900, 40, dtype)
    v = helpers.inputs(900, 6, dtype, seed=3)
    for weights, training in [(False, False), (True, False), (False, True)]:
        found = [net.vjp(x, v, weights=weights, training=training, n_threads=n) for n in (1, 2, 5)]
        for other in found[1:]:
            for a, b in zip(flat(found[0]), flat(other), strict=True):
                np.testing.assert_array_equal(a, b)
    one = net.jacobian(x, n_threads=1)
    np.testing.assert_array_equal(one, net.jacobian(x, n_threads=3))
    for n in (1, 2):
        found = net.input_gradients(x, v, n_threads=n)
        np.testing.assert_array_equal(found, net.input_gradients(x, v, n_threads=1))


def flat(found):
    if isinstance(found, (list, tuple)):
        return [array for part in found for array in flat(part)]
    return [] if found is None else [found]


@pytest.mark.parametrize("loss", ["mean_squared_error", "cross_entropy", "huber"])
def test_input_gradients(loss):
    net = Network([Input(4, scale=0.3, offset=1.0), Dense(5, "tanh"), Dropout(0.5), Dense(3, "softmax")],
                  seed=0, dtype="float64")  # fmt: skip
    x, y = helpers.inputs(6, 4), helpers.targets(6, 3, "cross_entropy")
    weight = np.array([1.0, 2.0, 0.0, 0.5, 1.0, 3.0])
    found = net.input_gradients(x, y, loss=loss, sample_weight=weight)
    for row in range(6):
        for column in range(4):
            slopes = []
            for h in (1e-4, -1e-4):
                moved = x.copy()
                moved[row, column] += h
                slopes.append(net.evaluate(moved, y, loss=loss, sample_weight=weight)["loss"])
            assert abs((slopes[0] - slopes[1]) / 2e-4 - found[row, column]) < 1e-7
    assert (found[2] == 0).all()


def test_input_gradients_of_several_outputs_with_classes():
    x = Input(3)
    h = Dense(5, "tanh")(x)
    net = Network({"k": Dense(3, "softmax")(h), "v": Dense(1)(h)}, seed=0, dtype="float64")
    rows, y = helpers.inputs(4, 3), {"k": np.array([0, 2, 1, 1]), "v": np.arange(4.0)}
    found = net.input_gradients(rows, y, loss_weights={"k": 2.0})

    def loss(rows):
        return net.evaluate(rows, y, loss_weights={"k": 2.0})["loss"]

    for place in np.ndindex(rows.shape):
        move = np.zeros_like(rows)
        move[place] = 1e-4
        assert abs((loss(rows + move) - loss(rows - move)) / 2e-4 - found[place]) < 1e-7


class TestTraining:
    def test_batch_norm(self):
        """By the statistics of these rows, through which a row depends on the others."""
        net = derived.around(BatchNorm())
        x, v = helpers.inputs(5, 6), helpers.inputs(5, 3, seed=4)
        gamma, beta, epsilon = net.layers[1].gamma, net.layers[1].beta, net.layers[1].epsilon

        def total(x):
            z = net.activations(x)[1]
            z = gamma * (z - z.mean(axis=0)) / np.sqrt(z.var(axis=0) + epsilon) + beta
            return float((v * np.tanh(z @ net.layers[2].weights + net.layers[2].biases)).sum())

        found = net.vjp(x, v, training=True)
        for place in np.ndindex(x.shape):
            move = np.zeros_like(x)
            move[place] = 1e-5
            assert abs((total(x + move) - total(x - move)) / 2e-5 - found[place]) < 1e-7
        before = net.layers[1].moving_mean.copy()
        net.vjp(x, v, training=True, weights=True)
        np.testing.assert_array_equal(net.layers[1].moving_mean, before)
        with pytest.raises(InvalidParameterError, match="use vjp, or training=False"):
            net.jacobian(x, training=True)

    def test_dropout(self):
        """The same noise in each call, and in all outputs."""
        net = Network([Input(8, scale=2.0), Dropout(0.5), Dense(3)], seed=0, dtype="float64")
        x = helpers.inputs(40, 8)
        jacobian = net.jacobian(x, training=True)
        kept = jacobian[:, 0] != 0
        assert 100 < kept.sum() < 220
        np.testing.assert_allclose(jacobian, 4 * kept[:, None] * net.layers[1].weights.T[None], rtol=1e-12)
        v = helpers.inputs(40, 3)
        np.testing.assert_allclose(
            net.vjp(x, v, training=True), np.einsum("ro,roi->ri", v, jacobian), rtol=1e-9, atol=1e-12
        )

    def test_the_gradients_of_a_loss(self):
        """vᵀJ of v = ∂C/∂f, which is the same for all f below the targets if C is the absolute error."""
        layers = [Input(4, scale=0.5), Dense(6, "tanh"), BatchNorm(), Dropout(0.5), Dense(3)]
        net = derived.prepared(Network(layers, seed=1, dtype="float64"))
        x = helpers.inputs(7, 4)
        y, v = np.full((7, 3), 1e3), np.full((7, 3), -1 / 21)
        dx, dw = net.vjp(x, v, weights=True, training=True)
        for own, expected in zip(dw, net.gradients(x, y, loss="mean_absolute_error"), strict=True):
            for a, b in zip(own, expected, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-15)
        found = net.input_gradients(x, y, loss="mean_absolute_error", training=True)
        np.testing.assert_allclose(dx, found, rtol=1e-9, atol=1e-15)
        assert helpers.relative_error(net.input_gradients(x, y, loss="mean_absolute_error"), net.vjp(x, v)) < 1e-9
        assert helpers.relative_error(dx, net.vjp(x, v)) > 1e-3

    def test_one_row_of_batch_norm(self):
        """It has no statistics of its own: the moving averages are used, with a warning, as in training."""
        net = derived.around(BatchNorm())
        x, v = helpers.inputs(1, 6), helpers.inputs(1, 3)
        with pytest.warns(cynn.errors.CynnWarning, match="at least two rows for BatchNorm"):
            found = net.vjp(x, v, training=True)
        assert helpers.relative_error(found, net.vjp(x, v)) < 1e-12


class TestForms:
    net = staticmethod(lambda dtype="float32": cynn.Network.mlp([3, 4, 2], activation="tanh", seed=0, dtype=dtype))

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_one_row_is_a_row(self, dtype):
        net, x = self.net(dtype), helpers.inputs(3, 3, dtype)
        for _ in range(2):  # the second call has buffers
            jacobian, one = net.jacobian(x), net.jacobian(x[1])
            assert jacobian.dtype == one.dtype == dtype
            assert (jacobian.shape, one.shape) == ((3, 2, 3), (2, 3))
            np.testing.assert_allclose(one, jacobian[1], rtol=1e-5)
            v = helpers.inputs(3, 2, dtype)
            np.testing.assert_allclose(net.vjp(x[1], v[1]), net.vjp(x, v)[1], rtol=1e-5)
            assert net.vjp(x[1], v[1]).shape == (3,)

    @pytest.mark.parametrize("kind", [list, np.float16, np.int32, np.uint8, "strided", "fortran"])
    def test_any_numbers(self, kind):
        net = self.net("float64")
        x = np.arange(12.0).reshape(4, 3)
        given = {"strided": np.repeat(x, 2, axis=0)[::2], "fortran": np.asfortranarray(x), list: x.tolist()}.get(kind)
        given = x.astype(kind) if given is None else given
        v = np.ones((4, 2))
        np.testing.assert_array_equal(net.jacobian(given), net.jacobian(x))
        np.testing.assert_array_equal(net.vjp(given, v[::-1]), net.vjp(x, v))
        np.testing.assert_array_equal(net.vjp(x, v.astype(int).tolist()), net.vjp(x, v))

    def test_out(self):
        net, x = self.net(), helpers.inputs(200, 3, "float32")
        v = helpers.inputs(200, 2, "float32")
        jacobian, dx = np.empty((200, 2, 3), "float32"), np.empty((200, 3), "float32")
        assert net.jacobian(x, out=jacobian) is jacobian
        np.testing.assert_array_equal(jacobian, net.jacobian(x))
        assert net.vjp(x, v, out=dx) is dx
        np.testing.assert_array_equal(dx, net.vjp(x, v))
        assert net.vjp(x, v, out=dx, weights=True)[0] is dx
        own = x.copy()  # it may overlap what is read
        np.testing.assert_array_equal(net.vjp(own, v, out=own), net.vjp(x, v))

    def test_several_outputs(self):
        x = Input(3)
        net = Network([Dense(2)(x), Dense(1, "tanh")(x)], seed=0)
        rows = helpers.inputs(4, 3, "float32")
        outs = [np.empty((4, 2, 3), "float32"), np.empty((4, 1, 3), "float32")]
        found = net.jacobian(rows, out=outs)
        assert found[0] is outs[0]
        for one, other in zip(found, net.jacobian(rows), strict=True):
            np.testing.assert_array_equal(one, other)
        assert [one.shape for one in net.jacobian(rows[0])] == [(2, 3), (1, 3)]
        one = Network([Dense(2)(x)], seed=0)  # a list of one output is a list
        assert [array.shape for array in one.jacobian(rows)] == [(4, 2, 3)]
        assert [array.shape for array in one.jacobian(rows)] == [(4, 2, 3)]

    def test_no_rows(self):
        net = self.net()
        assert net.jacobian(np.empty((0, 3))).shape == (0, 2, 3)
        assert net.jacobian(np.empty((0, 3)), training=True).shape == (0, 2, 3)
        assert net.vjp(np.empty((0, 3)), np.empty((0, 2))).shape == (0, 3)
        with pytest.raises(ShapeError, match="at least one row"):
            net.vjp(np.empty((0, 3)), np.empty((0, 2)), weights=True)

    def test_new_weights_are_used(self):
        net = self.net()
        before = net.jacobian(np.ones(3))
        net.layers[0].weights = 2 * net.layers[0].weights
        assert not (before == net.jacobian(np.ones(3))).any()

    def test_wrong(self):
        net, x, v = self.net(), np.ones((4, 3), "float32"), np.ones((4, 2), "float32")
        net.jacobian(x)
        for call, error, pattern in [
            (lambda: net.jacobian(np.ones((4, 2))), ShapeError, "x must have 3 columns"),
            (lambda: net.jacobian(np.full((4, 3), np.nan)), DataError, "x must be finite"),
            (lambda: net.jacobian(np.full(3, np.nan, "float32")), DataError, "x must be finite"),
            (lambda: net.jacobian(np.full((4, 3), 1e300)), DataError, "x must be finite in float32"),
            (lambda: net.jacobian(["a", "b", "c"]), InvalidParameterError, "must hold real numbers"),
            (lambda: net.jacobian(x, out=np.empty((4, 3, 2), "float32")), ShapeError, r"out must be an array of shape"),
            (lambda: net.jacobian(x, out=np.empty((4, 2, 3))), ShapeError, r"dtype float32. Got \(4, 2, 3\) float64"),
            (lambda: net.jacobian(x, out=np.empty((8, 2, 3), "float32")[::2]), ShapeError, "C-contiguous"),
            (lambda: net.vjp(x, v, out=net.layers[0].weights), ShapeError, "out must be"),
            (lambda: net.jacobian(x, training=1), InvalidParameterError, "training"),
            (lambda: net.jacobian(x, n_threads=0), InvalidParameterError, "n_threads"),
            (lambda: net.jacobian(x[0], n_threads="a"), InvalidParameterError, "n_threads"),
            (lambda: net.vjp(x, v[:3]), ShapeError, r"v must have the shape \(4, 2\). Got \(3, 2\) instead"),
            (lambda: net.vjp(x[0], v), ShapeError, r"v must have the shape \(2,\). Got \(4, 2\) instead"),
            (lambda: net.vjp(x, np.full((4, 2), np.inf)), DataError, "v must be finite"),
            (lambda: net.vjp(x[0], np.full(2, np.nan, "float32")), DataError, "v must be finite"),
            (lambda: net.vjp(x, v, weights=2), InvalidParameterError, "weights"),
            (lambda: net.vjp(x * np.nan, v, weights=True), DataError, "x must be finite"),
            (lambda: net.input_gradients(x, v[:2]), ShapeError, "y must have as many rows"),
            (lambda: net.input_gradients(x * np.nan, v), DataError, "x must be finite"),
            (lambda: net.input_gradients(x, v * np.float32(1e30)), TrainingDivergedError, "must be finite to have"),
        ]:
            with pytest.raises(error, match=pattern):
                call()
        assert np.isnan(net.jacobian(np.full(3, np.nan), check_finite=False)).all()
        square = Network([Input(2), Dense(2)], seed=0)
        with pytest.raises(InvalidParameterError, match="outside of the network's weights"):
            square.vjp(np.ones((2, 2)), np.ones((2, 2)), out=square.layers[0].weights)

    def test_categories_have_none(self):
        net = Network([Input(3), cynn.Embedding(4, 2, columns=[1]), Dense(1)], seed=0)
        for call in [
            lambda: net.jacobian(np.zeros(3)), lambda: net.vjp(np.zeros(3), np.ones(1)),
            lambda: net.input_gradients(np.zeros((1, 3)), [1.0]),
        ]:  # fmt: skip
            with pytest.raises(InvalidParameterError, match=r"must be numbers to have derivatives.*columns \[1\]"):
                call()

    def test_what_python_raises(self):
        class Faulty(derived.Scaled):
            name = "faulty_scaled"

            def backward(self, x, parameters, a, grad):
                raise RuntimeError("no backward")

        net = Network([Input(3), Faulty(), Dense(1)], seed=0)
        for call in [lambda: net.jacobian(np.ones(3)), lambda: net.vjp(np.ones((1, 3)), [[1.0]], weights=True)]:
            with pytest.raises(PluginError, match="no backward"):
                call()
            assert net.predict(np.ones(3)).shape == (1,)


def test_a_jacobian_is_the_vjp_of_unit_vectors():
    """In blocks of rows and outputs: one block for all rows at first, a block for each row from an activation on."""
    x = Input(3)
    first = Dense(4)(x)
    curved = Dense(4, "tanh")(Dropout(0.5)(first))
    both = cynn.layers.Concatenate()(first, curved, x)
    nets = [
        Network([Input(3, scale=0.5), Dense(5, "gelu"), Dense(70)], seed=0, dtype="float64"),
        Network([Input(3), Dense(5), Dropout(0.5), Dense(2)], seed=0, dtype="float64"),
        Network([Input(3), cynn.layers.Activation("tanh"), cynn.layers.LayerNorm(), Dense(2, "softmax")],
                     seed=0, dtype="float64"),
        Network({"p": Dense(2)(both), "q": first, "r": cynn.layers.Activation("sigmoid")(both)}, dtype="float64"),
        Network({"p": Dense(2)(cynn.layers.Add()(first, first)), "q": cynn.layers.LayerNorm()(curved), "r": curved},
                     dtype="float64"),
    ]  # fmt: skip
    rows = np.random.default_rng(3).normal(size=(300, 3))
    for net in nets:
        jacobian, predicted = net.jacobian(rows), net.predict(rows)
        names = list(predicted) if isinstance(predicted, dict) else [None]
        for name in names:
            units = (predicted if name is None else predicted[name]).shape[1]
            for unit in range(units):
                v = {each: np.zeros_like(predicted[each]) for each in names} if name else np.zeros_like(predicted)
                (v if name is None else v[name])[:, unit] = 1
                found = jacobian if name is None else jacobian[name]
                np.testing.assert_allclose(found[:, unit], net.vjp(rows, v), rtol=0, atol=1e-13)
