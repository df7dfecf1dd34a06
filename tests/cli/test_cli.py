"""The `cynn` command, as a person at a terminal meets it."""

import json
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest

import cynn
from cynn.cli import main

BLOBS = ["--epochs", "30", "--learning-rate", "0.05", "--hidden", "8"]


@pytest.fixture
def blobs(tmp_path):
    """Three clouds of points that a small network tells apart."""
    generator = np.random.default_rng(1)
    y = np.arange(300) % 3
    x = np.array([[0, 0], [4, 0], [0, 4]])[y] + generator.normal(size=(300, 2)) / 2
    path = tmp_path / "blobs.npz"
    np.savez(path, x=x, y=y)
    return path


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """A network for digits, hardly trained."""
    (x, y), _ = cynn.datasets.load_mnist()
    net = cynn.Network.mlp([784, 16, 10], activation="sigmoid", output="softmax", input_scale=1 / 255, seed=0)
    net.fit(x, y, loss="cross_entropy", optimizer=cynn.optimizers.Adam(0.01), epochs=1, batch_size=32)
    path = tmp_path_factory.mktemp("digits") / "small.safetensors"
    net.save(path)
    return path


@pytest.fixture
def fit_arguments(monkeypatch):
    """What `fit` was called with."""
    seen = {}
    fit = cynn.Network.fit

    def spy(self, x, y, **others):
        seen.update(others)
        return fit(self, x, y, **others)

    monkeypatch.setattr(cynn.Network, "fit", spy)
    return seen


def run(capsys, *arguments):
    code = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def succeed(capsys, *arguments):
    code, out, err = run(capsys, *arguments)
    assert (code, err) == (0, "")
    return out


def fail(capsys, *arguments):
    """The one line of a failed command."""
    code, out, err = run(capsys, *arguments)
    assert code == 2
    assert out == ""
    assert re.fullmatch(r"cynn: error: [^\n]+\n", err), err
    return err


def start(*arguments, **options):
    command = [sys.executable, "-m", "cynn", *map(str, arguments)]
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


