"""The loops around a block function, as plain Python that cpu.py compiles.

`block`, `NUMBERS` and the functions below are globals of a copy of each loop, made for one block function by
`specialize`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._kernels.philox import HALF, HIGH, LOW, M0, philox_pairs
from .copies import with_globals
from .tiles import BLOCKS, LANES, choose_tile, count, list_blocks, scatter

if TYPE_CHECKING:
    from collections.abc import Callable

block: Any = None  # the block function, of a specialized copy
number_of: Any = None  # a word's number, as it is stored, where each is made of its own word
NUMBERS = 4  # numbers in a block: 4, or 2 when they are 8 bytes wide
LONG = 512  # numbers of a row from which its blocks are better made in its own memory than in a tile's
SPAN = 2**32  # blocks whose numbers share their high word
ONE: Any = np.int64(1)  # of a plain 1 numba compiles a function anew, for that number
GROUP = 128  # blocks made and stored at a time: with many more, stores come in bursts that the loop waits for


def store(out: Any, at: int, values: Any) -> None:
    """Write a block's numbers."""
    if NUMBERS == 4:
        out[at], out[at + 1], out[at + 2], out[at + 3] = values
    else:
        out[at], out[at + 1] = values


def align_stack() -> None:
    """A place for an instruction to the compiler: see compile.py."""


def scratch() -> Any:
    """Room for the words of a group: as pairs of words, and as the words that a number is made of. See compile.py."""


def fill_blocks(out: Any, start: Any, count: int, key: Any, params: Any, mask_params: Any) -> None:
    """The numbers of `count` blocks from block `start` on: all four at once, interleaved as they are stored.

    The blocks share their numbers' high word. It is told apart, so that LLVM takes what is made of it alone out of the
    loop: a tenth of Philox.
    """
    align_stack()
    k0, k1, s0, s1 = unsigned(key)
    high = start & HIGH
    for b in range(count):
        number = high | ((start + np.uint64(b)) & LOW)
        store(out, b * NUMBERS, block(number, k0, k1, s0, s1, params, mask_params))


