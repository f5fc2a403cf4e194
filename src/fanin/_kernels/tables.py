"""Tables that are computed from an element's place: samplers without randomness, in float64 for every dtype.

`i` is the element's index in C order over the whole shape, uint64, like the sizes; each size comes with its reciprocal.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .device import device_function, sqrt
from .elementary import exp, sincospi
from .masks import part
from .permutation import ONE, divide, reciprocal
from .samplers import place_sampler

ZERO = np.uint64(0)
INVERSE_PI = np.float64(1 / np.pi)


@device_function
def row_and_column(i: Any, rows: Any, inverse_rows: Any, columns: Any, inverse_columns: Any) -> Any:
    """The places along the last two axes."""
    above, column = divide(i, columns, inverse_columns)
    return divide(above, rows, inverse_rows)[1], column


# -- sinusoidal positions ---------------------------------------------------------------------------------------------


@device_function
def _wave(position: Any, wave: Any, step: Any) -> Any:
    """(sine, cosine) of position·exp(-step·wave)."""
    return sincospi(np.float64(position) * exp(-step * np.float64(wave)) * INVERSE_PI)


@place_sampler
def sinusoid_interleaved(i: Any, positions: Any, inverse_positions: Any, channels: Any, inverse_channels: Any,
                         step: Any) -> Any:
    """Sines in the even channels, cosines in the odd ones."""
    position, channel = row_and_column(i, positions, inverse_positions, channels, inverse_channels)
    sine, cosine = _wave(position, channel >> ONE, step)
    return sine if (channel & ONE) == ZERO else cosine


@place_sampler
def sinusoid_halves(i: Any, positions: Any, inverse_positions: Any, channels: Any, inverse_channels: Any,
                    step: Any) -> Any:
    """Sines in the first half of the channels, cosines in the second, zero in the last one of an odd number."""
    position, channel = row_and_column(i, positions, inverse_positions, channels, inverse_channels)
    half = channels >> ONE
    second = channel >= half
    sine, cosine = _wave(position, channel - half if second else channel, step)
    value = cosine if second else sine
    return value if channel < half + half else np.float64(0)


# -- HiPPO ------------------------------------------------------------------------------------------------------------


@place_sampler
def hippo_legs(i: Any, states: Any, inverse_states: Any) -> Any:
    """A of HiPPO-LegS: -√((2n + 1)(2k + 1)) in row n, column k < n; -(n + 1) on the diagonal; 0 above it."""
    row, column = row_and_column(i, states, inverse_states, states, inverse_states)
    below = -sqrt(np.float64((row + row + ONE) * (column + column + ONE)))
    diagonal = -np.float64(row + ONE)
    return below if row > column else (diagonal if row == column else np.float64(0))


# -- linear interpolation ---------------------------------------------------------------------------------------------


@device_function
def _tent(i: Any, stride: Any, inverse_stride: Any, size: Any, inverse_size: Any) -> Any:
    """2f - |2x - k + 1| for place x on an axis of length k, f = ⌈k/2⌉: highest in the middle, above 0 everywhere."""
    place, _ = part(i, stride, inverse_stride, size, inverse_size)
    twice, middle = place + place, size - ONE
    distance = twice - middle if twice > middle else middle - twice
    return np.float64(size + (size & ONE) - distance)


@place_sampler
def interpolation(i: Any, out_stride: Any, inverse_out_stride: Any, out_size: Any, inverse_out_size: Any,
                  in_stride: Any, inverse_in_stride: Any, in_size: Any, inverse_in_size: Any, stride_a: Any,
                  inverse_stride_a: Any, size_a: Any, inverse_size_a: Any, stride_b: Any, inverse_stride_b: Any,
                  size_b: Any, inverse_size_b: Any, stride_c: Any, inverse_stride_c: Any, size_c: Any,
                  inverse_size_c: Any, highest: Any) -> Any:
    """The product of three kernel axes' tents as a share of `highest`, where a channel meets itself; elsewhere 0."""
    out, _ = part(i, out_stride, inverse_out_stride, out_size, inverse_out_size)
    channel, _ = part(i, in_stride, inverse_in_stride, in_size, inverse_in_size)
    value = (_tent(i, stride_a, inverse_stride_a, size_a, inverse_size_a)
             * _tent(i, stride_b, inverse_stride_b, size_b, inverse_size_b)
             * _tent(i, stride_c, inverse_stride_c, size_c, inverse_size_c)) / highest
    return value if divide(channel, out_size, inverse_out_size)[1] == out else np.float64(0)


def interpolation_params(shape: tuple[int, ...], roles: str) -> tuple[Any, ...]:
    """Parameters of `interpolation`: roles has one letter per axis, one o, one i, and one to three * (kernel axes).

    >>> [int(p) for p in interpolation_params((4, 2, 3, 5), "io**")[:20:2]]  # strides and sizes, one axis beside them
    [15, 2, 30, 4, 5, 3, 1, 5, 1, 1]
    """
    kernel = [axis for axis, role in enumerate(roles) if role == "*"]
    axes = [(math.prod(shape[axis + 1:]), shape[axis]) for axis in (roles.index("o"), roles.index("i"), *kernel)]
    axes += [(1, 1)] * (3 - len(kernel))
    highest = math.prod(size + size % 2 for _, size in axes[2:])
    return (*(number for axis in axes for each in axis for number in (np.uint64(each), reciprocal(each))),
            np.float64(highest))
