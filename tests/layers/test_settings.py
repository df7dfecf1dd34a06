"""Every layer with every setting that it has: described, saved, loaded and trained on. And what a new layer takes."""

import inspect

import helpers
import numpy as np
import pytest

import cynn
from cynn import (
    GLU,
    Activation,
    Add,
    AlphaDropout,
    BatchNorm,
    Concatenate,
    Dense,
    Dropout,
    Embedding,
    GaussianNoise,
    Input,
    LayerNorm,
    Maxout,
    Network,
    PReLU,
    Residual,
    RMSNorm,
    kernels,
    layers,
    registry,
)
from cynn.constraints import MaxNorm
from cynn.initializers import Constant
from cynn.regularizers import L1L2

GENERATOR = np.random.default_rng(0)
X = np.concatenate([GENERATOR.integers(0, 3, (40, 2)), GENERATOR.normal(size=(40, 2))], axis=1)
Y = GENERATOR.normal(size=(40, 2))

OF_WEIGHTS = {
    "use_bias": False,
    "initializer": Constant(0.25),
    "regularizer": L1L2(l1=0.001, l2=0.002),
    "constraint": MaxNorm(0.04),
    "trainable": False,
    "learning_rate_factor": 0.5,
    "bias_learning_rate_factor": 2.0,
}
OF_NORMALIZATIONS = {"use_scale": False, "use_bias": False, "trainable": False, "learning_rate_factor": 0.5}
# For each kind of layer a value for each parameter, none of which is the default.
SETTINGS = {
    Activation: {"activation": "tanh"},
    Add: {"branches": [[], [Dense(4, "tanh")]]},
    AlphaDropout: {"rate": 0.3},
    BatchNorm: {"momentum": 0.7, "epsilon": 0.01, **OF_NORMALIZATIONS},
    Concatenate: {"branches": [[], [Dense(3, "tanh")]]},
    Dense: {"units": 3, "activation": "tanh", **OF_WEIGHTS},
    Dropout: {"rate": 0.3},
    Embedding: {
        "input_dim": 3, "output_dim": 2, "columns": [1, 0],
        **{name: value for name, value in OF_WEIGHTS.items() if "bias" not in name},
    },
    GLU: {"units": 3, "activation": "tanh", **OF_WEIGHTS},
    GaussianNoise: {"stddev": 0.3},
    LayerNorm: {"epsilon": 0.01, **OF_NORMALIZATIONS},
    Maxout: {"units": 3, "pieces": 3, **OF_WEIGHTS},
    PReLU: {"initial": 0.1, "trainable": False, "learning_rate_factor": 0.5},
    RMSNorm: {"epsilon": 0.01, "use_scale": False, "trainable": False, "learning_rate_factor": 0.5},
    Residual: {"layers": [Dense(4, "tanh"), Dropout(0.1)]},
}


def parameters(cls):
    return inspect.signature(cls).parameters


def required(cls):
    return {name: SETTINGS[cls][name] for name, p in parameters(cls).items() if p.default is p.empty}


def cases():
    """One changed parameter at a time, and all of them."""
    for cls, values in SETTINGS.items():
        for name in values:
            yield pytest.param(cls, required(cls) | {name: values[name]}, id=f"{cls.__name__}-{name}")
        yield pytest.param(cls, values, id=f"{cls.__name__}-all")


def network(layer, dtype="float32"):
    behind = [] if isinstance(layer, Embedding) else [Dense(4, "tanh")]
    return Network([Input(4), *behind, layer, Dense(4, "tanh"), Dense(2)], seed=1, dtype=dtype)


def test_no_layer_and_no_setting_is_missing_here():
    assert set(SETTINGS) == set(registry.layers.builtins.values()) - {Input}
    for cls in SETTINGS:
        assert set(parameters(cls)) == set(SETTINGS[cls]), cls
        for name, parameter in parameters(cls).items():
            assert SETTINGS[cls][name] != parameter.default, (cls, name)


OPTIONS = "use_bias: 'bool' = True, initializer: 'Any' = None, regularizer: 'Any' = None, constraint: 'Any' = None, "
OPTIONS += "trainable: 'bool' = True, learning_rate_factor: 'float' = 1.0, "
OPTIONS += "bias_learning_rate_factor: 'float | None' = None)"


class WithSlope(GLU):
    def __init__(self, units, *, slope=0.5, trainable=False, **options):
        super().__init__(units, "identity", trainable=trainable, **options)
        self.slope = slope


class OfAnything(Dense):
    def __init__(self, *given, **options):
        super().__init__(*given, **options)


class OfNothing(GLU):
    def __init__(self):
        super().__init__(3)


@pytest.mark.parametrize(
    ("cls", "signature"),
    [
        (Dense, f"(units: 'int', activation: 'Any' = 'identity', *, {OPTIONS}"),
        (GLU, f"(units: 'int', activation: 'Any' = 'sigmoid', *, {OPTIONS}"),
        (Maxout, f"(units: 'int', pieces: 'int' = 2, *, {OPTIONS}"),
        (WithSlope, "(units, *, slope=0.5, trainable=False, " + OPTIONS.replace("trainable: 'bool' = True, ", "")),
        (OfAnything, "(*given, **options)"),
        (OfNothing, "()"),
    ],
)
def test_layers_made_from_dense_show_its_options(cls, signature):
    assert str(inspect.signature(cls)) == signature


