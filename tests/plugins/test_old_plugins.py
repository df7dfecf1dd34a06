"""Plugins that were built with an earlier header, from sources of that time, work in today's networks.

The headers and the packages in old_plugins stay as they are; a header that breaks them needs a new major number.
"""

import importlib.util
import re
import shutil
from pathlib import Path

import plugin_packages
import pytest

OLD = Path(plugin_packages.__file__).parent / "data" / "old_plugins"
# What the kit of that time did not see: the sign of a NaN was 0.
FAULTS = {"signum": ["NaN and infinity let through"]}
PACKAGES = ("c", "cython", "maths", "numba", "python")
NUMBA = pytest.mark.skipif(importlib.util.find_spec("numba") is None, reason="needs Numba")

# What `import cynn` finds while the packages are built: the old headers alone.
STUB = """
from pathlib import Path
def get_include():
    return str(Path(__file__).parent / "include")
"""

# The same formulas in NumPy, on the way that calls Python methods.
REFERENCES = """
import math
import numpy as np
import cynn

erf = np.vectorize(math.erf)

class Reference(cynn.activations.Activation):
    def forward(self, z):
        return self.f(z.astype(np.float64)).astype(z.dtype)
    def backward(self, z, a, grad):
        return (grad * self.slope(z.astype(np.float64))).astype(z.dtype)

class BentIdentity(Reference):
    name = "reference_of_bent_identity"
    def f(self, z): return z + (np.sqrt(z**2 + 1) - 1) / 2
    def slope(self, z): return 1 + z / (2 * np.sqrt(z**2 + 1))

class InverseSquareRoot(Reference):
    name = "reference_of_inverse_square_root"
    def f(self, z): return z / np.sqrt(1 + z**2)
    def slope(self, z): return (1 + z**2) ** -1.5

class Arctangent(Reference):
    name = "reference_of_arctangent"
    def f(self, z): return np.arctan(z)
    def slope(self, z): return 1 / (1 + z**2)

class Symlog(Reference):
    name = "reference_of_symlog"
    def f(self, z): return np.sign(z) * np.log1p(np.abs(z))
    def slope(self, z): return 1 / (1 + np.abs(z))

class SumOfAll(Reference):
    name = "reference_of_sum_of_all"
    def f(self, z):
        bump = np.exp(-(z**2))
        smooth = 1 / (1 + np.exp(-z)) + np.tanh(z) + 2 * erf(z) - 1 + np.logaddexp(0, z)
        return smooth + 2 * np.log1p(z**2) + 2 * bump - 1 + np.sqrt(1 + z**2) + np.abs(z)
    def slope(self, z):
        s, bump = 1 / (1 + np.exp(-z)), np.exp(-(z**2))
        smooth = s * (1 - s) + 1 - np.tanh(z) ** 2 + 4 / np.sqrt(np.pi) * bump + s
        return smooth + 4 * z / (1 + z**2) - 4 * z * bump + z / np.sqrt(1 + z**2) + np.sign(z)

class Cauchy(cynn.losses.Loss):
    name = "reference_of_cauchy"
    def value_and_gradient(self, prediction, target):
        d = prediction.astype(np.float64) - target
        return (np.log1p(d**2) / 2).mean(axis=1), (d / (1 + d**2) / d.shape[1]).astype(prediction.dtype)

class Signum(cynn.optimizers.Optimizer):
    name = "reference_of_signum"
    n_slots = 1
    def step(self, w, grad, slots, learning_rate, t):
        slots[0][...] = 0.9 * slots[0] + 0.1 * grad
        w -= w.dtype.type(learning_rate) * np.sign(slots[0])

class BlasDescent(cynn.optimizers.Optimizer):
    name = "reference_of_blas_descent"
    def step(self, w, grad, slots, learning_rate, t):
        w -= w.dtype.type(learning_rate) * grad

for cls in Reference.__subclasses__():
    cynn.registry.activations.register(cls)
cynn.registry.losses.register(Cauchy)
for cls in (Signum, BlasDescent):
    cynn.registry.optimizers.register(cls)
"""

TRAIN = """
import sys
kind, name, package = sys.argv[1:]
registry = getattr(cynn.registry, {"loss": "losses"}.get(kind, kind + "s"))
assert registry.describe(name).distribution == package
x = np.random.default_rng(0).integers(-8, 9, (70, 3)) / 4
for dtype, tolerance in (("float32", 2e-5), ("float64", 1e-12)):
    trained = []
    for each in (name, "reference_of_" + name):
        used = {"activation": "tanh", "loss": "mean_squared_error", "optimizer": cynn.optimizers.SGD(0.01)}
        if kind == "optimizer":
            used[kind] = registry.get(each, learning_rate=0.01)
        else:
            used[kind] = registry.get(each)
        layers = [cynn.Input(3), cynn.Dense(16, used["activation"]), cynn.BatchNorm(), cynn.Dense(2)]
        net = cynn.Network(layers, seed=0, dtype=dtype)
        weight = np.arange(len(x)) % 3
        history = net.fit(x, x[:, :2] ** 2 / 4, loss=used["loss"], optimizer=used["optimizer"], epochs=3, batch_size=32,
                          sample_weight=weight)
        found = [*net.get_weights(), net.predict(x), np.array(history["loss"])]
        found += [g for pair in net.gradients(x[:9], x[:9, :2], loss=used["loss"]) for g in pair if g is not None]
        trained.append(found)
    for array, expected in zip(*trained, strict=True):
        np.testing.assert_allclose(array, expected, rtol=100 * tolerance, atol=10 * tolerance)
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder with all five, built with the headers that are kept."""
    old = tmp_path_factory.mktemp("old")
    shutil.copytree(OLD / "headers", old / "cynn")
    (old / "cynn" / "__init__.py").write_text(STUB, encoding="utf-8")
    packages = [shutil.copytree(OLD / name, old / name) for name in PACKAGES]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(old))
        return plugin_packages.pip_install(tmp_path_factory.mktemp("site"), *packages)


@pytest.mark.parametrize(
    ("package", "kind", "name"),
    [
        ("c", "activation", "inverse_square_root"),
        ("c", "loss", "cauchy"),
        ("cython", "activation", "bent_identity"),
        ("cython", "optimizer", "signum"),
        ("maths", "activation", "sum_of_all"),
        ("maths", "optimizer", "blas_descent"),
        pytest.param("numba", "activation", "arctangent", marks=NUMBA),
        ("python", "activation", "symlog"),
    ],
)
def test_an_old_plugin(site, package, kind, name):
    trained = plugin_packages.run(site, "-c", REFERENCES + TRAIN, kind, name, f"cynn-example-{package}")
    assert trained.returncode == 0, trained.stderr
    checked = plugin_packages.run(site, "-m", "cynn", "check", name)
    failed = re.findall(r"^ *FAIL  (.*?)  ", checked.stdout, re.M)
    assert failed == FAULTS.get(name, []), checked.stdout + checked.stderr
