"""Layers in packages, with compiled kernels: built, installed, and the same in networks as what they repeat."""

import importlib
import pickle
import shutil
import sys
from pathlib import Path

import numpy as np
import plugin_packages
import pytest

import cynn
from cynn.engine import randomness
from cynn.kernels import random

PACKAGES = Path(plugin_packages.__file__).parent / "data" / "layer_plugins"
DTYPES = ["float32", "float64"]
GENERATOR = np.random.default_rng(5)
X = GENERATOR.normal(size=(300, 400))  # so many columns that they are cut into parts
CLASSES = GENERATOR.integers(0, 4, len(X))


@pytest.fixture(scope="module", autouse=True)
def _packages(tmp_path_factory):
    names = ["cython_layers", "c_layers"]
    copies = tmp_path_factory.mktemp("sources")
    for name in names:
        shutil.copytree(PACKAGES / name, copies / name)
    site = plugin_packages.pip_install(tmp_path_factory.mktemp("site"), *(copies / name for name in names))
    sys.path.insert(0, str(site))
    importlib.invalidate_caches()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cynn.registry.layers, "_entry_points", None)
        patch.setattr(cynn.registry.layers, "_loaded", {})
        yield
    sys.path.remove(str(site))


def layer(name, *arguments, **options):
    return cynn.registry.layers.find(name)(*arguments, **options)


def chain(*layers, dtype="float32", inputs=400, outputs=4, seed=3):
    return cynn.Network([cynn.Input(inputs), *layers, cynn.Dense(outputs, "softmax")], seed=seed, dtype=dtype)


def fitted(net, *, n_threads=1, **options):
    given = {"epochs": 2, "batch_size": 128, "optimizer": "adam", "progress": False} | options
    net.fit(X[:, : net.input.units], CLASSES, n_threads=n_threads, **given)
    return net


@pytest.mark.parametrize("dtype", DTYPES)
class TestTheSameAsTheBuiltIn:
    @pytest.mark.parametrize("name", ["cython_dense", "c_dense"])
    @pytest.mark.parametrize("optimizer", ["adam", cynn.optimizers.SGD(0.1)])
    def test_dense(self, name, dtype, optimizer):
        own = [layer(name, 70, "tanh"), layer(name, 9, "relu", use_bias=False), layer(name, 1)]
        built_in = [cynn.Dense(70, "tanh"), cynn.Dense(9, "relu", use_bias=False), cynn.Dense(1)]
        networks = [fitted(chain(*layers, dtype=dtype), optimizer=optimizer) for layers in (own, built_in)]
        tolerance = 1e-3 if dtype == "float32" else 1e-9
        np.testing.assert_allclose(*(net.predict(X) for net in networks), rtol=tolerance, atol=tolerance)
        for array, other in zip(*(net.get_weights() for net in networks), strict=True):
            np.testing.assert_allclose(array, other, rtol=tolerance, atol=tolerance)

    @pytest.mark.parametrize("name", ["cython_dense", "c_dense"])
    def test_the_products_of_dense(self, name, dtype):
        """To the last bit: the functions are the same."""
        networks = [chain(made(70, "tanh"), made(9), dtype=dtype) for made in (cynn.Dense, lambda *a: layer(name, *a))]
        np.testing.assert_array_equal(*(net.predict(X) for net in networks))
        found = [net.gradients(X, CLASSES) for net in networks]
        for (W, _), (other, _) in zip(*found, strict=True):
            np.testing.assert_array_equal(W, other)

    def test_prelu(self, dtype):
        networks = [
            fitted(chain(cynn.Dense(70), made, dtype=dtype)) for made in (layer("cython_prelu", 0.1), cynn.PReLU(0.1))
        ]
        tolerance = 1e-5 if dtype == "float32" else 1e-12  # that of another compiler's flags
        np.testing.assert_allclose(*(net.predict(X) for net in networks), rtol=tolerance)
        np.testing.assert_allclose(*(net.layers[1].alpha for net in networks), rtol=tolerance)

    @pytest.mark.parametrize("name", ["cython_dense", "c_dense"])
    def test_one_thread_and_two(self, name, dtype):
        networks = [
            fitted(chain(layer(name, 70, "tanh"), layer("cython_prelu"), dtype=dtype), n_threads=n_threads)
            for n_threads in (1, 2)
        ]
        np.testing.assert_array_equal(*(net.predict(X) for net in networks))


