"""Derivatives against JAX in float64, and networks within PyTorch and JAX against the same built there."""

import derived
import helpers
import numpy as np
import pytest
from code_blocks import DOCS, blocks
from printed import agrees

import cynn
from cynn import Activation, Add, BatchNorm, Concatenate, Dense, Dropout, Input, Network
from cynn.errors import InvalidParameterError

jax = pytest.importorskip("jax")
torch = pytest.importorskip("torch")
jax.config.update("jax_enable_x64", True)
jnp = jax.numpy

pytestmark = pytest.mark.interop
CLOSE = 1e-9

FUNCTIONS = {
    "identity": lambda z: z,
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
    "softmax": lambda z: jax.nn.softmax(z, axis=-1),
    "softplus": jax.nn.softplus,
    "swish": jax.nn.silu,
    "gelu": lambda z: jax.nn.gelu(z, approximate=False),
    "mish": lambda z: z * jnp.tanh(jax.nn.softplus(z)),
    "relu": jax.nn.relu,
    "elu": jax.nn.elu,
    "selu": jax.nn.selu,
    "log_softmax": lambda z: jax.nn.log_softmax(z, axis=-1),
    "softsign": jax.nn.soft_sign,
    "leaky_relu": lambda z: jnp.where(z > 0, z, 0.01 * z),
}


def activated(layer, z):
    return FUNCTIONS[layer.activation.name](z)


def apply(layer, values, weights):
    """One layer in JAX; `weights` gives the next arrays of the network."""
    x = values[0]
    if isinstance(layer, cynn.GLU):
        z = x @ next(weights) + next(weights)
        half = z.shape[-1] // 2
        return z[..., :half] * FUNCTIONS[layer.activation.name](z[..., half:])
    if isinstance(layer, Dense):
        return activated(layer, x @ next(weights) + next(weights))
    if isinstance(layer, Activation):
        return activated(layer, x)
    if isinstance(layer, cynn.RMSNorm):
        return next(weights) * x / jnp.sqrt((x**2).mean(axis=-1, keepdims=True) + layer.epsilon)
    if isinstance(layer, cynn.LayerNorm):
        gamma, beta = next(weights), next(weights)
        centered = x - x.mean(axis=-1, keepdims=True)
        return gamma * centered / jnp.sqrt((centered**2).mean(axis=-1, keepdims=True) + layer.epsilon) + beta
    if isinstance(layer, BatchNorm):
        gamma, beta = next(weights), next(weights)
        return gamma * (x - layer.moving_mean) / jnp.sqrt(layer.moving_variance + layer.epsilon) + beta
    if isinstance(layer, cynn.PReLU):
        return jnp.where(x >= 0, x, next(weights) * x)
    if isinstance(layer, Dropout):
        return x
    if isinstance(layer, cynn.Residual):
        out = x
        for inner in layer.layers:
            out = apply(inner, [out], weights)
        return x + out
    if isinstance(layer, Add):
        return sum(values)
    if isinstance(layer, Concatenate):
        return jnp.concatenate(values, axis=-1)
    raise NotImplementedError(layer)


def in_jax(net):
    """f(weights, x) of the outputs as a list, for one row or many."""
    composition = net._composition

    def f(weights, x):
        own = iter(weights)
        values = [x * net.input.scale + net.input.offset]
        sources = composition.sources or [[k] for k in range(len(net.layers))]
        for layer, of_layer in zip(net.layers, sources, strict=True):
            values.append(apply(layer, [values[k] for k in of_layer], own))
        return [values[k] for k in composition.output_numbers]

    return f


def trained(net):
    return [a for layer in cynn.layers.walk(net.layers) for a in layer.parameters.values() if a is not None]


