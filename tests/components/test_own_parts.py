"""Parts of somebody's own, of every kind, registered, from a package, or neither: saved, loaded and pickled."""

import importlib
import json
import pickle
import re
import sys

import helpers
import numpy as np
import pytest
from plugin_packages import write_package
from safetensors import safe_open

import cynn
from cynn import Dense, Input, Network, registry
from cynn.errors import CynnError, CynnWarning, InvalidParameterError, ModelFileError, PluginError, UnknownNameError
from cynn.plugins.table import as_json, details, table
from cynn.saving import tensor_file

SOURCE = '''
import numpy as np
import cynn
from cynn import kernels

class OwnActivation(cynn.activations.Activation):
    name = "{name}"
    def forward(self, z):
        return 2 * z
    def backward(self, z, a, grad):
        return 2 * grad

class OwnLoss(cynn.losses.Loss):
    name = "{name}"
    def value_and_gradient(self, prediction, target):
        difference = prediction - target
        return (difference**2).sum(axis=1), 2 * difference

class OwnOptimizer(cynn.optimizers.Optimizer):
    name = "{name}"
    def step(self, w, grad, slots, learning_rate, t):
        w -= learning_rate * np.sign(grad)

class OwnLayer(cynn.layers.Layer):
    name = "{name}"
    def __init__(self, factor=2, *, inner="tanh"):
        super().__init__()
        self.factor = factor
        self.inner = cynn.registry.activations.get(inner)
    def build(self, builder, values):
        units = builder.widths[values[0]]
        z = builder.add(kernels.merge.KERNELS["add"], values * self.factor, units)
        return builder.add_activation(z, self.inner)

class OwnInitializer(cynn.initializers.Initializer):
    name = "{name}"
    def __init__(self, value=0.5):
        self.value = value
    def weights(self, inputs, units, seed, layer):
        return np.full((inputs, units), self.value)

class OwnRegularizer(cynn.regularizers.Regularizer):
    name = "{name}"
    def __init__(self, deviation=2.0):
        self.deviation = deviation
        self.l2 = 0.5 / deviation**2

class OwnConstraint(cynn.constraints.MaxNorm):
    name = "{name}"
    def __init__(self, length=0.25):
        super().__init__(length)
        self.length = length

class OwnSchedule(cynn.schedules.Schedule):
    name = "{name}"
    def __init__(self, rate=0.1):
        self.rate = rate
        self.calls = 0
    def at(self, steps, total_steps):
        self.calls += 1
        return self.rate / np.sqrt(steps + 1)
    def get_state(self):
        return {{"calls": self.calls}}
    def set_state(self, state):
        self.calls = state["calls"]

class OwnMetric(cynn.metrics.Metric):
    name = "{name}"
    greater_is_better = True
    def __init__(self, power=2):
        self.power = power
    def of(self, target, prediction, weight=None):
        return -float((np.abs(prediction - target.as_values()) ** self.power).max())

class OwnCallback(cynn.callbacks.Callback):
    name = "{name}"
    def __init__(self, start=0):
        self.start = start
        self.epochs = start
    def on_epoch_end(self, epoch, logs):
        self.epochs += 1
    def get_state(self):
        return {{"epochs": self.epochs}}
    def set_state(self, state):
        self.epochs = state["epochs"]
'''
# All of one name, which a solver and an optimizer may not share: those of solvers are in tests/solvers.
KINDS = {each.kind: each.group.removeprefix("cynn.") for each in registry.every() if each.kind != "solver"}
#: Other values than the defaults of the classes above.
OPTIONS = {
    "layer": {"factor": 3, "inner": "relu"}, "initializer": {"value": 0.25}, "regularizer": {"deviation": 4.0},
    "constraint": {"length": 0.125}, "schedule": {"rate": 0.2}, "metric": {"power": 4}, "callback": {"start": 5},
}  # fmt: skip
X = helpers.inputs(12, 3)
Y = helpers.targets(12, 2, "mean_squared_error")


def class_name(kind):
    return f"Own{kind.capitalize()}"