class TestTrain:
    def test_digits(self, capsys, folder):
        out = succeed(capsys, "train", "--epochs", 2)
        assert "13,002" in out
        line = r"^epoch \d/2  loss \d\.\d{4}  validation accuracy \d\d\.\d\d %  \d+\.\d s$"
        assert len(re.findall(line, out, re.M)) == 2
        test = re.search(r"^test loss \d\.\d{4}  accuracy (\d\d\.\d\d) %$", out, re.M)
        assert float(test[1]) > 85
        assert re.search(r"^\d+\.\d seconds; the network is in digits\.safetensors$", out, re.M)
        _, (x, y) = cynn.datasets.load_mnist()
        figures = cynn.load("digits.safetensors").evaluate(x, y, metrics=["accuracy"])
        assert f"{100 * figures['accuracy']:.2f}" == test[1]

    def test_the_test_images_are_not_trained_on(self, folder, monkeypatch):
        seen = {}

        def fit(self, x, y, validation_data, **others):
            seen.update(train=x, validation=validation_data[0])
            raise KeyboardInterrupt

        monkeypatch.setattr(cynn.Network, "fit", fit)
        assert main(["train"]) == 130
        (x, _), _ = cynn.datasets.load_mnist()
        np.testing.assert_array_equal(seen["train"], x[:55_000])
        np.testing.assert_array_equal(seen["validation"], x[55_000:])

    def test_a_file_of_x_and_y(self, capsys, folder, blobs):
        out = succeed(capsys, "train", "--data", blobs, *BLOBS)
        assert "240 rows train, 30 validate, 30 test" in out
        assert float(re.search(r"^test .*accuracy (.*) %$", out, re.M)[1]) > 95
        net = cynn.load("blobs.safetensors")
        assert [layer.weights.shape for layer in net.layers] == [(2, 8), (8, 3)]
        assert [layer.activation.name for layer in net.layers] == ["sigmoid", "softmax"]

    def test_a_file_with_a_test_part(self, capsys, folder):
        x = np.linspace(-1, 1, 200).reshape(100, 2)
        y = x.sum(axis=1)
        np.savez("sum.npz", x_train=x, y_train=y, x_test=x[:7], y_test=y[:7, np.newaxis])
        out = succeed(capsys, "train", "--data", "sum.npz", "--hidden", "none", "--learning-rate", 0.1)
        assert "90 rows train, 10 validate, 7 test" in out
        assert "accuracy" not in out
        assert float(re.search(r"^test loss (.*)$", out, re.M)[1]) < 0.01
        (layer,) = cynn.load("sum.safetensors").layers
        assert layer.weights.shape == (2, 1)
        assert layer.activation.name == "identity"

    def test_bytes_are_scaled_and_pictures_are_rows(self, capsys, folder):
        x = np.zeros((40, 2, 3), dtype=np.uint8)
        x[::2] = 255
        np.savez("flags.npz", x=x, y=np.arange(40) % 2 == 0)
        succeed(capsys, "train", "--data", "flags.npz", "--hidden", "none", "--epochs", 1)
        net = cynn.load("flags.safetensors")
        assert net.layers[0].weights.shape == (6, 2)
        white = net.predict(x[:1].reshape(1, 6))
        net.layers[0].weights = net.layers[0].weights / 255
        unscaled = cynn.Network([cynn.Input(6), cynn.Dense(2, activation="softmax")])
        unscaled.layers[0].weights = net.layers[0].weights
        unscaled.layers[0].biases = net.layers[0].biases
        np.testing.assert_allclose(unscaled.predict(x[:1].reshape(1, 6)), white, rtol=1e-5)

    def test_one_hot_rows_are_classes(self, capsys, folder, blobs):
        with np.load(blobs) as stored:
            np.savez("hot.npz", x=stored["x"], y=np.eye(3)[stored["y"]])
        out = succeed(capsys, "train", "--data", "hot.npz", *BLOBS)
        assert float(re.search(r"^test .*accuracy (.*) %$", out, re.M)[1]) > 95

    def test_the_split_depends_on_the_seed_alone(self, blobs):
        from cynn.cli import _split

        (a, _), (b, _), (c, _) = _split(str(blobs), 0)
        again = _split(str(blobs), 0)
        other = _split(str(blobs), 1)
        assert (a == again[0][0]).all()
        assert not (a == other[0][0]).all()
        with np.load(blobs) as stored:
            assert sorted(map(tuple, np.concatenate([a, b, c]))) == sorted(map(tuple, stored["x"]))

    @pytest.mark.parametrize(
        "loss, last",
        [
            ("cross_entropy", "softmax"),
            ("sparse_categorical_crossentropy", "softmax"),
            ("mean_squared_error", "sigmoid"),
            ("binary_cross_entropy", "sigmoid"),
        ],
    )
    def test_the_last_activation_follows_from_the_loss(self, capsys, folder, blobs, loss, last):
        succeed(capsys, "train", "--data", blobs, "--loss", loss, "--epochs", 1)
        assert cynn.load("blobs.safetensors").layers[-1].activation.name == last

    def test_options_reach_the_training(self, capsys, folder, blobs, fit_arguments):
        options = "--activation tanh --optimizer sgd --learning-rate 0.5 --weight-decay 0.25 --epochs 3"
        options += " --batch-size 7 --seed 5 --threads 1 --output other.safetensors --quiet --constant-rate"
        out = succeed(capsys, "train", "--data", blobs, *options.split(" "))
        assert "epoch" not in out
        assert fit_arguments["optimizer"] == cynn.optimizers.SGD(learning_rate=0.5, weight_decay=0.25)
        assert [fit_arguments[name] for name in ("epochs", "batch_size", "n_threads")] == [3, 7, 1]
        net = cynn.load("other.safetensors")
        assert net.layers[0].activation.name == "tanh"
        assert net.seed == 5

    def test_the_learning_rate_falls(self, capsys, folder, blobs, monkeypatch):
        found = []

        class Spy(cynn.optimizers.AdamW):
            name = "adamw"

            def __init__(self, **values):
                super().__init__(**values)
                assert self.weight_decay == 0.05
                found.append(self.learning_rate)

            def __setattr__(self, name, value):
                super().__setattr__(name, value)
                if name == "learning_rate":
                    found.append(value)

        get = type(cynn.registry.optimizers).get
        monkeypatch.setattr(
            type(cynn.registry.optimizers),
            "get",
            lambda self, spec, **values: Spy(**values) if spec == "adamw" else get(self, spec, **values),
        )
        succeed(capsys, "train", "--data", blobs, "--epochs", 4)
        falling = [0.005 * (1 + np.cos(np.pi * epoch / 4)) / 2 for epoch in range(4)]
        np.testing.assert_allclose(found, falling, rtol=1e-12)

    def test_another_optimizer_has_its_own_values(self, capsys, folder, blobs, fit_arguments):
        succeed(capsys, "train", "--data", blobs, "--optimizer", "adam", "--epochs", 1)
        assert fit_arguments["optimizer"] == cynn.optimizers.Adam()

    def test_the_same_seed_gives_the_same_network(self, capsys, folder, blobs):
        weights = []
        for seed in (3, 3, 4):
            succeed(capsys, "train", "--data", blobs, "--epochs", 2, "--seed", seed)
            weights.append(cynn.load("blobs.safetensors").layers[0].weights.copy())
        assert (weights[0] == weights[1]).all()
        assert not (weights[0] == weights[2]).all()

    @pytest.mark.skipif(sys.platform == "win32", reason="signals differ")
    def test_interrupted(self, folder, blobs):
        with start("train", "--data", blobs, "--epochs", 1_000_000) as process:
            assert any(line.startswith("epoch") for line in process.stdout)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
        assert process.returncode == 130
        assert err == "interrupted; the network in its present state is in blobs.safetensors\n"
        assert cynn.load("blobs.safetensors").predict([[0.0, 0.0]]).shape == (1, 3)

    @pytest.mark.skipif(sys.platform == "win32", reason="pipes differ")
    @pytest.mark.parametrize("lines", [0, 1])
    def test_a_reader_that_leaves(self, folder, blobs, lines):
        arguments = ("train", "--data", blobs, "--epochs", 1_000_000) if lines else ("plugins",)
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
        with start(*arguments, env=environment) as process:
            for _ in range(lines):
                process.stdout.readline()
            process.stdout.close()
            assert process.stderr.read() == ""
        assert process.returncode == 141

    def test_a_bad_output_is_told_before_the_training(self, capsys, folder, monkeypatch):
        monkeypatch.setattr(cynn.Network, "fit", lambda *_, **__: pytest.fail("trained"))
        assert "no/such/folder" in fail(capsys, "train", "--output", "no/such/folder/x.safetensors")


