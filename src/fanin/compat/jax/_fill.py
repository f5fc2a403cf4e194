"""The loops over words, compiled: one for each layout and sampler, shared among threads as in _backends/cpu.py.

Element i of an array takes, in the partitionable layout, x0 ^ x1 of the counter (i >> 32, i). In the original layout
n elements are the first words of the counters (p, half + p), then their second words, for p below half = ceil(n/2).
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._backends.compile import align_stack, compile_loop, ready, sources
from ..._backends.copies import with_globals
from ..._backends.sharing import Pieces, call, compiled_too, prange, share, split, use_threads
from ._keys import LOW, split_key
from ._threefry import threefry

if TYPE_CHECKING:
    from ..._types import Array, Sampler
    from ._keys import Key

BLOCK = 2**32 - 1  # numbers that one key makes in the original layout, whose counter has 32 bits

sampler: Any = None  # of a specialized copy of the loops


def partitionable(front: Array, back: Array, first: int, second: int, high: int, k0: Any, k1: Any,
                  params: tuple[Any, ...]) -> None:
    """Numbers high·2**32 + first, … into `front`, high·2**32 + second, … into `back`, as long.

    Two streams, because one alone leaves the processor waiting for its own results.
    """
    align_stack()
    here, there, upper = np.uint32(first), np.uint32(second), np.uint32(high)
    for j in range(len(front)):
        x0, x1 = threefry(k0, k1, upper, np.uint32(here + np.uint32(j)))
        y0, y1 = threefry(k0, k1, upper, np.uint32(there + np.uint32(j)))
        front[j] = sampler(np.uint32(x0 ^ x1), *params)
        back[j] = sampler(np.uint32(y0 ^ y1), *params)


def original(front: Array, back: Array, first: int, half: int, k0: Any, k1: Any, params: tuple[Any, ...]) -> None:
    """First words of the counters (p, half + p), p = first, first + 1, …, into `front`, second words into `back`."""
    align_stack()
    low, high = np.uint32(first), np.uint32(half + first)
    for j in range(len(front)):
        x0, x1 = threefry(k0, k1, np.uint32(low + np.uint32(j)), np.uint32(high + np.uint32(j)))
        front[j] = sampler(x0, *params)
        back[j] = sampler(x1, *params)


def fill(out: Array, key: Key, which: Sampler, params: tuple[Any, ...] = ()) -> None:
    """Write the draws of `key` to the contiguous `out`, of which(word, *params) each."""
    out = out.reshape(-1)
    if key.partitionable:
        _fill_partitionable(out, key, which, params)
    elif len(out) < BLOCK:
        _fill_original(out, key, which, params)
    else:
        blocks, rest = divmod(len(out), BLOCK)
        for b, block_key in enumerate(split_key(key, blocks + 1)):
            start = b * BLOCK
            _fill_original(out[start:start + (BLOCK if b < blocks else rest)], block_key, which, params)


# Pieces begin at multiples of their size, a power of two, so that none goes past a multiple of 2**32.


@compiled_too
def _partitionable_piece(loop: Any, i: int, size: int, out: Array, k0: Any, k1: Any, params: tuple[Any, ...]) -> None:
    start = i * size
    stop = min(start + size, len(out))
    middle = (start + stop) // 2
    call(loop, out[start:middle], out[middle:stop], start & LOW, middle & LOW, start >> 32, k0, k1, params)


def _partitionable_pieces(loop: Any, threads: int, begin: int, end: int, size: int, out: Array, k0: Any, k1: Any,
                          params: tuple[Any, ...]) -> None:
    before = use_threads(threads)
    for i in prange(begin, end):
        _partitionable_piece(loop, i, size, out, k0, k1, params)
    use_threads(before)


def _fill_partitionable(out: Array, key: Key, which: Sampler, params: tuple[Any, ...]) -> None:
    loop, rest = _loop(partitionable, which), (np.uint32(key[0]), np.uint32(key[1]), params)
    ready(loop, out[:0], out[:0], 0, 0, 0, *rest)
    even = len(out) - len(out) % 2
    _share(Pieces(_partitionable_piece, _partitionable_pieces), loop, even, out[:even], *rest)
    if even < len(out):
        _put_first(out, even, loop, even & LOW, 0, even >> 32, *rest)


@compiled_too
def _original_piece(loop: Any, i: int, size: int, front: Array, back: Array, half: int, k0: Any, k1: Any,
                    params: tuple[Any, ...]) -> None:
    start = i * size
    call(loop, front[start:start + size], back[start:start + size], start, half, k0, k1, params)


def _original_pieces(loop: Any, threads: int, begin: int, end: int, size: int, front: Array, back: Array, half: int,
                     k0: Any, k1: Any, params: tuple[Any, ...]) -> None:
    before = use_threads(threads)
    for i in prange(begin, end):
        _original_piece(loop, i, size, front, back, half, k0, k1, params)
    use_threads(before)


def _fill_original(out: Array, key: Key, which: Sampler, params: tuple[Any, ...]) -> None:
    loop, rest = _loop(original, which), (np.uint32(key[0]), np.uint32(key[1]), params)
    ready(loop, out[:0], out[:0], 0, 0, *rest)
    pairs, half = len(out) // 2, (len(out) + 1) // 2
    _share(Pieces(_original_piece, _original_pieces), loop, pairs, out[:pairs], out[half:], half, *rest)
    if half > pairs:  # JAX pads an odd count with a zero counter
        _put_first(out, pairs, loop, pairs, -pairs, *rest)


def _put_first(out: Array, at: int, loop: Any, *arguments: Any) -> None:
    """One number, the first of the two that a loop makes."""
    two = np.empty(2, out.dtype)
    loop(two[:1], two[1:], *arguments)
    out[at] = two[0]


def _share(pieces: Pieces, loop: Any, count: int, *arguments: Any) -> None:
    """The loop for all of range(count), by as many threads as are worth their waking."""
    threads, size = _cut(count)
    share(pieces, loop, -(-count // size), threads, size, *arguments)


def _cut(count: int) -> tuple[int, int]:
    """(threads, numbers of a piece)."""
    threads, size = split(count)
    return threads, 1 << (size - 1).bit_length()


@functools.cache
def _loop(function: Any, which: Sampler) -> Any:
    """A loop of this module compiled for one sampler. Its name tells it, and its sources, apart from all others."""
    name = f"{function.__name__}-{which.__name__}-{sources(Path(__file__).parent)}"
    return compile_loop(with_globals(function, name, sampler=which))
