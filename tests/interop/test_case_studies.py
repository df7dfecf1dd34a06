"""The case studies run as shown, and so do the programs in C, Fortran and JavaScript that they end with."""

import ctypes
import subprocess
import sys

import exported
import numpy as np
import pytest
from code_blocks import DOCS, blocks
from printed import agrees


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Runs the Python of a page; returns what it leaves behind, and its other blocks by their kinds.

    A block of text is what the code before it has printed.
    """
    monkeypatch.chdir(tmp_path)

    def run(page, kinds=("python", "plot")):
        names, others, printed = {}, {}, ""
        for block in blocks(DOCS / "case_studies" / f"{page}.rst"):
            if block.kind == "text":
                assert agrees(printed, block.code), f"{block} must be\n{printed}"
            elif block.kind in kinds:
                if "matplotlib" in block.code:
                    pytest.importorskip("matplotlib").use("agg")
                exec(compile(block.code, str(block), "exec"), names)
                printed = capsys.readouterr().out
            else:
                others.setdefault(block.kind, []).append(block.code)
        return names, others

    return run


def library(path, code):
    """The functions of a program of C, without a `main`."""
    path.write_text(code)
    return ctypes.CDLL(str(exported.build(path, [*exported.STRICT, "-O2", "-fPIC", "-shared"])))


def test_a_control_policy(run, tmp_path):
    """The controller in C swings the pendulum up, too."""
    names, others = run("a_control_policy")
    (code,) = others["c"]
    torque = library(tmp_path / "control.c", code.replace("swing_up.h", "swing_up.c")).torque
    torque.restype, torque.argtypes = ctypes.c_float, [ctypes.c_float] * 2

    angle, speed = np.linspace(np.pi - 0.5, np.pi + 0.5, 20), np.zeros(20)
    angles = []
    for _ in range(200):
        chosen = np.array([torque(*each) for each in zip(angle, speed, strict=True)])
        angle, speed = names["moved"](angle, speed, chosen)
        angles.append(angle)
    assert names["upright"](np.array(angles)) == 1


def test_digits_on_a_microcontroller(run, tmp_path):
    """The program for the panel reads digits, and asks again for some."""
    names, others = run("digits_on_a_microcontroller")
    (code,) = others["c"]
    digit = library(tmp_path / "panel.c", code.replace("digits32.h", "digits32.c")).digit
    found = np.array([digit(image.tobytes()) for image in names["x_test"][:500]])
    is_sure = found >= 0
    assert 0.8 < is_sure.mean() < 1
    assert (found == names["y_test"][:500])[is_sure].mean() > 0.95
    (tmp_path / "digits.c").write_text((tmp_path / "digits32.c").read_text())
    assert exported.selftest(tmp_path / "digits.c", ["-O1"]) == (0, others["none"][0])
    assert exported.selftest(tmp_path / "digits16.c", ["-O1"])[0] == 0


def test_a_surrogate_in_fortran(run, tmp_path):
    names, others = run("a_surrogate_in_fortran")
    gfortran = exported.skipped_without("gfortran")
    (tmp_path / "control.f90").write_text(others["fortran"][0])
    command = [gfortran, "-O2", "-Wall", "-Wno-unused", "-Werror", "rod.f90", "control.f90", "-o", "control"]
    subprocess.run(command, cwd=tmp_path, check=True)
    said = subprocess.check_output([tmp_path / "control"], text=True)
    assert agrees(said, others["none"][0])
    heater, slope = float(said.split()[1].rstrip(",")), float(said.split()[-1])
    np.testing.assert_allclose(names["net"].jacobian([[1.2, heater]])[0, 0, 1], slope, atol=2e-5)


@pytest.mark.interop
def test_a_table(run, tmp_path):
    pytest.importorskip("pandas")
    pytest.importorskip("sklearn")
    _, others = run("a_table", kinds=["python"])
    in_page, in_shell = others["none"]
    said = subprocess.check_output([sys.executable, "-m", *others["sh"][0].split()], text=True)
    assert agrees(said, in_shell)
    (tmp_path / "main.mjs").write_text(others["js"][0])
    said = subprocess.check_output([exported.skipped_without("node"), "main.mjs"], cwd=tmp_path, text=True)
    assert agrees(said, in_page)
