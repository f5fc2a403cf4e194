"""Tables that are computed from an element's place: samplers without randomness, in float64 for every dtype.

`i` is the element's index in C order over the whole shape, uint64, like the sizes; each size comes with its reciprocal.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .device import device_function, sqrt
from .elementary import exp, sincospi
from .permutation import ONE, as_divisor, divide
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
def _tent(place: Any, size: Any) -> Any:
    """2f - |2x - k + 1| for place x on an axis of length k, f = ⌈k/2⌉: highest in the middle, above 0 everywhere."""
    twice, middle = place + place, size - ONE
    distance = twice - middle if twice > middle else middle - twice
    return np.float64(size + (size & ONE) - distance)


@place_sampler
def interpolation(i: Any, after: Any, inverse_after: Any, kernel: Any, inverse_kernel: Any, second: Any,
                  inverse_second: Any, out: Any, inverse_out: Any, out_first: Any, size_a: Any, size_b: Any,
                  inverse_b: Any, size_c: Any, inverse_c: Any, highest: Any) -> Any:
    """The product of three kernel axes' tents as a share of `highest`, where a channel meets itself; elsewhere 0."""
    rest, behind = divide(i, after, inverse_after)
    before, place = divide(rest, kernel, inverse_kernel)
    channel_a, channel_b = divide(before * after + behind, second, inverse_second)  # as if there were no kernel axes
    out_channel, in_channel = (channel_a, channel_b) if out_first == ONE else (channel_b, channel_a)
    row, place_c = divide(place, size_c, inverse_c)
    place_a, place_b = divide(row, size_b, inverse_b)
    value = _tent(place_a, size_a) * _tent(place_b, size_b) * _tent(place_c, size_c) / highest
    return value if divide(in_channel, out, inverse_out)[1] == out_channel else np.float64(0)


def interpolation_params(shape: tuple[int, ...], roles: str) -> tuple[Any, ...]:
    """Parameters of `interpolation`: roles has one letter per axis, one o, one i, and one to three * side by side.

    >>> [int(p) for p in interpolation_params((4, 2, 3, 5), "io**")[:8:2]]  # after, kernel, second, out
    [1, 15, 2, 2]
    """
    sizes = [size for size, role in zip(shape, roles, strict=True) if role == "*"]
    channels = [axis for axis, role in enumerate(roles) if role != "*"]
    after = math.prod(shape[roles.rindex("*") + 1:])
    a, b, c = sizes = [1] * (3 - len(sizes)) + sizes
    divisors = [after, math.prod(sizes), shape[channels[1]], shape[roles.index("o")]]
    return (*(number for each in divisors for number in as_divisor(each)), np.uint64(roles.index("o") == channels[0]),
            np.uint64(a), *as_divisor(b), *as_divisor(c), np.float64(math.prod(size + size % 2 for size in sizes)))
