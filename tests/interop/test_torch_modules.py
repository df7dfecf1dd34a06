"""Modules of PyTorch as networks, and networks as modules."""

import subprocess
import sys

import exported
import numpy as np
import pytest
from exported import LAYERS, side_by_side

import cynn

pytestmark = pytest.mark.interop

torch = pytest.importorskip("torch")
nn, F = torch.nn, torch.nn.functional

NETWORKS = ["activations", *LAYERS]
X = torch.from_numpy(np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32))


def network(name, dtype="float32"):
    return exported.all_activations(dtype) if name == "activations" else exported.network(name, dtype)


def predicted(module, x):
    with torch.no_grad():
        found = module(x)
    if isinstance(found, dict):
        found = list(found.values())
    if isinstance(found, (list, tuple)):
        return np.concatenate([each.numpy() for each in found], axis=1)
    return found.numpy()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_export(dtype, name):
    net = network(name, dtype)
    x = exported.rows_for(net).astype(dtype)
    module = cynn.interop.torch.export(net)
    assert not module.training
    found, wanted = predicted(module, torch.from_numpy(x)), side_by_side(net.predict(x))
    assert found.dtype == dtype
    rtol = 2e-5 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(found, wanted, rtol=rtol, atol=100 * np.finfo(dtype).eps)
    if isinstance(net.outputs, dict):
        assert list(module(torch.from_numpy(x))) == list(net.outputs)


def test_what_is_exported_knows_nothing_of_cynn(tmp_path):
    net = exported.network("graph")
    torch.save(cynn.interop.torch.export(net), tmp_path / "module.pt")
    code = (
        "import sys, torch\n"
        "sys.modules['cynn'] = None\n"
        f"m = torch.load({str(tmp_path / 'module.pt')!r}, weights_only=False)\n"
        "print(m(torch.zeros(1, 6))['first'].sum().item())\n"
    )
    said = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert abs(float(said) - 1) < 1e-5


@pytest.mark.parametrize("name", [n for n in LAYERS if n not in {"all are one"}])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_there_and_back(dtype, name):
    net = network(name, dtype)
    x = exported.rows_for(net).astype(dtype)
    module = cynn.interop.torch.export(net)
    if name in {"glu", "maxout"}:  # composed of functions
        with pytest.raises(cynn.errors.InvalidParameterError, match="Got none for"):
            cynn.interop.torch.adopt(module, inputs=6)
        return
    same = cynn.interop.torch.adopt(module, inputs=net.input.units)
    assert same.dtype == dtype
    np.testing.assert_allclose(side_by_side(same.predict(x)), side_by_side(net.predict(x)), rtol=1e-5, atol=1e-6)
    if name in {"dense", "wide", "batch norm", "layer norm", "rms norm", "prelu"}:
        assert all((a == b).all() for a, b in zip(same.get_weights(), net.get_weights(), strict=True))


MODULES = [
    nn.ReLU(), nn.Sigmoid(), nn.Tanh(), nn.SELU(), nn.SiLU(), nn.Mish(), nn.Softsign(), nn.Tanhshrink(),
    nn.LogSigmoid(), nn.ReLU6(), nn.Hardsigmoid(), nn.Hardswish(), nn.LeakyReLU(0.3), nn.ELU(0.7), nn.CELU(2.0),
    nn.GELU(), nn.GELU("tanh"), nn.Softplus(2.0), nn.Hardtanh(-2, 0.5),
    nn.Softshrink(0.2), nn.Hardshrink(0.2), nn.Threshold(0.1, 2),
    nn.Softmax(dim=1), nn.LogSoftmax(dim=-1), nn.Softmin(dim=1), nn.PReLU(), nn.PReLU(5), nn.Identity(),
    nn.Dropout(0.3),
    nn.AlphaDropout(0.1), nn.LayerNorm(5), nn.LayerNorm(5, bias=False), nn.RMSNorm(5), nn.BatchNorm1d(5), nn.Flatten(),
    nn.BatchNorm1d(5, affine=False), nn.LayerNorm(5, elementwise_affine=False),
]  # fmt: skip


