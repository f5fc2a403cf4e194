"""_kernels/truncated.py: the promised error on the same words, monotony, both ends, plain Python equal to compiled.

The parameters come from fanin._plans.truncation, as in use: a sampler without the right ones means nothing.
"""

import functools
import math

import numpy as np
import pytest
from mpmath import mp, mpf
from numba import njit
from scipy import special

from fanin._kernels import truncated, truncated_single
from fanin._kernels.device import register_cpu
from fanin._plans.truncation import truncated_normal
from stats import assert_distribution, assert_rounded

register_cpu()

WORDS = {np.float32: np.uint32, np.float64: np.uint64}
PRECISIONS = [np.float32, np.float64]
ERROR = {np.float32: 4e-6, np.float64: 1e-12}  # times min(std, upper - lower, std²/d), plus half an ulp
DIGITS = 90  # the tail beyond 1e6 std is known to 12 digits fewer, and offsets get as small as 1e-33 of their bound
inf = math.inf

# mean, std, lower, upper
CASES = [
    # within 2.1 std: symmetric, lopsided, of any width
    (0, 1, -2, 2), (0.3, 0.05, 0.2, 0.4), (0, 1e-3, -2e-3, 2e-3), (1e3, 1, 998, 1002), (0, 1, -1e-6, 1e-6),
    (0, 1, -0.1, 0.1), (0, 1, 0, 2), (0, 1, -1, 2), (0, 1, -2.05, -0.95), (0, 1, 0.99, 2.05), (0, 1, 0.5, 1.2),
    # wide, one-sided, unbounded
    (0, 1, -3, 0.1), (0, 1, 0, inf), (0, 1, -inf, -0.5), (0, 1, 0.99, inf), (0, 1, -inf, inf), (0, 1, -inf, 2),
    (0, 1, -8, 20), (0, 1, -20, 8), (0, 1, -2.2, 2.2), (0, 1, -4, 4), (7.3, 0.11, 7, inf), (1e6 + 0.3, 1, 1e6, inf),
    # away from the mean
    (0, 1, 1, inf), (0, 1, 1.11, inf), (0, 1, 1.01, 1.6), (0, 1, 2, 3), (0, 1, 5, 6), (0, 1, -6, -5), (0, 1, 3, inf),
    (0, 1, -inf, -3), (0, 1, 5.9, inf), (0, 1, 5.9, 5.98), (0, 1, 6.1, inf), (0, 1, 6.1, 6.2), (0, 1, 30, 31),
    (0, 1, 30, inf), (0, 1, 1000, inf), (0, 1, -1001, -1000), (-30, 1, 0, inf), (-1e6, 1, 0, inf), (1e6, 1, -1, 0.5),
    (-1e5, 0.1, -1e-3, 1e-3), (7.3, 0.11, 8, 9), (0, 1e-30, 3e-30, inf),
    # narrow
    (0, 1, 1, 1.001), (0, 1, 1, 1 + 1e-7), (0, 1, -1 - 1e-7, -1), (0, 1, 30, 30.0001), (0, 1, -30.0001, -30),
    (0, 1, 30, 30.02), (0, 1, 1000, 1000.0001), (-1e6, 1, 0, 1e-7), (0, 1, -1e-6, 2e-6), (0, 1, 0, 1e-9),
    (0, 1, -0.5, 0.6), (0, 1e20, -1, 3), (0, 1e30, 0, 1e20), (7.3, 0.11, 7.29, 7.32),
]


def loop_of(sampler):
    @njit(error_model="numpy")
    def loop(words, params, out):
        for i in range(len(words)):
            out[i] = sampler(words[i], *params)

    return loop


SAMPLERS = {
    np.float32: (truncated.truncated_centre, truncated_single.truncated_lopsided, truncated_single.truncated_wide,
                 truncated_single.truncated_tail, truncated_single.truncated_narrow),
    np.float64: (truncated.truncated_centre, truncated.truncated_wide, truncated.truncated_tail,
                 truncated.truncated_narrow),
}
LOOPS = {s: loop_of(s) for s in {*SAMPLERS[np.float32], *SAMPLERS[np.float64]}}


def plan(case, number, smallest=-inf, largest=inf):
    drawn = truncated_normal(*map(float, case), number)
    return drawn.sampler, (*drawn.params, number(smallest), number(largest))


def draw(case, words, number, **clamp):
    sampler, params = plan(case, number, **clamp)
    out = np.empty(len(words), number)
    LOOPS[sampler](words, params, out)
    return out


def random_words(number, size, seed=0):
    word = WORDS[number]
    return np.random.default_rng(seed).integers(0, np.iinfo(word).max, size, word, endpoint=True)


