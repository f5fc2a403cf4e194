"""_kernels/masks.py: which elements of a masked draw are drawn."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit
from scipy import stats

from fanin._kernels.device import register_cpu
from fanin._kernels.masks import diagonal, diagonal_params, dirac, dirac_params, kept, kept_params
from fanin._kernels.permutation import permutation_params, permute
from fanin._kernels.philox import philox

register_cpu()

FALSE_ALARM = 1e-6  # of each statistical test, and the seeds are fixed


def loop_of(mask):
    @njit(error_model="numpy")
    def loop(out, start, words, params):
        k0, k1, s0, s1 = words
        for j in range(len(out)):
            out[j] = mask(start + np.uint64(j), k0, k1, s0, s1, *params)

    return loop


LOOPS = {mask: loop_of(mask) for mask in (diagonal, dirac, kept)}


def words_of(seed, stream):
    return tuple(np.uint64(x) for x in (seed % 2**32, seed >> 32, stream % 2**32, stream >> 32))


def mask_array(mask, shape, params, seed=0, stream=0):
    """The mask of a whole array, by the compiled function."""
    out = np.empty(math.prod(shape), np.bool_)
    LOOPS[mask](out, np.uint64(0), words_of(seed, stream), params)
    return out.reshape(shape)


def chi_squared(counts):
    expected = counts.sum() / counts.size
    return stats.chi2.sf(((counts - expected) ** 2).sum() / expected, counts.size - 1)


# -- Eye --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 1), (5, 5), (3, 8), (8, 3), (9, 2), (1, 6), (6, 1), (300, 301)])
def test_diagonal_is_the_identity_matrix(shape):
    """Square, wide and tall: the ones are numpy's."""
    assert (mask_array(diagonal, shape, diagonal_params(shape)) == np.eye(*shape, dtype=bool)).all()


# -- Dirac ------------------------------------------------------------------------------------------------------------


