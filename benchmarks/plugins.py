"""What a plugin costs next to a built-in: ``python -m benchmarks.plugins``.

Four figures, each from interleaved rounds of one run:

- the step time of 784-128-64-10 with a sigmoid compiled as a plugin by Cython, C and Numba, over that with
  the built-in sigmoid: at most 1.03;
- the same with layers of plugins: Dense repeated in Cython and in C over the published products, at most 1.05, and
  PReLU repeated in Cython, at most 1.03;
- what a call of a Python plugin costs beyond the NumPy arithmetic in it: at most 25 µs;
- what 50 installed plugin packages add to ``import cynn``: nothing.

The plugins are built for this machine's CPU, as ``CFLAGS=-march=native pip install`` builds them.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib.util
import os
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

import cynn
from benchmarks.table import Table
from cynn.activations import Activation

FLAGS = ["-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math"]
BATCH = 128

CYTHON = """
from libc.stdint cimport int64_t
from cynn cimport vector_math
from cynn.abi cimport CYNN_IN_PLACE, CYNN_NEEDS_A, activation_capsule, cynn_activation, floating

cdef void forward(const double *h, int64_t rows, int64_t cols, const floating *z, floating *a) noexcept nogil:
    cdef int64_t i
    for i in range(rows * cols):
        a[i] = 1 / (1 + vector_math.exp(-z[i]))

cdef void backward(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, floating *grad
) noexcept nogil:
    cdef int64_t i
    for i in range(rows * cols):
        grad[i] = grad[i] * a[i] * (1 - a[i])

cdef cynn_activation kernel
kernel.forward_f32 = forward[float]
kernel.backward_f32 = backward[float]
kernel.forward_f64 = forward[double]
kernel.backward_f64 = backward[double]
KERNEL = activation_capsule(&kernel, CYNN_NEEDS_A | CYNN_IN_PLACE)
"""

C = """
#include <cynn/vector_math.h>

void forward_f32(const double *h, int64_t rows, int64_t cols, const float *z, float *a)
{
    for (int64_t i = 0; i < rows * cols; i++)
        a[i] = 1 / (1 + cynn_exp_f32(-z[i]));
}

