"""The GPU's kernels as the plain functions that they are: which thread writes which number where, on any machine.

A block function that returns its own numbers stands in for the stream, so that what is written says which number was
put there. The threads of a grid run one after another.
"""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanin._backends import grid
from fanin._backends.tasks import DeviceView, copy_arguments, lanes, run_arguments, strided_arguments
from fanin._plans import indexing
from fanin._plans.indexing import Block

NOTHING = -1
STORAGES = {"float32": np.dtype("f4"), "float64": np.dtype("f8")}  # four and two numbers in a block
KEY = (np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(4))


class Memory:
    """Numbers by position; each may be written once, and vectors only at multiples of their length."""

    def __init__(self, address, span, storage):
        below, count = span
        self.numbers = np.full(count, NOTHING, np.int64)
        self.first = address // storage.itemsize - below
        self.vectors = 0

    def write(self, out, at, value):
        assert out is self
        assert 0 <= at < len(self.numbers)
        assert self.numbers[at] == NOTHING, "written twice"
        self.numbers[at] = value

    def write_block(self, out, at, values):
        assert (self.first + at) % len(values) == 0, "not aligned"
        self.vectors += 1
        for lane, value in enumerate(values):
            self.write(out, at + lane, value)


def launch(kernel, memory, storage, threads, rank, *arguments):
    """Run a kernel with so many threads in all."""
    wide = lanes(storage)

    def block(b, k0, k1, s0, s1, params, mask_params):
        assert (k0, k1, s0, s1) == KEY and params == ("p",) and mask_params == ()
        assert type(b) is np.uint64
        return tuple(int(b) * wide + lane for lane in range(wide))

    for thread in range(threads):
        cuda = SimpleNamespace(grid=lambda axes, t=thread: t, gridsize=lambda axes: threads)
        run = grid.specialize(kernel, rank, block=block, NUMBERS=wide, cuda=cuda, write=memory.write,
                              write_block=memory.write_block, read=lambda values, at: values[at])
        run(memory, *arguments)


def draw(view, block, storage, parts, threads):
    """The memory that a launch writes, and the index of the view's element 0 in it."""
    run = run_arguments(view, block, storage, parts)
    tasks, span, rank, arguments = run or strided_arguments(view, block, storage, parts)
    memory = Memory(view.address, span, storage)
    launch(grid.fill_run if run else grid.fill_strided, memory, storage, threads, rank, *arguments, KEY, ("p",), ())
    assert tasks > 0
    return memory, span[0]


def expected(view, block, storage, parts, memory, origin):
    """What the memory should hold, by brute force."""
    wanted = np.full_like(memory.numbers, NOTHING)
    for index in np.ndindex(*view.shape):
        number = parts * (block.start + sum(i * step for i, step in zip(index, block.steps)))
        at = origin + sum(i * stride for i, stride in zip(index, view.strides)) // storage.itemsize
        wanted[at:at + parts] = np.arange(number, number + parts)
    return wanted


@st.composite
def layouts(draw):
    """(shape of the whole, index, strides in elements of an array for the block): axes in any order, gaps, reversed."""
    shape = draw(st.lists(st.integers(1, 9), max_size=4).map(tuple))
    index = tuple(draw(st.one_of(
        st.integers(0, dim - 1),
        st.builds(slice, st.integers(0, dim - 1), st.none(), st.sampled_from([None, 1, 2, 3])),
        st.builds(slice, st.none(), st.none(), st.sampled_from([-1, -2]))) if draw(st.booleans()) else st.just(
            slice(None))) for dim in shape)
    axes = indexing.parse(index, shape)
    result = indexing.result_shape(axes)
    strides, step = [0] * len(result), 1
    for axis in draw(st.permutations(range(len(result)))):
        step *= draw(st.sampled_from([1, 1, 1, 2, 3]))
        strides[axis] = step * draw(st.sampled_from([1, 1, 1, -1]))
        step *= result[axis]
    return shape, axes, result, tuple(strides)


@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("storage", STORAGES.values(), ids=STORAGES)
@given(layout=layouts(), shift=st.integers(0, 5), threads=st.sampled_from([1, 3, 8]))
@settings(max_examples=80, deadline=None)
def test_each_number_goes_to_its_place_once(storage, parts, layout, shift, threads):
    """Any block of any tensor into any strides: all its numbers, each once, and nothing beside them."""
    shape, axes, result, strides = layout
    size = storage.itemsize * parts
    view = DeviceView(2**40 + shift * storage.itemsize, result, tuple(stride * size for stride in strides),
                      np.dtype(f"V{size}"), "cuda:0")
    block = indexing.block(axes, shape)

    memory, origin = draw(view, block, storage, parts, threads)

    np.testing.assert_array_equal(memory.numbers, expected(view, block, storage, parts, memory, origin))


