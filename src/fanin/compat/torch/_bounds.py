"""The standard deviations of torch's schemes and the bounds of its uniform ones, in torch's own order of operations."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..._plans.fans import compute_fans
from ._laws import Uniform

if TYPE_CHECKING:
    from ..._types import Dims


def xavier_std(shape: Dims, gain: float) -> float:
    """gain·√(2/(fan_in + fan_out)); 0 for a shape whose fans are 0."""
    fans = sum(compute_fans(shape))
    return float(gain) * math.sqrt(2.0 / float(fans)) if fans else 0.0


def kaiming_std(shape: Dims, mode: str, gain: float) -> float:
    """gain/√fan."""
    fan_in, fan_out = compute_fans(shape)
    return gain / math.sqrt(fan_in if mode.lower() == "fan_in" else fan_out)


def uniform(std: float) -> Uniform:
    """The uniform law around 0 with that standard deviation."""
    bound = math.sqrt(3.0) * std
    return Uniform(-bound, bound)
