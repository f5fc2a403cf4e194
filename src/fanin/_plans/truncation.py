"""Plans for the truncated normal: which sampler serves two bounds, with which parameters, and the law's mean and std.

A few tens of microseconds for common bounds, about a millisecond where a polynomial is fitted. Parameters decide bits,
so they come from exactly rounded operations only (see `normal_law.py`); the law's mean and std don't, and use numpy.
`_kernels/truncated.py` has the formulas that the parameters go into, `_kernels/truncated_single.py` those of float32,
with parameters of its own for the way from a word that a float32 holds to the element's. In std units the bounds are
a < b and S is the normal law's upper tail; by symmetry an interval below the mean is the mirror image of one above it.

What decides, in this order (CENTRE, TAIL and NARROW are below):

* symmetric bounds within CENTRE of the mean: `truncated_centre`;
* both Φ(a) and S(b) at least NARROW times the probability between the bounds: `truncated_narrow`;
* the mean at least TAIL below or above the interval: `truncated_tail`;
* both bounds within CENTRE: `truncated_centre`, or `truncated_lopsided` in float32; any other: `truncated_wide`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .._errors import FaninValueError
from .._kernels import truncated, truncated_single
from .normal_law import LN2, SQRT_TWO_PI, between, exp, log, log_drop, mills, product, survival, within

Pair = tuple[float, float]  # a number as a sum of two
Precision = type[np.float32] | type[np.float64]

KERNELS: dict[Precision, Any] = {np.float32: truncated_single, np.float64: truncated}
CENTRE = 2.1
# mean + z·std serves as long as its rounding, some 4 ulp of z, is far below the error promised, which falls with the
# distance to the mean; a polynomial of degree 9 in u serves until the quantile's logarithmic end points come too near.
TAIL: dict[Precision, float] = {np.float32: 1.0, np.float64: 6.0}
NARROW: dict[Precision, float] = {np.float32: 0.72, np.float64: 4.5}
SCALE: dict[Precision, float] = {np.float32: 2.0**-32, np.float64: 2.0**-64}
TOLERANCE: dict[Precision, float] = {np.float32: 3e-6, np.float64: 1e-14}
PANELS = 12
STRIDE = 256  # words between those that the low byte of a word chooses from, in float32
FARTHEST = 7.0  # std that no float32 draw gets beyond: the quantile of 2**-33 is -6.34
CUT_AT_TWO_STD = 0.8796256610342398  # std of N(0, 1) cut at ±2: sqrt(1 - 4·φ(2)/(2·Φ(2) - 1))


class Truncation(NamedTuple):
    """A sampler, its parameters (without the clamp's), and the mean and std of what it draws."""

    sampler: Callable[..., Any]
    params: tuple[Any, ...]
    mean: float
    std: float


def truncated_normal(mean: float, std: float, lower: float, upper: float, dtype: Precision,
                     cut: Pair | None = None) -> Truncation:
    """N(mean, std²) between `lower` and `upper`, computed in `dtype` (np.float32 or np.float64).

    Args:
        mean, std: of the law before truncation; finite, std > 0.
        lower, upper: absolute bounds, lower < upper, either may be infinite.
        cut: (a, b), the bounds in std units, where the caller has them: they then count, `lower` and `upper` don't.

    Raises:
        FaninValueError: a parameter overflows `dtype`.
    """
    if cut is None:
        a, b, width = (lower - mean) / std, (upper - mean) / std, upper - lower
        bounds = (lower, 0.0), (upper, 0.0)
    else:
        a, b = cut
        width = (b - a) * std
        bounds = _affine(mean, a, std), _affine(mean, b, std)
    a, b = (z if math.isinf(x) else min(max(z, -1e300), 1e300) for z, (x, _) in zip((a, b), bounds, strict=True))
    span = width / std if width < math.inf else b - a
    sampler, params = _choose(mean, std, a, b, bounds, width, span, dtype)
    with np.errstate(over="ignore", under="ignore"):
        rounded = tuple(dtype(value) for value in params)
    if not all(map(math.isfinite, rounded)):
        raise FaninValueError(f"`mean`, `std` and the bounds' distance must be finite in {np.dtype(dtype).name} "
                              f"(got mean={mean!r}, std={std!r}, lower={lower!r}, upper={upper!r})")
    return Truncation(sampler, rounded, *_moments(mean, std, a, b, bounds, width, span))


def _choose(mean: float, std: float, a: float, b: float, bounds: tuple[Pair, Pair], width: float, span: float,
            dtype: Precision) -> tuple[Callable[..., Any], tuple[float, ...]]:
    kernels = KERNELS[dtype]
    reach = max(abs(a), abs(b))
    if a == -b and 1e-12 <= reach <= CENTRE:
        return truncated.truncated_centre, _centre(mean, std, a, b, dtype)
    distance = max(a, -b)
    if _is_narrow(a, b, span, NARROW[dtype]):
        return kernels.truncated_narrow, _narrow(a, b, bounds, width, span, dtype)
    if distance >= TAIL[dtype]:
        return kernels.truncated_tail, _tail(std, distance, bounds[0] if a > 0 else bounds[1], a > 0, span, dtype)
    if reach <= CENTRE:
        lopsided = truncated.truncated_centre if dtype is np.float64 else truncated_single.truncated_lopsided
        return lopsided, _centre(mean, std, a, b, dtype)
    return kernels.truncated_wide, _wide(mean, std, a, b, dtype)


def _is_narrow(a: float, b: float, span: float, ratio: float) -> bool:
    distance = max(a, -b)
    if not span * max(distance, 0.5) <= 1.5:  # far beyond both thresholds; also catches infinite bounds
        return False
    if distance > 0:
        return log_drop(distance, span) <= log(1 + 1 / ratio)
    return min(survival(-a), survival(b)) >= ratio * between(a, b)


# -- parameters, in the order of the samplers' signatures -------------------------------------------------------------


def _centre(mean: float, std: float, a: float, b: float, dtype: Precision) -> tuple[float, ...]:
    high = within(b)
    low = -high if a == -b else within(a)
    probability = (high - low) / 2 if a < 0 < b else between(a, b)
    step = probability * SCALE[dtype]
    params = *_split((mean, 0.0), dtype), std, step
    middle = (low + high) / 4 + step / 2
    if dtype is np.float64 or a == -b:
        return *params, middle
    stride = STRIDE << -math.frexp(probability)[1]  # farther apart where the interval is small
    if std < 1e-30:  # there the correction would be a subnormal number of few digits, which makes up for few words
        stride = 0
    return *params, float(stride), (stride + 1) * step * std, middle


def _wide(mean: float, std: float, a: float, b: float, dtype: Precision) -> tuple[float, ...]:
    step = 2 * between(a, b) * SCALE[dtype]
    half = step / 2
    lower, upper, middle = 2 * survival(-a) + half, 2 * survival(b) + half, within(a) + half
    if dtype is np.float64:
        return *_split((mean, 0.0), dtype), std, step, lower, upper, middle
    turn = (0.5 - survival(-a)) / between(a, b) / SCALE[dtype] - 2.0**31
    start = _split((mean, 0.0), dtype, min(max(-a, b), FARTHEST) * std)
    return *start, std, step, (STRIDE + 1) * step, turn, lower, middle, upper, -within(b) + half


def _tail(std: float, d: float, bound: Pair, rising: bool, span: float, dtype: Precision) -> tuple[float, ...]:
    remaining = exp(-log_drop(d, span)) if span < math.inf else 0.0  # ρ
    step = (1 - remaining) * SCALE[dtype]
    survival_step = remaining + step / 2
    shift = math.sqrt(d * d - 2 * log(mills(d) / SQRT_TWO_PI)) if d < 1e20 else d  # A, with S(d) = exp(-A²/2)
    sign = 1.0 if rising else -1.0
    rate = std / shift * sign
    curvature = 2 * LN2 / shift / shift
    first, *others = (c * (rate * LN2) for c in _tail_polynomial(d, shift, -log(survival_step), dtype))
    polynomial = *_split((first, 0.0), dtype), *others
    if dtype is np.float64:
        return *_split(bound, dtype), sign, step, survival_step, curvature, *polynomial
    longest = 46 / (d + math.hypot(d, 7))  # 2**-33 of the tail are left there
    start = _split(bound, dtype, min(span, longest) * std)
    hazard = _hazard(d, shift, -log(remaining + (1 - remaining) / 16))
    return *start, sign, step, (STRIDE + 1) * step, survival_step, curvature, rate, *hazard, *polynomial


def _hazard(d: float, shift: float, reach: float) -> list[float]:
    """Coefficients of φ(d + x)/S(d + x)/A in ell = L/ln(2), where S(d + x) = S(d)·exp(-L), for L up to `reach`."""
    nodes, values = _chebyshev(3), []
    for node in nodes:
        bend = 2 * reach * node / shift / shift
        grown = bend / (1 + math.sqrt(1 + bend))
        values.append(1 / mills(d + _tail_offset(d, shift, grown / (2 + grown))[0] / shift) / shift)
    return _rescale(_interpolate(nodes, values), LN2 / reach)


def _tail_polynomial(d: float, shift: float, reach: float, dtype: Precision, count: int = 11) -> list[float]:
    """Coefficients of x·A/L, where S(d + x) = S(d)·exp(-L), for L up to `reach`, in q = L·g²/ln(2)."""
    if shift > 1e100:
        return [1.0] + [0.0] * (count - 1)
    bend = 2 * reach / shift / shift
    far = bend / (1 + math.sqrt(1 + bend)) ** 2  # the largest 1 - 2·g, which is curvature·q
    # The nearest singularity is at g = 0, where L is infinite: that gives the rate of convergence (Bernstein ellipse).
    centre = 2 / far - 1
    rate = centre + math.sqrt(centre * centre - 1)
    degree, left = 0, 1 / rate
    while left > TOLERANCE[dtype] and degree < count - 1:
        degree, left = degree + 1, left / rate
    nodes = _chebyshev(degree + 1)
    offsets = [_tail_offset(d, shift, far * node) for node in nodes]
    coefficients = _interpolate(nodes, [x / level for x, level in offsets])
    unit = 2 * LN2 / shift / shift / far
    return _rescale(coefficients, unit) + [0.0] * (count - 1 - degree)


def _tail_offset(d: float, shift: float, k: float) -> Pair:
    """(x·A, L) with S(d + x) = S(d)·exp(-L), for the k = 1 - 2·g that L has."""
    grown = 2 * k / (1 - k)  # sqrt(1 + 2·L/A²) - 1
    y = grown * shift * shift
    target = y * (1 + grown / 2)  # L
    start = mills(d)
    # Newton for y = x·A, from its value for an exactly quadratic log(S); the left side is convex in it
    for _ in range(50):
        x = y / shift
        here = mills(d + x)
        change = (d * x + x * x / 2 - log(here / start) - target) * here * shift
        y -= change
        if abs(change) <= 1e-8 * y:  # the next change would be its square
            break
    return y, target


def _narrow(a: float, b: float, bounds: tuple[Pair, Pair], width: float, span: float, dtype: Precision,
            count: int = 10) -> tuple[float, ...]:
    """Coefficients in u - 1/2 of offset/u, the offset from the bound with the finer floating-point numbers."""
    from_lower = abs(bounds[0][0]) <= abs(bounds[1][0])
    near, bound, sign = (a, bounds[0], 1.0) if from_lower else (-b, bounds[1], -1.0)
    density = _density_series(near * span, span * span)
    mass = [c / (k + 1) for k, c in enumerate(density)]
    offsets = [_narrow_offset(u, density, mass) for u in _chebyshev(count)]
    ratios = [x / u for u, x in zip(_chebyshev(count), offsets, strict=True)]
    coefficients = [c * (sign * width) for c in _interpolate([u - 0.5 for u in _chebyshev(count)], ratios)]
    if dtype is np.float64:
        return *_split(bound, dtype), sign, *coefficients
    few = _chebyshev(4)
    slopes = [_value(mass, 1.0) / _value(density, _narrow_offset(u, density, mass)) for u in few]
    return (*_split(bound, dtype, width), sign, *coefficients,
            *(c * (sign * width) for c in _interpolate([u - 0.5 for u in few], slopes)))


def _narrow_offset(u: float, density: Sequence[float], mass: Sequence[float]) -> float:
    """The x in (0, 1) below which the part u of the interval's probability lies."""
    whole, x = _value(mass, 1.0), u
    for _ in range(20):
        change = (_value(mass, x) * x - u * whole) / _value(density, x)
        x -= change
        if abs(change) <= 1e-8 * x:
            break
    return x


def _density_series(linear: float, quadratic: float) -> list[float]:
    """Taylor coefficients of exp(-linear·x - quadratic·x²/2), enough of them for x up to 1 and arguments up to 2."""
    c = [1.0, -linear]
    for k in range(1, 44):
        c.append(-(linear * c[k] + quadratic * c[k - 1]) / (k + 1))
    return c


# -- polynomials ------------------------------------------------------------------------------------------------------


@functools.cache
def _chebyshev(count: int) -> list[float]:
    """The zeros of the Chebyshev polynomial of degree `count` moved to (0, 1), both ends first and the middle last."""
    nodes = [(1 - _cosine(math.pi * (2 * i + 1) / (2 * count))) / 2 for i in range(count)]
    return sorted(nodes, key=lambda x: -abs(x - 0.5))


def _cosine(x: float) -> float:
    term = total = 1.0
    for n in range(1, 40, 2):
        term *= -x * x / (n * (n + 1))
        total += term
    return total


def _interpolate(nodes: Sequence[float], values: Sequence[float]) -> list[float]:
    """Coefficients, lowest power first, of the polynomial through the values: Newton's divided differences."""
    differences = list(values)
    for order in range(1, len(nodes)):
        for i in range(len(nodes) - 1, order - 1, -1):
            differences[i] = (differences[i] - differences[i - 1]) / (nodes[i] - nodes[i - order])
    coefficients = []
    for node, difference in zip(reversed(nodes), reversed(differences), strict=True):
        lower = [0.0, *coefficients]
        coefficients = [c - node * above for c, above in zip(lower, [*coefficients, 0.0], strict=True)]
        coefficients[0] += difference
    return coefficients


def _rescale(coefficients: Sequence[float], unit: float) -> list[float]:
    scaled, power = [], 1.0
    for c in coefficients:
        scaled.append(c * power)
        power *= unit
    return scaled


def _value(coefficients: Sequence[float], x: float) -> float:
    total = 0.0
    for c in reversed(coefficients):
        total = total * x + c
    return total


# -- mean and std -----------------------------------------------------------------------------------------------------


def _moments(mean: float, std: float, a: float, b: float, bounds: tuple[Pair, Pair], width: float,
             span: float) -> Pair:
    """Gauss-Legendre over the part of the interval that holds all but exp(-72) of its probability.

    Away from the mean the offset from the nearer bound is integrated, so that no digits are lost there.
    """
    d = max(a, -b)
    if d > 0:
        origin, sign = (bounds[0][0], 1.0) if a > 0 else (bounds[1][0], -1.0)
        start, extent = d, min(span, 144 / (d + math.hypot(d, 12)))
    else:
        start, end = max(a, -12.0), min(b, 12.0)
        origin, sign = mean + std * start, 1.0
        extent = span if (start, end) == (a, b) else end - start
    grid, weights = _quadrature()
    density = np.exp(-extent * (start + extent / 2 * grid) * grid) * weights
    density /= density.sum()
    offset = float(density @ grid)
    deviation = math.sqrt(float(density @ (grid - offset) ** 2))
    whole = extent == span and width < math.inf  # then exact even where span underflows
    offset, deviation = (width * x if whole else extent * x * std for x in (offset, deviation))
    return mean if a == -b else origin + sign * offset, deviation


@functools.cache
def _quadrature() -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights on [0, 1]: made at the first plan, not at import."""
    nodes, weights = np.polynomial.legendre.leggauss(16)
    return ((np.arange(PANELS)[:, None] + (nodes + 1) / 2) / PANELS).ravel(), np.tile(weights / 2, PANELS)


# -- numbers as sums of two -------------------------------------------------------------------------------------------


def _affine(mean: float, z: float, std: float) -> Pair:
    """mean + z·std as a sum of two floats."""
    offset, lost = product(z, std)
    if not math.isfinite(lost):  # an infinite bound, or a product near the largest float
        offset, lost = z * std, 0.0
    total = mean + offset
    if not math.isfinite(total):
        return total, 0.0
    back = total - mean
    return total, (mean - (total - back)) + (offset - back) + lost


def _split(pair: Pair, dtype: Precision, reach: float = 0.0) -> Pair:
    """A float64 sum of two as a sum of two numbers of `dtype`.

    The first is a multiple of the last digit of every offset up to `reach`, as `total` in the float32 kernels wants it.
    """
    total, rest = pair
    high = total
    if abs(total) < 2 * reach:
        last = math.ldexp(1.0, max(math.frexp(1.01 * reach)[1] - 24, -149))
        high = round(total / last) * last
    with np.errstate(over="ignore", under="ignore"):
        high = float(dtype(high))
    return high, (total - high) + rest