class TestInNetworks:
    def net(self, dtype="float32"):
        x = cynn.Input(6)
        h = cynn.Dense(5, "tanh")(x)
        ratio = layer("ratio")(h, cynn.Dense(5)(x))
        gated = layer("tanh_gate", "softplus")(layer("cython_prelu")(ratio))
        noisy = layer("uniform_noise", 0.25)(gated)
        return cynn.Network(cynn.Dense(4, "softmax")(layer("c_dense", 5)(noisy)), seed=1, dtype=dtype)

    def test_gradients(self):
        """Against differences, by every weight."""
        x = cynn.Input(6)
        ratio = layer("ratio")(cynn.Dense(5, "tanh")(x), cynn.Dense(5)(x))
        gated = layer("tanh_gate", "softplus")(layer("cython_prelu")(ratio))
        last = cynn.Dense(4, "softmax")(layer("cython_dense", 5)(layer("c_dense", 5)(gated)))
        net = cynn.Network(last, seed=1, dtype="float64")
        rows, classes = X[:40, :6], CLASSES[:40]
        trainer = cynn.optimizers.SGD(1.0)
        before = net.get_weights()
        net.train_batch(rows, classes, optimizer=trainer)
        found = [old - new for old, new in zip(before, net.get_weights(), strict=True)]
        names = [name for name, _ in cynn.layers.arrays(net.layers)]
        for number, name in enumerate(names):
            if name.endswith("mean"):
                continue
            for place in range(0, before[number].size, 3):
                losses = []
                for step in (1e-6, -1e-6):
                    moved = [array.copy() for array in before]
                    moved[number].reshape(-1)[place] += step
                    net.set_weights(moved)
                    losses.append(net.evaluate(rows, classes)["loss"])
                difference = (losses[0] - losses[1]) / 2e-6
                gradient = found[number].reshape(-1)[place]
                np.testing.assert_allclose(gradient, difference, rtol=1e-5, atol=1e-8, err_msg=name)

    @pytest.mark.parametrize("dtype", DTYPES)
    def test_saved_loaded_pickled_and_resumed(self, dtype, tmp_path):
        net = fitted(self.net(dtype), epochs=4, batch_size=64)
        net.save(tmp_path / "net")
        described = cynn.Network.from_config(net.get_config())
        assert [type(each) for each in described.layers] == [type(each) for each in net.layers]
        for again in (cynn.load(tmp_path / "net"), pickle.loads(pickle.dumps(net))):
            np.testing.assert_array_equal(again.predict(X[:, :6]), net.predict(X[:, :6]))
        halves = self.net(dtype)
        checkpoint = cynn.callbacks.Checkpoint(tmp_path / "checkpoint")
        fitted(halves, epochs=2, batch_size=64, callbacks=[checkpoint])
        resumed = fitted(self.net(dtype), epochs=4, batch_size=64, callbacks=[checkpoint], resume=True)
        for array, other in zip(resumed.get_weights(), net.get_weights(), strict=True):
            np.testing.assert_array_equal(array, other)
        assert "ratio" in repr(net.summary())

    def test_states_move_in_training_alone(self):
        net = self.net()
        net.predict(X[:, :6])
        net.gradients(X[:, :6], CLASSES)
        ratio = next(each for each in net.layers if each.name == "ratio")
        np.testing.assert_array_equal(ratio.mean, 0)
        net.train_batch(X[:, :6], CLASSES)
        assert (ratio.mean != 0).all()

    def test_the_example_of_the_page_passes_the_kit(self):
        cynn.testing.check_layer(layer("ratio"))

    @pytest.mark.parametrize("rows", [1, 3, 300])
    def test_predictions_of_any_rows(self, rows):
        net = fitted(self.net())
        np.testing.assert_allclose(net.predict(X[:rows, :6]), net.predict(X[:, :6])[:rows], rtol=1e-5)

    def test_a_python_activation_within(self):
        class Twice(cynn.activations.Activation):
            name = "twice"

            def forward(self, z):
                return 2 * z

            def backward(self, z, a, grad):
                return 2 * grad

        with pytest.raises(cynn.errors.PluginError, match=r"the layer 'tanh_gate' of c-layers 1\.0, must be compiled"):
            chain(layer("tanh_gate", Twice()))

    def test_where_they_come_from(self):
        assert cynn.registry.layers.origin(type(layer("c_dense", 1))) == ("c-layers", "1.0")
        assert layer("c_dense", 1).get_config()["layer"] == "c-layers:c_dense"


