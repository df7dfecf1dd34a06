"""Curves that follow sliders: their functions in JavaScript come from the exporter of `to_js`."""

import numpy as np
from curves import axis_of_loss
from slopes import slope

from cynn.errors import DataError
from cynn.interop.expressions import Expression, number, where
from cynn.interop.formulas import parse
from cynn.interop.js_file import JsPrinter
from cynn.interop.plan import Plan, column

POINTS = 401
Z = column(0)


class Printer(JsPrinter):
    """Prints what sliders move as elements of `p`."""

    def leaf(self, node):
        return f"p.{node.value}" if node.kind == "slider" else super().leaf(node)


def _leaf(name):
    return Expression("slider", (), name)


# ----------------------------------------------------------------------------------------------- activations


def formula(activation):
    """f(z), with the hyperparameters as leaves; a switch chooses between two formulas."""
    cls, switch = type(activation), _switch(activation)
    if switch is not None and getattr(activation, switch) is False:
        return where(_leaf(switch), formula(cls(**{switch: True})), _parsed(activation))
    return _parsed(activation)


def _parsed(activation):
    names = {name: _leaf(name) for name in activation.hyperparameters}
    return parse(activation.c_source, {**names, "z": Z}, activation.name)


def _switch(activation):
    found = [name for name, declared in activation.hyperparameters.items() if isinstance(declared.default, bool)]
    assert len(found) <= 1
    return found[0] if found else None


def function(activation):
    """`cynnCurve(x, p)`: f and f′ at POINTS places x, with hyperparameters p."""
    f = formula(activation)
    return _function([f, slope(f, Z)])


def of_activation(activation, ranges, width):
    """The lines of HTML for one slider per hyperparameter and one for z."""
    lines = [*_hyperparameters(activation, ranges), slider("z", -width, width, width / 5)]
    data = 'data-at="z" data-reading="f({at}) = {0}, f′({at}) = {1}"'
    return _controls(data, lines, function(activation))


# ----------------------------------------------------------------------------------------------- losses


def function_of_loss(loss, code, ranges):
    """`cynnCurve(x, p)`: the loss and its slope at POINTS predictions x, for the target p.t.

    `code` is the loss of one row as an expression of C of the prediction p and the target t of an output. Where the row
    has a second output, q and u are its prediction and its target.
    """
    second = axis_of_loss(loss).second
    names = {
        name: _leaf(name) if name in ranges or isinstance(each.default, bool) else number(each.default)
        for name, each in loss.hyperparameters.items()
    }
    names |= {"p": Z, "t": _leaf("t")} | ({} if second is None else {"q": _leaf("q"), "u": 1 - _leaf("t")})
    f = parse(code, names, loss.name)
    both = [f, slope(f, Z)]  # the slope in p alone, so that q becomes a function of p after it
    if second is not None:
        both = [each.replaced(lambda node: number(second(Z)) if node == _leaf("q") else None) for each in both]
    return _function(both)


def of_loss(loss, code, ranges):
    """The lines of HTML for one slider per hyperparameter, one for the target and one for the prediction."""
    axis = axis_of_loss(loss)
    low, high = axis.p[[0, -1]]
    target = "target {t}" if axis.second is None else "target ({t}, {u})"
    lines = _hyperparameters(loss, ranges)
    lines += [slider("t", *targets(loss, axis)), slider("p", low, high, (low + high) / 2)]
    data = 'data-at="p" data-reading="C = {0}, ∂C/∂p = {1}"'
    data += f' data-target="{target}" data-other="{axis.targets[1]:g}"'
    return _controls(data, lines, function_of_loss(loss, code, ranges))


def targets(loss, axis):
    """The lowest and the highest target that the slider reaches, where it stands at first, and its step."""

    def is_allowed(t):
        try:
            loss.check_target(np.array([axis.target(t)], np.float64))
        except DataError:
            return False
        return True

    low, high = sorted(axis.targets)
    if not is_allowed(low + 0.3 * (high - low)):
        return low, high, axis.targets[0], high - low  # labels
    if axis.second is None and is_allowed(axis.p[0]) and is_allowed(axis.p[-1]):
        low, high = min(low, axis.p[0]), max(high, axis.p[-1])
    return low, high, axis.targets[0]


# ----------------------------------------------------------------------------------------------- both


def _function(formulas):
    plan = Plan(POINTS, 1.0, 0.0, "float64")
    values = [plan.map(each, POINTS) for each in formulas]
    return Printer(plan).function("function cynnCurve(x, p)", "[" + ", ".join(f"v{each}" for each in values) + "]")


def _hyperparameters(component, ranges):
    lines = []
    for name, declared in component.hyperparameters.items():
        if isinstance(declared.default, bool):
            lines.append(f'<label>{name} <input type="checkbox" name="{name}"></label>')
        elif name in ranges:
            lines.append(slider(name, *ranges[name], declared.default))
    return lines


def _controls(data, lines, script):
    return [f'<div class="cynn-sliders pst-js-only" {data}>', *lines, '<output class="reading"></output>', "</div>",
            "<script>", *script.splitlines(), "</script>"]  # fmt: skip


def slider(name, low, high, value, step="any"):
    bounds = f'min="{low:g}" max="{high:g}" step="{step}" value="{value:g}"'
    return f'<label>{name} <input type="range" name="{name}" {bounds}> <output>{value:g}</output></label>'
