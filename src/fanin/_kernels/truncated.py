"""Words to a normal law cut off at two bounds: the inverse CDF, in the form that is accurate for each kind of interval.

z = Φ⁻¹(Φ(a) + u·(Φ(b) − Φ(a))) with u = (x + 1/2)·2**-32 (2**-64), where a < b are the bounds in std units: one word
makes one number, values increase with the word, nothing is rejected. `_plans/truncation.py` says which sampler serves
which bounds and computes its parameters. Each sampler ends with a clamp to [smallest, largest]. `truncated_centre` is
for both precisions, the others for float64: `truncated_single.py` has those for float32, where a word needs more care.

Where the mean lies inside, the value is mean + z·std; elsewhere it is bound + offset, since a difference of two large z
has no accurate digits left. `rest` is what rounding the mean (or the bound) to the computing type lost.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .device import by_precision, device_function, fma, sqrt
from .polynomial import constants
from .quantile import centre_ratio, clamp, half_normal_ratio, minus_log2
from .samplers import word_sampler

ZERO, HALF, ONE = map(np.float64, (0.0, 0.5, 1.0))
_quarter = constants(0.25)

# -- words to numbers -------------------------------------------------------------------------------------------------


@device_function
def counts(x: Any) -> Any:
    """The word and its complement: n and m with u = (n + 1/2)·2**-64 and 1 - u = (m + 1/2)·2**-64."""
    return np.float64(x), np.float64(np.uint64(~x))


@device_function
def _signed_single(x: Any) -> Any:
    return np.float32(np.int32(np.uint32(x ^ np.uint32(0x80000000))))


@device_function
def _signed_double(x: Any) -> Any:
    return np.float64(np.int64(np.uint64(x ^ np.uint64(0x8000000000000000))))


@by_precision(_signed_single, _signed_double)
def signed(x: Any) -> Any:
    """The word counted from the middle: s with u - 1/2 = (s + 1/2)·2**-32 (2**-64)."""


@device_function
def fraction(x: Any) -> Any:
    """u = (x + 1/2)·2**-64 for a word as a float."""
    return fma(x, np.float64(2.0**-64), np.float64(2.0**-65))


# -- samplers ---------------------------------------------------------------------------------------------------------


@word_sampler
def truncated_centre(x: Any, mean: Any, rest: Any, std: Any, step: Any, middle: Any, smallest: Any,
                     largest: Any) -> Any:
    """Both bounds within 2.1 std of the mean, as in variance scaling: one rational function, no logarithm.

    t = Φ(z) - 1/2 = s·step + middle, counted from the middle, so that symmetric bounds lose nothing near the mean.
    """
    t = fma(signed(x), step, middle)
    (quarter,) = _quarter(t)
    z = t * centre_ratio(fma(-t, t, quarter))
    return clamp(mean + fma(z, std, rest), smallest, largest)


@word_sampler
def truncated_wide(x: Any, mean: Any, rest: Any, std: Any, step: Any, lower: Any, upper: Any, middle: Any,
                   smallest: Any, largest: Any) -> Any:
    """Any interval that holds the mean, or ends near it: the quantile of the nearer tail, from its own probability.

    Twice the two tail probabilities are n·step + lower and m·step + upper; their difference, 2·Φ(z) - 1, is
    n·step + middle.
    """
    n, m = counts(x)
    t = fma(n, step, middle)
    below, above = fma(n, step, lower), fma(m, step, upper)
    ell = minus_log2(below if below < above else above, t if t < ZERO else -t)
    g = ONE / (ONE + sqrt(ONE + ell))
    z = ell * g * half_normal_ratio(g)
    return clamp(mean + fma(z if t > ZERO else -z, std, rest), smallest, largest)


@word_sampler
def truncated_tail(x: Any, bound: Any, rest: Any, direction: Any, step: Any, survival: Any, curvature: Any,
                   slope: Any, p0: Any, p1: Any, p2: Any, p3: Any, p4: Any, p5: Any, p6: Any, p7: Any, p8: Any,
                   p9: Any, p10: Any, smallest: Any, largest: Any) -> Any:
    """An interval away from the mean: bound + offset, from ell = -log2 of the part of the tail that remains.

    That part is v = 1 - u·(1 - ρ), ρ the tail beyond the farther bound over the tail beyond the nearer one. With
    A² = -2·log(S) at the nearer bound the offset is close to sqrt(A² + 2·ln(2)·ell) - A; what it is exactly is
    ell·(slope + p(q)) for q = ell·g², g = 1/(1 + sqrt(1 + ell·curvature)), where p is small unless A is.
    `direction` is 1 if the nearer bound is the lower one and -1 if it is the upper one.
    """
    n, m = counts(x)
    mirrored = direction < ZERO
    n, m = m if mirrored else n, n if mirrored else m
    ell = minus_log2(fma(m, step, survival), -fma(n, step, HALF * step))
    g = ONE / (ONE + sqrt(fma(ell, curvature, ONE)))
    q = ell * g * g
    p = fma(fma(fma(fma(fma(p10, q, p9), q, p8), q, p7), q, p6), q, p5)
    p = fma(fma(fma(fma(fma(p, q, p4), q, p3), q, p2), q, p1), q, p0)
    return clamp(bound + fma(ell, slope, fma(ell, p, rest)), smallest, largest)


@word_sampler
def truncated_narrow(x: Any, bound: Any, rest: Any, direction: Any, p0: Any, p1: Any, p2: Any, p3: Any,
                     p4: Any, p5: Any, p6: Any, p7: Any, p8: Any, p9: Any, smallest: Any, largest: Any) -> Any:
    """An interval over which the density changes little: bound + u·p(u - 1/2), or the same in 1 - u.

    `direction` is 1 for the lower bound and u, -1 for the upper bound and 1 - u.
    """
    n, m = counts(x)
    u = fraction(m if direction < ZERO else n)
    h = u - HALF
    p = fma(fma(fma(fma(fma(p9, h, p8), h, p7), h, p6), h, p5), h, p4)
    p = fma(fma(fma(fma(p, h, p3), h, p2), h, p1), h, p0)
    return clamp(bound + fma(p, u, rest), smallest, largest)
