"""The scripts of parts that are moved by hand, in Node: what they compute, against the pages and against CyNN."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import exported
import numpy as np
import pytest

import cynn
import cynn.registry
import cynn.web

DOCS = Path(__file__).parents[2] / "docs"
PARTS = sorted({
    name for path in DOCS.rglob("*.rst")
    for name in re.findall(r"^\.\. interactive:: (\w+)$", path.read_text(encoding="utf-8"), re.M)
})  # fmt: skip


@pytest.fixture(scope="module")
def node():
    return exported.skipped_without("node")


@pytest.fixture(scope="module")
def run(node, tmp_path_factory):
    """A function that runs a module of JavaScript, which may import the scripts, and returns what it prints as JSON."""
    folder = tmp_path_factory.mktemp("interactive")
    shutil.copytree(Path(cynn.web.__file__).with_name("static"), folder, dirs_exist_ok=True)
    shutil.copytree(DOCS / "interactive", folder, dirs_exist_ok=True)
    (folder / "package.json").write_text('{"type": "module"}')

    def run(text, given=None):
        (folder / "test.js").write_text(f"const given = {json.dumps(given)};\n{text}")
        return json.loads(subprocess.check_output([node, "test.js"], text=True, cwd=folder))

    return run


@pytest.mark.parametrize("name", PARTS)
def test_the_modules_of_a_part_make_one_script(name, node, tmp_path, monkeypatch):
    """No name is taken twice, and nothing is left to be loaded."""
    monkeypatch.syspath_prepend(DOCS / "_extensions")
    from bundle import script_of

    script = script_of(name)
    assert not re.search(r"^(import|export)\b|</script", script, re.M)
    assert len(script) < 30_000
    assert "/** " in script  # as it was written: no text of it has changed
    (tmp_path / "part.mjs").write_text(script)
    subprocess.run([node, "--check", "part.mjs"], check=True, cwd=tmp_path)


def test_the_neuron_is_that_of_the_page(run):
    lines = run("""import { linesOf } from "./neuron.js";
    const neuron = { a: [0.9, 0.1, 0.8], w: [2, -1, 3], b: -2.5, activation: "sigmoid" };
    console.log(JSON.stringify([linesOf(neuron), linesOf({ ...neuron, b: 0.1, activation: "identity" })]));""")
    page = (DOCS / "learn" / "neurons.rst").read_text(encoding="utf-8")
    z, a = re.search(r"   z = (\S+), the neuron holds (\S+)\n", page).groups()
    assert lines[0] == [f"z = 2.00 · 0.90 + (−1.00) · 0.10 + 3.00 · 0.80 − 2.50 = {z}", f"a′ = σ({z}) = {a}"]
    assert lines[1][0].endswith(" + 0.10 = 4.20")
    assert lines[1][1] == "a′ = z = 4.2000"


def test_activations_are_those_of_cynn(run):
    z = np.linspace(-3, 3, 24)[:, None]
    found = run("""import { ACTIVATIONS } from "./activations.js";
    const found = {};
    for (const [name, { of, slope }] of Object.entries(ACTIVATIONS))
        found[name] = given.map((z) => [of(z), slope(z, of(z))]);
    console.log(JSON.stringify(found));""", z[:, 0].tolist())
    for name, values in found.items():
        activation = cynn.registry.OF_KIND["activation"].find(name)()
        a = activation.forward(z)
        slopes = activation.backward(z, a, np.ones_like(z))
        np.testing.assert_allclose(values, np.hstack([a, slopes]), atol=1e-12)


@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid"])
def test_gradients_are_those_of_differences_and_of_cynn(run, activation):
    """And so is a step of gradient descent."""
    rng = np.random.default_rng(0)
    x, y = rng.uniform(-1, 1, (10, 2)), rng.integers(0, 2, 10)
    found = run("""import { layersOf, gradientsOf, descend, outputOf, costOf } from "./dense.js";
    import { randomOf } from "./points.js";
    const layers = layersOf([2, 4, 3, 1], given.activation, randomOf(3));
    layers.forEach(({ biases }) => biases.forEach((_, j) => { biases[j] = 0.1 * (j + 1); }));
    const examples = given.x.map((x, k) => ({ x, y: given.y[k] }));
    const cost = () => examples.reduce((sum, { x, y }) => sum + costOf(outputOf(layers, x), y), 0) / examples.length;
    const difference = (numbers, place) => {
        const [held, step] = [numbers[place], 1e-6];
        numbers[place] = held + step;
        const above = cost();
        numbers[place] = held - step;
        const below = cost();
        numbers[place] = held;
        return (above - below) / (2 * step);
    };
    const shown = (each) => each.map(({ weights, biases }) => [Array.from(weights), Array.from(biases)]);
    const gradients = gradientsOf(layers, examples);
    const before = shown(layers);
    const differences = layers.map(({ weights, biases }) =>
        [weights, biases].map((numbers) => Array.from(numbers, (_, place) => difference(numbers, place))));
    descend(layers, gradients, 0.3);
    console.log(JSON.stringify({ before, differences, gradients: shown(gradients), after: shown(layers) }));""",
    {"activation": activation, "x": x.tolist(), "y": y.tolist()})  # fmt: skip
    net = cynn.Network.mlp([2, 4, 3, 1], activation=activation, output="sigmoid", dtype="float64")
    for layer, (weights, biases) in zip(net.layers, found["before"], strict=True):
        layer.weights, layer.biases = np.reshape(weights, layer.weights.shape), biases
    wanted = net.gradients(x, y, loss="binary_cross_entropy")
    net.fit(
        x, y, loss="binary_cross_entropy", optimizer=cynn.optimizers.SGD(learning_rate=0.3),
        epochs=1, batch_size=10, progress=False,
    )  # fmt: skip
    for k, layer in enumerate(net.layers):
        for place, stepped in enumerate((layer.weights, layer.biases)):
            np.testing.assert_allclose(found["gradients"][k][place], np.ravel(wanted[k][place]), atol=1e-12)
            np.testing.assert_allclose(found["differences"][k][place], np.ravel(wanted[k][place]), atol=1e-8)
            np.testing.assert_allclose(found["after"][k][place], np.ravel(stepped), atol=1e-12)


def test_the_page_says_what_can_be_learned(run):
    """The share of points that are right after some epochs, from several first weights."""
    found = run("""import { pointsOf } from "./points.js";
    import { trainingOf } from "./training.js";
    console.log(JSON.stringify(given.map(([kind, activation, sizes, rate, epochs]) => [1, 2].map((seed) => {
        const training = trainingOf(pointsOf(kind), { sizes, activation, rate, seed });
        while (training.epochs < epochs) training.epoch();
        return training.standing().right;
    }))));""", [["XOR", "tanh", [2, 1], 0.3, 50], ["XOR", "tanh", [2, 4, 1], 0.3, 300],
                 ["spiral", "tanh", [2, 1], 0.3, 50], ["spiral", "tanh", [2, 8, 1], 0.3, 300],
                 ["spiral", "tanh", [2, 4, 4, 1], 0.3, 300],
                 ["XOR", "sigmoid", [2, 8, 8, 8, 8, 1], 0.1, 100], ["XOR", "relu", [2, 8, 8, 8, 8, 1], 0.1, 100],
                 ["XOR", "sigmoid", [2, 8, 1], 0.1, 60], ["XOR", "relu", [2, 8, 1], 0.1, 60],
                 ["XOR", "sigmoid", [2, 8, 1], 0.1, 600]])  # fmt: skip
    assert max(found[0]) <= 0.75
    assert max(found[2]) < 0.7
    assert min(found[1] + found[3] + found[4]) > 0.98
    assert max(found[5] + found[7]) < 0.75
    assert min(found[6] + found[8] + found[9]) > 0.95


LEARNING = (DOCS / "learn" / "learning.rst").read_text(encoding="utf-8")


def test_backpropagation_is_that_of_the_page_and_of_cynn(run):
    """The numbers of all stages stand on the page; slopes and two steps are CyNN's."""
    found = run("""import { backwardOf, stepped } from "./backprop.js";
    import { EXAMPLE, FIRST } from "./backpropagation.js";
    import { stagesOf } from "./stages.js";
    const [once, twice] = [1, 2].map((steps) => {
        let net = FIRST;
        for (let k = 0; k < steps; ++k) net = stepped(net, backwardOf(net, EXAMPLE), 1);
        return net;
    });
    const slopes = backwardOf(FIRST, EXAMPLE);
    console.log(JSON.stringify({ EXAMPLE, FIRST, slopes, once, twice, stages: stagesOf(FIRST, EXAMPLE, 1) }));""")

    def numbers(net):
        return [np.array(net["w"]), np.array(net["b"]), np.array(net["v"])[:, None], np.array([net["c"]])]

    net = cynn.Network.mlp([2, 2, 1], activation="sigmoid", output="sigmoid", dtype="float64")
    net.set_weights(numbers(found["FIRST"]))
    x, y = np.array([found["EXAMPLE"]["x"]]), np.array([[found["EXAMPLE"]["y"]]])
    gradients = [array for pair in net.gradients(x, y, loss="mean_squared_error") for array in pair]
    for slopes, wanted in zip(numbers(found["slopes"]), gradients, strict=True):
        np.testing.assert_allclose(slopes, wanted, atol=1e-12)
    for after in ("once", "twice"):
        sgd = cynn.optimizers.SGD(learning_rate=1.0)
        net.fit(x, y, loss="mean_squared_error", optimizer=sgd, epochs=1, progress=False)
        for stepped, wanted in zip(numbers(found[after]), net.get_weights(), strict=True):
            np.testing.assert_allclose(stepped, wanted, atol=1e-12)
    ends = [stage["lines"][-1].replace("−", "-").split()[-1] for stage in found["stages"][:-1]]
    assert ends == ["0.731", "0.500", "0.558", "0.0588", "-0.1196", "-0.1196", "-0.0235", "0.0598", "0.0598"]
    for number in (*ends, "0.627", "0.8235", "1.1701"):
        assert number in LEARNING
        assert any(number in line.replace("−", "-") for stage in found["stages"] for line in stage["lines"])


def test_the_ball_goes_as_the_page_says(run):
    paths = run("""import { costAt, slopeAt } from "./ball.js";
    const path = (rate, steps) => {
        const found = [-2];
        for (let k = 0; k < steps; ++k) found.push(found[k] - rate * slopeAt(found[k]));
        return found;
    };
    const difference = (costAt(-2 + 1e-6) - costAt(-2 - 1e-6)) / 2e-6;
    console.log(JSON.stringify({ cost: costAt(-2), slope: slopeAt(-2), difference,
        slow: path(1, 30), quick: path(50, 6), far: path(400, 30) }));""")
    assert f"cost {paths['cost']:.4f}" in LEARNING
    assert f"   {paths['slope']:.4f}\n" in LEARNING
    assert paths["difference"] == pytest.approx(paths["slope"], abs=1e-9)
    bottom = 0.31
    assert paths["slow"][-1] < bottom - 1
    assert paths["quick"][-1] == pytest.approx(bottom, abs=0.05)
    assert min(paths["far"][1:]) > 20
