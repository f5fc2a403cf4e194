"""Comparing what a file holds with what is drawn: bits, and for orthogonal matrices their promised bound."""

from typing import Any, NamedTuple

import numpy as np

from ..._dtypes import computing_type
from ..._plans.plan import BlocksPlan, MatrixPlan, is_elementwise

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

    def __str__(self):
        found, expected = str(self.found), str(self.expected)
        if found == expected:  # NaNs with different bits
            found, expected = (f"{text} (0x{value.tobytes()[::-1].hex()})" for text, value in
                               ((found, self.found), (expected, self.expected)))
        return (f"{self.name}: {self.differing:,} of {self.size:,} elements differ, the first at {list(self.first)}: "
                f"found {found}, expected {expected}")


def tolerance(plan):
    """What elements of a tensor may differ by on another machine; 0.0 where all bits are promised.

    A tensor of which only some blocks are orthogonal has the bound of those as a whole.
    """
    if is_elementwise(plan):
        return 0.0
    return BOUND[np.dtype(computing_type(plan.dtype)).name] * max(map(abs, _gains(plan)))


def _gains(plan):
    if isinstance(plan, BlocksPlan):
        return [gain for each in plan.plans for gain in _gains(each)]
    return [plan.gain] if isinstance(plan, MatrixPlan) else []


class Tally:
    """The differences in one file's pieces, tensor by tensor."""

    def __init__(self):
        self._found = {}

    def compare(self, piece, found):
        """Count how `found`, an array of bytes, differs from a piece."""
        if _equal(piece.data, found):
            return
        for part in piece.parts:
            info = part.draw.info
            kind, width = info.numpy_dtype, info.numpy_dtype.itemsize
            here, there = (data[part.at:part.at + part.size * width] for data in (piece.data, found))
            differ = np.flatnonzero(here.view(f"u{width}") != there.view(f"u{width}"))
            bound = tolerance(part.draw.plan)
            if bound and len(differ):
                differ = differ[~_within(there.view(kind)[differ], here.view(kind)[differ], bound)]
            if len(differ):
                self._count(part, differ, here.view(kind), there.view(kind))

    def _count(self, part, differ, here, there):
        info, first = part.draw.info, int(differ[0])
        known = self._found.get(info.name)
        if known is None:
            index = tuple(int(at) for at in np.unravel_index(part.first + first, info.shape))
            known = Difference(info.name, index, there[first].copy(), here[first].copy(), 0, info.size)
        self._found[info.name] = known._replace(differing=known.differing + len(differ))

    @property
    def differences(self):
        """A `Difference` for each tensor that has some, in the file's order."""
        return list(self._found.values())


def _equal(one, other):
    """Whether two arrays of bytes are equal: eight at a time, which takes an eighth of the memory."""
    whole = len(one) - len(one) % 8
    return bool((one[:whole].view("u8") == other[:whole].view("u8")).all() and (one[whole:] == other[whole:]).all())


def _within(found, expected, bound):
    """Where two values agree within the bound before each was rounded to its type. NaNs agree with nothing."""
    import ml_dtypes

    step = float(ml_dtypes.finfo(expected.dtype).eps) if expected.dtype.itemsize == 2 else 0.0
    wide = np.complex128 if expected.dtype.kind == "c" else np.float64
    found, expected = found.astype(wide), expected.astype(wide)
    with np.errstate(invalid="ignore"):
        return abs(found - expected) <= bound + step * np.maximum(abs(found), abs(expected))