def telling_words(number, size, seed=0):
    """Random words, small and large ones of every order of magnitude, and the ends and the middle."""
    word = WORDS[number]
    bits = np.iinfo(word).bits
    top, middle = 2**bits - 1, 2 ** (bits - 1)
    ends = np.array([0, 1, 2, 3, middle - 1, middle, top - 2, top - 1, top], word)
    small = random_words(number, size, seed) >> np.arange(size, dtype=word) % word(bits)
    return np.concatenate([ends, small, ~small, random_words(number, size, seed + 1)])


def scale_of(case):
    """What the promised error is a multiple of."""
    mean, std, lower, upper = case
    distance = max(lower - mean, mean - upper)
    return min(std, upper - lower, std * std / distance if distance > 0 else inf)


# -- exact arithmetic -------------------------------------------------------------------------------------------------


@functools.cache
def tail(z):
    return mp.erfc(z / mp.sqrt(2)) / 2 if z < mp.inf else mpf(0)


def exact(case, word, bits, near):
    """The value that the contract defines, with at least 30 digits after the bound; Newton from a float nearby."""
    mean, std, lower, upper = map(mpf, case)
    a, b = (lower - mean) / std, (upper - mean) / std
    u = (mpf(int(word)) + mpf(0.5)) / mpf(2) ** bits
    z = (mpf(float(near)) - mean) / std
    mirrored = a + b < 0  # then S(a) and S(b) could be 1 to all digits
    if mirrored:
        a, b, u, z = -b, -a, 1 - u, -z
    target = tail(a) - u * (tail(a) - tail(b))
    z = min(max(z, a), b)
    for _ in range(200):
        density = mp.exp(-z * z / 2) / mp.sqrt(2 * mp.pi)
        if z > 0:
            found = mp.erfc(z / mp.sqrt(2)) / 2
            change = found / density * mp.log(found / target)
        else:
            found = mp.erfc(-z / mp.sqrt(2)) / 2
            change = -found / density * mp.log(found / (1 - target))
        z += change
        if abs(change) <= mpf(10) ** -30 * abs(z - a) + mpf(10) ** -60:
            return mean + std * (-z if mirrored else z)
    raise AssertionError(f"no exact value for {case}, word {word}")


def excess(case, words, values, number):
    """The largest error after half an ulp, in units of the promised error: at most 1."""
    bits = np.iinfo(WORDS[number]).bits
    worst = mpf(0)
    with mp.workdps(DIGITS):
        for word, value in zip(words, values):
            right = exact(case, word, bits, value)
            half_ulp = mpf(float(np.spacing(abs(number(float(right)))))) / 2
            worst = max(worst, (abs(mpf(float(value)) - right) - half_ulp) / mpf(scale_of(case)))
    return float(worst) / ERROR[number]


# -- tests ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", PRECISIONS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_error_is_as_promised(case, number):
    """Every value is within the contract's error of exact arithmetic on the same word, and half an ulp."""
    words = telling_words(number, 8)
    assert excess(case, words, draw(case, words, number), number) <= 1


@pytest.mark.parametrize("number", PRECISIONS)
def test_error_is_as_promised_for_random_bounds(number):
    """The same for 150 intervals of all widths and distances, which visit the edges between the samplers."""
    rng = np.random.default_rng(20)
    used = set()
    for _ in range(150):
        mean, std = rng.choice([0, rng.normal(), 1e3 * rng.normal()]), rng.choice([1, 10 ** rng.uniform(-3, 3)])
        a = rng.choice([-1, 1]) * rng.choice([rng.uniform(0, 3), rng.uniform(0, 10), 10 ** rng.uniform(-4, 4)])
        b = a + rng.choice([10 ** rng.uniform(-6, 1.5), 10 ** rng.uniform(-1.5, 0.8), inf])
        case = tuple(map(float, (mean, std, mean + std * a, mean + std * b)))
        if case[2] < case[3]:
            words = telling_words(number, 1, seed=int(1e6 * abs(a)))
            assert excess(case, words, draw(case, words, number), number) <= 1, case
            used.add(plan(case, number)[0])
    assert used >= set(SAMPLERS[number]) - {truncated.truncated_centre}


def test_error_test_sees_an_error():
    """A value that is off by the promised error and half an ulp more is found out."""
    case, number = (0, 1, 5, 6), np.float32
    words = telling_words(number, 8)
    values = draw(case, words, number) + number(2e-6)
    assert excess(case, words, values, number) > 1


