"""Tables that are computed from an element's place: samplers without randomness, in float64 for every dtype.

`i` is the element's index in C order over the whole shape, uint64, like the sizes; each size comes with its reciprocal.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .device import device_function, sqrt
from .elementary import exp, sincospi
from .permutation import ONE, divide
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
