"""Float32 truncated draws have each bin's share of the words: what chi-squared of a billion draws would see, counted.

A draw is a function of one word, so the words below an edge between two bins can be counted instead of drawn. Where
they differ from the exact number, chi-squared of N draws is noncentral, by N·Σ(error of a bin's share)²/share; in units
of its standard deviation this is how far a billion draws would be from the law. It is small where each bit of a word
counts, and large where words are first rounded to a float32's 24 bits: the same count rejects that.
"""

import numpy as np
import pytest
from numba import njit

from exactness.histograms import ends_of_bins, midway_above, truncated_law
from fanin._kernels.device import register_cpu
from fanin._plans.truncation import truncated_normal

register_cpu()

BINS, NUMBERS, DRAWS = 2**14, 64, 10**9  # bins of equal probability, float32 numbers in each at least
AROUND = 2048  # words looked at on each side of an edge: every one that may be on the wrong side
inf = np.inf

# mean, std, lower, upper -> the most that chi-squared may be off, in its standard deviations
LAWS = {
    (0, 1, 0.5, inf): 0.5, (0, 1, 1, inf): 0.5, (0, 1, -inf, 0.7): 0.5,  # one-sided
    (0, 1, -1, 3): 0.5, (0, 1, -3.5, 4): 0.5, (0, 1, 0.5, 1.2): 0.5, (1, 0.5, 1.2, 3): 0.5,  # general
    (0, 1, 2, 3): 0.5, (0, 1, 5, 6): 0.5, (0, 1, 0.5, 0.6): 0.5,  # away from the mean, and narrow
    (0, 1, -2, 2): 2.0, (0, 1, -1, 1): 2.0,  # symmetric: as they always were
}
ROUNDED = [(0, 1, 0.5, inf), (0, 1, 0.5, 1.2), (1, 0.5, 1.2, 3)]


def counter(sampler, mask):
    """count(first words, params, ends) -> words of the 2·AROUND around each whose value is at most its end."""
    @njit(error_model="numpy")
    def count(middles, params, ends):
        found = np.empty(len(ends), np.int64)
        for i in range(len(ends)):
            found[i] = 0
            for word in range(middles[i] - AROUND, middles[i] + AROUND):
                if word < 0:
                    found[i] += 1
                elif word < 2**32:
                    found[i] += sampler(np.uint32(word & mask), *params) <= ends[i]
        return found

    return count


def excess(case, mask):
    """How far chi-squared of DRAWS draws is from its law, in its standard deviations."""
    mean, std, lower, upper = map(float, case)
    quantile, cdf = truncated_law(mean, std, lower, upper)
    ends = ends_of_bins(quantile, BINS, least=NUMBERS)
    share = cdf(midway_above(ends, "float32"))
    exact = share * 2.0**32  # words, as real numbers
    middles = np.floor(exact).astype(np.int64)
    drawn = truncated_normal(mean, std, lower, upper, np.float32)
    params = (*drawn.params, np.float32(-inf), np.float32(inf))
    found = counter(drawn.sampler, mask)(middles, params, ends) - AROUND + middles
    errors = np.diff(np.concatenate([[0], found - exact, [0]])) / 2.0**32
    shares = np.diff(np.concatenate([[0], share, [1]]))
    return DRAWS * np.sum(errors**2 / shares) / np.sqrt(2 * len(ends))


@pytest.mark.parametrize("case", LAWS, ids=str)
def test_each_bin_has_its_share_of_the_words(case):
    """A billion draws in 2**14 bins would not tell the values from the law."""
    assert excess(case, 2**32 - 1) < LAWS[case]


@pytest.mark.parametrize("case", ROUNDED, ids=str)
def test_words_of_24_bits_would_show(case):
    """Power: were words rounded to a float32's 24 bits, the same count would be far from the law."""
    assert excess(case, 2**32 - 256) > 3
