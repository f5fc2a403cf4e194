"""Logarithm, sine and cosine as torch's vectorized normal draws compute them.

The polynomials are Cephes' single-precision ones (S. Moshier), in the form that torch's header avx_mathfun.h has, with
the products fused that its compiler fuses: bit for bit what torch gets on AVX2 and AVX-512.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..._kernels.device import bits, device_function, fma, from_bits
from ..._kernels.polynomial import polynomial

F, I32, U32 = np.float32, np.int32, np.uint32
ONE, HALF, MINUS_HALF = F(1), F(0.5), F(-0.5)
SQRT_HALF = F(0.707106781186547524)
LN2_HIGH, LN2_LOW = F(0.693359375), F(-2.12194440e-4)
EXPONENT_SHIFT, EXPONENT_BIAS = U32(23), F(126)
FRACTION, HALF_BITS = U32(0x807FFFFF), U32(0x3F000000)

FOUR_OVER_PI = F(1.27323954473516)
PI4_HIGH, PI4_MIDDLE, PI4_LOW = F(-0.78515625), F(-2.4187564849853515625e-4), F(-3.77489497744594108e-8)  # of -π/4
I1, I2, I4, EVEN, TO_SIGN = I32(1), I32(2), I32(4), I32(~1), U32(29)

_log = polynomial(F, 3.3333331174e-1, -2.4999993993e-1, 2.0000714765e-1, -1.6668057665e-1, 1.4249322787e-1,
                  -1.2420140846e-1, 1.1676998740e-1, -1.1514610310e-1, 7.0376836292e-2)
_sin = polynomial(F, -1.6666654611e-1, 8.3321608736e-3, -1.9515295891e-4)
_cos = polynomial(F, 4.166664568298827e-2, -1.388731625493765e-3, 2.443315711809948e-5)


@device_function
def log(x: Any) -> Any:
    """ln x, for a normal number x > 0."""
    pattern = bits(x)
    e = F(I32(U32(pattern >> EXPONENT_SHIFT))) - EXPONENT_BIAS
    fraction = from_bits(U32(U32(pattern & FRACTION) | HALF_BITS))  # in [1/2, 1)
    small = fraction < SQRT_HALF
    e = e - ONE if small else e
    x = fraction - ONE
    x = x + fraction if small else x
    z = x * x
    y = fma(_log(x) * x, z, e * LN2_LOW)
    return fma(e, LN2_HIGH, x + fma(MINUS_HALF, z, y))


@device_function
def sincos(x: Any) -> Any:
    """(sin x, cos x), for 0 <= x < 8192."""
    octant = I32(I32(I32(x * FOUR_OVER_PI) + I1) & EVEN)
    y = F(octant)
    x = fma(y, PI4_LOW, fma(y, PI4_MIDDLE, fma(y, PI4_HIGH, x)))
    z = x * x
    cosine = fma(_cos(z) * z, z, -(z * HALF)) + ONE
    sine = fma(_sin(z) * z, x, x)
    straight = I32(octant & I2) == 0
    sine_sign = U32(U32(I32(octant & I4)) << TO_SIGN)
    cosine_sign = U32(U32(I32(I32(~I32(octant - I2)) & I4)) << TO_SIGN)
    first = sine if straight else cosine
    second = cosine if straight else sine
    return from_bits(U32(bits(first) ^ sine_sign)), from_bits(U32(bits(second) ^ cosine_sign))
