"""Streaming draws into safetensors files: constant memory, and complete files or none.

One buffer is filled again and again and written at its place (on 6 GiB that took half the time of a memory map). Files
are written under temporary names beside their final ones and renamed together once all are on the disk.
"""

import errno
import os
import secrets
import shutil
from typing import NamedTuple

import numpy as np

from .._errors import FaninRuntimeError, FaninValueError
from .._execute import materialize_range
from .._plan import MatrixPlan
from .._seeding import take_key
from .header import encode, file_order
from .rules import Draw

BUFFER = 16 * 2**20  # bytes; larger ones gain nothing


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
    by_info = {draw.info: draw for draw in draws}
    tensors = file_order(by_info)
    return File(path, encode(tensors, metadata), [by_info[info] for info in tensors])


def write(files, seed, index=None, progress=lambda nbytes: None):
    """Write all `files`, and `index`, a (path, text), after them. An error or an interrupt leaves none of them.

    Args:
        files: what `lay_out` returns, in one folder, which is made if its parent exists.
        seed: an int in [0, 2**64); every tensor is keyed by it and its own name.
        progress: called with each number of bytes just written.

    Raises:
        FaninRuntimeError: the disk has too little space; checked before anything is written.
    """
    folder = os.path.dirname(files[0].path)
    existing = folder if os.path.isdir(folder) else os.path.dirname(folder)
    needed, free = sum(file.nbytes for file in files), shutil.disk_usage(existing).free
    if needed > free:
        raise FaninRuntimeError(f"{folder} must have {needed} bytes free ({free} are): choose another folder, or write "
                                "fewer tensors with --shard")
    buffer = np.empty(BUFFER, np.uint8)
    with _Staged(folder) as staged:  # the folder is made here
        for file in files:
            with staged.create(file.path, file.nbytes) as put:
                put(file.header)
                progress(len(file.header))
                for draw in file.draws:
                    for piece in _pieces(draw, seed, buffer):
                        put(piece)
                        progress(piece.nbytes)
        if index is not None:
            path, text = index
            with staged.create(path, 0) as put:
                put(text.encode())


def _pieces(draw, seed, buffer):
    """A tensor's bytes in order, a bufferful at a time."""
    info = draw.info
    if isinstance(draw.plan, MatrixPlan):  # its elements come together or not at all
        whole = draw.scheme(info.shape, dtype=info.numpy_dtype, seed=seed, name=info.name)
        whole = whole.reshape(-1).view(np.uint8)
        yield from (whole[start:start + len(buffer)] for start in range(0, len(whole), len(buffer)))
        return
    key, dtype = take_key(seed, info.name), info.numpy_dtype
    at_once = len(buffer) // dtype.itemsize
    for start in range(0, info.size, at_once):
        piece = buffer[:min(at_once, info.size - start) * dtype.itemsize]
        materialize_range(draw.plan, key, start, piece.view(dtype))
        yield piece


def check_target(path, folder):
    """The absolute path to write to, links followed; `folder` says whether it is to be a folder of files."""
    path = os.path.realpath(path)
    if os.path.exists(path):
        if folder and not os.path.isdir(path):
            raise FaninValueError(f"`-o` must be a folder for several files ({path} is a file)")
        if not folder and not os.path.isfile(path):
            raise FaninValueError(f"`-o` must be a file's name ({path} is {_kind(path)})")
    parent = path if folder and os.path.isdir(path) else os.path.dirname(path)
    if not os.path.isdir(parent):
        raise FaninValueError(f"`-o` must be in a folder that exists ({parent} does not)")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise FaninValueError(f"`-o` must be in a folder that may be written to ({parent} may not)")
    return path


def _kind(path):
    return "a folder" if os.path.isdir(path) else "a device or a pipe"


def _write_at(descriptor, data, offset):
    if hasattr(os, "pwrite"):
        return os.pwrite(descriptor, data, offset)
    return os.write(descriptor, data)  # Windows; every write here follows the one before, so the position is right


class _Put:
    """An open file under its temporary name: calling it appends bytes; leaving it puts them on the disk."""

    def __init__(self, path, size):
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        self.descriptor, self.offset = os.open(path, flags, 0o666), 0
        if size and hasattr(os, "posix_fallocate"):
            try:
                os.posix_fallocate(self.descriptor, 0, size)
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
                    os.close(self.descriptor)
                    raise
                # else the file system cannot reserve space: the writes themselves will claim it

    def __call__(self, data):
        data = memoryview(data)
        while data:
            written = _write_at(self.descriptor, data, self.offset)  # at most 2 GiB at a time on Linux
            self.offset += written
            data = data[written:]

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        try:
            if kind is None:
                os.fsync(self.descriptor)
        finally:
            os.close(self.descriptor)


class _Staged:
    """Files under temporary names in one folder; all get their final names at the end, or all are removed."""

    def __init__(self, folder):
        self.folder, self.names, self.made_folder = folder, [], False

    def create(self, path, size):
        temporary = os.path.join(self.folder, f".{os.path.basename(path)}.{secrets.token_hex(6)}.tmp")
        self.names.append((temporary, path))  # before it exists, so that no interrupt can leave it behind
        return _Put(temporary, size)

    def __enter__(self):
        if not os.path.isdir(self.folder):
            os.mkdir(self.folder)
            self.made_folder = True
        return self

    def __exit__(self, kind, error, trace):
        try:
            if kind is None:
                for temporary, path in self.names:
                    os.replace(temporary, path)
                self._sync()
        finally:
            for temporary, _ in self.names:
                if os.path.exists(temporary):
                    os.unlink(temporary)
            if kind is not None and self.made_folder:
                os.rmdir(self.folder)

    def _sync(self):
        if os.name == "posix":  # elsewhere a folder cannot be opened, and renaming is durable by itself
            descriptor = os.open(self.folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
