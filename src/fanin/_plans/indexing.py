"""Which elements of a tensor a shard holds: numpy's basic indexing on shapes that need not exist in memory."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from .._checks import integer
from .._errors import FaninError, FaninIndexError, FaninTypeError, FaninValueError, shown

if TYPE_CHECKING:
    from .._types import Array, Dims, Index, Item


class Axis(NamedTuple):
    """The indices start, start + step, … (`size` of them) along one axis; an int index leaves no axis behind."""

    start: int
    step: int
    size: int
    dropped: bool = False

    def indices(self) -> Array:
        """All of them, as an array."""
        return self.start + self.step * np.arange(self.size)


class Block(NamedTuple):
    """Elements start + Σ i_d·steps[d] in C order of the whole tensor, for every index i below `dims`."""

    start: int
    dims: Dims
    steps: Dims


Axes: TypeAlias = tuple[Axis, ...]


@functools.lru_cache(1024)
def whole(shape: Dims) -> Axes:
    """The axes of all of a shape."""
    return tuple(Axis(0, 1, dim) for dim in shape)


def parse(index: Index, shape: Dims) -> Axes:
    """An index (int, slice, Ellipsis, or a tuple of them) against a shape: one `Axis` per dimension."""
    items = index if isinstance(index, tuple) else (index,)
    ellipses = sum(item is Ellipsis for item in items)
    given = len(items) - ellipses
    if ellipses > 1:
        raise FaninIndexError(f"`index` must hold at most one Ellipsis (got {shown(index)})")
    if given > len(shape):
        raise FaninIndexError(f"`index` must have at most {len(shape)} entries for shape {shape} (got {given})")
    if ellipses:
        at = next(i for i, item in enumerate(items) if item is Ellipsis)
        items = items[:at] + (slice(None),) * (len(shape) - given) + items[at + 1:]
    else:
        items = items + (slice(None),) * (len(shape) - given)
    return tuple(_axis(item, dim, axis) for axis, (item, dim) in enumerate(zip(items, shape, strict=True)))


def _axis(item: Item, dim: int, axis: int) -> Axis:
    if isinstance(item, slice):
        try:
            start, stop, step = item.indices(dim)
        except TypeError:
            raise FaninTypeError(f"`index` slices must hold ints or None (got {shown(item)})") from None
        except ValueError:
            raise FaninValueError(f"`index` slices must have a step that is not 0 (got {shown(item)})") from None
        return Axis(start, step, len(range(start, stop, step)))
    try:
        position = integer("index", item)
    except FaninError:
        raise FaninTypeError(f"`index` must be made of ints, slices and Ellipsis (got {shown(item)})") from None
    if not -dim <= position < dim:
        raise FaninIndexError(f"`index` must be within axis {axis} of size {dim} (got {shown(position)})")
    return Axis(position % dim, 1, 1, dropped=True)


def result_shape(axes: Axes) -> Dims:
    """The shape of what the axes select."""
    return tuple(axis.size for axis in axes if not axis.dropped)


@functools.lru_cache(1024)
def block(axes: Axes, shape: Dims) -> Block:
    """The axes as element numbers in C order over `shape`."""
    strides = [math.prod(shape[d + 1:]) for d in range(len(shape))]
    start = sum(axis.start * stride for axis, stride in zip(axes, strides, strict=True))
    kept = [(axis.size, axis.step * stride) for axis, stride in zip(axes, strides, strict=True) if not axis.dropped]
    return Block(start, tuple(count for count, _ in kept), tuple(step for _, step in kept))


@functools.lru_cache(1024)
def within(axes: Axes, origin: Dims, shape: Dims) -> tuple[tuple[slice, ...], Axes, Axes] | None:
    """What `axes` select of the box of that shape at `origin`, or None where that is nothing.

    Three tuples: the slices of the selection where that lies, its axes in the whole tensor, and those in the box.
    """
    places: list[slice] = []
    selected: list[Axis] = []
    own: list[Axis] = []
    for axis, first, dim in zip(axes, origin, shape, strict=True):
        entry, leave = (first, first + dim) if axis.step > 0 else (first + dim - 1, first - 1)
        low = max(0, -((axis.start - entry) // axis.step))  # the first position at or past the box's near side
        high = min(axis.size, -((axis.start - leave) // axis.step))
        if low >= high:
            return None
        part = axis._replace(start=axis.start + low * axis.step, size=high - low)
        selected.append(part)
        own.append(part._replace(start=part.start - first))
        if not axis.dropped:
            places.append(slice(low, high))
    return tuple(places), tuple(selected), tuple(own)


def interleaved(axes: Axes, along: int, count: int) -> Iterator[tuple[int, tuple[slice, ...], Axes]]:
    """What `axes` select of each of `count` tensors that share axis `along`, place by place in turn.

    For each of which there is something: its number, the slices of the selection where that lies, its own axes.
    """
    axis = axes[along]
    period = count // math.gcd(axis.step, count)  # places of the selection after which the same tensor comes again
    for first in range(min(period, axis.size)):
        own, number = divmod(axis.start + first * axis.step, count)
        taken = Axis(own, axis.step * period // count, -(-(axis.size - first) // period), axis.dropped)
        places = tuple(slice(first, axis.size, period) if d == along else slice(0, each.size)
                       for d, each in enumerate(axes) if not each.dropped)
        yield number, places, (*axes[:along], taken, *axes[along + 1:])


def boxes(shape: Dims, start: int, count: int) -> Iterator[Axes]:
    """Elements start, …, start + count - 1 in C order over `shape` as the axes of the fewest boxes, in order."""
    stop = start + count
    while start < stop:
        inner, d = 1, len(shape)
        while d and start % (inner * shape[d - 1]) == 0 and start + inner * shape[d - 1] <= stop:
            d -= 1  # this axis whole, as all after it
            inner *= shape[d]
        axes: list[Axis] = []
        if d:
            length = min(shape[d - 1] - start // inner % shape[d - 1], (stop - start) // inner)
            axes = [Axis(start // math.prod(shape[e + 1:]) % shape[e], 1, 1, dropped=True) for e in range(d)]
            axes[-1] = axes[-1]._replace(size=length, dropped=False)
            inner *= length
        yield (*axes, *whole(shape[d:]))
        start += inner
