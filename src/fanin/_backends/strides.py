"""An array as the flat run of numbers that the loops write: parts of complex elements apart, adjacent axes merged."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .._plans import indexing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import DTypeLike, NDArray

    from .._plans.indexing import Block


class Target(NamedTuple):
    """Number first + Σ i_d·number_steps[d] goes into flat[at + Σ i_d·out_steps[d]], for every index i below `dims`."""

    flat: NDArray[Any]
    at: int
    first: int
    dims: NDArray[np.int64]
    number_steps: NDArray[np.int64]
    out_steps: NDArray[np.int64]


def as_run(out: NDArray[Any], block: Block, storage: np.dtype[Any]) -> NDArray[Any] | None:
    """`out` as the 1-D array of its numbers, when they and the block's are consecutive; else None."""
    flags = out.flags
    if not (flags.c_contiguous and flags.aligned and is_consecutive(block)):
        return None
    run = out.reshape(-1)
    written = _written_as(storage)
    return run if run.dtype is written else run.view(written)


@functools.lru_cache(1024)
def is_consecutive(block: Block) -> bool:
    """Whether the elements of a block are neighbours in the tensor, in order."""
    if 0 in block.dims:
        return True
    step = 1
    for dim, block_step in zip(reversed(block.dims), reversed(block.steps), strict=True):
        if dim != 1 and block_step != step:
            return False
        step *= dim
    return True


def _written_as(storage: np.dtype[Any]) -> DTypeLike:
    return np.uint16 if storage.itemsize == 2 else storage  # half types are written as bit patterns


class Layout(NamedTuple):
    """Number first + Σ i_d·number_steps[d] lies Σ i_d·out_steps[d] numbers after the array's element 0.

    For every index i below `dims`. From that element the array reaches `below` numbers back and `above` on.
    """

    first: int
    dims: tuple[int, ...]
    number_steps: tuple[int, ...]
    out_steps: tuple[int, ...]
    below: int
    above: int


def lay_out(shape: tuple[int, ...], strides: tuple[int, ...], block: Block, storage: np.dtype[Any],
            parts: int) -> Layout | None:
    """The `Layout` of `block` in an array of the block's dims whose elements are `parts` `storage` numbers each.

    Returns None where the strides (in bytes) are not whole numbers, as in a field of packed records.
    """
    if any(stride % storage.itemsize for stride in strides):
        return None
    steps = tuple(step * parts for step in block.steps)
    if parts > 1:
        shape, strides, steps = (*shape, parts), (*strides, storage.itemsize), (*steps, 1)
    merged = _merge(zip(shape, steps, (stride // storage.itemsize for stride in strides), strict=True))
    dims, steps, out_steps = (tuple(column) for column in zip(*merged, strict=True)) if merged else ((1,), (1,), (1,))
    reach = [(dim - 1) * step for dim, step in zip(dims, out_steps, strict=True)]
    return Layout(block.start * parts, dims, steps, out_steps, -sum(r for r in reach if r < 0),
                  sum(r for r in reach if r > 0))


def target(out: NDArray[Any], block: Block, storage: np.dtype[Any]) -> Target | None:
    """Lay out `block` for `out`, an array of the block's dims; None where no aligned numbers can be written.

    The axes are as the loops want them: at least two, with number steps that are positive, descend and end with 1.
    """
    if not out.flags.aligned:
        return None
    out, block = _ascending(out, block)
    layout = lay_out(out.shape, out.strides, block, storage, out.dtype.itemsize // storage.itemsize)
    if layout is None:
        return None
    flat = _flat(out, layout.below + layout.above + 1, storage)
    axes = list(zip(layout.dims, layout.number_steps, layout.out_steps, strict=True))
    if axes[-1][1] != 1:
        axes.append((1, 1, len(flat)))  # rows of one number
    if len(axes) == 1:
        axes.insert(0, (1, 1, len(flat)))  # one row
    return Target(flat, layout.below, layout.first, *np.array(axes, np.int64).T.copy())


def column_targets(out: NDArray[Any], block: Block, inner: int, rows: int) -> list[Target] | None:
    """Lay out `block` for columns.py, as a few targets; None where no aligned numbers can be written.

    Element i of the tensor is in row i // inner % rows. The last axis is that of the rows, with or without length, and
    numbers are elements, written as unsigned integers: two where an element has 16 bytes.
    """
    storage = np.dtype(f"u{min(out.dtype.itemsize, 8)}")
    if not out.flags.aligned or any(stride % storage.itemsize for stride in out.strides):
        return None
    if block.steps != (1,):
        return _column_targets(out, block, inner, rows, storage)
    shape, done = ((block.start + out.size) // (inner * rows) + 1, rows, inner), 0
    targets = []
    for axes in indexing.boxes(shape, block.start, out.size):  # of a run, which may begin and end within a row
        box = indexing.block(axes, shape)
        size = math.prod(box.dims)
        targets += _column_targets(out[done:done + size].reshape(box.dims), box, inner, rows, storage)
        done += size
    return targets


def _column_targets(out: NDArray[Any], block: Block, inner: int, rows: int, storage: np.dtype[Any]) -> list[Target]:
    out, block = _ascending(out, block)
    axes = sorted(zip(out.shape, block.steps, (stride // storage.itemsize for stride in out.strides), strict=True),
                  key=lambda axis: -abs(axis[2]))
    is_along = [dim != 1 and inner <= step < inner * rows for dim, step, _ in axes]
    across = _merge(axis for axis, along in zip(axes, is_along) if not along)
    table = [*across, next((axis for axis, along in zip(axes, is_along) if along), (1, inner, 1))]
    reach = [(dim - 1) * step for dim, _, step in table]
    below = -sum(r for r in reach if r < 0)
    halves = out.dtype.itemsize // storage.itemsize
    flat = _flat(out, sum(map(abs, reach)) + halves, storage)
    return [Target(flat, below + half, block.start, *np.array(table, np.int64).T.copy()) for half in range(halves)]


def _flat(out: NDArray[Any], length: int, storage: np.dtype[Any]) -> NDArray[Any]:
    """The numbers of an array as one that begins at the lowest address: all positions in it are >= 0."""
    corner = out[(*(slice(-1, None) if stride < 0 else slice(0, 1) for stride in out.strides), ...)]
    return as_strided(corner.reshape(-1).view(_written_as(storage)), (length,), (storage.itemsize,))


def _ascending(out: NDArray[Any], block: Block) -> tuple[NDArray[Any], Block]:
    """The same with each axis turned round along which the numbers descend."""
    if all(step >= 0 for step in block.steps):
        return out, block
    start = block.start + sum((dim - 1) * step for dim, step in zip(block.dims, block.steps, strict=True) if step < 0)
    turned = out[tuple(slice(None, None, -1 if step < 0 else 1) for step in block.steps)]
    return turned, block._replace(start=start, steps=tuple(map(abs, block.steps)))


def _merge(axes: Iterable[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Drop axes of size 1 and join neighbours that one step walks through, in the numbering and in memory."""
    merged: list[tuple[int, int, int]] = []
    for dim, step, out_step in axes:
        if dim == 1:
            continue
        if merged and merged[-1][1] == step * dim and merged[-1][2] == out_step * dim:
            merged[-1] = (merged[-1][0] * dim, step, out_step)
        else:
            merged.append((dim, step, out_step))
    return merged
