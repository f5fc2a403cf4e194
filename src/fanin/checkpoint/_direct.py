"""Writing and reading past the page cache (O_DIRECT), where the system can.

A large file would go through the cache page by page, which takes the kernel longer than the disk, pushes out what other
programs have there, and when written is waited for in the end by fsync: here that was a third of the rate.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from typing import Self

    from .._types import Array

fcntl: Any
try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

FROM = 256 * 2**20  # bytes of a file; smaller ones may well be read again soon, from the cache
ALIGNMENT = 4096  # of addresses, offsets and lengths: the largest block that disks ask for


def aligned(size: int) -> Array:
    """A new array of bytes, at an address that direct writes may start from."""
    memory = np.empty(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start:start + size]


def is_aligned(data: memoryview, offset: int) -> bool:
    """Whether bytes in memory may be written directly at an offset of the file."""
    return not (np.frombuffer(data, np.uint8).ctypes.data % ALIGNMENT or len(data) % ALIGNMENT or offset % ALIGNMENT)


def switch(descriptor: int, on: bool) -> bool:
    """Switch direct writing of an open file on or off; returns whether it is on now. Not all file systems have it."""
    if fcntl is None or not hasattr(os, "O_DIRECT"):
        return False
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | os.O_DIRECT if on else flags & ~os.O_DIRECT)
    except OSError:
        return False
    return on


class Reader:
    """A file that is read from front to back, into memory of its own."""

    def __init__(self, path: str | os.PathLike[str], most: int) -> None:
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115  (__exit__ closes it)
        self._memory = aligned(most + 2 * ALIGNMENT)
        self._direct = os.fstat(self._file.fileno()).st_size >= FROM and switch(self._file.fileno(), True)

    def read(self, offset: int, count: int) -> Array:
        """Bytes offset, offset + 1, …, `count` of them, at most `most`; they stay until the next call.

        Raises:
            EOFError: the file ends before.
        """
        before = offset % ALIGNMENT
        wanted = self._memory.data[:-(-(before + count) // ALIGNMENT) * ALIGNMENT]
        have = 0
        while have < before + count:
            if self._direct and have:  # a part was read: the rest begins anywhere
                self._direct = switch(self._file.fileno(), False)
            self._file.seek(offset - before + have)
            try:
                got = self._file.readinto(wanted[have:])
            except OSError as error:
                if not self._direct or error.errno != errno.EINVAL:
                    raise
                self._direct = switch(self._file.fileno(), False)  # it wants another alignment
                continue
            if not got:
                raise EOFError
            have += got
        return self._memory[before:before + count]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()