@pytest.mark.parametrize("storage", STORAGES.values(), ids=STORAGES)
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 8, 31])
@pytest.mark.parametrize("start", [0, 1, 2, 3, 7, 2**33 + 1, 2**61 - 40])
@pytest.mark.parametrize("shift", [0, 1, 2, 3])
def test_runs_from_any_start_at_any_address(storage, start, count, shift):
    """Odd heads and tails, block numbers beyond 2**32, and vectors wherever the address allows them."""
    view = DeviceView(2**33 + shift * storage.itemsize, (count,), (storage.itemsize,), storage, "cuda:0")

    memory, _ = draw(view, Block(start, (count,), (1,)), storage, 1, 2)

    np.testing.assert_array_equal(memory.numbers, np.arange(start, start + count))
    wide = lanes(storage)
    whole = (start + count) // wide - -(-start // wide)  # blocks that lie inside
    assert memory.vectors == (max(whole, 0) if (shift - start) % wide == 0 else 0)


def test_rows_of_whole_blocks_are_written_as_vectors():
    """The strided kernel, too, writes a block with one instruction where its row is contiguous and aligned."""
    storage = np.dtype("f4")
    view = DeviceView(2**33, (5, 8), (48, 4), storage, "cuda:0")

    memory, _ = draw(view, Block(0, (5, 8), (8, 1)), storage, 1, 3)

    assert memory.vectors == 10


def test_neighbouring_threads_write_neighbouring_memory():
    """Into a transposed array the tasks run along the memory, not along the numbers: each store is coalesced."""
    storage = np.dtype("f4")
    view = DeviceView(2**33, (32, 64), (4, 128), storage, "cuda:0")

    tasks, _, _, arguments = strided_arguments(view, Block(0, (32, 64), (64, 1)), storage, 1)

    inner, rows_inside = arguments[2], arguments[4]
    assert (inner, rows_inside) == (32, True)
    assert tasks == 32 * 16


@pytest.mark.parametrize(("start", "step", "pieces"), [(0, 64, 16), (2, 64, 17), (1, 64, 17), (0, 66, 17), (4, 68, 16)])
def test_no_thread_is_idle_where_rows_begin_with_a_block(start, step, pieces):
    """A row of 64 numbers touches 17 blocks of four where it begins within one, else 16."""
    storage = np.dtype("f4")
    view = DeviceView(2**33, (32, 64), (4, 128), storage, "cuda:0")

    tasks, *_ = strided_arguments(view, Block(start, (32, 64), (step, 1)), storage, 1)

    assert tasks == 32 * pieces


def test_what_no_store_can_reach_is_refused():
    """Strides that are no multiples of a number's size have no layout."""
    view = DeviceView(2**33, (5,), (6,), np.dtype("f4"), "cuda:0")

    assert strided_arguments(view, Block(0, (5,), (1,)), np.dtype("f4"), 1) is None
    assert copy_arguments(view, np.zeros(5, "f4"), np.dtype("u4"), 1) is None


@given(layout=layouts(), data=st.data())
@settings(max_examples=80, deadline=None)
def test_an_array_is_broadcast(layout, data):
    """An array's elements reach all the places that numpy's broadcasting gives them."""
    _, _, shape, strides = layout
    storage = np.dtype("u4")
    lead = data.draw(st.integers(0, len(shape)))
    kept = tuple(data.draw(st.sampled_from([1, dim])) for dim in shape[lead:])
    values = np.arange(int(np.prod(kept)), dtype=storage).reshape(kept)
    view = DeviceView(2**33, shape, tuple(4 * stride for stride in strides), storage, "cuda:0")

    _, span, rank, arguments = copy_arguments(view, values, storage, 1)
    memory = Memory(view.address, span, storage)
    launch(grid.copy_strided, memory, storage, 3, rank, values.reshape(-1), *arguments)

    wanted = np.full_like(memory.numbers, NOTHING)
    for index in np.ndindex(*shape):
        wanted[span[0] + sum(i * stride for i, stride in zip(index, strides))] = np.broadcast_to(values, shape)[index]
    np.testing.assert_array_equal(memory.numbers, wanted)
