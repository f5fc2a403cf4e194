"""Streaming draws into safetensors files: constant memory, and each file complete under its name or not there.

One buffer is filled while a thread writes the last one (`pwrite` took half the time of a memory map on 6 GiB). A file
gets its name once it is on the disk, so whatever stands under that name is whole.
"""

import os
from typing import NamedTuple

from .. import _pieces
from .._draws import Draw
from .._header import encode, file_order
from .behind import Behind
from .staging import Staged


class File(NamedTuple):
    """One file to be: where, the bytes before its data, and its tensors in the file's order."""

    path: str
    header: bytes
    draws: list[Draw]

    @property
    def nbytes(self):
        return len(self.header) + sum(draw.info.nbytes for draw in self.draws)


def lay_out(path, draws, metadata):
    """The file that holds `draws`, ordered as the official writer orders them."""
    by_name = {draw.info.name: draw for draw in draws}
    tensors = file_order([draw.info for draw in draws])
    return File(path, encode(tensors, metadata), [by_name[info.name] for info in tensors])


def is_written(file):
    """Whether the file is there, whole and the same: the header, seed, rules and versions included, and the size.

    No run of fanin leaves a file under its final name that has these and other data.
    """
    try:
        with open(file.path, "rb") as there:
            return os.fstat(there.fileno()).st_size == file.nbytes and there.read(len(file.header)) == file.header
    except FileNotFoundError:
        return False


def write(file, seed, progress=lambda nbytes: None):
    """Write one file. An error or an interrupt leaves nothing of it, and an older one of that name as it was.

    Args:
        file: what `lay_out` returns, in a folder that exists.
        seed: an int in [0, 2**64); every tensor is keyed by it and its own name.
        progress: called with each number of bytes just written.
    """
    with Staged(file.path, file.nbytes) as staged:
        with Behind(lambda piece: staged.write(piece.data), progress) as behind:
            for piece in _pieces.generate(file.draws, seed, behind.take, file.header):
                behind.give(piece)
        _finish(staged, lambda: is_written(file))


def write_text(path, text, attempts=3):
    """Write a small file in the same way."""
    try:
        with Staged(path) as staged:
            staged.write(text.encode())
            _finish(staged, lambda: holds(path, text))
    except FileNotFoundError:  # as in `_finish`, and the other has not finished
        if attempts == 1:
            raise
        write_text(path, text, attempts - 1)


def holds(path, text):
    """Whether a file is there with just this text."""
    data = text.encode()
    try:
        with open(path, "rb") as file:
            return file.read(len(data) + 1) == data
    except FileNotFoundError:
        return False


def _finish(staged, is_there):
    try:
        staged.finish()
    except FileNotFoundError:
        # On a network file system whose locks end at each machine, another that writes the same file may take this
        # one's for a leftover: no harm once that other has finished.
        if not is_there():
            raise
