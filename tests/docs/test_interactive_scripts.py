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
    assert len(script) < 20_000
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
