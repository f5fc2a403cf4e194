"""Counting a billion values: bins of a distribution function, sums of powers, cells of pairs, in constant memory."""

import numba
import numpy as np
from scipy import special

from fanin._dtypes import as_dtype

CHUNK = 2**22


def truncated_law(mean, std, lower, upper):
    """(quantile, distribution function) of a truncated normal, on arrays, by the smaller tail."""
    a, b = (lower - mean) / std, (upper - mean) / std
    sign = 1.0 if a + b < 0 else -1.0
    near, far = special.ndtr(sign * a), special.ndtr(sign * b)
    return (lambda p: mean + sign * std * special.ndtri(near + p * (far - near)),
            lambda x: np.clip((special.ndtr(sign * (x - mean) / std) - near) / (far - near), 0, 1))


def ends_of_bins(quantile, n, dtype="float32", least=1):
    """The last number of each of n bins of probability 1/n but the last, as float32; of fewer where numbers are few.

    Args:
        quantile: the law's quantile function, on arrays.
        n: the number of bins; halved until each holds `least` numbers of `dtype`.
        dtype: float32, float16 or bfloat16.
    """
    while True:
        ends = np.unique(quantile(np.arange(1, n) / n).astype(as_dtype(dtype)))
        if len(ends) == n - 1 and all(np.diff(_place(ends)) >= least):
            return ends.astype(np.float32)
        n //= 2


def _place(x):
    """The number of each in the order of all numbers of its type."""
    bits = x.view(f"i{x.itemsize}").astype(np.int64)
    magnitude = bits & (2 ** (8 * x.itemsize - 1) - 1)
    return np.where(bits < 0, -magnitude, magnitude)


def midway_above(ends, dtype):
    """The middle between each float and the next number of `dtype`: all below are rounded to it, or below it."""
    numbers = ends.astype(as_dtype(dtype))
    above = np.nextafter(numbers, np.array(np.inf, numbers.dtype))
    return (ends.astype(np.float64) + above.astype(np.float64)) / 2


class Bins:
    """Bins of probability 1/n, or nearly so: they end at a number of a type, which counts as all that is rounded to it.

    Args:
        quantile: the law's quantile function, on arrays.
        cdf: its distribution function, on arrays: the exact probability of each bin.
        n: the number of bins, or where numbers are few a half, a fourth, … of it.
        dtype: of the values. Those of float64 are counted in bins that end at float32 numbers.
        least: numbers in a bin, at least.
    """

    def __init__(self, quantile, cdf, n, dtype, least=1):
        single = "float32" if dtype == "float64" else dtype
        self.ends = ends = ends_of_bins(quantile, n, single, least)
        middles = ends.astype(np.float64) if dtype == "float64" else midway_above(ends, dtype)
        self.p = np.diff(np.concatenate([[0.0], cdf(middles), [1.0]]))
        # where to begin looking: cells so fine that a bin or two begin in each
        self.low, self.per_cell = float(ends[0]), 2**20 / (float(ends[-1] - ends[0]) or 1.0)  # two bins have one end
        cells = self.low + np.arange(2**20 + 1) / self.per_cell
        self.first = np.maximum(np.searchsorted(ends, cells.astype(np.float32)) - 1, 0).astype(np.int32)
        self.counts = np.zeros(len(ends) + 1, np.int64)
        self.powers = np.zeros(9)  # sums of x**k, k up to 8

    def add(self, x, scale=1.0):
        """Count values, each times `scale`."""
        x = x if x.itemsize > 2 else x.astype(np.float32)
        _count(x, x.dtype.type(scale), self.ends, self.first, self.low, self.per_cell, self.counts, self.powers)


@numba.njit(nogil=True)
def _count(x, scale, ends, first, low, per_cell, counts, powers):
    sums = np.zeros(9)
    for value in x:
        v = value * scale
        cell = int((np.float64(v) - low) * per_cell)
        i = first[min(max(cell, 0), len(first) - 1)]
        while i < len(ends) and v > ends[i]:
            i += 1
        while i > 0 and v <= ends[i - 1]:
            i -= 1
        counts[i] += 1
        power = 1.0
        for k in range(9):
            sums[k] += power
            power *= v
    powers += sums


@numba.njit(nogil=True)
def count_pairs(a, b, leading, trailing, differing, sums):
    """Cells of the 8 leading and the 8 trailing bits of paired words, bits in which they differ, Σab as fractions."""
    total = 0.0
    for i in range(len(a)):
        u, v = a[i], b[i]
        leading[(u >> 24) << 8 | v >> 24] += 1
        trailing[(u & 255) << 8 | v & 255] += 1
        x = u ^ v
        for bit in range(32):
            differing[bit] += (x >> bit) & 1
        total += (u * 2.0**-32 - 0.5) * (v * 2.0**-32 - 0.5)
    sums[0] += total
