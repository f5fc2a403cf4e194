"""2**30 draws of each law against its exact distribution, in constant memory.

Budget: a false alarm of any of all assertions has a probability of 1e-4, with fixed seeds. Power: a sixteenth of the
same values, times 1.001, is rejected; kernels/test_truncated_bins.py shows what rounded words would do.
"""

import numpy as np
import pytest
from scipy import special
from scipy import stats as laws

import fanin
from exactness.histograms import CHUNK, Bins, truncated_law

N = 2**30
KEY = {"seed": 1, "name": "a billion"}
pytestmark = pytest.mark.slow


def cut(a, b):
    return fanin.TruncatedNormal(0, 1, a, b), truncated_law(0, 1, a, b), laws.truncnorm(a, b)


NUMBERS = 64  # of the dtype in a bin, at least
BINS = 2**14  # of truncated draws; fewer where they would hold less than 64 numbers, as in the tail from 5 to 6 std
LAWS = {
    "uniform": (fanin.Uniform(), (lambda p: p, lambda x: np.clip(x, 0, 1)), laws.uniform(), "float32", 2**16),
    "normal": (fanin.Normal(), (special.ndtri, special.ndtr), laws.norm(), "float32", 2**16),
    "cut at 2 std": (*cut(-2, 2), "float32", BINS),
    "cut at 2 std, float16": (*cut(-2, 2), "float16", BINS),
    "cut at 2 std, bfloat16": (*cut(-2, 2), "bfloat16", BINS),
    "wide": (*cut(-3.5, 4), "float32", BINS),
    "general": (*cut(-1, 3), "float32", BINS),
    "general, float16": (*cut(-1, 3), "float16", BINS),
    "lopsided": (*cut(0.5, 1.2), "float32", BINS),
    "one-sided": (*cut(0.5, np.inf), "float32", BINS),
    "one-sided, float16": (*cut(0.5, np.inf), "float16", BINS),
    "one-sided, bfloat16": (*cut(0.5, np.inf), "bfloat16", BINS),
    "one-sided, float64": (*cut(0.5, np.inf), "float64", 2**16),
    "one-sided, all 16 bits": (*cut(0.5, np.inf), "float32", 2**16),
    "tail": (*cut(5, 6), "float32", BINS),
}
# Each law has six assertions.
ALPHA = 1e-4 / (6 * len(LAWS))


def p_values(bins, law):
    """{test: p}: all bins, the first, the last, mean, variance and kurtosis."""
    n = bins.counts.sum()
    expected = bins.p * n
    found = {f"chi-squared over {len(expected)} bins": laws.chisquare(bins.counts, expected).pvalue,
             "first bin": laws.binomtest(int(bins.counts[0]), int(n), bins.p[0]).pvalue,
             "last bin": laws.binomtest(int(bins.counts[-1]), int(n), bins.p[-1]).pvalue}
    raw = bins.powers / n
    # central moments of the values about the law's own mean, from sums of powers
    mean = law.mean()
    central = [sum(special.comb(k, j) * raw[j] * (-mean) ** (k - j) for j in range(k + 1)) for k in range(9)]
    for name, k in {"mean": 1, "variance": 2, "kurtosis": 4}.items():
        exact = 0.0 if k == 1 else law.var() if k == 2 else (law.stats("k") + 3) * law.var() ** 2
        error = ((central[2 * k] - central[k] ** 2) / n) ** 0.5
        found[name] = 2 * special.ndtr(-abs(central[k] - exact) / error)
    return found


@pytest.mark.parametrize("kind", LAWS)
def test_a_billion_draws(kind, record_property):
    """Chi-squared over bins of equal probability, both edge bins, and the moments up to the kurtosis."""
    scheme, (quantile, cdf), law, dtype, n = LAWS[kind]
    bins, scaled = (Bins(quantile, cdf, n, dtype, NUMBERS) for _ in range(2))
    for start in range(0, N, CHUNK):
        x = scheme.shard((N,), slice(start, start + CHUNK), dtype, **KEY)
        bins.add(x)
        if start < N // 16:
            scaled.add(x, 1.001)

    found = p_values(bins, law)
    for name, p in found.items():
        record_property(name, f"{p:.3g}")
    print(kind, {name: f"{p:.3g}" for name, p in found.items()})  # noqa: T201 - for the record, with -s
    assert min(found.values()) > ALPHA, found
    assert min(p_values(scaled, law).values()) < ALPHA