class TestEvaluate:
    def test_digits(self, capsys, digits):
        out = succeed(capsys, "evaluate", digits)
        _, (x, y) = cynn.datasets.load_mnist()
        accuracy = (cynn.load(digits).predict(x).argmax(axis=1) == y).mean()
        assert re.fullmatch(rf"loss \d\.\d{{4}}  accuracy {100 * accuracy:.2f} %\n", out)

    def test_a_file(self, capsys, folder, blobs):
        succeed(capsys, "train", "--data", blobs, *BLOBS)
        out = succeed(capsys, "evaluate", "blobs.safetensors", "--data", blobs)
        assert float(re.search("accuracy (.*) %", out)[1]) > 95

    def test_another_loss(self, capsys, folder, blobs):
        succeed(capsys, "train", "--data", blobs, *BLOBS)
        arguments = ("evaluate", "blobs.safetensors", "--data", blobs)
        assert succeed(capsys, *arguments) != succeed(capsys, *arguments, "--loss", "mean_absolute_error")


class TestPredict:
    def test_an_npy_of_digits(self, capsys, folder, digits):
        _, (x, _) = cynn.datasets.load_mnist()
        np.save("x.npy", x[:3].reshape(3, 28, 28))
        lines = succeed(capsys, "predict", digits, "x.npy").splitlines()
        p = cynn.load(digits).predict(x[:3])
        assert lines[0] == "row\tclass\tprobability"
        assert lines[1:] == [f"{i}\t{p[i].argmax()}\t{p[i].max():.4f}" for i in range(3)]

    @pytest.mark.parametrize("shape", [(784,), (28, 28), (1, 784), (1, 28, 28)])
    def test_a_single_image(self, capsys, folder, digits, shape):
        _, (x, _) = cynn.datasets.load_mnist()
        np.save("x.npy", x[0].reshape(shape))
        assert succeed(capsys, "predict", digits, "x.npy").splitlines()[1].startswith("0\t7\t")

    @pytest.mark.parametrize("names", [{"y": 1, "x": 0}, {"anything": 0}])
    def test_an_npz(self, capsys, folder, digits, names):
        _, test = cynn.datasets.load_mnist()
        np.savez("x.npz", **{name: test[part][:5] for name, part in names.items()})
        assert len(succeed(capsys, "predict", digits, "x.npz").splitlines()) == 6

    def test_outputs_to_a_file(self, capsys, folder, digits):
        _, (x, _) = cynn.datasets.load_mnist()
        np.save("x.npy", x[:3])
        assert succeed(capsys, "predict", digits, "x.npy", "--output", "p.npy") == ""
        np.testing.assert_array_equal(np.load("p.npy"), cynn.load(digits).predict(x[:3]))
        said = fail(capsys, "predict", digits, "x.npy", "--output", "p.npz")
        assert "--output must be a .npy file for a network of one output. Got 'p.npz' instead" in said

    def test_values(self, capsys, folder):
        net = cynn.Network([cynn.Input(1), cynn.Dense(1)])
        net.layers[0].weights = [[2.0]]
        net.layers[0].biases = [1.0]
        net.save("line.safetensors")
        np.save("x.npy", [[1.0], [2.5]])
        assert succeed(capsys, "predict", "line.safetensors", "x.npy") == "row\tvalue\n0\t3\n1\t6\n"

    def test_two_classes_of_one_sigmoid(self, capsys, folder):
        net = cynn.Network([cynn.Input(1), cynn.Dense(1, activation="sigmoid")])
        net.layers[0].weights = [[1.0]]
        net.save("step.safetensors")
        np.save("x.npy", [[np.log(3)], [-np.log(4)]])
        out = succeed(capsys, "predict", "step.safetensors", "x.npy")
        assert out == "row\tclass\tprobability\n0\t1\t0.7500\n1\t0\t0.8000\n"


