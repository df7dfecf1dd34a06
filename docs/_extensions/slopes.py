"""The derivative of a formula, as a formula: for curves in the page that are redrawn as a hyperparameter moves."""

import math

from cynn.interop.expressions import call, number, where

#: The derivative of each function at x.
FUNCTIONS = {
    "cos": lambda x: -call("sin", x),
    "erfc": lambda x: -2 / math.sqrt(math.pi) * call("exp", -(x * x)),
    "exp": lambda x: call("exp", x),
    "expm1": lambda x: call("exp", x),
    "fabs": lambda x: where(x.compared("<", 0.0), -1.0, 1.0),
    "log": lambda x: 1 / x,
    "log1p": lambda x: 1 / (1 + x),
    "sin": lambda x: call("cos", x),
    "sqrt": lambda x: 0.5 / call("sqrt", x),
    "tanh": lambda x: 1 - call("tanh", x) * call("tanh", x),
}


def slope(formula, z):
    """The derivative by a leaf z; where pieces meet, it is that of the piece to which the point belongs."""
    if formula == z:
        return number(1.0)
    if not any(node == z for node in formula.nodes()):
        return number(0.0)
    arguments = formula.arguments
    if formula.kind == "where":
        return where(arguments[0], *[slope(each, z) for each in arguments[1:]])
    if formula.kind == "call":
        return FUNCTIONS[formula.value](arguments[0]) * slope(arguments[0], z)
    if formula.kind == "negate":
        return -slope(arguments[0], z)
    (a, b), (da, db) = arguments, [slope(each, z) for each in arguments]
    if formula.kind == "+":
        return da + db
    if formula.kind == "-":
        return da - db
    if formula.kind == "*":
        return da * b + a * db
    return (da * b - a * db) / (b * b)
