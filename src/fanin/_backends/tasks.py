"""What the kernels of grid.py are told: an array and a block of a tensor as tasks for threads. Plain integers only."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from .._kernels.permutation import as_divisor, reciprocal
from .._plans.indexing import Block
from .strides import is_consecutive, lay_out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._types import Array


Arguments: TypeAlias = tuple[int, tuple[int, int], int, tuple[Any, ...]]  # tasks, memory span, rank, and the rest


class DeviceView(NamedTuple):
    """An array in a GPU's memory, whatever library it belongs to."""

    address: int  # of element 0
    shape: tuple[int, ...]
    strides: tuple[int, ...]  # in bytes
    dtype: np.dtype[Any]
    device: str  # "cuda:1"
    stream: object = 0  # where its library has its work done: what the backend's launches take
    wait: bool = False  # whether to wait for that stream: nobody else knows that it was used
    owner: object = None  # keeps the memory alive

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def is_contiguous(self) -> bool:
        wanted = c_strides(self.shape, self.dtype.itemsize)
        return self.size == 0 or all(dim == 1 or stride == step
                                     for dim, stride, step in zip(self.shape, self.strides, wanted, strict=True))

    def part(self, places: Sequence[Any]) -> DeviceView:
        """The elements at those slices, one for each axis: within it, of a positive step, or None for 1."""
        ranges = [range(place.start, place.stop, place.step or 1) for place in places]
        axes = list(zip(ranges, self.strides, strict=True))
        return self._replace(address=self.address + sum(places.start * stride for places, stride in axes),
                             shape=tuple(map(len, ranges)),
                             strides=tuple(places.step * stride for places, stride in axes))

    def split(self, dims: tuple[int, ...]) -> DeviceView:
        """This 1-D view as one of those dims, in C order."""
        return self._replace(shape=dims, strides=c_strides(dims, self.strides[0]))


def c_strides(shape: tuple[int, ...], step: int) -> tuple[int, ...]:
    """The strides of a C-contiguous array whose elements are `step` apart."""
    return tuple(step * math.prod(shape[d + 1:]) for d in range(len(shape)))


def lanes(storage: np.dtype[Any]) -> int:
    """Numbers in a block of the stream."""
    return 2 if storage.itemsize == 8 else 4


def run_arguments(view: DeviceView, block: Block, storage: np.dtype[Any], parts: int) -> Arguments | None:
    """(tasks, memory span, 0, arguments) of `fill_run`, without key and parameters; None where there is no run."""
    if not (view.is_contiguous and is_consecutive(block)):
        return None
    numbers, count = lanes(storage), view.size * parts
    start, skip = divmod(block.start * parts, numbers)
    shift = view.address // storage.itemsize % numbers
    return (skip + count + numbers - 1) // numbers, (0, count), 0, (count, start, skip, shift)


def strided_arguments(view: DeviceView, block: Block, storage: np.dtype[Any], parts: int) -> Arguments | None:
    """(tasks, memory span, rank, arguments) of `fill_strided`, without key and parameters; None if misaligned.

    The span is (below, count): the kernel's `out` begins `below` numbers before element 0, so that positions are >= 0.
    """
    layout = lay_out(view.shape, view.strides, block, storage, parts)
    if layout is None:
        return None
    numbers = lanes(storage)
    axes = sorted(zip(layout.dims, layout.number_steps, layout.out_steps, strict=True), key=lambda axis: -abs(axis[2]))
    # whole blocks go along the axis of consecutive numbers, if there is one; else numbers along the nearest memory
    along = next((d for d, axis in enumerate(axes) if axis[1] == 1), len(axes) - 1)
    length, number_step, out_step = axes.pop(along)
    # a row of consecutive numbers begins in its first block at a multiple of `grain`, at most at numbers - grain
    grain = math.gcd(numbers, layout.first, *(axis[1] for axis in axes))
    pieces = (2 * numbers - grain + length - 1) // numbers if number_step == 1 else length
    rows = math.prod(axis[0] for axis in axes)
    rows_inside = along < len(axes)
    inner = rows if rows_inside else pieces
    shift = (view.address // storage.itemsize - layout.below) % numbers
    return rows * pieces, (layout.below, layout.below + layout.above + 1), len(axes), (
        shift, rows * pieces, *as_divisor(inner), rows_inside, layout.first, layout.below, length,
        number_step, out_step, *_columns(axes))


def copy_arguments(view: DeviceView, values: Array, storage: np.dtype[Any], parts: int) -> Arguments | None:
    """(tasks, memory span, rank, arguments) of `copy_strided` for a C-contiguous array that broadcasts to `view`."""
    spread = np.broadcast_to(values, view.shape)
    block = Block(0, view.shape, tuple(stride // values.itemsize for stride in spread.strides))
    layout = lay_out(view.shape, view.strides, block, storage, parts)
    if layout is None:
        return None
    axes = sorted(zip(layout.dims, layout.number_steps, layout.out_steps, strict=True), key=lambda axis: -abs(axis[2]))
    tasks = math.prod(axis[0] for axis in axes)
    return tasks, (layout.below, layout.below + layout.above + 1), len(axes), (
        tasks, 0, layout.below, *_columns(axes))


def _columns(axes: list[tuple[int, int, int]]) -> tuple[tuple[Any, ...], ...]:
    """dims, inverses, number_steps, out_steps as tuples."""
    return (tuple(np.uint64(axis[0]) for axis in axes), tuple(reciprocal(axis[0]) for axis in axes),
            tuple(axis[1] for axis in axes), tuple(axis[2] for axis in axes))
