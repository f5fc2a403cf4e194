"""A tensor's sums, extremes and histogram, piece by piece, in memory that doesn't grow with it.

The histogram counts the upper half of each number's float32 pattern: sign, exponent and seven bits. So its 2**16 bins
are 0.8 % wide at any scale, and the law that a tensor is compared with need not be known before it is read. A bin's
edges are exact numbers, which is all that tests of a distribution function need.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from .._types import Array

BINS = 2**16
HALF = 2**15
INFINITE = 0x7F80  # the first bin that holds no finite number


class Moments(NamedTuple):
    """What is known of a tensor's values; all but `size` and `nonfinite` are of its finite ones.

    Attributes:
        size: elements, of complex tensors their parts.
        nonfinite: NaNs and infinities.
        zeros: how many are zero.
        mean, std: NaN where there are no finite values.
        skewness, kurtosis: standardized third and fourth moment, the latter less 3; 0 for a constant.
        low, high: the extremes.
        lower, upper: the edges of the histogram's bins that aren't empty, in increasing order.
        counts: how many values are in each of these.
    """

    size: int
    nonfinite: int
    zeros: int
    mean: float
    std: float
    skewness: float
    kurtosis: float
    low: float
    high: float
    lower: Array
    upper: Array
    counts: Array

    @property
    def finite(self) -> int:
        """How many values are finite."""
        return self.size - self.nonfinite

    @property
    def is_constant(self) -> bool:
        """Whether all values are one finite number."""
        return self.finite > 0 and self.nonfinite == 0 and self.low == self.high


    def without_zeros(self, zeros: int) -> Moments:
        """The moments of the other values, where so many zeros are left out."""
        rest = self.finite - zeros
        raw = _raw(self.mean, self.std, self.skewness, self.kurtosis) * (self.finite / rest)
        counts = self.counts.copy()
        for at in np.flatnonzero((self.lower <= 0) & (self.upper >= 0)):  # at most two, where zero and -0 are
            taken = min(zeros, int(counts[at]))
            counts[at] -= taken
            zeros -= taken
        kept = counts > 0
        mean, std, skewness, kurtosis = _standardized(raw)
        return self._replace(size=rest + self.nonfinite, zeros=0, mean=mean, std=std, skewness=skewness,
                             kurtosis=kurtosis, lower=self.lower[kept], upper=self.upper[kept], counts=counts[kept])

    @property
    def square_variance(self) -> float:
        """The variance of the values' squares."""
        _, second, _, fourth = _raw(self.mean, self.std, self.skewness, self.kurtosis)
        return float(fourth - second * second)


