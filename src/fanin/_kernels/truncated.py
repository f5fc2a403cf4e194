"""Words to a normal law cut off at two bounds: the inverse CDF, in the form that is accurate for each kind of interval.

z = Φ⁻¹(Φ(a) + u·(Φ(b) − Φ(a))) with u = (x + 1/2)·2**-32 (2**-64), where a < b are the bounds in std units: one word
makes one number, values increase with the word, nothing is rejected. `_plans/truncation.py` says which sampler serves
which bounds and computes its parameters. Each sampler ends with a clamp to [smallest, largest].

Where the mean lies inside, the value is mean + z·std; elsewhere it is bound + offset, since a difference of two large z
has no accurate digits left. `rest` is what rounding the mean (or the bound) to the computing type lost.
"""

import numpy as np

from .device import bits, by_precision, device_function, fma, from_bits, sqrt
from .polynomial import constants, numbers, polynomial
from .samplers import word_sampler

# -- words to numbers -------------------------------------------------------------------------------------------------


@device_function
def _counts_single(x):
    return np.float32(x), np.float32(np.uint32(~x))


@device_function
def _counts_double(x):
    return np.float64(x), np.float64(np.uint64(~x))


@by_precision(_counts_single, _counts_double)
def counts(x):
    """The word and its complement: n and m with u = (n + 1/2)·2**-32 and 1 - u = (m + 1/2)·2**-32."""


@device_function
def _signed_single(x):
    return np.float32(np.int32(np.uint32(x ^ np.uint32(0x80000000))))


@device_function
def _signed_double(x):
    return np.float64(np.int64(np.uint64(x ^ np.uint64(0x8000000000000000))))


@by_precision(_signed_single, _signed_double)
def signed(x):
    """The word counted from the middle: s with u - 1/2 = (s + 1/2)·2**-32."""


@device_function
def _fraction_single(x):
    return fma(x, np.float32(2.0**-32), np.float32(2.0**-33))


@device_function
def _fraction_double(x):
    return fma(x, np.float64(2.0**-64), np.float64(2.0**-65))


@by_precision(_fraction_single, _fraction_double)
def fraction(x):
    """u = (x + 1/2)·2**-32 (2**-64) for a word as a float."""


# -- the pieces of the quantile ---------------------------------------------------------------------------------------
# All are near-minimax fits of the relative error with mpmath (Lawson-weighted least squares on Chebyshev nodes, 50
# digits); the errors beside them are those of the exact coefficients.

# Where a polynomial could cancel to few digits, its variable was chosen so that it does not.

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
def _centre_single(x):
    return _CENTRE_TOP32(x) / _CENTRE_BOTTOM32(x)


@device_function
def _centre_double(x):
    return _CENTRE_TOP64(x) / _CENTRE_BOTTOM64(x)


@by_precision(_centre_single, _centre_double)
def centre_ratio(x):
    """Φ⁻¹(1/2 + t)/t for x = 1/4 - t², |t| <= Φ(2.11) - 1/2. Errors 1.6e-7 and 1.9e-15."""


_quarter = constants(0.25)

_LOG_TOP64 = polynomial(
    np.float64, -1.442695040888963414, -4.007974004609790657, -4.128131261428049169, -1.925636860578394833,
    -0.3931589091083962117, -0.02699345018100797683, -0.0001432157787861056505)
_LOG_BOTTOM64 = polynomial(
    np.float64, 1.0, 3.278115881052829761, 4.167127152033308149, 2.575608043024571894, 0.7908075971244271897,
    0.1084034965731468426, 0.004670569880543031609)


@device_function
def _log_ratio_double(x):
    return _LOG_TOP64(x) / _LOG_BOTTOM64(x)


@by_precision(
    polynomial(np.float32, -1.442694804773862684, 0.7213466508783115624, -0.4809654939967439394, 0.3607828533836068913,
               -0.2855829713289871618, 0.2368983825629699649, -0.2468532597656886297, 0.2216689518032860877),
    _log_ratio_double,
)
def log_ratio(x):
    """-log2(1 + x)/x for |x| <= 1/3. Errors 1.6e-7 and 6e-18."""


TWO_THIRDS32, FRACTION32 = np.uint32(0x3F2AAAAB), np.uint32(0x007FFFFF)
TWO_THIRDS64, FRACTION64 = np.uint64(0x3FE5555555555556), np.uint64(0x000FFFFFFFFFFFFF)


@device_function
def _split_single(x):
    b = np.uint32(bits(x) - TWO_THIRDS32)
    return np.float32(np.int32(b) >> np.int32(23)), from_bits(np.uint32(np.uint32(b & FRACTION32) + TWO_THIRDS32))


@device_function
def _split_double(x):
    b = np.uint64(bits(x) - TWO_THIRDS64)
    return np.float64(np.int32(np.int64(b) >> np.int64(52))), from_bits((b & FRACTION64) + TWO_THIRDS64)


