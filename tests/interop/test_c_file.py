"""`to_c`: files of C that compute what the network computes."""

import subprocess

import exported
import numpy as np
import pytest
from exported import ACTIVATIONS, LAYERS, LEVELS, UNDEFINED, Compiled, selftest, side_by_side

import cynn
from cynn.cli import main

DTYPES = ["float32", "float64"]
ULPS = 16  # a formula has some operations, each of which rounds


@pytest.fixture
def source(tmp_path):
    return tmp_path / "net.c"


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_activation(source, dtype, exact):
    net = exported.all_activations(dtype)
    x = np.concatenate([np.random.default_rng(0).normal(scale=s, size=(30, 7)) for s in (0.01, 1, 6, 40)])
    x = np.concatenate([x, np.zeros((1, 7)), np.full((1, 7), -0.0), np.full((1, 7), 3.0)]).astype(dtype)
    with np.errstate(over="ignore"):
        wanted = net.predict(x)
        net.to_c(source, dtype=dtype, exact=exact)
        found = Compiled(source, LEVELS["native"], dtype)(x)
    columns = np.split(found, len(ACTIVATIONS), axis=1)
    for (name, a), b in zip(wanted.items(), columns, strict=True):
        finite = np.isfinite(a)
        assert (a[~finite] == b[~finite]).all(), name
        # where numbers are subtracted from each other, what counts is their own size
        least = 1 if any(word in name for word in ("max", "min", "shrink")) else 1e-4
        tolerance = ULPS * np.spacing(np.maximum(np.abs(a), least).astype(dtype))
        assert (np.abs(a - b) <= tolerance)[finite].all(), name


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_layer(source, dtype, name):
    net = exported.network(name, dtype)
    x = exported.rows_for(net)
    net.to_c(source, dtype=dtype, selftest=x)
    code, said = selftest(source, LEVELS["O3"])
    assert (code, said[:15]) == (0, "PASS: 40 rows, "), said
    found = Compiled(source, UNDEFINED, dtype)(x)
    wanted = side_by_side(net.predict(x))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=40 * np.spacing(np.abs(wanted).max()))


