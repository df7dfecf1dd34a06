"""The fused multiply-add over arrays: a b + c, rounded once, with the bits of `fmaf` and `fma` in C."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from cynn.interop.plan import Array

__all__ = ["fma"]


def fma(a: Array, b: Array, c: Array) -> Array:
    """a b + c, rounded once.

    Parameters
    ----------
    a, b, c : array of float32 or float64
        Arrays of one dtype, with shapes that can be broadcast.
    """
    a, b, c = np.broadcast_arrays(a, b, c)
    with np.errstate(all="ignore"):
        return _fma32(a, b, c) if a.dtype == np.float32 else _fma64(a, b, c)


def _odd_sum(a: Array, b: Array) -> Array:
    """a + b in float64, rounded to odd: an inexact sum becomes the neighbour whose last bit is 1.

    A second rounding, to fewer bits, then gives the same as a single one (Boldo and Melquiond, 2008).
    """
    total = np.asarray(a + b)
    part = total - a
    error = (a - (total - part)) + (b - part)
    is_even = (total.view(np.int64) & 1) == 0
    other = np.nextafter(total, np.where(error > 0, np.inf, -np.inf))
    return np.where((error != 0) & np.isfinite(error) & is_even, other, total)


def _fma32(a: Array, b: Array, c: Array) -> Array:
    product = a.astype(np.float64) * b.astype(np.float64)  # exact
    return _odd_sum(product, c.astype(np.float64)).astype(np.float32)


def _fma64(a: Array, b: Array, c: Array) -> Array:
    product = a * b
    low = _error_of_product(a, b, product)
    t = c + low
    part = t - c
    t_low = (c - (t - part)) + (low - part)
    v = product + t
    part = v - product
    v_low = (product - (v - part)) + (t - part)
    result = v + _odd_sum(t_low, v_low)
    result = np.where((a == 0) | (b == 0) | ~np.isfinite(product) | ~np.isfinite(c), product + c, result)
    scale = np.maximum(np.abs(product), np.abs(c))
    is_odd_size = (np.abs(product) < 1e-250) & (product != 0) | ((product == 0) & (a != 0) & (b != 0)) | (scale > 1e290)
    is_odd_size &= np.isfinite(a) & np.isfinite(b) & np.isfinite(c)
    for place in zip(*np.nonzero(is_odd_size), strict=True):  # parts of the product would be lost
        result[place] = _exactly(float(a[place]), float(b[place]), float(c[place]))
    return result


def _error_of_product(a: Array, b: Array, product: Array) -> Array:
    """The rounding error of a b (Dekker, 1971)."""
    a_high, b_high = _high(a), _high(b)
    a_low, b_low = a - a_high, b - b_high
    error: Array = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    return error


def _high(x: Array) -> Array:
    """The upper half of the bits."""
    bits = np.ascontiguousarray(x).view(np.uint64) & np.uint64(0xFFFFFFFFF8000000)
    high: Array = bits.view(np.float64).reshape(x.shape)
    return high


def _exactly(a: float, b: float, c: float) -> float:
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    if exact == 0:
        return a * b + c
    try:
        return float(exact)
    except OverflowError:
        return float("inf") if exact > 0 else float("-inf")
