"""Laws with their parameters: how torch's functions fill arrays of any layout with them, in the order of memory."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..._plans import indexing
from . import _draws

if TYPE_CHECKING:
    from ..._plans.indexing import Axes
    from ..._types import Array, Dims
    from ._draws import Draw
    from ._state import State
    from ._twister import Twister

WINDOW = 2**18  # numbers that are drawn at a time to pick some of them


class Uniform(NamedTuple):
    """U[low, high)."""

    low: float
    high: float

    def write(self, state: State, view: Array) -> None:
        """Fill an array."""
        _write_flat(_draws.Uniform(view.dtype, self.low, self.high), state, view)

    def write_part(self, state: State, shape: Dims, axes: Axes, view: Array) -> None:
        """Fill an array with what `axes` select of a contiguous draw of that shape, all of which counts as drawn."""
        _write_part(_draws.Uniform(view.dtype, self.low, self.high), state, shape, axes, view)


class Normal(NamedTuple):
    """N(mean, std²)."""

    mean: float
    std: float

    def write(self, state: State, view: Array) -> None:
        """Fill an array."""
        if view.size >= _draws.GROUP and view.flags.c_contiguous:
            _write_flat(_draws.Normal(view.dtype, self.mean, self.std), state, view)
            return
        ordered = in_memory_order(view)
        numbers = state.few_normals(view.size, self.mean, self.std).reshape(ordered.shape)
        # torch's conversion to a half type goes through float32
        ordered[...] = numbers if view.dtype.itemsize > 2 else numbers.astype(np.float32)

    def write_part(self, state: State, shape: Dims, axes: Axes, view: Array) -> None:
        """Fill an array with what `axes` select of a contiguous draw of that shape, all of which counts as drawn."""
        if math.prod(shape) >= _draws.GROUP:
            _write_part(_draws.Normal(view.dtype, self.mean, self.std), state, shape, axes, view)
            return
        whole = np.empty(shape, view.dtype)
        self.write(state, whole)
        view[...] = whole.reshape(-1)[_numbers(*indexing.block(axes, shape))]


def in_memory_order(view: Array) -> Array:
    """The same memory with its axes sorted, that with the nearest neighbours last: the order in which torch fills."""
    axes = sorted(range(view.ndim), key=lambda axis: abs(view.strides[axis]), reverse=True)
    return view.transpose(axes)


def _write_flat(draw: Draw, state: State, view: Array) -> None:
    ordered = in_memory_order(view)
    if ordered.flags.c_contiguous and ordered.flags.aligned:
        _draws.fill(draw, state.place, ordered.reshape(-1))
        return
    made = np.empty(view.size, view.dtype)
    _draws.fill(draw, state.place, made)
    ordered[...] = made.reshape(ordered.shape)


def _write_part(draw: Draw, state: State, shape: Dims, axes: Axes, view: Array) -> None:
    """What `axes` select is runs of neighbours, whose first numbers are `starts`."""
    n = math.prod(shape)
    start, dims, steps = indexing.block(axes, shape)
    run, rank = 1, len(dims)
    while rank and (steps[rank - 1] == run or dims[rank - 1] == 1):
        rank -= 1
        run *= dims[rank]
    place = state.place.copy()
    if rank == 0 and view.flags.c_contiguous and view.flags.aligned:
        _draws.fill_part(draw, place, n, start, view.reshape(-1))
    elif view.size:
        starts = _numbers(start, dims[:rank], steps[:rank]).reshape(-1)
        view[...] = _picked(draw, place, n, starts, run).reshape(view.shape)
    state.place.skip(draw.words(n))


def _numbers(start: int, dims: Dims, steps: Dims) -> Array:
    """start + Σ i_d·steps[d] for every index i below `dims`."""
    numbers = np.array(start)
    for dim, step in zip(dims, steps, strict=True):
        numbers = numbers[..., None] + step * np.arange(dim)
    return numbers


def _picked(draw: Draw, place: Twister, n: int, starts: Array, run: int) -> Array:
    """Runs of neighbours of a draw of n, in an array (runs, run)."""
    values = np.empty((len(starts), run), draw.dtype)
    order = np.argsort(starts, kind="stable")
    ascending = starts[order]
    i = passed = 0
    while i < len(order):
        first = int(ascending[i])
        j = max(i + 1, int(np.searchsorted(ascending, first + WINDOW - run, side="right")))
        window = np.empty(int(ascending[j - 1]) + run - first, draw.dtype)
        passed += _draws.fill_part(draw, place, n - passed, first - passed, window)
        values[order[i:j]] = window[(ascending[i:j] - first)[:, None] + np.arange(run)]
        i = j
    return values
