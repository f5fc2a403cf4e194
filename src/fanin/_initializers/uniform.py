"""Uniform numbers on an interval, or on a disk."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from .._checks import finite
from .._dtypes import check_range, largest_below, smallest_at_least
from .._errors import FaninValueError
from .._kernels.complex import disk
from .._kernels.uniform import uniform, uniform_clamped, uniform_inside
from .base import Initializer

if TYPE_CHECKING:
    from .._plans.plan import Plan, SamplerPlan
    from .._plans.spec import TensorSpec


class Uniform(Initializer):
    """U[low, high): every element is low + u·(high - low), u uniform on [0, 1).

    Args:
        low, high: finite, low <= high. Equal bounds give the constant.

    In float32 u is a multiple of 2**-24 (float64: 2**-53), and the value is fma(u, high - low, low). Half types are
    rounded from float32 once. If rounding leads out of [low, high), the value is the dtype's nearest one inside, so
    `high` never occurs. A complex draw is uniform on the disk with centre (low + high)/2 and radius (high - low)/2.

    Raises:
        FaninTypeError, FaninValueError: a bound is not a finite number, or low > high; when drawn: the dtype has no
            value in [low, high), or the interval overflows it.

    Defaults and ranges differ elsewhere: [0, 1) in torch, [0, 0.01) in JAX, ±0.05 in Keras; jittor's interval is
    (low, high]. torch's half-precision `uniform_` can return `high` (pytorch #96947).

    >>> import fanin
    >>> w = fanin.Uniform(-0.05, 0.05)((512, 256), seed=0, name="w")
    >>> bool((w >= -0.05).all() and (w < 0.05).all())
    True
    """

    def __init__(self, low: float = 0.0, high: float = 1.0) -> None:
        self.low: float = finite("low", low)
        self.high: float = finite("high", high)
        if self.low > self.high:
            raise FaninValueError(f"`low` must be <= `high` (got low={self.low!r}, high={self.high!r})")

    @override
    def plan(self, spec: TensorSpec) -> Plan:
        spec.require_floating("Uniform")
        if self.low == self.high:
            return spec.fill(self.low, mean=self.low, name="low")
        mean, width = self.low / 2 + self.high / 2, self.high - self.low
        if spec.is_complex:
            return draw_disk(spec, mean, width / 2)
        check_range("`low` and `high`", self.low, self.high, spec.dtype)
        check_range("`high` - `low`", width, width, np.dtype(spec.computing_type))
        smallest, largest = smallest_at_least(self.low, spec.dtype), largest_below(self.high, spec.dtype)
        if smallest > largest:
            raise FaninValueError(f"`low` and `high` must have a value of {spec.dtype.name} between them (got low="
                                  f"{self.low!r}, high={self.high!r})")
        std = width / math.sqrt(12)
        if spec.computing_type == np.float32 and width > 2.0**-100:  # below, the step is not a normal number
            low, step = float(np.float32(self.low)), float(np.float32(width)) * 2.0**-24
            # The largest value before its rounding, which is monotone: the product is exact in float64.
            if spec.dtype == np.float32 and low >= smallest and low + (2**24 - 1) * step <= largest:
                return spec.draw(uniform_inside, low, step, mean=mean, std=std)
            return spec.draw(uniform_clamped, low, step, smallest, largest, mean=mean, std=std)
        return spec.draw(uniform, self.low, width, smallest, largest, mean=mean, std=std)


def draw_disk(spec: TensorSpec, centre: float, radius: float) -> SamplerPlan:
    """A plan for complex numbers uniform on a disk; their std is radius/√2."""
    check_range("the disk's extent", centre - radius, centre + radius, spec.dtype)
    return spec.draw(disk, centre, radius, mean=centre, std=radius / math.sqrt(2))
