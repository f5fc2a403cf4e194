"""_kernels/permutation.py: any n gets a permutation, and every subset of rows is equally likely."""

import dis
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit
from scipy import stats

from fanin._kernels.device import register_cpu
from fanin._kernels.permutation import (
    divide,
    grid,
    permutation_params,
    permute,
    reciprocal,
    two_rounds,
    two_rounds_back,
)
from fanin._kernels.philox import HALF, LOW, philox

register_cpu()

ROUNDS = 24  # of permute
COLUMNS = 2**18
FALSE_ALARM = 1e-6  # of each statistical test below, and the seed is fixed: 50 tests are wrong once in 20,000 writings


@njit(error_model="numpy")
def key(number):
    return philox(number, number >> HALF, np.uint64(0), np.uint64(0), np.uint64(0x5EED), np.uint64(0))


def four_rounds(x, k0, k1, k2, k3, width, inverse_width, full_rows, last_width):
    """`permute` with 4 rounds instead of 24: far from uniform, for the power checks."""
    row, column = divide(x, width, inverse_width)
    row, column = np.uint32(row), np.uint32(column)
    width, full_rows, last_width = np.uint32(width), np.uint32(full_rows), np.uint32(last_width)
    k0, k1, k2, k3 = np.uint32(k0 & LOW) | np.uint32(1), np.uint32(k1), np.uint32(k2), np.uint32(k3)
    row, column, k0, k1 = two_rounds(row, column, k0, k1, k2, k3, width, full_rows, last_width)
    row, column, k0, k1 = two_rounds(row, column, k0, k1, k2, k3, width, full_rows, last_width)
    return np.uint64(row) * np.uint64(width) + np.uint64(column)


def images_of(function):
    """A compiled loop: out[c, x] is the image of x under the key with number first + c."""

    @njit(error_model="numpy")
    def images(out, first, params):
        for c in range(out.shape[0]):
            k0, k1, k2, k3 = key(np.uint64(first) + np.uint64(c))
            for x in range(out.shape[1]):
                out[c, x] = function(np.uint64(x), k0, k1, k2, k3, *params)

    return images


compiled_images = images_of(permute)
weak_images = images_of(njit(four_rounds))


def draw(n, columns, images=compiled_images, first=0):
    out = np.empty((columns, n), np.uint32)
    images(out, first, permutation_params(n))
    return out


def chi_squared(counts):
    expected = counts.sum() / counts.size
    return stats.chi2.sf(((counts - expected) ** 2).sum() / expected, counts.size - 1)


def subset_counts(images, k):
    """How often each k-subset of the rows was the one whose images lie below k."""
    n = images.shape[1]
    masks = ((images < k) << np.arange(n)).sum(1)
    return np.bincount(masks, minlength=2**n)[[sum(1 << x for x in s) for s in itertools.combinations(range(n), k)]]


def test_rounds_are_undone():
    """`two_rounds_back` takes each cell of a grid back to where `two_rounds` with the same keys moved it from."""
    grid_of, keys = [np.uint32(number) for number in grid(23)], [np.uint32(number) for number in (5, 6, 7, 2**32 - 1)]

    @njit(error_model="numpy")
    def there_and_back(row, column, keys, grid_of):
        moved = two_rounds(row, column, *keys, *grid_of)
        return moved[:2], two_rounds_back(moved[0], moved[1], *keys, *grid_of)

    cells = [divmod(x, int(grid_of[0])) for x in range(23)]
    made = [there_and_back(np.uint32(row), np.uint32(column), tuple(keys), tuple(grid_of)) for row, column in cells]

    assert [back for _, back in made] == cells
    assert sorted(moved for moved, _ in made) == cells


# -- the number of rounds, with ideal round functions -----------------------------------------------------------------


def turns(n, line_of, subsets, number):
    """The transition matrix on subsets when every line of the grid is turned by its own uniform amount."""
    matrix = np.eye(len(subsets))
    for line in sorted({line_of(x) for x in range(n)}):
        cells = [x for x in range(n) if line_of(x) == line]
        one_line = np.zeros_like(matrix)
        for amount in range(len(cells)):
            image = {x: cells[(j + amount) % len(cells)] for j, x in enumerate(cells)}
            to = [number[frozenset(image.get(x, x) for x in subset)] for subset in subsets]
            one_line[np.arange(len(subsets)), to] += 1 / len(cells)
        matrix = matrix @ one_line
    return matrix


