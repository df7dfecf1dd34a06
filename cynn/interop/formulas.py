"""Reads formulas that are written as expressions of C: `z < 0 ? alpha * expm1(z) : z`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from cynn.errors import InvalidParameterError, did_you_mean, shown
from cynn.interop.expressions import Expression, call, number, where

__all__ = ["FUNCTIONS", "REDUCTIONS", "parse"]

#: Functions of one number.
FUNCTIONS = ("cos", "erfc", "exp", "expm1", "fabs", "log", "log1p", "sin", "sqrt", "tanh")
#: Functions of a whole row. row_threshold(z) is the t for which the sum of max(z - t, 0) is 1.
REDUCTIONS = ("row_max", "row_mean", "row_min", "row_sum", "row_threshold")

_TOKEN = re.compile(r"\s*((?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?[fF]?|[A-Za-z_]\w*|[<>=!]=|&&|\|\||[-+*/()<>?:,])")
_LEVELS = (("||",), ("&&",), ("==", "!="), ("<", "<=", ">", ">="), ("+", "-"), ("*", "/"))


def parse(
    text: str,
    names: Mapping[str, Expression],
    owner: str,
    functions: Mapping[str, Callable[[Expression], Expression]] | None = None,
) -> Expression:
    """Parse a formula.

    Parameters
    ----------
    text : str
        An expression of C with these names and the functions in `FUNCTIONS` and `REDUCTIONS`.
    names : mapping of str to Expression
        The expression for each name.
    owner : str
        The owner of the formula, for messages.
    functions : mapping of str to callable, optional
        What a call of a function by another name is: a function of the argument.
    """
    return _Parser(text, names, owner, functions or {}).whole()


class _Parser:
    def __init__(
        self,
        text: str,
        names: Mapping[str, Expression],
        owner: str,
        functions: Mapping[str, Callable[[Expression], Expression]],
    ) -> None:
        self.text = text
        self.names = names
        self.owner = owner
        self.functions = functions
        self.place = 0

    def whole(self) -> Expression:
        found = self._conditional()
        if self.text[self.place :].strip():
            raise self._mistake()
        return found

    def _mistake(self) -> InvalidParameterError:
        rest = self.text[self.place :].strip()
        return InvalidParameterError(
            f"The c_source of {self.owner} must be an expression of C. Got {shown(rest or 'its end')} in "
            f"{shown(self.text)} where something else must be."
        )

    def _next(self, *allowed: str) -> str | None:
        """Take the next token if it is one of these, or any."""
        found = _TOKEN.match(self.text, self.place)
        if found is None or (allowed and found[1] not in allowed):
            return None
        self.place = found.end()
        return found[1]

    def _expect(self, token: str) -> None:
        if self._next(token) is None:
            raise self._mistake()

    def _conditional(self) -> Expression:
        condition = self._level(0)
        if self._next("?") is None:
            return condition
        a = self._conditional()
        self._expect(":")
        return where(condition, a, self._conditional())

    def _level(self, level: int) -> Expression:
        if level == len(_LEVELS):
            return self._unary()
        left = self._level(level + 1)
        while (operator := self._next(*_LEVELS[level])) is not None:
            right = self._level(level + 1)
            if operator in ("&&", "||"):
                left = Expression(operator, (left, right))
            elif operator in ("+", "-", "*", "/"):
                left = {"+": left.__add__, "-": left.__sub__, "*": left.__mul__, "/": left.__truediv__}[operator](right)
            else:
                left = left.compared(operator, right)
        return left

    def _unary(self) -> Expression:
        if self._next("-") is not None:
            return -self._unary()
        if self._next("+") is not None:
            return self._unary()
        token = self._next()
        if token == "(":
            inner = self._conditional()
            self._expect(")")
            return inner
        if token is not None and (token[0].isdigit() or token[0] == "."):
            return number(float(token.rstrip("fF")))
        if token is None or not (token[0].isalpha() or token[0] == "_"):
            raise self._mistake()
        if self._next("(") is not None:
            return self._call(token)
        if token not in self.names:
            raise self._unknown("name", token, list(self.names))
        return self.names[token]

    def _call(self, name: str) -> Expression:
        known = [*FUNCTIONS, *REDUCTIONS, *self.functions]
        if name.removesuffix("f") in FUNCTIONS:
            name = name.removesuffix("f")
        if name not in known:
            raise self._unknown("function", name, known)
        argument = self._conditional()
        self._expect(")")
        return self.functions[name](argument) if name in self.functions else call(name, argument)

    def _unknown(self, what: str, name: str, known: list[str]) -> InvalidParameterError:
        return InvalidParameterError(
            f"Each {what} in the c_source of {self.owner} must be one of {', '.join(known)}. Got {shown(name)} instead."
            f"{did_you_mean(name, known)}"
        )
