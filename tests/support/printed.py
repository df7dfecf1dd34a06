"""Whether code printed what a page shows."""

import re

_DECIMAL = re.compile(r"[-+]?\d+(?:\.\d*)?[eE][-+]?\d+|[-+]?\d+\.\d*")


def agrees(printed, shown):
    """The same words and whole numbers; decimals up to five units of the last digit that is shown, or to 5 %.

    Another processor has other last digits, which a training magnifies.
    """
    if _DECIMAL.sub("0.", printed).split() != _DECIMAL.sub("0.", shown).split():
        return False
    return all(
        abs(float(found) - float(expected)) <= max(5.01 * _last_digit(expected), 0.05 * abs(float(expected)))
        for found, expected in zip(_DECIMAL.findall(printed), _DECIMAL.findall(shown), strict=True)
    )


def _last_digit(number):
    """The size of a unit of the last digit: 0.01 of "1.25"."""
    mantissa, _, exponent = number.lower().partition("e")
    return 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
