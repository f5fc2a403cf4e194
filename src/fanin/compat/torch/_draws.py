"""Draws as torch makes them, whole or in part: which words make which numbers, and who makes them.

A draw here is of n numbers in the order of memory. A uniform number takes one word, of float64 two. Normal numbers come
in groups of 16; where n is no multiple of 16, the last 16 are drawn anew, from the words after all others. Fewer than
16, and those of arrays that aren't contiguous, are drawn pair by pair in float64, see _laws.py.
"""

from __future__ import annotations

import functools
import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._backends.threads import share
from ._twister import N

if TYPE_CHECKING:
    from ..._types import Array
    from ._twister import Twister

GROUP = 16
MOST = 2**22  # numbers of a thread between two chances for Ctrl-C: one millisecond or some
WORTH = 2**21  # numbers from which on another thread's jump, a millisecond at most, is worth its while
ROUNDED = 2**15  # numbers of a half type that are in float32 at a time


class Draw:
    """A law with its parameters, for arrays of one dtype.

    Attributes:
        group: numbers that are made together.
        width: words for each.
    """

    group = 1
    loop = ""

    def __init__(self, dtype: np.dtype[Any], *parameters: float) -> None:
        self.dtype = dtype
        self.computing = np.dtype(np.float64 if dtype.itemsize == 8 else np.float32)
        self.width = 2 if dtype.itemsize == 8 else 1
        self.parameters = tuple(self.computing.type(value) for value in parameters)

    def words(self, n: int) -> int:
        """Words that n numbers take."""
        return n * self.width

    def begins(self, n: int) -> int:
        """Numbers before the last ones that are drawn anew; n where none are."""
        return n

    def passed(self, n: int) -> int:
        """Numbers whose words are passed before the last ones are drawn anew."""
        return n

    def write(self, twister: Twister, out: Array) -> None:
        """The next numbers, whole groups of them, in this thread."""
        if out.dtype == self.computing:
            twister.fill(self.loop, out, *self.parameters)
            return
        numbers = np.empty(min(len(out), ROUNDED), self.computing)
        for start in range(0, len(out), ROUNDED):
            part = out[start:start + ROUNDED]
            twister.fill(self.loop, numbers[:len(part)], *self.parameters)
            self.round(numbers[:len(part)], part)

    def round(self, numbers: Array, out: Array) -> None:
        """Round float32 numbers to a half type."""
        out[...] = numbers


class Uniform(Draw):
    """U[low, high)."""

    def __init__(self, dtype: np.dtype[Any], low: float, high: float) -> None:
        super().__init__(dtype)
        low, high = self.computing.type(low), self.computing.type(high)
        self.parameters = low, high - low, high
        self.loop = "uniform_wide" if self.width == 2 else "uniform"

    def round(self, numbers: Array, out: Array) -> None:
        low, _, high = self.parameters
        out[...] = numbers
        bound = out.dtype.type(high)
        if bound:  # as bit patterns, which are compared twenty times as fast; but there are two zeros
            beyond = out.view(np.uint16) == np.array(bound).view(np.uint16)
        else:
            beyond = out == bound
        out[beyond] = out.dtype.type(low)


class Normal(Draw):
    """N(mean, std²), of 16 numbers and more."""

    group = GROUP

    def __init__(self, dtype: np.dtype[Any], mean: float, std: float) -> None:
        super().__init__(dtype, mean, std)
        self.loop = "normal_wide" if self.width == 2 else "normal"

    def words(self, n: int) -> int:
        return (self.passed(n) + (GROUP if n % GROUP else 0)) * self.width

    def begins(self, n: int) -> int:
        return n - GROUP if n % GROUP else n

    def passed(self, n: int) -> int:
        # a half type's incomplete group is not drawn first
        return n - n % GROUP if self.dtype.itemsize == 2 else n


def fill(draw: Draw, twister: Twister, out: Array) -> None:
    """A whole draw into the flat array `out`; the place goes on."""
    whole = len(out) - len(out) % draw.group
    _share(draw, twister, out[:whole])
    if whole < len(out):
        twister.skip((draw.passed(len(out)) - whole) * draw.width)
        draw.write(twister, out[draw.begins(len(out)):])


def fill_part(draw: Draw, twister: Twister, n: int, first: int, out: Array) -> int:
    """Numbers first, first + 1, … of a draw of n that begins at this place, into the flat array `out`.

    The place goes on to the group after them, but not over numbers that are drawn anew. Returns how many numbers it
    went on by: what comes after them is a draw of so many fewer.
    """
    body = max(0, min(len(out), draw.begins(n) - first))
    if body < len(out):
        at = twister.copy()
        at.skip(draw.passed(n) * draw.width)
        start = first + body - draw.begins(n)
        out[body:] = _group(draw, at)[start:start + len(out) - body]
    if not body:
        return 0
    out = out[:body]
    before = first % draw.group
    twister.skip((first - before) * draw.width)
    if before:
        group = _group(draw, twister)[before:before + body]
        out[:len(group)] = group
        out = out[len(group):]
    whole = len(out) - len(out) % draw.group
    _share(draw, twister, out[:whole])
    if whole < len(out):
        out[whole:] = _group(draw, twister)[:len(out) - whole]
    return -(-(first + body) // draw.group) * draw.group


def _group(draw: Draw, twister: Twister) -> Array:
    """The next group."""
    out = np.empty(draw.group, draw.dtype)
    draw.write(twister, out)
    return out


def _share(draw: Draw, twister: Twister, out: Array) -> None:
    """The next numbers, whole groups, by as many threads as are worth it: each jumps to where its share begins."""
    twister.fill(draw.loop, np.empty(0, draw.computing), *draw.parameters)  # compiles, before several threads need it
    threads = _threads(len(out))
    size = len(out) if threads == 1 else _share_size(len(out), draw.width, threads)
    count = -(-len(out) // size) if size else 0
    places = [twister, *(twister.copy() for _ in range(count - 1))]
    share(functools.partial(_write, draw, places, out, size, threading.Event()), count, threads)
    if count > 1:
        twister.block, twister.used = places[-1].block, places[-1].used


def _write(draw: Draw, places: list[Twister], out: Array, size: int, interrupted: threading.Event, i: int) -> None:
    """Share number i, step by step, so that Ctrl-C in one thread ends all of them."""
    try:
        places[i].skip(i * size * draw.width)
        for start in range(i * size, min((i + 1) * size, len(out)), MOST):
            if interrupted.is_set():
                return
            draw.write(places[i], out[start:min(start + MOST, (i + 1) * size)])
    except BaseException:
        interrupted.set()
        raise


def _threads(numbers: int) -> int:
    from ..._backends.sharing import thread_count

    return thread_count() if numbers > WORTH else 1


def _share_size(numbers: int, width: int, threads: int) -> int:
    """Numbers for each thread: an even count of blocks, because one has no whole number of groups of float64."""
    return -(-numbers * width // (threads * 2 * N)) * 2 * N // width