@pytest.mark.parametrize("part", MODULES, ids=repr)
def test_every_module(part):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(6, 5), part, nn.Linear(5, 3, bias=False)).eval()
    if isinstance(part, nn.BatchNorm1d):
        part.running_mean.normal_()
        part.running_var.uniform_(0.5, 2)
    net = cynn.interop.torch.adopt(module)
    np.testing.assert_allclose(net.predict(X.numpy()), predicted(module, X), atol=3e-6)
    assert (net.layers[0].weights == module[0].weight.detach().numpy().T).all()
    assert net.layers[0].activation.name != "identity" or len(net.layers) > 1
    net.fit(X.numpy(), net.predict(X.numpy()), loss="mean_squared_error", epochs=1, progress=False)


class Free(nn.Module):
    """A graph that is written by hand, with categories in the first column."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(4, 3)
        self.first = nn.Linear(8, 8)
        self.gate = nn.Linear(8, 10)
        self.glu = nn.GLU(dim=1)
        self.last = nn.Linear(5, 2)

    def forward(self, x):
        h = torch.cat([x[:, 1:], self.table(x[:, 0].long())], dim=1)
        h = h + F.relu(self.first(h))
        h = torch.tanh(self.glu(self.gate(h * 0.5)) + 1)
        return self.last(h).softmax(dim=-1), h.sigmoid()


def test_a_graph_written_by_hand():
    torch.manual_seed(1)
    module = Free()
    x = X.clone()
    x[:, 0] = torch.arange(50) % 4
    net = cynn.interop.torch.adopt(module, inputs=6)
    found = net.predict(x.numpy())
    assert isinstance(found, list)
    np.testing.assert_allclose(side_by_side(found), predicted(module, x), atol=2e-6)


OPTIMIZERS = [
    lambda p: torch.optim.SGD(p, 0.05), lambda p: torch.optim.SGD(p, 0.05, momentum=0.9, weight_decay=0.01),
    lambda p: torch.optim.SGD(p, 0.05, momentum=0.9, nesterov=True), lambda p: torch.optim.Adam(p, 0.01),
    lambda p: torch.optim.AdamW(p, 0.01, betas=(0.8, 0.95), weight_decay=0.1),
]  # fmt: skip


@pytest.mark.parametrize("make", OPTIMIZERS)
def test_training_goes_on_with_the_optimizer(make):
    """The next steps are those that PyTorch takes."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.LayerNorm(8), nn.PReLU(8), nn.Linear(8, 2)).double()
    optimizer = make(module.parameters())
    x, y = X.double(), X[:, :2].double().sin()

    def steps(n):
        for _ in range(n):
            optimizer.zero_grad()
            F.mse_loss(module(x), y).backward()
            optimizer.step()

    steps(5)
    net = cynn.interop.torch.adopt(module, optimizer)
    steps(4)
    for _ in range(4):
        net.train_batch(x.numpy(), y.numpy(), loss="mean_squared_error")
    np.testing.assert_allclose(net.predict(x.numpy()), predicted(module, x), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize(
    "make",
    [lambda p: torch.optim.RMSprop(p), lambda p: torch.optim.Adam(p, weight_decay=0.1),
     lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, dampening=0.5), lambda p: torch.optim.Adam(p, amsgrad=True)],
)  # fmt: skip
def test_optimizers_without_counterpart(make):
    module = nn.Sequential(nn.Linear(6, 2))
    with pytest.raises(cynn.errors.InvalidParameterError, match="optimizer of PyTorch that is adopted"):
        cynn.interop.torch.adopt(module, make(module.parameters()))


