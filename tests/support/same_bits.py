"""Small networks that go through every part of the library, and a hash of what comes out of each.

    python -m tests.support.same_bits                     a line `network dtype threads hash` for each, sorted
    python -m tests.support.same_bits --against PYTHON    what differs from the CyNN that this other Python imports
    python -m tests.support.same_bits --renew             write tests/support/data/same_bits.json anew for this machine

Another kernel level is another result, and so is another BLAS core, another libm, another compiler: `place` says
where a hash holds. `--renew` writes those of all levels that this machine runs, each in a process of its own with
CYNN_CPU. After a change that is meant to change bits, run it, and say so in CHANGELOG.md.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import cynn

if __package__:
    from tests.support import every_part
else:
    import every_part

RECORD = Path(__file__).parent / "data" / "same_bits.json"
DTYPES = ("float32", "float64")
THREADS = (1, 2)
LEVELS = ("baseline", "avx2", "avx512")

ROWS, COLUMNS = 400, 40
BATCH = 256  # with 96 units twice, enough for two threads to share
_numbers = np.random.Generator(np.random.PCG64(5))
# Quarters: the same in every dtype. The first three columns serve as categories, too.
X = _numbers.integers(-8, 9, (ROWS, COLUMNS)) / 4
X[:, :3] = _numbers.integers(0, 9, (ROWS, 3))
BYTES = _numbers.integers(0, 256, (ROWS, COLUMNS), dtype=np.uint8)
CLASSES = _numbers.integers(0, 4, ROWS)
COUNTS = _numbers.integers(0, 5, (ROWS, 4)).astype(np.float64)
WEIGHTS = _numbers.integers(0, 4, ROWS) / 2

TARGETS = {
    "classes": CLASSES,
    "one_hot": np.eye(4)[CLASSES],
    "shares": (COUNTS + 1) / (COUNTS + 1).sum(axis=1, keepdims=True),
    "labels": (COUNTS > 1).astype(np.float64),
    "signs": np.where(COUNTS > 1, 1.0, -1.0),
    "counts": COUNTS,
    "positive": COUNTS + 0.5,
    "numbers": COUNTS / 4 - 0.375,
}
#: For each loss, the activations that may come before it, and its targets.
FITS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "binary_cross_entropy": (("sigmoid", "softmax"), ("labels",)),
    "binary_focal": (("sigmoid", "softmax"), ("labels",)),
    "categorical_focal": (("softmax", "sigmoid"), ("classes", "one_hot")),
    "categorical_hinge": (("identity",), ("classes", "one_hot")),
    "cross_entropy": (("softmax", "sigmoid"), ("classes", "shares")),
    "dice": (("sigmoid",), ("labels",)),
    "gamma": (("exponential", "softplus"), ("positive",)),
    "hinge": (("identity",), ("labels", "signs")),
    "kl_divergence": (("softmax", "sigmoid"), ("shares",)),
    "mean_squared_logarithmic_error": (("softplus",), ("counts",)),
    "multi_margin": (("identity",), ("classes", "one_hot")),
    "multilabel_margin": (("identity",), ("labels",)),
    "poisson": (("exponential", "softplus"), ("counts",)),
    "soft_margin": (("identity",), ("signs",)),
    "squared_hinge": (("identity",), ("signs",)),
    "tweedie": (("exponential", "softplus"), ("counts",)),
}
ANY = (("identity",), ("numbers",))

# It needs a package of its own, and only looks on.
NOT_RUN = {"TensorBoard(log_dir='logs')"}


class Row(NamedTuple):
    """A training: what makes its network in a dtype, the data, and the options of `fit`."""

    build: Callable[[str], cynn.Network]
    x: Any
    y: Any
    fit: dict[str, Any]


def _row(*layers: Any, x: Any = X, y: Any = CLASSES, of_network: dict[str, Any] | None = None, **fit: Any) -> Row:
    """Of a chain of these layers."""
    described = layers or (cynn.Dense(96, "tanh"), cynn.Dense(96, "tanh"))
    return Row(lambda dtype: every_part.network(*described, dtype=dtype, **of_network or {}), x, y, fit)


def rows() -> dict[str, Row]:
    """All networks by name."""
    return {
        f"{kind}:{name}": row
        for kind, of_kind in [
            ("activation", _activations), ("loss", _losses), ("optimizer", _optimizers), ("schedule", _schedules),
            ("layer", _layers), ("parameter", _parameters), ("watched", _watched), ("data", _data),
            ("shape", _shapes), ("fit", _fits),
        ]
        for name, row in of_kind()
    }  # fmt: skip


def _activations() -> Iterator[tuple[str, Row]]:
    for text in every_part.PARTS["activation"]:
        f = every_part.make("activation", text)
        grows_fast = text in ("exponential()", "squared_relu()")
        given = {"inputs": cynn.Input(COLUMNS, scale=0.125 if grows_fast else 1.0)}
        yield text, _row(cynn.Dense(96, f), cynn.Dense(96, f), of_network=given, optimizer=cynn.optimizers.SGD(0.001))


def _losses() -> Iterator[tuple[str, Row]]:
    for text in every_part.PARTS["loss"]:
        activations, targets = FITS.get(text.partition("(")[0], ANY)
        for activation in activations:
            for target in targets:
                loss = every_part.make("loss", text)
                given = {"output": activation}
                yield f"{text},{activation},{target}", _row(of_network=given, y=TARGETS[target], loss=loss)


def _optimizers() -> Iterator[tuple[str, Row]]:
    for text in every_part.PARTS["optimizer"]:
        yield text, _row(optimizer=every_part.make("optimizer", text))


def _schedules() -> Iterator[tuple[str, Row]]:
    for text in every_part.PARTS["schedule"]:
        optimizer = cynn.optimizers.SGD(every_part.make("schedule", text), momentum=0.5)
        yield text, _row(cynn.Dense(8, "tanh"), optimizer=optimizer, epochs=4)
    yield "a_function", _row(cynn.Dense(8, "tanh"), optimizer=cynn.optimizers.SGD(every_part.RATE_FUNCTION))


def _layers() -> Iterator[tuple[str, Row]]:
    for text in every_part.PARTS["layer"]:
        yield text, Row(lambda dtype, text=text: every_part.with_layer(text, dtype=dtype), X, CLASSES, {})


def _parameters() -> Iterator[tuple[str, Row]]:
    for text in every_part.PARTS["initializer"]:
        yield text, _row(cynn.Dense(24, "tanh", initializer=every_part.make("initializer", text)))
    for kind in ("regularizer", "constraint"):
        for text in every_part.PARTS[kind]:
            part = {kind: every_part.make(kind, text)}
            yield text, _row(cynn.Dense(96, "tanh", **part), cynn.Dense(96, "tanh"))
            embedding = cynn.Embedding(9, 3, initializer="he_normal", **part)
            yield f"Embedding,{text}", _row(embedding, cynn.Dense(96, "tanh"))
    yield "of_the_network", _row(of_network={"regularizer": "l2"})


def _watched() -> Iterator[tuple[str, Row]]:
    for text in every_part.PARTS["metric"]:
        metric = every_part.make("metric", text)
        y = CLASSES if "Accuracy" in text else TARGETS["numbers"]
        yield text, _row(cynn.Dense(8, "tanh"), y=y, metrics=[metric], loss="mean_squared_error")
    for text in every_part.PARTS["callback"]:
        if text not in NOT_RUN:
            yield text, _row(cynn.Dense(8, "tanh"), callbacks=[every_part.make("callback", text)], epochs=4)
    evaluated = {"validation_data": (X[:90], CLASSES[:90], WEIGHTS[:90]), "metrics": ["accuracy"]}
    yield "validation_data", _row(**evaluated)
    yield "validation_split", _row(validation_split=0.25, metrics=["accuracy"])


def _data() -> Iterator[tuple[str, Row]]:
    wide = np.zeros((2 * ROWS, 2 * COLUMNS))
    wide[::2, 1::2] = X
    whole = X.astype(np.int64)
    scaled = {"inputs": cynn.Input(COLUMNS, scale=1 / 255, offset=-0.5)}
    yield "uint8", _row(x=BYTES, of_network={"inputs": cynn.Input(COLUMNS, scale=1 / 255)})
    yield "uint8_with_an_offset", _row(x=BYTES, of_network=scaled)
    yield "uint8_strided", _row(x=BYTES[::-2], y=CLASSES[::-2], of_network=scaled)
    yield "float32", _row(x=X.astype(np.float32))
    yield "float32_with_an_offset", _row(x=X.astype(np.float32), of_network=scaled)
    yield "strided", _row(x=wide[::2, 1::2])
    yield "column_major", _row(x=np.asfortranarray(X))
    yield "backwards", _row(x=X[::-1, ::-1])
    yield "whole_numbers", _row(x=whole)
    yield "a_list", _row(x=X[:50].tolist(), y=CLASSES[:50].tolist())
    with tempfile.TemporaryFile() as file:
        file.write(X.tobytes())
        yield "memmap", _row(x=np.memmap(file, np.float64, "r", shape=X.shape))
    yield "sample_weight", _row(sample_weight=WEIGHTS)
    yield "class_weight", _row(class_weight={1: 2.5, 3: 0.5})
    yield "balanced", _row(class_weight="balanced", sample_weight=WEIGHTS)
    yield "weights_and_batch_norm", _row(cynn.Dense(96), cynn.BatchNorm(), sample_weight=WEIGHTS)
    yield "transform", _row(transform=lambda x, y, generator: (x + generator.integers(0, 2, x.shape) / 4, y))
    yield "batches", _row(x=[(X[i::3], CLASSES[i::3]) for i in range(3)], y=None)
    yield "weighted_batches", _row(x=[(X[i::3], CLASSES[i::3], WEIGHTS[i::3]) for i in range(3)], y=None)
    yield "batches_of_an_epoch", _row(x=lambda epoch: ((X[i::4], CLASSES[i::4]) for i in range(4)), y=None,
                                      steps_per_epoch=3)  # fmt: skip


def _shapes() -> Iterator[tuple[str, Row]]:
    many = np.tile(X, (1, 8))  # so many inputs that threads share them
    narrow = np.tile(X[:, :3], (3, 1))
    for sizes in ([1], [2, 3], [5, 7, 9], [16, 16], [17, 33], [130]):
        layers = [cynn.Dense(units, "relu") for units in sizes]
        yield f"{sizes}".replace(" ", ""), _row(*layers, batch_size=31)
    yield "one_output", _row(y=COUNTS[:, 0], of_network={"output": "identity", "outputs": 1})
    yield "320_inputs", _row(cynn.Dense(64, "tanh"), x=many, of_network={"inputs": 320})
    yield "320_inputs_with_dropout", _row(cynn.Dense(64), cynn.Dropout(0.5), x=many, of_network={"inputs": 320})
    yield "wide", _row(cynn.Dense(530, "relu"), cynn.Dense(530, "relu"), epochs=1)
    yield "no_hidden_layer", _row(cynn.Activation("identity"))
    yield "rows_one_by_one", _row(cynn.Dense(8, "tanh"), x=X[:60], y=CLASSES[:60], batch_size=1)
    yield "batch_of_all", _row(batch_size=1000)
    yield "in_order", _row(shuffle=False)
    yield "blocks", _row(cynn.Dense(8), x=narrow, y=np.tile(CLASSES, 3), shuffle="blocks", of_network={"inputs": 3})


def _fits() -> Iterator[tuple[str, Row]]:
    of_loss = {"loss": "mean_squared_error"}
    yield "not_looked_at", _row(check_finite=False)
    yield "python_activation", _row(cynn.Dense(16, Cube()), cynn.Dense(16, "tanh"))
    yield "python_loss", _row(y=TARGETS["numbers"], loss=Quartic())
    yield "python_optimizer", _row(optimizer=SignDescent(0.001))
    yield "accumulated_norm_and_average", _row(
        optimizer=cynn.optimizers.AdamW(gradient_accumulation_steps=2, global_clipnorm=0.1, use_ema=True), batch_size=64
    )
    yield "everything_constrained", _row(
        cynn.Dense(96, "tanh", regularizer="l1_l2", constraint="max_norm"), cynn.Dropout(0.2), cynn.BatchNorm(),
        optimizer=cynn.optimizers.SGD(cynn.schedules.CosineDecay(0.1), momentum=0.9, nesterov=True, clipnorm=0.5),
        sample_weight=WEIGHTS, batch_size=100,
    )  # fmt: skip
    yield "outputs_by_name", Row(_of_two_outputs, X, {"kind": CLASSES, "size": COUNTS[:, :1]}, {
        "loss_weights": {"kind": 1.0, "size": 0.25}, "metrics": {"kind": ["accuracy"], "size": ["mse"]},
        "sample_weight": {"kind": WEIGHTS, "size": None},
    })  # fmt: skip
    yield "outputs_in_a_list", Row(_of_a_list, X, [CLASSES, TARGETS["labels"]], {"class_weight": ["balanced", None]})
    yield "merged", Row(_merged, X, TARGETS["numbers"], of_loss)


class Cube(cynn.activations.Activation):
    """a = z³, in Python."""

    name = "cube"

    def forward(self, z: Any) -> Any:
        return z * z * z

    def backward(self, z: Any, a: Any, grad: Any) -> Any:
        return grad * 3 * z * z


class Quartic(cynn.losses.Loss):
    """(prediction - target)⁴, in Python."""

    name = "quartic"

    def value_and_gradient(self, prediction: Any, target: Any) -> Any:
        difference = prediction - target
        square = difference * difference
        return (square * square).sum(axis=1), 4 * square * difference


class SignDescent(cynn.optimizers.Optimizer):
    """Against the sign of the gradient, in Python."""

    name = "sign_descent"

    def step(self, w: Any, grad: Any, slots: Any, learning_rate: float, t: int) -> None:
        w -= w.dtype.type(learning_rate) * np.sign(grad)


def _of_two_outputs(dtype: str) -> cynn.Network:
    x = cynn.Input(COLUMNS)
    h = cynn.Dense(96, "relu")(x)
    outputs = {"kind": cynn.Dense(4, "softmax")(h), "size": cynn.Dense(1)(cynn.Concatenate()(h, x))}
    return cynn.Network(outputs, seed=1, dtype=dtype)


def _of_a_list(dtype: str) -> cynn.Network:
    h = cynn.Dense(96, "tanh")(cynn.Input(COLUMNS))
    return cynn.Network([cynn.Dense(4, "softmax")(h), cynn.Dense(4, "sigmoid")(h)], seed=1, dtype=dtype)


def _merged(dtype: str) -> cynn.Network:
    x = cynn.Input(COLUMNS)
    a, b = cynn.Dense(96, "tanh")(x), cynn.Dense(96, "relu")(x)
    return cynn.Network(cynn.Dense(4)(cynn.Add()(cynn.BatchNorm()(a), cynn.Residual([cynn.Dense(96)])(b))), seed=1,
                        dtype=dtype)  # fmt: skip


def digest(row: Row, dtype: str, n_threads: int) -> str:
    """A hash of the weights after `fit`, its figures, some steps more, the predictions and the gradients."""
    net = row.build(dtype)
    options = {"epochs": 2, "batch_size": BATCH, **row.fit}
    loss, loss_weights = options.get("loss"), options.get("loss_weights")
    cynn.set_num_threads(n_threads)
    try:
        history = net.fit(row.x, row.y, n_threads=n_threads, progress=False, **options).history
        figures = {name: of_epochs for name, of_epochs in history.items() if name != "seconds"}
        found: list[Any] = [figures, net.get_weights()]
        x, y = (row.x, row.y) if row.y is not None else (X, CLASSES)
        few, of_few = _first(x, 70), _first(y, 70)
        # what an optimizer remembers shows in the next steps
        again = {"loss": loss, "loss_weights": loss_weights, "n_threads": n_threads}
        net.fit(few, of_few, sample_weight=WEIGHTS[: len(few)], epochs=1, progress=False, **again)
        if "optimizer" not in options:  # some of them cannot go on batch by batch
            found.append(net.train_batch(few, of_few, sample_weight=WEIGHTS[: len(few)], **again))
        found += [net.get_weights(), net.predict(x), net.predict(few[0]), net.activations(few)]
        found.append(net.evaluate(few, of_few, loss=loss, loss_weights=loss_weights))
        found.append(net.gradients(few, of_few, loss=loss, loss_weights=loss_weights))
    finally:
        cynn.set_num_threads(None)
    state = hashlib.sha256()
    _add(state, found)
    return state.hexdigest()[:16]


def _first(given: Any, count: int) -> Any:
    if isinstance(given, dict):
        return {name: _first(each, count) for name, each in given.items()}
    if isinstance(given, list) and isinstance(given[0], np.ndarray):
        return [_first(each, count) for each in given]
    return given[:count]


def _add(state: Any, found: Any) -> None:
    if isinstance(found, dict):
        found = [each for name in sorted(found) for each in (name, found[name])]
    if isinstance(found, (list, tuple)):
        for each in found:
            _add(state, each)
    elif isinstance(found, np.ndarray):
        state.update(f"{found.dtype}{found.shape}".encode() + found.tobytes())
    else:
        state.update(repr(found if found is None or isinstance(found, str) else float(found)).encode())


def all_digests(names: str = "") -> Iterator[tuple[str, str, int, str]]:
    """(network, dtype, threads, hash) of those whose names match, in a folder of their own for what they write."""
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", cynn.errors.CynnWarning)
        os.chdir(folder)
        try:
            for name, row in sorted(rows().items()):
                if re.search(names, name):
                    for dtype in DTYPES:
                        for n_threads in THREADS:
                            yield name, dtype, n_threads, digest(row, dtype, n_threads)
        finally:
            os.chdir(before)


def place() -> str:
    """Where a hash holds: the level of the kernels, the BLAS and its core, the libm, and the compiler."""
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        cynn.show_config()
    config = dict(line.split(maxsplit=1) for line in shown.getvalue().splitlines())
    level, supported = re.match(r"(\w+) \(of (.*)\)", config["kernels"]).groups()  # type: ignore[union-attr]
    if level != os.environ.get("CYNN_CPU", supported.split(", ")[-1]):
        level += " compiled with CYNN_NATIVE=1"
    library, core = config["blas"].rsplit(", for ", 1)
    return ", ".join([level, " ".join(library.split()[:2]), core, " ".join(platform.libc_ver()), compiler()])


def compiler() -> str:
    """What compiled the kernels, as the compiler noted it in the file."""
    path = next(iter(sorted(Path(cynn.__file__).parent.rglob("dense*.so"))), None)
    content = path.read_bytes() if path else b""
    found = re.search(rb"GCC: \([^)]*\) [0-9.]+|clang version [0-9.]+", content)
    name = found[0].decode() if found else "an unknown compiler"
    name += " for debugging" if b".debug_info" in content else ""
    return name + (" with sanitizers" if re.search(rb"__(asan|ubsan|tsan)_", content) else "")


def recorded() -> dict[str, Any]:
    """What tests/support/data/same_bits.json holds: by place, the hash in float32 and in float64 of each network."""
    found: dict[str, Any] = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
    return found


def of_process(command: list[str], **environment: str) -> dict[tuple[str, str, str], str]:
    """The lines that this file prints in another process."""
    result = subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, check=True,
                            cwd=tempfile.gettempdir())  # fmt: skip
    lines = [line.split(" ") for line in result.stdout.splitlines()]
    return {(name, dtype, n_threads): digest for name, dtype, n_threads, digest in lines}


def renew() -> None:
    """Write the hashes of all levels that this machine runs; those of other places stay."""
    record = recorded()
    for level in LEVELS:
        environment = {"CYNN_CPU": level, "PYTHONPATH": str(Path(cynn.__file__).parents[1])}
        asked = subprocess.run([sys.executable, __file__, "--place"], capture_output=True, text=True,
                               env=os.environ | environment)  # fmt: skip
        if asked.returncode:
            print(f"{level}: not on this machine", file=sys.stderr)
            continue
        found = of_process([sys.executable, __file__], **environment)
        names = sorted({name for name, _, _ in found})
        record[asked.stdout.strip()] = {
            "numpy": np.__version__,
            "hashes": {name: " ".join(found[name, dtype, "1"] for dtype in DTYPES) for name in names},
        }
    RECORD.write_text(json.dumps(record, indent=0, sort_keys=True) + "\n", encoding="utf-8")


def compare(python: str, names: str = "") -> int:
    """Print what another Python's CyNN makes otherwise; the number of these."""
    here = {tuple(map(str, line[:3])): line[3] for line in all_digests(names)}
    there = of_process([python, __file__, "--only", names], PYTHONPATH="")
    differing = [key for key in sorted(here | there) if here.get(key) != there.get(key)]
    for key in differing:
        print(*key, here.get(key, "none"), there.get(key, "none"))
    print(f"{len(here)} here, {len(there)} there, {len(differing)} differ", file=sys.stderr)
    return len(differing)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", metavar="PYTHON", help="compare with what this Python imports as cynn")
    parser.add_argument("--renew", action="store_true", help="write the hashes of this machine anew")
    parser.add_argument("--place", action="store_true", help="print where the hashes of this process hold")
    parser.add_argument("--only", metavar="PATTERN", default="", help="networks whose names match")
    given = parser.parse_args()
    if given.renew:
        renew()
    elif given.place:
        print(place())
    elif given.against:
        return int(compare(given.against, given.only) > 0)
    else:
        for line in all_digests(given.only):
            print(*line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