@pytest.mark.parametrize("number", PRECISIONS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_plain_python_equals_compiled(case, number):
    """The same bits whether numba compiled the sampler or Python runs it on numpy scalars."""
    words = telling_words(number, 6, seed=1)
    sampler, params = plan(case, number)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        plain = [sampler(word, *params) for word in words]

    assert {type(value) for value in plain} == {number}
    np.testing.assert_array_equal(draw(case, words, number), np.array(plain))


@pytest.mark.parametrize("number", PRECISIONS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_values_increase_with_the_word(case, number):
    """Values of sorted words never fall by more than rounding: a third of the promised error, or two ulp."""
    words = np.sort(telling_words(number, 100_000))
    values = draw(case, words, number).astype(np.float64)
    fall = np.maximum.accumulate(values) - values
    rounding = 2 * np.spacing(np.abs(values).astype(number)).astype(np.float64)
    assert np.all(fall <= np.maximum(rounding, ERROR[number] * scale_of(case) / 3))
    assert values[0] < values[-1]


@pytest.mark.parametrize("number", PRECISIONS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_clamp(case, number):
    """Values stay within the last two parameters, which then count as values of their own."""
    words = telling_words(number, 100)
    free = draw(case, words, number)
    smallest, largest = np.quantile(free, [0.25, 0.75], method="nearest")
    clamped = draw(case, words, number, smallest=smallest, largest=largest)
    np.testing.assert_array_equal(clamped, np.clip(free, smallest, largest))


@pytest.mark.parametrize("number", PRECISIONS)
@pytest.mark.parametrize("case", [(-1, 1, 0, inf), (-5, 1, 0, inf), (-1e4, 1, 0, inf), (-1e6, 1, 0, 1e-7)], ids=str)
def test_tail_resolves_every_word_at_a_bound_of_zero(case, number):
    """Near a bound that is 0, where floating-point numbers are dense, distinct words give distinct values.

    (In float64 the first case is not bound + offset, and its values are rounded like numbers near 1.)
    """
    if case[0] > -6 and number is np.float64:
        case = (-7, *case[1:])
    values = draw(case, np.arange(1000, dtype=WORDS[number]), number)
    assert np.all(np.diff(values) > 0)


@pytest.mark.parametrize(
    ("case", "size"), [((0, 1, -2, 2), 10**7), ((0, 1, -0.3, 5), 10**6), ((0, 1, 0, inf), 10**6), ((0, 1, 5, 6), 10**6),
                       ((-1e6, 1, 0, inf), 10**6), ((0, 1, 0.2, 0.7), 10**6)], ids=str)
def test_distribution(case, size):
    """Float32 draws follow the law, both edge bins included; draws 2 % too large don't, nor 1 % piled up at a bound."""
    mean, std, lower, upper = case
    smallest, largest = max(lower, -3e38), min(upper, 3e38)
    x = draw(case, random_words(np.float32, size), np.float32, smallest=smallest, largest=largest).astype(np.float64)
    assert lower <= x.min() and x.max() <= upper
    a, b = (lower - mean) / std, (upper - mean) / std

    def cdf(x):
        if a > 100:  # the tail is exponential to 1e-12; (x - mean)/std has lost the offset
            return -np.expm1(-a * x / std)
        z = (x - mean) / std
        if a > 0:
            return (special.ndtr(-a) - special.ndtr(-z)) / (special.ndtr(-a) - special.ndtr(-b))
        return (special.ndtr(z) - special.ndtr(a)) / (special.ndtr(b) - special.ndtr(a))

    assert_distribution(x, cdf)
    some = x[:300_000]
    with pytest.raises(AssertionError):
        assert_distribution(lower + 1.02 * (some - lower), cdf)
    some[: len(some) // 100] = some.min()
    with pytest.raises(AssertionError):
        assert_distribution(some, cdf)


@pytest.mark.parametrize(
    ("case", "size"), [((0, 1, 1, 1.001), 10**7), ((0, 1, 30, 30.02), 10**6), ((0, 1, -1.0005, -1), 10**6)], ids=str)
def test_distribution_over_few_numbers(case, size):
    """Where an interval holds some thousand float32 numbers, draws follow the law rounded to the nearest of them."""
    _, _, lower, upper = case
    near, width = min(abs(lower), abs(upper)), upper - lower
    numbers = np.float32(near) + np.arange(2**14) * np.float64(np.spacing(np.float32(near)))
    numbers = np.sort(np.copysign(numbers, lower))
    numbers = numbers[(numbers >= lower) & (numbers <= upper)]
    x = draw(case, random_words(np.float32, size), np.float32, smallest=numbers[0], largest=numbers[-1])
    nodes, weights = np.polynomial.legendre.leggauss(8)

    def mass(t):  # between the nearer bound and t beyond it, relative to the density there
        points = t[..., None] * (nodes + 1) / 2
        return (np.exp(-points * (near + points / 2)) @ weights) * t / 2

    def cdf(x):
        share = mass(np.clip(np.abs(x) - near, 0, width)) / mass(np.array(width))
        return share if lower > 0 else 1 - share

    assert_rounded(x, cdf, numbers)
    x[: len(x) // 500] = x.min()
    with pytest.raises(AssertionError):
        assert_rounded(x, cdf, numbers)
