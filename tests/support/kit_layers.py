"""Layers for the tests of the conformance kit, from C functions of one library."""

import functools
from typing import ClassVar

from kit_plugins import compiled

from cynn.layers import Layer, Parameter, SavedForBackward

SUFFIXES = {"float32": "f32", "float64": "f64"}


@functools.cache
def library():
    """The functions of kit_layers.c, compiled once."""
    return compiled("kit_layers.c")


class Scaled(Layer):
    """a = x s, with a factor for each column."""

    name = "scaled"
    factor = Parameter()
    hyperparameters = ()

    def build(self, builder, values):
        units = builder.widths[values[0]]
        factor = builder.parameter("factor", builder.constant(0.8, units))
        return builder.add(self.kernel, values, units, parameters=[factor], hyperparameters=self.hyperparameters)


class Affine(Layer):
    """a = x W, with four columns."""

    name = "affine"
    weights = Parameter()

    def build(self, builder, values):
        weights = builder.parameter("weights", builder.weights("glorot_uniform", builder.widths[values[0]], 4))
        return builder.add(self.kernel, values, 4, parameters=[weights])


class Centred(Layer):
    """a = x - m, with a moving mean m."""

    name = "centred"
    mean = Parameter(is_trained=False)

    def build(self, builder, values):
        units = builder.widths[values[0]]
        return builder.add(self.kernel, values, units, states=[builder.state("mean", builder.constant(0.1, units))])

    def reference(self, x, arrays):
        return x - arrays["mean"]

    def reference_states(self, x, arrays):
        return {"mean": 0.9 * arrays["mean"] + 0.1 * x.mean(axis=0)}


class Noisy(Layer):
    """a = x + 0.3 u in training, with u uniform in [0, 1)."""

    name = "noisy"
    draws = True

    def build(self, builder, values):
        return builder.add(self.kernel, values, builder.widths[values[0]], hyperparameters=[0.3], draws=self.draws)


class Product(Layer):
    """a = x y."""

    name = "product"
    n_inputs = 2

    def build(self, builder, values):
        return builder.add(self.kernel, values, builder.widths[values[0]])


class Squared(Layer):
    """a = h x²."""

    name = "squared"
    flags: ClassVar = {"gradient_in_place": True}

    def build(self, builder, values):
        units = builder.widths[values[0]]
        return builder.add(self.kernel, values, units, hyperparameters=[1.1], saved=[SavedForBackward(units)])


FUNCTIONS = {
    Scaled: dict.fromkeys(["forward", "backward", "gradient"], "scaled"),
    Affine: dict.fromkeys(["forward", "backward", "gradient", "linear_step"], "affine"),
    Centred: dict.fromkeys(["forward", "backward", "update_states"], "centred"),
    Noisy: {"forward": "noisy", "backward": "centred"},
    Product: dict.fromkeys(["forward", "backward"], "product"),
    Squared: dict.fromkeys(["forward", "backward"], "squared"),
}


def made(base, dtypes=("float32", "float64"), attributes=None, **faulty):
    """A layer with the functions of a right one, but for those of other names."""
    names = {**FUNCTIONS[base], **faulty}
    kernel = Layer.from_addresses(
        **{
            f"{function}_{SUFFIXES[dtype]}": getattr(library(), f"{name}_{function}_{SUFFIXES[dtype]}")
            for function, name in names.items()
            for dtype in dtypes
        },
        **getattr(base, "flags", {}),
    )
    body = {"__doc__": base.__doc__, "__module__": base.__module__, "kernel": kernel, **(attributes or {})}
    return type("Compiled" + base.__name__, (base,), body)()

