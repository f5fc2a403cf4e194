"""The laws of what is drawn: each preset against scipy, half types after rounding, and independence.

Budget: stats.ALPHA = 1e-6 for each assertion, fixed seeds, n = 2**20. Power: each law's assertion also rejects the same
values times 1.01. The words of one draw serve several tests, so a false alarm would show in more than one.
"""

import math

import ml_dtypes
import numpy as np
import pytest
from scipy import special
from scipy import stats as laws

from fanin import Normal, Registry, Sparse, Stream, TruncatedNormal, Uniform
from fanin._initializers.normal import FARTHEST
from stats import ALPHA, assert_distribution, assert_moments, assert_rounded, assert_uncorrelated

N = 2**20
KEY = {"seed": 31, "name": "law"}
INF = math.inf
HALVES = pytest.mark.parametrize("dtype", ["float16", "bfloat16"])


def assert_law(x, cdf, mean=None, std=None):
    """The values follow the law, their moments are the given ones, and 1 % more would be seen."""
    assert_distribution(x, cdf)
    if std is not None:
        assert_moments(x, mean, std)
    scaled = 1.01 * np.asarray(x, np.float64)
    with pytest.raises(AssertionError, match="below"):
        assert_distribution(scaled, cdf)
    if std is not None:
        with pytest.raises(AssertionError, match="below"):
            assert_moments(scaled, mean, std)


# -- real numbers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-0.05, 0.05), (3.0, 3.5)])
def test_uniform(low, high, dtype):
    """U[low, high): flat, with mean (low + high)/2 and std (high - low)/√12."""
    scheme = Uniform(low, high)
    x = scheme(N, dtype, **KEY)
    assert_law(x, laws.uniform(low, high - low).cdf, (low + high) / 2, (high - low) / 12**0.5)
    assert scheme.describe(N).std == pytest.approx((high - low) / 12**0.5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("mean", "std"), [(0.0, 1.0), (1.0, 0.02)])
def test_normal(mean, std, dtype):
    """N(mean, std²), its kurtosis 3, its tails as many as they should be and no farther than they can be."""
    x = Normal(mean, std)(N, dtype, **KEY)
    z = (x.astype(np.float64) - mean) / std
    assert_law(z, special.ndtr, 0.0, 1.0)
    assert abs((z**4).mean() - 3) < 5 * (96 / N) ** 0.5  # 5 standard errors: below the budget
    assert abs((z**3).mean()) < 5 * (15 / N) ** 0.5
    assert laws.binomtest(int((abs(z) > 4).sum()), N, 2 * special.ndtr(-4.0)).pvalue > ALPHA
    assert abs(z).max() < FARTHEST[x.dtype.type]


TRUNCATIONS = {
    "central": (0.0, 1.0, -2.0, 2.0),
    "central, off centre": (1.0, 0.5, -1.5, 2.0),
    "wide": (0.0, 1.0, -3.5, 4.0),
    "one-sided": (0.0, 1.0, 0.5, INF),
    "one-sided below": (2.0, 3.0, -INF, -0.25),
    "half open, mean inside": (0.0, 1.0, -1.0, INF),
    "tail": (0.0, 1.0, 5.0, 6.0),
    "far tail": (0.0, 1.0, -INF, -20.0),
    "narrow": (0.0, 1.0, 1.0, 1.01),
    "narrow at the mean": (0.0, 1.0, -0.01, 0.02),
}


def truncated_cdf(a, b):
    """P(Z <= z | a <= Z <= b), by logarithms on the side where nothing cancels."""
    if a > 0:
        mirrored = truncated_cdf(-b, -a)
        return lambda z: 1 - mirrored(-z)
    if b < 0:
        scale = special.log_ndtr(b)
        low = np.exp(special.log_ndtr(a) - scale)
        return lambda z: np.clip((np.exp(special.log_ndtr(z) - scale) - low) / (1 - low), 0, 1)
    low, high = special.ndtr(a), special.ndtr(b)
    return lambda z: np.clip((special.ndtr(z) - low) / (high - low), 0, 1)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", TRUNCATIONS)
