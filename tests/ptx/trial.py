"""A kernel launched with the arguments that the backend makes for it, and its stores compared with the CPU's values."""

from typing import NamedTuple

import numpy as np

from fanin._backends.tasks import DeviceView, copy_arguments, run_arguments, strided_arguments
from fanin._plans.indexing import Block

from .cases import KEY
from .machine import launch
from .memory import Memory
from .offline import flatten

THREADS = 64


class Layout(NamedTuple):
    """An array in a memory of `size` elements, and the elements of the tensor that it is given.

    `steps` are in elements, those of the tensor that lie between neighbours; `places` in elements of the memory.
    """

    size: int
    at: int
    dims: tuple
    places: tuple
    start: int
    steps: tuple


def run(kernel, types, window, blocks, threads=THREADS, only=None):
    """What a contiguous kernel stores for a window: out's address, and (addresses, values) of the stores.

    `blocks` of `threads` threads, as many as there are tasks for when None; `only` some of them are run.
    """
    plan, memory = window.plan, Memory()
    size = plan.storage.itemsize
    address = memory.allocate(window.count * plan.dtype.itemsize, window.shift * size)
    view = DeviceView(address, (window.count,), (plan.dtype.itemsize,), plan.dtype, "cuda:0")
    tasks, (below, _), _, arguments = run_arguments(view, Block(window.start, (window.count,), (1,)), plan.storage,
                                                    plan.parts)
    blocks = -(-tasks // threads) if blocks is None else blocks
    values = address - below * size, *arguments, KEY.words, plan.params, plan.mask_params
    launch(kernel, _flat(types, values), memory, blocks, threads, only)
    return address, memory.written(size)


def run_strided(kernel, types, plan, layout, blocks, rank):
    """What a strided kernel stores, likewise; for out's address the addresses of all elements in C order."""
    memory, item = Memory(), plan.dtype.itemsize
    address = memory.allocate(layout.size * item, 2 * item) + layout.at * item
    view = DeviceView(address, layout.dims, tuple(place * item for place in layout.places), plan.dtype, "cuda:0")
    tasks, (below, _), found, arguments = strided_arguments(view, Block(layout.start, layout.dims, layout.steps),
                                                            plan.storage, plan.parts)
    assert found == rank, "a layout for a kernel of another rank"
    values = address - below * plan.storage.itemsize, *arguments, KEY.words, plan.params, plan.mask_params
    launch(kernel, _flat(types, values), memory, blocks, THREADS)
    return (address + item * offsets(layout.dims, layout.places)).ravel(), memory.written(plan.storage.itemsize)


def run_copy(kernel, types, values, layout, dtype, blocks, rank):
    """What the copying kernel stores of an array that broadcasts to the layout's dims, likewise."""
    memory, dtype = Memory(), np.dtype(dtype)
    storage, item = np.dtype(f"u{min(dtype.itemsize, 8)}"), dtype.itemsize
    address = memory.allocate(layout.size * item) + layout.at * item
    view = DeviceView(address, layout.dims, tuple(place * item for place in layout.places), dtype, "cuda:0")
    tasks, (below, _), found, arguments = copy_arguments(view, values, storage, item // storage.itemsize)
    assert found == rank, "a layout for a kernel of another rank"
    source = memory.load_from(values)
    launch(kernel, _flat(types, (address - below * storage.itemsize, source, *arguments)), memory, blocks, THREADS)
    return (address + item * offsets(layout.dims, layout.places)).ravel(), memory.written(storage.itemsize)


def offsets(dims, steps):
    """Σ i_d·steps[d] for every index i below `dims`."""
    total = np.zeros((), np.int64)
    for dim, step in zip(dims, steps, strict=True):
        total = np.add.outer(total, np.arange(dim) * step)
    return total


def assert_stored(stored, places, expected, parts):
    """The stores are those of `expected`, the numbers of the elements at `places`, each once and nothing else."""
    addresses, values = stored
    wanted = (places[:, None] + expected.itemsize * np.arange(parts)).ravel().astype(np.uint64)
    order = np.argsort(wanted)
    np.testing.assert_array_equal(addresses, wanted[order])
    np.testing.assert_array_equal(values, expected[order])


def _flat(types, values):
    return [scalar for kind, value in zip(types, values, strict=True) for scalar in flatten(kind, value)]
