"""Plugins for the tests of the conformance kit, from C functions of one library."""

import ctypes
import functools
import os
import subprocess
import sysconfig
import tempfile
from pathlib import Path

import cynn
from cynn import hyperparameter
from cynn.activations import Activation
from cynn.losses import Loss
from cynn.optimizers import Optimizer
from cynn.testing.activations import ActivationChecks
from cynn.testing.losses import LossChecks
from cynn.testing.optimizers import OptimizerChecks

CHECKS = {"activation": ActivationChecks, "loss": LossChecks, "optimizer": OptimizerChecks}


@functools.cache
def library():
    """The kernels of kit_faults.c, compiled once."""
    return compiled("kit_faults.c")


def compiled(name):
    """A library of C functions, of a file in this folder."""
    folder = tempfile.mkdtemp(prefix="cynn-kit-")
    path = Path(folder) / "kit.so"
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()
    options = ["-O1", "-shared", "-fPIC", "-w", "-I", cynn.get_include()]
    subprocess.run([*compiler, *options, str(Path(__file__).with_name(name)), "-o", str(path), "-lm"], check=True)
    loaded = ctypes.CDLL(str(path))
    path.unlink()
    os.rmdir(folder)
    return loaded


def functions(**names):
    return {
        f"{kernel}_{suffix}": getattr(library(), f"{name}_{suffix}")
        for kernel, name in names.items()
        for suffix in ("f32", "f64")
    }


def made(base, kernel, hyperparameters=None, **attributes):
    """A class with that kernel."""
    declared = {name: hyperparameter(doc="A number.", **given) for name, given in (hyperparameters or {}).items()}
    body = {"__doc__": "As its test says.", "name": "compiled", "kernel": kernel, **declared, **attributes}
    return type("Compiled", (base,), body)


def activation(forward="cube", backward="cube", hyperparameters=None, flags=None, **attributes):
    kernel = Activation.from_addresses(
        **functions(forward=f"{forward}_forward", backward=f"{backward}_backward"), **(flags or {"needs_z": True})
    )
    return made(Activation, kernel, hyperparameters, **attributes)


def loss(name="square", hyperparameters=None, **attributes):
    kernel = Loss.from_addresses(**functions(value_and_gradient=f"{name}_loss"), class_index=True)
    return made(Loss, kernel, hyperparameters, **attributes)


def optimizer(name="plain", hyperparameters=None, n_slots=0, elementwise=True, linear=None, **attributes):
    linear_step = getattr(library(), linear) if linear else None
    kernel = Optimizer.from_addresses(
        **functions(step=f"{name}_step"), n_slots=n_slots, elementwise=elementwise, linear_step=linear_step
    )
    return made(Optimizer, kernel, hyperparameters, **attributes)


def failure_of(component, check, **options):
    """The evidence of that check, which must fail, and its traceback."""
    report = CHECKS[component.kind].report_on(component, raise_on_failure=False, only={check}, **options)
    found = {each.name: f"{each.evidence}\n{each.traceback}" for each in report.failures}
    assert check in found, str(report)
    return found[check]