@pytest.mark.parametrize("name", ["wide", "layer norm", "graph", "embedding", "glu", "scaled", "scaled columns"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_exact_is_without_difference(source, dtype, name):
    net = exported.network(name, dtype)
    net.to_c(source, dtype=dtype, selftest=exported.rows_for(net), exact=True)
    for flags in [LEVELS["native"], UNDEFINED]:
        assert selftest(source, flags) == (0, "PASS: 40 rows, largest error 0, allowed 0\n"), flags


@pytest.mark.parametrize("dtype", DTYPES)
def test_exact_activations_are_without_difference(source, dtype):
    net = exported.all_activations(dtype)
    x = np.random.default_rng(3).normal(scale=5, size=(30, 7))
    net.to_c(source, dtype=dtype, selftest=x, exact=True)
    for flags in [LEVELS["native"], LEVELS["O0"], UNDEFINED]:
        assert selftest(source, flags)[0] == 0


def test_exact_refuses_fast_math(source):
    exported.network("dense").to_c(source, exact=True)
    done = subprocess.run(["gcc", "-ffast-math", "-c", source, "-o", "/dev/null"], capture_output=True, text=True)
    assert done.returncode != 0
    assert "promises its bits" in done.stderr


def test_the_test_fails_where_a_weight_is_another(source):
    net = exported.network("dense")
    net.to_c(source, selftest=exported.rows_for(net))
    begin = source.read_text()
    place = begin.index("net_w1[") + begin[begin.index("net_w1[") :].index("{") + 2
    source.write_text(begin[:place] + "0.125f + " + begin[place:].lstrip())
    assert selftest(source, LEVELS["O0"])[0] == 1


#: The largest error in whole numbers, as a part of the largest output.
LARGEST_ERROR = {"int8": 0.05, "int4": 0.5}


@pytest.mark.parametrize("name", ["dense", "wide", "graph", "embedding", "layer norm", "all are one"])
@pytest.mark.parametrize("dtype", LARGEST_ERROR)
def test_whole_numbers(source, name, dtype, capsys):
    net = exported.network(name)
    x = exported.rows_for(net, 200)
    net.to_c(source, dtype=dtype, calibration=x, selftest=x[:50])
    assert f"{dtype}: on 200 rows, outputs differ by at most" in capsys.readouterr().out
    for flags in [LEVELS["native"], UNDEFINED]:
        assert selftest(source, flags) == (0, "PASS: 50 rows, largest error 0, allowed 0\n")
    wanted = side_by_side(net.predict(x))
    found = Compiled(source, LEVELS["O3"], "float32")(x)
    assert np.abs(found - wanted).max() <= LARGEST_ERROR[dtype] * np.abs(wanted).max()


@pytest.mark.parametrize("dtype", LARGEST_ERROR)
def test_whole_numbers_take_what_lies_beyond_the_calibration(source, dtype):
    """Inputs that are larger, and no numbers, are the largest and the least."""
    net = exported.network("dense")
    net.to_c(source, dtype=dtype, calibration=exported.rows_for(net))
    odd = np.array([[1e30, -1e30, np.inf, -np.inf, np.nan, 0.0]], np.float32)
    assert np.isfinite(Compiled(source, UNDEFINED[:1], "float32")(odd)).all()


def test_the_accuracy_of_eight_bits_is_printed(source, capsys):
    net = exported.network("wide")
    x = exported.rows_for(net)
    net.to_c(source, dtype="int8", calibration=(x, net.predict(x).argmax(axis=1)))
    assert "int8: accuracy 100.00 % before, " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("units", "activation", "y", "said"),
    [(1, "sigmoid", lambda z: z > 0.5, "accuracy 100.00 % before, "),
     (1, "identity", lambda z: z > 0, "accuracy 100.00 % before, "),
     (1, "identity", lambda z: 2 * (z > 0).astype(int) - 1, "accuracy 100.00 % before, "),
     (1, "tanh", lambda z: z + 1, "root mean squared error 1 before, "),
     (3, "identity", lambda z: z - 2, "root mean squared error 2 before, ")],
)  # fmt: skip
def test_what_eight_bits_cost_is_printed_for_other_outputs(source, capsys, units, activation, y, said):
    """Two classes by one output, whose border is that of its activation, and values."""
    net = cynn.Network.mlp([6, 8, units], output=activation, seed=0, dtype="float64")
    x = np.random.default_rng(0).normal(size=(60, 6)).astype(np.float32)
    outputs = net.predict(x)
    net.to_c(source, dtype="int8", calibration=(x, y(outputs[:, 0] if units == 1 else outputs)))
    assert f"int8: {said}" in capsys.readouterr().out


@pytest.mark.parametrize("y", [[0, 1], ["cat"] * 40, np.zeros((40, 2)), np.zeros((2, 40, 3)), None, 1], ids=str)
def test_targets_that_do_not_go_with_the_rows(source, y):
    net = cynn.Network.mlp([6, 3], seed=0)
    x = exported.rows_for(net)
    calibration = (x, x, x) if y is None else (x, y)
    with pytest.raises(cynn.CynnError, match="calibration must be"):
        net.to_c(source, dtype="int8", calibration=calibration)
    assert not source.exists()


@pytest.mark.slow
def test_few_bits_cost_little_accuracy(source, tmp_path):
    """Of the digits: four bits that are rounded to the nearest alone cost 1.2 %."""
    assert main(["train", "--quiet", "--output", str(tmp_path / "digits.safetensors")]) == 0
    net = cynn.load(tmp_path / "digits.safetensors")
    (x, _), (x_test, y_test) = cynn.datasets.load_mnist()
    before = (net.predict(x_test).argmax(axis=1) == y_test).mean()
    for dtype, loss in (("int8", 0.001), ("int4", 0.004)):
        net.to_c(source, dtype=dtype, calibration=x[:1000])
        after = (Compiled(source, LEVELS["O3"], "float32")(x_test).argmax(axis=1) == y_test).mean()
        assert before - after <= loss, dtype


@pytest.mark.parametrize(
    ("dtype", "said"),
    [("float32", [": 50,920 bytes", " 25,408 floating point operations"]),
     ("int8", [": 12,912 bytes", " 25,408 integer operations"]),
     ("int4", [": 6,560 bytes", " 25,408 integer operations"])],
)  # fmt: skip
def test_sizes_and_operations_are_in_a_comment(source, dtype, said):
    net = cynn.Network.mlp([784, 16, 10], seed=0)
    given = {} if dtype == "float32" else {"calibration": np.zeros((1, 784))}
    net.to_c(source, dtype=dtype, **given)
    about = source.read_text().partition("*/")[0]
    said = ["* 12,730 numbers in flash, of them 12,704 weights in dense layers: ", *said]
    assert [text for text in said if text not in about] == []


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("program", ["gcc", "g++", "clang", "clang++"])
def test_other_compilers(source, program, exact):
    """In the compiler's own dialect, too, which may join products and sums, and has 16-bit arithmetic."""
    exported.skipped_without(program)
    net = exported.network("graph")
    net.to_c(source, selftest=exported.rows_for(net), exact=exact)
    flags = ["-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror", "-DCYNN_SELFTEST"]
    target = source.with_suffix(".other")
    for language in [["-x", "c++"]] if program.endswith("++") else [["-std=c99"], []]:
        for level in LEVELS.values():
            command = [program, *flags, *level, *language, str(source), "-o", str(target), "-lm"]
            assert subprocess.run(command, capture_output=True, text=True).stderr == ""
            assert subprocess.run([target]).returncode == 0


@pytest.mark.parametrize("cpu", ["x86-64-v3", "sapphirerapids"])
def test_exact_takes_processors_with_smaller_numbers(source, cpu):
    exported.network("dense").to_c(source, exact=True)
    command = ["gcc", "-O3", f"-march={cpu}", "-c", source, "-o", source.with_suffix(".o")]
    assert subprocess.run(command, capture_output=True, text=True).stderr == ""


@pytest.mark.parametrize("name", ["dense", "wide", "graph", "embedding"])
def test_aarch64_computes_the_same_bits(source, name):
    """Exact forms and whole numbers have no difference on another processor; the others stay within their limit."""
    compiler, emulator = exported.skipped_without("aarch64-linux-gnu-gcc"), exported.skipped_without("qemu-aarch64")
    net = exported.network(name)
    x = exported.rows_for(net)
    for options, said in [
        ({"exact": True}, "largest error 0,"), ({"dtype": "float64", "exact": True}, "largest error 0,"),
        ({"dtype": "int8", "calibration": x}, "largest error 0,"), ({}, "PASS"),
        ({"dtype": "int4", "calibration": x}, "largest error 0,"),
    ]:  # fmt: skip
        net.to_c(source, selftest=x, **options)
        target = source.with_suffix(".aarch64")
        flags = [*exported.STRICT, "-O3", "-static", "-DCYNN_SELFTEST"]
        subprocess.run([compiler, *flags, str(source), "-o", str(target), "-lm"], check=True)
        done = subprocess.run([emulator, str(target)], capture_output=True, text=True)
        assert done.returncode == 0 and done.stdout.startswith("PASS") and said in done.stdout, done.stdout


#: A program of C++ as those of Arduino are, which includes the header from two of its own.
PROGRAM = """
#include "net.h"
#include "net.h"
static float x[NET_INPUTS], y[NET_OUTPUTS], buffer[NET_BUFFER];
extern "C" void loop() { net_predict(x, y, buffer); }
"""
ARM = ["-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"]
IN_CPP = {
    "Arduino, AVR": ("g++", ["-std=gnu++11", "-fpermissive", "-fno-exceptions", "-fno-threadsafe-statics"]),
    "Arduino, ARM": ("arm-none-eabi-g++", ["-std=gnu++17", *ARM, "-fno-exceptions", "-fno-rtti"]),
    "Zephyr": ("arm-none-eabi-g++", ["-std=c++17", *ARM, "-ffreestanding", "-fno-exceptions", "-fno-rtti"]),
}


@pytest.mark.parametrize("form", [{}, {"exact": True}, {"dtype": "int4"}, {"dtype": "float64"}], ids=str)
@pytest.mark.parametrize("board", IN_CPP)
def test_programs_of_cpp_take_it_as_it_is(tmp_path, board, form):
    """With the header, and with the file itself in the midst of a program."""
    program, flags = IN_CPP[board]
    compiler = exported.skipped_without(program)
    net = exported.network("embedding")
    given = {"calibration": exported.rows_for(net)} if form.get("dtype") == "int4" else {}
    net.to_c(tmp_path / "net.c", header=True, **form, **given)
    own = PROGRAM.replace("float", "double") if form.get("dtype") == "float64" else PROGRAM
    (tmp_path / "main.cpp").write_text(own)
    (tmp_path / "whole.cpp").write_text(f'#include "net.c"\n{own}')
    command = [compiler, *flags, "-Os", "-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror", "-c"]
    for name in ("main.cpp", "whole.cpp"):
        done = subprocess.run([*command, name], cwd=tmp_path, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, ""), name


def object_bytes(source):
    """What the object for a Cortex-M4 takes: code, constants and memory, in bytes."""
    compiler = exported.skipped_without("arm-none-eabi-gcc")
    target = source.with_suffix(".o")
    subprocess.run([compiler, *exported.STRICT, *ARM, "-Os", "-c", str(source), "-o", str(target)], check=True)
    sizes = subprocess.check_output([compiler.replace("gcc", "size"), str(target)], text=True).splitlines()[1].split()
    return int(sizes[0]) + int(sizes[1])


@pytest.mark.parametrize("bits", [8, 4])
def test_the_digits_fit_a_microcontroller(source, bits):
    net = cynn.Network.mlp([784, 16, 16, 10], activation="sigmoid", output="softmax", input_scale=1 / 255, seed=0)
    net.to_c(source, dtype=f"int{bits}", calibration=np.random.default_rng(0).integers(0, 256, (50, 784)))
    weights = (784 * 16 + 16 * 16 + 16 * 10) * bits // 8 + 8 * (16 + 16 + 10)
    assert weights < object_bytes(source) <= weights + 1536


def test_a_sine_fits_a_microcontroller(source):
    net = cynn.Network.mlp([1, 16, 16, 1], activation="tanh", seed=0)
    net.to_c(source, dtype="int8", calibration=np.linspace(0, 6, 50)[:, None])
    assert object_bytes(source) <= 3 * 1024


def test_a_header_and_names(tmp_path):
    """Another file includes the header, and finds each output by its name."""
    net = exported.network("graph")
    net.to_c(tmp_path / "my-net 2.c", header=True)
    main = tmp_path / "main.c"
    main.write_text(
        '#include "my-net 2.h"\n#include <stdio.h>\nint main(void) {\n'
        "    const float x[MY_NET_2_INPUTS] = {1, 2, 3, 4, 5, 6};\n"
        "    float y[MY_NET_2_OUTPUTS], buffer[MY_NET_2_BUFFER];\n    my_net_2_predict(x, y, buffer);\n"
        '    printf("%.6f %.6f", y[MY_NET_2_OUTPUT_FIRST], y[MY_NET_2_OUTPUT_THE_SECOND]);\n}\n'
    )
    target = tmp_path / "main"
    command = ["gcc", *exported.STRICT, str(main), str(tmp_path / "my-net 2.c"), "-o", str(target), "-lm"]
    subprocess.run(command, check=True)
    found = list(map(float, subprocess.check_output([target], text=True).split()))
    wanted = net.predict([[1.0, 2, 3, 4, 5, 6]])
    np.testing.assert_allclose(found, [wanted["first"][0, 0], wanted["the second"][0, 0]], atol=2e-6)


def test_it_may_be_included_and_writes_to_no_memory_of_its_own(source, tmp_path):
    net = exported.network("wide")
    net.to_c(source)
    target = tmp_path / "net.o"
    subprocess.run(["gcc", "-O2", "-c", source, "-o", target], check=True)
    symbols = subprocess.check_output(["nm", target], text=True).split("\n")
    kinds = {line.split()[-2] for line in symbols if line}
    assert kinds <= {"T", "t", "r", "U"}
    assert not any("malloc" in line for line in symbols)
    if "exp" in source.read_text():
        assert not any(line.split()[-1].startswith("exp") for line in symbols if line)


def test_large_rows_are_normalized(source):
    net = cynn.Network([cynn.Input(6), cynn.LayerNorm(epsilon=0), cynn.RMSNorm()], seed=0)
    x = np.random.default_rng(0).normal(size=(5, 6)) * 1e30
    net.to_c(source)
    np.testing.assert_allclose(Compiled(source, LEVELS["O3"], "float32")(x), net.predict(x), atol=1e-6)


def test_categories_out_of_range_are_the_nearest(source):
    net = exported.network("embedding")
    net.to_c(source)
    call = Compiled(source, [*UNDEFINED[:1]], "float32")
    x = exported.rows_for(net, 1)
    wild, near = x.repeat(2, 0), x.repeat(2, 0)
    wild[0, 0], near[0, 0], wild[1, 0], near[1, 0] = 1e30, 3, np.nan, 0
    assert (call(wild) == call(near)).all()


class Cube(cynn.activations.Activation):
    name = "cube"

    def forward(self, z):
        return z**3

    def backward(self, z, a, grad):
        return grad * 3 * z**2


class FormulaCube(Cube):
    name = "formula_cube"
    c_source = "z * z * z"


class OwnReLU(cynn.activations.ReLU):
    """Its formula would be that of its base, which does not hold."""

    name = "own_relu"

    def forward(self, z):
        return z

    def backward(self, z, a, grad):
        return grad


class Halved(cynn.layers.Layer):
    name = "halved"

    def build(self, builder, values):
        return builder.add_activation(values[0], FormulaCube())


class FormulaHalved(Halved):
    name = "formula_halved"
    c_source = "z * z * z"


def test_what_has_no_formula_is_named_before_anything_is_written(source):
    inner = cynn.Residual([cynn.Dense(2, Cube())])
    net = cynn.Network([cynn.Input(2), cynn.Dense(2, OwnReLU()), inner, Halved()], seed=0)
    with pytest.raises(cynn.errors.InvalidParameterError) as caught:
        net.to_c(source)
    for words in ("OwnReLU() in layer 0", "Cube() in layer 1, layer 0 of it", "Halved", " in layer 2"):
        assert words in str(caught.value)
    assert not source.exists()


def test_parts_of_ones_own_leave_by_their_formula(source):
    net = cynn.Network([cynn.Input(2), cynn.Dense(3, FormulaCube()), FormulaHalved()], seed=0)
    x = np.random.default_rng(0).normal(size=(9, 2))
    net.to_c(source)
    np.testing.assert_allclose(Compiled(source, LEVELS["O3"], "float32")(x), net.predict(x), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("formula", ["z +", "cube(z)", "(z", "z ? 1", "y * z", "z = 1", "z $ 2"])
def test_formulas_that_are_none(source, formula):
    class Odd(FormulaCube):
        c_source = formula

    net = cynn.Network([cynn.Input(2), cynn.Activation(Odd())], seed=0)
    with pytest.raises(cynn.errors.InvalidParameterError, match="c_source of Odd"):
        net.to_c(source)
    assert not source.exists()


@pytest.mark.parametrize(
    "options",
    [{"dtype": "float16"}, {"dtype": "int8"}, {"calibration": [[0.0] * 6]}, {"exact": 1}, {"header": "yes"},
     {"selftest": [[0.0]]}, {"selftest": [[np.nan] * 6]}, {"selftest": np.empty((0, 6))}],
)  # fmt: skip
def test_odd_arguments(source, options):
    with pytest.raises(cynn.CynnError):
        exported.network("dense").to_c(source, **options)
    assert not source.exists()


def test_weights_that_the_type_cannot_hold(source):
    net = exported.network("dense", "float64")
    net.layers[0].weights[0, 0] = 1e300
    with pytest.raises(cynn.errors.DataError, match="finite in float32"):
        net.to_c(source)
    net.to_c(source, dtype="float64")
