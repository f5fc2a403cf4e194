"""Gains: the factor by which the nonlinearity after a layer scales the std of the layer's weights."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ..._errors import FaninError, FaninValueError, a_type, shown
from ..._gains import CONVOLUTIONS, TRANSPOSED, leaky_gain
from ..._gains import TORCH as _TABLE

# What each system's calculate_gain knows.
TORCH03 = ("linear", *CONVOLUTIONS, *TRANSPOSED, "sigmoid", "tanh", "relu", "leaky_relu")
TORCH = (*TORCH03, "selu")
FLINT = tuple(name for name in TORCH if name not in TRANSPOSED)


def gain(nonlinearity: str, slope: float | None, known: Sequence[str], name: str = "param",
         error: type[FaninError] = FaninValueError) -> float:
    """The gain of one of the `known` nonlinearities; `slope` is leaky_relu's, 0.01 if None, and called `name`.

    Raises:
        error: an unknown nonlinearity. FaninValueError: a slope that is not an int or float.
    """
    if nonlinearity not in known:
        raise error(f"`nonlinearity` must be one of {', '.join(known)} (got {shown(nonlinearity)}): use the gain of "
                    "the nearest, or 'linear'")
    if nonlinearity != "leaky_relu":
        return _TABLE[nonlinearity]
    if slope is None:
        return leaky_gain(0.01)
    if isinstance(slope, bool) or not isinstance(slope, (int, float)) or not abs(slope) <= sys.float_info.max:
        raise FaninValueError(f"`{name}`, the negative slope, must be a finite int or float (got {shown(slope)}, "
                              f"{a_type(slope)})")
    return leaky_gain(slope)
