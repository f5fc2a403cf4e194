"""Words of one stream, and of streams, seeds and names that lie next to each other: no trace of one in the other.

2**28 pairs of words each (2**20 where each word is of another key). Budget: stats.ALPHA = 1e-6 for each assertion,
fixed seeds. Power: pairs of which one in a thousand is a pair of equal words are rejected.
"""

import numpy as np
import pytest
from scipy import special
from scipy import stats as laws

from exactness.histograms import CHUNK, count_pairs
from fanin import Stream
from fanin.stream import words
from stats import ALPHA

N = 2**28
pytestmark = pytest.mark.slow


class Pairs:
    def __init__(self):
        self.leading, self.trailing = np.zeros(2**16, np.int64), np.zeros(2**16, np.int64)
        self.differing, self.sums, self.n = np.zeros(32, np.int64), np.zeros(1), 0

    def add(self, a, b):
        count_pairs(a, b, self.leading, self.trailing, self.differing, self.sums)
        self.n += len(a)
        return self

    def p_values(self):
        halves = (self.differing - self.n / 2) ** 2 / (self.n / 4)
        return {"leading 8 x 8 bits": laws.chisquare(self.leading).pvalue,
                "trailing 8 x 8 bits": laws.chisquare(self.trailing).pvalue,
                "differing bits": laws.chi2.sf(halves.sum(), 32),
                "correlation": 2 * special.ndtr(-abs(self.sums[0]) * 12 / self.n**0.5)}

    def check(self, what):
        found = self.p_values()
        print(what, {name: f"{p:.3g}" for name, p in found.items()})  # noqa: T201 - for the record, with -s
        assert min(found.values()) > ALPHA, found


def seeds(a, b):
    return tuple(lambda start, count, seed=seed: words(seed, start=start, count=count) for seed in (a, b))


def streams(a, b):
    return tuple(lambda start, count, position=position: words(Stream(5, position), start=start, count=count)
                 for position in (a, b))


def names(a, b):
    return tuple(lambda start, count, name=name: words(5, name, start=start, count=count) for name in (a, b))


def lag(distance):
    return (lambda start, count: words(5, start=start, count=count),
            lambda start, count: words(5, start=start + distance, count=count))


PAIRS = {
    "seeds 0 and 1": seeds(0, 1), "seeds 2**32 apart": seeds(7, 7 + 2**32),
    "seeds 0 and 2**63": seeds(0, 2**63),
    "streams 0 and 1": streams(0, 1), "streams 2**32 - 1 and 2**32": streams(2**32 - 1, 2**32),
    "names w1 and w2": names("w1", "w2"), "names of two layers": names("layers.0.weight", "layers.1.weight"),
    "weight and bias": names("layers.0.weight", "layers.0.bias"),
    **{f"words {distance} apart": lag(distance) for distance in (1, 2, 3, 4, 8, 2**16)},
}


@pytest.mark.parametrize("kind", PAIRS)
def test_pairs(kind):
    """Word i of one and word i of the other: all 2**16 cells as often, half of the bits differ, no correlation."""
    first, second = PAIRS[kind]
    pairs = Pairs()
    for start in range(0, N, CHUNK):
        pairs.add(first(start, CHUNK), second(start, CHUNK))
    pairs.check(kind)


@pytest.mark.parametrize("kind", ["streams", "seeds", "names"])
def test_first_words_of_many_keys(kind):
    """Word 0 of 2**20 keys in a row, each paired with its neighbour's: as good as the words of one stream."""
    key = {"streams": lambda i: words(Stream(5, i)), "seeds": lambda i: words(i), "names": lambda i: words(5, f"w{i}")}
    found = np.concatenate([key[kind](i) for i in range(2**20 + 1)])
    Pairs().add(found[:-1], found[1:]).check(f"first words of {kind}")
    assert laws.chisquare(np.bincount(found >> 16, minlength=2**16)).pvalue > ALPHA


def test_what_is_seen():
    """The same assertions reject a thousandth of equal words, and of words that differ in one bit."""
    a, b = words(5, count=2**24), words(6, count=2**24)
    assert min(Pairs().add(a, b).p_values().values()) > ALPHA
    for planted in (a[::1000], a[::1000] ^ 1):
        b[::1000] = planted
        with pytest.raises(AssertionError, match="correlation"):
            Pairs().add(a, b).check("planted")
