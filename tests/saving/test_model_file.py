"""Model files: what is saved comes back bit for bit, and what is broken is refused and never a crash."""

import json
import os
import pathlib
import stat
import tracemalloc

import helpers
import numpy as np
import pytest
from safetensors.numpy import save as to_bytes

import cynn
from cynn import Dense, Input, Network
from cynn.errors import CynnError, ModelFileError, UnknownNameError
from cynn.model import Model
from cynn.saving import model_file


@pytest.fixture
def path(tmp_path):
    return tmp_path / "net.safetensors"


def small():
    return Network([Input(3, scale=0.5, offset=-1), Dense(4, "tanh"), Dense(2, "softmax")], seed=7)


def parts(net, **changes):
    """The tensors and the metadata of a file, for tests to change."""
    tensors = {}
    for number, layer in enumerate(net.layers):
        tensors[f"layers.{number}.weights"] = layer.weights.copy()
        tensors[f"layers.{number}.biases"] = layer.biases.copy()
    metadata = {
        "format": "cynn", "format_version": "1", "cynn_version": "0", "network": json.dumps(net.get_config()),
    }
    return tensors, {**metadata, **changes}


def refused(path, tensors, metadata, error=ModelFileError):
    path.write_bytes(to_bytes(tensors, metadata))
    with pytest.raises(error) as caught:
        cynn.load(path)
    message = str(caught.value)
    if error is ModelFileError:
        assert message.startswith(f"The model file {str(path)!r} must hold ")
        assert message.endswith(" instead.")
    return message


class TestRoundTrip:
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize(
        "activation",
        [
            *("identity", "sigmoid", "tanh", "relu", "softmax", "swish", "gaussian"),
            cynn.activations.LeakyReLU(0.3),
        ],
        ids=str,
    )
    def test_bit_for_bit(self, path, dtype, activation):
        net = Network(
            [Input(5, scale=1 / 255, offset=0.1), Dense(7, activation, initializer="lecun_normal"), Dense(3)],
            seed=2**64 - 1,
            dtype=dtype,
        )
        x = helpers.inputs(50, 5)
        net.fit(x, helpers.targets(50, 3, "mean_squared_error"), epochs=1)
        net.save(path)
        again = cynn.load(path)
        assert again.get_config() == net.get_config()
        assert helpers.same_bits(helpers.raw(again), helpers.raw(net))
        assert again.predict(x).tobytes() == net.predict(x).tobytes()
        assert repr(again) == repr(net)

    def test_weights_that_are_not_finite_come_back_too(self, path):
        net = small()
        net.layers[0].weights[0, :3] = np.nan, np.inf, -0.0
        net.save(path)
        assert helpers.same_bits(helpers.raw(cynn.load(path)), helpers.raw(net))

    @pytest.mark.parametrize("kind", [str, pathlib.Path])
    def test_any_kind_of_path(self, path, kind):
        small().save(path)
        assert cynn.load(kind(path)).parameter_count == 26

    def test_what_is_loaded_can_be_trained(self, path):
        x, y = helpers.blobs()
        net = helpers.classifier()
        net.save(path)
        again = cynn.load(path)
        for each in (net, again):
            each.fit(x, y, epochs=1)
        assert helpers.digest(net) == helpers.digest(again)

    def test_it_is_an_ordinary_safetensors_file(self, path):
        from safetensors.numpy import load_file

        net = small()
        net.save(path)
        tensors = load_file(path)
        assert set(tensors) == {f"layers.{i}.{part}" for i in (0, 1) for part in ("weights", "biases")}
        assert (tensors["layers.0.weights"] == net.layers[0].weights).all()


def test_a_file_is_read_as_the_class_that_is_asked_for(path):
    class Own(Network):
        pass

    net = small()
    net.save(path)
    for kind in (Own, Model):
        read = model_file.read(path, kind)
        assert type(read) is kind
        np.testing.assert_array_equal(read.predict(np.ones(net.input.units)), net.predict(np.ones(net.input.units)))


