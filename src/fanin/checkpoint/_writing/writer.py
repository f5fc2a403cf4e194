"""Streaming draws into one safetensors file: constant memory, and the file complete under its name or not there.

One buffer is filled while a thread writes the last one (`pwrite` took half the time of a memory map on 6 GiB). A file
gets its name once it is on the disk, so whatever stands under that name is whole.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import NamedTuple

from ...rules import Row
from .._format import bytes_of, encode, file_position
from .._pieces import generate
from .._worker import Worker
from .existing import check_existing
from .staging import Staged


class File(NamedTuple):
    """One file to be: where, the bytes before its data, and its tensors in the file's order."""

    path: str
    header: bytes
    rows: list[Row]

    @property
    def nbytes(self) -> int:
        """The size of the whole file."""
        return len(self.header) + sum(bytes_of(row.parameter) for row in self.rows)


def lay_out(path: str, rows: Iterable[Row], metadata: dict[str, str]) -> File:
    """The file that holds the tensors of `rows`, ordered as the official writer orders them."""
    rows = sorted(rows, key=lambda row: file_position(row.parameter))
    return File(path, encode([row.parameter for row in rows], metadata), rows)


def is_written(file: File) -> bool:
    """Whether the file is there, whole and the same: the header, seed, rules and versions included, and the size.

    No run of fanin leaves a file under its final name that has these and other data.
    """
    try:
        with open(file.path, "rb") as there:
            return os.fstat(there.fileno()).st_size == file.nbytes and there.read(len(file.header)) == file.header
    except FileNotFoundError:
        return False


def write(file: File, seed: int, progress: Callable[[int], object] | None = None, overwrite: bool = True) -> None:
    """Write one file. An error or an interrupt leaves nothing of it, and an older one of that name as it was.

    Args:
        file: what `lay_out` returns, in a folder that exists.
        seed: an int in [0, 2**64); every tensor is keyed by it and its own name.
        progress: called with each number of bytes just written.
        overwrite: whether a file with other contents, which may have come meanwhile, is replaced and not an error.
    """
    with Staged(file.path, file.nbytes) as staged:
        with Worker(lambda piece: staged.write(piece.data), progress) as worker:
            for piece in generate(file.rows, seed, worker.free_buffer, file.header):
                worker.submit(piece)
        check_existing({file.path: is_written(file)}, (), overwrite)
        _finish(staged, lambda: is_written(file))


def write_text(path: str, text: str, attempts: int = 3) -> None:
    """Write a small file in the same way."""
    try:
        with Staged(path) as staged:
            staged.write(text.encode())
            _finish(staged, lambda: holds(path, text))
    except FileNotFoundError:  # as in `_finish`, and the other has not finished
        if attempts == 1:
            raise
        write_text(path, text, attempts - 1)


def holds(path: str, text: str) -> bool:
    """Whether a file is there with just this text."""
    data = text.encode()
    try:
        with open(path, "rb") as file:
            return file.read(len(data) + 1) == data
    except FileNotFoundError:
        return False


def _finish(staged: Staged, is_there: Callable[[], bool]) -> None:
    try:
        staged.finish()
    except FileNotFoundError:
        # On a network file system whose locks end at each machine, another that writes the same file may take this
        # one's for a leftover: no harm once that other has finished.
        if not is_there():
            raise
