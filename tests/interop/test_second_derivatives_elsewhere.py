"""Directional and second derivatives by the inputs against JAX in float64."""

import derived
import helpers
import numpy as np
import pytest
from test_derivatives_elsewhere import CLOSE, FUNCTIONS, in_jax, trained

import cynn
from cynn import Dense, Dropout, Input, Network, registry

jax = pytest.importorskip("jax")
jax.config.update("jax_enable_x64", True)
jnp = jax.numpy

pytestmark = pytest.mark.interop

MORE = {
    "gaussian": lambda z: jnp.exp(-z * z),
    "log_sigmoid": jax.nn.log_sigmoid,
    "smooth_clip": lambda z: z / jnp.sqrt(1 + (z / 3) ** 2),
    "softmin": lambda z: jax.nn.softmax(-z, axis=-1),
    "sparse_plus": lambda z: jnp.where(z <= -1, 0, jnp.where(z >= 1, z, (z + 1) ** 2 / 4)),
    "squareplus": lambda z: (z + jnp.sqrt(z * z + 4)) / 2,
    "tanhshrink": lambda z: z - jnp.tanh(z),
}
LAYERS = {
    "batch norm": cynn.BatchNorm(),
    "layer norm": cynn.LayerNorm(),
    "RMS norm": cynn.RMSNorm(),
    "PReLU": cynn.PReLU(),
    "GLU": cynn.GLU(6, "swish"),
    "dropout": Dropout(0.3),
    "residual": cynn.Residual([Dense(6, "sigmoid"), Dense(6)]),
}


def of_rows(f, x, t):
    """The tangents of the outputs along t, and their Hessians, compiled together."""

    def both(x, t):
        return jax.jvp(f, (x,), (t,))[1], jax.jacfwd(jax.jacrev(f))(x)

    return jax.jit(jax.vmap(both))(x, t)


def check(net, x):
    f, weights, outputs = in_jax(net), [jnp.asarray(array) for array in trained(net)], net._outputs
    t = helpers.inputs(*x.shape, seed=9)
    tangents, hessians = of_rows(lambda x: f(weights, x), x, t)
    for one, other in zip(outputs.split(net.jvp(x, t), "tangents"), tangents, strict=True):
        assert helpers.relative_error(one, other) < CLOSE
    for one, other in zip(outputs.split(net.hessian(x), "Hessians"), hessians, strict=True):
        assert helpers.relative_error(one, other) < CLOSE
    for one, other in zip(outputs.split(net.hessian_diagonal(x), "diagonals"), hessians, strict=True):
        assert helpers.relative_error(one, np.einsum("roii->roi", other)) < CLOSE


@pytest.mark.parametrize("name", ["gelu", "log_softmax", "mish", "selu", "softmax", "softplus", "swish", *MORE])
def test_activations(name, monkeypatch):
    monkeypatch.setitem(FUNCTIONS, name, FUNCTIONS.get(name) or MORE[name])
    check(helpers.network([4, 5, 3], ["tanh", name]), helpers.inputs(5, 4))


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name):
    check(derived.around(LAYERS[name]), helpers.inputs(4, 6))


@pytest.mark.parametrize("seed", range(10, 13))
def test_graphs(seed):
    check(derived.graph(seed), helpers.inputs(4, 5, seed=seed))


def periodic(layer, x):
    v = 2 * jnp.pi * layer.waves * x[..., :, None]
    waved = jnp.concatenate([jnp.cos(v), jnp.sin(v)], axis=-1)
    return jax.nn.relu(jnp.einsum("...ck,cku->...cu", waved, layer.weights) + layer.biases).reshape(*x.shape[:-1], -1)


@pytest.mark.parametrize(
    ("name", "options", "function"),
    [
        ("scale", {}, lambda layer, x: x * layer.factors),
        ("numerical_embedding", {"method": "plr", "units_per_column": 3, "frequencies": 4}, periodic),
        (
            "parametric_activation",
            {"activation": "tanh"},
            lambda layer, x: x + layer.alpha * (jnp.tanh(x) - x),
        ),
        (
            "mixture_of_experts",
            {"units": 3, "experts": 2, "activation": "tanh"},
            lambda layer, x: jnp.einsum(
                "...e,...eu->...u",
                jax.nn.softmax(x @ layer.gate_weights + layer.gate_biases),
                jnp.tanh(x @ layer.weights + layer.biases).reshape(*x.shape[:-1], 2, 3),
            ),
        ),
    ],
)
def test_layers_of_the_catalogue(name, options, function):
    net = derived.prepared(
        Network([Input(4), registry.layers.get(name, **options), Dense(2, "tanh")], seed=1, dtype="float64")
    )
    first, last = net.layers
    x = helpers.inputs(5, 4)

    def f(x):
        return jnp.tanh(function(first, x) @ last.weights + last.biases)

    t = helpers.inputs(5, 4, seed=9)
    tangents, hessians = of_rows(f, jnp.asarray(x), jnp.asarray(t))
    assert helpers.relative_error(net.jvp(x, t), tangents) < CLOSE
    assert helpers.relative_error(net.hessian(x), hessians) < CLOSE
