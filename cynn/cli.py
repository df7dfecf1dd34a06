"""The ``cynn`` command: train, evaluate, predict, summary, plot, watch, export, adopt, ...

Errors in the arguments or the files are printed as one line on stderr, with exit code 2.
"""

import argparse
import io
import json
import math
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

import numpy as np
import numpy.typing as npt

import cynn
from cynn import installation
from cynn.data import numpy_files
from cynn.engine import randomness
from cynn.errors import CynnError, DataError, InvalidParameterError, ShapeError
from cynn.interop import commands as interop_commands
from cynn.optimizers import Optimizer
from cynn.plugins import plugin_names, scaffold
from cynn.saving import tensor_file
from cynn.training import Callback
from cynn.web import commands as web_commands

Array: TypeAlias = npt.NDArray[Any]

MNIST_VALIDATION = 5_000  # images at the end of the training part
HELD_OUT = 10  # of other files, 1 row in 10 is used for validation, and 1 in 10 for the test

# The defaults of the optimizer. Without weight decay, the accuracy on the digits is 0.8 % lower.
OPTIMIZER = "adamw"
HYPERPARAMETERS = {"learning_rate": 0.005, "weight_decay": 0.05}

PICTURES = ("network", "weights", "activations", "confusion", "mistakes", "landscape", "function")
LANDSCAPE_ROWS = 500  # test rows, on which the loss is computed for each point of the plane

TABLES = (".csv", ".tsv", ".parquet")  # table files, for cynn.sklearn

# The default activation of the last layer, by loss.
OUTPUT_OF_LOSS = {"cross_entropy": "softmax", "binary_cross_entropy": "sigmoid"}