@pytest.fixture(params=["dict", "list"])
def several(request, folder):
    """A network of a class, a yes or no, and two values, with data for it."""
    x = cynn.Input(2)
    outputs = [cynn.Dense(3, "softmax")(x), cynn.Dense(1, "sigmoid")(x), cynn.Dense(2)(x)]
    names = ["kind", "file", "length"] if request.param == "dict" else [f"output_{k}" for k in range(3)]
    net = cynn.Network(dict(zip(names, outputs, strict=True)) if request.param == "dict" else outputs, seed=0)
    net.save("several.safetensors")
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(30, 2))
    targets = [generator.integers(0, 3, 30), generator.integers(0, 2, (30, 1)), generator.normal(size=(30, 2))]
    np.save("x.npy", rows)
    return net, names, rows, targets


def parts(net, found):
    return list(found.values()) if isinstance(found, dict) else found


class TestSeveralOutputs:
    def test_a_table(self, capsys, several):
        net, names, rows, _ = several
        kind, flag, size = parts(net, net.predict(rows))
        lines = [line.split("\t") for line in succeed(capsys, "predict", "several.safetensors", "x.npy").splitlines()]
        ends = [["class", "probability"], ["class", "probability"], ["value_0", "value_1"]]
        assert lines[0] == ["row", *(f"{name}_{end}" for name, of_one in zip(names, ends, strict=True)
                                     for end in of_one)]  # fmt: skip
        assert len(lines) == 31
        for i in range(30):
            sure = max(flag[i, 0], 1 - flag[i, 0])
            assert lines[1 + i] == [
                str(i), str(kind[i].argmax()), f"{kind[i].max():.4f}", str(int(flag[i, 0] >= 0.5)), f"{sure:.4f}",
                f"{size[i, 0]:.6g}", f"{size[i, 1]:.6g}",
            ]  # fmt: skip

    def test_outputs_to_a_file(self, capsys, several):
        net, names, rows, _ = several
        assert succeed(capsys, "predict", "several.safetensors", "x.npy", "--output", "p.npz") == ""
        found = np.load("p.npz")
        assert found.files == names
        for name, expected in zip(names, parts(net, net.predict(rows)), strict=True):
            np.testing.assert_array_equal(found[name], expected)
        words = r"--output must be a \.npz file for several outputs\. Got 'p\.npy'"
        assert re.search(words, fail(capsys, "predict", "several.safetensors", "x.npy", "--output", "p.npy"))
        assert not os.path.exists("p.npy")

    @pytest.mark.parametrize("part", ["", "_test"])
    def test_evaluate(self, capsys, several, part):
        net, names, rows, targets = several
        arrays = {f"y{part}_{name}": y for name, y in zip(names, targets, strict=True)}
        np.savez("data.npz", **{f"x{part}": rows}, **arrays)
        given = net._outputs.join(targets)
        figures = net.evaluate(rows, given, metrics={names[0]: "accuracy", names[1]: "accuracy"})
        lines = succeed(capsys, "evaluate", "several.safetensors", "--data", "data.npz").splitlines()
        expected = [f"loss {figures['loss']:.4f}"]
        expected += [f"{name:{len(names[2])}}  loss {figures[f'{name}_loss']:.4f}" for name in names]
        for k in (0, 1):
            expected[1 + k] += f"  accuracy {100 * figures[f'{names[k]}_accuracy']:.2f} %"
        assert lines == expected
        squares = net.evaluate(rows, given, loss="mean_squared_error")["loss"]
        out = succeed(capsys, "evaluate", "several.safetensors", "--data", "data.npz", "--loss", "mean_squared_error")
        assert out.startswith(f"loss {squares:.4f}\n")

    def test_what_a_file_lacks(self, capsys, several):
        _, names, rows, targets = several
        wanted = ", ".join(f"y_{name}" for name in names)
        assert f"the arrays x, {wanted} for" in fail(capsys, "evaluate", "several.safetensors")
        np.savez("data.npz", x=rows, y=targets[0])
        said = fail(capsys, "evaluate", "several.safetensors", "--data", "data.npz")
        assert f"the arrays x, {wanted} for a network of these outputs. Got data.npz with: x, y" in said
        arrays = {f"y_{name}": y for name, y in zip(names, [targets[0][:9], *targets[1:]], strict=True)}
        np.savez("data.npz", x=rows, **arrays)
        assert f"y_{names[0]} must hold" in fail(capsys, "evaluate", "several.safetensors", "--data", "data.npz")


