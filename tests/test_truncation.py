"""_plans/truncation.py: the law's mean and std, the choice of sampler, limits, and the normal law's own functions."""

import math
import zlib

import numpy as np
import pytest
from mpmath import mp, mpf

from fanin._errors import FaninValueError
from fanin._kernels.truncated import truncated_centre
from fanin._plans.normal_law import exp, log, mills, survival
from fanin._plans.truncation import CUT_AT_TWO_STD, truncated_normal

PRECISIONS = [np.float32, np.float64]
inf = math.inf


def exact_moments(mean, std, lower, upper):
    """Mean's distance from the bound nearer to the parent's mean (or from that mean), and std, from closed forms."""
    mean, std, lower, upper = map(mpf, (mean, std, lower, upper))
    a, b = (lower - mean) / std, (upper - mean) / std
    if a + b < 0:
        offset, deviation = exact_moments(-mean, std, -upper, -lower)
        return -offset, deviation

    def density(z):
        return mp.exp(-z * z / 2) / mp.sqrt(2 * mp.pi) if abs(z) < mp.inf else mpf(0)

    inside = (mp.erfc(a / mp.sqrt(2)) - (mp.erfc(b / mp.sqrt(2)) if b < mp.inf else 0)) / 2
    z = (density(a) - density(b)) / inside
    edges = (a * density(a) if a > -mp.inf else 0) - (b * density(b) if b < mp.inf else 0)
    return std * (z - max(a, 0)), std * mp.sqrt(1 + edges / inside - z * z)


@pytest.mark.parametrize("number", PRECISIONS)
@pytest.mark.parametrize("bounds", [
    (0, 1, -2, 2), (0, 1, -inf, inf), (0, 1, 0, inf), (0, 1, -3, 0.1), (0.3, 0.05, 0.2, 0.4), (0, 1, -8, 20),
    (0, 1, 5, 6), (0, 1, -6, -5), (0, 1, 30, inf), (0, 1, 1000, inf), (-1e6, 1, 0, inf), (1e6, 1, -1, 0.5),
    (0, 1, 1, 1.001), (0, 1, 1, 1 + 1e-7), (0, 1, -1e-6, 2e-6), (0, 1, 30, 30.0001), (0, 1e20, -1, 3), (0, 1, -40, 1.5),
], ids=str)
def test_mean_and_std(bounds, number):
    """Mean (as its distance from the nearer bound) and std agree with closed forms in 120 digits, to 1e-10."""
    law = truncated_normal(*map(float, bounds), number)
    with mp.workdps(120):
        offset, deviation = exact_moments(*bounds)
        mean, _, lower, upper = map(mpf, bounds)
        origin = max(lower, mean) if lower + upper >= 2 * mean else min(upper, mean)
        assert abs(mpf(law.mean) - origin - offset) <= mpf(1e-10) * deviation + mpf(np.spacing(abs(law.mean)))
        assert abs(mpf(law.std) / deviation - 1) <= 1e-10


def test_cut_at_two_std():
    """The std of N(0, 1) cut at ±2, which variance scaling divides by, is the known constant."""
    assert CUT_AT_TWO_STD == 0.8796256610342398
    assert truncated_normal(0.0, 1.0, -2.0, 2.0, np.float64).std == pytest.approx(CUT_AT_TWO_STD, rel=1e-15)


@pytest.mark.parametrize(("bounds", "single", "double"), [
    ((-2, 2), "centre", "centre"), ((-1e-9, 1e-9), "centre", "centre"), ((-1, 2), "lopsided", "centre"),
    ((-3, 3), "wide", "wide"),
    ((0, inf), "wide", "wide"), ((-inf, inf), "wide", "wide"),
    ((3, 4), "tail", "wide"), ((-inf, -7), "tail", "tail"),
    ((7, 7.2), "tail", "tail"), ((7, 7.05), "narrow", "tail"),
    ((0.2, 0.3), "narrow", "narrow"), ((1000, 1000.00001), "narrow", "narrow"),
], ids=str)
def test_choice(bounds, single, double):
    """Each kind of interval has its sampler; mirror images have the same one."""
    for number, sampler in zip(PRECISIONS, (single, double)):
        lower, upper = map(float, bounds)
        assert truncated_normal(0.0, 1.0, lower, upper, number).sampler.__name__ == f"truncated_{sampler}"
        assert truncated_normal(0.0, 1.0, -upper, -lower, number).sampler.__name__ == f"truncated_{sampler}"


@pytest.mark.parametrize("number", PRECISIONS)
@pytest.mark.parametrize("bounds", [(-2, 2), (5, 6), (-6, -5), (1, 1.001), (0, inf), (30, inf)], ids=str)
def test_parameters_are_numbers_of_the_computing_type(bounds, number):
    """Every parameter is a finite numpy scalar of the computing type, and there are as many for both types."""
    law = truncated_normal(0.5, 0.1, *(0.5 + 0.1 * z for z in bounds), number)
    assert {type(value) for value in law.params} == {number}
    assert np.isfinite(law.params).all()


@pytest.mark.parametrize("number", PRECISIONS)
def test_bounds_in_std_units_are_exact(number):
    """Bounds given in std units count as given, however mean + z·std is rounded."""
    mean, std = 0.1, 1e-15
    law = truncated_normal(mean, std, mean - 2 * std, mean + 2 * std, number, (-2.0, 2.0))
    standard = truncated_normal(0.0, 1.0, -2.0, 2.0, number)
    assert law.sampler is truncated_centre
    assert law.params[3:] == standard.params[3:]
    assert (law.mean, law.std) == (mean, standard.std * std)
    tail = truncated_normal(1e9, 1e-9, 1e9, 1e9, number, (7.0, inf))  # the bound is 1e9 + 7e-9: not a float64
    assert float(tail.params[0]) + float(tail.params[1]) == 1e9
    assert float(tail.params[1]) == pytest.approx(7e-9, rel=1e-6)