def check(net, x):
    f, weights = in_jax(net), [jnp.asarray(array) for array in trained(net)]
    outputs = net._outputs
    expected = jax.vmap(jax.jacrev(lambda x: f(weights, x)))(x)
    for one, other in zip(outputs.split(net.jacobian(x), "jacobian"), expected, strict=True):
        assert helpers.relative_error(one, other) < CLOSE
    vectors = [helpers.inputs(len(x), units, seed=k) for k, units in enumerate(outputs.units)]
    dweights, dx = jax.vjp(f, weights, x)[1](list(map(jnp.asarray, vectors)))
    found, dw = net.vjp(x, outputs.join(vectors), weights=True)
    assert helpers.relative_error(found, dx) < CLOSE
    assert helpers.relative_error(net.vjp(x, outputs.join(vectors)), dx) < CLOSE
    flat = [array for of_layer in dw for array in of_layer if array is not None]
    for one, other in zip(flat, dweights, strict=True):
        assert helpers.relative_error(one, other) < CLOSE


@pytest.mark.parametrize("name", ["gelu", "log_softmax", "mish", "selu", "softmax"])
def test_activations_against_jax(name):
    check(helpers.network([5, 7, 4], ["tanh", name]), helpers.inputs(6, 5))


@pytest.mark.parametrize(
    "layer", [BatchNorm(), cynn.LayerNorm(), cynn.RMSNorm(), cynn.PReLU(), cynn.GLU(6, "swish")]
)
def test_layers_against_jax(layer):
    check(derived.around(layer), helpers.inputs(6, 6))


@pytest.mark.parametrize("seed", range(5))
def test_graphs_against_jax(seed):
    check(derived.graph(seed), helpers.inputs(5, 5, seed=seed))


def test_input_gradients_against_jax():
    net = helpers.network([5, 7, 4], ["tanh", "softmax"])
    f, weights = in_jax(net), [jnp.asarray(array) for array in trained(net)]
    x, y = helpers.inputs(6, 5), helpers.targets(6, 4, "cross_entropy")
    expected = jax.grad(lambda x: -(y * jnp.log(f(weights, x)[0])).sum() / 6)(x)
    assert helpers.relative_error(net.input_gradients(x, y, loss="cross_entropy"), expected) < CLOSE


def losses_in_jax(f, x, targets):
    """The mean squared error of all outputs, as a function of the weights."""
    return lambda weights: sum(((a - y) ** 2).mean() for a, y in zip(f(weights, x), targets, strict=True))


def second_derivatives(net, x):
    """Products with the Hessian by the weights, and the gradient of a loss on derivatives, beside JAX."""
    f, weights, outputs = in_jax(net), [jnp.asarray(array) for array in trained(net)], net._outputs
    targets = [helpers.inputs(len(x), units, seed=k) for k, units in enumerate(outputs.units)]
    y, sizes = outputs.join(targets), np.cumsum([array.size for array in weights])[:-1]
    v = helpers.inputs(1, net.parameter_vector.size, seed=7)[0]
    direction = [jnp.asarray(a.reshape(w.shape)) for a, w in zip(np.split(v, sizes), weights, strict=True)]
    loss = losses_in_jax(f, x, targets)
    expected = jax.jvp(jax.grad(loss), (weights,), (direction,))[1]
    found = np.split(net.hvp(x, y, v, loss="mean_squared_error"), sizes)
    for one, other in zip(found, expected, strict=True):
        assert np.abs(one - np.ravel(other)).max() < CLOSE * max(1, np.abs(v).max())
    slopes = [helpers.inputs(len(x), units * x.shape[1], seed=k).reshape(len(x), units, -1)
              for k, units in enumerate(outputs.units)]  # fmt: skip

    def with_slopes(weights):
        found = jax.vmap(jax.jacrev(lambda x: f(weights, x)))(x)
        return loss(weights) + 0.3 * sum(((J - s) ** 2).mean() for J, s in zip(found, slopes, strict=True))

    expected, before = jax.grad(with_slopes)(weights), [array.copy() for array in trained(net)]
    net.fit(x, y, loss="mean_squared_error", dy_dx=outputs.join(slopes), derivative_weight=0.3, batch_size=len(x),
            epochs=1, optimizer=cynn.optimizers.SGD(learning_rate=1.0), progress=False)  # fmt: skip
    for one, array, other in zip(before, trained(net), expected, strict=True):
        assert helpers.relative_error(one - array, other) < CLOSE