def run_words(out: Any, first: int, key: Any, params: Any, mask_params: Any) -> None:
    """Numbers first, first + 1, … into all of the 1-D `out`, where each number has its word.

    A group's words in the order of the array, then number by number. Pairs of words take a third of the shuffling that
    four numbers take (issue 3: truncated draws 15 % faster, uniform ones up to 8 %). A group ends at a multiple of
    GROUP, so that its blocks share their numbers' high word.
    """
    align_stack()
    k0, k1, s0, s1 = unsigned(key)
    pairs, words = scratch()
    count, start, skip, done = len(out), first // NUMBERS, first % NUMBERS, 0
    while done < count:
        room = GROUP - start % GROUP
        made = min(room * NUMBERS - skip, count - done)
        # a whole number of vectors: blocks left over would be made one by one
        blocks = min(GROUP, ((skip + made + NUMBERS - 1) // NUMBERS + LANES - 1) // LANES * LANES)
        number = np.uint64(start)
        product, high = M0 * (number & LOW), number >> HALF
        for i in range(blocks):
            pairs[2 * i], pairs[2 * i + 1] = philox_pairs(product, high, s0, s1, k0, k1)
            product += M0
        part = out[done:done + made]
        for i in range(made):
            part[i] = number_of(words[skip + i], params)
        start, skip, done = start + room, 0, done + made


def unsigned(key: Any) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    """The key's four words as uint64: of Python ints numba makes int64, and any operation with one stays signed."""
    k0, k1, s0, s1 = key
    return np.uint64(k0), np.uint64(k1), np.uint64(s0), np.uint64(s1)


def run(out: Any, first: int, key: Any, params: Any, mask_params: Any) -> None:
    """Numbers first, first + 1, … into all of the 1-D `out`: whole blocks in place, and parts of one at the ends."""
    count = len(out)
    head = min(count, -first % NUMBERS)
    tail = (count - head) % NUMBERS
    ends = np.empty(NUMBERS if head + tail else 0, out.dtype)
    if head:
        fill_blocks(ends, np.uint64(first // NUMBERS), ONE, key, params, mask_params)
        for j in range(head):
            out[j] = ends[first % NUMBERS + j]
    start, done, end = (first + head) // NUMBERS, head, count - tail
    while done < end:
        blocks = min((end - done) // NUMBERS, SPAN - start % SPAN)
        fill_blocks(out[done:end], np.uint64(start), blocks, key, params, mask_params)
        start, done = start + blocks, done + blocks * NUMBERS
    if tail:
        fill_blocks(ends, np.uint64((first + count) // NUMBERS), ONE, key, params, mask_params)
        for j in range(tail):
            out[end + j] = ends[j]


def fill_listed(numbers: Any, blocks: Any, listed: int, key: Any, params: Any, mask_params: Any) -> None:
    """The numbers of so many listed blocks, one block after the other; the blocks share their high word."""
    align_stack()
    k0, k1, s0, s1 = unsigned(key)
    high = blocks[0] & HIGH
    for b in range(listed):
        store(numbers, b * NUMBERS, block(high | (blocks[b] & LOW), k0, k1, s0, s1, params, mask_params))


def list_words(numbers: Any, blocks: Any, listed: int, key: Any, params: Any, mask_params: Any) -> None:
    """`fill_listed` where each number has its word: see `run_words`."""
    align_stack()
    k0, k1, s0, s1 = unsigned(key)
    pairs, words = scratch()
    high = blocks[0] >> HALF
    for begin in range(0, listed, GROUP):
        group = blocks[begin:listed]
        made = min(GROUP, listed - begin)
        for i in range(made):
            pairs[2 * i], pairs[2 * i + 1] = philox_pairs(M0 * (group[i] & LOW), high, s0, s1, k0, k1)
        part = numbers[begin * NUMBERS:]
        for i in range(made * NUMBERS):
            part[i] = number_of(words[i], params)


def fill_strided(out: Any, origin: int, first: int, dims: Any, number_steps: Any, out_steps: Any, key: Any,
                 params: Any, mask_params: Any) -> None:
    """Number first + Σ i_d·number_steps[d] into out[origin + Σ i_d·out_steps[d]] for every index i below `dims`.

    There are two axes at least. Number steps are positive and descend, and the last is 1: see tiles.py.
    """
    rank, room = len(dims), BLOCKS + LANES
    axes: Any = np.empty((3, rank), np.int64)
    tile, nearest, box = axes[0], axes[1], axes[2]
    blocks, numbers = np.empty(room, np.uint64), np.empty(room * NUMBERS, out.dtype)
    sources, places = np.empty(BLOCKS, np.uint64), np.empty(BLOCKS, np.uint64)
    in_place = out_steps[rank - 1] == 1 and dims[rank - 1] >= LONG
    choose_tile(tile, nearest, dims, out_steps)
    if in_place:  # a row at a time
        tile[:rank - 1], tile[rank - 1] = 1, dims[rank - 1]
    for d in range(rank):
        box[d] = (dims[d] + tile[d] - 1) // tile[d]
    for task in range(count(box, rank)):
        left, n, at, reach = task, first, origin, 0
        for d in nearest:  # tiles that are neighbours in memory come one after the other
            tiles = (dims[d] + tile[d] - 1) // tile[d]
            start = left % tiles * tile[d]
            left //= tiles
            n, at, box[d] = n + start * number_steps[d], at + start * out_steps[d], min(tile[d], dims[d] - start)
            reach += (box[d] - 1) * number_steps[d]
        if in_place:
            run(out[at:at + box[rank - 1]], n, key, params, mask_params)
            continue
        listed = list_blocks(blocks, sources, places, n, at, box, number_steps, out_steps)
        same_high = np.uint64(n // NUMBERS) >> HALF == np.uint64((n + reach) // NUMBERS) >> HALF
        together = listed if same_high else 1
        for b in range(0, listed, together):
            fill_listed(numbers[b * NUMBERS:], blocks[b:], together, key, params, mask_params)
        scatter(out, places, numbers, sources, box, out_steps, nearest[0] == rank - 1)


def specialize(block: Callable[..., Any], number_of: Callable[..., Any] | None, wide: bool,
               compile_inline: Callable[..., Any], compile_call: Callable[..., Any], **replaced: Any) -> dict[str, Any]:
    """What loops for one block function find among their globals, with the functions that they call compiled.

    `number_of` is None where numbers are made of more than a word. `replaced` has a target's own versions of what are
    only places here, align_stack and scratch, and the functions of tiles.py as it compiled them, which no block
    function is a part of.
    """
    scope: dict[str, Any] = {"block": block, "number_of": number_of, "NUMBERS": 2 if wide else 4, **replaced}
    # in this order: each finds among its globals those that it calls
    for helper in (store, unsigned):
        scope[helper.__name__] = compile_inline(with_globals(helper, helper.__name__, **scope))
    # called, not inlined: each holds a copy of the block function, which costs a second to compile for a long one
    for called in (fill_blocks, run, run_words, fill_listed, list_words):
        scope[called.__name__] = compile_call(with_globals(called, called.__name__, **scope))
    if number_of is not None:
        scope["run"], scope["fill_listed"] = scope["run_words"], scope["list_words"]
    return scope


def loop(function: Callable[..., None], scope: dict[str, Any], label: str) -> Callable[..., None]:
    """A copy of `run`, `run_words` or `fill_strided` over specialized globals; `label` tells it from all others."""
    return with_globals(function, f"{function.__name__}-{label}", **scope)
