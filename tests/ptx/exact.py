"""Fused multiply-add on arrays, rounded once, by error-free transformations: no instruction or library is trusted.

A sum that is kept with a sticky last bit ("rounded to odd") can be rounded again to fewer bits as if it had been exact:
Boldo and Melquiond, "Emulation of a FMA and correctly rounded sums: proved algorithms using rounding to odd", IEEE
Transactions on Computers 57, 2008.
"""

import math
from fractions import Fraction

import numpy as np

SPLITTER = 2.0**27 + 1


def fma(a, b, c):
    """a·b + c for arrays of float32 or of float64."""
    if a.dtype == np.float32:
        # the product of two 24-bit numbers fits into 53 bits, and double's exponents hold any product of singles
        return _odd_sum(a.astype(np.float64) * b, c.astype(np.float64)).astype(np.float32)
    a, b, c = np.broadcast_arrays(a, b, c)
    product = a * b
    upper, lower = _two_sum(c, _product_error(a, b, product))
    top, rest = _two_sum(product, upper)
    special = (a == 0) | (b == 0) | ~np.isfinite(a) | ~np.isfinite(b) | ~np.isfinite(c)
    result = np.where(special, product + c, top + _odd_sum(rest, lower))
    result = np.where(np.isinf(c) & np.isfinite(a) & np.isfinite(b), c, result)  # even where the product overflows
    (ea, eb, ec) = (np.frexp(x)[1] for x in (a, b, c))
    # beyond the exponents for which these transformations are free of error: one by one
    unsafe = ~special & ((ea + eb < -900) | (ea + eb > 990) | (ea > 990) | (eb > 990) | (ec > 990))
    for i in zip(*np.nonzero(unsafe)):
        result[i] = _rounded(Fraction(a[i]) * Fraction(b[i]) + Fraction(c[i]))
    return result


def _rounded(fraction):
    try:
        return float(fraction)
    except OverflowError:
        return math.inf if fraction > 0 else -math.inf


def _two_sum(a, b):
    """The rounded sum and what rounding lost, exactly (Knuth)."""
    total = a + b
    other = total - a
    return total, (a - (total - other)) + (b - other)


def _product_error(a, b, product):
    """a·b - product, exactly (Dekker), for products whose parts neither overflow nor underflow."""
    a_high = SPLITTER * a - (SPLITTER * a - a)
    b_high = SPLITTER * b - (SPLITTER * b - b)
    a_low, b_low = a - a_high, b - b_high
    return a_low * b_low - (((product - a_high * b_high) - a_low * b_high) - a_high * b_low)


def _odd_sum(a, b):
    """a + b, rounded to odd: where it is inexact, the neighbour whose last bit is 1."""
    total, error = _two_sum(a, b)
    even = (total.view(np.uint64) & np.uint64(1)) == 0
    # an even neighbour with an error: the odd one lies a step towards the exact sum
    moved = np.nextafter(total, np.copysign(np.inf, error))
    return np.where(even & (error != 0) & np.isfinite(total), moved, total)
