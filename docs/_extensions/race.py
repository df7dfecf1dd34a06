"""The directive ``optimizer-race``: all optimizers on one surface, with a slider over the steps.

The surface is the loss of a network with two weights, a = w₂ tanh(w₁ x), so that every path can be drawn. Each
optimizer trains it from the same point, with the learning rate of a few that gives it the lowest loss at the end.
Those that work on whole matrices are left out: of a matrix of one weight they make nothing sensible.
"""

import functools
from typing import NamedTuple

import contourpy
import curves
import numpy as np
from docutils import nodes
from docutils.parsers.rst import Directive

import cynn
from cynn import registry

STEPS = 60
START = (0.3, -1.6)
RATES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
SIDES = ((-3.0, 0.6), (-2.5, -0.1))  # what is seen of w₁ and w₂
SCALE = 200  # pixels per unit
SHOWN = ("sgd", "momentum", "rmsprop", "adam", "lion", "rprop")  # at first
OF_MATRICES = ("adafactor", "lamb", "muon")
LEVELS = 10.0 ** np.arange(-4, 1.01, 0.25)
X = np.linspace(-2, 2, 21)[:, None]
Y = 1.2 * np.tanh(1.8 * X)


class Run(NamedTuple):
    name: str
    learning_rate: float
    weights: np.ndarray  # (STEPS + 1, 2)
    losses: np.ndarray


def loss(w_1, w_2):
    """The mean squared error of the network with these weights."""
    shape = np.broadcast(w_1, w_2).shape
    a = np.broadcast_to(w_2, shape)[..., None] * np.tanh(np.multiply.outer(np.broadcast_to(w_1, shape), X[:, 0]))
    return ((a - Y[:, 0]) ** 2).mean(axis=-1)


def path(optimizer):
    """The two weights before the first step and after each."""
    layers = [cynn.Input(1), cynn.Dense(1, "tanh", use_bias=False), cynn.Dense(1, use_bias=False)]
    net = cynn.Network(layers, dtype="float64", seed=0)
    net.parameter_vector = START
    found = [START]
    for _ in range(STEPS):
        net.train_batch(X, Y, loss="mean_squared_error", optimizer=optimizer)
        found.append(tuple(net.parameter_vector))
    return np.array(found)


def best(name, optimizer_name, **settings):
    """The run whose loss is the lowest at the end."""
    runs = []
    for rate in RATES:
        try:
            weights = path(registry.optimizers.get(optimizer_name, learning_rate=rate, **settings))
        except cynn.errors.TrainingDivergedError:
            continue
        runs.append(Run(name, rate, weights, loss(*weights.T)))
    return min(runs, key=lambda run: run.losses[-1])


@functools.cache
def runs():
    own = [name for name in registry.optimizers.names() if registry.optimizers.provider(name) == "cynn-nn"]
    found = {name: best(name, name) for name in own if name not in OF_MATRICES}
    return {"sgd": found.pop("sgd"), "momentum": best("momentum", "sgd", momentum=0.9), **found}


def _places(weights):
    """Where points are in the picture."""
    (left, _), (_, top) = SIDES
    return " ".join(f"{(x - left) * SCALE:.1f},{(top - y) * SCALE:.1f}" for x, y in weights)


def _contours():
    w_1, w_2 = (np.linspace(*side, 181) for side in SIDES)
    lines = contourpy.contour_generator(w_1, w_2, loss(*np.meshgrid(w_1, w_2)))
    return [f'<polyline class="contour" points="{_places(line)}"/>' for level in LEVELS for line in lines.lines(level)]


def draw():
    """The lines of HTML: the surface with all paths, and the list of the optimizers."""
    width, height = (round((high - low) * SCALE) for low, high in SIDES)
    found = runs().values()
    about = "Contours of the loss over two weights, and the paths of the optimizers from one point to the minimum."
    lines = [
        '<div class="cynn-race">',
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{about}">',
        *_contours(),
    ]
    for number, run in enumerate(found):
        state = "" if run.name in SHOWN else " hidden"
        losses = " ".join(f"{each:.1e}" for each in run.losses)
        lines.append(
            f'<g class="run{state}" data-name="{run.name}" style="--hue: {_hue(number)}" data-losses="{losses}">'
            f'<polyline points="{_places(run.weights)}"/></g>'
        )
    lines += ["</svg>", '<div class="controls pst-js-only">', '<button type="button">Play</button>',
              f'<label>step <input type="range" min="0" max="{STEPS}" value="{STEPS}">',
              f"<output>{STEPS}</output></label>",
              "</div>", '<ul class="runs">']  # fmt: skip
    for number, run in enumerate(found):
        checked = " checked" if run.name in SHOWN else ""
        box = f'<input type="checkbox" class="pst-js-only" value="{run.name}"{checked}>'
        rate = f'<span class="rate">η = {run.learning_rate:g}</span>'
        lines.append(
            f'<li style="--hue: {_hue(number)}"><label>{box} <span class="name">{run.name}</span></label> {rate} '
            f"<output>{run.losses[-1]:.1e}</output></li>"
        )
    return [*lines, "</ul>", "</div>"]


def _hue(number):
    return round(360 * number * 0.381966) % 360  # by the golden ratio, so that neighbours differ


def sparkline(name):
    """The loss during the race, on a logarithmic scale; nothing for those that are not in it."""
    if name not in runs():
        return '<span class="sparkline"></span>'
    return curves.sparkline(np.arange(STEPS + 1), np.log10(np.maximum(runs()[name].losses, 1e-6)), every=1)


class Race(Directive):
    """``.. optimizer-race::``"""

    def run(self):
        return [nodes.raw("", "\n".join(draw()), format="html")]


def setup(app):
    app.add_directive("optimizer-race", Race)
    return {"parallel_read_safe": True}
