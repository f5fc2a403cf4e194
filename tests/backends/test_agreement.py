"""One draw, many ways to make it: each backend, any number of threads, whole, in pieces, or into any memory layout."""

from itertools import pairwise

import ml_dtypes  # noqa: F401 - numpy then knows the name "bfloat16"
import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fanin
from devices import on_host
from fanin import Eye, Initializer, Normal, Sparse, TruncatedNormal, Uniform
from fanin._backends import sharing
from fanin._drawing.execute import materialize_range
from fanin._seeding import Key
from fanin.math import fma, log
from fanin.stream import words
from vectors import make_golden

CASES = make_golden.cases()
KEY = {"seed": 2**40 + 7, "name": "agreement"}
LARGE = (3 * sharing.SMALL + 5,)  # an odd number that takes the parallel loop
# Few schemes, for each loop of each is compiled: a word and a pair per number, 4 and 8 bytes, complex, half.
DRAWS = [(Normal(), "float32"), (Uniform(), "float64"), (Normal(), "complex64"), (Normal(), "bfloat16")]
MASKED = [(Sparse(0.5), "float32"), (Eye(2.5), "float32")]


def of(draws):
    return pytest.mark.parametrize(("scheme", "dtype"), draws, ids=[f"{type(s).__name__}-{d}" for s, d in draws])


OF_DRAWS = of(DRAWS)


@fanin.sampler
def laplace(u, loc, scale):
    t = 2.0 * u if u < 0.5 else 2.0 * (1.0 - u)
    return fma(-scale if u > 0.5 else scale, log(t), loc)


class Laplace(Initializer):
    def __init__(self, loc=0.0, scale=1.0):
        self.loc = loc
        self.scale = scale

    def plan(self, spec):
        return spec.draw(laplace, self.loc, self.scale, mean=self.loc, std=2**0.5 * self.scale)


def bits(array):
    """The elements' bytes: NaNs and zeros of either sign are told apart."""
    return np.ascontiguousarray(array).view(np.uint8)


def assert_same_bits(a, b):
    assert a.dtype == b.dtype
    assert a.shape == b.shape
    np.testing.assert_array_equal(bits(a.reshape(-1)), bits(b.reshape(-1)))


def holes(dtype):
    """A pattern that no draw makes, to find what was not written, or written beside the array."""
    return np.frombuffer(b"\xca" * np.dtype(dtype).itemsize, dtype)[0]


# -- backends --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES)
def test_every_preset_on_every_device(case, each_device):
    """The slow Python oracle gives the compiled bits, for each preset and dtype."""
    scheme, shape, dtype = CASES[case]
    expected = scheme(shape, dtype, "reference", **KEY)
    assert_same_bits(on_host(scheme(shape, dtype, each_device, **KEY), expected.dtype), expected)


@pytest.mark.parametrize("dtype", make_golden.FLOATING)
def test_a_users_sampler_on_every_device(dtype, each_device):
    """A function written once; its float constants take the computing type on each device."""
    scheme = Laplace(0.3, 0.7)
    expected = scheme((7, 33), dtype, "reference", **KEY)
    assert_same_bits(on_host(scheme((7, 33), dtype, each_device, **KEY), expected.dtype), expected)
    assert len(np.unique(expected)) > 200


# -- threads ---------------------------------------------------------------------------------------------------------


@OF_DRAWS
def test_the_number_of_threads_does_not_count(scheme, dtype):
    """One thread, all threads, and the serial loop: same bits, contiguous and strided."""
    threads = numba.get_num_threads()
    serial = np.concatenate([scheme.shard(LARGE, slice(i, i + 30_000), dtype, **KEY)
                             for i in range(0, LARGE[0], 30_000)])
    try:
        for n in {1, threads, numba.config.NUMBA_NUM_THREADS}:
            numba.set_num_threads(n)
            assert_same_bits(scheme(LARGE, dtype, **KEY), serial)
            strided = np.zeros((LARGE[0], 2), dtype)[:, 1]
            assert_same_bits(scheme(LARGE, dtype, **KEY, out=strided), serial)
    finally:
        numba.set_num_threads(threads)


