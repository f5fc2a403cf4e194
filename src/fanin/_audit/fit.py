"""Tests of a histogram against a law's distribution function: p-values in closed form, with numpy and `math` alone.

Four tests share the budget: Kolmogorov-Smirnov, Neyman's smooth test with Legendre polynomials, chi-squared in cells of
about equal probability, and, where the law has no ends, the largest value. Parameters that were estimated from the same
values make the first three reject less often than they say, never more.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .._types import Array

DEGREES = 6  # of the smooth test; even, as `chi2_tail` needs
CELLS = 257  # of chi-squared, at most
PER_CELL = 16  # values that a cell expects, at least


def p_value(lower: Array, upper: Array, counts: Array, cdf: Callable[[Array], Array], tests: int = 3) -> float:
    """How often a histogram so unlike the law, or more, comes from the law: at most this.

    Args:
        lower, upper: the edges of the bins that hold something.
        counts: how many values each holds.
        cdf: the law's distribution function.
        tests: how many share the budget; the caller may have one of its own.
    """
    below, above = cdf(lower), cdf(upper)
    total = int(counts.sum())
    cumulative = np.cumsum(counts)
    smallest = min(_kolmogorov(below, above, counts, cumulative), _smooth(below, above, counts, total),
                   _chi_squared(above, cumulative, total))
    return min(1.0, tests * smallest)


def distance_p(lower: Array, upper: Array, counts: Array, cdf: Callable[[Array], Array], allowed: float) -> float:
    """The same by Kolmogorov and Smirnov's test alone, with a distance that the law itself may have."""
    return _kolmogorov(cdf(lower), cdf(upper), counts, np.cumsum(counts), allowed)


def _kolmogorov(below: Array, above: Array, counts: Array, cumulative: Array, allowed: float = 0.0) -> float:
    """The largest distance between the two distribution functions, at the bins' edges."""
    total = int(cumulative[-1])
    distance = max(np.abs(above - cumulative / total).max(), np.abs(below - (cumulative - counts) / total).max())
    return kolmogorov_tail((math.sqrt(total) + 0.12 + 0.11 / math.sqrt(total)) * max(float(distance) - allowed, 0.0))


def kolmogorov_tail(distance: float) -> float:
    """P(√n·D >= distance) for large n (Kolmogorov 1933).

    >>> round(kolmogorov_tail(1.3581), 4)
    0.05
    """
    if distance < 0.3:
        return 1.0
    terms = (2 * (-1) ** (k - 1) * math.exp(-2 * k * k * distance * distance) for k in range(1, 20))
    return min(1.0, max(0.0, sum(terms)))


def _smooth(below: Array, above: Array, counts: Array, total: int) -> float:
    """Neyman's smooth test: the means of Legendre polynomials of the probability integral transform.

    A bin's mean is Simpson's rule over its probabilities.
    """
    values = [(_legendre(2 * below - 1), 1), (_legendre(below + above - 1), 4), (_legendre(2 * above - 1), 1)]
    means = sum(weight * (polynomials @ counts) for polynomials, weight in values) / (6 * total)
    scale = 2 * np.arange(1, DEGREES + 1) + 1
    return chi2_tail(float(total * (scale * means**2).sum()), DEGREES)


def _legendre(t: Array) -> Array:
    """The Legendre polynomials of degrees 1, 2, …, by the three-term recurrence."""
    rows = [np.ones_like(t), t]
    for k in range(1, DEGREES):
        rows.append(((2 * k + 1) * t * rows[k] - k * rows[k - 1]) / (k + 1))
    return np.array(rows[1:])


def _chi_squared(above: Array, cumulative: Array, total: int) -> float:
    """Pearson's test in cells of about equal probability, whose borders are edges of bins."""
    cells = min(CELLS, total // PER_CELL)
    if cells < 3:
        return 1.0
    borders = np.unique(np.searchsorted(above, np.arange(1, cells) / cells))
    borders = borders[borders < len(above) - 1]
    expected = np.diff(np.concatenate([[0.0], above[borders], [1.0]])) * total
    observed = np.diff(np.concatenate([[0], cumulative[borders], [total]]))
    if (expected <= 0).any():
        return 0.0 if observed[expected <= 0].any() else 1.0
    statistic = float(((observed - expected) ** 2 / expected).sum())
    freedom = len(expected) - 1
    return chi2_tail(statistic, freedom + freedom % 2)


def chi2_tail(statistic: float, freedom: int) -> float:
    """P(X >= statistic) for chi-squared with an even number of degrees of freedom, a finite sum.

    >>> round(chi2_tail(12.592, 6), 4)
    0.05
    """
    half = statistic / 2
    if half <= 0 or not freedom:
        return 1.0
    logs = [k * math.log(half) - math.lgamma(k + 1) for k in range(freedom // 2)]
    top = max(logs)
    return min(1.0, math.exp(min(0.0, top - half + math.log(sum(math.exp(each - top) for each in logs)))))


def poisson_tail(count: int, expected: float) -> float:
    """P(N >= count) for a Poisson variable with this mean, for counts well above it, or of no interest.

    >>> round(poisson_tail(3, 0.5), 5)
    0.01439
    """
    term = total = math.exp(count * math.log(expected) - expected - math.lgamma(count + 1))
    while term > 1e-9 * total:
        count += 1
        term *= expected / count
        total += term
    return min(1.0, total)


def normal_cdf(z: Array) -> Array:
    """Φ, with the relative accuracy of `math.erfc` in the lower tail."""
    return np.fromiter((math.erfc(-value * math.sqrt(0.5)) / 2 for value in z.tolist()), np.float64, len(z))


def two_tails(z: float) -> float:
    """P(|Z| >= z) of a standard normal variable."""
    return math.erfc(z * math.sqrt(0.5))
