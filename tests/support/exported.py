"""Networks that leave for other languages, and the files of C that they become, compiled."""

import ctypes
import shutil
import subprocess

import numpy as np
import pytest

import cynn

STRICT = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror"]
LEVELS = {"O0": ["-O0"], "O3": ["-O3"], "native": ["-O3", "-march=native"]}
UNDEFINED = ["-O1", "-fsanitize=undefined", "-fno-sanitize-recover=all"]

#: Activations, with parameters of their own, by the name of the test.
ACTIVATIONS = {
    **{name: cynn.registry.activations.get(name) for name in cynn.registry.activations.names()},
    "leaky_relu 0.3": cynn.activations.LeakyReLU(0.3),
    "elu 0.7": cynn.registry.activations.get("elu", alpha=0.7),
    "celu 2": cynn.registry.activations.get("celu", alpha=2),
    "swish 3": cynn.registry.activations.get("swish", beta=3),
    "gelu tanh": cynn.registry.activations.get("gelu", approximate=True),
    "snake 2": cynn.registry.activations.get("snake", alpha=2),
    "hardtanh 0 3": cynn.registry.activations.get("hardtanh", minimum=0, maximum=3),
    "threshold": cynn.registry.activations.get("threshold", threshold=-0.5, value=-7),
    "softplus 0.5": cynn.registry.activations.get("softplus", beta=0.5),
}


def skipped_without(program):
    """The path of a program; the test is skipped where it is not installed."""
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed")
    return found


def all_activations(dtype="float32"):
    """A network with an output for each activation of its input."""
    x = cynn.Input(7)
    same = cynn.Dropout(0.5)(x)  # the input itself cannot be an output, as the identity of it would be
    return cynn.Network({name: cynn.Activation(f)(same) for name, f in ACTIVATIONS.items()}, seed=0, dtype=dtype)


def randomized(net, seed=1):
    """The network with all that training changes at random, variances positive."""
    rng = np.random.default_rng(seed)
    arrays = net.get_weights()
    names = [name for name, _ in cynn.layers.arrays(net.layers)]
    net.set_weights([
        rng.uniform(0.1, 2, a.shape) if "variance" in name else rng.normal(scale=0.5, size=a.shape)
        for name, a in zip(names, arrays, strict=True)
    ])  # fmt: skip
    return net


def graph():
    """Branches that are no chain, and outputs of several layers."""
    x = cynn.Input(6, scale=0.5, offset=-0.25)
    h = cynn.Dense(8, "relu")(x)
    g = cynn.Dense(8, "tanh")(h)
    joined = cynn.Concatenate()(cynn.Add()(h, g), x)
    return {"first": cynn.Dense(2, "softmax")(joined), "the second": cynn.Dense(1)(g)}


LAYERS = {
    "dense": [cynn.Input(6), cynn.Dense(19, "tanh"), cynn.Dense(3, use_bias=False)],
    "wide": [cynn.Input(6), cynn.Dense(70, "sigmoid"), cynn.Dense(41, "softmax")],
    "scaled": [cynn.Input(6, scale=1 / 255), cynn.Dense(4, "relu"), cynn.Dense(1)],
    "scaled columns": [
        cynn.Input(6, scale=[0.5, -2, 1, 0, 1e-3, 3], offset=[0, 1, -1.5, 2, 0.1, 0]),
        cynn.Dense(4, "tanh"), cynn.Dense(2),
    ],
    "one of one": [cynn.Input(1), cynn.Dense(1)],
    "glu": [cynn.Input(6), cynn.GLU(5, "swish"), cynn.GLU(3, "softmax")],
    "maxout": [cynn.Input(6), cynn.Maxout(4, pieces=3)],
    "batch norm": [cynn.Input(6), cynn.Dense(5), cynn.BatchNorm(), cynn.BatchNorm(use_scale=False, use_bias=False)],
    "layer norm": [cynn.Input(6), cynn.LayerNorm(), cynn.Dense(40), cynn.LayerNorm(use_scale=False, use_bias=False)],
    "rms norm": [cynn.Input(6), cynn.Dense(9), cynn.RMSNorm(), cynn.RMSNorm(use_scale=False)],
    "prelu": [cynn.Input(6), cynn.Dense(5), cynn.PReLU()],
    "noise": [cynn.Input(6), cynn.Dropout(0.5), cynn.GaussianNoise(1), cynn.AlphaDropout(0.1), cynn.Dense(2)],
    "merges": [
        cynn.Input(6), cynn.Residual([cynn.Dense(6, "relu"), cynn.Residual([cynn.Dense(6, "gelu")])]),
        cynn.Add([[], [cynn.Activation("tanh")], [cynn.Dense(6)]]), cynn.Concatenate([[], [cynn.Dense(3)]]),
    ],
    "embedding": [
        cynn.Input(6), cynn.Embedding(4, 3, columns=[3, 0]), cynn.Embedding(3, 2, columns=2), cynn.Dense(2, "elu")
    ],
    "graph": graph(),
    "all are one": [cynn.Input(6), cynn.Dropout(0.2)],
}  # fmt: skip


