"""Plugins that are broken, or missing: what the user is told, and what stays as it was."""

import importlib
import json
import re
import shutil
import sys
import threading
import traceback

import numpy as np
import pytest
from plugin_packages import pip_install, run, write_package
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

import cynn
from cynn import registry
from cynn.cli import main
from cynn.errors import CynnWarning, InvalidParameterError, PluginError, UnknownNameError
from cynn.plugins import scaffold

GOOD = '''
from cynn import hyperparameter
from cynn.activations import Activation


class Cube(Activation):
    """a = size * z³."""

    name = "cube"
    size: float = hyperparameter(default=1.0, above=0, doc="The size.")

    def forward(self, z):
        return self.size * z**3

    def backward(self, z, a, grad):
        return 3 * self.size * z**2 * grad
'''


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder for packages, on the path; the registries read the entry points anew."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))

    def fresh():
        importlib.invalidate_caches()
        for of_kind in (registry.activations, registry.losses, registry.optimizers):
            monkeypatch.setattr(of_kind, "_entry_points", None)
            monkeypatch.setattr(of_kind, "_loaded", {})

    fresh()
    folder_class = type(folder)
    before = set(sys.modules)
    yield folder_class(folder)
    for name in set(sys.modules) - before:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(folder)):
            del sys.modules[name]


def others_work():
    """Built-in names, and those of other packages, are untouched."""
    assert registry.activations.get("relu").name == "relu"
    assert registry.activations.get("silu")([0.0]) == [0.0]
    with pytest.raises(UnknownNameError, match="sigmoid"):
        registry.activations.get("sigmoidd")
    registry.activations.names()


def refused(name, pattern, kind="activations"):
    others_work()
    with pytest.raises(PluginError, match=pattern) as caught:
        getattr(registry, kind).get(name)
    others_work()
    return caught.value


class TestLoading:
    def test_good(self, site):
        write_package(site, "cynn-cube", "1.2", {"activations": {"cube": "cube_good:Cube"}}, cube_good=GOOD)
        assert registry.activations.get("cube", size=2)([2.0]) == [16.0]
        entry = registry.activations.describe("cube")
        assert (entry.distribution, entry.version, entry.compiled) == ("cynn-cube", "1.2", False)

    def test_names_load_nothing(self, site):
        write_package(
            site, "cynn-cube", "1.2", {"activations": {"cube": "cube_never:Cube"}}, cube_never="1 / 0"
        )
        assert "cube" in registry.activations.names()
        assert registry.activations.offers("cube") == {"cynn-cube": "1.2"}
        assert "cube_never" not in sys.modules

    @pytest.mark.parametrize(
        ("source", "cause"),
        [
            ("import nowhere_to_be_found", "ModuleNotFoundError"),
            ("1 / 0", "ZeroDivisionError"),
            ("raise SystemExit(3)", "SystemExit"),
            ("def f(:", "SyntaxError"),
        ],
    )
    def test_raises_on_import(self, site, source, cause):
        write_package(site, "cynn-cube", "1.2", {"activations": {"cube": "cube_bad:Cube"}}, cube_bad=source)
        error = refused("cube", rf"'cube' of cynn-cube 1\.2 \(cube_bad:Cube\) could not be imported: {cause}")
        assert type(error.__cause__).__name__ == cause
        assert "cube_bad.py" in "".join(traceback.format_exception(error))

    def test_missing_attribute(self, site):
        write_package(site, "cynn-cube", "1.2", {"activations": {"cube": "cube_good:Cub"}}, cube_good=GOOD)
        refused("cube", r"'cube' of cynn-cube 1\.2 \(cube_good:Cub\) could not be imported: AttributeError")

    def test_missing_module(self, site):
        write_package(site, "cynn-cube", "1.2", {"activations": {"cube": "cube_gone:Cube"}})
        refused("cube", "could not be imported: ModuleNotFoundError")

    @pytest.mark.parametrize("value", ["Cube()", "3", "None", "__import__('cynn').losses.MeanSquaredError"])
    def test_value_that_is_no_class_of_that_kind(self, site, value):
        source = f"{GOOD}\nthing = {value}\n"
        write_package(
            site, "cynn-cube", "1.2", {"activations": {"cube": "cube_other:thing"}}, cube_other=source
        )
        refused("cube", r"of cynn-cube 1\.2 \(cube_other:thing\) must be a subclass of Activation. Got")

    def test_class_of_another_name(self, site):
        write_package(site, "cynn-cube", "1.2", {"activations": {"cubic": "cube_good:Cube"}}, cube_good=GOOD)
        refused("cubic", r"must have the name of its entry point.*Got the name 'cube'")

    def test_two_packages_with_one_name(self, site):
        for number in (1, 2):
            entry_points = {"activations": {"cube": f"cube_{number}:Cube"}}
            write_package(site, f"cynn-cube{number}", "1.0", entry_points, **{f"cube_{number}": GOOD})
        message = str(refused("cube", "offered by cynn-cube1 and cynn-cube2"))
        assert "'cynn-cube1:cube' or 'cynn-cube2:cube'" in message
        assert registry.activations.get("cynn_cube2:cube").__class__.__module__ == "cube_2"
        assert {"cynn-cube1:cube", "cynn-cube2:cube"} <= set(registry.activations.names())

    def test_a_name_that_is_built_in_stays_so(self, site):
        source = GOOD.replace('"cube"', '"relu"')
        write_package(site, "cynn-cube", "1.2", {"activations": {"relu": "cube_relu:Cube"}}, cube_relu=source)
        assert type(registry.activations.get("relu")) is cynn.activations.ReLU

    def test_a_class_that_the_package_only_passes_on(self, site):
        write_package(
            site, "cynn-cube", "1.2", {"activations": {"cube": "cube_face:Cube"}},
            cube_face="from cube_body import Cube", cube_body=GOOD,
        )  # fmt: skip
        assert registry.activations.describe("cube").distribution == "cynn-cube"

    def test_constructor_that_raises(self, site):
        source = GOOD + "\n    def __init__(self):\n        raise OSError('no licence')\n"
        write_package(site, "cynn-cube", "1.2", {"activations": {"cube": "cube_init:Cube"}}, cube_init=source)
        error = refused("cube", r"'cube' of cynn-cube 1\.2 could not be made: OSError: no licence")
        assert "in __init__" in "".join(traceback.format_exception(error))
        with pytest.raises(PluginError, match="no licence"):
            cynn.Network.mlp([1, 2, 1], activation="cube")

    def test_a_package_that_pip_installed(self, tmp_path):
        folder = scaffold.new_plugin("my-broken", language="python", parent=tmp_path)
        source = folder / "my_broken" / "__init__.py"
        source.write_text(source.read_text() + "\nraise RuntimeError('half done')\n")
        site = pip_install(tmp_path / "site", folder)
        table = run(site, "-m", "cynn", "plugins")
        assert table.returncode == 0
        assert re.search(r"^activation +my_broken +my-broken +0\.1\.0 +broken$", table.stdout, re.M)
        assert "could not be imported: RuntimeError: half done" in table.stdout.splitlines()[-1]
        for command in (["check", "my_broken"], ["plugins", "my_broken"]):
            result = run(site, "-m", "cynn", *command)
            assert result.returncode == 2
            assert re.fullmatch(
                r"cynn: error: The activation 'my_broken' of my-broken 0\.1\.0 .*\n", result.stderr
            )
        assert run(site, "-c", "import cynn; cynn.Network.mlp([1, 1])").returncode == 0


