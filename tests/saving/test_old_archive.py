"""Model files, checkpoints and pickles of an earlier version are read, and what they hold goes on."""

import io
import json
import pickle

import every_part
import numpy as np
import old_archive
import plugin_packages
import pytest

import cynn
from cynn.errors import PluginError

FILES = old_archive.read()
NAMES = old_archive.NAMES.read_text(encoding="utf-8").splitlines()
SAID = json.loads(FILES["said.json"])
UNLIKE = {"rtol": 1e-4, "atol": 1e-5}  # what float32 makes of another order of the sums


def names(kind):
    return sorted(name.removeprefix(f"{kind}/") for name in FILES if name.startswith(f"{kind}/"))


def check_outputs(net, said):
    found = old_archive.outputs_of(net)
    for array, expected in zip(in_a_list(found), in_a_list(said), strict=True):
        np.testing.assert_allclose(array, expected, **UNLIKE)


def in_a_list(outputs):
    if isinstance(outputs, dict):
        return [outputs[name] for name in sorted(outputs)]
    return outputs if np.ndim(outputs[0]) == 2 else [outputs]


def check_same_weights(net, other):
    """A step of the one may have been taken on another machine."""
    for array, expected in zip(net.get_weights(), other.get_weights(), strict=True):
        loose = UNLIKE if net.dtype == "float32" else {"rtol": 1e-6, "atol": 1e-8}
        np.testing.assert_allclose(array, expected, **loose)


def targets(net):
    """Numbers for each of its outputs."""
    if isinstance(net.outputs, dict):
        return {name: old_archive.X[:, :units] for name, units in net.outputs.items()}
    if isinstance(net.outputs, list):
        return [old_archive.X[:, :units] for units in net.outputs]
    return old_archive.X[:, : net.outputs]


def as_json(config):
    return json.loads(json.dumps(config))


@pytest.fixture(scope="module")
def fresh_models():
    return old_archive.models()


@pytest.fixture(scope="module")
def fresh_trainings():
    """Each to be used once, by the name of the test and that of the training."""
    return {test: old_archive.trainings() for test in ("resumed", "whole", "pickled")}


@pytest.fixture(scope="module")
def fresh_networks(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("networks"))
        return old_archive.networks()


class TestModelFiles:
    @pytest.mark.parametrize("name", [name for name in names("model") if name != "of a package"])
    def test_a_model_file(self, name, tmp_path, fresh_models):
        cynn.registry.activations.register(old_archive.Halve)
        path = tmp_path / "old.safetensors"
        path.write_bytes(FILES[f"model/{name}"])
        net = cynn.load(path)
        said = SAID["model"][name]
        assert as_json(net.get_config()) == said["config"]
        if name in fresh_models:
            assert net.get_config() == fresh_models[name].get_config()
        check_outputs(net, said["outputs"])
        net.save(path)
        check_same_weights(cynn.load(path), net)
        net.fit(old_archive.X, targets(net), loss="mean_squared_error", epochs=1, progress=False)
        assert cynn.Network.from_config(said["config"]).get_config() == net.get_config()

    def test_with_a_plugin_of_a_package(self, tmp_path):
        path, site = tmp_path / "old.safetensors", tmp_path / "site"
        path.write_bytes(FILES["model/of a package"])
        distribution, version, module = old_archive.PACKAGE
        with pytest.raises(PluginError, match=f"from the package '{distribution} {version}'"):
            cynn.load(path)
        plugin_packages.write_package(
            site, distribution, version, {"activations": {"old_symlog": f"{module}:Symlog"}},
            **{module: old_archive.PLUGIN},
        )  # fmt: skip
        code = f"import cynn, old_archive, json; print(json.dumps(old_archive.outputs_of(cynn.load({str(path)!r}))))"
        loaded = plugin_packages.run(site, "-W", "error", "-c", code, cwd=old_archive.DATA.parent)
        assert loaded.returncode == 0, loaded.stderr
        np.testing.assert_allclose(json.loads(loaded.stdout), SAID["model"]["of a package"]["outputs"], **UNLIKE)

    def test_with_a_plugin_of_no_package(self, tmp_path):
        path = tmp_path / "old.safetensors"
        path.write_bytes(FILES["model/of no package"])
        with pytest.raises(PluginError, match="needs activation 'old_halve', a class of the module"):
            cynn.load(path)


@pytest.mark.parametrize("name", names("checkpoint"))
def test_a_checkpoint(name, tmp_path, monkeypatch, fresh_trainings):
    """The training was stopped in the middle of its second epoch."""
    path = tmp_path / "old.safetensors"
    path.write_bytes(FILES[f"checkpoint/{name}"])
    monkeypatch.chdir(tmp_path)
    resumed = old_archive.fit(**fresh_trainings["resumed"][name], resume=path)
    (tmp_path / "log.csv").unlink(missing_ok=True)
    whole = old_archive.fit(**fresh_trainings["whole"][name])
    check_same_weights(resumed, whole)
    assert resumed.epochs_trained == whole.epochs_trained == resumed.history.epochs
    assert resumed.history.history.keys() == whole.history.history.keys()
    for figure in resumed.history.history.keys() - {"seconds"}:
        np.testing.assert_allclose(resumed.history[figure], whole.history[figure], **UNLIKE)
    assert as_json(cynn.load(path).get_config()) == as_json(whole.get_config())


