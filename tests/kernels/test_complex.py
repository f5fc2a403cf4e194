"""_kernels/complex.py: modulus and angle of each sampler against exact arithmetic, and the laws they follow."""

import math

import mpmath
import numpy as np
import pytest
from mpmath import mp
from numba import njit
from scipy import stats

from fanin._kernels.complex import complex_normal, disk, truncated_complex_normal
from fanin._kernels.device import register_cpu

register_cpu()
mp.dps = 40

FALSE_ALARM = 1e-6  # of each statistical test, and the seeds are fixed
WORDS = {np.float32: np.uint32, np.float64: np.uint64}
BOUND = {np.float32: 1e-6, np.float64: 1e-14}
PRECISIONS = [np.float32, np.float64]
CUTS = [1e-6, 1e-3, 0.3, 0.8325, 0.8327, 1.0, 2.0, 6.0, 12.0, math.inf]  # at 0.8326 half the probability is inside


def loop_of(sampler):
    @njit(error_model="numpy")
    def loop(xa, xb, params, re, im):
        for i in range(len(xa)):
            re[i], im[i] = sampler(xa[i], xb[i], *params)

    return loop


LOOPS = {sampler: loop_of(sampler) for sampler in (complex_normal, disk, truncated_complex_normal)}


def draw(sampler, xa, xb, params, number):
    re, im = np.empty(len(xa), number), np.empty(len(xa), number)
    LOOPS[sampler](xa, xb, tuple(map(number, params)), re, im)
    return re, im


def random_words(number, size, seed=0):
    word = WORDS[number]
    return np.random.default_rng(seed).integers(0, np.iinfo(word).max, size, word, endpoint=True)


def telling_words(number, size, seed=0):
    """Random words, small and large ones of every order of magnitude, and those around the middle."""
    word = WORDS[number]
    bits = np.iinfo(word).bits
    small = random_words(number, size, seed) >> np.arange(size, dtype=word) % word(bits)
    middle = word(1 << (bits - 1))
    ends = np.array([0, 1, middle - word(1), middle, middle + word(1), ~word(0)], word)
    return np.concatenate([ends, small, ~small, random_words(number, size, seed + 1)])


def truncated_params(mean, std, cut, number):
    """As the sampler's docstring says that the host computes them."""
    limit = number(cut * std)
    if limit > cut * std:
        limit = np.nextafter(limit, number(0))
    return mean, std / math.sqrt(2), -math.expm1(-cut * cut), math.exp(-cut * cut), limit


def exact(x):
    return mpmath.mpf(float(x))


def exact_u(x, number):
    return (int(x) + mpmath.mpf(0.5)) / mpmath.mpf(2) ** np.iinfo(WORDS[number]).bits


def check(values, xa, xb, modulus, number):
    """re and im are modulus·cos and modulus·sin, each to the stated fraction of the modulus."""
    scale = mpmath.mpf(2) ** -np.iinfo(WORDS[number]).bits
    for a, b, re, im in zip(xa, xb, *values):
        m, turns = modulus(a), 2 * int(b) * scale
        assert abs(exact(re) - m * mpmath.cospi(turns)) <= BOUND[number] * m, (a, b)
        assert abs(exact(im) - m * mpmath.sinpi(turns)) <= BOUND[number] * m, (a, b)


@pytest.mark.parametrize("number", PRECISIONS)
def test_normal_has_the_modulus_and_angle_of_its_words(number):
    """std·sqrt(-log u) and 2·pi·xb·2**-32, to 1e-6 (1e-14) of the modulus."""
    xa, xb = telling_words(number, 200), telling_words(number, 200, seed=7)[::-1]
    values = draw(complex_normal, xa, xb, (0, 3 / math.sqrt(2)), number)
    check(values, xa, xb, lambda a: 3 * mpmath.sqrt(-mpmath.log(exact_u(a, number))), number)


@pytest.mark.parametrize("number", PRECISIONS)
def test_disk_has_the_modulus_and_angle_of_its_words(number):
    """R·sqrt(u) with u the word's leading 24 (53) bits: 0 for the smallest words, below R for the largest."""
    xa, xb = telling_words(number, 200), telling_words(number, 200, seed=7)[::-1]
    dropped, kept = (8, 24) if number is np.float32 else (11, 53)
    values = draw(disk, xa, xb, (0, 3), number)
    check(values, xa, xb, lambda a: 3 * mpmath.sqrt(mpmath.mpf(int(a) >> dropped) / 2**kept), number)


@pytest.mark.parametrize("number", PRECISIONS)
@pytest.mark.parametrize("cut", CUTS)
def test_truncated_normal_inverts_its_distribution(cut, number):
    """P(|z| <= m) = (1 - exp(-m²))/(1 - exp(-cut²)) = u, from a cut of 1e-6, a uniform disk, to none."""
    xa, xb = telling_words(number, 60), telling_words(number, 60, seed=7)[::-1]
    values = draw(truncated_complex_normal, xa, xb, truncated_params(0, 3, cut, number), number)
    inside = mpmath.mpf(1) if math.isinf(cut) else -mpmath.expm1(-exact(cut) ** 2)
    check(values, xa, xb, lambda a: 3 * mpmath.sqrt(-mpmath.log1p(-exact_u(a, number) * inside)), number)


