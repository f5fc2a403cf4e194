"""The bytes of a file, a bufferful at a time: what writing writes and verifying compares."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .._drawing.execute import materialize_range
from .._plans.plan import is_elementwise
from .._seeding import take_key
from ..rules import Row

if TYPE_CHECKING:
    from .._types import Array

BUFFER = 8 * 2**20  # bytes; fewer leave the disk idle between writes, more gain nothing


class Part(NamedTuple):
    """Elements first, first + 1, … of one tensor, `size` of them, at the byte `at` of a piece."""

    row: Row
    first: int
    size: int
    at: int


class Piece(NamedTuple):
    """Bytes of a file, and the tensors, or parts of tensors, that they hold."""

    data: Array
    parts: list[Part]


def generate(rows: Iterable[Row], seed: int, free_buffer: Callable[[], Array], header: bytes = b"") -> Iterator[Piece]:
    """The bytes of `header` and then those of each tensor in order, many small tensors to a piece.

    `free_buffer()` gives the array of bytes that the next piece is made in. A piece must be used before its array is
    given again.
    """
    rest = np.frombuffer(header, np.uint8)
    buffer, used, parts = free_buffer(), 0, []
    while len(rest):
        if used == len(buffer):
            yield Piece(buffer, parts)
            buffer, used = free_buffer(), 0
        count = min(len(rest), len(buffer) - used)
        buffer[used:used + count] = rest[:count]
        rest, used = rest[count:], used + count
    for row in rows:
        dtype, size = row.parameter.dtype, math.prod(row.parameter.shape)
        write, first = _writer(row, seed), 0
        while first < size:
            count = min(size - first, (len(buffer) - used) // dtype.itemsize)
            # full; or numbers at an odd place, in a file whose tensors another writer has put in another order
            if not count or used % dtype.itemsize:
                yield Piece(buffer[:used], parts)
                buffer, used, parts = free_buffer(), 0, []
                continue
            end = used + count * dtype.itemsize
            write(first, buffer[used:end].view(dtype))
            parts.append(Part(row, first, count, used))
            first, used = first + count, end
    if used:
        yield Piece(buffer[:used], parts)


def _writer(row: Row, seed: int) -> Callable[[int, Array], None]:
    """A function (first, out) that writes elements first, first + 1, … of the tensor into 1-D `out`."""
    name, shape, dtype, _ = row.parameter
    if is_elementwise(row.plan):
        key = take_key(seed, name)
        return lambda first, out: materialize_range(row.plan, key, first, out)
    whole = None  # a matrix comes as a whole or not at all

    def copy(first: int, out: Array) -> None:
        nonlocal whole
        if whole is None:
            assert row.scheme is not None
            whole = row.scheme(shape, dtype=dtype, seed=seed, name=name).reshape(-1)
        out[...] = whole[first:first + len(out)]

    return copy
