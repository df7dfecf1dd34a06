"""Every example in a docstring of the package and of its plugins runs as shown, in compiled modules too."""

import doctest
import importlib
import pkgutil
import types

import numpy as np
import pytest
from code_blocks import COLUMN

import cynn
import cynn_plugins

OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
ROUTINES = (types.FunctionType, types.BuiltinFunctionType, property, staticmethod, classmethod)


def module_names():
    for package in (cynn, cynn_plugins):
        yield package.__name__
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.endswith("__main__") and ".kernels.a" not in found.name:
                yield found.name


def documented(module):
    """Names and docstrings of a module, and of what is defined in it, however it was compiled.

    The finder of doctest passes over the functions of Cython.
    """
    yield module.__name__, module.__doc__
    for name, thing in vars(module).items():
        if getattr(thing, "__module__", None) != module.__name__:
            continue
        yield f"{module.__name__}.{name}", getattr(thing, "__doc__", None)
        if isinstance(thing, type):
            for attribute, part in vars(thing).items():
                yield f"{module.__name__}.{name}.{attribute}", getattr(part, "__doc__", None)


def examples():
    parser = doctest.DocTestParser()
    for module_name in module_names():
        module = importlib.import_module(module_name)
        for name, text in documented(module):
            if isinstance(text, str) and ">>>" in text:
                names = {"np": np, "cynn": cynn, **vars(module)}
                yield parser.get_doctest(text, names, name, module.__file__, 0)


EXAMPLES = {test.name: test for test in examples()}


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name):
    said = []
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    runner.run(EXAMPLES[name], out=said.append)
    assert runner.failures == 0, "".join(said)
    cynn.set_num_threads(None)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_fits_its_column(name):
    """With the prompt, and with what is printed."""
    lines = []
    for example in EXAMPLES[name].examples:
        lines += [f">>> {line}" for line in example.source.splitlines()] + example.want.splitlines()
    assert [line for line in lines if len(line) > COLUMN] == []


def test_compiled_and_plain_modules_are_looked_at():
    assert {"cynn", "cynn.network.Network.fit", "cynn_plugins.activations.gated.Swish"} <= set(EXAMPLES)
    assert {"cynn.kernels.blas.matmul", "cynn.kernels.random.permutation"} <= set(EXAMPLES)
    looked_at = dict(documented(importlib.import_module("cynn.engine.loss_kernel")))
    assert "The sum over the rows of weight * loss." in looked_at["cynn.engine.loss_kernel.LossKernel.total"]
    assert len(EXAMPLES) > 40


def test_public_classes_and_functions_have_an_example():
    modules = [
        cynn.activations, cynn.callbacks, cynn.initializers, cynn.losses, cynn.metrics, cynn.optimizers,
        cynn.plot, cynn.schedules, cynn.training,
    ]  # fmt: skip
    public = {getattr(module, name) for module in modules for name in module.__all__}
    public |= {getattr(cynn, name) for name in cynn.__all__ if callable(getattr(cynn, name))}
    without = {
        f"{thing.__module__}.{thing.__qualname__}"
        for thing in public
        if f"{thing.__module__}.{thing.__qualname__}" not in EXAMPLES
        and not (isinstance(thing, type) and issubclass(thing, Exception))
    }
    internal = {
        "cynn.metrics.resolve",
        "cynn.metrics.of_outputs",
        "cynn.initializers.check_name",
        "cynn.initializers.get", "cynn.engine.threads.get_num_threads",
        "cynn.schedules.base.learning_rate_of", "cynn.schedules.base.started",
    }  # fmt: skip
    assert without <= internal
