"""The pieces of the normal law's quantile that its truncated samplers are built from.

All are near-minimax fits of the relative error with mpmath (Lawson-weighted least squares on Chebyshev nodes, 50
digits); the errors beside them are those of the exact coefficients. Where a polynomial could cancel to few digits, its
variable was chosen so that it does not.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .device import bits, by_precision, device_function, fma, from_bits
from .polynomial import numbers, polynomial

_CENTRE_TOP32 = polynomial(np.float32, 6.314546705390564424, 1250.851021167171332, 32917.02496306447622,
                           144624.3386418427632, 58271.30582877498552)
_CENTRE_BOTTOM32 = polynomial(np.float32, 1.0, 267.1850477517008997, 9582.280273197039173, 65101.67925475681229,
                              65648.71806664633153)
_CENTRE_TOP64 = polynomial(
    np.float64, 7.127394781381377732, 8188.72707409712673, 1923100.671299238032, 149973723.0396562593,
    4628031446.486538308, 60076780140.19895266, 324191480217.3427434, 663235517942.8000259, 403264213778.1040948,
    33002405172.74336056)
_CENTRE_BOTTOM64 = polynomial(
    np.float64, 1.0, 1398.712275380852342, 382078.6310630240075, 34437943.13393942859, 1239254068.599679144,
    19167665179.90306494, 128072884104.7182908, 347759534714.6044857, 325075334255.7405004, 67150990519.77852859)


@device_function
def _centre_single(x: Any) -> Any:
    return _CENTRE_TOP32(x) / _CENTRE_BOTTOM32(x)


@device_function
def _centre_double(x: Any) -> Any:
    return _CENTRE_TOP64(x) / _CENTRE_BOTTOM64(x)


@by_precision(_centre_single, _centre_double)
def centre_ratio(x: Any) -> Any:
    """Φ⁻¹(1/2 + t)/t for x = 1/4 - t², |t| <= Φ(2.11) - 1/2. Errors 1.6e-7 and 1.9e-15."""


_LOG_TOP64 = polynomial(
    np.float64, -1.442695040888963414, -4.007974004609790657, -4.128131261428049169, -1.925636860578394833,
    -0.3931589091083962117, -0.02699345018100797683, -0.0001432157787861056505)
_LOG_BOTTOM64 = polynomial(
    np.float64, 1.0, 3.278115881052829761, 4.167127152033308149, 2.575608043024571894, 0.7908075971244271897,
    0.1084034965731468426, 0.004670569880543031609)


@device_function
def _log_ratio_double(x: Any) -> Any:
    return _LOG_TOP64(x) / _LOG_BOTTOM64(x)


@by_precision(
    polynomial(np.float32, -1.442694804773862684, 0.7213466508783115624, -0.4809654939967439394, 0.3607828533836068913,
               -0.2855829713289871618, 0.2368983825629699649, -0.2468532597656886297, 0.2216689518032860877),
    _log_ratio_double,
)
def log_ratio(x: Any) -> Any:
    """-log2(1 + x)/x for |x| <= 1/3. Errors 1.6e-7 and 6e-18."""


TWO_THIRDS32, FRACTION32 = np.uint32(0x3F2AAAAB), np.uint32(0x007FFFFF)
TWO_THIRDS64, FRACTION64 = np.uint64(0x3FE5555555555556), np.uint64(0x000FFFFFFFFFFFFF)


@device_function
def _split_single(x: Any) -> Any:
    b = np.uint32(bits(x) - TWO_THIRDS32)
    return np.float32(np.int32(b) >> np.int32(23)), from_bits(np.uint32(np.uint32(b & FRACTION32) + TWO_THIRDS32))


@device_function
def _split_double(x: Any) -> Any:
    b = np.uint64(bits(x) - TWO_THIRDS64)
    return np.float64(np.int32(np.int64(b) >> np.int64(52))), from_bits((b & FRACTION64) + TWO_THIRDS64)


@by_precision(_split_single, _split_double)
def split(x: Any) -> Any:
    """A normal number x > 0 as (k, m): x = m·2**k with m in [2/3, 4/3) and a whole number k, both floats."""


@device_function
def minus_log2(v: Any, from_one: Any) -> Any:
    """-log2(v) for a probability v, where `from_one` is v - 1 computed without the rounding of v."""
    zero, _, one, _, _, _ = numbers(v)
    k, m = split(v)
    f = from_one if k == zero else m - one
    return fma(f, log_ratio(f), -k)


_HALF_TOP64 = polynomial(
    np.float64, 1.177439273697502457, 51.15028336467743143, 466.3335600940447444, 949.9149629628710817,
    163.7194806208278527, -870.8621063099034688, -1411.06903306571387, 706.0522692666022373, 165.4442301429111157)
_HALF_BOTTOM64 = polynomial(
    np.float64, 1.0, 42.45014718260705502, 355.8459109620081836, 495.6686351519032374, -256.0509128998078135,
    -708.3702244862231987, -571.4851206376138109, 797.369602391106976, -98.40753325741231921)


@device_function
def _half_ratio_double(x: Any) -> Any:
    return _HALF_TOP64(x) / _HALF_BOTTOM64(x)


@by_precision(
    polynomial(np.float32, 1.178492640773110866, 1.115236851252150694, -0.6638330309885061143, 2.672478840003913697,
               -5.562339160349269824, 8.946663343007930013, -8.113617646935870955, 3.595255771341289584),
    _half_ratio_double,
)
def half_normal_ratio(x: Any) -> Any:
    """z/(ell·x) for P(|Z| > z) = 2**-ell, where x = 1/(1 + sqrt(1 + ell)).

    Errors 1.9e-8 (ell <= 34.9) and 1.8e-15 (ell <= 94.4).
    """


@device_function
def clamp(value: Any, smallest: Any, largest: Any) -> Any:
    """The value, or the bound that it lies beyond."""
    value = value if value < largest else largest
    return value if value > smallest else smallest
