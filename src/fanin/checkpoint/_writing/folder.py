"""The place to write to: what may stand there already, what is removed, and what may not stand beside it."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Callable, Collection

from ..._errors import FaninRuntimeError, FaninValueError
from .._index import is_model_file
from .staging import sync_folder
from .writer import File, holds, is_written


def is_folder(output: str, for_loaders: bool) -> bool:
    """Whether `output` means a folder, into which a single file goes, too.

    It does where a folder is there, with a separator at its end, and `for_loaders`, which look into folders, with a
    name that has no suffix.
    """
    ends = (os.sep, os.altsep or os.sep)
    return os.path.isdir(output) or output.endswith(ends) or for_loaders and not _suffix(output)


def check_suffix(output: str, suffix: str, what: str) -> None:
    """Refuse a file's name whose suffix tells readers that it is something else than what is written."""
    if _suffix(output) not in ("", suffix):
        raise FaninValueError(f"`output` must end in {suffix}, since {what} is written (got {output!r}): give "
                              f"{os.path.splitext(output)[0]}{suffix}")


def _suffix(path: str) -> str:
    """The suffix of a file's name, in lower case; the 2 of llama-3.2 is none."""
    match = re.search(r"[^.](\.[a-z][a-z0-9_]*)$", os.path.basename(path), re.IGNORECASE)
    return match[1].lower() if match else ""


def check_target(path: str | os.PathLike[str], folder: bool) -> str:
    """The absolute path to write to, links followed; `folder` says whether it is to be a folder of files."""
    path = os.path.realpath(path)
    if os.path.exists(path):
        if folder and not os.path.isdir(path):
            raise FaninValueError(f"`output` must be a folder for several files ({path} is a file)")
        if not folder and not os.path.isfile(path):
            raise FaninValueError(f"`output` must be a file's name ({path} is {_kind(path)})")
    parent = path if folder and os.path.isdir(path) else os.path.dirname(path)
    if not os.path.isdir(parent):
        raise FaninValueError(f"`output` must be in a folder that exists ({parent} does not)")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise FaninValueError(f"`output` must be in a folder that may be written to ({parent} may not)")
    return path


def _kind(path: str) -> str:
    return "a folder" if os.path.isdir(path) else "a device or a pipe"


def check_neighbours(folder: str, written: Collection[str], other: Callable[[str], File | None]) -> None:
    """Refuse a folder with files of another checkpoint, which a reader would mix with this one's.

    Args:
        folder: it need not exist.
        written: the names of the files that this run writes, or replaces.
        other: name -> the `File` that another run of the same command writes, or None for a name of no such file.
    """
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
        if is_model_file(name) and name not in written:
            file = other(name)
            if file is None or not is_written(file):
                raise FaninValueError(f"{folder} must hold no other checkpoint's files ({name} is no part of what this "
                                      "command makes: its model, rules, seed, number of files or version of fanin "
                                      "differ): remove it, or choose another folder")


def check_space(folder: str, needed: int) -> None:
    """Refuse what is too large for the disk."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise FaninRuntimeError(f"{folder} must have {needed} bytes free ({free} are): choose another folder, or write "
                                "fewer tensors with --shard")


def remove_stale_index(path: str, text: str, replaced: bool) -> None:
    """Remove an index that is not this run's, or lists files that will be replaced: no reader sees a mixture."""
    if os.path.lexists(path) and (replaced or not holds(path, text)):
        with contextlib.suppress(FileNotFoundError):  # another part's run was quicker
            os.unlink(path)
        sync_folder(os.path.dirname(path))
