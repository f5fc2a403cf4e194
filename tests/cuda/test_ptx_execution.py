"""The PTX itself, executed by tests/ptx: what it stores is what the CPU backend draws, to the bit."""

import numpy as np
import pytest

from ptx import text
from ptx.build import RANK, RANKS, draw
from ptx.cases import CASES, Window
from ptx.trial import Layout, assert_stored, offsets, run, run_copy, run_strided

# NVVM has one compiler for 7.5 to 9.0, whose PTX test_ptx.py finds to be equal, and another one from 10.0 on.
DIALECTS = [(7, 5), (10, 0)]
EACH_CASE = pytest.mark.parametrize("case", CASES)
EACH_DIALECT = pytest.mark.parametrize("architecture", DIALECTS, ids=["7.5", "10.0"])


def kernel_of(built, name, architecture):
    return text.parse(built.texts[name, architecture])


@EACH_CASE
@EACH_DIALECT
def test_runs(builds, case, architecture):
    """Whole and odd runs, aligned for vectors or not, from element 3 and from beyond 2**35: the CPU's bits."""
    built = builds[case]
    kernel = kernel_of(built, "run", architecture)
    for window, expected in zip(CASES[case], built.expected, strict=True):
        # one step per thread, and grids that have to walk, and don't divide the work
        for blocks in (None, 1, 3) if window.count < 65_536 else (37,):
            address, stored = run(kernel, built.types["run"], window, blocks)
            places = address + window.plan.dtype.itemsize * np.arange(window.count)
            assert_stored(stored, places, expected, window.plan.parts)
    if window.plan.sampler.__name__ not in UNROLLED:
        assert unreached(kernel) == []


# NVVM unrolls the shortest kernels' loops: most branches of the copies, for an array's ends, can't be taken.
UNROLLED = ("constant", "constant_pair", "word")


def unreached(kernel):
    """Stores and floating-point operations that no thread has come to: nothing was found out about those."""
    return [instruction.text for number, instruction in enumerate(kernel.instructions)
            if number not in kernel.executed and not instruction.opcode.startswith(("mov", "setp"))
            and (instruction.opcode.startswith("st.") or instruction.opcode.endswith(("f32", "f64")))]


# Rows of 64 elements with gaps between them; rows that lie across memory; a shard with steps, both ways; elements
# 2**31 and more apart. All are parts of the case's first window. The two parts of a complex element make an axis.
LAYOUTS = {
    1: {"rows": Layout(32 * 32 * 66, 1, (32, 32, 64), (66, 32 * 66, 1), 3, (2048, 64, 1)),
        "across": Layout(32 * 33 * 64, 33 * 15, (16, 16, 64), (1, -33, 32 * 33), 3, (2048, 64, 1)),
        "steps": Layout(48_000, 60 * 39, (13, 16, 40), (2400, 3, -60), 64_000, (-4800, 96, -2)),
        "far apart": Layout(2**35, 2**34, (3, 5, 7), (2**32 + 3, -(2**31) - 1, 5), 20, (10_000, 1000, 9))},
    2: {"rows": Layout(32 * 32 * 66, 1, (32, 32, 64), (66, 32 * 66, 1), 3, (2048, 64, 1)),
        "across": Layout(65_610, 5, (256, 64), (1, 1025), 3, (64, 1)),
        "steps": Layout(20_800, 80, (208, 40), (100, -2), 64_000, (-300, -2)),
        "far apart": Layout(2**35, 2**34, (3, 5), (2**32 + 3, -(2**31) - 1), 20, (10_000, 1000))},
}


def assert_strided(built, case, kernel, architecture, layout, rank):
    window = CASES[case][0]
    parts = window.plan.parts
    numbers = layout.start + offsets(layout.dims, layout.steps).ravel()
    assert window.start <= numbers.min() <= numbers.max() < window.start + window.count
    expected = built.expected[0].reshape(-1, parts)[numbers - window.start].ravel()

    places, stored = run_strided(kernel_of(built, kernel, architecture), built.types[kernel], window.plan, layout, 37,
                                 rank)

    assert_stored(stored, places, expected, parts)