def network(name, dtype="float32"):
    """One of these, with weights at random."""
    return randomized(cynn.Network(LAYERS[name], seed=0, dtype=dtype))


def rows_for(net, n=40, seed=0):
    """Rows of inputs; small whole numbers where categories are expected."""
    rng = np.random.default_rng(seed)
    x = rng.normal(scale=2, size=(n, net.input.units)).astype(np.float32)
    if any(isinstance(layer, cynn.Embedding) for layer in net.layers):
        x[:, [0, 3, 4]] = rng.integers(0, 3, (n, 3))
    return x


def side_by_side(predictions):
    """All outputs of a network in one matrix."""
    if isinstance(predictions, dict):
        predictions = list(predictions.values())
    return np.concatenate(predictions, axis=1) if isinstance(predictions, list) else predictions


def build(source, flags, program="gcc"):
    """Compile a file into a program beside it, and return its path; a warning fails."""
    target = source.with_suffix("." + "_".join([program.split("/")[-1], *flags]).replace("/", "_").replace("=", "_"))
    command = [skipped_without(program), *flags, str(source), "-o", str(target), "-lm"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return target


def selftest(source, flags, program="gcc"):
    """The exit status and the words of the program that the file is."""
    target = build(source, [*STRICT, *flags, "-DCYNN_SELFTEST"], program)
    done = subprocess.run([target], capture_output=True, text=True, timeout=60)
    assert not done.stderr
    return done.returncode, done.stdout


class Compiled:
    """The function that predicts, called on arrays."""

    def __init__(self, source, flags, dtype):
        target = build(source, [*STRICT, *flags, "-fPIC", "-shared"])
        text = source.read_text()
        name = source.stem
        self.size, self.buffer = (
            int(text.split(f"#define {name.upper()}_{what} ")[1].split()[0]) for what in ("OUTPUTS", "BUFFER")
        )
        self.function = getattr(ctypes.CDLL(str(target)), f"{name}_predict")
        self.function.restype = None
        self.dtype = np.dtype(dtype)

    def __call__(self, x):
        x = np.ascontiguousarray(x, self.dtype)
        y, buffer = np.empty((len(x), self.size), self.dtype), np.empty(self.buffer, self.dtype)
        for row, out in zip(x, y, strict=True):
            self.function(*[ctypes.c_void_p(array.ctypes.data) for array in (row, out, buffer)])
        return y


_FORTRAN = """program main
    use net
    implicit none
    real(rk) :: x(inputs), y(outputs)
    integer :: row
    do row = 1, {rows}
        read *, x
        call predict(x, y)
        print *, real(y, kind(1d0))
    end do
end program main
"""


def by_fortran(net, x, folder, **options):
    """What the module of Fortran makes of rows, as one array."""
    gfortran = skipped_without("gfortran")
    net.to_fortran(folder / "net.f90", **options)
    (folder / "main.f90").write_text(_FORTRAN.format(rows=len(x)))
    command = [gfortran, "-std=f2008", "-O2", "-Wall", "-Werror=conversion", "net.f90", "main.f90", "-o", "net"]
    subprocess.run(command, check=True, cwd=folder)
    text = "\n".join(" ".join(map(str, row)) for row in x.tolist())
    said = subprocess.check_output([folder / "net"], input=text, text=True)
    return np.array(said.split(), float).reshape(len(x), -1)