class _Nowhere(io.TextIOBase):
    """A stream that discards everything."""

    def write(self, text: str) -> int:
        return len(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the ``cynn`` command and return its exit code."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None or stream.closed:  # a process without a console
            setattr(sys, name, _Nowhere())
    try:
        installation.require_own(cynn)
        options = _parser().parse_args(arguments)
        code: int | None = options.run(options)
        sys.stdout.flush()
        return code or 0
    except BrokenPipeError:
        # The reader of the pipe has ended, as `head` does. Python flushes stdout once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        return _fail(f"{error.strerror or error}{where}")
    except CynnError as error:
        return _fail(str(error))


def _fail(message: str) -> int:
    print("cynn: error:", " ".join(message.split()), file=sys.stderr)
    return 2


# ------------------------------------------------------------------------------------------ commands


def _is_table(path: str) -> bool:
    return Path(path).suffix.lower() in TABLES


def _train_with(arguments: list[str], callback: Callback) -> int:
    """``cynn train`` with these arguments and one more callback."""
    return _train(_parser().parse_args(["train", *arguments]), callback)


def _train(options: argparse.Namespace, *more: Callback) -> int:
    if _is_table(options.data):
        from cynn.sklearn import commands

        return commands.train(options, _parser().parse_args(["train"]), more)
    epochs = 25 if options.epochs is None else options.epochs
    batch_size = 32 if options.batch_size is None else options.batch_size
    name = "digits" if options.data == "mnist" else Path(options.data).stem
    output = Path(options.output or f"{name}.safetensors")
    if not output.absolute().parent.is_dir():
        raise InvalidParameterError(f"--output must be in a folder that exists. Got {str(output)!r} instead.")
    picture = _picture_path(options.plot, "--plot") if options.plot else None
    started = time.perf_counter()
    train, validation, test = _split(options.data, randomness.as_seed(options.seed))
    x, y = train
    classes = _classes(y)
    signs = y.ndim == 1 and set(np.unique(y)) == {-1, 1}
    outputs = 1 if signs else classes or (1 if y.ndim == 1 else y.shape[1])
    given = options.loss or ("hinge" if signs else "cross_entropy" if classes else "mean_squared_error")
    chosen = cynn.registry.losses.get(given)
    loss = chosen.name
    takes_scores = signs or chosen.decision_threshold is not None
    last = options.output_activation or OUTPUT_OF_LOSS.get(
        loss, "sigmoid" if classes and not takes_scores else "identity"
    )
    net = cynn.Network.mlp(
        [x.shape[1], *options.hidden, outputs],
        activation=options.activation,
        output=last,
        seed=options.seed,
        input_scale=1 / 255 if x.dtype == np.uint8 else 1.0,
    )
    optimizer = _optimizer(options)
    callbacks: list[Callback] = [*more] if options.quiet else [*more, _EpochLine(epochs)]
    if not options.constant_rate:
        callbacks.append(_FallingRate(optimizer, epochs))
    metrics = ["accuracy"] if classes else []
    print(net.summary())
    print(f"{options.data}: {len(x):,} rows train, {len(validation[0]):,} validate, {len(test[0]):,} test")
    sys.stdout.flush()
    try:
        history = net.fit(
            x,
            y,
            loss=loss,
            optimizer=optimizer,
            epochs=epochs,
            batch_size=batch_size,
            validation_data=validation,
            metrics=metrics,
            progress=False,
            callbacks=callbacks,
            n_threads=options.threads,
        )
    except KeyboardInterrupt:
        net.save(output)
        print(f"interrupted; the network in its present state is in {output}", file=sys.stderr)
        return 130
    figures = net.evaluate(*test, loss=loss, metrics=metrics)
    print("test", _figures(figures))
    net.save(output)
    print(f"{time.perf_counter() - started:.1f} seconds; the network is in {output}")
    if picture:
        from cynn import plot
        from cynn.plot import files

        files.save(picture, plot.history, history)
        print(f"the curve of the loss is in {picture}")
    return 0


def _optimizer(options: argparse.Namespace) -> Optimizer:
    hyperparameters = HYPERPARAMETERS if options.optimizer == OPTIMIZER else {}
    said = {"learning_rate": options.learning_rate, "weight_decay": options.weight_decay}
    hyperparameters = hyperparameters | {name: value for name, value in said.items() if value is not None}
    optimizer: Optimizer = cynn.registry.optimizers.get(options.optimizer, **hyperparameters)
    return optimizer


class _FallingRate(Callback):
    """Lowers the learning rate after each epoch along half a cosine, to 0 at the end.

    Source: Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017,
    equation 5, without the restarts.
    """

    def __init__(self, optimizer: Optimizer, epochs: int) -> None:
        self.optimizer = optimizer
        self.epochs = epochs
        self.first = optimizer.learning_rate

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        if epoch < self.epochs:
            self.optimizer.learning_rate = self.first * (1 + math.cos(math.pi * epoch / self.epochs)) / 2


class _EpochLine(Callback):
    """Prints one line per epoch."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        now = time.perf_counter()
        validation = {key.removeprefix("val_"): logs[key] for key in logs if key.startswith("val_")}
        shown = {"accuracy": validation["accuracy"]} if "accuracy" in validation else validation
        print(
            f"epoch {epoch:{len(str(self.epochs))}}/{self.epochs}  loss {logs['loss']:.4f}  "
            f"validation {_figures(shown)}  {now - self.started:.1f} s",
            flush=True,
        )


def _evaluate(options: argparse.Namespace) -> int:
    if _is_table(options.data):
        from cynn.sklearn import commands

        return commands.evaluate(options)
    net = cynn.load(options.model)
    outputs = net.objective(options.loss).outputs
    if outputs.is_one:
        x, y = _test_part(options.data)
        print(_figures(net.evaluate(x, y, loss=options.loss, metrics=["accuracy"] if _classes(y) else [])))
        return 0
    x, targets = _test_part_of(outputs.names, options.data)
    metrics = {name: ["accuracy"] for name, y in zip(outputs.names, targets, strict=True) if _classes(y)}
    figures = net.evaluate(x, outputs.join(targets), loss=options.loss, metrics=metrics)
    print(f"loss {figures['loss']:.4f}")
    width = max(map(len, outputs.names))
    for name in outputs.names:
        own = {figure: figures.get(f"{name}_{figure}") for figure in ("loss", "accuracy")}
        print(f"{name:{width}}  {_figures({figure: value for figure, value in own.items() if value is not None})}")
    return 0


def _predict(options: argparse.Namespace) -> int:
    if _is_table(options.file):
        from cynn.sklearn import commands

        return commands.predict(options)
    net = cynn.load(options.model)
    outputs = net.objective(None).outputs
    output = Path(options.output) if options.output else None
    if output is not None and (output.suffix.lower() == ".npz") == outputs.is_one:
        form = "a .npy file for a network of one output" if outputs.is_one else "a .npz file for several outputs"
        raise InvalidParameterError(f"--output must be {form}. Got {str(output)!r} instead.")
    predictions = net.predict(_rows_to_predict(Path(options.file), net.input.units))
    each = dict(zip(outputs.names, outputs.split(predictions, "predictions"), strict=True))
    if output is not None:
        if outputs.is_one:
            numpy_files.write_npy(output, predictions)
        else:
            numpy_files.write_npz(output, each)
        return 0
    table: dict[str, Sequence[Any]] = {"row": range(len(next(iter(each.values()))))}
    activations = outputs.split(net.output_activation, "activations")
    for (name, prediction), activation in zip(each.items(), activations, strict=True):
        columns = _columns(activation.name, prediction)
        table |= columns if outputs.is_one else {f"{name}_{column}": cells for column, cells in columns.items()}
    print(*table, sep="\t")
    for line in zip(*table.values(), strict=True):
        print(*line, sep="\t")
    return 0


def _columns(kind: str, prediction: Array) -> dict[str, list[str]]:
    """The columns to print for an output whose activation has the name `kind`."""
    outputs = prediction.shape[1]
    if kind not in ("softmax", "sigmoid"):
        names = ["value"] if outputs == 1 else [f"value_{k}" for k in range(outputs)]
        return {name: [f"{value:.6g}" for value in column] for name, column in zip(names, prediction.T, strict=True)}
    if kind == "sigmoid" and outputs == 1:
        best = (prediction[:, 0] >= 0.5).astype(np.intp)
        probability = np.where(best == 1, prediction[:, 0], 1 - prediction[:, 0])
    else:
        best = prediction.argmax(axis=1)
        probability = prediction.max(axis=1)
    return {"class": [str(k) for k in best], "probability": [f"{p:.4f}" for p in probability]}


def _summary(options: argparse.Namespace) -> int:
    print(cynn.load(options.model).summary())
    return 0


def _plot(options: argparse.Namespace) -> int:
    from cynn import plot
    from cynn.plot import files

    name = options.picture
    output = _picture_path(options.output or f"{Path(options.model).stem}-{name}.png", "--output")
    net = cynn.load(options.model)
    shape = options.shape or ((28, 28) if options.data == "mnist" and net.input.units == 784 else None)
    arguments: list[Any] = [net]
    named: dict[str, Any] = {"shape": shape} if name in ("network", "weights", "mistakes") else {}
    if name in ("weights", "function"):
        if not 1 <= options.layer <= len(net.layers):
            raise InvalidParameterError(f"--layer must be from 1 to {len(net.layers)}. Got {options.layer} instead.")
        if name == "function":
            arguments = [net.layers[options.layer - 1].activation]
        else:
            arguments, named = [net, options.layer], {"shape": options.shape}
    elif name in ("confusion", "mistakes", "landscape"):
        x, y = _test_part(options.data)
        rows = LANDSCAPE_ROWS if name == "landscape" else len(x)
        arguments += [x[:rows], y[:rows]]
        named["loss"] = options.loss
    elif name == "activations" or options.row is not None:
        x, _ = _test_part(options.data)
        row = options.row or 0
        if not 0 <= row < len(x):
            raise InvalidParameterError(f"--row must be from 0 to {len(x) - 1}. Got {row} instead.")
        arguments.append(x[row])
    files.save(output, getattr(plot, name), *arguments, **named)
    print(f"the picture is in {output}")
    return 0


def _picture_path(path: str, name: str) -> Path:
    from cynn.plot import files

    return files.check_path(path, name)


def _plugins(options: argparse.Namespace) -> int:
    from cynn.plugins import table

    if options.name and options.json:
        raise InvalidParameterError("--json lists all parts. Got a name, too.")
    print(table.details(options.name) if options.name else table.as_json() if options.json else table.table())
    return 0


def _check(options: argparse.Namespace) -> int:
    from cynn import testing

    reports = [
        testing.check(name, kind=options.kind, raise_on_failure=False, seed=options.seed) for name in options.names
    ]
    if options.json:
        print(json.dumps([report.as_dict() for report in reports], indent=2, ensure_ascii=False))
    else:
        print("\n\n".join(map(str, reports)))
    return 0 if all(report.passed for report in reports) else 1


def _new_plugin(options: argparse.Namespace) -> int:
    name, kind = plugin_names.as_module(options.name), options.kind
    language = options.language or scaffold.languages(kind)[0]
    folder = scaffold.new_plugin(options.name, kind=kind, language=language, into=options.into)
    print(f"{folder} is a package with a new {kind}, in {language}.")
    print("Install it, and look at it:\n")
    here = folder.is_absolute() or folder.as_posix().startswith(".")
    for command in scaffold.installation(folder if here else f"./{folder.as_posix()}", language):
        print(f"    {command}")
    print(f"    cynn {'check' if cynn.registry.of_kind(kind).has_kernels else 'plugins'} {name}")
    return 0


def _figures(figures: Mapping[str, float]) -> str:
    """Figures as text: ``loss 0.1234  accuracy 95.61 %``."""
    return "  ".join(
        f"{name} {100 * value:.2f} %" if name == "accuracy" else f"{name} {value:.4f}"
        for name, value in figures.items()
    )


# ---------------------------------------------------------------------------------------------- data


def _split(data: str, seed: int) -> list[tuple[Array, Array]]:
    """The training rows, the validation rows and the test rows."""
    if data == "mnist":
        (x, y), test = cynn.datasets.load_mnist()
        n = len(x) - MNIST_VALIDATION
        return [(x[:n], y[:n]), (x[n:], y[n:]), test]
    stored = numpy_files.read_npz(Path(data))
    has_test = "x_test" in stored
    x, y = _pair(stored, "x_train", "y_train", data) if has_test else _pair(stored, "x", "y", data)
    held_out = max(1, len(x) // HELD_OUT)
    parts = 1 if has_test else 2
    if len(x) <= parts * held_out:
        raise DataError(f"--data must hold at least {parts + 1} rows. Got {len(x)} in {data}.")
    order = np.random.default_rng(seed).permutation(len(x))
    chosen = [order[parts * held_out :]] + [order[k * held_out : (k + 1) * held_out] for k in range(parts)]
    split = [(x[rows], y[rows]) for rows in chosen]
    return [*split, _pair(stored, "x_test", "y_test", data)] if has_test else split


def _open_model(path: str) -> interop_commands.Opened:
    """Open a saved network or estimator, and choose the function that reads rows and targets for it."""
    if tensor_file.format_of(path) == "cynn table":
        from cynn.sklearn import commands

        return commands.open_model(path)
    return cynn.load(path), _test_part


def _test_part(data: str) -> tuple[Array, Array]:
    if data == "mnist":
        return cynn.datasets.load_mnist()[1]
    stored = numpy_files.read_npz(Path(data))
    return _pair(stored, *(("x_test", "y_test") if "x_test" in stored else ("x", "y")), data)


def _test_part_of(names: list[str], data: str) -> tuple[Array, list[Array]]:
    """The test rows, with the targets of each output, for a network whose outputs have these names."""
    stored = {} if data == "mnist" else numpy_files.read_npz(Path(data))
    part = "_test" if "x_test" in stored else ""
    wanted = [f"y{part}_{name}" for name in names]
    if any(name not in stored for name in [f"x{part}", *wanted]):
        raise DataError(
            f"--data must be a .npz file with the arrays x{part}, {', '.join(wanted)} for a network of these outputs. "
            f"Got {data} with: {', '.join(stored) or 'nothing'}."
        )
    pairs = [_pair(stored, f"x{part}", name, data) for name in wanted]
    return pairs[0][0], [y for _, y in pairs]


def _pair(stored: Mapping[str, Array], x_name: str, y_name: str, data: str) -> tuple[Array, Array]:
    if x_name not in stored or y_name not in stored:
        raise DataError(
            f"--data must be a .npz file with the arrays x and y, or x_train, y_train, x_test and y_test. "
            f"Got {data} with: {', '.join(stored) or 'nothing'}."
        )
    x, y = stored[x_name], stored[y_name]
    if x.ndim < 2 or y.ndim == 0 or len(x) != len(y) or len(x) == 0:
        raise ShapeError(
            f"{x_name} and {y_name} must hold as many rows as each other, and at least one. "
            f"Got shapes {x.shape} and {y.shape} in {data}."
        )
    y = y.astype(np.uint8) if y.dtype == bool else y
    return x.reshape(len(x), -1), y.reshape(-1) if y.shape[1:] == (1,) else y


def _classes(y: Array) -> int | None:
    """The number of classes, or None if the targets are not classes. -1 and 1 are two classes."""
    if y.ndim == 1 and set(np.unique(y)) == {-1, 1}:
        return 2
    if y.ndim == 1 and y.dtype.kind in "iu":
        return max(2, int(y.max()) + 1)
    if y.ndim == 2 and y.shape[1] > 1 and (np.sort(y, axis=1) == np.eye(y.shape[1])[-1]).all():
        return int(y.shape[1])
    return None


def _rows_to_predict(path: Path, inputs: int) -> Array:
    """Read the rows of a file, in the shape (rows, inputs)."""
    from cynn.data import images

    suffix = path.suffix.lower()
    if suffix in images.SUFFIXES:
        if inputs != images.SIDE**2:
            raise ShapeError(f"A picture is for a network with 784 inputs. Got one with {inputs}.")
        return images.read_digit(path)[np.newaxis]
    if suffix == ".npz":
        stored = numpy_files.read_npz(path)
        if "x" not in stored and len(stored) != 1:
            raise DataError(f"{path} must hold an array x, or only one array. Got: {', '.join(stored) or 'none'}.")
        x = stored["x"] if "x" in stored else next(iter(stored.values()))
    elif suffix == ".npy":
        x = numpy_files.read(path)
    else:
        raise DataError(f"The file must be a .npy, a .npz or a picture. Got {str(path)!r} instead.")
    if x.ndim > 0 and x.size == inputs and x.shape[0] != 1:
        return x.reshape(1, inputs)
    if x.ndim < 2 or x[0].size != inputs:
        raise ShapeError(f"The rows of {path} must have {inputs} values each. Got shape {x.shape}.")
    return x.reshape(len(x), inputs)


# ----------------------------------------------------------------------------------------- arguments


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InvalidParameterError(f"{message} (see {self.prog} --help)")


def _hidden(text: str) -> list[int]:
    try:
        units = [] if text == "none" else [int(part) for part in text.split(",")]
    except ValueError:
        units = [0]
    if min(units, default=1) < 1:
        raise argparse.ArgumentTypeError(f"must be units such as 16,16, or none. Got {text!r} instead.")
    return units


def _shape(text: str) -> tuple[int, int]:
    rows, _, columns = text.partition("x")
    if not (rows.isdecimal() and columns.isdecimal() and int(rows) and int(columns)):
        raise argparse.ArgumentTypeError(f"must be rows and columns such as 28x28. Got {text!r} instead.")
    return int(rows), int(columns)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="cynn", description="Dense neural networks on a CPU.")
    parser.add_argument("--version", action="version", version=f"cynn {cynn.__version__}")
    parser.set_defaults(run=lambda options: print(parser.format_help(), end=""))
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    def command(name: str, run: Any, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(run=run)
        return added

    train = command("train", _train, "Train a network and save it. Without options: handwritten digits.")
    add = train.add_argument
    add("--data", default="mnist", metavar="FILE", help="a .npz with x and y, or a .csv or .parquet (%(default)s)")
    add("--target", metavar="COLUMN", help="for a table: the column to predict")
    add("--task", choices=("classes", "values"), help="for a table: (default: depends on the target)")
    add("--preset", choices=("default", "fast"), default="default", help="for a table: the recipe (%(default)s)")
    add("--hidden", default="16,16", type=_hidden, metavar="UNITS", help="hidden layers, or none (%(default)s)")
    add("--activation", default="sigmoid", metavar="NAME", help="of the hidden layers (%(default)s)")
    add("--output-activation", metavar="NAME", help="of the last layer (default: depends on the loss)")
    add("--loss", metavar="NAME", help="(default: depends on the targets)")
    add("--optimizer", default=OPTIMIZER, metavar="NAME", help="(%(default)s)")
    add("--learning-rate", type=float, metavar="RATE", help="(0.005 for adamw, else the default of the optimizer)")
    add("--weight-decay", type=float, metavar="RATE", help="(0.05 for adamw, else the default of the optimizer)")
    add("--constant-rate", action="store_true", help="do not lower the learning rate after each epoch")
    add("--epochs", type=int, metavar="N", help="passes over the training rows (25; for a table 256)")
    add("--batch-size", type=int, metavar="ROWS", help="rows per step (32; for a table 256)")
    add("--seed", default=0, type=int, metavar="N", help="of the weights, the shuffling and the split (%(default)s)")
    add("--threads", type=int, metavar="N", help="(default: as many as are useful)")
    add("--output", metavar="FILE", help="(default: digits.safetensors, or the name of the data)")
    add("--plot", metavar="FILE", help="plot the loss of every epoch into a .png, .svg, .pdf, ...")
    add("--quiet", action="store_true", help="do not print a line for every epoch")

    evaluate = command("evaluate", _evaluate, "Print the loss and accuracy of a saved network.")
    evaluate.add_argument("model", metavar="MODEL", help="a file that cynn train wrote")
    evaluate.add_argument("--data", default="mnist", metavar="FILE", help="a .npz, or a table (%(default)s)")
    evaluate.add_argument("--target", metavar="COLUMN", help="for a table: (default: as in the training)")
    evaluate.add_argument("--loss", metavar="NAME", help="(default: depends on the last layer)")

    predict = command("predict", _predict, "Print the predictions of a saved network for the rows of a file.")
    predict.add_argument("model", metavar="MODEL", help="a file that cynn train wrote")
    predict.add_argument("file", metavar="FILE", help=".npy, .npz, a picture of a digit or a table")
    predict.add_argument("--output", metavar="FILE.npy", help="write them to a file; .npz for several outputs")

    summary = command("summary", _summary, "Print the layers of a saved network.")
    summary.add_argument("model", metavar="MODEL", help="a file that cynn train wrote")

    plot = command("plot", _plot, "Plot a saved network or its results into a file.")
    add = plot.add_argument
    add("model", metavar="MODEL", help="a file that cynn train wrote")
    add("picture", nargs="?", choices=PICTURES, default="network", metavar="PICTURE", help=", ".join(PICTURES))
    add("--data", default="mnist", metavar="FILE.npz", help="(default: %(default)s)")
    add("--loss", metavar="NAME", help="the loss, for confusion, mistakes and landscape")
    add("--row", type=int, metavar="N", help="the number of a test row, for network and activations")
    add("--layer", default=1, type=int, metavar="N", help="for weights and function (%(default)s)")
    add("--shape", type=_shape, metavar="ROWSxCOLUMNS", help="the shape of a row as a picture, such as 28x28")
    add("--output", metavar="FILE", help="(default: the name of the model and of the picture, .png)")

    web_commands.add_commands(command, _open_model, _train_with)
    interop_commands.add_commands(command, _test_part, _open_model)

    plugins = command("plugins", _plugins, "Print every activation, loss, layer, ..., and the package of each.")
    plugins.add_argument("name", nargs="?", metavar="NAME", help="print the details of this one instead")
    plugins.add_argument("--json", action="store_true", help="print JSON, for programs")

    check = command("check", _check, "Check that a plugin follows the rules; exit code 1 if it does not.")
    check.add_argument("names", nargs="+", metavar="NAME", help="names of plugins, or file.py:Class")
    check.add_argument("--kind", choices=[*cynn.registry.OF_KIND, "layer"], help="if several kinds have that name")
    check.add_argument("--json", action="store_true", help="print the reports as JSON")
    check.add_argument("--seed", default=0, type=int, metavar="N", help="of the random inputs (%(default)s)")

    new_plugin = command("new-plugin", _new_plugin, "Write a package with a plugin into a new folder.")
    add = new_plugin.add_argument
    add("name", metavar="NAME", help="the name of the package, such as my-activation")
    add("--kind", choices=scaffold.KINDS, default="activation", help="(default: %(default)s)")
    add("--language", choices=scaffold.LANGUAGES, help="(default: cython; python where a kind has no kernels)")
    add("--into", metavar="PACKAGE", help="the folder of a package to add it to, which is made if necessary")
    return parser
