"""Elementary functions for samplers, the same bits on every backend: no libm, only exactly rounded operations.

Each is written once for float32 and float64: only constants and polynomials differ. They take and return numpy scalars,
have no branches, and are exported as `fanin.math`. The polynomials were fitted with Remez's algorithm (mpmath, 40
digits), the coefficients rounded one at a time, lowest power first, and the rest refitted. The error beside each
is that of the function built from it, before the rounding of the arithmetic.

A range check comes first in most of them. It gives nan outside the domain, and it keeps CUDA's compiler from fusing a
caller's product into the first addition here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .device import bits, by_precision, device_function, fma, from_bits, sqrt
from .polynomial import constants, numbers, polynomial

# -- logarithms -------------------------------------------------------------------------------------------------------
# x = 2**k·(1 + f) with 1 + f in [sqrt(1/2), sqrt(2)). With s = f/(2 + f) and z = s·s, log(1 + f) = 2·atanh(s) is
# f - (f²/2 - s·(f²/2 + z·R(z))), the arrangement of FreeBSD's e_log.c.

FIRST32, BIAS32, FRACTION32 = np.uint32(0x3F3504F3), np.uint32(0x3F800000 - 0x3F3504F3), np.uint32(0x007FFFFF)
FIRST64, FRACTION64 = np.uint64(0x3FE6A09E667F3BCD), np.uint64(0x000FFFFFFFFFFFFF)
BIAS64 = np.uint64(0x3FF0000000000000 - 0x3FE6A09E667F3BCD)


@device_function
def _split_single(x: Any) -> Any:
    subnormal = x < np.float32(2.0**-126)
    b = np.uint32(bits(x * np.float32(2.0**25) if subnormal else x) + BIAS32)
    k = np.float32(np.int32(np.uint32(b >> np.uint32(23)))) - (np.float32(152) if subnormal else np.float32(127))
    return k, from_bits(np.uint32(np.uint32(b & FRACTION32) + FIRST32))


@device_function
def _split_double(x: Any) -> Any:
    subnormal = x < np.float64(2.0**-1022)
    b = bits(x * np.float64(2.0**54) if subnormal else x) + BIAS64
    k = np.float64(np.int32(b >> np.uint64(52))) - (np.float64(1077) if subnormal else np.float64(1023))
    return k, from_bits((b & FRACTION64) + FIRST64)


@by_precision(_split_single, _split_double)
def split(x: Any) -> Any:
    """A positive x as (k, m): x = m·2**k with m in [sqrt(1/2), sqrt(2)) and a whole number k, both floats."""


@by_precision(
    polynomial(np.float32, 0.6666677594184875, 0.39977580308914185, 0.29870930314064026),  # 8.1e-10
    polynomial(np.float64, 0.6666666666666734, 0.39999999999416547, 0.285714287420646, 0.22222198600040902,
               0.1818356316856755, 0.15314075437348468, 0.14795739134266986),  # 1.2e-18
)
def atanh_series(z: Any) -> Any:
    """R(z) with 2·atanh(s) = 2·s + s·z·R(z), z = s·s."""


# ln 2 as a sum of two numbers; 1/ln 2
ln2 = constants(0.693147182464599609375, -1.904654299957958e-09, double=(0.6931471805599453, 2.3190468138462996e-17))
inverse_ln2 = constants(1.4426950408889634)


@device_function
def _log(k: Any, f: Any, correction: Any) -> Any:
    """k·ln 2 + log(1 + f) + correction, the last far below the others."""
    _, half, _, two, _, _ = numbers(f)
    ln2_high, ln2_low = ln2(f)
    s = f / (two + f)
    z = s * s
    halved = half * f
    small = fma(s, fma(z, atanh_series(z), halved * f), fma(k, ln2_low, correction))
    return fma(k, ln2_high, f - fma(halved, f, -small))


@device_function
def _log_edges(x: Any, value: Any) -> Any:
    zero, _, _, _, inf, nan = numbers(x)
    value = value if x < inf else x
    return value if x > zero else (-inf if x == zero else nan)


@device_function
def log(x: Any) -> Any:
    """The natural logarithm of x >= 0, within 1 ulp; -inf at 0, nan below.

    >>> float(log(np.float64(10.0)))
    2.302585092994046
    """
    zero, _, one, _, _, _ = numbers(x)
    k, m = split(x)
    return _log_edges(x, _log(k, m - one, zero))


@device_function
def log1p(x: Any) -> Any:
    """log(1 + x) for x >= -1, within 1 ulp also where x is small; -inf at -1, nan below.

    >>> round(float(log1p(np.float64(1e-10))), 24)
    9.9999999995e-11
    """
    zero, _, one, _, _, nan = numbers(x)
    x = x if x >= -one else nan
    y = one + x
    lost = x - (y - one) if x < one else one - (y - x)
    k, m = split(y)
    whole = k != zero
    return _log_edges(y, _log(k, m - one if whole else x, lost / y if whole else zero))


# -- exponentials -----------------------------------------------------------------------------------------------------
# x = k·ln 2 + r with |r| <= ln(2)/2. Adding 1.5·2**23 (2**52) to a number rounds it to a whole one, which is then also
# found in the low bits of the sum.


@by_precision(
    polynomial(np.float32, 0.5, 0.16666549444198608, 0.04166661575436592, 0.00836598314344883,
               0.0013920683413743973),  # 2.1e-8
    polynomial(np.float64, 0.5, 0.16666666666666674, 0.04166666666666669, 0.008333333333323456, 0.0013888888888870011,
               0.00019841269881884637, 2.48015873554156e-05, 2.755724817386264e-06, 2.7557246484812235e-07,
               2.5107744079126903e-08, 2.092344526420617e-09),  # 4.7e-19
)
def expm1_series(r: Any) -> Any:
    """(e**r - 1 - r)/r² for |r| <= ln(2)/2."""


rounder = constants(1.5 * 2.0**23, double=(1.5 * 2.0**52,))
# below the first exp(x) is 0, below the second expm1(x) is -1, above the third both are inf
exp_limits = constants(-104.0, -40.0, 89.0, double=(-746.0, -40.0, 710.0))


@device_function
def _power_single(x: Any) -> Any:
    return from_bits(np.uint32(np.uint32(bits(x) + np.uint32(127)) << np.uint32(23)))


@device_function
def _power_double(x: Any) -> Any:
    return from_bits((bits(x) + np.uint64(1023)) << np.uint64(52))


@by_precision(_power_single, _power_double)
def power_of_two(t: Any) -> Any:
    """2**k for t = k + rounder."""


@device_function
def _reduce_exp(x: Any, low: Any, high: Any) -> Any:
    """(k + rounder, e**r - 1) for x = k·ln 2 + r clamped to [low, high]; nan stays nan."""
    x = low if x < low else x
    x = high if x > high else x
    (shift,) = rounder(x)
    (per_ln2,) = inverse_ln2(x)
    ln2_high, ln2_low = ln2(x)
    t = fma(x, per_ln2, shift)
    k = t - shift
    r = fma(k, -ln2_low, fma(k, -ln2_high, x))
    return t, fma(r * r, expm1_series(r), r)


@device_function
def exp(x: Any) -> Any:
    """e**x, within 1.1 ulp; inf above 88.73 (709.79), 0 below -103.98 (-745.14).

    >>> round(float(exp(np.float64(1.0))), 14)
    2.71828182845905
    """
    _, half, one, _, _, _ = numbers(x)
    (shift,) = rounder(x)
    lowest, _, highest = exp_limits(x)
    t, p = _reduce_exp(x, lowest, highest)
    halved = fma(t - shift, half, shift)  # in two steps: 2**k alone overflows where e**x doesn't
    rest = (t - shift) - (halved - shift) + shift
    return (one + p) * power_of_two(halved) * power_of_two(rest)


@device_function
def expm1(x: Any) -> Any:
    """e**x - 1, within 2 ulp also where x is small; inf above 88.73 (709.79).

    >>> round(float(expm1(np.float64(1e-10))), 24)
    1.00000000005e-10
    """
    _, half, one, two, _, _ = numbers(x)
    _, lowest, highest = exp_limits(x)
    t, p = _reduce_exp(x, lowest, highest)
    scale = power_of_two(t - one)
    return two * fma(scale, p, scale - half)


# -- sine and cosine --------------------------------------------------------------------------------------------------


@by_precision(
    polynomial(np.float32, 3.1415927410125732, -5.167720794677734, 2.550269842147827, -0.5994373559951782,
               0.07983576506376266),  # 2.9e-8
    polynomial(np.float64, 3.141592653589793, -5.16771278004991, 2.5501640398724654, -0.5992645291688674,
               0.08214588427343242, -0.007370411292825466, 0.0004662106112305265, -2.1687294477960172e-05,
               5.564784991990787e-07),  # 4e-17, all of it the rounding of pi
)
def sin_series(y: Any) -> Any:
    """sin(pi·h)/h for y = h², |h| <= 1/2."""


@by_precision(
    polynomial(np.float32, 4.0, -3.739208221435547, 1.2779916524887085, -0.22874532639980316,
               0.024160465225577354),  # 1.3e-9
    polynomial(np.float64, 4.0, -3.7392088021786933, 1.2780132969498104, -0.22899788752816927, 0.0253309696818189,
               -0.0019036701650295214, 0.00010351646906449866, -4.133167328406984e-06),  # 1.9e-17
)
def cos_series(y: Any) -> Any:
    """cos(pi·h)/(1/4 - h²) for y = h², |h| <= 1/2."""


_quarter = constants(0.25)


@device_function
def sincos_half_turn(h: Any) -> Any:
    """(sin(pi·h), cos(pi·h)) for |h| <= 1/2, both within 3 ulp, also near their zeros."""
    (quarter,) = _quarter(h)
    y = h * h
    return sin_series(y) * h, cos_series(y) * fma(-h, h, quarter)


@device_function
def _parity_single(x: Any) -> Any:
    return from_bits(np.uint32(np.uint32(bits(x) << np.uint32(31)) | np.uint32(0x3F800000)))


@device_function
def _parity_double(x: Any) -> Any:
    return from_bits((bits(x) << np.uint64(63)) | np.uint64(0x3FF0000000000000))


@by_precision(_parity_single, _parity_double)
def parity(t: Any) -> Any:
    """(-1)**k for t = k + rounder."""


sincospi_limit = constants(2.0**22, double=(2.0**51,))


@device_function
def sincospi(x: Any) -> Any:
    """(sin(pi·x), cos(pi·x)) for |x| < 2**22 (2**51), both within 3 ulp, also near their zeros; nan beyond.

    >>> sine, cosine = sincospi(np.float64(1.5))
    >>> float(sine), float(cosine)
    (-1.0, 0.0)
    """
    _, _, _, _, _, nan = numbers(x)
    (limit,) = sincospi_limit(x)
    (shift,) = rounder(x)
    x = x if -limit < x and x < limit else nan
    t = x + shift
    sine, cosine = sincos_half_turn(x - (t - shift))
    sign = parity(t)
    return sine * sign, cosine * sign


# -- the inverse normal distribution function -------------------------------------------------------------------------
# Wichura, "Algorithm AS 241: the percentage points of the normal distribution", Applied Statistics 37 (1988) 477-484:
# PPND7 in float32 (1.2e-7), PPND16 in float64 (1e-16). A numerator and a denominator for each of three regions.


@by_precision(
    polynomial(np.float32, 3.3871327179, 50.434271938, 159.29113202, 59.10937472),
    polynomial(np.float64, 3.3871328727963666080, 133.14166789178437745, 1971.5909503065514427, 13731.693765509461125,
               45921.953931549871457, 67265.770927008700853, 33430.575583588128105, 2509.0809287301226727),
)
def center_numerator(r: Any) -> Any:
    """For |p - 1/2| <= 0.425, in r = 0.425² - (p - 1/2)²."""


@by_precision(
    polynomial(np.float32, 1.0, 17.895169469, 78.757757664, 67.187563600),
    polynomial(np.float64, 1.0, 42.313330701600911252, 687.18700749205790830, 5394.1960214247511077,
               21213.794301586595867, 39307.895800092710610, 28729.085735721942674, 5226.4952788528545610),
)
def center_denominator(r: Any) -> Any:
    """For |p - 1/2| <= 0.425, in r = 0.425² - (p - 1/2)²."""


@by_precision(
    polynomial(np.float32, 1.4234372777, 2.7568153900, 1.3067284816, 0.17023821103),
    polynomial(np.float64, 1.42343711074968357734, 4.63033784615654529590, 5.76949722146069140550,
               3.64784832476320460504, 1.27045825245236838258, 0.241780725177450611770, 0.0227238449892691845833,
               7.74545014278341407640e-4),
)
def tail_numerator(r: Any) -> Any:
    """For sqrt(-log p) up to 5, in r = sqrt(-log p) - 1.6."""


@by_precision(
    polynomial(np.float32, 1.0, 0.73700164250, 0.12021132975),
    polynomial(np.float64, 1.0, 2.05319162663775882187, 1.67638483018380384940, 0.689767334985100004550,
               0.148103976427480074590, 0.0151986665636164571966, 5.47593808499534494600e-4, 1.05075007164441684324e-9),
)
def tail_denominator(r: Any) -> Any:
    """For sqrt(-log p) up to 5, in r = sqrt(-log p) - 1.6."""


@by_precision(
    polynomial(np.float32, 6.6579051150, 3.0812263860, 0.42868294337, 0.017337203997),
    polynomial(np.float64, 6.65790464350110377720, 5.46378491116411436990, 1.78482653991729133580,
               0.296560571828504891230, 0.0265321895265761230930, 0.00124266094738807843860, 2.71155556874348757815e-5,
               2.01033439929228813265e-7),
)
def far_tail_numerator(r: Any) -> Any:
    """For sqrt(-log p) above 5, in r = sqrt(-log p) - 5."""


@by_precision(
    polynomial(np.float32, 1.0, 0.24197894225, 0.012258202635),
    polynomial(np.float64, 1.0, 0.599832206555887937690, 0.136929880922735805310, 0.0148753612908506148525,
               7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7,
               2.04426310338993978564e-15),
)
def far_tail_denominator(r: Any) -> Any:
    """For sqrt(-log p) above 5, in r = sqrt(-log p) - 5."""


_regions = constants(0.425, 0.425**2, 1.6, 5.0)


@device_function
def ndtri(p: Any) -> Any:
    """The standard normal quantile z with P(Z <= z) = p, to 1e-6 of z (1e-14 in float64); -inf at 0, inf at 1.

    >>> round(float(ndtri(np.float64(0.975))), 12)
    1.95996398454
    """
    zero, half, one, _, inf, nan = numbers(p)
    width, width_squared, tail_start, far_start = _regions(p)
    p = p if p >= zero and p <= one else nan
    q = p - half
    r = fma(-q, q, width_squared)
    depth = sqrt(-log(p if q < zero else one - p))
    central = (q if q > zero else -q) <= width
    far = depth > far_start
    tail, beyond = depth - tail_start, depth - far_start
    tail_above = far_tail_numerator(beyond) if far else tail_numerator(tail)
    tail_below = far_tail_denominator(beyond) if far else tail_denominator(tail)
    above = q * center_numerator(r) if central else (-tail_above if q < zero else tail_above)
    below = center_denominator(r) if central else tail_below
    edge = -inf if q < zero else inf
    return edge if depth == inf else above / below