class TestPickles:
    @pytest.mark.parametrize("name", [name for name in names("pickled") if name.partition("/")[0] in every_part.PARTS])
    def test_a_part(self, name):
        kind, text = name.split("/")
        found, fresh = pickle.loads(FILES[f"pickled/{name}"]), every_part.make(kind, text)
        assert type(found) is type(fresh)
        if hasattr(fresh, "get_config"):
            assert found.get_config() == fresh.get_config()
        if type(fresh).__repr__ is not object.__repr__:
            assert repr(found) == repr(fresh)
        if type(fresh).__eq__ is not object.__eq__:
            assert found == fresh
        if kind == "callback":
            assert public(found) == public(fresh)
        assert pickle.dumps(found)

    @pytest.mark.parametrize("name", names("pickled/network"))
    def test_a_network(self, name, fresh_networks, fresh_trainings):
        net, fresh = pickle.loads(FILES[f"pickled/network/{name}"]), fresh_networks[name]
        assert net.get_config() == fresh.get_config()
        check_outputs(net, SAID["network"][name])
        check_same_weights(net, fresh)
        assert net.epochs_trained == fresh.epochs_trained
        if fresh.history:
            assert net.history.epochs == fresh.history.epochs
        if name.startswith("trained "):
            given = fresh_trainings["pickled"][name.removeprefix("trained ")]
            given.pop("optimizer", None)
            del given["net"]
        else:
            given = {"x": old_archive.X, "y": targets(net), "loss": "mean_squared_error"}
        for each in (net, fresh):  # with what the optimizer and its schedule remember
            old_archive.fit(each, **given)
        check_same_weights(net, fresh)

    def test_callbacks_that_were_used(self, tmp_path, monkeypatch, fresh_trainings):
        monkeypatch.chdir(tmp_path)
        used = [name for name in names("pickled/other") if name.startswith("used ")]
        assert len(used) == 6
        for name in used:
            callback = pickle.loads(FILES[f"pickled/other/{name}"])
            net = old_archive.fit(old_archive.chain(), old_archive.X, old_archive.CLASSES, callbacks=[callback])
            assert net.history.epochs == old_archive.EPOCHS

    def test_histories(self):
        for name in names("pickled/other"):
            if name.startswith("history "):
                history = pickle.loads(FILES[f"pickled/other/{name}"])
                assert history.epochs == len(history["loss"]) == old_archive.EPOCHS
                assert repr(history).startswith("History(epochs=3, loss=")

    def test_errors(self):
        kinds = {name.removeprefix("error ") for name in names("pickled/other") if name.startswith("error ")}
        assert {"CynnError", "DataError", "TrainingDivergedError"} <= kinds
        for kind in kinds:
            error = pickle.loads(FILES[f"pickled/other/error {kind}"])
            assert type(error) is getattr(cynn.errors, kind)
            assert str(error) == "why"
        diverged = pickle.loads(FILES["pickled/other/error TrainingDivergedError"])
        assert (diverged.epoch, diverged.step, diverged.history.epochs) == (2, 3, old_archive.EPOCHS)

    def test_layers_in_networks(self, fresh_models):
        found = pickle.loads(FILES["pickled/other/layers in networks"])
        known = set(names("model"))
        fresh = [layer for name, net in fresh_models.items() if name in known for layer in net.layers]
        for layer, expected in zip(found, fresh, strict=True):
            assert layer.get_config() == expected.get_config()
            for (name, array), (same_name, other) in zip(layer.arrays(), expected.arrays(), strict=True):
                assert name == same_name
                np.testing.assert_allclose(array, other, **UNLIKE)

    def test_what_describes(self):
        found = {name: pickle.loads(FILES[f"pickled/other/{name}"]) for name in ("description", "diagnosis", "node")}
        assert found["description"] == cynn.registry.activations.describe("relu")
        assert len(found["diagnosis"]) == 2
        assert str(found["diagnosis"]).startswith("layer")
        assert cynn.Network(found["node"], seed=0).predict([[1.0, 2.0]]).shape == (1, 2)


def public(callback):
    return {name: value for name, value in vars(callback).items() if not name.startswith("_")}


class TestNames:
    def test_all_that_pickles_name_are_recorded(self):
        found = set().union(*(old_archive.pickled_names(FILES[f"pickled/{name}"]) for name in names("pickled")))
        assert sorted(found) == NAMES
        assert {"cynn.operations UpdateSettings", "cynn.schedules.base Constant", "cynn.network Network"} <= found

    @pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("cynn")])
    def test_a_name_is_still_there(self, name):
        assert callable(old_archive.resolved(name))

    def test_pickletools_sees_what_an_unpickler_looks_up(self):
        looked_up = set()

        class Unpickler(pickle.Unpickler):
            def find_class(self, module, name):
                looked_up.add(f"{module} {name}")
                return super().find_class(module, name)

        for name in names("pickled"):
            Unpickler(io.BytesIO(FILES[f"pickled/{name}"])).load()
        assert sorted(looked_up) == NAMES
