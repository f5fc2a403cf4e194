"""What a model holds, compared with what is drawn: bits, and for orthogonal matrices their promised bound."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .._dtypes import computing_type
from .._errors import agreeing, counted
from .._plans.plan import BlocksPlan, MatrixPlan, Plan, TwinsPlan, is_elementwise
from ._parameter import Parameter
from ._table import Row, Table

if TYPE_CHECKING:
    from .._seeding import Stream
    from .._types import Array

# Elements of orthogonal tensors agree across machines within this times the gain: their products follow BLAS.
BOUND = {"float32": 1e-5, "float64": 1e-13}
PIECE = 8 * 2**20  # bytes that are drawn, and copied from a device, at a time
_AT_MOST = 10  # tensors that are listed

Index = tuple[slice, ...]


class Difference(NamedTuple):
    """A tensor whose values differ from those that are drawn.

    Attributes:
        name: the tensor's.
        first: the index of the first element that differs, one int for each axis.
        found, expected: that element as it is there, and as it is drawn.
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
        differ = agreeing(self.differing, "differs", "differ")
        return (f"{self.name}: {self.differing:,} of {counted(self.size, 'element')} {differ}, the first at "
                f"{list(self.first)}: found {found}, expected {expected}")


class Comparison(NamedTuple):
    """The result of comparing a model in memory with what its rules and seed draw.

    Attributes:
        table: what each parameter would get; those that stay as they are were not compared.
        elements: how many were compared here: of a tensor that is spread over several processes, this one's part.
        bounded: how many of the tensors are orthogonal: compared within the promised bound, not bit by bit.
        differences: a `Difference` for each tensor that differs.
    """

    table: Table
    elements: int
    bounded: int
    differences: tuple[Difference, ...]

    @property
    def ok(self) -> bool:
        """Whether the model holds what is drawn, as far as it is here."""
        return not self.differences

    def __str__(self) -> str:
        drawn, wrong = len(self.table.drawn), len(self.differences)
        bound = f", {self.bounded:,} of the tensors orthogonal: within their bound" if self.bounded else ""
        if not wrong:
            return f"OK, {counted(drawn, 'tensor')}, {counted(self.elements, 'element')}{bound}"
        lines = [f"{wrong:,} of {counted(drawn, 'tensor')} {agreeing(wrong, 'differs', 'differ')}",
                 *(f"  {each}" for each in self.differences[:_AT_MOST])]
        if wrong > _AT_MOST:
            lines.append(f"  and {counted(wrong - _AT_MOST, 'more tensor')}")
        return "\n".join(lines)


class Tally:
    """The differences of some tensors, piece by piece."""

    def __init__(self) -> None:
        self._known: dict[str, Difference] = {}
        self._elements = 0

    def compare(self, parameter: Parameter, drawn: Array, found: Array, bound: float,
                index_of: Callable[[int], tuple[int, ...]]) -> bool:
        """Count how some elements of a tensor differ; returns whether none does.

        Args:
            drawn, found: 1-D arrays of them.
            bound: what they may differ by; 0.0: not by a bit.
            index_of: gives the index of the n-th of them in the tensor.
        """
        self._elements += len(drawn)
        differ = _differing(drawn, found)
        if bound and len(differ):
            differ = differ[~_within(found[differ], drawn[differ], bound)]
        if not len(differ):
            return True
        name, shape = parameter[:2]
        known = self._known.get(name)
        if known is None:
            first = int(differ[0])
            known = Difference(name, index_of(first), found[first].copy(), drawn[first].copy(), 0, math.prod(shape))
        self._known[name] = known._replace(differing=known.differing + len(differ))
        return False

    def compare_block(self, row: Row, source: int | Stream, block: Index, read: Callable[[Index], Array]) -> None:
        """The same for a block of the tensor, drawn and read a piece at a time.

        Args:
            source: the seed.
            block: where it lies in the tensor, by a start and a stop for each axis.
            read: called with an index into the block; it gives what is there.
        """
        name, shape, dtype, _ = row.parameter
        lengths = tuple(part.stop - part.start for part in block)
        whole = math.prod(lengths)  # of a matrix, which is made as a whole or not at all
        limit = PIECE // dtype.itemsize if is_elementwise(row.plan) else whole
        scheme: Any = row.scheme
        for cut in _pieces(lengths, max(1, limit)):
            place = tuple(slice(part.start + at.start, part.start + at.stop) for part, at in zip(block, cut))
            drawn = scheme.shard(shape, place, dtype=dtype, seed=source, name=name)
            self.compare(row.parameter, drawn.reshape(-1), read(cut).reshape(-1), tolerance(row.plan),
                         index_in(drawn.shape, start=tuple(part.start for part in place)))

    @property
    def differences(self) -> tuple[Difference, ...]:
        """One for each tensor that has some, in the order in which they were found."""
        return tuple(self._known.values())

    def result(self, table: Table) -> Comparison:
        """The comparison of all that the table says is drawn."""
        bounded = sum(tolerance(row.plan) > 0 for row in table.drawn)
        return Comparison(table, self._elements, bounded, self.differences)