@OF_DRAWS
@pytest.mark.parametrize("count", [-1, 0, 1, sharing.SMALL // 2, sharing.SMALL // 2 + 1])
@pytest.mark.parametrize("start", [0, 1, 2, 3, 5, 4095, 4096, 4097])
def test_parallel_runs_from_odd_starts(scheme, dtype, start, count):
    """Any start, and counts around the ends of blocks, of tasks, and of where threads begin to serve."""
    count += sharing.SMALL
    whole = scheme(LARGE, dtype, **KEY)
    part = np.full(count + 2, holes(dtype))
    scheme.shard(LARGE, slice(start, start + count), dtype, **KEY, out=part[1:-1])
    assert_same_bits(part[1:-1], whole[start:start + count])
    assert_same_bits(part[::count + 1], np.full(2, holes(dtype)))


@OF_DRAWS
def test_parts_by_element_number(scheme, dtype):
    """`materialize_range` writes a tensor piece by piece, as files are written."""
    key = Key(KEY["seed"], fanin.stream.stream_id(KEY["name"]))
    whole, plan = scheme((301, 50), dtype, **KEY), scheme.describe((301, 50), dtype)
    parts = np.full(301 * 50, holes(dtype))
    edges = [0, 1, 4, 4, 4099, 8192, 8193, 15_050]
    for start, stop in pairwise(edges):
        materialize_range(plan, key, start, parts[start:stop])
    assert_same_bits(parts.reshape(301, 50), whole)


# -- pieces and layouts ----------------------------------------------------------------------------------------------

shapes = st.lists(st.integers(0, 7), max_size=4).map(tuple)


def an_index(dim):
    ends = st.none() | st.integers(-dim - 2, dim + 2)
    slices = st.builds(slice, ends, ends, st.none() | st.integers(-4, 4).filter(bool))
    return slices | st.integers(-dim, dim - 1) if dim else slices


@st.composite
def shapes_and_indices(draw):
    shape = draw(shapes)
    index = [draw(an_index(dim)) for dim in shape[:draw(st.integers(0, len(shape)))]]
    if draw(st.booleans()):
        cut = draw(st.integers(0, len(index)))
        tail = [draw(an_index(dim)) for dim in shape[len(shape) - (len(index) - cut):]] if len(index) > cut else []
        index = [*index[:cut], Ellipsis, *tail]
    return shape, index[0] if len(index) == 1 and draw(st.booleans()) else tuple(index)


@of([*DRAWS, MASKED[0]])
@given(case=shapes_and_indices())
@settings(max_examples=60, deadline=None)
def test_a_shard_is_the_block_of_the_whole(scheme, dtype, case):
    """shard(shape, index) == whole[index] for any slices, ints and Ellipsis, and of the same shape."""
    shape, index = case
    if isinstance(scheme, Sparse) and not shape:
        return  # it needs a row
    whole = scheme(shape, dtype, **KEY)
    assert_same_bits(scheme.shard(shape, index, dtype, **KEY), np.asarray(whole[index]))


@st.composite
def layouts(draw):
    """A shape, and a function from an array of it to a view of the same shape with other strides."""
    shape = draw(st.lists(st.integers(1, 5), min_size=1, max_size=3).map(tuple))
    order = draw(st.permutations(range(len(shape))))
    steps = [draw(st.sampled_from([1, 2, 3, -1, -2])) for _ in shape]
    return shape, order, steps


def lay_out(shape, order, steps, dtype):
    """(memory, view): the view's axes lie in `order` in memory, `steps` apart, with a margin on each side."""
    room = [shape[axis] * abs(steps[axis]) + 2 for axis in order]
    memory = np.full(room, holes(dtype))
    index = tuple(slice(1, 1 + shape[axis] * abs(steps[axis]), abs(steps[axis])) for axis in order)
    view = memory[index].transpose(np.argsort(order))
    return memory, view[tuple(slice(None, None, 1 if step > 0 else -1) for step in steps)]


@OF_DRAWS
@given(layout=layouts())
@settings(max_examples=60, deadline=None)
def test_any_strides(scheme, dtype, layout):
    """Into transposed, spaced and reversed views: the same bits, returned in the same object, nothing beside them."""
    memory, view = lay_out(*layout, dtype)
    assert scheme(view.shape, dtype, **KEY, out=view) is view
    assert_same_bits(view, scheme(view.shape, dtype, **KEY))
    view[...] = holes(dtype)
    assert_same_bits(memory, np.full(memory.shape, holes(dtype)))


@OF_DRAWS
@pytest.mark.parametrize("lay", ["fortran", "transposed", "reversed", "columns", "parts"])
def test_large_strided_arrays(scheme, dtype, lay):
    """The parallel strided loop: one long axis, many short rows, steps both ways."""
    view = {
        "fortran": lambda: np.zeros((401, 103), dtype, order="F"),
        "transposed": lambda: np.zeros((2, 103, 200), dtype).transpose(2, 0, 1),
        "reversed": lambda: np.zeros((401, 103), dtype)[::-1, ::-1],
        "columns": lambda: np.zeros((5003, 30), dtype)[:, ::3],
        "parts": lambda: np.zeros((41_000, 2), dtype)[::-1, 1],
    }[lay]()
    scheme(view.shape, **KEY, out=view)
    assert_same_bits(view, scheme(view.shape, dtype, **KEY))


@OF_DRAWS
def test_fields_of_packed_records(scheme, dtype):
    """Elements that start at odd addresses are written through a small buffer, in pieces when there are many."""
    records = np.zeros((70_001, 2), np.dtype([("flag", np.uint8), ("value", dtype)]))
    view = records["value"][::-1]
    assert not view.flags.aligned or dtype == "bfloat16"
    scheme(view.shape, **KEY, out=view)
    assert_same_bits(view, scheme(view.shape, dtype, **KEY))
    assert not records["flag"].any()


@of([*DRAWS, MASKED[1]])
def test_large_shards_with_steps(scheme, dtype):
    """The parallel loop over elements that are not neighbours: steps, negative steps, columns."""
    whole = scheme((801, 203), dtype, **KEY)
    for index in ((slice(None, None, 2), slice(None, None, -1)), (slice(700, 3, -1), slice(5, 190)),
                  (slice(None), slice(3, 200, 2)), (slice(1, None), ...)):
        assert_same_bits(scheme.shard((801, 203), index, dtype, **KEY), whole[index])
    whole = scheme((9, 10_007), dtype, **KEY)  # rows long enough to be made in their own memory
    assert_same_bits(scheme.shard((9, 10_007), (..., slice(5, -1)), dtype, **KEY), whole[..., 5:-1])


@of([*DRAWS, MASKED[0]])
@pytest.mark.parametrize(("shape", "index"), [
    ((5001, 64), (slice(None), 5)), ((3000, 61), (slice(1, None), slice(3, 5))), ((3000, 64), (..., slice(7, 15))),
    ((9001,), slice(None, None, 3)), ((40, 9, 33), (slice(None, None, -2), slice(2, 7), slice(1, 3))),
    ((70, 3, 50, 2), (slice(None), slice(2), slice(4, 44), 1)), ((6, 5, 4, 3, 2, 30), (..., slice(None, None, 4))),
], ids=str)
@pytest.mark.parametrize("order", [1, -1])
def test_shards_into_any_memory(scheme, dtype, shape, index, order):
    """Narrow, stepped and many-axed shards of more than a tile, into C and F order with gaps between the elements."""
    expected = scheme(shape, dtype, **KEY)[index]
    memory = np.full([*(2 * dim for dim in expected.shape[::order]), 2], holes(dtype))
    view = memory[(*(slice(None, None, 2) for _ in expected.shape), 1)]
    view = view if order == 1 else view.T
    scheme.shard(shape, index, dtype, **KEY, out=view)
    assert_same_bits(view, expected)
    view[...] = holes(dtype)
    assert_same_bits(memory, np.full(memory.shape, holes(dtype)))


# -- far beyond memory -----------------------------------------------------------------------------------------------

FAR = 2**33 + 5


def test_an_element_of_a_virtual_tensor():
    """Element 2**33 + 5 of a (2**34,) tensor comes from its own words, real and complex."""
    w = words(**KEY, start=FAR, count=1)
    assert Uniform().shard((2**34,), FAR, **KEY) == (w[0] >> 8) * np.float32(2**-24)
    assert Uniform().shard((2**17, 2**17), (2**16, 5), **KEY) == (w[0] >> 8) * np.float32(2**-24)

    x = words(**KEY, start=2 * FAR, count=2).view("<u8")
    assert Uniform().shard((2**34,), FAR, "float64", **KEY) == (x[0] >> 11) * 2.0**-53

    a, b = words(**KEY, start=2 * FAR, count=2).astype(np.float64)
    z = np.sqrt(-np.log((a + 0.5) * 2.0**-32)) * np.exp(2j * np.pi * b * 2.0**-32)
    assert abs(Normal().shard((2**34,), FAR, "complex64", **KEY) - z) < 2e-6

    a, b = words(**KEY, start=4 * FAR, count=4).view("<u8").astype(np.float64)
    z = np.sqrt(-np.log((a + 0.5) * 2.0**-64)) * np.exp(2j * np.pi * b * 2.0**-64)
    assert abs(Normal().shard((2**34,), FAR, "complex128", **KEY) - z) < 1e-13


@of([*DRAWS, (Uniform(), "float32")])
@pytest.mark.parametrize("index", [
    lambda edge, row: ((2**40,), slice(edge - 1205, edge + 1300)),
    lambda edge, row: ((2**40,), slice(edge - 301, edge + 300, 3)),
    lambda edge, row: ((2**30, 1030), (slice(row - 1, row + 2), slice(3, -2))),
    lambda edge, row: ((2**30, 1030), (slice(row - 20, row + 20), slice(400, 409))),
    lambda edge, row: ((8, edge + 3), (..., slice(5, 12))),
], ids=["run", "steps", "long rows", "short rows", "rows far apart"])
def test_where_the_high_word_of_block_numbers_changes(scheme, dtype, index):
    """Compiled equals Python on both sides of block 2**32, and in tiles whose rows lie on different sides."""
    edge = 2**32 * (4 if np.dtype(dtype).itemsize <= 4 else 2)  # elements: 8 bytes of either kind take half a block
    shape, part = index(edge, edge // 1030)
    assert_same_bits(scheme.shard(shape, part, dtype, **KEY), scheme.shard(shape, part, dtype, "reference", **KEY))


@of([(Normal(), "float32"), (Normal(), "complex64"), (Uniform(), "float64"), (TruncatedNormal(), "bfloat16"),
     (Sparse(0.5, axis=1), "float32")])
@pytest.mark.parametrize(("shape", "index"), [
    ((2**30, 5, 2**28 - 3), (slice(2**29 + 1, None, -(2**28)), 3, slice(2**27, 2**27 + 9, 2))),
    ((2**53, 4, 4, 8), (slice(-2, None), slice(None), slice(2), slice(5))),
], ids=["steps", "many axes"])
def test_far_shards_on_the_oracle(scheme, dtype, shape, index):
    """Blocks beyond 2**32, and beyond a float64's 53 bits, in tensors of 2**60 elements: compiled equals Python."""
    assert_same_bits(scheme.shard(shape, index, dtype, **KEY),
                     scheme.shard(shape, index, dtype, "reference", **KEY))
