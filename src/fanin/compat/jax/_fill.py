"""The loops over words, compiled: one for each layout and sampler, shared among threads as in _backends/cpu.py.

Element i of an array takes, in the partitionable layout, x0 ^ x1 of the counter (i >> 32, i). In the original layout
n elements are the first words of the counters (p, half + p), then their second words, for p below half = ceil(n/2).
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._backends.compile import align_stack, compile_loop, ready, sources
from ..._backends.cpu import PIECE, SMALL, thread_count
from ..._backends.threads import share
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


def _fill_partitionable(out: Array, key: Key, which: Sampler, params: tuple[Any, ...]) -> None:
    loop, rest = _loop(partitionable, which), (np.uint32(key[0]), np.uint32(key[1]), params)
    ready(loop, out[:0], out[:0], 0, 0, 0, *rest)

    def work(start: int, stop: int) -> None:
        middle = (start + stop) // 2
        loop(out[start:middle], out[middle:stop], start & LOW, middle & LOW, start >> 32, *rest)

    even = len(out) - len(out) % 2
    _share(work, even)
    if even < len(out):
        _put_first(out, even, loop, even & LOW, 0, even >> 32, *rest)


def _fill_original(out: Array, key: Key, which: Sampler, params: tuple[Any, ...]) -> None:
    loop, rest = _loop(original, which), (np.uint32(key[0]), np.uint32(key[1]), params)
    ready(loop, out[:0], out[:0], 0, 0, *rest)
    pairs, half = len(out) // 2, (len(out) + 1) // 2
    _share(lambda start, stop: loop(out[start:stop], out[half + start:half + stop], start, half, *rest), pairs)
    if half > pairs:  # JAX pads an odd count with a zero counter
        _put_first(out, pairs, loop, pairs, -pairs, *rest)


def _put_first(out: Array, at: int, loop: Any, *arguments: Any) -> None:
    """One number, the first of the two that a loop makes."""
    two = np.empty(2, out.dtype)
    loop(two[:1], two[1:], *arguments)
    out[at] = two[0]


def _share(work: Callable[[int, int], None], count: int) -> None:
    """work(start, stop) for pieces of range(count), by as many threads as are worth their waking.

    Pieces begin at multiples of their size, a power of two, so that none goes past a multiple of 2**32.
    """
    threads = thread_count() if count >= SMALL else 1
    size = min(max(PIECE[0], 1 << (count // (4 * threads)).bit_length()), PIECE[1])
    if count <= size:
        work(0, count)
    else:
        share(lambda i: work(i * size, min(count, (i + 1) * size)), -(-count // size), threads)


@functools.cache
def _loop(function: Any, which: Sampler) -> Any:
    """A loop of this module compiled for one sampler. Its name tells it, and its sources, apart from all others."""
    copy = types.FunctionType(function.__code__, {**globals(), "sampler": which}, function.__name__)
    copy.__module__ = __name__
    copy.__qualname__ = f"{function.__name__}-{which.__name__}-{sources(Path(__file__).parent)}"
    return compile_loop(copy)
