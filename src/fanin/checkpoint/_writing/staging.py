"""Files under temporary names: complete and on the disk before they get their own, and removed if they don't.

A writer holds a lock on its temporary file for as long as it lives. So a later run can tell what a killed one has left
(nobody holds the lock) from what another is writing. Where a file system has no locks nothing is removed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .. import _direct as direct

if TYPE_CHECKING:
    from typing import Self

    from ..._types import Array

fcntl: Any
try:
    import fcntl
except ImportError:  # Windows, where an open file can't be removed at all
    fcntl = None

_NO_SPACE = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)


class Staged:
    """A new file for `path`, `size` bytes long: `write` appends, `finish` gives it its name, leaving it removes it."""

    def __init__(self, path: str, size: int = 0) -> None:
        self.path, self._size, self._offset, self._direct = path, size, 0, False
        self.temporary: Any = None
        self._descriptor: Any = None

    def __enter__(self) -> Self:
        try:
            while self._descriptor is None:
                self._create()
            _reserve(self._descriptor, self._size)
            self._direct = self._size >= direct.FROM and direct.switch(self._descriptor, True)
        except OSError as error:
            error.filename = self.path
            self.__exit__()
            raise
        except BaseException:
            self.__exit__()
            raise
        return self

    def _create(self) -> None:
        folder, name = os.path.split(self.path)
        self.temporary = os.path.join(folder, f".{name}.{secrets.token_hex(6)}.tmp")
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        self._descriptor = os.open(self.temporary, flags, 0o666)
        if fcntl:
            with contextlib.suppress(OSError):  # no locks here; `remove_leftovers` sees the same
                fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        if not os.path.exists(self.temporary):  # taken for a leftover in the moment before it was locked
            self._close()

    def write(self, data: bytes | Array) -> None:
        """Append bytes."""
        rest = memoryview(data) if isinstance(data, bytes) else data.data
        while rest:
            if self._direct and not direct.is_aligned(rest, self._offset):  # the file's end
                self._direct = direct.switch(self._descriptor, False)
            try:
                written = _write_at(self._descriptor, rest, self._offset)  # at most 2 GiB at a time on Linux
            except OSError as error:
                if self._direct and error.errno == errno.EINVAL:  # it wants another alignment
                    self._direct = direct.switch(self._descriptor, False)
                    continue
                error.filename = self.path  # a full disk has no name of its own
                raise
            self._offset += written
            rest = rest[written:]

    def finish(self) -> None:
        """Put the bytes on the disk, then the file in its place.

        Raises:
            FileNotFoundError: somebody has removed the temporary file.
        """
        os.fsync(self._descriptor)
        if not fcntl:
            self._close()  # Windows renames closed files only; elsewhere the lock is held until there is no such name
        os.replace(self.temporary, self.path)
        sync_folder(os.path.dirname(self.path))

    def _close(self) -> None:
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            os.close(descriptor)

    def __exit__(self, *error: object) -> None:
        try:
            if fcntl and self.temporary is not None:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self.temporary)
        finally:
            self._close()
        if not fcntl and self.temporary is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.temporary)


def _write_at(descriptor: int, data: memoryview, offset: int) -> int:
    if hasattr(os, "pwrite"):
        return os.pwrite(descriptor, data, offset)
    return os.write(descriptor, data)  # Windows; every write here follows the one before, so the position is right


def _reserve(descriptor: int, size: int) -> None:
    """Claim the file's space where the file system can: that the disk is too small is known before the writing."""
    if not size:
        return
    try:
        if sys.platform == "linux":
            _fallocate(descriptor, size)
        elif hasattr(os, "posix_fallocate"):
            os.posix_fallocate(descriptor, 0, size)
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise
        # else the writes themselves will claim it


def _fallocate(descriptor: int, size: int) -> None:
    """Linux's system call. Where a file system lacks it, posix_fallocate writes to every block: NFS moves all twice."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    call = getattr(libc, "fallocate64", None) or libc.fallocate
    call.argtypes = ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64
    if call(descriptor, 0, 0, size):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def remove_leftovers(folder: str, is_ours: Callable[[str], bool]) -> None:
    """Remove what killed runs left in `folder` on the way to the files whose names `is_ours` says yes to."""
    for entry in os.listdir(folder):
        temporary = re.fullmatch(r"\.(.+)\.[0-9a-f]{12}\.tmp", entry)
        if temporary and is_ours(temporary[1]):
            _remove_leftover(os.path.join(folder, entry))


def _remove_leftover(path: str) -> None:
    with contextlib.suppress(OSError):  # it is somebody else's, or gone, or on a file system without locks
        if not fcntl:
            os.unlink(path)
            return
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(path)
        finally:
            os.close(descriptor)


def sync_folder(folder: str) -> None:
    """Put the names in a folder on the disk."""
    if os.name == "posix":  # elsewhere a folder cannot be opened, and renaming is durable by itself
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
