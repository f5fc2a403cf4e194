"""The bytes of a file, a bufferful at a time: what writing writes and verifying compares."""

from typing import NamedTuple

import numpy as np

from .._drawing.execute import materialize_range
from .._plans.plan import is_elementwise
from .._seeding import take_key
from ._draws import Draw

BUFFER = 8 * 2**20  # bytes; fewer leave the disk idle between writes, more gain nothing


class Part(NamedTuple):
    """Elements first, first + 1, … of one tensor, `size` of them, at the byte `at` of a piece."""

    draw: Draw
    first: int
    size: int
    at: int


class Piece(NamedTuple):
    """Bytes of a file, and the tensors, or parts of tensors, that they hold."""

    data: np.ndarray
    parts: list[Part]


def generate(draws, seed, take, head=b""):
    """The bytes `head` and then those of each tensor in order, many small tensors to a piece.

    `take()` gives the array of bytes that the next piece is made in. A piece must be used before its array is given
    again.
    """
    head = np.frombuffer(head, np.uint8)
    buffer, used, parts = take(), 0, []
    while len(head):
        if used == len(buffer):
            yield Piece(buffer, parts)
            buffer, used = take(), 0
        count = min(len(head), len(buffer) - used)
        buffer[used:used + count] = head[:count]
        head, used = head[count:], used + count
    for draw in draws:
        info, size, width = draw.info, draw.info.size, draw.info.numpy_dtype.itemsize
        write, first = _writer(draw, seed), 0
        while first < size:
            count = min(size - first, (len(buffer) - used) // width)
            if not count or used % width:  # full; or a file whose tensors another writer has put in another order
                yield Piece(buffer[:used], parts)
                buffer, used, parts = take(), 0, []
                continue
            write(first, buffer[used:used + count * width].view(info.numpy_dtype))
            parts.append(Part(draw, first, count, used))
            first, used = first + count, used + count * width
    if used:
        yield Piece(buffer[:used], parts)


def _writer(draw, seed):
    """A function (first, out) that writes elements first, first + 1, … of the tensor into 1-D `out`."""
    info = draw.info
    if is_elementwise(draw.plan):
        key = take_key(seed, info.name)
        return lambda first, out: materialize_range(draw.plan, key, first, out)
    made = []  # a matrix comes as a whole or not at all

    def copy(first, out):
        if not made:
            made.append(draw.scheme(info.shape, dtype=info.numpy_dtype, seed=seed, name=info.name).reshape(-1))
        out[...] = made[0][first:first + len(out)]

    return copy