@by_precision(_split_single, _split_double)
def split(x):
    """A normal number x > 0 as (k, m): x = m·2**k with m in [2/3, 4/3) and a whole number k, both floats."""


@device_function
def minus_log2(v, from_one):
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
def _half_ratio_double(x):
    return _HALF_TOP64(x) / _HALF_BOTTOM64(x)


@by_precision(
    polynomial(np.float32, 1.178492640773110866, 1.115236851252150694, -0.6638330309885061143, 2.672478840003913697,
               -5.562339160349269824, 8.946663343007930013, -8.113617646935870955, 3.595255771341289584),
    _half_ratio_double,
)
def half_normal_ratio(x):
    """z/(ell·x) for P(|Z| > z) = 2**-ell, where x = 1/(1 + sqrt(1 + ell)).

    Errors 1.9e-8 (ell <= 34.9) and 1.8e-15 (ell <= 94.4).
    """


# -- samplers ---------------------------------------------------------------------------------------------------------


@device_function
def clamp(value, smallest, largest):
    value = value if value < largest else largest
    return value if value > smallest else smallest


@word_sampler
def truncated_centre(x, mean, rest, std, step, middle, smallest, largest):
    """Both bounds within 2.1 std of the mean, as in variance scaling: one rational function, no logarithm.

    t = Φ(z) - 1/2 = s·step + middle, counted from the middle, so that symmetric bounds lose nothing near the mean.
    """
    t = fma(signed(x), step, middle)
    (quarter,) = _quarter(t)
    z = t * centre_ratio(fma(-t, t, quarter))
    return clamp(mean + fma(z, std, rest), smallest, largest)


@word_sampler
def truncated_wide(x, mean, rest, std, step, lower, upper, middle, smallest, largest):
    """Any interval that holds the mean, or ends near it: the quantile of the nearer tail, from its own probability.

    Twice the two tail probabilities are n·step + lower and m·step + upper; their difference, 2·Φ(z) - 1, is
    n·step + middle.
    """
    n, m = counts(x)
    t = fma(n, step, middle)
    below, above = fma(n, step, lower), fma(m, step, upper)
    zero, _, one, _, _, _ = numbers(t)
    ell = minus_log2(below if below < above else above, t if t < zero else -t)
    g = one / (one + sqrt(one + ell))
    z = ell * g * half_normal_ratio(g)
    return clamp(mean + fma(z if t > zero else -z, std, rest), smallest, largest)


@word_sampler
def truncated_tail(x, bound, rest, direction, step, survival, curvature,
                   slope, p0, p1, p2, p3, p4, p5, p6, p7, p8, p9, p10, smallest, largest):
    """An interval away from the mean: bound + offset, from ell = -log2 of the part of the tail that remains.

    That part is v = 1 - u·(1 - ρ), ρ the tail beyond the farther bound over the tail beyond the nearer one. With
    A² = -2·log(S) at the nearer bound the offset is close to sqrt(A² + 2·ln(2)·ell) - A; what it is exactly is
    ell·(slope + p(q)) for q = ell·g², g = 1/(1 + sqrt(1 + ell·curvature)), where p is small unless A is.
    `direction` is 1 if the nearer bound is the lower one and -1 if it is the upper one.
    """
    n, m = counts(x)
    zero, half, one, _, _, _ = numbers(direction)
    mirrored = direction < zero
    n, m = m if mirrored else n, n if mirrored else m
    ell = minus_log2(fma(m, step, survival), -fma(n, step, half * step))
    g = one / (one + sqrt(fma(ell, curvature, one)))
    q = ell * g * g
    p = fma(fma(fma(fma(fma(p10, q, p9), q, p8), q, p7), q, p6), q, p5)
    p = fma(fma(fma(fma(fma(p, q, p4), q, p3), q, p2), q, p1), q, p0)
    return clamp(bound + fma(ell, slope, fma(ell, p, rest)), smallest, largest)


@word_sampler
def truncated_narrow(x, bound, rest, direction, p0, p1, p2, p3, p4, p5, p6, p7, p8, p9, smallest, largest):
    """An interval over which the density changes little: bound + u·p(u - 1/2), or the same in 1 - u.

    `direction` is 1 for the lower bound and u, -1 for the upper bound and 1 - u.
    """
    n, m = counts(x)
    zero, half, _, _, _, _ = numbers(direction)
    u = fraction(m if direction < zero else n)
    h = u - half
    p = fma(fma(fma(fma(fma(p9, h, p8), h, p7), h, p6), h, p5), h, p4)
    p = fma(fma(fma(fma(p, h, p3), h, p2), h, p1), h, p0)
    return clamp(bound + fma(p, u, rest), smallest, largest)
