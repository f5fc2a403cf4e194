"""Statistical assertions with a stated budget of false alarms.

Each assertion rejects a right sampler with probability ALPHA. All seeds are fixed, so an alarm comes once, when a test
or a stream is new, and doesn't come and go; with a thousand assertions in the suite its probability is 1e-3. What an
assertion can see is shown where it is used: the same assertion must reject values that are 1 % too large.
"""

import numpy as np
from scipy import stats

ALPHA = 1e-6


def _require(p, what):
    assert p > ALPHA, f"{what}: p = {p:.3g}, below {ALPHA:g}"


def assert_distribution(x, cdf, bins=1024):
    """The values of `x` follow the law with distribution function `cdf`, in bulk, in shape and at both ends.

    Three tests of cdf(x) against U[0, 1], a third of the budget each: Kolmogorov-Smirnov; Neyman's smooth test with
    Legendre polynomials up to degree 8, which sees a wrong mean, std or kurtosis; and chi-squared with equal bins,
    which sees a pile-up at a bound.
    """
    u = np.clip(cdf(np.asarray(x, np.float64).ravel()), 0.0, 1.0)
    ks = stats.kstest(u, "uniform").pvalue
    smooth = stats.chi2.sf(len(u) * sum(mean**2 * (2 * k + 1) for k, mean in _legendre_means(2 * u - 1, 8)), 8)
    counts = np.bincount(np.minimum((u * bins).astype(int), bins - 1), minlength=bins)
    p = {"Kolmogorov-Smirnov": ks, "smooth test": smooth, "chi-squared": stats.chisquare(counts).pvalue}
    for name, value in p.items():
        _require(3 * value, name)


def _legendre_means(t, degree):
    """(k, mean of the Legendre polynomial P_k(t)) for k from 1, by the three-term recurrence."""
    before, now = np.ones_like(t), t
    for k in range(1, degree + 1):
        yield k, now.mean()
        before, now = now, ((2 * k + 1) * t * now - k * before) / (k + 1)


def assert_rounded(x, cdf, representable):
    """The values of `x` are those of a law rounded to the nearest of the sorted numbers `representable`.

    Chi-squared, twice for half of the budget each: in bins that expect 64 values or more, so that the first and the
    last numbers count, and in a few hundred large bins, which see a wrong std.
    """
    x = np.asarray(x, np.float64).ravel()
    p = np.diff(np.concatenate([[0.0], cdf((representable[1:] + representable[:-1]) / 2), [1.0]]))
    found = np.searchsorted(representable, x)
    assert (representable[np.minimum(found, len(representable) - 1)] == x).all(), "a value that is not representable"
    counts = np.bincount(found, minlength=len(representable))
    for bins in (len(x) // 64, 256):
        _, group = np.unique(np.minimum(np.cumsum(p) * bins, bins - 1).astype(int), return_inverse=True)
        expected, observed = np.bincount(group, p), np.bincount(group, counts)
        large = expected * len(x) > 5  # what chi-squared's approximation needs
        expected, observed = (np.append(v[large], v[~large].sum()) for v in (expected, observed))
        keep = expected > 0
        pvalue = stats.chisquare(observed[keep], expected[keep] * (len(x) / expected.sum())).pvalue
        _require(2 * pvalue, f"chi-squared of rounded values in {keep.sum()} bins")


def assert_moments(x, mean, std):
    """Mean and std by their standard errors, estimated from the values; half of the budget each."""
    x = np.asarray(x, np.float64).ravel()
    square = (x - mean) ** 2
    _require(2 * _two_sided((x.mean() - mean) / (std / len(x) ** 0.5)), "mean")
    _require(2 * _two_sided((square.mean() - std**2) / (square.std() / len(x) ** 0.5)), "variance")


def assert_uncorrelated(x, y):
    """No linear correlation between paired values, nor between their squares; half of the budget each."""
    for a, b in ((x, y), (np.square(x), np.square(y))):
        a, b = (np.asarray(v, np.float64).ravel() for v in (a, b))
        _require(2 * _two_sided(np.corrcoef(a, b)[0, 1] * len(a) ** 0.5), "correlation")


def _two_sided(z):
    return 2 * stats.norm.sf(abs(z))
