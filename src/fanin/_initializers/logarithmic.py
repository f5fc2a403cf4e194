"""Numbers uniform in their logarithm, and logarithms of uniform numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from .._checks import finite, nonnegative
from .._dtypes import check_range, largest, real_type
from .._errors import FaninValueError
from .._kernels.samplers import sampler
from ..math import exp, fma, log
from .base import Initializer

if TYPE_CHECKING:
    from .._plans.plan import Plan, SamplerPlan
    from .._plans.spec import TensorSpec


class LogUniform(Initializer):
    """exp(U(log low, log high)): every element lies in [low, high], and each factor is as likely as any other.

    Args:
        low, high: finite, 0 < low <= high. Equal ones give the constant.

    value = exp(log low + u·(log high - log low)), u uniform on (0, 1), kept within the dtype's values in [low, high].
    Its mean is (high - low)/log(high/low). The logarithm of a uniform number is something else: see LogOfUniform.

    Raises:
        FaninTypeError, FaninValueError: a bound that is no such number; when drawn: an integer or complex dtype, or one
            with no value in [low, high].

    Time steps of state-space models are drawn so: S4 (Gu et al., arXiv 2111.00396) and Mamba from [0.001, 0.1].

    >>> import fanin
    >>> dt = fanin.LogUniform(0.001, 0.1)(4096, seed=0, name="dt")
    >>> int((dt < 0.01).sum())
    2037
    """

    def __init__(self, low: float = 0.001, high: float = 0.1) -> None:
        self.low: float = finite("low", low)
        self.high: float = finite("high", high)
        check_positive(self.low, self.high)

    @override
    def plan(self, spec: TensorSpec) -> Plan:
        spec.require_floating("LogUniform")
        if self.low == self.high:
            return spec.fill(self.low, mean=self.low, name="low")
        check_range("`low` and `high`", self.low, self.high, spec.dtype)
        start, width = float(log(self.low)), log_width(self.low, self.high)
        mean = (self.high - self.low) / width
        spread = width / 2 / math.tanh(width / 2) - 1 if width > 1e-3 else width * width / 12
        return spec.draw(log_uniform, start, width, *spec.inside(self.low, self.high), mean=mean,
                         std=mean * math.sqrt(spread))


class LogOfUniform(Initializer):
    """log(U(low, high)): every element is the logarithm of a number uniform on (low, high).

    Args:
        low, high: finite, 0 <= low <= high, high > 0. Equal ones give the constant.

    value = log(low + u·(high - low)), u uniform on (0, 1), so finite from low = 0, too. Its mean is
    (high·log high - low·log low)/(high - low) - 1.

    Raises:
        FaninTypeError, FaninValueError: a bound that is no such number; when drawn: an integer or complex dtype, or one
            with no value between the logarithms.

    `A_log` of Mamba-2 is drawn so, from (1, 16) (Dao, Gu, arXiv 2405.21060): the preset `mamba2_a_log`. Gated DeltaNet
    takes (0, 16). A number whose logarithm is uniform is something else: see LogUniform.

    >>> import fanin
    >>> a_log = fanin.LogOfUniform()(4096, seed=0, name="a_log")
    >>> round(float(a_log.mean()), 1), bool((a_log >= 0).all())
    (2.0, True)
    """

    def __init__(self, low: float = 1.0, high: float = 16.0) -> None:
        self.low: float = nonnegative("low", low)
        self.high: float = finite("high", high)
        if not 0 < self.high >= self.low:
            raise FaninValueError(f"`high` must be > 0 and >= `low` (got low={self.low!r}, high={self.high!r})")

    @override
    def plan(self, spec: TensorSpec) -> SamplerPlan:
        spec.require_floating("LogOfUniform")
        top, ratio = float(log(self.high)), self.low / self.high  # fanin's own log: the same bits everywhere
        if ratio == 1:
            return spec.fill(top, mean=top, name="high")
        bottom = float(log(self.low)) if self.low else -largest(real_type(spec.dtype))
        depth = -math.log(ratio) if ratio else 0.0  # where low is 0 its terms vanish
        mean = top - 1 + ratio * depth / (1 - ratio)
        variance = 1 - ratio * (depth / (1 - ratio)) ** 2 if ratio < 0.999 else depth * depth / 12
        return spec.draw(log_of_uniform, self.low, self.high - self.low, *spec.inside(bottom, top), mean=mean,
                         std=math.sqrt(variance))


def check_positive(low: float, high: float) -> None:
    """FaninValueError unless 0 < low <= high."""
    if not 0 < low <= high:
        raise FaninValueError(f"`low` must be > 0 and <= `high` (got low={low!r}, high={high!r})")


def log_width(low: float, high: float) -> float:
    """log high - log low, by fanin's own logarithm: the same bits everywhere."""
    ratio = high / low
    return float(log(ratio) if math.isfinite(ratio) else log(high) - log(low))


@sampler
def log_uniform(u: Any, start: Any, width: Any, smallest: Any, biggest: Any) -> Any:
    """exp(start + u·width), kept in [smallest, biggest]."""
    value = exp(fma(u, width, start))
    value = value if value < biggest else biggest
    return value if value > smallest else smallest


@sampler
def log_of_uniform(u: Any, low: Any, width: Any, smallest: Any, biggest: Any) -> Any:
    """log(low + u·width), kept in [smallest, biggest]."""
    value = log(fma(u, width, low))
    value = value if value < biggest else biggest
    return value if value > smallest else smallest
