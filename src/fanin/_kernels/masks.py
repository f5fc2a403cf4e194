"""Which elements of a masked draw are drawn; the others are zero.

A mask is a device function `mask(i, k0, k1, s0, s1, *params) -> bool`: i is the element's index in C order over the
whole shape, (k0, k1) the key words and (s0, s1) the stream id words of the draw, all uint64; params are uint64 too and
come from the mask's `..._params` function, which runs on the host. Where a mask is True the element takes the
sampler's value, elsewhere zero. An element's mask depends on its own index only, so it can be drawn in any order.
"""

from typing import Any

import numpy as np

from .._errors import FaninValueError
from .device import device_function
from .permutation import as_divisor, divide, permutation_params, permute
from .philox import HALF, philox

COLUMNS = np.uint64(0x80000000)  # bit 63 of a block number, in its high word: no element's block reaches it


# -- Eye --------------------------------------------------------------------------------------------------------------


@device_function
def diagonal(i: Any, k0: Any, k1: Any, s0: Any, s1: Any, columns: Any, inverse_columns: Any) -> Any:
    """Row equals column."""
    row, column = divide(i, columns, inverse_columns)
    return row == column


def diagonal_params(shape: tuple[int, ...]) -> tuple[Any, ...]:
    """Parameters of `diagonal` for a matrix of this shape (rows, columns)."""
    return as_divisor(shape[1])


# -- Dirac ------------------------------------------------------------------------------------------------------------


@device_function
def part(i: Any, stride: Any, inverse_stride: Any, size: Any, inverse_size: Any) -> Any:
    """The position of element i along an axis of that size and stride, and its share in i."""
    position = divide(divide(i, stride, inverse_stride)[0], size, inverse_size)[1]
    return position, position * stride


@device_function
def dirac(i: Any, k0: Any, k1: Any, s0: Any, s1: Any, out_stride: Any, inverse_out_stride: Any, out_size: Any,
          inverse_out_size: Any, in_stride: Any, inverse_in_stride: Any, in_size: Any, inverse_in_size: Any,
          batch_stride: Any, inverse_batch_stride: Any, batch_size: Any, inverse_batch_size: Any, group_size: Any,
          inverse_group_size: Any, centre: Any) -> Any:
    """Kernel position is the centre, and the number of the out channel within its group is the in channel's.

    What is left of i without its out, in and batch parts is the flat offset of its kernel position, over however
    many kernel axes lying wherever they do: one comparison with the centre's offset settles them all.
    """
    out, out_part = part(i, out_stride, inverse_out_stride, out_size, inverse_out_size)
    channel, in_part = part(i, in_stride, inverse_in_stride, in_size, inverse_in_size)
    _, batch_part = part(i, batch_stride, inverse_batch_stride, batch_size, inverse_batch_size)
    in_group = divide(out, group_size, inverse_group_size)[1]
    return (i - out_part - in_part - batch_part == centre) & (in_group == channel)


def dirac_params(shape: tuple[int, ...], roles: str, groups: int = 1) -> tuple[Any, ...]:
    """Parameters of `dirac`: roles has one letter per axis, o, i, b or * (a kernel axis), for example "oi**".

    The axes of one letter among o, i, b must be neighbours (they count as one axis); groups divides the out size.
    The centre of a kernel axis of length k is k // 2.

    >>> [int(p) for p in dirac_params((4, 2, 3, 3), "oi**")][::2]  # the others are reciprocals
    [18, 4, 9, 2, 1, 1, 4, 4]
    """
    strides = [1] * len(shape)
    for axis in range(len(shape) - 1, 0, -1):
        strides[axis - 1] = strides[axis] * shape[axis]
    divisors = []
    for role in "oib":
        axes = [axis for axis, r in enumerate(roles) if r == role]
        if axes and axes[-1] - axes[0] + 1 != len(axes):
            raise FaninValueError(f"`layout` must keep axes of one role together (got {roles!r}): move the {role!r} "
                                  "axes")
        size = 1
        for axis in axes:
            size *= shape[axis]
        divisors += [strides[axes[-1]] if axes else 1, size]
    centre = sum(shape[axis] // 2 * strides[axis] for axis, role in enumerate(roles) if role == "*")
    divisors.append(divisors[1] // groups)
    return (*(number for d in divisors for number in as_divisor(d)), np.uint64(centre))


# -- Sparse -----------------------------------------------------------------------------------------------------------


@device_function
def kept(i: Any, k0: Any, k1: Any, s0: Any, s1: Any, inner: Any, inverse_inner: Any, rows: Any, inverse_rows: Any,
         zeros: Any, width: Any, inverse_width: Any, full_rows: Any, last_width: Any) -> Any:
    """The element's row is not among the `zeros` rows that its column leaves out.

    A column is permuted by a key of its own, the four words of block 2**63 + column of the draw's own seed and
    stream (no element uses a block above 2**62), and loses the rows whose images lie below `zeros`: exactly that
    many, since a permutation has exactly that many.
    """
    above, within = divide(i, inner, inverse_inner)
    outer, row = divide(above, rows, inverse_rows)
    column = outer * inner + within
    w0, w1, w2, w3 = philox(column, (column >> HALF) | COLUMNS, s0, s1, k0, k1)
    return permute(row, w0, w1, w2, w3, width, inverse_width, full_rows, last_width) >= zeros


def kept_params(shape: tuple[int, ...], axis: int, zeros: int) -> tuple[Any, ...]:
    """Parameters of `kept`: rows are shape[axis], columns the other axes in C order, `zeros` of each column's rows go.

    >>> [int(p) for p in kept_params((3, 10, 2), 1, 4)[:5:2]]  # inner, rows, zeros; between them reciprocals
    [2, 10, 4]
    """
    rows, inner = shape[axis], 1
    for size in shape[axis:][1:]:
        inner *= size
    return *as_divisor(inner), *as_divisor(rows), np.uint64(zeros), *permutation_params(rows)
