"""From a random word to a float32 draw, as jax.random does it: one word a draw, parameters float32."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..._kernels.device import device_function, from_bits
from ..._kernels.device import fma as _fma
from ._erf import ONE, SQRT2, F, erf_inv

INF = F(np.inf)
SHIFT, ONE_BITS = np.uint32(9), np.uint32(0x3F800000)
NORMAL_LOW, NORMAL_SPAN = np.nextafter(F(-1), F(0)), F(2)  # jax.random.normal's bounds, the second rounded


@device_function
def word(w: Any) -> Any:
    """The word itself."""
    return w


@device_function
def uniform(w: Any, low: Any, span: Any, scale: Any) -> Any:
    """scale·U[low, low + span): the word's upper 23 bits are a fraction k·2**-23."""
    fraction = from_bits(np.uint32(np.uint32(w >> SHIFT) | ONE_BITS)) - ONE
    return _fma(fraction, span, low) * scale


@device_function
def normal(w: Any, scale: Any) -> Any:
    """N(0, scale²)."""
    return (erf_inv(uniform(w, NORMAL_LOW, NORMAL_SPAN, ONE)) * SQRT2) * scale


@device_function
def truncated(w: Any, low: Any, span: Any, least: Any, most: Any, scale: Any) -> Any:
    """N(0, 1) on (lower, upper), times scale: low = erf(lower/√2), and `least` to `most` are the float32 inside."""
    u = uniform(w, low, span, ONE)
    value = erf_inv(u) * SQRT2
    value = -INF if u == -ONE else value  # behind an infinite or very far bound
    value = INF if u == ONE else value
    value = value if value > least else least
    return (value if value < most else most) * scale