@pytest.mark.parametrize("number", PRECISIONS)
@pytest.mark.parametrize("cut", CUTS[:-1])
def test_truncated_normal_stays_inside(cut, number):
    """|z - mean| <= upper to 2 ulp, tried with the words next to the bound; and some come within 1e-6 of it."""
    top = ~np.arange(4096, dtype=WORDS[number])
    std = 0.7
    re, im = draw(truncated_complex_normal, top, random_words(number, 4096), truncated_params(0, std, cut, number),
                  number)
    modulus = np.hypot(re.astype(np.longdouble), im.astype(np.longdouble))
    assert modulus.max() <= cut * std * (1 + 2 * np.finfo(number).eps)
    assert modulus.max() >= cut * std * (1 - 1e-6) or cut > 4


@pytest.mark.parametrize("number", PRECISIONS)
def test_modulus_is_clamped_to_the_limit(number):
    """At angle 0 the value is the modulus, and the largest words of 300 cuts never pass the limit."""
    top = ~np.arange(16, dtype=WORDS[number])
    for cut in np.random.default_rng(2).uniform(0.01, 3, 300):
        params = truncated_params(0, 0.7, cut, number)
        re, _ = draw(truncated_complex_normal, top, np.zeros_like(top), params, number)
        assert re.max() <= params[-1]


@pytest.mark.parametrize("number", PRECISIONS)
@pytest.mark.parametrize("cut", CUTS)
def test_truncated_modulus_increases_with_the_word(cut, number):
    """An inverse distribution function: the middle, where the formula changes, included, to the last place but two."""
    word = WORDS[number]
    xa = np.sort(np.concatenate([telling_words(number, 2000), word(1 << (8 * word(0).itemsize - 1)) +
                                 np.arange(-2000, 2000).astype(word)]))
    re, _ = draw(truncated_complex_normal, xa, np.zeros_like(xa), truncated_params(0, 1, cut, number), number)
    assert (np.diff(re) >= -2 * np.spacing(re[1:])).all()


@pytest.mark.parametrize(("sampler", "params"), [
    (complex_normal, (5, 2)), (disk, (5, 2)), (truncated_complex_normal, truncated_params(5, 2, 1.0, np.float32)),
])
def test_mean_is_real(sampler, params):
    """The centre is added to the real part only, once."""
    xa, xb = random_words(np.float32, 2**16), random_words(np.float32, 2**16, seed=1)
    re, im = draw(sampler, xa, xb, params, np.float32)
    centred, same = draw(sampler, xa, xb, (0, *params[1:]), np.float32)
    np.testing.assert_allclose(re, 5 + centred, atol=1e-6)
    np.testing.assert_array_equal(im, same)


def uniform_p_value(values, bins=256):
    """p-value of values in [0, 1) that should be uniform, from a chi-squared test of 256 bins."""
    counts = np.bincount((np.minimum(values, 1 - 2**-53) * bins).astype(int), minlength=bins)
    return stats.chisquare(counts).pvalue


LAWS = [  # sampler, parameters, distribution function of the modulus, E|z|²
    (complex_normal, (0, math.sqrt(0.5)), lambda m: -np.expm1(-m * m), 1.0),
    (disk, (0, 1), lambda m: m * m, 0.5),
    (truncated_complex_normal, truncated_params(0, 1, 2.0, np.float64),
     lambda m: np.expm1(-m * m) / math.expm1(-4), 0.9619618280082136**2),
]


@pytest.mark.parametrize("number", PRECISIONS)
@pytest.mark.parametrize(("sampler", "params", "law", "variance"), LAWS)
def test_modulus_and_angle_follow_their_laws(sampler, params, law, variance, number):
    """Of a million draws: modulus by its law, angle uniform, both independent, E|z|² right. Power: 1 % wider."""
    re, im = (x.astype(np.float64) for x in
              draw(sampler, random_words(number, 2**20), random_words(number, 2**20, seed=1), params, number))
    modulus, angle = np.hypot(re, im), np.arctan2(im, re) / (2 * np.pi) % 1

    assert uniform_p_value(law(modulus)) > FALSE_ALARM
    assert uniform_p_value(angle) > FALSE_ALARM
    assert stats.pearsonr(modulus, abs(angle - 0.5)).pvalue > FALSE_ALARM
    standard_error = (modulus**2).std() / 2**10
    assert abs((modulus**2).mean() - variance) < 4.9 * standard_error

    assert uniform_p_value(np.minimum(law(1.01 * modulus), 1)) < FALSE_ALARM
    assert abs((1.0201 * modulus**2).mean() - variance) > 4.9 * standard_error


@pytest.mark.parametrize("number", PRECISIONS)
@pytest.mark.parametrize("sampler", [complex_normal, disk, truncated_complex_normal])
def test_plain_python_gives_the_compiled_bits(sampler, number):
    """The reference backend runs the functions as they stand: 10,000 elements, bit for bit."""
    params = truncated_params(0.25, 1.7, 1.0, number) if sampler is truncated_complex_normal else (0.25, 1.7)
    params = tuple(map(number, params))
    xa = telling_words(number, 3400)
    xb = np.random.default_rng(3).permutation(xa)
    with np.errstate(over="ignore"):
        plain = np.array([sampler(a, b, *params) for a, b in zip(xa, xb)], number).T
    np.testing.assert_array_equal(plain, draw(sampler, xa, xb, params, number))