class TestSaving:
    def test_a_failure_leaves_the_old_file_and_nothing_else(self, path, monkeypatch):
        small().save(path)
        before = path.read_bytes()
        for function in ("replace", "fdopen", "fsync"):
            with monkeypatch.context() as patch:
                def fail(*_, **__):
                    raise OSError("no space left on device")

                patch.setattr(os, function, fail)
                with pytest.raises(OSError, match="no space left"):
                    helpers.classifier().save(path)
        assert path.read_bytes() == before
        assert os.listdir(path.parent) == [path.name]

    def test_it_replaces_an_older_file(self, path):
        small().save(path)
        helpers.classifier().save(path)
        assert cynn.load(path).outputs == 3
        assert os.listdir(path.parent) == [path.name]

    def test_others_may_read_it_as_any_new_file(self, path):
        before = os.umask(0o027)
        try:
            small().save(path)
        finally:
            os.umask(before)
        assert stat.S_IMODE(path.stat().st_mode) == 0o640

    def test_where_there_is_no_folder(self, tmp_path):
        with pytest.raises(FileNotFoundError):
            small().save(tmp_path / "nowhere" / "net.safetensors")


class TestNoFile:
    def test_nothing_there(self, path):
        with pytest.raises(FileNotFoundError, match=r"net\.safetensors"):
            cynn.load(path)

    def test_a_folder(self, tmp_path):
        with pytest.raises(OSError, match="directory"):
            cynn.load(tmp_path)

    @pytest.mark.parametrize("content", [b"", b"\0", b"PK\3\4", b"\0" * 100, b"\xff" * 100, b"{}" * 50])
    def test_something_else(self, path, content):
        path.write_bytes(content)
        with pytest.raises(ModelFileError, match=r"must hold a whole safetensors file\. Got .* instead"):
            cynn.load(path)


class TestDamaged:
    def test_truncated_at_every_length(self, path):
        small().save(path)
        whole = path.read_bytes()
        for length in range(len(whole)):
            path.write_bytes(whole[:length])
            with pytest.raises(ModelFileError):
                cynn.load(path)

    @pytest.mark.parametrize("flip", [0x01, 0x80, 0xFF])
    def test_a_flipped_byte_anywhere(self, path, flip):
        """Refused, or, where it is the name of the checksum, the same network."""
        net = Network.mlp([2, 2, 1], activation="tanh", seed=7)
        net.save(path)
        whole = path.read_bytes()
        loaded = 0
        for position in range(len(whole)):
            damaged = bytearray(whole)
            damaged[position] ^= flip
            path.write_bytes(damaged)
            try:
                again = cynn.load(path)
            except CynnError:
                continue
            loaded += 1
            assert helpers.same_bits(helpers.raw(again), helpers.raw(net))
            assert repr(again) == repr(net)
        assert loaded <= len("sha256")

    def test_a_number_that_was_changed_by_one_who_knows_the_format(self, path):
        """A file without a checksum is read as it is; one with a wrong checksum is not."""
        from safetensors import safe_open

        small().save(path)
        with safe_open(path, "numpy") as file:
            metadata = file.metadata()
        tensors, _ = parts(small())
        tensors["layers.0.biases"][1] = 2
        message = refused(path, tensors, metadata)
        assert "must hold what was written to it. Got other content, as its sha256 shows" in message
        del metadata["sha256"]
        path.write_bytes(to_bytes(tensors, metadata))
        assert cynn.load(path).layers[0].biases[1] == 2

    def test_bytes_behind_the_end(self, path):
        small().save(path)
        path.write_bytes(path.read_bytes() + b"more")
        with pytest.raises(ModelFileError):
            cynn.load(path)

    def test_a_header_that_claims_to_be_huge(self, path):
        path.write_bytes((2**62).to_bytes(8, "little") + b"{}")
        with pytest.raises(ModelFileError, match="whole safetensors file"):
            cynn.load(path)


