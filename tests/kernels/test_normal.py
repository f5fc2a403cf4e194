"""_kernels/normal.py: the stated error on the same words, the law of many draws, plain Python equal to compiled."""

import mpmath
import numpy as np
import pytest
from mpmath import mp
from numba import njit
from scipy import stats

from fanin._kernels.device import fma, register_cpu
from fanin._kernels.normal import cossin, normal, radius

register_cpu()
mp.dps = 40

FALSE_ALARM = 1e-6  # of each statistical test, and the seeds are fixed
WORDS = {np.float32: np.uint32, np.float64: np.uint64}


@njit(error_model="numpy")
def normal_loop(xa, xb, mean, std, even, odd):
    for i in range(len(xa)):
        even[i], odd[i] = normal(xa[i], xb[i], mean, std)


@njit(error_model="numpy")
def parts_loop(xa, xb, r, cosine, sine):
    for i in range(len(xa)):
        r[i] = radius(xa[i])
        cosine[i], sine[i] = cossin(xb[i])


def draw(xa, xb, number, mean=0.0, std=1.0):
    even, odd = np.empty(len(xa), number), np.empty(len(xa), number)
    normal_loop(xa, xb, number(mean), number(std), even, odd)
    return even, odd


def random_words(number, size, seed=0):
    word = WORDS[number]
    return np.random.default_rng(seed).integers(0, np.iinfo(word).max, size, word, endpoint=True)


def telling_words(number, size, seed=0):
    """Random words, small and large ones of every order of magnitude, and both sides of every quadrant's end."""
    word = WORDS[number]
    top = np.iinfo(word).max
    bits = np.iinfo(word).bits
    small = random_words(number, size, seed) >> np.arange(size, dtype=word) % word(bits)
    ends = [quarter * 2 ** (bits - 3) + offset for quarter in range(9) for offset in (-2, -1, 0, 1, 2)]
    ends = np.array([end for end in ends if 0 <= end <= top], word)
    return np.concatenate([ends, small, ~small, random_words(number, size, seed + 1)])


def exact_pair(xa, xb, number):
    """Radius, cosine and sine of two words, with 40 digits."""
    scale = mpmath.mpf(2) ** -np.iinfo(WORDS[number]).bits
    turns = 2 * int(xb) * scale
    return (mpmath.sqrt(-2 * mpmath.log((int(xa) + mpmath.mpf(0.5)) * scale)), mpmath.cospi(turns),
            mpmath.sinpi(turns))


def exact(x):
    return mpmath.mpf(float(x))


@pytest.mark.parametrize(("number", "bound"), [(np.float32, 2e-6), (np.float64, 1e-14)])
def test_error_of_z_on_the_same_words(number, bound):
    """Contract: at most 2e-6 (float32), 1e-14·max(1, |z|) (float64), the extreme words included."""
    xa, xb = telling_words(number, 400), telling_words(number, 400, seed=9)
    xb = np.random.default_rng(5).permutation(xb)
    for a, b, even, odd in zip(xa, xb, *draw(xa, xb, number)):
        r, cosine, sine = exact_pair(a, b, number)
        for z, reference in ((even, r * cosine), (odd, r * sine)):
            allowed = bound if number is np.float32 else bound * max(1, abs(reference))
            assert abs(exact(z) - reference) <= allowed, (a, b)


def float64_pair(xa, xb):
    v = (np.minimum(xa, ~xa) + 0.5) * 2.0**-32
    r = np.sqrt(-2 * np.where(xa >= 2**31, np.log1p(-v), np.log(v)))
    angle = 2 * np.pi * (xb * 2.0**-32)
    return r, r * np.cos(angle), r * np.sin(angle)


def grid(size):
    """Every 2**32/size-th radius word, and the 2**16 at either end, each with some angle."""
    step = 2**32 // size
    xa = np.arange(0, 2**32, step, dtype=np.uint64).astype(np.uint32)
    ends = np.arange(2**16, dtype=np.uint32)
    xa = np.concatenate([xa, ends, ~ends])
    return xa, random_words(np.float32, len(xa))