def test_truncated_normal(kind, dtype):
    """N(mean, std²) given the bounds: the law between them, nothing beyond them, and `describe`'s mean and std."""
    mean, std, a, b = TRUNCATIONS[kind]
    scheme = TruncatedNormal(mean, std, a, b)
    x = scheme(N, dtype, **KEY).astype(np.float64)
    plan = scheme.describe(N, dtype)
    assert mean + a * std <= x.min()
    assert x.max() <= mean + b * std

    # 1 % of the deviation from the finite bound nearest to the mean, or from the mean: what a wrong std would change
    origin = mean + (a if a > 0 else b if b < 0 else 0) * std
    cdf = truncated_cdf(a, b)
    law = lambda deviation: cdf((deviation + origin - mean) / std)  # noqa: E731
    assert_law(x - origin, law, plan.mean - origin, plan.std)


@pytest.mark.parametrize("kind", ["central", "one-sided", "tail", "narrow"])
def test_absolute_bounds(kind):
    """The same law by absolute bounds."""
    mean, std, a, b = TRUNCATIONS[kind]
    mean, std = mean + 0.25, 3.0 * std
    x = TruncatedNormal(mean, std, mean + a * std, mean + b * std, "absolute")(N, **KEY)
    assert_distribution((x.astype(np.float64) - mean) / std, truncated_cdf(a, b))


# -- half types ------------------------------------------------------------------------------------------------------


def representable(dtype, low=-INF, high=INF):
    """All finite numbers of a half type between two bounds."""
    with np.errstate(invalid="ignore"):
        values = np.arange(2**16, dtype=np.uint16).view({"float16": np.float16, "bfloat16": ml_dtypes.bfloat16}[dtype])
        values = np.unique(values.astype(np.float64))
        return values[np.isfinite(values) & (low <= values) & (values <= high)]


HALF_LAWS = {
    # the largest number below 1 gets what would round to 1, too
    "uniform": (Uniform(), laws.uniform().cdf, 0.0, np.nextafter(1.0, 0.0)),
    "symmetric uniform": (Uniform(-3.0, 3.0), laws.uniform(-3, 6).cdf, -3.0, np.nextafter(3.0, 0.0)),
    "normal": (Normal(), special.ndtr, -INF, INF),
    "truncated": (TruncatedNormal(), truncated_cdf(-2, 2), -2.0, 2.0),
    "tail": (TruncatedNormal(0.0, 1.0, 5.0, 6.0), truncated_cdf(5, 6), 5.0, 6.0),
    "one-sided": (TruncatedNormal(0.0, 1.0, 0.5, INF), truncated_cdf(0.5, INF), 0.5, INF),
}


@HALVES
@pytest.mark.parametrize("kind", HALF_LAWS)
def test_half_types_are_the_law_rounded_once(kind, dtype):
    """Each representable number comes as often as the law says, the first and the last included."""
    scheme, cdf, low, high = HALF_LAWS[kind]
    x = scheme(N, dtype, **KEY).astype(np.float64)
    numbers = representable(dtype, low, high)
    assert_rounded(x, cdf, numbers)

    shifted = scheme(N, **KEY).astype(np.float64) * 1.01
    nearest = numbers[np.searchsorted((numbers[1:] + numbers[:-1]) / 2, shifted)]
    with pytest.raises(AssertionError, match="below"):
        assert_rounded(nearest, cdf, numbers)


@HALVES
def test_half_types_use_their_range(dtype):
    """Thousands of different values, tails beyond 4 std; torch's bfloat16 stops at 3.5, JAX's has 128 values."""
    x = Normal()(N, dtype, **KEY)
    assert len(np.unique(x.view(np.uint16))) > {"float16": 15_000, "bfloat16": 3_000}[dtype]
    assert 4.5 < abs(x.astype(np.float64)).max() < 6.8
    assert len(np.unique(Uniform()(N, dtype, **KEY).view(np.uint16))) > {"float16": 10_000, "bfloat16": 1_500}[dtype]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_full_types_hardly_repeat(dtype):
    """As many different values as draws of 24 bits (or 52) make: collisions by the birthday law only."""
    distinct = len(np.unique(Uniform()(N, dtype, **KEY)))
    expected = N if dtype == "float64" else 2**24 * -math.expm1(-N / 2**24)
    assert abs(distinct - expected) < 6 * (N - expected + 1) ** 0.5


