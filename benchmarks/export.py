"""Networks that have left: time and size of their files of C, accuracy of eight bits, and from PyTorch and back.

    python -m benchmarks.export

One row by the exported C, in a compiled loop, is compared with the arithmetic of `predict` and ONNX Runtime. Both are
called from Python, and a call costs more than the arithmetic. So the same call is made for a network of one weight, and
its time is taken off. Rounds of all of them are interleaved, and what is measured is the CPU time of the thread: other
programs on the machine disturb little. Many rows in a call would not do: there, weights are read once for several.

It needs gcc; what other programs and libraries would add is left out where they are not there.
"""

import ctypes
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

import cynn
from cynn.cli import main as command

FAST = ["-O3", "-march=native", "-fPIC", "-shared"]
CALLS = 2000
ROUNDS = 30


def best_ns(*functions):
    """The shortest of some interleaved rounds of each function, for one of its calls, in CPU time of this thread."""
    best = [float("inf")] * len(functions)
    for _ in range(ROUNDS):
        for place, function in enumerate(functions):
            begin = time.thread_time_ns()
            function()
            best[place] = min(best[place], (time.thread_time_ns() - begin) / CALLS)
    return best


def compiled(source):
    """A library of an exported file, with a loop over calls in it."""
    name = source.stem
    loop = source.with_name(f"{name}_loop.c")
    loop.write_text(
        f'#include "{source.name}"\n'
        f"void repeat(float *x, float *y, float *b, int n) {{\n"
        f"    for (int i = 0; i < n; ++i) {{ {name}_predict(x, y, b); __asm__ volatile(\"\" ::: \"memory\"); }}\n}}\n"
        f"void rows(float *x, float *y, float *b, int n) {{\n"
        f"    for (int i = 0; i < n; ++i)\n"
        f"        {name}_predict(x + i * {name.upper()}_INPUTS, y + i * {name.upper()}_OUTPUTS, b);\n}}\n"
    )
    target = source.with_suffix(".so")
    subprocess.run(["gcc", *FAST, str(loop), "-o", str(target), "-lm"], check=True)
    return ctypes.CDLL(str(target))


def pointer(array):
    return ctypes.c_void_p(array.ctypes.data)


def row_times(name, net, folder):
    """One row: by the exported C, and the arithmetic of `predict` and of ONNX Runtime."""
    source = folder / f"{name}.c"
    net.to_c(source)
    library = compiled(source)
    least = cynn.Network([cynn.Input(1), cynn.Dense(1)], seed=0)
    x = np.random.default_rng(0).random((1, net.input.units), dtype=np.float32)
    y, buffer = np.zeros(4096, np.float32), np.zeros(65536, np.float32)

    def predict(network, x):
        out = np.empty((1, network.outputs), np.float32)
        network.predict(x, out=out, check_finite=False)
        for _ in range(CALLS):
            network.predict(x, out=out, check_finite=False)

    def run(session, x):
        for _ in range(CALLS):
            session.run(None, {"x": x})

    functions = [
        lambda: library.repeat(pointer(x), pointer(y), pointer(buffer), CALLS),
        lambda: predict(net, x),
        lambda: predict(least, x[:, :1]),
    ]
    try:
        import onnxruntime
    except ImportError:
        print(f"{name}: no ONNX Runtime")
    else:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        for network, given in ((net, x), (least, x[:, :1])):
            network.to_onnx(folder / "row.onnx")
            session = onnxruntime.InferenceSession(
                folder / "row.onnx", options, providers=["CPUExecutionProvider"]
            )
            functions.append(lambda session=session, given=given: run(session, given))
    exported, *times = best_ns(*functions)
    print(f"{name}: one row by C {exported:,.0f} ns")
    for what, whole, call in zip(("predict", "ONNX Runtime"), times[::2], times[1::2], strict=False):
        print(
            f"{name}: one row by {what} {whole:,.0f} ns, less {call:,.0f} ns for a call: {whole - call:,.0f} ns, "
            f"{(whole - call) / exported:.2f} times that of C"
        )


def sizes(name, source):
    """Bytes of the object, for a Cortex-M4 where its compiler is there, without input and buffer."""
    targets = {"this machine": ["gcc"], "Cortex-M4": ["arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb"]}
    for machine, compiler in targets.items():
        if shutil.which(compiler[0]) is None:
            print(f"{name}: no {compiler[0]} for {machine}")
            continue
        target = source.with_suffix(".o")
        subprocess.run([*compiler, "-std=c99", "-Os", "-c", str(source), "-o", str(target)], check=True)
        text = subprocess.check_output(["size", str(target)], text=True).splitlines()[1].split()
        print(f"{name}: {sum(map(int, text[:3])):,} bytes of object for {machine}, -Os")


def few_bits(net, folder, bits):
    """The accuracy of the digit network, before and after, on the 10,000 test images."""
    (x, y), (x_test, y_test) = cynn.datasets.load_mnist()
    source = folder / f"digits{bits}.c"
    net.to_c(source, dtype=f"int{bits}", calibration=(x[:1000], y[:1000]))
    library = compiled(source)
    rows, out = x_test.astype(np.float32), np.zeros((len(x_test), 10), np.float32)
    buffer = np.zeros(65536, np.float32)
    library.rows(pointer(rows), pointer(out), pointer(buffer), len(rows))
    before = (net.predict(x_test).argmax(axis=1) == y_test).mean()
    print(f"digits: accuracy {100 * before:.2f} %, in {bits} bits {100 * (out.argmax(axis=1) == y_test).mean():.2f} %")
    sizes(f"digits in {bits} bits", source)


def sine(folder):
    """The size of the network for a sine that others show."""
    net = cynn.Network.mlp([1, 16, 16, 1], activation="tanh", seed=0)
    angles = np.linspace(0, 6.28, 200)[:, None]
    net.fit(angles, np.sin(angles), epochs=200, progress=False)
    net.to_c(folder / "sine.c", dtype="int8", calibration=angles)
    sizes("a sine of 1-16-16-1 in eight bits", folder / "sine.c")


def there_and_back():
    """Weights of a large network of PyTorch, adopted and exported again."""
    try:
        import torch
    except ImportError:
        return
    nn = torch.nn
    module = nn.Sequential(nn.Linear(784, 1024), nn.ReLU(), nn.Linear(1024, 1024), nn.ReLU(), nn.Linear(1024, 10))
    begin = time.perf_counter()
    net = cynn.interop.torch.adopt(module)
    adopted = time.perf_counter()
    back = cynn.interop.torch.export(net)
    seconds = adopted - begin, time.perf_counter() - adopted
    pairs = zip(module.parameters(), back.parameters(), strict=True)
    same = all(bool((a == b).all()) for a, b in pairs)
    print(f"784-1024-1024-10 from PyTorch in {seconds[0]:.3f} s, back in {seconds[1]:.3f} s, bits equal: {same}")


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command(["train", "--quiet", "--output", str(folder / "digits.safetensors")])
        digits = cynn.load(folder / "digits.safetensors")
        row_times("digits", digits, folder)
        row_times("small", cynn.Network.mlp([16, 64, 64, 4], seed=0), folder)
        few_bits(digits, folder, 8)
        few_bits(digits, folder, 4)
        sine(folder)
        there_and_back()


if __name__ == "__main__":
    main()
