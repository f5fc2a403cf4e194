"""The samplers of `truncated.py` for float32, with all 32 bits of the word on their way.

A float32 has 24 bits. Were a word rounded to them, 256 words in a row would share one quantile and its rounding errors,
and values would come in irregular steps of up to one and a half float32 numbers: chi-squared sees that in a billion
draws. So the quantile is computed at another word y, which a float32 holds, and the value goes the rest of the way,
d = x - y, along the quantile's slope. And y isn't the nearest such word: the low byte b of x chooses one of 256,
y = x - b·(stride + 1) with a stride of 256 or more. So at each value the rounding errors of hundreds of quantiles meet,
and average out to a few hundredths of a number.

A probability or a slope has an error of its own here, but over a distance of at most 2**-16 of the whole probability:
two or three digits of the slope are enough. Where a tail is so thin that the quantile bends over that distance, a word
has 28 bits or fewer, and d is 0.

Symmetric bounds within 2.1 std don't need it: they are counted from the middle, and their bins are the widest.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .device import device_function, fma, sqrt
from .polynomial import polynomial
from .quantile import centre_ratio, clamp, half_normal_ratio, minus_log2
from .samplers import word_sampler

ZERO, QUARTER, HALF, ONE = map(np.float32, (0.0, 0.25, 0.5, 1.0))
UNIT, HALF_UNIT = np.float32(2.0**-32), np.float32(2.0**-33)
STRIDE = np.float32(256)
STEP = np.float32(257 * 2.0**-32)
BYTE, TOP, NONE = np.uint32(255), np.uint32(2**31), np.uint32(0)
THIN, BULK = np.uint32(2**28), np.uint32(2**32 - 2**29)

# Least squares where the quantile is: errors 0.2 %, and 0.013 of a slope from 2.5 to 23.
_hazard = polynomial(np.float32, -0.30352345, 1.0672712, 0.03324217)
_slope = polynomial(np.float32, 66.11800923, -89.3281592, 45.84453384, -10.50790002, 0.95645801)


@device_function
def other_word(n: Any) -> Any:
    """(y, b) with n = y + b·(STRIDE + 1), for a word counted from a thin end."""
    b = np.uint32(n & BYTE) if n >= THIN else NONE
    low = np.float32(np.int32(b))
    return fma(low, -STRIDE, np.float32(np.uint32(n - b))), low


@device_function
def total(start: Any, factor: Any, scale: Any, low: Any) -> Any:
    """start + factor·scale + low rounded once, as if in twice the digits; `start` is a multiple of their last ones.

    A sum rounded before it is added to `start` often lies midway between two numbers, whose even one it becomes.
    """
    offset = fma(factor, scale, low)
    lost = fma(factor, scale, -offset) + low
    value = start + offset
    return value + ((offset - (value - start)) + lost)


@word_sampler
def truncated_lopsided(x: Any, mean: Any, rest: Any, std: Any, step: Any, stride: Any, correction: Any, middle: Any,
                       smallest: Any, largest: Any) -> Any:
    """Both bounds within 2.1 std of the mean, not symmetric: one rational function, as in `truncated_centre`.

    t = Φ(z) - 1/2 = s·step + middle, counted from the middle. The slope 1/φ(z) is a polynomial in z/t.
    """
    b = np.float32(np.int32(np.uint32(x & BYTE)))
    s = np.float32(np.int32(np.uint32(np.uint32(x | BYTE) ^ np.uint32(TOP | BYTE))))
    t = fma(fma(b, -stride, s), step, middle)
    ratio = centre_ratio(fma(-t, t, QUARTER))
    return clamp(mean + fma(t * ratio, std, fma(_slope(ratio), b * correction, rest)), smallest, largest)


@word_sampler
def truncated_wide(x: Any, mean: Any, rest: Any, std: Any, step: Any, correction: Any, turn: Any, lower: Any,
                   lower_middle: Any, upper: Any, upper_middle: Any, smallest: Any, largest: Any) -> Any:
    """Any interval that holds the mean, or ends near it: the quantile of the nearer tail, from its own probability.

    Words below the middle plus `turn` belong to the lower tail, twice whose probability is v = n·step + lower, and
    v - 1 is n·step + lower_middle; the upper one counts from the last word down. The slope in v is 1/(hazard·v), the
    hazard φ(z)/S(z) a polynomial in sqrt(1 + ell); one division serves it and g.
    """
    below = np.float32(np.int32(np.uint32(x ^ TOP))) < turn
    n = np.uint32(x if below else np.uint32(~x))
    y, b = other_word(n)
    v = fma(y, step, lower if below else upper)
    ell = minus_log2(v, fma(y, step, lower_middle if below else upper_middle))
    root = sqrt(ONE + ell)
    divisor, descent = ONE + root, v * _hazard(root)
    inverse = ONE / (divisor * descent)
    g = inverse * descent
    z = ell * g * half_normal_ratio(g)
    std = -std if below else std
    back = (divisor * inverse) * (b * correction)
    return clamp(total(mean, z, std, fma(-back, std, rest)), smallest, largest)


@word_sampler
def truncated_tail(x: Any, bound: Any, rest: Any, direction: Any, step: Any, correction: Any, survival: Any,
                   curvature: Any, rate: Any, h0: Any, h1: Any, h2: Any, slope: Any, p0: Any, p1: Any, p2: Any,
                   p3: Any, p4: Any, p5: Any, p6: Any, p7: Any, p8: Any, p9: Any, p10: Any, smallest: Any,
                   largest: Any) -> Any:
    """An interval away from the mean: bound + offset, from ell = -log2 of the part of the tail that remains.

    That part is v = 1 - u·(1 - ρ), ρ the tail beyond the farther bound over the tail beyond the nearer one. With
    A² = -2·log(S) at the nearer bound the offset is close to sqrt(A² + 2·ln(2)·ell) - A; what it is exactly is
    ell·(slope + p(q)) for q = ell·g², g = 1/(1 + sqrt(1 + ell·curvature)), where p is small unless A is. Its slope in v
    is rate/(h(ell)·v). `direction` is 1 if the nearer bound is the lower one and -1 if it is the upper one.
    """
    m = np.uint32(x if direction < ZERO else np.uint32(~x))
    b = np.uint32(m & BYTE) if np.uint32(m - THIN) < BULK else NONE
    y = np.uint32(m - np.uint32(np.uint32(b << np.uint32(8)) + b))
    v = fma(np.float32(y), step, survival)
    ell = minus_log2(v, -fma(np.float32(np.uint32(~y)), step, HALF * step))
    divisor, descent = ONE + sqrt(fma(ell, curvature, ONE)), v * fma(fma(h2, ell, h1), ell, h0)
    inverse = ONE / (divisor * descent)
    g = inverse * descent
    q = ell * g * g
    p = fma(fma(fma(fma(fma(p10, q, p9), q, p8), q, p7), q, p6), q, p5)
    p = fma(fma(fma(fma(fma(p, q, p4), q, p3), q, p2), q, p1), q, p0)
    back = (divisor * inverse) * (np.float32(np.int32(b)) * correction)
    return clamp(total(bound, ell, slope, fma(ell, p, fma(-back, rate, rest))), smallest, largest)


@word_sampler
def truncated_narrow(x: Any, bound: Any, rest: Any, direction: Any, p0: Any, p1: Any, p2: Any, p3: Any, p4: Any,
                     p5: Any, p6: Any, p7: Any, p8: Any, p9: Any, s0: Any, s1: Any, s2: Any, s3: Any, smallest: Any,
                     largest: Any) -> Any:
    """An interval over which the density changes little: bound + u·p(u - 1/2), or the same in 1 - u.

    Its slope is s(u - 1/2). `direction` is 1 for the lower bound and u, -1 for the upper and 1 - u.
    """
    n = np.uint32(np.uint32(~x) if direction < ZERO else x)
    y, b = other_word(n)
    u = fma(y, UNIT, HALF_UNIT)
    h = u - HALF
    p = fma(fma(fma(fma(fma(p9, h, p8), h, p7), h, p6), h, p5), h, p4)
    p = fma(fma(fma(fma(p, h, p3), h, p2), h, p1), h, p0)
    s = fma(fma(fma(s3, h, s2), h, s1), h, s0)
    return clamp(total(bound, p, u, fma(s, b * STEP, rest)), smallest, largest)
