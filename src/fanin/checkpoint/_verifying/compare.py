"""Comparing what a file holds with what is drawn: bits, and for orthogonal matrices their promised bound."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..._dtypes import computing_type
from ..._plans.plan import BlocksPlan, MatrixPlan, Plan, is_elementwise
from .._pieces import Part, Piece

if TYPE_CHECKING:
    from ..._types import Array

# Elements of orthogonal tensors agree across machines within this times the gain: their products follow BLAS.
BOUND = {"float32": 1e-5, "float64": 1e-13}


class Difference(NamedTuple):
    """A tensor of which a file holds something else than is drawn.

    Attributes:
        name: the tensor's.
        first: the index of the first element that differs, one int for each axis.
        found, expected: that element in the file, and as it is drawn.
        differing: how many elements differ, of `size` in all.
    """

    name: str
    first: tuple[int, ...]
    found: Any
    expected: Any
    differing: int
    size: int

    def __str__(self) -> str:
        found, expected = str(self.found), str(self.expected)
        if found == expected:  # NaNs with different bits
            found, expected = _with_bits(self.found), _with_bits(self.expected)
        return (f"{self.name}: {self.differing:,} of {self.size:,} elements differ, the first at {list(self.first)}: "
                f"found {found}, expected {expected}")


def _with_bits(value: Any) -> str:
    return f"{value!s} (0x{value.tobytes()[::-1].hex()})"


def tolerance(plan: Plan) -> float:
    """What elements of a tensor may differ by on another machine; 0.0 where all bits are promised.

    A tensor of which only some blocks are orthogonal has the bound of those as a whole.
    """
    if is_elementwise(plan):
        return 0.0
    return BOUND[np.dtype(computing_type(plan.dtype)).name] * max(map(abs, _gains(plan)))


def _gains(plan: Plan) -> list[float]:
    if isinstance(plan, BlocksPlan):
        return [gain for each in plan.plans for gain in _gains(each)]
    return [plan.gain] if isinstance(plan, MatrixPlan) else []


class Tally:
    """The differences in one file's pieces, tensor by tensor."""

    def __init__(self) -> None:
        self._known: dict[str, Difference] = {}

    def compare(self, piece: Piece, found: Array) -> None:
        """Count how `found`, an array of bytes, differs from a piece."""
        if _equal(piece.data, found):
            return
        for part in piece.parts:
            dtype = part.row.parameter.dtype
            width = dtype.itemsize
            place = slice(part.at, part.at + part.size * width)
            is_other = piece.data[place].view(f"u{width}") != found[place].view(f"u{width}")
            differ = np.flatnonzero(is_other)
            drawn, there = piece.data[place].view(dtype), found[place].view(dtype)
            bound = tolerance(part.row.plan)
            if bound and len(differ):
                differ = differ[~_within(there[differ], drawn[differ], bound)]
            if len(differ):
                self._count(part, differ, drawn, there)

    def _count(self, part: Part, differ: Array, drawn: Array, there: Array) -> None:
        name, shape, _, _ = part.row.parameter
        known = self._known.get(name)
        if known is None:
            first = int(differ[0])
            index = tuple(int(at) for at in np.unravel_index(part.first + first, shape))
            known = Difference(name, index, there[first].copy(), drawn[first].copy(), 0, math.prod(shape))
        self._known[name] = known._replace(differing=known.differing + len(differ))

    @property
    def differences(self) -> tuple[Difference, ...]:
        """One for each tensor that has some, in the file's order."""
        return tuple(self._known.values())


def _equal(one: Array, other: Array) -> bool:
    """Whether two arrays of bytes are equal: eight at a time, which takes an eighth of the memory."""
    whole = len(one) - len(one) % 8
    return bool((one[:whole].view("u8") == other[:whole].view("u8")).all() and (one[whole:] == other[whole:]).all())


def _within(found: Array, expected: Array, bound: float) -> Array:
    """Where two values agree within the bound before each was rounded to its type. NaNs agree with nothing."""
    import ml_dtypes

    step = float(ml_dtypes.finfo(expected.dtype).eps) if expected.dtype.itemsize == 2 else 0.0
    wide = np.complex128 if expected.dtype.kind == "c" else np.float64
    found, expected = found.astype(wide), expected.astype(wide)
    with np.errstate(invalid="ignore"):
        return abs(found - expected) <= bound + step * np.maximum(abs(found), abs(expected))