void backward_f32(const double *h, int64_t rows, int64_t cols, const float *z, const float *a, float *grad)
{
    for (int64_t i = 0; i < rows * cols; i++)
        grad[i] = grad[i] * a[i] * (1 - a[i]);
}
"""


def main() -> int:
    parser = argparse.ArgumentParser(description="What a plugin costs next to a built-in.")
    parser.add_argument("--rounds", type=int, default=15, metavar="N", help="(default: %(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for table in (
            step_times(Path(folder), options.rounds),
            layer_step_times(Path(folder), options.rounds),
            python_calls(options.rounds),
            imports(Path(folder), options.rounds),
        ):
            print(table.text(), end="\n\n")
    return 0


# ------------------------------------------------------------------------------------- compiled plugins


def step_times(folder: Path, rounds: int) -> Table:
    """A step with each sigmoid, and its ratio to the built-in."""
    plugins: dict[str, Any] = {"built-in": cynn.activations.Sigmoid}
    plugins["Cython"] = _class("cython_sigmoid", _cython_kernel(folder))
    plugins["C"] = _class("c_sigmoid", _c_kernel(folder))
    if importlib.util.find_spec("numba"):
        plugins["Numba"] = _class("numba_sigmoid", _numba_kernel())
    generator = np.random.default_rng(0)
    x = generator.normal(size=(40 * BATCH, 784)).astype(np.float32)
    y = generator.integers(10, size=len(x))
    networks = {
        name: cynn.Network.mlp([784, 128, 64, 10], activation=cls(), output="softmax", seed=0)
        for name, cls in plugins.items()
    }
    seconds = _seconds_of_steps(networks, x, y, rounds)
    table = Table(
        "Step of 784-128-64-10, batch 128, one thread", ["sigmoid", "µs", "over the built-in", "target"]
    )
    for name in plugins:
        _add_row(table, name, seconds, "built-in", "<= 1.03")
    return table


def _seconds_of_steps(networks: dict[str, Any], x: Any, y: Any, rounds: int) -> dict[str, list[float]]:
    """Of one step, in each round: the networks take turns."""
    seconds: dict[str, list[float]] = {name: [] for name in networks}
    for round_ in range(rounds + 1):
        for name, net in networks.items():
            history = net.fit(x, y, optimizer="adam", epochs=1, batch_size=BATCH, progress=False, n_threads=1)
            if round_:  # the first one warms up
                seconds[name].append(history["seconds"][0] / (len(x) / BATCH))
    return seconds


def _add_row(table: Table, name: str, seconds: dict[str, list[float]], built_in: str, target: str) -> None:
    ratios = [own / other for own, other in zip(seconds[name], seconds[built_in], strict=True)]
    table.rows.append(
        [
            name,
            f"{1e6 * statistics.median(seconds[name]):.0f}",
            f"{statistics.median(ratios):.3f}",
            "" if name == built_in else target,
        ]
    )


def layer_step_times(folder: Path, rounds: int) -> Table:
    """A step with each Dense, and with each PReLU behind the built-in Dense."""
    sources = Path(__file__).parents[1] / "tests" / "support" / "data" / "layer_plugins"
    for name in ("c_layers", "cython_layers"):
        shutil.copytree(sources / name, folder / name)
        command = [sys.executable, "setup.py", "-q", "build_ext", "--inplace"]
        path = os.pathsep.join([str(Path(cynn.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
        environment = {**os.environ, "CFLAGS": "-march=native", "PYTHONPATH": path}
        subprocess.run(command, cwd=folder / name, check=True, capture_output=True, env=environment)
        sys.path.insert(0, str(folder / name))
    from c_layers import CDense  # type: ignore[import-not-found]  # it has just been built
    from cython_layers import CythonDense, CythonPReLU  # type: ignore[import-not-found]  # likewise

    def network(dense: Any, prelu: Any = None) -> cynn.Network:
        hidden = [[dense(units, "relu")] if prelu is None else [dense(units), prelu()] for units in (128, 64)]
        layers = [layer for pair in hidden for layer in pair]
        return cynn.Network([cynn.Input(784), *layers, dense(10, "softmax")], seed=0)

    generator = np.random.default_rng(0)
    x = generator.normal(size=(40 * BATCH, 784)).astype(np.float32)
    y = generator.integers(10, size=len(x))
    networks = {
        "Dense": network(cynn.Dense),
        "Dense in Cython": network(CythonDense),
        "Dense in C": network(CDense),
        "PReLU": network(cynn.Dense, cynn.PReLU),
        "PReLU in Cython": network(cynn.Dense, CythonPReLU),
    }
    seconds = _seconds_of_steps(networks, x, y, rounds)
    table = Table("Step of 784-128-64-10, batch 128, one thread", ["layer", "µs", "over the built-in", "target"])
    for name in networks:
        built_in = name.split(" ")[0]
        _add_row(table, name, seconds, built_in, "<= 1.05" if built_in == "Dense" else "<= 1.03")
    return table


def _class(plugin_name: str, plugin_kernel: Any) -> type[Activation]:
    class Plugin(Activation):
        """a = 1 / (1 + exp(-z))."""

        name = plugin_name
        kernel = plugin_kernel

    np.testing.assert_allclose(Plugin()(np.float32([-100, 0, 1])), [0, 0.5, 0.7310586], rtol=1e-6, atol=1e-30)
    return Plugin


def _cython_kernel(folder: Path) -> Any:
    (folder / "cython_sigmoid.pyx").write_text(CYTHON)
    (folder / "setup.py").write_text(
        "from Cython.Build import cythonize\n"
        "from setuptools import Extension, setup\n"
        f"kernel = Extension('cython_sigmoid', ['cython_sigmoid.pyx'], include_dirs=[{cynn.get_include()!r}],\n"
        f"                   extra_compile_args={FLAGS})\n"
        f"setup(ext_modules=cythonize([kernel], include_path=[{str(Path(cynn.__file__).parents[1])!r}],\n"
        "      compiler_directives={'language_level': 3, 'boundscheck': False, 'cdivision': True}))\n"
    )
    command = [sys.executable, "setup.py", "-q", "build_ext", "--inplace"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    path = next(folder.glob("cython_sigmoid.*.so"))
    spec = importlib.util.spec_from_file_location("cython_sigmoid", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.KERNEL


def _c_kernel(folder: Path) -> Any:
    (folder / "sigmoid.c").write_text(C)
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()
    command = [
        *compiler,
        *FLAGS,
        "-shared",
        "-fPIC",
        f"-I{cynn.get_include()}",
        "sigmoid.c",
        "-o",
        "sigmoid.so",
    ]
    subprocess.run(command, cwd=folder, check=True)
    library = ctypes.CDLL(str(folder / "sigmoid.so"))
    return Activation.from_addresses(
        forward_f32=library.forward_f32, backward_f32=library.backward_f32, needs_a=True, in_place=True
    )


def _numba_kernel() -> Any:
    from numba import cfunc, njit, types

    # exp as in cynn/vector_math.h: Numba's own is a call for every element
    @njit(inline="always")
    def exp(x: Any) -> Any:
        x = min(max(x, np.float32(-87.0)), np.float32(88.0))
        magic = np.float32(12582912.0)
        shifted = x * np.float32(1.44269504088896341) + magic
        rounded = shifted - magic
        n = np.float32(shifted).view(np.int32) - np.int32(0x4B400000)
        r = x - rounded * np.float32(0.693359375)
        r = r - rounded * np.float32(-2.12194440e-4)
        p = np.float32(1.9875691500e-4)
        p = p * r + np.float32(1.3981999507e-3)
        p = p * r + np.float32(8.3334519073e-3)
        p = p * r + np.float32(4.1665795894e-2)
        p = p * r + np.float32(1.6666665459e-1)
        p = p * r + np.float32(5.0000001201e-1)
        power = np.int32((n + np.int32(127)) << np.int32(23)).view(np.float32)
        return (p * (r * r) + r + np.float32(1)) * power

    h, array = types.CPointer(types.float64), types.CPointer(types.float32)

    @cfunc(types.void(h, types.int64, types.int64, array, array), error_model="numpy")
    def forward(h: Any, rows: Any, cols: Any, z: Any, a: Any) -> None:
        one = np.float32(1)
        for i in range(rows * cols):
            a[i] = one / (one + exp(-z[i]))

    @cfunc(types.void(h, types.int64, types.int64, array, array, array), error_model="numpy")
    def backward(h: Any, rows: Any, cols: Any, z: Any, a: Any, grad: Any) -> None:
        one = np.float32(1)
        for i in range(rows * cols):
            grad[i] = grad[i] * a[i] * (one - a[i])

    return Activation.from_addresses(forward_f32=forward, backward_f32=backward, needs_a=True, in_place=True)


# --------------------------------------------------------------------------------------- Python plugins


class _Timed(Activation):
    """a = tanh(z), and how long the arithmetic took."""

    name = "timed"

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0
        self.calls = 0

    @contextmanager
    def clock(self) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds += time.perf_counter() - start
        self.calls += 1

    def forward(self, z: Any) -> Any:
        with self.clock():
            a = np.tanh(z)
        return a

    def backward(self, z: Any, a: Any, grad: Any) -> Any:
        with self.clock():
            result = grad * (1 - a * a)
        return result


def python_calls(rounds: int) -> Table:
    """A network with a Python activation, less its arithmetic, less the same network without an activation."""
    generator = np.random.default_rng(0)
    table = Table("A call of a Python plugin", ["batch x units", "µs beyond the arithmetic", "target"])
    for units in (16, 128):
        x = generator.normal(size=(100 * BATCH, units)).astype(np.float32)
        timed = _Timed()
        networks = [
            cynn.Network([cynn.Input(units), cynn.Dense(units, f), cynn.Dense(1)], seed=0)
            for f in (timed, "identity")
        ]
        beyond = []
        for round_ in range(rounds + 1):
            timed.seconds, timed.calls = 0.0, 0
            with_plugin, without = (
                net.fit(x, x[:, :1], epochs=1, batch_size=BATCH, progress=False, n_threads=1)["seconds"][0]
                for net in networks
            )
            if round_:
                beyond.append((with_plugin - timed.seconds - without) / timed.calls)
        table.rows.append([f"{BATCH} x {units}", f"{1e6 * statistics.median(beyond):.1f}", "<= 25"])
    return table


# ----------------------------------------------------------------------------------------------- import


def imports(folder: Path, rounds: int) -> Table:
    """``import cynn`` beside no plugin packages and beside 50."""
    few, many = folder / "few", folder / "many"
    few.mkdir()
    for number in range(50):
        info = many / f"plugin_{number}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: plugin-{number}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[cynn.activations]\nf{number} = plugin_{number}:F\n")
        (many / f"plugin_{number}.py").write_text("raise AssertionError('imported')\n")
    program = (
        "import time, numpy; start = time.perf_counter(); import cynn; "
        "print(time.perf_counter() - start, len(cynn.registry.activations.names()))"
    )
    seconds: dict[str, list[float]] = {"few": [], "many": []}
    found = {}
    for _ in range(rounds):
        for path in (few, many):
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(path), *sys.path[:1]])}
            environment.pop(
                "PYTHONDONTWRITEBYTECODE", None
            )  # to compile the modules anew is not what is timed
            output = subprocess.run(
                [sys.executable, "-c", program], env=environment, check=True, capture_output=True, text=True
            ).stdout.split()
            seconds[path.name].append(float(output[0]))
            found[path.name] = int(output[1])
    assert found["many"] - found["few"] == 50, found
    table = Table("import cynn, after NumPy", ["plugin packages", "ms"])
    table.rows.append(["0", f"{1e3 * statistics.median(seconds['few']):.2f}"])
    table.rows.append(["50", f"{1e3 * statistics.median(seconds['many']):.2f}"])
    return table


if __name__ == "__main__":
    sys.exit(main())