class Odd(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(6, 4)
        self.odd = nn.Bilinear(4, 4, 2)

    def forward(self, x):
        h = self.a(x)
        return torch.cumsum(self.odd(h, h), dim=1).relu()


class Branching(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


class Calls(nn.Module):
    """A linear layer, and a function of its output."""

    def __init__(self, function):
        super().__init__()
        self.first = nn.Linear(6, 4)
        self.function = function

    def forward(self, x):
        return self.function(self, self.first(x))


def hooked(module, is_before=False):
    if is_before:
        module.register_forward_pre_hook(lambda m, given: (2 * given[0],))
    else:
        module.register_forward_hook(lambda m, given, output: 2 * output)
    return module


#: What would be another function if what is odd about it were passed over, and what names it.
ODD = {
    "a hook": (lambda: nn.Sequential(hooked(nn.Linear(6, 4))), r"Linear\(.*\), which has hooks \(0\)"),
    "a hook before": (lambda: nn.Sequential(hooked(nn.Linear(6, 4), True)), "which has hooks"),
    "a hook of the module": (lambda: hooked(Calls(lambda m, h: h)), "the module itself"),
    "spectral norm": (lambda: nn.Sequential(nn.utils.spectral_norm(nn.Linear(6, 4))), "which has hooks"),
    "a parametrization": (
        lambda: nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(6, 4))), "ParametrizedLinear"
    ),
    "a lazy layer": (lambda: Calls(lambda m, h: nn.LazyLinear(3)(h)), "torch.fx can trace|LazyLinear"),
    "a branch on the mode": (lambda: Calls(lambda m, h: h if m.training else 2 * h), "branches on self.training"),
    "a factor of a sum": (lambda: Calls(lambda m, h: torch.add(h, h.relu(), alpha=2)), r"add \(add\)"),
    "a softplus that is linear early": (lambda: nn.Sequential(nn.Linear(6, 4), nn.Softplus(2.0, 1.0)), "Softplus"),
    "rows that are joined": (lambda: nn.Sequential(nn.Linear(6, 4), nn.Flatten(0)), "Flatten"),
    "rows that a function joins": (lambda: Calls(lambda m, h: h.flatten()), "flatten"),
    "whole numbers": (lambda: Calls(lambda m, h: h.int().float()), "int"),
    "whole numbers by a dtype": (lambda: Calls(lambda m, h: h.to(torch.int64).float()), r"to \(to\)"),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_what_would_be_another_function_is_named(name):
    make, message = ODD[name]
    with pytest.raises(cynn.errors.InvalidParameterError, match=message):
        cynn.interop.torch.adopt(make())


def test_modes_stay_and_pruning_is_in_the_weights():
    from torch.nn.utils import prune

    pruned = prune.l1_unstructured(nn.Linear(6, 4), "weight", 0.5)
    module = nn.Sequential(pruned, nn.BatchNorm1d(4), nn.Dropout(0.3))
    module[1].eval()
    net = cynn.interop.torch.adopt(module)
    assert [each.training for each in module.modules()] == [True, True, False, True]
    np.testing.assert_allclose(net.predict(X.numpy()), predicted(module.eval(), X), atol=2e-6)


def test_bfloat16_becomes_float32():
    module = nn.Sequential(nn.Linear(6, 4)).bfloat16()
    net = cynn.interop.torch.adopt(module)
    assert (net.layers[0].weights == module[0].weight.detach().float().numpy().T).all()


@pytest.mark.parametrize(
    ("module", "message"),
    [(Odd(), r"Bilinear.*\(odd\)"), (Branching(), "torch.fx can trace"), (3, "torch.nn.Module"),
     (nn.Sequential(nn.ReLU()), "'inputs' parameter"), (nn.Sequential(nn.Linear(6, 2), nn.Softmax(dim=0)), "Softmax"),
     (nn.Sequential(nn.Linear(6, 2), nn.Dropout(1.0)), "Dropout"), (nn.Sequential(nn.GLU(1), nn.Linear(3, 1)), "GLU")],
)  # fmt: skip
def test_what_cannot_be_adopted(module, message):
    with pytest.raises(cynn.errors.InvalidParameterError, match=message) as caught:
        cynn.interop.torch.adopt(module)
    assert "relu" not in str(caught.value)