def forget(monkeypatch):
    importlib.invalidate_caches()
    for each in registry.every():
        monkeypatch.setattr(each, "_entry_points", None)
        monkeypatch.setattr(each, "_loaded", {})


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Installs a package with a part of each kind, all of one name."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    before = set(sys.modules)

    def make(distribution="own-parts", name="own", version="1.5", source=SOURCE):
        module = distribution.replace("-", "_")
        offered = {plural: {name: f"{module}:{class_name(kind)}"} for kind, plural in KINDS.items()}
        write_package(site, distribution, version, offered, **{module: source.format(name=name)})
        forget(monkeypatch)
        return site

    forget(monkeypatch)
    yield make
    for name in set(sys.modules) - before:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(site)):
            del sys.modules[name]


@pytest.fixture
def module(monkeypatch):
    """A module of no package with a class of each kind."""
    made = type(sys)("module_of_own_parts")
    monkeypatch.setitem(sys.modules, made.__name__, made)
    vars(made)["__name__"] = made.__name__
    exec(SOURCE.format(name="own"), vars(made))
    return made


def network(name="own", **options):
    layer = Dense(4, name, initializer=name, regularizer=name, constraint=name)
    inner = cynn.Residual([registry.layers.get(name, **OPTIONS["layer"]), Dense(4, initializer=name)])
    return Network([Input(3), layer, inner, Dense(2)], seed=0, regularizer=name, **options)


def own_parts(net):
    """The classes of all that is somebody's own in the network above."""
    first, inner = net.layers[0], net.layers[1].layers
    parts = [first.activation, first.initializer, first.regularizer, first.constraint, net.regularizer]
    return [type(each) for each in [*parts, inner[0], inner[1].initializer]]


@pytest.mark.parametrize("kind", KINDS)
class TestEveryKind:
    def test_of_a_package(self, kind, install):
        install()
        of_kind = registry.of_kind(kind)
        assert "own" in of_kind.names()
        assert "own_parts" not in sys.modules
        part = of_kind.get("own", **OPTIONS.get(kind, {}))
        assert type(part).__name__ == class_name(kind)
        assert type(of_kind.get("Own_Parts:own")) is type(part)
        assert of_kind.origin(type(part)) == ("own-parts", "1.5")
        # of the parts of that package only the layer is made of compiled operations, by `build`
        description = registry.Description(kind, "own", "own-parts", "1.5", compiled=kind == "layer")
        assert of_kind.describe("own") == description
        assert part.get_config()[type(part).config_key] == "own-parts:own"
        again = of_kind.get(json.loads(json.dumps(part.get_config())))
        assert type(again) is type(part)
        assert again.get_config() == part.get_config()
        assert repr(again) == repr(part)
        assert pickle.loads(pickle.dumps(part)).get_config() == part.get_config()
        if kind not in ("layer", "callback"):
            assert again == part
            assert hash(again) == hash(part)

    def test_registered(self, kind, module):
        of_kind, cls = registry.of_kind(kind), getattr(module, class_name(kind))
        assert of_kind.register(cls) is cls
        part = of_kind.get("own", **OPTIONS.get(kind, {}))
        assert part.get_config()[cls.config_key] == "own"
        assert type(of_kind.get(part.get_config())) is cls
        assert of_kind.origin(cls) == ("module_of_own_parts", "unpackaged")
        with pytest.raises(PluginError, match=r"must be new\. 'own' is taken by"):
            of_kind.register(type("Other", (cls,), {}))
        with pytest.raises(PluginError, match="must have a name"):
            of_kind.register(type("Other", (cls,), {"name": ""}))
        for wrong in (5, int, len, registry.of_kind("loss" if kind == "metric" else "metric")._base):
            with pytest.raises(PluginError, match="must be a subclass of"):
                of_kind.register(wrong)

    def test_nobody_shadows_a_built_in(self, kind, install):
        built_in = next(iter(registry.of_kind(kind).builtins))
        install(name=built_in)
        of_kind = registry.of_kind(kind)
        assert of_kind.find(built_in) is of_kind.builtins[built_in]
        part = of_kind.get(f"own-parts:{built_in}")
        assert type(part).__name__ == class_name(kind)
        assert type(of_kind.get(part.get_config())) is type(part)
        with pytest.raises(PluginError, match=rf"must be new\. '{built_in}' is taken by"):
            of_kind.register(type(part))

    def test_one_name_of_two_packages(self, kind, install):
        install()
        install("other-parts")
        of_kind = registry.of_kind(kind)
        with pytest.raises(PluginError, match=r"offered by other-parts and own-parts.*'own-parts:own'") as caught:
            of_kind.get("own")
        assert f"The {kind} 'own'" in str(caught.value)
        for package in ("own-parts", "other-parts"):
            part = of_kind.get(f"{package}:own")
            assert type(of_kind.get(part.get_config())) is type(part)
            assert type(part).__module__ == package.replace("-", "_")

    def test_a_broken_package(self, kind, install):
        install(source="1 / 0")
        of_kind = registry.of_kind(kind)
        with pytest.raises(PluginError, match=rf"^The {kind} 'own' of own-parts 1\.5 .* ZeroDivisionError"):
            of_kind.get("own")
        built_in = next(iter(of_kind.builtins.values()))
        assert of_kind.find(built_in.name or built_in.aliases[0]) is built_in
        with pytest.raises(UnknownNameError, match=rf"There is no {kind} named 'onw'"):
            of_kind.get("onw")

    @pytest.mark.parametrize("wrong", [5, [], {"nome": "own"}, {"name": 5}, print, float, None])
    def test_what_names_nothing(self, kind, wrong):
        with pytest.raises(InvalidParameterError, match=rf"(The|An?) {kind} must be a name, an instance of \w+, such"):
            registry.of_kind(kind).get(wrong)

    def test_a_class_that_fails(self, kind, module):
        def fail(self):
            raise RuntimeError("out of order")

        cls = type("Failing", (getattr(module, class_name(kind)),), {"name": "failing", "__init__": fail})
        registry.of_kind(kind).register(cls)
        with pytest.raises(PluginError, match=rf"{kind} 'failing' of .* could not be made: RuntimeError: out of"):
            registry.of_kind(kind).get("failing")


