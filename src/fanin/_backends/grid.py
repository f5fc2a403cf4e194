"""The kernels around a block function, as plain Python: a thread makes one block of the stream per step.

cuda/ compiles them, or hands them to its simulator as they stand. `block`, `NUMBERS`, `cuda`, `locate` and the ways
to memory are globals of a copy of each kernel, made for one block function by `specialize`, as in loops.py.

A thread walks through the tasks with the stride of the whole grid: neighbouring threads write neighbouring blocks, and
a grid of any size does all of the work. `out` is whatever the target's `write` takes; positions in it count numbers and
are int64, so that they reach beyond 2**31. Divisions are those of the masks, by reciprocals that the host computes: a
64-bit division takes a GPU some hundred instructions.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from .._kernels.device import device_function
from .._kernels.permutation import divide
from .copies import with_globals

block: Any = None  # the block function, of a specialized copy
NUMBERS = 4  # numbers in a block: 4, or 2 when they are 8 bytes wide
cuda: Any = None  # the target's module, which tells a thread its number
locate: Any = None  # made by `_locate`
write: Any = None  # write(out, at, value)
write_block: Any = None  # write_block(out, at, values), for an address that one instruction can write
read: Any = None  # read(values, at): a number of another memory


def _write_array(out: Any, at: Any, value: Any) -> None:
    out[at] = value


def _write_array_block(out: Any, at: Any, values: Any) -> None:
    for lane, value in enumerate(values):
        out[at + lane] = value


def _read_array(values: Any, at: Any) -> Any:
    return values[at]


# Ways to memory that Python can index, for kernels that run as they stand.
ARRAYS = {"write": _write_array, "write_block": _write_array_block, "read": _read_array}


def write_lanes(out: Any, at: Any, step: Any, low: Any, high: Any, values: Any) -> None:
    """Value j of a block to position at + j·step, for low <= j < high."""
    if NUMBERS == 4:
        v0, v1, v2, v3 = values
        if low <= 0 and high > 0:
            write(out, at, v0)
        if low <= 1 and high > 1:
            write(out, at + step, v1)
        if low <= 2 and high > 2:
            write(out, at + 2 * step, v2)
        if low <= 3 and high > 3:
            write(out, at + 3 * step, v3)
    else:
        v0, v1 = values
        if low <= 0 and high > 0:
            write(out, at, v0)
        if low <= 1 and high > 1:
            write(out, at + step, v1)


def fill_run(out: Any, count: Any, start: Any, skip: Any, shift: Any, key: Any, params: Any, mask_params: Any) -> None:
    """Numbers start·NUMBERS + skip, … into all `count` numbers of a contiguous `out`; 0 <= skip < NUMBERS.

    `shift` is out's address in numbers, modulo NUMBERS: it says which blocks one instruction can write.
    """
    k0, k1, s0, s1 = key
    stride = np.int64(cuda.gridsize(1))
    blocks = (skip + count + (NUMBERS - 1)) // NUMBERS
    aligned = (shift - skip) % NUMBERS == 0
    b = np.int64(cuda.grid(1))
    while b < blocks:
        values = block(np.uint64(start + b), k0, k1, s0, s1, params, mask_params)
        at = b * NUMBERS - skip
        if aligned and at >= 0 and at + NUMBERS <= count:
            write_block(out, at, values)
        else:
            write_lanes(out, at, 1, -at, count - at, values)
        b += stride


def fill_strided(out: Any, shift: Any, tasks: Any, inner: Any, inverse_inner: Any, rows_inside: Any, first: Any,
                 origin: Any, length: Any, number_step: Any, out_step: Any, dims: Any, inverses: Any,
                 number_steps: Any, out_steps: Any, key: Any, params: Any, mask_params: Any) -> None:
    """Number first + Σ i_d·number_steps[d] + j·number_step into out[origin + Σ i_d·out_steps[d] + j·out_step].

    For every index i below `dims`, a row, and every j below `length`. A task is a block of a row where the row's
    numbers are consecutive (number_step is 1), else one number. Tasks are numbered with the pieces of a row inside,
    or, when `rows_inside`, with the rows inside: whichever makes neighbours in memory. `inner` is how many are inside.
    """
    k0, k1, s0, s1 = key
    stride = np.int64(cuda.gridsize(1))
    task = np.int64(cuda.grid(1))
    while task < tasks:
        outside, inside = divide(np.uint64(task), inner, inverse_inner)
        row = inside if rows_inside else outside
        piece = np.int64(outside) if rows_inside else np.int64(inside)
        n, at = locate(row, first, origin, dims, inverses, number_steps, out_steps)
        if number_step == 1:  # lane j of the block is number j - low of the row, were it that long
            b = n // NUMBERS + piece
            low = n - b * NUMBERS
            high, at, step = low + length, at - low * out_step, out_step
        else:
            b = (n + piece * number_step) // NUMBERS
            low = n + piece * number_step - b * NUMBERS
            high, at, step = low + 1, at + piece * out_step, np.int64(0)
        values = block(np.uint64(b), k0, k1, s0, s1, params, mask_params)
        if step == 1 and low <= 0 and high >= NUMBERS and (shift + at) % NUMBERS == 0:
            write_block(out, at, values)
        else:
            write_lanes(out, at, step, low, high, values)
        task += stride


def copy_strided(out: Any, values: Any, tasks: Any, first: Any, origin: Any, dims: Any, inverses: Any,
                 number_steps: Any, out_steps: Any) -> None:
    """values[first + Σ i_d·number_steps[d]] into out[origin + Σ i_d·out_steps[d]] for every index i below `dims`."""
    stride = np.int64(cuda.gridsize(1))
    task = np.int64(cuda.grid(1))
    while task < tasks:
        n, at = locate(np.uint64(task), first, origin, dims, inverses, number_steps, out_steps)
        write(out, at, read(values, n))
        task += stride


@functools.cache
def _locate(rank: int) -> Callable[..., Any]:
    """locate(i, n, at, dims, inverses, number_steps, out_steps): the offsets of index i, in C order, added to n and at.

    As a chain of functions, one for each axis: a loop would keep the tuples in local memory, to index them.
    """
    if rank == 0:
        @device_function
        def here(i: Any, n: Any, at: Any, dims: Any, inverses: Any, number_steps: Any, out_steps: Any) -> Any:
            return n, at

        return here
    rest, d = _locate(rank - 1), rank - 1

    @device_function
    def along(i: Any, n: Any, at: Any, dims: Any, inverses: Any, number_steps: Any, out_steps: Any) -> Any:
        i, position = divide(i, dims[d], inverses[d])
        n, at = n + np.int64(position) * number_steps[d], at + np.int64(position) * out_steps[d]
        return rest(i, n, at, dims, inverses, number_steps, out_steps)

    return along


def specialize(kernel: Callable[..., None], rank: int = 0, **scope: Any) -> Callable[..., None]:
    """A copy of a kernel over the globals that it needs; `rank` counts the axes that it locates by tuples."""
    scope = {"locate": _locate(rank), **scope}
    scope["write_lanes"] = device_function(with_globals(write_lanes, "write_lanes", **scope))
    return with_globals(kernel, kernel.__name__, **scope)