@EACH_CASE
@EACH_DIALECT
@pytest.mark.parametrize("layout", LAYOUTS[1])
def test_strided_arrays(builds, case, architecture, layout):
    """Transposed, spaced and reversed arrays, shards with steps, far addresses: the CPU's bits, nothing beside them."""
    layout = LAYOUTS[CASES[case][0].plan.parts][layout]
    assert_strided(builds[case], case, "strided", architecture, layout, RANK)


OF_RANK = {
    "normal-float32": {0: Layout(2200, 0, (1100,), (2,), 5, (1,)), 1: Layout(9000, 3, (80, 90), (100, 1), 5, (90, 1)),
                       4: Layout(3000, 0, (3, 5, 2, 7, 9), (9, 600, 30, 1, 61), 5, (2000, 300, 100, 11, 1))},
    "normal-complex64": {3: Layout(3000, 0, (3, 5, 7), (9, 300, 40), 5, (2000, 300, 11))},
}


@EACH_DIALECT
@pytest.mark.parametrize(("case", "rank"), [(case, rank) for case, ranks in RANKS.items() for rank in ranks])
def test_other_ranks(builds, case, rank, architecture):
    """Kernels that locate a row along fewer or more axes."""
    assert_strided(builds[case], case, f"strided{rank}", architecture, OF_RANK[case][rank], rank)


@EACH_DIALECT
@pytest.mark.parametrize("dtype", ["int8", "bfloat16", "float32", "float64", "complex128"])
def test_copies(builds, dtype, architecture):
    """An array's values, broadcast to a transposed array with gaps."""
    import ml_dtypes  # noqa: F401 - names bfloat16 for numpy

    item = np.dtype(dtype).itemsize
    built = builds[f"copy-uint{8 * min(item, 8)}"]
    shape, layout = {
        16: ((97,), Layout(9700, 3, (97,), (99,), 0, ())),  # and its two parts
    }.get(item, ((1, 61), Layout(4000, 3, (43, 61), (1, 50), 0, ())))
    values = np.random.default_rng(0).integers(0, 256, (*shape, item), np.uint8).view(dtype)[..., 0]

    places, stored = run_copy(kernel_of(built, "copy", architecture), built.types["copy"], values, layout, dtype, 7, 2)

    expected = np.ascontiguousarray(np.broadcast_to(values, layout.dims)).reshape(-1).view(f"u{min(item, 8)}")
    assert_stored(stored, places, expected, max(1, item // 8))


@EACH_DIALECT
@pytest.mark.parametrize("case", ["uniform_clamped-float16", "normal-float32", "normal-complex128", "sparse-bfloat16"])
def test_more_than_2_31_elements(builds, case, architecture):
    """The first, some middle and the last threads of an array of 2**31 + 5 elements, which begins at an odd number."""
    built, plan, threads = builds[case], CASES[case][2].plan, 128
    lanes = 16 // max(4, plan.storage.itemsize)
    window = Window(plan, 2**35 + 7, 2**31 + 5, 3)
    skip = window.start * plan.parts % lanes
    blocks = -(-(window.count * plan.parts + skip) // (lanes * threads))
    only = [0, blocks // 2 + 1, blocks - 1]

    address, (addresses, values) = run(kernel_of(built, "run", architecture), built.types["run"], window, blocks,
                                       threads, only)

    numbers = np.concatenate([np.arange(b * threads * lanes, (b + 1) * threads * lanes) - skip for b in only])
    numbers = numbers[(numbers >= 0) & (numbers < window.count * plan.parts)]
    np.testing.assert_array_equal(addresses, (address + plan.storage.itemsize * numbers).astype(np.uint64))
    assert numbers[-1] >= 2**31 + 4
    breaks = np.flatnonzero(np.diff(numbers) > 1) + 1
    for piece, stored in zip(np.split(numbers, breaks), np.split(values, breaks), strict=True):
        first, last = piece[0] // plan.parts, piece[-1] // plan.parts
        expected = draw(Window(plan, window.start + int(first), int(last - first) + 1, 0))
        np.testing.assert_array_equal(stored, expected[piece[0] - first * plan.parts:][:len(piece)])