# -- complex numbers -------------------------------------------------------------------------------------------------

COMPLEX = {
    # scheme, distribution function of the modulus, E|z|²
    "normal": (Normal(), lambda m: -np.expm1(-m * m), 1.0),
    "truncated": (TruncatedNormal(), lambda m: np.expm1(-m * m) / math.expm1(-4), 0.9619618280082136**2),
    "disk": (Uniform(-1.0, 1.0), lambda m: m * m, 0.5),
    "he_normal": (Registry.get("he_normal", fan_in=8),
                  lambda m: np.expm1(-(2 * 0.9619618280082136 * m) ** 2) / math.expm1(-4), 0.25),
    "he_uniform": (Registry.get("he_uniform", fan_in=8), lambda m: 2 * m * m, 0.25),
    "kaiming_normal": (Registry.get("kaiming_normal", fan_in=8), lambda m: -np.expm1(-4 * m * m), 0.25),
}


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
@pytest.mark.parametrize("kind", COMPLEX)
def test_complex(kind, dtype):
    """The modulus by its law, the angle uniform, both independent; E|z|² = std² as `describe` says."""
    scheme, law, power = COMPLEX[kind]
    z = scheme(N, dtype, **KEY).astype(np.complex128)
    assert_law(abs(z), law)
    assert_distribution(np.angle(z) / (2 * np.pi) % 1, laws.uniform().cdf)
    assert_uncorrelated(abs(z), np.angle(z))
    assert abs((z.real * z.imag).mean()) < 5 * (z.real * z.imag).std() / N**0.5
    assert abs((abs(z) ** 2).mean() - power) < 5 * (abs(z) ** 2).std() / N**0.5
    assert scheme.describe(N, dtype).std == pytest.approx(power**0.5, rel=1e-12)


# -- presets ---------------------------------------------------------------------------------------------------------

SCALED = {  # variance·n, which fan, law of z = x/std
    "he_normal": (2.0, "in", "truncated"), "he_uniform": (2.0, "in", "uniform"),
    "glorot_normal": (1.0, "avg", "truncated"), "glorot_uniform": (1.0, "avg", "uniform"),
    "lecun_normal": (1.0, "in", "truncated"), "lecun_uniform": (1.0, "in", "uniform"),
    "kaiming_normal": (2.0, "in", "normal"), "kaiming_uniform": (2.0, "in", "uniform"),
    "xavier_normal": (1.0, "avg", "normal"), "xavier_uniform": (1.0, "avg", "uniform"),
    "torch_default": (1 / 3, "in", "uniform"),
}
CUT = laws.truncnorm(-2, 2).std()
UNIT_LAWS = {"normal": special.ndtr, "uniform": laws.uniform(-(3**0.5), 12**0.5).cdf,
             "truncated": lambda z: truncated_cdf(-2, 2)(z * CUT)}


@pytest.mark.parametrize("preset", SCALED)
def test_scaled_presets(preset):
    """Variance scale/n with n from the fans of a (out, in, *kernel) shape, and the law of the name."""
    scale, fan, law = SCALED[preset]
    shape = (1024, 64, 4, 4)
    n = {"in": 64 * 16, "avg": (64 + 1024) / 2 * 16}[fan]
    scheme = Registry.get(preset)
    x = scheme(shape, **KEY)
    assert_law(x / (scale / n) ** 0.5, UNIT_LAWS[law], 0.0, 1.0)
    assert scheme.describe(shape).std == pytest.approx((scale / n) ** 0.5, rel=1e-12)