def index_in(shape: tuple[int, ...], first: int = 0, start: tuple[int, ...] = ()) -> Callable[[int], tuple[int, ...]]:
    """Gives the index of the n-th element from element `first` on, in a block of this shape that begins at `start`."""
    def index_of(number: int) -> tuple[int, ...]:
        index = tuple(map(int, np.unravel_index(first + number, shape)))
        return tuple(map(int.__add__, index, start)) if start else index

    return index_of


def whole_block(shape: tuple[int, ...]) -> Index:
    """The block that is the whole tensor."""
    return tuple(slice(0, length) for length in shape)


def tolerance(plan: Plan) -> float:
    """What elements of a tensor may differ by on another machine; 0.0 where all bits are promised.

    A tensor of which only some blocks are orthogonal has the bound of those as a whole.
    """
    if is_elementwise(plan):
        return 0.0
    return BOUND[np.dtype(computing_type(plan.dtype)).name] * max(map(abs, _gains(plan)))


def _gains(plan: Plan) -> list[float]:
    if isinstance(plan, (BlocksPlan, TwinsPlan)):
        return [gain for each in plan.plans for gain in _gains(each)]
    return [plan.gain] if isinstance(plan, MatrixPlan) else []


def _pieces(lengths: tuple[int, ...], limit: int) -> Iterator[Index]:
    """Indices that cut a block into parts of at most `limit` elements, in the order of the elements.

    >>> [[(part.start, part.stop) for part in index] for index in _pieces((3, 4), 8)]
    [[(0, 2), (0, 4)], [(2, 3), (0, 4)]]
    """
    if not math.prod(lengths):
        return
    inner = math.prod(lengths[1:])
    if not lengths or inner * lengths[0] <= limit:
        yield whole_block(lengths)
        return
    step = max(1, limit // inner)
    for start in range(0, lengths[0], step):
        rows = slice(start, min(start + step, lengths[0]))
        for rest in _pieces(lengths[1:], limit):  # the whole of it where a row fits
            yield rows, *rest


def _differing(drawn: Array, found: Array) -> Array:
    """The numbers of the elements whose bits differ."""
    width = min(drawn.dtype.itemsize, 8)
    words = np.ascontiguousarray(drawn).view(f"u{width}") != np.ascontiguousarray(found).view(f"u{width}")
    return np.flatnonzero(words.reshape(len(drawn), -1).any(axis=1) if len(drawn) else words)


def _with_bits(value: Any) -> str:
    return f"{value!s} (0x{value.tobytes()[::-1].hex()})"


def _within(found: Array, expected: Array, bound: float) -> Array:
    """Where two values agree within the bound before each was rounded to its type. NaNs agree with nothing."""
    import ml_dtypes

    step = float(ml_dtypes.finfo(expected.dtype).eps) if expected.dtype.itemsize == 2 else 0.0
    wide = np.complex128 if expected.dtype.kind == "c" else np.float64
    found, expected = found.astype(wide), expected.astype(wide)
    with np.errstate(invalid="ignore"):
        return abs(found - expected) <= bound + step * np.maximum(abs(found), abs(expected))
