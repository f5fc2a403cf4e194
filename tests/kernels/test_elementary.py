"""_kernels/elementary.py: stated accuracy, values at the edges, and the same bits in plain Python and compiled."""

import mpmath
import numpy as np
import pytest
from mpmath import mp
from numba import njit

from fanin._kernels.device import register_cpu
from fanin._kernels.elementary import exp, expm1, log, log1p, ndtri, sincospi

register_cpu()
mp.dps = 40

PRECISIONS = [np.float32, np.float64]
HIGHEST = {np.float32: 88.7, np.float64: 709.7}


def loop_of(function):
    @njit(error_model="numpy")
    def loop(x, out):
        for i in range(len(x)):
            out[i] = function(x[i])

    return loop


@njit(error_model="numpy")
def sincospi_loop(x, sine, cosine):
    for i in range(len(x)):
        sine[i], cosine[i] = sincospi(x[i])


LOOPS = {function: loop_of(function) for function in (log, log1p, exp, expm1, ndtri)}


def compiled(function, x):
    if function is sincospi:
        sine, cosine = np.empty_like(x), np.empty_like(x)
        sincospi_loop(x, sine, cosine)
        return np.stack([sine, cosine])
    out = np.empty_like(x)
    LOOPS[function](x, out)
    return out


def near(center, size, rng):
    """Numbers on both sides of `center`, their distances spread over many powers of two."""
    return center + np.exp(rng.uniform(-35, -1, size)) * rng.choice([-1, 1], size)


def inputs(function, number, size, seed=0):
    """Inputs over the whole domain, dense where the function has a zero or a seam."""
    rng = np.random.default_rng(seed)
    top = HIGHEST[number]
    positive = np.exp(rng.uniform(-0.98 * top, top, size))
    x = {
        log: lambda: [positive, near(1, size, rng), near(2**-0.5, size, rng), near(2**0.5, size, rng)],
        log1p: lambda: [positive, near(0, size, rng), -np.exp(rng.uniform(-30, -1e-6, size)), near(-0.29, size, rng)],
        exp: lambda: [rng.uniform(-0.98 * top, top, size), near(0, size, rng), rng.uniform(-2, 2, size)],
        expm1: lambda: [rng.uniform(-40, top, size), near(0, size, rng), rng.uniform(-2, 2, size)],
        ndtri: lambda: [rng.uniform(0, 1, size), near(0.5, size, rng), -near(0, size, rng), 1 - positive,
                        np.exp(rng.uniform(-0.98 * top, 0, size)), near(0.075, size, rng)],
        sincospi: lambda: [rng.uniform(-4, 4, size), near(0.5, size, rng), near(1, size, rng), near(0, size, rng),
                           rng.uniform(-1, 1, size) * 2.0 ** (22 if number is np.float32 else 51)],
    }[function]()
    x = np.concatenate(x).astype(number)
    return x[(x > 0) & (x < 1)] if function is ndtri else x


def exact(x):
    return mpmath.mpf(float(x))


def errors_in_ulp(values, references):
    """|value - reference| in units of the spacing of numbers at the reference."""
    number = values.dtype.type
    spacing = [float(np.spacing(number(abs(float(r))))) for r in references]
    return np.array([float(abs(exact(v) - r)) / s for v, r, s in zip(values, references, spacing)])


@pytest.mark.parametrize("number", PRECISIONS)
@pytest.mark.parametrize(("function", "reference", "bound"), [
    (log, mpmath.log, 1.0), (log1p, mpmath.log1p, 1.0), (exp, mpmath.exp, 1.1), (expm1, mpmath.expm1, 2.0),
])
def test_logarithms_and_exponentials_are_within_their_bounds(function, reference, bound, number):
    """Against mpmath: 1 ulp for the logarithms, 1.1 for exp, 2 for expm1, over the whole domain."""
    x = inputs(function, number, 300)
    assert errors_in_ulp(compiled(function, x), [reference(exact(v)) for v in x]).max() <= bound


@pytest.mark.parametrize(("function", "reference", "bound"), [
    (log, np.log, 1.0), (log1p, np.log1p, 1.0), (exp, np.exp, 1.1), (expm1, np.expm1, 2.0),
])
def test_float32_is_within_its_bounds_on_a_fine_grid(function, reference, bound):
    """Half a million inputs, against float64, whose own error is a 2**-28th of the bound."""
    x = inputs(function, np.float32, 2**17)
    r = reference(x.astype(np.float64))
    assert (abs(compiled(function, x) - r) / np.spacing(abs(r).astype(np.float32))).max() <= bound