@pytest.mark.parametrize("options", [{"activation": "relu"}, {"slope": 1}])
def test_an_option_that_is_none(options):
    with pytest.raises(TypeError, match=next(iter(options))):
        Maxout(3, **options)
    if "slope" in options:
        with pytest.raises(TypeError, match="slope"):
            GLU(3, **options)


@pytest.mark.parametrize(("cls", "options"), list(cases()))
class TestEverySetting:
    def test_it_is_in_the_description(self, cls, options):
        layer, plain = cls(**options), cls(**required(cls))
        again = layers.from_config(layer.get_config())
        assert again.get_config() == layer.get_config()
        if set(options) != set(required(cls)):
            assert layer.get_config() != plain.get_config()
            assert repr(layer) != repr(plain)

    def test_a_saved_network_goes_on_as_the_one_in_memory(self, cls, options, tmp_path):
        net = network(cls(**options))
        net.fit(X, Y, epochs=2, optimizer="sgd", progress=False)
        net.save(tmp_path / "net.safetensors")
        again = cynn.load(tmp_path / "net.safetensors")
        assert again.get_config() == net.get_config()
        assert helpers.digest(again) == helpers.digest(net)
        np.testing.assert_array_equal(again.predict(X), net.predict(X))
        assert again.evaluate(X, Y) == net.evaluate(X, Y)
        again.epochs_trained = net.epochs_trained  # which a model file does not hold
        for one in (net, again):
            one.fit(X, Y, epochs=1, optimizer=cynn.optimizers.SGD(0.1), progress=False)
        assert helpers.digest(again) == helpers.digest(net)

    def test_the_same_bits_at_any_number_of_threads(self, cls, options):
        digests = set()
        for n_threads in (1, 2, 3):
            net = network(cls(**options))
            net.fit(np.tile(X, (300, 1)), np.tile(Y, (300, 1)), epochs=1, batch_size=6000, n_threads=n_threads,
                    progress=False)  # fmt: skip
            digests.add(helpers.digest(net))
        assert len(digests) == 1


@pytest.mark.parametrize("name", ["regularizer", "constraint", "initializer", "trainable"])
@pytest.mark.parametrize("cls", [Dense, Embedding, GLU, Maxout])
def test_what_holds_for_weights_does_something(cls, name):
    def trained(**options):
        net = network(cls(**required(cls), **options), "float64")
        net.fit(X, Y, epochs=3, optimizer=cynn.optimizers.SGD(0.1), progress=False)
        return next(layer for layer in net.layers if type(layer) is cls).weights

    assert (trained(**{name: OF_WEIGHTS[name]}) != trained()).any()


@pytest.mark.parametrize(
    ("activation", "initializer"),
    [
        ("relu", "he_uniform"),
        ("leaky_relu", "he_uniform"),
        ("identity", "glorot_uniform"),
        ("sigmoid", "glorot_uniform"),
        ("softmax", "glorot_uniform"),
        ("tanh", "glorot_uniform"),
    ],
)
@pytest.mark.parametrize("cls", [Dense, GLU])
def test_weights_begin_as_the_activation_wants_it(cls, activation, initializer):
    default, named, other = (
        Network([Input(40), cls(30, activation, initializer=name)], seed=4).layers[0].weights
        for name in (None, initializer, "lecun_normal")
    )
    np.testing.assert_array_equal(default, named)
    assert (default != other).any()


class Doubled(layers.Layer):
    """x + x: a layer as somebody would write it, in one file."""

    name = "doubled"
    offset = layers.layer.Parameter()

    def __init__(self, note="none"):
        super().__init__()
        self.note = note

    def build(self, builder, values):
        units = builder.widths[values[0]]
        offset = builder.parameter("offset", builder.zeros(units, units))
        z = builder.add(kernels.dense.KERNELS["affine"], values, units, parameters=[offset, None])
        return builder.add(kernels.merge.KERNELS["add"], [z, *values, *values], units)


class TestANewLayer:
    @pytest.fixture(autouse=True)
    def registered(self):
        registry.layers.register(Doubled)

    def test_it_is_trained_shown_and_saved(self, tmp_path):
        net = Network([Input(4), Doubled("first"), Residual([Doubled(), Dense(4, "tanh")]), Dense(2)], seed=0)
        np.testing.assert_array_equal(net.activations(X)[1], 2 * X.astype(np.float32))
        assert net.parameter_count == 16 + 16 + 20 + 10
        assert "doubled" in net.summary()
        assert "<svg" in net._repr_html_()
        before = net.evaluate(X, Y)["loss"]
        net.fit(X, Y, epochs=5, progress=False)
        assert net.evaluate(X, Y)["loss"] < before
        assert (net.layers[0].offset != 0).any()
        assert net.diagnose(X, Y)[0].layer == "0 doubled"
        net.save(tmp_path / "net.safetensors")
        again = cynn.load(tmp_path / "net.safetensors")
        assert again.layers[0].note == "first"
        np.testing.assert_array_equal(again.predict(X), net.predict(X))

    def test_its_gradients(self):
        net = Network([Input(4), Doubled(), Dense(2)], seed=0, dtype="float64")
        (found,), *_ = net.gradients(X, Y)
        for index in np.ndindex(4, 4):
            losses = []
            for h in (1e-6, -1e-6):
                net.layers[0].offset[index] = h
                losses.append(net.evaluate(X, Y)["loss"])
                net.layers[0].offset[index] = 0
            assert found[index] == pytest.approx((losses[0] - losses[1]) / 2e-6, rel=1e-6, abs=1e-9)
