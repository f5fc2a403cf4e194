"""Counting a billion values: bins of a distribution function, sums of powers, cells of pairs, in constant memory."""

import numba
import numpy as np

CHUNK = 2**22


class Bins:
    """Bins of probability 1/n, or nearly so: they end at a float32, which counts as all that is rounded to it.

    Args:
        quantile: the law's quantile function, on arrays.
        cdf: its distribution function, on arrays: the exact probability of each bin.
        n: the number of bins.
        dtype: of the values, float32 or float64.
    """

    def __init__(self, quantile, cdf, n, dtype):
        ends = np.unique(quantile(np.arange(1, n) / n).astype(np.float32))
        above = np.nextafter(ends, np.float32(np.inf))
        middles = (ends.astype(np.float64) + above) / 2 if dtype == "float32" else ends.astype(np.float64)
        self.ends = ends  # the last number of each bin but the last
        self.p = np.diff(np.concatenate([[0.0], cdf(middles), [1.0]]))
        # where to begin looking: cells so fine that a bin or two begin in each
        self.low, self.per_cell = float(ends[0]), 2**20 / float(ends[-1] - ends[0])
        cells = self.low + np.arange(2**20 + 1) / self.per_cell
        self.first = np.maximum(np.searchsorted(ends, cells.astype(np.float32)) - 1, 0).astype(np.int32)
        self.counts = np.zeros(n if len(ends) == n - 1 else len(ends) + 1, np.int64)
        self.powers = np.zeros(9)  # sums of x**k, k up to 8

    def add(self, x, scale=1.0):
        """Count values, each times `scale`."""
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
