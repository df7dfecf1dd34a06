"""What `cynn plugins` prints: a table of all parts that have a name, or all about one of them."""

from __future__ import annotations

import inspect
import json
import re
from typing import Any, NamedTuple

import numpy as np

from cynn import registry
from cynn.activations import Activation
from cynn.components import package_names
from cynn.components.configurable import Configurable
from cynn.components.hyperparameters import Component
from cynn.display.summary import columns
from cynn.engine.activation_kernel import ActivationKernel
from cynn.engine.loss_kernel import LossKernel
from cynn.engine.operation_kernel import OperationKernel
from cynn.engine.optimizer_kernel import OptimizerKernel
from cynn.errors import CynnError, UnknownNameError, unknown_name
from cynn.layers import Input, Layer
from cynn.plugins.curves import points, takes_rows

__all__ = ["as_json", "details", "dtypes_of", "hyperparameter_rows", "paragraphs", "table"]

_KERNELS: dict[str, Any] = {
    "activation": ActivationKernel,
    "loss": LossKernel,
    "optimizer": OptimizerKernel,
}


def dtypes_of(part: Component | type[Layer | Input]) -> list[str]:
    """The dtypes of a component, or of the kernel of a class of layers; none for a class with several kernels.

    Examples
    --------
    >>> import cynn
    >>> dtypes_of(cynn.activations.Tanh())
    ['float32', 'float64']
    >>> dtypes_of(cynn.PReLU)
    ['float32', 'float64']
    """
    offered: list[str] = []
    if not isinstance(part, Component):
        capsule = getattr(part, "kernel", None)
        if capsule is None:
            return offered
        kernel: Any = OperationKernel(part, capsule)
    else:
        kernel = _KERNELS[part._registry.kind](part)
    for dtype in ("float32", "float64"):
        try:
            kernel.require_dtype(dtype)
        except CynnError:
            continue
        offered.append(dtype)
    return offered


def table() -> str:
    """A line for every part of every kind; below them, why some are broken, and warnings of names that mislead.

    All plugins are imported.

    Examples
    --------
    >>> lines = table().splitlines()
    >>> lines[0].split()
    ['kind', 'name', 'from', 'version', 'runs', 'dtypes']
    >>> [line.split()[-3:] for line in lines if " softmax " in line]
    [['compiled', 'float32', 'float64']]
    """
    rows = [("kind", "name", "from", "version", "runs", "dtypes")]
    parts = _parts()
    for each in parts:
        rows.append((each.kind, each.name, each.distribution, each.version, each.runs, " ".join(each.dtypes)))
    broken = [f"{each.name}: {each.error}" for each in parts if each.error]
    return "\n".join([*columns(rows, words=len(rows[0])), *broken, *(f"warning: {each}" for each in _warnings())])


def as_json() -> str:
    """The same for programs: `parts`, where a broken part has an `error`, and `warnings`.

    Examples
    --------
    >>> import json
    >>> found = json.loads(as_json())
    >>> dtypes = {part["name"]: part["dtypes"] for part in found["parts"]}
    >>> dtypes["softmax"]
    ['float32', 'float64']
    """
    parts = [each._asdict() for each in _parts()]
    return json.dumps({"parts": parts, "warnings": _warnings()}, indent=2, ensure_ascii=False)


class _Part(NamedTuple):
    """A line of the table."""

    kind: str
    name: str
    distribution: str
    version: str
    runs: str  # compiled, Python or broken; Python for kinds without kernels
    dtypes: list[str]
    error: str | None


def _parts() -> list[_Part]:
    return [_part(of_kind, name) for of_kind in _kinds() for name in of_kind.names()]


def _kinds() -> list[registry.Registry]:
    """The registries of all kinds, those with kernels first."""
    return sorted(registry.every(), key=lambda of_kind: not of_kind.has_kernels)


def _part(of_kind: registry.Registry, name: str) -> _Part:
    try:
        entry = of_kind.describe(name)
        dtypes = _dtypes(of_kind, name) if of_kind.has_kernels else []
    except CynnError as error:
        package, _, bare = name.rpartition(":")
        found = of_kind.offers(bare) or {package: ""}
        distribution = package if package in found else next(iter(found))
        said = " ".join(str(error).split())
        return _Part(of_kind.kind, name, distribution, found[distribution], "broken", [], said)
    return _Part(of_kind.kind, name, entry.distribution, entry.version, _runs(entry), dtypes, None)


def _dtypes(of_kind: registry.Registry, name: str) -> list[str]:
    """The dtypes of a part with its default parameters; of a layer, which may need arguments, those of its class."""
    cls = of_kind.find(name)
    return dtypes_of(of_kind.get(name) if issubclass(cls, Component) else cls)


def _runs(entry: registry.Description) -> str:
    return "compiled" if entry.compiled else "Python"


