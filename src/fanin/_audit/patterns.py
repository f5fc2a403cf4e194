"""Values that follow from their places: arange, sinusoids, identity, dirac, and zeros in a regular pattern."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from .laws import Law

if TYPE_CHECKING:
    from .._types import Array

KEPT = 2**18  # nonzero values whose places are remembered; with more a tensor is no identity
SHORTEST = 4  # numbers in a row that make an arange
PROBE = 4096  # values of a piece that are looked at first
ANGLE = 2.0**-23  # relative rounding of an angle that was computed in float32
PERIODS = 8  # rows that make a sinusoid


class Arange:
    """Whether a tensor is start, start + step, … along its last axis."""

    def __init__(self, shape: tuple[int, ...], epsilon: float) -> None:
        self._length = shape[-1] if shape else 0
        self._epsilon = epsilon
        self._at = 0
        self._start = self._step = 0.0
        self.holds = self._length >= SHORTEST

    def add(self, values: Array) -> None:
        """The next values, in C order."""
        if not self.holds:
            return
        if not self._at:
            self._start, self._step = float(values[0]), float(values[1] - values[0])
        self.holds = self._step != 0 and self._fits(values[:SHORTEST]) and self._fits(values)
        self._at += len(values)

    def _fits(self, values: Array) -> bool:
        places = np.arange(self._at, self._at + len(values)) % self._length
        allowed = 2 * self._epsilon * (abs(self._start) + abs(self._step) * self._length)
        with np.errstate(invalid="ignore"):
            return bool((np.abs(values - self._start - self._step * places) <= allowed).all())

    def law(self) -> Law | None:
        """The law, if it holds."""
        return Law("arange", {"start": self._start, "step": self._step}) if self.holds and self._at else None


class Sinusoids:
    """Whether every column is a sinusoid of the row's number: x(t - 1) + x(t + 1) = 2·cos(ω)·x(t).

    Any frequencies, phases and order of columns, so all variants of the positional encoding (Vaswani et al., 2017).
    """

    def __init__(self, rows: int, columns: int, epsilon: float) -> None:
        self._rows, self.columns = rows, columns
        self._epsilon = epsilon
        self._before = np.empty((0, columns))
        self._sums = np.zeros((3, columns))  # of x·x, x·y and y·y, y the sum of the two neighbours
        self._largest = 0.0
        self.holds = rows >= PERIODS and columns >= 2

    def add(self, block: Array) -> None:
        """The next rows."""
        if self.holds and not len(self._before):
            self._take(block[:PERIODS])  # which is enough to tell most other matrices
            block = block[PERIODS:]
        if self.holds and len(block):
            self._take(block)

    def _take(self, block: Array) -> None:
        block = np.concatenate([self._before, block])
        self._before = block[-2:].copy()
        here, around = block[1:-1], block[:-2] + block[2:]
        for number, product in enumerate((here * here, here * around, around * around)):
            self._sums[number] += product.sum(axis=0)
        self._largest = max(self._largest, float(np.abs(block).max()))
        self.holds = self._fits()

    def _fits(self) -> bool:
        own, cross, other = self._sums
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            rest = other - np.where(own > 0, cross * cross / own, 0.0)
            deviation = np.sqrt(np.maximum(rest, 0.0) / self._rows)
        return bool((deviation <= (8 * self._epsilon + 1e-6 + self._rows * ANGLE) * self._largest).all())

    def law(self) -> Law | None:
        """The law, if it holds and some column really oscillates."""
        own, cross, _ = self._sums
        with np.errstate(divide="ignore", invalid="ignore"):
            oscillates = np.abs(np.where(own > 0, cross / own, 2.0)) < 1.9
        return Law("sinusoid", {"amplitude": self._largest}) if self.holds and oscillates.any() else None


class Nonzero:
    """The places and values of what isn't zero, as long as these are few."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._shape = shape
        self._at = self._count = 0
        self._places: list[Array] = []
        self._values: list[Array] = []
        self._few = len(shape) >= 2

    def add(self, values: Array) -> None:
        """The next values, in C order."""
        if not self._few or np.count_nonzero(values[:PROBE]) > 0.6 * min(len(values), PROBE):
            self._few = False
            return
        places = np.flatnonzero(values)
        self._count += len(places)
        self._few = self._count <= KEPT
        self._places.append(places + self._at)
        self._values.append(values[places])
        self._at += len(values)

    def law(self, epsilon: float) -> Law | None:
        """Identity, dirac or delta-orthogonal, or None."""
        size = math.prod(self._shape)
        if not self._few or not 0 < self._count < size:
            return None
        places, values = np.concatenate(self._places), np.concatenate(self._values)
        index = np.unravel_index(places, self._shape)
        if len(self._shape) == 2:
            diagonal = len(places) == min(self._shape) and bool((index[0] == index[1]).all())
            return Law("identity", {"gain": float(values[0])}) if diagonal and _equal(values) else None
        for out, into, kernel in _roles(len(self._shape)):
            sides = self._shape[out], self._shape[into]
            spans = [self._shape[axis] for axis in kernel]
            if _equal(values) and _central(index, kernel, [span // 2 for span in spans]):
                groups = _groups(index[out], index[into], *sides)
                if groups:
                    return Law("dirac", {"gain": float(values[0]), "groups": groups})
            if _central(index, kernel, [(span - 1) // 2 for span in spans]) and min(sides) >= 2:
                gain = _gain(index[out], index[into], sides, values, epsilon)
                if gain is not None:
                    return Law("delta_orthogonal", {"gain": gain})
        return None


def _equal(values: Array) -> bool:
    return bool((values == values[0]).all())


def _roles(rank: int) -> Iterator[tuple[int, int, range]]:
    """(out axis, in axis, kernel axes) in the layouts of torch and of JAX and Keras."""
    yield 0, 1, range(2, rank)
    yield rank - 1, rank - 2, range(rank - 2)


def _central(index: tuple[Array, ...], kernel: range, centre: list[int]) -> bool:
    return all(bool((index[axis] == at).all()) for axis, at in zip(kernel, centre))


def _groups(out: Array, into: Array, outs: int, ins: int) -> int:
    """The number of groups in which output d of each passes input d on, or 0."""
    for groups in range(1, outs + 1):
        each = outs // groups
        if outs % groups == 0 and len(out) == groups * min(each, ins) and (out % each == into).all():
            return groups
    return 0


def _gain(out: Array, into: Array, sides: tuple[int, int], values: Array, epsilon: float) -> float | None:
    """The gain of the orthogonal matrix at a kernel's centre, or None."""
    if sides[0] * sides[1] > KEPT:
        return None
    matrix = np.zeros(sides)
    matrix[out, into] = values
    gram = matrix @ matrix.T if sides[0] <= sides[1] else matrix.T @ matrix
    square = float(np.trace(gram)) / len(gram)
    off = np.abs(gram - square * np.eye(len(gram))).max() / square
    return math.sqrt(square) if off <= 5e-5 + 4 * epsilon else None
