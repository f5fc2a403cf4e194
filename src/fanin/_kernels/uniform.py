"""Words to uniform numbers on [low, high)."""

from typing import Any

import numpy as np

from .device import by_precision, device_function, fma
from .samplers import word_sampler

BITS_SINGLE = np.uint32(8)
BITS_DOUBLE = np.uint64(11)


@device_function
def _steps_single(x: Any) -> Any:
    return np.float32(np.int32(np.uint32(x >> BITS_SINGLE)))


@device_function
def _steps_double(x: Any) -> Any:
    return np.float64(np.int64(x >> BITS_DOUBLE))


@by_precision(_steps_single, _steps_double)
def steps(x: Any) -> Any:
    """The word's leading 24 bits (53 of a double word) as a float: k where u = k·2**-24 (k·2**-53), 0 <= u < 1."""


@device_function
def _unit_single(x: Any) -> Any:
    return _steps_single(x) * np.float32(2.0**-24)


@device_function
def _unit_double(x: Any) -> Any:
    return _steps_double(x) * np.float64(2.0**-53)


@by_precision(_unit_single, _unit_double)
def unit(x: Any) -> Any:
    """u = k·2**-24 (k·2**-53) in [0, 1): 0 comes out with probability 2**-24 (2**-53), 1 never."""


@word_sampler
def uniform(x: Any, low: Any, width: Any, smallest: Any, largest: Any) -> Any:
    """fma(u, high - low, low), kept in [smallest, largest].

    The clamp is for the fma's rounding, which can reach `high`, and for a `low` that was rounded down.
    """
    value = fma(unit(x), width, low)
    value = value if value < largest else largest
    return value if value > smallest else smallest


@word_sampler
def uniform_clamped(x: Any, low: Any, step: Any, smallest: Any, largest: Any) -> Any:
    """`uniform` with an operation less: the same bits, where `step`, (high - low)·2**-24 (2**-53), is a normal number.

    Scaling by a power of two commutes with rounding.
    """
    value = fma(steps(x), step, low)
    value = value if value < largest else largest
    return value if value > smallest else smallest


@word_sampler
def uniform_inside(x: Any, low: Any, step: Any) -> Any:
    """`uniform_clamped` for bounds that no rounding leaves."""
    return fma(steps(x), step, low)