# --------------------------------------------------------------------------- in the middle of an epoch


class Breaking:
    """Raises at one of its calls."""

    calls = 0
    at = 7
    error = ValueError("in the middle")

    def count(self):
        type(self).calls += 1
        if type(self).calls == self.at:
            raise self.error


def breaking(kind, method):
    """A class of that kind whose method raises at its seventh call."""

    class Activation(Breaking, cynn.activations.Activation):
        def forward(self, z):
            if method == "forward":
                self.count()
            return np.tanh(z)

        def backward(self, z, a, grad):
            if method == "backward":
                self.count()
            return grad * (1 - a * a)

    class Loss(Breaking, cynn.losses.Loss):
        def value_and_gradient(self, prediction, target):
            self.count()
            return ((prediction - target) ** 2).sum(axis=1), 2 * (prediction - target)

    class Optimizer(Breaking, cynn.optimizers.Optimizer):
        def step(self, w, grad, slots, learning_rate, t):
            w -= learning_rate * grad
            self.count()

    cls = {"activation": Activation, "loss": Loss, "optimizer": Optimizer}[kind]
    cls.name = "breaking"
    return cls()


def data():
    x = np.random.default_rng(3).normal(size=(80, 4))
    return x, x[:, :2]


def fit(component, steps=None):
    used = {"activation": "tanh", "loss": "mse", "optimizer": "adam"} | {component.kind: component}
    net = cynn.Network([cynn.Input(4), cynn.Dense(8, used["activation"]), cynn.Dense(2)], seed=0)
    x, y = data()
    rows = slice(None) if steps is None else slice(0, 10 * steps)
    net.fit(
        x[rows],
        y[rows],
        loss=used["loss"],
        optimizer=used["optimizer"],
        epochs=1,
        batch_size=10,
        shuffle=False,
    )
    return net