class TestWrongContent:
    def test_the_format_of_somebody_else(self, path):
        tensors, metadata = parts(small())
        message = refused(path, tensors, {**metadata, "format": "pt"})
        assert "a network saved by CyNN. Got the format 'pt'" in message
        assert "Got the format None" in refused(path, tensors, None)

    @pytest.mark.parametrize("version", ["2", "0", "", "one"])
    def test_another_version(self, path, version):
        message = refused(path, *parts(small(), format_version=version))
        assert "must hold format version 1 (" in message
        assert f"Got version {version!r}" in message

    @pytest.mark.parametrize(
        "text",
        [
            *("", "{", "[]", "5", "null", '"x"', "{}", '{"layers": []}'),
            '{"layers": 5, "seed": 0, "dtype": "float32"}',
            '{"layers": [{}], "seed": 0, "dtype": "float32"}',
            *("[" * 100_000, '{"a":' * 100_000, "1" * 10_000),
        ],
        ids=lambda text: text[:20],
    )
    def test_a_description_that_is_none(self, path, text):
        refused(path, *parts(small(), network=text))

    def test_a_tensor_that_is_missing_or_too_much(self, path):
        tensors, metadata = parts(small())
        biases = tensors.pop("layers.1.biases")
        assert "layers.1.biases of shape (2,). Got none" in refused(path, tensors, metadata)
        tensors["layers.1.biases"] = tensors["layers.2.biases"] = biases
        assert "no tensor layers.2.biases. Got shape (2,)" in refused(path, tensors, metadata)

    @pytest.mark.parametrize("shape", [(3, 3), (4, 3), (12,), (1, 12), (3, 4, 1), (0, 4), (4,)])
    def test_a_wrong_shape(self, path, shape):
        tensors, metadata = parts(small())
        tensors["layers.0.weights"] = np.zeros(shape, np.float32)
        message = refused(path, tensors, metadata)
        assert f"layers.0.weights of shape (3, 4). Got shape {shape}" in message

    @pytest.mark.parametrize("dtype", ["float64", "float16", "int32", "uint8", "bool"])
    def test_a_wrong_dtype(self, path, dtype):
        tensors, metadata = parts(small())
        tensors["layers.1.weights"] = tensors["layers.1.weights"].astype(dtype)
        assert f"layers.1.weights in float32. Got {dtype}" in refused(path, tensors, metadata)

    @pytest.mark.parametrize("dtype", ["BF16", "F8_E4M3", "F8_E5M2"])
    def test_a_dtype_that_numpy_lacks(self, path, dtype):
        net = Network.mlp([2, 1], seed=0)
        size = 2 if dtype == "BF16" else 1
        header = {
            "__metadata__": parts(net)[1],
            "layers.0.weights": {"dtype": dtype, "shape": [2, 1], "data_offsets": [0, 2 * size]},
            "layers.0.biases": {"dtype": "F32", "shape": [1], "data_offsets": [2 * size, 2 * size + 4]},
        }
        text = json.dumps(header).encode()
        path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(2 * size + 4))
        with pytest.raises(ModelFileError):
            cynn.load(path)

    @pytest.mark.parametrize("name", ["relv", "", "os.system", "cynn.activations:Softmax"])
    def test_an_unknown_activation(self, path, name):
        tensors, metadata = parts(small())
        config = json.loads(metadata["network"])
        config["layers"][1]["activation"] = {"name": name}
        refused(path, tensors, {**metadata, "network": json.dumps(config)}, UnknownNameError)

    @pytest.mark.parametrize(
        ("layer", "key", "value"),
        [
            (0, "units", "3"), (0, "units", 3.0), (0, "units", None), (0, "units", [3]), (0, "units", -3),
            (1, "units", 10**30), (1, "units", True), (0, "scale", "x"), (0, "scale", 1e999),
            (0, "scale", 10**400), (0, "size", 5), (0, "layer", "dense"), (1, "layer", "input"),
            (1, "activation", 5), (1, "activation", ["relu"]), (1, "activation", {}),
            (1, "activation", {"name": ["relu"]}),
            (1, "activation", {"name": "leaky_relu", "negative_slope": "x"}), (1, "initializer", 5),
            (1, "activation", {"name": "relu", "slope": 1}), (1, "initializer", []), (1, "more", 1),
        ],
    )  # fmt: skip
    def test_a_layer_that_cannot_be(self, path, layer, key, value):
        tensors, metadata = parts(small())
        config = json.loads(metadata["network"])
        config["layers"][layer][key] = value
        refused(path, tensors, {**metadata, "network": json.dumps(config)}, CynnError)

    @pytest.mark.parametrize(
        ("key", "value"), [("seed", "x"), ("seed", -1), ("dtype", "int8"), ("dtype", [])]
    )
    def test_a_network_that_cannot_be(self, path, key, value):
        tensors, metadata = parts(small())
        config = {**json.loads(metadata["network"]), key: value}
        refused(path, tensors, {**metadata, "network": json.dumps(config)})

    @pytest.mark.parametrize("units", [2**31 - 1, 2**40, 10**6])
    def test_huge_layers_ask_for_no_memory(self, path, units):
        tensors, metadata = parts(small())
        config = json.loads(metadata["network"])
        config["layers"][0]["units"] = config["layers"][1]["units"] = units
        tracemalloc.start()
        try:
            refused(path, tensors, {**metadata, "network": json.dumps(config)})
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 5_000_000