def test_error_of_float32_on_a_fine_grid():
    """2e-6 against float64; and a logarithm of the rounded u, without the complement, is caught (about 1e-4)."""
    xa, xb = grid(2**20)
    r, x, y = float64_pair(xa, xb)
    even, odd = draw(xa, xb, np.float32)

    assert max(abs(even - x).max(), abs(odd - y).max()) <= 2e-6
    assert np.hypot(even, odd).max() <= 6.7638

    rounded = ((xa + 0.5) * 2.0**-32).astype(np.float32).astype(np.float64)
    assert abs(np.sqrt(-2 * np.log(rounded)) - r).max() > 1e-4


@pytest.mark.parametrize(("number", "bound"), [(np.float32, 4e-7), (np.float64, 8e-16)])
def test_radius_is_accurate_relative_to_itself(number, bound):
    """Also where u is near 1 and the radius a 1e-5th (a 1e-10th): the reason for the complement."""
    xa = telling_words(number, 400)
    r, cosine, sine = (np.empty(len(xa), number) for _ in range(3))
    parts_loop(xa, xa, r, cosine, sine)
    for a, value in zip(xa, r):
        reference = exact_pair(a, 0, number)[0]
        assert abs(exact(value) - reference) <= bound * reference


@pytest.mark.parametrize(("number", "bound"), [(np.float32, 2e-7), (np.float64, 4e-16)])
def test_error_of_the_angle(number, bound):
    """cossin within 2e-7 (4e-16): in every quadrant, at its ends, and next to them."""
    xb = telling_words(number, 400)
    r, cosine, sine = (np.empty(len(xb), number) for _ in range(3))
    parts_loop(xb, xb, r, cosine, sine)
    for b, c, s in zip(xb, cosine, sine):
        _, cosine_reference, sine_reference = exact_pair(0, b, number)
        assert abs(exact(c) - cosine_reference) <= bound, b
        assert abs(exact(s) - sine_reference) <= bound, b


def test_largest_float32_value():
    """The smallest word reaches 6.764 standard deviations, and no word more."""
    even, odd = draw(np.array([0], np.uint32), np.array([0], np.uint32), np.float32)
    assert abs(even[0] - 6.763705) < 2e-6
    assert odd[0] == 0


@pytest.mark.parametrize("number", [np.float32, np.float64])
def test_mean_and_std_enter_by_one_fused_operation(number):
    """value = fma(z, std, mean), the contract's words."""
    xa, xb = random_words(number, 1000), random_words(number, 1000, seed=1)
    mean, std = number(0.3), number(0.02)
    for z, value in zip(draw(xa, xb, number), draw(xa, xb, number, mean, std)):
        assert [fma(x, std, mean) for x in z] == value.tolist()


def chi_squared_of_bins(values, bins=256):
    """p-value of 256 equally likely bins of a standard normal distribution."""
    counts = np.bincount((stats.norm.cdf(values) * bins).astype(int), minlength=bins)
    return stats.chisquare(counts).pvalue


@pytest.mark.parametrize("number", [np.float32, np.float64])
def test_values_are_normal_and_independent(number):
    """Of a million pairs: each member normal, their ranks independent. Power: 1 % more std, or a shared radius."""
    even, odd = draw(random_words(number, 2**20), random_words(number, 2**20, seed=1), number)

    assert chi_squared_of_bins(even) > FALSE_ALARM
    assert chi_squared_of_bins(odd) > FALSE_ALARM
    assert stats.pearsonr(even, odd).pvalue > FALSE_ALARM
    assert stats.pearsonr(even**2, odd**2).pvalue > FALSE_ALARM

    assert chi_squared_of_bins(even * number(1.01)) < FALSE_ALARM
    shared = np.sqrt(np.hypot(even, odd))
    assert stats.pearsonr((even * shared) ** 2, (odd * shared) ** 2).pvalue < FALSE_ALARM


@pytest.mark.parametrize("number", [np.float32, np.float64])
def test_plain_python_gives_the_compiled_bits(number):
    """The reference backend runs the function as it stands: 10,000 pairs, bit for bit."""
    xa = telling_words(number, 3400)
    xb = np.random.default_rng(3).permutation(xa)
    mean, std = number(0.25), number(1.7)
    with np.errstate(over="ignore"):
        plain = np.array([normal(a, b, mean, std) for a, b in zip(xa, xb)], number).T
    np.testing.assert_array_equal(plain, draw(xa, xb, number, mean, std))
