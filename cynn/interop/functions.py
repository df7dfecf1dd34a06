"""Functions of one number as formulas of products, sums and powers of two: the same bits with any compiler.

The range reductions are those of Cody and Waite, the polynomials those of cynn/vector_math.h, and for sine, cosine and
tanh in float64 those of Cephes (Moshier). `pow2(k)` and `exponent(x)` work on the bits of a number, in each language in
another way.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from cynn.interop.expressions import Expression, call, number, where

__all__ = ["ONLY_WITH_FMA", "PRIMITIVES", "body"]

#: Functions on the bits, which have no formula.
PRIMITIVES = ("exponent", "fabs", "pow2", "sqrt")
#: Functions whose formulas need an `fma`.
ONLY_WITH_FMA = ("cos", "erfc", "sin")

X = Expression("x")


class _Type(NamedTuple):
    """The constants that differ between the two dtypes."""

    magic: float  # 1.5 times 2 to the bits of the mantissa: adding it rounds to a whole number
    most: float  # from here on exp is infinity
    least: float  # below this exp is 0
    log2: tuple[float, float]  # log(2) in two parts, the first with few bits
    smallest: float  # the smallest normal number
    raise_bits: float
    half_pi: tuple[float, ...]


_TYPES = {
    "float32": _Type(
        12582912.0, 89.0, -105.0, (0.693359375, -2.12194440e-4), 1.17549435e-38, 23.0,
        (1.5707963705062866, -4.371138828673793e-08, -1.7151245100058819e-15),
    ),
    "float64": _Type(
        6755399441055744.0, 710.0, -746.0, (6.93145751953125e-1, 1.42860682030941723212e-6), 2.2250738585072014e-308,
        52.0, (1.5707963267948966, 6.123233995736766e-17, -1.4973849048591698e-33),
    ),
}  # fmt: skip


def polynomial(x: Expression, coefficients: Sequence[float]) -> Expression:
    """A polynomial, with the coefficient of the highest power first."""
    total = number(coefficients[0])
    for each in coefficients[1:]:
        total = total * x + each
    return total


def _rounded(x: Expression, magic: float) -> Expression:
    return (x + magic) - magic


def _scaled(y: Expression, n: Expression, magic: float) -> Expression:
    """y 2^n by two factors that are normal numbers, so that denormal results and overflow are right."""
    half = _rounded(n * 0.5, magic)
    return y * call("pow2", half) * call("pow2", n - half)


def _expm1_near(r: Expression, dtype: str) -> Expression:
    """exp(r) - 1 for |r| <= log(2) / 2."""
    if dtype == "float32":
        p = polynomial(r, [1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1,
                           5.0000001201e-1])  # fmt: skip
        return p * (r * r) + r
    square = r * r
    p = r * polynomial(
        square, [1.26177193074810590878e-4, 3.02994407707441961300e-2, 9.99999999999999999910e-1]
    )
    q = polynomial(
        square, [3.00198505138664455042e-6, 2.52448340349684104192e-3, 2.27265548208155028766e-1, 2.0]
    )
    return 2.0 * (p / (q - p))


def _exp(dtype: str) -> Expression:
    t = _TYPES[dtype]
    x = where(X.compared(">", t.most), t.most, X)
    x = where(x.compared("<", t.least), t.least, x)
    n = _rounded(x * (1 / math.log(2)), t.magic)
    r = x - n * t.log2[0]
    r = r - n * t.log2[1]
    return _scaled(_expm1_near(r, dtype) + 1.0, n, t.magic)


def _expm1(dtype: str) -> Expression:
    near, far = _expm1_near(X, dtype), call("exp", X) - 1.0
    is_near = Expression("&&", (X.compared(">", -0.34), X.compared("<", 0.34)))
    return where(is_near, near, far)


_LOG = {
    "float32": [0.2333069667, 0.2855081238, 0.4000012191, 0.6666666655],
    "float64": [0.130869078879650275, 0.132687461955965946, 0.153862407089696642, 0.181817956216327823,
                0.222222223918870656, 0.28571428570802848, 0.400000000000008782, 0.666666666666666665],
}  # fmt: skip


def _log(dtype: str) -> Expression:
    t = _TYPES[dtype]
    is_small = X.compared("<", t.smallest)
    normal = where(is_small, X * 2.0**t.raise_bits, X)
    n = call("exponent", normal)
    m = _scaled(normal, -n, t.magic)
    is_large = m.compared(">", math.sqrt(2))
    f = where(is_large, m * 0.5, m) - 1.0
    n = (where(is_large, n + 1.0, n)) - where(is_small, t.raise_bits, 0.0)
    s, half = f / (2.0 + f), 0.5 * f * f
    square = s * s
    p = polynomial(square, _LOG[dtype])
    result = f - (half - (s * (half + square * p) + n * t.log2[1])) + n * t.log2[0]
    result = where(X.compared("==", 0.0), -math.inf, result)
    result = where(X.compared("<", 0.0), math.nan, result)
    return where(X.compared("<", math.inf), result, X)


def _log1p(dtype: str) -> Expression:
    """log(u) for u = 1 + x, plus the rounding error of u divided by u."""
    u = X + 1.0
    is_inside = Expression("&&", (u.compared(">", 0.0), u.compared("<", math.inf)))
    return call("log", u) + where(is_inside, (X - (u - 1.0)) / u, 0.0)


def _tanh(dtype: str) -> Expression:
    magnitude = call("fabs", X)
    far = 1.0 - 2.0 / (call("exp", 2.0 * magnitude) + 1.0)
    square = X * X
    if dtype == "float32":
        p = polynomial(square, [-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1,
                                -3.33332819422e-1])  # fmt: skip
        near = (p * square) * X + X
    else:
        p = polynomial(square, [-9.64399179425052238628e-1, -9.92877231001918586564e1, -1.61468768441708447952e3])
        q = polynomial(square, [1.0, 1.12811678491631932402e2, 2.23548839060100448583e3, 4.84406305325125486048e3])
        near = (p / q * square) * X + X
    return where(magnitude.compared("<", 0.625), near, where(X.compared("<", 0.0), -far, far))


_ERFC = {
    "float32": [2.686109285e-5, -0.0003622954924, -0.00124995839, 0.001273455174, 0.008635760434, -0.008045565182,
                -0.05420453925, 0.1640534215, -0.1660314027, -0.09276391145, 1.276978393],
    "float64": [-1.82060986803086833e-9, -1.36709898633473824e-8, -7.71541861441783013e-9, 1.15349437457541573e-7,
                6.27072715719831088e-8, -8.35161968869684708e-7, 3.01350499448753948e-7, 5.7178872846321852e-6,
                -0.0000112247891351547007, -0.000024403169244974075, 0.000150622243948302992,
                -0.000199255507556149521, -0.000757773341413330045, 0.00503196975589542611, -0.0161977340591150071,
                0.037167515562492866, -0.0663303658115293841, 0.0937328349967941159, -0.101039066036352132,
                0.0680970542547373239, 0.0153796521026207413, -0.139621116840562894, 1.23299511862555251],
}  # fmt: skip


def _erfc(dtype: str) -> Expression:
    """exp(-x²) g(t) / (1 + 2 |x|); the rounding error of x² matters, and an `fma` computes it."""
    most, k = (10.5, 2.0) if dtype == "float32" else (28.0, 4.0)
    magnitude = call("fabs", X)
    magnitude = where(magnitude.compared(">", most), most, magnitude)
    square = magnitude * magnitude
    error = magnitude * magnitude - square
    g = polynomial((magnitude - k) / (magnitude + k), _ERFC[dtype])
    y = call("exp", -square) * ((g - g * error) / (2.0 * magnitude + 1.0))
    return where(X.compared("<", 0.0), 2.0 - y, y)


_SIN = {
    "float32": [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1],
    "float64": [1.58962301576546568060e-10, -2.50507477628578072866e-8, 2.75573136213857245213e-6,
                -1.98412698295895385996e-4, 8.33333333332211858878e-3, -1.66666666666666307295e-1],
}  # fmt: skip
_COS = {
    "float32": [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2],
    "float64": [-1.13585365213876817300e-11, 2.08757008419747316778e-9, -2.75573141792967388112e-7,
                2.48015872888517045348e-5, -1.38888888888730564116e-3, 4.16666666666665929218e-2],
}  # fmt: skip


def _sine(dtype: str, quarters: float) -> Expression:
    """sin(x + quarters π/2), within 2 ULP for |x| up to 30,000; subtracts a multiple of π/2, in three parts."""
    t = _TYPES[dtype]
    n = _rounded(X * (2 / math.pi), t.magic)
    r = X
    for part in t.half_pi:
        r = r - n * part
    square = r * r
    sine = (polynomial(square, _SIN[dtype]) * square) * r + r
    cosine = polynomial(square, _COS[dtype]) * (square * square) + (square * -0.5 + 1.0)
    n = n + quarters
    quadrant = n - 4.0 * _rounded(n * 0.25, t.magic)  # -2 to 2
    is_half_turn = call("fabs", quadrant).compared("==", 2.0)
    result = where(quadrant.compared("==", 1.0), cosine, where(quadrant.compared("==", -1.0), -cosine, sine))
    return where(is_half_turn, -sine, result)


@cache
def body(name: str, dtype: str) -> Expression:
    """The formula of a function of `X`.

    Parameters
    ----------
    name : str
        Such as "exp".
    dtype : {"float32", "float64"}
        The dtype of the computation.
    """
    if name in ("sin", "cos"):
        return _sine(dtype, 0.0 if name == "sin" else 1.0)
    return {"exp": _exp, "expm1": _expm1, "log": _log, "log1p": _log1p, "tanh": _tanh, "erfc": _erfc}[name](dtype)