class TestRandomNumbers:
    def drawn(self, dtype, **options):
        """What the noise of the first batch was: the gradient by a layer behind it is the batch itself."""
        net = cynn.Network(
            [cynn.Input(7), layer("uniform_noise", 1.0, **options), cynn.Dense(1, use_bias=False, initializer="zeros")],
            seed=11, dtype=dtype,
        )  # fmt: skip
        found = np.empty((50, 7), dtype)
        for row in range(50):
            target = np.zeros(50)
            target[row] = -25  # the gradient of the mean of squares is x of that row
            before = cynn.Network.from_config(net.get_config())
            before.train_batch(np.zeros((50, 7)), target, optimizer=cynn.optimizers.SGD(1.0))
            found[row] = -before.layers[1].weights[:, 0]
        return found

    def words(self):
        groups = np.empty(4 * 32 * 3, np.uint32)  # of blocks 0, 1, ...: word j of block k at 4 k + j
        random.random_words(groups, 11, randomness.Purpose.NOISE, 0, 0)
        return groups.reshape(3, 32, 4).transpose(0, 2, 1).ravel()[:350].reshape(50, 7)

    def test_uniform(self):
        np.testing.assert_array_equal(self.drawn("float64"), self.words() / 2**32)
        np.testing.assert_array_equal(self.drawn("float32"), (self.words() >> 8).astype(np.float32) / np.float32(2**24))

    @pytest.mark.parametrize("dtype", DTYPES)
    def test_normal(self, dtype):
        drawn = self.drawn(dtype, is_normal=True)
        assert abs(drawn.mean()) < 0.15
        assert abs(drawn.std() - 1) < 0.1
        if dtype == "float32":
            np.testing.assert_allclose(drawn, self.drawn("float64", is_normal=True), rtol=1e-4, atol=1e-5)


def test_what_runs_without_python():
    class Halved(cynn.layers.Layer):
        def forward(self, x, parameters):
            return x / 2

    class Built(Halved):
        def build(self, builder, values):
            return values[0]

    assert [cls.is_compiled() for cls in (cynn.PReLU, cynn.Input, Halved, Built)] == [True, True, False, True]
    assert cynn.registry.layers.has_kernels
    assert not cynn.registry.metrics.has_kernels
    assert cynn.registry.layers.describe("c_dense").compiled


class Quotient(cynn.layers.Layer):
    """a = s x / (1 + y²), of two inputs: `ratio` without its state."""

    name = "quotient"
    n_inputs = 2
    scale = cynn.layers.Parameter(("units",), initializer={"name": "constant", "value": 1.0})

    def forward(self, x, parameters):
        first, second = x
        return parameters["scale"] * first / (1 + second**2)

    def backward(self, x, parameters, a, grad):
        first, second = x
        d = grad / (1 + second**2)
        return [d * parameters["scale"], -2 * second * d * a], {"scale": (d * first).sum(axis=0)}


