"""`cynn export`, `cynn adopt` and `cynn compare`."""

import runpy
import subprocess

import numpy as np
import pytest

import cynn
from cynn.cli import main


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 4)).astype(np.float32)
    np.savez("data.npz", x=x, y=np.arange(60) % 3)
    cynn.Network.mlp([4, 8, 3], output="softmax", seed=0).save("net.safetensors")
    cynn.Network.mlp([4, 8, 3], output="softmax", seed=1).save("other.safetensors")
    cynn.Network.mlp([4, 2], seed=1).save("narrow.safetensors")
    return tmp_path


@pytest.mark.parametrize("output", ["net.f90", "net.js", "net.MJS", "net.py", "net.c"])
def test_export(folder, capsys, output):
    assert main(["export", "net.safetensors", output]) == 0
    assert capsys.readouterr().out == f"the network is in {output}\n"
    if output == "net.py":
        x = np.load("data.npz")["x"]
        found = runpy.run_path(output)["predict"](x)
        np.testing.assert_allclose(found, cynn.load("net.safetensors").predict(x), rtol=1e-5)


@pytest.mark.parametrize(
    "options",
    [["--data", "data.npz"], ["--int8", "data.npz"], ["--int4", "data.npz"], ["--exact", "--data", "data.npz"]],
)
def test_a_file_of_c_with_its_test(folder, capsys, options):
    assert main(["export", "net.safetensors", "net.c", "--selftest", "20", *options]) == 0
    assert (f"{options[0][2:]}: accuracy" in capsys.readouterr().out) == options[0].startswith("--int")
    subprocess.run(["gcc", "-DCYNN_SELFTEST", "net.c", "-o", "net", "-lm"], check=True)
    said = subprocess.check_output(["./net"], text=True)
    assert said.startswith("PASS: 20 rows")
    assert ("allowed 0\n" in said) == (options[0] != "--data")


def test_compare(folder, capsys):
    assert main(["compare", "net.safetensors", "net.safetensors", "data.npz"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split("\t") == ["row", "model_0", "other_0", "model_1", "other_1", "model_2", "other_2"]
    assert len(lines) == 12
    assert lines[-1] == "60 rows; the largest difference is 0, in row 0, output 0"
    assert main(["compare", "net.safetensors", "other.safetensors", "data.npz"]) == 0
    x = np.load("data.npz")["x"]
    nets = [cynn.load(f"{name}.safetensors") for name in ("net", "other")]
    largest = np.abs(nets[0].predict(x).astype(float) - nets[1].predict(x)).max()
    assert f"the largest difference is {largest:.3g}, " in capsys.readouterr().out


@pytest.mark.interop
def test_there_and_back(folder, capsys):
    assert main(["export", "net.safetensors", "net.onnx"]) == 0
    assert main(["adopt", "net.onnx", "again.safetensors"]) == 0
    assert "the network is in again.safetensors" in capsys.readouterr().out
    assert main(["compare", "net.safetensors", "again.safetensors", "data.npz"]) == 0
    assert "the largest difference is 0," in capsys.readouterr().out
    assert main(["compare", "net.onnx", "net.safetensors", "data.npz"]) == 0
    assert float(capsys.readouterr().out.split("difference is ")[1].split(",")[0]) < 1e-6
    assert main(["compare", "net.onnx", "net.onnx", "data.npz"]) == 0
    assert "60 rows; the largest difference is 0," in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["export", "net.safetensors", "net.txt"], "must end in one of"),
     (["export", "net.safetensors", "net.js", "--exact"], "for a .c file alone"),
     (["export", "net.safetensors", "net.c", "--selftest", "0", "--data", "data.npz"], "from 1 to 60 rows"),
     (["export", "net.safetensors", "net.c", "--int8", "none.npz"], "none.npz"),
     (["export", "net.safetensors", "net.js", "--int4", "data.npz"], "for a .c file alone"),
     (["export", "net.safetensors", "net.c", "--int8", "data.npz", "--int4", "data.npz"], "Got both"),
     (["compare", "net.safetensors", "narrow.safetensors", "data.npz"], "Got 60 rows of 3 and 60 rows of 2"),
     (["adopt", "net.pt", "a.safetensors"], "must end in .onnx or .keras: others can hold code"),
     (["adopt", "none.onnx", "a.safetensors"], "onnx")],  # no such file, or the package is not installed
)  # fmt: skip
def test_one_line(folder, capsys, arguments, said):
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("cynn: error:")
    assert error.count("\n") == 1
    assert said in error
    assert not (folder / "net.c").exists()
