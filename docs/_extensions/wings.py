"""The wings of the package and what imports what, read from the sources: for the picture on the page on design.

The test of the architecture holds the sources to it.
"""

import ast
import re
import textwrap
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "cynn"

# From the bottom up: the files and folders of `cynn/`. What one imports is of its own wing, or of one below.
WINGS = {
    "errors, ABI": {
        "abi", "errors", "file_access", "installation", "loss_rows", "moments", "old_names", "sums", "vector_math",
        "version",
    },
    "kernels": {"blas", "kernels"},
    "components": {"components"},
    "registry": {"registry"},
    "engine": {"engine"},
    "parts": {
        "activations", "constraints", "hyperparameters", "initializers", "losses", "optimizers", "regularizers",
        "schedules", "solvers",
    },
    "layers": {"layers"},
    "data": {"data", "metrics"},
    "display": {"configuration", "datasets", "display"},
    "model": {"model"},
    "saving": {"saving"},
    "training": {"callbacks", "training"},
    "derivatives": {"derivatives"},
    "network": {"faces", "network"},
    "interop": {"interop"},
    "web": {"web"},
    "many": {"distributed", "many"},
    "plugins": {"plugins", "testing"},
    "plot": {"plot"},
    "sklearn": {"sklearn"},
    "cli": {"cli"},
}  # fmt: skip
DOORS = {"cynn", "cynn.__main__"}  # they import what they show


class Import(NamedTuple):
    """That a module imports another: at its top, within a function, or for types alone."""

    source: str
    target: str
    kind: str


def wing_of(module):
    """The name of the wing in which a module of the package is."""
    part = module.split(".")[1]
    return next((wing for wing, parts in WINGS.items() if part in parts), None)


def sources():
    """Every source of the package, by the name of its module: a compiled one has several."""
    found = {}
    for path in sorted(path for suffix in ("py", "pyx", "pxd") for path in PACKAGE.rglob(f"*.{suffix}")):
        if not re.search(r"/kernels/(avx|baseline)", path.as_posix()):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found.setdefault(".".join(parts).removesuffix(".__init__"), []).append(path)
    return found


def imports():
    """The imports between modules of the package."""
    modules = sources()
    found = set()
    for module, paths in modules.items():
        for path in paths:
            read = of_python if path.suffix == ".py" else of_cython
            for name, names, kind in read(path.read_text(encoding="utf-8")):
                inner = [f"{name}.{each}" for each in names]
                targets = {each if each in modules else name for each in inner} or {name}
                found |= {Import(module, target, kind) for target in targets if target != module}
    return sorted(found)


def of_python(text):
    """(module, names, kind) of each import of the package in a source in Python."""
    for node in ast.parse(text).body:
        for_types = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        inside = isinstance(node, (ast.FunctionDef, ast.ClassDef))
        kind = "types" if for_types else "function" if inside else "top"
        for inner in ast.walk(node):
            if isinstance(inner, ast.ImportFrom) and (inner.module or "").split(".")[0] == "cynn":
                yield inner.module, [alias.name for alias in inner.names], kind
            elif isinstance(inner, ast.Import):
                yield from ((alias.name, [], kind) for alias in inner.names if alias.name.split(".")[0] == "cynn")


def of_cython(text):
    """Likewise, in Cython."""
    text = re.sub(r'""".*?"""', "", text, flags=re.S)
    statement = r"^( *)(?:from|cimport|import) +(cynn(?:\.\w+)*)(?: +c?import +(\([^)]*\)|.*))?"
    for space, module, names in re.findall(statement, text, re.M):
        yield module, re.findall(r"\w+", re.sub(r"#.*", "", names)), "function" if space else "top"


def circles(edges):
    """The sets of modules that import each other, directly or by way of others."""
    after = {}
    for source, target in edges:
        after.setdefault(source, set()).add(target)

    def reach(start):
        seen, todo = set(), list(after.get(start, ()))
        while todo:
            module = todo.pop()
            if module not in seen:
                seen.add(module)
                todo += after.get(module, ())
        return seen

    reached = {module: reach(module) for module in after}
    in_circle = {module for module, seen in reached.items() if module in seen}
    return {frozenset(m for m in reached[module] if module in reached.get(m, ())) for module in in_circle}


def arrows():
    """(wing, wing that it imports), but for those to which a way by other arrows leads."""
    found = {(wing_of(each.source), wing_of(each.target)) for each in imports() if not {*each[:2]} & DOORS}
    rank = {wing: number for number, wing in enumerate(WINGS)}
    down = {wing: {to for source, to in found if source == wing and rank[to] < rank[wing]} for wing in WINGS}
    below = {}
    for wing in WINGS:
        below[wing] = down[wing].union(*(below[target] for target in down[wing]))
    return [
        (wing, target)
        for wing, targets in down.items()
        for target in sorted(targets, key=rank.get)
        if not any(target in below[other] for other in targets)
    ]


def draw(ax):
    """The wings from the bottom up, what each holds, and what it imports."""
    rank = {wing: number for number, wing in enumerate(WINGS)}
    for wing, height in rank.items():
        ax.text(0, height, wing, ha="right", va="center", fontsize=9, fontweight="bold")
        parts = textwrap.fill(", ".join(sorted(WINGS[wing])), 56)
        ax.text(0.15, height, parts, va="center", fontsize=7.5, color="0.35", linespacing=1.1)
    for number, (wing, target) in enumerate(arrows()):
        span = rank[wing] - rank[target]
        ax.annotate(
            "", (5.4, rank[target] + 0.15), (5.4, rank[wing] - 0.15),
            arrowprops={
                "arrowstyle": "-|>", "color": f"C{number % 10}", "shrinkA": 0, "shrinkB": 0, "lw": 1.1,
                "connectionstyle": f"arc3,rad={-0.45 if span > 1 else -0.6}",
            },
        )  # fmt: skip
    ax.set_xlim(-1.6, 7.4)
    ax.set_ylim(-0.6, len(WINGS) - 0.4)
    ax.axis("off")