@pytest.mark.parametrize("number", PRECISIONS)
@pytest.mark.parametrize("law", [
    (0, 1e-300, -1e-300, 1e-300), (-1e300, 1, 0, inf), (-1e308, 1e-300, 0, inf), (1e308, 1e-300, -1e308, 0),
    (0, 1e-200, 1, inf), (0, 1e-200, 1, 1 + 1e-15), (0, 1, -1e300, 1e300), (1e20, 1, 0, 1), (0, 1e300, -1, 1),
    (0, 1e39, -1e38, 1.5e38), (0, 1, 1, math.nextafter(1, 2)), (0, 1, 39, inf), (0, 1, -39, -1), (0, 5e-324, 0, 5e-324),
], ids=str)
def test_extreme_laws(law, number):
    """No law gives nan, infinities or decreasing values, however far apart its parameters' magnitudes are."""
    drawn = truncated_normal(*map(float, law), number)
    word = np.uint32 if number is np.float32 else np.uint64
    top = np.iinfo(word).max
    words = [word(0), word(1), word(top // 4), word(top // 2), word(top - top // 4), word(top - 1), word(top)]
    with np.errstate(all="ignore"):
        values = [float(drawn.sampler(x, *drawn.params, number(-inf), number(inf))) for x in words]
    _, _, lower, upper = law
    assert values == sorted(values)
    assert all(lower - 1e-6 * abs(value) - 1e-44 <= value <= upper + 1e-6 * abs(value) + 1e-44 for value in values)
    assert all(map(math.isfinite, (*values, drawn.mean, drawn.std)))
    assert lower <= drawn.mean <= upper


def test_exponential_limit():
    """1e12 std away from the mean the offset from the bound is exponential, with mean and std std²/d."""
    law = truncated_normal(-1e12, 1.0, 0.0, inf, np.float64)
    assert (law.mean, law.std) == (pytest.approx(1e-12, rel=1e-12), pytest.approx(1e-12, rel=1e-12))
    with np.errstate(all="ignore"):
        median = law.sampler(np.uint64(2**63), *law.params, np.float64(-inf), np.float64(inf))
    assert median == pytest.approx(1e-12 * math.log(2), rel=1e-12)


@pytest.mark.parametrize("law", [(0, 1e39, 0, inf), (0, 1e300, -1e38, inf), (0, 1, 1e200, 2e200)], ids=str)
def test_parameters_that_overflow(law):
    """What float32 cannot hold is refused, and float64 takes it."""
    with pytest.raises(FaninValueError, match=r"must be finite in float32 \(got mean="):
        truncated_normal(*map(float, law), np.float32)
    truncated_normal(*map(float, law), np.float64)


@pytest.mark.parametrize(
    "z", [-8.3, -1.0, -1e-9, 0.0, 1e-9, 0.1, 0.7, 1.0, 2.5, 5.1, 9.7, 17.3, 24.9, 25.1, 31.0, 36.9, 37.4])
def test_survival_and_mills(z):
    """The normal law's upper tail, and its ratio to the density, are right to 5e-15."""
    with mp.workdps(60):
        tail = mp.erfc(mpf(z) / mp.sqrt(2)) / 2
        assert abs(mpf(survival(z)) / tail - 1) < 5e-15
        if z >= 0:
            assert abs(mpf(mills(z)) / tail * mp.exp(-mpf(z) ** 2 / 2) / mp.sqrt(2 * mp.pi) - 1) < 5e-15


@pytest.mark.parametrize("z", [100.0, 1e4, 1e8, 1e100, 1e300])
def test_mills_far_out(z):
    """Mills' ratio approaches 1/z, beyond the range of the tail itself."""
    assert survival(z) == 0
    assert mills(z) == pytest.approx((1 - 1 / z / z + 3 / z / z / z / z) / z, rel=1e-10)


@pytest.mark.parametrize(("law", "single", "double"), [
    ((0, 1, -2, 2), 0xBB010B8A, 0x8B2DDB9B), ((0, 1, -3, inf), 0xECE7EF10, 0xAB92BA56),
    ((0, 1, 7, 8), 0xE9B59BC4, 0x8441666F), ((0.5, 1, 0, 0.1), 0x7D9E3C4E, 0xF169E04F),
], ids=str)
def test_parameters_are_the_same_bits_everywhere(law, single, double):
    """Checksums of the parameters of each sampler: no C library or vector unit has a say in them.

    A changed one changes draws, so it is part of the stream's version.
    """
    for number, checksum in zip(PRECISIONS, (single, double)):
        params = np.array(truncated_normal(*map(float, law), number).params, np.dtype(number).newbyteorder("<"))
        assert zlib.crc32(params.tobytes()) == checksum


@pytest.mark.parametrize("x", [-745.0, -300.5, -1.0, -1e-10, 0.0, 0.3465, 0.3467, 1.0, 88.8, 312.5])
def test_exp(x):
    """exp is right to 2e-16, and to half a subnormal where there are no more digits."""
    with mp.workdps(40):
        assert abs(exp(x) - mp.exp(x)) <= max(2e-16 * mp.exp(x), mpf(5e-324))


@pytest.mark.parametrize("x", [1e-310, 1e-5, 0.5, 0.70710678, 0.70710679, 1 - 1e-12, 1.0, 1 + 1e-12, 1.5, 10.0, 1e300])
def test_log(x):
    """log is right to 4e-16, also near 1."""
    with mp.workdps(40):
        assert abs(log(x) - mp.log(x)) <= 4e-16 * abs(mp.log(x))