@pytest.mark.parametrize("number", PRECISIONS)
def test_sine_and_cosine_are_within_3_ulp(number):
    """Relative to the value, so also beside their zeros, up to the largest argument."""
    x = inputs(sincospi, number, 300)
    sine, cosine = compiled(sincospi, x)
    assert errors_in_ulp(sine, [mpmath.sinpi(exact(v)) for v in x]).max() <= 3
    assert errors_in_ulp(cosine, [mpmath.cospi(exact(v)) for v in x]).max() <= 3


@pytest.mark.parametrize("number", PRECISIONS)
def test_quarter_turns_are_exact(number):
    """sincospi at n/2 is 0, 1 or -1, without a rounding error."""
    sine, cosine = compiled(sincospi, np.array([-1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2, 2.5, 1e6 + 0.5], number))
    assert sine.tolist() == [1, 0, -1, 0, 1, 0, -1, 0, 1, 1]
    assert cosine.tolist() == [0, -1, 0, 1, 0, -1, 0, 1, 0, 0]


def upper_tail(z):
    return mpmath.erfc(z / mpmath.sqrt(2)) / 2


@pytest.mark.parametrize(("number", "bound"), [(np.float32, 1e-6), (np.float64, 1e-14)])
def test_quantiles_are_within_their_relative_bound(number, bound):
    """ndtri(p) to 1e-6 (1e-14) of itself: the distribution function there, inverted by Newton's rule, gives p."""
    p = inputs(ndtri, number, 100)
    p = p[p != 0.5]
    for value, word in zip(compiled(ndtri, p), p):
        tail, z = min(exact(word), 1 - exact(word)), abs(exact(value))
        density = mpmath.exp(-z * z / 2) / mpmath.sqrt(2 * mpmath.pi)
        step = (upper_tail(z) - tail) / density
        assert abs(step + z * step * step / 2) <= bound * z


@pytest.mark.parametrize("number", PRECISIONS)
@pytest.mark.parametrize(("function", "x", "expected"), [
    (log, [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan], [-np.inf, -np.inf, 0, np.nan, np.inf, np.nan, np.nan]),
    (log1p, [-1.0, 0.0, -1.5, np.inf, -np.inf, np.nan], [-np.inf, 0, np.nan, np.inf, np.nan, np.nan]),
    (exp, [0.0, 800.0, -800.0, np.inf, -np.inf, np.nan], [1, np.inf, 0, np.inf, 0, np.nan]),
    (expm1, [0.0, 800.0, -800.0, np.inf, -np.inf, np.nan], [0, np.inf, -1, np.inf, -1, np.nan]),
    (ndtri, [0.0, 0.5, 1.0, -0.1, 1.1, np.nan], [-np.inf, 0, np.inf, np.nan, np.nan, np.nan]),
    (sincospi, [np.inf, np.nan, 2.0**51], [[np.nan] * 3] * 2),
])
def test_edges_of_the_domain(function, x, expected, number):
    """Limits where there is one, nan outside the domain, nan stays nan."""
    np.testing.assert_array_equal(compiled(function, np.array(x, number)), np.array(expected, number))


@pytest.mark.parametrize(("number", "highest"), [(np.float32, 88.72283), (np.float64, 709.782712893384)])
def test_exponentials_reach_the_largest_number(number, highest):
    """No overflow before the result overflows, though 2**k does in between."""
    for function in (exp, expm1):
        just_inside, beyond = compiled(function, np.array([highest, highest * (1 + 1e-6)], number))
        assert 0.99 * np.finfo(number).max < just_inside < np.inf == beyond


@pytest.mark.parametrize("number", PRECISIONS)
@pytest.mark.parametrize("function", [log, log1p, exp, expm1, ndtri, sincospi])
def test_plain_python_gives_the_compiled_bits(function, number):
    """The reference backend runs these functions as they stand: 10,000 inputs each, bit for bit."""
    x = inputs(function, number, 10_000 // 3 + 1)[:10_100]
    x = np.concatenate([x, np.array([0.0, -0.0, 1.0, -1.0, 0.5, np.inf, -np.inf, np.nan, 800.0, -800.0], number)])
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        plain = np.array([function(v) for v in x], number).T
    np.testing.assert_array_equal(plain, compiled(function, x))
