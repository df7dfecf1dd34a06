"""include/cynn/vector_math.h, compiled as a plugin in C would, against mpmath: within its stated errors."""

import ctypes
import shutil
import subprocess

import mpmath as mp
import numpy as np
import pytest

import cynn

# name: largest error in units of the last place, and the range of float32 and float64
FUNCTIONS = {
    "exp": (2, (-103, 88.7), (-745, 709.7)),
    "expm1": (5, (-103, 88.7), (-745, 709.7)),
    "log": (1, (1e-44, 3e38), (1e-320, 1e308)),
    "log1p": (2, (-0.999999, 3e38), (-0.999999, 1e308)),
    "tanh": (2, (-20, 20), (-40, 40)),
    "erf": (3, (-6, 6), (-8, 8)),
    "erfc": (5, (-6, 9.2), (-8, 26.5)),
    "sin": (2, (-8192, 8192), (-1e6, 1e6)),
    "cos": (2, (-8192, 8192), (-1e6, 1e6)),
}
SUFFIXES = {np.float32: ("f32", "float"), np.float64: ("f64", "double")}

compiler = shutil.which("cc") or shutil.which("gcc")
pytestmark = pytest.mark.skipif(compiler is None, reason="no C compiler")


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vector_math")
    source = '#include "cynn/vector_math.h"\n'
    for name in FUNCTIONS:
        for suffix, c_type in SUFFIXES.values():
            source += (
                f"void {name}_{suffix}(const {c_type} *x, {c_type} *y, long n)"
                f"{{ for (long i = 0; i < n; i++) y[i] = cynn_{name}_{suffix}(x[i]); }}\n"
            )
    (folder / "functions.c").write_text(source)
    options = ["-O3", "-Wall", "-Werror", "-fno-math-errno", "-fno-trapping-math", "-shared", "-fPIC"]
    command = [compiler, *options, f"-I{cynn.get_include()}", "functions.c", "-o", "functions.so", "-lm"]
    subprocess.run(command, cwd=folder, check=True)
    return ctypes.CDLL(str(folder / "functions.so"))


def _call(library, name, x):
    y = np.empty_like(x)
    function = getattr(library, f"{name}_{SUFFIXES[x.dtype.type][0]}")
    function(ctypes.c_void_p(x.ctypes.data), ctypes.c_void_p(y.ctypes.data), ctypes.c_long(x.size))
    return y


def _points(name, dtype):
    rng = np.random.default_rng(5)
    _, *ranges = FUNCTIONS[name]
    low, high = ranges[dtype is np.float64]
    decades = 10.0 ** rng.uniform(np.log10(np.finfo(dtype).smallest_subnormal) + 1, np.log10(high), 500)
    x = np.concatenate([rng.uniform(max(low, -1e3), min(high, 1e3), 800), rng.uniform(-1, 1.5, 800)])
    x = np.concatenate([x, decades, -decades]).astype(dtype)
    return x[(x >= low) & (x <= high) & (x != 0)]


@pytest.mark.parametrize("dtype", SUFFIXES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_error_in_units_of_the_last_place(library, name, dtype):
    x = _points(name, dtype)
    assert len(x) > 500
    exact = [getattr(mp, name)(mp.mpf(float(value))) for value in x]
    unit = np.spacing(np.abs(np.array([float(value) for value in exact]).astype(dtype)))
    errors = [
        abs(mp.mpf(float(got)) - value) / mp.mpf(float(one))
        for got, value, one in zip(_call(library, name, x), exact, unit, strict=True)
    ]
    worst = int(np.argmax(errors))
    assert errors[worst] <= FUNCTIONS[name][0], x[worst]


@pytest.mark.parametrize("dtype", SUFFIXES)
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("exp", [np.nan, np.inf, 0, 1, 1]),
        ("expm1", [np.nan, np.inf, -1, 0, 0]),
        ("log", [np.nan, np.inf, np.nan, -np.inf, -np.inf]),
        ("log1p", [np.nan, np.inf, np.nan, 0, 0]),
        ("tanh", [np.nan, 1, -1, 0, 0]),
        ("erf", [np.nan, 1, -1, 0, 0]),
        ("erfc", [np.nan, 0, 2, 1, 1]),
        ("sin", [np.nan, np.nan, np.nan, 0, 0]),
        ("cos", [np.nan, np.nan, np.nan, 1, 1]),
    ],
)
def test_special_values(library, name, expected, dtype):
    x = np.array([np.nan, np.inf, -np.inf, 0, -0.0], dtype)
    np.testing.assert_array_equal(_call(library, name, x), np.array(expected, dtype))


@pytest.mark.parametrize(("dtype", "far"), [(np.float32, 8192), (np.float64, 1e6)])
@pytest.mark.parametrize("name", ["sin", "cos"])
def test_beside_the_zeros_of_waves(library, name, dtype, far):
    """Where nearly all of x cancels."""
    turns = np.unique(np.geomspace(1, far / (np.pi / 2) - 1, 500).astype(int))
    x = (turns * np.pi / 2).astype(dtype)
    x = np.concatenate([x, np.nextafter(x, dtype(0)), -x])
    exact = [getattr(mp, name)(mp.mpf(float(value))) for value in x]
    for got, value in zip(_call(library, name, x), exact, strict=True):
        assert abs(mp.mpf(float(got)) - value) <= 2 * mp.mpf(float(np.spacing(dtype(abs(float(value))))))


@pytest.mark.parametrize("dtype", SUFFIXES)
def test_log1p_of_minus_one_is_minus_infinity(library, dtype):
    assert _call(library, "log1p", np.array([-1], dtype))[0] == -np.inf
