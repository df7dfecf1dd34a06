"""Curves of activations that follow a slider: their functions in JavaScript come from the exporter of `to_js`."""

from slopes import slope

from cynn.interop.expressions import Expression, where
from cynn.interop.formulas import parse
from cynn.interop.js_file import JsPrinter
from cynn.interop.plan import Plan, column
from cynn.plugins.curves import takes_rows

POINTS = 401
Z = column(0)


class _Printer(JsPrinter):
    """Prints hyperparameters as elements of `p`."""

    def leaf(self, node):
        return f"p.{node.value}" if node.kind == "hyperparameter" else super().leaf(node)


def formula(activation):
    """f(z), with the hyperparameters as leaves; a switch chooses between two formulas."""
    cls, switch = type(activation), _switch(activation)
    if switch is not None and getattr(activation, switch) is False:
        return where(Expression("hyperparameter", (), switch), formula(cls(**{switch: True})), _parsed(activation))
    return _parsed(activation)


def _parsed(activation):
    names = {name: Expression("hyperparameter", (), name) for name in activation.hyperparameters}
    return parse(activation.c_source, {**names, "z": Z}, activation.name)


def _switch(activation):
    found = [name for name, declared in activation.hyperparameters.items() if isinstance(declared.default, bool)]
    assert len(found) <= 1
    return found[0] if found else None


def function(activation):
    """`cynnCurve(x, p)`: f and f′ at POINTS places x, with hyperparameters p."""
    plan = Plan(POINTS, 1.0, 0.0, "float64")
    f = formula(activation)
    values = [plan.map(each, POINTS) for each in (f, slope(f, Z))]
    return _Printer(plan).function("function cynnCurve(x, p)", "[" + ", ".join(f"v{each}" for each in values) + "]")


def controls(activation, ranges, width):
    """The lines of HTML for one slider per hyperparameter and one for z. Of functions of a row there are none."""
    if takes_rows(activation):
        return []
    lines = ['<div class="cynn-sliders pst-js-only">']
    for name, declared in activation.hyperparameters.items():
        if isinstance(declared.default, bool):
            lines.append(f'<label>{name} <input type="checkbox" name="{name}"></label>')
        else:
            lines.append(_slider(name, *ranges[name], declared.default))
    lines.append(_slider("z", -width, width, width / 5))
    return [*lines, '<output class="reading"></output>', "</div>", "<script>", *function(activation).splitlines(),
            "</script>"]  # fmt: skip


def _slider(name, low, high, value):
    bounds = f'min="{low:g}" max="{high:g}" step="any" value="{value:g}"'
    return f'<label>{name} <input type="range" name="{name}" {bounds}> <output>{value:g}</output></label>'