def test_sparse():
    """The elements that are drawn are normal, the zeros are where they were counted, and the std is that of all."""
    x = Sparse(0.25, std=0.5)((1024, 1024), **KEY)
    assert ((x == 0).sum(axis=0) == 256).all()
    assert_law(x[x != 0] / 0.5, special.ndtr, 0.0, 1.0)
    per_row = (x == 0).sum(axis=1)  # of 1024 independent columns: binomial
    assert_moments(per_row, 256, (1024 * 0.25 * 0.75) ** 0.5)
    assert Sparse(0.25, std=0.5).describe((1024, 1024)).std == pytest.approx(0.5 * 0.75**0.5)


# -- independence ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scheme", [Normal(), TruncatedNormal()], ids=["normal", "truncated"])
def test_neighbours_are_independent(scheme, dtype):
    """Elements at small distances, in a block, across blocks, and in two rows: no correlation of values or squares."""
    x = scheme(N, dtype, **KEY)
    for distance in (1, 2, 3, 4, 5, 8, 1024, 4096):
        assert_uncorrelated(x[:-distance], x[distance:])
    assert_uncorrelated(x[0::2], x[1::2])
    with pytest.raises(AssertionError, match="below"):
        assert_uncorrelated(x[:-1], x[1:] + 0.01 * x[:-1])


def test_keys_are_independent():
    """Seeds, names and uses of a stream that differ by one bit or one letter: no correlation."""
    stream = Stream(31)
    draws = [Normal()(N, seed=31, name="w"), Normal()(N, seed=30, name="w"), Normal()(N, seed=31 + 2**32, name="w"),
             Normal()(N, seed=31, name="v"), Normal()(N, seed=31, name="w0"), Normal()(N, seed=stream),
             Normal()(N, seed=stream), Normal()(N, seed=2**63)]
    for i, first in enumerate(draws):
        for second in draws[:i]:
            assert_uncorrelated(first, second)


def test_elements_of_many_keys_follow_the_law():
    """The first element of 20,000 names: short draws are as good as long ones."""
    x = np.array([Normal()(1, seed=0, name=f"layer.{i}")[0] for i in range(20_000)], np.float64)
    assert_distribution(x, special.ndtr, bins=128)
    assert_uncorrelated(x[:-1], x[1:])


def edges(scheme, low, high, dtype):
    """Ends of bins, midway between neighbouring numbers: 511 quantiles, and 64 numbers and more from finite bounds."""
    number = {"float32": np.float32, "bfloat16": ml_dtypes.bfloat16}[dtype]
    step = float(ml_dtypes.finfo(number).eps)
    sample = scheme(2**16, "float64", seed=1, name="edges")
    ends = [np.quantile(sample, np.arange(1, 512) / 512)]
    ends += [bound + sign * abs(bound) * step * 64 * 2.0 ** np.arange(8)
             for bound, sign in ((low, 1), (high, -1)) if math.isfinite(bound)]
    ends = np.unique(np.concatenate(ends).astype(number))
    above = np.nextafter(ends, np.full(1, np.inf, number))
    middles = (ends.astype(np.float64) + above.astype(np.float64)) / 2
    return middles[(low < middles) & (middles < high)]


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("kind", [kind for kind in TRUNCATIONS if "narrow" not in kind])
def test_no_pile_up_at_a_bound(kind, dtype):
    """1e8 draws in bins that end midway between representable numbers, those at the bounds included: chi-squared."""
    mean, std, a, b = TRUNCATIONS[kind]
    scheme, cdf = TruncatedNormal(mean, std, a, b), truncated_cdf(a, b)
    total, step = 10**8, 2**22
    ends = edges(scheme, mean + a * std, mean + b * std, dtype)
    p = np.diff(np.concatenate([[0.0], cdf((ends - mean) / std), [1.0]]))
    while p.min() * total <= 20:  # too few for chi-squared: join the bin with a neighbour
        ends = np.delete(ends, min(p.argmin(), len(ends) - 1))
        p = np.diff(np.concatenate([[0.0], cdf((ends - mean) / std), [1.0]]))
    counts = np.zeros(len(p))
    for start in range(0, total, step):
        x = scheme.shard((total,), slice(start, start + step), dtype, **KEY)
        counts += np.bincount(np.searchsorted(ends, x.astype(np.float64)), minlength=len(p))
    assert laws.chisquare(counts, p / p.sum() * total).pvalue > ALPHA
