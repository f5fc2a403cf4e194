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
    if not (out.flags.c_contiguous and out.flags.aligned and _is_consecutive(block)):
        return None
    return out.reshape(-1).view(_written_as(storage))


@functools.lru_cache(1024)
def _is_consecutive(block):
    step = 1
    for dim, block_step in zip(reversed(block.dims), reversed(block.steps), strict=True):
        if dim != 1 and block_step != step:
            return False
        step *= dim
    return True


def _written_as(storage):
    return np.uint16 if storage.itemsize == 2 else storage  # half types are written as bit patterns


def target(out, block, storage):
    """Lay out `block` for `out`, an array of the block's dims whose elements are one or two `storage` numbers.

    Returns None where the array's strides are not whole numbers of aligned elements, as in a field of packed records.
    """
    parts = out.dtype.itemsize // storage.itemsize
    if any(stride % storage.itemsize for stride in out.strides) or not out.flags.aligned:
        return None
    dims, strides = out.shape, out.strides
    steps = tuple(step * parts for step in block.steps)
    if parts > 1:
        dims, strides, steps = (*dims, parts), (*strides, storage.itemsize), (*steps, 1)
    merged = _merge(dims, steps, [stride // storage.itemsize for stride in strides])
    dims, steps, out_steps = (tuple(column) for column in zip(*merged, strict=True)) if merged else ((1,), (1,), (1,))
    # numba's array is made to begin at the lowest address: all positions in it are then >= 0
    below = sum((dim - 1) * step for dim, step in zip(dims, out_steps, strict=True) if step < 0)
    above = sum((dim - 1) * step for dim, step in zip(dims, out_steps, strict=True) if step > 0)
    corner = out[(*(slice(-1, None) if stride < 0 else slice(0, 1) for stride in out.strides), ...)]
    flat = as_strided(corner.reshape(-1).view(_written_as(storage)), (above - below + 1,), (storage.itemsize,))
    return Target(flat, -below, block.start * parts, *(np.array(row, np.int64) for row in (dims, steps, out_steps)))


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
