"""The Box-Muller transform: two words to two independent normal numbers (Box and Muller, 1958).

A fixed number of words makes a fixed number of values, so any element can be computed alone. The logarithm, the sine
and the cosine are reduced in integer arithmetic, before anything is rounded.
"""

from typing import Any

import numpy as np

from .device import bits, by_precision, device_function, fma, from_bits, sqrt
from .elementary import sincos_half_turn
from .polynomial import constants, numbers, polynomial
from .samplers import pair_sampler

# -- radius -----------------------------------------------------------------------------------------------------------


@device_function
def _fold_single(x: Any) -> Any:
    upper = x >= np.uint32(1 << 31)
    t = np.uint32(~x) if upper else x
    return fma(np.float32(np.int32(t)), np.float32(2.0**-32), np.float32(2.0**-33)), upper


@device_function
def _fold_double(x: Any) -> Any:
    upper = x >= np.uint64(1 << 63)
    t = ~x if upper else x
    return fma(np.float64(np.int64(t)), np.float64(2.0**-64), np.float64(2.0**-65)), upper


@by_precision(_fold_single, _fold_double)
def fold(x: Any) -> Any:
    """(v, upper): u = (x + 1/2)·2**-32 (2**-64) is 1 - v in the upper half, else v; v is at most 1/2, to 1 ulp."""


@device_function
def _halvings_single(x: Any) -> Any:
    b = bits(x)
    m = from_bits(np.uint32(np.uint32(b & np.uint32(0x007FFFFF)) | np.uint32(0x3F000000)))
    return np.float32(np.int32(np.uint32(np.uint32(126) - np.uint32(b >> np.uint32(23))))), np.float32(1) - m


@device_function
def _halvings_double(x: Any) -> Any:
    b = bits(x)
    m = from_bits((b & np.uint64(0x000FFFFFFFFFFFFF)) | np.uint64(0x3FE0000000000000))
    return np.float64(np.int32(np.uint64(1022) - (b >> np.uint64(52)))), np.float64(1) - m


@by_precision(_halvings_single, _halvings_double)
def halvings(v: Any) -> Any:
    """(n, g) with v = 2**-n·(1 - g), 0 < g <= 1/2: both exact."""


@by_precision(
    polynomial(np.float32, 1.999999761581421, 1.0000687837600708, 0.6638188362121582, 0.5436060428619385,
               0.08042343705892563, 1.5593541860580444, -2.1477162837982178, 2.361660957336426),  # 1.5e-7
    polynomial(np.float64, 2.0, 1.0000000000000833, 0.6666666666401597, 0.5000000029694954, 0.3999998304276251,
               0.3333391489567873, 0.2855828621683181, 0.2520750422426109, 0.1984181808164087, 0.40375630886873903,
               -1.1428907683090028, 6.779201445502055, -25.30841847961805, 75.6748518490542, -171.07354958573407,
               291.62478490630156, -361.4546107473341, 309.5202455066347, -164.07744816797432,
               41.27772560613157),  # 4.2e-17
)
def log_series(g: Any) -> Any:
    """-2·log(1 - g)/g for 0 <= g <= 1/2: a one-sided interval needs no cancellation, nor a division."""


_two_ln2 = constants(1.3862943611198906)


@device_function
def minus_two_log(v: Any, complement: Any) -> Any:
    """-2·log(1 - v) if `complement`, else -2·log(v), for 0 < v <= 1/2; relative error 2e-7 (4e-16)."""
    zero, _, _, _, _, _ = numbers(v)
    (two_ln2,) = _two_ln2(v)
    n, g = halvings(v)
    whole = zero if complement else n * two_ln2
    g = v if complement else g
    return fma(log_series(g), g, whole)


@device_function
def radius(x: Any) -> Any:
    """sqrt(-2·log u) with u = (x + 1/2)·2**-32 (2**-64): the modulus of a pair of normal numbers."""
    v, upper = fold(x)
    return sqrt(minus_two_log(v, upper))


# -- angle ------------------------------------------------------------------------------------------------------------


@device_function
def _half_turns_single(x: Any) -> Any:
    beyond = np.uint32(x << np.uint32(1))  # as a signed integer this is h·2**32; k is odd where its top bit is not x's
    odd = np.uint32(np.uint32(x ^ beyond) & np.uint32(1 << 31))
    return np.float32(np.int32(beyond)) * np.float32(2.0**-32), from_bits(np.uint32(odd | np.uint32(0x3F800000)))


@device_function
def _half_turns_double(x: Any) -> Any:
    beyond = x << np.uint64(1)
    odd = (x ^ beyond) & np.uint64(1 << 63)
    return np.float64(np.int64(beyond)) * np.float64(2.0**-64), from_bits(odd | np.uint64(0x3FF0000000000000))


@by_precision(_half_turns_single, _half_turns_double)
def half_turns(x: Any) -> Any:
    """(h, sign): the angle x·2**-31 (2**-63) half turns is h beyond a whole number k, |h| <= 1/2; sign = (-1)**k."""


@device_function
def cossin(x: Any) -> Any:
    """(cos, sin) of the angle 2·pi·x·2**-32 (2**-64), each within 2e-7 (4e-16)."""
    h, sign = half_turns(x)
    sine, cosine = sincos_half_turn(h)
    return cosine * sign, sine * sign


@pair_sampler
def normal(xa: Any, xb: Any, mean: Any, std: Any) -> Any:
    """mean + std·z for two independent standard normal z, within 2e-6 of z (1e-14·max(1, |z|)).

    The first word gives the radius, so that |z| reaches 6.764 (9.5), the second the angle.
    """
    r = radius(xa)
    cosine, sine = cossin(xb)
    return fma(r * cosine, std, mean), fma(r * sine, std, mean)
