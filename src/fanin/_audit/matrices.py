"""A tensor as a matrix, row by row: what its histogram doesn't show.

Rows and columns of independent numbers have the same sums of squares, up to chance; those of trained weights don't. A
few random signs times the matrix are probes of its Gram matrix, which is a multiple of the identity for an orthogonal
matrix, equal to that up to chance for independent numbers, and far from both for weights that have learned something.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .._types import Array

PROBES = 8
WIDEST = 2**17  # columns of a matrix that is looked at: probes take so many numbers times 16
LONGEST = 2**18  # rows whose sums are kept
FAR = 7.0  # standard deviations from what independent numbers show; one in 1e11, and sums are not quite normal
SPREAD = 4.0  # times the probes' expected scatter: chi-squared of 28 degrees over 28 exceeds it once in 1e10


class Matrix:
    """Takes the rows of a matrix, and tells whether it is orthogonal, uneven, or repeats itself."""

    def __init__(self, rows: int, columns: int) -> None:
        self.rows, self.columns = rows, columns
        generator = np.random.Generator(np.random.PCG64(0))
        self._right = generator.choice([-1.0, 1.0], (columns, PROBES))
        self._left = generator.choice([-1.0, 1.0], (rows, PROBES))
        self._at = 0
        self._row_sums = np.zeros((2, rows))  # of the numbers, and of their squares
        self._column_sums = np.zeros((2, columns))
        self._gram = np.zeros((PROBES, PROBES))  # of W·right
        self._image = np.zeros((columns, PROBES))  # Wᵀ·left
        self.zeros_by_column = np.zeros(columns, np.int64)
        self.zeros_by_row = np.zeros(rows, np.int64)

    def add(self, block: Array) -> None:
        """The next rows, as float64."""
        here = slice(self._at, self._at + len(block))
        self._at = here.stop
        squares = block * block
        for number, values in enumerate((block, squares)):
            self._row_sums[number, here] = values.sum(axis=1)
            self._column_sums[number] += values.sum(axis=0)
        image = block @ self._right
        self._gram += image.T @ image
        self._image += block.T @ self._left[here]
        is_zero = block == 0
        if is_zero.any():
            self.zeros_by_row[here] = np.count_nonzero(is_zero, axis=1)
            self.zeros_by_column += np.count_nonzero(is_zero, axis=0)

    def orthogonal_gain(self, epsilon: float) -> float | None:
        """The gain of a (semi-)orthogonal matrix whose numbers were rounded with this relative step, or None."""
        if min(self.rows, self.columns) < 2:
            return None
        square = self._row_sums[1].sum() / min(self.rows, self.columns)
        signs, gram = ((self._right, self._gram) if self.rows >= self.columns else
                       (self._left, self._image.T @ self._image))
        bound = 5e-5 + 4 * epsilon / math.sqrt(max(self.rows, self.columns)) + epsilon**2
        off = np.abs(gram - square * (signs.T @ signs)).max() / (square * len(signs)) if square > 0 else 1.0
        return math.sqrt(square) if off <= bound else None

    def unevenness(self, mean: float, variance: float, square_variance: float) -> str | None:
        """How rows, columns or their products differ from those of independent numbers, or None.

        Args:
            mean, variance: of the numbers.
            square_variance: the variance of their squares.
        """
        for name, sums, length in (("rows", self._row_sums, self.columns), ("columns", self._column_sums, self.rows)):
            if sums.shape[1] < 2 or length < 2:
                continue
            for what, values, each in (("means", sums[0], variance), ("sizes", sums[1], square_variance)):
                if _scatter(values, length * each, length) > FAR:
                    return f"its {name} have unequal {what}"
        if not mean and min(self.rows, self.columns) >= PROBES:
            expected = self.rows * variance * (self._right.T @ self._right)
            off = (self._gram - expected)[np.triu_indices(PROBES, 1)]
            if float((off**2).mean()) > SPREAD * self.rows * (self.columns * variance) ** 2:
                return "its rows point the same way"
        return None

    def repeats(self) -> str | None:
        """Which equal blocks the matrix consists of, or None: ranks that drew the same shard."""
        for name, sums, other in (("rows", self._row_sums, self.columns), ("columns", self._column_sums, self.rows)):
            count = sums.shape[1]
            for period in _divisors(count):
                if period * other >= 64 and _has_period(sums, period):
                    return f"{count // period} equal blocks of {period:,} {name}"
        return None

    def zero_rows(self) -> Array:
        """The rows that are zero throughout."""
        return np.flatnonzero(self.zeros_by_row == self.columns)


def _scatter(sums: Array, variance: float, length: int) -> float:
    """How many standard deviations the scatter of sums of `length` independent numbers exceeds its mean by."""
    if variance <= 0:
        return 0.0
    statistic = float(((sums - sums.mean()) ** 2).sum()) / variance
    freedom = len(sums) - 1
    return (statistic - freedom) / math.sqrt(freedom * (2 + 12 / length))


def _has_period(sums: Array, period: int) -> bool:
    return bool((sums[:, period:] == sums[:, :-period]).all())


def _divisors(count: int) -> list[int]:
    """The proper divisors of a count that leave at most 1,024 blocks, the smallest first."""
    return sorted(count // blocks for blocks in range(2, min(count, 1024) + 1) if count % blocks == 0)


def views(shape: tuple[int, ...]) -> list[tuple[int, int]]:
    """The matrices (rows, columns) that a tensor of rank 2 and more may be, in C order, without those too wide.

    The first has axis 0 as its rows (torch's layout), the second axis -1 as its columns (that of JAX and Keras).
    """
    if len(shape) < 2 or 0 in shape:
        return []
    size = math.prod(shape)
    both = [(shape[0], size // shape[0]), (size // shape[-1], shape[-1])]
    return [view for view in dict.fromkeys(both) if view[1] <= WIDEST and view[0] <= LONGEST]


def epsilon(dtype: np.dtype[Any]) -> float:
    """The relative step of a floating-point type."""
    import ml_dtypes

    try:
        return float(ml_dtypes.finfo(dtype).eps)
    except ValueError:
        return 0.0
