"""`to_js`, `to_python` and `to_fortran`: files that compute what the network computes."""

import json
import runpy
import subprocess

import exported
import numpy as np
import pytest
from exported import LAYERS, side_by_side

import cynn

NETWORKS = ["activations", *LAYERS]
_NODE = """
import {{ predict, inputs, outputs }} from {module};
import {{ readFileSync }} from "node:fs";
const rows = JSON.parse(readFileSync({rows}, "utf8"));
const flat = (y) => (y instanceof Float64Array ? Array.from(y) : Object.values(y).flatMap((each) => Array.from(each)));
console.log(JSON.stringify({{ inputs, outputs, y: rows.map((row) => flat(predict(row))) }}));
"""


def network(name, dtype="float32"):
    return exported.all_activations(dtype) if name == "activations" else exported.network(name, dtype)


def wanted_of(name, x):
    """What the network computes in float64, with its float32 weights."""
    net = network(name)
    same = cynn.Network.from_config({**net.get_config(), "dtype": "float64"})
    same.set_weights(net.get_weights())
    return side_by_side(same.predict(x))


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_python(tmp_path, dtype, name):
    net = network(name, dtype)
    x = exported.rows_for(net)
    net.to_python(tmp_path / "net.py")
    found = runpy.run_path(str(tmp_path / "net.py"))["predict"](x)
    wanted = net.predict(x)
    if isinstance(wanted, dict):
        assert list(found) == list(wanted)
    found, wanted = side_by_side(found), side_by_side(wanted)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, wanted, rtol=1e-4 if dtype == "float32" else 1e-10, atol=40 * np.finfo(dtype).eps)


def test_python_is_readable(tmp_path):
    net = cynn.Network.mlp([4, 3, 2], activation="sigmoid", output="softmax", input_scale=0.5, seed=0)
    net.to_python(tmp_path / "net.py")
    lines = (tmp_path / "net.py").read_text().splitlines()
    assert lines[5:13] == [
        "def predict(x):",
        '    """The outputs for x: an array of shape (rows, 4)."""',
        "    x = np.asarray(x, np.float32) * 0.5",
        "    z1 = x @ W1 + b1",
        "    a2 = 1 / (np.exp(-z1) + 1)" if "+ 1)" in lines[9] else "    a2 = 1 / (1 + np.exp(-z1))",
        "    z3 = a2 @ W3 + b3",
        "    a4 = z3.max(axis=1, keepdims=True)",
        "    a5 = np.exp(z3 - a4)",
    ]


@pytest.mark.parametrize("name", NETWORKS)
def test_js(tmp_path, name):
    node = exported.skipped_without("node")
    net = network(name)
    x = exported.rows_for(net)
    net.to_js(tmp_path / "net.mjs")
    (tmp_path / "rows.json").write_text(json.dumps(x.tolist()))
    script = _NODE.format(
        module=json.dumps(str(tmp_path / "net.mjs")), rows=json.dumps(str(tmp_path / "rows.json"))
    )
    (tmp_path / "main.mjs").write_text(script)
    found = json.loads(subprocess.check_output([node, tmp_path / "main.mjs"], text=True))
    wanted = wanted_of(name, x)
    np.testing.assert_allclose(np.array(found["y"], float), wanted, rtol=1e-9, atol=1e-12)
    assert found["inputs"] == net.input.units
    assert sum(output["units"] for output in found["outputs"]) == wanted.shape[1]
    names = list(net.outputs) if isinstance(net.outputs, dict) else [None]
    assert [output["name"] for output in found["outputs"]] == names


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_fortran(tmp_path, dtype, name):
    net = network(name)
    x = exported.rows_for(net)
    wanted = wanted_of(name, x)
    found = exported.by_fortran(net, x, tmp_path, dtype=dtype)
    np.testing.assert_allclose(found, wanted, rtol=1e-4 if dtype == "float32" else 1e-10, atol=40 * np.finfo(dtype).eps)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_fortran_keeps_the_limits_of_the_standard(tmp_path, dtype, name):
    """Lines of 132 characters, statements of 256 lines, and no name that Fortran has not."""
    network(name).to_fortran(tmp_path / "2 nets.f90", dtype=dtype)
    text = (tmp_path / "2 nets.f90").read_text()
    lines = text.splitlines()
    assert max(map(len, lines)) <= 132
    continued = 0
    for line in lines:
        continued = continued + 1 if line.endswith("&") else 0
        assert continued <= 255
    assert "module network_2_nets\n" in text
    assert "\nend module network_2_nets\n" in text


@pytest.mark.interop
@pytest.mark.parametrize("name", NETWORKS)
def test_fortran_is_parsed(tmp_path, name):
    from fparser.common.readfortran import FortranFileReader
    from fparser.two.parser import ParserFactory

    network(name).to_fortran(tmp_path / "predict.f90")
    tree = ParserFactory().create(std="f2008")(FortranFileReader(str(tmp_path / "predict.f90")))
    assert "MODULE predict_network" in str(tree)


@pytest.mark.parametrize("method", ["to_js", "to_python", "to_fortran"])
def test_odd_arguments(tmp_path, method):
    net = network("dense")
    with pytest.raises(cynn.CynnError, match="path of a file"):
        getattr(net, method)(1)
    with pytest.raises(cynn.CynnError, match="dtype"):
        net.to_fortran(tmp_path / "net.f90", dtype="int8")
    assert not list(tmp_path.iterdir())