def test_a_class_that_the_package_only_shows(install, monkeypatch):
    """It is made without its name, and its module is not that of the entry point."""
    site = install()
    (site / "own_parts_within.py").write_text(SOURCE.format(name="own"))
    (site / "own_parts.py").write_text("from own_parts_within import *")
    importlib.invalidate_caches()
    import own_parts

    forget(monkeypatch)
    part = own_parts.OwnActivation()
    assert part.get_config() == {"name": "own-parts:own"}
    assert registry.activations.origin(type(part)) == ("own-parts", "1.5")


def test_what_is_ours_stays_ours(install):
    """Whoever comes to offer its name, too."""
    activation = registry.activations.get("swish", beta=2)
    net = Network([Input(3), Dense(4, activation)], seed=0)
    install("swish-two", name="swish")
    with pytest.raises(PluginError, match="offered by cynn-nn and swish-two"):
        registry.activations.get("swish")
    assert activation.get_config() == {"name": "swish", "beta": 2.0}
    assert Network.from_config(net.get_config()).layers[0].activation == activation
    other = registry.activations.get("swish-two:swish")
    assert type(registry.activations.get(other.get_config())) is type(other)


def test_they_are_listed(install):
    install()
    lines = [re.split(r" {2,}", line) for line in table().splitlines()]
    for kind in KINDS:
        runs = "compiled" if kind == "layer" else "Python"  # its operations are
        assert [kind, "own", "own-parts", "1.5", runs] in [line[:5] for line in lines]
    assert ["layer", "dense", "cynn-nn", cynn.__version__] in [line[:4] for line in lines]
    assert details("own").count(", of own-parts 1.5") == len(KINDS)
    assert "metric own, of own-parts 1.5\n\nIt has no docstring." in details("own")
    install("broken-parts", "broken", source="1 / 0")
    assert re.search(r"^schedule +broken +broken-parts +1.5 +broken$", table(), re.MULTILINE)
    (found,) = [part for part in json.loads(as_json())["parts"] if part["name"] == "broken" and part["kind"] == "loss"]
    assert (found["distribution"], found["runs"]) == ("broken-parts", "broken")
    assert "ZeroDivisionError" in found["error"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_package_that_offers_a_built_in_name_is_listed_with_a_warning(kind, install):
    of_kind = registry.of_kind(kind)
    assert of_kind.hidden() == {}
    built_in = next(iter(of_kind.builtins))
    install("bold-parts", built_in)
    assert of_kind.hidden() == {built_in: ["bold-parts"]}
    assert f"bold-parts:{built_in}" in of_kind.names()
    shown = table()
    assert re.search(rf"^{kind} +bold-parts:{built_in} +bold-parts +1\.5 +(Python|compiled)", shown, re.MULTILINE)
    said = (
        f"bold-parts offers the {kind} {built_in}, which is built in, so that the name leads there; "
        f"'bold-parts:{built_in}' leads to the package's own."
    )
    assert f"warning: {said}" in shown.splitlines()
    assert said in json.loads(as_json())["warnings"]
    assert f"{kind} bold-parts:{built_in}, of bold-parts 1.5" in details(f"bold-parts:{built_in}")


class TestNetworks:
    def check(self, net, path):
        net.fit(X, Y, epochs=1, optimizer="sgd", progress=False)
        net.save(path)
        for again in (cynn.load(path), pickle.loads(pickle.dumps(net))):
            assert own_parts(again) == own_parts(net)
            assert again.get_config() == net.get_config()
            assert helpers.digest(again) == helpers.digest(net)
        rebuilt = Network.from_config(json.loads(json.dumps(net.get_config())))
        assert own_parts(rebuilt) == own_parts(net)
        assert (rebuilt.layers[0].weights == 0.5).all()
        assert np.linalg.norm(net.layers[0].weights, axis=0).max() < 0.251

    def test_of_a_package(self, install, tmp_path):
        install()
        net = network()
        self.check(net, tmp_path / "net.safetensors")
        with safe_open(tmp_path / "net.safetensors", framework="numpy") as file:
            plugins = json.loads(file.metadata()["plugins"])
        assert {each["kind"] for each in plugins} == {
            "activation", "initializer", "regularizer", "constraint", "layer"
        }  # fmt: skip
        assert all(
            each == {"kind": each["kind"], "name": "own", "distribution": "own-parts", "version": "1.5"}
            for each in plugins
        )

    def test_with_the_names_of_built_in_ones(self, install, tmp_path):
        install("relu-two", name="relu")
        net = Network([Input(3), Dense(4, "relu-two:relu"), Dense(2, "relu")], seed=0)
        again = Network.from_config(net.get_config())
        assert [type(layer.activation).__module__ for layer in again.layers] == ["relu_two", "cynn.activations"]
        net.save(tmp_path / "net")
        again = cynn.load(tmp_path / "net")
        assert [type(layer.activation).__module__ for layer in again.layers] == ["relu_two", "cynn.activations"]
        np.testing.assert_array_equal(again.predict(X), net.predict(X))

    def test_registered(self, module, tmp_path):
        for kind in KINDS:
            registry.of_kind(kind).register(getattr(module, class_name(kind)))
        self.check(network(), tmp_path / "net.safetensors")

    @pytest.mark.parametrize("kind", ["activation", "initializer", "regularizer", "constraint", "layer"])
    def test_neither(self, kind, module, tmp_path):
        part = getattr(module, class_name(kind))()
        layers = [part] if kind == "layer" else [cynn.Residual([Dense(3, **{kind: part})])]
        net = Network([Input(3), *layers], seed=0)
        words = (
            rf"Got the {kind} 'own', whose class module_of_own_parts\.{class_name(kind)} is neither registered nor in "
            rf"a package .*: call cynn\.registry\.{KINDS[kind]}\.register\({class_name(kind)}\) before saving"
        )
        with pytest.raises(PluginError, match=words):
            net.save(tmp_path / "net")
        with pytest.raises(PluginError, match=words):
            net.fit(X, X, epochs=1, callbacks=[cynn.callbacks.Checkpoint(tmp_path / "checkpoint")], progress=False)
        assert list(tmp_path.iterdir()) == []
        assert pickle.loads(pickle.dumps(net)).predict(X).tolist() == net.predict(X).tolist()
        registry.of_kind(kind).register(type(part))
        net.save(tmp_path / "net")
        assert cynn.load(tmp_path / "net").predict(X).tolist() == net.predict(X).tolist()

    def test_a_class_with_the_name_of_another(self, tmp_path):
        """It would come back as that other one."""

        class Renamed(Dense):
            pass

        with pytest.raises(PluginError, match=r"the layer 'dense', whose class .*Renamed is neither registered"):
            Network([Input(3), Renamed(2)], seed=0).save(tmp_path / "net")

    def test_another_version_and_none(self, install, tmp_path, monkeypatch):
        site = install()
        net = network()
        net.save(tmp_path / "net")
        for info in site.glob("*.dist-info"):
            for file in info.iterdir():
                file.unlink()
            info.rmdir()
        install(version="2.0")
        with pytest.warns(CynnWarning, match=r"of 'own-parts 1\.5'; 2\.0 is installed") as warned:
            cynn.load(tmp_path / "net")
        assert len(warned) == 5
        assert {each.filename for each in warned} == {__file__}
        for info in site.glob("*.dist-info"):
            (info / "entry_points.txt").unlink()
        forget(monkeypatch)
        with pytest.raises(PluginError, match=r"from the package 'own-parts 1\.5': pip install \"own-parts\"$"):
            cynn.load(tmp_path / "net")

    def test_parameters_that_no_file_holds(self, module, tmp_path):
        registry.initializers.register(module.OwnInitializer)
        net = Network([Input(3), Dense(2, initializer=module.OwnInitializer(np.float32(0.25)))], seed=0)
        net.save(tmp_path / "net")
        net = Network([Input(3), Dense(2, initializer=module.OwnInitializer(np.ones((3, 2))))], seed=0)
        with pytest.raises(InvalidParameterError, match=r"must be a number, .* to be in a configuration\. Got array"):
            net.save(tmp_path / "other")


class TestTraining:
    def fit(self, path=None, net=None, **options):
        """Six epochs with a part of each kind."""
        net = net or network()
        callback = registry.callbacks.get("own", start=5)
        optimizer = registry.optimizers.get("own", learning_rate={"name": "own", "rate": 0.01})
        callbacks = [callback] if path is None else [callback, cynn.callbacks.Checkpoint(path)]
        net.fit(X, Y, loss="own", metrics=["own", "mse"], optimizer=optimizer, batch_size=5, callbacks=callbacks,
                progress=False, **{"epochs": 6, **options})  # fmt: skip
        return net, callback

    @pytest.fixture(params=["package", "registered"])
    def known(self, request):
        if request.param == "package":
            request.getfixturevalue("install")()
        else:
            module = request.getfixturevalue("module")
            for kind in KINDS:
                registry.of_kind(kind).register(getattr(module, class_name(kind)))

    def test_it_goes_on_from_a_checkpoint(self, known, tmp_path):
        class Stopped(Exception):
            pass

        whole, callback = self.fit()
        net, path = network(), tmp_path / "run"
        with pytest.MonkeyPatch.context() as patch, pytest.raises(Stopped):
            own = type(registry.callbacks.get("own"))
            count = own.on_epoch_end

            def stop(self, epoch, logs):
                if epoch == 4:
                    raise Stopped
                count(self, epoch, logs)

            patch.setattr(own, "on_epoch_end", stop)
            self.fit(path, net)
        again, resumed = self.fit(path, resume=True)
        assert helpers.digest(again) == helpers.digest(whole)
        for figures in ("loss", "own", "mse"):
            assert again.history[figures] == whole.history[figures]
        assert resumed.epochs == callback.epochs == 11
        assert again._optimizer_state.schedule.calls == whole._optimizer_state.schedule.calls
        assert cynn.load(path).get_config() == whole.get_config()

    def test_a_checkpoint_says_where_its_parts_are_from(self, install, tmp_path, monkeypatch):
        site, path = install(), tmp_path / "run"
        self.fit(path)
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata()
        assert {each["kind"] for each in json.loads(metadata["training_plugins"])} == {
            "loss", "optimizer", "schedule", "metric", "callback"
        }  # fmt: skip
        assert {each["kind"] for each in json.loads(metadata["plugins"])} >= {"activation", "layer"}
        for info in site.glob("*.dist-info"):
            for file in info.iterdir():
                file.unlink()
            info.rmdir()
        install(version="2.0")
        with pytest.warns(CynnWarning, match=r"of 'own-parts 1\.5'; 2\.0 is installed") as warned:
            self.fit(path, resume=True)
        assert len(warned) == 10
        assert {each.filename for each in warned} == {__file__}

    def test_files_of_before_name_no_packages(self, install, tmp_path):
        """And say only of activations where they are from."""
        install()
        path = tmp_path / "run"
        whole, _ = self.fit(path)
        tensors, metadata = tensor_file.read(str(path), "checkpoint")
        plugins = [each for each in json.loads(metadata["plugins"]) if each["kind"] == "activation"]
        assert "own-parts:own" in metadata["network"]
        assert "own-parts:own" in metadata["training"]
        for name in ("network", "training"):
            metadata[name] = metadata[name].replace("own-parts:own", "own")
        del metadata["training_plugins"]
        tensor_file.write(str(path), tensors, metadata | {"plugins": json.dumps(plugins)})
        assert cynn.load(path).get_config() == whole.get_config()
        again, _ = self.fit(path, resume=True)
        assert helpers.digest(again) == helpers.digest(whole)
        with pytest.raises(InvalidParameterError, match=r"network\.layers\[1\]\.activation\.name must be 'own'"):
            other = Network([Input(3), Dense(4, "relu"), *whole.layers[1:]], seed=0, regularizer="own")
            self.fit(path, other, resume=True)

    @pytest.mark.parametrize("plugins", ["{", "3", "[3]", '[{"name": "own"}]', "null", '[["kind"]]'])
    @pytest.mark.parametrize("name", ["plugins", "training_plugins"])
    def test_nonsense_in_a_checkpoint(self, install, tmp_path, name, plugins):
        install()
        path = tmp_path / "run"
        self.fit(path)
        tensors, metadata = tensor_file.read(str(path), "checkpoint")
        tensor_file.write(str(path), tensors, metadata | {name: plugins})
        with pytest.raises(ModelFileError, match="must hold its plugins"):
            self.fit(path, resume=True)

    def test_a_schedule_that_comes_in_the_course_of_training(self, module, tmp_path):
        class Change(cynn.callbacks.Callback):
            def on_epoch_end(self, epoch, logs):
                if epoch == 1:
                    self.network._optimizer_state.optimizer.learning_rate = module.OwnSchedule(0.01)

        def fit():
            net = Network.mlp([3, 2], seed=0)
            checkpoint = cynn.callbacks.Checkpoint(tmp_path / "run")
            net.fit(X, Y, optimizer="sgd", epochs=3, callbacks=[Change(), checkpoint], progress=False, resume=True)
            return net

        with pytest.raises(PluginError, match=r"the schedule 'own'.*schedules\.register\(OwnSchedule\)"):
            fit()
        registry.schedules.register(module.OwnSchedule)
        (tmp_path / "run").unlink(missing_ok=True)
        assert helpers.digest(fit()) == helpers.digest(fit())

    def test_the_direction_of_a_metric(self, known):
        net, _ = self.fit(epochs=1)
        stopping = cynn.callbacks.EarlyStopping("own", patience=1)
        net.fit(X, Y, metrics=["own"], epochs=2, callbacks=[stopping], progress=False)
        assert stopping._rises()
        assert cynn.metrics.greater_is_better("own") is True
        schedule = cynn.schedules.ReduceOnPlateau(0.1, monitor="own", patience=1)
        for figure in (-2.0, -1.0, -0.5):
            schedule.on_epoch_end({"own": figure})
        assert schedule(0) == 0.1

    def test_by_name_class_and_configuration(self, known):
        metric = registry.metrics.get("own", power=4)
        found = network().evaluate(X, Y, metrics=["own", metric.get_config() | {"power": 2}][:1])
        assert set(found) == {"loss", "own"}
        assert network().evaluate(X, Y, metrics=[metric.get_config()])["own"] == network().evaluate(
            X, Y, metrics=[metric]
        )["own"]
        net = Network.mlp([3, 2], seed=0)
        net.fit(X, Y, epochs=2, callbacks=["own", {"name": "timer", "limit_seconds": 100.0}], progress=False)
        net.fit(X, Y, epochs=2, callbacks="own", progress=False)
        with pytest.raises(UnknownNameError, match="There is no callback named 'onw'"):
            net.fit(X, Y, callbacks=["onw"])


class TestWhatTheyReturn:
    @pytest.mark.parametrize("found", [None, 3.0, np.zeros(2), np.zeros((2, 3)), np.array([["a", "b"]] * 3)])
    def test_weights(self, module, found):
        class Odd(module.OwnInitializer):
            def weights(self, inputs, units, seed, layer):
                return found

        with pytest.raises(InvalidParameterError, match=r"must be an array of numbers of shape \(3, 2\)\. Got .* of O"):
            Network([Input(3), Dense(2, initializer=Odd())])

    @pytest.mark.parametrize(("name", "value"), [("l1", "a"), ("l2", -1.0), ("l2", float("nan")), ("l1", None)])
    def test_penalties(self, module, name, value):
        odd = module.OwnRegularizer()
        setattr(odd, name, value)
        with pytest.raises(InvalidParameterError, match=rf"The '{name}' parameter of a regularizer must be"):
            Network([Input(3), Dense(2, regularizer=odd)])

    @pytest.mark.parametrize("rule", ["", "max norm", None, 3])
    def test_rules(self, module, rule):
        class Odd(module.OwnConstraint):
            pass

        Odd.rule = rule
        with pytest.raises(InvalidParameterError, match="The 'rule' of a constraint must be 'max_norm', 'unit_norm'"):
            Network([Input(3), Dense(2, constraint=Odd())])

    @pytest.mark.parametrize("found", [None, "a", np.zeros(2)])
    def test_figures(self, module, found):
        class Odd(module.OwnMetric):
            def of(self, target, prediction, weight=None):
                return found

        with pytest.raises(InvalidParameterError, match="The metric 'own' must return a number"):
            Network.mlp([3, 2], seed=0).evaluate(X, Y, metrics=[Odd()])


class TestTheLossThatFits:
    @pytest.mark.parametrize(
        ("activation", "loss"),
        [("softmax", "cross_entropy"), ("sigmoid", "binary_cross_entropy"), ("relu", "mean_squared_error")],
    )
    def test_a_class_says_it(self, activation, loss):
        assert registry.activations.find(activation).default_loss == loss
        assert Network.mlp([3, 2], output=activation).objective(None).losses == [registry.losses.get(loss)]

    def test_of_ones_own(self, module):
        class Positive(module.OwnActivation):
            default_loss = "mean_absolute_error"

        net = Network.mlp([3, 2], output=Positive(), seed=0)
        assert net.evaluate(X, Y) == net.evaluate(X, Y, loss="mae")

    def test_the_name_says_nothing(self, module):
        class Softmax(module.OwnActivation):
            name = "softmax"

        assert Network.mlp([3, 2], output=Softmax()).objective(None).losses == [cynn.losses.MeanSquaredError()]


def test_the_registry_knows_no_part():
    code = """
        import sys, types
        package = types.ModuleType("cynn")
        package.__path__ = {path!r}
        sys.modules["cynn"] = package
        from cynn import registry
        loaded = sorted(name for name in sys.modules if name.startswith("cynn."))
        assert loaded == [
            "cynn.components", "cynn.components.package_names", "cynn.errors", "cynn.registry", "cynn.version"
        ], loaded
    """
    import subprocess
    import textwrap

    code = textwrap.dedent(code).format(path=list(cynn.__path__))
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr


def test_what_is_no_registry():
    with pytest.raises(AttributeError, match="has no attribute 'solvents'"):
        registry.solvents  # noqa: B018  (it is looked up, and not there)
    assert issubclass(UnknownNameError, CynnError)
