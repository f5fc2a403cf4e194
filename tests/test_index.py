"""Shard indices against numpy's basic indexing, on shapes small enough to exist and far too large to."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanin import FaninError, Normal, Uniform
from fanin._plans.indexing import block, boxes, parse, result_shape, whole, within

shapes = st.lists(st.integers(0, 6), max_size=4).map(tuple)
bounds = st.none() | st.integers(-9, 9)
slices = st.builds(slice, bounds, bounds, st.none() | st.integers(-4, 4).filter(bool))


@st.composite
def indexed_shapes(draw):
    """A shape, and a valid basic index into it."""
    shape = draw(shapes)
    items = [draw(slices | st.integers(-dim, dim - 1) if dim else slices) for dim in shape]
    cut = draw(st.integers(0, len(items)))
    if draw(st.booleans()):  # an Ellipsis for some run of axes, which may be empty
        stop = draw(st.integers(cut, len(items)))
        items = [*items[:cut], Ellipsis, *items[stop:]]
    else:
        items = items[:cut]
    index = tuple(items)
    return shape, index[0] if len(index) == 1 and draw(st.booleans()) else index


def numbers(made):
    """The element numbers of a block, as an array of its shape."""
    at = np.full(made.dims, made.start)
    for axis, step in enumerate(made.steps):
        at += step * np.arange(made.dims[axis]).reshape((-1, *[1] * (len(made.dims) - axis - 1)))
    return at


@given(indexed_shapes())
def test_a_block_is_numpys_view(case):
    """The block's element numbers are those that numpy's indexing picks from arange(size).reshape(shape)."""
    shape, index = case
    wanted = np.asarray(np.arange(math.prod(shape)).reshape(shape)[index])

    axes = parse(index, shape)

    assert result_shape(axes) == wanted.shape
    assert np.array_equal(numbers(block(axes, shape)), wanted)


@given(indexed_shapes())
def test_axes_list_their_positions(case):
    """Each axis' indices() are the positions that numpy keeps along it."""
    shape, index = case
    axes = parse(index, shape)

    picked = np.arange(math.prod(shape)).reshape(shape)[np.ix_(*(axis.indices() for axis in axes))] if shape else None

    if picked is not None:
        assert np.array_equal(picked.reshape(result_shape(axes)), np.arange(math.prod(shape)).reshape(shape)[index])


@given(shapes)
def test_the_whole_is_everything_in_order(shape):
    """whole(shape) is the index `...`: elements 0, 1, 2, … in C order."""
    assert whole(shape) == parse(..., shape) == parse((), shape)
    assert np.array_equal(numbers(block(whole(shape), shape)).ravel(), np.arange(math.prod(shape)))


@pytest.mark.parametrize("index", [np.int64(2), np.array(2), np.uint8(2), slice(np.int64(1), np.int32(3))])
def test_numpys_ints_are_ints(index):
    """Anything with __index__ works where an int does."""
    wanted = np.asarray(np.arange(5)[index])

    assert np.array_equal(numbers(block(parse(index, (5,)), (5,))), wanted)


@pytest.mark.parametrize(("index", "shape", "error", "words"), [
    (5, (5,), IndexError, ["axis 0", "size 5", "5"]),
    (-6, (5,), IndexError, ["axis 0", "-6"]),
    ((0, 7), (5, 7), IndexError, ["axis 1", "size 7"]),
    (0, (0,), IndexError, ["axis 0", "size 0"]),
    (0, (), IndexError, ["at most 0", "()"]),
    ((1, 2, 3), (5, 7), IndexError, ["at most 2", "got 3"]),
    ((..., 1, ...), (5, 7), IndexError, ["Ellipsis"]),
    ((..., 1, 2, 3), (5, 7), IndexError, ["at most 2"]),
    (slice(0, 4, 0), (5,), ValueError, ["step", "slice(0, 4, 0)"]),
    (slice(0.0, 4), (5,), TypeError, ["slice(0.0, 4"]),
    (slice("a"), (5,), TypeError, ["'a'"]),
    (1.0, (5,), TypeError, ["1.0"]),
    ("1", (5,), TypeError, ["'1'"]),
    (None, (5,), TypeError, ["None"]),
    (True, (5,), TypeError, ["True"]),
    (np.bool_(True), (5,), TypeError, ["True"]),
    ([1, 2], (5,), TypeError, ["[1, 2]"]),
    (np.array([1, 2]), (5,), TypeError, ["array([1, 2])"]),
    ((slice(None), None), (5, 7), TypeError, ["None"]),
])
def test_refused_indices(index, shape, error, words):
    """What numpy refuses, and what only its advanced indexing takes, is a one-line error that names `index`."""
    with pytest.raises(FaninError) as raised:
        Uniform().shard(shape, index, seed=0)

    assert isinstance(raised.value, error)
    assert "`index`" in str(raised.value) and "\n" not in str(raised.value)
    for word in words:
        assert word in str(raised.value)


