"""One way to have a large fill's pieces drawn by several threads, which all loops use, whoever the threads are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numba
from numba.extending import register_jitable

from . import cores, layer
from .choice import chosen
from .layer import call as call
from .layer import use_threads as use_threads
from .threads import share as share_among_own

compiled_too = register_jitable  # marks a piece: Python's, and a part of compiled drivers
prange = numba.prange

LEAST, MOST = 2**15, 2**21  # numbers in a piece: 15 µs of work, and a millisecond or a few, for Ctrl-C
SMALL = 2**17  # numbers up to which waking threads costs about as much as it gains


class Pieces(NamedTuple):
    """How a loop's work is cut.

    Attributes:
        piece: piece(loop, i, *arguments) has the loop do piece number i, through `call`. Python and numba run it.
        driver: driver(loop, threads, begin, end, *arguments) does so for begin <= i < end, in a `prange`.
    """

    piece: Callable[..., None]
    driver: Callable[..., None]


def split(numbers: int, multiple: int = 1) -> tuple[int, int]:
    """(threads, numbers of a piece) for a fill of so many numbers; the piece is a multiple of `multiple`."""
    threads = thread_count() if numbers > SMALL else 1
    # a fourth of a thread's share, so that one that is held up can be helped
    size = -(-numbers // (layer.STEP * threads)) if threads > 1 else numbers
    return threads, min(max(LEAST, size + -size % multiple), MOST)


def thread_count() -> int:
    """Threads that share a large fill: what numba, OpenMP and the system allow, and the user has chosen."""
    return 1 if chosen() == "none" else min(layer.thread_limit(), cores.thread_limit())


def share(pieces: Pieces, loop: Any, count: int, threads: int, *arguments: Any) -> None:
    """The loop's pieces 0, …, count - 1, by so many threads at most; returns when nobody is at work.

    After an exception, Ctrl-C above all, the pieces at work are finished and the others left undone: nobody then writes
    into the caller's array any more. The loop must be compiled for these arguments.
    """
    if threads == 1 or count == 1:
        for i in range(count):
            pieces.piece(loop, i, *arguments)
    elif chosen() != "numba" or not layer.share(pieces.driver, pieces.piece, loop, count, threads, arguments):
        share_among_own(lambda i: pieces.piece(loop, i, *arguments), count, threads)