@pytest.mark.parametrize(
    ("kind", "method", "whole_steps"),
    [
        ("activation", "forward", 6),
        ("activation", "backward", 6),
        ("loss", "value_and_gradient", 6),
        ("optimizer", "step", 1),  # it is called for each of the four parameters
    ],
)
def test_raises_in_the_middle_of_an_epoch(kind, method, whole_steps):
    component = breaking(kind, method)
    threads = threading.active_count()
    used = {"activation": "tanh", "loss": "mse", "optimizer": "adam"} | {kind: component}
    net = cynn.Network([cynn.Input(4), cynn.Dense(8, used["activation"]), cynn.Dense(2)], seed=0)
    x, y = data()
    with pytest.raises(
        PluginError, match=r"'breaking' of test_plugin_faults unpackaged .*ValueError: in the middle"
    ) as (caught):
        net.fit(x, y, loss=used["loss"], optimizer=used["optimizer"], epochs=1, batch_size=10, shuffle=False)
    assert "in count" in "".join(traceback.format_exception(caught.value))
    assert threading.active_count() == threads
    # the weights are those after the last whole step
    type(component).calls = -(10**6)
    whole = fit(component, whole_steps)
    for got, expected in zip(net.layers, whole.layers, strict=True):
        np.testing.assert_array_equal(got.weights, expected.weights)
        np.testing.assert_array_equal(got.biases, expected.biases)
    # and it goes on, with the optimizer where it was
    assert net._optimizer_state.t == whole_steps
    net.fit(x, y, loss=used["loss"], epochs=1, batch_size=10)
    assert np.isfinite(net.predict(x)).all()


@pytest.mark.parametrize("result", [None, 3.0, "text", np.zeros((2, 2)), np.zeros((10, 8, 1))])
def test_a_method_that_returns_nonsense(result):
    component = breaking("activation", "forward")
    type(component).forward = lambda self, z: result
    with pytest.raises(PluginError, match="'breaking'"):
        fit(component)
    with pytest.raises(PluginError, match="'breaking'"):
        cynn.Network.mlp([4, 8, 2], activation=component).predict(np.zeros((10, 4)))


def test_evaluate_names_the_plugin():
    component = breaking("loss", "value_and_gradient")
    component.at = 1
    x, y = data()
    with pytest.raises(PluginError, match="the loss 'breaking'"):
        cynn.Network.mlp([4, 2], seed=0).evaluate(x, y, loss=component)


def test_ctrl_c_in_a_method_stays_ctrl_c():
    component = breaking("activation", "forward")
    type(component).error = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        fit(component)


# -------------------------------------------------------------------------------------- model files


