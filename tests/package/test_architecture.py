"""What imports what, what is documented, and how long a file is."""

import ast
import importlib
import inspect
import re
from pathlib import Path

import pytest

import cynn

ROOT = Path(__file__).parents[2]
PACKAGE = Path(cynn.__file__).parent
SOURCES = sorted([*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.pyx"), *PACKAGE.rglob("*.pxd")])
PLUGINS = sorted((PACKAGE.parent / "cynn_plugins").rglob("*.py*"))

# From the bottom up. A module may import from its own layer and from those below, at its top or inside
# a function. What else there is, UPWARD names.
LAYERS = [
    {
        "version", "package_names", "installation", "errors", "described", "abi", "blas", "vector_math", "sums",
        "kernels", "operations", "pickling", "exit_gate", "tensor_file", "ndarray", "flags", "file_access",
        "schema",
    },
    {
        "addresses", "kernel_objects", "team", "hyperparameters", "threads", "randomness", "initializers",
        "monitoring", "metrics", "schedules", "arrays", "row_weights", "targets", "regularizers", "constraints",
        "weights_lock",
    },
    {"activations", "losses", "optimizers"},
    {"registry", "workspace"},
    {"engine"},
    {"step"},
    {"step_memory"},
    {"background", "provenance", "progress", "layers", "data", "trainer", "configuration", "images", "datasets"},
    {
        "summary", "notebook", "history", "optimizer_state", "feeding", "moving_averages", "outputs",
        "objective",
    },
    {
        "network", "trainable", "training", "loop", "evaluation", "persistence", "checkpoint", "callbacks",
        "diagnosis",
    },
    {"curves", "testing", "plugin_table", "scaffold", "plot"},
    {"cli"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}

# Each of these is an import inside a function, and a reason for it.
UPWARD = {
    ("kernel_objects", "registry"): "messages say which package a plugin comes from",
    ("kernel_objects", "activations"): "to see whether a method of the base class is overridden",
    ("kernel_objects", "losses"): "likewise",
    ("kernel_objects", "optimizers"): "likewise",
    ("network", "cynn"): "the version, which the package has",
    ("persistence", "cynn"): "likewise",
}


def module_of(path):
    """The first part of a module's name within the package: `kernels` for all kernels."""
    return path.relative_to(PACKAGE).parts[0].partition(".")[0]


def imports(path):
    """(module of cynn, whether it is imported inside a function) for each import of a file."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        yield from _imports_of_python(ast.parse(text))
        return
    for line in text.splitlines():
        found = re.match(r"( *)(?:from|cimport|import) +(cynn[\w.]*)(?: +c?import +(.*))?", line)
        if found:
            space, module, names = found.groups()
            yield from ((target, bool(space)) for target in _targets(module, re.findall(r"\w+", names or "")))


def _imports_of_python(tree):
    for node in tree.body:
        inside_type_checking = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in () if inside_type_checking else ast.walk(node):
            in_function = inner not in tree.body
            if isinstance(inner, ast.ImportFrom) and (inner.module or "").split(".")[0] == "cynn":
                names = [alias.name for alias in inner.names]
                yield from ((target, in_function) for target in _targets(inner.module, names))
            elif isinstance(inner, ast.Import):
                for alias in inner.names:
                    if alias.name.split(".")[0] == "cynn":
                        yield from ((target, in_function) for target in _targets(alias.name, []))


def _targets(module, names):
    parts = module.split(".")
    if len(parts) > 1:
        return [parts[1]]
    return [name if name in LEVEL else "cynn" for name in names] or ["cynn"]


def test_every_module_has_its_layer():
    modules = {module_of(path) for path in SOURCES} - {"__init__", "__main__", "include"}
    assert modules <= set(LEVEL)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_downward(path):
    module = module_of(path)
    if module in ("__init__", "__main__", "cli"):
        return  # the doors of the house
    for target, in_function in imports(path):
        if (module, target) in UPWARD:
            assert in_function, f"{module} may import {target} inside a function only"
        elif target != module:
            assert target in LEVEL, f"{module} imports {target}"
            assert LEVEL[target] <= LEVEL[module], f"{module} imports {target}, which lies above it"


def test_modules_of_one_layer_do_not_import_each_other_in_a_circle():
    edges = {}
    for path in SOURCES:
        found = {target for target, in_function in imports(path) if not in_function}
        edges.setdefault(module_of(path), set()).update(found - {module_of(path)})

    def reach(start):
        seen, todo = set(), list(edges.get(start, ()))
        while todo:
            module = todo.pop()
            if module not in seen:
                seen.add(module)
                todo += edges.get(module, ())
        return seen

    circles = [module for module in LEVEL if module in reach(module)]
    assert circles == []


def test_kernels_know_nothing_above_them():
    for path in SOURCES:
        if module_of(path) == "kernels":
            assert {target for target, _ in imports(path)} <= LAYERS[0], path.name
            if path.suffix == ".pyx":
                assert "class " not in re.sub(r'""".*?"""|#.*', "", path.read_text(), flags=re.S), path.name


def test_no_module_imports_the_plugins():
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"^\s*(from|import|cimport)\s+cynn_plugins", text, re.M), path.name
        assert "import_module('cynn_plugins" not in text.replace('"', "'")


def test_plugins_use_what_every_plugin_may_use():
    allowed = {
        "abi",
        "blas",
        "vector_math",
        "sums",
        "activations",
        "losses",
        "optimizers",
        "hyperparameters",
        "errors",
    }
    allowed.add("cynn")  # the package itself, in examples
    for path in PLUGINS:
        if path.suffix in (".py", ".pyx", ".pxd"):
            assert {target for target, _ in imports(path)} <= allowed, path.name


def public_things():
    for path in sorted([*PACKAGE.glob("*.py"), *PACKAGE.glob("layers/*.py"), *PACKAGE.glob("schedules/*.py"),
                        *PACKAGE.glob("callbacks/*.py")]):
        if path.stem == "__main__":
            continue
        parts = ["cynn", *path.relative_to(PACKAGE).with_suffix("").parts]
        module = importlib.import_module(".".join(part for part in parts if part != "__init__"))
        yield module.__name__, module
        for name in getattr(module, "__all__", ()):
            thing = getattr(module, name)
            if inspect.isclass(thing) or inspect.isroutine(thing):
                yield f"{module.__name__}.{name}", thing
            if inspect.isclass(thing) and thing.__module__ == module.__name__:
                for attribute, part in vars(thing).items():
                    described = isinstance(part, property) or inspect.isroutine(part)
                    if described and not attribute.startswith("_"):
                        yield f"{module.__name__}.{name}.{attribute}", part


def is_documented(thing):
    """A method or property that overrides one need not say again what it does."""
    return bool((inspect.getdoc(getattr(thing, "__func__", thing)) or "").strip())


def test_what_is_public_has_a_docstring():
    without = {name for name, thing in public_things() if not is_documented(thing)}
    without = {name for name in without if not name.endswith(".kernel")}  # a struct in a capsule
    assert without == set()


def test_every_public_name_exists():
    assert [name for name in cynn.__all__ if not hasattr(cynn, name)] == []


# The training step and the passes are one thought each, in a language of many words.
LINES = {".py": 600, ".pyx": 700, ".pxd": 200}


@pytest.mark.parametrize("path", [*SOURCES, *PLUGINS], ids=lambda path: path.name)
def test_no_file_is_long(path):
    n_lines = len(path.read_text(encoding="utf-8").splitlines())
    assert n_lines <= LINES.get(path.suffix, 500)