def distance_from_uniform(n, rounds):
    """The largest total variation distance over k, first subsets and orders of the turns, per number of rounds."""
    width, _, _ = grid(n)
    worst = dict.fromkeys(rounds, 0.0)
    for k in range(1, n // 2 + 1):  # a k-subset and its complement move together
        subsets = [frozenset(s) for s in itertools.combinations(range(n), k)]
        number = {s: j for j, s in enumerate(subsets)}
        columns = turns(n, lambda x: x % width, subsets, number)
        rows = turns(n, lambda x: x // width, subsets, number)
        for order in ((columns, rows), (rows, columns)):
            laws = np.eye(len(subsets))
            for done in range(1, max(rounds) + 1):
                laws = laws @ order[1 - done % 2]
                if done in worst:
                    worst[done] = max(worst[done], np.abs(laws - 1 / len(subsets)).sum(1).max() / 2)
    return worst


@pytest.mark.parametrize("n", range(1, 9))
def test_the_rounds_are_enough(n):
    """With ideal round functions every k-subset of n <= 8 is equally likely to within 1e-7."""
    assert distance_from_uniform(n, [ROUNDS])[ROUNDS] < 1e-7


def test_fewer_rounds_are_not_enough():
    """One round fewer leaves more than that for four rows."""
    assert distance_from_uniform(4, [ROUNDS - 1])[ROUNDS - 1] > 1e-7


@pytest.mark.parametrize(("n", "after_12", "after_16", "after_24"), [
    (2, 0, 0, 0), (3, 3.3e-4, 2.0e-5, 7.9e-8), (4, 3.3e-4, 2.0e-5, 7.9e-8), (5, 7.7e-5, 2.1e-6, 1.7e-9),
    (6, 7.7e-5, 2.1e-6, 1.7e-9), (7, 3.1e-4, 1.5e-5, 3.7e-8), (8, 7.7e-6, 9.4e-8, 1.4e-11),
    (9, 7.7e-6, 9.4e-8, 1.4e-11), (10, 3.8e-4, 1.8e-5, 4.4e-8), (11, 1.8e-3, 1.4e-4, 8.4e-7),
])
def test_the_table_of_rounds(n, after_12, after_16, after_24):
    """The distances that the module prints are those of the chain."""
    assert list(distance_from_uniform(n, [12, 16, 24]).values()) == pytest.approx([after_12, after_16, after_24],
                                                                                  rel=0.05, abs=1e-13)


# -- what the real round functions give -------------------------------------------------------------------------------


@pytest.mark.parametrize("n", range(1, 9))
def test_every_subset_is_equally_likely(n):
    """For every k the k-subsets of n rows that go below k pass chi-squared."""
    images = draw(n, COLUMNS)

    assert all(chi_squared(subset_counts(images, k)) > FALSE_ALARM for k in range(1, n))
    assert all(subset_counts(images, k).sum() == COLUMNS for k in range(n + 1))


@pytest.mark.parametrize(("n", "k"), [(3, 1), (4, 2), (6, 3), (8, 4)])
def test_the_test_of_subsets_sees_too_few_rounds(n, k):
    """Power check: four rounds are rejected."""
    assert chi_squared(subset_counts(draw(n, COLUMNS, weak_images), k)) < 1e-20


@pytest.mark.parametrize("n", [9, 12, 61, 64])
def test_images_and_pairs_of_images_are_uniform(n):
    """Every x goes to every y equally often, and every two x to every two places, lines of the grid included."""
    images = draw(n, 2**16, first=2**40).astype(np.int64)
    width, _, _ = grid(n)

    counts = np.array([np.bincount(images[:, x], minlength=n) for x in range(n)])
    expected = len(images) / n
    # (n-1)**2 degrees of freedom: rows and columns both sum to the number of draws
    statistic = ((counts - expected) ** 2).sum() / expected * (n - 1) / n
    assert stats.chi2.sf(statistic, (n - 1) ** 2) > FALSE_ALARM
    for other in (1, width, width + 1, n - 1):  # a neighbour in the row, in the column, across, and the last cell
        difference = (images[:, other] - images[:, 0]) % n
        assert chi_squared(np.bincount(difference, minlength=n)[1:]) > FALSE_ALARM


def test_keys_that_follow_each_other_give_independent_subsets():
    """The subsets of two consecutive columns are independent."""
    images = draw(5, COLUMNS, first=2**50)
    masks = ((images < 2) << np.arange(5)).sum(1)
    pairs = masks[0::2] * 32 + masks[1::2]
    possible = [sum(1 << x for x in s) for s in itertools.combinations(range(5), 2)]

    assert chi_squared(np.bincount(pairs, minlength=1024)[[a * 32 + b for a in possible for b in possible]]) \
        > FALSE_ALARM


# -- exactness --------------------------------------------------------------------------------------------------------


def test_small_n_are_permuted():
    """For every n up to 300 the images are 0, ..., n-1, each once."""
    for n in range(1, 301):
        assert (np.sort(draw(n, 8), axis=1) == np.arange(n)).all(), n


@pytest.mark.parametrize("n", [4096, 65535, 65536, 65537, 1_000_003])
def test_larger_n_are_permuted(n):
    """Likewise for larger n, of every kind of last row."""
    assert (np.sort(draw(n, 1)[0]) == np.arange(n)).all()


@pytest.mark.parametrize("n", [2**31 - 1, 2**32 - 2**16, 2**32 - 2**16 + 1, 2**32 - 1, 2**32])
def test_the_largest_n_stay_in_range_and_distinct(n):
    """The first 2**16 images lie below n, are distinct, and spread evenly."""
    out = np.empty((1, 2**16), np.uint64)
    compiled_images(out, 0, permutation_params(n))

    assert out.max() < n and len(np.unique(out)) == 2**16
    assert stats.kstest(out[0] / n, "uniform").pvalue > FALSE_ALARM


def test_too_large_n_is_refused():
    """Beyond 2**32 an amount could overflow, so the parameters are not made."""
    with pytest.raises(ValueError, match=r"at most 2\*\*32"):
        permutation_params(2**32 + 1)


@given(st.integers(1, 2**32))
def test_the_grid_has_n_cells_and_short_lines(n):
    """The grid is n cells, its last row neither empty nor too long, and no line longer than 2**16."""
    width, full_rows, last_width = grid(n)

    assert full_rows * width + last_width == n
    assert 1 <= last_width <= width
    assert max(width, full_rows + 1) <= 2**16


@given(st.integers(0, 2**63 - 1) | st.integers(2**62 - 5, 2**62), st.integers(1, 2**63 - 1) | st.integers(1, 70000))
def test_division_is_exact(x, divisor):
    """Quotient and remainder are the integers', for every x below 2**63."""
    with np.errstate(over="ignore"):
        quotient, remainder = divide(np.uint64(x), np.uint64(divisor), reciprocal(divisor))

    assert (int(quotient), int(remainder)) == divmod(x, divisor)


@given(st.integers(1, 2**62), st.integers(1, 2**62))
def test_division_is_exact_at_multiples(quotient, divisor):
    """A multiple of the divisor and the number before it, where a quotient is most easily off by one."""
    product = quotient * divisor % 2**63 // divisor * divisor
    for x in (product, max(product - 1, 0)):
        with np.errstate(over="ignore"):
            got = divide(np.uint64(x), np.uint64(divisor), reciprocal(divisor))
        assert tuple(map(int, got)) == divmod(x, divisor)


@pytest.mark.parametrize("n", [1, 2, 3, 7, 8, 100, 65537, 2**32])
def test_plain_python_equals_the_compiled_code(n):
    """The reference backend's permutation is the compiled one."""
    compiled = np.empty((5, min(n, 8)), np.uint64)
    compiled_images(compiled, 0, permutation_params(n))

    with np.errstate(over="ignore"):
        plain = [[int(permute(np.uint64(x), *key.py_func(np.uint64(c)), *permutation_params(n)))
                  for x in range(min(n, 8))] for c in range(5)]

    assert plain == compiled.tolist()


@pytest.mark.parametrize(("n", "images"), [
    (10, [1, 5, 7, 9, 3, 6, 0, 4, 2, 8]),
    (1000, [564, 139, 915, 986, 130, 903, 787, 927, 77, 829]),
    (2**32, [2212093829, 72238741, 1514578933, 1892725550, 3019011666, 3456516275, 1396705154, 1389395347, 767357445,
             3836478880]),
])
def test_known_answers(n, images):
    """The permutation belongs to stream version 1: the key is four words of pi's digits, as in Philox's own vectors."""
    words = [np.uint64(w) for w in (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344)]

    with np.errstate(over="ignore"):
        assert [int(permute(np.uint64(x), *words, *permutation_params(n))) for x in range(10)] == images


def test_garbage_in_the_high_halves_of_the_key_does_not_count():
    """philox leaves garbage above its words, so only the low halves may matter."""
    params = permutation_params(1000)
    high = np.uint64(0xABCDEF0100000000)
    words = [np.uint64(w) for w in (1, 2, 3, 4)]

    with np.errstate(over="ignore"):
        assert [permute(np.uint64(x), *words, *params) for x in range(20)] == \
            [permute(np.uint64(x), *(w | high for w in words), *params) for x in range(20)]


def test_permute_has_all_rounds():
    """The rounds are written out in pairs, as many as were shown to be enough."""
    pairs = [step for step in dis.get_instructions(permute) if step.argval == "two_rounds"]

    assert 2 * len(pairs) == ROUNDS
