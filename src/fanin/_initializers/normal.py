"""Normal numbers, whole and truncated."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np
from typing_extensions import override

from .._checks import choice, finite, nonnegative, real
from .._dtypes import check_range, largest, largest_at_most, real_type
from .._errors import FaninValueError
from .._kernels.complex import complex_normal, truncated_complex_normal
from .._kernels.normal import normal
from .._plans.normal_law import exp, exponential_law
from .._plans.truncation import truncated_normal
from .base import Initializer

if TYPE_CHECKING:
    from .._plans.plan import Plan, SamplerPlan
    from .._plans.spec import TensorSpec

Bounds: TypeAlias = Literal["std", "absolute"]

# The farthest that a draw gets from the mean, in std: sqrt(-2 ln(2**-33)) and sqrt(-2 ln(2**-65)).
FARTHEST = {np.float32: 6.765, np.float64: 9.494}


class Normal(Initializer):
    """N(mean, std²): every element is mean + std·z, z standard normal.

    Args:
        mean: finite.
        std: finite, >= 0; 0 gives the constant `mean`.

    z comes from the Box-Muller method, with a fixed number of random words for each element. float32 reaches
    |z| = 6.764, with an error of at most 2e-6 (float64: 9.49 and 1e-14). Half types are computed in float32
    and rounded once. A complex draw has E|z - mean|² = std², half of it in each part, and a real mean.

    Raises:
        FaninTypeError, FaninValueError: a parameter out of its range; when drawn: values that overflow the dtype.

    Default stds elsewhere: 1 in torch, 0.01 in JAX, 0.05 in Keras, 0 in storch. torch draws bfloat16 in low precision
    on the CPU, which never leaves ±3.5 std (pytorch #166853); JAX's has 128 distinct values.

    Reference: Box, Muller, "A note on the generation of random normal deviates", Ann. Math. Stat. 29 (1958).

    >>> w = Normal(std=0.02)((512, 256), seed=0, name="w")
    >>> round(float(w.std()), 4)
    0.02
    """

    def __init__(self, mean: float = 0.0, std: float = 1.0) -> None:
        self.mean: float = finite("mean", mean)
        self.std: float = nonnegative("std", std)

    @override
    def plan(self, spec: TensorSpec) -> Plan:
        spec.require_floating("Normal")
        return draw_normal(spec, self.mean, self.std)


class TruncatedNormal(Initializer):
    """N(mean, std²) cut at `lower` and `upper`: values outside the bounds never occur.

    Every element is mean + std·Φ⁻¹(Φ(a) + u·(Φ(b) - Φ(a))), with u uniform, a and b the bounds in std units.

    Args:
        mean: finite.
        std: finite, >= 0; that of the normal distribution before the cut.
        lower, upper: lower <= upper; infinite for a one-sided cut; equal bounds give the constant. A
            complex draw is cut by modulus, |z - mean| <= upper, and needs lower = -upper.
        bounds: "std": lower and upper are in std units around the mean; or "absolute".

    There is no rejection and there are no temporaries. The distribution is right in far tails, for one-sided and very
    narrow bounds, and for a mean far outside them. Values don't pile up at a bound, and rounding keeps them inside.

    Raises:
        FaninTypeError, FaninValueError: a parameter out of its range; when drawn: bounds that hold no value of the
            dtype, or values that overflow it.

    Bounds are absolute in torch and jittor, in std units in JAX and Keras. None of them corrects `std` for the cut, nor
    does this class; `describe` gives the std of the values, and VarianceScaling corrects for it. torch's older version
    clamps, which piles values up at a bound (pytorch #145498), and its newer one allocates temporaries.

    >>> w = TruncatedNormal(std=0.02)((512, 256), seed=0, name="w")
    >>> bool((abs(w) <= 0.04).all())
    True
    >>> round(TruncatedNormal().describe(1).std, 10)
    0.879625661
    """

    def __init__(self, mean: float = 0.0, std: float = 1.0, lower: float = -2.0, upper: float = 2.0,
                 bounds: Bounds = "std") -> None:
        self.mean: float = finite("mean", mean)
        self.std: float = nonnegative("std", std)
        self.lower: float = real("lower", lower)
        self.upper: float = real("upper", upper)
        self.bounds: Bounds = choice("bounds", bounds, get_args(Bounds))
        if not self.lower <= self.upper:
            raise FaninValueError(f"`lower` must be <= `upper` (got lower={self.lower!r}, upper={self.upper!r})")
        if self.lower == math.inf or self.upper == -math.inf:
            raise FaninValueError(f"`lower` and `upper` must leave room for values (got lower={self.lower!r}, "
                                  f"upper={self.upper!r})")

    @override
    def plan(self, spec: TensorSpec) -> Plan:
        spec.require_floating("TruncatedNormal")
        if self.bounds == "std":
            cut = self.lower, self.upper
            lower, upper = (self.mean + self.std * bound if self.std else self.mean for bound in cut)
        else:
            cut = None
            lower, upper = self.lower, self.upper
        if spec.is_complex:
            return self._complex(spec, lower, upper)
        return draw_truncated_normal(spec, self.mean, self.std, lower, upper, cut)

    def _complex(self, spec: TensorSpec, lower: float, upper: float) -> Plan:
        if self.bounds == "std" and self.lower != -self.upper or \
                self.bounds == "absolute" and self.mean - lower != upper - self.mean:
            raise FaninValueError("`lower` and `upper` must be symmetric around the mean for a complex dtype, which is "
                                  f"cut by modulus (got lower={self.lower!r}, upper={self.upper!r}, "
                                  f"mean={self.mean!r})")
        if self.bounds == "std":
            cut = self.upper
        else:
            cut = (upper - self.mean) / self.std if self.std else math.inf
        return draw_truncated_complex(spec, self.mean, self.std, cut)


def draw_normal(spec: TensorSpec, mean: float, std: float) -> SamplerPlan:
    """A plan for N(mean, std²), real or complex."""
    if std == 0:
        return spec.fill(mean, mean=mean, name="mean")
    number = spec.computing_type
    check_range("`mean` and `std`: values", mean - FARTHEST[number] * std, mean + FARTHEST[number] * std, spec.dtype)
    if spec.is_complex:
        return spec.draw(complex_normal, mean, std / math.sqrt(2), mean=mean, std=std)
    return spec.draw(normal, mean, std, mean=mean, std=std)


def draw_truncated_normal(spec: TensorSpec, mean: float, std: float, lower: float, upper: float,
                          cut: tuple[float, float] | None = None) -> SamplerPlan:
    """A plan for N(mean, std²) on [lower, upper]; `cut` gives the same bounds in std units where those are exact."""
    if std == 0:
        if not lower <= mean <= upper:
            raise FaninValueError(f"`mean` must lie between the bounds when std is 0 (got mean={mean!r}, "
                                  f"lower={lower!r}, upper={upper!r})")
        return spec.fill(mean, mean=mean, name="mean")
    if lower == upper:
        return spec.fill(lower, mean=lower, name="lower")
    reach = FARTHEST[spec.computing_type] * std
    check_range("`mean`, `std` and the bounds: values", max(lower, min(mean, upper) - reach),
                min(upper, max(mean, lower) + reach), spec.dtype)
    limit = largest(real_type(spec.dtype))
    smallest, biggest = spec.inside(max(lower, -limit), min(upper, limit))
    drawn = truncated_normal(mean, std, lower, upper, spec.computing_type, cut)
    return spec.draw(drawn.sampler, *drawn.params, smallest, biggest, mean=drawn.mean, std=drawn.std)


def draw_truncated_complex(spec: TensorSpec, mean: float, std: float, cut: float) -> SamplerPlan:
    """A plan for a complex normal cut at |z - mean| = cut·std."""
    if cut == math.inf or std == 0:
        return draw_normal(spec, mean, std)
    if cut == 0:
        return spec.fill(mean, mean=mean, name="mean")
    reach = min(cut, FARTHEST[spec.computing_type]) * std
    check_range("`mean`, `std` and the bounds: values", mean - reach, mean + reach, spec.dtype)
    inside, outside = exponential_law(cut * cut), exp(-cut * cut)
    limit = largest_at_most(min(cut * std, largest(spec.dtype)), real_type(spec.dtype))
    # |z|² is exponential: E|z|² = 1 - c²e^(-c²)/(1 - e^(-c²)), or c²/2 where c is small
    variance = 1 - cut * cut * outside / inside if cut > 1e-3 else cut * cut / 2 - cut**4 / 12
    return spec.draw(truncated_complex_normal, mean, std / math.sqrt(2), inside, outside, limit, mean=mean,
                     std=std * math.sqrt(variance))
