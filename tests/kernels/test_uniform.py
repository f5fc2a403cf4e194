"""_kernels/uniform.py and the u of user samplers: exact sets, tried with the extreme words."""

import mpmath
import numpy as np
import pytest
from numba import njit

from fanin import Uniform
from fanin._kernels.device import register_cpu
from fanin._kernels.samplers import open_unit_double, open_unit_single
from fanin._kernels.uniform import steps, uniform, uniform_clamped, uniform_inside

register_cpu()

WORDS = {np.float32: np.uint32, np.float64: np.uint64}
DROPPED = {np.float32: 8, np.float64: 11}  # a word's low bits that u leaves out
DIGITS = {np.float32: 24, np.float64: 53}
NUMBERS = pytest.mark.parametrize("number", [np.float32, np.float64])
INTERVALS = [(0.0, 1.0), (-0.05, 0.05), (0.1, 0.3), (-1e-3, 2.0), (1.0, 1.0000005), (100.0, 100.3), (-3e38, -1.0),
             (-1.0, -1e-9), (1e-20, 3e-20), (1e-37, 3e-37)]


@njit(error_model="numpy")
def uniform_loop(x, low, width, smallest, largest, out):
    for i in range(len(x)):
        out[i] = uniform(x[i], low, width, smallest, largest)


@njit(error_model="numpy")
def clamped_loop(x, low, step, smallest, largest, out):
    for i in range(len(x)):
        out[i] = uniform_clamped(x[i], low, step, smallest, largest)


@njit(error_model="numpy")
def inside_loop(x, low, step, out):
    for i in range(len(x)):
        out[i] = uniform_inside(x[i], low, step)


@njit(error_model="numpy")
def steps_loop(x, out):
    for i in range(len(x)):
        out[i] = steps(x[i])


@njit(error_model="numpy")
def single_loop(x, out):
    for i in range(len(x)):
        out[i] = open_unit_single(x[i])


@njit(error_model="numpy")
def double_loop(x, out):
    for i in range(len(x)):
        out[i] = open_unit_double(x[i])


LOOPS = {uniform: uniform_loop, uniform_clamped: clamped_loop, uniform_inside: inside_loop}
OPEN = {np.float32: (single_loop, open_unit_single), np.float64: (double_loop, open_unit_double)}


def telling_words(number, size=3000):
    """The words next to both ends, to the middle, to each power of two, and random ones."""
    word = WORDS[number]
    bits = np.iinfo(word).bits
    near = [2**k + d for k in range(bits + 1) for d in range(-3, 4)] + \
        [2**bits - 2**k + d for k in range(bits) for d in range(-3, 4)]
    near += list(range(1000)) + [2**bits - 1 - d for d in range(1000)]
    near = np.array(sorted({x for x in near if 0 <= x < 2**bits}), word)
    return np.concatenate([near, np.random.default_rng(0).integers(0, np.iinfo(word).max, size, word, endpoint=True)])


def round_to(x, number):
    """An exact number, of normal size, to the nearest float32 or float64, ties to even."""
    with mpmath.workprec(DIGITS[number]):
        return number(float(+x))


def exact(x):
    return mpmath.mpf(float(x))


def draw(low, high, number):
    """The sampler's values for the telling words, with the parameters of the scheme's own plan."""
    x = telling_words(number)
    plan = Uniform(low, high).describe(1, number)
    out = np.full(len(x), np.nan, number)
    LOOPS[plan.sampler](x, *plan.params, out)
    return x, out


@NUMBERS
def test_unit_interval_is_a_grid(number):
    """u = k·2**-24 (2**-53), k the word's leading bits: 0 comes out, 1 does not, and the scaling is exact."""
    x, out = draw(0.0, 1.0, number)
    k = [int(word) >> DROPPED[number] for word in x]
    assert out.tolist() == [value * 2.0 ** -DIGITS[number] for value in k]
    assert out.min() == 0
    assert out.max() == 1 - 2.0 ** -DIGITS[number]

    whole = np.full(len(x), np.nan, number)
    steps_loop(x, whole)
    assert whole.tolist() == k


@NUMBERS
@pytest.mark.parametrize(("low", "high"), INTERVALS)
def test_values_are_one_fused_operation(low, high, number):
    """value = fma(u, high - low, low), rounded once, then clamped to [smallest >= low, largest < high]."""
    x, out = draw(low, high, number)
    rounded_low, width = exact(number(low)), exact(number(high - low))
    with mpmath.workprec(2000):
        unclamped = [rounded_low + (int(word) >> DROPPED[number]) * width / 2 ** DIGITS[number] for word in x]
    unclamped = np.array([round_to(value, number) for value in unclamped])
    grid = Uniform(low, high).describe(1, number).params[2:]

    np.testing.assert_array_equal(out, np.clip(unclamped, *grid))
    assert (out.astype(np.float64) >= low).all()
    assert (out.astype(np.float64) < high).all()


@NUMBERS
def test_user_samplers_get_the_middle_of_the_words_cell(number):
    """u is (x + 1/2)·2**-32 (2**-64) rounded once, and below 1 for the largest words, where that rounds to 1."""
    x = telling_words(number)
    compiled, function = OPEN[number]
    out = np.full(len(x), np.nan, number)
    compiled(x, out)
    bits, below_one = np.iinfo(x.dtype).bits, number(1 - 2.0 ** -DIGITS[number])
    with mpmath.workprec(200):
        cells = [(int(word) + mpmath.mpf(0.5)) / mpmath.mpf(2) ** bits for word in x]
    expected = np.array([min(round_to(cell, number), below_one) for cell in cells])

    np.testing.assert_array_equal(out, expected)
    assert 0 < out.min() == 2.0 ** -(bits + 1)
    assert out.max() == below_one
    assert [function(word) for word in x] == out.tolist()


@NUMBERS
def test_plain_python_gives_the_compiled_bits(number):
    """The reference backend runs the same function, uncompiled."""
    x, out = draw(-0.05, 0.07, number)
    plan = Uniform(-0.05, 0.07).describe(1, number)
    assert [plan.sampler(word, *plan.params) for word in x] == out.tolist()