class TestPicture:
    @pytest.fixture(autouse=True)
    def image(self):
        return pytest.importorskip("PIL.Image", reason="needs Pillow")

    @pytest.mark.parametrize("inverted", [False, True])
    def test_a_picture_of_mnist_is_the_row_itself(self, folder, image, inverted):
        from cynn.data.images import read_digit

        _, (x, _) = cynn.datasets.load_mnist()
        pixels = x[0].reshape(28, 28)
        image.fromarray(255 - pixels if inverted else pixels).save("seven.png")
        np.testing.assert_array_equal(read_digit("seven.png"), x[0])

    def test_a_large_picture_is_centred_as_mnist_is(self, folder, image):
        from cynn.data.images import read_digit

        paper = np.full((300, 200, 3), 240, dtype=np.uint8)
        paper[20:220, 30:70] = (10, 20, 120)  # a thick one, far from the middle, 200 x 40
        image.fromarray(paper).save("one.png")
        digit = read_digit("one.png").reshape(28, 28)
        rows, columns = (np.flatnonzero(digit.max(axis=axis) > 128) for axis in (1, 0))
        assert (rows[0], rows[-1]) == (4, 23)
        assert (columns[0], columns[-1]) == (12, 15)
        assert digit[10, 13] > 200
        assert digit[0, 0] == 0

    def test_transparent_is_paper(self, folder, image):
        from cynn.data.images import read_digit

        pixels = np.zeros((60, 60, 4), dtype=np.uint8)  # black, and invisible
        pixels[10:50, 20:30, 3] = 255
        image.fromarray(pixels).save("one.png")
        digit = read_digit("one.png").reshape(28, 28)
        assert digit[14, 13] > 200
        assert digit[0].max() == 0

    def test_predict(self, capsys, folder, digits, image):
        _, (x, _) = cynn.datasets.load_mnist()
        image.fromarray(255 - x[0].reshape(28, 28)).resize((280, 280)).save("seven.PNG")
        assert succeed(capsys, "predict", digits, "seven.PNG").splitlines()[1].startswith("0\t7\t")

    def test_no_picture(self, capsys, folder, digits, image):
        (folder / "x.png").write_bytes(b"\x89PNG nonsense")
        assert "picture" in fail(capsys, "predict", digits, "x.png")
        image.new("L", (50, 50), 255).save("x.png")
        assert "one colour" in fail(capsys, "predict", digits, "x.png")
        image.new("L", (50, 50), 255).save("whole.png")
        (folder / "x.png").write_bytes((folder / "whole.png").read_bytes()[:60])
        assert "picture" in fail(capsys, "predict", digits, "x.png")

    def test_a_network_with_other_inputs(self, capsys, folder, image):
        cynn.Network.mlp([2, 1]).save("two.safetensors")
        image.new("L", (28, 28)).save("x.png")
        assert "784 inputs" in fail(capsys, "predict", "two.safetensors", "x.png")


