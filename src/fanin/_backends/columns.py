"""Zeros for a sparse draw, in memory where a normal draw stands: plain Python that cpu.py compiles.

`kept` of masks.py tells of one element whether its column leaves its row out. Here up to 64 columns are asked together,
each a bit of the marks that rows have. A column leaves out the rows that its permutation takes below `zeros`: where all
rows of a column are wanted, or most, it is quicker to go backwards, from the fewer images to their rows.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .._kernels.masks import COLUMNS
from .._kernels.permutation import ONE, PAIRS, STEP0, STEP1, two_rounds, two_rounds_back
from .._kernels.philox import HALF, LOW, philox
from .tiles import count

WIDTH = 64  # columns in a tile
ALIGNED = 32  # lanes that are permuted are a multiple of this
LANES = 256  # numbers that are permuted together: in vectors, and in the L1 cache
SPAN = 2**18  # rows that have marks at a time: 2 MB

# of a plain 1 or True numba would compile `permute` anew, for that value
NEXT, FORWARDS, BACKWARDS = np.int64(1), np.int64(0), np.int64(1)

Integers = NDArray[np.int64]
Marks = NDArray[np.uint64]
Words = NDArray[np.uint32]
Number: TypeAlias = int | np.int64


def permute(lanes: Words, columns: int, x: Number, step: Number, many: int, width: Number, full_rows: Number,
            last_width: Number, backwards: Number) -> None:
    """The images of `many` numbers x, x + step, … by the permutations of so many columns, or what they are images of.

    Lane j·columns + c takes number j for column c, and the first word of `lanes` is then its image. The third to the
    sixth are the column's key; the first two are the row and the column in the grid of permutation.py meanwhile.
    """
    row, column, down, right = x // width, x % width, step // width, step % width
    for j in range(many):
        for c in range(columns):
            lanes[j * columns + c], lanes[LANES + j * columns + c] = row, column
        row, column = row + down, column + right
        if column >= width:
            row, column = row + 1, column - width
    used = (many * columns + ALIGNED - 1) // ALIGNED * ALIGNED
    grid = np.uint32(width), np.uint32(full_rows), np.uint32(last_width)
    if backwards == BACKWARDS:
        for pair in range(PAIRS - 1, -1, -1):
            turned0, turned1 = np.uint32(np.uint32(2 * pair) * STEP0), np.uint32(np.uint32(2 * pair) * STEP1)
            for i in range(used):
                k0, k1 = np.uint32(lanes[2 * LANES + i] + turned0), np.uint32(lanes[3 * LANES + i] + turned1)
                lanes[i], lanes[LANES + i] = two_rounds_back(
                    lanes[i], lanes[LANES + i], k0, k1, lanes[4 * LANES + i], lanes[5 * LANES + i], *grid)
    else:
        for pair in range(PAIRS):
            turned0, turned1 = np.uint32(np.uint32(2 * pair) * STEP0), np.uint32(np.uint32(2 * pair) * STEP1)
            for i in range(used):
                k0, k1 = np.uint32(lanes[2 * LANES + i] + turned0), np.uint32(lanes[3 * LANES + i] + turned1)
                lanes[i], lanes[LANES + i], _, _ = two_rounds(
                    lanes[i], lanes[LANES + i], k0, k1, lanes[4 * LANES + i], lanes[5 * LANES + i], *grid)
    for i in range(used):
        lanes[i] = np.uint32(np.uint32(lanes[i] * grid[0]) + lanes[LANES + i])


def set_keys(lanes: Words, numbers: Marks, columns: int, key: Any) -> None:
    """The keys of so many columns with those numbers, for all lanes."""
    k0, k1, s0, s1 = key
    words = np.empty(4 * WIDTH, np.uint32)
    for c in range(WIDTH):
        w0, w1, w2, w3 = philox(numbers[c], (numbers[c] >> HALF) | COLUMNS, np.uint64(s0), np.uint64(s1),
                                np.uint64(k0), np.uint64(k1))
        words[c], words[WIDTH + c] = np.uint32((w0 & LOW) | ONE), np.uint32(w1 & LOW)
        words[2 * WIDTH + c], words[3 * WIDTH + c] = np.uint32(w2 & LOW), np.uint32(w3 & LOW)
    for word in range(4):
        for j in range(LANES // columns):
            for c in range(columns):
                lanes[(2 + word) * LANES + j * columns + c] = words[word * WIDTH + c]


def mark(marks: Marks, lanes: Words, columns: int, first: Number, rows: int, step: Number, mask_params: Any) -> None:
    """Bit c of marks[i·step]: whether column c keeps row first + i·step, for i < rows."""
    height, zeros, width = np.int64(mask_params[2]), np.int64(mask_params[4]), np.int64(mask_params[5])
    full_rows, last_width = np.int64(mask_params[7]), np.int64(mask_params[8])
    span, each = (rows - 1) * step + 1, LANES // columns
    marks[:span] = ~np.uint64(0)
    if min(zeros, height - zeros) >= rows:
        for start in range(0, rows, each):
            many: Any = min(each, rows - start)
            permute(lanes, columns, first + start * step, step, many, width, full_rows, last_width, FORWARDS)
            for j in range(many):
                for c in range(columns):
                    if lanes[j * columns + c] < zeros:
                        marks[(start + j) * step] ^= ONE << np.uint64(c)
        return
    begin, end = np.int64(0), zeros
    if zeros > height - zeros:
        marks[:span] = np.uint64(0)
        begin, end = zeros, height
    for start in range(begin, end, each):
        many = min(each, end - start)
        permute(lanes, columns, start, NEXT, many, width, full_rows, last_width, BACKWARDS)
        for j in range(many):
            for c in range(columns):
                row = np.uint64(np.int64(lanes[j * columns + c]) - first)
                if row < np.uint64(span):
                    marks[row] ^= ONE << np.uint64(c)


def clear(out: NDArray[Any], places: Integers, columns: int, rows: int, step: int, out_step: int,
          marks: Marks) -> None:
    """Zero what the marks leave out, row after row or column after column: as they lie in memory."""
    zero = out.dtype.type(0)
    side_by_side = places[columns - 1] - places[0] == columns - 1
    for c in range(1, columns):
        side_by_side &= places[c] - places[c - 1] == 1
    if side_by_side:
        for i in range(rows):
            kept, at = marks[i * step], np.uint64(places[0] + i * out_step)
            for c in range(columns):
                position = at + np.uint64(c)
                out[position] = out[position] if kept >> np.uint64(c) & ONE else zero
    elif out_step == 1 and step == 1:
        for c in range(columns):
            at, bit = np.uint64(places[c]), np.uint64(c)
            for i in range(rows):
                position = at + np.uint64(i)
                out[position] = out[position] if marks[np.uint64(i)] >> bit & ONE else zero
    else:
        for i in range(rows):
            for c in range(columns):
                position = np.uint64(places[c] + i * out_step)
                out[position] = out[position] if marks[i * step] >> np.uint64(c) & ONE else zero


def clear_columns(out: NDArray[Any], origin: int, first: int, dims: Integers, number_steps: Integers,
                  out_steps: Integers, key: Any, params: Any, mask_params: Any) -> None:
    """Zero the elements first + Σ i_d·number_steps[d], at out[origin + Σ i_d·out_steps[d]], that are not `kept`.

    The last axis is that of the rows, the others those of the columns.
    """
    last = len(dims) - 1
    inner, height = np.int64(mask_params[0]), np.int64(mask_params[2])
    row, row_step = first // inner % height, number_steps[last] // inner
    rows_at_a_time = (SPAN - 1) // row_step + 1
    marks = np.empty(min((dims[last] - 1) * row_step + 1, SPAN), np.uint64)
    lanes, numbers, places = np.empty(6 * LANES, np.uint32), np.empty(WIDTH, np.uint64), np.empty(WIDTH, np.int64)
    total = count(dims, last)
    for tile in range(0, total, WIDTH):
        columns = min(WIDTH, total - tile)
        for c in range(columns):
            left, n, at = tile + c, first, origin
            for d in range(last - 1, -1, -1):
                n, at = n + left % dims[d] * number_steps[d], at + left % dims[d] * out_steps[d]
                left //= dims[d]
            numbers[c], places[c] = n // (inner * height) * inner + n % inner, at
        set_keys(lanes, numbers, columns, key)
        for start in range(0, dims[last], rows_at_a_time):
            rows = min(rows_at_a_time, dims[last] - start)
            mark(marks, lanes, columns, row + start * row_step, rows, row_step, mask_params)
            clear(out, places, columns, rows, row_step, out_steps[last], marks)
            for c in range(columns):
                places[c] += rows * out_steps[last]


FUNCTIONS = (permute, set_keys, mark, clear, clear_columns)  # each before those that call it