@pytest.mark.parametrize(
    "layer", [cynn.LayerNorm(), cynn.RMSNorm(), cynn.PReLU(), cynn.GLU(6, "sigmoid"), Activation("softmax")]
)
def test_second_derivatives_against_jax(layer):
    second_derivatives(derived.around(layer), helpers.inputs(6, 6))


def test_second_derivatives_of_several_outputs_against_jax():
    x = Input(3)
    first = Dense(4, "tanh")(x)
    both = Add()(first, Dense(4, "sigmoid")(first))
    net = Network({"p": Dense(2, "softmax")(Concatenate()(both, x)), "q": Dense(1)(both)}, dtype="float64", seed=0)
    second_derivatives(net, helpers.inputs(6, 3))


class TestTorch:
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_the_same_as_a_module_of_torch(self, dtype):
        net = cynn.Network.mlp([4, 8, 3], activation="tanh", output="sigmoid", input_scale=0.5, seed=0, dtype=dtype)
        native, wrapped = cynn.interop.torch.export(net), cynn.interop.torch.wrap(net, weights=True)
        tolerance = {"float32": 1e-5, "float64": 1e-12}[dtype]
        found = {}
        for name, module in [("native", native), ("wrapped", wrapped)]:
            x = torch.tensor(helpers.inputs(6, 4, dtype), requires_grad=True)
            out = module(x)
            (out**2).sum().backward()
            gradients = {tuple(p.shape): p.grad for p in module.parameters()}
            found[name] = [out, x.grad, *(gradients[shape] for shape in [(8,), (3,)]), x.grad]
            matrices = sorted((g if name == "wrapped" else g.T for s, g in gradients.items() if len(s) == 2),
                              key=len)  # fmt: skip
            found[name] += matrices
        for a, b in zip(found["native"], found["wrapped"], strict=True):
            assert a.dtype == b.dtype
            np.testing.assert_allclose(a.detach(), b.detach(), rtol=tolerance, atol=tolerance)

    def test_gradcheck(self):
        net = helpers.network([3, 5, 2], ["tanh", "tanh"])
        wrapped = cynn.interop.torch.wrap(net)
        assert list(wrapped.parameters()) == []
        assert torch.autograd.gradcheck(wrapped, torch.tensor(helpers.inputs(4, 3), requires_grad=True))
        assert torch.autograd.gradcheck(wrapped, torch.tensor(helpers.inputs(1, 3)[0], requires_grad=True))

    def test_an_optimizer_of_torch_trains_the_network(self):
        net = helpers.network([3, 5, 1], ["tanh", "identity"])
        wrapped = cynn.interop.torch.wrap(net, weights=True)
        optimizer = torch.optim.SGD(wrapped.parameters(), lr=0.1)
        x, y = torch.tensor(helpers.inputs(30, 3)), torch.tensor(helpers.inputs(30, 1, seed=4))
        before, losses = net.layers[0].weights.copy(), []
        for _ in range(20):
            loss = ((wrapped(x) - y) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert losses[-1] < losses[0]
        assert not (net.layers[0].weights == before).any()
        other = helpers.network([3, 5, 1], ["tanh", "identity"])
        for _ in range(20):
            other.train_batch(x.numpy(), y.numpy(), loss="mean_squared_error", optimizer=cynn.optimizers.SGD(0.1))
        np.testing.assert_allclose(net.layers[0].weights, other.layers[0].weights, rtol=1e-9)

    def test_weights_that_changed_in_between(self):
        wrapped = cynn.interop.torch.wrap(helpers.network([3, 2], ["tanh"]), weights=True)
        out = wrapped(torch.zeros(2, 3, dtype=torch.float64)).sum()
        with torch.no_grad():
            next(wrapped.parameters()).mul_(2)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            out.backward()

    def test_several_outputs_and_forms(self):
        x = Input(3)
        net = Network({"a": Dense(2)(x), "b": Dense(1)(x)}, seed=0)
        rows = torch.ones(4, 3, dtype=torch.float64, requires_grad=True)
        out = cynn.interop.torch.wrap(net)(rows)
        assert {name: tuple(one.shape) for name, one in out.items()} == {"a": (4, 2), "b": (4, 1)}
        out["b"].sum().backward()
        np.testing.assert_allclose(rows.grad, np.tile(net.layers[1].weights[:, 0], (4, 1)), rtol=1e-6)
        with pytest.raises(RuntimeError, match="once_differentiable"):
            (grad,) = torch.autograd.grad(
                (cynn.interop.torch.wrap(net)(rows)["a"] ** 2).sum(), rows, create_graph=True
            )
            grad.sum().backward()

    def test_frozen_layers_have_no_parameters(self):
        net = Network([Input(3), Dense(4, trainable=False), Dense(2)], seed=0)
        wrapped = cynn.interop.torch.wrap(net, weights=True)
        assert [tuple(p.shape) for p in wrapped.parameters()] == [(4, 2), (2,)]
        wrapped(torch.ones(2, 3)).sum().backward()
        assert all(p.grad is not None for p in wrapped.parameters())


class TestJax:
    def test_the_same_as_a_function_of_jax(self):
        net = derived.prepared(Network([Input(4, scale=0.5), Dense(6, "tanh"), Dense(3, "softmax")], seed=0,
                                       dtype="float64"))  # fmt: skip
        f, weights, wrapped = in_jax(net), [jnp.asarray(a) for a in trained(net)], cynn.interop.jax.wrap(net)
        x = jnp.asarray(helpers.inputs(5, 4))

        def native(x):
            return f(weights, x)[0]

        for transform in [
            lambda g: g,
            jax.jit,
            lambda g: jax.grad(lambda x: (g(x) ** 2).sum()),
            lambda g: jax.jit(jax.grad(lambda x: (g(x) ** 2).sum())),
            lambda g: jax.vmap(jax.jacrev(g)),
            lambda g: jax.jit(jax.vmap(g)),
            lambda g: jax.vmap(jax.vmap(jax.grad(lambda x: g(x)[0])), in_axes=(None,), axis_size=2, out_axes=1),
        ]:
            expected, found = transform(native)(x), transform(wrapped)(x)
            assert helpers.relative_error(found, expected) < CLOSE
        assert helpers.relative_error(jax.jacrev(wrapped)(x[0]), net.jacobian(np.asarray(x[0]))) < CLOSE

    def test_several_outputs_in_float32(self):
        x = Input(3)
        net = Network({"a": Dense(2)(x), "b": Dense(1)(x)}, seed=0)
        wrapped = cynn.interop.jax.wrap(net)
        rows = jnp.ones((4, 3), "float32")
        assert {name: one.shape for name, one in wrapped(rows).items()} == {"a": (4, 2), "b": (4, 1)}
        found = jax.grad(lambda x: wrapped(x)["b"].sum())(rows)
        assert found.dtype == "float32"
        np.testing.assert_allclose(found, np.tile(net.layers[1].weights[:, 0], (4, 1)), rtol=1e-6)

    def test_new_weights_are_used(self):
        net = helpers.network([3, 2], ["tanh"])
        wrapped = jax.jit(cynn.interop.jax.wrap(net))
        before = wrapped(jnp.ones(3))
        net.layers[0].weights = 2 * net.layers[0].weights
        assert not (before == wrapped(jnp.ones(3))).any()

    def test_float64_is_to_be_on(self):
        net = helpers.network([3, 2], ["tanh"])
        jax.config.update("jax_enable_x64", False)
        try:
            with pytest.raises(InvalidParameterError, match="jax_enable_x64=False"):
                cynn.interop.jax.wrap(net)
        finally:
            jax.config.update("jax_enable_x64", True)


@pytest.mark.parametrize("library", ["torch", "jax"])
def test_categories_have_no_derivatives(library):
    net = Network([Input(3), cynn.Embedding(4, 2, columns=[1]), Dense(1)], seed=0)
    with pytest.raises(InvalidParameterError, match="must be numbers to have derivatives"):
        getattr(cynn.interop, library).wrap(net)


def test_the_page(capsys):
    names = {}
    for block in blocks(DOCS / "in_scipy_pytorch_jax.rst"):
        if block.kind == "text":
            assert agrees(capsys.readouterr().out, block.code)
        else:
            exec(compile(block.code, str(block), "exec"), names)
