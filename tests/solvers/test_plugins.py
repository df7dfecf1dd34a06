"""Solvers of other packages, found by their entry points."""

import importlib
import sys

import numpy as np
import pytest
from plugin_packages import write_package

import cynn
from cynn.cli import main
from cynn.errors import PluginError

SOURCE = """
import numpy as np
import cynn

class Evolution(cynn.solvers.Solver):
    '''The best of some random steps, whose length follows from success.'''
    name = "{name}"

    def __init__(self, tries=20):
        self.tries = tries

    def start(self, n_parameters):
        return {{"length": np.array(0.3), "seed": np.array(0.0)}}

    def step(self, problem, theta, memory):
        draws = np.random.default_rng(int(memory["seed"])).normal(size=(self.tries, len(theta)))
        points = [theta, *(theta + memory["length"] * draws)]
        best = int(np.argmin([problem.value(point) for point in points]))
        factor = 1.2 if best else 0.7
        return points[best], {{"length": memory["length"] * factor, "seed": memory["seed"] + 1}}

    def figures(self, memory):
        return {{"length": float(memory["length"])}}
"""
X = np.random.default_rng(0).normal(size=(40, 2))
Y = X[:, 0] - X[:, 1]


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Installs a package with a solver."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)

    def make(name):
        module = f"module_of_{name}"
        write_package(
            tmp_path, f"own-{name}", "1.5", {"solvers": {name: f"{module}:Evolution"}},
            **{module: SOURCE.format(name=name)},
        )  # fmt: skip
        importlib.invalidate_caches()
        for each in (cynn.registry.solvers, cynn.registry.optimizers):
            monkeypatch.setattr(each, "_entry_points", None)
            monkeypatch.setattr(each, "_loaded", {})

    yield make
    for module in set(sys.modules) - before:
        sys.modules.pop(module, None)


def test_a_solver_of_a_package_trains(install, capsys):
    install("evolution")
    for spec in ("evolution", {"name": "evolution", "tries": 30}, "own-evolution:evolution"):
        net = cynn.Network.mlp([2, 1], seed=0)
        history = net.fit(X, Y, optimizer=spec, epochs=30)
        assert history["loss"][-1] < 0.3 * history["loss"][0]
        assert len(history["length"]) == 30
    assert main(["plugins"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["solver", "evolution", "own-evolution", "1.5"] in [line[:4] for line in lines]
    assert ["solver", "lbfgs", "cynn-nn"] in [line[:3] for line in lines]


def test_a_name_of_an_optimizer_is_an_error_that_names_both(install):
    install("lion")
    net = cynn.Network.mlp([2, 1], seed=0)
    with pytest.raises(PluginError, match=r"'lion' must be that of an optimizer or of a solver.*cynn-nn.*own-lion"):
        net.fit(X, Y, optimizer="lion")
    net.fit(X, Y, optimizer="own-lion:lion", epochs=1)
    net.fit(X, Y, optimizer="cynn-nn:lion", epochs=1)


def test_a_solver_with_the_name_of_a_built_in_optimizer_is_called_by_its_package(install):
    install("adam")
    net = cynn.Network.mlp([2, 1], seed=0)
    assert "length" not in net.fit(X, Y, optimizer="adam", epochs=1).history
    assert "length" in net.fit(X, Y, optimizer="own-adam:adam", epochs=1).history