class Stacked(cynn.layers.Layer):
    """All inputs, one beside the other."""

    name = "stacked_in_python"
    n_inputs = None

    def units_of(self, *widths):
        return sum(widths)

    def forward(self, x, parameters):
        return np.concatenate(x, axis=1)

    def backward(self, x, parameters, a, grad):
        return np.split(grad, np.cumsum([each.shape[1] for each in x])[:-1], axis=1), {}


class TestSeveralInputsInPython:
    @pytest.mark.parametrize("dtype", DTYPES)
    def test_the_same_as_the_compiled_one(self, dtype):
        networks = []
        for made in (Quotient(), layer("ratio")):
            made.learning_rate_factor = 2
            x = cynn.Input(6)
            last = cynn.Dense(4, "softmax")(made(cynn.Dense(5, "tanh")(x), cynn.Dense(5)(x)))
            networks.append(cynn.Network(last, seed=1, dtype=dtype))
        networks[1].layers[-1].weights = networks[0].layers[-1].weights  # the start of a scale draws numbers, too
        for net in networks:
            fitted(net)
        tolerance = 1e-3 if dtype == "float32" else 1e-9
        np.testing.assert_allclose(*(net.predict(X[:, :6]) for net in networks), rtol=tolerance)
        np.testing.assert_allclose(*(net.layers[2].scale for net in networks), rtol=tolerance)
        assert (networks[0].layers[2].scale != 1).all()

    def test_any_number(self):
        networks = []
        for made in (Stacked(), cynn.Concatenate()):
            x = cynn.Input(6)
            branches = [cynn.Dense(units)(x) for units in (1, 2, 3)]
            last = cynn.Dense(4, "softmax")(made(x, *branches, branches[0]))  # the input, and one branch twice
            networks.append(fitted(cynn.Network(last, seed=1, dtype="float64")))
        for array, other in zip(*(net.get_weights() for net in networks), strict=True):
            np.testing.assert_allclose(array, other, rtol=1e-9)

    @pytest.mark.parametrize("dtype", DTYPES)
    def test_behind_what_does_nothing_in_a_prediction(self, dtype):
        """Dropout leaves x where it lies, which may be the caller's array."""
        x = cynn.Input(6)
        net = cynn.Network(Stacked()(cynn.Dropout(0.5)(x), cynn.Dropout(0.1)(x)), seed=1, dtype=dtype)
        rows = np.ascontiguousarray(X[:9, :6], dtype)
        np.testing.assert_array_equal(net.predict(rows), np.concatenate([rows, rows], axis=1))

    @pytest.mark.parametrize(
        ("dx", "pattern"),
        [
            (lambda x: x[0], r"must be a list of 2 arrays. Got ndarray"),
            (lambda x: x[:1], r"must be a list of 2 arrays. Got 1 of them"),
            (lambda x: [x[0], x[1][:1]], r"dC/dx must be an array of shape \(20, 5\). Got \(1, 5\)"),
        ],
    )
    def test_gradients_of_other_forms(self, dx, pattern):
        class Wrong(Quotient):
            def backward(self, x, parameters, a, grad):
                return dx(x), {"scale": np.zeros(5)}

        x = cynn.Input(6)
        net = cynn.Network(Wrong()(cynn.Dense(5)(x), cynn.Dense(5)(x)), seed=1)
        with pytest.raises(cynn.errors.PluginError, match=pattern):
            net.fit(X[:20, :6], X[:20, :5], batch_size=20, progress=False)

    def test_another_number(self):
        x = cynn.Input(6)
        with pytest.raises(cynn.errors.ShapeError, match=r"must be called on 2 inputs\. Got 1"):
            cynn.Network(Quotient()(x))
