"""An array as the flat run of numbers that the loops write: parts of complex elements apart, adjacent axes merged."""

import functools
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided


class Target(NamedTuple):
    """Number first + Σ i_d·number_steps[d] goes into flat[at + Σ i_d·out_steps[d]], for every index i below `dims`."""

    flat: np.ndarray
    at: int
    first: int
    dims: np.ndarray
    number_steps: np.ndarray
    out_steps: np.ndarray


def as_run(out, block, storage):
    """`out` as the 1-D array of its numbers, when they and the block's are consecutive; else None."""
    if not (out.flags.c_contiguous and out.flags.aligned and is_consecutive(block)):
        return None
    return out.reshape(-1).view(_written_as(storage))


@functools.lru_cache(1024)
def is_consecutive(block):
    """Whether the elements of a block are neighbours in the tensor, in order."""
    if 0 in block.dims:
        return True
    step = 1
    for dim, block_step in zip(reversed(block.dims), reversed(block.steps), strict=True):
        if dim != 1 and block_step != step:
            return False
        step *= dim
    return True


def _written_as(storage):
    return np.uint16 if storage.itemsize == 2 else storage  # half types are written as bit patterns


class Layout(NamedTuple):
    """Number first + Σ i_d·number_steps[d] lies Σ i_d·out_steps[d] numbers after the array's element 0.

    For every index i below `dims`. From that element the array reaches `below` numbers back and `above` on.
    """

    first: int
    dims: tuple
    number_steps: tuple
    out_steps: tuple
    below: int
    above: int


def lay_out(shape, strides, block, storage, parts):
    """The `Layout` of `block` in an array of the block's dims whose elements are `parts` `storage` numbers each.

    Returns None where the strides (in bytes) are not whole numbers, as in a field of packed records.
    """
    if any(stride % storage.itemsize for stride in strides):
        return None
    steps = tuple(step * parts for step in block.steps)
    if parts > 1:
        shape, strides, steps = (*shape, parts), (*strides, storage.itemsize), (*steps, 1)
    merged = _merge(shape, steps, [stride // storage.itemsize for stride in strides])
    dims, steps, out_steps = (tuple(column) for column in zip(*merged, strict=True)) if merged else ((1,), (1,), (1,))
    reach = [(dim - 1) * step for dim, step in zip(dims, out_steps, strict=True)]
    return Layout(block.start * parts, dims, steps, out_steps, -sum(r for r in reach if r < 0),
                  sum(r for r in reach if r > 0))


def target(out, block, storage):
    """Lay out `block` for `out`, an array of the block's dims; None where no aligned numbers can be written."""
    parts = out.dtype.itemsize // storage.itemsize
    layout = lay_out(out.shape, out.strides, block, storage, parts) if out.flags.aligned else None
    if layout is None:
        return None
    # numba's array is made to begin at the lowest address: all positions in it are then >= 0
    corner = out[(*(slice(-1, None) if stride < 0 else slice(0, 1) for stride in out.strides), ...)]
    flat = as_strided(corner.reshape(-1).view(_written_as(storage)), (layout.below + layout.above + 1,),
                      (storage.itemsize,))
    return Target(flat, layout.below, layout.first,
                  *(np.array(row, np.int64) for row in (layout.dims, layout.number_steps, layout.out_steps)))


def _merge(dims, steps, out_steps):
    """Drop axes of size 1 and join neighbours that one step walks through, in the numbering and in memory."""
    merged = []
    for dim, step, out_step in zip(dims, steps, out_steps, strict=True):
        if dim == 1:
            continue
        if merged and merged[-1][1] == step * dim and merged[-1][2] == out_step * dim:
            merged[-1] = (merged[-1][0] * dim, step, out_step)
        else:
            merged.append((dim, step, out_step))
    return merged