def test_shapes_need_not_fit_into_memory():
    """Element 2**33 + 5 of a (2**34,) tensor is the same whichever block it comes in."""
    shape, at = (2**34,), 2**33 + 5
    one = Normal().shard(shape, at, seed=0, name="w")

    assert one == Normal().shard(shape, slice(at - 3, at + 3), seed=0, name="w")[3]
    assert one == Normal().shard(shape, slice(-1, 0, -(2**33) + 6), seed=0, name="w")[1]
    assert one == Normal().shard((2**17, 2**17), (2**16, 5), seed=0, name="w")


@given(st.lists(st.integers(1, 2**20), min_size=1, max_size=3).map(tuple), st.data())
def test_huge_blocks_count_in_exact_integers(shape, data):
    """Element numbers are exact far above 2**53."""
    position = tuple(data.draw(st.integers(0, dim - 1)) for dim in shape)

    made = block(parse(position, shape), shape)

    assert (made.start, made.dims, made.steps) == (int(np.ravel_multi_index(position, shape)), (), ())


# -- parts of a tensor ------------------------------------------------------------------------------------------------


@given(indexed_shapes(), st.data())
def test_what_a_selection_has_of_a_box(case, data):
    """`within` cuts a selection to a box: where in the selection, which elements of the whole, which of the box."""
    shape, index = case
    ends = [sorted(data.draw(st.tuples(st.integers(0, dim), st.integers(0, dim)))) for dim in shape]
    tensor = np.arange(math.prod(shape)).reshape(shape)
    box = tensor[tuple(slice(*pair) for pair in ends)]
    axes, selected = parse(index, shape), np.asarray(tensor[index])

    found = within(axes, tuple(low for low, _ in ends), box.shape)

    inside = np.isin(selected, box)
    if found is None:
        assert not inside.any()
        return
    places, in_whole, in_box = found
    assert inside[places].all() and inside[places].size == inside.sum() > 0
    assert np.array_equal(numbers(block(in_whole, shape)), selected[places])
    assert np.array_equal(box.reshape(-1)[numbers(block(in_box, box.shape))], selected[places])


@given(shapes.filter(math.prod), st.data())
def test_a_range_as_boxes(shape, data):
    """Elements start to stop in C order are a few boxes, 2·rank - 1 at the most, one after another."""
    start, stop = sorted(data.draw(st.tuples(*[st.integers(0, math.prod(shape))] * 2)))

    found = list(boxes(shape, start, stop - start))

    elements = [numbers(block(axes, shape)).reshape(-1) for axes in found]
    assert np.array_equal(np.concatenate([[], *elements]), np.arange(start, stop))
    assert len(found) <= max(1, 2 * len(shape) - 1)
    assert all(0 not in result_shape(axes) for axes in found)


def test_a_range_far_out():
    """Numbers of elements are Python's: nothing overflows, and the boxes are as few."""
    shape, start = (2**20, 3, 2**30), 2**51 + 2**29
    sizes = [result_shape(axes) for axes in boxes(shape, start, 2**33)]

    assert sum(math.prod(size) for size in sizes) == 2**33 and len(sizes) <= 5
