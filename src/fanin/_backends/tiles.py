"""Numbers on their way into memory of any layout, a tile at a time: plain Python that is compiled with the loops.

The array is seen as rows of consecutive numbers: its last axis has number step 1 (and length 1, where no axis has), the
axes before have larger steps. A tile is a box of it, small enough for the cache and otherwise as long as can be: in the
numbering, so that blocks are used whole, and in memory, so that cache lines are. Its numbers are made in the order of
the stream, each block once, and then scattered.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

NUMBERS = 4  # numbers in a block, of a specialized copy: see loops.py
BLOCKS = 1024  # blocks in a tile, at most: their numbers take 16 KB, half of an L1 cache
SIDE = 64  # numbers that a tile is to have side by side, in the numbering and in memory, before it grows further
LANES = 16  # a multiple of the blocks that the loop which makes them takes at a time

Integers = NDArray[np.int64]
Places = NDArray[np.uint64]  # of type uint64, since numba tests each signed index for being negative


def row_blocks(length: int) -> int:
    """Blocks that a row of so many numbers touches, at most."""
    return (length - 2) // NUMBERS + 2


def choose_tile(tile: Integers, nearest: Integers, dims: Integers, out_steps: Integers) -> None:
    """The size of a tile of an array of those dims, and the axes by their steps in memory, the smallest first."""
    rank = len(dims)
    in_the_numbering = np.empty(rank, np.int64)
    for d in range(rank):
        tile[d], in_the_numbering[d] = 1, rank - 1 - d
        place = d
        while place > 0 and abs(out_steps[nearest[place - 1]]) > abs(out_steps[d]):
            nearest[place] = nearest[place - 1]
            place -= 1
        nearest[place] = d
    grow(tile, dims, in_the_numbering, SIDE)
    grow(tile, dims, nearest, SIDE)
    grow(tile, dims, in_the_numbering, BLOCKS * NUMBERS)


def grow(tile: Integers, dims: Integers, order: Integers, side: int) -> None:
    """Lengthen a tile along axes, in that order, until it has `side` numbers along them or its blocks are too many."""
    last = len(dims) - 1
    numbers = 1
    for d in order:
        rows = count(tile, last) // (tile[d] if d < last else 1)  # of the tile, were it of length 1 along this axis
        blocks = BLOCKS // rows
        most = (blocks - 2) * NUMBERS + 2 if d == last else blocks // row_blocks(tile[last])
        tile[d] = max(tile[d], min(dims[d], most, (side + numbers - 1) // numbers))
        if tile[d] < dims[d]:
            break
        numbers *= tile[d]


def count(box: Integers, axes: int) -> int:
    """Indices along the first so many axes of a box."""
    product = 1
    for d in range(axes):
        product *= box[d]
    return product


def list_blocks(blocks: Places, sources: Places, places: Places, n: int, at: int, box: Integers,
                number_steps: Integers, out_steps: Integers) -> int:
    """List the blocks that a box touches, and return how many they are; number n, at position `at`, is its first.

    For each row, also where its first number stands among theirs, and its position in the array.
    """
    last = len(box) - 1
    length, rows, step = box[last], box[last - 1], number_steps[last - 1]
    index = np.zeros(last, np.int64)
    listed, latest = 0, np.int64(-1)
    for strip in range(count(box, last - 1)):  # a strip: the rows along one axis
        block, lane = n // NUMBERS, n % NUMBERS
        listed -= block == latest  # the strip before has put it there
        each = row_blocks(length) if step % NUMBERS else (lane + length - 1) // NUMBERS + 1
        if step < each * NUMBERS:  # rows share blocks: all from the first to the last
            made, source = (lane + (rows - 1) * step + length - 1) // NUMBERS + 1, listed * NUMBERS + lane
            for b in range(made):
                blocks[listed + b] = block + b
            for row in range(rows):
                sources[strip * rows + row] = source + row * step
        else:  # so many for each row
            made = rows * each
            for b in range(each):
                for row in range(rows):
                    blocks[listed + row * each + b] = (n + row * step) // NUMBERS + b
            for row in range(rows):
                sources[strip * rows + row] = (listed + row * each) * NUMBERS + (n + row * step) % NUMBERS
        for row in range(rows):
            places[strip * rows + row] = at + row * out_steps[last - 1]
        listed += made
        latest = np.int64(blocks[listed - 1])  # signed as `block` is: numba compares mixed types as float64
        for d in range(last - 2, -1, -1):  # to the next strip, as an odometer counts
            n, at, index[d] = n + number_steps[d], at + out_steps[d], index[d] + 1
            if index[d] < box[d]:
                break
            n, at, index[d] = n - box[d] * number_steps[d], at - box[d] * out_steps[d], 0
    for b in range(-listed % LANES):  # a whole number of vectors: blocks left over would be made one by one
        blocks[listed + b] = latest
    return listed + -listed % LANES


def scatter(out: NDArray[Any], places: Places, numbers: NDArray[Any], sources: Places, box: Integers,
            out_steps: Integers, by_rows: bool) -> None:
    """Put the numbers of a tile in their positions, row after row or column after column: as they lie in memory."""
    last = len(box) - 1
    rows, length, step = count(box, last), box[last], out_steps[last]
    if by_rows:
        across_strips = last > 1 and abs(out_steps[last - 2]) < abs(out_steps[last - 1])
        apart = box[last - 1] if across_strips else 1  # in the list, of rows that are neighbours in memory
        for first in range(apart):
            for row in range(first, rows, apart):
                at, source = places[np.uint64(row)], sources[np.uint64(row)]
                if step != 1:
                    for j in range(length):
                        out[at + np.uint64(j * step)] = numbers[source + np.uint64(j)]
                elif length == 2:  # a complex element, above all: a loop would take longer
                    out[at], out[at + np.uint64(1)] = numbers[source], numbers[source + np.uint64(1)]
                else:  # vectors can be stored
                    for j in range(length):
                        out[at + np.uint64(j)] = numbers[source + np.uint64(j)]
    else:
        for j in range(length):
            for row in range(rows):
                out[places[row] + np.uint64(j * step)] = numbers[sources[row] + np.uint64(j)]


FUNCTIONS = (row_blocks, count, grow, choose_tile, list_blocks, scatter)  # each before those that call it
