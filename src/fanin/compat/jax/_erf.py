"""erf and its inverse as XLA compiles them for a CPU with fused multiply-add: the same operations in the same order.

JAX's normal draws are sqrt(2)·erf_inv(u), in float32. Which products are fused was read off the machine code of JAX
0.10.2's compiled loops; another order of the same formulas differs in the last bit, and so does JAX on a CPU without
fused multiply-add. The polynomials: erf_inv from M. Giles, "Approximating the erfinv function" (GPU Computing Gems 2,
2012); log from the Cephes library's logf; log1p near 0 from Cephes' log1p; erf as in Eigen.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..._kernels.device import bits, device_function, fma, from_bits, sqrt

F = np.float32
ZERO, HALF, ONE = F(0), F(0.5), F(1)


def _hex(*patterns: Any) -> Any:
    """Constants by their bit patterns, as they stand in XLA's code."""
    return tuple(np.array(patterns, np.uint32).view(F))


# -- log(1 + x) -------------------------------------------------------------------------------------------------------

FRACTION, HALF_BITS, EXPONENT = np.uint32(0x807FFFFF), np.uint32(0x3F000000), np.uint32(23)
SQRT_HALF, BIAS, LOW_BIAS = F(0.70710677), F(126), F(127)
L0, L1, L2, L3, L4, L5, L6, L7, L8 = _hex(
    0x3D9021BB, 0xBDEBD1B8, 0x3DEF251A, 0xBDFE5D4F, 0x3E11E9BF, 0xBE2AAE50, 0x3E4CCEAC, 0xBE7FFFFC, 0x3EAAAAAA)
LN2_LOW, LN2_HIGH = _hex(0xB95E8083, 0x3F318000)

NEAR_ZERO = _hex(0x3ED413CD)[0]  # sqrt(2) - 1
P0 = F(4.527e-05)
P1, P2, P3, P4, P5, P6 = _hex(0x3EFF40C5, 0x40D284FA, 0x41EF4B9C, 0x4273CC76, 0x426473AD, 0x41A05101)
Q0, Q1, Q2, Q3, Q4, Q5 = _hex(0x417101AD, 0x42A6185B, 0x435DC32D, 0x439A8CA3, 0x43586D8A, 0x42707982)


@device_function
def _log(y: Any) -> Any:
    """log y for a positive, normal and finite y."""
    pattern = bits(y)
    m = from_bits(np.uint32(np.uint32(pattern & FRACTION) | HALF_BITS))
    low = m < SQRT_HALF
    e = F(np.int32(np.uint32(pattern >> EXPONENT))) - (LOW_BIAS if low else BIAS)
    x = (m - ONE) + (m if low else ZERO)
    x2 = x * x
    x3 = x2 * x
    a = fma(fma(L0, x, L1), x, L2)
    b = fma(fma(L3, x, L4), x, L5)
    c = fma(fma(L6, x, L7), x, L8)
    tail = fma(fma(fma(a, x3, b), x3, c), x3, e * LN2_LOW)
    return fma(e, LN2_HIGH, fma(-HALF, x2, x) + tail)


@device_function
def log1p(x: Any) -> Any:
    """log(1 + x) for x in (-1, 0]."""
    x2 = x * x
    p = fma(fma(fma(fma(fma(fma(P0, x, P1), x, P2), x, P3), x, P4), x, P5), x, P6)
    q = fma(fma(fma(fma(fma(x + Q0, x, Q1), x, Q2), x, Q3), x, Q4), x, Q5)
    near = x + fma(-HALF, x2, (x * x2) * (p / q))
    far = _log(x + ONE)
    return near if x > -NEAR_ZERO else far


# -- erf_inv ----------------------------------------------------------------------------------------------------------

SQRT2 = F(np.sqrt(2))
FIVE, TWO_AND_HALF, THREE = F(5), F(2.5), F(3)
C0, C1, C2, C3, C4, C5, C6, C7, C8 = _hex(  # in w - 2.5 for w < 5
    0x32F16588, 0x34B84B36, 0xB66C7357, 0xB6935AC1, 0x396532DB, 0xBAA45408, 0xBB88E4EF, 0x3E7C8F63, 0x3FC02E2F)
T0, T1, T2, T3, T4, T5, T6, T7, T8 = _hex(  # in sqrt(w) - 3 for the tails
    0xB951F09B, 0x38D3B56B, 0x3AB0DC72, 0xBB70BDE7, 0x3BBC127B, 0xBBF9C5D7, 0x3C1AA57E, 0x3F8036DB, 0x40354F7E)


@device_function
def erf_inv(x: Any) -> Any:
    """The inverse of erf for a float32 x in (-1, 1)."""
    w = -log1p(x * -x)
    centre = w < FIVE
    t = w - TWO_AND_HALF if centre else sqrt(w) - THREE
    p = C0 if centre else T0
    p = fma(p, t, C1 if centre else T1)
    p = fma(p, t, C2 if centre else T2)
    p = fma(p, t, C3 if centre else T3)
    p = fma(p, t, C4 if centre else T4)
    p = fma(p, t, C5 if centre else T5)
    p = fma(p, t, C6 if centre else T6)
    p = fma(p, t, C7 if centre else T7)
    p = fma(p, t, C8 if centre else T8)
    return x * p


# -- erf, of a truncation's bounds: on the host -----------------------------------------------------------------------

ERF_LIMIT = _hex(0x406F9C68)[0]  # beyond it float32's erf is +-1
ERF_P = _hex(0x39702D51, 0x3B5F5DA2, 0x3D50B6EB, 0x3E3DA740, 0x3F906EBA)
ERF_Q = _hex(0xB3FD3906, 0x37C588DF, 0x3A856D28, 0x3C6687D4, 0x3DE34C21, 0x3EFEB44A, 0x3F800000)


def erf(x: Any) -> Any:
    """erf of a float32, as a float32."""
    if abs(x) >= ERF_LIMIT:
        return np.copysign(ONE, x)
    return F(x * _horner(ERF_P, x * x) / _horner(ERF_Q, x * x))


def _horner(coefficients: Any, x: Any) -> Any:
    value = coefficients[0]
    for coefficient in coefficients[1:]:
        value = fma(value, x, coefficient)
    return value