def test_a_picture_without_pillow(capsys, folder, digits, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert 'pip install "cynn-nn[image]"' in fail(capsys, "predict", digits, "x.png")


def test_summary(capsys, digits):
    assert succeed(capsys, "summary", digits) == f"{cynn.load(digits).summary()}\n"


class TestPlugins:
    def test_all_are_listed(self, capsys):
        lines = [re.split(r" {2,}", line) for line in succeed(capsys, "plugins").splitlines()]
        assert lines[0] == ["kind", "name", "from", "version", "runs", "dtypes"]
        own = ["cynn-nn", cynn.__version__, "compiled", "float32 float64"]
        for row in (["activation", "sigmoid"], ["loss", "cross_entropy"], ["optimizer", "adam"]):
            assert row + own in lines
        assert ["layer", "prelu", *own] in lines
        assert ["layer", "residual", *own[:3]] in lines  # made of other layers
        assert ["schedule", "one_cycle", "cynn-nn", cynn.__version__, "Python"] in [line[:5] for line in lines]
        names = [(of_kind.kind, name) for of_kind in cynn.registry.every() for name in of_kind.names()]
        assert sorted(tuple(line[:2]) for line in lines[1:]) == sorted(names)
        assert len(names) > 100
        assert {kind for kind, _ in names} == {of_kind.kind for of_kind in cynn.registry.every()}

    def test_for_programs(self, capsys):
        found = json.loads(succeed(capsys, "plugins", "--json"))
        parts = {(part["kind"], part["name"]): part for part in found["parts"]}
        assert parts["activation", "swish"] == {
            "kind": "activation", "name": "swish", "distribution": "cynn-nn", "version": cynn.__version__,
            "runs": "compiled", "dtypes": ["float32", "float64"], "error": None,
        }  # fmt: skip
        assert parts["metric", "accuracy"]["dtypes"] == []
        assert "--json lists all parts. Got a name, too." in fail(capsys, "plugins", "swish", "--json")

    def test_details_of_other_kinds(self, capsys):
        out = succeed(capsys, "plugins", "dense")
        said = f"layer dense, of cynn-nn {cynn.__version__}, compiled, float32 float64"
        assert out.startswith(f"{said}\n\nA layer in which every")
        assert "metric mean_squared_error, of" in succeed(capsys, "plugins", "mean_squared_error")

    def test_a_broken_one_breaks_no_other(self, capsys, monkeypatch):
        registry = type(cynn.registry.activations)
        describe = registry.describe

        def broken(self, name):
            if name == "tanh":
                raise cynn.errors.PluginError("tanh\ncannot be imported")
            return describe(self, name)

        monkeypatch.setattr(registry, "describe", broken)
        out = succeed(capsys, "plugins")
        assert re.search(r"^activation +tanh + .*broken$", out, re.M)
        assert out.endswith("\ntanh: tanh cannot be imported\n")
        assert "sigmoid" in out


class TestErrors:
    @pytest.mark.parametrize(
        "arguments, said",
        [
            ("trian", "trian"),
            ("train --epochs many", "--epochs"),
            ("train --hidden 16,x", "16,x"),
            ("train --hidden 16,0", "16,0"),
            ("train --activation sigmod", "sigmoid"),
            ("train --output-activation softmaks", "softmax"),
            ("train --loss crossentropy", "cross_entropy"),
            ("train --optimizer adm", "adam"),
            ("train --learning-rate 0", "learning_rate"),
            ("train --learning-rate nan", "learning_rate"),
            ("train --optimizer adam --weight-decay 1", "weight_decay"),
            ("train --batch-size 0", "batch_size"),
            ("train --threads 0", "n_threads"),
            ("train --seed -1", "seed"),
            ("train --data none.npz", "No such file or directory: none.npz"),
            ("evaluate none.safetensors", "none.safetensors"),
            ("evaluate", "MODEL"),
            ("predict none.safetensors x.npy", "none.safetensors"),
            ("summary .", "."),
        ],
    )
    def test_one_line(self, capsys, folder, arguments, said):
        code, _, err = run(capsys, *arguments.split())
        assert code == 2
        assert re.fullmatch(r"cynn: error: [^\n]+\n", err), err
        assert said in err

    @pytest.mark.parametrize(
        "arrays, said",
        [
            ({}, "Got data.npz with: nothing"),
            ({"a": [1]}, "Got data.npz with: a"),
            ({"x_test": [[1]], "y_test": [1]}, "x_train"),
            ({"x": [[1.0]] * 9, "y": [1] * 8}, "(8,)"),
            ({"x": np.zeros((0, 3)), "y": []}, "(0, 3)"),
            ({"x": [1.0, 2.0, 3.0], "y": [1, 0, 1]}, "(3,)"),
            ({"x": [[1.0]] * 2, "y": [1, 0]}, "at least 3 rows"),
            ({"x": [["a"]] * 9, "y": [1] * 9}, "x"),
            ({"x": [[1.0]] * 9, "y": [-1] * 9}, "class"),
            ({"x": [[np.nan]] * 9, "y": [1] * 9}, "nan"),
        ],
    )
    def test_data(self, capsys, folder, arrays, said):
        np.savez("data.npz", **arrays)
        code, _, err = run(capsys, "train", "--data", "data.npz")
        assert code == 2
        assert re.fullmatch(r"cynn: error: [^\n]+\n", err), err
        assert said in err

    def test_files_that_are_not_what_they_seem(self, capsys, folder, digits):
        np.save("objects.npy", np.array([{}], dtype=object))
        np.save("narrow.npy", np.zeros((3, 5)))
        np.savez("many.npz", a=[1], b=[2])
        for name in ("noise.npy", "noise.npz", "noise.txt"):
            (folder / name).write_bytes(b"PK\x03\x04 or so")
        (folder / "empty.npy").write_bytes(b"")
        (folder / "cut.npy").write_bytes((folder / "narrow.npy").read_bytes()[:100])
        bad = "objects.npy narrow.npy many.npz noise.npy noise.npz noise.txt empty.npy cut.npy"
        for name in bad.split(" "):
            assert name in fail(capsys, "predict", digits, name)
        assert "narrow.npy" in fail(capsys, "train", "--data", "narrow.npy")

    def test_a_network_with_other_inputs(self, capsys, folder):
        cynn.Network.mlp([2, 1]).save("two.safetensors")
        assert "784" in fail(capsys, "evaluate", "two.safetensors")

    def test_divergence(self, capsys, folder):
        x = np.linspace(1, 9, 90).reshape(-1, 1) * 1e18
        np.savez("steep.npz", x=x, y=x)
        arguments = "train --data steep.npz --hidden none --optimizer sgd --learning-rate 1e6"
        code, _, err = run(capsys, *arguments.split(" "))
        assert code == 2
        assert re.fullmatch(r"cynn: error: [^\n]+\n", err), err
        assert list(folder.glob("*.safetensors")) == []


class TestStart:
    def test_version(self, capsys):
        with pytest.raises(SystemExit) as stopped:
            main(["--version"])
        assert stopped.value.code == 0
        assert capsys.readouterr().out == f"cynn {cynn.__version__}\n"

    def test_without_arguments_it_helps(self, capsys):
        out = succeed(capsys)
        for command in ("train", "evaluate", "predict", "summary", "plugins"):
            assert command in out

    def test_as_a_module(self):
        with start("--version") as process:
            assert process.communicate()[0] == f"cynn {cynn.__version__}\n"
        assert process.returncode == 0

    def test_nothing_is_imported_before_it_is_needed(self):
        code = """
import sys, numpy, cynn
def packages():
    return {module.split(".")[0] for module in sys.modules}

before = packages()
import cynn.cli
print(*sorted(packages() - before - sys.stdlib_module_names))
print(*sorted({"PIL", "tqdm", "safetensors", "cynn.data.images", "importlib.metadata"} & set(sys.modules)))
"""
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert out.stdout == "\n\n"