class TestModelFiles:
    @pytest.fixture
    def model(self, site, tmp_path):
        write_package(site, "cynn-cube", "1.2", {"activations": {"cube": "cube_good:Cube"}}, cube_good=GOOD)
        cube = registry.activations.get("cube", size=0.5)
        net = cynn.Network([cynn.Input(2), cynn.Dense(3, cube), cynn.Dense(1)], seed=0)
        path = tmp_path / "model.safetensors"
        net.save(path)
        return path

    def reinstall(self, site, version, monkeypatch, name="cynn-cube"):
        for info in site.glob("*.dist-info"):
            shutil.rmtree(info)
        if version:
            write_package(site, name, version, {"activations": {"cube": "cube_good:Cube"}})
        importlib.invalidate_caches()
        monkeypatch.setattr(registry.activations, "_entry_points", None)
        monkeypatch.setattr(registry.activations, "_loaded", {})

    def test_what_is_stored(self, model):
        with safe_open(model, framework="numpy") as file:
            metadata = file.metadata()
        assert json.loads(metadata["plugins"]) == [
            {"kind": "activation", "name": "cube", "distribution": "cynn-cube", "version": "1.2"}
        ]
        layer = json.loads(metadata["network"])["layers"][1]
        assert layer["activation"] == {"name": "cynn-cube:cube", "size": 0.5}

    def test_load(self, model):
        net = cynn.load(model)
        assert repr(net.layers[0].activation) == "Cube(size=0.5)"

    def test_within_other_layers(self, model, site, tmp_path, monkeypatch):
        inner = cynn.Residual([cynn.Concatenate([[cynn.Dense(2, registry.activations.get("cube"))]])])
        path = tmp_path / "nested.safetensors"
        cynn.Network([cynn.Input(2), inner], seed=0).save(path)
        self.reinstall(site, "1.3", monkeypatch)
        with pytest.warns(CynnWarning, match=r"'cube' of 'cynn-cube 1\.2'; 1\.3 is installed"):
            cynn.load(path)
        self.reinstall(site, None, monkeypatch)
        with pytest.raises(PluginError, match=r"from the package 'cynn-cube 1\.2'"):
            cynn.load(path)

    def test_missing_package(self, model, site, monkeypatch):
        self.reinstall(site, None, monkeypatch)
        with pytest.raises(
            PluginError,
            match=r"needs activation 'cube' from the package 'cynn-cube 1\.2': pip install \"cynn-cube\"$",
        ):
            cynn.load(model)

    def test_the_command_line_says_it_in_a_line(self, model, site, monkeypatch, capsys):
        self.reinstall(site, None, monkeypatch)
        assert main(["summary", str(model)]) == 2
        assert re.fullmatch(r"cynn: error: .* pip install \"cynn-cube\"\n", capsys.readouterr().err)

    def test_another_version(self, model, site, monkeypatch):
        self.reinstall(site, "1.3", monkeypatch)
        with pytest.warns(CynnWarning, match=r"'cube' of 'cynn-cube 1\.2'; 1\.3 is installed") as warned:
            cynn.load(model)
        assert warned[0].filename == __file__

    def test_another_package_with_that_name(self, model, site, monkeypatch):
        self.reinstall(site, "1.2", monkeypatch, name="other-cube")
        with pytest.raises(PluginError, match='pip install "cynn-cube"'):
            cynn.load(model)

    def test_two_packages_with_that_name(self, model, site, monkeypatch):
        write_package(
            site, "other-cube", "3.0", {"activations": {"cube": "cube_other:Cube"}}, cube_other=GOOD
        )
        monkeypatch.setattr(registry.activations, "_entry_points", None)
        assert type(cynn.load(model).layers[0].activation).__module__ == "cube_good"

    def test_a_class_of_no_package(self, tmp_path, monkeypatch):
        class Local(cynn.activations.Tanh):
            name = "local"

        path = tmp_path / "local.safetensors"
        net = cynn.Network.mlp([1, 2, 1], activation=Local(), seed=0)
        with pytest.raises(PluginError, match=r"activation 'local', .*: call .*activations\.register\(Local\)"):
            net.save(path)
        assert not path.exists()
        registry.activations.register(Local)
        net.save(path)
        with monkeypatch.context() as patch:
            patch.setattr(registry.activations, "_registered", {})
            with pytest.raises(
                PluginError, match=r"a class of the module 'test_plugin_faults'.*activations\.register"
            ):
                cynn.load(path)
        assert type(cynn.load(path).layers[0].activation) is Local

    def test_own_plugins_are_not_recorded(self, tmp_path):
        path = tmp_path / "silu.safetensors"
        cynn.Network.mlp([1, 2, 1], activation="silu", seed=0).save(path)
        with safe_open(path, framework="numpy") as file:
            assert json.loads(file.metadata()["plugins"]) == []

    @pytest.mark.parametrize("plugins", ["{", "3", "[3]", '[{"name": "cube"}]', "null", '[["kind"]]'])
    def test_nonsense_in_the_file(self, model, plugins):
        with safe_open(model, framework="numpy") as file:
            metadata = {**file.metadata(), "plugins": plugins}
        save_file(load_file(model), model, metadata)
        with pytest.raises(cynn.CynnError):
            cynn.load(model)


# ------------------------------------------------------------------------------------ hyperparameters


class TestHyperparameters:
    def test_a_default_outside_of_its_bounds_is_found_at_once(self):
        with pytest.raises(InvalidParameterError, match="'size' parameter of Bad"):

            class Bad(cynn.activations.Activation):
                size: float = cynn.hyperparameter(default=-1.0, above=0, doc="The size.")

    def test_what_is_shown(self, site, capsys):
        write_package(site, "cynn-cube", "1.2", {"activations": {"cube": "cube_good:Cube"}}, cube_good=GOOD)
        assert main(["plugins", "cube"]) == 0
        out = capsys.readouterr().out
        assert out.startswith(
            "activation cube, of cynn-cube 1.2, Python, float32 float64\n\na = size * z³.\n"
        )
        assert re.search(r"^size +1 +> 0 +The size\.$", out, re.M)
        assert "* is f(z), . is f′(z)" in out

    def test_check_on_the_command_line(self, site, capsys):
        bad = GOOD.replace("3 * self.size", "2 * self.size")
        write_package(site, "cynn-cube", "1.2", {"activations": {"cube": "cube_wrong:Cube"}}, cube_wrong=bad)
        assert main(["check", "relu", "cube"]) == 1
        out = capsys.readouterr().out
        assert re.search(r"^  FAIL  gradient +f′\(.* must be .* by central differences", out, re.M)
        assert out.count("checks passed") == 1
        assert main(["check", "adam", "--kind", "loss"]) == 2
        assert main(["check", "nothing"]) == 2
        assert "There is no plugin named 'nothing'" in capsys.readouterr().err