def _warnings() -> list[str]:
    """Warnings: a package offers a name that is taken, or requires the package of another project."""
    required: dict[str, list[str]] = {}
    found = []
    for of_kind in _kinds():
        required |= of_kind.requirements()
        found += [
            f"{package} offers the {of_kind.kind} {name}, which is built in, so that the name leads there; "
            f"'{package}:{name}' leads to the package's own."
            for name, packages in of_kind.hidden().items()
            for package in packages
        ]
    return found + [
        f"{package} requires the package {package_names.FORMER}, which is another project's. It should "
        f"require {package_names.OWN}; until it does, install it with --no-deps."
        for package, requirements in sorted(required.items())
        if any(re.match(rf"{package_names.FORMER}(?![\w.-])", each, re.IGNORECASE) for each in requirements)
    ]


def details(name: str) -> str:
    """Formula, source and hyperparameters of every part of that name in `table`; for an activation, its curve.

    Examples
    --------
    >>> print(details("leaky_relu"))
    activation leaky_relu, of cynn-nn ..., compiled, float32 float64
    <BLANKLINE>
    a = z where z > 0, negative_slope * z elsewhere.
    <BLANKLINE>
    Source: Maas, Hannun and Ng, ...
    <BLANKLINE>
    hyperparameter  default  allowed  what it does
    negative_slope  0.01     > 0      The slope where z is negative.
    <BLANKLINE>
    ...
    """
    found = []
    for of_kind in _kinds():
        try:
            of_kind.find(name)
        except UnknownNameError:
            continue
        found.append(_details(of_kind, name))
    if not found:
        raise unknown_name("plugin", name, [known for of_kind in _kinds() for known in of_kind.names()])
    return "\n\n".join(found)


def _details(of_kind: registry.Registry, name: str) -> str:
    entry = of_kind.describe(name)
    if not of_kind.has_kernels:
        described = f"{entry.kind} {entry.name}, of {entry.distribution} {entry.version}"
        return "\n\n".join([described, *paragraphs(of_kind.find(name))])
    dtypes = " ".join(_dtypes(of_kind, name))
    described = f"{entry.kind} {entry.name}, of {entry.distribution} {entry.version}, {_runs(entry)}"
    parts = [f"{described}, {dtypes}" if dtypes else described, *paragraphs(of_kind.find(name))]
    if of_kind.kind not in registry.OF_KIND:
        return "\n\n".join(parts)
    component = of_kind.get(name)
    if component.hyperparameters:
        rows = hyperparameter_rows(component)
        parts.append("\n".join(columns(rows, words=len(rows[0]))))
    if isinstance(component, Activation):
        parts.append(_plot(component))
    return "\n\n".join(parts)


def paragraphs(cls: type[Configurable]) -> list[str]:
    """The paragraphs of the docstring before its examples: the formula and the source."""
    text = inspect.cleandoc(vars(cls).get("__doc__") or "It has no docstring.")
    return [paragraph for paragraph in text.partition("\nExamples\n")[0].strip().split("\n\n") if paragraph]


def hyperparameter_rows(component: Component) -> list[tuple[str, ...]]:
    """The headings, and one row per hyperparameter."""
    rows: list[tuple[str, ...]] = [("hyperparameter", "default", "allowed", "what it does")]
    for name, declared in component.hyperparameters.items():
        default = declared.default if isinstance(declared.default, (bool, str)) else f"{declared.default:g}"
        rows.append((name, str(default), declared.allowed, declared.doc))
    return rows


# ----------------------------------------------------------------------------------------------- curve

_COLUMNS, _LINES = 61, 15  # odd, so that zero has a column


def _plot(activation: Activation) -> str:
    if takes_rows(activation):
        return "It is a function of a whole row, so it has no curve."
    z = np.linspace(-5, 5, _COLUMNS)
    return "\n".join(_curves(z, *points(activation, z)))


def _curves(z: Any, a: Any, derivative: Any) -> list[str]:
    both = np.concatenate([a, derivative, [0.0]])
    low, high = np.clip([np.nanmin(both), np.nanmax(both)], -5, 5)
    canvas = [[" "] * len(z) for _ in range(_LINES)]

    def line_of(value: float) -> int | None:
        place = round((high - value) / (high - low) * (_LINES - 1)) if np.isfinite(value) else -1
        return place if 0 <= place < _LINES else None

    zero = line_of(0.0)
    for line in range(_LINES):
        canvas[line][len(z) // 2] = "|"
    if zero is not None:
        canvas[zero] = ["+" if cell == "|" else "-" for cell in canvas[zero]]
    for values, mark in ((derivative, "."), (a, "*")):
        for column, value in enumerate(values):
            place = line_of(float(value))
            if place is not None:
                canvas[place][column] = mark
    labels = {0: f"{high:.3g}", _LINES - 1: f"{low:.3g}"}
    if zero is not None:
        labels.setdefault(zero, "0")
    width = max(map(len, labels.values()))
    lines = [f"{labels.get(i, ''):>{width}} {''.join(row)}".rstrip() for i, row in enumerate(canvas)]
    return [*lines, f"{'':{width}} z from {z[0]:g} to {z[-1]:g}; * is f(z), . is f′(z)"]