class Gather:
    """Takes the pieces of a tensor and gives its `Moments`."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self._dtype = dtype
        self._counts = np.zeros(BINS, np.int64)
        self._count = self._nonfinite = self._zeros = 0
        self._low, self._high = math.inf, -math.inf
        self._shift: float | None = None
        self._sums = np.zeros(4)  # of the powers 1 to 4 of (value - shift)

    def add(self, values: Array) -> None:
        """Count a piece: a vector of float64."""
        self._count += len(values)
        finite = np.isfinite(values)
        if not finite.all():
            values = values[finite]
            self._nonfinite += len(finite) - len(values)
        if not len(values):
            return
        self._low = min(self._low, float(values.min()))
        self._high = max(self._high, float(values.max()))
        self._zeros += len(values) - int(np.count_nonzero(values))
        if self._shift is None:  # near the mean, or the fourth power cancels
            self._shift = float(values[:4096].mean())
            self._shift = self._shift if abs(self._shift) > 1e-3 * np.abs(values[:4096]).max() else 0.0
        self._sums += _powers(values - self._shift if self._shift else values)
        with np.errstate(over="ignore", under="ignore"):
            pattern = values.astype(np.float32).view(np.uint32) >> 16
        self._counts += np.bincount(pattern.view(np.int32), minlength=BINS)

    def result(self) -> Moments:
        """The moments of all that was added."""
        finite = self._count - self._nonfinite
        lower, upper, counts = _occupied(self._counts, self._dtype)
        if not finite:
            low = high = mean = std = math.nan
            skewness = kurtosis = 0.0
        else:
            low, high = self._low, self._high
            mean, std, skewness, kurtosis = _standardized(self._sums / finite)
            mean += self._shift or 0.0
        if low == high:
            mean, std, skewness, kurtosis = low, 0.0, 0.0, 0.0
        return Moments(self._count, self._nonfinite, self._zeros, mean, std, skewness, kurtosis, low, high, lower,
                       upper, counts)


def _powers(values: Array) -> Array:
    """The sums of the powers 1 to 4 (without BLAS, whose threads would wait for each other on a busy machine)."""
    with np.errstate(over="ignore"):
        squares = values * values
        return np.array([values.sum(), squares.sum(), np.einsum("i,i->", squares, values),
                         np.einsum("i,i->", squares, squares)])


def _raw(mean: float, std: float, skewness: float, kurtosis: float) -> Array:
    """The means of four powers from mean, std, skewness and excess kurtosis: the inverse of `_standardized`."""
    second, third, fourth = std**2, skewness * std**3, (kurtosis + 3) * std**4
    return np.array([mean, second + mean**2, third + 3 * mean * second + mean**3,
                     fourth + 4 * mean * third + 6 * mean**2 * second + mean**4])


def _standardized(raw: Array) -> tuple[float, float, float, float]:
    """Mean, std, skewness and excess kurtosis from the means of four powers."""
    first, second, third, fourth = (float(value) for value in raw)
    variance = max(second - first * first, 0.0)
    if not variance or not math.isfinite(variance * variance):
        return first, math.sqrt(variance), 0.0, 0.0
    std = math.sqrt(variance)
    central3 = third - 3 * first * second + 2 * first**3
    central4 = fourth - 4 * first * third + 6 * first * first * second - 3 * first**4
    return first, std, central3 / std**3, central4 / std**4 - 3


def _occupied(counts: Array, dtype: np.dtype[Any]) -> tuple[Array, Array, Array]:
    """The edges and counts of the bins that hold something, in increasing order of their values."""
    edges = _edges(dtype.name)
    negative = counts[HALF:HALF + INFINITE][::-1]
    ordered = np.concatenate([negative, counts[:INFINITE]])
    borders = np.concatenate([-edges[::-1], edges[1:]])
    occupied = np.flatnonzero(ordered)
    return borders[occupied], borders[occupied + 1], ordered[occupied]


@functools.cache
def _edges(dtype: str) -> Array:
    """Where the bins of positive numbers begin, and where the last one ends, for numbers rounded to `dtype`.

    A half type's number stands for all that is rounded to it, so the edge lies midway between the last number of one
    bin and the first of the next.
    """
    starts = (np.arange(INFINITE + 1, dtype=np.uint32) << 16).view(np.float32).astype(np.float64)
    starts[-1] = 2.0**128
    numbers = _representable(dtype)
    if numbers is None:
        return starts
    first = np.searchsorted(numbers, starts)
    below = numbers[np.maximum(first - 1, 0)]
    above = np.where(first < len(numbers), numbers[np.minimum(first, len(numbers) - 1)], starts)
    edges = (below + above) / 2
    edges[0] = 0.0
    return edges


def _representable(dtype: str) -> Array | None:
    """The finite numbers >= 0 of a type of at most 16 bits, sorted; None of a wider one, whose steps don't matter."""
    import ml_dtypes

    if dtype in ("float64", "float32", "complex64", "complex128"):
        return None
    kind = np.dtype(dtype if dtype == "float16" else getattr(ml_dtypes, dtype, np.float64))
    if kind.itemsize > 2:
        return None
    patterns = np.arange(2 ** (8 * kind.itemsize - 1), dtype=f"u{kind.itemsize}")
    with np.errstate(invalid="ignore"):  # some are NaN
        values = patterns.view(kind).astype(np.float64)
    return np.unique(values[np.isfinite(values)])