def identity_kernel(shape, groups=1):
    """The definition, for the layout oi*: 1 at [g·(out/groups) + d, d, centre] for d < min(out/groups, in)."""
    weights = np.zeros(shape, bool)
    group = shape[0] // groups
    centre = [k // 2 for k in shape[2:]]
    for g, d in itertools.product(range(groups), range(min(group, shape[1]))):
        weights[(g * group + d, d, *centre)] = True
    return weights


CONVOLUTIONS = [((4, 4, 3), 1), ((6, 2, 4), 3), ((6, 4, 1), 2), ((3, 5, 2, 3), 1), ((8, 3, 3, 3), 4), ((8, 8, 1, 1), 1),
                ((4, 6, 2, 3, 4), 2), ((5, 2, 3, 3, 3), 1), ((6, 1, 3, 3), 6)]


@pytest.mark.parametrize(("shape", "groups"), CONVOLUTIONS)
def test_dirac_is_its_definition(shape, groups):
    """One at the centre where the channel's number within its group is the in channel's, in 3, 4 and 5 dimensions."""
    got = mask_array(dirac, shape, dirac_params(shape, "oi" + "*" * (len(shape) - 2), groups))

    assert (got == identity_kernel(shape, groups)).all()


@settings(deadline=None)
@given(st.permutations("oi*+/"), st.lists(st.integers(1, 4), min_size=4, max_size=4), st.integers(1, 3), st.data())
def test_dirac_in_any_layout(order, sizes, groups, data):
    """Whatever the order of the axes, the ones are those of the layout oi*, moved."""
    group, channels, *kernel = sizes
    kernel.append(data.draw(st.integers(1, 4)))
    shape = (group * groups, channels, *kernel)
    axes = ["oi*+/".index(letter) for letter in order]
    roles = "".join(letter if letter in "oi" else "*" for letter in order)

    moved = tuple(shape[axis] for axis in axes)
    params = dirac_params(moved, roles, groups)

    assert (mask_array(dirac, moved, params) == identity_kernel(shape, groups).transpose(axes)).all()


@pytest.mark.parametrize("roles", ["boi*", "obi*", "oi*b", "o*bi", "b*oi"])
def test_dirac_repeats_over_a_batch_axis(roles):
    """Each position on the b axis holds the same identity."""
    size = {"o": 4, "i": 3, "*": 5, "b": 2}
    shape = tuple(size[role] for role in roles)
    expected = np.broadcast_to(identity_kernel((4, 3, 5)), (2, 4, 3, 5)).transpose(["boi*".index(r) for r in roles])

    assert (mask_array(dirac, shape, dirac_params(shape, roles)) == expected).all()


def test_dirac_joins_neighbouring_axes_of_one_role():
    """Two out axes count as one, in C order."""
    got = mask_array(dirac, (3, 6, 2, 3), dirac_params((3, 6, 2, 3), "*ioo"))

    assert (got.reshape(3, 6, 6).transpose(2, 1, 0) == identity_kernel((6, 6, 3))).all()


def test_dirac_refuses_split_roles():
    """Two out axes apart from each other have no common number."""
    with pytest.raises(ValueError, match="`layout` must keep axes of one role together"):
        dirac_params((2, 3, 2, 3), "oio*")


# -- Sparse -----------------------------------------------------------------------------------------------------------


def kept_array(shape, axis, zeros, seed=0, stream=0):
    return mask_array(kept, shape, kept_params(shape, axis, zeros), seed, stream)


@settings(max_examples=300, deadline=None)  # the first call compiles
@given(st.lists(st.integers(1, 40), min_size=1, max_size=4), st.data())
def test_every_column_has_exactly_its_zeros(shape, data):
    """Along the axis of rows, each column loses `zeros` elements: none, some or all."""
    shape = shape if math.prod(shape) <= 100_000 else shape[:2]
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    zeros = data.draw(st.integers(0, shape[axis]))
    seed, stream = data.draw(st.integers(0, 2**64 - 1)), data.draw(st.integers(0, 2**64 - 1))

    assert ((~kept_array(shape, axis, zeros, seed, stream)).sum(axis) == zeros).all()


@pytest.mark.parametrize(("rows", "zeros"), [(4096, 3687), (100_003, 1), (65537, 65536), (2**20, 2**19)])
def test_tall_columns_have_exactly_their_zeros(rows, zeros):
    """Likewise for long columns."""
    assert ((~kept_array((rows, 3), 0, zeros)).sum(0) == zeros).all()


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize(("rows", "zeros"), [(2, 1), (3, 2), (5, 2), (7, 3), (8, 6)])
def test_every_subset_of_rows_is_equally_likely(rows, zeros, axis):
    """The rows that a column keeps pass chi-squared over all subsets, and consecutive columns are independent."""
    columns = 2**18
    mask = kept_array((rows, columns) if axis == 0 else (columns, rows), axis, zeros, seed=12345, stream=axis)
    codes = np.moveaxis(mask, axis, 1).astype(np.int64) @ (1 << np.arange(rows))
    possible = np.array([sum(1 << x for x in s) for s in itertools.combinations(range(rows), rows - zeros)])
    number = np.full(2**rows, -1)
    number[possible] = np.arange(len(possible))
    subsets = number[codes]

    pairs = subsets[0::2] * len(possible) + subsets[1::2]

    assert subsets.min() >= 0
    assert chi_squared(np.bincount(subsets, minlength=len(possible))) > FALSE_ALARM
    assert chi_squared(np.bincount(pairs, minlength=len(possible) ** 2)) > FALSE_ALARM


def test_the_test_of_subsets_sees_a_bias():
    """Power check: one subset of 35 that is taken 10 % too often is rejected."""
    rng = np.random.default_rng(1)
    weights = np.ones(35)
    weights[0] = 1.1

    assert chi_squared(np.bincount(rng.choice(35, 2**18, p=weights / weights.sum()), minlength=35)) < FALSE_ALARM


def test_columns_are_uncorrelated():
    """Two columns agree on as many rows as independent ones would: all pairs of 256 columns of 512 rows."""
    mask = kept_array((512, 256), 0, 200, seed=77).astype(np.float64)
    deviation = mask - 312 / 512
    overlap = (deviation.T @ deviation)[np.triu_indices(256, 1)]

    # hypergeometric: variance rows·p²·q²·rows/(rows-1) for independent columns
    variance = 512 * (312 / 512 * 200 / 512) ** 2 * 512 / 511
    assert abs(overlap).max() < stats.norm.isf(FALSE_ALARM / 2 / overlap.size) * math.sqrt(variance)
    assert abs((overlap**2).sum() / variance / overlap.size - 1) < 5 * math.sqrt(2 / overlap.size)


def test_rows_are_uncorrelated():
    """No two rows are kept together more or less often than exchangeable ones: all pairs of 64 rows."""
    columns = 2**14
    mask = kept_array((64, columns), 0, 32, seed=78).astype(np.float64)
    overlap = (mask @ mask.T)[np.triu_indices(64, 1)]
    together = 32 * 31 / (64 * 63)

    worst = abs(overlap - columns * together).max()
    assert worst < stats.norm.isf(FALSE_ALARM / 2 / overlap.size) * math.sqrt(columns * together * (1 - together))


def test_seeds_streams_and_columns_give_different_masks():
    """Each of the key words and stream words counts."""
    masks = [kept_array((64, 8), 0, 32, seed, stream)
             for seed, stream in [(0, 0), (1, 0), (2**32, 0), (0, 1), (0, 2**32), (0, 2**63)]]

    assert len({mask.tobytes() for mask in masks}) == len(masks)
    assert len({column.tobytes() for mask in masks for column in mask.T}) == 8 * len(masks)


def test_a_column_is_keyed_by_block_2_63_plus_its_number():
    """The documented counter range, which no element uses: columns count the other axes in C order."""
    shape, zeros = (3, 10, 4), 6
    mask = kept_array(shape, 1, zeros, seed=2**40 + 9, stream=2**50 + 3)
    k0, k1, s0, s1 = words_of(2**40 + 9, 2**50 + 3)
    with np.errstate(over="ignore"):
        for column, (a, c) in enumerate(itertools.product(range(3), range(4))):
            block = 2**63 + column
            key = philox(np.uint64(block % 2**32), np.uint64(block >> 32), s0, s1, k0, k1)
            expected = [permute(np.uint64(r), *key, *permutation_params(10)) >= zeros for r in range(10)]
            assert mask[a, :, c].tolist() == expected


def test_large_indices_are_taken_apart_exactly():
    """At 2**60 an element still knows its row and column: whole columns there have their zeros."""
    shape = (2**38, 7, 2**20)
    for first in (2**60 + 12345, math.prod(shape) - 2**20):
        inner = first % 2**20
        base = first // 2**20 // 7 * 7 * 2**20 + inner
        out = np.empty(7, np.bool_)
        for row in range(7):
            LOOPS[kept](out[row:row + 1], np.uint64(base + row * 2**20), words_of(3, 4), kept_params(shape, 1, 3))
        assert out.sum() == 4


@pytest.mark.parametrize(("mask", "params"), [
    (diagonal, diagonal_params((7, 5))),
    (dirac, dirac_params((4, 3, 5), "oi*", 2)),
    (kept, kept_params((7, 10), 1, 4)),
    (kept, kept_params((7, 10), 0, 4)),
])
def test_plain_python_equals_the_compiled_code(mask, params):
    """The reference backend's masks are the compiled ones."""
    compiled = np.empty(70, np.bool_)
    LOOPS[mask](compiled, np.uint64(0), words_of(5, 6), params)
    with np.errstate(over="ignore"):
        plain = [bool(mask(np.uint64(i), *words_of(5, 6), *params)) for i in range(70)]

    assert plain == compiled.tolist()
