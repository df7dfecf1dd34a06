"""What the archive of old files holds: model files, checkpoints and pickles of every part, from an earlier version.

`python -m tests.support.old_archive FILE` writes such an archive, and beside it the names that its pickles look up,
with the version at hand. What is in the archive stays: what is new since then goes to another one.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import pickle
import pickletools
import sys
import tarfile
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import cynn
from cynn.callbacks import Checkpoint

if __package__:
    from tests.support import every_part, plugin_packages
else:
    import every_part
    import plugin_packages

DATA = Path(__file__).parent / "data"
ARCHIVE = DATA / "old_files.tar.xz"
NAMES = DATA / "pickled_names.txt"

ROWS, COLUMNS = 20, 4
X = (np.arange(ROWS * COLUMNS) * 37 % 23 / 8 - 1).reshape(ROWS, COLUMNS)
X[:, :3] = np.stack([np.arange(ROWS) % 9, np.arange(ROWS) % 7, np.arange(ROWS) % 5], axis=1)
CLASSES = np.arange(ROWS) % 4
FIGURES = X[:, 3:] * np.array([[0.5, -1.0]])
EPOCHS, BATCH, STOP = 3, 6, 6  # four steps in an epoch: the second is in its middle when the training stops

#: Of the class `Symlog` below, as a package of this name would provide it.
PACKAGE = ("cynn-old-plugin", "0.1.0", "old_plugin")
PLUGIN = '''
import numpy as np
from cynn.activations import Activation
class Symlog(Activation):
    """sign(z) log(1 + |z|)"""
    name = "old_symlog"
    def forward(self, z):
        return np.sign(z) * np.log1p(np.abs(z))
    def backward(self, z, a, grad):
        return grad / (1 + np.abs(z))
'''


class Halve(cynn.activations.Activation):
    """a = z / 2, of no package."""

    name = "old_halve"

    def forward(self, z: Any) -> Any:
        return z / 2

    def backward(self, z: Any, a: Any, grad: Any) -> Any:
        return grad / 2


def small(text: str) -> str:
    """The text of a layer with fewer units."""
    return text.replace("96", "6").replace("48", "3").replace("=40", "=4")


def chain(*layers: Any, **options: Any) -> cynn.Network:
    """A network for X and CLASSES."""
    return every_part.network(*layers or [cynn.Dense(3, "tanh")], inputs=COLUMNS, **{"dtype": "float64", **options})


def of_two_outputs() -> cynn.Network:
    """No chain."""
    x = cynn.Input(COLUMNS)
    h = cynn.Dense(3, "relu")(x)
    outputs = {"kind": cynn.Dense(4, "softmax")(h), "size": cynn.Dense(2)(cynn.Concatenate()(h, x))}
    return cynn.Network(outputs, seed=3, dtype="float64")


#: Parts that are newer than the archive, in whose networks of all parts of a kind they are not.
NEWER = {"smooth_clip()", "smooth_clip(c=0.5)", "Ones()"}


def models() -> dict[str, cynn.Network]:
    """Every layer; every activation, initializer, regularizer and constraint; all else that a model file says."""
    found = {}
    for text in every_part.PARTS["layer"]:
        options: dict[str, Any] = {} if text.startswith("Input") else {"inputs": COLUMNS}
        found[f"layer:{text}"] = every_part.with_layer(small(text), wide=6, **options)
    x = cynn.Input(COLUMNS)
    parts = {
        kind: [text for text in every_part.PARTS[kind] if text not in NEWER]
        for kind in ("activation", "initializer", "regularizer", "constraint")
    }
    for kind, texts in parts.items():
        outputs = {text: cynn.Dense(2, **{kind: every_part.make(kind, text)})(x) for text in texts}
        found[f"every {kind}"] = cynn.Network(outputs, seed=1, dtype="float64")
    found["a large seed"] = chain(seed=2**64 - 1, regularizer="l2")
    found["outputs by name"] = of_two_outputs()
    nodes = [cynn.Dense(units)(cynn.Dense(3, "tanh")(x)) for units in (1, 2)]
    found["outputs in a list"] = cynn.Network(nodes, seed=2)
    branches = cynn.Add()(cynn.Dense(3)(x), cynn.Dense(3, "relu")(x))
    found["one output behind branches"] = cynn.Network(cynn.Dense(2)(branches), seed=2)
    return found


def trainings() -> dict[str, dict[str, Any]]:
    """The network and the options of fits: of every optimizer, schedule and callback, and of every kind of data."""

    def of(**options: Any) -> dict[str, Any]:
        return {"net": chain(), "x": X, "y": CLASSES, **options}

    def batches(epoch: int) -> Iterator[Any]:
        return ((X[k::4], {"kind": CLASSES[k::4], "size": FIGURES[k::4]}) for k in range(4))

    found = {f"optimizer:{t}": of(optimizer=every_part.make("optimizer", t)) for t in every_part.PARTS["optimizer"]}
    for text in every_part.PARTS["schedule"]:
        found[f"schedule:{text}"] = of(optimizer=cynn.optimizers.SGD(every_part.make("schedule", text), momentum=0.5))
    found["a function of the step"] = of(optimizer=cynn.optimizers.SGD(every_part.RATE_FUNCTION))
    for text in every_part.PARTS["callback"]:
        if not text.startswith(("Checkpoint", "TensorBoard")):
            found[f"callback:{text}"] = of(callbacks=[every_part.make("callback", text)])
    layers = [
        cynn.Embedding(9, 2), cynn.Dense(4), cynn.BatchNorm(), cynn.PReLU(), cynn.Dropout(0.3), cynn.GaussianNoise(0.1)
    ]
    found["layers that draw and remember"] = of(net=chain(*layers))
    found["float32"] = of(net=chain(dtype="float32"), optimizer="adam")
    found["weights"] = of(sample_weight=np.arange(ROWS) % 3, class_weight={1: 2.0})
    found["validation"] = of(validation_split=0.2, metrics=["accuracy", "top_k_accuracy"])
    found["in order"] = of(shuffle=False)
    found["transform"] = of(transform=transform)
    of_each = {"loss_weights": {"kind": 1.0, "size": 0.5}, "metrics": {"kind": ["accuracy"]}}
    found["outputs"] = of(net=of_two_outputs(), y={"kind": CLASSES, "size": FIGURES}, **of_each)
    found["batches"] = of(net=of_two_outputs(), x=batches, y=None, **of_each)
    return found


def transform(x: Any, y: Any, generator: Any) -> Any:
    """Some noise."""
    return x + generator.integers(0, 2, x.shape) / 4, y


def fit(net: cynn.Network, x: Any, y: Any, **options: Any) -> cynn.Network:
    """Train, as those trainings were."""
    net.fit(x, y, **{"epochs": EPOCHS, "batch_size": BATCH, "progress": False, **options})
    return net


class Stopped(Exception):
    """The end of a training, as a kill would be."""


class StopAfterWriting(Checkpoint):
    """Ends the training with the first checkpoint."""

    def write(self, state: Any, place: Any) -> None:
        super().write(state, place)
        raise Stopped


def networks() -> dict[str, cynn.Network]:
    """To be pickled: with every layer, and after training with every optimizer, schedule and more."""
    found = {f"model {name}": net for name, net in models().items()}
    found |= {f"trained {name}": fit(**options) for name, options in trainings().items() if "callbacks" not in options}
    stopped = chain()
    with contextlib.suppress(Stopped):
        fit(stopped, X, CLASSES, callbacks=[StopAfterWriting("stopped.safetensors", every_steps=STOP)])
    found["stopped"] = stopped
    return found


def others() -> dict[str, Any]:
    """What else a process may hand to another: callbacks that have been used, figures, errors, descriptions."""
    found: dict[str, Any] = {}
    for name, options in trainings().items():
        if "callbacks" in options:
            net = fit(**options)
            found[f"used {name}"] = options["callbacks"][0]
            found[f"history {name}"] = net.history
    used = Checkpoint("used.safetensors")
    diagnosed = fit(chain(), X, CLASSES, callbacks=[used])
    found |= {"used Checkpoint": used, "diagnosis": diagnosed.diagnose(X, CLASSES)}
    found["layers in networks"] = [layer for net in models().values() for layer in net.layers]
    found["description"] = cynn.registry.activations.describe("relu")
    x = cynn.Input(2)
    found["node"] = cynn.Dense(2)(cynn.Concatenate()(cynn.Dense(3)(x), cynn.Dense(4)(x)))
    for name in cynn.errors.__all__:
        cls = getattr(cynn.errors, name)
        if isinstance(cls, type) and issubclass(cls, Exception):
            is_divergence = cls is cynn.errors.TrainingDivergedError
            found[f"error {name}"] = cls("why", 2, 3, diagnosed.history) if is_divergence else cls("why")
    return found


def outputs_of(net: cynn.Network, count: int = 5) -> Any:
    """Its predictions for the first rows, as JSON takes them."""
    found = net.predict(X[:count])
    if isinstance(found, dict):
        return {name: _rounded(array) for name, array in found.items()}
    return [_rounded(array) for array in found] if isinstance(found, list) else _rounded(found)


def _rounded(array: Any) -> list[list[float]]:
    return [[float(f"{number:.8g}") for number in row] for row in array.tolist()]


def pickled_names(pickled: bytes) -> set[str]:
    """`module name` of all that a pickle looks up, without running it."""
    found, strings, memo = set(), [], {}
    for opcode, argument, _ in pickletools.genops(pickled):
        if opcode.name in ("GLOBAL", "INST"):
            found.add(argument)
        elif opcode.name == "STACK_GLOBAL":
            found.add(" ".join(strings[-2:]))
        elif opcode.name == "MEMOIZE":
            memo[len(memo)] = strings[-1] if strings else None
        elif opcode.name in ("BINGET", "LONG_BINGET"):
            strings.append(memo[argument])
        else:
            strings.append(argument if isinstance(argument, str) else None)
    return found


def resolved(name: str) -> Any:
    """What such a name stands for."""
    module, _, path = name.partition(" ")
    found = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    return found


def read() -> dict[str, bytes]:
    """The files of the archive, by name."""
    with tarfile.open(ARCHIVE) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]


def write(path: Path) -> None:
    """Write the archive, and the names in its pickles."""
    path = path.resolve()
    contents: dict[str, bytes] = {}
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        os.chdir(folder)
        plugin_packages.write_package(
            Path(folder), *PACKAGE[:2], {"activations": {"old_symlog": f"{PACKAGE[2]}:Symlog"}}, **{PACKAGE[2]: PLUGIN}
        )
        sys.path.insert(0, folder)
        said: dict[str, Any] = {"model": {}, "network": {}}
        with_plugins = {
            "of a package": chain(cynn.Dense(3, "old_symlog")), "of no package": chain(cynn.Dense(3, Halve()))
        }  # fmt: skip
        for name, net in {**models(), **with_plugins}.items():
            net.save("model.safetensors")
            contents[f"model/{name}"] = Path("model.safetensors").read_bytes()
            said["model"][name] = {"config": net.get_config(), "outputs": outputs_of(net)}
        for name, options in trainings().items():
            stop = StopAfterWriting("checkpoint.safetensors", every_steps=STOP)
            with contextlib.suppress(Stopped):
                fit(**{**options, "callbacks": [*options.get("callbacks", []), stop]})
            contents[f"checkpoint/{name}"] = Path("checkpoint.safetensors").read_bytes()
            Path("log.csv").unlink(missing_ok=True)
        parts = {f"network/{name}": net for name, net in networks().items()}
        said["network"] = {name.removeprefix("network/"): outputs_of(net) for name, net in parts.items()}
        parts |= {f"other/{name}": part for name, part in others().items()}
        for kind, texts in every_part.PARTS.items():
            parts |= {f"{kind}/{text}": every_part.make(kind, text) for text in texts}
        pickled = {f"pickled/{name}": pickle.dumps(part) for name, part in parts.items()}
        os.chdir(before)
    contents |= {"said.json": json.dumps(said).encode(), **pickled}
    with tarfile.open(path, "w:xz") as archive:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    names = set().union(*map(pickled_names, pickled.values()))
    path.with_name(NAMES.name).write_text("\n".join(sorted(names)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
